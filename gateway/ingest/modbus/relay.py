"""A relay board at the push-button inputs of any barrier, Waveshare's "Modbus RTU Relay" being the usual one.

Relay 1 opens, relay 2 closes: each is closed for a moment and released by the board itself ("flash on", address
0x0200 and the relay's, the value in tenths of a second), so that nothing hangs on a second message. Relay 1 that stays
closed holds the barrier open. Source: Waveshare's description of the board (wiki, "Modbus RTU Relay"): 9600 8N1.

Without inputs nothing tells where the bar is: the board has done what it was told, and no more is known. With inputs
(a board such as "Modbus RTU Relay (D)") the limit switch that closes at the top is input 1, the lower one input 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.ingest.modbus.barrier_map import COIL_OFF, COIL_ON, BarrierMap, Place, Read, Table, Write

FLASH_ON: Final = 0x0200
PULSE: Final = 8
"""For how long a button is pressed (tenths of a second)."""

_OPEN, _CLOSE = 0, 1

_COMMANDS: Final[Mapping[str, tuple[Write, ...]]] = {
    "open": (Write(5, FLASH_ON | _OPEN, PULSE),),
    "close": (Write(5, _OPEN, COIL_OFF), Write(5, FLASH_ON | _CLOSE, PULSE)),
    "hold": (Write(5, _OPEN, COIL_ON),),
}


def _nowhere(bits: Sequence[int]) -> Place:
    return Place.UNKNOWN


def _by_limits(bits: Sequence[int]) -> Place:
    top, bottom = bits[:2]
    if top and bottom:
        return Place.UNKNOWN  # a broken switch, or a cut cable
    if top or bottom:
        return Place.OPEN if top else Place.CLOSED
    return Place.MOVING


RELAY: Final = BarrierMap("relay", 9600, "N", Read(Table.COILS, 0, 2), _nowhere, _COMMANDS)
RELAY_INPUTS: Final = BarrierMap("relay-inputs", 9600, "N", Read(Table.INPUTS, 0, 2), _by_limits, _COMMANDS)
