"""What is wrong with a wall clock, told from message after message."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ingest.clock_health import ClockHealth, ClockState, Reading
from tests.unit.ingest.hall import HOUR, MINUTE, NOW, SECOND

YEAR_2000 = 946_684_800_000


def watched(wall: Callable[[int], int], minutes: int = 120, *, boot_at: int | None = None) -> ClockHealth:
    """A heartbeat each minute; the way of each takes up to 0.4 s. `boot_at`: the minute of a restart."""
    health = ClockHealth()
    for minute in range(minutes + 1):
        passed = minute * MINUTE
        boot = "b1" if boot_at is None or minute < boot_at else "b2"
        health.read(Reading(boot, NOW + passed + minute % 5 * 100, wall(passed), passed))
    return health


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        (lambda passed: NOW + passed, ClockState.OK),
        (lambda passed: NOW + passed + 4 * MINUTE, ClockState.OK),
        (lambda passed: NOW + passed + passed * 2 * SECOND // (24 * HOUR), ClockState.OK),
        (lambda passed: NOW + passed + 6 * MINUTE, ClockState.OFF),
        (lambda passed: NOW + passed - 14 * HOUR, ClockState.OFF),
        (lambda _: NOW, ClockState.STOPPED),
        (lambda _: YEAR_2000, ClockState.STOPPED),
        (lambda passed: YEAR_2000 + passed, ClockState.RESET),
        (lambda passed: NOW + passed + passed * 2 * SECOND // HOUR, ClockState.DRIFTING),
        (lambda passed: NOW + passed - passed * 2 * SECOND // HOUR, ClockState.DRIFTING),
        (lambda passed: NOW + passed - (HOUR if passed > 90 * MINUTE else 0), ClockState.STEPPED),
        (lambda passed: NOW + passed - (HOUR if passed > 30 * MINUTE else 0), ClockState.OFF),
        (lambda passed: NOW + passed - (0 if passed > 90 * MINUTE else HOUR), ClockState.STEPPED),
        (lambda passed: NOW + passed - (0 if passed > 30 * MINUTE else HOUR), ClockState.OK),
    ],
)
def test_the_state_of_a_clock(wall: Callable[[int], int], expected: ClockState) -> None:
    assert watched(wall).state() is expected


def test_one_reading_tells_only_what_it_shows() -> None:
    assert ClockHealth().state() is None
    assert watched(lambda _: NOW, 0).state() is ClockState.OK
    assert watched(lambda _: YEAR_2000, 0).state() is ClockState.RESET


def test_a_clock_that_is_set_by_a_restart_has_not_stepped() -> None:
    assert watched(lambda t: NOW + t - (0 if t >= HOUR else HOUR), boot_at=60).state() is ClockState.OK


def test_a_late_message_tells_nothing() -> None:
    health = watched(lambda passed: NOW + passed)
    health.read(Reading("b1", NOW + HOUR, YEAR_2000, HOUR))
    assert health.state() is ClockState.OK


def test_a_message_that_took_long_is_no_step_of_the_clock() -> None:
    health = watched(lambda passed: NOW + passed, 10)
    later = 11 * MINUTE
    health.read(Reading("b1", NOW + later + 20 * SECOND, NOW + later, later))
    health.read(Reading("b1", NOW + later + MINUTE, NOW + later + MINUTE, later + MINUTE))
    assert health.state() is ClockState.OK


def test_the_doubt_grows_with_the_silence() -> None:
    health = watched(lambda passed: NOW + passed, 0)
    assert (health.doubt(NOW), health.doubt(NOW + HOUR)) == (500, 500 + 2160)
    assert ClockHealth().doubt(NOW) is None
