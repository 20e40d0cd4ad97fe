"""The shift leader's calls: every post in turn, each time that a radio duty asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.deeds import Call, Skipped
from checkpoint_firmware_sim.diary import Diary, Entry
from checkpoint_firmware_sim.mishaps import Mishaps
from checkpoint_firmware_sim.people import leader_of, person_for
from checkpoint_firmware_sim.scenario import What
from checkpoint_firmware_sim.times import MINUTE, SECOND, days_touching, local_instant, periods
from gateway.domain.plan import At, DeviceKind, Duty, Every, Plan

PER_POST: Final = 20 * SECOND
"""From one post's call to the next."""

UNEVEN: Final = 20 * SECOND
"""How much earlier or later than usual the leader begins, at most."""

SPARE: Final = 90 * SECOND
"""How much of the longest allowed gap the leader never uses: twice what calls are uneven by, and some."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The calls of a scenario, and those that were left out."""

    calls: list[Call]
    skipped: list[Skipped]


def plan_calls(
    plan: Plan, duty: Duty, start: int, end: int, mishaps: Mishaps, random: Random, leaders_diary: Diary
) -> CallPlan:
    """All calls of one radio duty within `[start, end)`; the leader's diary is filled with them."""
    zone = ZoneInfo(plan.timezone)
    made = CallPlan([], [])
    leader = (person_for(plan, duty.by) if duty.by else None) or leader_of(plan)
    by = leader.id if leader else None
    for turn, due_at in _turns(plan, duty, zone, start, end):
        begin = turn + random.randint(0, 2 * UNEVEN)
        last = begin
        for place, post in enumerate(duty.posts):
            at = begin + place * PER_POST + random.randint(0, 8 * SECOND)
            for call in _to_post(plan, duty, post, at, due_at, by, mishaps, random, made.skipped):
                if call.at < end:
                    made.calls.append(call)
                    last = max(last, call.at)
        leaders_diary.add(Entry(begin - 30 * SECOND, last + PER_POST))
    return made


def _to_post(
    plan: Plan,
    duty: Duty,
    post: str,
    at: int,
    due_at: int,
    by: str | None,
    mishaps: Mishaps,
    random: Random,
    skipped: list[Skipped],
) -> Iterator[Call]:
    console = _console(plan, post)
    mishap = mishaps.of_call(post, at)
    if mishap is None:
        yield Call(at, post, "answered", by, console)
        return
    if mishap.what is What.NOT_CALLED:
        skipped.append(Skipped(mishap.what, duty.id, post, at, due_at))
    elif mishap.what is What.ABNORMAL:
        yield Call(at, post, "abnormal", by, console, mishap.note)
    else:
        yield Call(at + random.randint(10, 20) * SECOND, post, "no_answer", by, console)
        again = at + mishap.by
        if mishap.never:
            yield Call(again, post, "no_answer", by, console)
            skipped.append(Skipped(mishap.what, duty.id, post, at, due_at))
        else:
            yield Call(again, post, "answered", by, console)


def _turns(plan: Plan, duty: Duty, zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int]]:
    """When the leader takes up the radio, at the earliest, and until when the calls are due."""
    cadence = duty.cadence
    if isinstance(cadence, Every):
        gap, grace = cadence.gap_s * SECOND, cadence.grace_s * SECOND
        cycle = max(min(gap, gap + grace - SPARE), MINUTE)
        for a, z in periods(plan, cadence.during, start, end):
            first = max(a, start) + 5 * SECOND
            yield from ((turn, turn + gap + grace) for turn in range(first, min(z, end), cycle))
    elif isinstance(cadence, At):
        for day in days_touching(zone, start, end):
            planned = (local_instant(zone, day, minutes) for minutes in cadence.times)
            late = (cadence.duration_s + cadence.late_s) * SECOND
            yield from ((turn, turn + late) for turn in planned if start <= turn < end)
    else:
        for a, z in periods(plan, cadence.per, start, end):
            share = (z - a) // cadence.count
            turns = (a + share * n + share // 2 for n in range(cadence.count))
            yield from ((turn, z + cadence.grace_s * SECOND) for turn in turns if start <= turn < end)


def _console(plan: Plan, post: str) -> str | None:
    consoles = [device for device in plan.devices if device.kind is DeviceKind.CONSOLE]
    own = [device.id for device in consoles if post in device.posts]
    return next(iter(own or [device.id for device in consoles]), None)
