"""Silences: what nobody wants to be told of for a while. Each has an end, an author and a reason.

A maintenance window is a silence that was announced: it may begin later. An alert that a silence covers opens, is
shown and is judged as ever; nobody is told of it until the silence ends. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from gateway.domain.alert import Alert, AlertKind
from gateway.domain.calendar import FOREVER

LONGEST_MS: Final = 30 * 86_400_000
"""No silence lasts longer: what is never to be heard belongs out of the plan."""


@dataclass(frozen=True, slots=True)
class Silence:
    """`kinds` and `subjects`: which alerts it covers; an empty one stands for all."""

    id: str
    site: str
    start: int
    end: int  # not in it
    by: str
    reason: str
    kinds: tuple[AlertKind, ...] = ()
    subjects: tuple[str, ...] = ()  # routes, posts, devices, forms, or the site
    maintenance: bool = False
    created_at: int = 0
    origin: str | None = None
    ended_by: str | None = None  # who ended it before its time

    def covers(self, alert: Alert) -> bool:
        """Whether an alert is meant, whenever it is."""
        if self.kinds and alert.kind not in self.kinds:
            return False
        return not self.subjects or alert.subject in self.subjects

    def runs_at(self, now: int) -> bool:
        return self.start <= now < self.end

    def ended(self, now: int, by: str) -> Silence:
        """This silence, brought to its end now; one that has not begun never does."""
        return replace(self, start=min(self.start, now), end=min(self.end, now), ended_by=by)


class Silences:
    """The silences of one site that have not ended."""

    __slots__ = ("_by_id",)

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._by_id = {silence.id: silence for silence in silences}

    def __iter__(self) -> Iterator[Silence]:
        return iter(self._by_id.values())

    def put(self, silence: Silence) -> None:
        """Add one, or put a changed one in its place."""
        self._by_id[silence.id] = silence

    def find(self, silence_id: str) -> Silence | None:
        return self._by_id.get(silence_id)

    def covering(self, alert: Alert, now: int) -> Silence | None:
        """The silence that covers an alert at `now`; the one that ends last where there are several."""
        found = (each for each in self._by_id.values() if each.runs_at(now) and each.covers(alert))
        return max(found, key=lambda each: (each.end, each.id), default=None)

    def next_change(self, now: int) -> int:
        """When the next one begins or ends after `now`."""
        return min((at for each in self for at in (each.start, each.end) if at > now), default=FOREVER)

    def forget_before(self, at: int) -> None:
        self._by_id = {id: each for id, each in self._by_id.items() if each.end > at}
