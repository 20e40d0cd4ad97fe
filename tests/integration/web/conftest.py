"""A running gateway at the harbour, with a clock that is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.service import Service
from gateway.settings import Settings
from gateway.web.server import WebServer
from tests.integration.web.gateway_kit import Gateway, HandClock
from tests.unit.web.harbour import BEGIN, HARBOUR


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """Service, web server, a client of the API and a connection for devices; it is 18:00 at the harbour."""
    site_file = tmp_path / "harbour.yaml"
    site_file.write_text(HARBOUR, "utf-8")
    clock = HandClock(BEGIN)
    settings = Settings(
        database=f"sqlite:///{tmp_path}/patrol.sqlite",
        data=tmp_path,
        broker="embedded://127.0.0.1:0",
        http="127.0.0.1:0",
        sites=(site_file,),
        clock=clock,
    )
    async with Service(settings) as service:
        server = WebServer(service, "127.0.0.1", 0)
        await server.start()
        try:
            async with Gateway.connect(service, server, clock) as gateway:
                yield gateway
        finally:
            await server.close()
