"""Strength of evidence: what a duty asks for counts, and what a tag's counter gives away does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations

import pytest

from gateway.domain.facts import Scan, Tap
from gateway.domain.plan import Checkpoint, Device, DeviceKind
from gateway.domain.strength import Strength
from gateway.domain.verdicts import Occurrence, Verdict
from gateway.domain.watch import Watch
from tests.properties import watching
from tests.properties.timeline import Owed, Timeline, at, walk

site = partial(Timeline, watching.judge, "2026-01-10 21:00")


def lap(checkpoints: str = "a b", proof: Strength | None = None) -> Owed:
    """A round at 22:00 that may take an hour."""
    duty, route = walk("lap", checkpoints, at("22:00", duration="60min"))
    return replace(duty, proof=proof), route


def taps(night: Timeline, *events: str, device: str = "s1", uncertainty: int = 0, boot: str = "b1") -> None:
    """Verified messages, each as `22:10 a 7`: a time, a checkpoint and the tag's counter (`7'`: of a second chip)."""
    for event in events:
        scan, _, counter = event.rpartition(" ")
        night.scans(scan, device=device, uncertainty=uncertainty, boot=boot)
        fact = night.facts[-1]
        assert isinstance(fact, Scan)
        fact.proof, fact.tap = Strength.SUN, Tap(int(counter.rstrip("'")), counter)


def codes(night: Timeline, now: str = "23:30") -> list[str]:
    return [finding.code for finding in round_of(night, now).findings]


def round_of(night: Timeline, now: str = "23:30", before: Sequence[Scan] = ()) -> Occurrence:
    watch = Watch(night.plans, taps=before)
    watching.feed(watch, night.facts, night.ms(now))
    (found,) = watch.occurrences(night.ms(now), night.ms("21:30"), night.ms("23:30"))
    return found


# -- what a duty asks for


def test_a_duty_that_asks_for_nothing_takes_every_scan() -> None:
    night = site(lap())
    night.scans("22:10 a", "22:20 b")
    taps(night, "22:30 a 1")
    assert round_of(night).verdict is Verdict.ON_TIME
    assert [visit.strength for visit in round_of(night).visits] == [Strength.UID, Strength.UID]


def test_a_scan_that_is_too_weak_is_no_visit_and_is_told() -> None:
    night = site(lap(proof=Strength.SUN))
    taps(night, "22:10 a 1")
    night.scans("22:20 b")
    night.says_nothing_more("23:10")
    found = round_of(night)
    assert (found.verdict, found.reason.code) == (Verdict.INCOMPLETE, "weak_evidence")
    assert found.reason.params == {"visited": 1, "of": 2, "checkpoints": ["b"], "needed": "sun"} | {
        key: value for key, value in found.reason.params.items() if key in ("settled", "devices")
    }
    (weak,) = found.findings
    assert weak.params == {"checkpoint": "b", "strength": "uid", "needed": "sun"}
    assert weak.facts == ("s1/b1/2",)
    assert [visit.strength for visit in found.visits] == [Strength.SUN, None]


def test_what_nobody_scanned_is_missing_whatever_else_is_weak() -> None:
    night = site(lap(proof=Strength.SUN))
    night.scans("22:20 b")
    found = round_of(night, "+1 12:00")
    assert (found.verdict, found.reason.code) == (Verdict.MISSED, "not_visited")
    assert [finding.code for finding in found.findings] == ["weak_evidence"]


def test_the_stronger_scan_a_moment_later_is_no_repeat_of_the_weaker() -> None:
    night = site(lap("a", proof=Strength.SUN))
    night.scans("22:10:00 a")
    taps(night, "22:10:02 a 1")
    found = round_of(night)
    assert (found.verdict, found.findings) == (Verdict.ON_TIME, ())


def test_a_fixed_reader_is_stronger_than_a_scanner_and_weaker_than_a_message() -> None:
    reader = Device("r1", DeviceKind.READER)
    for proof, verdict in ((Strength.WIRED, Verdict.ON_TIME), (Strength.SUN, Verdict.UNVERIFIED)):
        night = site(lap("a", proof=proof), devices=[reader])
        night.scans("22:10 a", device="r1")
        assert round_of(night).verdict is verdict


def test_a_checkpoint_may_ask_for_more_than_its_duty() -> None:
    night = site(lap())
    points = (Checkpoint("a", {}, ("A",), proof=Strength.SUN), Checkpoint("b", {}, ("B",)))
    night.plans[0] = replace(night.plans[0], checkpoints=points)
    night.scans("22:10 a", "22:20 b")
    assert codes(night) == ["weak_evidence"]


# -- what a counter gives away


@pytest.mark.parametrize(
    ("second", "found"),
    [("22:20 a 7", "tag_replayed"), ("22:20 a 7'", "tag_cloned"), ("22:20 a 6", "tag_rolled_back")],
)
def test_a_message_that_was_there_before_is_found_and_proves_no_more_than_a_qr_code(
    second: str, found: str
) -> None:
    night = site(lap("a", proof=Strength.UID))
    taps(night, "21:40 a 7")
    taps(night, second, device="s2")
    occurrence = round_of(night, "22:30")
    assert found in [finding.code for finding in occurrence.findings]
    night = site(lap("b a", proof=Strength.UID))
    taps(night, "21:05 a 7", boot="b9")
    old = night.facts.pop()
    assert isinstance(old, Scan)
    taps(night, second, device="s2")
    night.scans("22:15 b")
    weak = round_of(night, "+1 12:00", [old])
    assert [finding.code for finding in weak.findings] == [found, "weak_evidence"]
    assert (weak.reason.code, weak.findings[1].params["strength"]) == ("weak_evidence", "qr")


def test_where_nothing_is_asked_for_a_used_message_counts_as_a_photograph_would() -> None:
    night = site(lap("a b"))
    taps(night, "22:05 a 7", "22:10 b 3", "22:25 a 7")
    assert round_of(night).verdict is Verdict.ON_TIME
    assert codes(night) == ["tag_replayed"]


def test_a_tag_that_is_held_to_one_device_is_no_replay() -> None:
    night = site(lap("a b"))
    taps(night, "22:05:00 a 7", "22:05:09 a 7", "22:05:18 a 7'", "22:10 b 3")
    assert codes(night) == []


def test_a_record_that_is_sent_again_is_no_replay() -> None:
    night = site(lap("a b"))
    taps(night, "22:05 a 7", "22:10 b 3")
    night.facts += night.facts
    assert codes(night) == []


def test_an_order_that_the_clocks_cannot_tell_is_not_held_against_anybody() -> None:
    night = site(lap("a b"))
    taps(night, "22:05 a 7", "22:20 b 3", uncertainty=60_000)
    taps(night, "22:06 a 6", device="s2", uncertainty=60_000)
    assert codes(night) == []
    taps(night, "22:08 a 6", device="s2", uncertainty=60_000)
    assert codes(night) == ["tag_rolled_back"]


def test_the_order_of_arrival_makes_no_difference() -> None:
    night = site(lap("a b", proof=Strength.SUN))
    taps(night, "22:05 a 7", "22:10 b 3", "22:20 a 7", "22:30 b 2")
    expected = round_of(night)
    assert expected.verdict is Verdict.ON_TIME
    for order in permutations(night.facts):
        watch = Watch(night.plans)
        for fact in order:
            watching.feed(watch, [fact], night.ms("22:40"))
        watch.step(night.ms("23:30"))
        (found,) = watch.occurrences(night.ms("23:30"), night.ms("21:30"), night.ms("23:30"))
        assert (found.verdict, found.findings, found.visits) == (
            expected.verdict,
            expected.findings,
            expected.visits,
        )


def test_the_highest_counter_from_before_what_is_remembered_still_counts() -> None:
    night = site(lap("a"))
    taps(night, "21:05 a 7")
    (old,) = night.facts
    assert isinstance(old, Scan)
    night.facts = []
    taps(night, "22:10 a 7", boot="b2")
    assert [finding.code for finding in round_of(night, before=[old]).findings] == ["tag_replayed"]
    assert round_of(night).findings == ()
