"""OSDP readers on one RS-485 line: libosdp's own peripheral devices behind a pseudo-terminal, in a process of its own.

    checkpoint-firmware-sim osdp --port /tmp/line 1=000102030405060708090A0B0C0D0E0F 2=none

`/tmp/line` becomes a link to the terminal that a gateway opens as it would open the line. What happens is told on
standard input, a line each; what the readers do is told on standard output, a JSON object a line:

    tap 1 26 80123440       a card is held to reader 1: so many bits, in hex, left-aligned
    tamper 1 on|off         its case is opened, closed
    power 1 fails|back      its power
    reboot 1                it starts again, with the key it has
    off 1                   it is dead, until `reboot`
    mute 1                  from its next start on it has neither light nor buzzer
    cut, mend               nothing gets through either way; the line is whole again
    unplug, plug            the line's adapter is pulled out: the terminal is gone; a new one is there
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import tty
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

import osdp

log = logging.getLogger(__name__)

TURN_S: Final = 0.005
"""How often the readers get to work (s): a controller waits 0.2 s for an answer."""

_PIECE: Final = 3
"""Bytes that are written together to a line that splits."""

_COLORS: Final = {
    getattr(osdp.CommandLEDColor, name): name.lower()
    for name in ("Black", "Red", "Green", "Amber", "Blue", "Magenta", "Cyan", "White")
}
_ABLE: Final = [
    (osdp.Capability.ContactStatusMonitoring, 1, 1),
    (osdp.Capability.CardDataFormat, 1, 1),
    (osdp.Capability.LEDControl, 1, 1),
    (osdp.Capability.AudibleControl, 1, 1),
    (osdp.Capability.CommunicationSecurity, 1, 1),
]


class _Ear(osdp.Channel):  # type: ignore[misc]  # libosdp has no types
    """One reader's end of the line."""

    def __init__(self, line: OsdpLine, address: int) -> None:
        super().__init__()
        self._line, self._address = line, address
        self.heard = b""

    def read(self, max_bytes: int) -> bytes:
        data, self.heard = self.heard[:max_bytes], self.heard[max_bytes:]
        return data

    def write(self, buf: bytes) -> int:
        self._line.say(self._address, buf)
        return len(buf)

    def flush(self) -> None:
        self.heard = b""


class OsdpLine:
    """The line and its readers. `keys`: by address; None for a reader that has not been given one yet."""

    def __init__(self, port: Path, keys: Mapping[int, bytes | None], out: TextIO) -> None:
        self._port, self._out = port, out
        self._keys = dict(keys)
        self._able = {address: list(_ABLE) for address in keys}
        self._whole = True
        self.splits = False
        self._master = self._slave = -1
        self._ears: dict[int, _Ear] = {}
        self._readers: dict[int, osdp.PeripheralDevice] = {}
        self._secure: dict[int, bool] = {}
        for address in keys:
            self.reboot(address)
        self.plug()

    # -- what happens to it ---------------------------------------------------------------------------------

    def plug(self) -> None:
        if self._master < 0:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._port.unlink(missing_ok=True)
            self._port.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        if self._master >= 0:
            self._port.unlink()
            os.close(self._slave)
            os.close(self._master)
            self._master = -1

    def cut(self) -> None:
        self._whole = False

    def mend(self) -> None:
        self._whole = True

    def noise(self, count: int) -> None:
        """So many bytes of anything, at all ends of the line."""
        self.say(-1, os.urandom(count))

    def off(self, address: int) -> None:
        del self._readers[address], self._ears[address]

    def reboot(self, address: int) -> None:
        self._ears[address] = ear = _Ear(self, address)
        ident = osdp.PdId(1, 1, 0x0E2310, address, 0x010203)
        info = osdp.PDInfo(address, ear, scbk=self._keys[address], id=ident)
        self._readers[address] = osdp.PeripheralDevice(
            info, osdp.PDCapabilities(self._able[address]), log_level=osdp.LogLevel.Emergency
        )
        self._secure[address] = False

    def mute(self, address: int) -> None:
        kept = (osdp.Capability.LEDControl, osdp.Capability.AudibleControl)
        self._able[address] = [each for each in _ABLE if each[0] not in kept]

    def tap(self, address: int, bits: int, data: bytes) -> None:
        self._happen(
            address,
            {
                "event": osdp.Event.CardRead,
                "reader_no": 0,
                "direction": 0,
                "format": osdp.CardFormat.Wiegand,
                "length": bits,
                "data": data,
            },
        )

    def local(self, address: int, tampered: bool, power_failed: bool) -> None:
        report = bytes([tampered, power_failed])
        kind = osdp.StatusReportType.Local
        self._happen(address, {"event": osdp.Event.Status, "type": kind, "report": report})

    def _happen(self, address: int, event: Mapping[str, Any]) -> None:
        if not self._readers[address].ctx.submit_event(dict(event)):
            self.tell(address, happened=False)

    # -- the line -------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Let everybody work for a moment."""
        data = self._hear()
        for ear in self._ears.values():
            ear.heard += data
        for address, reader in self._readers.items():
            reader.ctx.refresh()
            while (command := reader.get_command(-1)) is not None:
                self._carry_out(address, command)
            secure = bool(reader.ctx.is_sc_active())
            if secure is not self._secure[address]:
                self._secure[address] = secure
                self.tell(address, secure=secure)

    def _hear(self) -> bytes:
        if self._master < 0:
            return b""
        try:
            data = os.read(self._master, 4096)
        except OSError:  # nothing there
            return b""
        return data if self._whole else b""

    def say(self, address: int, data: bytes) -> None:
        if self._master >= 0 and self._whole:
            with suppress(OSError):
                size = _PIECE if self.splits else len(data)
                for at in range(0, len(data), size or 1):
                    os.write(self._master, data[at : at + size])
            for other, ear in self._ears.items():
                if other != address:
                    ear.heard += data

    def _carry_out(self, address: int, command: Mapping[str, Any]) -> None:
        kind = command["command"]
        if kind == osdp.Command.LED:
            self.tell(address, light=_COLORS[command["on_color"]])
        elif kind == osdp.Command.Buzzer:
            self.tell(address, beeps=command["rep_count"])
        elif kind == osdp.Command.Keyset:
            self._keys[address] = command["data"]
            self.tell(address, key=True)

    def tell(self, address: int, **what: Any) -> None:
        print(json.dumps({"reader": address, **what}), file=self._out, flush=True)

    def obey(self, text: str) -> None:
        """One line of standard input. Raises `ValueError` or `LookupError` for what is none."""
        word, *rest = text.split()
        if word == "tap":
            self.tap(int(rest[0]), int(rest[1]), bytes.fromhex(rest[2]))
        elif word == "tamper":
            self.local(int(rest[0]), rest[1] == "on", False)
        elif word == "power":
            self.local(int(rest[0]), False, rest[1] == "fails")
        elif word in ("reboot", "off", "mute"):
            getattr(self, word)(int(rest[0]))
        elif word in ("cut", "mend", "unplug", "plug"):
            getattr(self, word)()
        else:
            raise ValueError(f"what is {word!r}?")


def play(port: Path, keys: Mapping[int, bytes | None], commands: TextIO = sys.stdin) -> None:
    """Play a line until standard input ends."""
    line = OsdpLine(port, keys, sys.stdout)
    left = b""
    try:
        while True:
            if select.select([commands], [], [], TURN_S)[0]:
                data = os.read(commands.fileno(), 4096)
                if not data:
                    return
                *texts, left = (left + data).split(b"\n")
                for text in texts:
                    try:
                        line.obey(text.decode())
                    except (ValueError, LookupError):
                        log.error("not understood, or no such reader: %s", text.decode(errors="replace"))
            line.turn()
    finally:
        line.unplug()
