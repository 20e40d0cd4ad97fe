"""Times as the simulator writes and reads them, and the local calendar.

Instants are ms since the epoch, UTC; a minute count is local, after midnight. The calendar is written here
once more, and not taken from the gateway, because the truth must not share a mistake with what it judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.plan import ALWAYS, NIGHT, Calendar, Plan, Span

SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000
DAY_MINUTES: Final = 1440

Period = tuple[int, int]
"""`[start, end)` in ms."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h)")
_UNITS: Final = {"ms": 1, "s": SECOND, "min": MINUTE, "h": HOUR}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def parse_duration(text: str) -> int:
    """Read `40s`, `6min`, `8.5h` as ms. Raises ValueError for anything else."""
    if match := _DURATION.fullmatch(text):
        return round(float(match[1]) * _UNITS[match[2]])
    raise ValueError(f"{text!r} is no duration; write it as 40s, 6min or 12h")


def parse_local(text: str) -> int:
    """Read `22:05` as minutes after local midnight. Raises ValueError for anything else."""
    hours, colon, minutes = text.partition(":")
    if colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
        return int(hours) * 60 + int(minutes)
    raise ValueError(f"{text!r} is no time of day; write it as 22:05")


def local_instant(zone: ZoneInfo, day: date, minutes: int) -> int:
    """The instant of a local time; one that is skipped is moved forward, of two the first is taken."""
    moment = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return (moment.replace(tzinfo=zone).astimezone(UTC) - _EPOCH) // _MS


def local_date(zone: ZoneInfo, at: int) -> date:
    """The local date at an instant."""
    return (_EPOCH + at * _MS).astimezone(zone).date()


def local_minutes(zone: ZoneInfo, at: int) -> int:
    """How many minutes after midnight local clocks show at an instant."""
    shown = (_EPOCH + at * _MS).astimezone(zone)
    return shown.hour * 60 + shown.minute


def local_time_after(zone: ZoneInfo, minutes: int, at: int) -> int:
    """The first instant at or after `at` at which local clocks show `minutes` after midnight."""
    day = local_date(zone, at) - timedelta(days=1)
    while (found := local_instant(zone, day, minutes)) < at:
        day += timedelta(days=1)
    return found


def local_time_nearest(zone: ZoneInfo, minutes: int, at: int) -> int:
    """The instant nearest to `at` at which local clocks show `minutes` after midnight."""
    today = local_date(zone, at)
    days = (today + timedelta(days=n) for n in (-1, 0, 1))
    return min((local_instant(zone, day, minutes) for day in days), key=lambda found: abs(found - at))


def days_touching(zone: ZoneInfo, start: int, end: int) -> Iterator[date]:
    """The local dates that `[start, end)` touches, and one either side."""
    day = local_date(zone, start) - timedelta(days=1)
    last = local_date(zone, end) + timedelta(days=1)
    while day <= last:
        yield day
        day += timedelta(days=1)


def periods(plan: Plan, per: Calendar | Span | str, start: int, end: int) -> list[Period]:
    """The periods of `per` that touch `[start, end)`, in order of their start.

    `per` is what a cadence says: a calendar word, a part of the day, or the `during` of an `every`.
    """
    if per == ALWAYS:
        return [(start, end)]
    zone = ZoneInfo(plan.timezone)
    found: set[Period] = set()
    for day in days_touching(zone, start, end):
        found.update(_periods_from(plan, zone, per, day))
    return sorted((a, z) for a, z in found if a < end and z > start)


def _periods_from(plan: Plan, zone: ZoneInfo, per: Calendar | Span | str, day: date) -> Iterator[Period]:
    if per is Calendar.HOUR:
        midnight, next_midnight = local_instant(zone, day, 0), local_instant(zone, day, DAY_MINUTES)
        yield from ((a, a + HOUR) for a in range(midnight, next_midnight, HOUR))
        return
    if isinstance(per, Calendar) and per in (Calendar.WEEK, Calendar.MONTH, Calendar.QUARTER, Calendar.YEAR):
        first, following = _long_period(per, day)
        yield local_instant(zone, first, 0), local_instant(zone, following, 0)
        return
    for span in _spans(plan, per):
        length = (span.to - span.from_ - 1) % DAY_MINUTES + 1
        yield local_instant(zone, day, span.from_), local_instant(zone, day, span.from_ + length)


def _spans(plan: Plan, per: Calendar | Span | str) -> list[Span]:
    if isinstance(per, Span):
        return [per]
    if per in (Calendar.NIGHT, NIGHT):
        return [plan.night]
    if per is Calendar.DAY:
        return [Span(0, DAY_MINUTES)]
    return [shift.span for shift in plan.shifts if per is Calendar.SHIFT or shift.id == per]


def _long_period(calendar: Calendar, day: date) -> tuple[date, date]:
    if calendar is Calendar.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    months = {Calendar.MONTH: 1, Calendar.QUARTER: 3, Calendar.YEAR: 12}[calendar]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    years, month = divmod(first.month - 1 + months, 12)
    return first, date(first.year + years, month + 1, 1)
