"""A Modbus line as a pseudo-terminal, with controllers on it, for a gateway that is another process.

On standard input, a line each: `FAULT UNIT` sets what is wrong with a unit (`none`, `late`, …), `open UNIT` and
`close UNIT` are somebody at its button.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tty
from collections.abc import Iterable

from checkpoint_firmware_sim.modbus import Controller, Fault


class ModbusLine:
    """A pseudo-terminal with controllers at its other end. `path` is what the gateway opens."""

    def __init__(self, controllers: Iterable[Controller]) -> None:
        self.controllers = {each.unit: each for each in controllers}
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._loop.add_reader(self._master, self._read)

    def close(self) -> None:
        """Unplug the line."""
        self._loop.remove_reader(self._master)
        for end in (self._master, self._slave):
            os.close(end)

    def _read(self) -> None:
        try:
            self._heard += os.read(self._master, 1024)
        except OSError:
            return
        # Every request that these controllers know has eight bytes.
        while len(self._heard) >= 8:
            frame, self._heard = self._heard[:8], self._heard[8:]
            now = self._loop.time()
            for controller in self.controllers.values():
                for after, answer in controller.hears(frame, now):
                    self._loop.call_later(after, self._write, answer)

    def _write(self, answer: bytes) -> None:
        with contextlib.suppress(OSError):  # unplugged in the meantime
            os.write(self._master, answer)

    def obey(self, line: str) -> None:
        """Do what a line of standard input says. Raises ValueError for one that says nothing."""
        words = line.split()
        if len(words) != 2 or not words[1].isdecimal() or int(words[1]) not in self.controllers:
            raise ValueError(f"{line!r}: expected what, and the number of a unit")
        controller = self.controllers[int(words[1])]
        if words[0] in ("open", "close"):
            controller.press(words[0], self._loop.time())
        else:
            controller.fault = Fault(words[0])


async def play_line(controllers: Iterable[Controller]) -> None:
    """Print the path of the line, and play it until standard input ends."""
    line = ModbusLine(controllers)
    print(line.path, flush=True)  # noqa: T201  # for whoever starts the gateway
    loop, said = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), sys.stdin)
    try:
        async for text in said:
            try:
                line.obey(text.decode())
            except ValueError as error:
                print(error, file=sys.stderr, flush=True)  # noqa: T201
    finally:
        line.close()
