"""`make allkinds`: a night with devices of every kind, at a real gateway, compared with what really happened.

The gateway is a process, the simulated estate is another. All that is between them are serial lines and MQTT; they
share a clock. When the night is over the estate stays as it is until every device has been heard out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.api import Api
from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import load_scenario
from checkpoint_firmware_sim.times import SECOND, local_time_nearest
from checkpoint_firmware_sim.truth import Line, read_truth
from gateway.clock import Clock
from gateway.domain.facts import AnyFact, GateEvent, RadioCall, Scan
from gateway.domain.plan import Plan
from gateway.ingest.osdp.keys import new_key
from gateway.instants import parse_instant, rfc3339
from gateway.sitefile import parse
from gateway.store.sqlite import SqliteStore
from tests.integration.service.process import Gateway, environment
from tests.score.night import Night, stored_facts
from tests.score.tally import PROMPT, Tally, tally

SITES: Final = Path(__file__).parents[2] / "deploy" / "sites"
PORTS: Final = "/dev/harbour"

HEAD_START_S: Final = 10.0
"""The night begins so long after both processes are told to start, so that every device is there when it does."""

OPENS_AGAIN_S: Final = 5.0
"""How long a gateway may take to open a line again that came back."""

DRAIN_S: Final = 45.0
"""How long the devices have to be heard out, after the end."""


SAME_TAP_S: Final = 4.0
"""How far apart (s of machine time) a tap and its record may be: a tag is held until its reader has seen it."""


@dataclass
class Result:
    """What came of the night."""

    plan: Plan
    truth: list[Line]
    tally: Tally
    lines: list[dict[str, Any]]
    """The gateway's lines, as `/api/health` has them (docs/devices/README.md)."""
    facts: list[AnyFact]
    speed: float

    @property
    def readings(self) -> Counter[str]:
        """How many scans, gate events and calls of each device are stored."""
        return Counter(fact.device for fact in self.facts if isinstance(fact, (Scan, GateEvent, RadioCall)))

    @property
    def taps(self) -> list[tuple[str, str, str, int]]:
        """Device, checkpoint, guard and instant of each visit of which the truth says that it was recorded."""
        return [
            (device, visit["checkpoint"], line["guard"], parse_instant(visit["at"]))
            for line in self.truth
            if line["what"] == "walk"
            for visit in line["visits"]
            if visit.get("recorded", True)
            for device in visit.get("devices", [line["device"]])
        ]

    @property
    def lost_taps(self) -> list[tuple[str, str, str, int]]:
        """Those that are not stored as what they were: at that checkpoint, then, and by that guard if that is known."""
        scans = _scans(self.plan, self.facts)
        return [tap for tap in self.taps if not _is_stored(scans, *tap, self.speed)]

    @property
    def alerts_per_problem(self) -> float:
        counts = self.tally.counts
        return counts["alerts"] / max(1, counts["problems"])

    @property
    def misses(self) -> list[str]:
        """The goals that were missed, in words."""
        goals = ("false_missed", "overlooked", "unverified_after_drain")
        found = [f"{goal} is {count}, not 0" for goal in goals if (count := self.tally.counts[goal])]
        found += [f"lost_taps is {len(lost)}, not 0"] if (lost := self.lost_taps) else []
        if self.alerts_per_problem > 1:
            found.append(f"alerts_per_problem is {self.alerts_per_problem:.2f}, not at most 1")
        return found


async def play(scenario: Path, folder: Path, speed: float | None = None) -> Result:
    """Play a scenario at the harbour in a folder of its own, and score the gateway."""
    text = (SITES / "harbour.yaml").read_text("utf-8")
    plan, night = parse(text, "harbour.yaml"), load_scenario(scenario)
    links = folder / "links.toml"
    links.write_text((SITES / "harbour.links.toml").read_text("utf-8").replace(PORTS, str(folder)), "utf-8")
    new_key(folder / "osdp.keys", "depot")
    machine = time.time_ns() // 1_000_000
    begin = local_time_nearest(ZoneInfo(plan.timezone), night.start, machine)
    clock = Clock(begin, machine + round(HEAD_START_S * SECOND), speed or night.speed)
    gateway = Gateway(folder, text, PATROL_CLOCK=str(clock), PATROL_LINKS=str(links))
    truth = folder / "truth.jsonl"
    arguments = ["run", str(scenario), "--site", str(SITES / "harbour.yaml"), "--links", str(links)]
    arguments += [
        "--broker",
        f"mqtt://127.0.0.1:{gateway.mqtt}",
        "--clock",
        str(clock),
        "--truth",
        str(truth),
    ]
    async with AsyncExitStack() as stack:
        estate = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "checkpoint_firmware_sim", *arguments,
            env=environment({}), stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        stack.push_async_callback(_end, estate)
        stack.push_async_callback(gateway.kill)
        await gateway.start()
        lines = await _until_the_end(estate, truth, clock.seconds_until(begin + night.duration) + 60)
        api = Api(gateway.api)
        since, until = parse_instant(lines[0]["from"]), parse_instant(lines[-1]["at"])
        heard = Night(plan, night, lines, unheard=_unheard(lines, until, clock.speed), drained=True)
        deadline = time.monotonic() + DRAIN_S
        while True:
            heard.occurrences = await asyncio.to_thread(api.occurrences, plan.site, since, until + 1)
            heard.alerts = await asyncio.to_thread(api.alerts, plan.site)
            scored = tally(heard, round(PROMPT * clock.speed))
            if not scored.counts["unverified_after_drain"] or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        health = await gateway.get("/health")
        await gateway.stop()
    store = await SqliteStore.open(gateway.database)
    try:
        heard.facts = await stored_facts(store, plan.site)
    finally:
        await store.close()
    _take_stored_for_recorded(heard, clock.speed)
    scored = tally(heard, round(PROMPT * clock.speed))
    return Result(plan, lines, scored, health["lines"], heard.facts, clock.speed)


_Scans = dict[tuple[str, str], list[tuple[str | None, int]]]
"""(device, checkpoint) → guard, if that is known, and instant of each scan."""


def _scans(plan: Plan, facts: list[AnyFact]) -> _Scans:
    found: _Scans = {}
    for fact in facts:
        if isinstance(fact, Scan):
            guard = None if fact.guard is None else plan.person_by_token[fact.guard].id
            where = fact.device, plan.checkpoint_by_tag[fact.tag]
            found.setdefault(where, []).append((guard, fact.occurred_at))
    return found


def _is_stored(scans: _Scans, device: str, checkpoint: str, guard: str, at: int, speed: float) -> bool:
    near = SAME_TAP_S * SECOND * speed
    seen = scans.get((device, checkpoint), ())
    return any(by in (guard, None) and abs(scanned - at) <= near for by, scanned in seen)


def _take_stored_for_recorded(night: Night, speed: float) -> None:
    """The truth cannot say at which moment the gateway heard a line again; a scan that is stored was recorded."""
    scans = _scans(night.plan, night.facts)
    for line in night.truth:
        for visit in line["visits"] if line["what"] == "walk" else ():
            devices = visit.get("devices", [line["device"]])
            place, at = (visit["checkpoint"], line["guard"]), parse_instant(visit["at"])
            if any(_is_stored(scans, device, *place, at, speed) for device in devices):
                visit.pop("recorded", None)


async def _until_the_end(estate: asyncio.subprocess.Process, truth: Path, within_s: float) -> list[Line]:
    """Wait for the end of the night; the truth until then."""
    async with asyncio.timeout(within_s):
        while True:
            if estate.returncode is not None:
                raise RuntimeError(f"the simulated estate ended with code {estate.returncode}")
            text = await asyncio.to_thread(_text_of, truth)
            if '"what":"end"' in text:
                lines = read_truth(text.splitlines())
                place = next(place for place, line in enumerate(lines) if line["what"] == "end")
                return lines[: place + 1]
            await asyncio.sleep(0.2)


def _text_of(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _unheard(lines: list[Line], until: int, speed: float) -> dict[str, list[tuple[int, int]]]:
    """Device → from when until when it could not be heard."""
    found: dict[str, list[tuple[int, int]]] = {}
    gone: dict[str, int] = {}
    for line in lines:
        if line["what"] == "device" and line["event"] == "offline":
            gone[line["device"]] = parse_instant(line["at"])
        elif line["what"] == "device" and line["event"] == "online" and line["device"] in gone:
            back = parse_instant(line["at"]) + round(OPENS_AGAIN_S * SECOND * speed)
            found.setdefault(line["device"], []).append((gone.pop(line["device"]), back))
    for device, since in gone.items():
        found.setdefault(device, []).append((since, until))
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


def table(result: Result) -> str:
    """The figures for people."""
    counts: dict[str, Any] = dict(result.tally.counts)
    names = (
        "problems",
        "alerts",
        "false_missed",
        "overlooked",
        "unverified_after_drain",
        "right",
        "unprovable",
    )
    lines = [f"{name:<26}{counts.pop(name, 0):>8}" for name in names]
    lines.append(f"{'alerts_per_problem':<26}{result.alerts_per_problem:>8.2f}")
    lines += [f"{'taps':<26}{len(result.taps):>8}", f"{'lost_taps':<26}{len(result.lost_taps):>8}"]
    lines += ["", *(f"{name:<26}{number:>8}" for name, number in sorted(counts.items()))]
    lines += ["", *(f"{device:<26}{number:>8}" for device, number in sorted(result.readings.items()))]
    return "\n".join(lines)


def main() -> int:
    """Play the night, print the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.score.allkinds", description=__doc__)
    parser.add_argument("scenario", nargs="?", default="allkinds", help="allkinds, allkinds-short, or a file")
    parser.add_argument("--speed", type=float, help="how much faster than life; as the scenario says")
    parser.add_argument("--keep", type=Path, help="leave database, log and truth in this folder")
    args = parser.parse_args()
    named = SCENARIOS / f"{args.scenario}.yaml"
    scenario = named if named.is_file() else Path(args.scenario).absolute()
    with tempfile.TemporaryDirectory(prefix="patrol-allkinds-") as made:
        folder = args.keep.absolute() if args.keep else Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(play(scenario, folder, args.speed))
    for words in result.tally.errors:
        print(words)
    for device, checkpoint, guard, at in result.lost_taps:
        print(f"lost tap: {guard} at {checkpoint}, {device}, {rfc3339(at)}")
    print(table(result))
    for words in result.misses:
        print(f"missed: {words}")
    return 1 if result.misses else 0


if __name__ == "__main__":
    sys.exit(main())
