"""The endpoint and other people's clients: paho, aiomqtt, gmqtt, mosquitto_pub and mosquitto_sub."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
from pathlib import Path

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
import pytest
from mqtt_peer import DOWN, STATE, TIMEOUT_S, UP, OpenEndpoint, Recorder, until
from paho.mqtt.enums import CallbackAPIVersion

from gateway.ingest.mqtt import Endpoint

COUNT = 500
EXPECTED = [b"%d" % number for number in range(COUNT)]
VERSIONS = [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5]
needs_mosquitto = pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto-clients is missing")


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_paho_publishes(
    endpoint: Endpoint, recorder: Recorder, protocol: paho.MQTTProtocolVersion, qos: int
) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, "riverside/scanner-1", protocol=protocol)
    done = threading.Event()
    unconfirmed = set(range(1, COUNT + 1))

    def on_publish(*arguments: object) -> None:
        unconfirmed.discard(int(str(arguments[2])))
        if not unconfirmed:
            done.set()

    client.on_publish = on_publish
    await asyncio.to_thread(client.connect, "127.0.0.1", endpoint.port)
    client.loop_start()
    for payload in EXPECTED:
        client.publish(UP, payload, qos)
    assert await asyncio.to_thread(done.wait, TIMEOUT_S)
    await recorder.wait(COUNT)
    client.disconnect()
    await asyncio.to_thread(client.loop_stop)
    assert recorder.payloads == EXPECTED


@pytest.mark.parametrize("protocol", VERSIONS)
async def test_aiomqtt_publishes_subscribes_and_leaves_a_will(
    endpoint: Endpoint, recorder: Recorder, protocol: aiomqtt.ProtocolVersion
) -> None:
    will = aiomqtt.Will(STATE, b'{"online": false}', 1, True)
    async with aiomqtt.Client(
        "127.0.0.1", endpoint.port, identifier="riverside/scanner-1", protocol=protocol, will=will
    ) as client:
        await client.subscribe(DOWN, qos=1)
        await client.publish(STATE, b'{"online": true}', qos=1, retain=True)
        await client.publish(UP, b"record", qos=2)
        for number in range(20):
            assert endpoint.publish("riverside", "scanner-1", "down/cmd", b"%d" % number, expiry_s=30)
        messages = client.messages
        got = [(await anext(messages)).payload for _ in range(20)]
    assert got == [b"%d" % number for number in range(20)]
    assert [(each.payload, each.retained) for each in recorder.deliveries] == [
        (b'{"online": true}', True),
        (b"record", False),
    ]


async def test_aiomqtt_is_told_why_a_foreign_subscription_fails(endpoint: Endpoint) -> None:
    async with aiomqtt.Client("127.0.0.1", endpoint.port, identifier="riverside/scanner-1") as client:
        (code,) = await client.subscribe("patrol/v1/riverside/scanner-2/down/#", qos=1)
    assert code == 0x80 or getattr(code, "value", 0) >= 0x80


async def test_gmqtt_publishes_and_gets_what_waited_in_its_session(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()
    subscribed = asyncio.Event()

    async def on_message(client: object, topic: str, payload: bytes, qos: int, properties: object) -> int:
        got.put_nowait(payload)
        return 0

    def make() -> gmqtt.Client:
        client = gmqtt.Client("riverside/scanner-1", clean_session=False, session_expiry_interval=60)
        client.on_message = on_message
        client.on_subscribe = lambda *arguments: subscribed.set()
        return client

    client = make()
    await client.connect("127.0.0.1", endpoint.port)
    client.subscribe(DOWN, qos=1)
    await asyncio.wait_for(subscribed.wait(), TIMEOUT_S)
    for payload in EXPECTED:
        client.publish(UP, payload, qos=1)
    await recorder.wait(COUNT)
    assert sorted(recorder.payloads) == sorted(EXPECTED)
    await client.disconnect()
    await until(lambda: endpoint.counters.connected == 0)
    assert endpoint.publish("riverside", "scanner-1", "down/cmd", b"waited")
    client = make()
    await client.connect("127.0.0.1", endpoint.port)
    assert await asyncio.wait_for(got.get(), TIMEOUT_S) == b"waited"
    await client.disconnect()


async def run(*command: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode is not None
    return process.returncode, output


def mosquitto(program: str, port: int, client_id: str, version: str, topic: str, *more: str) -> list[str]:
    """The command line of mosquitto_pub or mosquitto_sub."""
    return [program, "-p", str(port), "-i", client_id, "-V", version, "-t", topic, *more]


@needs_mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
async def test_mosquitto_pub_publishes(
    endpoint: Endpoint, recorder: Recorder, version: str, qos: str
) -> None:
    command = mosquitto("mosquitto_pub", endpoint.port, "riverside/scanner-1", version, UP)
    assert await run(*command, "-m", "hello", "-q", qos) == (0, b"")
    await recorder.wait(1)
    assert recorder.payloads == [b"hello"]


@needs_mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_mosquitto_sub_gets_a_command(endpoint: Endpoint, version: str) -> None:
    command = mosquitto("mosquitto_sub", endpoint.port, "riverside:scanner-1", version, DOWN)
    listening = asyncio.create_task(run(*command, "-q", "1", "-C", "1", "-v"))
    await until(lambda: endpoint.publish("riverside", "scanner-1", "down/cmd", b"go"))
    assert await listening == (0, b"patrol/v1/riverside/scanner-1/down/cmd go\n")


@needs_mosquitto
async def test_mosquitto_pub_speaks_3_1_and_is_refused(endpoint: Endpoint) -> None:
    command = mosquitto("mosquitto_pub", endpoint.port, "riverside/scanner-1", "mqttv31", UP)
    code, output = await run(*command, "-m", "x")
    assert code != 0
    assert b"unacceptable protocol version" in output


async def test_devices_may_come_over_tls(
    open_endpoint: OpenEndpoint, recorder: Recorder, certificate: Path
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    endpoint = await open_endpoint(tls=server)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with aiomqtt.Client(
        "127.0.0.1", endpoint.port, identifier="riverside/scanner-1", tls_context=trusting
    ) as client:
        await client.publish(UP, b"secret", qos=1)
    assert recorder.payloads == [b"secret"]
