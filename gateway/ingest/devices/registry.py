"""The protocols that there are: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.ingest.devices import em4100, ibutton, m100, osdp, pn532, wiclax, wiegand26
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
    "em4100": MakersProtocol(em4100.decode, Serial(em4100.listen)),
    "ibutton": MakersProtocol(ibutton.decode, Serial(ibutton.listen)),
    "m100": MakersProtocol(m100.decode, Serial(m100.talk, baud=115200)),
    "pn532": MakersProtocol(pn532.decode, Serial(pn532.talk, baud=115200)),
    "wiclax": MakersProtocol(wiclax.decode, Serial(wiclax.talk)),
    "wiegand26": MakersProtocol(wiegand26.decode, Serial(wiegand26.listen)),
    "osdp": MakersProtocol(decode=osdp.decode),
}
