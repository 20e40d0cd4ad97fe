"""What a map says: where a barrier's position stands in its registers, and how it is told to move.

Addresses are those on the wire, from 0; manuals count from 1 and put the table in front: 40101 is
holding register 100.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final


class Table(Enum):
    """The four kinds of register, by the function that reads them."""

    COILS = 1
    INPUTS = 2
    HOLDING = 3
    INPUT_REGISTERS = 4


class Place(StrEnum):
    """Where a bar is, as far as its registers tell."""

    OPEN = "open"
    CLOSED = "closed"
    MOVING = "moving"
    BETWEEN = "between"  # at rest, neither here nor there: a car may get through
    UNKNOWN = "unknown"  # the controller does not know itself, or has no way to tell


@dataclass(frozen=True, slots=True)
class Read:
    """Registers or bits that are read together."""

    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    """One coil (function 5) or holding register (function 6), and what is written to it."""

    function: int
    address: int
    value: int


COIL_ON: Final = 0xFF00
COIL_OFF: Final = 0x0000


@dataclass(frozen=True, slots=True)
class BarrierMap:
    """One make of controller."""

    name: str
    baud: int
    parity: str
    read: Read
    place: Callable[[Sequence[int]], Place]
    """From what `read` gives, bits being 0 and 1."""
    commands: Mapping[str, tuple[Write, ...]]
    """`open`, `close`, `hold`, each as writes one after the other. One that is not there is refused."""
    travel_s: float = 15.0
    """So long a bar may be under way; then it is stuck (s)."""
