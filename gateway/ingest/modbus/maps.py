"""The maps that there are: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.ingest.modbus.barrier_map import BarrierMap
from gateway.ingest.modbus.came import CAME_PTX
from gateway.ingest.modbus.relay import RELAY, RELAY_INPUTS
from gateway.ingest.modbus.roger import ROGER

MAPS: Final[Mapping[str, BarrierMap]] = {each.name: each for each in (CAME_PTX, ROGER, RELAY, RELAY_INPUTS)}
