"""What the MQTT tests share: a recording receiver, and a peer that sends exactly what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.ingest.delivery import Delivery
from gateway.ingest.mqtt import Endpoint
from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.packets import V5, V311, Connack, Connect, Control, Disconnect, Packet, Will
from gateway.ingest.mqtt.properties import Properties

TIMEOUT_S = 10.0
UP = "patrol/v1/riverside/scanner-1/up"
STATE = "patrol/v1/riverside/scanner-1/state"
DOWN = "patrol/v1/riverside/scanner-1/down/#"
BOTH = (V311, V5)

OpenEndpoint = Callable[..., Awaitable[Endpoint]]  # takes the options of Endpoint


class Recorder:
    """A receiver that keeps what it is given, and acknowledges at once unless `hold` is set."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.calls: list[list[Delivery]] = []
        self.deliveries: list[Delivery] = []
        self._changed = asyncio.Event()

    def __call__(self, deliveries: list[Delivery]) -> None:
        assert deliveries
        self.calls.append(deliveries)
        self.deliveries += deliveries
        if not self.hold:
            acknowledge(deliveries)
        self._changed.set()

    @property
    def payloads(self) -> list[bytes]:
        return [each.payload for each in self.deliveries]

    async def wait(self, count: int) -> list[Delivery]:
        """Wait until `count` deliveries have come."""
        await until(lambda: len(self.deliveries) >= count, self._changed)
        return self.deliveries


def acknowledge(deliveries: list[Delivery]) -> None:
    """Tell each link, in one call for each, that its deliveries are stored."""
    for link in {id(each.link): each.link for each in deliveries}.values():
        ids = [each.packet_id for each in deliveries if each.link is link and each.packet_id]
        link.acknowledge(ids)


async def until(condition: Callable[[], bool], changed: asyncio.Event | None = None) -> None:
    """Wait for a condition; look again when `changed` is set, or else in every turn of the loop."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():
            if changed is None:
                await asyncio.sleep(0.002)
            else:
                changed.clear()
                await changed.wait()


class Peer:
    """One connection to the endpoint, packet by packet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.version = version
        self.connack = Connack()
        self._reader = reader
        self._writer = writer
        self._parser = Parser(from_client=False, version=version, max_packet=1 << 24)
        self._packets: list[Packet] = []

    @classmethod
    async def open(cls, port: int, version: int = V5) -> Peer:
        """Connect TCP only."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, version)

    @classmethod
    async def connect(
        cls,
        port: int,
        client_id: str = "riverside/scanner-1",
        version: int = V5,
        *,
        clean: bool = True,
        keep_alive: int = 60,
        username: str | None = None,
        will: Will | None = None,
        expiry: int | None = None,
        properties: Properties | None = None,
    ) -> Peer:
        """Connect and read the CONNACK. `expiry` is the session's, in s."""
        self = await cls.open(port, version)
        properties = properties or Properties()
        if version == V5:
            properties.session_expiry_interval = expiry
        self.send(Connect(client_id, version, clean, keep_alive, username, will=will, properties=properties))
        packet = await self.next()
        assert isinstance(packet, Connack)
        self.connack = packet
        return self

    def send(self, *packets: Control) -> None:
        self.write(b"".join(encode(each, self.version) for each in packets))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def publish(self, payload: bytes, packet_id: int = 0, *, topic: str = UP, **how: bool | int) -> None:
        qos = int(how.get("qos", 1 if packet_id else 0))
        retain, dup = bool(how.get("retain")), bool(how.get("dup"))
        self.write(
            encode_publish(self.version, topic, payload, qos=qos, packet_id=packet_id, retain=retain, dup=dup)
        )

    async def next(self) -> Packet:
        """The next packet; ConnectionError when the connection ends instead."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self._packets:
                data = await self._reader.read(1 << 16)
                if not data:
                    raise ConnectionError("closed")
                self._packets += self._parser.feed(data)
                assert self._parser.fault is None
        return self._packets.pop(0)

    async def end(self) -> Disconnect | None:
        """Wait for the endpoint to close the connection; its DISCONNECT, if there was one."""
        last: Packet | None = None
        try:
            while True:
                last = await self.next()
        except ConnectionError:
            return last if isinstance(last, Disconnect) else None

    async def close(self) -> None:
        """Close without a DISCONNECT."""
        self._writer.close()
        await self._writer.wait_closed()

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    async def disconnect(self, packet: Disconnect | None = None) -> None:
        """Say goodbye and wait until the endpoint has closed."""
        self.send(packet or Disconnect())
        assert await self.end() is None
