"""What a post answers is told to people, whatever is known of when it answered."""

from __future__ import annotations

import pytest

from gateway.domain.alert import AlertKind, AlertState
from gateway.domain.facts import Outcome, RadioCall
from gateway.domain.verdicts import Verdict

from .evening import MINUTE, Evening, lodge

HOURLY = "{id: hourly, kind: round, route: tour, post: yard, every: 60min}"
RADIO = "{id: radio, kind: radio_check, posts: [gate], every: 30min, grace: 2min}"


def doubtful(call: RadioCall, doubt_ms: int) -> RadioCall:
    call.uncertainty = doubt_ms
    return call


@pytest.mark.parametrize("doubt", [0, 10 * MINUTE], ids=["at a known time", "nobody knows when"])
def test_an_abnormal_answer_is_told(doubt: int) -> None:
    evening = Evening(lodge((HOURLY, RADIO)))
    evening.until(35, doubtful(evening.call(34, "gate", Outcome.ABNORMAL), doubt))
    alert = evening.one(AlertKind.RADIO_ABNORMAL, "gate")
    assert (alert.state, alert.reason.code) == (AlertState.OPEN, "abnormal")
    expected = Verdict.UNVERIFIED if doubt else Verdict.LATE
    assert evening.changes[-1].occurrence.verdict is expected


def test_a_later_answer_in_order_does_not_end_what_was_abnormal() -> None:
    evening = Evening(lodge((HOURLY, RADIO)))
    evening.until(20, evening.call(20, "gate", Outcome.ABNORMAL))
    evening.until(45, evening.call(45, "gate"))
    assert evening.one(AlertKind.RADIO_ABNORMAL, "gate").state is AlertState.OPEN
