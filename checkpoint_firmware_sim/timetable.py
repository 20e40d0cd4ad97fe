"""The timetable of a scenario: all that people do and all that happens, worked out before the first minute.

It follows from the plan, the scenario, the start and the seed alone. Each duty and each gate has a source of
randomness of its own, so that a change to one leaves the others as they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.calls import plan_calls
from checkpoint_firmware_sim.deeds import Call, Skipped, Walk
from checkpoint_firmware_sim.diary import Diary
from checkpoint_firmware_sim.mishaps import Mishaps
from checkpoint_firmware_sim.people import leader_of
from checkpoint_firmware_sim.rounds import Rounds
from checkpoint_firmware_sim.scenario import (
    CLOCK_FAULTS,
    COMMAND_FAULTS,
    LINE_FAULTS,
    Deviation,
    Moment,
    Scenario,
    What,
)
from checkpoint_firmware_sim.traffic import GateDeed, plan_break_in, plan_traffic
from gateway.domain.plan import DeviceKind, DutyKind, Plan


@dataclass(frozen=True, slots=True)
class Outage:
    """A device without a connection: from `start` to `end` (ms)."""

    device: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GatewayStop:
    """The gateway is killed at the first `moment` from `at` on, and starts again `away` later (ms)."""

    at: int
    away: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class Timetable:
    """Everything that happens within `[start, end)` (ms)."""

    start: int
    end: int
    walks: tuple[Walk, ...]
    calls: tuple[Call, ...]
    gates: tuple[GateDeed, ...]
    outages: tuple[Outage, ...]
    restarts: tuple[tuple[int, str], ...]
    deaths: tuple[Outage, ...]  # without power, not only without a connection
    fills: tuple[tuple[int, str, float], ...]
    clock_faults: tuple[tuple[int, Deviation], ...]
    line_faults: tuple[tuple[int, Deviation], ...]
    broker_outages: tuple[tuple[int, int], ...]
    gateway_stops: tuple[GatewayStop, ...]
    skipped: tuple[Skipped, ...]
    command_faults: tuple[tuple[int, Deviation], ...] = ()


def make_timetable(plan: Plan, scenario: Scenario, start: int, seed: int) -> Timetable:
    """Work out a scenario that begins at `start` (ms)."""
    end = start + scenario.duration
    mishaps = Mishaps(scenario, ZoneInfo(plan.timezone), start)
    diaries: defaultdict[str, Diary] = defaultdict(Diary)
    leader = leader_of(plan)
    leaders_diary = diaries[leader.id if leader else "shift_leader's guard"]

    calls: list[Call] = []
    skipped: list[Skipped] = []
    for duty in plan.duties:
        if duty.kind is DutyKind.RADIO_CHECK:
            random = Random(f"{seed}|{duty.id}")
            made = plan_calls(plan, duty, start, end, mishaps, random, leaders_diary)
            calls += made.calls
            skipped += made.skipped

    rounds = Rounds(plan, start, end, mishaps, Random(f"{seed}|rounds"), diaries.__getitem__)
    rounds.plan_all()

    gates: list[GateDeed] = []
    for device in plan.devices:
        if device.kind is DeviceKind.GATE:
            random = Random(f"{seed}|{device.id}")
            gates += plan_traffic(device.id, start, end, scenario.traffic_per_hour, random)
    for at, deviation in mishaps.of_devices(What.FORCED):
        gates += plan_break_in(deviation.device or "", at, at + deviation.by)

    return Timetable(
        start,
        end,
        tuple(rounds.walks),
        tuple(sorted(calls, key=lambda call: call.at)),
        tuple(sorted((deed for deed in gates if deed.at < end), key=lambda deed: deed.at)),
        _outages(mishaps, What.OFFLINE, What.FULL_BUFFER),
        tuple(_restarts(mishaps, rounds.walks)),
        _outages(mishaps, What.BATTERY_DEAD),
        tuple(
            (at + deviation.by // 2, deviation.device or "", deviation.fill)
            for at, deviation in mishaps.of_devices(What.FULL_BUFFER)
        ),
        tuple(mishaps.of_devices(*CLOCK_FAULTS)),
        tuple(mishaps.of_devices(*LINE_FAULTS)),
        tuple((at, at + deviation.by) for at, deviation in mishaps.of_devices(What.BROKER_RESTART)),
        tuple(
            GatewayStop(at, deviation.by, deviation.moment)
            for at, deviation in mishaps.of_devices(What.GATEWAY_RESTART)
        ),
        tuple(skipped + rounds.skipped),
        tuple(mishaps.of_devices(*COMMAND_FAULTS)),
    )


def _outages(mishaps: Mishaps, *kinds: What) -> tuple[Outage, ...]:
    return tuple(
        Outage(deviation.device or "", at, at + deviation.by) for at, deviation in mishaps.of_devices(*kinds)
    )


def _restarts(mishaps: Mishaps, walks: list[Walk]) -> Iterator[tuple[int, str]]:
    for at, deviation in mishaps.of_devices(What.RESTART):
        if deviation.duty is None:
            yield at, deviation.device or ""
            continue
        walk = next((walk for walk in walks if walk.duty == deviation.duty and walk.start >= at), None)
        if walk is not None:
            yield (walk.start + walk.end) // 2, deviation.device or ""
