"""One site's live stream: what its pages are told, and the page that does not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from gateway.web.live import KEPT_DELTAS, QUEUE, Client, Stream


class Site:
    """A board to change by hand, and its stream."""

    def __init__(self) -> None:
        self.board: dict[str, Any] = {"hero": {"major": 0}, "alerts": []}
        self.stream = Stream(self._render, lambda: "now", 41)

    def _render(self) -> dict[str, msgspec.Raw]:
        return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in self.board.items()}

    def change(self, **sections: Any) -> None:
        self.board |= sections
        self.stream.refresh()

    def listen(self, since: int | None = None) -> Client:
        client = Client()
        self.stream.join(client, since)
        return client


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    yield site
    site.stream.stop()


def told(client: Client) -> list[dict[str, Any]]:
    """What waits for a page."""
    return [json.loads(client.queue.get_nowait()) for _ in range(client.queue.qsize())]


async def test_a_new_page_gets_the_board_then_what_changes(site: Site) -> None:
    page = site.listen()
    assert told(page) == [
        {"type": "snapshot", "seq": 41, "board": {"hero": {"major": 0}, "alerts": [], "now": "now"}}
    ]
    site.stream.refresh()
    assert told(page) == []
    site.change(hero={"major": 1})
    site.stream.tick()
    assert told(page) == [
        {"type": "delta", "seq": 42, "now": "now", "sections": {"hero": {"major": 1}}},
        {"type": "tick", "seq": 42, "now": "now"},
    ]


async def test_a_page_that_comes_back_gets_what_it_missed(site: Site) -> None:
    page = site.listen()
    site.change(hero={"major": 1})
    site.stream.leave(page)
    site.board["alerts"] = ["A-1"]  # while nobody listened
    assert [(each["type"], each["seq"]) for each in told(site.listen(since=41))] == [
        ("delta", 42),
        ("delta", 43),
    ]
    assert [each["seq"] for each in told(site.listen(since=42))] == [43]
    assert told(site.listen(since=43)) == []


@pytest.mark.parametrize("since", [None, 7, 40, 45, 10**15])
async def test_a_page_that_cannot_be_served_by_deltas_gets_the_board(site: Site, since: int | None) -> None:
    site.listen()
    site.change(hero={"major": 1})
    assert [(each["type"], each["seq"]) for each in told(site.listen(since))] == [("snapshot", 42)]


async def test_deltas_are_kept_for_a_while_only(site: Site) -> None:
    site.listen()
    for count in range(KEPT_DELTAS + 1):
        site.change(hero={"major": count + 1})
    assert told(site.listen(since=41))[0]["type"] == "snapshot"
    missed = told(site.listen(since=42))
    assert [each["seq"] for each in missed] == list(range(43, 43 + KEPT_DELTAS))


async def test_a_page_that_does_not_read_is_cut_off_and_the_others_are_not(site: Site) -> None:
    slow, quick = site.listen(), site.listen()
    for count in range(QUEUE):
        site.change(hero={"major": count + 1})
        told(quick)
    assert slow.cut.is_set() and slow.queue.qsize() == QUEUE
    assert not quick.cut.is_set()
    site.change(hero={"major": 0})
    assert slow.queue.qsize() == QUEUE
    assert len(told(quick)) == 1


async def test_no_work_without_pages(site: Site) -> None:
    page = site.listen()
    assert site.stream._task is not None
    site.stream.leave(page)
    assert site.stream._task is None


async def test_a_board_that_cannot_be_made_is_not_ticked(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages that hear nothing show that what they know is stale."""
    monkeypatch.setattr("gateway.web.live.TICK_S", 0.0)
    monkeypatch.setattr("gateway.web.live.RECOMPUTE_S", 0.01)
    monkeypatch.setattr("gateway.web.live.COALESCE_S", 0.01)
    page = site.listen()
    assert json.loads(await page.queue.get())["type"] == "snapshot"
    assert json.loads(await page.queue.get())["type"] == "tick"
    whole, site.board = site.board, {"broken": object()}
    site.stream.changed.set()
    while "cannot be worked out" not in caplog.text:
        told(page)
        await asyncio.sleep(0.005)
    told(page)
    for _ in range(5):
        await asyncio.sleep(0.005)
    assert told(page) == []
    site.board = whole
    assert json.loads(await page.queue.get())["type"] == "tick"
