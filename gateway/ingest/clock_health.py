"""What is wrong with a device's wall clock, told from its messages alone. It moves no verdict (law 6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.ingest.event_time import DRIFT, TRANSIT_MS

YEAR_2020: Final = 1_577_836_800_000
OFF_MS: Final = 300_000
DRIFTS_PER_HOUR_MS: Final = 1_000
STEPPED_FOR_MS: Final = 3_600_000
"""A step is shown for so long; then it is a clock that is off, or it is well."""

_HOUR_MS: Final = 3_600_000
_STOPPED_AFTER_MS: Final = 10_000
"""A clock that shows seconds only may stand still for one of them; so long it must not."""

_COARSE_MS: Final = 1_000
"""How much two readings of a wall clock that shows seconds only may differ from what has passed."""

_NOISE_MS: Final = 2 * TRANSIT_MS
"""How much two readings may differ by the way of their messages alone."""


class ClockState(StrEnum):
    """What is wrong with a wall clock, the worst first."""

    STOPPED = "stopped"
    RESET = "reset"
    STEPPED = "stepped"
    OFF = "off"
    DRIFTING = "drifting"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks when a message was sent and received. All in ms."""

    boot: str
    received_at: int
    wall: int
    mono: int

    @property
    def error(self) -> int:
        """How far the wall clock was ahead."""
        return self.wall - self.received_at


class ClockHealth:
    """The wall clock of one device, message after message."""

    __slots__ = ("_first", "_last", "_stepped_at", "_stopped")

    def __init__(self) -> None:
        self._first: Reading | None = None  # since when the clock has run evenly
        self._last: Reading | None = None
        self._stepped_at: int | None = None  # when the last step was seen
        self._stopped = False

    def read(self, reading: Reading) -> None:
        """Take in a reading; one from before the last is too late to tell anything."""
        first, last = self._first, self._last
        if last is not None and reading.received_at <= last.received_at:
            return
        self._last = reading
        if first is None or last is None or reading.boot != last.boot:
            self._first, self._stopped, self._stepped_at = reading, False, None
            return
        passed = reading.mono - last.mono
        if passed >= _STOPPED_AFTER_MS:
            self._stopped = abs(reading.wall - last.wall) * 10 < passed
        # Both clocks were read at once, so that it does not matter how long the messages took.
        step = abs(reading.wall - last.wall - passed)
        if step > _COARSE_MS + passed * DRIFT and not self._stopped:
            self._first, self._stepped_at = reading, reading.received_at

    def state(self) -> ClockState | None:
        """What is wrong; None before the first reading."""
        first, last = self._first, self._last
        if first is None or last is None:
            return None
        if self._stopped:
            return ClockState.STOPPED
        if last.wall < YEAR_2020:
            return ClockState.RESET
        if self._stepped_at is not None and last.received_at - self._stepped_at < STEPPED_FOR_MS:
            return ClockState.STEPPED
        if abs(last.error) > OFF_MS:
            return ClockState.OFF
        if (
            abs(last.error - first.error) - _NOISE_MS
            > (last.mono - first.mono) * DRIFTS_PER_HOUR_MS / _HOUR_MS
        ):
            return ClockState.DRIFTING
        return ClockState.OK

    def doubt(self, now: int) -> int | None:
        """How far the clock error may be from what was read last (ms), at `now`; None before the first reading."""
        if self._last is None:
            return None
        return TRANSIT_MS + int(max(0, now - self._last.received_at) * DRIFT)
