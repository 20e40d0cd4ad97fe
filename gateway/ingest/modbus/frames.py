"""Modbus RTU frames: the checksum, and which bytes on the line are the answer to what was asked.

On a line with several units anything may lie before an answer: noise, the answer of a unit that was given up, a late
one of the same unit. So the answer is looked for by everything that is known of it: unit, function, length, for a
write what is echoed, and the checksum. Source: Modbus over serial line V1.02, 2.5.1; Application Protocol V1.1b3, 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READS: Final = frozenset({1, 2, 3, 4})
WRITES: Final = frozenset({5, 6})
_ERROR: Final = 0x80
_ERROR_LENGTH: Final = 5
_ECHO_LENGTH: Final = 8


def crc16(data: bytes) -> int:
    """The checksum of a frame."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def with_crc(data: bytes) -> bytes:
    """A whole frame: low byte of the checksum first."""
    return data + crc16(data).to_bytes(2, "little")


def is_whole(frame: bytes) -> bool:
    """Whether the checksum of a frame holds."""
    return len(frame) >= 4 and crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little")


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer to one request."""

    unit: int
    function: int
    data_bytes: int = 0  # of a read
    echo: bytes = b""  # of a write: the request itself

    @classmethod
    def of(cls, request: bytes) -> Expected:
        """What must come back when this whole frame was sent."""
        unit, function = request[0], request[1]
        count = int.from_bytes(request[4:6], "big")
        if function in WRITES:
            return cls(unit, function, echo=request)
        return cls(unit, function, (count + 7) // 8 if function in (1, 2) else 2 * count)

    def find(self, heard: bytes) -> bytes:
        """The answer within what was heard since the request; empty while it is not there."""
        for start in range(len(heard) - _ERROR_LENGTH + 1):
            frame = self._at(heard, start)
            if frame and is_whole(frame):
                return frame
        return b""

    def _at(self, heard: bytes, start: int) -> bytes:
        if heard[start] != self.unit:
            return b""
        function = heard[start + 1]
        if function == self.function | _ERROR:
            return heard[start : start + _ERROR_LENGTH]
        if function != self.function:
            return b""
        if self.echo:
            frame = heard[start : start + _ECHO_LENGTH]
            return frame if frame == self.echo else b""
        if heard[start + 2] != self.data_bytes:
            return b""
        frame = heard[start : start + 3 + self.data_bytes + 2]
        return frame if len(frame) == 5 + self.data_bytes else b""
