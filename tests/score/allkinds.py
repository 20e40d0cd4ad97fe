"""`make allkinds`: a night with devices of every kind, at a real gateway, compared with what really happened.

The gateway is a process, the simulated estate is another. All that is between them are serial lines and MQTT; they share
a clock. When the night is over the estate stays as it is until every device has been heard out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.api import Api
from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import load_scenario
from checkpoint_firmware_sim.times import SECOND, local_time_nearest
from checkpoint_firmware_sim.truth import Line, read_truth
from gateway.clock import Clock
from gateway.ingest.osdp.keys import new_key
from gateway.instants import parse_instant
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


@dataclass
class Result:
    """What came of the night."""

    tally: Tally
    truth: list[Line]
    readings: dict[str, int] = field(default_factory=dict)
    """Device → how many scans, gate events and calls of it are stored."""

    @property
    def alerts_per_problem(self) -> float:
        counts = self.tally.counts
        return counts["alerts"] / max(1, counts["problems"])

    @property
    def misses(self) -> list[str]:
        """The goals that were missed, in words."""
        goals = ("false_missed", "overlooked", "unverified_after_drain")
        found = [f"{goal} is {count}, not 0" for goal in goals if (count := self.tally.counts[goal])]
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
        await gateway.stop()
    store = await SqliteStore.open(gateway.database)
    try:
        heard.facts = await stored_facts(store, plan.site)
    finally:
        await store.close()
    result = Result(tally(heard, round(PROMPT * clock.speed)), lines)
    for fact in heard.facts:
        if type(fact).__name__ in ("Scan", "GateEvent", "RadioCall"):
            result.readings[fact.device] = result.readings.get(fact.device, 0) + 1
    return result


async def _until_the_end(estate: asyncio.subprocess.Process, truth: Path, within_s: float) -> list[Line]:
    """Wait for the end of the night; the truth until then."""
    async with asyncio.timeout(within_s):
        while True:
            if estate.returncode is not None:
                raise RuntimeError(f"the simulated estate ended with code {estate.returncode}")
            text = truth.read_text("utf-8") if truth.exists() else ""
            if '"what":"end"' in text:
                lines = read_truth(text.splitlines())
                place = next(place for place, line in enumerate(lines) if line["what"] == "end")
                return lines[: place + 1]
            await asyncio.sleep(0.2)


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
    print(table(result))
    for words in result.misses:
        print(f"missed: {words}")
    return 1 if result.misses else 0


if __name__ == "__main__":
    sys.exit(main())
