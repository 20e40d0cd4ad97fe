"""What people do in a scenario: possible, honest, and wrong exactly where the scenario says so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import dist
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_firmware_sim.deeds import Visit
from checkpoint_firmware_sim.diary import Diary, Entry, Need
from checkpoint_firmware_sim.owed import Happened, Owed, owed_by, tracks
from checkpoint_firmware_sim.people import FASTEST
from checkpoint_firmware_sim.scenario import Deviation, Scenario, What
from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND
from checkpoint_firmware_sim.timetable import Timetable, make_timetable
from gateway.domain.plan import At, Duty, Plan
from gateway.sitefile import load
from tests.unit.sim.small_site import EVENING, HOURLY, PLANNED, RADIO, site
from tests.unit.sim.workbench import play


def steady(duty: Duty) -> Duty:
    """The duty without the variation of its planned times, which only the gateway's reports tell."""
    return replace(duty, cadence=replace(duty.cadence, vary_s=0)) if isinstance(duty.cadence, At) else duty


WRITTEN = load(Path(__file__).parents[3] / "deploy" / "sites" / "riverside.yaml")
RIVERSIDE = replace(WRITTEN, duties=tuple(steady(duty) for duty in WRITTEN.duties))
NIGHT = Scenario(start=21 * 60 + 50, duration=8 * HOUR + 30 * MINUTE)
DAY = Scenario(start=6 * 60, duration=24 * HOUR)


def timetable(plan: Plan, *deviations: Deviation, seed: int = 1) -> Timetable:
    return make_timetable(plan, replace(NIGHT, deviations=deviations), EVENING, seed)


def owed_in_truth(plan: Plan, *deviations: Deviation, duty: Duty, seed: int = 1) -> list[Owed]:
    _, lines = play(plan, replace(NIGHT, deviations=deviations), EVENING, seed)
    happened = Happened.read(plan, lines)
    return [
        each for of, subject in tracks(plan) if of.id == duty.id for each in owed_by(happened, of, subject)
    ]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("plan", [site(), RIVERSIDE], ids=["small", "riverside"])
def test_nobody_is_in_two_places(plan: Plan, seed: int) -> None:
    made = make_timetable(plan, DAY, EVENING - 16 * HOUR, seed)
    assert made.walks
    for person in {walk.walker.name for walk in made.walks} | {walk.walker.scanner for walk in made.walks}:
        visits = sorted(
            (
                visit
                for walk in made.walks
                if person in (walk.walker.name, walk.walker.scanner)
                for visit in walk.visits
            ),
            key=lambda visit: visit.at,
        )
        for before, after in pairwise(visits):
            assert walked_in_time(plan, before, after)


def walked_in_time(plan: Plan, before: Visit, after: Visit) -> bool:
    here, there = plan.checkpoint_by_id[before.checkpoint].at, plan.checkpoint_by_id[after.checkpoint].at
    assert here is not None
    assert there is not None
    return (after.at - before.at) / SECOND >= max(dist(here, there) / FASTEST * 0.9, 10)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("plan", [site(), RIVERSIDE], ids=["small", "riverside"])
def test_honest_people_fulfil_every_duty_in_time(plan: Plan, seed: int) -> None:
    _, lines = play(plan, NIGHT, EVENING, seed)
    happened = Happened.read(plan, lines)
    owed = [each for duty, subject in tracks(plan) for each in owed_by(happened, duty, subject)]
    assert len(owed) > 20
    assert all(each.in_time for each in owed)


@pytest.mark.parametrize("seed", range(4))
def test_a_walk_takes_no_leg_faster_or_slower_than_the_plan_allows(seed: int) -> None:
    for walk in make_timetable(RIVERSIDE, DAY, EVENING, seed).walks:
        route = RIVERSIDE.route_by_id[walk.route]
        for before, after in pairwise(walk.visits):
            leg = route.leg_between(before.checkpoint, after.checkpoint)
            assert leg.min_s <= (after.at - before.at) / SECOND <= (leg.max_s or HOUR)


def test_the_leader_tours_the_posts_and_the_guard_of_a_post_carries_its_scanner() -> None:
    walkers = {walk.duty: walk.walker for walk in timetable(site()).walks}
    assert (walkers["hourly"].name, walkers["hourly"].scanner) == ("li-qiang", "scanner-1")
    assert walkers["hourly"].badge == "045E36A08D2080"
    assert (walkers["nightly"].name, walkers["nightly"].scanner) == ("wang-jg", "scanner-2")


def test_every_post_is_called_each_half_hour_of_the_night_by_the_leader() -> None:
    calls = timetable(site(RADIO)).calls
    assert {call.by for call in calls} == {"wang-jg"}
    at = [call.at for call in calls if call.post == "gate-post"]
    assert len(at) == 16
    assert max(after - before for before, after in pairwise(at)) < 32 * MINUTE


# Deviations


def test_a_missed_round_is_not_walked_and_the_next_one_is() -> None:
    honest = timetable(site(PLANNED)).walks
    missed = timetable(site(PLANNED), Deviation(What.MISSED_ROUND, 22 * 60, duty="planned"))
    assert len(honest) == 2
    assert [walk.start for walk in missed.walks] == pytest.approx([honest[1].start], abs=2 * MINUTE)
    (skipped,) = missed.skipped
    assert (skipped.what, skipped.due_at) == ("missed_round", EVENING + 2 * HOUR)


def test_a_late_round_ends_as_much_too_late_as_was_said() -> None:
    late = Deviation(What.LATE_ROUND, 23 * 60, duty="hourly", by=9 * MINUTE)
    (bad,) = [each for each in owed_in_truth(site(HOURLY), late, duty=HOURLY) if not each.in_time]
    assert bad.done_at == bad.due_at + 9 * MINUTE


@pytest.mark.parametrize(
    "deviation",
    [
        Deviation(What.INCOMPLETE_ROUND, 23 * 60, duty="hourly", skip="pump-room"),
        Deviation(What.WRONG_ORDER, 23 * 60, duty="hourly"),
        Deviation(What.MISSED_ROUND, 23 * 60, duty="hourly"),
    ],
    ids=lambda deviation: deviation.what,
)
def test_a_round_that_is_not_walked_properly_fulfils_nothing(deviation: Deviation) -> None:
    bad = [each for each in owed_in_truth(site(HOURLY), deviation, duty=HOURLY) if not each.in_time]
    assert len(bad) == 1


def test_two_rounds_missed_in_a_row_leave_one_that_can_no_longer_be_fulfilled() -> None:
    asleep = Deviation(What.MISSED_ROUND, 23 * 60, duty="hourly", count=2)
    bad = [each for each in owed_in_truth(site(HOURLY), asleep, duty=HOURLY) if not each.in_time]
    assert [each.done_at is None for each in bad] == [True, False]


def test_a_post_that_is_not_called_waits_for_the_next_half_hour() -> None:
    left_out = Deviation(What.NOT_CALLED, 23 * 60, post="gate-post")
    bad = [each for each in owed_in_truth(site(RADIO), left_out, duty=RADIO) if not each.in_time]
    assert [each.subject for each in bad] == ["gate-post"]
    assert len(timetable(site(RADIO), left_out).calls) == 31


@pytest.mark.parametrize(
    ("never", "outcomes"), [(False, ["no_answer", "answered"]), (True, ["no_answer"] * 2)]
)
def test_a_post_that_does_not_answer_is_called_again(never: bool, outcomes: list[str]) -> None:
    silent = Deviation(What.NO_ANSWER, 23 * 60 - 5, post="patrol-1", by=4 * MINUTE, never=never)
    calls = [call for call in timetable(site(RADIO), silent).calls if call.post == "patrol-1"]
    place = next(place for place, call in enumerate(calls) if call.outcome == "no_answer")
    assert [call.outcome for call in calls[place : place + 2]] == outcomes
    assert 3 * MINUTE < calls[place + 1].at - calls[place].at < 5 * MINUTE


def test_an_abnormal_answer_is_an_answer() -> None:
    odd = Deviation(What.ABNORMAL, 23 * 60, post="patrol-1", note="smell of gas")
    (call,) = [call for call in timetable(site(RADIO), odd).calls if call.outcome != "answered"]
    assert (call.outcome, call.note) == ("abnormal", "smell of gas")
    assert all(each.in_time for each in owed_in_truth(site(RADIO), odd, duty=RADIO))


def test_a_forced_barrier_is_put_right_later() -> None:
    broken = Deviation(What.FORCED, 23 * 60, device="gate-1", by=6 * MINUTE)
    events = [deed for deed in timetable(site(), broken).gates if deed.event in ("forced", "recovered")]
    assert [deed.event for deed in events] == ["forced", "recovered"]
    assert events[1].at - events[0].at == 6 * MINUTE


def test_every_opening_of_a_gate_has_one_passage_and_one_closing() -> None:
    events = [deed.event for deed in timetable(site()).gates]
    assert len(events) > 50
    assert events[::3] == ["opened"] * (len(events) // 3)
    assert events[2::3] == ["closed"] * (len(events) // 3)


def test_one_deviation_leaves_the_other_duties_as_they_were() -> None:
    honest, asleep = timetable(site()), timetable(site(), Deviation(What.FORCED, 1380, device="gate-1"))
    assert asleep.walks == honest.walks
    assert asleep.calls == honest.calls


# Room in diaries

SPANS = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 300)), max_size=8)


@given(
    entries=SPANS, length=st.integers(0, 800), window=st.tuples(st.integers(0, 4000), st.integers(0, 4000))
)
def test_room_that_is_found_is_free_and_nothing_earlier_or_later_is(
    entries: list[tuple[int, int]], length: int, window: tuple[int, int]
) -> None:
    diary, minute = Diary(), 10
    for start, lasts in entries:
        diary.add(Entry(start, start + lasts, "a", "b"))
    need = Need((diary,), length, "c", "d", lambda origin, target: minute)
    free = [
        start
        for start in range(window[0], window[0] + window[1] - length + 1)
        if all(
            start >= entry.end + minute or start + length <= entry.start - minute for entry in diary.entries
        )
    ]
    assert need.earliest(window[0], sum(window)) == (free[0] if free else None)
    assert need.latest(window[0], sum(window)) == (free[-1] if free else None)
