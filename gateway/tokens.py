"""API tokens: who may call what. A token is made once, shown once, and kept as a digest only.

What was ever done about tokens are rows of the store's `keys`, which its hash chain covers; here is what they amount
to. Once a token was made, everybody who calls must show one, for good: revoking the last one opens nothing again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final

import msgspec

from gateway.instants import maybe_rfc3339, rfc3339
from gateway.store.port import KeyRow

KIND: Final = "token"
_PREFIX: Final = "pgt_"
_SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Role(StrEnum):
    """What the holder of a token is here to do."""

    AUDITOR = "auditor"
    OPERATOR = "operator"
    SHIFT_LEADER = "shift_leader"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """What a call needs."""

    READ = "read"  # look at everything
    ACT = "act"  # acknowledge, resolve and note alerts, sign records
    DECIDE = "decide"  # excuse, silence
    MEND = "mend"  # take refused records in again
    PLAN = "plan"  # change what is owed
    ADMINISTER = "administer"  # tokens and the passwords of devices


_LADDER: Final = (
    (Role.AUDITOR, Right.READ),
    (Role.OPERATOR, Right.ACT),
    (Role.SHIFT_LEADER, Right.DECIDE),
    (Role.SUPERVISOR, Right.MEND),
    (Role.MANAGER, Right.PLAN),
    (Role.ADMINISTRATOR, Right.ADMINISTER),
)
RIGHTS: Final = {
    role: frozenset(right for _, right in _LADDER[: step + 1]) for step, (role, _) in enumerate(_LADDER)
}
"""What each role may do: all that the one below it may, and one thing more."""


class TokenError(Exception):
    """A token cannot be made or revoked; the message says why."""


class _Body(msgspec.Struct, omit_defaults=True):
    role: str
    sites: list[str] | None = None  # None: all sites


_decode: Final = msgspec.json.Decoder(_Body).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was made, without its secret. `revoked_at` (ms) and `revoked_by` once it no longer counts."""

    name: str
    role: Role
    sites: frozenset[str] | None  # None: all sites
    made_at: int
    made_by: str
    digest: bytes
    revoked_at: int | None = None
    revoked_by: str = ""


class Tokens:
    """All tokens of one gateway."""

    def __init__(self, rows: Iterable[KeyRow] = ()) -> None:
        """`rows`: what is stored about secrets of any kind, in order."""
        self._live: dict[bytes, Token] = {}
        self._ended: list[Token] = []
        for row in rows:
            self.take(row)

    @property
    def required(self) -> bool:
        """Whether everybody must show a token: since the first one was made."""
        return bool(self._live or self._ended)

    @property
    def live(self) -> list[Token]:
        """Those that count, by name."""
        return sorted(self._live.values(), key=lambda each: each.name)

    @property
    def ended(self) -> list[Token]:
        """Those that were revoked, in that order."""
        return list(self._ended)

    def find(self, secret: str) -> Token | None:
        """The token that a secret is; None when it is none, or none any more.

        Looked up by digest: how long that takes tells nothing about any secret.
        """
        return self._live.get(digest_of(secret))

    def by_digest(self, digest: bytes) -> Token | None:
        """The same, by what is kept of a secret."""
        return self._live.get(digest)

    def named(self, name: str) -> Token | None:
        """The token of a name that counts."""
        return next((each for each in self._live.values() if each.name == name), None)

    def make(
        self, name: str, role: str, sites: Iterable[str], now: int, by: str, origin: str
    ) -> tuple[str, KeyRow]:
        """A new secret, and the row that makes it count once it is stored. No sites: all. Raises `TokenError`."""
        if not _NAME.fullmatch(name):
            raise TokenError(
                f"a token's name is up to 32 small letters, digits, '.', '-' or '_', like wang-jg; not {name!r}"
            )
        if role not in RIGHTS:
            raise TokenError(f"there is no role {role!r}; there are {', '.join(Role)}")
        only = sorted(set(sites))
        for site in only:
            if not _SITE.fullmatch(site):
                raise TokenError(f"{site!r} is no id of a site")
        if only and role == Role.ADMINISTRATOR:
            raise TokenError("an administrator's token is for all sites: leave the sites out")
        if self.named(name) is not None:
            raise TokenError(f"there is a token {name!r} already: revoke it first, or take another name")
        secret = _PREFIX + token_urlsafe(_SECRET_BYTES)
        body = _encode(_Body(role, only or None))
        return secret, KeyRow(KIND, name, now, by, origin, "make", digest_of(secret), body)

    def revoke(self, name: str, now: int, by: str, origin: str) -> KeyRow:
        """The row that ends a token once it is stored. Raises `TokenError` when there is none of that name."""
        if self.named(name) is None:
            raise TokenError(f"there is no token {name!r}")
        return KeyRow(KIND, name, now, by, origin, "revoke", b"", b"{}")

    def take(self, row: KeyRow) -> None:
        """A row is stored: from now on it counts. Rows about other secrets are passed over."""
        if row.kind != KIND:
            return
        before = self.named(row.name)
        if before is not None:
            del self._live[before.digest]
            self._ended.append(_ended(before, row.at, row.by))
        if row.what == "make":
            body = _decode(row.body)
            sites = None if body.sites is None else frozenset(body.sites)
            self._live[row.digest] = Token(row.name, Role(body.role), sites, row.at, row.by, row.digest)


def digest_of(secret: str) -> bytes:
    """What is kept of a secret that the gateway made.

    Plain SHA-256: against 192 random bits or more nothing is gained by a slow one (docs/decisions/0024).
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def token_json(token: Token) -> dict[str, Any]:
    """A token as the API and the command line tell it, without its secret."""
    return {
        "name": token.name,
        "role": token.role,
        "sites": None if token.sites is None else sorted(token.sites),
        "made_at": rfc3339(token.made_at),
        "made_by": token.made_by,
        "revoked_at": maybe_rfc3339(token.revoked_at),
        "revoked_by": token.revoked_by,
    }


def _ended(token: Token, at: int, by: str) -> Token:
    return Token(token.name, token.role, token.sites, token.made_at, token.made_by, token.digest, at, by)
