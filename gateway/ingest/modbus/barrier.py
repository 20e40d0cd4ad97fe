"""One barrier: from where its bar is seen to be, to what happened at it. Pure; times are monotonic seconds.

An event is told when a place is seen that differs from the one before; how the bar got there in between does not
matter. `opened` carries `remote` and a person only when a command of ours was acknowledged shortly before: of one that
was not answered nobody knows whose doing it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from gateway.ingest.modbus.barrier_map import BarrierMap, Place

Event = dict[str, Any]
"""The members of a `gate` record."""

FAULT_AFTER: Final = 3
"""So often in a row a controller must say that it has failed before it is believed."""


@dataclass(slots=True)
class Barrier:
    """`place`: where the bar was known to be when this began. `alone`: nothing but the gateway opens it."""

    map: BarrierMap
    place: Place = Place.UNKNOWN
    alone: bool = False
    _told: tuple[str, str | None, float] | None = field(default=None, init=False)  # what, by whom, until when
    _moving_since: float | None = field(default=None, init=False)
    _stuck: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)

    def told(self, cmd: str, by: str | None, now: float) -> None:
        """A command of ours was written. `by`: who wanted it; None when the controller did not acknowledge it."""
        self._told = ("close" if cmd == "close" else "open", by, now + self.map.travel_s)

    def sees(self, registers: list[int], now: float) -> list[Event]:
        """The registers were read."""
        events: list[Event] = []
        if self._failures >= FAULT_AFTER:
            events.append({"event": "recovered"})
        self._failures = 0
        place = self.map.place(registers)
        if place is Place.UNKNOWN:
            self._moving_since = None
            return events
        if place is Place.MOVING:
            if self._moving_since is None:
                self._moving_since = now
            if not self._stuck and now - self._moving_since > self.map.travel_s:
                self._stuck = True
                events.append({"event": "stuck"})
            if self.alone and self.place is Place.CLOSED and not self._was_told("open", now):
                self.place = Place.BETWEEN
                events.append({"event": "forced"})
            return events
        self._moving_since = None
        if self._stuck:
            self._stuck = False
            # A controller that recovers is taken to be closed: where it is comes right behind.
            events.append({"event": "recovered"})
            self.place = Place.UNKNOWN
        if (place is Place.CLOSED) is (self.place is Place.CLOSED) and self.place is not Place.UNKNOWN:
            self.place = place
            return events
        was, self.place = self.place, place
        if place is Place.CLOSED:
            return [*events, self._caused("closed", "close", now)]
        if self.alone and was is Place.CLOSED and not self._was_told("open", now):
            return [*events, {"event": "forced"}]
        return [*events, self._caused("opened", "open", now)]

    def fails(self) -> list[Event]:
        """The controller answered that it has failed (exception 4)."""
        self._failures += 1
        return [{"event": "fault", "cause": "unknown"}] if self._failures == FAULT_AFTER else []

    def _was_told(self, what: str, now: float) -> bool:
        return self._told is not None and self._told[0] == what and now <= self._told[2]

    def _caused(self, event: str, what: str, now: float) -> Event:
        by = self._told[1] if self._told is not None and self._was_told(what, now) else None
        self._told = None
        return (
            {"event": event, "cause": "unknown"}
            if by is None
            else {"event": event, "cause": "remote", "by": by}
        )
