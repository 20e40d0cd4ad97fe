"""OSDP frames, as published and as captured."""

from __future__ import annotations

import binascii
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.ingest.devices import osdp
from gateway.ingest.devices.osdp import Card, Osdp, decode
from gateway.ingest.devices.reading import DecodeError, Noise, Reading

VECTORS = json.loads((Path(__file__).parent / "vectors_osdp.json").read_text(encoding="utf-8"))
FRAMES = [bytes.fromhex(each["data"]) for each in VECTORS if each["data"][:2] in ("ff", "53")]
NEEDS_THE_KEY = {"plaintext_padded", "keys"}


def with_crc(head: str) -> str:
    """A frame with a right check at its end."""
    data = bytes.fromhex(head)
    return (data + binascii.crc_hqx(data, 0x1D0F).to_bytes(2, "little")).hex()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_published_frame_says_what_its_source_says(vector: dict[str, Any]) -> None:
    (reading,) = decode(vector["data"])
    expected = {name: value for name, value in vector["expected"].items() if name not in NEEDS_THE_KEY}
    assert {name: reading.fields[name] for name in expected} == expected


def test_what_a_secured_frame_says_without_its_key() -> None:
    (reading,) = decode("ff53001e000e02176eaca3c2ffe4d9e599cd771b8ef3d13f23faab634e0895")
    assert reading.fields["code"] == 0x6E
    assert reading.fields["data"] == "aca3c2ffe4d9e599cd771b8ef3d13f23"
    assert reading.fields["mac4"] == "faab634e"


def test_a_card_that_was_read_amounts_to_a_scan() -> None:
    (reading,) = decode("53e51000065000011a0080123440b695")
    assert reading.record == {"type": "scan", "tag": "002468"}
    assert decode("00 01 2000 DEADBEEF")[0].record == {"type": "scan", "tag": "DEADBEEF"}


def test_an_enciphered_card_amounts_to_nothing_without_the_key() -> None:
    (reading,) = decode(with_crc("53811e000e0218500102030405060708090a0b0c0d0e0f10aabbccdd"))
    assert (reading.fields["code"], reading.record) == (osdp.RAW, None)


def test_a_card_with_wrong_parity_is_read_and_amounts_to_nothing() -> None:
    (reading,) = decode("00011a0000123440")
    assert reading.fields["bits"] == 26
    assert reading.record is None


@pytest.mark.parametrize(
    ("bits", "tag"),
    [
        ("10000000000100100011010001", "002468"),  # 26 bits, the first and the last are parity
        ("0" + "10" * 16 + "1", "AAAAAAAA"),  # 34 bits, the same
        ("1" * 37, "1FFFFFFFFF"),
        ("00000100" + "1" * 48, "04FFFFFFFFFFFF"),  # a UID of seven bytes
        ("101", "0005"),
    ],
)
def test_the_number_on_a_card_is_its_tag(bits: str, tag: str) -> None:
    assert Card(0, 1, bits).tag == tag


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("xyz", "not hex"),
        ("", "no bytes"),
        ("ffff", "no frame, only mark bytes"),
        ("53000900046100c067", "bad checksum: the CRC is 67C0, not 66C0"),
        ("5300080000610045", "bad checksum: the checksum is 45, not 44"),
        ("530009000461", "truncated: the frame ends after 6 of 9 bytes"),
        ("5300", "truncated: the frame ends after 2 bytes"),
        ("530005000461", "bad length: a frame has 7 to 1440 bytes, not 5"),
        ("53000900046100c06642", "garbage: bytes outside a frame"),
        (with_crc("53000a000c090060"), "bad length: the security block does not fit in"),
        (with_crc("53000c000c021560aabb"), "bad length: there is no room for a code"),
        ("0001", "truncated: card data has at least 4 bytes, not 2"),
        ("00011a008012", "bad length: 26 bits take 4 bytes, not 2"),
    ],
)
def test_what_is_no_frame_is_refused_with_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(text)
    assert str(caught.value) == wrong


@pytest.mark.parametrize("bits", ["", "1" * 129])
def test_bits_that_are_no_card_number_have_no_tag(bits: str) -> None:
    with pytest.raises(DecodeError, match="no card number"):
        _ = Card(0, 1, bits).tag


def heard(stream: Osdp, *parts: bytes) -> list[Any]:
    found = [each for part in parts for each in stream.feed(part)]
    return [each.fields for each in found if isinstance(each, Reading)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=4), st.data())
def test_however_a_stream_is_split_the_same_frames_are_found(
    frames: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert heard(Osdp(), *parts) == [decode(frame.hex())[0].fields for frame in frames]


@settings(deadline=None)
@given(st.binary(max_size=60).filter(lambda noise: osdp.SOM not in noise), st.sampled_from(FRAMES))
def test_the_next_frame_is_found_after_noise(noise: bytes, frame: bytes) -> None:
    assert heard(Osdp(), noise + frame) == [decode(frame.hex())[0].fields]


@settings(deadline=None)
@given(st.sampled_from(FRAMES), st.sampled_from(FRAMES), st.data())
def test_a_frame_with_a_wrong_bit_does_not_hide_the_next(
    bad: bytes, good: bytes, data: st.DataObject
) -> None:
    start = bad.index(osdp.SOM)
    place = data.draw(
        st.integers(start + 5, len(bad) - 1)
    )  # not in the head: a wrong length hides what it covers
    broken = bytearray(bad)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    assert heard(Osdp(), bytes(broken) + good)[-1:] == [decode(good.hex())[0].fields]


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(bytes([osdp.SOM]) * 20)
def test_no_bytes_at_all_break_the_decoder(data: bytes) -> None:
    stream = Osdp()
    for each in [*stream.feed(data), *stream.end()]:
        assert isinstance(each, Reading | Noise)
    try:
        assert decode(data.hex())
    except DecodeError as error:
        assert str(error)
