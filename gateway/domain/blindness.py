"""Blindness: when the gateway itself could not hear, because it was down or cut off from its broker (laws 4 and 7).

What was said to it then may be lost where a device keeps nothing, and nobody can be waited for in vain while we do
not listen. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable

from gateway.domain.calendar import FOREVER, Period


class Blindness:
    """The intervals, in order and apart from each other."""

    __slots__ = ("_intervals", "since")

    def __init__(self, intervals: Iterable[Period] = ()) -> None:
        self._intervals: list[Period] = []
        self.since: int | None = None
        """Since when the gateway cannot hear; None when it can."""
        for start, end in intervals:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Note that nothing could be heard in `[start, end)`."""
        if start >= end:
            return
        apart = []
        for known in self._intervals:
            if known[1] < start or known[0] > end:
                apart.append(known)
            else:
                start, end = min(start, known[0]), max(end, known[1])
        self._intervals = apart
        insort(self._intervals, (start, end))

    def within(self, start: int, end: int) -> int:
        """How much of `[start, end)` was blind (ms)."""
        if start >= end:
            return 0
        total = max(0, end - max(start, self.since)) if self.since is not None else 0
        for place in range(bisect_right(self._intervals, (end, -FOREVER)) - 1, -1, -1):
            known = self._intervals[place]
            if known[1] <= start:
                break
            total += min(end, known[1]) - max(start, known[0])
        return total

    def at(self, instant: int) -> bool:
        """Whether nothing could be heard at an instant."""
        if self.since is not None and self.since <= instant:
            return True
        place = bisect_right(self._intervals, (instant, FOREVER)) - 1
        return place >= 0 and self._intervals[place][1] > instant

    def hid(self, opens: int, due: int) -> bool:
        """Whether so much of a window was blind that what was done in it need not have been heard.

        At its deadline, or for more than half of it.
        """
        return self.at(due) or 2 * self.within(opens, due) > due - opens

    def pause(self, start: int, length: int) -> int:
        """When `length` ms have passed from `start` on in which the gateway could hear; `FOREVER` while it cannot."""
        end = start + length
        for known in self._intervals:
            if known[1] <= start:
                continue
            if known[0] >= end:
                break
            end += known[1] - max(start, known[0])
        if self.since is not None and self.since < end:
            return FOREVER
        return end
