"""One serial port that is open. pyserial sets it up; reading is the event loop's, a little at a time.

Nothing is read that was not asked for, so that what a line says faster than it is dealt with stays in the kernel, and
holds up the sender and nobody else. pyserial's companions for asyncio are not used: decisions/0016.
"""

from __future__ import annotations

import asyncio
import errno
import os
import termios
from contextlib import suppress
from typing import Final

import serial

READ_SIZE: Final = 512
"""The most that is read in one turn of the loop (bytes): some forty frames of a reader."""

_CODES: Final = {
    errno.ENOENT: "no_such_port",
    errno.ENODEV: "no_such_port",
    errno.ENXIO: "no_such_port",
    errno.EACCES: "not_allowed",
    errno.EPERM: "not_allowed",
    errno.EBUSY: "busy",
    errno.EWOULDBLOCK: "busy",  # another program has locked it
}


class PortError(Exception):
    """The line is not there, or not any more: a code, and what is wrong in words for an engineer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Port:
    """Use `Port.open`, and `close` it in the end."""

    def __init__(self, path: str, port: serial.Serial) -> None:
        self.path = path
        self._port = port
        self._fd: int = port.fileno()
        self._node = _node(os.fstat(self._fd))
        # Else a read of nothing could not be told from the end.
        modes = termios.tcgetattr(self._fd)
        modes[6][termios.VMIN] = 1
        termios.tcsetattr(self._fd, termios.TCSANOW, modes)

    @classmethod
    async def open(cls, path: str, baud: int, parity: str = "N", stop_bits: int = 1) -> Port:
        """Open it, for nobody else, 8 bits a byte. Raises `PortError`."""
        return await asyncio.to_thread(cls._open, path, baud, parity, stop_bits)

    @classmethod
    def _open(cls, path: str, baud: int, parity: str, stop_bits: int) -> Port:
        try:
            return cls(
                path, serial.Serial(path, baud, parity=parity, stopbits=stop_bits, timeout=0, exclusive=True)
            )
        except (OSError, ValueError, termios.error) as error:
            code = _CODES.get(getattr(error, "errno", None) or 0, "cannot_open")
            raise PortError(code, str(error)) from None

    async def read(self, within_s: float) -> bytes:
        """What the line says next, at most `READ_SIZE` bytes; nothing when it says nothing within so long.

        Others have their turn before it returns. Raises `PortError` when the line is gone.
        """
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._fd, _note, ready)
        try:
            async with asyncio.timeout(within_s):
                await ready
        except TimeoutError:
            return b""
        finally:
            loop.remove_reader(self._fd)
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise PortError("unplugged", error.strerror or str(error)) from None
        if not data:
            raise PortError("unplugged", "the line has ended")
        return data

    def write(self, data: bytes) -> None:
        """Send all of it now. Raises `PortError` when the line is gone, or takes no more."""
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise PortError("unplugged", error.strerror or str(error)) from None
        if sent < len(data):
            # What is asked is a few bytes, and half a question is of no use to anybody.
            raise PortError("stuck", f"the line took {sent} of {len(data)} bytes")

    def check(self) -> None:
        """Raises `PortError` when the path leads elsewhere by now, or nowhere, or the line has hung up."""
        try:
            node = _node(os.stat(self.path))  # noqa: PTH116 - the descriptor is asked the same way
            termios.tcgetattr(self._fd)
        except (OSError, termios.error) as error:
            raise PortError("unplugged", str(error)) from None
        if node != self._node:
            raise PortError("unplugged", f"{self.path} leads to another device now")

    async def close(self) -> None:
        """Let go of it, without waiting for what it did not take."""
        with suppress(OSError, termios.error, serial.SerialException):
            self._port.reset_output_buffer()
        with suppress(OSError, termios.error, serial.SerialException):
            # The kernel may take its time over it.
            await asyncio.to_thread(self._port.close)


def _node(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_dev, found.st_ino, found.st_rdev


def _note(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
