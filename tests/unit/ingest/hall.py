"""A small site, its doors, and a hand that writes its devices' records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.domain.facts import AnyFact
from gateway.domain.hearing import Hearing
from gateway.ingest.delivery import Delivery
from gateway.ingest.doors import Door, SiteDoors
from gateway.ingest.intake import Intake, Taken
from gateway.ingest.tag_keys import KeyRing
from gateway.instants import parse_instant, rfc3339
from gateway.sitefile import parse
from gateway.store.port import Commit

HALL = """\
site: hall
name: 大厅
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
people:
  - {id: li, name: 李强, role: guard, card: "04A1B2C3D4E5F6"}
posts:
  - {id: desk, name: 前台, kind: desk}
checkpoints:
  - {id: pump-room, name: 消防泵房, tags: ["04DE5F1EACC040"]}
  - {id: exit, name: 出口, qr: ["https://tag.example/exit"]}
devices:
  - {id: scanner-1, kind: scanner, posts: [desk]}
  - {id: scanner-2, kind: scanner, posts: [desk]}
  - {id: console-1, kind: console}
  - {id: gate-1, kind: gate}
routes:
  - {id: tour, name: 巡查, order: free, checkpoints: [pump-room, exit]}
duties:
  - {id: hourly, kind: round, route: tour, every: 60min}
"""

NOW = parse_instant("2026-11-23T22:00:00+08:00")
TAG = "04DE5F1EACC040"
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


def record(seq: int = 1, type: str = "scan", **members: Any) -> dict[str, Any]:
    """A right record; a member that is given as None is left out."""
    of_type: dict[str, dict[str, Any]] = {
        "scan": {"tag": TAG},
        "radio": {"post": "desk", "outcome": "answered"},
        "signature": {"form": "check", "by": "li"},
        "gate": {"event": "opened"},
        "report": {"category": "light", "text": "灯坏了"},
        "status": {"buffered": 0, "high_seq": seq},
    }
    own = of_type.get(type, {})
    made = {"type": type, "boot": "b1", "seq": seq, "at": rfc3339(NOW)} | own | members
    return {name: value for name, value in made.items() if value is not None}


def raw(*records: dict[str, Any], **members: Any) -> bytes:
    """One record, or an array of several, as bytes."""
    if len(records) == 1:
        return json.dumps(records[0] | members, ensure_ascii=False).encode()
    return json.dumps(list(records), ensure_ascii=False).encode()


class Wire:
    """A connection; `speaks_for` as a transport that knows its devices would say."""

    def __init__(self, speaks_for: str | None = None) -> None:
        self.speaks_for = speaks_for

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Nothing to do here."""

    def pause(self) -> None:
        """Nothing to do here."""

    def resume(self) -> None:
        """Nothing to do here."""


class Hall:
    """The intake of the site."""

    def __init__(self, *sitefiles: str, tag_keys: KeyRing | None = None) -> None:
        self.hearing = Hearing()
        self.doors = SiteDoors([parse(text, "hall.yaml") for text in sitefiles or (HALL,)], self.hearing)
        self.intake = Intake({"hall": self.doors}.get, tag_keys)

    def door(self, device: str = "scanner-1") -> Door:
        return self.doors.by_device[device]

    def take(
        self,
        *payloads: bytes,
        topic: str = "patrol/v1/hall/scanner-1/up",
        received_at: int = NOW,
        speaks_for: str | None = None,
    ) -> Taken:
        """Hand these in, all in one read."""
        link = Wire(speaks_for)
        deliveries = [Delivery(topic, payload, received_at, False, 1, link) for payload in payloads]
        return self.intake.take(deliveries, Commit(received_at))

    def fact(self, payload: bytes, **how: Any) -> AnyFact:
        """The one fact that a message became."""
        taken = self.take(payload, **how)
        assert [row.reason for row in taken.commit.refused] == []
        (fact,) = taken.facts["hall"]
        return fact

    def reasons(self, *payloads: bytes, **how: Any) -> list[str]:
        """Why messages were refused."""
        return [row.reason for row in self.take(*payloads, **how).commit.refused]
