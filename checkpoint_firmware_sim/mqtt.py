"""Devices on a real MQTT connection, each with a client of its own (aiomqtt).

A line keeps trying: a broker that is not there yet, or goes away, is what firmware has to live with. Everything
here runs in machine time; only what a device records is in simulated time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from socket import SHUT_RDWR, socket
from typing import Final
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from checkpoint_firmware_sim.device import Device

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 3.0
"""Seconds between two attempts to connect; each pause is twice as long as the one before."""

GOODBYE: Final = 1.0
"""Seconds that a broker has to take a goodbye."""

CLOSING: Final = 5.0
"""Seconds after which a line that does not end is left to itself."""

SESSION_EXPIRY: Final = 3600
"""Seconds that the broker keeps what it has for a device that is away."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker, or the gateway's own endpoint, listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read `mqtt://host:port`. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme != "mqtt" or not parts.hostname:
            raise ValueError(f"{url!r} is no broker; write mqtt://127.0.0.1:1883")
        return cls(parts.hostname, parts.port or 1883)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Message = tuple[str, bytes, int, bool]
"""Topic, payload, QoS and retain."""

Happen = Callable[[Callable[[], None]], None]
"""Lets something happen to a device at the present simulated time."""


class Line:
    """The connection of one device."""

    def __init__(self, device: Device, broker: Broker, happen: Happen, complaints: Complaints) -> None:
        self._device = device
        self._broker = broker
        self._happen = happen
        self._complaints = complaints
        self._in_reach = asyncio.Event()
        self._outgoing: asyncio.Queue[Message | None] = asyncio.Queue()
        self._client: aiomqtt.Client | None = None
        self._closing = asyncio.Event()

    def reach(self, reachable: bool) -> None:
        """Come into, or go out of, reach: then the connection breaks without a word, and the will is sent."""
        if reachable:
            self._in_reach.set()
            return
        self._in_reach.clear()
        sock = self._client._client.socket() if self._client else None
        if isinstance(sock, socket):
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Queue a message; it is lost when the connection breaks first, and the device will send it again."""
        self._outgoing.put_nowait((topic, payload, qos, retain))

    def close(self) -> None:
        """Let `keep` say goodbye and return.

        No task is cancelled for it: Python 3.11's `wait_for`, which aiomqtt uses, swallows a cancellation that
        comes at the same moment as what it waits for.
        """
        self._closing.set()
        self._in_reach.set()

    async def keep(self) -> None:
        """Connect whenever in reach, until closed."""
        pause = FIRST_PAUSE
        while True:
            await self._in_reach.wait()
            if self._closing.is_set():
                return
            try:
                async with self._new_client() as client:
                    for topic in self._device.subscriptions:
                        await client.subscribe(topic, qos=1)
                    self._complaints.settled(self._device.id)
                    pause = FIRST_PAUSE
                    await self._serve(client)
            except aiomqtt.MqttError as error:
                if not self._closing.is_set():
                    self._complaints.complain(self._device.id, error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            pause = min(2 * pause, LONGEST_PAUSE)

    def _new_client(self) -> aiomqtt.Client:
        topic, payload = self._device.last_will
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self._device.identity,
            username=self._device.identity,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            will=aiomqtt.Will(topic, payload, qos=1, retain=True),
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Carry messages until the connection breaks or the line is closed."""
        self._client = client
        outgoing = self._outgoing = asyncio.Queue()
        self._happen(self._device.link_up)
        sending = asyncio.create_task(self._send(client, outgoing))
        listening = asyncio.create_task(self._listen(client))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait((sending, listening, closing), return_when=asyncio.FIRST_COMPLETED)
            if self._closing.is_set():
                topic, payload = self._device.last_will
                await client.publish(topic, payload, qos=1, retain=True, timeout=GOODBYE)
        finally:
            self._client = None
            self._happen(self._device.link_down)
            outgoing.put_nowait(None)
            listening.cancel()
            closing.cancel()
            await asyncio.gather(listening, closing, return_exceptions=True)
        if not self._closing.is_set():
            raise aiomqtt.MqttError("the connection broke")

    async def _send(self, client: aiomqtt.Client, outgoing: asyncio.Queue[Message | None]) -> None:
        """Publish one message after the other; None is the last one."""
        with suppress(aiomqtt.MqttError):
            while (message := await outgoing.get()) is not None:
                await client.publish(*message)

    async def _listen(self, client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError):
            async for message in client.messages:
                if isinstance(message.payload, bytes):
                    self._happen(partial(self._device.receive, message.topic.value, message.payload))


class Complaints:
    """Says once that the broker is not there, and once that it is, however many devices notice."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._away: set[str] = set()

    def complain(self, device: str, error: Exception) -> None:
        """A device lost its connection, or got none."""
        if not self._away:
            log.warning("%s: no connection to %s (%s); devices keep trying", device, self._broker, error)
        self._away.add(device)

    def settled(self, device: str) -> None:
        """A device is connected."""
        if self._away:
            self._away.discard(device)
            if not self._away:
                log.info("all devices are connected to %s again", self._broker)


class MqttNetwork:
    """All lines of a site; a `Network` for `ScenarioRun`."""

    def __init__(self, broker: Broker, happen: Happen) -> None:
        self._broker = broker
        self._happen = happen
        self._complaints = Complaints(broker)
        self._lines: dict[str, Line] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def reach(self, device: Device, reachable: bool) -> None:
        """A device comes into, or goes out of, reach of the network."""
        if device.id not in self._lines:
            line = Line(device, self._broker, self._happen, self._complaints)
            self._lines[device.id] = line
            self._tasks.append(asyncio.create_task(line.keep(), name=f"line of {device.id}"))
        self._lines[device.id].reach(reachable)

    def publish(self, device: Device, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send a message of a device that is linked."""
        self._lines[device.id].publish(topic, payload, qos, retain)

    async def close(self) -> None:
        """Take all devices from the network; each says goodbye."""
        for line in self._lines.values():
            line.close()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=CLOSING)
            for task in stuck:
                task.cancel()
