"""Decoders of serial lines under any bytes: splits say nothing, noise hides no frame, nothing grows."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ingest.devices.framing import MAX_RUN, FrameDecoder
from gateway.ingest.devices.reading import MAX_KEPT, DecodeError, Heard, Noise, Reading
from gateway.ingest.devices.registry import PROTOCOLS
from tests.unit.devices.frames import SAMPLES

unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))

LONGEST_WAIT = 600
"""No decoder waits for more bytes than this."""


def heard(protocol: str, *chunks: bytes) -> list[Heard]:
    decoder = FrameDecoder(SAMPLES[protocol].front)
    found = [each for chunk in chunks for each in decoder.feed(chunk)]
    return found + decoder.end()


def readings(found: list[Heard]) -> list[Reading]:
    return [each for each in found if isinstance(each, Reading)]


def traffic(protocol: str) -> st.SearchStrategy[bytes]:
    """Frames, pieces of frames, frames with a wrong byte, and anything else, one after the other."""
    frame = st.sampled_from(SAMPLES[protocol].frames)
    piece = st.builds(
        lambda whole, a, b: whole[a % len(whole) :][: b % len(whole)], frame, st.integers(0), st.integers(0)
    )
    spoilt = st.builds(
        lambda whole, at, byte: whole[: at % len(whole)] + bytes((byte,)) + whole[at % len(whole) + 1 :],
        frame,
        st.integers(0),
        st.integers(0, 255),
    )
    return st.lists(st.one_of(frame, piece, spoilt, st.binary(max_size=40)), max_size=12).map(b"".join)


@pytest.mark.parametrize("protocol", SAMPLES)
def test_a_frame_is_found_at_every_split(protocol: str) -> None:
    for frame in SAMPLES[protocol].frames:
        for at in range(len(frame) + 1):
            assert len(readings(heard(protocol, frame[:at], frame[at:]))) == 1
        assert readings(heard(protocol, *(bytes((byte,)) for byte in frame))) == readings(
            heard(protocol, frame)
        )


@pytest.mark.parametrize("protocol", SAMPLES)
@given(data=st.data())
@unhurried
def test_how_bytes_are_split_says_nothing(protocol: str, data: st.DataObject) -> None:
    whole = data.draw(traffic(protocol))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert heard(protocol, *chunks) == heard(protocol, whole)
    assert heard(protocol, *(bytes((byte,)) for byte in whole)) == heard(protocol, whole)


@pytest.mark.parametrize("protocol", SAMPLES)
@given(data=st.data())
@unhurried
def test_every_frame_between_noise_is_found_and_none_besides(protocol: str, data: st.DataObject) -> None:
    sample = SAMPLES[protocol]
    noise = st.binary(max_size=60).map(sample.harmless)
    frames = data.draw(st.lists(st.sampled_from(sample.frames), max_size=8))
    stream = data.draw(noise) + b"".join(frame + data.draw(noise) for frame in frames)
    expected = [each for frame in frames for each in readings(heard(protocol, frame))]
    assert readings(heard(protocol, stream)) == expected


@pytest.mark.parametrize("protocol", SAMPLES)
@given(data=st.data())
@unhurried
def test_frames_that_follow_each_other_at_once_are_all_found(protocol: str, data: st.DataObject) -> None:
    frames = data.draw(st.lists(st.sampled_from(SAMPLES[protocol].frames), max_size=12))
    found = heard(protocol, b"".join(frames))
    assert len(readings(found)) == len(frames) == len(found)


@pytest.mark.parametrize("protocol", SAMPLES)
@given(data=st.data())
@unhurried
def test_a_frame_after_one_that_was_cut_off_is_found(protocol: str, data: st.DataObject) -> None:
    frames = SAMPLES[protocol].frames
    cut, whole = (data.draw(st.sampled_from([each for each in frames if len(each) > 1])) for _ in range(2))
    length = data.draw(st.integers(1, len(cut) - 1))
    decoder = FrameDecoder(SAMPLES[protocol].front)
    first = decoder.feed(cut[:length]) + decoder.end()  # a silence between the two
    again = decoder.feed(whole) + decoder.end()
    assert len(readings(again)) == 1
    assert len(readings(first)) <= 1  # one whose end was not needed


@pytest.mark.parametrize("protocol", SAMPLES)
@given(data=st.data())
@unhurried
def test_any_bytes_are_taken_and_little_is_kept(protocol: str, data: st.DataObject) -> None:
    decoder = FrameDecoder(SAMPLES[protocol].front)
    whole = data.draw(st.one_of(traffic(protocol), st.binary(max_size=3000)))
    found = decoder.feed(whole * data.draw(st.sampled_from((1, 50))))
    assert len(decoder._waiting) <= LONGEST_WAIT
    assert decoder._run < MAX_RUN + LONGEST_WAIT
    found += decoder.end()
    assert all(len(each.data) <= MAX_KEPT and each.detail for each in found if isinstance(each, Noise))
    assert decoder._waiting == b""
    assert bool(found) or not whole.strip(b"\x00\r\n")


@pytest.mark.parametrize("protocol", SAMPLES)
def test_a_line_that_repeats_one_byte_for_ever_is_noise_in_pieces(protocol: str) -> None:
    for byte in set(range(256)) - {ord("*")}:  # a handheld's heartbeat
        decoder = FrameDecoder(SAMPLES[protocol].front)
        found = [each for _ in range(8) for each in decoder.feed(bytes((byte,)) * 300)]
        assert len(decoder._waiting) <= LONGEST_WAIT
        assert readings(found) == []


def pasted() -> st.SearchStrategy[str]:
    """What a person may paste: text, hex, bits, a line, JSON."""
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), st.lists, max_leaves=4
    )
    members = ("Time", "UID", "uid", "type", "RDM6300", "PN532", "time", "topic", "payload", "license", "uri")
    objects = st.dictionaries(st.sampled_from(members), value, max_size=5).map(json.dumps)
    return st.one_of(
        st.text(max_size=80),
        st.text("0123456789abcdefABCDEF \n", max_size=120),
        st.text("01", max_size=60),
        st.text("0123456789;:-. *CLOK\r", max_size=60),
        objects,
        st.sampled_from([each for sample in SAMPLES.values() for each in sample.frames]).map(bytes.hex),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(text=pasted())
@unhurried
def test_whatever_is_pasted_is_decoded_or_refused_in_words(protocol: str, text: str) -> None:
    with suppress(DecodeError):
        assert PROTOCOLS[protocol].decode(text)
