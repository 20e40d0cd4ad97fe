"""One lane: which records tell of one opening, and which opening a vehicle passed by (docs/ledger.md)."""

from __future__ import annotations

from typing import Final

from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.ledger.authority import tokens_of
from gateway.domain.ledger.entries import Lane, Opening, Passage

TOLD_TWICE_MS: Final = 10_000
"""Within this the same thing told again is the same thing, and another device's word is of the same opening."""

WRITTEN_MS: Final = 30_000
"""Within this a person's `manual_open` and what the barrier says of it are one opening."""

SEEN_BEFORE_MS: Final = 10_000
"""So long before the barrier opens another device, such as a camera, may have told of the vehicle."""

CLOSING_MS: Final = 5_000
"""So long after `closed` a passage may still be told of: the last axle, and the record of it."""

_BY_HAND: Final = frozenset({"manual", "remote"})
_UNSAID: Final = (None, "unknown")


class LaneState:
    """What is under way in one lane: openings that may still be passed or explained, passages without an opening."""

    __slots__ = ("openings", "passed", "waiting")

    def __init__(self) -> None:
        self.openings: list[Opening] = []
        self.waiting: list[Passage] = []
        self.passed: list[Passage] = []  # of the last moments, to know one that is told of twice

    def copy(self) -> LaneState:
        """One that can go on by itself: the entries in it are never changed."""
        other = LaneState()
        other.openings, other.waiting, other.passed = (
            list(self.openings),
            list(self.waiting),
            list(self.passed),
        )
        return other

    def take_opening(self, lane: Lane, event: GateEvent, due: int) -> tuple[Opening, bool]:
        """Take in an opening. Returns it, and whether the same device has told of it before.

        `due`: when nothing can bear on it any more.

        1. Somebody's `manual_open` and the barrier's `opened` belong together.
        2. So does what two devices of the gate say, where one of the two does not know the vehicle.
        3. The same words from the same device, while nothing passed and nothing closed, are said twice.
        4. Anything else is an opening of its own.
        """
        tokens = tokens_of(event.pass_no, event.card, event.plate)
        written = event.event is GateEventKind.MANUAL_OPEN
        fresh = Opening(
            event.id,
            lane,
            event.device,
            event.occurred_at,
            event.uncertainty,
            due,
            (event.id,),
            (event.device,),
            tokens,
            event.cause,
            written or event.cause in _BY_HAND,
            event.event is GateEventKind.FORCED,
            written,
            (event.by or "").strip() or None,
            (event.note or "").strip() or None,
        )
        for place, known in enumerate(self.openings):
            since = fresh.at - known.at
            again = _is_repeated(known, fresh) and since <= TOLD_TWICE_MS
            if again or _is_written(known, fresh, since) or _is_of_another_device(known, fresh, since):
                self.openings[place] = merged = known._replace(
                    facts=(*known.facts, event.id),
                    devices=tuple(dict.fromkeys((*known.devices, event.device))),
                    tokens=known.tokens.over(tokens),
                    cause=known.cause or event.cause,
                    by_hand=known.by_hand or fresh.by_hand,
                    written=known.written or written,
                    by=known.by or fresh.by,
                    note=known.note or fresh.note,
                )
                return merged, again
        self.openings.append(fresh)
        return fresh, False

    def close(self, at: int) -> None:
        """The barrier is down."""
        self.openings = [
            each._replace(closed_at=at) if each.closed_at is None else each for each in self.openings
        ]

    def opening_for(self, passage: Passage, within_ms: int) -> Opening | None:
        """The opening that a vehicle passes by: one for this vehicle, else the oldest that is for no other."""
        free = [each for each in self.openings if each.passage is None and may_pass(each, passage, within_ms)]
        named = next((each for each in free if each.tokens.share(passage.tokens)), None)
        return named or next((each for each in free if not is_for_another(each, passage)), None)

    def seen_before(self, opening: Opening) -> Passage | None:
        """A vehicle that another device told of just before the barrier opened for it."""
        for passage in self.waiting:
            early = opening.at - passage.at <= SEEN_BEFORE_MS and passage.device not in opening.devices
            if early and (opening.tokens.share(passage.tokens) or not (opening.tokens and passage.tokens)):
                return passage
        return None

    def passed_already(self, passage: Passage) -> Passage | None:
        """The passage that this one only repeats."""
        self.passed = [each for each in self.passed if passage.at - each.at <= TOLD_TWICE_MS]
        for known in self.passed:
            if known.inward is passage.inward and passage.tokens and known.tokens.share(passage.tokens):
                return known
        return None

    def passed_by(self, opening: Opening, passage: Passage, *, refused: bool = False) -> None:
        """A vehicle passed by an opening. `refused`: what is wrong with its authority is noted already."""
        place = next(place for place, each in enumerate(self.openings) if each.id == opening.id)
        self.openings[place] = opening._replace(
            passage=passage.id,
            inward=passage.inward,
            alone=not passage.inward and passage.stay is None,
            grant=passage.grant,
            refused=refused or opening.refused,
        )


def may_pass(opening: Opening, passage: Passage, within_ms: int) -> bool:
    """Whether a vehicle can have passed by an opening, whatever the doubt about the two times."""
    doubt = 0 if opening.device == passage.device else opening.doubt + passage.doubt
    if not opening.at - doubt <= passage.at <= opening.at + within_ms + doubt:
        return False
    return opening.closed_at is None or passage.at <= opening.closed_at + CLOSING_MS + doubt


def is_for_another(opening: Opening, passage: Passage) -> bool:
    """Whether the plates that were read say that an opening was for another car."""
    plates = opening.tokens.plate, passage.tokens.plate
    return None not in plates and plates[0] != plates[1]


def _is_repeated(known: Opening, fresh: Opening) -> bool:
    same = (known.device, known.tokens, known.cause, known.forced) == (
        fresh.device,
        fresh.tokens,
        fresh.cause,
        fresh.forced,
    )
    return same and known.written is fresh.written and known.passage is None and known.closed_at is None


def _is_written(known: Opening, fresh: Opening, since: int) -> bool:
    if known.written is fresh.written or known.forced or fresh.forced or since > WRITTEN_MS:
        return False
    if not (known.tokens.share(fresh.tokens) or not (known.tokens and fresh.tokens)):
        return False
    if known.written:
        # A barrier that opens once it was down has opened anew.
        return known.closed_at is None and (fresh.by_hand or fresh.cause in _UNSAID)
    # What rests on something already needs no person's word: that is another opening.
    return known.by_hand or (known.cause in _UNSAID and known.grant is None)


def _is_of_another_device(known: Opening, fresh: Opening, since: int) -> bool:
    if fresh.device in known.devices or known.forced is not fresh.forced or since > TOLD_TWICE_MS:
        return False
    return known.tokens.share(fresh.tokens) or not (known.tokens and fresh.tokens)
