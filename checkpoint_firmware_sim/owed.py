"""What was owed and what was really done, worked out from the plan and the truth alone.

This decides from what the simulator knows, without devices, messages or late arrivals, and shares no code with
the gateway's judge: two that agree by different ways are worth more than one that agrees with itself.
Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.times import HOUR, SECOND, days_touching, local_instant, periods
from checkpoint_firmware_sim.truth import Line
from gateway.domain.plan import At, Duty, DutyKind, Every, Order, Plan, Route, Times
from gateway.instants import parse_instant

REACH: Final = HOUR
"""How long before it opens, and after its period, something may be begun or finished for an occurrence."""

Track = tuple[str, str]
"""A duty and its subject: a route, or a post that is called."""

Window = tuple[int, int]
"""`opens_at` and `due_at`."""


@dataclass(frozen=True, slots=True)
class Done:
    """A complete walk, or a call that was answered: what fulfils a duty."""

    start: int
    end: int


@dataclass(slots=True)
class Owed:
    """One time that something was owed, and when it was really fulfilled, in time or later."""

    duty: str
    subject: str
    opens_at: int
    due_at: int
    done_at: int | None = None
    provable: bool = True
    """False when it was done, or may have been, and every record of that was never made or is lost."""

    @property
    def in_time(self) -> bool:
        """Whether it was fulfilled by its due."""
        return self.done_at is not None and self.done_at <= self.due_at


@dataclass
class Happened:
    """The truth, sorted by what can fulfil what."""

    plan: Plan
    since: int
    until: int
    done: dict[Track, list[Done]] = field(default_factory=dict)
    calls: list[Line] = field(default_factory=list)
    gates: list[Line] = field(default_factory=list)
    devices: list[Line] = field(default_factory=list)
    longest_walk: dict[str, int] = field(default_factory=dict)
    walked_with: dict[str, set[str]] = field(default_factory=dict)
    unrecorded: dict[Track, list[Done]] = field(default_factory=dict)
    """Complete walks, and calls, that left no full record: nobody can know of them."""
    lost: dict[str, list[Window]] = field(default_factory=dict)
    """Device → from when until when its records were lost for good."""
    _begun: dict[str, dict[str, int]] = field(default_factory=dict)  # duty → checkpoint → visited
    _lost_at: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, plan: Plan, lines: Sequence[Line], until: int | None = None) -> Happened:
        """Sort a truth log; `until` cuts it off, which otherwise its last line does."""
        # Devices live on after the end of the scenario; a run that was killed has no end.
        ends = [line for line in lines if line["what"] == "end"]
        told = ends or [line for line in lines if line["what"] != "skipped"]
        last = max(parse_instant(line["at"]) for line in told)
        until = last if until is None else min(until, last)
        happened = cls(plan, parse_instant(lines[0]["from"]), until)
        for line in lines:
            if line["what"] == "device" and line["event"] == "lost":
                span = parse_instant(line["from"]), parse_instant(line["to"])
                happened.lost.setdefault(line["device"], []).append(span)
                made = [parse_instant(each["at"]) for each in line["records"]]
                happened._lost_at.setdefault(line["device"], []).extend(made)
        for line in lines:
            if parse_instant(line["at"]) <= until:
                happened._take(line)
        for done in happened.done.values():
            done.sort(key=lambda each: each.end)
        return happened

    def offline(self, device: str | None, at: int) -> bool:
        """Whether a device had no connection at an instant."""
        past = [line for line in self.devices if line["device"] == device and parse_instant(line["at"]) <= at]
        changes = [line["event"] for line in past if line["event"] in ("offline", "online")]
        return bool(changes) and changes[-1] == "offline"

    def _take(self, line: Line) -> None:
        what = line["what"]
        if what == "walk":
            self._walked(line)
        elif what == "call":
            self.calls.append(line)
            if line["outcome"] != "no_answer":
                at = parse_instant(line["at"])
                for duty in self.plan.duties:
                    if duty.kind is DutyKind.RADIO_CHECK and line["post"] in duty.posts:
                        recorded = self._is_recorded((line.get("device"),), at)
                        found = self.done if recorded else self.unrecorded
                        found.setdefault((duty.id, line["post"]), []).append(Done(at, at))
        elif what == "gate":
            self.gates.append(line)
        elif what == "device":
            self.devices.append(line)

    def _walked(self, line: Line) -> None:
        visits = line["visits"]
        start, end = parse_instant(visits[0]["at"]), parse_instant(visits[-1]["at"])
        duty, route = line["duty"], self.plan.route_by_id[line["route"]]
        self.longest_walk[duty] = max(self.longest_walk.get(duty, 0), end - start)
        devices = self.walked_with.setdefault(duty, set())
        recorded = []
        for visit in visits:
            scanners = visit.get("devices", [line.get("device")])
            devices.update(scanners)
            if visit.get("recorded", True) and self._is_recorded(scanners, parse_instant(visit["at"])):
                recorded.append(visit)
        if len(recorded) < len(visits) and _complete(route, visits):
            self.unrecorded.setdefault((duty, route.id), []).append(Done(start, end))
        if route.order is Order.FREE:
            self._visited(duty, route, start, recorded)
        elif _complete(route, recorded):
            self.done.setdefault((duty, route.id), []).append(Done(start, end))

    def _visited(self, duty: str, route: Route, start: int, visits: list[dict[str, Any]]) -> None:
        """In free order it does not matter in how many walks of one period all checkpoints were visited."""
        begun = self._begun.get(duty, {})
        if begun and self._period(duty, start) != self._period(duty, min(begun.values())):
            begun = {}
        for visit in visits:
            at = parse_instant(visit["at"])
            begun.setdefault(visit["checkpoint"], at)
            if set(route.checkpoints) <= set(begun):
                self.done.setdefault((duty, route.id), []).append(Done(min(begun.values()), at))
                begun = {}
        self._begun[duty] = begun

    def _period(self, duty: str, at: int) -> Window | None:
        cadence = next(each for each in self.plan.duties if each.id == duty).cadence
        if isinstance(cadence, At):
            return None
        per = cadence.during if isinstance(cadence, Every) else cadence.per
        running = periods(self.plan, per, self.since, self.until)
        return next(((a, z) for a, z in running if a <= at < z), None)

    def _is_recorded(self, devices: Sequence[str | None], at: int) -> bool:
        """Whether what was entered at one of the devices is still there, or never was lost."""
        lost = [
            any(abs(each - at) <= 2 * SECOND for each in self._lost_at.get(id or "", ())) for id in devices
        ]
        return not lost or not all(lost)


def _complete(route: Route, visits: list[dict[str, Any]]) -> bool:
    visited = [visit["checkpoint"] for visit in visits]
    if route.order is Order.FREE:
        return set(route.checkpoints) <= set(visited)
    ahead = iter(visited)
    return all(checkpoint in ahead for checkpoint in route.checkpoints)


def tracks(plan: Plan) -> Iterator[tuple[Duty, str]]:
    """Every duty that simulated people carry out, with each of its subjects: nobody signs records here."""
    for duty in plan.duties:
        if duty.kind is not DutyKind.RECORD:
            yield from ((duty, subject) for subject, _ in duty.subjects)


def owed_by(happened: Happened, duty: Duty, subject: str, shown: Sequence[Window] = ()) -> list[Owed]:
    """What a track owed that opened since the truth began and was due by its end, in order of the due.

    `shown` are the windows that the gateway reports. They count only where a duty varies its planned times,
    and only as far as it may.
    """
    done = happened.done.get((duty.id, subject), [])
    cadence = duty.cadence
    if isinstance(cadence, Every):
        found = _gaps(happened, cadence, done)
    elif isinstance(cadence, At):
        found = _planned(happened, cadence, done, shown)
    else:
        found = _counted(happened, cadence, done)
    owed = [
        Owed(duty.id, subject, *each)
        for each in sorted(found, key=lambda each: each[1])
        if each[1] < happened.until
    ]
    for each in owed:
        each.provable = each.in_time or not _may_have_been_done(happened, duty, each)
    return owed


def _may_have_been_done(happened: Happened, duty: Duty, owed: Owed) -> bool:
    """Whether it was done without leaving a record, or records of its time were lost."""
    begin = owed.opens_at - REACH
    if any(begin <= each.end <= owed.due_at for each in happened.unrecorded.get((duty.id, owed.subject), ())):
        return True
    post = owed.subject if duty.kind is DutyKind.RADIO_CHECK else duty.post
    devices = {*happened.plan.proof_devices(duty, post), *happened.walked_with.get(duty.id, ())}
    spans = [span for device in devices for span in happened.lost.get(device, ())]
    return any(start <= owed.due_at and end >= begin for start, end in spans)


_Found = tuple[int, int, int | None]
"""opens_at, due_at, done_at."""


def _gaps(happened: Happened, every: Every, done: list[Done]) -> Iterator[_Found]:
    gap, allowed = every.gap_s * SECOND, (every.gap_s + every.grace_s) * SECOND
    for a, z in periods(happened.plan, every.during, happened.since, happened.until):
        opens = max(a, happened.since)
        period = [each for each in done if opens <= each.start < z]
        # The duty's period may go on after the truth ends: then nothing is dropped at its end.
        chain = [Owed("", "", opens, opens + allowed)]
        for each in period:
            _let_pass(chain, each.end, gap, allowed, z)
            overdue = chain[-2] if len(chain) > 1 and chain[-2].done_at is None else None
            if overdue is not None and chain[-1].due_at >= each.end:
                overdue.done_at = each.end
                chain[-1] = Owed("", "", each.end, each.end + allowed)
            elif each.end < z:
                chain[-1].done_at = each.end
                chain.append(Owed("", "", each.end, each.end + allowed))
        _let_pass(chain, min(happened.until, z) + 1, gap, allowed, z)
        owed_here = z if z < happened.until else happened.until
        yield from (
            (each.opens_at, each.due_at, each.done_at)
            for each in chain
            if each.done_at or each.due_at <= owed_here
        )


def _let_pass(chain: list[Owed], at: int, gap: int, allowed: int, z: int) -> None:
    """Each due that passes unfulfilled is a miss, and one more gap is owed."""
    while chain[-1].due_at < min(at, z + 1):
        opens = chain[-1].opens_at + gap
        chain.append(Owed("", "", opens, opens + allowed))


def _planned(happened: Happened, at: At, done: list[Done], shown: Sequence[Window]) -> Iterator[_Found]:
    zone = ZoneInfo(happened.plan.timezone)
    early, late = at.early_s * SECOND, (at.duration_s + at.late_s) * SECOND
    vary = at.vary_s * SECOND
    windows = []
    for day in days_touching(zone, happened.since, happened.until):
        for minutes in at.times:
            planned = local_instant(zone, day, minutes)
            nominal = (planned - early, planned + late)
            near = [window for window in shown if abs(window[1] - nominal[1]) <= vary]
            if near:
                windows.append(min(near, key=lambda window: abs(window[1] - nominal[1])))
            elif happened.since <= nominal[0] - vary and nominal[1] + vary < happened.until:
                windows.append(nominal)
    free = list(done)
    found: dict[Window, Done] = {}
    # A walk within one window is not a late one of the window before it.
    for reach in (0, REACH):
        for opens, due in sorted(windows):
            fitting = [each for each in free if opens - reach <= each.start and each.end <= due + reach]
            if fitting and (opens, due) not in found:
                free.remove(fitting[0])
                found[opens, due] = fitting[0]
    for opens, due in sorted(windows):
        if opens >= happened.since:
            walked = found.get((opens, due))
            yield opens, due, walked.end if walked else None


def _counted(happened: Happened, times: Times, done: list[Done]) -> Iterator[_Found]:
    for a, z in periods(happened.plan, times.per, happened.since, happened.until):
        if a >= happened.since:
            due = z + times.grace_s * SECOND
            ends: list[int | None] = [
                each.end for each in done if a <= each.start < z and each.end <= due + REACH
            ]
            ends += [None] * times.count
            yield from ((a, due, end) for end in ends[: times.count])
