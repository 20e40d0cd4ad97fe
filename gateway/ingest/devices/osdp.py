"""OSDP frames (IEC 60839-11-5, SIA OSDP 2.2): what one says as far as it can be read without the key.

    [FF …] 53, address (80: a reply), length (2, low byte first), control, [security block], code, data, [MAC], check

The length counts from the 53 to the end. Control: bits 0 and 1 the sequence number, 2 a CRC-16 instead of a checksum, 3
a security block follows, whose first byte is its own length. From block type 15 on, four bytes of MAC come before the
check; in types 17 and 18 the data is enciphered. The lines themselves are read by libosdp (`gateway/ingest/osdp/`).
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Any, Final

from gateway.ingest.devices.reading import MAX_KEPT, DecodeError, Heard, Noise, Reading

MARK: Final = 0xFF
SOM: Final = 0x53
LONGEST: Final = 1440
"""The largest frame (bytes) that the standard allows."""

ACK, NAK, PDID, PDCAP, RAW, CCRYPT = 0x40, 0x41, 0x45, 0x46, 0x50, 0x76
"""Codes of replies."""

_HEAD: Final = 5
_CRC, _SECURED = 0x04, 0x08
_FIRST_WITH_MAC: Final = 0x15
_FIRST_ENCIPHERED: Final = 0x17
_MAC: Final = 4
_CRC_START: Final = 0x1D0F


@dataclass(frozen=True, slots=True)
class Card:
    """What a reader read of a card: the data of a reply RAW."""

    reader: int
    format: int
    """0: not specified, 1: Wiegand."""
    value: str
    """The bits, in the order in which they came."""

    @classmethod
    def parse(cls, data: bytes) -> Card:
        """Raises `DecodeError`."""
        if len(data) < 4:
            raise DecodeError(f"truncated: card data has at least 4 bytes, not {len(data)}")
        count = int.from_bytes(data[2:4], "little")
        if len(data) - 4 != (count + 7) // 8:
            raise DecodeError(f"bad length: {count} bits take {(count + 7) // 8} bytes, not {len(data) - 4}")
        bits = "".join(f"{byte:08b}" for byte in data[4:])
        return cls(data[0], data[1], bits[:count])

    @property
    def fields(self) -> dict[str, Any]:
        return {"reader": self.reader, "format": self.format, "bits": len(self.value), "value": self.value}

    @property
    def tag(self) -> str:
        """The number on the card as the UID of a record: hex, whole bytes.

        Of 26 and 34 bits the first is even parity over the first half, the last odd parity over the other; they are
        checked and left out. Any other count is one number. Raises `DecodeError`.
        """
        bits = self.value
        if len(bits) in (26, 34):
            half = len(bits) // 2
            if bits[:half].count("1") % 2 != 0 or bits[half:].count("1") % 2 != 1:
                raise DecodeError(f"bad checksum: the parity of the {len(bits)} bits {bits} is wrong")
            bits = bits[1:-1]
        size = max(2, (len(bits) + 7) // 8)
        if not bits or size > 16:
            raise DecodeError(f"bad length: {len(bits)} bits are no card number")
        return int(bits, 2).to_bytes(size, "big").hex().upper()


class Osdp:
    """Finds frames in a stream of bytes."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> list[Heard]:
        self._kept += data
        heard: list[Heard] = []
        while self._kept:
            start = self._kept.find(SOM)
            if start != 0:
                start = len(self._kept) if start < 0 else start
                skipped, self._kept = self._kept[:start], self._kept[start:]
                if skipped.strip(bytes([MARK])):
                    heard.append(Noise("garbage", "bytes outside a frame", skipped[:MAX_KEPT]))
                continue
            if len(self._kept) < _HEAD:
                break
            size = int.from_bytes(self._kept[2:4], "little")
            if _HEAD + 2 <= size <= LONGEST and len(self._kept) < size:
                break
            try:
                heard.append(_read(self._kept[:size]))
            except _BadFrameError as error:
                heard.append(Noise(error.reason, error.detail, self._kept[: min(size, MAX_KEPT)]))
                size = 1  # the next frame may begin within what looked like this one
            self._kept = self._kept[size:]
        return heard

    def end(self) -> list[Heard]:
        kept, self._kept = self._kept, b""
        if not kept:
            return []
        size = int.from_bytes(kept[2:4], "little") if len(kept) >= _HEAD else 0
        of = f" of {size}" if size else ""
        return [Noise("truncated", f"the frame ends after {len(kept)}{of} bytes", kept[:MAX_KEPT])]


class _BadFrameError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def _read(frame: bytes) -> Reading:
    """One whole frame. Raises `_BadFrameError`."""
    size = len(frame)
    if not _HEAD + 2 <= size <= LONGEST:
        stated = int.from_bytes(frame[2:4], "little")
        raise _BadFrameError("bad_length", f"a frame has 7 to {LONGEST} bytes, not {stated}")
    address, control = frame[1], frame[4]
    with_crc = bool(control & _CRC)
    end = size - (2 if with_crc else 1)
    given = int.from_bytes(frame[end:], "little")
    right = binascii.crc_hqx(frame[:end], _CRC_START) if with_crc else -sum(frame[:end]) & 0xFF
    if given != right:
        width = 4 if with_crc else 2
        name = "CRC" if with_crc else "checksum"
        raise _BadFrameError("bad_checksum", f"the {name} is {given:0{width}X}, not {right:0{width}X}")
    block, mac = b"", b""
    at = _HEAD
    if control & _SECURED:
        block = frame[at : at + frame[at]] if at < end else b""
        if len(block) < 2 or at + len(block) > end:
            raise _BadFrameError("bad_length", "the security block does not fit in")
        at += len(block)
        if block[1] >= _FIRST_WITH_MAC:
            end, mac = end - _MAC, frame[end - _MAC : end]
    if at >= end:
        raise _BadFrameError("bad_length", "there is no room for a code")
    code, data = frame[at], frame[at + 1 : end]
    fields: dict[str, Any] = {
        "addr": address & 0x7F,
        "reply": bool(address & 0x80),
        "seq": control & 0x03,
        "crc": with_crc,
        "scb": block.hex(),
        "code": code,
        "data": data.hex(),
    }
    if mac:
        fields["mac4"] = mac.hex()
    enciphered = bool(block) and block[1] >= _FIRST_ENCIPHERED
    card = bool(address & 0x80) and code == RAW and not enciphered
    return Reading(fields, _record(data) if card else None)


def _record(card: bytes) -> dict[str, Any] | None:
    try:
        return {"type": "scan", "tag": Card.parse(card).tag}
    except DecodeError:
        return None


def decode(text: str) -> list[Reading]:
    """Frames in hex; or the data of a reply RAW alone. Raises `DecodeError`."""
    try:
        data = bytes.fromhex("".join(text.split()))
    except ValueError:
        raise DecodeError("not hex") from None
    if not data:
        raise DecodeError("no bytes")
    if data[0] not in (MARK, SOM):
        card = Card.parse(data)
        return [Reading(card.fields, _record(data))]
    stream = Osdp()
    readings = []
    for each in [*stream.feed(data), *stream.end()]:
        if isinstance(each, Noise):
            raise DecodeError(f"{each.reason.replace('_', ' ')}: {each.detail}")
        readings.append(each)
    if not readings:
        raise DecodeError("no frame, only mark bytes")
    return readings
