"""What a person pasted, as readings: the work of `patrol-gateway decode`."""

from __future__ import annotations

import json
from typing import Final

from gateway.ingest.devices.reading import DecodeError
from gateway.ingest.devices.registry import PROTOCOLS

MAX_SAID: Final = 300
"""The most letters of what is wrong: data that is shown there may be long."""


class UnknownProtocolError(Exception):
    """There is no protocol of that name; the message lists those that there are."""


def decoded(protocol: str, data: str) -> list[str]:
    """The readings of these data, each as one line of JSON.

    Raises `UnknownProtocolError`, and `DecodeError` that says on one line what is wrong.
    """
    if protocol not in PROTOCOLS:
        raise UnknownProtocolError(f"unknown protocol {protocol!r}; known: {', '.join(sorted(PROTOCOLS))}")
    try:
        readings = PROTOCOLS[protocol].decode(data)
        return [_printable(json.dumps(each.fields, ensure_ascii=False)) for each in readings]
    except DecodeError as error:
        said = " ".join(str(error).split())
    except Exception as error:
        # Whatever it was, it came of these data: a person gets one line of it, too.
        said = " ".join(f"not to be decoded: {type(error).__name__}: {error}".split())
    raise DecodeError(_printable(said if len(said) <= MAX_SAID else said[: MAX_SAID - 1] + "…"))


def _printable(text: str) -> str:
    """Half a character, as an argument that is not UTF-8 may hold, becomes its escape, which JSON reads as well."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
