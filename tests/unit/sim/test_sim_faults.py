"""Faults: what a device does with a bad clock, a full ring or a flat battery, and what the truth says of it."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from checkpoint_firmware_sim.clocks import YEAR_2000, DeviceClock
from checkpoint_firmware_sim.devices import Scanner
from checkpoint_firmware_sim.engine import ScenarioRun
from checkpoint_firmware_sim.nights import bad_night
from checkpoint_firmware_sim.owed import Happened, owed_by
from checkpoint_firmware_sim.rough import RoughNetwork
from checkpoint_firmware_sim.scenario import (
    COMMAND_FAULTS,
    LINE_FAULTS,
    Deviation,
    Rough,
    Scenario,
    What,
    check_against,
    parse_scenario,
)
from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND
from checkpoint_firmware_sim.truth import Line
from tests.unit.sim.small_site import EVENING, HOURLY, site
from tests.unit.sim.workbench import Bench, play

TAG = "04DE5F1EACC040"
NIGHT = Scenario(start=21 * 60 + 50, duration=4 * HOUR, traffic_per_hour=0)


def night_with(*deviations: Deviation) -> Scenario:
    return Scenario(start=NIGHT.start, duration=NIGHT.duration, traffic_per_hour=0, deviations=deviations)


def walks(truth: list[Line]) -> list[Line]:
    return [line for line in truth if line["what"] == "walk"]


def test_a_stopped_wall_clock_stands_still_while_the_monotonic_one_counts_on() -> None:
    clock = DeviceClock(booted_at=0, offset=500)
    clock.stop(10_000)
    assert (clock.wall(70_000), clock.mono(70_000)) == (10_500, 70_000)


def test_a_reset_clock_runs_on_from_the_year_2000() -> None:
    clock = DeviceClock(booted_at=0)
    clock.reset(5_000)
    assert clock.wall(6_000) == YEAR_2000 + 1_000


def test_both_clocks_follow_a_quartz_that_runs_too_fast_and_neither_jumps() -> None:
    clock = DeviceClock(booted_at=0, offset=300)
    two_seconds_an_hour = 2 / 3600 * 1_000_000
    clock.run_at(HOUR, two_seconds_an_hour)
    assert (clock.wall(HOUR), clock.mono(HOUR)) == (HOUR + 300, HOUR)
    assert (clock.wall(2 * HOUR), clock.mono(2 * HOUR)) == (2 * HOUR + 2_300, 2 * HOUR + 2_000)


def test_what_a_full_ring_has_lost_is_told_ahead_of_the_backlog_until_it_is_acknowledged() -> None:
    bench = Bench()
    device = Scanner("riverside", "scanner-9", bench, Random(1), capacity=20)
    bench.device = device
    for _ in range(25):
        device.scan(TAG)
        bench.pass_time(SECOND)
    device.link_up()
    first = bench.uploads()[0][0]
    assert first["type"] == "status"
    (lost,) = first["lost"]
    assert (lost["boot"], lost["from"], lost["to"]) == (device.boot_id, 1, 6)
    assert lost["until_mono"] - lost["mono"] == pytest.approx(5_000, abs=2)
    bench.acknowledge_all()
    bench.pass_time(MINUTE)
    assert "lost" not in bench.records("status")[-1]
    assert device.flash.overwritten == 7  # the two statuses after the reconnect cost one record each


def test_a_ring_that_is_filled_to_nine_tenths_complains() -> None:
    bench = Bench()
    bench.device.fill(0.92)
    bench.device.link_up()
    assert len(bench.device.flash) > 29_491
    assert bench.uploads()[0][0]["type"] == "report"
    assert bench.device.flash.nearly_full


def test_a_walk_with_a_flat_battery_happened_but_cannot_be_proved() -> None:
    dead = Deviation(What.BATTERY_DEAD, 22 * 60 + 30, device="scanner-1", by=65 * MINUTE)
    store, truth = play(site(HOURLY), night_with(dead))
    unrecorded = [line for line in walks(truth) if any("recorded" in visit for visit in line["visits"])]
    assert len(unrecorded) == 1
    scans = [record for record in store.records("scanner-1") if record["type"] == "scan"]
    assert len(scans) == sum(len(line["visits"]) for line in walks(truth)) - 3
    assert scans[-1]["boot"] != scans[0]["boot"]
    failed = [
        each for each in owed_by(Happened.read(site(HOURLY), truth), HOURLY, "garage") if not each.in_time
    ]
    assert failed
    assert not any(each.provable for each in failed)


def test_a_guard_with_two_scanners_uses_them_by_turns() -> None:
    two = Deviation(What.TWO_SCANNERS, 22 * 60, duty="hourly", device="scanner-2")
    store, _ = play(site(HOURLY), night_with(two))
    assert len([record for record in store.records("scanner-2") if record["type"] == "scan"]) == 1


def test_a_restart_in_the_middle_of_a_round_splits_it_over_two_boots() -> None:
    restart = Deviation(What.RESTART, 22 * 60 + 30, device="scanner-1", duty="hourly")
    store, truth = play(site(HOURLY), night_with(restart))
    boots = [record["boot"] for record in store.records("scanner-1") if record["type"] == "scan"]
    assert len(set(boots)) == 2
    assert boots.index(boots[-1]) % 3, "the second boot begins within a round of three checkpoints"
    assert len(boots) == sum(len(line["visits"]) for line in walks(truth))


def test_a_rough_network_repeats_and_reorders_but_loses_no_record() -> None:
    plan, arrived = site(HOURLY), list[tuple[str, int]]()
    scenario = Scenario(start=NIGHT.start, duration=NIGHT.duration, network=Rough(0.3, 0.3, 0.3, True))

    def arrive(topic: str, payload: bytes, retain: bool) -> None:
        body = msgspec.json.decode(payload)
        if topic.endswith("/scanner-1/up"):
            records = body if isinstance(body, list) else [body]
            arrived.extend((record["boot"], record["seq"]) for record in records)
            known = {seq for _, seq in arrived}
            high = next(seq for seq in range(1 << 20) if seq + 1 not in known)
            ack = msgspec.json.encode({"boot": records[-1]["boot"], "seq": high})
            network.down(f"{topic[:-3]}/down/ack", ack, network.run.now())

    network = RoughNetwork(scenario.network, arrive, seed=1)
    network.run = ScenarioRun(plan, scenario, EVENING, network=network)
    network.run.play(EVENING + scenario.duration + HOUR)
    assert arrived != sorted(arrived)
    assert len(arrived) > len(set(arrived))
    assert {seq for _, seq in arrived} >= set(range(1, 200))


def test_a_night_follows_from_its_number_and_nights_differ() -> None:
    plan = site()
    nights = [bad_night(plan, seed) for seed in range(200)]
    assert nights == [bad_night(plan, seed) for seed in range(200)]
    assert len({night.deviations for night in nights}) > 190
    for night in nights:
        check_against(night, plan)
    # In these nights nobody commands a gate, and nothing hangs at a line.
    played = {deviation.what for night in nights for deviation in night.deviations}
    assert played == set(What) - {*COMMAND_FAULTS, *LINE_FAULTS}


def test_a_scenario_file_may_say_what_the_network_does() -> None:
    text = 'start: "21:50"\nduration: 8h\nnetwork: {duplicated: 0.1, odd_batches: true}\n'
    assert parse_scenario(text).network == Rough(duplicated=0.1, odd_batches=True)
