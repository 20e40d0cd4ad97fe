"""Readers that only talk: EM4100, Wiegand 26, iButton."""

from __future__ import annotations

from typing import Final

from checkpoint_firmware_sim.lines.twin import SerialTwin, number

_REPEAT_S: Final = 0.1
"""How often an RDM6300 tells of a card that is held to it."""


class Em4100(SerialTwin):
    """An RDM6300, or with `crlf` an ID-12LA. It repeats while the card is held."""

    def __init__(self, crlf: bool = False) -> None:
        super().__init__()
        self._end = b"\r\n\x03" if crlf else b"\x03"
        self._next = 0.0

    def tap(self, uid: str) -> bytes:
        frame = self._frame(uid)
        self.held, self.shown = uid, True
        self._next = self.now + _REPEAT_S
        return frame

    def tick(self, now: float) -> bytes:
        self.now = now
        if self.held is None or now < self._next:
            return b""
        self._next, self.shown = now + _REPEAT_S, True
        return self._frame(self.held)

    def _frame(self, uid: str) -> bytes:
        check = 0
        for byte in number(uid, 5):
            check ^= byte
        return b"\x02%s%02X" % (uid.upper().encode(), check) + self._end


class Wiegand26(SerialTwin):
    """A bridge that tells each card once, as a line of bits."""

    def tap(self, uid: str) -> bytes:
        bits = f"{int.from_bytes(number(uid, 3)):024b}"
        self.held, self.shown = uid, True
        even = bits[:12].count("1") & 1
        odd = 1 - (bits[12:].count("1") & 1)
        return f"{even}{bits}{odd}\r\n".encode()


class IButton(SerialTwin):
    """A wand that tells each iButton once. Its number is the 8 bytes; the CRC is worked out here."""

    def tap(self, uid: str) -> bytes:
        rom = number(uid, 8)[:7]
        self.held, self.shown = uid, True
        crc = 0
        for bit in (byte >> place & 1 for byte in rom for place in range(8)):
            crc = crc >> 1 ^ 0x8C if (crc ^ bit) & 1 else crc >> 1
        return f"{rom.hex()}{crc:02x}\r\n".upper().encode()
