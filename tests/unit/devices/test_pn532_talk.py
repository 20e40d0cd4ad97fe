"""The conversation with a PN532."""

from __future__ import annotations

import pytest

from checkpoint_firmware_sim.lines.pn532 import Pn532
from gateway.ingest.devices.pn532 import NACK, command, talk
from gateway.ingest.devices.reading import Reading
from tests.unit.devices.bench import Bench, noises, scans, tags

TAG = "04DE5F1EACC040"


def bench() -> Bench:
    return Bench(talk({"poll_ms": 100}), Pn532())


def test_commands_are_the_published_frames() -> None:
    assert command(b"\x14\x01\x14\x01").hex() == "0000ff05fbd4140114010200"
    assert command(b"\x02").hex() == "0000ff02fed4022a00"


def test_a_sleeping_reader_is_woken_set_up_and_asked_until_a_tag_comes() -> None:
    line = bench()
    line.run(1)
    assert line.sent[0].startswith(b"\x55\x55\x00")
    firmware = [each.fields for each in line.heard if isinstance(each, Reading) and "firmware" in each.fields]
    assert [(each["ic"], each["firmware"]) for each in firmware] == [("32", "1.6")]
    assert scans(line.heard) == [] and noises(line.heard) == []
    line.twin.tap(TAG)
    found = line.run(1)
    assert scans(found)[0] == {"type": "scan", "tag": TAG}
    assert 5 <= len(scans(found)) <= 10  # held, it is told again at each poll


def test_a_reader_that_was_switched_off_and_on_is_found_again_by_itself() -> None:
    line = bench()
    line.run(1)
    line.twin.reboot()
    line.twin.tap(TAG)
    found = line.run(2)
    assert tags(found)[:1] == [TAG]


def test_a_reader_that_says_nothing_is_reported_and_tried_for_ever() -> None:
    line = bench()
    line.run(1)
    line.cable = lambda data: b""
    found = noises(line.run(60))
    assert set(found) == {"unanswered"}
    assert 30 <= len(found) <= 60
    line.cable = lambda data: data
    line.twin.tap(TAG)
    assert TAG in tags(line.run(3))


def test_an_answer_that_comes_broken_is_asked_for_again() -> None:
    line = bench()
    line.run(1)
    line.twin.tap(TAG)
    spoilt = []

    def spoil_once(data: bytes) -> bytes:
        if not spoilt and b"\xd5\x4b" in data:
            spoilt.append(data)
            return data.replace(bytes.fromhex(TAG), bytes(7))
        return data

    line.cable = spoil_once
    found = line.run(0.3)
    assert noises(found) == ["bad_checksum"]
    assert NACK in line.sent
    assert tags(found)[0] == TAG


def test_a_lost_acknowledgement_does_not_matter() -> None:
    line = bench()
    line.cable = lambda data: data.replace(b"\x00\x00\xff\x00\xff\x00", b"")
    line.twin.tap(TAG)
    found = line.run(1)
    assert TAG in tags(found) and noises(found) == []


def test_a_command_that_the_reader_does_not_understand_is_told() -> None:
    line = bench()
    line.cable = lambda data: bytes.fromhex("0000ff00ff000000ff01ff7f8100") if b"\xd5\x33" in data else data
    assert set(noises(line.run(5))) == {"refused"}


def test_opening_the_line_again_begins_anew() -> None:
    line = bench()
    line.run(0.05)
    line.talk.opened(line.now)
    line.twin.tap(TAG)
    assert TAG in tags(line.run(1))


@pytest.mark.parametrize("options", [{"poll_ms": 5}, {"poll_ms": "fast"}, {"poll_ms": True}])
def test_an_option_that_cannot_be_is_refused_in_words(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="poll_ms is"):
        talk(options)
