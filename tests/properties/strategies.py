"""Small plausible sites and what happens at them: plans, guards' walks, calls, heartbeats, and noise.

Most instants lie on a grid of minutes and most durations are multiples of five of them, so that what happens
often falls exactly on a limit; a few are a millisecond beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from gateway.domain.facts import (
    AnyFact,
    GateEvent,
    GateEventKind,
    Lost,
    Outcome,
    RadioCall,
    Report,
    Scan,
    Signature,
    Status,
    Tap,
)
from gateway.domain.plan import (
    ALWAYS,
    DEFAULT_SETTLE_S,
    NIGHT,
    At,
    Cadence,
    Calendar,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Leg,
    Order,
    Person,
    Plan,
    Post,
    Route,
    Shift,
    Span,
    Times,
)
from gateway.domain.strength import Strength

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

BEGINNINGS: Final = (
    ("Asia/Shanghai", "2026-01-10 21:00"),
    ("Asia/Shanghai", "2025-12-31 20:30"),  # a year, a quarter and a month begin
    ("Europe/London", "2026-03-28 20:00"),  # 01:00 becomes 02:00
    ("Europe/London", "2026-10-24 21:00"),  # 02:00 becomes 01:00
    ("Europe/London", "2026-10-25 00:30"),
    ("America/St_Johns", "2026-03-07 22:00"),  # 02:00 becomes 03:00
    ("America/St_Johns", "2026-10-31 22:00"),  # 02:00 becomes 01:00, and a month begins
    ("Australia/Lord_Howe", "2026-10-03 22:00"),  # 02:00 becomes 02:30
    ("Australia/Lord_Howe", "2026-04-04 22:00"),  # 02:00 becomes 01:30
)
"""Zones, and local times at which a plan begins to hold."""

PEOPLE: Final = (
    Person("li", {"en": "Li"}, "guard", "CA01"),
    Person("wang", {"en": "Wang"}, "guard"),
    Person("zhao", {"en": "Zhao"}, "leader", "CA03"),
)
GUARDS: Final = (None, "li", "CA01", "wang", "zhao", "CA03", "stranger")
CHECKPOINTS: Final = tuple(f"c{n}" for n in range(6))
NIGHTS: Final = (Span(22 * 60, 6 * 60), Span(23 * 60 + 30, 90), Span(60, 5 * 60), Span(90, 150))
SHIFTS: Final = (
    (Shift("s1", Span(8 * 60, 20 * 60)), Shift("s2", Span(20 * 60, 8 * 60))),
    (Shift("s1", Span(6 * 60, 14 * 60 + 30)), Shift("s2", Span(14 * 60, 22 * 60 + 30))),
    (Shift("s1", Span(23 * 60, 3 * 60)), Shift("s2", Span(3 * 60, 3 * 60))),
)
SPANS: Final = (Span(22 * 60, 0), Span(60, 150), Span(0, 6 * 60), Span(120, 100))
LEGS: Final = (Leg(), Leg(), Leg(min_s=4), Leg(min_s=60, max_s=600))
FIXED: Final = tuple(Device(f"x{n}", DeviceKind.READER, checkpoint=f"c{n}") for n in range(2))
"""Readers on a wall, that read the guards' cards."""
UNKNOWN_TAG: Final = "T9"


@dataclass(frozen=True, slots=True)
class Scenario:
    """The versions of a plan, all that is known, and when it is judged."""

    plans: list[Plan]
    facts: list[AnyFact]
    now: int


def minutes(first: int, last: int, step: int = 5) -> SearchStrategy[int]:
    """A duration on the grid, in seconds."""
    return st.integers(first // step, last // step).map(lambda n: n * step * 60)


# --- plans


def cadences() -> SearchStrategy[Cadence]:
    planned = st.builds(
        At,
        times=st.lists(st.integers(0, 95).map(lambda n: n * 15), min_size=1, max_size=6, unique=True).map(
            tuple
        ),
        duration_s=minutes(0, 40),
        early_s=minutes(0, 20),
        late_s=minutes(0, 20),
        vary_s=st.sampled_from([0, 0, 0, 600]),
    )
    gaps = st.builds(
        Every,
        gap_s=minutes(15, 120),
        grace_s=st.sampled_from([0, 0, 60, 300, 1800]),
        during=st.sampled_from([ALWAYS, NIGHT, "s1", "s2"]),
    )
    counts = st.builds(
        Times,
        count=st.integers(1, 3),
        per=st.sampled_from([Calendar.HOUR, Calendar.SHIFT, Calendar.NIGHT, Calendar.DAY, *SPANS, *Calendar]),
        grace_s=st.sampled_from([0, 0, 300, 1800]),
        apart_s=st.sampled_from([0, 0, 0, 900, 3600]),
    )
    return st.one_of(gaps, planned, counts)


@st.composite
def routes(draw: DrawFn) -> tuple[Route, ...]:
    return tuple(
        Route(
            f"r{n}",
            {"en": f"Route {n}"},
            draw(st.sampled_from(Order)),
            tuple(draw(st.lists(st.sampled_from(CHECKPOINTS), min_size=1, max_size=5, unique=True))),
            draw(st.sampled_from(LEGS)),
        )
        for n in range(draw(st.integers(1, 3)))
    )


@st.composite
def duties(draw: DrawFn, of_routes: tuple[Route, ...], posts: tuple[str, ...]) -> tuple[Duty, ...]:
    found = []
    for n in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([DutyKind.ROUND, *DutyKind]))
        if kind is DutyKind.ROUND:
            found.append(
                Duty(
                    f"d{n}",
                    kind,
                    draw(cadences()),
                    route=draw(st.sampled_from(of_routes)).id,
                    post=draw(st.sampled_from([None, *posts])),
                    by=draw(st.sampled_from([None, None, None, "guard", "leader", "li"])),
                    proof=draw(st.sampled_from([None, None, None, *Strength])),
                )
            )
        elif kind is DutyKind.RECORD:
            found.append(
                Duty(
                    f"d{n}",
                    kind,
                    draw(cadences()),
                    posts=tuple(draw(st.lists(st.sampled_from(posts), unique=True))),
                    by=draw(st.sampled_from([None, None, "guard", "leader"])),
                    form=draw(st.sampled_from(["f0", "f0", "f1"])),
                    signatures=draw(st.sampled_from([1, 1, 2])),
                )
            )
        else:
            called = draw(st.lists(st.sampled_from(posts), min_size=1, unique=True))
            found.append(Duty(f"d{n}", kind, draw(cadences()), posts=tuple(called)))
    return tuple(found)


@st.composite
def devices(draw: DrawFn, posts: tuple[str, ...], fixed: tuple[Device, ...]) -> tuple[Device, ...]:
    serves = st.lists(st.sampled_from(posts), max_size=2, unique=True).map(tuple)
    scanners = [
        Device(f"h{n}", draw(st.sampled_from([DeviceKind.SCANNER, DeviceKind.READER])), draw(serves))
        for n in range(draw(st.sampled_from([1, 1, 2, 3])))
    ]
    consoles = [Device("k0", DeviceKind.CONSOLE, draw(serves))] if draw(st.booleans()) else []
    return (*scanners, *fixed, *consoles)


@st.composite
def plans(draw: DrawFn) -> list[Plan]:
    """One version of a plan, sometimes two or three."""
    zone, begins = draw(st.sampled_from(BEGINNINGS))
    local = datetime.fromisoformat(begins).replace(tzinfo=ZoneInfo(zone))
    holds_from = round(local.timestamp()) * SECOND
    posts = tuple(f"p{n}" for n in range(draw(st.integers(1, 3))))
    fixed = draw(st.sampled_from([(), (), FIXED[:1], FIXED]))
    versions = []
    for number in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        of_routes = draw(routes())
        asked = draw(st.sampled_from([None, None, None, Strength.SUN, Strength.WIRED]))
        versions.append(
            Plan(
                site="site",
                name={"en": "Site"},
                timezone=zone,
                version=number + 1,
                holds_from=holds_from,
                night=draw(st.sampled_from(NIGHTS)),
                shifts=draw(st.sampled_from(SHIFTS)),
                people=PEOPLE,
                posts=tuple(Post(post, {"en": post}) for post in posts),
                checkpoints=tuple(
                    Checkpoint(c, {"en": c}, (f"T{c}", f"QR {c}"), proof=asked if c == "c1" else None)
                    for c in CHECKPOINTS
                ),
                devices=draw(devices(posts, fixed)),
                routes=of_routes,
                duties=draw(duties(of_routes, posts)),
                settle_after_s=draw(st.sampled_from([DEFAULT_SETTLE_S, DEFAULT_SETTLE_S, 3600, 0])),
            )
        )
        holds_from += draw(minutes(5, 12 * 60)) * SECOND
    return versions


# --- facts


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens, before its device has numbered it."""

    at: int
    device: str
    what: Scan | RadioCall | Signature | GateEvent | Report | Status


def jitters() -> SearchStrategy[int]:
    return st.sampled_from([0, 0, 0, 0, 1, -1, 1500, 1500, 20 * SECOND])


def uncertainties() -> SearchStrategy[int]:
    return st.sampled_from([0, 0, 0, 0, 1, 1500, 2000, 20 * SECOND, 5 * MINUTE, 2 * HOUR])


def scan(tag: str, guard: str | None, uncertainty: int) -> Scan:
    proof = Strength.QR if tag.startswith("QR") else Strength.UID
    return Scan("", "", 0, 0, 0, uncertainty, None, tag=tag, guard=guard, proof=proof)


def intervals(duty: Duty) -> SearchStrategy[int]:
    """How long after one fulfilment of a duty the next is tried: often at the last moment."""
    regular = minutes(15, 120)
    if isinstance(duty.cadence, Every):
        gap, grace = duty.cadence.gap_s, duty.cadence.grace_s
        return st.one_of(st.just(gap + grace), st.just(gap), st.just(gap // 600 * 300), regular)
    return regular


def moments(of_plans: list[Plan], duty: Duty, length: int) -> SearchStrategy[int]:
    """When somebody begins to carry out a duty: on the grid, or near one of its planned times."""
    begins, zone = of_plans[0].holds_from, ZoneInfo(of_plans[0].timezone)
    on_grid = st.integers(-12, length // (5 * MINUTE)).map(lambda n: begins + n * 5 * MINUTE)
    if not isinstance(duty.cadence, At):
        return on_grid
    begun = datetime.fromtimestamp(begins // SECOND, zone)
    after = [(time - begun.hour * 60 - begun.minute) % (24 * 60) for time in duty.cadence.times]
    planned = st.sampled_from([begins + minute * MINUTE for minute in after])
    near = st.builds(lambda t, n: t + n * 5 * MINUTE, planned, st.integers(-16, 24))
    return st.one_of(near, near, on_grid)


@st.composite
def laps(draw: DrawFn, of_plans: list[Plan], duty: Duty, length: int) -> list[Event]:
    """A guard who walks a route some times in a row, complete or not, in order or not."""
    route = next(plan.route_by_id[duty.route] for plan in of_plans if duty in plan.duties and duty.route)
    device = draw(st.sampled_from(["h0", "h0", "h1", "h2", "stray"]))
    guard = draw(st.sampled_from(GUARDS))
    begins = draw(moments(of_plans, duty, length))
    interval = draw(intervals(duty)) * SECOND
    events = []
    for lap in range(draw(st.integers(1, 8))):
        walked = list(route.checkpoints)
        hows = ["whole", "whole", "whole", "partial", "shuffled", "astray", "repeated", "carded"]
        how = draw(st.sampled_from(hows))
        if how == "partial":
            walked = walked[draw(st.integers(0, 1)) : draw(st.integers(1, len(walked)))]
        elif how == "shuffled":
            walked = draw(st.permutations(walked))
        elif how == "astray":
            walked.insert(draw(st.integers(0, len(walked))), draw(st.sampled_from(CHECKPOINTS)))
        leg = draw(st.sampled_from([2, 5, 60, 300, 300, 900])) * SECOND
        uncertainty = draw(uncertainties())
        begun = begins + lap * interval + draw(jitters())
        carded = {f"c{n}": f"x{n}" for n in range(2)} if how == "carded" and guard is not None else {}
        for n, checkpoint in enumerate(walked):
            reader = carded.get(checkpoint)
            tag = f"T{checkpoint}" if reader is None else f"@{reader}"
            events.append(Event(begun + n * leg, reader or device, scan(tag, guard, uncertainty)))
            if reader is not None and draw(st.booleans()):
                # Somebody else stands behind and shows a card, too.
                who = draw(st.sampled_from(GUARDS[1:]))
                after = begun + n * leg + draw(st.sampled_from([1, 3 * SECOND, 30 * SECOND]))
                events.append(Event(after, reader, scan(tag, who, uncertainty)))
        if draw(st.integers(0, 3)) == 0:
            # Somebody is at a place a few seconds after the one who walks: the same person or another.
            n = draw(st.integers(0, max(0, len(walked) - 1)))
            place = draw(st.sampled_from([*walked, *CHECKPOINTS]))
            after = begun + n * leg + draw(st.sampled_from([1, 3 * SECOND, 9 * SECOND, 10 * SECOND]))
            who, with_what = draw(st.sampled_from(GUARDS)), draw(st.sampled_from(["h0", "h1"]))
            events.append(Event(after, with_what, scan(f"T{place}", who, 0)))
            if draw(st.booleans()):
                before = scan(f"T{draw(st.sampled_from(CHECKPOINTS))}", who, 0)
                events.append(Event(after - 50 * SECOND, with_what, before))
        if how == "repeated":
            again = begun + draw(st.sampled_from([1, 10 * SECOND, 10 * SECOND + 1]))
            other = draw(st.sampled_from([device, "h1"]))
            events.append(Event(again, other, scan(f"QR {walked[0]}", guard, 0)))
    return events


@st.composite
def calls(draw: DrawFn, of_plans: list[Plan], duty: Duty, length: int) -> list[Event]:
    """A post that is called some times in a row."""
    device = draw(st.sampled_from(["k0", "k0", "k0", "k1"]))
    post = draw(st.sampled_from(duty.posts))
    interval = draw(intervals(duty)) * SECOND
    t = draw(moments(of_plans, duty, length))
    events = []
    for _ in range(draw(st.integers(1, 8))):
        outcome = draw(st.sampled_from([Outcome.ANSWERED, Outcome.ANSWERED, *Outcome]))
        call = RadioCall("", "", 0, 0, 0, draw(uncertainties()), None, post=post, outcome=outcome)
        events.append(Event(t + draw(jitters()), device, call))
        t += MINUTE if outcome is Outcome.NO_ANSWER else interval
    return events


@st.composite
def signings(draw: DrawFn, of_plans: list[Plan], duty: Duty, length: int) -> list[Event]:
    """A record that is signed some times in a row, by one or two people, or by the wrong one."""
    post = draw(st.sampled_from([None, *duty.posts, *duty.posts]))
    interval = draw(intervals(duty)) * SECOND
    t = draw(moments(of_plans, duty, length))
    events = []
    for _ in range(draw(st.integers(1, 6))):
        for by in draw(st.lists(st.sampled_from(GUARDS[1:]), min_size=1, max_size=3)):
            signature = Signature(
                *("", "", 0, 0, 0, draw(uncertainties()), None),
                form=duty.form or "",
                by=by or "",
                post=post,
                abnormal=draw(st.sampled_from([False, False, False, True])),
            )
            t += draw(st.sampled_from([0, SECOND, MINUTE]))
            events.append(Event(t + draw(jitters()), draw(st.sampled_from(["@desk", "k0"])), signature))
        t += interval
    return events


@st.composite
def heartbeats(draw: DrawFn, begins: int, length: int) -> list[Event]:
    """A device that says at a regular interval whether it has more to say."""
    device = draw(st.sampled_from(["h0", "h0", "h0", "h1", "h2", "k0", "k0", "x0", "x1"]))
    first = begins + draw(st.integers(0, length // (5 * MINUTE))) * 5 * MINUTE + draw(jitters())
    interval = draw(minutes(5, 120)) * SECOND
    return [
        Event(t, device, Status("", "", 0, 0, 0, 0, None, buffered=buffered, sent_at=t))
        for n, buffered in enumerate(
            draw(st.lists(st.sampled_from([0, 0, 0, 0, 2, None]), min_size=1, max_size=6))
        )
        for t in [first + n * interval]
    ]


@st.composite
def noise(draw: DrawFn, begins: int, length: int) -> Event:
    """Something that judging takes no notice of, but that is numbered like the rest."""
    device = draw(st.sampled_from(["h0", "h1", "k0"]))
    t = begins + draw(st.integers(0, length // (5 * MINUTE))) * 5 * MINUTE
    whats: list[GateEvent | Report | Scan] = [
        GateEvent("", "", 0, 0, 0, 0, None, event=GateEventKind.OPENED),
        Report("", "", 0, 0, 0, 0, None, category="light", text="out"),
        scan(UNKNOWN_TAG, "li", 0),
    ]
    return Event(t, device, draw(st.sampled_from(whats)))


@st.composite
def counters(draw: DrawFn, events: list[Event]) -> None:
    """Make the tags of a site count their readings; some are shown again, some late, some by a second chip."""
    counts: dict[str, int] = {}
    for event in events:
        fact = event.what
        if isinstance(fact, Scan) and fact.tag.startswith("Tc"):
            count = counts.get(fact.tag, 5)
            step = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2, 0, 0, -1, -3]))
            counts[fact.tag] = max(count, count + step)
            chip = draw(st.sampled_from(["", "", "", "", "'"]))
            fact.proof, fact.tap = Strength.SUN, Tap(count + step, f"{count + step}{chip}")


@st.composite
def told_as_lost(draw: DrawFn, gone: AnyFact) -> list[Lost]:
    """What a device says of a record that it lost: nothing, or that, with its neighbours or without."""
    if draw(st.booleans()):
        return []
    doubt = draw(st.sampled_from([0, 0, 1500, HOUR]))
    first = max(1, gone.seq - draw(st.sampled_from([0, 0, 1])))
    last = gone.seq + draw(st.sampled_from([0, 0, 1]))
    return [Lost(gone.boot, first, last, gone.occurred_at - doubt, gone.occurred_at + doubt)]


@st.composite
def facts(draw: DrawFn, of_plans: list[Plan], length: int) -> list[AnyFact]:
    """What the devices report: each numbers its records in turn; some come in hours later, and some never."""
    begins = of_plans[0].holds_from
    events = draw(st.lists(noise(begins, length), max_size=3))
    for row in draw(st.lists(heartbeats(begins, length), max_size=4)):
        events += row
    owed = [duty for plan in of_plans for duty in plan.duties]
    for duty in draw(st.lists(st.sampled_from(owed), min_size=1, max_size=6)):
        carried_out = {DutyKind.ROUND: laps, DutyKind.RADIO_CHECK: calls, DutyKind.RECORD: signings}
        events += draw(carried_out[duty.kind](of_plans, duty, length))
    events.sort(key=lambda event: event.at)
    if draw(st.booleans()):
        draw(counters(events))
    restart = begins + draw(st.integers(0, 2 * length))
    restarted = draw(st.sampled_from(["", "h0", "k0"]))
    slow = draw(st.sampled_from(["", "", "h0", "h1", "k0"]))
    lost = draw(st.lists(st.integers(0, 60), max_size=2))
    gone: list[AnyFact] = []
    numbered: dict[tuple[str, str], int] = {}
    found: list[AnyFact] = []
    for number, event in enumerate(events):
        fact = event.what
        fact.device = event.device
        fact.boot = "b2" if event.device == restarted and event.at >= restart else "b1"
        fact.seq = numbered[fact.device, fact.boot] = numbered.get((fact.device, fact.boot), 0) + 1
        fact.occurred_at = event.at
        fact.received_at = event.at + (3 * HOUR if event.device == slow else 300)
        if isinstance(fact, Status):
            fact.high_seq = fact.seq + draw(st.sampled_from([0, 0, 0, 0, 0, 1]))
            fact.lost = tuple(
                told for each in gone if each.device == fact.device for told in draw(told_as_lost(each))
            )
        if number in lost:
            gone.append(fact)
        else:
            found.append(fact)
    return found


@st.composite
def scenarios(draw: DrawFn) -> Scenario:
    """A site, and what is known of it at some moment: all that has been received by then."""
    of_plans = draw(plans())
    length = draw(st.sampled_from([6, 12, 26])) * HOUR
    known = draw(facts(of_plans, length))
    steps = length // (5 * MINUTE)
    in_the_middle, after = st.integers(1, steps), st.integers(steps, 2 * steps)
    passed = draw(st.one_of(after, after, after, in_the_middle))
    now = of_plans[0].holds_from + passed * 5 * MINUTE + draw(jitters())
    return Scenario(of_plans, [fact for fact in known if fact.received_at <= now], now)
