"""The two clocks of a device: a wall clock that nobody should trust, and a monotonic one.

Both run on the same quartz, which is a few parts per million off, or many. True time (ms since the epoch, UTC)
is known to the simulator only; a device never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from checkpoint_firmware_sim.times import SECOND

MAX_OFFSET: Final = 2 * SECOND
"""How far off (ms, either way) a wall clock that was set by hand usually is."""

MAX_PPM: Final = 20.0
"""How far off a cheap quartz is."""

YEAR_2000: Final = 946_684_800_000
"""2000-01-01T00:00:00Z: what a wall clock shows that has lost its power."""


@dataclass(slots=True)
class DeviceClock:
    """What a device's clocks show at a true instant."""

    booted_at: int  # true ms at which the device started
    offset: int = 0  # ms that the wall clock was ahead at `set_at`
    ppm: float = 0.0  # how much too fast the quartz runs
    synced: bool = False
    set_at: int = 0  # true ms from which on `offset` grows with the quartz
    counted_at: int | None = None  # true ms at which the monotonic clock showed `counted`; None: at the start
    counted: int = 0
    frozen: int | None = None  # what a stopped wall clock shows

    def mono(self, true: int) -> int:
        """The monotonic clock, ms since the device started."""
        elapsed = true - (self.booted_at if self.counted_at is None else self.counted_at)
        return self.counted + elapsed + round(elapsed * self.ppm / 1_000_000)

    def wall(self, true: int) -> int:
        """The wall clock, ms since the epoch, UTC."""
        if self.frozen is not None:
            return self.frozen
        return true + self.offset + round((true - self.set_at) * self.ppm / 1_000_000)

    def boot(self, true: int) -> None:
        """The device starts anew: the monotonic clock counts from 0, the wall clock goes on."""
        self.booted_at, self.counted_at, self.counted = true, None, 0

    def set_wall(self, true: int, shown: int) -> None:
        """Set the wall clock to `shown` at the true instant `true`; the device believes it."""
        self.step(true, shown - self.wall(true))
        self.frozen = None
        self.synced = True

    # What can be wrong with them

    def step(self, true: int, by: int) -> None:
        """The wall clock jumps by so many ms, forward or back."""
        self.offset, self.set_at = self.wall(true) + by - true, true
        self.synced = False

    def reset(self, true: int) -> None:
        """The wall clock shows the beginning of the year 2000, and runs on from there."""
        self.step(true, YEAR_2000 - self.wall(true))

    def stop(self, true: int) -> None:
        """The wall clock stands still from now on. The monotonic one does not."""
        self.frozen, self.synced = self.wall(true), False

    def run_at(self, true: int, ppm: float) -> None:
        """The quartz runs too fast by `ppm` from now on, too slow when it is negative. Both clocks follow it."""
        self.offset, self.set_at = self.wall(true) - true, true
        self.counted, self.counted_at = self.mono(true), true
        self.ppm = ppm

    @property
    def confidence(self) -> str:
        """What the device thinks of its own wall clock: `synced` or `free`."""
        return "synced" if self.synced else "free"
