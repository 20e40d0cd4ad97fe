"""A serial line as libosdp wants it: reads and writes that never wait and never fail."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import Final

import osdp
import serial

log = logging.getLogger("gateway.osdp")

REOPEN_S: Final = 1.0
"""How often a line that is not there is tried again (s)."""

Changed = Callable[[str | None, str], None]
"""Hears what is wrong with the line: a code, and the same in words for an engineer; None when it is open."""

_CODES: Final = {
    errno.ENOENT: "no_such_port",
    errno.ENODEV: "no_such_port",
    errno.ENXIO: "no_such_port",
    errno.EACCES: "not_allowed",
    errno.EPERM: "not_allowed",
    errno.EBUSY: "busy",
    errno.EWOULDBLOCK: "busy",  # another program has locked it
}


class Line(osdp.Channel):  # type: ignore[misc]  # libosdp has no types
    """One line that may be unplugged and come back.

    While it is not there, whatever is written fails, so that libosdp finds all its readers gone. Nothing here may
    raise: libosdp would lose the exception and break.
    """

    def __init__(self, port: str, baud: int, overhear: Callable[[bytes], None], changed: Changed) -> None:
        super().__init__()
        self._changed = changed
        self._port, self._baud = port, baud
        self._overhear = overhear
        self._serial: serial.Serial | None = None
        self._try_at = 0.0
        self._problem = ""

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    def keep_open(self, now: float) -> bool:
        """Open the line if it is not, at most once in `REOPEN_S`. True when that has just worked."""
        if self._serial is not None or now < self._try_at:
            return False
        self._try_at = now + REOPEN_S
        try:
            self._serial = serial.Serial(self._port, self._baud, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, ValueError) as error:
            self._lost(_CODES.get(getattr(error, "errno", None) or 0, "cannot_open"), str(error))
            return False
        log.info("%s is open at %d baud", self._port, self._baud)
        self._problem = ""
        self._changed(None, "")
        return True

    def close(self) -> None:
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    def read(self, max_bytes: int) -> bytes:
        if self._serial is None:
            return b""
        try:
            data = os.read(self._serial.fileno(), max_bytes)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._lost("unplugged", str(error))
            return b""
        if data:
            self._overhear(data)
        return data

    def write(self, buf: bytes) -> int:
        if self._serial is None:
            return -1
        try:
            return os.write(self._serial.fileno(), buf)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lost("unplugged", str(error))
            return -1

    def flush(self) -> None:
        """What has come in belongs to a frame that is given up; libosdp reads over it."""

    def _lost(self, problem: str, detail: str) -> None:
        self.close()
        if problem != self._problem:
            self._problem = problem
            self._changed(problem, detail)
            log.warning(
                "line %s: %s: %s; it is tried again every %g s", self._port, problem, detail, REOPEN_S
            )
