"""Tracks: the occurrences that one duty owes for one subject, one after the other (docs/judging.md, part 1).

A track is rolled forward to an instant, which makes the occurrences that are owed by then (and the next one),
and it says which of them evidence at an instant goes to: its targets. Rolling never looks at a clock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import Final

from gateway.domain.calendar import (
    FOREVER,
    Period,
    Periods,
    PlannedTimes,
    counting_periods,
    gap_periods,
)
from gateway.domain.clashes import Clashes
from gateway.domain.facts import RadioCall, Scan, Signature
from gateway.domain.plan import At, Duty, DutyKind, Every, Plan, Times
from gateway.domain.rounds import RoundRule
from gateway.domain.strength import Strength

REACH_MS: Final = 3_600_000
"""How long before its opening and after its due an occurrence still takes evidence (early, late)."""


DOUBTFUL_MS: Final = 5_000
"""A fact whose time is in doubt by more than this may belong elsewhere than where it is counted."""


class Doubtful:
    """The facts of a strand whose times are much in doubt, in canonical order. There are few."""

    __slots__ = ("_facts", "_widest")

    def __init__(self) -> None:
        self._facts: list[Scan | RadioCall | Signature] = []
        self._widest = 0  # ms; the greatest doubt

    def add(self, fact: Scan | RadioCall | Signature) -> None:
        """Take in one more."""
        insort(self._facts, fact, key=_order)
        self._widest = max(self._widest, fact.uncertainty)

    def reaching(self, start: int, end: int) -> Iterator[Scan | RadioCall | Signature]:
        """Those that may have happened in `[start, end]` (ms)."""
        place = bisect_left(self._facts, (start - self._widest, "", "", 0), key=_order)
        for fact in islice(self._facts, place, None):
            if fact.occurred_at > end + self._widest:
                break
            if fact.occurred_at - fact.uncertainty <= end and start <= fact.occurred_at + fact.uncertainty:
                yield fact

    def forget_before(self, at: int) -> None:
        """Drop those that cannot have happened at `at` (ms) or later."""
        self._facts = [fact for fact in self._facts if fact.occurred_at + fact.uncertainty >= at]
        self._widest = max((fact.uncertainty for fact in self._facts), default=0)


def _order(fact: Scan | RadioCall | Signature) -> tuple[int, str, str, int]:
    return fact.order


class Owed:
    """One occurrence in the making: when it is owed, and the evidence it has claimed so far."""

    __slots__ = (
        "declined",
        "done",
        "due",
        "end",
        "evidence",
        "expected",
        "index",
        "opens",
        "planned",
        "seen",
    )

    def __init__(self, opens: int, due: int, end: int, planned: int | None = None, index: int = 0) -> None:
        self.opens = opens
        self.due = due
        self.end = end  # the end of its period; of an `at`, unused
        self.planned = planned
        self.index = index  # which of several that open at once
        self.evidence: list[Scan | RadioCall | Signature] | None = None
        self.declined: list[Scan] | None = (
            None  # by somebody else, or weaker, than the duty asks for; not evidence
        )
        self.seen = 0  # bits of the positions, or of the signatures, that were counted; 0 until it is begun
        self.expected = 0  # rounds in strict order: the next position
        self.done: int | None = None

    @property
    def key(self) -> tuple[int, int]:
        return (self.opens, self.index)

    @property
    def begun_in_period(self) -> bool:
        """Whether it was begun before the end of its period; what was walked anew was begun then."""
        return bool(self.seen and self.evidence and self.evidence[0].occurred_at < self.end)

    def copy(self) -> Owed:
        """A copy that can be fulfilled without touching this one."""
        other = Owed(self.opens, self.due, self.end, self.planned, self.index)
        other.evidence = None if self.evidence is None else self.evidence.copy()
        other.declined = None if self.declined is None else self.declined.copy()
        other.seen, other.expected, other.done = self.seen, self.expected, self.done
        return other


_KEYS: Final = {
    DutyKind.ROUND: "{duty}",
    DutyKind.RADIO_CHECK: "{duty}.{subject}",
    DutyKind.RECORD: "{subject}",
}


class Track:
    """What the three cadences share."""

    __slots__ = (
        "clashes",
        "doubtful",
        "duty",
        "items",
        "key",
        "plan",
        "post",
        "proof_devices",
        "rolled",
        "rule",
        "since",
        "subject",
        "until",
    )

    def __init__(
        self, plan: Plan, duty: Duty, subject: str, rule: RoundRule | None, since: int, until: int
    ) -> None:
        self.plan = plan
        self.duty = duty
        self.subject = subject
        self.post = dict(duty.subjects)[subject]
        self.rule = rule
        self.key = _KEYS[duty.kind].format(duty=duty.id, subject=subject)
        self.proof_devices = plan.proof_devices(duty, self.post)
        self.since = since
        self.until = until
        self.items: list[Owed] = []
        self.doubtful = Doubtful()  # of its strand, and shared with the others there
        self.clashes: Clashes | None = None  # likewise, of rounds
        self.rolled = -FOREVER  # below this instant nothing more is to be made

    def copy(self) -> Track:
        """A copy to roll and fulfil; fulfilled occurrences are shared, as nothing changes them any more."""
        other: Track = object.__new__(type(self))
        self._copy_into(other)
        other.items = [owed if owed.done is not None else owed.copy() for owed in self.items]
        return other

    def peek(self, now: int, first: int) -> list[Owed]:
        """The occurrences from index `first` on as they stand at `now`, without rolling this track itself."""
        if now < self.rolled:
            return self.items[first:]
        other: Track = object.__new__(type(self))
        self._copy_into(other)
        other.items = self.items[:]
        other.roll(now)
        return other.items[first:]

    def _copy_into(self, other: Track) -> None:
        other.plan, other.duty, other.subject, other.rule = self.plan, self.duty, self.subject, self.rule
        other.post = self.post
        other.key, other.since, other.until, other.rolled = self.key, self.since, self.until, self.rolled
        other.proof_devices, other.doubtful = self.proof_devices, self.doubtful
        other.clashes = self.clashes

    def strength(self, scan: Scan) -> Strength:
        """How strong a scan is as evidence for this track of a round."""
        assert self.rule is not None
        spent = self.clashes is not None and self.clashes.is_spent(scan)
        return self.rule.strength(scan, spent=spent)

    def roll(self, at: int) -> None:
        """Make what is owed by `at`, and the next occurrence after it."""
        raise NotImplementedError

    def targets(self, at: int) -> list[Owed]:
        """The occurrences that evidence at `at` may go to; the track is rolled to `at`."""
        raise NotImplementedError

    def fulfil(self, owed: Owed, at: int) -> None:
        """A target was fulfilled at `at`."""
        owed.done = at

    def forget_before(self, at: int) -> int:
        """Drop occurrences that were due before `at` and that nothing can change; returns how many."""
        keep = len(self.items) - 3
        count = 0
        while count < keep and self.items[count].due + REACH_MS < at:
            count += 1
        del self.items[:count]
        return count


class AtTrack(Track):
    """Planned local times."""

    __slots__ = ("cadence", "planned")

    def __init__(
        self, plan: Plan, duty: Duty, subject: str, rule: RoundRule | None, since: int, until: int
    ) -> None:
        super().__init__(plan, duty, subject, rule, since, until)
        assert isinstance(duty.cadence, At)
        self.cadence = duty.cadence
        seed = f"{plan.site}|{self.key}"
        self.planned = PlannedTimes(plan.timezone, self.cadence.times, self.cadence.vary_s, seed)

    def _copy_into(self, other: Track) -> None:
        super()._copy_into(other)
        assert isinstance(other, AtTrack)
        other.cadence, other.planned = self.cadence, self.planned

    def roll(self, at: int) -> None:
        while at >= self.rolled:
            early = self.cadence.early_s * 1000
            if self.items:
                planned = self.planned.after(self.items[-1].opens + early)
            else:
                planned = self.planned.from_(self.since + early)
            opens = planned - early
            if opens >= self.until:
                self.rolled = FOREVER
                return
            due = planned + (self.cadence.duration_s + self.cadence.late_s) * 1000
            self.items.append(Owed(opens, due, due, planned))
            self.rolled = opens - REACH_MS

    def targets(self, at: int) -> list[Owed]:
        items = self.items
        for place in range(len(items) - 1, -1, -1):
            owed = items[place]
            if place and at < (items[place - 1].due + owed.opens) // 2:
                continue
            if at < owed.opens - REACH_MS:
                continue
            if at >= owed.due + REACH_MS:
                break
            if place + 1 < len(items) and at >= (owed.due + items[place + 1].opens) // 2:
                break
            return [] if owed.done is not None else [owed]
        return []


class EveryTrack(Track):
    """The longest allowed gap between two fulfilments."""

    __slots__ = ("gap", "grace", "periods", "tail")

    def __init__(
        self, plan: Plan, duty: Duty, subject: str, rule: RoundRule | None, since: int, until: int
    ) -> None:
        super().__init__(plan, duty, subject, rule, since, until)
        assert isinstance(duty.cadence, Every)
        self.gap = duty.cadence.gap_s * 1000
        self.grace = duty.cadence.grace_s * 1000
        self.periods: Periods | None = gap_periods(plan, duty.cadence.during)
        self.tail: Owed | None = None  # the overdue one of the period that ended last

    def _copy_into(self, other: Track) -> None:
        super()._copy_into(other)
        assert isinstance(other, EveryTrack)
        other.gap, other.grace, other.periods, other.tail = self.gap, self.grace, self.periods, self.tail

    def copy(self) -> Track:
        other = super().copy()
        assert isinstance(other, EveryTrack)
        if self.tail is not None and self.tail.done is None:
            # The copy's tail must be the copy's own occurrence, or fulfilling one would fulfil the other.
            other.tail = next((o for o in reversed(other.items) if o.key == self.tail.key), None)
        return other

    def roll(self, at: int) -> None:
        while at >= self.rolled:
            if not self.items:
                self._begin(self.since, running=True)
            else:
                last = self.items[-1]
                if last.due < last.end:
                    if at <= last.due:
                        break
                    self._append(last.opens + self.gap, last.end)
                else:
                    if at < last.end:
                        break
                    if last.due > last.end:
                        self.items.pop()
                    self.tail = self._overdue()
                    self._begin(last.end, running=False)
            if self.rolled == FOREVER:
                return
            last = self.items[-1]
            self.rolled = last.due + 1 if last.due < last.end else last.end

    def _begin(self, at: int, *, running: bool) -> None:
        """Open the first occurrence of the period that runs at `at`, else of the next one."""
        period: Period | None = None
        if self.periods is None:
            period = (at, FOREVER) if at < self.until else None
        else:
            if running and (now := self.periods.running_at(at)) is not None:
                period = (at, now[1])
            if period is None:
                period = self.periods.next_from(at)
        if period is None or period[0] >= self.until:
            self.rolled = FOREVER
            return
        self._append(period[0], min(period[1], self.until))

    def _append(self, opens: int, end: int) -> None:
        # Fulfilled at the very instant of its opening, the one before has this one's opening too.
        before = self.items[-1] if self.items else None
        index = before.index + 1 if before is not None and before.opens == opens else 0
        self.items.append(Owed(opens, opens + self.gap + self.grace, end, opens + self.gap, index))

    def _overdue(self) -> Owed | None:
        last = self.items[-1] if self.items else None
        return last if last is not None and last.done is None else None

    def targets(self, at: int) -> list[Owed]:
        found: list[Owed] = []
        tail = self.tail
        if tail is not None and tail.done is None and tail.begun_in_period and at <= tail.due + REACH_MS:
            found.append(tail)
        if self.items:
            last = self.items[-1]
            if last.opens <= at < last.end and last.done is None:
                before = self.items[-2] if len(self.items) > 1 else None
                overdue = before is not None and before.done is None and before.end == last.end
                found.append(before if overdue and before is not None else last)
        return found

    def fulfil(self, owed: Owed, at: int) -> None:
        owed.done = at
        if owed is self.tail:
            return
        if owed is self.items[-1]:
            self._append(at, owed.end)
        else:
            last = self.items[-1]
            last.opens, last.planned, last.due = at, at + self.gap, at + self.gap + self.grace
        last = self.items[-1]
        self.rolled = last.due + 1 if last.due < last.end else last.end


class TimesTrack(Track):
    """A count in each period."""

    __slots__ = ("cadence", "periods")

    def __init__(
        self, plan: Plan, duty: Duty, subject: str, rule: RoundRule | None, since: int, until: int
    ) -> None:
        super().__init__(plan, duty, subject, rule, since, until)
        assert isinstance(duty.cadence, Times)
        self.cadence = duty.cadence
        self.periods = counting_periods(plan, self.cadence.per)

    def _copy_into(self, other: Track) -> None:
        super()._copy_into(other)
        assert isinstance(other, TimesTrack)
        other.cadence, other.periods = self.cadence, self.periods

    def roll(self, at: int) -> None:
        while at >= self.rolled:
            start, end = self.periods.next_from(self.items[-1].opens + 1 if self.items else self.since)
            if start >= self.until:
                self.rolled = FOREVER
                return
            due = end + self.cadence.grace_s * 1000
            if self.duty.kind is DutyKind.RECORD:
                end = due + 1  # what is signed just after the period is of that period
            for index in range(self.cadence.count):
                self.items.append(Owed(start, due, end, None, index))
            self.rolled = start

    def targets(self, at: int) -> list[Owed]:
        begun: list[Owed] = []
        running: Owed | None = None
        if self.cadence.apart_s:
            earliest = at - self.cadence.apart_s * 1000
            too_soon = any(owed.done is not None and owed.done > earliest for owed in self.items)
        else:
            too_soon = False
        for owed in reversed(self.items):
            if at > owed.due + REACH_MS and at >= owed.end:
                break
            if owed.done is not None or owed.opens > at:
                continue
            if at < owed.end:
                if too_soon:
                    continue
                running = owed  # walking backwards, the last one seen is the first unfulfilled one
            elif owed.begun_in_period:
                begun.append(owed)
        return begun if running is None else [running, *begun]


def make_track(plan: Plan, duty: Duty, subject: str, rule: RoundRule | None, since: int, until: int) -> Track:
    """The track of a duty for one subject, owing what opens in `[since, until)`."""
    kind = {At: AtTrack, Every: EveryTrack, Times: TimesTrack}[type(duty.cadence)]
    return kind(plan, duty, subject, rule, since, until)
