"""What survives a restart: the number of starts, and a ring of records that the gateway has not yet stored.

The ring keeps records in the order in which they were made. A part at its front has been sent on this
connection and waits for its acknowledgement; the rest has not been sent yet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

CAPACITY: Final = 32_768
"""Records that fit into the flash of a device."""

WARN_AT: Final = 0.9
"""The part of the capacity from which on a device complains."""


@dataclass(slots=True, eq=False)
class Record:
    """One record as it was made. `mono` counts from the start of `boot`."""

    type: str
    boot: str
    seq: int
    wall: int  # ms, what the wall clock showed
    mono: int  # ms
    clock: str
    members: dict[str, Any]
    made_at: int = 0  # true ms, which the device itself does not know


@dataclass(slots=True)
class Gap:
    """Records of one boot, one after the other, that were overwritten before they were stored anywhere else."""

    first: Record
    last: Record

    def follows(self, record: Record) -> bool:
        """Whether a record is the next one after the gap."""
        return record.boot == self.last.boot and record.seq == self.last.seq + 1


class Flash:
    """The ring and the counters of one device."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.starts = 0
        self.overwritten = 0
        """Records that were lost because the ring was full."""
        self.gaps: list[Gap] = []
        """What was lost and nobody has been told of yet."""
        self.lost: list[Record] = []
        """Everything that was lost, for the truth: a real device does not know it any more."""
        self._ring: deque[Record] = deque()
        self._sent = 0

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def unsent(self) -> int:
        """How many records have not been sent on this connection."""
        return len(self._ring) - self._sent

    @property
    def in_flight(self) -> int:
        """How many records were sent on this connection and are not acknowledged."""
        return self._sent

    @property
    def waiting(self) -> int:
        """How many records that are no heartbeats are not acknowledged."""
        return sum(record.type != "status" for record in self._ring)

    @property
    def nearly_full(self) -> bool:
        """True from 90 % of the capacity on."""
        return len(self._ring) >= self.capacity * WARN_AT

    def append(self, record: Record) -> None:
        """Keep a record. When the ring is full the oldest one is overwritten, and counted."""
        if len(self._ring) == self.capacity:
            self._lose(self._ring.popleft())
            self._sent = max(0, self._sent - 1)
        self._ring.append(record)

    def _lose(self, record: Record) -> None:
        self.overwritten += 1
        self.lost.append(record)
        if self.gaps and self.gaps[-1].follows(record):
            self.gaps[-1].last = record
        else:
            self.gaps.append(Gap(record, record))

    def told(self, gaps: list[tuple[Record, Record]]) -> None:
        """Somebody knows of these gaps, given as first and last record; what was lost since is still untold."""
        last_told = {id(first): last for first, last in gaps}
        for gap in self.gaps:
            last = last_told.get(id(gap.first))
            if last is not None and last is not gap.last:
                gap.first = last
        self.gaps = [gap for gap in self.gaps if last_told.get(id(gap.first)) is not gap.last]

    def take(self, limit: int) -> list[Record]:
        """The next records to send, at most `limit`; from now on they count as sent."""
        taken = list(islice(self._ring, self._sent, self._sent + limit))
        self._sent += len(taken)
        return taken

    def forget_sent(self) -> None:
        """Everything must be sent again: the connection was lost, or no acknowledgement came."""
        self._sent = 0

    def free(self, boot: str, seq: int) -> int:
        """Free what the gateway has stored: records of `boot` up to and including `seq`. Returns how many."""
        before = len(self._ring)
        if self._ring and self._ring[0].boot == boot:
            while self._ring and self._ring[0].boot == boot and self._ring[0].seq <= seq:
                self._ring.popleft()
            freed = before - len(self._ring)
            self._sent = max(0, self._sent - freed)
            return freed
        # Records of an earlier start stand in front: those of this one lie further back.
        places = [place for place, record in enumerate(self._ring) if record.boot != boot or record.seq > seq]
        self._sent = sum(place < self._sent for place in places)
        self._ring = deque(self._ring[place] for place in places)
        return before - len(places)
