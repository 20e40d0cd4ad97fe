"""Roger Technology brushless controllers (B70, EDGE1, CTRL), as their own radio module B74/BConnect speaks to them.

Source: github.com/mpredfearn/open_roger_b74connect at d2b2f58e, captures of a logic analyser and what was read from
them: 115200 8N1, unit 10; the low byte of register 0x1580 tells where the gate is; commands go to register 0x1965,
which is 6501. It was taken from one gate whose closed end is what the controller calls its pedestrian limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.ingest.modbus.barrier_map import BarrierMap, Place, Read, Table, Write

_STATUS: Final[Mapping[int, Place]] = {
    0x01: Place.MOVING,  # opening
    0x02: Place.BETWEEN,  # stopped
    0x03: Place.MOVING,  # closing
    0x05: Place.OPEN,
    0x06: Place.CLOSED,
}
_COMMAND: Final = 0x1965


def _place(registers: Sequence[int]) -> Place:
    return _STATUS.get(registers[4] & 0xFF, Place.UNKNOWN)


ROGER: Final = BarrierMap(
    name="roger",
    baud=115200,
    parity="N",
    read=Read(Table.HOLDING, 0x157C, 6),
    place=_place,
    commands={"open": (Write(6, _COMMAND, 0x6802),), "close": (Write(6, _COMMAND, 0x6804),)},
    travel_s=45.0,  # a gate that slides, not a bar; the captured one takes 20 s
)
