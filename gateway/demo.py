"""The demonstration: the service and a simulated estate on this machine, an accelerated night, the dashboard.

The simulator is a process of its own, so that the gateway that is shown is the real one. Both work out the time from
the same `Clock`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import load_scenario
from checkpoint_firmware_sim.times import local_time_nearest
from gateway import sitefile
from gateway.clock import Clock
from gateway.service import Service, ServiceError, stop_on_signals
from gateway.settings import Settings
from gateway.store.opening import open_store
from gateway.store.port import Commit, PlanRow
from gateway.web.server import WebServer

_HEAD_START_S = 4.0
"""The night begins so long after the service starts (s), so that every device is there when it does."""

_END_S = 5.0
"""How long the simulator may take to end (s)."""


class DemoError(ServiceError):
    """The demonstration cannot be played; the message says why."""


class Demo:
    """One night."""

    def __init__(
        self, speed: float, http: str, broker: str, seed: int | None, data: Path | None, exit_at_end: bool
    ) -> None:
        self._speed = speed
        self._settings = Settings(http=http, broker=broker)
        self._seed = seed
        self._data = data
        self._exit_at_end = exit_at_end

    async def play(self) -> int:
        """Play until Ctrl-C; returns the exit code."""
        stopped = asyncio.Event()
        stop_on_signals(stopped.set)
        with contextlib.ExitStack() as stack:
            if self._data is None:
                data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-demo-")))
            else:
                data = self._data
            return await self._play(data, stopped)

    async def _play(self, data: Path, stopped: asyncio.Event) -> int:
        site = example_site("riverside")
        zone = ZoneInfo(sitefile.load(site).timezone)
        machine = time.time_ns() // 1_000_000
        begin = local_time_nearest(zone, load_scenario(SCENARIOS / "demo.yaml").start, machine)
        clock = Clock(begin, machine + round(_HEAD_START_S * 1000), self._speed)
        http = _free(*self._settings.http_address)
        mqtt = _free(*(self._settings.embedded_address or ("127.0.0.1", 1883)))
        settings = replace(
            self._settings,
            database=f"sqlite:///{(data / 'night.sqlite').absolute()}",
            http="{}:{}".format(*http),
            broker="embedded://{}:{}".format(*mqtt),
            data=data,
            clock=clock,
        )
        await _set_up(site, settings, begin)
        truth = data / "truth.jsonl"
        async with Service(settings) as service:
            web = WebServer(service, *http)
            await web.start()
            try:
                async with self._simulator(site, mqtt, clock, truth) as simulator:
                    click.echo(f"Dashboard: {web.url}/   ({self._speed:g} times real time; Ctrl-C ends it)")
                    return await self._watch(simulator, web.url, truth, stopped)
            finally:
                await web.close()

    @contextlib.asynccontextmanager
    async def _simulator(
        self, site: Path, mqtt: tuple[str, int], clock: Clock, truth: Path
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The simulated estate, as a process that is gone afterwards."""
        arguments = ["run", "demo", "--site", str(site), "--broker", "mqtt://{}:{}".format(*mqtt)]
        arguments += ["--clock", str(clock), "--truth", str(truth), "--until-end"]
        if self._seed is not None:
            arguments += ["--seed", str(self._seed)]
        process = await _start_simulator(*arguments, quiet=True)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(_END_S):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _watch(
        self, simulator: asyncio.subprocess.Process, url: str, truth: Path, stopped: asyncio.Event
    ) -> int:
        stopping = asyncio.create_task(stopped.wait())
        ending = asyncio.create_task(simulator.wait())
        await asyncio.wait((stopping, ending), return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            ending.cancel()
            return 0
        if simulator.returncode:
            raise DemoError(f"the simulated estate ended early, with code {simulator.returncode}")
        click.echo("The night is over. The gateway's verdicts against what really happened:")
        score = await _start_simulator("score", "--truth", str(truth), "--api", url, quiet=False)
        code = await score.wait()
        if self._exit_at_end:
            return code
        click.echo(f"The dashboard stays at {url}/ until Ctrl-C.")
        await stopping
        return 0


async def _set_up(site: Path, settings: Settings, begin: int) -> None:
    """Store the site's plan with the night's beginning as the moment from which it holds.

    `run` would let it hold from its own start, which is some simulated minutes earlier.
    """
    plan = sitefile.load(site, version=1, holds_from=begin)
    store = await open_store(settings.database)
    try:
        row = PlanRow(plan.site, plan.version, begin, settings.clock.now(), sitefile.dump(plan))
        await store.commit(Commit(settings.clock.now(), plans=[row]))
    finally:
        await store.close()


async def _start_simulator(*arguments: str, quiet: bool) -> asyncio.subprocess.Process:
    # In a session of its own, so that Ctrl-C reaches this process first and the end is in order.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "checkpoint_firmware_sim",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL if quiet else None,
        start_new_session=True,
    )


def example_site(name: str) -> Path:
    """A site file that comes along: from the installed package, or from a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_sites", package.parent / "deploy" / "sites"):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    raise DemoError(f"the site file {name}.yaml did not come along with this installation")


def _free(host: str, port: int) -> tuple[str, int]:
    """The address, or one with another port when something listens there already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            probe.bind((host, 0))
            found: int = probe.getsockname()[1]
            click.echo(f"Port {port} is busy; taking {found} instead.")
            return host, found
    return host, port
