"""What each stage of a record's way costs, one after the other in one process (µs of CPU for each record)."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gateway.domain.watch import Watch
from gateway.ingest.delivery import Delivery
from gateway.ingest.doors import SiteDoors
from gateway.ingest.intake import Intake
from gateway.ingest.mqtt.codec import Parser
from gateway.store.chain import digest
from gateway.store.port import Commit
from gateway.store.sqlite import SqliteStore

from .judging import BEGIN
from .load import _length
from .sites import bench_plan, scan_record

_CONNECT = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02s0"


class _NoLink:
    speaks_for = None

    def acknowledge(self, packet_ids: object) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def _cost(work: Callable[[], object], records: int) -> float:
    begun = time.process_time_ns()
    work()
    return (time.process_time_ns() - begun) / records / 1000


def stages(records: int = 20_000) -> dict[str, float]:
    """µs for each record by stage, in batches of 1,000."""
    rounds = 100
    topic = "patrol/v1/site/s0/up"
    head = len(topic).to_bytes(2, "big") + topic.encode()
    payloads = [
        scan_record("b", n + 1, n % rounds, n // rounds % 9, n, "2026-11-23T22:00:00.000+08:00")
        for n in range(records)
    ]
    frames = []
    for n, payload in enumerate(payloads):
        body = head + (n % 65535 + 1).to_bytes(2, "big") + payload
        frames.append(b"\x32" + _length(len(body)) + body)
    found: dict[str, float] = {}
    stream = b"".join(frames)
    parser = Parser(from_client=True)
    parser.feed(_CONNECT)
    found["parse MQTT"] = _cost(
        lambda: [parser.feed(stream[n : n + 65_536]) for n in range(0, len(stream), 65_536)], records
    )
    watch = Watch([bench_plan("site", rounds, 1, BEGIN)])
    watch.step(BEGIN)
    doors = SiteDoors(watch.plans, watch.hearing)
    intake = Intake(lambda site: doors)
    link = _NoLink()
    deliveries = [
        Delivery(topic, payload, BEGIN + 60_000 + n * 3, False, n % 65535 + 1, link)
        for n, payload in enumerate(payloads)
    ]
    batches = [deliveries[n : n + 1000] for n in range(0, records, 1000)]
    taken = []
    found["decode, correct, de-duplicate"] = _cost(
        lambda: taken.extend(intake.take(batch, Commit(BEGIN)) for batch in batches), records
    )

    def judge() -> None:
        for each in taken:
            facts = each.facts["site"]
            watch.step(facts[-1].received_at, facts)

    found["judge"] = _cost(judge, records)
    found["digest"] = _cost(
        lambda: [digest(b"facts", tuple(row)) for each in taken for row in each.commit.facts], records
    )

    async def store() -> None:
        with tempfile.TemporaryDirectory() as name:
            database = await SqliteStore.open(Path(name) / "stages.sqlite")
            for each in taken:
                await database.commit(each.commit)
            await database.close()

    found["store (digest included)"] = _cost(lambda: asyncio.run(store()), records)
    return found
