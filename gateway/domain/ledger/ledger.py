"""The ledger of one site: kept up to date as records come, in whatever order, and shown for a time.

The same facts and the same register give the same ledger, however they came (law 2). `REMEMBERED_MS` bounds what one
record can bear on, `KEEP_MS` what is kept in memory; what is older is made again from the store.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import GateEvent
from gateway.domain.hearing import Hearing
from gateway.domain.ledger.authority import Authority, Register
from gateway.domain.ledger.entries import Explanation, Leftover, Stay
from gateway.domain.ledger.fold import BEARS_ON, Fold, Pages
from gateway.domain.ledger.shown import Certainty, Shown, overlapping, within
from gateway.domain.ledger.yard import REMEMBERED_MS, overstay
from gateway.domain.plan import Plan

KEEP_MS: Final = 8 * 86_400_000
"""How far back the ledger is kept in memory."""

LOOK_BACK_MS: Final = REMEMBERED_MS + 86_400_000
"""Events from so long before a time are needed to tell what happened in it."""

ACT_NOW: Final = frozenset({"no_consent", "car_swapped"})
"""The leftovers for which somebody must go to the gate at once."""

_COPY_EVERY: Final = 512
_NEAR: Final = 16
_FAR: Final = 16
"""A copy of the fold is kept each 512 events for the last 8,192, and each 8,192 before that."""

Order = tuple[int, str, str, int]


class GateLedger:
    """The ledger of one site. Instants are ms since the epoch, UTC."""

    __slots__ = (
        "_alarms",
        "_copies",
        "_events",
        "_fold",
        "_ids",
        "_pages",
        "_plans",
        "base_at",
        "explained",
        "register",
    )

    def __init__(self, plans: Sequence[Plan], authorities: Iterable[Authority] = ()) -> None:
        self._plans = tuple(plans)
        self.register = Register(authorities)
        self.explained: dict[str, Explanation] = {}
        """What people said of leftovers, by id. It changes nothing of the ledger."""
        self.base_at = -FOREVER
        """Events from before this are in the ledger for good: one that comes now needs a new ledger."""
        self._events: list[tuple[Order, GateEvent]] = []
        self._ids: set[str] = set()
        self._pages = Pages()
        self._fold = Fold(self._plans, self.register, self._pages)
        self._copies: list[tuple[int, tuple[int, int, int, int], Fold]] = [
            (0, self._pages.lengths, self._fold.copy())
        ]
        """Folds as they were after so many of `_events`, with the lengths of the pages then."""
        self._alarms: dict[str, Leftover] = {}

    @property
    def alarms(self) -> dict[str, Leftover]:
        """What somebody must act on now, by id."""
        return self._alarms

    def take(self, events: Iterable[GateEvent]) -> None:
        """Take in events, in any order; those that are known are left out."""
        begin = self._plans[0].holds_from
        fresh: list[tuple[Order, GateEvent]] = []
        for event in events:
            if event.event in BEARS_ON and event.occurred_at >= begin and event.id not in self._ids:
                self._ids.add(event.id)
                fresh.append((event.order, event))
        if not fresh:
            return
        fresh.sort(key=lambda each: each[0])
        if self._events and fresh[0][0] < self._events[-1][0]:
            self._go_back(bisect_left(self._events, fresh[0][0], key=lambda each: each[0]), fresh)
        else:
            self._run(fresh)

    def put(self, authority: Authority) -> None:
        """Take an authority, or what has become of one, into the register."""
        known = self.register.find(authority.id)
        changed_at = authority.known_from if known is None else min(authority.until, known.until)
        self.register.put(authority)
        # What happened before the change is judged as it was, but for the doubt about when it happened.
        events = enumerate(self._events)
        touched = (place for place, (_, each) in events if each.occurred_at + each.uncertainty >= changed_at)
        if (place := next(touched, None)) is not None:
            self._go_back(place, [])

    def trim(self, now: int) -> None:
        """Let go of what is older than `KEEP_MS`."""
        keep_from = now - KEEP_MS
        old = [
            copy for copy in self._copies if copy[0] and self._events[copy[0] - 1][1].occurred_at < keep_from
        ]
        if not old:
            return
        count, lengths, _ = base = old[-1]
        for _, event in self._events[:count]:
            self._ids.discard(event.id)
        self.base_at = self._events[count - 1][1].occurred_at + 1
        del self._events[:count]
        pages = self._pages
        del pages.openings[: lengths[0]], pages.passages[: lengths[1]]
        del pages.stays[: lengths[2]], pages.leftovers[: lengths[3]]
        kept = [base, *(copy for copy in self._copies if copy[0] > count)]
        self._copies = [(number - count, _minus(sizes, lengths), fold) for number, sizes, fold in kept]
        self._alarms = {each.id: each for each in pages.leftovers if each.code in ACT_NOW}
        for fold in (base[2], self._fold):
            fold.yard.forget_before(now - LOOK_BACK_MS)
        self.register.forget_before(keep_from - LOOK_BACK_MS)

    def show(self, start: int, end: int, now: int, hearing: Hearing | None = None) -> Shown:
        """What happened in `[start, end)`, and how sure it is at `now`. Without `hearing` nothing is waited for."""
        rest = Pages()
        fold = self._fold.copy(rest)
        fold.settle(now)
        fold.yard.forget_before(now - REMEMBERED_MS)
        opened = [each for state in fold.lanes.values() for each in state.openings]
        waiting = [each for state in fold.lanes.values() for each in state.waiting]
        pages, inside = self._pages, fold.yard.stays()
        leftovers = [*pages.leftovers, *rest.leftovers, *self._overdue(inside, now, fold)]
        leftovers = sorted(
            (each for each in leftovers if start <= each.at < end), key=lambda each: (each.at, each.id)
        )
        certainty = Certainty(self._plans[-1], hearing, now)
        return Shown(
            within([*pages.openings, *rest.openings, *opened], start, end),
            within([*pages.passages, *rest.passages, *waiting], start, end),
            overlapping([*pages.stays, *rest.stays, *inside], start, end),
            [(each, certainty.of(each)) for each in leftovers],
            frozenset({each.id for each in opened} | {each.id for each in waiting}),
            self.explained,
        )

    @staticmethod
    def _overdue(inside: Iterable[Stay], now: int, fold: Fold) -> Iterator[Leftover]:
        """Vehicles that are here longer than they may be, and have not left as far as is known."""
        for stay in inside:
            entered, limit = stay.entered, stay.limit
            if entered is None or limit is None:
                continue
            if (over := overstay(stay, now, 0, fold.plan_at(now))) is not None:
                params = over | {"inside": True}
                yield Leftover(
                    "overstayed", limit, entered.lane, entered.id, (entered.id,), params, limit, True
                )

    # -- going on, and going back ---------------------------------------------------------------------------

    def _run(self, fresh: Iterable[tuple[Order, GateEvent]]) -> None:
        for each in fresh:
            before = len(self._pages.leftovers)
            self._fold.take(each[1])
            self._events.append(each)
            for leftover in self._pages.leftovers[before:]:
                if leftover.code in ACT_NOW:
                    self._alarms[leftover.id] = leftover
            if len(self._events) - self._copies[-1][0] >= _COPY_EVERY:
                self._copies.append((len(self._events), self._pages.lengths, self._fold.copy()))
                self._thin_out()

    def _thin_out(self) -> None:
        """Of the copy that has become far, keep each so manieth only."""
        if len(self._copies) > _NEAR + 1:
            place = len(self._copies) - _NEAR - 1
            if self._copies[place][0] - self._copies[place - 1][0] < _COPY_EVERY * _FAR and place:
                del self._copies[place]

    def _go_back(self, place: int, fresh: list[tuple[Order, GateEvent]]) -> None:
        """Fold again from before the event at `place`, with `fresh` ones among those after it."""
        while self._copies[-1][0] > place:
            self._copies.pop()
        count, lengths, fold = self._copies[-1]
        again = self._events[count:]
        for each in fresh:
            insort(again, each, key=lambda one: one[0])
        del self._events[count:]
        pages = self._pages
        for leftover in pages.leftovers[lengths[3] :]:
            self._alarms.pop(leftover.id, None)
        del pages.openings[lengths[0] :], pages.passages[lengths[1] :]
        del pages.stays[lengths[2] :], pages.leftovers[lengths[3] :]
        self._fold = fold.copy()
        self._run(again)


def make_ledger(
    plans: Sequence[Plan], events: Iterable[GateEvent], authorities: Iterable[Authority] = ()
) -> GateLedger:
    """The ledger of these facts and this register."""
    ledger = GateLedger(plans, authorities)
    ledger.take(events)
    return ledger


def _minus(sizes: tuple[int, int, int, int], less: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a, b, c, d = (size - by for size, by in zip(sizes, less, strict=True))
    return a, b, c, d
