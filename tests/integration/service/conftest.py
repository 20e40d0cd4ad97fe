"""A running service at the yard, which devices reach in one of two ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.linked import Links, MqttLink
from gateway.service import Service
from gateway.settings import Settings
from tests.integration.service.broker import MOSQUITTO, Mosquitto
from tests.integration.service.running import Running
from tests.integration.service.yard import HOUR, set_up


@contextlib.asynccontextmanager
async def running(folder: Path, way: str, mqtt_links: tuple[MqttLink, ...] = ()) -> AsyncIterator[Running]:
    """`way`: the own endpoint, or a broker."""
    database = folder / "patrol.sqlite"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR // 2)
    async with contextlib.AsyncExitStack() as stack:
        url = "embedded://127.0.0.1:0"
        broker: Mosquitto | None = None
        if way == "broker":
            if MOSQUITTO is None:
                pytest.skip("mosquitto is not installed")
            broker = Mosquitto(folder)
            await broker.start()
            stack.push_async_callback(broker.stop)
            url = f"mqtt://127.0.0.1:{broker.port}"
        settings = Settings(database=f"sqlite:///{database}", broker=url, data=folder)
        service = await stack.enter_async_context(Service(settings, Links(mqtt=mqtt_links)))
        if service.client is not None:
            await service.client.wait_connected()
        port = broker.port if broker is not None else service.endpoint.port  # type: ignore[union-attr]
        yield Running(service, database, port, way)


@pytest.fixture(params=["endpoint", "broker"])
async def yard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    """The service at the yard, once with its own endpoint and once at a real broker."""
    async with running(tmp_path, request.param) as found:
        yield found


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Running]:
    """The service at the yard with its own endpoint."""
    async with running(tmp_path, "endpoint") as found:
        yield found
