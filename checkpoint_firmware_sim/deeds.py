"""What people do in a scenario. Instants are true ms since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoint_firmware_sim.people import Walker


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody stood at a checkpoint and held the scanner to its tag."""

    checkpoint: str
    at: int
    devices: tuple[str, ...]  # usually one; none when nobody has a scanner


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk along a route, done for one duty."""

    walker: Walker
    duty: str
    route: str
    visits: tuple[Visit, ...]

    @property
    def start(self) -> int:
        """When the first checkpoint was visited."""
        return self.visits[0].at

    @property
    def end(self) -> int:
        """When the last checkpoint was visited."""
        return self.visits[-1].at


@dataclass(frozen=True, slots=True)
class Call:
    """One call to one post, entered at a console."""

    at: int
    post: str
    outcome: str  # answered, no_answer, abnormal
    by: str | None
    console: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A duty that was left undone on purpose, or for want of time."""

    what: str
    duty: str
    post: str | None
    opens_at: int
    due_at: int
