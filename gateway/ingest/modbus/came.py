"""CAME GARD PTX, by its Modbus board ZLB30B.

Source: the maker's leaflet FA01323M4A (803XC-0020, April 2019), "GARD PTX – ZLB30B – Modbus register map": 38400 8E1,
40101 the gate's status, 40102 its position in percent, commands as coils 1 (stop), 2 (open), 4 (close).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.ingest.modbus.barrier_map import COIL_ON, BarrierMap, Place, Read, Table, Write

_STATUS: Final[Mapping[int, Place]] = {
    16: Place.OPEN,
    17: Place.CLOSED,
    18: Place.BETWEEN,  # partly open
    19: Place.BETWEEN,  # stopped
    32: Place.MOVING,  # opening
    33: Place.MOVING,  # closing
    34: Place.MOVING,  # opening partly
}


def _place(registers: Sequence[int]) -> Place:
    # 0 is "unknown", 3 is "calibrating"
    return _STATUS.get(registers[0], Place.UNKNOWN)


CAME_PTX: Final = BarrierMap(
    name="came-ptx",
    baud=38400,
    parity="E",
    read=Read(Table.HOLDING, 100, 2),
    place=_place,
    commands={"open": (Write(5, 1, COIL_ON),), "close": (Write(5, 3, COIL_ON),)},
)
