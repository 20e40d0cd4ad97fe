"""Hearing: what has been stored of each device, until when it had nothing more to say, and what is gone for good.

One structure serves the de-duplication at the door and the proof of law 4: a device has shown that it has
nothing more to say up to `sent_at` by a status with `buffered` 0, once every record of that boot up to its
`high_seq` is stored. Stored means kept for good, as a fact or in the quarantine. A record that the device has lost
is not waited for either, but what it may have held is not known (docs/judging.md, part 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.blindness import Blindness
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Lost, Status


class Received:
    """Which sequence numbers of one boot are stored: a high-water mark, and what lies above a gap."""

    __slots__ = ("_above", "_lost", "high")

    def __init__(self) -> None:
        self.high = 0
        """Every number up to and including this one is stored or lost."""
        self._above: set[int] | None = None
        self._lost: list[tuple[int, int]] | None = None  # lost and not stored: ranges, ascending, apart

    def add(self, seq: int) -> bool:
        """Note a number; False when it was there already."""
        if seq == self.high + 1:
            self.high = seq
            if self._above is not None or self._lost is not None:
                self._advance()
            return True
        if seq <= self.high:
            return self._lost is not None and self._found(seq)
        if self._above is None:
            self._above = {seq}
        elif seq in self._above:
            return False
        else:
            self._above.add(seq)
        if self._lost is not None:
            self._found(seq)
        return True

    def fill(self, high: int) -> None:
        """Note that every number up to this one is stored."""
        self._lost = [(max(a, high + 1), b) for a, b in self._lost or () if b > high] or None
        self._above = {seq for seq in self._above or () if seq > high} or None
        self.high = max(self.high, high)
        self._advance()

    def lose(self, first: int, last: int) -> bool:
        """Note that what is not stored of these numbers will never come; False when that is nothing new."""
        first = max(first, self.high + 1)
        fresh = [(first, last)] if first <= last else []
        for seq in sorted(self._above or ()):
            fresh = list(_without(fresh, seq, seq))
        for a, b in self._lost or ():
            fresh = list(_without(fresh, a, b))
        if not fresh:
            return False
        self._lost = sorted([*(self._lost or ()), *fresh])
        self._advance()
        return True

    def has(self, seq: int) -> bool:
        """Whether a number is stored."""
        if seq > self.high:
            return self._above is not None and seq in self._above
        return seq > 0 and not self.lost(seq, seq)

    def lost(self, first: int, last: int) -> int:
        """How many of these numbers are lost."""
        return sum(max(0, min(b, last) - max(a, first) + 1) for a, b in self._lost or ())

    @property
    def beyond_gap(self) -> int:
        """How many are stored above the first gap."""
        return len(self._above) if self._above is not None else 0

    def _advance(self) -> None:
        """Move the mark over what is stored or lost right above it."""
        above = self._above or set()
        high = self.high
        while True:
            if high + 1 in above:
                high += 1
                above.discard(high)
                continue
            beyond = next((b for a, b in self._lost or () if a <= high + 1 <= b), None)
            if beyond is None:
                break
            high = beyond
        self.high = high
        self._above = above or None

    def _found(self, seq: int) -> bool:
        """A number came; whether it was thought lost."""
        lost = self._lost or []
        left = list(_without(lost, seq, seq))
        self._lost = left or None
        return left != lost


def _without(ranges: Iterable[tuple[int, int]], first: int, last: int) -> Iterable[tuple[int, int]]:
    for a, b in ranges:
        if a < first:
            yield a, min(b, first - 1)
        if b > last:
            yield max(a, last + 1), b


@dataclass(slots=True)
class Gap:
    """What some devices have lost of a span of time. Instants in ms."""

    devices: list[str]
    since: int | None  # None: that cannot be told
    until: int
    records: int


class DeviceHearing:
    """One device: its boots, and until when it is known to have nothing more to say."""

    __slots__ = ("boots", "heard_at", "heard_boot", "heard_until", "lost", "lost_changed", "pending")

    def __init__(self) -> None:
        self.boots: dict[str, Received] = {}
        self.pending: list[tuple[str, int, int]] = []  # boot, high_seq, sent_at: waiting for a gap to close
        self.lost: dict[tuple[str, int, int], Lost] = {}  # what it said that it lost, by boot and numbers
        self.lost_changed = False  # that, or what of it came in after all, since the reader looked
        self.heard_until = -FOREVER  # ms; nothing that happened up to here is still to come
        self.heard_boot: str | None = None  # the boot that proved it
        self.heard_at: int | None = None  # ms; when anything of it arrived last

    def arrived(self, at: int) -> None:
        """Something of it arrived at an instant (ms)."""
        if self.heard_at is None or at > self.heard_at:
            self.heard_at = at

    def add(self, boot: str, seq: int) -> bool:
        """Note a stored record; False when it was there already."""
        received = self.received(boot)
        if self.lost and received.lost(seq, seq):
            self.lost_changed = True
        return received.add(seq)

    def received(self, boot: str) -> Received:
        """What is stored of one boot."""
        found = self.boots.get(boot)
        if found is None:
            found = self.boots[boot] = Received()
        return found

    def status(self, fact: Status) -> None:
        """Note the proof that a status offers, and what it says that was lost."""
        if fact.lost:
            self.lose(fact.lost)
        if fact.buffered == 0 and fact.high_seq is not None and fact.sent_at > self.heard_until:
            self.pending.append((fact.boot, fact.high_seq, fact.sent_at))

    def lose(self, lost: Iterable[Lost]) -> None:
        """Note records that will never come."""
        for each in lost:
            key = each[:3]
            known = self.lost.get(key, each)
            # Told of once more: the widest span of time holds, in whatever order it is heard.
            widest = each._replace(start=min(each.start, known.start), end=max(each.end, known.end))
            if self.lost.get(key) != widest:
                self.lost[key] = widest
                self.received(each.boot).lose(each.first, each.last)
                self.lost_changed = True

    @property
    def lost_records(self) -> int:
        """How many records it has lost, as far as it said."""
        return sum(received.lost(1, FOREVER) for received in self.boots.values())

    def lost_between(self, start: int, end: int) -> list[Lost]:
        """What it lost that may have happened in `[start, end]`, but for what came in after all."""
        return [
            each
            for each in self.lost.values()
            if each.start <= end and start <= each.end and self.boots[each.boot].lost(each.first, each.last)
        ]

    def settle(self) -> bool:
        """Take up proofs whose records are all stored; True when `heard_until` moved."""
        if not self.pending:
            return False
        moved = False
        waiting = []
        for boot, high_seq, sent_at in self.pending:
            received = self.boots.get(boot)
            if sent_at <= self.heard_until:
                continue
            if received is not None and received.high >= high_seq:
                self.heard_until, self.heard_boot = sent_at, boot
                moved = True
            else:
                waiting.append((boot, high_seq, sent_at))
        # A proof that an already proved later instant covers is of no more use.
        self.pending = [proof for proof in waiting if proof[2] > self.heard_until]
        return moved

    def count_lost(self, spans: Iterable[Lost]) -> int:
        """How many records of these spans are lost, each counted once."""
        count, by_boot = 0, dict[str, int]()
        for each in sorted(spans):
            begin = max(each.first, by_boot.get(each.boot, 0) + 1)
            count += self.boots[each.boot].lost(begin, each.last)
            by_boot[each.boot] = max(each.last, by_boot.get(each.boot, 0))
        return count


class Hearing:
    """All devices of one site, and when the gateway itself could not hear them."""

    __slots__ = ("_devices", "blindness")

    def __init__(self) -> None:
        self._devices: dict[str, DeviceHearing] = {}
        self.blindness = Blindness()

    def device(self, device: str) -> DeviceHearing:
        """The record of one device; an empty one for a device not heard so far."""
        found = self._devices.get(device)
        if found is None:
            found = self._devices[device] = DeviceHearing()
        return found

    def silent_at(self, devices: tuple[str, ...], due: int) -> list[str]:
        """Those of the devices that have not shown that they have nothing more to say up to `due`."""
        return [device for device in devices if self.device(device).heard_until <= due]

    def lost_between(self, devices: tuple[str, ...], start: int, end: int) -> Gap | None:
        """What the devices have lost that may have happened in `[start, end]`; None when that is nothing."""
        found = {device: self.device(device).lost_between(start, end) for device in devices}
        lost = [each for spans in found.values() for each in spans]
        if not lost:
            return None
        records = sum(self.device(device).count_lost(spans) for device, spans in found.items())
        return Gap(
            [device for device, spans in found.items() if spans],
            max(0, min(each.start for each in lost)) or None,
            max(each.end for each in lost),
            records,
        )
