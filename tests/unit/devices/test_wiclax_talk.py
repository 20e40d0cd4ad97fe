"""The conversation with a handheld at its dock: a night's records, gaps, clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoint_firmware_sim.lines.wiclax import Wiclax
from gateway.ingest.devices.reading import Reading, Remembering
from gateway.ingest.devices.wiclax import WiclaxTalk, ZoneInfo, talk
from tests.unit.devices.bench import Bench, noises, scans, tags

START = datetime(2026, 11, 23, 22, 0)
"""Local, in Shanghai; 14:00 UTC."""


class Dock(Bench):
    """A handheld at its dock. `walk` lets time go on while it is away."""

    talk: WiclaxTalk
    twin: Wiclax

    def __init__(self, off: timedelta = timedelta()) -> None:
        self.away = 0.0
        self.now = 0.0
        wall = START.replace(tzinfo=UTC) - timedelta(hours=8)
        conversation = WiclaxTalk(
            ZoneInfo("Asia/Shanghai"),
            timedelta(hours=24),
            lambda: round((wall.timestamp() + self.passed) * 1000),
        )
        super().__init__(conversation, Wiclax(lambda: START + timedelta(seconds=self.passed), off))

    @property
    def passed(self) -> float:
        return self.now + self.away

    def walk(self, *tags: str, minutes: float = 5) -> None:
        """Tags that are tapped on the round, with the handheld away."""
        self.twin.undock()
        for tag in tags:
            self.away += minutes * 60
            self.twin.tap(tag)
        self.twin.dock()

    def dock(self) -> list[Any]:
        self.talk.opened(self.now)
        return self.run(12)

    def proves(self) -> bool:
        """Whether within 20 s there is a moment at which nothing is held back."""
        return any(self.talk.complete(self.now) for _ in range(20) if self.run(1) is not None)

    def tap(self, tag: str) -> None:
        self.hear(self.twin.tap(tag))


def test_what_was_tapped_on_the_round_comes_at_the_dock_with_its_times() -> None:
    line = Dock()
    line.walk("001539", "0A12", "B-17")
    found = line.dock()
    assert tags(found) == ["001539", "000A12", "B-17"]
    assert [record["at"] for record in scans(found)] == [
        "2026-11-23T22:05:00.000+08:00",
        "2026-11-23T22:10:00.000+08:00",
        "2026-11-23T22:15:00.000+08:00",
    ]
    assert all(record["replayed"] and record["battery"] == 87 for record in scans(found))
    assert [record["own_seq"] for record in scans(found)] == [1, 2, 3]
    assert noises(line.heard) == []
    assert line.talk.complete(line.now)


def test_it_is_known_as_a_device_with_a_memory() -> None:
    assert isinstance(talk({"timezone": "Asia/Shanghai"}), Remembering)


def test_nothing_is_complete_before_the_records_are_in() -> None:
    line = Dock()
    assert not line.talk.complete(line.now)
    line.run(1)
    assert not line.talk.complete(line.now)
    line.run(5)
    assert line.talk.complete(line.now)


def test_docking_again_brings_only_what_is_new() -> None:
    line = Dock()
    line.walk("001539")
    line.dock()
    line.walk("001540")
    found = line.dock()
    assert tags(found) == ["001540"]
    dropped = [each for each in found if isinstance(each, Reading) and "duplicate" in each.fields]
    assert {each.record for each in dropped} == {None}
    assert dropped[-1].fields["duplicate"] == line.talk.duplicates == len(dropped) + 1


def test_a_clock_that_is_an_hour_off_is_told_and_then_set() -> None:
    line = Dock(off=timedelta(hours=1))
    line.walk("001539")
    (record,) = scans(line.dock())
    error = datetime.fromisoformat(record["sent_at"]) - datetime.fromisoformat(record["at"])
    assert record["at"] == "2026-11-23T23:05:00.000+08:00"
    assert timedelta(0) <= error < timedelta(seconds=2)  # it was tapped just now, whatever the clock shows
    assert abs(line.twin.off) < timedelta(seconds=1)
    line.tap("001540")
    shown = datetime.fromisoformat(scans(line.heard)[-1]["at"]).replace(tzinfo=None)
    assert abs(shown - START - timedelta(seconds=line.passed)) < timedelta(seconds=1)


def test_the_clock_is_set_after_the_records_were_read_not_before() -> None:
    line = Dock(off=timedelta(hours=1))
    line.walk("001539")
    line.dock()
    words = [word for out in line.sent for word in out.decode().split("\r") if word]
    assert [word[:10] for word in words] == ["CLOCK", "REWIND 22-", "REWIND 23-", "CLOCK", "CLOCK 23-1"]


def test_records_made_while_nobody_missed_it_come_with_the_next_question() -> None:
    line = Dock()
    line.dock()
    line.walk("001539", minutes=0.1)  # taken along and put back between two questions
    assert tags(line.run(20)) == ["001539"]
    assert line.proves()


def test_after_its_clock_was_set_back_new_records_are_found_before_the_old_ones() -> None:
    line = Dock(off=timedelta(hours=1))
    line.walk("001539")
    line.dock()
    line.walk("001540", minutes=2)
    assert tags(line.dock()) == ["001540"]


def test_a_clock_that_is_right_is_left_alone() -> None:
    line = Dock()
    line.run(10)
    assert [out.split()[0] for out in line.sent] == [b"CLOCK", b"REWIND", b"CLOCK"]


def test_a_clock_that_goes_wrong_at_the_dock_is_set_again() -> None:
    line = Dock()
    line.run(10)
    line.twin.off = timedelta(minutes=-3)
    line.run(30)
    assert line.twin.off > timedelta(seconds=-1)


def test_a_handheld_that_is_taken_along_proves_nothing_and_is_asked_for_all_when_it_is_back() -> None:
    line = Dock()
    line.walk("001539")
    line.dock()
    assert line.talk.complete(line.now)
    line.twin.undock()
    line.run(6)
    assert not line.talk.complete(line.now)
    line.twin.tap("001540")
    assert "unanswered" in noises(line.run(120))
    line.twin.dock()
    found = line.run(30)
    assert tags(found) == ["001540"]
    assert line.proves()


def test_a_download_that_breaks_off_is_not_taken_for_all() -> None:
    line = Dock()
    line.walk(*(f"00{number}" for number in range(1000, 1100)))
    cut = []

    def cut_once(data: bytes) -> bytes:
        if not cut and b"001050" in data:
            cut.append(data)
            return data[: data.index(b"001050")]
        return data

    line.cable = cut_once
    assert len(set(tags(line.dock()))) == 100
    assert noises(line.heard) == []


def test_a_live_record_that_was_lost_is_asked_for_again() -> None:
    line = Dock()
    line.run(10)
    line.tap("001539")
    line.twin.tap("001540")  # nothing of it arrives
    line.tap("001541")
    assert not line.talk.complete(line.now)
    found = line.run(10)
    assert tags(line.heard) == ["001539", "001541", "001540"]
    assert scans(found)[0]["replayed"]
    assert line.talk.complete(line.now)


def test_a_broken_line_is_noise_and_asked_for_again() -> None:
    line = Dock()
    line.walk("001539", "001540", "001541")
    spoilt = []

    def spoil_once(data: bytes) -> bytes:
        if not spoilt and b"001540" in data:
            spoilt.append(data)
            return data.replace(b"001540", b"\xff01540")
        return data

    line.cable = spoil_once
    found = line.dock()
    assert noises(found) == ["garbage"]
    assert sorted(tags(found)) == ["001539", "001540", "001541"]
    assert line.talk.complete(line.now)


def test_half_a_line_is_never_another_tag() -> None:
    line = Dock()
    line.run(10)
    line.hear(b"\x1539;23-11-2026 22:00:10.000;0A;7;;0\r")
    assert scans(line.heard) == []


def test_records_that_never_come_are_told_and_then_nothing_is_proved() -> None:
    line = Dock()
    line.run(10)
    line.tap("001539")
    line.twin._kept.clear()
    line.twin._seq = 9
    line.tap("001540")
    found = line.run(14)
    assert noises(found) == ["unanswered"]
    assert not line.talk.complete(line.now)
    assert sum(out.startswith(b"REWIND") for out in line.sent) == 1 + 3
    assert not line.proves()
    line.dock()
    assert line.proves()


def test_a_handheld_that_counts_anew_is_understood() -> None:
    line = Dock()
    line.run(10)
    for tag in ("001539", "001540"):
        line.tap(tag)
    line.twin._seq = 0
    line.now += 60
    line.tap("001541")
    line.run(10)
    assert tags(line.heard) == ["001539", "001540", "001541"]
    assert noises(line.heard) == []
    assert line.proves()


def test_a_dock_without_a_handheld_is_asked_three_times_every_now_and_then() -> None:
    line = Dock()
    line.cable = lambda data: b""
    assert set(noises(line.run(60))) == {"unanswered"}
    assert set(line.sent) == {b"CLOCK\r"}
    assert len(line.sent) <= 12


def test_without_its_clock_the_records_are_taken_by_the_zone_alone() -> None:
    line = Dock()
    line.walk("001539")
    line.cable = lambda data: data.partition(b"CLOCK")[0]
    (record,) = scans(line.dock())
    assert record["at"] == "2026-11-23T22:05:00.000+08:00"
    assert "sent_at" not in record


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "timezone is missing"),
        ({"timezone": "Mars/Olympus"}, "timezone is 'Mars/Olympus'"),
        ({"timezone": "../../etc/passwd"}, "timezone is"),
        ({"timezone": "Asia/Shanghai", "rewind_h": 0}, "rewind_h is 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_words(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        talk(options)
