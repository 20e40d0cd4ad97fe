"""A barrier controller on a Modbus RTU line, with the faults of real ones.

It shares no code with the gateway's side of the line. The bar takes `TRAVEL` to go up or down. Times are seconds of
any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAPS: Final = ("came-ptx", "roger", "relay", "relay-inputs")

TRAVEL: Final = 2.0
LATE: Final = 0.4
"""How late a late answer is: later than any master waits (s)."""


class Fault(StrEnum):
    """What is wrong with it."""

    NONE = "none"
    SILENT = "silent"  # it does not answer, nor do as it is told
    MUTE = "mute"  # it does as it is told, and does not answer
    LATE = "late"  # it answers when nobody waits any more
    OTHER_UNIT = "other_unit"  # another unit answers in its place
    OTHER_FIRST = "other_first"  # another unit answers before it does
    JUNK = "junk"  # there is noise on the line before its answer
    BAD_CRC = "bad_crc"  # its answer is damaged
    SHORT = "short"  # its answer breaks off
    FAILED = "failed"  # it answers with exception 4
    BUSY = "busy"  # it answers with exception 6
    WRONG_MAP = "wrong_map"  # it answers with exception 2
    STUCK = "stuck"  # the bar does not move any more


_EXCEPTIONS: Final[Mapping[Fault, int]] = {Fault.FAILED: 4, Fault.BUSY: 6, Fault.WRONG_MAP: 2}


@dataclass(slots=True)
class Bar:
    """Where the bar is: 0 down, 1 up."""

    height: float = 0.0
    goal: float = 0.0
    seen: float = 0.0
    stuck: bool = False

    def at(self, now: float) -> float:
        """Its height now."""
        way = 0.0 if self.stuck else (now - self.seen) / TRAVEL
        self.seen = now
        if self.height < self.goal:
            self.height = min(self.goal, self.height + way)
        else:
            self.height = max(self.goal, self.height - way)
        return self.height

    def go(self, goal: float, now: float) -> None:
        """Set it going."""
        self.at(now)
        self.goal = goal


@dataclass(slots=True)
class Controller:
    """One unit. `map`: one of `MAPS`."""

    map: str
    unit: int = 1
    fault: Fault = Fault.NONE
    bar: Bar = field(default_factory=Bar)
    opened: int = 0
    """How often it was told to open, and did."""
    _coils: dict[int, int] = field(default_factory=dict)

    def press(self, what: str, now: float) -> None:
        """Somebody presses the button at the barrier: `open` or `close`."""
        self.bar.go(1.0 if what == "open" else 0.0, now)

    def hears(self, frame: bytes, now: float) -> list[tuple[float, bytes]]:
        """A frame on the line: what is sent after how long."""
        if len(frame) < 8 or frame[0] != self.unit or _crc(frame[:-2]) != frame[-2:]:
            return []
        if self.fault is Fault.SILENT:
            return []
        self.bar.stuck = self.fault is Fault.STUCK
        if self.fault in _EXCEPTIONS:
            return [(0.0, _framed(bytes([self.unit, frame[1] | 0x80, _EXCEPTIONS[self.fault]])))]
        answer = self._answer(frame, now)
        other = _framed(bytes([self.unit % 247 + 1]) + answer[1:-2])
        match self.fault:
            case Fault.MUTE:
                return []
            case Fault.LATE:
                return [(LATE, answer)]
            case Fault.OTHER_UNIT:
                return [(0.0, other)]
            case Fault.OTHER_FIRST:
                return [(0.0, other), (0.02, answer)]
            case Fault.JUNK:
                return [(0.0, b"\x00\xff" + bytes([self.unit, frame[1]])), (0.02, answer)]
            case Fault.BAD_CRC:
                return [(0.0, answer[:-1] + bytes([answer[-1] ^ 0x55]))]
            case Fault.SHORT:
                return [(0.0, answer[:-3])]
        return [(0.0, answer)]

    def _answer(self, frame: bytes, now: float) -> bytes:
        function, address = frame[1], int.from_bytes(frame[2:4], "big")
        value = int.from_bytes(frame[4:6], "big")
        if function in (5, 6):
            self._write(function, address, value, now)
            return frame
        if function in (3, 4):
            words = [self._register(address + place, now) for place in range(value)]
            data = b"".join(word.to_bytes(2, "big") for word in words)
        else:
            bits = [self._bit(function, address + place, now) for place in range(value)]
            number = sum(bit << place for place, bit in enumerate(bits))
            data = number.to_bytes((value + 7) // 8, "little")
        return _framed(bytes([self.unit, function, len(data)]) + data)

    def _write(self, function: int, address: int, value: int, now: float) -> None:
        goal: float | None = None
        if self.map == "came-ptx" and function == 5 and value == 0xFF00:
            goal = {1: 1.0, 3: 0.0}.get(address)
        elif self.map == "roger" and function == 6 and address == 6501:
            goal = {0x6802: 1.0, 0x6804: 0.0}.get(value)
        elif self.map.startswith("relay") and function == 5:
            if address & 0x0200:
                goal = {0: 1.0, 1: 0.0}.get(address & 0xFF)
            else:
                self._coils[address] = int(value == 0xFF00)
                goal = 1.0 if address == 0 and value == 0xFF00 else None
        if goal is not None:
            self.opened += goal == 1.0
            self.bar.go(goal, now)

    def _register(self, address: int, now: float) -> int:
        height, goal = self.bar.at(now), self.bar.goal
        if self.map == "came-ptx":
            status = (16 if height else 17) if height == goal else (32 if goal else 33)
            return {100: status, 101: round(100 * height)}.get(address, 0)
        status = (5 if height else 6) if height == goal else (1 if goal else 3)
        return (round(15 * (1 - height)) << 8 | status) if address == 0x1580 else 0

    def _bit(self, function: int, address: int, now: float) -> int:
        if function == 1:
            return self._coils.get(address, 0)
        return int(self.bar.at(now) == (1.0, 0.0)[address]) if address < 2 else 0


def _framed(data: bytes) -> bytes:
    return data + _crc(data)


def _crc(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc, odd = crc >> 1, crc & 1
            crc ^= 0xA001 * odd
    return bytes([crc & 0xFF, crc >> 8])
