"""What all twins of serial readers have in common."""

from __future__ import annotations


class SerialTwin:
    """One reader at the end of a line: bytes in, bytes out, no line. Each maker's reader is one class."""

    baud = 9600

    def __init__(self) -> None:
        self.held: str | None = None
        """The tag that is held to the reader, by its number."""
        self.shown = False
        """Whether that tag has been told to the host."""
        self.now = 0.0
        """Seconds from any point on, as the last `tick` said."""

    def feed(self, data: bytes) -> bytes:
        """The host sent this. Returns what the reader answers at once."""
        return b""

    def tap(self, uid: str) -> bytes:
        """A tag is held to the reader, until `lift`. Returns what the reader sends at once.

        `uid` is the number as the site file has it. Raises ValueError for one that no such tag can have.
        """
        self.held = uid
        return b""

    def lift(self) -> bytes:
        """The tag is taken away."""
        self.held = None
        return b""

    def tick(self, now: float) -> bytes:
        """Time goes on. Returns what the reader sends by itself."""
        self.now = now
        return b""

    def reboot(self) -> bytes:
        """The power goes and comes back. Returns what the reader says when it starts."""
        return b""


def number(uid: str, *lengths: int) -> bytes:
    """The bytes of a number in hex. Raises ValueError where it is none of these lengths."""
    try:
        found = bytes.fromhex(uid)
    except ValueError:
        raise ValueError(f"{uid!r} is not hex") from None
    if len(found) not in lengths:
        raise ValueError(f"{uid!r} has {len(found)} bytes; this tag has {' or '.join(map(str, lengths))}")
    return found
