"""Why a reader does not come online, from what it was heard to answer."""

from __future__ import annotations

import binascii

import pytest

from gateway.ingest.devices import osdp
from gateway.ingest.osdp.watch import Trouble, Watch


def answer(code: int, data: bytes = b"", address: int = 5) -> bytes:
    frame = bytes([osdp.SOM, address | 0x80, 8 + len(data), 0, 0x04, code]) + data
    return frame + binascii.crc_hqx(frame, 0x1D0F).to_bytes(2, "little")


ID, ABLE, CRYPT, NO = (
    answer(osdp.PDID, bytes(12)),
    answer(osdp.PDCAP, bytes(3)),
    answer(osdp.CCRYPT, bytes(32)),
    answer(osdp.NAK, b"\x05"),
)


@pytest.mark.parametrize(
    ("heard", "trouble"),
    [
        (b"", Trouble.NO_ANSWER),
        (ID, Trouble.NO_ANSWER),
        (ID + ABLE, Trouble.NOT_SECURE),
        (ID + ABLE + NO, Trouble.WRONG_KEY),
        (ID + ABLE + CRYPT, Trouble.WRONG_KEY),
        (NO, Trouble.REFUSED),
        (answer(osdp.NAK, b"\x05", address=6), Trouble.NO_ANSWER),
        (b"noise" + ID + b"\xff\x00" + ABLE + NO, Trouble.WRONG_KEY),
    ],
)
def test_what_was_heard_tells_what_is_wrong(heard: bytes, trouble: Trouble) -> None:
    watch = Watch()
    watch.overhear(heard)
    assert watch.trouble(5) is trouble


def test_each_attempt_is_told_by_what_was_heard_in_it() -> None:
    watch = Watch()
    watch.overhear(ID + ABLE + CRYPT)
    watch.begin(5)
    assert watch.trouble(5) is Trouble.NO_ANSWER


def test_what_the_controller_says_is_no_answer() -> None:
    watch = Watch()
    watch.overhear(bytes.fromhex("ff5305080004606090"))
    watch.overhear(bytes.fromhex("53000900046100c066"))
    assert watch.trouble(5) is Trouble.NO_ANSWER
