"""The file of keys: one line `name = "32 hex digits"` for each reader, for nobody's eyes but the gateway's."""

from __future__ import annotations

import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gateway.domain.plan import ID_PATTERN

KEY_BYTES: Final = 16
"""A secure channel's key (SCBK) is one of AES-128."""

DEFAULT_KEY: Final = bytes(range(0x30, 0x40))
"""SCBK-D, which everybody knows: a reader has it until it is given its own."""

_OTHERS: Final = 0o077


class KeysError(Exception):
    """The file of keys cannot be used; the message says why and what to do. It holds no key."""


def load_keys(path: Path, wanted: Iterable[str] = ()) -> Mapping[str, bytes]:
    """The keys by name. Raises `KeysError` also where others may read the file, or one of `wanted` is missing."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise KeysError(
                    f"{path}: others may read or change these keys (mode {mode:04o}), so they are not used: "
                    f"chmod 600 {path}"
                )
            found = tomllib.loads(file.read().decode())
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise KeysError(f'{path}: this is no file of keys: each line is name = "32 hex digits"') from None
    keys = {name: _key(path, name, value) for name, value in found.items()}
    for name in wanted:
        if name not in keys:
            raise KeysError(
                f"{path}: no key is called {name!r}: make one with "
                f"`patrol-gateway osdp new-key --file {path} {name}`"
            )
    return keys


def _key(path: Path, name: str, value: object) -> bytes:
    try:
        key = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeysError(f"{path}: {name}: a key is written as {2 * KEY_BYTES} hex digits in quotes")
    if key == DEFAULT_KEY:
        raise KeysError(f"{path}: {name}: this is the default key that everybody knows: make another")
    return key


def new_key(path: Path, name: str) -> None:
    """Make a key from the system's source of secrets and add it to the file, which is made if need be.

    Raises `KeysError`; a key that is there is never replaced, as its reader would be lost.
    """
    if not re.fullmatch(ID_PATTERN, name):
        raise KeysError(f"{name!r} is no name for a key: up to 32 of a-z, 0-9, - and _")
    if path.exists() and name in load_keys(path):
        raise KeysError(
            f"{path}: there is a key {name!r} already, and the reader may have it: take another name"
        )
    try:
        begin = "" if not path.exists() or path.read_bytes()[-1:] in (b"", b"\n") else "\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f'{begin}{name} = "{secrets.token_hex(KEY_BYTES)}"\n')
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from None
