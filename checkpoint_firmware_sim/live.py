"""A scenario at the pace of a clock, over a real network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from checkpoint_firmware_sim.device import ACK_TIMEOUT
from checkpoint_firmware_sim.engine import ScenarioRun
from checkpoint_firmware_sim.makers import NATIVE, Speech
from checkpoint_firmware_sim.mqtt import Broker, MqttNetwork
from checkpoint_firmware_sim.scenario import Scenario
from checkpoint_firmware_sim.times import SECOND
from checkpoint_firmware_sim.truth import Truth
from checkpoint_firmware_sim.wired import NO_LINES, SerialLines
from gateway.clock import Clock
from gateway.domain.plan import Plan

SETTLING: Final = 10.0
"""Machine seconds that are allowed, after the end, for the last acknowledgements."""

_BREATH: Final = 100
"""After so many steps without a pause the network gets its turn: a run that starts late has much to catch up."""


class LiveRun:
    """Plays a scenario in step with `clock`. Made and used within a running event loop."""

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        start: int,
        *,
        clock: Clock,
        broker: Broker,
        truth: Truth | None = None,
        seed: int | None = None,
        site_file: str | None = None,
        speech: Mapping[str, Speech] = NATIVE,
        lines: SerialLines = NO_LINES,
    ) -> None:
        """As `ScenarioRun`. An acknowledgement may take some seconds of machine time, whatever the speed."""
        self._clock = clock
        self._awake = asyncio.Event()
        self._stopped = False
        self._lines = lines
        self.network = MqttNetwork(broker, self._happen)
        self.run = ScenarioRun(
            plan,
            scenario,
            start,
            network=self.network,
            truth=truth,
            seed=seed,
            lag=clock.now,
            ack_timeout=max(ACK_TIMEOUT, round(5 * SECOND * clock.speed)),
            site_file=site_file,
            speech=speech,
            lines=lines,
        )

    def stop(self) -> None:
        """Ask for the end; safe in a signal handler of the loop."""
        self._stopped = True
        self._awake.set()

    async def play(self, *, until_end: bool) -> None:
        """Play until stopped; with `until_end`, until the scenario has ended and all records are acknowledged."""
        keeping = asyncio.create_task(self._lines.keep(), name="serial lines")
        try:
            while not self._stopped and not (until_end and self.run.ended):
                await self._step()
                if keeping.done():
                    keeping.result()
            if until_end and not self._stopped:
                await self._settle()
        finally:
            self.run.finish()
            keeping.cancel()
            self._lines.close()
            await self.network.close()

    async def _settle(self) -> None:
        deadline = asyncio.get_running_loop().time() + SETTLING
        while self.run.unacknowledged and asyncio.get_running_loop().time() < deadline and not self._stopped:
            await self._step()

    async def _step(self) -> None:
        """Let happen what is due, then wait for what comes next or for a message from outside."""
        for _ in range(_BREATH):
            at = self.run.next_at
            if at is None or self._clock.seconds_until(at) > 0:
                break
            self.run.step()
        else:
            await asyncio.sleep(0)
            return
        self._awake.clear()
        pause = 1.0 if at is None else min(self._clock.seconds_until(at), 1.0)
        try:
            async with asyncio.timeout(pause):
                await self._awake.wait()
        except TimeoutError:
            return

    def _happen(self, do: Callable[[], None]) -> None:
        self.run.call_at(self._clock.now(), do)
        self._awake.set()
