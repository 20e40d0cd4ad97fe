"""Law 2: the same facts give the same verdicts, in any order, with any duplicates, in any batches."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.alert import LIVE, Alert, AlertState
from gateway.domain.facts import AnyFact
from gateway.domain.tracks import REACH_MS
from gateway.domain.verdicts import UNPROVED, Occurrence, Verdict, finding_codes
from gateway.domain.watch import KEEP_FACTS_MS, Known, Watch

from . import reference
from .reference import Judged
from .strategies import Scenario, scenarios
from .watching import feed, judge, judged, vary


def expected(scenario: Scenario) -> list[Judged]:
    """What the reference says, with the planned times moved as the plan asks."""
    return reference.judge(scenario.plans, scenario.facts, scenario.now, vary=vary)


@given(scenarios())
@settings(max_examples=300, deadline=None)
def test_the_watch_says_what_the_reference_says(scenario: Scenario) -> None:
    assert judge(scenario.plans, scenario.facts, scenario.now) == expected(scenario)


def piecemeal(scenario: Scenario, random: Random, batches: int) -> Iterator[tuple[int, list[AnyFact]]]:
    """The scenario's facts shuffled, some of them twice, in batches between which time passes."""
    again = random.choices(scenario.facts, k=len(scenario.facts) // 2) if scenario.facts else []
    arrivals = [*scenario.facts, *again]
    random.shuffle(arrivals)
    begin = scenario.plans[0].holds_from
    for number in range(batches):
        yield begin + (scenario.now - begin) * (number + 1) // batches, arrivals[number::batches]


def opening(occurrence_id: str) -> int:
    """When an occurrence opens, which its id says."""
    return int(occurrence_id.rpartition("@")[2].partition(".")[0])


def known_of(occurrence: Occurrence) -> Known:
    """What is compared to tell whether something changed."""
    codes = finding_codes(finding.code for finding in occurrence.findings)
    return (occurrence.verdict, occurrence.reason.code, codes)


REMEMBERED_MS = KEEP_FACTS_MS - 2 * 3_600_000
"""A watch forgets what was due longer ago than it keeps facts, when it next tidies up."""


def remembered(watch: Watch, scenario: Scenario) -> list[Judged]:
    """What a watch holds, but for what another one may have forgotten already."""
    return [each for each in judged(watch, scenario.now) if each.opens_at >= scenario.now - REMEMBERED_MS]


randoms = st.integers(0, 2**32).map(Random)


@given(scenarios(), randoms, st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_order_duplicates_and_batches_make_no_difference(
    scenario: Scenario, random: Random, batches: int
) -> None:
    at_once = Watch(scenario.plans)
    feed(at_once, scenario.facts, scenario.now)
    bit_by_bit = Watch(scenario.plans)
    for now, facts in piecemeal(scenario, random, batches):
        feed(bit_by_bit, facts, now)
    assert remembered(bit_by_bit, scenario) == remembered(at_once, scenario)


@given(scenarios(), randoms, st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_what_was_reported_last_is_what_is_so(scenario: Scenario, random: Random, batches: int) -> None:
    watch = Watch(scenario.plans)
    reported: dict[str, Known] = {}
    for now, facts in piecemeal(scenario, random, batches):
        for change in feed(watch, facts, now).verdicts:
            occurrence = change.occurrence
            reported[occurrence.id] = known_of(occurrence)
            if change.superseded or (
                occurrence.verdict is Verdict.OPEN and occurrence.reason.code != "no_answer"
            ):
                del reported[occurrence.id]
    so = {
        occurrence.id: known_of(occurrence)
        # What opens soon may have been done already: early.
        for occurrence in watch.occurrences(scenario.now, 0, scenario.now + REACH_MS + 1)
        if occurrence.verdict not in (Verdict.OPEN, Verdict.UPCOMING) or occurrence.reason.code == "no_answer"
    }
    first = scenario.now - REMEMBERED_MS
    assert {id_: said for id_, said in reported.items() if opening(id_) >= first} == {
        id_: said for id_, said in so.items() if opening(id_) >= first
    }


@given(scenarios(), randoms, st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_one_alert_is_open_for_each_thing_and_each_unproved_occurrence_has_one(
    scenario: Scenario, random: Random, batches: int
) -> None:
    watch = Watch(scenario.plans)
    alerts: dict[str, Alert] = {}
    for now, facts in piecemeal(scenario, random, batches):
        alerts |= {alert.id: alert for alert in feed(watch, facts, now).alerts}
        live = [(alert.kind, alert.subject) for alert in alerts.values() if alert.state in LIVE]
        assert len(live) == len(set(live))
        assert sorted(live) == sorted((alert.kind, alert.subject) for alert in watch.alerts.live)
    about = {occurrence for alert in alerts.values() for occurrence in alert.occurrences}
    unproved = {o.id for o in watch.occurrences(scenario.now, 0, scenario.now) if o.verdict in UNPROVED}
    assert unproved <= about
    withdrawn = [alert for alert in alerts.values() if alert.state is AlertState.WITHDRAWN]
    assert not any(unproved & (set(alert.occurrences) - set(alert.disproved)) for alert in withdrawn)


@given(scenarios(), randoms)
@settings(max_examples=100, deadline=None)
def test_a_watch_made_again_from_the_stored_facts_has_nothing_new_to_say(
    scenario: Scenario, random: Random
) -> None:
    watch = Watch(scenario.plans)
    alerts: dict[str, Alert] = {}
    known: dict[tuple[str, int, int], Known] = {}
    stored: dict[str, AnyFact] = {}
    for now, facts in piecemeal(scenario, random, 3):
        stored |= {fact.id: fact for fact in facts}
        changes = feed(watch, facts, now)
        alerts |= {alert.id: alert for alert in changes.alerts}
        for change in changes.verdicts:
            occurrence = change.occurrence
            ordinal = occurrence.id.rpartition("@")[2].partition(".")[2]
            key = (occurrence.track, occurrence.opens_at, int(ordinal or 1) - 1)
            known[key] = known_of(occurrence)
            if change.superseded or (
                occurrence.verdict is Verdict.OPEN and occurrence.reason.code != "no_answer"
            ):
                del known[key]
    again = Watch(scenario.plans, alerts=alerts.values(), last_alert=len(alerts))
    for fact in stored.values():
        again.hearing.device(fact.device).add(fact.boot, fact.seq)
    again.recall(list(stored.values()), [(*key, verdict) for key, verdict in known.items()])
    changes = again.step(scenario.now)
    assert (changes.verdicts, changes.alerts) == ([], [])
    assert remembered(again, scenario) == remembered(watch, scenario)
