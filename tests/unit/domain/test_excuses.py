"""An excuse stands beside what was judged, and never over it."""

from __future__ import annotations

from gateway.domain.alert import AlertKind, AlertState
from gateway.domain.verdicts import Excuse, Verdict

from .evening import BEGIN, MINUTE, Evening
from .test_ladder import missed


def excuse(occurrence: str, minute: float) -> Excuse:
    return Excuse(occurrence, "wang", "sent to a fire alarm", BEGIN + round(minute * MINUTE), "192.0.2.7")


def test_an_excused_round_keeps_what_was_judged_and_its_alert_is_resolved() -> None:
    evening = missed(Evening())
    alert = evening.one(AlertKind.ROUND_MISSED, "tour")
    assert evening.watch.excuse(excuse(alert.occurrences[0], 70))
    evening.until(70)
    found = evening.watch.find(alert.occurrences[0], evening.now)
    assert found is not None
    assert (found.verdict, found.reason.code) == (Verdict.EXCUSED, "excused")
    assert found.judged is not None and found.judged[0] is Verdict.MISSED
    assert alert.state is AlertState.RESOLVED
    excused = next(event for event in alert.history if event.what == "excused")
    assert (excused.by, excused.origin, excused.params["note"]) == (
        "wang",
        "192.0.2.7",
        "sent to a fire alarm",
    )


def test_proof_that_comes_after_an_excuse_still_counts() -> None:
    evening = missed(Evening())
    alert = evening.one(AlertKind.ROUND_MISSED, "tour")
    evening.watch.excuse(excuse(alert.occurrences[0], 70))
    evening.until(70)
    evening.until(71, evening.scan(40, "shed"), evening.scan(45, "well"))
    found = evening.watch.find(alert.occurrences[0], evening.now)
    assert found is not None
    assert (found.verdict, found.judged) == (Verdict.ON_TIME, None)
    assert found.excuse is not None and found.excuse.by == "wang"
    assert alert.state is AlertState.WITHDRAWN


def test_what_is_not_remembered_cannot_be_excused_here() -> None:
    evening = missed(Evening())
    assert not evening.watch.excuse(excuse("hourly@12345", 70))
