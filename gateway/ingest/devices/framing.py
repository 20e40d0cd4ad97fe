"""How frames are found in bytes that may hold anything: the part that all serial decoders share.

A protocol says what lies at one place of the bytes (`Front`). `FrameDecoder` goes through them:

1. A whole frame becomes its reading, and the search goes on behind it.
2. Where no frame begins, the byte is noise, and the search goes on at the next one. Nothing that was looked at before
   is trusted: a frame that begins within what looked like another one is found.
3. Where it cannot be told yet, it waits for more, never for more than the longest frame.

The outcome depends on the bytes alone, not on how they were split.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.ingest.devices.reading import MAX_KEPT, DecodeError, Heard, Noise, Reading

MAX_RUN: Final = 1024
"""Noise without an end is told in pieces of so many bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What lies here is whole. Without a reading: a filler that says nothing, such as the end of a line."""

    length: int
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """No frame begins here, nor in the next `length` bytes."""

    reason: str = "garbage"
    detail: str = ""
    length: int = 1
    extent: int = 1
    """How many bytes looked like a frame that is wrong: they are told as one, also where frames are found within."""


Front = Callable[[bytes, int, bool], Found | Wrong | None]
"""What lies at this place of these bytes; None: more bytes are needed. The last argument: no more will come."""


_LINE_END: Final = frozenset(b"\r\n")


def word(
    data: bytes, at: int, last: bool, letters: frozenset[int], length: int
) -> bytes | Found | Wrong | None:
    """A line that is one word of these letters, of this length: the word, or what lies here instead."""
    if data[at] in _LINE_END:
        return Found(1)
    end = at
    while end < len(data) and data[end] in letters and end - at <= 2 * length:
        end += 1
    run = end - at
    if not run:
        return Wrong()
    if end == len(data) and not last:
        return None
    if end < len(data) and data[end] in letters:
        # A word without an end. What is kept of it is too long whatever follows.
        return Wrong("bad_length", f"more than {2 * length} letters in a word of {length}", run - length - 1)
    if end < len(data) and data[end] not in _LINE_END:
        return Wrong(length=run)
    if run != length:
        return Wrong("bad_length", f"{run} letters in a word of {length}", run)
    return data[at:end]


class FrameDecoder:
    """The `Decoder` of one protocol."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._waiting = b""
        self._garbage = b""
        self._run = 0
        self._told = 0  # of the bytes to come, so many belong to a frame that was told to be wrong

    def feed(self, data: bytes) -> list[Heard]:
        return self._search(data, last=False)

    def end(self) -> list[Heard]:
        heard = self._search(b"", last=True)
        self._tell_garbage(heard)
        self._told = 0
        return heard

    def _search(self, data: bytes, last: bool) -> list[Heard]:
        data = self._waiting + data
        at = 0
        heard: list[Heard] = []
        while at < len(data):
            here = self._front(data, at, last)
            if here is None:
                if not last:
                    break
                left = len(data) - at
                here = Wrong("truncated", f"{left} bytes of a frame that is not whole", extent=left)
            if isinstance(here, Wrong):
                self._skip(data, at, here, heard)
            elif here.reading is not None:
                self._tell_garbage(heard)
                heard.append(here.reading)
            at += here.length
            self._told = max(0, self._told - here.length)
        self._waiting = data[at:]
        return heard

    def _skip(self, data: bytes, at: int, wrong: Wrong, heard: list[Heard]) -> None:
        if wrong.reason != "garbage":
            self._tell_garbage(heard)
            extent = max(wrong.length, wrong.extent)
            heard.append(Noise(wrong.reason, wrong.detail, data[at : at + min(extent, MAX_KEPT)]))
            self._told = max(self._told, extent)
        elif not self._told:
            self._run += wrong.length
            self._garbage = (self._garbage + data[at : at + wrong.length])[:MAX_KEPT]
            if self._run >= MAX_RUN:
                self._tell_garbage(heard)

    def _tell_garbage(self, heard: list[Heard]) -> None:
        if self._run:
            heard.append(Noise("garbage", f"{self._run} bytes that belong to no frame", self._garbage))
        self._garbage, self._run = b"", 0


def pasted_bytes(text: str) -> bytes:
    """What a person pasted, in hex. Raises `DecodeError`."""
    digits = re.sub(r"0[xX]|[\s:,-]", "", text)
    if not digits:
        raise DecodeError("nothing to decode")
    if wrong := re.search(r"[^0-9A-Fa-f]", digits):
        raise DecodeError(f"{wrong[0]!r} is no hex digit")
    if len(digits) % 2:
        raise DecodeError(f"{len(digits)} hex digits: half a byte is missing")
    return bytes.fromhex(digits)


def pasted_line(text: str) -> bytes:
    """What a person pasted, in letters, of a protocol that is made of lines. Raises `DecodeError`."""
    if not text.strip():
        raise DecodeError("nothing to decode")
    if not text.isascii():
        raise DecodeError("a character that is not ASCII")
    return text.replace("\\r", "\r").replace("\\n", "\n").encode("ascii")


def all_frames(front: Front, data: bytes) -> list[Reading]:
    """The readings of bytes that hold nothing but whole frames. Raises `DecodeError`."""
    decoder = FrameDecoder(front)
    readings = []
    for each in decoder.feed(data) + decoder.end():
        if isinstance(each, Noise):
            raise DecodeError(f"{each.reason.replace('_', ' ')}: {each.detail}")
        readings.append(each)
    if not readings:
        raise DecodeError("truncated: no frame in it")
    return readings
