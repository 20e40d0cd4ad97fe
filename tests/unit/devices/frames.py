"""Frames of each protocol for tests of any bytes, and the noise that can stand between them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.ingest.devices import em4100, ibutton, m100, pn532, wiclax, wiegand26
from gateway.ingest.devices.framing import Front


@dataclass(frozen=True)
class Sample:
    """What a line of one protocol may carry."""

    front: Front
    frames: tuple[bytes, ...]
    harmless: Callable[[bytes], bytes]
    """Makes noise of any bytes that cannot be taken for the beginning of a frame, nor run into the next one."""


def _line(data: bytes) -> bytes:
    """Noise on a line of its own: letters that none of the protocols uses."""
    return re.sub(rb"[^\x80-\xff]", b"~", data) + b"\r\n"


SAMPLES = {
    "em4100": Sample(
        em4100.front,
        (b"\x0267003BA86793\x03", b"\x0267003BA86C98\r\n\x03", b"\x0267003B51C6CB\x03"),
        lambda data: data.replace(b"\x02", b"?"),
    ),
    "wiegand26": Sample(
        wiegand26.front,
        (b"00100010011110010110110101\r\n", b"00100010010100010010011111\n"),
        _line,
    ),
    "ibutton": Sample(
        ibutton.front,
        (b"01C68011010000C7\r\n", b"01c68011010000c7\r"),
        _line,
    ),
    "pn532": Sample(
        pn532.front,
        tuple(
            bytes.fromhex(each)
            for each in (
                "0000ff00ff00",
                "0000ff0cf4d54b010100040804fb0ee20bd800",
                "0000ff02fed5151600",
                "0000ff01ff7f8100",
                "0000ffffff000cf4d54b010100040804fb0ee20bd800",
            )
        ),
        lambda data: data.replace(b"\xff", b"?"),
    ),
    "m100": Sample(
        m100.front,
        tuple(
            bytes.fromhex(each)
            for each in (
                "bb01ff000115167e",
                "bb02220011cb3400e200471bb0006013044509d09582d47e",
                "bb01280001002a7e",
            )
        ),
        lambda data: data.replace(b"\xbb", b"?"),
    ),
    "wiclax": Sample(
        wiclax.front,
        (
            b"01539;22-09-2011 02:41:30.620;0A;559;;0\r",
            b"*",
            b"CLOCK 22-09-2011 02:41:30\r",
            b"01540;22-09-2011 02:41:31.000;;;65;1\r\n",
        ),
        _line,
    ),
}
