"""OSDP lines of the file of links: their options, and what they say through the voices of their devices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.ingest.linked import LineLink
from gateway.ingest.osdp.bus import run_bus
from gateway.ingest.osdp.keys import KeysError, load_keys
from gateway.ingest.osdp.panel import OsdpReader
from gateway.ingest.serial.health import LineHealth
from gateway.ingest.serial.port import PortError
from gateway.ingest.serial.voice import Voice


async def run_osdp(link: LineLink, voices: Mapping[int, Voice], health: LineHealth) -> None:
    """Serve a line of readers until cancelled. Raises `PortError` for keys or options that it cannot begin with."""
    try:
        readers = [_reader(address, voice, link.debounce_s) for address, voice in voices.items()]
        keys_file = link.options.get("keys")
        if not isinstance(keys_file, str):
            raise ValueError("options: keys: expected the path of the file of keys")
        keys = load_keys(Path(keys_file), [reader.key_name for reader in readers])
        clock = next(iter(voices.values())).clock

        def line_changed(problem: str | None, detail: str) -> None:
            if problem is None:
                health.is_open(clock.now())
            else:
                health.is_lost(clock.now(), problem, detail)

        await run_bus(link.port, link.baud or 9600, readers, voices, keys, line_changed)
    except KeysError as error:
        raise PortError("bad_keys", str(error)) from None
    except ValueError as error:
        raise PortError("bad_options", str(error)) from None


def _reader(address: int, voice: Voice, held_s: float) -> OsdpReader:
    key, install = voice.options.get("key"), voice.options.get("install", False)
    if not isinstance(key, str):
        raise ValueError(f"address {address}: options: key: expected the name of the reader's key")
    if not isinstance(install, bool):
        raise ValueError(f"address {address}: options: install: expected true or false")
    return OsdpReader(address, voice.site, voice.device, key, install, held_s)
