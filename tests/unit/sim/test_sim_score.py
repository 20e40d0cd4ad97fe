"""Scoring, on truths and reports made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checkpoint_firmware_sim.owed import Happened, owed_by
from checkpoint_firmware_sim.score import COUNTS, Score, score
from checkpoint_firmware_sim.times import HOUR, MINUTE
from checkpoint_firmware_sim.truth import Line, TruthError, read_truth
from gateway.domain.plan import At, Duty, DutyKind, Every
from gateway.instants import rfc3339
from tests.unit.sim.small_site import EVENING, GARAGE, HOURLY, NIGHTLY, PLANNED, RADIO, site

Json = dict[str, Any]


def at(minutes: float) -> int:
    """An instant, in minutes after the evening begins (21:50 local)."""
    return EVENING + round(minutes * MINUTE)


def walk(end: float, duty: str = "hourly", checkpoints: tuple[str, ...] = GARAGE.checkpoints) -> Line:
    """A walk that ends `end` minutes into the evening, five minutes from point to point."""
    last = len(checkpoints) - 1
    visits = [
        {"checkpoint": id, "at": rfc3339(at(end - 5 * (last - place)))}
        for place, id in enumerate(checkpoints)
    ]
    route = "garage" if duty == "hourly" else "outer"
    return {"what": "walk", "at": rfc3339(at(end)), "duty": duty, "route": route, "visits": visits}


def call(minute: float, post: str = "gate-post", outcome: str = "answered") -> Line:
    return {
        "what": "call",
        "at": rfc3339(at(minute)),
        "post": post,
        "outcome": outcome,
        "device": "console-1",
    }


def happened(*lines: Line, duties: tuple[Duty, ...] = (HOURLY,), hours: float = 4) -> Happened:
    """What happened in the first hours of the evening at a site with these duties."""
    first: Line = {"what": "scenario", "at": rfc3339(EVENING), "from": rfc3339(EVENING)}
    last: Line = {"what": "end", "at": rfc3339(EVENING + round(hours * HOUR))}
    return Happened.read(site(*duties), [first, *lines, last])


def reported(opens: float, due: float, verdict: str, duty: str = "hourly", subject: str = "garage") -> Json:
    """An occurrence as the API reports it; instants in minutes into the evening."""
    return {
        "id": f"{duty}@{opens:g}",
        "duty": duty,
        "subject": subject,
        "opens_at": rfc3339(at(opens)),
        "due_at": rfc3339(at(due)),
        "verdict": verdict,
    }


def alert(kind: str, subject: str, *occurrences: str, opened: float = 66, state: str = "open") -> Json:
    return {
        "id": "A-1",
        "kind": kind,
        "subject": subject,
        "state": state,
        "opened_at": rfc3339(at(opened)),
        "closed_at": None,
        "duty": None,
        "occurrences": list(occurrences),
    }


def counts(result: Score) -> dict[str, int]:
    return {name: number for name, number in result.totals.items() if number}


# What was owed


def test_an_hourly_duty_is_owed_again_from_each_round_on() -> None:
    owed = owed_by(happened(walk(20), walk(70), walk(130)), HOURLY, "garage")
    assert [(each.opens_at, each.due_at) for each in owed] == [
        (at(0), at(65)), (at(20), at(85)), (at(70), at(135)), (at(130), at(195)),
    ]  # fmt: skip
    assert [each.in_time for each in owed] == [True, True, True, False]


def test_a_round_that_ends_exactly_at_its_due_is_in_time_and_a_millisecond_later_is_not() -> None:
    assert owed_by(happened(walk(65)), HOURLY, "garage")[0].in_time
    (late, *_) = owed_by(happened(walk(65 + 1 / MINUTE)), HOURLY, "garage")
    assert not late.in_time
    assert late.done_at == at(65) + 1


def test_a_gap_that_goes_on_is_one_more_miss_for_each_interval() -> None:
    owed = owed_by(happened(walk(20)), HOURLY, "garage")
    assert [(each.due_at, each.done_at) for each in owed[1:]] == [
        (at(85), None),
        (at(145), None),
        (at(205), None),
    ]


def test_a_late_round_anchors_the_next_one() -> None:
    owed = owed_by(happened(walk(75), walk(135)), HOURLY, "garage")
    assert [(each.opens_at, each.done_at) for each in owed] == [
        (at(0), at(75)),
        (at(75), at(135)),
        (at(135), None),
    ]


def test_a_round_in_the_wrong_order_or_without_a_checkpoint_is_none() -> None:
    swapped = walk(20, checkpoints=("ramp", "exit", "pump-room"))
    short = walk(40, checkpoints=("ramp", "exit"))
    assert not owed_by(happened(swapped, short), HOURLY, "garage")[0].in_time


def test_a_radio_duty_is_not_owed_past_the_end_of_its_period() -> None:
    calls = [call(10 + minute) for minute in range(1, 460, 30)]
    owed = owed_by(happened(*calls, duties=(RADIO,), hours=9), RADIO, "gate-post")
    assert len(owed) == len(calls)
    assert all(each.in_time for each in owed)


def test_planned_rounds_are_judged_by_their_windows() -> None:
    lines = [walk(100, "planned", ("north", "south")), walk(370, "planned", ("south", "north"))]
    owed = owed_by(happened(*lines, duties=(PLANNED,), hours=8), PLANNED, "outer")
    assert [(each.opens_at, each.due_at, each.in_time) for each in owed] == [
        (at(65), at(120), True), (at(305), at(360), False),
    ]  # fmt: skip


def test_a_planned_round_that_was_left_out_does_not_take_the_walk_of_the_next_one() -> None:
    hourly = replace(PLANNED, cadence=At((22 * 60, 23 * 60), 1200, 300, 300))
    lines = happened(walk(85, "planned", ("north", "south")), duties=(hourly,))
    assert [(each.due_at, each.done_at) for each in owed_by(lines, hourly, "outer")] == [
        (at(35), None), (at(95), at(85)),
    ]  # fmt: skip


def test_a_count_is_owed_within_its_period() -> None:
    lines = [walk(100, "nightly", ("north", "south"))]
    owed = owed_by(happened(*lines, duties=(NIGHTLY,), hours=9), NIGHTLY, "outer")
    assert [each.in_time for each in owed] == [True, False]


# Verdicts


def test_a_duty_that_was_fulfilled_and_is_on_time_is_right() -> None:
    result = score(happened(walk(20), hours=1.2), [reported(0, 65, "on_time")], [])
    assert counts(result) == {"right": 1}
    assert result.passed


@pytest.mark.parametrize("verdict", ["missed", "incomplete", "late"])
def test_blaming_somebody_who_did_the_round_is_a_false_missed(verdict: str) -> None:
    result = score(happened(walk(20), hours=1.2), [reported(0, 65, verdict)], [])
    assert counts(result) == {"false_missed": 1}
    assert not result.passed
    assert "hourly@0" in result.errors[0]


def test_a_missed_round_with_its_alert_is_right() -> None:
    alerts = [alert("round_missed", "garage", "hourly@0")]
    assert counts(score(happened(hours=1.2), [reported(0, 65, "missed")], alerts)) == {"right": 1}


@pytest.mark.parametrize(
    ("occurrences", "why"),
    [
        ([], "no such occurrence"),
        ([reported(0, 65, "on_time")], "was not fulfilled in time"),
        ([reported(0, 65, "open")], "was not fulfilled in time"),
        ([reported(0, 65, "missed")], "no alert is about it"),
    ],
)
def test_a_missed_round_that_nobody_is_told_of_is_overlooked(occurrences: list[Json], why: str) -> None:
    result = score(happened(hours=1.2), occurrences, [])
    assert counts(result) == {"overlooked": 1}
    assert why in result.errors[0]


@pytest.mark.parametrize("lines", [[walk(20)], []], ids=["fulfilled", "not fulfilled"])
def test_not_knowing_is_neither_right_nor_wrong(lines: list[Line]) -> None:
    alerts = [alert("round_missed", "garage", "hourly@0", state="withdrawn")]
    result = score(happened(*lines, hours=1.2), [reported(0, 65, "unverified")], alerts)
    assert counts(result) == {"unverified": 1}
    assert result.passed


def test_a_due_that_hangs_on_a_measured_time_may_differ_a_little() -> None:
    result = score(
        happened(walk(20), walk(80), hours=1.5),
        [reported(0, 65, "on_time"), reported(20.02, 85.02, "on_time"), reported(80, 145, "open")],
        [],
    )
    assert counts(result) == {"right": 2}


def test_an_occurrence_that_was_never_owed_accuses_falsely() -> None:
    occurrences = [reported(0, 65, "on_time"), reported(5, 40, "missed")]
    assert counts(score(happened(walk(20), hours=1.2), occurrences, [])) == {"right": 1, "false_missed": 1}


def test_a_fulfilled_duty_that_is_not_reported_is_counted_apart() -> None:
    result = score(happened(walk(20), hours=1.2), [], [])
    assert counts(result) == {"unreported": 1}
    assert result.passed


def test_nothing_is_asked_that_is_due_after_the_end() -> None:
    assert counts(score(happened(hours=1), [reported(0, 65, "open")], [])) == {}


# Alerts and events


def test_an_alert_without_a_cause_is_wrong_unless_it_was_withdrawn() -> None:
    occurrences = [reported(0, 65, "on_time")]
    wrong = [alert("round_missed", "garage", "hourly@0")]
    taken_back = [alert("round_missed", "garage", "hourly@0", state="withdrawn")]
    assert counts(score(happened(walk(20), hours=1.2), occurrences, wrong)) == {"right": 1, "wrong_alerts": 1}
    assert counts(score(happened(walk(20), hours=1.2), occurrences, taken_back)) == {"right": 1}


def gate(minute: float, event: str) -> Line:
    return {"what": "gate", "at": rfc3339(at(minute)), "device": "gate-1", "event": event}


def test_a_forced_barrier_needs_an_alert_and_a_passage_needs_none() -> None:
    truth = happened(gate(5, "forced"), gate(9, "vehicle_in"), duties=(NIGHTLY,), hours=1)
    assert counts(score(truth, [], [alert("gate_forced", "gate-1", opened=5)])) == {"right": 1}
    assert counts(score(truth, [], [])) == {"overlooked": 1}
    stray = [alert("gate_forced", "gate-1", opened=5), alert("gate_fault", "gate-1", opened=9)]
    assert counts(score(truth, [], stray)) == {"right": 1, "wrong_alerts": 1}


ONE_POST = Duty("radio", DutyKind.RADIO_CHECK, Every(1800, 120), posts=("gate-post",))


def test_a_call_in_vain_needs_its_own_alert_even_when_the_post_answers_later() -> None:
    truth = happened(call(10, outcome="no_answer"), call(14), duties=(ONE_POST,), hours=0.6)
    verdicts = [reported(0, 32, "on_time", "radio", "gate-post")]
    assert counts(score(truth, verdicts, [])) == {"right": 1, "overlooked": 1}
    alerts = [alert("radio_no_answer", "gate-post", "radio@0", opened=10)]
    assert counts(score(truth, verdicts, alerts)) == {"right": 2}


def test_a_call_in_vain_that_was_heard_late_needs_no_alert() -> None:
    offline = {"what": "device", "at": rfc3339(at(5)), "device": "console-1", "event": "offline"}
    lines = [offline, call(10, outcome="no_answer"), call(14)]
    truth = happened(*lines, duties=(ONE_POST,), hours=0.6)
    assert counts(score(truth, [reported(0, 32, "on_time", "radio", "gate-post")], [])) == {"right": 1}


def test_an_abnormal_answer_fulfils_the_check_and_needs_an_alert() -> None:
    truth = happened(call(10, outcome="abnormal"), duties=(ONE_POST,), hours=0.6)
    verdicts = [reported(0, 32, "on_time", "radio", "gate-post")]
    assert counts(score(truth, verdicts, [alert("radio_abnormal", "gate-post", opened=10)])) == {"right": 2}


# Reading and showing


def test_the_table_names_each_duty_and_sums_up() -> None:
    result = score(happened(walk(20), hours=1.2), [reported(0, 65, "on_time")], [])
    head, row, total = result.table().splitlines()
    assert all(name.replace("_", " ") in head for name in COUNTS)
    assert row.split()[:2] == ["hourly", "1"]
    assert total.split()[:2] == ["total", "1"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "first line"),
        (["{"], "line 1"),
        (['{"what": "end"}'], "no `at`"),
        (['{"what":"end","at":"x"}'], "first"),
    ],
)
def test_a_file_that_is_no_truth_log_is_refused_in_words(lines: list[str], why: str) -> None:
    with pytest.raises(TruthError, match=why):
        read_truth(lines)


def test_scoring_can_stop_early() -> None:
    lines: list[Line] = [
        {"what": "scenario", "at": rfc3339(EVENING), "from": rfc3339(EVENING)},
        walk(20),
        {"what": "end", "at": rfc3339(EVENING + 4 * HOUR)},
    ]
    early = Happened.read(site(HOURLY), lines, until=at(70))
    assert counts(score(early, [reported(0, 65, "on_time")], [])) == {"right": 1}
