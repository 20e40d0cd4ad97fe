"""The timetable of a scenario: all that people do and all that happens, worked out before the first minute.

It follows from the plan, the scenario, the start and the seed alone. Each duty and each gate has a source of
randomness of its own, so that a change to one leaves the others as they were.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from random import Random
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.calls import plan_calls
from checkpoint_firmware_sim.deeds import Call, Skipped, Walk
from checkpoint_firmware_sim.diary import Diary
from checkpoint_firmware_sim.mishaps import Mishaps
from checkpoint_firmware_sim.people import leader_of
from checkpoint_firmware_sim.rounds import Rounds
from checkpoint_firmware_sim.scenario import Scenario, What
from checkpoint_firmware_sim.traffic import GateDeed, plan_break_in, plan_traffic
from gateway.domain.plan import DeviceKind, DutyKind, Plan


@dataclass(frozen=True, slots=True)
class Outage:
    """A device without a connection: from `start` to `end` (ms)."""

    device: str
    start: int
    end: int


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
    skipped: tuple[Skipped, ...]


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
        tuple(
            Outage(deviation.device or "", at, at + deviation.by)
            for at, deviation in mishaps.of_devices(What.OFFLINE)
        ),
        tuple((at, deviation.device or "") for at, deviation in mishaps.of_devices(What.RESTART)),
        tuple(skipped + rounds.skipped),
    )
