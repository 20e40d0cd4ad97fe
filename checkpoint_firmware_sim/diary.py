"""A diary: what somebody, or a scanner, is busy with, and where there is room for one more thing.

Instants and lengths are ms. Between two entries there must be time for the way from where the first one ends
to where the second one begins: nobody is in two places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Way = Callable[[str | None, str | None], int]
"""How long (ms) the way between two checkpoints takes; None is no place in particular."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Busy from `start` to `end`, beginning at the checkpoint `enter` and ending at `leave`."""

    start: int
    end: int
    enter: str | None = None
    leave: str | None = None


class Diary:
    """The entries of one person or one thing."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note one more entry; whoever adds it has looked for room before."""
        self.entries.append(entry)


@dataclass(frozen=True, slots=True)
class Need:
    """Something to be done in one go, by everybody whose diary is in `diaries`."""

    diaries: tuple[Diary, ...]
    length: int
    enter: str | None
    leave: str | None
    way: Way

    def earliest(self, not_before: int, end_by: int) -> int | None:
        """The first start at or after `not_before` that ends by `end_by`; None when there is no room."""
        near = self._near(not_before, end_by)
        starts = [not_before, *(entry.end + self.way(entry.leave, self.enter) for entry in near)]
        fitting = (at for at in sorted(starts) if not_before <= at <= end_by - self.length)
        return self._first_with_room(fitting, near)

    def latest(self, not_before: int, end_by: int) -> int | None:
        """The last start at or after `not_before` that ends by `end_by`; None when there is no room."""
        near = self._near(not_before, end_by)
        ends = [end_by, *(entry.start - self.way(self.leave, entry.enter) for entry in near)]
        starts = (end - self.length for end in sorted(ends, reverse=True))
        fitting = (at for at in starts if not_before <= at <= end_by - self.length)
        return self._first_with_room(fitting, near)

    def note(self, start: int) -> None:
        """Enter it into all the diaries."""
        for diary in self.diaries:
            diary.add(Entry(start, start + self.length, self.enter, self.leave))

    def _near(self, start: int, end: int) -> list[Entry]:
        """The entries that a stretch of time has to do with: nobody's way takes longer than an hour."""
        hour = 3_600_000
        entries = (entry for diary in self.diaries for entry in diary.entries)
        return [entry for entry in entries if entry.end > start - hour and entry.start < end + hour]

    def _first_with_room(self, starts: Iterable[int], near: list[Entry]) -> int | None:
        return next((start for start in starts if all(self._apart(start, entry) for entry in near)), None)

    def _apart(self, start: int, entry: Entry) -> bool:
        after = start >= entry.end + self.way(entry.leave, self.enter)
        before = start + self.length <= entry.start - self.way(self.leave, entry.enter)
        return after or before
