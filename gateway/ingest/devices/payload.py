"""JSON as the devices of other makers write it: what is there is taken, if it is of the right kind."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.ingest.devices.reading import DecodeError

Json = dict[str, Any]

_decode: Final = msgspec.json.Decoder().decode

_PADDING: Final = b"\x00 \t\r\n"
"""Some firmware sends the end of its C string, or what stood in its buffer before."""


def read_object(payload: bytes | str) -> Json:
    """The JSON object of a message. Raises `DecodeError`."""
    data = payload.encode(errors="surrogatepass") if isinstance(payload, str) else payload
    try:
        found = _decode(data.strip(_PADDING))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not JSON: {error}") from None
    except RecursionError:
        raise DecodeError("not JSON: arrays or objects too deep in each other") from None
    if not isinstance(found, dict):
        raise DecodeError(f"a {type(found).__name__} where an object was expected")
    return found


def inside(found: object, *path: str) -> Any:
    """What an object has along a path of members; None where one is missing, or is no object."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def whole(found: object, low: int = 0, high: int = 2**53) -> int | None:
    """A whole number within bounds, also one that was written as a string; else None."""
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) < 20:
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        return None
    return found


def text(found: object, longest: int = 256) -> str | None:
    """A string that is not empty and not too long; else None."""
    return found if isinstance(found, str) and 0 < len(found) <= longest else None


def is_hex(digits: str) -> bool:
    """Whether these are whole bytes in hex, 2 to 16 of them, as the UID of a tag has."""
    return 4 <= len(digits) <= 32 and len(digits) % 2 == 0 and _HEX.issuperset(digits)


_HEX: Final = frozenset("0123456789ABCDEF")
