"""The live stream, over a real WebSocket, after real messages of devices."""

from __future__ import annotations

import asyncio
import json

import pytest
import websockets

from gateway.instants import rfc3339
from gateway.web import board_models
from tests.integration.web.gateway_kit import WAIT_S, Gateway
from tests.unit.web.harbour import QUAY


async def nobody_listens(gateway: Gateway) -> None:
    """Wait until every page is gone."""
    async with asyncio.timeout(WAIT_S):
        while gateway.server.live.listening:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_hello_snapshot_delta_tick(gateway: Gateway) -> None:
    async with gateway.live() as page:
        hello = await page.next()
        assert hello == {
            "type": "hello",
            "build": (await gateway.get("/health"))["build"],
            "site": "harbour",
            "tz": "Asia/Shanghai",
            "now": rfc3339(gateway.clock.at),
            "speed": 1.0,
        }
        snapshot = await page.next()
        assert snapshot["type"] == "snapshot"
        board_models.Board.model_validate(snapshot["board"])
        assert snapshot["board"] == await gateway.get("/sites/harbour/board")

        gateway.clock.at += 60_000
        await gateway.record("scanner-1", "scan", tag=QUAY)
        delta = await page.next()
        assert (delta["type"], delta["seq"], delta["now"]) == (
            "delta",
            snapshot["seq"] + 1,
            rfc3339(gateway.clock.at),
        )
        assert set(delta["sections"]) == {"rounds", "devices"}
        assert snapshot["board"] | delta["sections"] | {"now": delta["now"]} == await gateway.get(
            "/sites/harbour/board"
        )
        tick = await page.next()
        assert tick == {"type": "tick", "seq": delta["seq"], "now": rfc3339(gateway.clock.at)}


async def test_time_alone_changes_the_board(gateway: Gateway) -> None:
    async with gateway.live() as page:
        await page.until("snapshot")
        await gateway.becomes("23 19:06")
        delta = await page.until("delta", "alerts")
        assert [each["kind"] for each in delta["sections"]["alerts"]] == ["round_missed"]
        assert delta["sections"]["hero"] == {"critical": 0, "major": 1, "minor": 0}


async def test_an_act_of_one_page_is_seen_by_the_others(gateway: Gateway) -> None:
    await gateway.record("gate-east", "gate", event="forced")
    async with gateway.live() as one, gateway.live() as other:
        alert = (await one.until("snapshot"))["board"]["alerts"][0]["id"]
        await other.until("snapshot")
        await gateway.post(f"/alerts/{alert}/acknowledge", by="wang")
        for page in (one, other):
            delta = await page.until("delta", "alerts")
            assert delta["sections"]["alerts"][0]["state"] == "acknowledged"
    assert "patrol_live_pages" in (await gateway.http.get("/metrics")).text


async def test_coming_back_with_since(gateway: Gateway) -> None:
    async with gateway.live() as page:
        seq = (await page.until("snapshot"))["seq"]
    await gateway.record("gate-east", "gate", event="opened")
    async with gateway.live(since=seq) as page:
        assert (await page.next())["type"] == "hello"
        delta = await page.next()
        assert (delta["type"], delta["seq"]) == ("delta", seq + 1)
        assert delta["sections"]["gates"][0]["position"] == "open"
    async with gateway.live(since=seq - 1) as page:
        assert [(await page.next())["type"] for _ in range(2)] == ["hello", "snapshot"]


async def test_an_unknown_site_is_told_apart(gateway: Gateway) -> None:
    async with gateway.live("elsewhere") as page:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404


async def test_a_page_of_another_origin_hears_nothing(gateway: Gateway) -> None:
    for origin in ("http://evil.example", "null"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with gateway.live(origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with gateway.live(origin=gateway.server.url) as page:
        assert (await page.next())["type"] == "hello"


async def test_a_page_that_does_not_read_is_cut_off_with_1013(gateway: Gateway) -> None:
    # Large messages fill the buffers of the network, after which they wait in the queue.
    async with gateway.live(max_queue=1) as page:
        await page.until("snapshot")
        stream = gateway.server.live._streams["harbour"]
        (client,) = stream.clients
        page.ws.transport.pause_reading()
        filler = json.dumps({"type": "filler", "x": "x" * 1_000_000})
        async with asyncio.timeout(WAIT_S):
            while not client.cut.is_set():
                stream._tell(filler)
                await asyncio.sleep(0)
        await nobody_listens(gateway)
        page.ws.transport.resume_reading()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await page.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013


async def test_pages_go_and_nothing_is_left(gateway: Gateway) -> None:
    async with gateway.live() as page:
        await page.until("snapshot")
        assert gateway.server.live.listening == 1
    await nobody_listens(gateway)


async def test_what_a_page_says_is_not_listened_to(gateway: Gateway) -> None:
    async with gateway.live() as page:
        await page.until("snapshot")
        await page.ws.send("hello?")
        assert (await page.next())["type"] == "tick"
        await page.ws.send("x" * 10_000)
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await page.next()


async def test_closing_ends_the_streams_at_once(gateway: Gateway) -> None:
    async with gateway.live() as page:
        await page.until("snapshot")
        async with asyncio.timeout(2):
            await gateway.server.close()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
