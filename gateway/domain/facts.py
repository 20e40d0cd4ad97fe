"""Facts: what a device reported. Never changed, never deleted early.

A fact's identity is `(site, device, boot, seq)`. `occurred_at` is worked out once, when the fact is first
received, and stored; judging orders facts by what they say happened, never by when they arrived.

These classes are plain slotted ones, not frozen ones: one is made for each record on the hot path, and a
frozen dataclass costs three times as much to make. Nothing changes a fact after it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.domain.strength import Strength


class Outcome(StrEnum):
    """What a radio check came to."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    ABNORMAL = "abnormal"


class GateEventKind(StrEnum):
    OPENED = "opened"
    CLOSED = "closed"
    VEHICLE_IN = "vehicle_in"
    VEHICLE_OUT = "vehicle_out"
    FORCED = "forced"
    STUCK = "stuck"
    FAULT = "fault"
    RECOVERED = "recovered"
    MANUAL_OPEN = "manual_open"


@dataclass(slots=True, eq=False)
class Fact:
    """What all facts have. Instants are ms since the epoch, UTC."""

    device: str
    boot: str
    seq: int
    occurred_at: int
    received_at: int
    uncertainty: int  # ms either side of occurred_at
    clock_error: int | None  # ms the device's wall clock was ahead; None when it cannot be told

    @property
    def id(self) -> str:
        """`device/boot/seq`, unique in a site."""
        return f"{self.device}/{self.boot}/{self.seq}"

    @property
    def order(self) -> tuple[int, str, str, int]:
        """The canonical order of facts: by when they happened, then by identity."""
        return (self.occurred_at, self.device, self.boot, self.seq)


def mark_of(device: str) -> str:
    """What stands for a tag where a reader is fixed at a checkpoint, and reads the guards' cards. No UID looks so."""
    return f"@{device}"


class Tap(NamedTuple):
    """What a tag proved that makes a message of its own at each reading (SUN)."""

    counter: int  # of the readings of the tag: it only ever rises
    message: str  # another one for each message, also for two of the same counter


@dataclass(slots=True, eq=False)
class Scan(Fact):
    """A tag was read at a checkpoint, or a guard's card by the reader that is fixed there."""

    tag: str  # what the plan's checkpoints are looked up by: a UID, a QR text, or the mark of a fixed reader
    guard: str | None = None  # a person's id or card
    battery: int | None = None
    proof: Strength = Strength.UID  # what the record shows by itself: `sun`, `uid` or `qr`
    tap: Tap | None = None  # of `sun` alone

    @property
    def is_carried(self) -> bool:
        """Whether a guard carries the device. To a fixed reader guards come, one after the other."""
        return self.tag != mark_of(self.device)


@dataclass(slots=True, eq=False)
class RadioCall(Fact):
    """A post was called by radio."""

    post: str
    outcome: Outcome
    by: str | None = None
    note: str | None = None


@dataclass(slots=True, eq=False)
class Signature(Fact):
    """Somebody signed a record: a check that was made, a hand-over, a drill that was held."""

    form: str
    by: str  # a person's id or card
    post: str | None = None
    text: str | None = None
    abnormal: bool = False
    failed: tuple[str, ...] = ()  # the items of its checklist that were not in order


@dataclass(slots=True, eq=False)
class GateEvent(Fact):
    """Something happened at a barrier."""

    event: GateEventKind
    lane: str | None = None
    plate: str | None = None
    card: str | None = None
    cause: str | None = None
    pass_no: str | None = None
    by: str | None = None
    note: str | None = None
    vehicle: str | None = None
    goods: bool = False


@dataclass(slots=True, eq=False)
class Report(Fact):
    """Something was seen on the round."""

    category: str
    text: str
    checkpoint: str | None = None
    severity: str = "info"
    resolved: bool = False
    reason: str | None = None


class Lost(NamedTuple):
    """Records of a device that are gone for good: numbers `first` to `last` of a boot, made in `[start, end]`.

    Instants in ms, the doubt of the device's clocks included.
    """

    boot: str
    first: int
    last: int
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Status(Fact):
    """A heartbeat: `buffered == 0` with all stored up to `high_seq` proves that everything has been heard."""

    buffered: int | None = None
    high_seq: int | None = None
    sent_at: int = 0  # ms, corrected: until when the device had nothing else to say
    battery: int | None = None
    firmware: str | None = None
    uptime: int | None = None  # s
    reply_to: str | None = None
    result: str | None = None
    lost: tuple[Lost, ...] = ()
    buffer_warning: bool = False  # the device has little room left for records


AnyFact = Scan | RadioCall | Signature | GateEvent | Report | Status
