"""The specification (docs/judging.md) by example: short nights, and what must be judged of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.facts import Scan

from . import watching
from .reference import judge
from .strategies import Scenario, scenarios
from .timeline import Judge, Timeline, at, console, every, radio, record, scanner, times, walk

Site = Callable[..., Timeline]

JUDGES: dict[str, Judge] = {"reference": judge, "watch": watching.judge}

HALF_HOURLY = walk("lap", "a", every("30min"))
CALL_HALF_HOURLY = radio("call", "gate", every("30min"))


@pytest.fixture(params=list(JUDGES.values()), ids=list(JUDGES))
def site(request: pytest.FixtureRequest) -> Site:
    """A site that is judged by each judge there is."""
    return partial(Timeline, request.param)


# --- every


def test_exactly_at_the_limit_passes(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:30 a")
    assert night.verdicts("22:40") == ["22:00 on_time", "22:30 open"]


def test_one_millisecond_over_fails(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:30:00.001 a")
    assert night.codes("22:40") == ["22:00 completed_late", "22:30:00.001 not_begun"]


def test_grace_is_added_to_the_gap(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a", every("30min", grace="5min")))
    night.scans("22:35 a", "23:10:00.001 a")
    assert night.verdicts("23:20") == ["22:00 on_time", "22:35 late", "23:10:00.001 open"]


def test_a_gap_that_goes_on_counts_one_more_miss_for_each_further_interval(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    assert night.verdicts("22:30") == ["22:00 open"]
    assert night.verdicts("22:31") == ["22:00 missed", "22:30 open"]
    assert night.verdicts("23:31") == ["22:00 missed", "22:30 missed", "23:00 missed", "23:30 open"]


def test_a_round_in_time_anchors_the_next(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:10 a", "22:40 a")
    assert night.dues("22:50") == ["22:00 to 22:30", "22:10 to 22:40", "22:40 to 23:10"]
    assert night.verdicts("22:50") == ["22:00 on_time", "22:10 on_time", "22:40 open"]


def test_a_late_round_re_anchors_the_chain(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:40 a")
    assert night.dues("22:45") == ["22:00 to 22:30", "22:40 to 23:10"]


def test_only_the_newest_of_two_overdue_rounds_can_still_be_late(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("23:05 a")
    assert night.verdicts("23:10") == ["22:00 missed", "22:30 late", "23:05 open"]


def test_what_is_due_after_the_end_of_the_night_was_not_owed(site: Site) -> None:
    night = site("2026-01-10 20:00", walk("lap", "a", every("3h", during="night")))
    night.scans("00:30 a", "03:10 a")
    assert night.verdicts("05:59") == ["22:00 on_time", "00:30 on_time", "03:10 open"]
    assert night.verdicts("06:00") == ["22:00 on_time", "00:30 on_time"]


def test_what_is_due_exactly_at_the_end_of_the_night_was_owed(site: Site) -> None:
    night = site("2026-01-10 20:00", walk("lap", "a", every("4h", during="night")))
    assert night.verdicts("21:59") == []
    assert night.verdicts("06:01") == ["22:00 missed", "02:00 missed"]


def test_a_round_begun_before_the_end_of_the_night_may_be_finished_within_the_hour(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", every("4h", during="night")))
    night.scans("01:00 a", "01:10 b", "04:50 a", "06:10 b")
    assert night.verdicts("07:00") == ["22:00 on_time", "01:10 late"]
    night.facts.pop()
    night.scans("06:10:00.001 b")
    assert night.verdicts("07:00") == ["22:00 on_time", "01:10 incomplete"]


def test_nothing_begun_after_the_end_of_the_night_counts(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a", every("4h", during="night")))
    night.scans("01:00 a", "06:00 a", "06:10 a")
    assert night.verdicts("07:00") == ["22:00 on_time", "01:00 missed"]


def test_a_new_version_of_the_plan_begins_a_new_period(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.holds("22:40", walk("lap", "a", every("20min")))
    night.scans("22:20 a", "22:45 a")
    assert night.dues("22:50") == ["22:00 to 22:30", "22:40 to 23:00", "22:45 to 23:05"]


# --- at


PLANNED = at("23:00", "01:00", duration="30min", early="10min", late="5min")


def test_a_planned_round_crosses_midnight(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", at("23:50", duration="30min")))
    night.scans("23:55 a", "00:20 b")
    assert night.dues("01:00") == ["23:50 to 00:20"]
    assert night.verdicts("01:00") == ["23:50 on_time"]


def test_a_round_that_starts_before_it_opens_is_early(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", PLANNED))
    night.scans("22:49:59.999 a", "23:10 b", "00:50 a", "01:00 b")
    assert night.codes("02:00") == ["22:50 completed_early", "00:50 on_time"]


def test_evidence_is_taken_an_hour_before_it_opens_and_an_hour_after_it_is_due(site: Site) -> None:
    for scans, verdict in [
        ("21:49:59.999 a", "missed"),
        ("21:50 a", "early"),
        ("00:34:59.999 a", "late"),
        ("00:35 a", "missed"),
    ]:
        night = site(
            "2026-01-10 21:00", walk("lap", "a", at("23:00", duration="30min", early="10min", late="5min"))
        )
        night.scans(scans)
        assert night.verdicts("02:00") == [f"22:50 {verdict}"]


def test_between_two_planned_rounds_the_middle_decides(site: Site) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a", at("22:00", "23:00", duration="20min")))
    night.scans("22:39:59.999 a")
    assert night.verdicts("23:30") == ["22:00 late", "23:00 missed"]
    other = site("2026-01-10 21:00", walk("lap", "a", at("22:00", "23:00", duration="20min")))
    other.scans("22:40 a")
    assert other.verdicts("23:30") == ["22:00 missed", "23:00 early"]


def test_each_version_of_the_plan_takes_evidence_for_itself_and_what_is_not_overdue_comes_first(
    site: Site,
) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a", at("22:00", duration="20min")))
    night.holds("22:30", walk("lap", "a", at("23:00", duration="20min")))
    night.scans("22:39:59.999 a")
    assert night.verdicts("23:30") == ["22:00 missed", "23:00 early"]


def test_two_planned_times_that_a_clock_change_lays_together_are_one(site: Site) -> None:
    night = site(
        "2026-03-29 00:00",
        walk("lap", "a", at("01:00", "02:00", duration="10min")),
        zone="Europe/London",
    )
    assert night.verdicts("04:00") == ["02:00 missed"]


def test_a_planned_time_moves_by_what_is_drawn_for_its_date() -> None:
    night = Timeline(judge, "2026-01-10 22:00", walk("lap", "a", at("23:00", "01:00", vary="10min")))
    moved = judge(
        night.plans,
        [],
        night.ms("02:00"),
        vary=lambda track, day, index: 60_000 * (5 if (track, day.day, index) == ("lap", 11, 1) else -1),
    )
    assert [night.local(one.opens_at) for one in moved] == ["22:59", "01:05"]


# --- times


def test_three_times_a_night_are_counted_in_turn(site: Site) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a", times(3, "night")))
    night.scans("21:59 a", "22:00 a", "05:59 a")
    assert night.verdicts("05:59") == ["22:00 on_time", "22:00 on_time", "22:00 open"]
    assert night.dues("06:01") == ["22:00 to 06:00"] * 3
    assert night.verdicts("06:01") == ["22:00 on_time", "22:00 on_time", "22:00 missed"]


def test_grace_is_only_for_a_round_begun_in_the_period(site: Site) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a b", times(2, "night", grace="20min")))
    night.scans("05:55 a", "06:20 b", "06:21 a", "06:22 b")
    assert night.verdicts("06:30") == ["22:00 on_time", "22:00 missed"]


def test_a_round_finished_after_the_grace_is_late(site: Site) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a b", times(1, "night", grace="20min")))
    night.scans("05:55 a", "06:20:00.001 b")
    assert night.verdicts("06:30") == ["22:00 late"]


def test_once_in_each_shift(site: Site) -> None:
    day = site("2026-01-10 06:00", walk("lap", "a", times(1, "shift")))
    day.scans("13:59 a", "22:00 a")
    assert day.verdicts("+1 06:00") == ["06:00 on_time", "14:00 missed", "22:00 on_time", "+1 06:00 open"]


def test_a_period_under_way_when_the_plan_begins_is_not_owed(site: Site) -> None:
    month = site("2026-01-30 12:00", walk("lap", "a", times(1, "month")), walk("week", "b", times(1, "week")))
    assert month.dues("+3 11:00") == ["lap +1 00:00 to +29 00:00", "week +2 00:00 to +9 00:00"]


def test_once_between_two_times_of_day(site: Site) -> None:
    night = site("2026-01-10 22:00", radio("call", "gate", times(1, "23:00-01:00")))
    night.calls("22:59 gate answered", "01:00 gate answered")
    assert night.codes("02:00") == ["23:00 not_called"]


# --- the clocks change


def test_a_time_that_does_not_exist_moves_forward_by_the_gap(site: Site) -> None:
    for zone, date, planned, is_at in [
        ("Europe/London", "2026-03-28", "01:30", "02:30"),
        ("America/St_Johns", "2026-03-07", "02:15", "03:15"),
        ("Australia/Lord_Howe", "2026-10-03", "02:10", "02:40"),
    ]:
        night = site(f"{date} 22:00", walk("lap", "a", at(planned, duration="30min")), zone=zone)
        assert night.dues("05:00")[0].startswith(f"{is_at} to ")


def test_a_time_that_occurs_twice_is_the_first(site: Site) -> None:
    for zone, date, planned in [
        ("Europe/London", "2026-10-24", "01:30"),
        ("America/St_Johns", "2026-10-31", "01:30"),
        ("Australia/Lord_Howe", "2026-04-04", "01:45"),
    ]:
        night = site(f"{date} 22:00", walk("lap", "a", at(planned, duration="5min")), zone=zone)
        night.scans(f"{planned} a")
        assert night.verdicts("05:00") == [f"{planned} on_time"]


def test_the_gap_is_elapsed_time_when_the_clocks_go_forward(site: Site) -> None:
    for zone, date, due in [
        ("Europe/London", "2026-03-28", "02:30"),
        ("America/St_Johns", "2026-03-07", "01:30"),
        ("Australia/Lord_Howe", "2026-10-03", "01:30"),
    ]:
        night = site(f"{date} 23:30", walk("lap", "a", every("1h")), zone=zone)
        night.scans("00:30 a")
        assert night.dues("00:40") == ["23:30 to 00:30", f"00:30 to {due}"]


def test_the_gap_is_elapsed_time_when_the_clocks_go_back(site: Site) -> None:
    for zone, date, due in [
        ("Europe/London", "2026-10-24", "01:40b"),
        ("America/St_Johns", "2026-10-31", "01:40b"),
        ("Australia/Lord_Howe", "2026-04-04", "02:10"),
    ]:
        night = site(f"{date} 23:00", walk("lap", "a", every("1h")), zone=zone)
        night.scans("23:50 a", "00:45 a", "01:40 a")
        assert night.dues("01:40")[-1] == f"01:40 to {due}"


def test_a_night_is_an_hour_shorter_or_longer(site: Site) -> None:
    for zone, date, lengths in [
        ("Europe/London", "2026-03-28", 7.0),
        ("Europe/London", "2026-10-24", 9.0),
        ("America/St_Johns", "2026-03-07", 7.0),
        ("America/St_Johns", "2026-10-31", 9.0),
        ("Australia/Lord_Howe", "2026-10-03", 7.5),
        ("Australia/Lord_Howe", "2026-04-04", 8.5),
    ]:
        night = site(f"{date} 22:00", walk("lap", "a", times(1, "night")), zone=zone)
        (round_,) = night.judged("06:00")
        assert (round_.due_at - round_.opens_at) / 3600_000 == lengths


def test_an_hour_that_does_not_exist_is_not_owed(site: Site) -> None:
    night = site("2026-03-29 00:00", walk("lap", "a", times(1, "hour")), zone="Europe/London")
    assert night.dues("02:30") == ["00:00 to 02:00", "02:00 to 03:00"]


# --- which round a scan belongs to


def test_a_shared_checkpoint_goes_to_the_round_that_is_due_first(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("long", "a b", every("2h")), walk("short", "a c", every("1h")))
    night.scans("22:10 a")
    assert night.codes("22:20") == ["long 22:00 not_begun", "short 22:00 under_way"]


def test_a_shared_checkpoint_goes_to_the_round_that_the_guard_has_begun(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("long", "a b", every("2h")), walk("short", "a c", every("1h")))
    night.scans("22:10 b", guard="li", device="s1")
    night.scans("22:20 a", guard="CA01", device="s2")
    assert night.verdicts("22:30") == ["long 22:00 on_time", "long 22:20 open", "short 22:00 open"]


def test_one_scan_never_counts_for_two_rounds(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("one", "a", every("1h")), walk("two", "a", every("1h")))
    night.scans("22:10 a")
    assert night.evidence("22:20") == [1, 0, 0]


def test_a_strict_round_is_walked_in_order(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b c", every("30min"), strict=True))
    night.scans("22:05 a", "22:06 c", "22:10 b", "22:15 c")
    assert night.verdicts("22:20") == ["22:00 on_time", "22:15 open"]
    assert night.evidence("22:20") == [4, 0]


def test_a_strict_round_walked_in_the_wrong_order_is_incomplete(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b c", every("30min"), strict=True))
    night.scans("22:05 c", "22:10 b", "22:15 a")
    assert night.codes("22:31") == ["22:00 out_of_order", "22:30 not_begun"]
    assert [one.verdict for one in night.judged("22:31")] == ["incomplete", "open"]


def test_a_free_round_is_walked_in_any_order(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b c", every("30min")))
    night.scans("22:05 c", "22:10 b", "22:15 a")
    first = night.judged("22:20")[0]
    assert (first.started_at, first.done_at) == (night.ms("22:05"), night.ms("22:15"))


def test_a_round_with_a_checkpoint_left_out_is_incomplete(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", every("30min")))
    night.scans("22:05 a")
    assert night.codes("22:20") == ["22:00 under_way"]
    assert night.codes("22:31") == ["22:00 incomplete", "22:30 not_begun"]


def test_a_repeated_tap_counts_once(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:10 a", "22:10:08 a", "22:10:18 a", "22:10:28.001 a")
    assert night.verdicts("22:20") == ["22:00 on_time", "22:10 on_time", "22:10:28.001 open"]


def test_the_same_guard_repeats_on_another_scanner_but_another_guard_does_not(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:10 a", device="s1", guard="li")
    night.scans("22:10:05 a", device="s2", guard="CA01")
    assert len(night.judged("22:20")) == 2
    night.scans("22:10:06 a", device="s3", guard="wang")
    assert len(night.judged("22:20")) == 3


def test_a_record_that_comes_twice_counts_once(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:10 a")
    night.facts *= 2
    assert night.evidence("22:20") == [1, 0]


def test_the_order_of_arrival_does_not_matter(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:10 a", "22:55 a", "23:20 a")
    judged = night.judged("23:30")
    night.facts.reverse()
    assert night.judged("23:30") == judged


def test_a_round_by_a_role_is_not_walked_by_someone_known_to_have_another(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a", every("30min"), by="leader"))
    night.scans("22:05 a", guard="li")
    assert night.verdicts("22:10") == ["22:00 open"]
    night.scans("22:06 a", guard="zhao")
    night.scans("22:08 a", guard="a stranger", device="s2")
    night.scans("22:09 a", device="s3")
    assert len(night.judged("22:10")) == 4


def test_the_round_of_the_scanner_s_own_post_comes_first(site: Site) -> None:
    night = site(
        "2026-01-10 22:00",
        walk("east", "a", every("30min"), post="gate_e"),
        walk("west", "a", every("1h"), post="gate_w"),
        devices=[scanner("s1", "gate_w")],
    )
    night.scans("22:10 a", device="s1")
    assert night.verdicts("22:15") == ["east 22:00 open", "west 22:00 on_time", "west 22:10 open"]


# --- radio checks


def test_an_unanswered_call_is_not_a_missing_call(site: Site) -> None:
    night = site("2026-01-10 22:00", radio("call", "gate lobby", every("30min")))
    night.calls("22:10 gate no_answer")
    assert night.codes("22:20") == ["call.gate 22:00 no_answer", "call.lobby 22:00 awaiting_call"]
    assert night.codes("22:31") == [
        "call.gate 22:00 no_answer",
        "call.gate 22:30 awaiting_call",
        "call.lobby 22:00 not_called",
        "call.lobby 22:30 awaiting_call",
    ]


def test_a_call_answered_at_last_keeps_the_ones_before(site: Site) -> None:
    night = site("2026-01-10 22:00", CALL_HALF_HOURLY)
    night.calls("22:10 gate no_answer", "22:31 gate no_answer", "22:33 gate answered")
    assert night.codes("22:40") == ["22:00 answered_late", "22:33 awaiting_call"]
    assert night.evidence("22:40") == [3, 0]


def test_an_abnormal_answer_is_an_answer(site: Site) -> None:
    night = site("2026-01-10 22:00", CALL_HALF_HOURLY)
    night.calls("22:10 gate abnormal", "22:50 gate abnormal")
    assert night.codes("23:00") == ["22:00 abnormal", "22:10 abnormal", "22:50 awaiting_call"]
    assert night.verdicts("23:00") == ["22:00 on_time", "22:10 late", "22:50 open"]


def test_one_call_counts_for_all_duties_of_the_post(site: Site) -> None:
    night = site("2026-01-10 22:00", CALL_HALF_HOURLY, radio("thrice", "gate", times(3, "22:00-23:00")))
    night.calls("22:10 gate answered")
    assert night.verdicts("22:11") == [
        "call.gate 22:00 on_time",
        "call.gate 22:10 open",
        "thrice.gate 22:00 on_time",
        "thrice.gate 22:00 open",
        "thrice.gate 22:00 open",
    ]


# --- unknown is not missed


def test_unverified_until_the_scanner_has_shown_that_it_has_nothing_more(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY, devices=[scanner("s1")])
    night.says_nothing_more("22:30")
    assert night.codes("22:31") == ["22:00 no_proof", "22:30 not_begun"]
    night.says_nothing_more("22:30:00.001")
    assert night.codes("22:31") == ["22:00 not_visited", "22:30 not_begun"]


def test_a_scanner_with_unsent_records_has_shown_nothing(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY, devices=[scanner("s1")])
    night.says_nothing_more("22:40", buffered=2)
    assert night.verdicts("22:41")[0] == "22:00 unverified"


def test_a_record_on_the_way_may_be_the_proof(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY, devices=[scanner("s1")])
    night.loses_a_record()
    night.says_nothing_more("22:40")
    assert night.verdicts("22:41")[0] == "22:00 unverified"
    night.says_nothing_more("22:42", boot="b2")
    assert night.verdicts("22:43")[0] == "22:00 missed"


def test_only_the_scanners_of_the_post_are_waited_for(site: Site) -> None:
    devices = [scanner("s1", "gate"), scanner("s2", "lobby"), console("k1")]
    night = site("2026-01-10 22:00", walk("lap", "a", every("30min"), post="gate"), devices=devices)
    night.says_nothing_more("22:40", device="s1")
    assert night.verdicts("22:41")[0] == "22:00 missed"
    other = site("2026-01-10 22:00", walk("lap", "a", every("30min"), post="office"), devices=devices)
    other.says_nothing_more("22:40", device="s1")
    assert other.verdicts("22:41")[0] == "22:00 unverified"
    other.says_nothing_more("22:40", device="s2")
    assert other.verdicts("22:41")[0] == "22:00 missed"


def test_a_radio_check_waits_for_the_console(site: Site) -> None:
    night = site("2026-01-10 22:00", CALL_HALF_HOURLY, devices=[scanner("s1"), console("k1")])
    night.calls("22:20 gate no_answer")
    assert (night.verdicts("22:31")[0], night.codes("22:31")[0]) == ("22:00 unverified", "22:00 no_answer")
    night.says_nothing_more("22:40", device="k1")
    assert (night.verdicts("22:41")[0], night.codes("22:41")[0]) == ("22:00 missed", "22:00 no_answer")


# --- records


def test_a_record_that_is_signed_in_its_period_is_in_order(site: Site) -> None:
    night = site("2026-01-10 20:00", record("summary", times(1, "shift")))
    assert night.codes("05:29") == ["22:00 awaiting_signature"]
    night.signs("05:30 summary li")
    assert (night.codes("05:31"), night.verdicts("05:31")) == (["22:00 signed"], ["22:00 on_time"])


def test_a_record_that_nobody_signed_is_missed(site: Site) -> None:
    night = site("2026-01-10 20:00", record("summary", times(1, "shift")))
    night.signs("05:30 other li")
    assert night.codes("06:01") == ["22:00 not_signed", "06:00 awaiting_signature"]


def test_one_person_does_not_sign_for_two(site: Site) -> None:
    night = site("2026-01-10 20:00", record("handover", times(1, "night"), signatures=2))
    night.signs("05:30 handover li", "05:40 handover CA01")
    assert (night.codes("06:01"), night.evidence("06:01")) == (["22:00 signatures_missing"], [2])
    night.signs("05:50 handover wang")
    assert (night.codes("06:01"), night.evidence("06:01")) == (["22:00 signed"], [3])


def test_a_record_that_was_begun_in_time_may_be_signed_to_the_end_within_the_hour(site: Site) -> None:
    night = site("2026-01-10 20:00", record("handover", times(1, "night"), signatures=2))
    night.signs("05:59 handover li", "07:00 handover wang")
    assert night.codes("07:01") == ["22:00 signed_late"]
    other = site("2026-01-10 20:00", record("handover", times(1, "night"), signatures=2))
    other.signs("05:59 handover li", "07:00:00.001 handover wang")
    assert other.codes("07:01") == ["22:00 signatures_missing"]


def test_what_is_signed_in_the_grace_after_a_period_belongs_to_it(site: Site) -> None:
    night = site("2026-01-10 20:00", record("summary", times(1, "shift", grace="30min")))
    night.signs("06:30 summary li")
    assert night.codes("06:31") == ["22:00 signed", "06:00 awaiting_signature"]
    other = site("2026-01-10 20:00", record("summary", times(1, "shift", grace="30min")))
    other.signs("06:30:00.001 summary li")
    assert other.codes("06:31") == ["22:00 not_signed", "06:00 signed"]


def test_only_who_may_sign_fulfils_a_record_and_another_signature_is_kept_with_it(site: Site) -> None:
    night = site("2026-01-10 20:00", record("check", times(1, "night"), by="leader"))
    night.signs("23:00 check li", "23:10 check stranger")
    assert (night.codes("06:01"), night.evidence("06:01")) == (["22:00 not_signed"], [2])
    night.signs("23:20 check zhao")
    assert (night.codes("06:01"), night.evidence("06:01")) == (["22:00 signed"], [3])


def test_each_post_owes_a_record_of_its_own(site: Site) -> None:
    night = site("2026-01-10 20:00", record("check", times(1, "night"), posts="gate lobby"))
    night.signs("23:00 check li", post="gate")
    night.signs("23:05 check li")
    assert night.codes("06:01") == ["check.gate 22:00 signed", "check.lobby 22:00 not_signed"]


def test_a_record_that_says_that_something_is_wrong_says_so_also_when_it_is_late(site: Site) -> None:
    night = site("2026-01-10 20:00", record("check", every("2h")))
    night.signs("21:00 check li", abnormal=True)
    night.signs("23:30 check li", abnormal=True)
    assert night.codes("23:31") == [
        "20:00 signed_abnormal",
        "21:00 signed_abnormal",
        "23:30 awaiting_signature",
    ]
    assert night.verdicts("23:31") == ["20:00 on_time", "21:00 late", "23:30 open"]


def test_a_record_may_be_signed_early(site: Site) -> None:
    night = site("2026-01-10 20:00", record("check", at("22:00", early="10min", late="10min")))
    night.signs("21:30 check li")
    assert (night.verdicts("22:00"), night.codes("22:00")) == (["21:50 early"], ["21:50 signed"])


def test_a_record_waits_for_a_console_that_may_hold_a_signature(site: Site) -> None:
    night = site("2026-01-10 20:00", record("check", times(1, "night")), devices=[console("k1")])
    assert (night.verdicts("06:01"), night.codes("06:01")) == (["22:00 unverified"], ["22:00 no_proof"])
    night.says_nothing_more("06:10", device="k1")
    assert night.verdicts("06:11") == ["22:00 missed"]


# --- apart


def test_what_follows_too_soon_after_the_one_before_counts_for_nothing(site: Site) -> None:
    night = site("2026-01-10 23:00", walk("tour", "a b", times(3, "00:00-06:00", apart="30min")))
    night.scans("00:10 a", "00:12 b", "00:14 a", "00:16 b", "00:42 a", "00:44 b")
    assert night.verdicts("01:00") == ["00:00 on_time", "00:00 on_time", "00:00 open"]
    assert night.evidence("01:00") == [2, 2, 0]


def test_exactly_so_long_after_the_one_before_is_long_enough(site: Site) -> None:
    calls = radio("call", "gate", times(2, "night", apart="30min"))
    night = site("2026-01-10 20:00", calls)
    night.calls("23:00 gate answered", "23:29:59.999 gate answered", "23:30 gate answered")
    assert night.verdicts("23:31") == ["22:00 on_time", "22:00 on_time"]
    assert night.evidence("23:31") == [1, 1]


# --- settling


def test_settled_twelve_hours_after_it_was_due(site: Site) -> None:
    night = site("2026-01-10 21:00", walk("lap", "a b", times(1, "night")), devices=[scanner("s1")])
    night.scans("22:10 a")
    assert night.verdicts("17:59:59.999") == ["22:00 unverified"]
    assert night.verdicts("18:00") == ["22:00 incomplete"]


def test_a_time_that_may_have_been_in_time_is_unverified(site: Site) -> None:
    night = site("2026-01-10 22:00", HALF_HOURLY)
    night.scans("22:30:02 a", uncertainty=2000)
    assert night.codes("22:31") == ["22:00 time_uncertain", "22:30:02 not_begun"]
    other = site("2026-01-10 22:00", HALF_HOURLY)
    other.scans("22:30:02 a", uncertainty=1999)
    assert other.verdicts("22:31") == ["22:00 late", "22:30:02 open"]


def test_a_scan_that_may_belong_to_the_round_before_saves_it_from_missed(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", at("22:00", "23:00", duration="30min")))
    night.scans("23:05 a", "23:10 b", uncertainty=40 * 60_000)
    assert night.codes("00:00")[:2] == ["22:00 time_uncertain", "23:00 time_uncertain"]
    surer = site("2026-01-10 22:00", walk("lap", "a b", at("22:00", "23:00", duration="30min")))
    surer.scans("23:05 a", "23:10 b", uncertainty=30 * 60_000)
    assert surer.codes("00:00")[:2] == ["22:00 not_visited", "23:00 on_time"]


def test_all_that_is_missing_must_be_in_doubt(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a b", at("22:00", duration="30min")))
    night.scans("22:10 a")
    night.scans("23:40 b", uncertainty=75 * 60_000)
    assert night.codes("23:59") == ["22:00 time_uncertain"]
    other = site("2026-01-10 22:00", walk("lap", "a b", at("22:00", duration="30min")))
    other.scans("23:40 b", uncertainty=75 * 60_000)
    assert other.codes("23:59") == ["22:00 not_visited"]


def test_a_call_in_doubt_saves_a_radio_check_and_one_in_vain_does_not(site: Site) -> None:
    for outcome, code in (("answered", "time_uncertain"), ("no_answer", "not_called")):
        night = site("2026-01-10 22:00", radio("call", "gate", at("22:00", duration="10min")))
        night.calls(f"23:30 gate {outcome}", uncertainty=90 * 60_000)
        assert night.codes("23:59") == [f"22:00 {code}"]


def test_what_a_scanner_lost_may_have_been_the_proof(site: Site) -> None:
    night = site(
        "2026-01-10 22:00", walk("lap", "a", at("22:00", "23:00", duration="20min")), devices=[scanner("s1")]
    )
    for _ in range(3):
        night.loses_a_record()
    night.says_nothing_more("23:40", lost="1-3 22:20 22:50")
    assert night.codes("23:41")[:2] == ["22:00 evidence_lost", "23:00 not_visited"]
    assert night.verdicts("12:00")[0] == "22:00 unverified"  # no time settles it


def test_what_was_lost_and_came_after_all_is_not_lost(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a", at("22:00", duration="20min")), devices=[scanner("s1")])
    night.scans("21:40 b")
    night.says_nothing_more("22:40", lost="1-1 21:40 22:20")
    assert night.codes("22:41") == ["22:00 not_visited"]


def test_a_gap_without_a_word_of_loss_is_no_proof_until_settled(site: Site) -> None:
    night = site("2026-01-10 22:00", walk("lap", "a", at("22:00", duration="20min")), devices=[scanner("s1")])
    night.loses_a_record()
    night.says_nothing_more("22:40")
    assert night.codes("10:19:59") == ["22:00 no_proof"]
    assert night.codes("10:20") == ["22:00 not_visited"]


# --- whatever happens


@settings(max_examples=100, deadline=None)
@given(scenarios(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_what_comes_in_matters(scenario: Scenario, random: Random) -> None:
    arrived = scenario.facts + scenario.facts[::3]
    random.shuffle(arrived)
    assert judge(scenario.plans, arrived, scenario.now) == judge(scenario.plans, scenario.facts, scenario.now)


@settings(max_examples=100, deadline=None)
@given(scenarios())
def test_a_scan_is_claimed_by_at_most_one_round(scenario: Scenario) -> None:
    scans = {fact.id for fact in scenario.facts if isinstance(fact, Scan)}
    judged = judge(scenario.plans, scenario.facts, scenario.now)
    claimed = Counter(fact for one in judged for fact in one.facts if fact in scans)
    assert all(count == 1 for count in claimed.values())
