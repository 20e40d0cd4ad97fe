"""When the gateway itself could not hear: nothing is held against anybody for it (laws 4 and 7)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.alert import AlertKind
from gateway.domain.blindness import Blindness
from gateway.domain.calendar import FOREVER
from gateway.domain.verdicts import Verdict
from gateway.domain.watch import Watch

from .evening import BEGIN, MINUTE, Evening, lodge

intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


@given(intervals, st.integers(0, 60), st.integers(0, 60))
def test_blind_time_is_counted_once_however_it_was_noted(
    noted: list[tuple[int, int]], start: int, end: int
) -> None:
    blind = {instant for since, until in noted for instant in range(since, until)}
    blindness = Blindness(noted)
    assert blindness.within(start, end) == len([each for each in range(start, end) if each in blind])
    assert [blindness.at(each) for each in range(61)] == [each in blind for each in range(61)]


@given(intervals, st.integers(0, 60), st.integers(0, 30))
def test_waiting_pauses_while_nothing_can_be_heard(
    noted: list[tuple[int, int]], start: int, length: int
) -> None:
    blindness = Blindness(noted)
    end = blindness.pause(start, length)
    assert end - start - blindness.within(start, end) == length


def test_waiting_does_not_end_while_the_gateway_cannot_hear() -> None:
    blindness = Blindness()
    blindness.since = 10
    assert (blindness.pause(0, 5), blindness.pause(0, 20)) == (5, FOREVER)
    assert blindness.within(0, 15) == 5


def test_nobody_is_called_missed_for_time_in_which_we_did_not_listen() -> None:
    """A scanner that is silent for 12 h is judged without; not when we were down for ten of them."""
    plan = lodge(("every: 60min", 'at: ["22:00"], duration: 30min'))
    down = (BEGIN + 60 * MINUTE, BEGIN + 660 * MINUTE)
    evening = Evening(watch=Watch([plan], blind=[down]))
    evening.until(0, evening.status(0, "s1"))
    evening.until(13 * 60)
    assert evening.changes[-1].occurrence.verdict is Verdict.UNVERIFIED
    evening.until(30 + 12 * 60 + 10 * 60 + 1)
    assert evening.changes[-1].occurrence.verdict is Verdict.MISSED


def test_a_round_that_no_device_can_prove_any_more_is_not_held_against_anybody_if_we_were_down_then() -> None:
    plan = lodge(
        ("every: 60min", 'at: ["22:00"], duration: 30min'), ("escalation:", "settle_after: 1h\nescalation:")
    )
    evening = Evening(watch=Watch([plan], blind=[(BEGIN, BEGIN + 20 * MINUTE)]))
    evening.until(24 * 60)
    last = evening.changes[-1].occurrence
    assert (last.verdict, last.reason.code) == (Verdict.UNVERIFIED, "gateway_blind")
    assert last.reason.params["blind_s"] == 20 * 60


def test_a_device_that_proves_that_it_has_nothing_more_to_say_speaks_for_the_blind_time_too() -> None:
    evening = Evening(watch=Watch([lodge()], blind=[(BEGIN, BEGIN + 59 * MINUTE)]))
    evening.until(62, evening.status(62, "s1"))
    assert evening.one(AlertKind.ROUND_MISSED, "tour").reason.code == "not_visited"
