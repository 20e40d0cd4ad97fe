"""Signed records in the watch: findings, alerts and their severity, and what is told of an occurrence."""

from __future__ import annotations

from itertools import count

from gateway.domain.alert import AlertKind, AlertState, Severity
from gateway.domain.facts import Signature
from gateway.domain.plan import Duty, DutyKind
from gateway.domain.verdicts import Finding
from gateway.domain.watch import Changes
from tests.unit.web.harbour import Night, harbour, local

numbers = count(1)


def with_duty(line: str) -> Night:
    return Night(harbour(("  - {id: night-radio", f"  - {line}\n  - {{id: night-radio")))


def signature(time: str, by: str, form: str = "check", post: str | None = None, **said: bool) -> Signature:
    at = local(time)
    return Signature("@desk", "b1", next(numbers), at, at, 0, None, form, by, post, None, **said)


def step(night: Night, time: str, *facts: Signature) -> Changes:
    return night.desk.watch.step(local(time), facts)


def record_alerts(changes: Changes) -> list[tuple[str, AlertState, Severity, str]]:
    return [
        (alert.subject, alert.state, alert.severity, alert.reason.code)
        for alert in changes.alerts
        if alert.kind is AlertKind.RECORD_MISSING
    ]


HOURLY = "{id: check, kind: record, by: shift_leader, every: 60min, name: {zh: 检查, en: Check}}"


def test_the_wrong_signer_is_a_finding_with_its_fact_and_fulfils_nothing() -> None:
    night = with_duty(HOURLY)
    wrong = signature("23 18:10", "04A1B2C3D4E5F6")
    step(night, "23 18:20", wrong)
    (found,) = [o for o in night.desk.watch.occurrences(local("23 18:20"), 0, 2**60) if o.duty == "check"]
    assert found.reason.code == "awaiting_signature"
    assert found.findings == (
        Finding("wrong_signer", {"signers": ["li"], "by": "shift_leader"}, (wrong.id,)),
    )
    assert [(each.by, each.counts) for each in found.signatures] == [("li", False)]
    assert found.carriers == ()


def test_a_missing_record_opens_one_alert_and_a_late_signature_ends_it() -> None:
    night = with_duty(HOURLY.replace("kind: record", "kind: record, posts: [east]"))
    night.desk.watch.hearing.device("console-1").heard_until = 2**60
    opened = step(night, "23 19:01")
    assert record_alerts(opened) == [("check.east", AlertState.OPEN, Severity.MAJOR, "not_signed")]
    (alert,) = [each for each in opened.alerts if each.kind is AlertKind.RECORD_MISSING]
    assert alert.name == {"zh": "检查 · 东门岗", "en": "Check · East gate"}
    ended = step(night, "23 19:10", signature("23 19:10", "wang", post="east"))
    assert [state for _, state, _, _ in record_alerts(ended)] == [AlertState.RESOLVED]


def test_a_signature_that_comes_in_late_but_was_given_in_time_withdraws_the_alert() -> None:
    night = with_duty(HOURLY)
    step(night, "23 19:01")
    changes = step(night, "23 19:10", signature("23 18:50", "wang"))
    assert [state for _, state, _, _ in record_alerts(changes)] == [AlertState.WITHDRAWN]


def test_records_of_two_duties_at_one_post_are_two_alerts() -> None:
    lines = [
        HOURLY.replace("id: check", f"id: {name}").replace("record", "record, posts: [east]") for name in "ab"
    ]
    night = with_duty("\n  - ".join(lines))
    assert [subject for subject, *_ in record_alerts(step(night, "23 19:01"))] == ["a.east", "b.east"]


def test_what_is_owed_for_a_week_is_less_urgent() -> None:
    night = with_duty("{id: check, kind: record, every: 7d}")
    changes = step(night, "30 18:01")
    assert [severity for _, _, severity, _ in record_alerts(changes)] == [Severity.MINOR]


def test_an_item_that_is_not_in_order_is_named_in_the_reason() -> None:
    night = with_duty(HOURLY)
    fact = signature("23 18:10", "wang", abnormal=True)
    fact.failed = ("hydrant box",)
    step(night, "23 18:20", fact)
    found = night.desk.watch.records_with(fact, local("23 18:20"))
    assert [(o.verdict, o.reason.code, o.reason.params) for o in found] == [
        ("on_time", "signed_abnormal", {"failed": ["hydrant box"]})
    ]


def test_every_duty_tells_what_its_tracks_are_about() -> None:
    cadence = harbour().duties[0].cadence
    assert Duty("r", DutyKind.ROUND, cadence, route="quays", post="east").subjects == (("quays", "east"),)
    assert Duty("c", DutyKind.RADIO_CHECK, cadence, posts=("a", "b")).subjects == (("a", "a"), ("b", "b"))
    assert Duty("s", DutyKind.RECORD, cadence).subjects == (("s", None),)
    assert Duty("s", DutyKind.RECORD, cadence, posts=("a",)).subjects == (("s.a", "a"),)
