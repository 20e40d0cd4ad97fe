"""Frames: published ones, and an answer found among whatever else is on the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ingest.devices.modbus import decode
from gateway.ingest.devices.reading import DecodeError
from gateway.ingest.modbus.frames import Expected, is_whole, with_crc

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors_modbus.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_frames_are_read_as_their_source_says(vector: dict[str, Any]) -> None:
    (reading,) = decode(vector["data"])
    assert vector["expected"].items() <= reading.fields.items()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
@settings(deadline=None)
@given(place=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_frame_with_a_turned_bit_is_refused(vector: dict[str, Any], place: int, bit: int) -> None:
    frame = bytearray.fromhex(vector["data"])
    frame[place % len(frame)] ^= 1 << bit
    with pytest.raises(DecodeError, match="checksum"):
        decode(frame.hex())


@pytest.mark.parametrize(
    ("text", "why"),
    [("zz", "not hex"), ("", "0 bytes"), ("01", "1 bytes"), ("00" * 257, "257 bytes"),
     (with_crc(b"\x01\x2b\x0e").hex(), "function 43"), (with_crc(b"\x01\x03\x05\x00").hex(), "function 3")],
)  # fmt: skip
def test_what_is_no_frame_is_refused_with_words(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(text)


def test_an_exception_is_told_with_its_number() -> None:
    (reading,) = decode(with_crc(b"\x01\x83\x02").hex())
    assert reading.fields == {"unit": 1, "fc": 3, "exception": 2}


ASK = with_crc(b"\x01\x03\x00\x64\x00\x02")
ANSWER = with_crc(b"\x01\x03\x04\x00\x11\x00\x00")
OPEN = with_crc(b"\x01\x05\x00\x01\xff\x00")
junk = st.binary(max_size=20)


@settings(deadline=None)
@given(junk, junk)
def test_the_answer_is_found_whatever_lies_before_and_behind_it(before: bytes, behind: bytes) -> None:
    assert Expected.of(ASK).find(before + ANSWER + behind) == ANSWER
    assert Expected.of(OPEN).find(before + OPEN + behind) == OPEN


@settings(deadline=None)
@given(st.integers(0, len(ANSWER) - 1))
def test_half_an_answer_is_none_yet(length: int) -> None:
    assert Expected.of(ASK).find(ANSWER[:length]) == b""


@pytest.mark.parametrize(
    "heard",
    [
        with_crc(b"\x02\x03\x04\x00\x11\x00\x00"),  # another unit
        with_crc(b"\x01\x04\x04\x00\x11\x00\x00"),  # another function
        with_crc(b"\x01\x03\x02\x00\x11"),  # another length
        OPEN,  # the late answer to a command
        with_crc(b"\x01\x84\x02"),  # an exception to another function
    ],
)
def test_what_answers_something_else_is_not_the_answer(heard: bytes) -> None:
    assert Expected.of(ASK).find(heard) == b""
    assert Expected.of(ASK).find(heard + ANSWER) == ANSWER


@pytest.mark.parametrize(
    "heard",
    [ANSWER, with_crc(b"\x01\x05\x00\x03\xff\x00"), with_crc(b"\x01\x05\x00\x01\x00\x00"),
     with_crc(b"\x02" + OPEN[1:6])],
)  # fmt: skip
def test_only_its_own_echo_acknowledges_a_command(heard: bytes) -> None:
    assert Expected.of(OPEN).find(heard) == b""


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_never_taken_for_an_acknowledgement(heard: bytes) -> None:
    found = Expected.of(OPEN).find(heard)
    assert found in (b"", OPEN) or (is_whole(found) and found[:2] == b"\x01\x85")
