"""A handheld that hands its records over at a dock, by the Wiclax acquisition protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from checkpoint_firmware_sim.lines.twin import SerialTwin

_FORM: Final = "%d-%m-%Y %H:%M:%S"
_HEARTBEAT_S: Final = 10.0
_CAPACITY: Final = 4096


@dataclass(frozen=True)
class _Kept:
    seq: int
    tag: str
    at: datetime

    def line(self, rewound: bool) -> bytes:
        at = self.at.strftime(_FORM) + f".{self.at.microsecond // 1000:03}"
        return f"{self.tag};{at};0A;{self.seq};87;{int(rewound)}\r".encode()


class Wiclax(SerialTwin):
    """`local`: the right local time at its place; `off`: by how much its own clock is ahead of that."""

    def __init__(self, local: Callable[[], datetime], off: timedelta = timedelta()) -> None:
        super().__init__()
        self.off = off
        self.docked = True
        self._local = local
        self._kept: deque[_Kept] = deque(maxlen=_CAPACITY)
        self._seq = 0
        self._buffer = b""
        self._next = 0.0

    def tap(self, uid: str) -> bytes:
        if not uid or not uid.isascii() or ";" in uid:
            raise ValueError(f"{uid!r} cannot stand in a line")
        self._seq += 1
        kept = _Kept(self._seq, uid, self._clock())
        self._kept.append(kept)
        return kept.line(rewound=False) if self.docked else b""

    def undock(self) -> None:
        """A guard takes it along: what is tapped is kept."""
        self.docked = False

    def dock(self) -> None:
        """It is put back. What it kept it tells when it is asked."""
        self.docked = True
        self._buffer = b""
        self._next = self.now

    def tick(self, now: float) -> bytes:
        self.now = now
        if not self.docked or now < self._next:
            return b""
        self._next = now + _HEARTBEAT_S
        return b"*"

    def feed(self, data: bytes) -> bytes:
        if not self.docked:
            return b""
        *lines, self._buffer = (self._buffer + data).split(b"\r")
        self._buffer = self._buffer[-100:]
        return b"".join(self._obey(line.decode("latin-1").strip()) for line in lines)

    def _obey(self, line: str) -> bytes:
        word, _, rest = line.partition(" ")
        try:
            if line == "CLOCK":
                return f"CLOCK {self._clock().strftime(_FORM)}\r".encode()
            if word == "CLOCK":
                self.off = datetime.strptime(rest, _FORM) - self._local()
                return b"CLOCKOK\r"
            if word == "REWIND":
                first, last = (datetime.strptime(each, _FORM) for each in (rest[:19], rest[20:]))
                return b"".join(kept.line(rewound=True) for kept in self._kept if first <= kept.at <= last)
        except ValueError:
            return b""
        return b"READOK\r" if line in ("STARTREAD", "STOPREAD") else b""

    def _clock(self) -> datetime:
        return self._local() + self.off
