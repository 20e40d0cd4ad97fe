"""Doors: where each device's records come in, and what is known there of the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.facts import AnyFact, RadioCall, Scan, Signature, Status
from gateway.domain.hearing import DeviceHearing, Hearing
from gateway.domain.plan import Plan
from gateway.ingest.records import RefusedError


@dataclass(slots=True)
class Health:
    """What a device last said of itself. Durations and instants in ms."""

    online: bool | None = None
    battery: int | None = None
    buffered: int | None = None
    clock_error: int | None = None
    firmware: str | None = None
    at: int = 0  # when the record was received that this comes from

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
            self.firmware = fact.firmware or self.firmware


class Door:
    """Where one device's records come in."""

    __slots__ = ("boot", "device", "health", "hearing", "name", "of")

    def __init__(self, of: SiteDoors, device: str, hearing: DeviceHearing) -> None:
        self.of = of
        self.device = device
        self.name = f"{of.site}/{device}"
        self.hearing = hearing
        self.health = Health()
        self.boot: str | None = None  # the boot that was first heard of last: the one that is running

    def note(self, boot: str, seq: int) -> bool:
        """Note a record as stored; False when it was there already."""
        if boot not in self.hearing.boots:
            self.boot = boot
        return self.hearing.add(boot, seq)


class SiteDoors:
    """All doors of one site, and what a record must name to come in."""

    def __init__(self, plans: Sequence[Plan], hearing: Hearing) -> None:
        self.site = plans[-1].site
        self.tags = {tag for plan in plans for tag in plan.checkpoint_by_tag}
        self.posts = {post for plan in plans for post in plan.post_by_id}
        self._plans = tuple(plans)
        self.by_device = {
            device.id: Door(self, device.id, hearing.device(device.id))
            for plan in plans
            for device in plan.devices
        }

    def check(self, fact: AnyFact) -> None:
        """Raises `RefusedError` for a fact that names what no version of the plan has."""
        post: str | None = None
        if isinstance(fact, Scan):
            if fact.tag not in self.tags:
                raise RefusedError("unknown_tag", f"tag {fact.tag} is not enrolled at site {self.site!r}")
        elif isinstance(fact, RadioCall):
            post = fact.post
        elif isinstance(fact, Signature):
            post = fact.post
            if not any(plan.person(fact.by) for plan in self._plans):
                raise RefusedError("unknown_person", f"site {self.site!r} has no person {fact.by!r}")
        if post is not None and post not in self.posts:
            raise RefusedError("unknown_post", f"site {self.site!r} has no post {post!r}")

    def adopt(self, other: SiteDoors) -> None:
        """Take over what another set of doors of this site knows: of stored records, and of the devices."""
        for device, theirs in other.by_device.items():
            if mine := self.by_device.get(device):
                mine.hearing.boots = theirs.hearing.boots
                mine.boot = theirs.boot
                mine.health = theirs.health
