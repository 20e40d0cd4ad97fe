"""A small day at the gates through the real engine and store. `make ledger` plays one with 5,000 passages."""

from __future__ import annotations

from checkpoint_firmware_sim.gate_day import SCRIPTS, kinds_of_mismatch, make_gate_day
from gateway.domain.ledger.entries import CODES
from tests.score.gate_day import balance


def test_a_day_at_the_gates_balances_to_the_last_passage() -> None:
    result = balance(450, 3)
    assert result.wrong == []
    assert result.passages > 400
    assert result.doubted > 0  # a gate was cut off, and what it knew was waited for


def test_what_does_not_balance_is_found() -> None:
    day = make_gate_day(60, 1)
    lost = next(each for each in day.passages if each.opening is not None)
    day.passages.remove(lost)
    assert any("passage" in words for words in balance(60, 1, day).wrong)


def test_a_whole_day_has_every_kind_of_visit_and_of_mismatch() -> None:
    day = make_gate_day(5000, 1)
    assert set(day.tried) == {script.__name__.removeprefix("_") for script, _ in SCRIPTS}
    assert set(kinds_of_mismatch(day)) == set(CODES)
    assert len(day.passages) >= 5000
