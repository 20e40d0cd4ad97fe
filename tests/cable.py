"""A cable to a server, that a test can cut at a word."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Cable:
    """Passes bytes on to a port of this machine."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._cut_at: bytes | None = None
        self._arrives = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._joined: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.plugged = True
        self._held = asyncio.Event()
        self._held.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.unplug()
        await asyncio.gather(*self._joined, return_exceptions=True)

    def cut_at(self, word: bytes, *, arrives: bool) -> None:
        """Break once somebody sends this: before it gets there, or (`arrives`) before its answer comes back."""
        self._cut_at, self._arrives = word, arrives

    def hold(self) -> None:
        """Let nothing through any more, without a word."""
        self._held.clear()

    def unplug(self) -> None:
        """Break every connection, and take no new ones until `plugged` is set."""
        self.plugged = False
        self._held.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        if not self.plugged:
            to_near.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        far, to_far = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers |= {to_near, to_far}
        answered = asyncio.create_task(self._pass(far, to_near))
        with contextlib.suppress(OSError):
            while data := await near.read(1 << 16):
                await self._held.wait()
                if self._cut_at is not None and self._cut_at in data:
                    self._cut_at = None
                    self.cuts += 1
                    answered.cancel()
                    await asyncio.gather(answered, return_exceptions=True)
                    if self._arrives:
                        to_far.write(data)
                        await far.read(1 << 16)  # the server has done it, and says so
                    break
                to_far.write(data)
        answered.cancel()
        for writer in (to_near, to_far):
            writer.transport.abort()
            self._writers.discard(writer)
        self._joined.discard(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                target.write(data)
        target.close()
