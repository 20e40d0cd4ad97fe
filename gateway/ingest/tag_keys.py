"""The keys of SUN tags: a file that only the gateway's user may read (docs/devices/sun.md).

    [[master]]
    key = "…"                # 64 hex digits; each tag's own keys come of it
    sites = ["riverside"]    # left out: all sites

    [[tag]]                  # a tag with keys of its own
    uid = "04DE5F1EACC040"
    meta_read_key = "…"      # 32 hex digits; left out where the UID is mirrored in the plain
    file_read_key = "…"

What a key is appears in no message, no log and no store.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from gateway.domain.plan import ID_PATTERN

FILE_KEY_NUMBER: Final = 2
"""Of the keys that come of a master key: the one that tags make their MACs with."""

_READ_BY_OTHERS: Final = 0o077
_UID: Final = r"[0-9A-F]{14}"
_TAG_KEY: Final = r"[0-9A-Fa-f]{32}"
_MASTER_KEY: Final = r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64}"


class TagKeysError(Exception):
    """The file of keys cannot be used; the message says where and what to do, and holds no key."""


# How keys come of a master key: the public scheme of sdm-backend (2023), whose vectors are in the tests.


def meta_key_of(master: bytes) -> bytes:
    """The key that opens the data of all tags of a master key: until it is open nobody knows which tag it is."""
    return _hmac(master, b"PICCDataKey")[:16]


def tag_key_of(master: bytes, uid: bytes, number: int) -> bytes:
    """A tag's own key."""
    key = _hmac(master, b"SlotMasterKey" + bytes([number]))[:16]
    mac = CMAC(algorithms.AES(key))
    mac.update(b"\x01" + _hmac(_hmac(master, b"DivBaseKey"), uid)[:16])
    return mac.finalize()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


@dataclass(frozen=True, slots=True)
class Master:
    """A key that the keys of many tags come of. `sites`: None for all."""

    key: bytes = field(repr=False)
    meta_key: bytes = field(repr=False)
    sites: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class TagKeys:
    """The two keys of one tag."""

    meta: bytes | None = field(repr=False)
    file: bytes = field(repr=False)
    sites: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of a file, or those for one site."""

    masters: tuple[Master, ...] = ()
    tags: dict[bytes, TagKeys] = field(default_factory=dict)

    def of_site(self, site: str) -> KeyRing:
        """Those that tags of a site may have."""
        return KeyRing(
            tuple(each for each in self.masters if each.sites is None or site in each.sites),
            {uid: each for uid, each in self.tags.items() if each.sites is None or site in each.sites},
        )

    def meta_keys(self) -> Iterable[bytes]:
        """Those that may open encrypted tag data, each once."""
        of_tags = (each.meta for each in self.tags.values() if each.meta is not None)
        return dict.fromkeys((*(master.meta_key for master in self.masters), *of_tags))

    def file_key(self, uid: bytes, meta_key: bytes | None) -> bytes | None:
        """The one that makes the MACs of a tag; None where none is known."""
        if (own := self.tags.get(uid)) is not None:
            return own.file if meta_key in (None, own.meta) else None
        for master in self.masters:
            if meta_key in (None, master.meta_key):
                return tag_key_of(master.key, uid, FILE_KEY_NUMBER)
        return None


def load_tag_keys(path: Path) -> KeyRing:
    """Read a file of keys. Raises `TagKeysError`, also when others than its owner may read the file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & _READ_BY_OTHERS:
                raise TagKeysError(
                    f"{path}: its permissions {mode:04o} are too open: keys must not be readable by others, and are "
                    f"not used. Run: chmod 600 {path}"
                )
            found = tomllib.loads(file.read().decode())
    except OSError as error:
        raise TagKeysError(f"{path}: {error.strerror}; make one with: patrol-gateway tags new-keys") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        # The parser's own message may repeat a key.
        raise TagKeysError(f"{path}: not a TOML file in UTF-8") from None
    masters, tags = found.pop("master", []), found.pop("tag", [])
    if found or not _are_tables(masters) or not _are_tables(tags):
        raise TagKeysError(f"{path}: a file of keys has [[master]] and [[tag]] tables and nothing else")
    problems = [
        f"{path}: {kind} {place}: {what}"
        for kind, entries, wrong in (("master", masters, _wrong_master), ("tag", tags, _wrong_tag))
        for place, entry in enumerate(entries, 1)
        for what in wrong(entry)
    ]
    uids = [entry.get("uid") for entry in tags]
    problems += [
        f"{path}: tag {place}: uid: given twice"
        for place, uid in enumerate(uids, 1)
        if uid in uids[: place - 1]
    ]
    if problems:
        raise TagKeysError("\n".join(problems))
    return KeyRing(tuple(_master(entry) for entry in masters), dict(_tag(entry) for entry in tags))


def _are_tables(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(each, dict) for each in entries)


def _wrong_master(entry: dict[str, Any]) -> Iterable[str]:
    yield from _unknown(entry, ("key", "sites"))
    yield from _wrong_key(entry, "key", _MASTER_KEY, "64 hex digits (or 32)")
    yield from _wrong_sites(entry)


def _wrong_tag(entry: dict[str, Any]) -> Iterable[str]:
    yield from _unknown(entry, ("uid", "meta_read_key", "file_read_key", "sites"))
    if not re.fullmatch(_UID, str(entry.get("uid"))):
        yield 'uid: expected 14 upper-case hex digits, like "04DE5F1EACC040"'
    if "meta_read_key" in entry:
        yield from _wrong_key(entry, "meta_read_key", _TAG_KEY, "32 hex digits")
    yield from _wrong_key(entry, "file_read_key", _TAG_KEY, "32 hex digits")
    yield from _wrong_sites(entry)


def _unknown(entry: dict[str, Any], known: Sequence[str]) -> Iterable[str]:
    # Names of keys are not repeated either: one may be a key in the wrong place.
    if set(entry) - set(known):
        yield f"something else than {', '.join(known)} is in it"


def _wrong_key(entry: dict[str, Any], name: str, pattern: str, expected: str) -> Iterable[str]:
    value = entry.get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        yield f"{name}: expected {expected}"
    elif not value.strip("0"):
        yield f"{name}: all zeros is what a new tag has, which everybody knows: give the tag a key of its own"


def _wrong_sites(entry: dict[str, Any]) -> Iterable[str]:
    sites = entry.get("sites", [""])
    good = isinstance(sites, list) and all(isinstance(site, str) for site in sites)
    if not good or ("sites" in entry and not all(re.fullmatch(ID_PATTERN, site) for site in sites)):
        yield 'sites: expected a list of ids of sites, like ["riverside"]; leave it out for all'


def _sites(entry: dict[str, Any]) -> frozenset[str] | None:
    return frozenset(entry["sites"]) if "sites" in entry else None


def _master(entry: dict[str, Any]) -> Master:
    key = bytes.fromhex(entry["key"])
    return Master(key, meta_key_of(key), _sites(entry))


def _tag(entry: dict[str, Any]) -> tuple[bytes, TagKeys]:
    meta = entry.get("meta_read_key")
    keys = TagKeys(
        None if meta is None else bytes.fromhex(meta), bytes.fromhex(entry["file_read_key"]), _sites(entry)
    )
    return bytes.fromhex(entry["uid"]), keys


def write_new_keys(path: Path, sites: Sequence[str] = ()) -> None:
    """Make a file with a new master key that only its owner may read. Raises `TagKeysError`; replaces nothing."""
    lines = [
        "# Whoever has this key can make taps. Keep a copy where only you can get at it.",
        "[[master]]",
        f'key = "{secrets.token_hex(32)}"',
    ]
    if sites:
        # JSON's lists of such plain words are TOML's.
        lines.append(f"sites = {json.dumps(list(sites))}")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise TagKeysError(
            f"{path} is there already: the tags that have its keys would be lost. Choose another name"
        ) from None
    except OSError as error:
        raise TagKeysError(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
