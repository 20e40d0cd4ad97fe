"""Passwords of devices at the own endpoint: made here, shown once, kept as digests; changed with a time of grace.

Once a device of a site was given one, every device of the site must show its own, for good; and from then on nobody may
connect without saying at once which device they are. Rows of the store's `keys`, as tokens are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, Final

import msgspec

from gateway.instants import maybe_rfc3339, rfc3339
from gateway.store.port import KeyRow
from gateway.tokens import digest_of

KIND: Final = "password"

GRACE_S: Final = 86_400
"""How long the old password of a device stays good beside a new one, if nobody says otherwise (s)."""

LONGEST_GRACE_S: Final = 30 * 86_400

_SECRET_BYTES: Final = 24
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}/[a-z0-9][a-z0-9_-]{0,31}")


class PasswordError(Exception):
    """A password cannot be made or revoked; the message says why."""


class _Body(msgspec.Struct, omit_defaults=True):
    old_until: int | None = None  # ms


_decode: Final = msgspec.json.Decoder(_Body).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Password:
    """What is kept of a device's password, and of the one before it until `old_until` (ms)."""

    device: str  # site/device
    digest: bytes
    made_at: int
    made_by: str
    old_digest: bytes = b""
    old_until: int | None = None


class Passwords:
    """The passwords of all devices of one gateway."""

    def __init__(self, rows: Iterable[KeyRow] = ()) -> None:
        """`rows`: what is stored about secrets of any kind, in order."""
        self._by_device: dict[str, Password] = {}
        self._sites: set[str] = set()
        for row in rows:
            self.take(row)

    @property
    def required(self) -> bool:
        """Whether any site's devices must show passwords, so that nobody may leave open who they are."""
        return bool(self._sites)

    def required_at(self, site: str) -> bool:
        """Whether the devices of a site must show theirs: since the first of them was given one."""
        return site in self._sites

    def of_site(self, site: str) -> list[Password]:
        """Those of a site's devices, by device."""
        return [self._by_device[name] for name in sorted(self._by_device) if name.startswith(f"{site}/")]

    def all(self) -> list[Password]:
        """Those of all devices, by site and device."""
        return [self._by_device[name] for name in sorted(self._by_device)]

    def fits(self, device: str, shown: bytes | None, now: int) -> bool:
        """Whether what a device shows is its password, or the one before it while that is good (`now` in ms)."""
        kept = self._by_device.get(device)
        if kept is None or shown is None:
            return False
        found = digest_of(shown.decode("utf-8", "surrogateescape"))
        is_old = (
            kept.old_until is not None and now < kept.old_until and compare_digest(found, kept.old_digest)
        )
        return compare_digest(found, kept.digest) or is_old

    def make(
        self, device: str, now: int, by: str, origin: str, grace_s: float = GRACE_S
    ) -> tuple[str, KeyRow]:
        """A new password, and the row that makes it count once it is stored. Raises `PasswordError`.

        An old one stays good for `grace_s`, so that the device can be given the new one in peace.
        """
        _check(device)
        if not 0 <= grace_s <= LONGEST_GRACE_S:
            raise PasswordError(f"an old password stays good for at most {LONGEST_GRACE_S // 86_400} days")
        secret = token_urlsafe(_SECRET_BYTES)
        has_old = device in self._by_device and grace_s > 0
        body = _encode(_Body(now + int(grace_s * 1000) if has_old else None))
        return secret, KeyRow(KIND, device, now, by, origin, "make", digest_of(secret), body)

    def revoke(self, device: str, now: int, by: str, origin: str) -> KeyRow:
        """The row that ends a device's password, and an old one. Raises `PasswordError` when it has none."""
        if device not in self._by_device:
            raise PasswordError(f"{device!r} has no password")
        return KeyRow(KIND, device, now, by, origin, "revoke", b"", b"{}")

    def take(self, row: KeyRow) -> None:
        """A row is stored: from now on it counts. Rows about other secrets are passed over."""
        if row.kind != KIND:
            return
        self._sites.add(row.name.partition("/")[0])
        before = self._by_device.pop(row.name, None)
        if row.what == "make":
            until = _decode(row.body).old_until
            old = before.digest if before is not None and until is not None else b""
            self._by_device[row.name] = Password(row.name, row.digest, row.at, row.by, old, until)


def password_json(password: Password) -> dict[str, Any]:
    """A password as the API and the command line tell it, without the secret."""
    return {
        "device": password.device,
        "made_at": rfc3339(password.made_at),
        "made_by": password.made_by,
        "old_until": maybe_rfc3339(password.old_until),
    }


def _check(device: str) -> None:
    if not _NAME.fullmatch(device):
        raise PasswordError(f"a device is named site/device, like riverside/scanner-1; not {device!r}")
