"""Authorities: what lets a vehicle through a barrier, and the register of those that people have written.

An authority takes part in judging from a moment on. To revoke it ends it; what it let through before stays let through.
Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.domain.calendar import FOREVER

MAX_AUTHORITY_MS: Final = 31 * 86_400_000
"""How long an authority of a kind that must end may hold, and how far ahead any may begin."""

WRITTEN_LATE_MS: Final = 12 * 3_600_000
"""An id record may be written so long after the exit that it speaks of: the barrier does not wait for paper."""

SHORTEST_PLATE: Final = 4
LONGEST_PLATE: Final = 10


class AuthorityKind(StrEnum):
    """What a person may write into the register, the most particular of a vehicle's papers last."""

    RESIDENT = "resident"  # a card, a plate, or a card for one plate
    CONTRACTOR = "contractor"  # somebody who works here, for a host
    VISITOR = "visitor"  # somebody whom a host expects
    PASS = "pass"  # a temporary pass: number, plate, time in
    CONSENT = "consent"  # to a large vehicle, or one with dangerous goods
    SWAP = "swap"  # another car may leave, or come, on a card or a pass
    SLIP = "slip"  # goods may leave, once
    ID_RECORD = "id_record"  # who left without a card, once


_ORDER: Final = {kind: place for place, kind in enumerate(AuthorityKind)}

LASTING: Final = frozenset({AuthorityKind.RESIDENT, AuthorityKind.CONTRACTOR})
"""The kinds that need no end."""

PAPERS: Final = frozenset(
    {AuthorityKind.CONSENT, AuthorityKind.SWAP, AuthorityKind.SLIP, AuthorityKind.ID_RECORD}
)
"""The kinds whose number is that of a paper, and tells no vehicle from another."""

TEMPORARY: Final = frozenset({"ticket", "pass", "visitor"})
"""Grants whose stays are charged by the tariff, and may last no longer than the site says."""


LIMITED: Final = TEMPORARY | {"contractor", "consent"}
"""Grants by which a vehicle must be gone when they end."""


class Tokens(NamedTuple):
    """By what a vehicle is known, in normal form."""

    number: str | None = None  # of a pass, ticket or slip
    card: str | None = None
    plate: str | None = None

    def __bool__(self) -> bool:
        return any(self)

    def share(self, other: Tokens) -> bool:
        """Whether the two have one in common."""
        return any(a is not None and a == b for a, b in zip(self, other, strict=True))

    def over(self, other: Tokens) -> Tokens:
        """These, and the other's where there is none."""
        return Tokens(*(a or b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Authority:
    """One entry of the register: what it is for, from when until when, and who wrote it."""

    id: str
    site: str
    kind: AuthorityKind
    at: int  # when it was written
    start: int
    end: int  # FOREVER when it has none
    by: str
    tokens: Tokens
    holder: str = ""
    host: str = ""
    goods: str = ""
    note: str = ""
    revoked_at: int | None = None
    revoked_by: str | None = None

    @property
    def known_from(self) -> int:
        """From when on it has any part in judging."""
        return min(self.at, self.start)

    @property
    def until(self) -> int:
        """The instant at which it ends, or ended."""
        return self.end if self.revoked_at is None else min(self.end, self.revoked_at)

    def why_not(self, at: int, doubt: int) -> str | None:
        """Why it does not hold at an instant that is known to within `doubt`; None when it may hold."""
        if at + doubt < self.start:
            return "not_yet"
        if at - doubt <= self.until:
            return None
        return "expired" if self.revoked_at is None or self.end <= self.revoked_at else "revoked"

    def revoke(self, at: int, by: str) -> Authority:
        """The same, ended at `at`."""
        return replace(self, revoked_at=at, revoked_by=by)


class Grant(NamedTuple):
    """What an opening or a passage rests on."""

    kind: str
    """A kind of authority, or `staff` (a card of the plan), `ticket` (issued at the lane), `person`, `fire`."""
    id: str | None = None  # of the authority
    by: str | None = None  # of a person: who
    note: str | None = None  # of a person: why
    until: int = FOREVER  # ms


class Register:
    """All authorities of one site that may still matter."""

    __slots__ = ("_by_id", "_by_token")

    def __init__(self, authorities: Iterable[Authority] = ()) -> None:
        self._by_id: dict[str, Authority] = {}
        self._by_token: tuple[dict[str, set[str]], ...] = ({}, {}, {})
        for authority in authorities:
            self.put(authority)

    def __iter__(self) -> Iterator[Authority]:
        return iter(self._by_id.values())

    def find(self, authority: str) -> Authority | None:
        """One authority by its id."""
        return self._by_id.get(authority)

    def put(self, authority: Authority) -> None:
        """Add one, or what has become of one."""
        self._by_id[authority.id] = authority
        for index, token in zip(self._by_token, authority.tokens, strict=True):
            if token is not None:
                index.setdefault(token, set()).add(authority.id)

    def of(self, tokens: Tokens, at: int, doubt: int, *kinds: AuthorityKind) -> list[Authority]:
        """Those with one of the tokens, of these kinds or of all, that may have been written by `at`.

        By number, then by card, then by plate.
        """
        found: dict[str, Authority] = {}
        for index, token in zip(self._by_token, tokens, strict=True):
            if token is None or not (ids := index.get(token)):
                continue
            named = (self._by_id[each] for each in ids)
            for each in sorted(named, key=lambda each: (_ORDER[each.kind], each.at, each.id)):
                if (not kinds or each.kind in kinds) and each.known_from <= at + doubt:
                    found.setdefault(each.id, each)
        return list(found.values())

    def forget_before(self, at: int) -> None:
        """Let go of those that ended before an instant."""
        for each in [each for each in self if each.until < at]:
            del self._by_id[each.id]
            for index, token in zip(self._by_token, each.tokens, strict=True):
                if token is not None:
                    index[token].discard(each.id)


def tokens_of(number: str | None, card: str | None, plate: str | None) -> Tokens:
    """Tokens in their normal form, from what a device or a person gave."""
    return Tokens(normal_number(number), normal_card(card), normal_plate(plate))


def normal_plate(text: str | None) -> str | None:
    """A plate without the separators that one camera prints and another does not; None for what is no plate.

    A camera that cannot read says so in words, in a blank, or in noise. So: 4 to 10 letters and digits, at least one
    of them a digit.
    """
    plain = _plain(text)
    readable = SHORTEST_PLATE <= len(plain) <= LONGEST_PLATE and plain.isalnum()
    return plain if readable and any(character.isdigit() for character in plain) else None


def normal_card(text: str | None) -> str | None:
    """A card's UID in upper case, without separators; None for none."""
    return _plain(text) or None


def normal_number(text: str | None) -> str | None:
    """The number of a pass or slip in upper case; None for none."""
    return (text or "").strip().upper() or None


def _plain(text: str | None) -> str:
    # The longest plate is ten characters: what is far longer is noise, and need not be looked at.
    return unicodedata.normalize("NFKC", (text or "")[:256]).upper().translate(_SEPARATORS)


_SEPARATORS: Final = dict.fromkeys(map(ord, " \t.-_:·•・‧"))
