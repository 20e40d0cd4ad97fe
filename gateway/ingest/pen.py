"""The pen: what a person signs at the desk becomes a record like a device's, and is stored like one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from uuid import uuid4

import msgspec

from gateway.domain.facts import Signature
from gateway.ingest.doors import SiteDoors
from gateway.ingest.records import SignatureRecord, decode, make_fact
from gateway.instants import rfc3339
from gateway.store.port import FactRow

DESK: Final = "@desk"
"""The device of what is signed at the gateway itself. No device of a plan can have this id."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Pen:
    """Numbers the signatures of one run of the gateway."""

    boot: str = field(default_factory=lambda: uuid4().hex)
    seqs: count[int] = field(default_factory=lambda: count(1))

    def sign(self, doors: SiteDoors, members: Mapping[str, Any], now: int) -> tuple[FactRow, Signature]:
        """A signature given now (ms). `members` are those of the wire's record; raises `RefusedError`."""
        given = {name: value for name, value in members.items() if value is not None}
        common = {"type": "signature", "boot": self.boot, "seq": next(self.seqs), "at": rfc3339(now)}
        body = _encode(given | common | {"clock": "synced"})
        record = decode(body)
        assert isinstance(record, SignatureRecord)
        fact = make_fact(record, DESK, now, now, 0, None)
        assert isinstance(fact, Signature)
        doors.check(fact)
        return FactRow(doors.site, DESK, fact.boot, fact.seq, "signature", now, now, 0, None, body), fact
