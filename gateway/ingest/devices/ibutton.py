"""iButtons (DS1990A) by a wand or a probe that writes their 8 bytes in hex: one line of 16 digits each, 9600 8N1.

    family | 48 bits of serial number, lowest byte first | CRC-8 (X^8 + X^5 + X^4 + 1, bits reflected) of these 7 bytes

(Maxim, DS1990A data sheet; application note 27.) The bytes stand in the order in which the iButton sends them. On the
can they are engraved the other way round: CRC, serial number, family.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_line, word
from gateway.ingest.devices.reading import Listening, Reading

_DIGITS: Final = 16
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    found = word(data, at, last, _HEX, _DIGITS)
    if not isinstance(found, bytes):
        return found
    rom = bytes.fromhex(found.decode("ascii"))
    if crc8(rom[:7]) != rom[7]:
        return Wrong("bad_checksum", f"the CRC is {rom[7]:02X}, not {crc8(rom[:7]):02X}", _DIGITS)
    if not rom[0]:
        # The CRC of zeros is zero: this is a wire that is shorted, not an iButton.
        return Wrong("bad_value", "family 00: the probe is shorted", _DIGITS)
    return Found(_DIGITS, _reading(rom, found))


def _reading(rom: bytes, frame: bytes) -> Reading:
    tag = rom.hex().upper()
    fields = {"family": rom[0], "serial": rom[6:0:-1].hex().upper(), "crc8": rom[7], "rom": tag}
    return Reading(fields, {"type": "scan", "tag": tag}, frame=frame)


def crc8(data: bytes) -> int:
    """The 1-Wire CRC."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def listen(options: object) -> Listening:
    """The talk of one line."""
    return Listening(FrameDecoder(front))


def decode(text: str) -> list[Reading]:
    """8 bytes in hex, a line for each iButton; spaces, colons and dashes between bytes are taken too."""
    return all_frames(front, pasted_line(re.sub(r"[ \t:-]", "", text)))
