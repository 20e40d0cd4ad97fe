"""A bridge plays a device: it makes native records (docs/wire.md) of what a reader of another maker says.

Such a reader has no memory, no clock and no numbers of its own. What it says is known here as soon as it is said, so
the bridge can speak for it as a native device speaks for itself: it numbers the records, tells when the device comes
and goes, and says in heartbeats that nothing is held back. Everything behind it, from de-duplication to proof of
having heard everything, is the same as for a native device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol
from uuid import uuid4

import msgspec

from gateway.clock import Clock
from gateway.domain.plan import Device
from gateway.ingest.commander import Commander
from gateway.ingest.delivery import Delivery, Receiver
from gateway.ingest.devices.reading import MAX_KEPT, Noise
from gateway.ingest.doors import Door, SiteDoors
from gateway.instants import rfc3339

BEAT_S: Final = 60
"""How often a device that is there must say so (s), as the contract asks of native ones."""

_encode: Final = msgspec.json.Encoder().encode

Told = Callable[[str | None], None]
"""Hears, once a record is stored, why it was refused; None when it is a fact."""


class Speaker(Protocol):
    """What makes the records of a device: a `Bridge`, or who speaks to one."""

    def report(self, members: Mapping[str, Any], frame: bytes = b"", told: Told | None = None) -> str:
        """See `Bridge`."""

    def beat(self, members: Mapping[str, Any] | None = None) -> None:
        """See `Bridge`."""

    def present(self, online: bool) -> None:
        """See `Bridge`."""

    def refuse(self, noise: Noise) -> None:
        """See `Bridge`."""


class Bridge:
    """One device of the plan that does not speak for itself. `protocol` is kept with each record.

    `is_fixed` says whether it is fixed at a checkpoint: then what it reads are the guards' cards.
    """

    def __init__(
        self,
        site: str,
        device: str,
        protocol: str,
        receive: Receiver,
        clock: Clock,
        is_fixed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.site, self.device, self.protocol = site, device, protocol
        self._receive = receive
        self._clock = clock
        self._boot = uuid4().hex
        self._began = clock.elapsed()
        self._seq = 0
        self._online: bool | None = None
        self._awaited: dict[int, tuple[Delivery, Told]] = {}  # by packet_id, which is the record's `seq`
        self._is_fixed = is_fixed
        self.may_speak = asyncio.Event()
        """Not set while more has come in than can be stored: whoever can wait reads nothing more of the device."""
        self.may_speak.set()

    def report(self, members: Mapping[str, Any], frame: bytes = b"", told: Told | None = None) -> str:
        """A record of what happened now, or at the members' own `at`. Returns its `device/boot/seq`.

        A device that tells its own time gives `at`, and `sent_at` where it is known what its clock shows now.
        `frame`: the bytes that said so, kept with the record as evidence.
        `told` is called once the record is stored: for whoever must tell the guard what became of the tap.
        """
        now, mono = self._clock.now(), self._mono()
        self._seq += 1
        record: dict[str, Any] = {"boot": self._boot, "seq": self._seq, "via": self.protocol}
        record |= {"sent_at": rfc3339(now), "sent_mono": mono}
        if "at" not in members:
            record |= {"at": rfc3339(now), "mono": mono, "clock": "synced"}
        if frame:
            record["frame"] = frame[:MAX_KEPT].hex()
        record |= members
        if record["type"] == "scan" and "guard" not in record and "tag" in record and self._is_fixed():
            record["guard"] = record.pop("tag")
        self._deliver("up", _encode(record), now, told)
        return f"{self.device}/{self._boot}/{self._seq}"

    def beat(self, members: Mapping[str, Any] | None = None) -> None:
        """A heartbeat, every `BEAT_S` while the device is there: nothing is held back. `members`: its battery …"""
        self.report({"type": "status", "buffered": 0, "high_seq": self._seq + 1, **(members or {})})

    def lost(self, since: int) -> None:
        """Nobody listened from `since` (ms) until now: what the device said is gone, like overwritten records."""
        self._seq += 1
        until = {"at": rfc3339(since), "until": rfc3339(self._clock.now())}
        self.beat({"lost": [{"boot": self._boot, "from": self._seq, "to": self._seq, **until}]})

    def present(self, online: bool) -> None:
        """The device is there, or is not."""
        if online is not self._online:
            self._online = online
            self._deliver("state", _encode({"online": online}), self._clock.now())

    def refuse(self, noise: Noise) -> None:
        """What the device said and nobody understands."""
        wrong = noise.reason, noise.detail
        topic = f"patrol/v1/{self.site}/{self.device}/up"
        self._receive([Delivery(topic, noise.data[:MAX_KEPT], self._clock.now(), False, 0, self, wrong)])

    @property
    def speaks_for(self) -> str | None:
        """It may publish for its device alone."""
        return f"{self.site}/{self.device}"

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """These are stored. A device without a memory has nothing to free, but somebody may wait for it."""
        for packet_id in packet_ids:
            delivery, told = self._awaited.pop(packet_id)
            told(delivery.refused)

    def pause(self) -> None:
        """Too much has come in."""
        self.may_speak.clear()

    def resume(self) -> None:
        """See `may_speak`."""
        self.may_speak.set()

    def _mono(self) -> int:
        """Ms since this bridge was made, never set."""
        return round((self._clock.elapsed() - self._began) * 1000 * self._clock.speed)

    def _deliver(self, what: str, payload: bytes, now: int, told: Told | None = None) -> None:
        topic = f"patrol/v1/{self.site}/{self.device}/{what}"
        delivery = Delivery(topic, payload, now, what == "state", 0, self)
        if told is not None:
            delivery.packet_id = self._seq
            self._awaited[self._seq] = delivery, told
        self._receive([delivery])


class Bridges:
    """Makes the bridges of a running gateway, and knows what the plans say of their devices."""

    def __init__(
        self,
        receive: Receiver,
        clock: Clock,
        doors: Callable[[str], SiteDoors | None],
        commanders: MutableMapping[tuple[str, str], Commander] | None = None,
        place: Callable[[str, str], str] = lambda site, device: "unknown",
    ) -> None:
        """`commanders`: who carries commands to which (site, device). `place`: where a barrier was known to be last."""
        self.clock = clock
        self.commanders = {} if commanders is None else commanders
        self.place = place
        self._receive = receive
        self._doors = doors

    def door(self, site: str, device: str) -> Door | None:
        """Where the device's records come in; None while no plan has it."""
        doors = self._doors(site)
        return None if doors is None else doors.by_device.get(device)

    def planned(self, site: str, device: str) -> Device | None:
        """The device as the newest plan that has it describes it."""
        doors = self._doors(site)
        return None if doors is None else doors.planned(device)

    def make(self, site: str, device: str, protocol: str) -> Bridge:
        """A bridge that plays this device, in a boot of its own."""

        def is_fixed() -> bool:
            planned = self.planned(site, device)
            return planned is not None and planned.checkpoint is not None

        return Bridge(site, device, protocol, self._receive, self.clock, is_fixed)
