"""Readers on a wall: real pseudo-terminals, reached over a link like those of /dev/serial/by-id."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.ingest.devices.reading import Heard, Listening, Noise, Reading, Talk
from gateway.ingest.devices.registry import MakersProtocol, Serial

TAG_FRAME, JUNK_FRAME, BOMB_FRAME = b"T", b"#", b"!"


class Lines:
    """A protocol of these tests: a frame is a line of text. `T` and a UID is a tag; `!` breaks the decoder."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> list[Heard]:
        *frames, self._begun = (self._begun + data).split(b"\n")
        return [self._frame(frame) for frame in frames]

    def end(self) -> list[Heard]:
        left, self._begun = self._begun, b""
        return [Noise("truncated", "a frame without an end", left)] if left else []

    def _frame(self, frame: bytes) -> Heard:
        if frame.startswith(BOMB_FRAME):
            raise IndexError("a mistake of the decoder")
        if not frame.startswith(TAG_FRAME):
            return Noise("garbage", "no tag", frame)
        tag = frame[1:].decode()
        return Reading({"tag": tag}, {"type": "scan", "tag": tag}, frame=frame)


@dataclass
class Polling:
    """A reader that speaks when it is asked (`?`), each tenth of a second."""

    decoder: Lines = field(default_factory=Lines)
    _ask_at: float = 0.0
    _asks: bytes = b""
    _answered: bool = True

    def opened(self, now: float) -> None:
        self.decoder.end()
        self._ask_at, self._asks, self._answered = now + 0.1, b"?", True

    def received(self, data: bytes, now: float) -> list[Heard]:
        self._answered = True
        return [Reading({}) if isinstance(each, Noise) else each for each in self.decoder.feed(data)]

    def due(self) -> float | None:
        return self._ask_at

    def wake(self, now: float) -> list[Heard]:
        answered, self._answered = self._answered, False
        self._ask_at, self._asks = now + 0.1, b"?"
        return [] if answered else [Noise("unanswered", "no answer to ?", b"")]

    def outgoing(self) -> bytes:
        asks, self._asks = self._asks, b""
        return asks


def listening(options: Mapping[str, Any]) -> Talk:
    if unknown := set(options) - {"loud", "clock"}:
        raise ValueError(f"unknown {sorted(unknown)}; there is only loud")
    return Listening(Lines())


def nothing(text: str) -> list[Reading]:
    raise NotImplementedError


LISTENING = MakersProtocol(nothing, Serial(listening))
POLLING = MakersProtocol(nothing, Serial(lambda options: Polling()))


class Reader:
    """A reader in a socket. `plug` it in, and pull it out."""

    def __init__(self, folder: Path, name: str) -> None:
        self.link = folder / name
        self._master: int | None = None

    def plug(self) -> None:
        """It comes under the next free name, and its link leads there."""
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        os.close(slave)

    def pull(self) -> None:
        """As USB does: the port hangs up, and the link is gone."""
        self.link.unlink()
        assert self._master is not None
        os.close(self._master)
        self._master = None

    def plug_in_at(self, other: Reader) -> None:
        """It comes under the name that another socket has, which has nothing in it any more."""
        self._master, other._master = other._master, None
        self.link.symlink_to(other.link.resolve())

    def move(self) -> None:
        """The link leads to another port, and the old one is still there, dead."""
        self._left = self._master
        self.plug()

    def close(self) -> None:
        for fd in (self._master, getattr(self, "_left", None)):
            if fd is not None:
                os.close(fd)
        self._master = None

    def say(self, data: bytes) -> int:
        """Put on the line as much of it as it takes; how much that was."""
        assert self._master is not None
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def show(self, *tags: str) -> None:
        data = b"".join(TAG_FRAME + tag.encode() + b"\n" for tag in tags)
        assert self.say(data) == len(data)

    def asked(self) -> bytes:
        """What the gateway has sent."""
        assert self._master is not None
        try:
            return os.read(self._master, 4096)
        except OSError:  # nothing there, or nobody at the other end
            return b""

    async def flood(self, frames: Iterable[bytes]) -> None:
        """Say all of it, as fast as the line takes it."""
        loop = asyncio.get_running_loop()
        for frame in frames:
            while frame:
                frame = frame[self.say(frame) :]
                if frame:
                    room = loop.create_future()
                    assert self._master is not None
                    loop.add_writer(self._master, _note, room)
                    try:
                        await room
                    finally:
                        loop.remove_writer(self._master)


def _note(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)
