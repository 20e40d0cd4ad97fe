"""The client of a broker, with a real mosquitto at the other end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from mqtt_broker import Mosquitto
from mqtt_peer import STATE, UP, Recorder, acknowledge, until

from gateway.clock import Clock
from gateway.ingest.mqtt import BrokerClient, ClientSettings, Endpoint, Refusal, Will
from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.connection import Connection
from gateway.ingest.mqtt.encode import encode
from gateway.ingest.mqtt.packets import DUP, QOS_1, Connack, Connect
from gateway.ingest.mqtt.reasons import Reason

FILTERS = ("patrol/v1/+/+/up", "patrol/v1/+/+/state")
# What the scripted brokers answer to the SUBSCRIBE: QoS 1 on both filters.
GRANTED_311 = b"\x90\x04\0\x01\x01\x01"
GRANTED_5 = b"\x90\x05\0\x01\0\x01\x01"
QUICK = ClientSettings(first_delay_s=0.01, longest_delay_s=0.05)
OpenClient = Callable[..., Awaitable[BrokerClient]]


@pytest.fixture
async def open_client(recorder: Recorder) -> AsyncIterator[OpenClient]:
    """Opens clients and closes them after the test."""
    opened: list[BrokerClient] = []

    async def open_one(url: str, *, wait: bool = True, **options: Any) -> BrokerClient:
        options = {"settings": QUICK, **options}
        client = BrokerClient(url, "gateway", FILTERS, recorder, **options)
        opened.append(client)
        await client.start()
        if wait:
            await asyncio.wait_for(client.wait_connected(), 10)
        return client

    yield open_one
    for client in opened:
        await client.close()


async def publish(broker: Mosquitto, *payloads: bytes, topic: str = UP, retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as device:
        for payload in payloads:
            await device.publish(topic, payload, qos=1, retain=retain)


async def test_messages_come_in_order_with_a_link_that_speaks_for_nobody(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    client = await open_client(mosquitto.url)
    assert client.version == 5
    payloads = [b"%d" % number for number in range(100)]
    await publish(mosquitto, *payloads)
    await recorder.wait(100)
    assert recorder.payloads == payloads
    assert recorder.deliveries[0].topic == UP
    assert recorder.deliveries[0].link.speaks_for is None
    assert not recorder.deliveries[0].retained


async def test_the_retained_state_comes_marked_on_every_connect(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    await publish(mosquitto, b"on", topic=STATE, retain=True)
    await open_client(mosquitto.url)
    (delivery,) = await recorder.wait(1)
    assert (delivery.topic, delivery.payload, delivery.retained) == (STATE, b"on", True)


async def test_the_broker_keeps_messages_while_the_client_is_away(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    client = await open_client(mosquitto.url)
    await client.close()
    assert not client.connected
    payloads = [b"%d" % number for number in range(50)]
    await publish(mosquitto, *payloads)
    assert recorder.deliveries == []
    await open_client(mosquitto.url)
    await recorder.wait(50)
    assert recorder.payloads == payloads


async def test_what_was_not_acknowledged_is_delivered_again(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    recorder.hold = True
    client = await open_client(mosquitto.url)
    await publish(mosquitto, b"stored", b"lost", b"lost too")
    first = list(await recorder.wait(3))
    acknowledge(first[:1])
    await client.close()
    # Too late: this link has ended, and its identifiers may be in use again.
    acknowledge(first[1:])
    await open_client(mosquitto.url)
    await recorder.wait(5)
    assert recorder.payloads[3:] == [b"lost", b"lost too"]
    assert recorder.deliveries[3].link is not first[1].link


async def test_the_receive_maximum_bounds_what_is_under_way(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    recorder.hold = True
    await open_client(mosquitto.url, settings=ClientSettings(receive_maximum=10))
    await publish(mosquitto, *(b"%d" % number for number in range(30)))
    await recorder.wait(10)
    for done in (10, 20, 30):
        assert len(recorder.deliveries) == done
        acknowledge(recorder.deliveries[done - 10 : done])
        await recorder.wait(min(done + 10, 30))


async def test_it_connects_again_when_the_broker_restarts_and_nothing_is_lost(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    changes: list[bool] = []
    client = await open_client(mosquitto.url, on_change=changes.append, clock=Clock(5_000, 0, 0.0))
    assert client.connected_since == 5_000
    await publish(mosquitto, b"before")
    await recorder.wait(1)
    await mosquitto.stop()
    await until(lambda: not client.connected)
    assert client.connected_since is None
    await until(lambda: client.problem is not None and "that the broker runs" in client.problem)
    await mosquitto.start()
    await asyncio.wait_for(client.wait_connected(), 10)
    assert client.problem is None
    await publish(mosquitto, b"after")
    await until(lambda: b"after" in recorder.payloads)
    # At least once: the broker may have gone before it read the acknowledgement of the first.
    assert list(dict.fromkeys(recorder.payloads)) == [b"before", b"after"]
    assert changes == [True, False, True]


async def test_it_survives_a_broker_that_is_killed(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    client = await open_client(mosquitto.url)
    await mosquitto.kill()
    await until(lambda: not client.connected)
    assert client.publish("riverside", "scanner-1", "down/cmd", b"queued")
    await mosquitto.start()
    # The queued command leaves as soon as the client is back; a retained copy cannot exist, so ask the counter.
    await until(lambda: client.counters.messages_out == 1)
    await publish(mosquitto, b"after")
    await recorder.wait(1)
    assert recorder.payloads == [b"after"]


async def test_it_starts_before_its_broker(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    await mosquitto.stop()
    client = await open_client(mosquitto.url, wait=False)
    await until(lambda: client.problem is not None)
    assert not client.connected
    await mosquitto.start()
    await asyncio.wait_for(client.wait_connected(), 10)


async def test_commands_reach_a_device_through_the_broker_with_their_expiry(
    mosquitto: Mosquitto, open_client: OpenClient
) -> None:
    client = await open_client(mosquitto.url)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port, protocol=aiomqtt.ProtocolVersion.V5) as device:
        await device.subscribe("patrol/v1/riverside/scanner-1/down/#", qos=1)
        assert client.publish("riverside", "scanner-1", "down/cmd", b"go", expiry_s=30)
        assert client.publish("riverside", "scanner-1", "down/ack", b"7", qos=0)
        assert client.send("device/camera/message/down/gpio_out", b"elsewhere")
        messages = device.messages
        command, ack = await anext(messages), await anext(messages)
    assert (str(command.topic), command.payload, command.qos) == (
        "patrol/v1/riverside/scanner-1/down/cmd",
        b"go",
        1,
    )
    assert command.properties is not None
    assert command.properties.MessageExpiryInterval in (29, 30)
    assert (ack.payload, ack.qos) == (b"7", 0)


async def test_a_full_queue_and_an_absent_broker_refuse(
    mosquitto: Mosquitto, open_client: OpenClient
) -> None:
    await mosquitto.stop()
    client = await open_client(mosquitto.url, wait=False, settings=ClientSettings(max_queue=1))
    assert not client.publish("riverside", "scanner-1", "down/ack", b"now", qos=0)
    assert client.publish("riverside", "scanner-1", "down/cmd", b"first")
    assert not client.publish("riverside", "scanner-1", "down/cmd", b"second")
    assert client.counters.dropped == 2


async def test_its_last_will_is_published_by_the_broker(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    will = Will("patrol/gateway/state", b"gone", 1)
    client = await open_client(mosquitto.url, will=will)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as watcher:
        await watcher.subscribe("patrol/gateway/state", qos=1)
        await publish(mosquitto, b"x")
        (delivery,) = await recorder.wait(1)
        assert isinstance(delivery.link, Connection)
        delivery.link.abort()  # cut like a cable
        assert (await anext(watcher.messages)).payload == b"gone"
    await asyncio.wait_for(client.wait_connected(), 10)


async def test_pausing_stops_the_stream_until_it_is_resumed(
    mosquitto: Mosquitto, recorder: Recorder, open_client: OpenClient
) -> None:
    await open_client(mosquitto.url)
    await publish(mosquitto, b"first")
    (delivery,) = await recorder.wait(1)
    delivery.link.pause()
    await publish(mosquitto, b"second")  # the broker has it when this returns
    assert recorder.payloads == [b"first"]
    delivery.link.resume()
    await recorder.wait(2)
    assert recorder.payloads == [b"first", b"second"]


async def test_a_wrong_password_is_explained(
    make_mosquitto: Callable[[str], Awaitable[Mosquitto]], open_client: OpenClient
) -> None:
    broker = await make_mosquitto("allow_anonymous false\n")
    client = await open_client(f"mqtt://user:wrong@127.0.0.1:{broker.port}", wait=False)
    await until(lambda: client.problem is not None)
    assert client.problem is not None
    assert "refuses the connection: not_authorized" in client.problem
    assert "wrong" not in client.problem


async def test_two_clients_of_the_same_code_meet_at_the_endpoint(
    open_client: OpenClient, recorder: Recorder
) -> None:
    """The endpoint grants no foreign subscription, and the client says so instead of listening to nothing."""
    endpoint = Endpoint(recorder, port=0)
    await endpoint.start()
    client = await open_client(f"mqtt://127.0.0.1:{endpoint.port}", wait=False)
    await until(lambda: client.problem is not None)
    assert client.problem is not None
    assert f"does not grant QoS 1 on {FILTERS[0]}: not_authorized" in client.problem
    await client.close()
    await endpoint.close()


async def test_the_broker_may_be_reached_over_tls(
    make_mosquitto: Callable[[str], Awaitable[Mosquitto]],
    recorder: Recorder,
    open_client: OpenClient,
    certificate: Path,
) -> None:
    broker = await make_mosquitto(f"allow_anonymous true\ncertfile {certificate}\nkeyfile {certificate}\n")
    url = f"mqtts://127.0.0.1:{broker.port}"
    suspicious = await open_client(url, wait=False)
    await until(lambda: suspicious.problem is not None)
    assert suspicious.problem is not None
    assert "certificate" in suspicious.problem
    await suspicious.close()
    trusting = ssl.create_default_context(cafile=str(certificate))
    client = await open_client(url, tls=trusting)
    assert client.publish("riverside", "scanner-1", "up", b"echo")
    await recorder.wait(1)
    assert recorder.payloads == [b"echo"]


class OldBroker:
    """A server that answers a version 5 CONNECT as brokers of the 3.1.1 age do: by code 1, or by hanging up."""

    def __init__(self, answer: bytes) -> None:
        self.levels: list[int] = []
        self.port = 0
        self._answer = answer
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        assert self._writer
        self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        head = await reader.readexactly(9)
        self.levels.append(head[8])
        if head[8] == 5:
            writer.write(self._answer)
        else:
            await reader.read(1 << 16)
            writer.write(encode(Connack(), 4))
            await reader.read(1 << 16)
            writer.write(GRANTED_311)
            await reader.read()
        writer.close()


@pytest.mark.parametrize("answer", [b"\x20\2\0\1", b""])
async def test_it_falls_back_to_3_1_1(open_client: OpenClient, answer: bytes) -> None:
    broker = OldBroker(answer)
    await broker.start()
    client = await open_client(f"mqtt://127.0.0.1:{broker.port}")
    assert client.version == 4
    assert broker.levels == [5, 4]
    broker.hang_up()
    await until(lambda: len(broker.levels) == (3 if answer else 4))
    # A refusal in words is remembered; hanging up may have had another cause, so 5 is tried first again.
    assert broker.levels[2] == (4 if answer else 5)
    await client.close()
    await broker.stop()


@pytest.mark.parametrize("present", [True, False])
async def test_what_a_broker_has_not_acknowledged_is_sent_again(
    open_client: OpenClient, present: bool
) -> None:
    """With DUP when the broker still has the session, as a new message when it has lost it."""
    flags: list[int] = []
    again = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(encode(Connack(present and bool(flags)), 5))
        await reader.read(1 << 16)
        writer.write(GRANTED_5)
        parser = Parser(from_client=True)
        parser.feed(encode(Connect("gateway"), 5))
        published = None
        while published is None:  # pings come before and between
            packets = parser.feed(await reader.read(1 << 16))
            published = next((each for each in packets if isinstance(each, tuple)), None)
        flags.append(published[3])
        if len(flags) == 2:
            again.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = await open_client(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert client.publish("riverside", "scanner-1", "down/cmd", b"go")
    await asyncio.wait_for(again.wait(), 10)
    assert flags == [QOS_1, QOS_1 | DUP if present else QOS_1]
    await client.close()
    server.close()


async def test_a_silent_broker_is_dead_after_a_keep_alive(open_client: OpenClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(encode(Connack(), 5) + GRANTED_5)
        while await reader.read(1 << 16):
            pass  # pings are heard and not answered
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = ClientSettings(keep_alive_s=1, first_delay_s=60)
    client = await open_client(f"mqtt://127.0.0.1:{port}", settings=settings)
    await until(lambda: not client.connected)
    await until(lambda: client.problem is not None)
    assert client.problem is not None
    assert "nothing was heard" in client.problem
    await client.close()
    server.close()


async def test_a_broker_that_never_answers_is_given_up(open_client: OpenClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = ClientSettings(connect_timeout_s=0.05, first_delay_s=60)
    client = await open_client(f"mqtt://127.0.0.1:{port}", wait=False, settings=settings)
    await until(lambda: client.problem is not None)
    assert client.problem is not None
    assert "does not answer" in client.problem
    server.close()


async def test_a_refusal_by_the_endpoint_is_explained(recorder: Recorder, open_client: OpenClient) -> None:
    endpoint = Endpoint(recorder, port=0, authorise=lambda *_: Refusal(Reason.BANNED))
    await endpoint.start()
    client = await open_client(f"mqtt://127.0.0.1:{endpoint.port}", wait=False)
    await until(lambda: client.problem is not None)
    assert client.problem is not None
    assert "banned" in client.problem
    await client.close()
    await endpoint.close()
