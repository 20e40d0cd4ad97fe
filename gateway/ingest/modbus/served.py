"""Modbus lines of the file of links: their options, and what they say through the voices of their devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.ingest.linked import LineLink
from gateway.ingest.modbus.bus import ModbusLine, ModbusUnit, run_bus
from gateway.ingest.modbus.maps import MAPS
from gateway.ingest.serial.health import LineHealth
from gateway.ingest.serial.port import PortError
from gateway.ingest.serial.voice import Voice

PARITIES: Final = ("N", "E", "O")


async def run_modbus(link: LineLink, voices: Mapping[int, Voice], health: LineHealth) -> None:
    """Serve a line of barriers until cancelled. Raises `PortError` for options that it cannot begin with."""
    try:
        line = _line(link, voices)
    except ValueError as error:
        raise PortError("bad_options", str(error)) from None
    by_device = {(voice.site, voice.device): voice for voice in voices.values()}
    clock = next(iter(voices.values())).clock

    def line_changed(is_open: bool) -> None:
        if is_open:
            health.is_open(clock.now())
        else:
            health.is_lost(clock.now(), "no_port", f"{link.port} cannot be opened, or was lost")

    await run_bus(
        line,
        lambda site, device: by_device[site, device],
        clock,
        lambda site, device, commander: by_device[site, device].commanded_by(commander),
        lambda site, device: by_device[site, device].place,
        line_changed,
    )


def _line(link: LineLink, voices: Mapping[int, Voice]) -> ModbusLine:
    parity = link.options.get("parity")
    if parity is not None and parity not in PARITIES:
        raise ValueError(f"options: parity: expected one of {', '.join(PARITIES)}")
    units = tuple(_unit(address, voice) for address, voice in voices.items())
    return ModbusLine(link.port, units, link.baud, parity)


def _unit(address: int, voice: Voice) -> ModbusUnit:
    map_, alone = voice.options.get("map"), voice.options.get("alone", False)
    if not isinstance(map_, str) or map_ not in MAPS:
        raise ValueError(f"address {address}: options: map: expected one of {', '.join(sorted(MAPS))}")
    if not isinstance(alone, bool):
        raise ValueError(f"address {address}: options: alone: expected true or false")
    return ModbusUnit(voice.site, voice.device, address, map_, alone)
