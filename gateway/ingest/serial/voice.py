"""What one device of a line says, on its way to the device's bridge.

A tag that is held to the reader is one tap. Noise is counted, and some of it kept to be looked at. While the device is
there it is given a heartbeat; while it is not, it says nothing, so that nobody takes its silence for a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.clock import Clock
from gateway.ingest.bridge import BEAT_S, Bridge, Bridges, Told
from gateway.ingest.commander import Commander
from gateway.ingest.devices.reading import Fields, Heard, Noise
from gateway.ingest.linked import LineLink, LinkedDevice
from gateway.ingest.serial.debounce import Debounce
from gateway.ingest.serial.health import LineHealth, LineState

NOISE_KEPT: Final = 10
"""So much noise of a device goes to the quarantine in a minute; the rest is counted only."""

MINUTE_S: Final = 60.0

UNHEARD_S: Final = 2 * BEAT_S
"""What a device said while nobody could hear it for longer is gone. A start of the gateway takes less."""

ANSWERS_WITHIN_S: Final = 5.0
"""A device that is asked and has not answered for so long is not there."""


class Voice:
    """One device of a line."""

    def __init__(self, link: LineLink, device: LinkedDevice, bridges: Bridges, health: LineHealth) -> None:
        self.site, self.device = device.site, device.device
        self.options = device.options
        self._protocol = link.protocol
        self._bridges = bridges
        self._clock = bridges.clock
        self._health = health
        self._debounce = Debounce(link.debounce_s)
        self._is_planned = False
        self._bridge = self._make_bridge()
        self._is_there: bool | None = None  # None: not known yet
        self._heard_at = 0.0  # machine time (s) when the device last showed that it is there
        self._asked_in_vain = False  # since then
        self._listened_until = 0  # ms; until then nothing that it said can have been missed
        self._beat_at = (
            0.0  # on the gateway's clock (s), like the debounce: an accelerated one has short minutes
        )
        self._says: dict[str, Any] = {}  # of itself, for its heartbeats
        self._minute = 0.0
        self._kept = 0  # in this minute

    @property
    def clock(self) -> Clock:
        """The gateway's."""
        return self._clock

    @property
    def place(self) -> str:
        """Where the device, a barrier, was known to be last."""
        return self._bridges.place(self.site, self.device)

    def commanded_by(self, commander: Commander) -> None:
        """The device is told what to do by this one."""
        self._bridges.commanders[self.site, self.device] = commander

    async def may_speak(self) -> None:
        """Return when what the device says can be taken in."""
        await self._bridge.may_speak.wait()

    def opened(self, answers: bool) -> None:
        """The line is there. `answers`: nothing needs to be asked, so that the device is there as well."""
        self._heard_at = self._clock.elapsed()
        self._asked_in_vain = False
        self._is_there = True if answers else None
        self.look()

    def present(self, online: bool) -> None:
        """The device is there, or is not: its line is lost, or it does not answer."""
        self._asked_in_vain = False
        self._heard_at = self._clock.elapsed()
        if self._is_there is not online:
            self._is_there = online
            self.look()

    def hear(self, heard: Sequence[Heard]) -> None:
        """What the device said."""
        for each in heard:
            if isinstance(each, Noise):
                self.refuse(each)
                continue
            if each.alive:
                self.present(True)
            self._health.frames += 1
            if each.record is not None and not self._is_held(each.record):
                self._bridge.report(each.record, each.frame)

    def report(self, members: Fields, frame: bytes = b"", told: Told | None = None) -> str:
        """Something that the device said, as a bridge takes it."""
        self._health.frames += 1
        return self._bridge.report(members, frame, told)

    def refuse(self, noise: Noise) -> None:
        """What nobody understands, or a question without an answer: counted, and some of it kept."""
        self._health.count_noise(noise.reason)
        if noise.reason == "unanswered":
            self._asked_in_vain = True
        now = self._clock.elapsed()
        if now - self._minute >= MINUTE_S:
            self._minute, self._kept = now, 0
        if noise.data and self._is_planned and self._kept < NOISE_KEPT:
            self._kept += 1
            self._health.noise_kept += 1
            self._bridge.refuse(noise)

    def beat(self, members: Fields | None = None) -> None:
        """What the device says of itself (battery, firmware …) goes into its heartbeats, whose time `look` knows."""
        self._says |= members or {}

    def look(self, said_all: bool | None = None) -> None:
        """Once a second: find the device in the plan, tell whether it is there, beat.

        `said_all`: of a device that keeps its records while nobody listens, whether all of them have come.
        """
        if self._asked_in_vain and self._clock.elapsed() - self._heard_at >= ANSWERS_WITHIN_S:
            self._is_there = False
        door = self._bridges.door(self.site, self.device)
        if door is None:
            self._is_planned = False
            return
        if not self._is_planned:
            # What it said before was refused with its numbers: a new boot begins with 1 again.
            self._is_planned = True
            self._bridge = self._make_bridge()
            self._listened_until = self._listened_until or door.hearing.heard_until
            self._beat_at = 0.0
        door.health.line = self._health
        if self._is_there is not None:
            self._bridge.present(self._is_there)
        if said_all is False:
            return
        if self._is_there and not self._asked_in_vain and self._bridge.may_speak.is_set():
            self._prove(loses=said_all is None)

    def state(self) -> LineState:
        """How the line is, as far as this device shows while the port is open."""
        return LineState.SILENT if self._is_there is False else LineState.OPEN

    def _prove(self, loses: bool) -> None:
        """Nothing is held back now; and what a device that `loses` it said while nobody could hear is gone."""
        at, elapsed = self._clock.now(), self._elapsed()
        if loses and 0 < self._listened_until < at - UNHEARD_S * 1000:
            self._bridge.lost(self._listened_until)
            self._beat_at = elapsed + BEAT_S
        elif elapsed >= self._beat_at:
            condition = {"noise": self._health.noise.total(), "line_faults": self._health.faults}
            self._bridge.beat({**self._says, **condition})
            self._beat_at = elapsed + BEAT_S
        self._listened_until = at

    def _make_bridge(self) -> Bridge:
        return self._bridges.make(self.site, self.device, self._protocol)

    def _elapsed(self) -> float:
        """Seconds of the gateway's clock, never set."""
        return self._clock.elapsed() * self._clock.speed

    def _is_held(self, record: Fields) -> bool:
        """Whether it repeats what was said a moment ago. What has a time of its own is no repeat."""
        if record.get("type") != "scan" or "at" in record or "tag" not in record:
            return False
        held = self._debounce.is_held(record["tag"], self._elapsed())
        self._health.held += held
        return held
