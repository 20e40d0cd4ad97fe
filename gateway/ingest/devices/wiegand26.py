"""Wiegand 26 by a UART bridge: one line of 26 bits, `0` and `1`, for each card, ended by CR, LF or both; 9600 8N1.

    P FFFFFFFF CCCCCCCCCCCCCCCC P      F: facility code, C: card number, most significant bit first

The first bit makes the first 13 even, the last bit makes the last 13 odd. (The public 26-bit format, HID's H10301.)
Wiegand itself is two wires; what a bridge makes of it is its maker's choice. Bits as text leave nothing to guess.
"""

from __future__ import annotations

from typing import Final

from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_line, word
from gateway.ingest.devices.reading import Listening, Reading

_BITS: Final = 26
_BIT: Final = frozenset(b"01")


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    found = word(data, at, last, _BIT, _BITS)
    if not isinstance(found, bytes):
        return found
    bits = found.decode("ascii")
    for half, name, odd in (bits[:13], "first", 0), (bits[13:], "last", 1):
        if half.count("1") % 2 != odd:
            return Wrong("bad_checksum", f"parity: the {name} 13 bits are {'even' if odd else 'odd'}", _BITS)
    return Found(_BITS, _reading(bits))


def _reading(bits: str) -> Reading:
    value = int(bits[1:-1], 2)
    fields = {"fc": value >> 16, "cn": value & 0xFFFF, "value24": value}
    return Reading(fields, {"type": "scan", "tag": f"{value:06X}"}, frame=bits.encode("ascii"))


def listen(options: object) -> Listening:
    """The talk of one line."""
    return Listening(FrameDecoder(front))


def decode(text: str) -> list[Reading]:
    """Bits as text, a line for each card."""
    return all_frames(front, pasted_line(text.strip(" \t")))
