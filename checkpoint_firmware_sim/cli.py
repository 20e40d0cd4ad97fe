"""The command `checkpoint-firmware-sim`: play a scenario, and score a gateway against the truth."""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from checkpoint_firmware_sim.api import Api, ApiError
from checkpoint_firmware_sim.lines.line import Line as SerialLine
from checkpoint_firmware_sim.lines.play import PROTOCOLS, Act, make_twin
from checkpoint_firmware_sim.lines.play import parse as parse_act
from checkpoint_firmware_sim.lines.play import play as play_line
from checkpoint_firmware_sim.live import LiveRun
from checkpoint_firmware_sim.makers import NATIVE, Speech, read_speech
from checkpoint_firmware_sim.modbus import MAPS as MODBUS_MAPS
from checkpoint_firmware_sim.modbus import Controller
from checkpoint_firmware_sim.modbus_line import play_line as play_modbus
from checkpoint_firmware_sim.mqtt import Broker
from checkpoint_firmware_sim.owed import Happened
from checkpoint_firmware_sim.scenario import Scenario, ScenarioError, load_scenario
from checkpoint_firmware_sim.score import score as compare
from checkpoint_firmware_sim.times import local_time_nearest
from checkpoint_firmware_sim.truth import Line, Truth, TruthError, read_truth, writing_to
from checkpoint_firmware_sim.wired import NO_LINES, SerialLines
from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.domain.plan import Plan
from gateway.instants import parse_instant
from gateway.sitefile import SiteFileError, parse

log = logging.getLogger(__name__)

SCENARIOS = Path(__file__).parent / "scenarios"


class _Parsed(click.ParamType[Any]):
    """An option whose text is read by a function that raises ValueError with words for people."""

    def __init__(self, name: str, read: Any) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"{name!r} is no zone such as Asia/Shanghai") from None


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Play the devices of a guarded site, and the people who use them, and tell what really happened."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)


@main.command()
@click.argument("scenario", type=str)
@click.option("--site", "site_path", type=_FILE, required=True, help="The site file.")
@click.option(
    "--broker", type=_Parsed("url", Broker.parse), default="mqtt://127.0.0.1:1883", show_default=True
)
@click.option(
    "--clock",
    type=_Parsed("start,anchor,speed", Clock.parse),
    help="The clock to share with a gateway: simulated ms, machine ms at which it shows that, speed.",
)
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="How much faster than life.")
@click.option("--seed", type=int, help="Another night of the same kind.")
@click.option("--truth", "truth_path", type=_FILE, help="Write what really happened to this file.")
@click.option(
    "--links",
    type=_FILE,
    help="A gateway's file of links: these devices speak in their makers' words, or at lines.",
)
@click.option("--until-end", is_flag=True, help="Stop when the scenario has ended; else devices stay online.")
def run(
    scenario: str,
    site_path: Path,
    broker: Broker,
    clock: Clock | None,
    speed: float | None,
    seed: int | None,
    truth_path: Path | None,
    links: Path | None,
    until_end: bool,
) -> None:
    """Play SCENARIO (a file, or the name of one that comes along, such as `demo`) over MQTT.

    Without --clock the scenario begins now, on the night nearest to the machine's date.
    """
    if clock is not None and speed is not None:
        raise click.UsageError("--clock already says the speed; leave out --speed")
    played = _load(scenario)
    text, plan = _site(site_path)
    try:
        speech = read_speech(links, plan.site) if links is not None else NATIVE
        lines = SerialLines.read(links, plan.site) if links is not None else NO_LINES
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    zone = ZoneInfo(plan.timezone)
    machine = time.time_ns() // 1_000_000
    start = local_time_nearest(zone, played.start, machine if clock is None else clock.now())
    clock = clock or Clock(start, machine, speed or played.speed)
    with _truth_file(truth_path) as truth:
        try:
            asyncio.run(
                _play(plan, played, start, clock, broker, truth, seed, text, until_end, speech, lines)
            )
        except ScenarioError as error:
            raise click.ClickException(f"{scenario}: {error}") from None
        except OSError as error:
            raise click.ClickException(f"{links}: a line cannot be played: {error}") from None


@main.command()
@click.option("--truth", "truth_path", type=_FILE, required=True, help="What really happened, from `run`.")
@click.option("--api", "base", default="http://127.0.0.1:8080", show_default=True, help="The gateway.")
@click.option("--site", "site_path", type=_FILE, help="The site file; by default the one that was played.")
@click.option("--until", type=_Parsed("time", parse_instant), help="Score only what was due by this time.")
@click.option("--token", envvar="PATROL_TOKEN", help="An API token, where the gateway asks for one.")
@click.option("--json", "json_path", type=_FILE, help="Write the counts to this file.")
def score(
    truth_path: Path,
    base: str,
    site_path: Path | None,
    until: int | None,
    token: str | None,
    json_path: Path | None,
) -> None:
    """Compare a gateway's verdicts and alerts with the truth.

    Exits with 0 when nobody was accused wrongly and nothing was overlooked, else with 1.
    """
    try:
        lines = read_truth(truth_path.read_text(encoding="utf-8").splitlines())
        happened = Happened.read(_plan_of(lines, site_path), lines, until)
        api = Api(base, token)
        site = happened.plan.site
        scored = compare(
            happened, api.occurrences(site, happened.since, happened.until + 1), api.alerts(site)
        )
    except OSError as error:
        raise click.ClickException(f"{truth_path}: {error.strerror}") from None
    except (TruthError, ApiError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(scored.table())
    for error_line in scored.errors:
        click.echo(error_line)
    if json_path is not None:
        json_path.write_bytes(msgspec.json.encode(scored.totals | {"errors": scored.errors}) + b"\n")
    sys.exit(0 if scored.passed else 1)


@main.command("line")
@click.argument("protocol", type=click.Choice(PROTOCOLS))
@click.option(
    "--script", "script", type=click.File("r", encoding="utf-8", errors="replace", lazy=False),
    help="What happens: rows `SECONDS WORD [ARGUMENT]` (docs/simulator.md); - reads them as they are written.",
)  # fmt: skip
@click.option("--link", type=_FILE, help="A name for the line that stays when it is unplugged.")
@click.option("--timezone", type=_Parsed("zone", _zone), default="Asia/Shanghai", show_default=True,
              help="Where a handheld has its clock.")  # fmt: skip
@click.option(
    "--clock", type=_Parsed("start,anchor,speed", Clock.parse), default=str(SYSTEM_CLOCK), hidden=True
)
@click.option("--seed", type=int, help="Another noise of the same kind.")
def line_command(
    protocol: str,
    script: TextIO | None,
    link: Path | None,
    timezone: ZoneInfo,
    clock: Clock,
    seed: int | None,
) -> None:
    """Be a reader of PROTOCOL at a pseudo-terminal, and print its path.

    Ends with the script; without one, with a signal.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())

    def local() -> datetime:
        return datetime.fromtimestamp(clock.now() / 1000, timezone).replace(tzinfo=None)

    try:
        line = SerialLine(make_twin(protocol, local), link, Random(seed))
        click.echo(line.path)
        try:
            play_line(line, None if script is None else _acts(script), stopped.is_set)
        finally:
            line.unplug()
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _acts(script: TextIO) -> Iterator[Act | None]:
    """The rows of a script, from another thread, as rows may be written while it is played."""
    rows: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for row in script:
            rows.put(row)
        rows.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            row = rows.get_nowait()
        except queue.Empty:
            yield None
            continue
        if row is None:
            return
        if (act := parse_act(row)) is not None:
            yield act


def _osdp_reader(text: str) -> tuple[int, bytes | None]:
    address, _, key = text.partition("=")
    if not address.isdigit() or int(address) > 126:
        raise ValueError(f"{text!r}: a reader is written ADDRESS=KEY, with an address from 0 to 126")
    if key == "none":
        return int(address), None
    if not re.fullmatch("[0-9A-Fa-f]{32}", key):
        raise ValueError(
            f"{text!r}: a key is 32 hex digits, or `none` for a reader that was not given one yet"
        )
    return int(address), bytes.fromhex(key)


@main.command("osdp")
@click.option("--port", type=_FILE, required=True, help="The link to make to the line's terminal.")
@click.argument(
    "readers", metavar="ADDRESS=KEY...", type=_Parsed("reader", _osdp_reader), nargs=-1, required=True
)
def osdp_command(port: Path, readers: tuple[tuple[int, bytes | None], ...]) -> None:
    """Play OSDP readers on one line; standard input says what happens to them (docs/devices/osdp.md)."""
    from checkpoint_firmware_sim.osdp_line import play

    play(port, dict(readers))


def _controller(text: str) -> Controller:
    map_, _, unit = text.partition(":")
    if map_ not in MODBUS_MAPS or not unit.isdecimal() or not 1 <= int(unit) <= 247:
        raise ValueError(f"{text!r} is no controller; write MAP:UNIT with a map of {', '.join(MODBUS_MAPS)}")
    return Controller(map_, int(unit))


@main.command()
@click.argument("controllers", type=_Parsed("map:unit", _controller), nargs=-1, required=True)
def modbus(controllers: tuple[Controller, ...]) -> None:
    """Play barrier controllers (such as came-ptx:1) on a Modbus line, and print the line's path.

    Lines on standard input, until it ends: `late 1` sets a fault of unit 1 (`none` mends it), `open 1` and `close 1`
    are somebody at its button.
    """
    asyncio.run(play_modbus(controllers))


def _plan_of(lines: list[Line], site_path: Path | None) -> Plan:
    if site_path is not None:
        return _site(site_path)[1]
    if not lines[0].get("site_file"):
        raise TruthError("the truth log does not hold its site file; name it with --site")
    return parse(lines[0]["site_file"], "the site file in the truth log")


async def _play(
    plan: Plan,
    scenario: Scenario,
    start: int,
    clock: Clock,
    broker: Broker,
    truth: Truth,
    seed: int | None,
    site_file: str,
    until_end: bool,
    speech: Mapping[str, Speech],
    lines: SerialLines,
) -> None:
    zone = ZoneInfo(plan.timezone)

    def tell(line: Line) -> None:
        truth(line)
        if told := _news(line, zone):
            log.info("%s", told)

    live = LiveRun(
        plan,
        scenario,
        start,
        clock=clock,
        broker=broker,
        truth=tell,
        seed=seed,
        site_file=site_file,
        speech=speech,
        lines=lines,
    )
    log.info(
        "%d devices of %s at %s, %g times as fast as life; clock %s",
        len(live.run.devices), plan.site, broker, clock.speed, clock,
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, live.stop)
    await live.play(until_end=until_end)
    if waiting := live.run.unacknowledged:
        log.warning("%d records were not acknowledged", waiting)


def _load(scenario: str) -> Scenario:
    named = SCENARIOS / f"{scenario}.yaml"
    try:
        return load_scenario(named if named.is_file() else Path(scenario))
    except ScenarioError as error:
        raise click.ClickException(str(error)) from None


def _site(path: Path) -> tuple[str, Plan]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, parse(text, str(path))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    except (SiteFileError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _truth_file(path: Path | None) -> Iterator[Truth]:
    if path is None:
        yield lambda line: None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    with file:
        yield writing_to(file)


def _news(line: Line, zone: ZoneInfo) -> str | None:
    """One line for people about what is out of the ordinary, in local time; None for the rest."""
    what, rest = line["what"], ""
    if what == "skipped":
        rest = f"{line['deviation']}: {line['duty']} {line['post'] or ''}"
    elif what == "gate" and line["event"] in ("forced", "recovered"):
        rest = f"{line['device']}: {line['event']}"
    elif what == "call" and line["outcome"] != "answered":
        rest = f"{line['post']}: {line['outcome']}"
    elif what == "device" and line["event"] != "boot":
        rest = f"{line['device']}: {line['event']}"
    elif what == "walk":
        rest = f"{line['guard']} has walked {line['route']} ({line['duty']})"
    if not rest:
        return None
    local = click.style(_local(line["at"], zone), dim=True)
    return f"{local} {rest.strip()}"


def _local(at: str, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(parse_instant(at) / 1000, UTC).astimezone(zone).strftime("%H:%M:%S")
