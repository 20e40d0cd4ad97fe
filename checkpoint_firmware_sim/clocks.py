"""The two clocks of a device: a wall clock that nobody should trust, and a monotonic one.

Both run on the same quartz, which is a few parts per million off. True time (ms since the epoch, UTC) is
known to the simulator only; a device never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkpoint_firmware_sim.times import SECOND


@dataclass(slots=True)
class DeviceClock:
    """What a device's clocks show at a true instant."""

    booted_at: int  # true ms at which the monotonic clock was 0
    offset: int = 0  # ms that the wall clock was ahead when it was last set
    ppm: float = 0.0  # how much too fast the quartz runs
    synced: bool = False
    set_at: int = 0  # true ms at which the wall clock was last set

    def mono(self, true: int) -> int:
        """The monotonic clock, ms since the device started."""
        elapsed = true - self.booted_at
        return elapsed + round(elapsed * self.ppm / 1_000_000)

    def wall(self, true: int) -> int:
        """The wall clock, ms since the epoch, UTC."""
        return true + self.offset + round((true - self.set_at) * self.ppm / 1_000_000)

    def set_wall(self, true: int, shown: int) -> None:
        """Set the wall clock to `shown` at the true instant `true`."""
        self.offset, self.set_at, self.synced = shown - true, true, True

    @property
    def confidence(self) -> str:
        """What the device thinks of its own wall clock: `synced` or `free`."""
        return "synced" if self.synced else "free"


MAX_OFFSET: int = 2 * SECOND
"""How far off (ms, either way) a wall clock that was set by hand usually is."""

MAX_PPM: float = 20.0
"""How far off a cheap quartz is."""
