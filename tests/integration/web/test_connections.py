"""Connections to the web that say nothing, not enough, or take all the room."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway.web import guard
from gateway.web.connections import PatientProtocol
from tests.integration.web.gateway_kit import WAIT_S, Gateway


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What still came until the gateway closed the connection."""
    try:
        async with asyncio.timeout(WAIT_S):
            return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("said", [b"", b"GET /api/health HTTP/1.1\r\nHost: loc"])
async def test_who_does_not_say_what_they_want_is_cut_off(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(PatientProtocol, "headers_s", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(said)
    assert await closed(reader) == b""
    writer.close()


async def test_nor_does_a_second_request_of_a_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "headers_s", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api")
    assert (await closed(reader)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_live_stream_outlasts_the_patience_for_requests(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "headers_s", 0.3)
    async with gateway.live() as page:
        await page.until("tick")  # after 2 s
        await page.until("tick")


async def test_a_body_that_trickles_is_given_up(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    head = b"PUT /api/sites/harbour/plan HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
    writer.write(head + b"Content-Length: 1000\r\n\r\nsite:")
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


@pytest.mark.parametrize("limit", ["most", "most_of_address"])
async def test_there_is_an_end_to_connections(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(PatientProtocol, limit, 3)
    await gateway.http.aclose()
    kept = [await asyncio.open_connection("127.0.0.1", gateway.server.port) for _ in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    assert await closed(reader) == b""
    writer.close()
    for _, each in kept:
        each.close()
        await each.wait_closed()
    async with httpx.AsyncClient(base_url=gateway.server.url) as http:
        assert (await http.get("/api/health")).status_code == 200
