"""Whole nights at Riverside: what the gateway's judge makes of what the simulator's people really did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import Deviation, Scenario, What, load_scenario
from checkpoint_firmware_sim.times import HOUR, MINUTE
from gateway.instants import parse_instant
from gateway.sitefile import load
from tests.integration.sim.played_night import PlayedNight, play_night

RIVERSIDE = load(Path(__file__).parents[3] / "deploy" / "sites" / "riverside.yaml")
EVENING = parse_instant("2026-11-23T21:50:00+08:00")
DEMO = load_scenario(SCENARIOS / "demo.yaml")


def night_with(*deviations: Deviation) -> PlayedNight:
    scenario = Scenario(start=21 * 60 + 50, duration=8 * HOUR + 30 * MINUTE, deviations=deviations)
    return play_night(RIVERSIDE, scenario, EVENING, seed=5)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_accused_in_an_honest_night(seed: int) -> None:
    night = play_night(RIVERSIDE, replace(DEMO, deviations=()), EVENING, seed)
    assert night.alerts == []
    totals = night.scored.totals
    assert totals.pop("right") > 100
    assert set(totals.values()) == {0}, night.scored.errors


@pytest.mark.parametrize("hour", [0, 6, 12])
def test_nobody_is_accused_in_an_honest_day(hour: int) -> None:
    midnight = parse_instant("2026-11-23T00:00:00+08:00")
    day = Scenario(start=hour * 60, duration=24 * HOUR, traffic_per_hour=2)
    night = play_night(RIVERSIDE, day, midnight + hour * HOUR, seed=3)
    assert night.alerts == []
    assert night.scored.totals["right"] > 100
    assert night.scored.passed, night.scored.errors


def test_the_demonstration_shows_each_of_its_deviations_and_nothing_else() -> None:
    night = play_night(RIVERSIDE, DEMO, EVENING)
    assert night.scored.errors == []
    shown = [(alert["kind"], alert["subject"], alert["opened_at"][11:16]) for alert in reversed(night.alerts)]
    assert sorted(shown, key=lambda each: each[2]) == [
        ("gate_forced", "gate-east", "14:06"),
        ("radio_not_called", "west-gate", "14:33"),
        ("radio_no_answer", "patrol-2", "15:02"),
        ("round_missed", "garage", "15:07"),
        ("round_missed", "outer", "16:09"),
    ]
    assert len(night.verdict_of("garage-hourly", "garage", "late")) == 1
    assert len(night.verdict_of("night-rounds", "outer", "missed")) == 1


def test_an_offline_scanner_delays_the_proof_and_the_alert_takes_itself_back() -> None:
    night = night_with(Deviation(What.OFFLINE, 22 * 60 + 30, device="scanner-1", by=90 * MINUTE))
    (missed,), (outage,) = (
        night.alerts_of("round_missed", "garage"),
        night.alerts_of("device_silent", "scanner-1"),
    )
    assert (missed["state"], outage["state"], len(night.alerts)) == ("withdrawn", "resolved", 2)
    assert [event["what"] for event in missed["history"]] == ["opened", "inhibited", "withdrawn"]
    assert night.scored.errors == []


def test_a_round_without_one_checkpoint_is_incomplete_or_late_but_never_on_time() -> None:
    night = night_with(Deviation(What.INCOMPLETE_ROUND, 3 * 60 - 20, duty="night-rounds", skip="wall-ne"))
    (bad,) = night.verdict_of("night-rounds", "outer", "incomplete")
    assert [visit["checkpoint"] for visit in bad["visits"] if visit["verdict"] == "missed"] == ["wall-ne"]
    assert night.scored.passed, night.scored.errors


def test_a_round_in_the_wrong_order_is_told_from_one_that_was_not_walked() -> None:
    night = night_with(Deviation(What.WRONG_ORDER, 3 * 60 - 20, duty="night-rounds"))
    (bad,) = night.verdict_of("night-rounds", "outer", "incomplete")
    assert bad["reason"]["code"] == "out_of_order"
    assert night.scored.passed, night.scored.errors


def test_a_guard_who_sleeps_for_two_rounds_has_missed_one_for_good() -> None:
    night = night_with(Deviation(What.MISSED_ROUND, 24 * 60 - 30, duty="garage-hourly", count=2))
    assert len(night.verdict_of("garage-hourly", "garage", "missed")) == 1
    assert len(night.verdict_of("garage-hourly", "garage", "late")) == 1
    assert night.scored.passed, night.scored.errors


def test_a_silent_post_and_an_uneasy_one_are_told_apart() -> None:
    night = night_with(
        Deviation(What.NO_ANSWER, 22 * 60 + 50, post="patrol-2", by=5 * MINUTE, never=True),
        Deviation(What.ABNORMAL, 22 * 60 + 50, post="east-gate", note="smell of gas"),
    )
    assert len(night.alerts_of("radio_no_answer", "patrol-2")) == 1
    assert len(night.alerts_of("radio_abnormal", "east-gate")) == 1
    assert len(night.alerts) == 2
    assert night.scored.passed, night.scored.errors


def test_a_restarted_scanner_loses_nothing() -> None:
    night = night_with(
        Deviation(What.OFFLINE, 22 * 60 + 30, device="scanner-1", by=40 * MINUTE),
        Deviation(What.RESTART, 22 * 60 + 55, device="scanner-1"),
    )
    assert {alert["kind"]: alert["state"] for alert in night.alerts} == {
        "round_missed": "withdrawn",
        "device_silent": "resolved",
    }
    assert night.scored.errors == []
