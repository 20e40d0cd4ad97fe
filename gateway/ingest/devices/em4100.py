"""EM4100 cards by a reader that writes their number in hex: RDM6300, ID-12LA and their like.

    02 | 10 hex digits: version, 4 bytes | 2 hex digits: XOR of the 5 bytes | 03        RDM6300, 9600 8N1
                                                                   | 0D 0A | 03        ID-12LA

The reader repeats the frame while the card is held to it.
(RDM6300 specification; ID Innovations, ID series data sheet.)
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_bytes
from gateway.ingest.devices.reading import Listening, Reading

_STX: Final = 0x02
_ETX: Final = 0x03
_DIGITS: Final = 12
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")
_LINE_END: Final = frozenset(b"\r\n")


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    if data[at] != _STX:
        return Wrong()
    end = at + 1
    while end < len(data) and end <= at + _DIGITS and data[end] in _HEX:
        end += 1
    digits = data[at + 1 : end]
    while len(digits) == _DIGITS and end < len(data) and data[end] in _LINE_END and end <= at + _DIGITS + 2:
        end += 1
    if end == len(data):
        return None
    if len(digits) < _DIGITS or data[end] != _ETX:
        # A lone start mark is noise like any other.
        return Wrong("truncated", f"{len(digits)} of {_DIGITS} hex digits, then {data[end]:02X}", end - at) \
            if digits else Wrong()  # fmt: skip
    *number, check = bytes.fromhex(digits.decode("ascii"))
    frame = data[at : end + 1]
    if (expected := reduce(xor, number)) != check:
        return Wrong("bad_checksum", f"the check byte is {check:02X}, not {expected:02X}", len(frame))
    return Found(len(frame), _reading(bytes(number), frame))


def _reading(number: bytes, frame: bytes) -> Reading:
    uid = number.hex().upper()
    fields = {
        "uid40": uid,
        "version": number[0],
        "card_decimal": int.from_bytes(number[1:]),
        "wiegand26": {"fc": number[2], "cn": int.from_bytes(number[3:])},
    }
    return Reading(fields, {"type": "scan", "tag": uid}, frame=frame)


def listen(options: object) -> Listening:
    """The talk of one line."""
    return Listening(FrameDecoder(front))


def decode(text: str) -> list[Reading]:
    """A frame in hex, or its 12 hex digits as a terminal shows them."""
    data = pasted_bytes(text)
    if len(data) == _DIGITS // 2:
        data = bytes((_STX, *data.hex().encode("ascii"), _ETX))
    return all_frames(front, data)
