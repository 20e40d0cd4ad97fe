"""A running service, and the devices that speak to it with a real MQTT client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.instants import rfc3339
from gateway.service import Service
from gateway.store.port import FactRow, Refused, Store
from tests.integration.service.yard import WAIT_S, encode, record, until


class Device:
    """A device, played by paho on a thread of its own."""

    def __init__(self, port: int, name: str, *, will: bool = True, version: Any = paho.MQTTv311) -> None:
        self.name = name
        self.topic = f"patrol/v1/yard/{name}"
        self.seq = 0
        self.acks: list[dict[str, Any]] = []
        self.on_puback: Callable[[int], None] | None = None
        self._acked: set[int] = set()
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"yard/{name}", protocol=version)
        self._client.max_inflight_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        if will:
            self._client.will_set(f"{self.topic}/state", '{"online": false}', qos=1, retain=True)
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.subscribe(f"{self.topic}/down/ack", qos=1)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def _on_publish(self, client: Any, userdata: Any, mid: int, *_: Any) -> None:
        if self.on_puback is not None:
            self.on_puback(mid)
        with self._changed:
            self._acked.add(mid)
            self._changed.notify_all()

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        assert message.topic == f"{self.topic}/down/ack"
        with self._changed:
            self.acks.append(json.loads(message.payload))
            self._changed.notify_all()

    def send(self, payload: bytes, topic: str | None = None, *, retain: bool = False) -> int:
        """Publish at QoS 1 without waiting; the packet's number."""
        return self._client.publish(topic or f"{self.topic}/up", payload, qos=1, retain=retain).mid

    def wait_acked(self, mid: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: mid in self._acked, WAIT_S), "no PUBACK"

    async def publish(self, payload: bytes, topic: str | None = None, *, retain: bool = False) -> None:
        """Publish at QoS 1, and wait for the acknowledgement."""
        await asyncio.to_thread(lambda: self.wait_acked(self.send(payload, topic, retain=retain)))

    async def report(self, *, at: int, type: str = "scan", **members: Any) -> dict[str, Any]:
        """Send the next record, of something that happened at an instant (ms)."""
        self.seq += 1
        made = record(self.seq, type, at=at, sent_at=rfc3339(at), **members)
        await self.publish(encode(made))
        return made

    async def told(self, boot: str, seq: int) -> None:
        """Wait until the gateway says that everything up to here is stored."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: {"boot": boot, "seq": seq} in self.acks, WAIT_S)

        assert await asyncio.to_thread(wait), f"no down/ack of {boot}/{seq}, but {self.acks}"

    def vanish(self) -> None:
        """Lose the connection without a word, as a flat battery does."""
        self._client.loop_stop()
        socket = self._client.socket()
        assert socket is not None
        socket.close()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Running:
    """A service that runs."""

    def __init__(self, service: Service, database: Path, port: int, way: str) -> None:
        self.service = service
        self.store: Store = service.store
        self.database = database
        self.port = port
        self.way = way

    @contextlib.asynccontextmanager
    async def device(self, name: str = "scanner-1", **how: Any) -> AsyncIterator[Device]:
        device = await asyncio.to_thread(lambda: Device(self.port, name, **how))
        try:
            yield device
        finally:
            await asyncio.to_thread(device.close)

    @property
    def now(self) -> int:
        return self.service.clock.now()

    async def facts(self) -> list[FactRow]:
        return [row for _, row in await self.store.facts("yard", 0, 2**53)]

    async def fact_count(self, count: int) -> None:
        """Wait until so many facts are stored; behind a broker nothing else tells."""

        async def there() -> bool:
            return len(await self.facts()) >= count

        await until(there)

    async def refused(self, count: int = 1) -> list[Refused]:
        """Wait until so much was refused."""

        async def there() -> bool:
            return sum((await self.store.quarantine_counts()).values()) >= count

        await until(there)
        return await self.store.quarantine()
