"""Local calendars: planned times and periods, right across daylight saving and midnight.

Instants are ms since the epoch, UTC. A local time that a clock change skips is moved forward by the gap, one
that occurs twice is the first: that is what `fold=0` means to `zoneinfo`, in both cases.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.plan import ALWAYS, NIGHT, Calendar, Plan, Span

HOUR_MS: Final = 3_600_000
DAY_MINUTES: Final = 1440
FOREVER: Final = 1 << 62

Period = tuple[int, int]
"""`[start, end)` in ms."""


@lru_cache(maxsize=4096)
def instant(zone: str, day: date, minutes: int) -> int:
    """The instant of a local time, `minutes` after midnight of `day` (1440 and more: of the days after)."""
    days, minutes = divmod(minutes, DAY_MINUTES)
    day += timedelta(days=days)
    local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=ZoneInfo(zone))
    return round(local.timestamp()) * 1000


def local_date(zone: str, at: int) -> date:
    """The local date at an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def varied(vary_s: int, *seed: object) -> int:
    """A shift in ms, of whole seconds and at most `vary_s` either way, that follows from `seed`."""
    if not vary_s:
        return 0
    digest = blake2b("|".join(map(str, seed)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") % (2 * vary_s + 1) - vary_s) * 1000


@lru_cache(maxsize=4096)
def periods_of_day(zone: str, spans: tuple[Span, ...], day: date) -> tuple[Period, ...]:
    """The periods that start on a local date, for parts of the day."""
    found = (
        (
            instant(zone, day, span.from_),
            instant(zone, day, span.to if span.to > span.from_ else span.to + DAY_MINUTES),
        )
        for span in spans
    )
    return tuple(sorted(period for period in found if period[0] < period[1]))


@lru_cache(maxsize=4096)
def hours_of_day(zone: str, day: date) -> tuple[Period, ...]:
    """Whole elapsed hours from local midnight on; what is left of a day of 23.5 h joins its last hour."""
    start, end = instant(zone, day, 0), instant(zone, day, DAY_MINUTES)
    count = (end - start) // HOUR_MS
    edges = [start + HOUR_MS * n for n in range(count)] + [end]
    return tuple(pairwise(edges))


def _month(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _long_period(calendar: Calendar, day: date) -> tuple[date, date]:
    """First day of the long period that holds `day`, and first day of the next one."""
    if calendar is Calendar.WEEK:
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    months = {Calendar.MONTH: 1, Calendar.QUARTER: 3, Calendar.YEAR: 12}[calendar]
    start = _month(day, -((day.month - 1) % months))
    return start, _month(start, months)


_LONG: Final = (Calendar.WEEK, Calendar.MONTH, Calendar.QUARTER, Calendar.YEAR)


class Periods:
    """The periods of one kind in one zone, in order of their start."""

    __slots__ = ("_calendar", "_spans", "_zone")

    def __init__(self, zone: str, calendar: Calendar | None, spans: tuple[Span, ...]) -> None:
        self._zone = zone
        self._calendar = calendar
        self._spans = spans

    def next_from(self, at: int) -> Period:
        """The first period that starts at or after `at`."""
        zone = self._zone
        day = local_date(zone, at)
        if self._calendar in _LONG:
            first, following = _long_period(self._calendar, day)
            while (start := instant(zone, first, 0)) < at:
                first, following = _long_period(self._calendar, following)
            return start, instant(zone, following, 0)
        # A span may start late on the day before in a zone where midnight itself was skipped.
        day -= timedelta(days=1)
        while True:
            for period in self._on(day):
                if period[0] >= at:
                    return period
            day += timedelta(days=1)

    def running_at(self, at: int) -> Period | None:
        """The latest-starting period with `start ≤ at < end`."""
        zone = self._zone
        day = local_date(zone, at)
        if self._calendar in _LONG:
            first, following = _long_period(self._calendar, day)
            return instant(zone, first, 0), instant(zone, following, 0)
        found = [p for back in (1, 0) for p in self._on(day - timedelta(days=back)) if p[0] <= at < p[1]]
        return max(found, default=None)

    def _on(self, day: date) -> tuple[Period, ...]:
        if self._calendar is Calendar.HOUR:
            return hours_of_day(self._zone, day)
        return periods_of_day(self._zone, self._spans, day)


_WHOLE_DAY: Final = (Span(0, DAY_MINUTES),)


def counting_periods(plan: Plan, per: Calendar | Span) -> Periods:
    """The periods of a `times` cadence."""
    if isinstance(per, Span):
        return Periods(plan.timezone, None, (per,))
    spans: tuple[Span, ...] = ()
    if per is Calendar.SHIFT:
        spans = tuple(shift.span for shift in plan.shifts)
    elif per is Calendar.NIGHT:
        spans = (plan.night,)
    elif per is Calendar.DAY:
        spans = _WHOLE_DAY
    return Periods(plan.timezone, per, spans)


def gap_periods(plan: Plan, during: str) -> Periods | None:
    """The periods of an `every` cadence; None when it never pauses."""
    if during == ALWAYS:
        return None
    if during == NIGHT:
        return Periods(plan.timezone, None, (plan.night,))
    return Periods(plan.timezone, None, tuple(shift.span for shift in plan.shifts if shift.id == during))


class PlannedTimes:
    """The planned instants of an `at` cadence, in order, each moved by its seeded amount."""

    __slots__ = ("_seed", "_times", "_vary_s", "_zone")

    def __init__(self, zone: str, times: Iterable[int], vary_s: int, seed: str) -> None:
        self._zone = zone
        self._times = tuple(times)
        self._vary_s = vary_s
        self._seed = seed

    def on(self, day: date) -> list[int]:
        """The planned instants of a local date."""
        return sorted(
            instant(self._zone, day, minutes) + varied(self._vary_s, self._seed, day, index)
            for index, minutes in enumerate(self._times)
        )

    def after(self, at: int) -> int:
        """The first planned instant later than `at`."""
        day = local_date(self._zone, at) - timedelta(days=1)
        while True:
            planned = self.on(day)
            place = bisect_right(planned, at)
            if place < len(planned):
                return planned[place]
            day += timedelta(days=1)

    def from_(self, at: int) -> int:
        """The first planned instant at or later than `at`."""
        return self.after(at - 1)
