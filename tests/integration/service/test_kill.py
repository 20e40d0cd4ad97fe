"""`kill -9` at any instant loses nothing and doubles nothing (law 3); a proper end is a proper end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.instants import parse_instant, rfc3339
from tests.integration.service.process import Gateway
from tests.integration.service.yard import SHED, WELL, YARD, encode, record, stored, until
from tests.postgres import PostgresServer

BUSY = YARD[: YARD.index("duties:")].replace(
    "routes:\n",
    "routes:\n  - {id: shed-only, name: 工具房, order: free, checkpoints: [shed]}\n"
    "  - {id: well-only, name: 水井, order: free, checkpoints: [well]}\n",
) + (
    "duties:\n"
    "  - {id: never, kind: round, route: well-only, every: 2s}\n"
    "  - {id: often, kind: round, route: shed-only, every: 1s}\n"
    "  - {id: radio, kind: radio_check, posts: all, every: 3s}\n"
)
"""The yard, where deadlines pass all the time."""

WINDOW = 60
"""How many records a device has under way at the most."""


class Busy:
    """A device that publishes at QoS 1 as fast as it is acknowledged, and comes back whenever it is cut off."""

    def __init__(self, port: int, name: str, random: Random) -> None:
        self.name = name
        self.sent: list[int] = []  # the packet identifier of each record, by its number less 1
        self.pubacks: set[int] = set()
        self._random = random
        self._open = True
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"yard/{name}", clean_session=False, protocol=paho.MQTTv311
        )
        self._client.on_publish = lambda client, userdata, mid, *_: self.pubacks.add(mid)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # s
        self._client.connect_async("127.0.0.1", port, keepalive=30)
        self._client.loop_start()
        self._task = asyncio.create_task(self._publish())

    @property
    def acknowledged(self) -> list[int]:
        """The numbers of the records that a PUBACK came for."""
        pubacks = self.pubacks.copy()
        return [seq for seq, mid in enumerate(self.sent, 1) if mid in pubacks]

    async def _publish(self) -> None:
        while self._open:
            if len(self.sent) - len(self.pubacks) >= WINDOW:
                await asyncio.sleep(0.002)
                continue
            seq = len(self.sent) + 1
            info = self._client.publish(f"patrol/v1/yard/{self.name}/up", self._next(seq), qos=1)
            self.sent.append(info.mid)
            if seq % 5 == 0:
                await asyncio.sleep(0.005)

    def _next(self, seq: int) -> bytes:
        now = SYSTEM_CLOCK.now()
        clocks: dict[str, Any] = {"mono": now % 10**9, "sent_mono": now % 10**9, "sent_at": rfc3339(now)}
        if self.name == "gate-1":
            event = ("forced", "closed", "vehicle_in", "vehicle_out")[seq % 4]
            return encode(record(seq, "gate", at=now, event=event, **clocks))
        if self.name == "console-1":
            outcome = self._random.choice(["answered", "no_answer"])
            return encode(record(seq, "radio", at=now, outcome=outcome, **clocks))
        if seq % 50 == 0:
            return encode(record(seq, at=now, tag="04FFFFFFFFFFFF", **clocks))
        kind = "report" if seq % 3 else "status"
        if seq % 400 == 1:
            kind = "scan"
        return encode(record(seq, kind, at=now, **clocks))

    async def end(self) -> None:
        """Send nothing more, and wait until everything is acknowledged."""
        self._open = False
        await self._task
        await until(lambda: len(self.pubacks) == len(self.sent))

    def close(self) -> None:
        self._open = False
        self._task.cancel()
        self._client.disconnect()
        self._client.loop_stop()


DEVICES = ("scanner-1", "scanner-2", "scanner-3", "gate-1", "console-1")


@contextlib.asynccontextmanager
async def load(gateway: Gateway, random: Random) -> AsyncIterator[list[Busy]]:
    devices = [Busy(gateway.mqtt, name, random) for name in DEVICES]
    try:
        yield devices
    finally:
        for device in devices:
            device.close()
        if gateway.process is not None and gateway.process.returncode is None:
            await gateway.kill()


def total(devices: list[Busy]) -> int:
    return sum(len(device.pubacks) for device in devices)


async def more(devices: list[Busy], count: int) -> None:
    """Wait until so many more records have been acknowledged."""
    wanted = total(devices) + count
    await until(lambda: total(devices) >= wanted)


async def change(gateway: Gateway, query: str) -> None:
    """Wait until the database answers differently."""
    before = stored(gateway.database, query)
    await until(lambda: stored(gateway.database, query) != before)


def check_records(gateway: Gateway, devices: list[Busy]) -> None:
    """Every acknowledged record is kept exactly once, as a fact or in the quarantine."""
    rows = stored(gateway.database, "SELECT device, seq FROM facts")
    rows += stored(gateway.database, "SELECT device, seq FROM quarantine")
    kept = Counter(rows)
    assert [row for row, count in kept.items() if count > 1] == []
    for device in devices:
        lost = [seq for seq in device.acknowledged if (device.name, seq) not in kept]
        assert lost == []


def check_alerts(gateway: Gateway) -> None:
    """No alert is doubled, and none is missing."""
    alerts = [json.loads(body) for (body,) in stored(gateway.database, "SELECT body FROM alerts")]
    ids = [alert["id"] for alert in alerts]
    assert len(ids) == len(set(ids))
    live = [
        (alert["kind"], alert["subject"]) for alert in alerts if alert["state"] in ("open", "acknowledged")
    ]
    assert len(live) == len(set(live))
    about = Counter((alert["kind"], each) for alert in alerts for each in alert["occurrences"])
    assert [each for each, count in about.items() if count > 1] == []
    # Whatever was forced is told by one alert, whenever the power failed.
    told = Counter(fact for alert in alerts if alert["kind"] == "gate_forced" for fact in alert["facts"])
    forced = stored(gateway.database, "SELECT boot, seq FROM facts WHERE body LIKE '%\"forced\"%'")
    assert set(told.values()) <= {1}
    assert [f"gate-1/{boot}/{seq}" for boot, seq in forced if f"gate-1/{boot}/{seq}" not in told] == []
    # What is unproved is in an alert, and no occurrence was judged twice at once.
    bad = stored(
        gateway.database,
        "SELECT occurrence, kind FROM occurrences WHERE verdict IN ('missed', 'unverified', 'incomplete')",
    )
    unproved = {occurrence for occurrence, _ in bad}
    assert unproved <= {each for alert in alerts for each in alert["occurrences"]}
    # Each change of an alert goes on from the one before it.
    histories: dict[str, list[Any]] = {}
    for id_, body in stored(gateway.database, "SELECT alert, body FROM alert_changes ORDER BY id"):
        history = json.loads(body)["history"]
        before = histories.get(id_, [])
        assert history[: len(before)] == before, id_
        histories[id_] = history


@pytest.fixture(params=["sqlite", "postgres"])
def postgres_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a database with all tables, or None: the tests run over both kinds of store."""
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.new_database())


@pytest.mark.timeout(180)
async def test_killed_ten_times_under_load_it_has_lost_nothing_and_doubled_nothing(
    tmp_path: Path, postgres_url: str | None
) -> None:
    random = Random(20261123)
    gateway = Gateway(tmp_path, BUSY, postgres_url, PATROL_LOG_LEVEL="warning")
    await gateway.start()
    async with load(gateway, random) as devices:
        for number in range(10):
            await more(devices, random.randrange(1, 400))
            if number % 3 == 2:
                await change(gateway, "SELECT count(*) FROM verdicts")  # and die in the middle of telling it
            await gateway.kill()
            check_records(gateway, devices)
            await gateway.start()
        await change(gateway, "SELECT count(*) FROM alert_changes WHERE kind = 'round_missed'")
        await asyncio.gather(*(device.end() for device in devices))
        assert await gateway.stop() == 0
        check_records(gateway, devices)
        check_alerts(gateway)
        verified = await gateway.verify()
        assert (verified.code, "the chain holds" in verified.out) == (0, True), verified
        sent = sum(len(device.sent) for device in devices)
        assert (
            stored(gateway.database, "SELECT count(*) FROM facts")[0][0]
            + stored(gateway.database, "SELECT count(*) FROM quarantine")[0][0]
            == sent
        )
    assert "Traceback" not in gateway.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_under_load_it_ends_well_and_loses_nothing(
    tmp_path: Path, how: signal.Signals, postgres_url: str | None
) -> None:
    random = Random(5)
    gateway = Gateway(tmp_path, BUSY, postgres_url, PATROL_LOG_LEVEL="warning")
    await gateway.start()
    async with load(gateway, random) as devices:
        await more(devices, 300)
        assert await gateway.stop(how) == 0
        check_records(gateway, devices)
        check_alerts(gateway)
        assert (await gateway.verify()).code == 0
        await gateway.start()
        await asyncio.gather(*(device.end() for device in devices))
        check_records(gateway, devices)
        assert await gateway.stop(how) == 0
        check_alerts(gateway)
    assert gateway.log.read_text() == ""


async def test_deadlines_that_passed_while_it_was_down_are_judged_after_the_backlog_and_at_their_times(
    tmp_path: Path,
) -> None:
    """Half an hour passes in a second. The guard walks at 0:10, the power fails, and he walks again at 0:50."""
    minute = 60_000
    begin = parse_instant("2026-11-23T12:00:00+08:00")
    clock = Clock(begin, SYSTEM_CLOCK.now(), 1800.0)
    gateway = Gateway(tmp_path, YARD, PATROL_CLOCK=str(clock))
    await gateway.start()
    held_from = stored(gateway.database, "SELECT holds_from FROM plans")[0][0]

    def scans(seq: int, at: int) -> bytes:
        members: dict[str, Any] = {"mono": at - begin, "sent_mono": clock.now() - begin}
        return encode(*(record(seq + n, at=at, tag=tag, **members) for n, tag in enumerate((SHED, WELL))))

    async def send(payload: bytes) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="yard/scanner-1")
        client.connect("127.0.0.1", gateway.mqtt)
        client.loop_start()
        info = client.publish("patrol/v1/yard/scanner-1/up", payload, qos=1)
        await asyncio.to_thread(info.wait_for_publish, 10)
        client.disconnect()
        client.loop_stop()

    try:
        first = clock.now()
        await send(scans(1, first))
        await gateway.kill()
        second = first + 40 * minute
        await until(lambda: clock.now() > first + 75 * minute)  # the deadline has passed
        await gateway.start()
        await send(scans(3, second))
        late = "SELECT count(*) FROM verdicts WHERE track = 'hourly' AND verdict = 'unverified'"
        await until(lambda: stored(gateway.database, late) != [(0,)])
        rounds = {
            opens: (verdict, due)
            for opens, verdict, due in stored(
                gateway.database, "SELECT opens_at, verdict, due_at FROM occurrences WHERE track = 'hourly'"
            )
        }
        hour = 60 * minute
        assert rounds[held_from][0] == "on_time"
        opens = sorted(rounds)
        assert [rounds[each][0] for each in opens[:2]] == ["on_time", "on_time"]
        assert (
            second <= opens[2] < second + 15 * minute
        )  # on its way for some milliseconds, which are some seconds
        assert rounds[opens[2]] == ("unverified", opens[2] + hour)
        alerts = await gateway.get("/alerts?site=yard")
        missed = [alert for alert in alerts if alert["kind"] == "round_missed"]
        assert [parse_instant(alert["deadline"]) for alert in missed] == [opens[2] + hour]
        # Nobody was accused of what he had done, not even for a moment.
        about = {each for alert in missed for each in alert["occurrences"]}
        assert not {f"hourly@{opens[0]}", f"hourly@{opens[1]}"} & about
    finally:
        await gateway.kill()
