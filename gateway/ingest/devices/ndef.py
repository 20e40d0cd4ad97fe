"""NDEF messages, as NFC tags hold them: records, of which the URIs are read (NFC Forum, NDEF and URI record types).

A smart poster holds a message of its own, and is looked into.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.ingest.devices.reading import DecodeError, Reading

PREFIXES: Final = (
    *("", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:"),
    *("ftp://anonymous:anonymous@", "ftp://ftp.", "ftps://", "sftp://", "smb://", "nfs://", "ftp://"),
    *("dav://", "news:", "telnet://", "imap:", "rtsp://", "urn:", "pop:", "sip:", "sips:", "tftp:"),
    *("btspp://", "btl2cap://", "btgoep://", "tcpobex://", "irdaobex://", "file://"),
    *("urn:epc:id:", "urn:epc:tag:", "urn:epc:pat:", "urn:epc:raw:", "urn:epc:", "urn:nfc:"),
)
"""What the first byte of a URI record stands for."""

DEEPEST: Final = 4
"""How deep posters may lie in each other."""

_BEGIN: Final = 0x80
_END: Final = 0x40
_CHUNK: Final = 0x20
_SHORT: Final = 0x10
_HAS_ID: Final = 0x08
_WELL_KNOWN: Final = 1
_UNCHANGED: Final = 6
_RESERVED: Final = 7


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `form`: which kind of name its type is (the type name format)."""

    form: int
    type: bytes
    payload: bytes


def records(message: bytes) -> list[Record]:
    """The records of a message, chunks joined. Raises `DecodeError`."""
    found: list[Record] = []
    parts: list[Record] = []  # of a record that comes in chunks
    place, ended = 0, False
    while not ended:
        flags, record, place = _record(message, place)
        if bool(flags & _BEGIN) is not (not found and not parts):
            raise DecodeError(
                "no message begin" if not found and not parts else "a message begins in a message"
            )
        ended = bool(flags & _END)
        if (record.form == _UNCHANGED) is not bool(parts):
            raise DecodeError("a chunk is out of place")
        parts.append(record)
        if flags & _CHUNK:
            if ended:
                raise DecodeError("the message ends within a record that comes in chunks")
            continue
        found.append(Record(parts[0].form, parts[0].type, b"".join(part.payload for part in parts)))
        parts = []
    if place != len(message):
        raise DecodeError(f"{len(message) - place} bytes after the end of the message")
    return found


def _record(message: bytes, place: int) -> tuple[int, Record, int]:
    """Flags, the record that begins at a place, and where the next one begins."""
    flags = _number(message, place, 1)
    form = flags & 7
    if form == _RESERVED:
        raise DecodeError("type name format 7 is reserved")
    type_size = _number(message, place + 1, 1)
    size_bytes = 1 if flags & _SHORT else 4
    size = _number(message, place + 2, size_bytes)
    place += 2 + size_bytes
    id_size = 0
    if flags & _HAS_ID:
        id_size, place = _number(message, place, 1), place + 1
    payload = place + type_size + id_size
    if payload + size > len(message):
        raise DecodeError(f"truncated: {payload + size - len(message)} bytes are missing")
    return (
        flags,
        Record(form, message[place : place + type_size], message[payload : payload + size]),
        payload + size,
    )


def _number(message: bytes, place: int, size: int) -> int:
    if place + size > len(message):
        raise DecodeError("truncated" if message else "empty")
    return int.from_bytes(message[place : place + size], "big")


def uris(message: bytes, depth: int = 0) -> Iterator[str]:
    """All URIs of a message, those in smart posters too. Raises `DecodeError`."""
    for record in records(message):
        if record.form != _WELL_KNOWN:
            continue
        if record.type == b"U":
            yield _uri(record.payload)
        elif record.type == b"Sp":
            if depth == DEEPEST:
                raise DecodeError(f"posters more than {DEEPEST} deep in each other")
            yield from uris(record.payload, depth + 1)


def _uri(payload: bytes) -> str:
    if not payload:
        raise DecodeError("a URI record without a URI")
    if payload[0] >= len(PREFIXES):
        raise DecodeError(f"URI identifier {payload[0]} undefined")
    try:
        return PREFIXES[payload[0]] + payload[1:].decode()
    except UnicodeDecodeError:
        raise DecodeError("a URI that is not UTF-8") from None


def decode(text: str) -> list[Reading]:
    """A message in hex. Raises `DecodeError`."""
    digits = "".join(text.split()).replace(":", "")
    if len(digits) % 2:
        raise DecodeError("an odd number of hex digits")
    try:
        message = bytes.fromhex(digits)
    except ValueError:
        raise DecodeError("not hex") from None
    return [Reading({"uris": list(uris(message))})]
