"""A real serial line with a twin at its end: a pseudo-terminal, and what can be wrong with a cable."""

from __future__ import annotations

import errno
import os
import select
import tty
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

from checkpoint_firmware_sim.lines.twin import SerialTwin

_PIECE: Final = 3  # bytes that come together on a line that splits


class Line:
    """One line. Whoever opens `path` is the host.

    `link`: a name that stays the same when the line is unplugged and comes back, as /dev/serial/by-id has them.
    """

    def __init__(self, twin: SerialTwin, link: Path | None = None, random: Random | None = None) -> None:
        self.twin = twin
        self.splits = False
        self._link = link
        self._random = random or Random()
        self._silent_until = 0.0
        self._master: int | None = None
        self._slave: int | None = None
        self._pending = b""
        self.plug()

    @property
    def path(self) -> str:
        """Where the host finds the line. Raises OSError while it is unplugged."""
        if self._link is not None:
            return str(self._link)
        if self._slave is None:
            raise OSError(errno.ENODEV, "the line is unplugged")
        return os.ttyname(self._slave)

    def plug(self) -> None:
        """The adapter is put in: a new terminal, under the same link."""
        if self._master is not None:
            return
        # The other end stays open here as well, so that a host that comes and goes does not hang the line up.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """The adapter is pulled out, in the middle of whatever was said."""
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        for end in (self._master, self._slave):
            if end is not None:
                os.close(end)
        self._master = self._slave = None
        self._pending = b""

    def turn(self, now: float) -> None:
        """Carry what came and what is to be sent; `now` in monotonic seconds. Call it every few ms."""
        self._say(self.twin.tick(now))
        if self._master is None:
            return
        with suppress(BlockingIOError):
            self._say(self.twin.feed(os.read(self._master, 4096)))
        if now < self._silent_until:
            self._pending = b""
        out = self._pending[:_PIECE] if self.splits else self._pending
        self._pending = self._pending[len(out) :]
        with suppress(BlockingIOError):  # nobody reads: a serial line keeps nothing
            os.write(self._master, out)

    def wait(self, seconds: float) -> None:
        """Until the host says something, at most so long."""
        select.select([] if self._master is None else [self._master], [], [], seconds)

    def tap(self, uid: str) -> None:
        """A tag is held to the reader."""
        self._say(self.twin.tap(uid))

    def lift(self) -> None:
        """The tag is taken away."""
        self._say(self.twin.lift())

    def reboot(self) -> None:
        """The reader's power goes and comes back."""
        self._pending = b""
        self._say(self.twin.reboot())

    def noise(self, count: int) -> None:
        """So many bytes of anything, as a bad contact makes them."""
        self._say(self._random.randbytes(count))

    def silence(self, until: float) -> None:
        """Nothing that the reader says arrives until then."""
        self._silent_until = until

    def _say(self, data: bytes) -> None:
        if self._master is not None:
            self._pending += data
