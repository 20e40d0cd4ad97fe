"""Readers at serial lines, and fixed ones, as devices of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from checkpoint_firmware_sim.deaf import BACK_AGAIN, LAST_HEARD
from checkpoint_firmware_sim.engine import InstantNetwork, ScenarioRun
from checkpoint_firmware_sim.lines.line import Line as SerialLine
from checkpoint_firmware_sim.lines.pn532 import Pn532
from checkpoint_firmware_sim.lines.talkers import Em4100
from checkpoint_firmware_sim.makers import Speech
from checkpoint_firmware_sim.scenario import Deviation, Scenario, ScenarioError, What
from checkpoint_firmware_sim.times import HOUR, MINUTE
from checkpoint_firmware_sim.truth import Line
from checkpoint_firmware_sim.wired import HELD_S, PATIENCE_S, Handheld, LineReader, ReaderWire, SerialLines
from gateway.domain.plan import Device, DeviceKind, Plan
from gateway.instants import parse_instant
from tests.unit.sim.small_site import EVENING, HOURLY, site
from tests.unit.sim.workbench import Bench, Store

PUMP = Device("reader-pump", DeviceKind.READER, ("patrol-1",), checkpoint="pump-room")
LINK = '[[line]]\nport = "{folder}/{device}"\nprotocol = "{protocol}"\nsite = "small"\ndevice = "{device}"\n'


def pump_site() -> Plan:
    plan = site(HOURLY)
    return replace(plan, devices=(*plan.devices, PUMP))


def play(*deviations: Deviation, speech: dict[str, Speech] | None = None) -> tuple[Store, list[Line]]:
    """Two hours at the site with a reader in the pump room."""
    store, truth = Store(), list[Line]()
    night = Scenario(start=21 * 60 + 50, duration=2 * HOUR, traffic_per_hour=0, deviations=deviations)
    network = InstantNetwork(store)
    store.run = ScenarioRun(
        pump_site(), night, EVENING, network=network, truth=truth.append, speech=speech or {}
    )
    store.run.play()
    return store, truth


def pump_visits(truth: list[Line]) -> list[Line]:
    visits = (visit for line in truth if line["what"] == "walk" for visit in line["visits"])
    return [visit for visit in visits if visit["checkpoint"] == "pump-room"]


def test_at_a_fixed_reader_a_guard_shows_the_card_and_elsewhere_the_scanner_the_tag() -> None:
    store, truth = play()
    shown = [each for each in store.records("reader-pump") if each["type"] == "scan"]
    assert [(each.get("guard"), "tag" in each) for each in shown] == [("045E36A08D2080", False)] * 2
    assert {tuple(visit["devices"]) for visit in pump_visits(truth)} == {("reader-pump",)}
    carried = [each["tag"] for each in store.records("scanner-1") if each["type"] == "scan"]
    assert carried == ["04000000000000", "04000000000002"] * 2


def test_what_a_reader_without_memory_sees_while_it_is_away_is_told_as_lost() -> None:
    away = Deviation(What.OFFLINE, 21 * 60 + 51, device="reader-pump", by=30 * MINUTE)
    _, truth = play(away, speech={"reader-pump": Speech("esp-rfid", "pump")})
    (lost,) = [line for line in truth if line.get("event") == "lost"]
    since, until = (parse_instant(lost[end]) for end in ("from", "to"))
    assert until - since == 30 * MINUTE + LAST_HEARD + BACK_AGAIN
    first, second = pump_visits(truth)
    assert first["recorded"] is False and since < parse_instant(first["at"]) < until
    assert "recorded" not in second and parse_instant(second["at"]) > until


def test_a_native_reader_keeps_what_it_cannot_send() -> None:
    away = Deviation(What.OFFLINE, 21 * 60 + 51, device="reader-pump", by=60 * MINUTE)
    _, truth = play(away)
    assert [line for line in truth if line.get("event") == "lost"] == []
    assert all("recorded" not in visit for visit in pump_visits(truth))


def test_only_a_device_at_a_line_has_the_faults_of_one() -> None:
    with pytest.raises(ScenarioError, match="noise: reader-pump is at no serial line"):
        play(Deviation(What.NOISE, 22 * 60, device="reader-pump"))


# -- lines: what is held to a reader, in machine time


@pytest.fixture
def em4100() -> Iterator[ReaderWire]:
    wire = ReaderWire(SerialLine(Em4100()))
    yield wire
    wire.unplug()


@pytest.fixture
def pn532() -> Iterator[ReaderWire]:
    wire = ReaderWire(SerialLine(Pn532()))
    yield wire
    wire.unplug()


def held(wire: ReaderWire, now: float) -> str | None:
    wire.turn(now)
    return wire.line.twin.held


def test_a_reader_that_talks_is_shown_each_card_for_a_moment(em4100: ReaderWire) -> None:
    em4100.tap(0, "67003BA867")
    em4100.tap(0, "14008EC793")
    assert held(em4100, 10.0) == "67003BA867"
    assert held(em4100, 10.0 + HELD_S) is None
    assert held(em4100, 10.2) == "14008EC793"


def test_a_reader_that_nobody_asks_is_given_up_after_a_while(pn532: ReaderWire) -> None:
    pn532.tap(0, "04DE5F1EACC040")
    assert held(pn532, 10.0) == "04DE5F1EACC040"
    assert held(pn532, 10.0 + PATIENCE_S - 0.1) == "04DE5F1EACC040"
    assert held(pn532, 10.0 + PATIENCE_S) is None


def test_what_is_told_into_a_silent_line_was_not_shown(em4100: ReaderWire) -> None:
    em4100.silence(True)
    em4100.tap(0, "67003BA867")
    assert held(em4100, 10.0) == "67003BA867"
    assert held(em4100, 10.0 + HELD_S) == "67003BA867"
    em4100.silence(False)
    held(em4100, 10.3)  # it says its card again
    assert held(em4100, 10.4) is None


def test_a_handheld_in_its_dock_tells_at_once_and_one_that_is_away_later(tmp_path: Path) -> None:
    file = tmp_path / "links.toml"
    options = 'options = {timezone = "Asia/Shanghai"}\n'
    file.write_text(LINK.format(folder=tmp_path, device="wand", protocol="wiclax") + options)
    lines = SerialLines.read(file, "small")
    wand = lines.make("small", "wand", Bench(), Random(1))
    assert isinstance(wand, Handheld) and wand.keeps
    wand.take_along()
    wand.scan("001539")
    twin = wand._twin
    assert twin.feed(b"CLOCK\r") == b""
    wand.put_back()
    assert twin.feed(b"CLOCK\r").startswith(b"CLOCK 23-11-2026 21:")
    lines.close()


def test_a_file_of_links_says_which_reader_hangs_where(tmp_path: Path) -> None:
    file = tmp_path / "links.toml"
    pair = [LINK.format(folder=tmp_path, device=name, protocol="em4100") for name in ("one", "two")]
    file.write_text("\n".join(pair))
    lines = SerialLines.read(file, "small")
    assert "one" in lines and "three" not in lines
    assert "one" not in SerialLines.read(file, "large")
    one, two = (lines.make("small", name, Bench(), Random(1)) for name in ("one", "two"))
    assert (tmp_path / "one").is_symlink()
    assert isinstance(one, LineReader) and isinstance(two, LineReader)
    assert one.wire is not two.wire
    lines.close()
    assert not (tmp_path / "one").is_symlink()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[line]", "is no file of links"),
        ('[[line]]\nport = "x"', "is no file of links"),
        (LINK.format(folder="x", device="one", protocol="semaphore"), "semaphore: there are em4100"),
    ],
)
def test_a_file_of_links_that_cannot_be_played_is_said_to_be(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "links.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=why):
        SerialLines.read(file, "small")
