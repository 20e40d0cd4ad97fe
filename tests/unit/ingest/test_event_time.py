"""When something happened, by clocks that are not trusted (law 6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.ingest.event_time import BARE_DOUBT_MS, LONGEST_AGE_MS, TimeUnknownError, event_time
from gateway.instants import parse_instant, rfc3339
from tests.unit.ingest.hall import HOUR, MINUTE, NOW, SECOND, Hall, raw, record

AGE = 7 * MINUTE
HAPPENED = NOW - AGE
DRIFTED = int(AGE * 0.0006)  # 2 s an hour
MONO = 5 * HOUR  # of the device's clock when it happened
YEAR_2000 = parse_instant("2000-01-01T00:00:00Z")

FAULTS: dict[str, tuple[int, int]] = {
    "right": (HAPPENED, NOW),
    "reset to the year 2000": (YEAR_2000 + MONO, YEAR_2000 + MONO + AGE),
    "at 2000-01-01 and stopped": (YEAR_2000, YEAR_2000),
    "an hour fast": (HAPPENED + HOUR, NOW + HOUR),
    "an hour slow": (HAPPENED - HOUR, NOW - HOUR),
    "fourteen hours fast": (HAPPENED + 14 * HOUR, NOW + 14 * HOUR),
    "fourteen hours slow": (HAPPENED - 14 * HOUR, NOW - 14 * HOUR),
    "stopped since yesterday": (NOW - 24 * HOUR, NOW - 24 * HOUR),
    "set right in between": (YEAR_2000 + MONO, NOW),
    "set back in between": (HAPPENED, YEAR_2000),
    "in the year 2099": (parse_instant("2099-12-31T00:00:00Z"), parse_instant("2099-12-31T00:07:00Z")),
}
"""What a wall clock showed when it happened, and when it was sent (ms)."""


def times(at: int, sent_at: int | None = None, **members: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {} if sent_at is None else {"sent_at": rfc3339(sent_at)}
    return record(at=rfc3339(at), **sent, **members)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_wall_clock_moves_an_event_while_the_monotonic_clock_is_good(fault: str) -> None:
    at, sent_at = FAULTS[fault]
    fact = Hall().fact(raw(times(at, sent_at, mono=MONO, sent_mono=MONO + AGE)))
    assert fact.occurred_at == HAPPENED
    assert fact.uncertainty == 500 + DRIFTED
    assert fact.clock_error == sent_at - NOW


@pytest.mark.parametrize(
    "fault", ["right", "reset to the year 2000", "an hour fast", "an hour slow", "fourteen hours fast"]
)
@pytest.mark.parametrize("mono", [None, MONO])
def test_a_clock_that_runs_wrong_but_runs_still_tells_the_age_after_a_reboot(
    fault: str, mono: int | None
) -> None:
    at, sent_at = FAULTS[fault]
    fact = Hall().fact(raw(times(at, sent_at, mono=mono, sent_mono=3 * SECOND, sent_boot="b2")))
    assert fact.occurred_at == HAPPENED
    assert fact.uncertainty == 500 + 2000 + DRIFTED


def test_a_reboot_that_is_told_hides_a_monotonic_clock_that_seems_to_fit() -> None:
    hall = Hall()
    members = {"mono": MONO, "sent_mono": MONO + HOUR}
    assert hall.fact(raw(times(HAPPENED, NOW, seq=1, **members, sent_boot="b2"))).occurred_at == HAPPENED
    assert hall.fact(raw(times(HAPPENED, NOW, seq=2, **members, sent_boot="b1"))).occurred_at == NOW - HOUR


def test_without_a_word_the_youngest_boot_of_the_message_is_the_one_that_sends() -> None:
    hall = Hall()
    old = times(HAPPENED, NOW, mono=10 * SECOND, sent_mono=20 * MINUTE)
    new = times(NOW - MINUTE, NOW, mono=19 * MINUTE, sent_mono=20 * MINUTE, boot="b2")
    facts = hall.take(raw(old, new)).facts["hall"]
    # Of the old boot the monotonic clock would say that it is 20 minutes ago.
    assert [fact.occurred_at for fact in facts] == [HAPPENED, NOW - MINUTE]


def test_without_a_word_a_boot_that_was_heard_of_before_does_not_send_once_a_younger_one_is_known() -> None:
    hall = Hall()
    hall.take(raw(times(NOW, NOW, mono=MONO, sent_mono=MONO)))
    hall.take(raw(times(NOW, NOW, mono=0, sent_mono=0, boot="b2")))
    late = times(HAPPENED, NOW, seq=2, mono=MONO - AGE, sent_mono=20 * MINUTE)
    assert hall.fact(raw(late)).occurred_at == HAPPENED


def test_a_monotonic_clock_that_went_backwards_belongs_to_another_boot() -> None:
    assert Hall().fact(raw(times(HAPPENED, NOW, mono=MONO, sent_mono=MONO - 1))).occurred_at == HAPPENED


@pytest.mark.parametrize(("clock", "doubt"), [("synced", 2000), ("free", BARE_DOUBT_MS)])
def test_a_bare_wall_clock_is_taken_with_doubt(clock: str, doubt: int) -> None:
    fact = Hall().fact(raw(times(HAPPENED, clock=clock)))
    assert (fact.occurred_at, fact.uncertainty) == (HAPPENED, doubt + DRIFTED)
    assert fact.clock_error is None


def test_nothing_happens_later_than_it_is_received() -> None:
    assert Hall().fact(raw(times(NOW + 14 * HOUR))).occurred_at == NOW
    assert Hall().fact(raw(times(NOW + HOUR, NOW, seq=2))).occurred_at == NOW


def test_a_bare_clock_in_the_year_2000_tells_no_time() -> None:
    hall = Hall()
    payload = raw(times(YEAR_2000))
    assert hall.reasons(payload) == ["time_unknown"]
    assert hall.reasons(payload) == []  # it is kept, once


def test_a_record_of_four_hundred_days_is_believed_and_an_older_one_is_not() -> None:
    assert event_time(NOW, 0, 0, None, LONGEST_AGE_MS, same_boot=True)[0] == NOW - LONGEST_AGE_MS
    with pytest.raises(TimeUnknownError, match="400 days old"):
        event_time(NOW, 0, 0, None, LONGEST_AGE_MS + 1, same_boot=True)


def test_a_difference_of_wall_clocks_that_cannot_be_gives_way_to_the_bare_time() -> None:
    assert event_time(NOW, HAPPENED, None, YEAR_2000, None, clock="synced", same_boot=False) == (
        HAPPENED,
        2000 + DRIFTED,
    )


clocks = st.integers(0, parse_instant("9999-01-01T00:00:00Z"))


@given(at=clocks, sent_at=st.none() | clocks, mono=st.integers(0, 2**53), age=st.integers(0, LONGEST_AGE_MS))
@settings(max_examples=300, deadline=None)
def test_while_the_monotonic_clock_is_good_the_wall_clock_makes_no_difference(
    at: int, sent_at: int | None, mono: int, age: int
) -> None:
    assume(mono + age <= 2**53)
    fact = Hall().fact(raw(times(at, sent_at, mono=mono, sent_mono=mono + age)))
    assert fact.occurred_at == NOW - age
    assert fact.uncertainty == 500 + int(age * 0.0006)


@given(
    at=clocks,
    sent_at=st.none() | clocks,
    mono=st.none() | st.integers(0, 2**53),
    sent_mono=st.none() | st.integers(0, 2**53),
    clock=st.sampled_from(["synced", "free", "unset"]),
    same_boot=st.booleans(),
    received=st.integers(LONGEST_AGE_MS, NOW),
)
@settings(max_examples=300, deadline=None)
def test_an_event_is_never_in_the_future_and_never_older_than_can_be(
    at: int,
    sent_at: int | None,
    mono: int | None,
    sent_mono: int | None,
    clock: str,
    same_boot: bool,
    received: int,
) -> None:
    try:
        occurred, doubt = event_time(received, at, mono, sent_at, sent_mono, clock=clock, same_boot=same_boot)
    except TimeUnknownError:
        return
    assert received - LONGEST_AGE_MS <= occurred <= received
    assert doubt >= 500
