"""Doors: where each device's records come in, and what is known there of the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.facts import AnyFact, RadioCall, Scan, Signature, Status, mark_of
from gateway.domain.hearing import DeviceHearing, Hearing
from gateway.domain.plan import Device, Plan
from gateway.ingest.clock_health import ClockHealth, Reading
from gateway.ingest.event_time import DRIFT, TRANSIT_MS, BootClock, Known
from gateway.ingest.records import Record, RefusedError
from gateway.ingest.serial.health import LineHealth


@dataclass(slots=True)
class Health:
    """What a device last said of itself. Durations and instants in ms."""

    online: bool | None = None
    battery: int | None = None
    buffered: int | None = None
    clock_error: int | None = None
    buffer_warning: bool = False
    firmware: str | None = None
    clock: ClockHealth = field(default_factory=ClockHealth)
    at: int = 0  # when the record was received that this comes from
    line: LineHealth | None = None  # of a device that this machine reads itself

    def take(self, fact: AnyFact) -> None:
        """Note what a record says of its device."""
        if fact.received_at < self.at:
            return
        self.at = fact.received_at
        if fact.clock_error is not None:
            self.clock_error = fact.clock_error
        if isinstance(fact, Status):
            self.battery = fact.battery if fact.battery is not None else self.battery
            self.buffered = fact.buffered
            self.buffer_warning = fact.buffer_warning
            self.firmware = fact.firmware or self.firmware


class Door:
    """Where one device's records come in."""

    __slots__ = ("boot", "clocks", "device", "health", "hearing", "name", "of")

    def __init__(self, of: SiteDoors, device: str, hearing: DeviceHearing) -> None:
        self.of = of
        self.device = device
        self.name = f"{of.site}/{device}"
        self.hearing = hearing
        self.health = Health()
        self.boot: str | None = None  # the boot that was first heard of last: the one that is running
        self.clocks: dict[str, BootClock] = {}  # by boot: those of which a message came in while they ran

    def note(self, boot: str, seq: int) -> bool:
        """Note a record as stored; False when it was there already."""
        if boot not in self.hearing.boots:
            self.boot = boot
        return self.hearing.add(boot, seq)

    def hear_clock(self, boot: str, received_at: int, sent_mono: int, error: int | None) -> None:
        """A message came in that the boot sent whose monotonic clock showed `sent_mono`. All in ms."""
        clock = self.clocks.get(boot)
        if clock is None:
            self.clocks[boot] = BootClock(sent_mono, received_at - sent_mono, error, received_at)
        else:
            clock.hear(received_at, sent_mono, error)
        if error is not None:
            self.health.clock.read(Reading(boot, received_at, received_at + error, sent_mono))

    def recall(self, record: Record, fact: AnyFact) -> None:
        """Learn from a stored record what was known when it came in."""
        self.health.take(fact)
        if record.sent_mono is None or record.mono is None:
            return
        # Only of a record that was sent in its own boot does the monotonic clock tell the age.
        sent_by_itself = fact.occurred_at == fact.received_at - (record.sent_mono - record.mono)
        if sent_by_itself and (isinstance(fact, Status) or fact.boot not in self.clocks):
            self.hear_clock(fact.boot, fact.received_at, record.sent_mono, fact.clock_error)

    def known_of(self, boot: str, sender: str | None, received_at: int, sent_mono: int | None) -> Known:
        """What is known that helps to date a record of `boot` in a message that `sender` sent."""
        hearing = self.hearing
        after = hearing.heard_until if hearing.heard_until > 0 and hearing.heard_boot != sender else None
        others = [clock for name, clock in self.clocks.items() if name != sender]
        own = self.clocks.get(boot)
        errors = [clock.error for clock in sorted(others, key=lambda clock: clock.heard_at)]
        error = next((error for error in reversed(errors) if error is not None), None)
        if own is not None and own.error is not None:
            error = own.error
        if own is not None and boot == sender and own.mono == sent_mono:
            own = None  # this very message, whose clock cannot be compared with the record's
        known = Known(own, after, error=error)
        if sent_mono is not None and boot != sender:
            start = received_at - sent_mono
            last = max(
                [clock.heard_at for clock in others] + ([after] if after is not None else []), default=None
            )
            if last is None or last <= start + int(sent_mono * DRIFT) + TRANSIT_MS:
                known.before, known.counts_from_start = start, last is not None
        return known


class SiteDoors:
    """All doors of one site, and what a record must name to come in."""

    def __init__(self, plans: Sequence[Plan], hearing: Hearing) -> None:
        self.site = plans[-1].site
        self.tags = {tag for plan in plans for tag in plan.checkpoint_by_tag}
        self.posts = {post for plan in plans for post in plan.post_by_id}
        self._plans = tuple(plans)
        self._marks = {mark_of(each.id) for plan in plans for each in plan.devices if each.checkpoint}
        self.by_device = {
            device.id: Door(self, device.id, hearing.device(device.id))
            for plan in plans
            for device in plan.devices
        }

    def check(self, fact: AnyFact) -> None:
        """Raises `RefusedError` for a fact that names what no version of the plan has."""
        post: str | None = None
        if isinstance(fact, Scan):
            self._check_scan(fact)
        elif isinstance(fact, RadioCall):
            post = fact.post
        elif isinstance(fact, Signature):
            post = fact.post
            if not any(plan.person(fact.by) for plan in self._plans):
                raise RefusedError("unknown_person", f"site {self.site!r} has no person {fact.by!r}")
        if post is not None and post not in self.posts:
            raise RefusedError("unknown_post", f"site {self.site!r} has no post {post!r}")

    def _check_scan(self, scan: Scan) -> None:
        if scan.is_carried:
            # A QR code that reads like the mark of a fixed reader is none.
            if scan.tag not in self.tags or scan.tag in self._marks:
                if scan.tap is not None:
                    what = f"tag {scan.tag} is genuine, but not enrolled at site {self.site!r}"
                    raise RefusedError("sun_unknown_tag", what)
                raise RefusedError("unknown_tag", f"tag {scan.tag} is not enrolled at site {self.site!r}")
        elif scan.tag not in self.tags:
            wrong = (
                f"a scan needs tag, sun or qr: {scan.device} is fixed at no checkpoint of site {self.site!r}"
            )
            raise RefusedError("missing_tag", wrong)
        elif not any(plan.person(scan.guard) for plan in self._plans):
            raise RefusedError("unknown_card", f"card {scan.guard} is nobody's at site {self.site!r}")

    def planned(self, device: str) -> Device | None:
        """A device as the newest plan that has it describes it."""
        found = (plan.device_by_id.get(device) for plan in reversed(self._plans))
        return next((each for each in found if each is not None), None)

    def adopt(self, other: SiteDoors) -> None:
        """Take over what another set of doors of this site knows: of stored records, and of the devices."""
        for device, theirs in other.by_device.items():
            if mine := self.by_device.get(device):
                mine.hearing.boots = theirs.hearing.boots
                mine.boot = theirs.boot
                mine.clocks = theirs.clocks
                mine.health = theirs.health
