"""Buses: lines with several devices, whose protocol has a master of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from gateway.ingest.modbus.served import run_modbus
from gateway.ingest.osdp.served import run_osdp

if TYPE_CHECKING:
    from gateway.ingest.linked import LineLink
    from gateway.ingest.serial.health import LineHealth
    from gateway.ingest.serial.voice import Voice

RunBus = Callable[["LineLink", "Mapping[int, Voice]", "LineHealth"], Awaitable[None]]
"""Serves a bus until the line is lost (`PortError`) or it is cancelled. It is started again after any error.

It says `LineHealth.is_open` once the port is open. `Voice` by address: `present` when the device begins or ceases to
answer, `hear` or `report` and `refuse` for what it says, `beat` for what it says of itself. The options of a device are
its voice's `options`.
"""

BUSES: dict[str, RunBus] = {"modbus": run_modbus, "osdp": run_osdp}
"""The protocols of buses that there are: one line each."""
