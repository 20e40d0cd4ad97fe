"""Pages that have signed in, and how often an address may try.

A page shows its token once and gets a random cookie. What is kept of it is a digest, in a file beside the database: a
board on a wall must not turn into a sign-in page in the night because the gateway was restarted. It counts for as long
as its token does, is used now and then, and is not signed out.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import msgspec

from gateway.tokens import Token, Tokens, digest_of

log = logging.getLogger("gateway")

COOKIE: Final = "patrol_session"

KEPT_MS: Final = 30 * 86_400_000
"""A page that did not ask for so long must sign in again. Not hours: a board that goes dark at night tells no alarm."""

_SEEN_EVERY_MS: Final = 3_600_000
_MOST: Final = 1_000
"""So many pages may be signed in; then the one that was signed in first is signed out."""

FREE_TRIES: Final = 5
"""So many wrong tokens cost an address nothing. Each further one doubles its wait, from 1 s up to"""

LONGEST_WAIT_S: Final = 300
_ADDRESSES: Final = 10_000


class TooManyTriesError(Exception):
    """An address has shown too many wrong tokens. `wait_s`: for how long it must wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many wrong tokens from this address: wait {wait_s} s")
        self.wait_s = wait_s


class Tries:
    """Wrong tokens, by address."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        """`elapsed`: a steady clock (s)."""
        self.failures = 0
        """Since the start."""
        self._elapsed = elapsed
        self._by_address: OrderedDict[str, tuple[int, float]] = (
            OrderedDict()
        )  # how many, and free again at (s)

    def check(self, address: str) -> None:
        """Raises `TooManyTriesError` while an address must wait."""
        _, free_at = self._by_address.get(address, (0, 0.0))
        wait = free_at - self._elapsed()
        if wait > 0:
            raise TooManyTriesError(int(wait) + 1)

    def failed(self, address: str) -> None:
        """An address has shown a wrong token. Told in the log, without the token."""
        self.failures += 1
        now = self._elapsed()
        count, free_at = self._by_address.pop(address, (0, 0.0))
        if now - free_at > 2 * LONGEST_WAIT_S:
            count = 0
        count += 1
        wait = min(2 ** (count - FREE_TRIES), LONGEST_WAIT_S) if count > FREE_TRIES else 0
        self._by_address[address] = (count, now + wait)
        if len(self._by_address) > _ADDRESSES:
            self._by_address.popitem(last=False)
        if count & (count - 1) == 0:
            log.warning("a wrong token was shown from %s, %d in all", address, count)

    def succeeded(self, address: str) -> None:
        """A right one."""
        self._by_address.pop(address, None)


class _Kept(msgspec.Struct):
    token: bytes  # its digest
    seen_at: int  # ms


_File = dict[str, _Kept]


class SignedIn:
    """The pages that have signed in."""

    def __init__(self, tokens: Tokens, path: Path, now: Callable[[], int]) -> None:
        self._tokens = tokens
        self._path = path
        self._now = now
        self._pages: _File = {}
        try:
            self._pages = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read (%s): all pages must sign in again", path, error)

    def sign_in(self, token: Token) -> str:
        """The cookie of a new page."""
        cookie = token_urlsafe(32)
        self._pages[_key(cookie)] = _Kept(token.digest, self._now())
        if len(self._pages) > _MOST:
            del self._pages[next(iter(self._pages))]
        self._write()
        return cookie

    def sign_out(self, cookie: str) -> None:
        """This page no longer counts."""
        kept = self._pages.pop(_key(cookie), None)
        if kept is not None:
            self._write()

    def find(self, cookie: str) -> Token | None:
        """The token that a page has signed in with; None when it must sign in."""
        kept = self._pages.get(_key(cookie)) if cookie else None
        if kept is None:
            return None
        now = self._now()
        token = self._tokens.by_digest(kept.token)
        if token is None or now - kept.seen_at > KEPT_MS:
            self.sign_out(cookie)
            return None
        if now - kept.seen_at > _SEEN_EVERY_MS:
            kept.seen_at = now
            self._write()
        return token

    def _write(self) -> None:
        """Put the file in place whole, readable by its owner alone."""
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.touch(0o600)
            draft.write_bytes(msgspec.json.encode(self._pages))
            draft.replace(self._path)
        except OSError as error:
            # The pages stay signed in until the next start; nothing that matters hangs on the file.
            log.warning("%s cannot be written: %s", self._path, error.strerror)


def _key(cookie: str) -> str:
    return digest_of(cookie).hex()
