"""Part of a night with devices of every kind: a gateway, a simulated estate, and only lines and MQTT between them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import LINE_FAULTS, What, load_scenario
from tests.score.allkinds import Result, play

SHORT = SCENARIOS / "allkinds-short.yaml"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return asyncio.run(play(SHORT, tmp_path_factory.mktemp("harbour")))


@pytest.mark.timeout(240)
def test_nobody_is_accused_wrongly_and_nothing_is_overlooked(night: Result) -> None:
    assert night.misses == [], (night.tally.errors, night.lost_taps)
    assert night.tally.counts["right"] > 15
    assert night.tally.counts["problem.missed"] + night.tally.counts["problem.late"] >= 2


def test_every_device_of_the_estate_is_heard(night: Result) -> None:
    assert set(night.readings) == {device.id for device in night.plan.devices}
    assert len(night.taps) > 20


def test_a_reader_that_is_unplugged_leaves_what_was_tapped_then_unprovable(night: Result) -> None:
    walks = [line for line in night.truth if line["what"] == "walk" and line["duty"] == "cellar-round"]
    unseen = [
        visit["checkpoint"] for walk in walks for visit in walk["visits"] if not visit.get("recorded", True)
    ]
    assert unseen == ["pump-room"]
    assert night.tally.counts["unprovable"] == 1
    assert line(night, "pump")["reopenings"] == 1


def test_the_faults_of_the_lines_really_were_there(night: Result) -> None:
    faults = {deviation.what for deviation in load_scenario(SHORT).deviations}
    assert {*LINE_FAULTS, What.OFFLINE} <= faults
    assert sum(line(night, "cart")["noise"].values()) > 50
    assert line(night, "lobby-2")["noise"]["unanswered"] > 0
    assert {each["state"] for each in night.lines} == {"open"}


def line(night: Result, name: str) -> dict[str, Any]:
    return next(each for each in night.lines if Path(each["port"]).name == name)
