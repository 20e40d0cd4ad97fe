"""When something happened, worked out from two clocks that are not trusted (docs/wire.md, event time).

A device's wall clock may be stopped, reset or hours off; its monotonic clock only drifts, but begins anew at each
start. So a record is dated by the monotonic clock wherever its boot can be placed in time: because the message was
sent in it, or because an earlier message was. The wall clock is asked only where that fails, and what it says must
lie between the last moment that the device had nothing more to say and the start that ended the record's boot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TRANSIT_MS: Final = 500
"""Doubt about how long a message was on its way."""

DRIFT: Final = 0.0006
"""Doubt about a device clock's rate: 2 s an hour, the worst that free-running handhelds were seen to do."""

WALL_DOUBT_MS: Final = 2_000
"""Further doubt where only the wall clock's difference is known: it may have been set in between."""

BARE_DOUBT_MS: Final = 300_000
"""Doubt about a bare wall-clock time that nothing can be compared with."""

SYNCED_DOUBT_MS: Final = 2_000
"""The same, where the device says that its clock is synchronised."""

LONGEST_AGE_MS: Final = 400 * 86_400_000
"""A record older than this is not believed: its clocks are wrong."""


EPOCHS: Final = (0, 946_684_800_000)
"""What a wall clock shows after it has lost its power: 1970-01-01 or 2000-01-01."""

_START_MS: Final = 60_000
"""A wall clock may have begun so long before the monotonic one, at the start of a device."""


class TimeUnknownError(Exception):
    """No believable time can be worked out for a record."""


@dataclass(slots=True)
class BootClock:
    """Where one boot of a device lies in time: its monotonic clock showed `mono` at `zero + mono`. All in ms.

    Taken from messages that were sent in that boot. The one that was on its way for the shortest time tells most,
    but the clock drifts away from an old one: the newest is kept, unless it came later than drift explains.
    """

    mono: int
    zero: int
    error: int | None  # how far the wall clock was ahead
    heard_at: int

    def hear(self, received_at: int, sent_mono: int, error: int | None) -> None:
        """A message of this boot came in."""
        zero = received_at - sent_mono
        if zero <= self.zero + int((sent_mono - self.mono) * DRIFT):
            self.mono, self.zero = sent_mono, zero
        if received_at >= self.heard_at:
            self.heard_at = received_at
            self.error = error if error is not None else self.error

    def time_of(self, mono: int) -> tuple[int, int]:
        """When the monotonic clock showed this, and the doubt."""
        return self.zero + mono, TRANSIT_MS + int(abs(mono - self.mono) * DRIFT)


@dataclass(slots=True)
class Known:
    """What the gateway knows of a device when a record of it comes in. Instants in ms; None: not known."""

    boot: BootClock | None = None  # of the boot that made the record
    after: int | None = None  # what happened up to here is stored already, so the record is younger
    before: int | None = (
        None  # the boot that sends began then, as far as its monotonic clock counts from its start
    )
    counts_from_start: bool = (
        False  # what is known of earlier boots says that it does, so the record is older
    )
    error: int | None = None  # how far the wall clock was ahead when it was compared last


NOTHING_KNOWN: Final = Known()
"""Of a device that was never heard before."""


def event_time(
    received_at: int,
    at: int,
    mono: int | None,
    sent_at: int | None,
    sent_mono: int | None,
    *,
    clock: str = "free",
    same_boot: bool,
    known: Known = NOTHING_KNOWN,
) -> tuple[int, int]:
    """`(occurred_at, uncertainty)` in ms, from a record's clock readings in ms.

    `same_boot`: the message was sent in the boot that made the record; `clock`: what the device thinks of its wall
    clock (`synced`, `free`, `unset`). Raises `TimeUnknownError` when no clock gives a believable time.

    1. `received - (sent_mono - mono)` when both belong to the same boot;
    2. the moment when the monotonic clock of the record's boot showed `mono`, where that boot was heard before;
    3. `received - (sent_at - at)`; 4. `at` less the clock error that was known last; 5. `at` itself:
       the first of these that lies between `known.after` and `known.before`;
    6. the middle between the two, with a doubt that covers them; or the latest that it can be, when all that is known
       is that `at` lies after it: the clock is wrong by so much at least.
    """
    if same_boot and mono is not None and sent_mono is not None and sent_mono >= mono:
        age = sent_mono - mono
        return _believed(received_at, received_at - age, TRANSIT_MS + int(age * DRIFT))
    before = received_at if known.before is None else min(received_at, known.before)
    latest = before if known.counts_from_start else received_at
    oldest = received_at - LONGEST_AGE_MS if known.after is None else known.after
    if mono is not None and known.boot is not None:
        time, doubt = known.boot.time_of(mono)
        if oldest - doubt <= time <= latest + doubt:
            return _believed(received_at, min(time, received_at), doubt)
    for time, doubt in _wall_readings(received_at, at, mono, sent_at, sent_mono, clock, same_boot, known):
        doubt += int(max(0, received_at - time) * DRIFT)
        if oldest - doubt <= time <= latest + doubt:
            time = min(time, latest)
            # Where the monotonic clock may count on over a restart, nobody can tell which of the two is wrong.
            return _believed(received_at, time, min(doubt + max(0, time - before), LONGEST_AGE_MS))
    if known.after is not None and known.after <= before:
        half = (before - known.after + 1) // 2
        return _believed(received_at, before - half, half + TRANSIT_MS)
    if clock != "unset" and at > latest:
        return _believed(received_at, latest, max(BARE_DOUBT_MS, min(at - latest, LONGEST_AGE_MS)))
    raise TimeUnknownError("no clock of the device gives a believable time")


def _wall_readings(
    received_at: int,
    at: int,
    mono: int | None,
    sent_at: int | None,
    sent_mono: int | None,
    clock: str,
    same_boot: bool,
    known: Known,
) -> list[tuple[int, int]]:
    """What the wall clock says, best first: times with their doubt, drift not counted."""
    if not same_boot and (clock == "unset" or (sent_at == at and known.after is not None)):
        return []  # never set; or standing still, and something better is known
    found: list[tuple[int, int]] = []
    # Within one boot also a clock that was never set counts; from one boot to the next it may have begun anew.
    if sent_at is not None and sent_at >= at and (same_boot or not _began_with_boot(sent_at, sent_mono)):
        found.append((received_at - (sent_at - at), TRANSIT_MS + WALL_DOUBT_MS))
    if clock != "unset" and not _began_with_boot(at, mono):
        doubt = SYNCED_DOUBT_MS if clock == "synced" else BARE_DOUBT_MS
        if known.error is not None:
            found.append((at - known.error, doubt))
        found.append((at, doubt))
    return found


def _began_with_boot(wall: int, mono: int | None) -> bool:
    """Whether a wall clock shows no more time since an epoch than the device has been running."""
    return mono is not None and any(0 <= wall - epoch <= mono + _START_MS for epoch in EPOCHS)


def _believed(received_at: int, time: int, doubt: int) -> tuple[int, int]:
    if received_at - time > LONGEST_AGE_MS:
        raise TimeUnknownError(f"the record would be {(received_at - time) // 86_400_000} days old")
    return time, doubt
