"""Devices and the whole service, over real MQTT: with its own endpoint, and at a real broker."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.packets import V311, Connect
from gateway.ingest.records import MAX_PAYLOAD
from gateway.instants import rfc3339
from gateway.service import Service
from gateway.settings import Settings
from tests.integration.service import yard as words
from tests.integration.service.broker import MOSQUITTO, MOSQUITTO_PUB, Mosquitto
from tests.integration.service.conftest import running
from tests.integration.service.running import Running
from tests.integration.service.yard import (
    ENROLLED,
    HOUR,
    MINUTE,
    NEW_TAG,
    SECOND,
    SHED,
    WELL,
    plan_of,
    record,
    set_up,
    stored,
    until,
)

# -- stored before acknowledged


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
async def test_at_the_moment_of_the_puback_another_process_finds_the_record_in_the_database(
    endpoint: Running, version: int
) -> None:
    found: list[int] = []
    async with endpoint.device(version=version) as device:
        device.on_puback = lambda mid: found.append(
            stored(endpoint.database, "SELECT count(*) FROM facts")[0][0]
        )
        for count in range(1, 21):
            await device.report(at=endpoint.now)
            assert found[-1] >= count
    assert len(found) == 20


async def test_a_device_is_told_what_it_may_forget(yard: Running) -> None:
    async with yard.device() as device:
        now = yard.now
        for seq in (1, 2, 4):
            await device.publish(words.encode(record(seq, at=now)))
        await device.told("b1", 2)
        assert stored(yard.database, "SELECT count(*) FROM facts WHERE seq <= 2") == [(2,)]
        await device.publish(words.encode(record(3, at=now)))
        await device.told("b1", 4)
        assert sorted(device.acks[-1]) == ["boot", "seq"]


async def test_records_of_many_devices_and_kinds_all_arrive(yard: Running) -> None:
    async with (
        yard.device("scanner-1") as scanner,
        yard.device("console-1") as console,
        yard.device("gate-1") as gate,
    ):
        now = yard.now
        await asyncio.gather(
            scanner.report(at=now, guard="li"),
            scanner.report(at=now, type="report", severity="minor"),
            scanner.report(at=now, type="status"),
            console.report(at=now, type="radio"),
            gate.report(at=now, type="gate", event="vehicle_in", plate="粤B12345"),
        )
        await yard.fact_count(5)
    assert sorted(row.type for row in await yard.facts()) == ["gate", "radio", "report", "scan", "status"]
    rounds = yard.service.engine.desks["yard"].watch.gates.feed
    assert [event.plate for event in rounds] == ["粤B12345"]


@pytest.mark.skipif(MOSQUITTO_PUB is None, reason="mosquitto_pub is not installed")
async def test_mosquitto_pub_as_an_installer_would_use_it(yard: Running) -> None:
    assert MOSQUITTO_PUB
    message = words.encode(record(at=yard.now)).decode()
    for version in ("mqttv311", "mqttv5"):
        topic = f"patrol/v1/yard/scanner-{version[-1]}/up".replace("scanner-5", "scanner-2")
        done = await asyncio.create_subprocess_exec(
            MOSQUITTO_PUB, "-p", str(yard.port), "-q", "1", "-t", topic, "-m", message, "-V", version,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        _, errors = await done.communicate()
        assert (done.returncode, errors) == (0, b"")
    await yard.fact_count(2)
    assert {row.device for row in await yard.facts()} == {"scanner-1", "scanner-2"}


# -- is it there?


async def test_a_device_that_says_hello_is_online_and_one_that_vanishes_is_not(yard: Running) -> None:
    door = yard.service.engine.desks["yard"].doors.by_device["scanner-1"]
    async with yard.device() as device:
        assert door.health.online is None
        await device.publish(b'{"online": true}', f"{device.topic}/state", retain=True)
        await until(lambda: door.health.online is True)
        await asyncio.to_thread(device.vanish)
        await until(lambda: door.health.online is False)
    query = "SELECT online FROM device_states ORDER BY id"
    await until(lambda: stored(yard.database, query) == [(1,), (0,)])


async def test_a_state_that_a_broker_has_kept_is_known_after_the_start(tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    database = tmp_path / "patrol.sqlite"
    await set_up(database, SYSTEM_CLOCK.now())
    broker = Mosquitto(tmp_path)
    await broker.start()
    try:
        url = f"mqtt://127.0.0.1:{broker.port}"
        before = Running.__new__(Running)
        before.port = broker.port
        async with before.device() as device:
            await device.publish(b'{"online": true}', f"{device.topic}/state", retain=True)
            settings = Settings(database=f"sqlite:///{database}", broker=url, data=tmp_path)
            async with Service(settings) as service:
                door = service.engine.desks["yard"].doors.by_device["scanner-1"]
                await until(lambda: door.health.online is True)
    finally:
        await broker.stop()


# -- bad input is data (law 14)

T0 = "2026-11-23T22:00:00"
BAD: dict[str, tuple[bytes, str]] = {
    "broken JSON": (b'{"type": "scan", "boot": ', "broken_json"),
    "no JSON": (b"\x00\x01\xff", "broken_json"),
    "nothing": (b"", "broken_json"),
    "a number": (b"42", "not_a_record"),
    "an empty array": (b"[]", "empty_array"),
    "a wrong type": (words.encode(record(101, at=0, tag=1234)), "bad_tag"),
    "another wrong type": (words.encode(record(102, at=0, mono="soon")), "bad_mono"),
    "no boot": (words.encode(record(103, at=0, boot=None)), "missing_boot"),
    "no seq": (words.encode(record(at=0) | {"seq": None}), "bad_seq"),
    "seq 0": (words.encode(record(0, at=0)), "bad_seq"),
    "a time without an offset": (words.encode(record(104, at=0) | {"at": T0}), "time_without_offset"),
    "a bare time in the year 2000": (words.encode(record(105, at=946_684_800_000)), "time_unknown"),
    "an unknown tag": (
        words.encode(record(106, at=0, tag="04FFFFFFFFFFFF", mono=1, sent_mono=2)),
        "unknown_tag",
    ),
    "an unknown post": (
        words.encode(record(107, "radio", at=0, post="roof", mono=1, sent_mono=2)),
        "unknown_post",
    ),
    "an unknown type": (words.encode(record(108, "tea", at=0)), "unknown_type"),
    "an array of 501": (
        words.encode(*(record(seq, at=0) for seq in range(1001, 1502))),
        "array_too_long",
    ),
    "a payload of 5 MB": (b"[" + b" " * 5_000_000 + b"]", "payload_too_large"),
    "a payload that is all depth": (b"[" * 300_000, "too_deep"),
}


async def test_whatever_a_device_sends_is_kept_with_its_reason_and_stops_nothing(yard: Running) -> None:
    async with yard.device() as device:
        for payload, _ in BAD.values():
            await device.publish(payload)
        await device.publish(b'{"online": "maybe"}', f"{device.topic}/state")
        await device.publish(words.encode(record(at=0)), "patrol/v1/yard/scanner-9/up")
        await device.publish(words.encode(record(at=1)), "patrol/v1/nowhere/scanner-1/up")
        entries = await yard.refused(len(BAD) + 3)
        kept = {entry.payload: entry.reason for entry in entries}
        found = {what: kept.get(payload[:MAX_PAYLOAD]) for what, (payload, _) in BAD.items()}
        assert found == {what: reason for what, (_, reason) in BAD.items()}
        assert kept[b'{"online": "maybe"}'] == "bad_online"
        assert {"unknown_device", "unknown_site"} <= set(kept.values())
        assert await yard.facts() == []
        # And it goes on working, for this device and for others.
        await device.publish(words.encode(record(900, at=yard.now)))
        async with yard.device("scanner-2") as other:
            await other.report(at=yard.now)
        await yard.fact_count(2)
    assert (await yard.store.verify())[1] == []


async def test_of_a_payload_that_is_too_large_the_beginning_is_kept(endpoint: Running) -> None:
    async with endpoint.device() as device:
        await device.publish(b"x" * (MAX_PAYLOAD + 1))
        await device.publish(b"y" * 5_000_000)
    entries = await endpoint.refused(2)
    found = [(entry.reason, len(entry.payload) <= MAX_PAYLOAD, entry.payload[:1]) for entry in entries]
    assert found == [("payload_too_large", True, b"y"), ("payload_too_large", True, b"x")]
    assert entries[0].detail.startswith("5000000 bytes")


async def test_a_packet_beyond_all_measure_ends_its_connection_and_nothing_else(endpoint: Running) -> None:
    async with endpoint.device("scanner-2") as good:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(encode(Connect("yard/scanner-1", V311, True, 60), V311))
        writer.write(b"\x32\xff\xff\xff\x7f")  # a PUBLISH of 256 MB
        await writer.drain()
        async with asyncio.timeout(10):
            assert len(await reader.read(-1)) == 4  # the CONNACK, and the end
        writer.close()
        await good.report(at=endpoint.now)
    assert [row.device for row in await endpoint.facts()] == ["scanner-2"]


async def test_a_device_that_publishes_under_anothers_topic_is_not_believed(endpoint: Running) -> None:
    async with endpoint.device("scanner-2") as thief, endpoint.device("scanner-1") as owner:
        await thief.publish(words.encode(record(1, at=endpoint.now)), "patrol/v1/yard/scanner-1/up")
        await thief.publish(b'{"online": false}', "patrol/v1/yard/scanner-1/state")
        entries = await endpoint.refused(2)
        assert {(entry.reason, entry.site, entry.device) for entry in entries} == {
            ("foreign_topic", None, None)
        }
        assert await endpoint.facts() == []
        await owner.report(at=endpoint.now)  # the number is still its own
    assert [(row.device, row.seq) for row in await endpoint.facts()] == [("scanner-1", 1)]


# -- clocks are not trusted (law 6)

YEAR_2000 = 946_684_800_000


@pytest.mark.parametrize(
    ("offset", "runs"),
    [(0, True), (HOUR, True), (-HOUR, True), (14 * HOUR, True), (-14 * HOUR, True), (None, True), (0, False),
     (None, False)],
    ids=["right", "an hour fast", "an hour slow", "fourteen hours fast", "fourteen hours slow", "since 2000-01-01",
         "stopped", "stopped at 2000-01-01"],
)  # fmt: skip
async def test_a_wrong_wall_clock_moves_no_verdict(endpoint: Running, offset: int | None, runs: bool) -> None:
    """A round walked ten and eight minutes ago, sent now by a device whose wall clock is wrong."""
    now = endpoint.now

    def wall(ago: int) -> str:
        base = YEAR_2000 if offset is None else now + offset
        return rfc3339(base - (ago if runs else 0))

    records = [
        record(seq, at=0, tag=tag, mono=HOUR - ago, sent_mono=HOUR) | {"at": wall(ago), "sent_at": wall(0)}
        for seq, tag, ago in ((1, SHED, 10 * MINUTE), (2, WELL, 8 * MINUTE))
    ]
    async with endpoint.device() as device:
        await device.publish(words.encode(*records))
    facts = await endpoint.facts()
    assert [row.received_at - row.occurred_at for row in facts] == [10 * MINUTE, 8 * MINUTE]
    error = (YEAR_2000 if offset is None else now + offset) - facts[0].received_at
    assert facts[0].clock_error == error
    (walked,) = await endpoint.store.occurrences("yard", "round", now - HOUR, now)
    assert (walked["verdict"], walked["done_at"]) == ("on_time", rfc3339(facts[1].occurred_at))


# -- a hundred thousand times the same


async def _burst(port: int, topic: str, payload: bytes, count: int) -> None:
    """Publish the same message so often, a window at a time, and wait for every PUBACK."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encode(Connect("yard/scanner-1", V311, True, 60), V311))
    assert len(await reader.readexactly(4)) == 4
    window = 10_000
    packets = b"".join(encode_publish(V311, topic, payload, qos=1, packet_id=n) for n in range(1, window + 1))
    for _ in range(count // window):
        writer.write(packets)
        acks = await reader.readexactly(4 * window)
        assert acks[0::4] == b"\x40" * window
    writer.close()


async def test_a_hundred_thousand_retransmissions_are_one_fact(yard: Running) -> None:
    now = yard.now
    payload = words.encode(record(at=now, clock="synced"))
    async with asyncio.timeout(60):
        await _burst(yard.port, "patrol/v1/yard/scanner-1/up", payload, 100_000)
        await until(lambda: yard.service.engine.intake.counts["duplicates"] == 99_999, 60)
    assert len(await yard.facts()) == 1
    assert stored(yard.database, "SELECT count(*) FROM facts") == [(1,)]
    assert sum(count for *_, count in await yard.store.series("scan", "yard", 0, now + HOUR)) == 1


async def test_a_hundred_thousand_times_the_same_rubbish_is_one_entry(endpoint: Running) -> None:
    async with asyncio.timeout(60):
        await _burst(endpoint.port, "patrol/v1/yard/scanner-1/up", b'{"type": "scan"', 100_000)
    (entry,) = await endpoint.store.quarantine()
    assert (entry.times, entry.reason) == (100_000, "broken_json")


# -- mended, and taken in


async def test_a_tag_that_is_enrolled_later_heals_the_round(yard: Running) -> None:
    async with yard.device() as device:
        now = yard.now
        await device.report(at=now, tag=SHED)
        await device.report(at=now, tag=NEW_TAG)
        (entry,) = await yard.refused()
        assert (entry.reason, entry.site, entry.device) == ("unknown_tag", "yard", "scanner-1")
        await device.told("b1", 2)  # it is kept: the device may forget it
        engine = yard.service.engine
        assert await engine.replay_quarantine(None) == (0, 1)
        await engine.adopt_plan(plan_of(ENROLLED, now - HOUR // 2 + SECOND, version=2), ENROLLED)
        assert await engine.replay_quarantine("unknown_tag") == (1, 0)
        await until(lambda: engine._held is None)  # what a broker had kept comes first
        await engine.request(lambda work: None)
    assert sorted(row.seq for row in await yard.facts()) == [1, 2]
    assert await yard.store.quarantine() == []
    (walked,) = [
        each
        for each in await yard.store.occurrences("yard", "round", now, now + 1)
        if each["verdict"] == "on_time"
    ]
    assert walked["plan_version"] == 2
    assert walked["facts"] == ["scanner-1/b1/1", "scanner-1/b1/2"]
    assert (await yard.store.verify())[1] == []


async def test_two_services_one_after_the_other_are_one_to_the_devices(tmp_path: Path) -> None:
    async with running(tmp_path, "endpoint") as first, first.device() as device:
        await device.report(at=first.now)
        await device.report(at=first.now, tag="04FFFFFFFFFFFF")
    settings = Settings(
        database=f"sqlite:///{tmp_path}/patrol.sqlite", broker="embedded://127.0.0.1:0", data=tmp_path
    )
    async with Service(settings) as service:
        assert service.endpoint is not None
        second = Running(service, tmp_path / "patrol.sqlite", service.endpoint.port, "endpoint")
        async with second.device() as device:
            now = second.now
            await device.publish(words.encode(*(record(seq, at=now) for seq in (1, 2, 3))))
            await device.told("b1", 3)
        assert [row.seq for row in await second.facts()] == [1, 3]
        assert len(await second.store.quarantine()) == 1
        assert json.loads((await second.facts())[0].body)["seq"] == 1
