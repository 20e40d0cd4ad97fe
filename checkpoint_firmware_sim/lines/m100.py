"""A UHF reader with the M100 chip."""

from __future__ import annotations

import binascii
from typing import Final

from checkpoint_firmware_sim.lines.twin import SerialTwin, number

_ROUND_S: Final = 0.05
_RSSI: Final = -53


class M100(SerialTwin):
    """Reads as long as it was told to; each round without a tag is answered with error 15."""

    baud = 115200

    def __init__(self) -> None:
        super().__init__()
        self._buffer = b""
        self._rounds = 0
        self._next = 0.0

    def reboot(self) -> bytes:
        self._buffer, self._rounds = b"", 0
        return b""

    def tap(self, uid: str) -> bytes:
        number(uid, *range(2, 17, 2))
        self.held, self.shown = uid, False
        return b""

    def tick(self, now: float) -> bytes:
        self.now = now
        if not self._rounds or now < self._next:
            return b""
        self._rounds -= 1
        self._next = now + _ROUND_S
        if self.held is None:
            return _frame(1, 0xFF, b"\x15")
        self.shown = True
        epc = bytes.fromhex(self.held)
        tag = (len(epc) // 2 << 11 | 0x0400).to_bytes(2) + epc
        crc = binascii.crc_hqx(tag, 0xFFFF) ^ 0xFFFF
        return _frame(2, 0x22, bytes((_RSSI & 0xFF,)) + tag + crc.to_bytes(2))

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        out = b""
        while (start := self._buffer.find(b"\xbb")) >= 0:
            frame = self._buffer[start:]
            if len(frame) < 7:
                break
            size = 7 + int.from_bytes(frame[3:5])
            if size > 64:
                self._buffer = frame[1:]
            elif len(frame) < size:
                break
            elif frame[size - 1] != 0x7E or sum(frame[1 : size - 2]) & 0xFF != frame[size - 2]:
                self._buffer = frame[1:]
            else:
                self._buffer = frame[size:]
                out += self._obey(frame[2], frame[5 : size - 2])
        self._buffer = self._buffer[-64:]
        return out

    def _obey(self, code: int, parameters: bytes) -> bytes:
        if code == 0x27:
            if self._rounds:
                return _frame(1, 0xFF, b"\x17")
            self._rounds, self._next = int.from_bytes(parameters[1:3]), self.now
            return b""
        if code == 0x28:
            self._rounds = 0
            return _frame(1, 0x28, b"\x00")
        if code == 0x03:
            return _frame(1, 0x03, b"\x00M100 26dBm V1.0")
        return _frame(1, 0xFF, b"\x17")


def _frame(kind: int, code: int, parameters: bytes) -> bytes:
    body = bytes((kind, code)) + len(parameters).to_bytes(2) + parameters
    return b"\xbb" + body + bytes((sum(body) & 0xFF,)) + b"\x7e"
