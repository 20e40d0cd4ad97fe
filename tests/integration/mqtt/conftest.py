"""Fixtures: an endpoint on a free port, a recording receiver, a real mosquitto."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from mqtt_broker import MOSQUITTO, Mosquitto
from mqtt_peer import OpenEndpoint, Recorder

from gateway.ingest.mqtt import Endpoint


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test runs on both event loops: the service uses uvloop, and its transports differ."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def open_endpoint(recorder: Recorder) -> AsyncIterator[OpenEndpoint]:
    """Opens endpoints on free ports and closes them after the test."""
    opened: list[Endpoint] = []

    async def open_one(**options: Any) -> Endpoint:
        endpoint = Endpoint(recorder, **{"port": 0, **options})
        await endpoint.start()
        opened.append(endpoint)
        return endpoint

    yield open_one
    for endpoint in opened:
        await endpoint.close()


@pytest.fixture
async def endpoint(open_endpoint: OpenEndpoint) -> Endpoint:
    return await open_endpoint()


@pytest.fixture
async def make_mosquitto(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[Mosquitto]]]:
    """Starts brokers with extra lines of configuration."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    made: list[Mosquitto] = []

    async def make(extra: str = "") -> Mosquitto:
        folder = tmp_path / f"broker-{len(made)}"
        folder.mkdir()
        broker = Mosquitto(folder, extra)
        made.append(broker)
        await broker.start()
        return broker

    yield make
    for broker in made:
        await broker.kill()


@pytest.fixture
async def mosquitto(make_mosquitto: Callable[[str], Awaitable[Mosquitto]]) -> Mosquitto:
    return await make_mosquitto("")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(path / "pair.pem"), "-out", str(path / "crt.pem"), "-days", "3650"],
        check=True, capture_output=True,
    )  # fmt: skip
    with (path / "pair.pem").open("a") as pair:
        pair.write((path / "crt.pem").read_text())
    return path / "pair.pem"
