"""The one source of time outside the pure core.

Everything that needs the time is given a `Clock`. A scaled clock lets a demonstration and its simulated
devices share one accelerated night: both compute the same instant from the machine's clock, so that no
message between them is needed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time in ms since the epoch, UTC: `start + (machine time - anchor) * speed`."""

    start: int = 0  # ms
    anchor: int = 0  # ms, machine time at which the clock showed `start`
    speed: float = 1.0

    def now(self) -> int:
        """Now, in ms since the epoch, UTC."""
        machine = time.time_ns() // 1_000_000
        if self.speed == 1.0:
            return self.start + machine - self.anchor
        return self.start + round((machine - self.anchor) * self.speed)

    def elapsed(self) -> float:
        """Machine seconds from any point on, never set: for pauses that no speed shortens."""
        return time.monotonic()

    def ahead(self) -> float:
        """By how much it shows more than the time that went by (ms): it changes when somebody sets the clock."""
        return self.now() - self.elapsed() * 1000 * self.speed

    def seconds_until(self, at: int) -> float:
        """Machine seconds from now until the instant `at` (ms); never negative."""
        return max(0.0, (at - self.now()) / 1000 / self.speed)

    @classmethod
    def parse(cls, text: str) -> Clock:
        """Read `start,anchor,speed` (ms, ms, factor), the form of `str(clock)`.

        Raises ValueError when the text has another form or a speed that is not positive.
        """
        try:
            start, anchor, speed = text.split(",")
            clock = cls(int(start), int(anchor), float(speed))
        except ValueError:
            raise ValueError(f"a clock is written start,anchor,speed in ms, not {text!r}") from None
        if not clock.speed > 0:
            raise ValueError("the speed of a clock must be above 0")
        return clock

    def __str__(self) -> str:
        return f"{self.start},{self.anchor},{self.speed:g}"


SMALLEST_STEP_MS: Final = 10_000
"""A smaller step of the clock is what a time server does in its ordinary work, and costs no verdict."""


class ClockWatch:
    """Notices when somebody sets the clock, or the machine was asleep: it moved otherwise than time went by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.ahead()

    def step(self) -> int:
        """By how much the clock was set since it was looked at last (ms, forward is positive); 0 when it was not."""
        ahead = self._clock.ahead()
        step = round(ahead - self._ahead)
        if abs(step) < SMALLEST_STEP_MS * self._clock.speed:
            return 0
        self._ahead = ahead
        return step


SYSTEM_CLOCK = Clock()
