"""The engine with a real store: acknowledgement after the commit, the start, and what people ask of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import engine as engine_module
from gateway.acts import Acts
from gateway.clock import ClockWatch
from gateway.desk import Desk
from gateway.domain.alerts import WrongStateError
from gateway.domain.hearing import Hearing
from gateway.engine import BATCH, FULL, Engine
from gateway.ingest.delivery import Delivery
from gateway.ingest.doors import SiteDoors
from gateway.ingest.pen import Pen
from gateway.ingest.records import decode, to_fact
from gateway.instants import parse_instant, rfc3339
from gateway.service import Service
from gateway.settings import Settings
from gateway.shapes import occurrence_json
from gateway.store.port import AlertRow, Commit, Kind, PlanRow, StoreError
from gateway.store.sqlite import SqliteStore
from tests.integration.service.yard import (
    ENROLLED,
    HOUR,
    MINUTE,
    NEW_TAG,
    SECOND,
    SHED,
    WELL,
    YARD,
    HandClock,
    encode,
    plan_of,
    record,
    until,
)

BEGIN = parse_instant("2026-11-23T12:00:00+08:00")
Json = dict[str, Any]


class Wire:
    """A connection that remembers what it was told."""

    def __init__(self, speaks_for: str | None = None) -> None:
        self.speaks_for = speaks_for
        self.acknowledged: list[int] = []
        self.reading = True
        self.changed = asyncio.Event()

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        self.acknowledged += packet_ids
        self.changed.set()

    def pause(self) -> None:
        assert self.reading
        self.reading = False

    def resume(self) -> None:
        assert not self.reading
        self.reading = True

    async def told(self, count: int) -> None:
        """Wait until so many deliveries have been acknowledged."""
        async with asyncio.timeout(10):
            while len(self.acknowledged) < count:
                self.changed.clear()
                await self.changed.wait()


class Shaky(SqliteStore):
    """The real store, on a disk that can be made to wait or to fail."""

    may_write: asyncio.Event | None = None
    failures = 0
    read_failures = 0

    async def commit(self, commit: Commit) -> None:
        if self.may_write is not None:
            await self.may_write.wait()
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        await super().commit(commit)

    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if self.read_failures:
            self.read_failures -= 1
            raise StoreError("the database does not answer")
        return await super()._query(sql, values)


class Post:
    """An engine at work, and somebody who hands it what comes in."""

    def __init__(self, store: Shaky, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.sent_down: list[tuple[str, str, str, bytes]] = []
        self.engine = Engine(store, clock, lambda *sent: self.sent_down.append(sent))
        self.wire = Wire()
        self.packets = 0
        self.task: asyncio.Task[None] | None = None

    def hand_in(self, payload: bytes, topic: str = "patrol/v1/yard/scanner-1/up") -> None:
        self.packets += 1
        delivery = Delivery(topic, payload, self.clock.now(), False, self.packets % 65_535 + 1, self.wire)
        self.engine.receive([delivery])

    async def take(self, *records: Json, device: str = "scanner-1") -> None:
        """Hand a message in, and wait until it is acknowledged."""
        self.hand_in(encode(*records), f"patrol/v1/yard/{device}/up")
        await self.wire.told(self.packets)

    async def becomes(self, at: int) -> None:
        """Set the clock, and wait until what is due then is judged and stored."""
        self.clock.at = at
        await self.settled()

    async def settled(self) -> None:
        for _ in range(2):
            await self.engine.request(lambda work: None)

    async def alerts(self, *states: str) -> list[Json]:
        return await self.store.alerts("yard", states)

    async def begun(self) -> None:
        """Let the backlog be over, and wait until deadlines are judged."""
        vars(engine_module)["QUIET_S"] = 0.0  # the fixture puts it back
        await self.settled()
        await until(lambda: self.engine._held is None)
        await self.settled()

    def kill(self) -> None:
        """End it as a power cut would: nothing more is written."""
        assert self.task is not None
        self.task.cancel()
        if self.engine._committing is not None:
            self.engine._committing.cancel()


class Station:
    """A database, and the engines that work on it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "patrol.sqlite"
        self.clock = HandClock(BEGIN)
        self.plans = [plan_of(YARD, BEGIN)]

    @contextlib.asynccontextmanager
    async def open(self, *, at: int | None = None) -> AsyncIterator[Post]:
        if at is not None:
            self.clock.at = at
        store = await Shaky.open(self.path)
        assert isinstance(store, Shaky)
        post = Post(store, self.clock)
        try:
            await post.engine.load({"yard": list(self.plans)})
            post.task = asyncio.create_task(post.engine.run())
            yield post
            if not post.task.done() and not post.task.cancelling():
                post.engine.stop()
                await post.task
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                if post.task is not None:
                    post.task.cancel()
                    await post.task
            await store.close()


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    """Its backlog is over when a test says so, however slow the machine is."""
    monkeypatch.setattr(engine_module, "QUIET_S", 3600.0)
    monkeypatch.setattr(engine_module, "HOLD_S", 3600.0)
    return Station(tmp_path)


@pytest.fixture
async def post(station: Station) -> AsyncIterator[Post]:
    """An engine that has begun, at noon."""
    async with station.open() as post:
        yield post


def scans(seq: int, at: int, *tags: str, **members: Any) -> list[Json]:
    return [record(seq + place, at=at, sent_at=None, tag=tag, **members) for place, tag in enumerate(tags)]


# -- stored before acknowledged (law 3)


async def test_nothing_is_acknowledged_before_the_commit_that_holds_it(post: Post) -> None:
    post.store.may_write = asyncio.Event()
    for seq in range(1, 4):
        post.hand_in(encode(record(seq, at=BEGIN)))
    await until(lambda: post.engine._committing is not None)
    assert post.wire.acknowledged == []
    assert post.sent_down == []
    post.store.may_write.set()
    await post.wire.told(3)
    assert await post.store.received("yard", "scanner-1", "b1") == [1, 2, 3]
    await until(lambda: post.sent_down == [("yard", "scanner-1", "down/ack", b'{"boot":"b1","seq":3}')])


async def test_refusals_and_repeats_are_acknowledged_after_the_commit_too(post: Post) -> None:
    await post.take(record(1, at=BEGIN))
    post.store.may_write = asyncio.Event()
    post.hand_in(b"{")
    post.hand_in(encode(record(1, at=BEGIN)))
    await until(lambda: post.engine._committing is not None)
    assert len(post.wire.acknowledged) == 1
    post.store.may_write.set()
    await post.wire.told(3)
    assert [entry.reason for entry in await post.store.quarantine()] == ["broken_json"]


async def test_while_nothing_can_be_stored_nothing_is_acknowledged_and_nothing_is_lost(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_RETRY_S", (0.01,))
    post.store.failures = 5
    for seq in range(1, 11):
        post.hand_in(encode(record(seq, at=BEGIN)))
    await until(lambda: post.engine.store_error == "the disk is full")
    assert post.wire.acknowledged == []
    await post.wire.told(10)
    assert post.engine.store_error is None
    assert await post.store.received("yard", "scanner-1", "b1") == list(range(1, 11))
    assert await post.store.verify() == (1, [])


async def test_a_database_that_cannot_be_read_for_a_while_holds_up_a_new_plan_and_ends_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_RETRY_S", (0.01,))
    await post.take(record(1, at=BEGIN))
    post.store.read_failures = 3
    await post.engine.adopt_plan(plan_of(ENROLLED, BEGIN, version=2), ENROLLED)
    assert (post.store.read_failures, post.engine.store_error) == (0, None)
    await post.take(record(2, at=BEGIN, tag=NEW_TAG))
    assert await post.store.received("yard", "scanner-1", "b1") == [1, 2]


async def test_what_waits_when_the_end_is_asked_for_is_stored_first(station: Station) -> None:
    async with station.open() as post:
        for seq in range(1, 3 * BATCH):
            post.hand_in(encode(record(seq, at=BEGIN)))
        post.engine.stop()
        assert post.task is not None
        await post.task
        assert len(post.wire.acknowledged) == 3 * BATCH - 1
        assert len(await post.store.received("yard", "scanner-1", "b1")) == 3 * BATCH - 1
        assert post.sent_down[-1][3] == b'{"boot":"b1","seq":%d}' % (3 * BATCH - 1)


async def test_too_much_at_once_stops_the_reading_until_most_of_it_is_stored(post: Post) -> None:
    for _ in range(FULL + 1):
        post.hand_in(b"{")
    assert not post.wire.reading
    await post.wire.told(FULL + 1)
    assert post.wire.reading
    assert (await post.store.quarantine())[0].times == FULL + 1


async def test_a_device_is_told_up_to_where_everything_is_stored(post: Post) -> None:
    def acks() -> list[bytes]:
        return [payload for *_, payload in post.sent_down]

    await post.take(record(2, at=BEGIN))
    await post.take(record(1, at=BEGIN, boot="b2"))
    await until(lambda: acks() == [b'{"boot":"b2","seq":1}'])  # of b1, nothing without a gap
    await post.take(record(1, at=BEGIN, tag="04FFFFFFFFFFFF"))  # refused, and kept
    await until(lambda: acks()[1:] == [b'{"boot":"b1","seq":2}'])
    await post.take(record(1, at=BEGIN))  # sent again: told again
    await until(lambda: acks()[2:] == [b'{"boot":"b1","seq":2}'])


# -- deadlines, alerts and what people do about them


async def test_a_deadline_that_passes_without_proof_opens_an_alert_and_late_proof_withdraws_it(
    post: Post,
) -> None:
    await post.becomes(BEGIN + HOUR)
    assert await post.alerts() == []
    await post.becomes(BEGIN + HOUR + 1)
    found = {alert["kind"]: alert for alert in await post.alerts("open")}
    assert set(found) == {"round_missed", "radio_not_called"}
    assert found["round_missed"]["reason"]["code"] == "no_proof"
    await post.becomes(BEGIN + HOUR + 5 * MINUTE)
    await post.take(*scans(1, BEGIN + 30 * MINUTE, SHED, WELL, clock="synced"))
    (withdrawn,) = await post.alerts("withdrawn")
    assert withdrawn["id"] == found["round_missed"]["id"]
    assert withdrawn["history"][-1]["params"]["facts"] == ["scanner-1/b1/1", "scanner-1/b1/2"]


async def test_people_acknowledge_note_and_resolve_and_it_is_stored_when_they_are_answered(
    post: Post,
) -> None:
    await post.becomes(BEGIN + HOUR + 1)
    id_ = (await post.alerts())[0]["id"]
    assert (await Acts(post.engine).on_alert(id_, "acknowledge", "wang", ""))["state"] == "acknowledged"
    assert (await post.store.alert(id_) or {})["state"] == "acknowledged"
    with pytest.raises(WrongStateError, match="acknowledged"):
        await Acts(post.engine).on_alert(id_, "acknowledge", "li", "")
    await Acts(post.engine).on_alert(id_, "resolve", "wang", "巡查过了")
    with pytest.raises(WrongStateError, match="resolved"):
        await Acts(post.engine).on_alert(id_, "resolve", "li", "again")
    alert = await Acts(post.engine).on_alert(id_, "note", "li", "seen")
    assert [(each["what"], each["by"]) for each in alert["history"]][1:] == [
        ("acknowledged", "wang"), ("resolved", "wang"), ("noted", "li"),
    ]  # fmt: skip
    assert await post.store.alert(id_) == alert
    with pytest.raises(KeyError):
        await Acts(post.engine).on_alert("yard-999", "note", "li", "x")


async def test_somebody_who_does_not_wait_for_the_answer_stops_nothing(post: Post) -> None:
    await post.becomes(BEGIN + HOUR + 1)
    id_ = (await post.alerts())[0]["id"]
    await Acts(post.engine).on_alert(id_, "acknowledge", "wang", "")
    post.store.may_write = asyncio.Event()
    post.hand_in(b"{")
    impatient = [
        asyncio.create_task(Acts(post.engine).on_alert(id_, what, "li", "x"))
        for what in ("acknowledge", "note")
    ]
    await until(lambda: len(post.engine._requests) + post.engine.commits > 0)
    await asyncio.sleep(0.05)
    for task in impatient:
        task.cancel()
    await asyncio.wait(impatient)
    post.store.may_write.set()
    await post.take(record(1, at=BEGIN))
    assert post.task is not None
    assert not post.task.done()


# -- the start (law 7)


async def test_a_round_that_was_walked_while_the_gateway_was_down_raises_no_alarm(station: Station) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + HOUR + 10 * MINUTE) as post:
        walked = scans(2, BEGIN + 30 * MINUTE, SHED, WELL, clock="synced")
        await post.take(*walked)
        await post.take(record(1, type="radio", at=BEGIN + 20 * MINUTE, clock="synced"), device="console-1")
        assert post.engine._held is not None
        await post.begun()
        assert await post.alerts() == []
        rounds = await post.store.occurrences("yard", "round", BEGIN, BEGIN + 1)
        assert [each["verdict"] for each in rounds] == ["on_time"]


async def test_deadlines_that_passed_while_the_gateway_was_down_are_judged_at_their_true_times(
    station: Station,
) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + 2 * HOUR + 10 * MINUTE) as post:
        await post.begun()
        alert = next(alert for alert in await post.alerts() if alert["kind"] == "round_missed")
        assert parse_instant(alert["deadline"]) == BEGIN + HOUR
        assert parse_instant(alert["opened_at"]) == BEGIN + 2 * HOUR + 10 * MINUTE
        assert alert["count"] == 2
        assert alert["reason"]["code"] == "no_proof"  # nobody has said that there was nothing (law 4)


async def test_a_device_that_was_there_is_waited_for_before_deadlines_are_judged(station: Station) -> None:
    async with station.open() as post:
        post.hand_in(b'{"online": true}', "patrol/v1/yard/scanner-1/state")
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + HOUR + MINUTE) as post:
        vars(engine_module)["QUIET_S"] = 0.0  # nothing is coming in; the fixture puts it back
        await post.settled()
        assert await post.alerts() == [] and post.engine.holding
        await post.take(*scans(2, BEGIN + 30 * MINUTE, SHED, WELL, clock="synced"))
        await until(lambda: not post.engine.holding)
        await post.settled()
        assert [alert["kind"] for alert in await post.alerts()] == ["radio_not_called"]


async def test_how_long_the_gateway_was_down_is_recorded_and_told_with_the_verdict(station: Station) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
        station.clock.at = BEGIN + 10 * MINUTE
    async with station.open(at=BEGIN + HOUR + 10 * MINUTE) as post:
        await post.begun()
        (blind,) = await post.store.blind(0)
        assert blind == (BEGIN + 10 * MINUTE, BEGIN + HOUR + 10 * MINUTE, "down")
        alert = next(alert for alert in await post.alerts() if alert["kind"] == "round_missed")
        assert alert["reason"]["params"]["blind_s"] == 50 * 60


async def test_a_gateway_that_is_killed_was_down_since_its_last_sign_of_life(station: Station) -> None:
    async with station.open() as post:
        station.clock.at = BEGIN + MINUTE
        await post.take(record(1, type="status", at=BEGIN + MINUTE))
        station.clock.at = BEGIN + 30 * MINUTE
        post.kill()
    async with station.open(at=BEGIN + 40 * MINUTE) as post:
        assert [(row.since, row.until) for row in await post.store.blind(0)] == [
            (BEGIN + MINUTE, BEGIN + 40 * MINUTE)
        ]


async def test_traffic_of_now_does_not_hold_the_deadlines_up(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "QUIET_S", 0.2)
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + HOUR + MINUTE) as post:
        async with asyncio.timeout(10):
            seq = 1
            while not await post.alerts():
                seq += 1
                await post.take(record(seq, type="status", at=station.clock.at, sent_at=None, clock="synced"))
                await asyncio.sleep(0.01)


async def test_a_backlog_holds_the_deadlines_up_as_long_as_it_comes_in(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "QUIET_S", 0.2)
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + HOUR + MINUTE) as post:
        for seq in range(2, 42):
            post.hand_in(encode(record(seq, type="status", at=BEGIN + seq * SECOND, clock="synced")))
            await asyncio.sleep(0.02)
        assert post.engine._held is not None
        assert await post.alerts() == []
        await post.begun()
        assert len(await post.alerts()) == 2


async def test_a_forced_gate_and_a_critical_report_are_told_at_once_also_after_a_start(
    station: Station,
) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    at = BEGIN + HOUR + MINUTE
    async with station.open(at=at) as post:
        await post.take(record(1, type="gate", at=at, event="forced"), device="gate-1")
        await post.take(record(2, type="report", at=at, severity="critical", checkpoint="well"))
        assert post.engine._held is not None
        assert [alert["kind"] for alert in await post.alerts()] == ["report_raised", "gate_forced"]
        post.kill()  # before the deadlines are judged
    async with station.open() as post:
        await post.begun()
        kinds = [alert["kind"] for alert in await post.alerts()]
        assert sorted(kinds) == ["gate_forced", "radio_not_called", "report_raised", "round_missed"]


async def test_a_new_plan_while_the_backlog_comes_in_doubles_nothing_and_judges_nothing_early(
    station: Station,
) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=BEGIN + HOUR + MINUTE) as post:
        await post.take(*scans(2, BEGIN + 30 * MINUTE, SHED, WELL, clock="synced"))
        call = record(1, type="radio", at=BEGIN + 20 * MINUTE, clock="synced")
        await post.take(call, device="console-1")
        new = plan_of(ENROLLED, BEGIN + HOUR + MINUTE, version=2)
        await post.engine.adopt_plan(new, ENROLLED)
        assert post.engine._held is not None
        assert await post.alerts() == []
        await post.begun()
        assert await post.alerts() == []
        watch = post.engine.desks["yard"].watch
        evidence = [
            each.facts for each in watch.occurrences(post.clock.now(), BEGIN, BEGIN + HOUR) if each.facts
        ]
        assert sorted(len(facts) for facts in evidence) == [1, 2]


async def test_an_alert_is_not_opened_again_by_a_start(station: Station) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
        await post.becomes(BEGIN + HOUR + 1)
        before = await post.alerts()
        # The scanner has been silent since: it is away, and the round waits for it.
        assert [alert["kind"] for alert in before] == ["device_silent", "radio_not_called", "round_missed"]
    for _ in range(3):
        async with station.open() as post:
            await post.begun()
            assert await post.alerts() == before


async def test_all_live_alerts_are_remembered_however_many_were_closed_since(station: Station) -> None:
    async with station.open() as post:
        await post.becomes(BEGIN + HOUR + 1)
        template = next(alert for alert in await post.alerts() if alert["kind"] == "round_missed")
        rows = []
        for number in range(100, 700):
            closed = template | {"id": f"yard-{number}", "subject": f"x-{number}", "state": "resolved"}
            closed |= {"closed_at": closed["opened_at"]}
            opened = BEGIN + HOUR + 2
            body = encode(closed)
            rows.append(
                AlertRow(f"yard-{number}", "yard", number, "round_missed", f"x-{number}", "resolved", opened, opened,
                         opened, body)
            )  # fmt: skip
        await post.store.commit(Commit(BEGIN + HOUR + 2, alerts=rows))
    async with station.open(at=BEGIN + 3 * HOUR) as post:
        await post.begun()
        live = [alert for alert in await post.alerts("open") if alert["kind"] == "round_missed"]
        assert [alert["id"] for alert in live] == [template["id"]]
        assert live[0]["count"] == 2


async def test_numbers_of_a_restarted_gateway_go_on_where_they_were(station: Station) -> None:
    async with station.open() as post:
        await post.take(record(1, at=BEGIN), record(2, at=BEGIN, tag="04FFFFFFFFFFFF"), record(5, at=BEGIN))
    async with station.open() as post:
        await post.take(*(record(seq, at=BEGIN) for seq in range(1, 7)))
        facts = await post.store.facts("yard", 0, BEGIN + HOUR)
        assert sorted(row.seq for _, row in facts) == [1, 3, 4, 5, 6]
        assert post.engine.intake.counts == {"facts": 3, "duplicates": 3}


async def test_the_boot_that_runs_is_known_after_a_start_also_when_all_of_an_older_one_was_refused(
    station: Station,
) -> None:
    at = BEGIN + 10 * MINUTE
    async with station.open(at=at) as post:
        await post.take(record(1, at=at, boot="old", tag="04FFFFFFFFFFFF"))
        station.clock.at += SECOND
        await post.take(record(1, at=at, boot="running"))
    async with station.open() as post:
        stopped = record(
            2, at=BEGIN, sent_at="2000-01-01T00:00:00Z", boot="running", mono=0, sent_mono=MINUTE
        )
        await post.take(stopped)
        assert [row.occurred_at for _, row in await post.store.facts("yard", 0, at)] == [at + SECOND - MINUTE]


async def test_what_was_lost_days_ago_is_not_waited_for_after_a_start(station: Station) -> None:
    said = rfc3339(BEGIN)
    lost = [{"boot": "b1", "from": 2, "to": 4, "at": said, "until": said}]
    async with station.open() as post:
        await post.take(record(1, at=BEGIN), record(5, "status", at=BEGIN, sent_at=said, lost=lost))
    async with station.open(at=BEGIN + 80 * HOUR) as post:
        door = post.engine.desks["yard"].doors.by_device["scanner-1"]
        assert (door.hearing.boots["b1"].high, door.hearing.lost_records) == (5, 3)
        await post.take(record(3, at=BEGIN))
        assert (post.engine.intake.counts["facts"], door.hearing.lost_records) == (1, 2)


async def test_where_a_boot_lies_in_time_is_known_after_a_start(station: Station) -> None:
    async with station.open(at=BEGIN + HOUR) as post:
        await post.take(record(1, "status", at=BEGIN, mono=HOUR, sent_at=rfc3339(BEGIN), sent_mono=HOUR))
    async with station.open(at=BEGIN + 4 * HOUR) as post:
        sent = {"sent_boot": "b2", "sent_at": "2000-01-01T00:00:09Z", "sent_mono": 9 * SECOND}
        await post.take(record(2, at=BEGIN, mono=2 * HOUR, **sent))
        ((_, row),) = await post.store.facts("yard", 0, BEGIN + 9 * HOUR, type="scan")
        assert (row.occurred_at, row.uncertainty) == (BEGIN + 2 * HOUR, 500 + 2160)


async def test_a_record_with_mad_clocks_does_not_stop_the_next_start(station: Station) -> None:
    async with station.open() as post:
        mad = record(
            1, at=BEGIN, sent_at="2026-11-23T12:00:00+08:00", mono=0, sent_mono=2**53, sent_boot="b2"
        )
        await post.take(mad)
        before = await post.store.facts("yard", 0, BEGIN + 1)
        assert len(before) == 1
    async with station.open() as post:
        assert await post.store.facts("yard", 0, BEGIN + 1) == before


# -- the clock is set


class SetClock(HandClock):
    """A clock that runs as time goes by, and can be set otherwise. Both are said in ms."""

    gone = 0

    def elapsed(self) -> float:
        return self.gone / 1000

    def ahead(self) -> float:
        return float(self.at - self.gone)

    def runs(self, ms: int) -> None:
        self.gone += ms
        self.at += ms


@contextlib.asynccontextmanager
async def on_a_clock(station: Station) -> AsyncIterator[tuple[Post, SetClock]]:
    clock = SetClock(BEGIN)
    station.clock = clock
    async with station.open() as post:
        vars(post.engine)["_clock_watch"] = ClockWatch(clock)
        yield post, clock


async def test_an_hour_that_the_clock_skips_accuses_nobody_for_certain_and_is_told(station: Station) -> None:
    async with on_a_clock(station) as (post, clock):
        await post.take(record(1, type="status", at=BEGIN))
        clock.runs(10 * MINUTE)
        await post.settled()
        assert post.engine.clock_step is None
        clock.at += HOUR
        await post.take(record(2, type="status", at=clock.at))
        assert post.engine.clock_step == (HOUR, 600.0)
        begun = BEGIN + 10 * MINUTE
        assert await post.store.blind(0) == [(begun, begun + HOUR, "clock")]
        clock.runs(SECOND)
        await post.settled()
        rounds = await post.store.occurrences("yard", "round", BEGIN, BEGIN + 1)
        assert [(each["verdict"], each["reason"]["params"]["blind_s"]) for each in rounds] == [
            ("unverified", 3000)
        ]
        await post.take(*scans(3, begun + HOUR + SECOND, SHED, WELL))
        facts = await post.store.facts("yard", BEGIN, clock.at + HOUR, type="scan")
        assert [row.seq for _, row in facts] == [3, 4]
        assert (await post.store.verify())[1] == []


async def test_a_clock_that_is_set_back_loses_nothing_and_judges_nothing_twice(
    station: Station,
) -> None:
    async with on_a_clock(station) as (post, clock):
        clock.runs(HOUR + SECOND)
        await post.settled()
        before = await post.alerts()
        assert {alert["kind"] for alert in before} == {"round_missed", "radio_not_called"}
        clock.at -= HOUR
        await post.take(*scans(1, clock.at, SHED, WELL))
        assert post.engine.clock_step == (-HOUR, 3601.0)
        assert await post.store.blind(0) == []
        clock.runs(HOUR)
        await post.settled()
        assert [row.seq for _, row in await post.store.facts("yard", 0, clock.at + 1)] == [1, 2]
        assert [(each["id"], each["count"]) for each in await post.alerts()] == [
            (each["id"], each["count"]) for each in before
        ]
        clock.runs(HOUR)
        await post.settled()
        assert {each["count"] for each in await post.alerts() if each["kind"] == "radio_not_called"} == {2}
        assert (await post.store.verify())[1] == []


async def test_health_tells_for_ten_minutes_that_the_clock_was_set(station: Station) -> None:
    async with on_a_clock(station) as (post, clock):
        service = Service(Settings(clock=clock))
        service.engine, service._running = post.engine, post.task
        await post.settled()
        assert service.clockwork_problem() is None
        clock.at -= HOUR
        await post.settled()
        assert "the clock was set back by 3600 s" in (service.clockwork_problem() or "")
        clock.runs(10 * MINUTE)
        await post.settled()
        assert service.clockwork_problem() is None


def test_a_clock_that_a_time_server_keeps_right_is_not_told_of() -> None:
    clock = SetClock(BEGIN)
    watch = ClockWatch(clock)
    clock.runs(HOUR)
    clock.at += 9 * SECOND
    assert watch.step() == 0
    clock.at += 2 * SECOND
    assert watch.step() == 11 * SECOND
    assert watch.step() == 0
    clock.at -= HOUR
    assert watch.step() == -HOUR


# -- facts from before what is in memory


async def test_a_fact_from_before_what_is_in_memory_is_judged_all_the_same(station: Station) -> None:
    now = BEGIN + 60 * 24 * HOUR
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
        await post.becomes(BEGIN + HOUR + 1)
    async with station.open(at=now) as post:
        await post.begun()
        at = now - 45 * 24 * HOUR + 30 * MINUTE
        assert post.engine.desks["yard"].watch.is_too_old(_first_fact(scans(1, at, SHED), now))
        await post.take(*scans(2, at, SHED, WELL, clock="synced"))
        rounds = await post.store.occurrences("yard", "round", at - HOUR, at + 1)
        assert max(len(each["facts"]) for each in rounds) == 2


async def test_a_backlog_from_before_what_is_in_memory_is_judged_after_a_start(station: Station) -> None:
    now = BEGIN + 60 * 24 * HOUR
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
    async with station.open(at=now) as post:
        at = now - 45 * 24 * HOUR + 30 * MINUTE
        await post.take(*scans(2, at, SHED, WELL, clock="synced"))
        assert post.engine._held is not None
        await post.begun()
        rounds = await post.store.occurrences("yard", "round", at - HOUR, at + 1)
        assert max(len(each["facts"]) for each in rounds) == 2


async def test_a_fact_from_before_what_was_purged_is_stored_and_accuses_nobody(station: Station) -> None:
    now, day = BEGIN + 120 * 24 * HOUR, 24 * HOUR
    async with station.open() as post:
        await post.store.commit(Commit(BEGIN, plans=[PlanRow("yard", 1, BEGIN, BEGIN, YARD)]))
        await post.take(*scans(1, BEGIN, SHED, WELL))
        await post.becomes(BEGIN + 3 * HOUR)
    async with station.open(at=now) as post:
        await post.begun()
        await post.store.purge(dict.fromkeys(Kind, now - 90 * day), post.clock.now, "wang-jg")
        assert await post.store.occurrences("yard", "round", 0, now - 90 * day) == []
        known = {each for alert in await post.alerts() for each in alert["occurrences"]}
        await post.take(*scans(3, now - 95 * day, SHED, WELL, clock="synced"))
        assert len(await post.store.facts("yard", now - 96 * day, now - 94 * day)) == 2
        assert await post.store.occurrences("yard", "round", 0, now - 90 * day) == []
        accused = {each for alert in await post.alerts() for each in alert["occurrences"]} - known
        assert all(int(each.rpartition("@")[2].partition(".")[0]) >= now - 88 * day for each in accused)
        again = await Desk.rebuild(station.plans, post.store, now, since=now - 95 * day)
        changes = again.watch.step(now)
        assert (changes.verdicts, changes.alerts) == ([], [])
        assert (await post.store.verify())[1] == []


async def test_a_record_that_was_purged_is_a_repeat_when_it_is_sent_again(station: Station) -> None:
    now = BEGIN + 120 * 24 * HOUR
    async with station.open() as post:
        await post.store.commit(Commit(BEGIN, plans=[PlanRow("yard", 1, BEGIN, BEGIN, YARD)]))
        await post.take(*scans(1, BEGIN, SHED, WELL, SHED))
    async with station.open(at=now) as post:
        await post.take(*scans(4, now, SHED))
        assert await post.store.purge({Kind.PATROL: now - HOUR}, post.clock.now, "wang-jg") == {"facts": 3}
    async with station.open() as post:
        await post.take(*scans(1, BEGIN, SHED, WELL, SHED))
        assert post.engine.intake.counts["duplicates"] == 3
        door = post.engine.desks["yard"].doors.by_device["scanner-1"]
        assert door.hearing.boots["b1"].high == 4  # nothing is missing, so nothing is waited for
        assert [row.seq for _, row in await post.store.facts("yard", 0, now + 1)] == [4]


def _first_fact(records: list[Json], now: int) -> Any:
    return to_fact(decode(encode(records[0])), "scanner-1", now, same_boot=True)


# -- the quarantine, tried again


async def test_what_was_refused_is_taken_in_once_its_cause_is_mended(post: Post) -> None:
    at = BEGIN + 20 * MINUTE
    await post.becomes(at)
    await post.take(*scans(1, at, NEW_TAG, SHED))
    assert await post.engine.replay_quarantine(None) == (0, 1)
    await post.becomes(BEGIN + HOUR + 1)
    assert "round_missed" in [alert["kind"] for alert in await post.alerts("open")]
    now = post.clock.now()
    await post.engine.adopt_plan(plan_of(ENROLLED, now, version=2), ENROLLED)
    assert await post.engine.replay_quarantine("another_reason") == (0, 0)
    assert await post.engine.replay_quarantine("unknown_tag") == (1, 0)
    assert await post.engine.replay_quarantine(None) == (0, 0)
    assert await post.store.received("yard", "scanner-1", "b1") == [1, 2]
    assert await post.store.quarantine() == []
    facts = await post.store.facts("yard", 0, now)
    assert [row.occurred_at for _, row in facts] == [at, at]
    assert await post.store.verify() == (post.engine.commits, [])


async def test_what_one_device_said_in_the_name_of_another_stays_refused(post: Post) -> None:
    post.wire.speaks_for = "yard/scanner-2"
    await post.take(record(1, at=BEGIN), device="scanner-1")
    assert await post.engine.replay_quarantine(None) == (0, 1)
    assert await post.engine.replay_quarantine("foreign_topic") == (0, 1)
    assert await post.store.facts("yard", 0, BEGIN + 1) == []


async def test_a_device_that_is_added_later_is_heard_from_then_on_and_before_by_replay(post: Post) -> None:
    await post.take(record(1, at=BEGIN), record(2, at=BEGIN, tag=WELL), device="scanner-9")
    added = YARD.replace("devices:\n", "devices:\n  - {id: scanner-9, kind: scanner, posts: [east]}\n")
    await post.engine.adopt_plan(plan_of(added, BEGIN, version=2), added)
    await post.take(record(1, at=BEGIN), device="scanner-9")  # nobody had told it that it may forget it
    assert await post.engine.replay_quarantine(None) == (1, 0)
    assert await post.store.received("yard", "scanner-9", "b1") == [1, 2]
    watch = post.engine.desks["yard"].watch
    assert [len(each.facts) for each in watch.occurrences(BEGIN, BEGIN, BEGIN + 1) if each.facts] == [2]


async def test_a_desk_made_again_from_the_store_says_the_same(post: Post) -> None:
    for minute in range(5, 300, 25):
        await post.becomes(BEGIN + minute * MINUTE)
        if minute % 50 == 5:
            await post.take(*scans(minute, post.clock.now(), SHED, WELL))
            await post.take(record(minute, type="radio", at=post.clock.now()), device="console-1")
    now = post.clock.now()
    again = await Desk.rebuild([plan_of(YARD, BEGIN)], post.store, now)
    changes = again.watch.step(now)
    assert (changes.verdicts, changes.alerts) == ([], [])
    live = post.engine.desks["yard"].watch
    shown, rebuilt = (
        [occurrence_json(each, "yard", {}) for each in watch.occurrences(now, BEGIN, now)]
        for watch in (live, again.watch)
    )
    assert rebuilt == shown


async def test_a_record_of_the_quarter_is_remembered_when_the_gateway_starts_at_its_end(
    tmp_path: Path,
) -> None:
    text = YARD.replace(
        "duties:\n", "duties:\n  - {id: muster, kind: record, times: 1, per: quarter}\n"
    ).replace("posts:\n", "people:\n  - {id: li, name: 李强, role: guard}\nposts:\n", 1)
    begin, end = parse_instant("2026-06-30T00:00:00+08:00"), parse_instant("2026-10-02T00:00:00+08:00")
    plan = plan_of(text, begin)
    store = await SqliteStore.open(tmp_path / "patrol.sqlite")
    try:
        row, _ = Pen().sign(
            SiteDoors([plan], Hearing()), {"form": "muster", "by": "li"}, begin + 3 * 24 * HOUR
        )
        await store.commit(Commit(begin, facts=[row]))
        desk = await Desk.rebuild([plan], store, end)
        desk.watch.step(end)
        found = [o for o in desk.watch.occurrences(end, 0, end) if o.duty == "muster"]
        assert [o.reason.code for o in found] == ["signed", "awaiting_signature"]
    finally:
        await store.close()
