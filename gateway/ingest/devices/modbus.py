"""Modbus RTU frames, as a person pastes them: `patrol-gateway decode modbus HEX`.

Only for looking at captures: a line is served by `gateway/ingest/modbus`. Sources as there.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.ingest.devices.reading import DecodeError, Reading
from gateway.ingest.modbus.frames import READS, WRITES, is_whole
from gateway.ingest.modbus.relay import FLASH_ON

_LONGEST: Final = 256
_REQUEST_LENGTH: Final = 8
_SWITCHES: Final = (0x0000, 0xFF00)


def decode(text: str) -> list[Reading]:
    """One frame in hex. Raises `DecodeError`."""
    try:
        frame = bytes.fromhex(text)
    except ValueError:
        raise DecodeError("not hex: write the frame as 01 05 00 00 FF 00 8C 3A") from None
    if not 4 <= len(frame) <= _LONGEST:
        raise DecodeError(f"{len(frame)} bytes; a frame has 4 to {_LONGEST}")
    if not is_whole(frame):
        raise DecodeError("the checksum is wrong: a damaged frame, or not a whole one")
    return [Reading({"unit": frame[0], "fc": frame[1], **_said(frame)})]


def _said(frame: bytes) -> dict[str, Any]:
    function, data = frame[1], frame[2:-2]
    if function & 0x80 and len(data) == 1:
        return {"fc": function & 0x7F, "exception": data[0]}
    if function in WRITES and len(frame) == _REQUEST_LENGTH:
        address, value = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:], "big")
        if function == 6:
            return {"reg": address, "val": value}
        if address & FLASH_ON and value not in _SWITCHES:
            return {"addr": address, "val": value, "units100ms": value}
        return {"addr": address, "val": value}
    if function in READS:
        whole_words = function in (1, 2) or len(data) % 2 == 1
        if len(data) > 1 and data[0] == len(data) - 1 and whole_words:
            return _values(function, data[1:])
        if len(frame) == _REQUEST_LENGTH:
            return {"addr": int.from_bytes(data[:2], "big"), "count": int.from_bytes(data[2:], "big")}
    raise DecodeError(f"function {function} with {len(data)} bytes is nothing that is used here")


def _values(function: int, data: bytes) -> dict[str, Any]:
    if function in (1, 2):
        bits = [8 * place + bit for place, byte in enumerate(data) for bit in range(8) if byte >> bit & 1]
        return {"bits": bits}
    words = [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2)]
    return {"registers": words} | {f"r{number}": word for number, word in enumerate(words)}
