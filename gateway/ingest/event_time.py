"""When something happened, worked out from two clocks that are not trusted (docs/wire.md, event time).

A device's wall clock may be stopped, reset or hours off; its monotonic clock only drifts. So the age of a
record is taken from the monotonic clock where record and message belong to the same boot, else from the wall
clock's difference.
"""

from __future__ import annotations

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


class TimeUnknownError(Exception):
    """No believable time can be worked out for a record."""


def event_time(
    received_at: int,
    at: int,
    mono: int | None,
    sent_at: int | None,
    sent_mono: int | None,
    *,
    synced: bool,
    same_boot: bool,
) -> tuple[int, int]:
    """`(occurred_at, uncertainty)` in ms, from a record's clock readings in ms.

    `same_boot`: the message was sent in the boot that made the record; `synced`: the device says that its
    wall clock is right. Raises `TimeUnknownError` when no clock gives a believable time.

    1. `received - (sent_mono - mono)` when both belong to the same boot;
    2. else `received - (sent_at - at)`;
    3. else `at`, at most `received`.
    """
    if same_boot and mono is not None and sent_mono is not None and sent_mono >= mono:
        age, doubt = sent_mono - mono, TRANSIT_MS
    elif sent_at is not None and 0 <= sent_at - at <= LONGEST_AGE_MS:
        age, doubt = sent_at - at, TRANSIT_MS + WALL_DOUBT_MS
    else:
        age = max(0, received_at - at)
        doubt = SYNCED_DOUBT_MS if synced else BARE_DOUBT_MS
    if age > LONGEST_AGE_MS:
        raise TimeUnknownError(f"the record would be {age // 86_400_000} days old")
    return received_at - age, doubt + int(age * DRIFT)
