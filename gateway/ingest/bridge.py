"""A bridge plays a device: it makes native records (docs/wire.md) of what a reader of another maker says.

Such a reader has no memory, no clock and no numbers of its own. What it says is known here as soon as it is said, so
the bridge can speak for it as a native device speaks for itself: it numbers the records, tells when the device comes
and goes, and says in heartbeats that nothing is held back. Everything behind it, from de-duplication to proof of
having heard everything, is the same as for a native device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import msgspec

from gateway.clock import Clock
from gateway.ingest.delivery import Delivery, Receiver
from gateway.ingest.devices.reading import MAX_KEPT, Noise
from gateway.instants import rfc3339

BEAT_S: Final = 60
"""How often a device that is there must say so (s), as the contract asks of native ones."""

_encode: Final = msgspec.json.Encoder().encode


class Bridge:
    """One device of the plan that does not speak for itself. `protocol` is kept with each record."""

    def __init__(self, site: str, device: str, protocol: str, receive: Receiver, clock: Clock) -> None:
        self.site, self.device, self.protocol = site, device, protocol
        self._receive = receive
        self._clock = clock
        self._boot = uuid4().hex
        self._began = clock.elapsed()
        self._seq = 0
        self._online: bool | None = None

    def report(self, members: Mapping[str, Any], frame: bytes = b"") -> str:
        """A record of what happened now, or at the members' own `at`. Returns its `device/boot/seq`.

        A device that tells its own time gives `at`, and `sent_at` where it is known what its clock shows now.
        `frame`: the bytes that said so, kept with the record as evidence.
        """
        now, mono = self._clock.now(), self._mono()
        self._seq += 1
        record: dict[str, Any] = {"boot": self._boot, "seq": self._seq, "via": self.protocol}
        record |= {"sent_at": rfc3339(now), "sent_mono": mono}
        if "at" not in members:
            record |= {"at": rfc3339(now), "mono": mono, "clock": "synced"}
        if frame:
            record["frame"] = frame[:MAX_KEPT].hex()
        self._deliver("up", _encode(record | dict(members)), now)
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
        """A device without a memory has nothing to free."""

    def pause(self) -> None:
        """What a line says cannot be put off."""

    def resume(self) -> None:
        """See `pause`."""

    def _mono(self) -> int:
        """Ms since this bridge was made, never set."""
        return round((self._clock.elapsed() - self._began) * 1000 * self._clock.speed)

    def _deliver(self, what: str, payload: bytes, now: int) -> None:
        topic = f"patrol/v1/{self.site}/{self.device}/{what}"
        self._receive([Delivery(topic, payload, now, what == "state", 0, self)])
