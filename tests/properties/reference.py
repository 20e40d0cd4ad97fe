"""The reference judge: docs/judging.md carried out in the most naive way there is.

It starts from nothing each time, takes all facts in their canonical order, and is read beside the
specification. It shares no code with the judge of `gateway/domain`; only the plan and the facts are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from gateway.domain.facts import AnyFact, Outcome, RadioCall, Scan, Signature, Status
from gateway.domain.plan import (
    ALWAYS,
    NIGHT,
    At,
    Calendar,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Order,
    Person,
    Plan,
    Route,
    Span,
    Times,
)
from gateway.domain.strength import Strength

SECOND: Final = 1000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
MINUTES_OF_DAY: Final = 24 * 60

REACH: Final = HOUR
"""How long before an occurrence opens, and after it is due, evidence is still taken."""

REPEAT: Final = 10 * SECOND
"""A scan this soon after one of the same checkpoint by the same carrier is a repeat."""

DOUBTFUL: Final = 5 * SECOND
"""A fact whose time is in doubt by more than this may belong elsewhere."""

NEVER: Final = 10**15
"""Later than any instant: the end of the last version of a plan."""

Vary = Callable[[str, date, int], int]
"""By how many ms a planned time is moved: of a track, on a local date, the index among the times of `at`."""


def unvaried(track: str, day: date, index: int) -> int:
    """Planned times stay where they are."""
    return 0


@dataclass(frozen=True, slots=True)
class Judged:
    """One occurrence and what the facts say about it."""

    track: str
    opens_at: int
    due_at: int
    verdict: str
    code: str
    started_at: int | None
    done_at: int | None
    facts: tuple[str, ...]
    findings: tuple[tuple[str, tuple[str, ...]], ...] = ()  # code and facts, sorted


@dataclass(frozen=True, slots=True)
class Version:
    """A plan while it is in force: `start ≤ t < end`."""

    plan: Plan
    start: int
    end: int


@dataclass(eq=False)
class Occurrence:
    """One time that something is owed, and the evidence taken for it so far."""

    plan: Plan
    duty: Duty
    post: str | None  # the post that is called, of a radio check, or that owes a record
    track: str
    opens_at: int
    due_at: int
    claimed: list[Scan] = field(default_factory=list)  # counted, or kept as evidence
    counted: list[Scan] = field(default_factory=list)
    calls: list[RadioCall] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)  # counted, or kept as evidence
    done: Scan | RadioCall | Signature | None = None  # the fact that fulfilled it
    declined: list[Scan] = field(default_factory=list)  # of somebody else, or weaker, than the duty asks for

    @property
    def route(self) -> Route:
        assert self.duty.route is not None
        return self.plan.route_by_id[self.duty.route]

    def checkpoint(self, scan: Scan) -> str | None:
        return self.plan.checkpoint_by_tag.get(scan.tag)

    def person(self, scan: Scan) -> Person | None:
        return None if scan.guard is None else self.plan.person_by_token.get(scan.guard)

    def expected(self) -> list[str]:
        """The checkpoints that may be counted next: one of a strict route, all left of a free one."""
        if self.route.order is Order.STRICT:
            return list(self.route.checkpoints[len(self.counted) :][:1])
        counted = [self.checkpoint(scan) for scan in self.counted]
        return [checkpoint for checkpoint in self.route.checkpoints if checkpoint not in counted]

    def needs(self, scan: Scan) -> bool:
        if self.route.order is Order.STRICT:
            ahead = self.route.checkpoints[len(self.counted) :]
            return self.checkpoint(scan) in ahead or self.goes_back(scan) or self.begins_afresh(scan)
        return self.checkpoint(scan) in self.expected()

    def asks_for(self, person: Person) -> bool:
        return self.duty.by in (None, person.id, person.role)

    def may_walk(self, scan: Scan) -> bool:
        person = self.person(scan)
        return person is None or self.asks_for(person)

    def strength(self, scan: Scan, spent: set[str]) -> Strength:
        if scan.id in spent:
            return Strength.QR
        device = self.plan.device_by_id.get(scan.device)
        fixed = device is not None and device.kind is DeviceKind.READER
        return Strength.WIRED if scan.proof is Strength.UID and fixed else scan.proof

    def is_strong(self, scan: Scan, spent: set[str]) -> bool:
        point = next(each for each in self.plan.checkpoints if each.id == self.checkpoint(scan))
        asked = [each for each in (self.duty.proof, point.proof) if each is not None]
        weakest_first = list(Strength)
        strength = weakest_first.index(self.strength(scan, spent))
        return all(strength >= weakest_first.index(each) for each in asked)

    def fits(self, scan: Scan, spent: set[str]) -> bool:
        return self.may_walk(scan) and self.is_strong(scan, spent)

    def weak(self) -> list[Scan]:
        """The scans that would have counted but for their strength, of what has not been counted since."""
        if self.done:
            return []
        left = self.missing()
        return [scan for scan in self.declined if self.may_walk(scan) and self.checkpoint(scan) in left]

    def missing(self) -> list[str]:
        """The checkpoints that have not been counted."""
        if self.route.order is Order.STRICT:
            return list(self.route.checkpoints[len(self.counted) :])
        return self.expected()

    def fits_best(self, scan: Scan) -> bool:
        device = self.plan.device_by_id.get(scan.device)
        person = self.person(scan)
        of_post = self.duty.post is None or (device is not None and self.duty.post in device.posts)
        shown = self.duty.by is None or (person is not None and self.asks_for(person))
        return of_post and shown

    def last_of(self, scan: Scan) -> Scan | None:
        """What the carrier of a scan has scanned last for this round."""
        own = [
            other for other in self.claimed if same_device(other, scan) or same_guard(self.plan, other, scan)
        ]
        return own[-1] if own else None

    def goes_back(self, scan: Scan) -> bool:
        """Whether the carrier is at the first checkpoint again, which is not asked for any more."""
        stops, counted = self.route.checkpoints, len(self.counted)
        if self.route.order is not Order.STRICT or not counted or self.checkpoint(scan) in stops[counted:]:
            return False
        return self.checkpoint(scan) == stops[0] and self.last_of(scan) is not None

    def begins_afresh(self, scan: Scan) -> bool:
        """Whether the carrier walks the round again, from its first checkpoint on."""
        stops, counted = self.route.checkpoints, len(self.counted)
        if self.route.order is not Order.STRICT or not self.claimed:
            return False
        before = self.claimed[-1]
        if before is not self.last_of(scan) or self.checkpoint(before) != stops[0]:
            return False
        place = self.checkpoint(scan)
        if counted <= 1:
            return place in stops[1:2]
        return place in stops[1:counted] and place != stops[counted]

    def begun_before(self, instant: int) -> bool:
        counted = [*self.counted, *self.signed()]
        return bool(counted) and counted[0].occurred_at < instant

    def counts(self, signature: Signature) -> bool:
        """Whether the signature is of somebody who may sign and has not signed yet."""
        person = self.plan.person_by_token.get(signature.by)
        others = [self.plan.person_by_token[other.by] for other in self.signed()]
        return person is not None and self.asks_for(person) and person not in others

    def signed(self) -> list[Signature]:
        """The signatures that count."""
        found: list[Signature] = []
        for signature in self.signatures:
            person = self.plan.person_by_token.get(signature.by)
            again = [other for other in found if self.plan.person_by_token[other.by] is person]
            if person is not None and self.asks_for(person) and not again:
                found.append(signature)
        return found

    def sign(self, signature: Signature) -> None:
        self.signatures.append(signature)
        if len(self.signed()) == self.duty.signatures:
            self.done = signature

    def claim(self, scan: Scan) -> None:
        if self.begins_afresh(scan):
            self.claimed = self.claimed[-1:]
            self.counted = list(self.claimed)
        self.claimed.append(scan)
        if self.checkpoint(scan) in self.expected():
            self.counted.append(scan)
            if not self.expected():
                self.done = scan

    def hear(self, call: RadioCall) -> None:
        self.calls.append(call)
        if call.outcome is not Outcome.NO_ANSWER:
            self.done = call


def same_device(one: Scan, other: Scan) -> bool:
    """Whether one device was carried to both; a fixed reader, whose scans bear its mark, is carried nowhere."""
    return one.device == other.device and f"@{one.device}" not in (one.tag, other.tag)


def same_guard(plan: Plan, one: Scan, other: Scan) -> bool:
    """Whether two scans name the same guard, by id or by card."""
    if one.guard is None or other.guard is None:
        return False
    people = plan.person_by_token
    first, second = people.get(one.guard), people.get(other.guard)
    if first is None or second is None:
        return one.guard == other.guard
    return first.id == second.id


# --- 1. what is owed


class Owed(Protocol):
    """Occurrences of one track that are owed together."""

    def targets(self, t: int) -> list[Occurrence]:
        """The occurrences that evidence at `t` may go to."""

    def fulfilled(self, occurrence: Occurrence, t: int) -> None:
        """A target was fulfilled at `t`."""

    def at_last(self, now: int) -> list[Occurrence]:
        """All occurrences there are at `now`, in order."""


@dataclass
class PlannedTimes:
    """`at`: the occurrences of one track, of one version of the plan, in order."""

    occurrences: list[Occurrence]

    def window(self, index: int) -> tuple[int, int]:
        """From when on, and before when, evidence is taken."""
        this = self.occurrences[index]
        claim_from, claim_to = this.opens_at - REACH, this.due_at + REACH
        if index > 0:
            claim_from = max(claim_from, (self.occurrences[index - 1].due_at + this.opens_at) // 2)
        if index + 1 < len(self.occurrences):
            claim_to = min(claim_to, (this.due_at + self.occurrences[index + 1].opens_at) // 2)
        return claim_from, claim_to

    def targets(self, t: int) -> list[Occurrence]:
        for index, occurrence in enumerate(self.occurrences):
            claim_from, claim_to = self.window(index)
            if claim_from <= t < claim_to:
                return [] if occurrence.done else [occurrence]
        return []

    def fulfilled(self, occurrence: Occurrence, t: int) -> None:
        pass

    def at_last(self, now: int) -> list[Occurrence]:
        return self.occurrences


@dataclass
class Chain:
    """`every`: one period `[start, end)` of one track."""

    make: Callable[[int], Occurrence]  # the occurrence that opens at an instant
    gap: int
    start: int
    end: int
    occurrences: list[Occurrence] = field(default_factory=list)
    ended: bool = False

    def pass_time(self, t: int) -> None:
        """Append what comes to be owed before `t`; at the end drop what was not owed."""
        if t < self.start or self.ended:
            return
        if not self.occurrences:
            self.occurrences.append(self.make(self.start))
        while self.occurrences[-1].due_at < min(t, self.end):
            self.occurrences.append(self.make(self.occurrences[-1].opens_at + self.gap))
        if t >= self.end:
            self.ended = True
            if self.occurrences[-1].due_at > self.end:
                self.occurrences.pop()

    def targets(self, t: int) -> list[Occurrence]:
        self.pass_time(t)
        if not self.occurrences:
            return []
        last = self.occurrences[-1]
        if self.ended:
            may_be_finished = not last.done and last.begun_before(self.end) and t <= last.due_at + REACH
            return [last] if may_be_finished else []
        if len(self.occurrences) > 1:
            before = self.occurrences[-2]
            if t > before.due_at and not before.done:
                return [before]
        return [last]

    def fulfilled(self, occurrence: Occurrence, t: int) -> None:
        if self.ended:
            return
        if t > occurrence.due_at:
            self.occurrences.pop()  # the last one is anchored anew
        self.occurrences.append(self.make(t))

    def at_last(self, now: int) -> list[Occurrence]:
        self.pass_time(now)
        return self.occurrences


@dataclass
class Counts:
    """`times`: the periods of one version of one track, each with its occurrences, in order."""

    periods: list[tuple[int, int, list[Occurrence]]]
    apart: int

    def targets(self, t: int) -> list[Occurrence]:
        all_of_them = [occurrence for _, _, occurrences in self.periods for occurrence in occurrences]
        too_soon = any(one.done and t - one.done.occurred_at < self.apart for one in all_of_them)
        within = [
            occurrence
            for start, end, occurrences in self.periods
            for occurrence in occurrences
            if start <= t < end and not occurrence.done and not too_soon
        ]
        begun = [
            occurrence
            for _, end, occurrences in self.periods
            for occurrence in occurrences
            if end <= t <= occurrence.due_at + REACH and not occurrence.done and occurrence.begun_before(end)
        ]
        return begun + within[:1]

    def fulfilled(self, occurrence: Occurrence, t: int) -> None:
        pass

    def at_last(self, now: int) -> list[Occurrence]:
        return [occurrence for _, _, occurrences in self.periods for occurrence in occurrences]


def instant(zone: tzinfo, day: date, minutes: int) -> int:
    """A local time in UTC ms; one that does not exist is moved by the gap, of two it is the first."""
    day += timedelta(days=minutes // MINUTES_OF_DAY)
    hour, minute = divmod(minutes % MINUTES_OF_DAY, 60)
    return (
        round(datetime(day.year, day.month, day.day, hour, minute, fold=0, tzinfo=zone).timestamp()) * SECOND
    )


def days(zone: tzinfo, first: int, last: int, margin: int = 2) -> list[date]:
    """The local dates around two instants."""
    start = datetime.fromtimestamp(first // SECOND, zone).date() - timedelta(days=margin)
    end = datetime.fromtimestamp(last // SECOND, zone).date() + timedelta(days=margin)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def of_span(zone: tzinfo, day: date, span: Span) -> tuple[int, int]:
    crosses = span.to <= span.from_
    return instant(zone, day, span.from_), instant(zone, day + timedelta(days=int(crosses)), span.to)


def periods_begun(plan: Plan, per: Calendar | Span, zone: tzinfo, day: date) -> list[tuple[int, int]]:
    """The periods that begin on a local date."""

    def until(next_day: date) -> list[tuple[int, int]]:
        return [(instant(zone, day, 0), instant(zone, next_day, 0))]

    if isinstance(per, Span):
        return [of_span(zone, day, per)]
    next_month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    match per:
        case Calendar.HOUR:
            midnight, next_midnight = instant(zone, day, 0), instant(zone, day, MINUTES_OF_DAY)
            starts = list(range(midnight, next_midnight - HOUR + 1, HOUR))
            return list(pairwise([*starts, next_midnight]))
        case Calendar.SHIFT:
            return [of_span(zone, day, shift.span) for shift in plan.shifts]
        case Calendar.NIGHT:
            return [of_span(zone, day, plan.night)]
        case Calendar.DAY:
            return until(day + timedelta(days=1))
        case Calendar.WEEK:
            return until(day + timedelta(days=7)) if day.weekday() == 0 else []
        case Calendar.MONTH:
            return until(next_month) if day.day == 1 else []
        case Calendar.QUARTER:
            third = (day + timedelta(days=92)).replace(day=1)
            return until(third) if day.day == 1 and day.month in (1, 4, 7, 10) else []
        case Calendar.YEAR:
            return until(date(day.year + 1, 1, 1)) if (day.month, day.day) == (1, 1) else []


def spans_of(plan: Plan, during: str) -> list[Span]:
    """When an `every` runs each day; one that always runs has no span."""
    if during == NIGHT:
        return [plan.night]
    return [shift.span for shift in plan.shifts if shift.id == during]


def running(version: Version, during: str, zone: tzinfo, horizon: int) -> list[tuple[int, int]]:
    """The periods of an `every`, clipped to the plan version, and each to the beginning of the next."""
    if during == ALWAYS:
        return [(version.start, version.end)]
    found = sorted(
        of_span(zone, day, span)
        for day in days(zone, version.start, min(version.end, horizon))
        for span in spans_of(version.plan, during)
    )
    starts = [start for start, _ in found[1:]] + [NEVER]
    clipped = [
        (max(start, version.start), min(end, following, version.end))
        for (start, end), following in zip(found, starts, strict=True)
    ]
    return [(start, end) for start, end in clipped if start < end]


def subjects(duty: Duty) -> list[tuple[str, str | None]]:
    """The tracks of a duty, each with the post that is called."""
    if duty.kind is DutyKind.ROUND or (duty.kind is DutyKind.RECORD and not duty.posts):
        return [(duty.id, None)]
    return [(f"{duty.id}.{post}", post) for post in duty.posts]


def at_occurrences(
    version: Version, duty: Duty, post: str | None, track: str, at: At, horizon: int, vary: Vary
) -> list[Occurrence]:
    zone = ZoneInfo(version.plan.timezone)
    found: dict[int, Occurrence] = {}  # by planned time: those that a clock change lays together are one
    margin = 2 + (at.early_s + at.vary_s) * SECOND // DAY
    for day in days(zone, version.start, min(version.end, horizon), margin):
        for index, minutes in enumerate(at.times):
            moved = vary(track, day, index) if at.vary_s else 0
            planned = instant(zone, day, minutes) + moved
            opens_at = planned - at.early_s * SECOND
            due_at = planned + (at.duration_s + at.late_s) * SECOND
            if version.start <= opens_at < version.end:
                found.setdefault(planned, Occurrence(version.plan, duty, post, track, opens_at, due_at))
    return sorted(found.values(), key=lambda occurrence: occurrence.opens_at)


def every_chains(
    version: Version, duty: Duty, post: str | None, track: str, every: Every, horizon: int
) -> list[Chain]:
    zone = ZoneInfo(version.plan.timezone)
    gap, grace = every.gap_s * SECOND, every.grace_s * SECOND

    def make(opens_at: int) -> Occurrence:
        return Occurrence(version.plan, duty, post, track, opens_at, opens_at + gap + grace)

    return [Chain(make, gap, start, end) for start, end in running(version, every.during, zone, horizon)]


def times_counts(
    version: Version, duty: Duty, post: str | None, track: str, times: Times, horizon: int
) -> Counts:
    zone = ZoneInfo(version.plan.timezone)
    periods = sorted(
        (start, end)
        for day in days(zone, version.start, min(version.end, horizon))
        for start, end in periods_begun(version.plan, times.per, zone, day)
        if start < end and version.start <= start < version.end
    )
    of_record = duty.kind is DutyKind.RECORD
    return Counts(
        [
            (
                start,
                # What is signed up to the due is signed in the period.
                end + times.grace_s * SECOND + 1 if of_record else end,
                [
                    Occurrence(version.plan, duty, post, track, start, end + times.grace_s * SECOND)
                    for _ in range(times.count)
                ],
            )
            for start, end in periods
        ],
        times.apart_s * SECOND,
    )


def all_owed(versions: Sequence[Version], horizon: int, vary: Vary) -> list[Owed]:
    """All that is owed up to the horizon."""
    owed: list[Owed] = []
    for version in versions:
        for duty in version.plan.duties:
            for track, post in subjects(duty):
                match duty.cadence:
                    case At() as at:
                        planned = at_occurrences(version, duty, post, track, at, horizon, vary)
                        owed.append(PlannedTimes(planned))
                    case Every() as every:
                        owed += every_chains(version, duty, post, track, every, horizon)
                    case Times() as times:
                        owed.append(times_counts(version, duty, post, track, times, horizon))
    return owed


# --- 2., 3. and 5. what the facts go to


def is_repeat(versions: Sequence[Version], scan: Scan, earlier: Sequence[Scan], spent: set[str]) -> bool:
    """Whether the same carrier scanned the same checkpoint just before, no weaker; by the plan in force then."""

    def shows(each: Scan) -> int:
        return list(Strength).index(Strength.QR if each.id in spent else each.proof)

    begun = [version.plan for version in versions if version.start <= scan.occurred_at]
    plan = begun[-1] if begun else versions[0].plan
    places = plan.checkpoint_by_tag
    return any(
        scan.occurred_at - other.occurred_at <= REPEAT
        and shows(other) >= shows(scan)
        and places.get(scan.tag, scan.tag) == places.get(other.tag, other.tag)
        and (same_device(scan, other) or same_guard(plan, scan, other))
        for other in earlier
    )


def preference(scan: Scan, occurrence: Occurrence) -> tuple[int, int, bool, bool, bool, int, str, int]:
    """The least is chosen."""
    t, route, checkpoint = scan.occurred_at, occurrence.route, occurrence.checkpoint(scan)
    last = occurrence.last_of(scan)
    expected = checkpoint in occurrence.expected()
    return (
        (1 if last and not occurrence.goes_back(scan) else 3) - expected,
        t - last.occurred_at if last else 0,
        t > occurrence.due_at,
        not occurrence.fits_best(scan),
        not (route.order is Order.STRICT and checkpoint == route.checkpoints[0]),
        abs(occurrence.due_at - t),
        occurrence.track,
        occurrence.opens_at,
    )


def take_scan(owed: Sequence[Owed], scan: Scan, spent: set[str]) -> None:
    """Give a scan to the one round that it belongs to, if there is one."""
    needing = [
        (of, occurrence)
        for of in owed
        for occurrence in of.targets(scan.occurred_at)
        if occurrence.duty.kind is DutyKind.ROUND and occurrence.needs(scan)
    ]
    candidates = [(of, occurrence) for of, occurrence in needing if occurrence.fits(scan, spent)]
    if not candidates and needing:
        _, nearest = min(
            needing,
            key=lambda each: (abs(each[1].due_at - scan.occurred_at), each[1].track, each[1].opens_at),
        )
        nearest.declined.append(scan)
    if candidates:
        of, occurrence = min(candidates, key=lambda candidate: preference(scan, candidate[1]))
        occurrence.claim(scan)
        if occurrence.done:
            of.fulfilled(occurrence, scan.occurred_at)


def take_call(owed: Sequence[Owed], call: RadioCall) -> None:
    """Give a call to the targets of all tracks of its post."""
    for of in owed:
        for occurrence in of.targets(call.occurred_at):
            if occurrence.duty.kind is DutyKind.RADIO_CHECK and occurrence.post == call.post:
                occurrence.hear(call)
                if occurrence.done:
                    of.fulfilled(occurrence, call.occurred_at)


def take_signature(owed: Sequence[Owed], signature: Signature) -> None:
    """Give a signature to one target of every track of its form, and of its post where the track has one."""
    tracks: dict[tuple[int, str], list[tuple[Owed, Occurrence]]] = {}
    for of in owed:
        for occurrence in of.targets(signature.occurred_at):
            if occurrence.duty.form == signature.form and occurrence.post in (None, signature.post):
                track = (occurrence.plan.version, occurrence.track)
                tracks.setdefault(track, []).append((of, occurrence))
    for targets in tracks.values():
        of, occurrence = min(targets, key=lambda target: (not target[1].counts(signature), target[1].due_at))
        occurrence.sign(signature)
        if occurrence.done:
            of.fulfilled(occurrence, signature.occurred_at)


# --- 4. verdicts


def has_been_heard(facts: Sequence[AnyFact], device: str, after: int) -> bool:
    """Whether a device has shown, after an instant, that it has nothing more to say."""
    for status in facts:
        if not (isinstance(status, Status) and status.device == device and status.sent_at > after):
            continue
        if status.buffered != 0 or status.high_seq is None:
            continue
        stored = {fact.seq for fact in facts if (fact.device, fact.boot) == (device, status.boot)}
        for boot, first, last in told_lost(facts, device):
            if boot == status.boot:
                stored |= set(range(first, last + 1))
        if all(seq in stored for seq in range(1, status.high_seq + 1)):
            return True
    return False


def told_lost(facts: Sequence[AnyFact], device: str) -> dict[tuple[str, int, int], tuple[int, int]]:
    """What a device says that it lost: boot and numbers, and the widest span of time that it gives for them."""
    told: dict[tuple[str, int, int], tuple[int, int]] = {}
    for status in facts:
        if isinstance(status, Status) and status.device == device:
            for boot, first, last, start, end in status.lost:
                before = told.get((boot, first, last), (start, end))
                told[boot, first, last] = (min(start, before[0]), max(end, before[1]))
    return told


def is_evidence_lost(facts: Sequence[AnyFact], device: str, start: int, end: int) -> bool:
    """Whether a device lost something for good that may have happened in a span of time."""
    for (boot, first, last), (since, until) in told_lost(facts, device).items():
        stored = {fact.seq for fact in facts if (fact.device, fact.boot) == (device, boot)}
        if since <= end and start <= until and any(seq not in stored for seq in range(first, last + 1)):
            return True
    return False


def may_be_done(occurrence: Occurrence, facts: Sequence[AnyFact], spent: set[str]) -> bool:
    """Whether facts whose times are much in doubt may be all that is missing."""
    doubtful = [
        fact
        for fact in facts
        if fact.uncertainty > DOUBTFUL
        and fact.occurred_at - fact.uncertainty <= occurrence.due_at
        and fact.occurred_at + fact.uncertainty >= occurrence.opens_at
    ]
    if occurrence.duty.kind is DutyKind.RADIO_CHECK:
        return any(
            isinstance(fact, RadioCall)
            and fact.post == occurrence.post
            and fact.outcome is not Outcome.NO_ANSWER
            for fact in doubtful
        )
    if occurrence.duty.kind is DutyKind.RECORD:
        people = occurrence.plan.person_by_token
        signed = {people[signature.by].id for signature in occurrence.signed()}
        others = {
            people[fact.by].id
            for fact in doubtful
            if isinstance(fact, Signature)
            and fact.form == occurrence.duty.form
            and occurrence.post in (None, fact.post)
            and fact.by in people
            and occurrence.asks_for(people[fact.by])
        }
        return len(signed | others) >= occurrence.duty.signatures
    return all(
        any(
            isinstance(fact, Scan)
            and occurrence.checkpoint(fact) == checkpoint
            and occurrence.fits(fact, spent)
            for fact in doubtful
        )
        for checkpoint in occurrence.missing()
    )


def verdict(occurrence: Occurrence, facts: Sequence[AnyFact], now: int, spent: set[str]) -> tuple[str, str]:
    """The verdict and its code."""
    if occurrence.done:
        return verdict_of_fulfilled(occurrence, occurrence.done)
    is_round = occurrence.duty.kind is DutyKind.ROUND
    is_record = occurrence.duty.kind is DutyKind.RECORD
    if now <= occurrence.due_at:
        if is_record:
            return "open", "awaiting_signature"
        if is_round:
            return "open", "under_way" if occurrence.claimed else "not_begun"
        return "open", "no_answer" if occurrence.calls else "awaiting_call"
    devices = occurrence.plan.proof_devices(
        occurrence.duty, occurrence.duty.post if is_round else occurrence.post
    )
    heard = all(has_been_heard(facts, device, occurrence.due_at) for device in devices)
    settled = now >= occurrence.due_at + occurrence.plan.settle_after_s * SECOND
    called = any(call.occurred_at <= occurrence.due_at for call in occurrence.calls)
    if not heard and not settled:
        return "unverified", "no_answer" if called else "no_proof"
    if may_be_done(occurrence, facts, spent):
        return "unverified", "time_uncertain"
    if any(is_evidence_lost(facts, device, occurrence.opens_at, occurrence.due_at) for device in devices):
        return "unverified", "evidence_lost"
    if is_record:
        return ("incomplete", "signatures_missing") if occurrence.signed() else ("missed", "not_signed")
    if not is_round:
        return "missed", "no_answer" if called else "not_called"
    if set(occurrence.missing()) <= {occurrence.checkpoint(scan) for scan in occurrence.weak()}:
        return "incomplete", "weak_evidence"
    if not occurrence.claimed:
        return "missed", "not_visited"
    visited = {occurrence.checkpoint(scan) for scan in occurrence.claimed}
    missing = [checkpoint for checkpoint in occurrence.route.checkpoints if checkpoint not in visited]
    return "incomplete", "incomplete" if missing else "out_of_order"


def verdict_of_fulfilled(occurrence: Occurrence, done: Scan | RadioCall | Signature) -> tuple[str, str]:
    started_at = started(occurrence)
    assert started_at is not None
    outcome = done.outcome.value if isinstance(done, RadioCall) else None
    if done.uncertainty > max(DOUBTFUL, occurrence.due_at - occurrence.opens_at):
        return "unverified", "time_uncertain"
    if isinstance(done, Signature):
        outcome = "signed_abnormal" if any(each.abnormal for each in occurrence.signed()) else "signed"
    if done.occurred_at > occurrence.due_at:
        if done.occurred_at - done.uncertainty <= occurrence.due_at:
            return "unverified", "time_uncertain"
        if outcome is None:
            return "late", "completed_late"
        late = {"signed": "signed_late", "answered": "answered_late"}
        return "late", late.get(outcome, outcome)
    if isinstance(occurrence.duty.cadence, At) and started_at < occurrence.opens_at:
        return "early", outcome or "completed_early"
    return "on_time", outcome or "on_time"


def started(occurrence: Occurrence) -> int | None:
    """When a round or the signing was begun; of a radio check the call that fulfilled it."""
    if signed := occurrence.signed():
        return signed[0].occurred_at
    if occurrence.counted:
        return occurrence.counted[0].occurred_at
    return occurrence.done.occurred_at if occurrence.done else None


# --- 5. findings

Told = tuple[str, tuple[str, ...]]
"""A finding: its code and its facts."""


def might_have_taken(first: Scan, second: Scan) -> tuple[int, int]:
    """The shortest and the longest time between two scans; one boot of a device has one clock."""
    took = second.occurred_at - first.occurred_at
    one_clock = (first.device, first.boot) == (second.device, second.boot)
    doubt = 0 if one_clock else first.uncertainty + second.uncertainty
    return took - doubt, took + doubt


def findings_of_walk(occurrence: Occurrence) -> list[Told]:
    """What the counted scans say by themselves."""
    walk, route, duty, plan = occurrence.counted, occurrence.route, occurrence.duty, occurrence.plan
    found: list[Told] = []
    limits = []
    for first, second in pairwise(walk):
        origin, target = occurrence.checkpoint(first), occurrence.checkpoint(second)
        assert origin is not None and target is not None
        leg = route.leg_between(origin, target)
        shortest, longest = might_have_taken(first, second)
        if longest < leg.min_s * SECOND:
            found.append(("leg_too_fast", (first.id, second.id)))
        elif leg.max_s is not None and shortest > leg.max_s * SECOND:
            found.append(("leg_too_slow", (first.id, second.id)))
        limits.append(longest < (min(5, leg.min_s) if leg.min_s else 3) * SECOND)
    if len(limits) >= 2 and all(limits):
        found.append(("tags_together", tuple(scan.id for scan in walk)))
    unfit = [scan for scan in walk if not occurrence.fits_best(scan)]
    facts = tuple(scan.id for scan in unfit)
    if duty.by is not None and any(occurrence.person(scan) is None for scan in unfit):
        found.append(("carrier_unknown", facts))
    of_post = {device.id for device in plan.devices if duty.post in device.posts}
    if duty.post is not None and any(scan.device not in of_post for scan in unfit):
        found.append(("other_device", facts))
    return found


def on_any_route(versions: Sequence[Version], scan: Scan) -> bool:
    """Whether a round could ask for it."""
    return any(
        version.plan.checkpoint_by_tag.get(scan.tag) in version.plan.route_by_id[duty.route].checkpoints
        for version in versions
        for duty in version.plan.duties
        if duty.route is not None
    )


def clashes(versions: Sequence[Version], scans: Sequence[Scan]) -> list[Told]:
    """Pairs of scans that cannot both be what they seem. `scans`: all of them, in canonical order."""
    shown = [scan for scan in scans if scan.guard is not None and on_any_route(versions, scan)]
    anyone = versions[0].plan

    def place(scan: Scan) -> str:
        return anyone.checkpoint_by_tag[scan.tag]

    def last_of_person(index: int) -> int | None:
        """The scan before of the same person, unless it is an hour ago."""
        for other in range(index - 1, -1, -1):
            if same_guard(anyone, shown[other], shown[index]):
                recent = shown[index].occurred_at - shown[other].occurred_at < HOUR
                return other if recent else None
        return None

    def came_from(index: int) -> str | None:
        at, before = index, last_of_person(index)
        while before is not None and place(shown[before]) == place(shown[at]):
            at, before = before, last_of_person(before)
        return None if before is None else place(shown[before])

    found: list[Told] = []
    for index, scan in enumerate(shown):
        before = last_of_person(index)
        if before is not None:
            other = shown[before]
            plan = [version.plan for version in versions if version.start <= scan.occurred_at] or [anyone]
            ways = [
                route.leg_between(place(other), place(scan)).min_s
                for route in plan[-1].routes
                for pair in (
                    pairwise(route.checkpoints)
                    if route.order is Order.STRICT
                    else [(a, b) for a in route.checkpoints for b in route.checkpoints]
                )
                if {place(other), place(scan)} == set(pair)
            ]
            way = min([way for way in ways if way] or [10]) * SECOND
            elsewhere = place(other) != place(scan) and other.device != scan.device
            if elsewhere and might_have_taken(other, scan)[1] < way:
                found.append(("two_places", (other.id, scan.id)))
        same_tag = [at for at in range(index) if shown[at].tag == scan.tag]
        if same_tag:
            other = shown[same_tag[-1]]
            origins = (came_from(same_tag[-1]), came_from(index))
            if (
                other.device != scan.device
                and not same_guard(anyone, other, scan)
                and None not in origins
                and origins[0] != origins[1]
                and might_have_taken(other, scan)[1] < 10 * SECOND
            ):
                found.append(("tag_copied", (other.id, scan.id)))
    return found


def taps(versions: Sequence[Version], scans: Sequence[Scan]) -> list[Told]:
    """Messages of tags that count their readings which were made at another time than they say."""
    shown = [scan for scan in scans if scan.tap is not None and on_any_route(versions, scan)]
    found: list[Told] = []
    for index, scan in enumerate(shown):
        assert scan.tap is not None
        earlier = [
            (other.tap.counter, other) for other in shown[:index] if other.tag == scan.tag and other.tap
        ]
        if not earlier:
            continue
        highest = max(counter for counter, _ in earlier)
        of_highest = [other for counter, other in earlier if counter == highest]
        first, last = of_highest[0], of_highest[-1]
        if scan.tap.counter < highest and might_have_taken(first, scan)[0] > 0:
            found.append(("tag_rolled_back", (first.id, scan.id)))
        held = last.device == scan.device and scan.occurred_at - last.occurred_at <= 10 * SECOND
        if scan.tap.counter == highest and not held:
            same = first.tap is not None and first.tap.message == scan.tap.message
            found.append(("tag_replayed" if same else "tag_cloned", (first.id, scan.id)))
    return found


def findings(occurrence: Occurrence, clashing: Sequence[Told]) -> tuple[Told, ...]:
    """All that is odd about an occurrence."""
    if occurrence.duty.kind is DutyKind.RADIO_CHECK:
        return ()
    if occurrence.duty.kind is DutyKind.RECORD:
        people = occurrence.plan.person_by_token
        wrong = [
            signature.id
            for signature in occurrence.signatures
            if signature.by not in people or not occurrence.asks_for(people[signature.by])
        ]
        return (("wrong_signer", tuple(wrong)),) if wrong else ()
    found = findings_of_walk(occurrence)
    weak = occurrence.weak()
    kept = {scan.id for scan in (*occurrence.claimed, *weak)}
    found += [clash for clash in clashing if kept & set(clash[1])]
    of_others = [scan for scan in occurrence.declined if not occurrence.may_walk(scan)]
    if of_others and not occurrence.done:
        found.append(("wrong_person", tuple(scan.id for scan in of_others)))
    for checkpoint in {occurrence.checkpoint(scan) for scan in weak}:
        facts = tuple(scan.id for scan in weak if occurrence.checkpoint(scan) == checkpoint)
        found.append(("weak_evidence", facts))
    return tuple(sorted(found))


def judge(
    plans: Sequence[Plan],
    facts: Iterable[AnyFact],
    now: int,
    since: int | None = None,
    vary: Vary = unvaried,
) -> list[Judged]:
    """All occurrences that opened at or before `now` (and not before `since`), by track and opening.

    `plans` are the versions of one site's plan. All facts given are known, whenever they occurred.
    """
    plans = sorted(plans, key=lambda plan: plan.holds_from)
    ends = [plan.holds_from for plan in plans[1:]] + [NEVER]
    versions = [Version(plan, plan.holds_from, end) for plan, end in zip(plans, ends, strict=True)]
    known = sorted({fact.id: fact for fact in facts}.values(), key=lambda fact: fact.order)
    horizon = max([now, *(fact.occurred_at for fact in known)]) + DAY

    tapped = taps(versions, [fact for fact in known if isinstance(fact, Scan)])
    spent = {later for _, (_, later) in tapped}
    owed = all_owed(versions, horizon, vary)
    scans: list[Scan] = []
    for fact in known:
        if isinstance(fact, Scan):
            if not is_repeat(versions, fact, scans, spent):
                take_scan(owed, fact, spent)
            scans.append(fact)
        elif isinstance(fact, RadioCall):
            take_call(owed, fact)
        elif isinstance(fact, Signature):
            take_signature(owed, fact)

    clashing = [*clashes(versions, scans), *tapped]
    judged = []
    for of in owed:
        for occurrence in of.at_last(now):
            if (since is None or since <= occurrence.opens_at) and occurrence.opens_at <= now:
                name, code = verdict(occurrence, known, now, spent)
                evidence = sorted(
                    [*occurrence.claimed, *occurrence.calls, *occurrence.signatures],
                    key=lambda fact: fact.order,
                )
                judged.append(
                    Judged(
                        occurrence.track,
                        occurrence.opens_at,
                        occurrence.due_at,
                        name,
                        code,
                        started(occurrence),
                        occurrence.done.occurred_at if occurrence.done else None,
                        tuple(fact.id for fact in evidence),
                        findings(occurrence, clashing),
                    )
                )
    return sorted(judged, key=lambda one: (one.track, one.opens_at))
