"""What the tests of the web share: a gateway to call, to look at and to send records to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import httpx
import websockets

from gateway.clock import Clock
from gateway.instants import rfc3339
from gateway.service import Service
from gateway.web.server import WebServer
from tests.unit.web.harbour import local

Json = dict[str, Any]
WAIT_S = 10.0


class HandClock(Clock):
    """A clock that shows what it is set to (ms)."""

    __setattr__ = object.__setattr__  # a clock is frozen, this one is not

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        return self.at

    def ahead(self) -> float:
        return 0.0  # it is a test that sets it, and nobody is to be told


class Gateway:
    """A running gateway."""

    def __init__(
        self,
        service: Service,
        server: WebServer,
        clock: HandClock,
        http: httpx.AsyncClient,
        mqtt: aiomqtt.Client,
    ) -> None:
        self.service = service
        self.server = server
        self.clock = clock
        self.http = http
        self._mqtt = mqtt
        self._seqs: dict[str, int] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, service: Service, server: WebServer, clock: HandClock) -> AsyncIterator[Gateway]:
        assert service.endpoint is not None
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=WAIT_S) as http,
            aiomqtt.Client("127.0.0.1", service.endpoint.port, identifier="bridge") as mqtt,
        ):
            yield cls(service, server, clock, http, mqtt)

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """The answer's JSON; `from_` is sent as `from`."""
        query = {name.rstrip("_"): value for name, value in query.items()}
        answer = await self.http.get(f"/api{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = await self.http.post(f"/api{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put_plan(
        self, text: str | bytes, site: str = "harbour", status: int = 200, **query: str
    ) -> Any:
        answer = await self.http.put(
            f"/api/sites/{site}/plan",
            content=text,
            params={name.rstrip("_"): value for name, value in query.items()},
            headers={"Content-Type": "application/yaml"},
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    async def publish(self, topic: str, payload: bytes | str) -> None:
        """Send a message as a device does. Returns when it is stored: only then is it acknowledged."""
        await self._mqtt.publish(f"patrol/v1/{topic}", payload, qos=1, timeout=WAIT_S)

    async def record(self, device: str, type: str, site: str = "harbour", **members: Any) -> Json:
        """Send a record of something that happens now."""
        self._seqs[device] = self._seqs.get(device, 0) + 1
        now = rfc3339(self.clock.at)
        record = {"type": type, "boot": "b1", "seq": self._seqs[device], "at": now, "sent_at": now} | members
        await self.publish(f"{site}/{device}/up", json.dumps(record, ensure_ascii=False))
        return record

    async def becomes(self, text: str) -> None:
        """Set the clock to a local time of the harbour, and wait until the deadlines up to then are judged."""
        self.clock.at = local(text)
        await self.service.engine.request(lambda work: None)  # the engine looks at the time
        await self.service.engine.request(lambda work: None)  # what it saw then is stored

    @contextlib.asynccontextmanager
    async def live(
        self, site: str = "harbour", since: int | None = None, **options: Any
    ) -> AsyncIterator[Page]:
        """A page that listens to the live stream."""
        query = f"site={site}" + ("" if since is None else f"&since={since}")
        url = f"ws://127.0.0.1:{self.server.port}/api/live?{query}"
        async with websockets.connect(url, proxy=None, **options) as ws:
            yield Page(ws)


class Page:
    """One end of a live stream."""

    def __init__(self, ws: websockets.ClientConnection) -> None:
        self.ws = ws

    async def next(self) -> Json:
        """The next message."""
        async with asyncio.timeout(WAIT_S):
            message: Json = json.loads(await self.ws.recv())
            return message

    async def until(self, type: str, section: str | None = None) -> Json:
        """The next message of a type, and where asked with a section."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.next()
                if message["type"] == type and (section is None or section in message["sections"]):
                    return message
