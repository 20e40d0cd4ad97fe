"""The protocols that there are: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.ingest.devices import modbus
from gateway.ingest.devices.reading import Reading, Talk


@dataclass(frozen=True, slots=True)
class Serial:
    """How a line is set, and who talks on it."""

    talk: Callable[[Mapping[str, Any]], Talk]
    """Makes the talk of one line from the options of its link; raises `ValueError` that says what is wrong with one."""
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1


@dataclass(frozen=True, slots=True)
class MakersProtocol:
    """One protocol of a maker."""

    decode: Callable[[str], list[Reading]]
    """For `patrol-gateway decode`: readings of what a person pasted. Raises `DecodeError`."""
    serial: Serial | None = None


PROTOCOLS: Final[Mapping[str, MakersProtocol]] = {
    "modbus": MakersProtocol(modbus.decode),
}
