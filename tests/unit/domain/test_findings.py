"""What is odd about a round: impossible walks, one person at two places, copied tags, the wrong person."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gateway.domain.plan import Leg
from gateway.domain.verdicts import Occurrence, Verdict, VerdictChange
from gateway.domain.watch import Watch
from tests.properties import watching
from tests.properties.timeline import Owed, Timeline, at, scanner, walk

HALF_MINUTE = Leg(min_s=30, max_s=600)


def lap(checkpoints: str = "a b c", leg: Leg = HALF_MINUTE, name: str = "lap", **more: Any) -> Owed:
    """A round at 22:00 that may take an hour."""
    duty, route = walk(name, checkpoints, at("22:00", duration="60min"), **more)
    assert route is not None
    return duty, replace(route, leg=leg)


site = partial(Timeline, watching.judge, "2026-01-10 21:00")


def round_of(night: Timeline, now: str, duty: str = "lap") -> Occurrence:
    watch = Watch(night.plans)
    watching.feed(watch, night.facts, night.ms(now))
    found = watch.occurrences(night.ms(now), night.ms("21:00"), night.ms("23:30"))
    return next(each for each in found if each.duty == duty)


def codes(night: Timeline, now: str = "23:30", duty: str = "lap") -> list[str]:
    return [finding.code for finding in round_of(night, now, duty).findings]


# -- tags taken off the wall


def test_tags_that_are_held_together_are_found_and_the_verdict_stays() -> None:
    night = site(lap())
    night.scans("22:10:00 a", "22:10:04 b", "22:10:08 c")
    found = round_of(night, "23:30")
    assert found.verdict is Verdict.ON_TIME
    together = found.findings[0]
    assert (together.code, together.params) == ("tags_together", {"count": 3, "took_s": 8.0})
    assert together.facts == ("s1/b1/1", "s1/b1/2", "s1/b1/3")


def test_one_leg_that_was_walked_shows_that_the_tags_are_on_their_walls() -> None:
    night = site(lap())
    night.scans("22:10:00 a", "22:10:04 b", "22:10:09 c")
    assert codes(night) == ["leg_too_fast", "leg_too_fast"]


def test_two_tags_side_by_side_are_not_held_together() -> None:
    night = site(lap("a b", Leg()))
    night.scans("22:10:00 a", "22:10:01 b")
    assert codes(night) == []


@pytest.mark.parametrize(("second", "found"), [("22:10:02.999", ["tags_together"]), ("22:10:03", [])])
def test_where_the_plan_gives_no_shortest_time_three_seconds_are_the_limit(
    second: str, found: list[str]
) -> None:
    night = site(lap(leg=Leg()))
    night.scans("22:10:00 a", f"{second} b", f"{second[:-1]}5 c" if found == [] else "22:10:04 c")
    assert codes(night) == found


def test_what_the_clocks_cannot_tell_is_not_found() -> None:
    night = site(lap(leg=Leg()))
    night.scans("22:10:00 a", uncertainty=1000)
    night.scans("22:10:01 b", uncertainty=1000, boot="b2")
    night.scans("22:10:02 c", uncertainty=1000, boot="b3")
    assert codes(night) == []


# -- one person at two places


def test_one_card_at_two_places_is_told_with_both_rounds() -> None:
    night = site(lap("a b", name="one"), lap("c d", name="two"))
    night.scans("22:10:00 a", device="s1", guard="li")
    night.scans("22:10:09 c", device="s2", guard="CA01")
    finding = round_of(night, "23:30", "one").findings[0]
    assert finding.code == "two_places"
    assert finding.params == {
        "person": "li",
        "from": "a",
        "to": "c",
        "took_s": 9.0,
        "min_s": 10,
        "devices": ["s1", "s2"],
    }
    assert finding.facts == ("s1/b1/1", "s2/b1/1")
    assert finding in round_of(night, "23:30", "two").findings


@pytest.mark.parametrize(("second", "found"), [("22:10:29.999", ["two_places"]), ("22:10:30", [])])
def test_the_shortest_way_is_that_of_the_route(second: str, found: list[str]) -> None:
    night = site(lap("a b c"))
    night.scans("22:10:00 b", device="s1", guard="li")
    night.scans(f"{second} a", device="s2", guard="li")
    assert [code for code in codes(night) if code != "leg_too_fast"] == found


def test_one_guard_with_two_devices_at_one_place_is_no_clash() -> None:
    night = site(lap())
    night.scans("22:10:00 a", "22:11:00 b", device="s1", guard="li")
    night.scans("22:10:02 a", "22:11:02 b", device="s2", guard="li")
    assert codes(night) == []


def test_two_devices_whose_clocks_may_be_off_are_no_clash() -> None:
    night = site(lap("a b", name="one"), lap("c d", name="two"))
    night.scans("22:10:00 a", device="s1", guard="li", uncertainty=5000)
    night.scans("22:10:02 c", device="s2", guard="li", uncertainty=5000)
    assert codes(night, duty="one") == []


# -- copied tags


def test_a_tag_that_two_people_from_different_places_read_at_once_may_be_a_copy() -> None:
    night = site(lap("a b c", Leg()))
    night.scans("22:10:00 a", "22:14:00 b", device="s1", guard="li")
    night.scans("22:11:00 c", "22:14:09 b", device="s2", guard="wang")
    (finding,) = round_of(night, "23:30").findings
    assert (finding.code, finding.facts) == ("tag_copied", ("s1/b1/2", "s2/b1/2"))
    assert finding.params == {
        "checkpoint": "b",
        "people": ["li", "wang"],
        "devices": ["s1", "s2"],
        "took_s": 9.0,
    }


def test_two_who_walk_together_have_copied_nothing() -> None:
    night = site(lap("a b c", Leg()))
    night.scans("22:10:00 a", "22:14:00 b", device="s1", guard="li")
    night.scans("22:10:03 a", "22:14:03 b", device="s2", guard="wang")
    assert codes(night) == []


def test_who_has_just_begun_the_shift_is_not_accused() -> None:
    night = site(lap("a b c", Leg()))
    night.scans("22:10:00 a", "22:14:00 b", device="s1", guard="li")
    night.scans("22:14:03 b", device="s2", guard="wang")
    assert codes(night) == []


# -- the wrong person


def test_who_walked_instead_is_told_with_the_missed_round() -> None:
    night = site(lap(by="leader"))
    night.scans("22:10 a", "22:12 b", guard="li")
    night.scans("22:14 c", guard="CA02")
    found = round_of(night, "23:30")
    assert found.verdict is Verdict.MISSED
    (finding,) = found.findings
    assert finding.code == "wrong_person"
    assert finding.params == {"by": "leader", "people": ["li", "wang"], "checkpoints": ["a", "b", "c"]}
    assert finding.facts == ("s1/b1/1", "s1/b1/2", "s1/b1/3")


def test_a_part_that_another_walked_is_told_too() -> None:
    night = site(lap(by="leader"))
    night.scans("22:10 a", guard="zhao")
    night.scans("22:12 b", "22:14 c", guard="li")
    found = round_of(night, "23:30")
    assert found.verdict is Verdict.INCOMPLETE
    assert [(finding.code, finding.params["checkpoints"]) for finding in found.findings] == [
        ("wrong_person", ["b", "c"])
    ]


def test_a_round_that_the_right_person_walked_after_all_says_nothing_of_others() -> None:
    night = site(lap(by="leader"))
    night.scans("22:10 a", guard="li")
    night.scans("22:20 a", "22:21 b", "22:22 c", guard="zhao")
    assert codes(night) == []


def test_a_guard_on_a_round_of_their_own_does_not_walk_the_leaders() -> None:
    night = site(lap(by="leader"), lap(name="own"))
    night.scans("22:10 a", "22:12 b", "22:14 c", guard="li")
    assert codes(night, duty="lap") == []
    assert round_of(night, "23:30", "own").verdict is Verdict.ON_TIME


# -- findings that come late


def changes(watch: Watch, night: Timeline, now: str, first: int = 0) -> list[VerdictChange]:
    return watching.feed(watch, night.facts[first:], night.ms(now)).verdicts


def test_a_finding_that_a_late_record_brings_reaches_the_reported_round_and_no_alert() -> None:
    night = site(lap("a b", name="one"), lap("c d", name="two"), devices=(scanner("s1"), scanner("s2")))
    night.scans("22:10:00 a", "22:12:00 b", device="s1", guard="li")
    watch = Watch(night.plans)
    (before,) = [each for each in changes(watch, night, "22:20") if each.occurrence.duty == "one"]
    assert (before.occurrence.verdict, before.occurrence.findings) == (Verdict.ON_TIME, ())
    night.scans("22:12:05 c", device="s2", guard="li")
    found = watching.feed(watch, night.facts[2:], night.ms("22:50"))
    (after,) = found.verdicts
    assert after.is_of_findings_only
    assert after.previous == (Verdict.ON_TIME, "on_time")
    assert [finding.code for finding in after.occurrence.findings] == ["two_places"]
    assert found.alerts == []


def test_a_finding_alone_leaves_the_alert_of_a_missed_round_as_it_was() -> None:
    night = site(lap(by="leader"))
    watch = Watch(night.plans)
    missed = watching.feed(watch, [], night.ms("23:01"))
    assert [alert.kind.value for alert in missed.alerts] == ["round_missed"]
    night.scans("22:10 a", guard="li")
    told = watching.feed(watch, night.facts, night.ms("23:05"))
    (change,) = told.verdicts
    assert change.is_of_findings_only and told.alerts == []
    assert [finding.code for finding in change.occurrence.findings] == ["wrong_person"]


def test_a_record_just_before_the_due_is_taken_up_when_it_comes_just_after() -> None:
    night = site(lap())
    watch = Watch(night.plans)
    assert watching.feed(watch, [], night.ms("23:00:05")).verdicts[-1].occurrence.verdict is Verdict.MISSED
    night.scans("22:59:59 a")
    (change,) = watching.feed(watch, night.facts, night.ms("23:00:10")).verdicts
    assert change.occurrence.verdict is Verdict.INCOMPLETE


def test_a_clash_across_what_is_folded_for_good_is_still_told() -> None:
    night = site(lap("a b", name="one"), lap("c d", name="two"))
    night.scans("22:10:00 a", device="s1", guard="li")
    night.scans("22:10:05 c", device="s2", guard="li")
    watch = Watch(night.plans)
    watching.feed(watch, night.facts, night.ms("22:20"))
    strand = watch._strands.rounds
    strand.trim(night.ms("22:10:02"))
    assert [scan.id for scan in strand.clashes] == ["s1/b1/1", "s2/b1/1"]
    night.scans("22:10:03 d", device="s3", guard="wang")  # goes back to what is folded
    watching.feed(watch, night.facts[2:], night.ms("22:21"))
    assert [scan.id for scan in strand.clashes] == ["s1/b1/1", "s2/b1/1"]
