"""A scenario as it is played: the same again from the same seed, and nothing lost on the way."""

from __future__ import annotations

from dataclasses import replace

from checkpoint_firmware_sim.engine import InstantNetwork, ScenarioRun
from checkpoint_firmware_sim.scenario import Deviation, Scenario, What
from checkpoint_firmware_sim.times import HOUR, MINUTE
from checkpoint_firmware_sim.truth import Line
from gateway.ingest.devices.sun import read_url, verify
from gateway.ingest.tag_keys import KeyRing, Master, meta_key_of
from gateway.instants import parse_instant
from tests.unit.sim.small_site import EVENING, site
from tests.unit.sim.workbench import Store, play

EVERYTHING = (
    Deviation(What.LATE_ROUND, 23 * 60, duty="hourly"),
    Deviation(What.NO_ANSWER, 23 * 60, post="patrol-1"),
    Deviation(What.FORCED, 22 * 60, device="gate-1"),
    Deviation(What.OFFLINE, 23 * 60, device="scanner-1", by=3 * HOUR),
    Deviation(What.RESTART, 2 * 60, device="scanner-1"),
)
NIGHT = Scenario(start=21 * 60 + 50, duration=8 * HOUR, deviations=EVERYTHING)


def test_the_same_seed_gives_the_same_night_and_another_seed_another() -> None:
    first, again, other = (play(site(), NIGHT, seed=seed) for seed in (1, 1, 2))
    assert first[1] == again[1]
    assert first[0].messages == again[0].messages
    assert first[1] != other[1]


def test_the_truth_does_not_depend_on_what_arrives() -> None:
    _, stored = play(site(), NIGHT)
    unheard: list[dict[str, object]] = []
    nowhere = InstantNetwork(lambda topic, payload, qos, retain: None)
    ScenarioRun(site(), NIGHT, EVENING, network=nowhere, truth=unheard.append, seed=1).play()
    assert unheard == stored


def test_every_visit_of_the_truth_is_a_scan_even_when_the_scanner_was_offline_and_restarted() -> None:
    store, truth = play(site(), NIGHT)
    visits = [visit for line in truth if line["what"] == "walk" for visit in line["visits"]]
    scans = {
        (record["boot"], record["seq"])
        for device in ("scanner-1", "scanner-2")
        for record in store.records(device)
        if record["type"] == "scan"
    }
    assert len(scans) == len(visits) > 20
    assert store.run is not None
    assert store.run.unacknowledged == 0


def test_what_was_scanned_offline_comes_when_the_scanner_is_back() -> None:
    store, truth = play(site(), NIGHT)
    offline, online = (
        parse_instant(line["at"]) for line in truth if line["what"] == "device" and line["event"] != "boot"
    )
    assert online - offline == 3 * HOUR
    late = [
        record for record in store.records("scanner-1") if record["type"] == "scan" and "replayed" in record
    ]
    assert len(late) >= 6
    assert all(abs(parse_instant(record["sent_at"]) - online) < MINUTE for record in late)


def test_going_offline_leaves_the_last_will() -> None:
    store, _ = play(site(), NIGHT)
    states = [body["online"] for topic, body in store.messages if topic.endswith("/scanner-1/state")]
    assert states == [True, False, True, False, True]


def test_the_truth_begins_with_the_scenario_and_ends_with_its_end() -> None:
    _, truth = play(site(), NIGHT)
    assert (truth[0]["what"], truth[0]["seed"]) == ("scenario", 1)
    assert (truth[-1]["what"], parse_instant(truth[-1]["at"])) == ("end", EVENING + 8 * HOUR)
    assert [line["at"] for line in truth[1:]] == sorted(line["at"] for line in truth[1:])


def test_a_run_that_is_stopped_tells_of_the_walk_under_way() -> None:
    store = Store()
    truth: list[Line] = []
    quiet = replace(NIGHT, deviations=())
    store.run = run = ScenarioRun(site(), quiet, EVENING, network=InstantNetwork(store), truth=truth.append)
    walk = run.timetable.walks[0]
    run.play(until=walk.visits[1].at)
    run.finish()
    run.finish()
    assert [line["what"] for line in truth[-2:]] == ["walk", "end"]
    assert len(truth[-2]["visits"]) == 2


def test_a_command_reaches_its_device_and_is_answered() -> None:
    store = Store()
    store.run = run = ScenarioRun(site(), NIGHT, EVENING, network=InstantNetwork(store))
    run.play(until=EVENING + MINUTE)
    run.deliver("patrol/v1/small/gate-1/down/cmd", b'{"id": "c1", "cmd": "open"}')
    run.deliver("patrol/v1/small/nobody/down/cmd", b"{}")
    run.play(until=EVENING + 2 * MINUTE)
    answers = [record for record in store.records("gate-1") if "reply_to" in record]
    assert [(answer["reply_to"], answer["result"]) for answer in answers] == [("c1", "done")]


def test_tags_that_make_messages_make_another_one_at_each_tap() -> None:
    master = bytes(range(32))
    store, _ = play(site(), replace(NIGHT, sun_master=master))
    scans = [
        record
        for device in ("scanner-1", "scanner-2")
        for record in {(each["boot"], each["seq"]): each for each in store.records(device)}.values()
        if record["type"] == "scan"
    ]
    keys = KeyRing((Master(master, meta_key_of(master)),))
    opened = [verify(read_url(str(each["sun"])), keys) for each in scans]
    counters: dict[str, set[int]] = {}
    for each in opened:
        counters.setdefault(each.uid, set()).add(each.counter)
    assert len(opened) > 20
    assert set(counters) <= {tag for point in site().checkpoints for tag in point.tags}
    assert all(found == set(range(1, len(found) + 1)) for found in counters.values())
    assert sum(map(len, counters.values())) == len(scans)
