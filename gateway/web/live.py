"""The live stream: one WebSocket for each page, fed with what changes on the board of its site (docs/api.md).

Only sites that somebody looks at are worked out. What was sent is kept as text, once for all pages of a site; a page
that lost its connection for a moment gets the changes that it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.desk import Desk
from gateway.instants import rfc3339
from gateway.service import Service
from gateway.web.access import SIGNED_OUT
from gateway.web.board import make_board

log = logging.getLogger("gateway")

TICK_S: Final = 2.0
"""How often a page is told that it is still heard (machine s)."""

RECOMPUTE_S: Final = 1.0
"""How long a board may go without being worked out again (machine s): time alone changes it, too."""

COALESCE_S: Final = 0.25
"""A board is worked out at most once in this time (machine s)."""

QUEUE: Final = 64
"""So many messages may wait for a page; then it is cut off."""

KEPT_DELTAS: Final = 48
"""How many changes of a site are kept for pages that come back; fewer than fit into a queue."""

CLOSE_S: Final = 10.0
"""How long a page that was cut off has to take what was sent before (machine s)."""

UNKNOWN_SITE: Final = 4404
TOO_SLOW: Final = 1013

_encode: Final = msgspec.json.Encoder().encode

Sections = dict[str, msgspec.Raw]
"""The board's members in JSON, but for `now`, which is of every message."""


class Client:
    """One page that listens, and the messages that wait for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str] = asyncio.Queue(QUEUE)
        self.cut = asyncio.Event()
        """Set when too many messages waited: it gets no more of them."""

    def offer(self, text: str) -> None:
        """Queue a message; a page with a full queue is cut off instead."""
        if self.cut.is_set():
            return
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.cut.set()


class Stream:
    """What the pages of one site are told."""

    def __init__(self, render: Callable[[], Sections], now: Callable[[], str], first_seq: int) -> None:
        """`first_seq` must be above every number that another run of the gateway gave."""
        self.clients: set[Client] = set()
        self.changed = asyncio.Event()
        self.seq = first_seq
        self._render = render
        self._now = now
        self._sections: Sections = {}
        self._deltas: deque[tuple[int, str]] = deque(maxlen=KEPT_DELTAS)
        self._task: asyncio.Task[None] | None = None

    def join(self, client: Client, since: int | None) -> None:
        """Let a page listen. It is sent the deltas after `since` when all of them are kept, else the whole board."""
        self.refresh()
        oldest = self._deltas[0][0] if self._deltas else self.seq + 1
        if since is not None and oldest - 1 <= since <= self.seq:
            for seq, text in self._deltas:
                if seq > since:
                    client.offer(text)
        else:
            board = self._sections | {"now": msgspec.Raw(_encode(self._now()))}
            client.offer(_text({"type": "snapshot", "seq": self.seq, "board": board}))
        self.clients.add(client)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="live")

    def leave(self, client: Client) -> None:
        """A page is gone; with the last one, the work for it ends."""
        self.clients.discard(client)
        if not self.clients:
            self.stop()

    def stop(self) -> None:
        """End the work."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def refresh(self) -> None:
        """Work the board out, and tell what is different from what was told last."""
        sections = self._render()
        changed = {name: raw for name, raw in sections.items() if self._sections.get(name) != raw}
        if self._sections and changed:
            self.seq += 1
            delta = {"type": "delta", "seq": self.seq, "now": self._now(), "sections": changed}
            text = _text(delta)
            self._deltas.append((self.seq, text))
            self._tell(text)
        self._sections = sections

    def tick(self) -> None:
        """Tell the time, so that a page knows that it still listens."""
        self._tell(_text({"type": "tick", "seq": self.seq, "now": self._now()}))

    def _tell(self, text: str) -> None:
        for client in self.clients:
            client.offer(text)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        refreshed = loop.time()
        tick_at = refreshed + TICK_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(refreshed + RECOMPUTE_S, tick_at)):
                    await self.changed.wait()
            await asyncio.sleep(refreshed + COALESCE_S - loop.time())
            self.changed.clear()
            refreshed = loop.time()
            try:
                self.refresh()
            except Exception:
                # Without ticks the pages show that what they know is stale, as it is.
                log.exception("the live board cannot be worked out")
                continue
            if refreshed >= tick_at:
                tick_at = refreshed + TICK_S
                self.tick()


class Live:
    """The streams of all sites of a service."""

    def __init__(self, service: Service, build: str) -> None:
        """`build`: the id of the pages, so that a page of an older build loads itself again."""
        self._service = service
        self._build = build
        self._streams: dict[str, Stream] = {}
        service.engine.listeners.append(self._sites_changed)

    @property
    def listening(self) -> int:
        """How many pages listen."""
        return sum(len(stream.clients) for stream in self._streams.values())

    def close(self) -> None:
        """Stop working out boards; the server closes the connections."""
        if self._sites_changed in self._service.engine.listeners:
            self._service.engine.listeners.remove(self._sites_changed)
        for stream in self._streams.values():
            stream.stop()

    async def serve(self, ws: WebSocket, still: Callable[[], bool]) -> None:
        """Speak to one page until it goes away, is cut off, or is not `still` allowed to listen."""
        await ws.accept()
        site = ws.query_params.get("site", "")
        desk = self._service.engine.desks.get(site)
        client = Client()
        if desk is None:
            await ws.close(UNKNOWN_SITE, f"there is no site {site[:40]!r}")
            return
        stream = self._stream(site)
        client.offer(self._hello(desk))
        stream.join(client, _since(ws.query_params.get("since", "")))
        tasks = [
            asyncio.create_task(work, name=f"live {site}")
            for work in (_send(ws, client.queue), _until_gone(ws), client.cut.wait(), _while(still))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.leave(client)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not still():
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await ws.close(SIGNED_OUT, "signed out")
        elif client.cut.is_set():
            log.info("a page of site %s did not read what it was sent, and was cut off", site)
            with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(CLOSE_S):
                    await ws.close(TOO_SLOW, "too slow")

    def _sites_changed(self, sites: set[str]) -> None:
        for site in sites & self._streams.keys():
            self._streams[site].changed.set()

    def _stream(self, site: str) -> Stream:
        stream = self._streams.get(site)
        if stream is None:
            # Numbers begin at the time of day, so that one of an earlier run is never taken for one of this.
            first = time.time_ns() // 1_000_000
            stream = Stream(lambda: self._render(site), lambda: rfc3339(self._service.clock.now()), first)
            self._streams[site] = stream
        return stream

    def _render(self, site: str) -> Sections:
        board = make_board(self._service.engine.desks[site], self._service.clock.now())
        return {name: msgspec.Raw(_encode(value)) for name, value in board.items() if name != "now"}

    def _hello(self, desk: Desk) -> str:
        clock = self._service.clock
        hello = {
            "type": "hello",
            "build": self._build,
            "site": desk.site,
            "tz": desk.plan.timezone,
            "now": rfc3339(clock.now()),
            "speed": clock.speed,
        }
        return _text(hello)


def _text(message: dict[str, Any]) -> str:
    return _encode(message).decode()


def _since(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 20 else None


async def _send(ws: WebSocket, queue: asyncio.Queue[str]) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await ws.send_text(await queue.get())


async def _while(still: Callable[[], bool]) -> None:
    while still():  # noqa: ASYNC110  # a token may end in several ways, and nobody tells
        await asyncio.sleep(TICK_S)


async def _until_gone(ws: WebSocket) -> None:
    """Return when the page has gone; what it says is not listened to."""
    while (await ws.receive())["type"] != "websocket.disconnect":
        pass
