"""Devices of other makers at a running service, at its own endpoint and behind a broker, with real MQTT clients."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.devices.zhenshi_commands import open_command
from gateway.ingest.linked import Links, MqttLink
from gateway.ingest.mqtt.connection import Connection
from gateway.service import Service
from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore
from tests.integration.service.broker import MOSQUITTO, Mosquitto, free_port
from tests.integration.service.conftest import running
from tests.integration.service.linked_gateway import CAMERA
from tests.integration.service.running import Running
from tests.integration.service.yard import HOUR, SHED, WAIT_S, set_up, stored, until

READER = MqttLink("tasmota", "gate-reader", "yard", "scanner-1", client="DVES_3A2B1C")
LINKS = (READER, CAMERA)
PLATES = "SELECT json_extract(body, '$.plate') FROM facts WHERE type = 'gate' ORDER BY id"


@pytest.fixture(params=["endpoint", "broker"])
async def yard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    """The service with linked devices, once with its own endpoint and once at a real broker."""
    async with running(tmp_path, request.param, LINKS) as found:
        yield found


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, "endpoint", LINKS) as found:
        yield found


def passage(number: int, *, offline: bool = False) -> bytes:
    """What the camera says of a car with this number."""
    now = SYSTEM_CLOCK.now() // 1000
    plate = {
        "license": base64.b64encode(f"粤B{number:05}".encode()).decode(),
        "plateid": number,
        "isoffline": int(offline),
        "timeStamp": {"Timeval": {"sec": now, "usec": 0}},
    }
    said = {"id": f"m{number}", "sn": "sn-1", "name": "ivs_result", "version": "1.0", "timestamp": now}
    said["payload"] = {"AlarmInfoPlate": {"result": {"PlateResult": plate}}}
    return json.dumps(said).encode()


class Peer:
    """A device's MQTT client, played by paho on a thread of its own."""

    def __init__(
        self, port: int, client_id: str, username: str | None = None, will: str | None = None
    ) -> None:
        self.acked: list[int] = []
        self.on_puback: Callable[[], None] | None = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        self._client.max_inflight_messages_set(0)
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # s
        if username is not None:
            self._client.username_pw_set(username, "secret")
        if will is not None:
            self._client.will_set(will, "Offline", qos=1, retain=True)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()

    def _on_publish(self, client: Any, userdata: Any, mid: int, *_: Any) -> None:
        if self.on_puback is not None:
            self.on_puback()
        self.acked.append(mid)

    def send(self, topic: str, payload: bytes | str, *, retain: bool = False) -> int:
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    async def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish, and wait for the acknowledgement."""
        mid = self.send(topic, payload, retain=retain)
        await until(lambda: mid in self.acked)

    def vanish(self) -> None:
        """Lose the connection without a word."""
        self._client.loop_stop()
        socket = self._client.socket()
        assert socket is not None
        socket.close()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.asynccontextmanager
async def peer(port: int, *names: str, **how: Any) -> AsyncIterator[Peer]:
    made = await asyncio.to_thread(lambda: Peer(port, *names, **how))
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


@contextlib.asynccontextmanager
async def camera(port: int) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client("127.0.0.1", port, identifier="sn-1", timeout=WAIT_S) as client:
        yield client


# -- both ways


async def test_a_tasmota_reader_taps_comes_and_goes(yard: Running) -> None:
    door = yard.service.engine.desks["yard"].doors.by_device["scanner-1"]
    async with peer(yard.port, "DVES_3A2B1C", "DVES_USER", will="tele/gate-reader/LWT") as reader:
        await reader.say("tele/gate-reader/LWT", "Online", retain=True)
        await reader.say("tele/gate-reader/SENSOR", json.dumps({"PN532": {"UID": SHED}}))
        await until(lambda: stored(yard.database, "SELECT count(*) FROM facts WHERE type = 'scan'") == [(1,)])
        assert door.health.online is True
        await asyncio.to_thread(reader.vanish)
        await until(lambda: door.health.online is False)
    (scan,) = [row for row in await yard.facts() if row.type == "scan"]
    body = json.loads(scan.body)
    assert (scan.device, body["tag"], body["via"]) == ("scanner-1", SHED, "tasmota")
    assert bytes.fromhex(body["frame"]) == json.dumps({"PN532": {"UID": SHED}}).encode()


async def test_a_camera_speaks_in_both_orders_of_topics(yard: Running) -> None:
    async with camera(yard.port) as client:
        await client.publish("device/sn-1/message/up/ivs_result", passage(1), qos=1)
        await client.publish("sn-1/device/message/up/ivs_result", passage(2), qos=1)
        await until(lambda: len(stored(yard.database, PLATES)) == 2)
    assert stored(yard.database, PLATES) == [("粤B00001",), ("粤B00002",)]
    assert [each.plate for each in yard.service.engine.desks["yard"].watch.gates.feed] == [
        "粤B00001",
        "粤B00002",
    ]


async def test_a_camera_opens_its_barrier_when_it_is_told_to_and_says_so(yard: Running) -> None:
    async with camera(yard.port) as client:
        await client.subscribe("device/sn-1/message/down/+", qos=1)
        topic, payload = open_command("sn-1", "c1", yard.now)
        assert yard.service.send_foreign("yard", "gate-1", topic, payload)
        async with asyncio.timeout(WAIT_S):
            said = await anext(aiter(client.messages))
        assert (said.topic.value, said.payload) == (topic, payload)
        command = json.loads(payload)
        answer = {"id": command["id"], "sn": "sn-1", "name": "gpio_out", "code": 200, "payload": None}
        await client.publish(f"{topic}/reply", json.dumps(answer), qos=1)
        query = (
            "SELECT json_extract(body, '$.result') FROM facts WHERE json_extract(body, '$.reply_to') = 'c1'"
        )
        await until(lambda: stored(yard.database, query) == [("done",)])


async def test_what_cannot_be_read_is_kept_with_its_topic_and_the_next_message_is_read(yard: Running) -> None:
    async with peer(yard.port, "sn-1") as client:
        for payload in (b"\xff", b"{}", b"[" * 100_000):
            await client.say("device/sn-1/message/up/ivs_result", payload)
        await client.say("device/sn-1/message/up/ivs_result", passage(1))
        refused = await yard.refused(3)
        await until(lambda: stored(yard.database, PLATES) == [("粤B00001",)])
    assert {entry.topic for entry in refused} == {"device/sn-1/message/up/ivs_result"}
    assert {entry.payload for entry in refused} == {b"\xff", b"{}", b"[" * 100_000}
    assert {(entry.reason, entry.device) for entry in refused} == {("bad_value", "gate-1")}


# -- at our own endpoint: who may say and hear what


async def test_an_acknowledged_passage_is_on_the_disk(endpoint: Running) -> None:
    found: list[int] = []
    async with peer(endpoint.port, "sn-1") as client:
        client.on_puback = lambda: found.append(len(stored(endpoint.database, PLATES)))
        for number in range(1, 31):
            client.send("device/sn-1/message/up/ivs_result", passage(number))
        await until(lambda: len(client.acked) == 30)
    assert all(count >= place for place, count in enumerate(found, 1))


async def test_a_device_hears_its_own_commands_only(endpoint: Running) -> None:
    async with camera(endpoint.port) as client:
        granted = await client.subscribe([("device/sn-1/message/down/+", 1), ("cmnd/gate-reader/#", 1)])
        assert [code.is_failure for code in granted or ()] == [False, True]  # type: ignore[union-attr]


async def test_a_device_does_not_speak_for_another(endpoint: Running) -> None:
    async with peer(endpoint.port, "sn-1") as client:
        await client.say("tele/gate-reader/SENSOR", json.dumps({"PN532": {"UID": SHED}}))
        await client.say("patrol/v1/yard/scanner-1/state", '{"online": true}')
        await endpoint.refused(2)
    assert [(each.reason, each.device) for each in await endpoint.refused(2)] == [
        ("foreign_topic", "gate-1")
    ] * 2
    assert await endpoint.facts() == []


async def test_a_client_with_another_name_is_who_it_first_says_it_is(endpoint: Running) -> None:
    async with peer(endpoint.port, "ESP-1", "DVES_USER") as client:
        await client.say("tele/gate-reader/STATE", "{}")
        await client.say("device/sn-1/message/up/ivs_result", passage(1))
        (refused,) = await endpoint.refused(1)
    assert (refused.reason, refused.device) == ("foreign_topic", "scanner-1")


# -- nothing is doubled, nothing is lost (law 3)


@pytest.mark.parametrize("way", ["endpoint", "broker"])
async def test_what_was_stored_and_not_acknowledged_comes_again_and_is_not_doubled(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power fails after the commit, before the PUBACK."""
    if way == "broker" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    database = tmp_path / "patrol.sqlite"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR)
    broker = Mosquitto(tmp_path) if way == "broker" else None
    if broker is not None:
        await broker.start()
    port = broker.port if broker is not None else free_port()
    url = f"{'mqtt' if broker is not None else 'embedded'}://127.0.0.1:{port}"
    deaf = {"sn-1": True}
    acknowledge = Connection.acknowledge
    monkeypatch.setattr(
        Connection,
        "acknowledge",
        lambda self, packet_ids: None if deaf["sn-1"] else acknowledge(self, packet_ids),
    )
    try:
        async with _service(tmp_path, url) as first:
            client = await asyncio.to_thread(lambda: Peer(port, "sn-1"))
            for number in (1, 2):
                client.send("device/sn-1/message/up/ivs_result", passage(number))
            await until(lambda: len(stored(database, PLATES)) == 2)
            assert first.engine.commits
        deaf["sn-1"] = False
        async with _service(tmp_path, url) as second:
            client.send("device/sn-1/message/up/ivs_result", passage(3))
            await until(lambda: len(stored(database, PLATES)) == 3)
            await until(lambda: len(client.acked) == 3)
            await until(lambda: second.foreign.counts["repeated"] == 2)
        assert stored(database, PLATES) == [("粤B00001",), ("粤B00002",), ("粤B00003",)]
        await asyncio.to_thread(client.close)
    finally:
        if broker is not None:
            await broker.stop()


@contextlib.asynccontextmanager
async def _service(folder: Path, url: str) -> AsyncIterator[Service]:
    settings = Settings(database=f"sqlite:///{folder / 'patrol.sqlite'}", broker=url, data=folder)
    async with Service(settings, Links(mqtt=(CAMERA,))) as service:
        if service.client is not None:
            await service.client.wait_connected()
        yield service


@pytest.mark.parametrize("way", ["endpoint", "broker"])
async def test_kill_9_loses_no_passage_and_doubles_none(tmp_path: Path, way: str) -> None:
    if way == "broker" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    database = tmp_path / "patrol.sqlite"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR)
    broker = Mosquitto(tmp_path) if way == "broker" else None
    if broker is not None:
        await broker.start()
    port = broker.port if broker is not None else free_port()
    url = f"{'mqtt' if broker is not None else 'embedded'}://127.0.0.1:{port}"

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.service.linked_gateway",
            str(tmp_path),
            url,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            assert await process.stdout.readline() == b"ready\n"
        return process

    process = await start()
    client = await asyncio.to_thread(lambda: Peer(port, "sn-1"))
    sent = 0
    try:
        for _ in range(4):
            known = len(stored(database, PLATES))
            for _ in range(60):
                sent += 1
                client.send("device/sn-1/message/up/ivs_result", passage(sent))
            await until(lambda known=known: len(stored(database, PLATES)) > known)  # type: ignore[misc]
            process.kill()
            await process.wait()
            process = await start()
        await until(lambda: len(client.acked) == sent)
        await until(lambda: len(stored(database, PLATES)) >= sent)
        process.kill()
        await process.wait()
        kept = Counter(plate for (plate,) in stored(database, PLATES))
        assert kept == {f"粤B{number:05}": 1 for number in range(1, sent + 1)}
        store = await SqliteStore.open(database)
        assert (await store.verify())[1] == []
        await store.close()
    finally:
        await asyncio.to_thread(client.close)
        if process.returncode is None:
            process.kill()
            await process.wait()
        if broker is not None:
            await broker.stop()
