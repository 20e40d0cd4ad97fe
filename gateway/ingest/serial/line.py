"""One line: opened, listened to, and opened again when it was lost. A task of its own, that no other line waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from gateway.ingest.bridge import Bridges
from gateway.ingest.devices.reading import Noise, Remembering, Talk
from gateway.ingest.devices.registry import PROTOCOLS
from gateway.ingest.linked import LineLink
from gateway.ingest.serial.bus import BUSES, RunBus
from gateway.ingest.serial.health import LineHealth, LineState
from gateway.ingest.serial.port import Port, PortError
from gateway.ingest.serial.voice import Voice

log = logging.getLogger("gateway.lines")

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0
"""How long after a loss a line is opened again: at first, and at the most."""

LOOK_EVERY_S: Final = 1.0
"""So often it is looked whether the port is still the one that was opened."""


class Line:
    """One port of the file of links."""

    def __init__(self, link: LineLink, bridges: Bridges) -> None:
        self.link = link
        self._clock = bridges.clock
        devices = tuple(f"{each.site}/{each.device}" for each in link.devices)
        self.health = LineHealth(link.port, link.protocol, devices)
        self._voices = {each.address or 0: Voice(link, each, bridges, self.health) for each in link.devices}
        self._talk: Talk | None = None
        self._last = b""  # the bytes that were dealt with last, for whoever must find out why that failed

    async def run(self) -> None:
        """Serve the line until cancelled. Whatever goes wrong with it, it is opened again."""
        wait = FIRST_WAIT_S
        while True:
            began = self._clock.elapsed()
            try:
                if self.link.protocol in BUSES:
                    await self._serve_bus(BUSES[self.link.protocol])
                else:
                    await self._serve(self._voices[0])
            except PortError as gone:
                if self.health.is_lost(self._clock.now(), gone.code, gone.detail):
                    log.warning("line %s: %s: %s", self.link.port, gone.code, gone.detail)
            except Exception as error:
                self._talk = None
                self._handler_failed(error)
            for voice in self._voices.values():
                voice.present(False)
            lasted = self._clock.elapsed() - began > LONGEST_WAIT_S
            wait = FIRST_WAIT_S if lasted else min(2 * wait, LONGEST_WAIT_S)
            await asyncio.sleep(wait)

    async def _serve(self, voice: Voice) -> None:
        """Carry bytes between the port and the talk, until the port is lost or the talk fails.

        1. Send what the talk wants to say.
        2. Read a little, until the talk or the next look is due. Others have their turn meanwhile.
        3. Give it to the talk, and what comes of it to the voice of the device.
        4. Once a second: is the port still there, is the device in the plan, is a heartbeat due?
        """
        loop = asyncio.get_running_loop()
        serial = PROTOCOLS[self.link.protocol].serial
        assert serial is not None
        baud = self.link.baud or serial.baud
        port = await Port.open(self.link.port, baud, serial.parity, serial.stop_bits)
        try:
            # One talk for all openings: what it knows of its device, a handheld's numbers, outlives a dock's adapter.
            talk = self._talk = self._talk or serial.talk({**self.link.options, "clock": self._clock})
            talk.opened(loop.time())
            asked = talk.outgoing()
            port.write(asked)
            self._opened()
            voice.opened(not asked)
            look_at = loop.time() + LOOK_EVERY_S
            while True:
                await voice.may_speak()
                due = talk.due()
                until = look_at if due is None else min(due, look_at)
                self._last = await port.read(max(0.0, until - loop.time()))
                now = loop.time()
                if self._last:
                    voice.hear(talk.received(self._last, now))
                if due is not None and due <= now:
                    voice.hear(talk.wake(now))
                port.write(talk.outgoing())
                if now >= look_at:
                    port.check()
                    voice.look(_said_all(talk, now))
                    self._shows(voice.state())
                    look_at = now + LOOK_EVERY_S
        finally:
            await port.close()

    async def _serve_bus(self, run: RunBus) -> None:
        """Let the master of a bus serve it, and look after its devices meanwhile."""
        task = asyncio.ensure_future(run(self.link, self._voices, self.health))
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=LOOK_EVERY_S)
                for voice in self._voices.values():
                    voice.look()
            task.result()
        finally:
            task.cancel()
            await asyncio.wait((task,))

    def _opened(self) -> None:
        if self.health.problem is not None:
            log.info("line %s is open again", self.link.port)
        self.health.is_open(self._clock.now())

    def _shows(self, state: LineState) -> None:
        silent = state is LineState.SILENT
        if self.health.is_now(state, self._clock.now(), "unanswered" if silent else None) and silent:
            log.warning("line %s: nobody answers", self.link.port)

    def _handler_failed(self, error: Exception) -> None:
        """The protocol's own code went wrong: a mistake of the program, which must not stop the line for good."""
        detail = f"{type(error).__name__}: {error}"
        if self.health.is_lost(self._clock.now(), "handler_failed", detail):
            log.error("line %s: its handler failed", self.link.port, exc_info=error)
        for voice in self._voices.values():
            voice.refuse(Noise("handler_failed", detail, self._last))


def _said_all(talk: Talk, now: float) -> bool | None:
    """Whether a device that has a memory of its own holds nothing back; None for one that has none."""
    return talk.complete(now) if isinstance(talk, Remembering) else None


class Lines:
    """All lines of this machine."""

    def __init__(self, links: Sequence[LineLink], bridges: Bridges) -> None:
        self._lines = [Line(link, bridges) for link in links]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def health(self) -> list[LineHealth]:
        return [line.health for line in self._lines]

    def start(self) -> None:
        """Begin with every line; one that is not there yet is waited for."""
        self._tasks = [asyncio.create_task(line.run(), name=f"line {line.link.port}") for line in self._lines]

    async def close(self) -> None:
        """Let go of all ports."""
        for task in self._tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
