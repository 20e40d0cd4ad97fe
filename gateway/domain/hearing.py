"""Hearing: what has been stored of each device, and until when it had nothing more to say.

One structure serves the de-duplication at the door and the proof of law 4: a device has shown that it has
nothing more to say up to `sent_at` by a status with `buffered` 0, once every record of that boot up to its
`high_seq` is stored. Stored means kept for good, as a fact or in the quarantine.
"""

from __future__ import annotations

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Status


class Received:
    """Which sequence numbers of one boot are stored: a high-water mark, and what lies above a gap."""

    __slots__ = ("_above", "high")

    def __init__(self) -> None:
        self.high = 0
        """Every number up to and including this one is stored."""
        self._above: set[int] | None = None

    def add(self, seq: int) -> bool:
        """Note a number; False when it was there already."""
        high = self.high
        if seq == high + 1:
            high = seq
            above = self._above
            if above is not None:
                while high + 1 in above:
                    high += 1
                    above.discard(high)
                if not above:
                    self._above = None
            self.high = high
            return True
        if seq <= high:
            return False
        if self._above is None:
            self._above = {seq}
            return True
        if seq in self._above:
            return False
        self._above.add(seq)
        return True

    def has(self, seq: int) -> bool:
        """Whether a number is stored."""
        return 0 < seq <= self.high or (self._above is not None and seq in self._above)

    @property
    def beyond_gap(self) -> int:
        """How many are stored above the first gap."""
        return len(self._above) if self._above is not None else 0


class DeviceHearing:
    """One device: its boots, and until when it is known to have nothing more to say."""

    __slots__ = ("boots", "heard_at", "heard_boot", "heard_until", "pending")

    def __init__(self) -> None:
        self.boots: dict[str, Received] = {}
        self.pending: list[tuple[str, int, int]] = []  # boot, high_seq, sent_at: waiting for a gap to close
        self.heard_until = -FOREVER  # ms; nothing that happened up to here is still to come
        self.heard_boot: str | None = None  # the boot that proved it
        self.heard_at: int | None = None  # ms; when anything of it arrived last

    def add(self, boot: str, seq: int) -> bool:
        """Note a stored record; False when it was there already."""
        received = self.boots.get(boot)
        if received is None:
            received = self.boots[boot] = Received()
        return received.add(seq)

    def status(self, fact: Status) -> None:
        """Note the proof that a status offers."""
        if fact.buffered == 0 and fact.high_seq is not None and fact.sent_at > self.heard_until:
            self.pending.append((fact.boot, fact.high_seq, fact.sent_at))

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


class Hearing:
    """All devices of one site."""

    __slots__ = ("_devices",)

    def __init__(self) -> None:
        self._devices: dict[str, DeviceHearing] = {}

    def device(self, device: str) -> DeviceHearing:
        """The record of one device; an empty one for a device not heard so far."""
        found = self._devices.get(device)
        if found is None:
            found = self._devices[device] = DeviceHearing()
        return found

    def silent_at(self, devices: tuple[str, ...], due: int) -> list[str]:
        """Those of the devices that have not shown that they have nothing more to say up to `due`."""
        return [device for device in devices if self.device(device).heard_until <= due]
