"""The conversation with a UHF reader."""

from __future__ import annotations

from checkpoint_firmware_sim.lines.m100 import M100
from gateway.ingest.devices.m100 import READ_ON, STOP, command, talk
from tests.unit.devices.bench import Bench, noises, scans, tags

TAG = "E200471BB0006013044509D0"


def bench() -> Bench:
    return Bench(talk({}), M100())


def test_commands_are_the_published_frames() -> None:
    assert STOP.hex() == "bb00280000287e"
    assert command(0x27, b"\x22\x27\x10").hex() == "bb00270003222710837e"


def test_a_tag_is_told_in_each_round_that_sees_it() -> None:
    line = bench()
    assert scans(line.run(1)) == []
    line.twin.tap(TAG)
    found = scans(line.run(1))
    assert found[0] == {"type": "scan", "tag": TAG, "rssi": -53}
    line.twin.lift()
    line.run(0.1)
    assert scans(line.run(1)) == []
    assert noises(line.heard) == []


def test_a_working_reader_is_not_told_again() -> None:
    line = bench()
    line.run(30)
    assert line.sent == [STOP + READ_ON]


def test_a_reader_that_was_switched_off_and_on_reads_again_within_two_seconds() -> None:
    line = bench()
    line.run(3)
    line.twin.reboot()
    line.twin.tap(TAG)
    assert TAG in tags(line.run(2))
    assert noises(line.heard) == []


def test_when_the_rounds_are_over_it_is_told_again() -> None:
    line = bench()
    line.twin.feed(STOP)
    line.run(0.1)
    line.twin.feed(STOP)
    assert scans(line.run(0.5)) == []
    line.twin.tap(TAG)
    assert TAG in tags(line.run(1.5))


def test_a_reader_that_says_nothing_is_reported_and_tried_for_ever() -> None:
    line = bench()
    line.cable = lambda data: b""
    found = noises(line.run(120))
    assert set(found) == {"unanswered"}
    assert 20 <= len(found) <= len(line.sent) <= 40
    line.cable = lambda data: data
    line.twin.tap(TAG)
    assert TAG in tags(line.run(6))


def test_a_reader_that_refuses_is_told_again_once_a_second_and_no_faster() -> None:
    line = bench()
    line.cable = lambda data: bytes.fromhex("bb01ff000117187e")
    line.twin.tick = lambda now: b""  # type: ignore[method-assign]
    assert noises(line.run(10)).count("refused") <= 11
    assert 8 <= len(line.sent) <= 11
