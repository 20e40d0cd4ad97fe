"""Nights of handhelds with broken clocks: whatever the wall clock does, no event is dated wrongly (law 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.facts import AnyFact
from gateway.instants import parse_instant, rfc3339
from tests.unit.ingest.hall import HOUR, MINUTE, NOW, SECOND, Hall, raw, record

YEAR_2000 = parse_instant("2000-01-01T00:00:00Z")
DAY = 24 * HOUR

Wall = Callable[[int, int], int]
"""What a wall clock shows, by the true instant and the start of the boot (ms)."""

WALLS: dict[str, Wall] = {
    "right": lambda t, _: t,
    "stopped": lambda t, _: NOW - DAY,
    "begun anew in 2000 at each start": lambda t, started: YEAR_2000 + t - started,
    "reset to 2000 at the second start": lambda t, started: t if started < NOW else YEAR_2000 + t - started,
    "an hour fast": lambda t, _: t + HOUR,
    "fourteen hours slow": lambda t, _: t - 14 * HOUR,
    "losing 2 s a day": lambda t, _: t - (t - NOW) * 2 * SECOND // DAY,
    "gaining 2 s an hour": lambda t, _: t + (t - NOW) * 2 * SECOND // HOUR,
    "stepped back by 14 h at the second start": lambda t, started: t if started < NOW else t - 14 * HOUR,
    "stepped forward by an hour at the second start": lambda t, started: t if started < NOW else t + HOUR,
    "set right at the second start": lambda t, started: t if started > NOW else t - 14 * HOUR,
}
KEEP_STEADY = ("right", "an hour fast", "fourteen hours slow", "losing 2 s a day", "gaining 2 s an hour")


class Handheld:
    """One device: it starts, records, and sends what it has kept."""

    def __init__(self, wall: str, rate: float = 1.0) -> None:
        self.hall = Hall()
        self.wall = WALLS[wall]
        self.rate = rate
        self.boots = 0
        self.seq = 0
        self.begins(NOW - 3 * HOUR)

    def begins(self, at: int) -> None:
        self.started = at
        self.boots += 1
        self.seq = 0

    def clocks(self, at: int) -> tuple[str, int]:
        return rfc3339(self.wall(at, self.started)), round((at - self.started) * self.rate)

    def keeps(self, at: int, type: str = "scan", **members: Any) -> dict[str, Any]:
        """Make a record of what happens now."""
        self.seq += 1
        wall, mono = self.clocks(at)
        made = record(self.seq, type, boot=f"b{self.boots}", at=wall, mono=mono)
        return {name: value for name, value in (made | members).items() if value is not None}

    def sends(self, kept: dict[str, Any], at: int) -> AnyFact:
        wall, mono = self.clocks(at)
        sent = {"sent_at": wall, "sent_mono": mono}
        if kept["boot"] != f"b{self.boots}":
            sent["sent_boot"] = f"b{self.boots}"
        fact = self.hall.fact(raw(kept | sent), received_at=at)
        self.hall.hearing.device("scanner-1").settle()
        return fact

    def is_heard(self, at: int) -> None:
        """A heartbeat: it has nothing more to say."""
        fact = self.sends(self.keeps(at, "status"), at)
        self.hall.hearing.device("scanner-1").status(fact)  # type: ignore[arg-type]
        self.hall.hearing.device("scanner-1").settle()


def covers(fact: AnyFact, happened: int) -> bool:
    return abs(fact.occurred_at - happened) <= fact.uncertainty


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("rate", [1.0, 1 + 2 / 3600, 1 - 2 / 3600, 1 + 2 / 86400])
def test_without_a_restart_the_wall_clock_does_not_matter(wall: str, rate: float) -> None:
    handheld = Handheld(wall, rate)
    fact = handheld.sends(handheld.keeps(NOW), NOW + 2 * HOUR)
    assert covers(fact, NOW)
    assert fact.uncertainty < 6 * SECOND


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("rate", [1.0, 1 + 2 / 3600, 1 - 2 / 3600, 1 + 2 / 86400])
def test_after_a_restart_it_does_not_matter_either_where_the_earlier_boot_was_heard(
    wall: str, rate: float
) -> None:
    handheld = Handheld(wall, rate)
    for minute in (90, 60, 30):
        handheld.is_heard(NOW - minute * MINUTE)
    kept = handheld.keeps(NOW)
    handheld.begins(NOW + HOUR)
    fact = handheld.sends(kept, NOW + 2 * HOUR)
    assert covers(fact, NOW)
    assert fact.uncertainty < 3 * SECOND  # half an hour's drift, and the way


@pytest.mark.parametrize("wall", WALLS)
def test_a_boot_that_was_never_heard_lies_between_what_is_known_before_and_after_it(wall: str) -> None:
    handheld = Handheld(wall)
    handheld.is_heard(NOW - 2 * HOUR)
    handheld.begins(NOW - HOUR)
    kept = handheld.keeps(NOW)
    handheld.begins(NOW + HOUR)
    fact = handheld.sends(kept, NOW + 90 * MINUTE)
    assert covers(fact, NOW) or wall.startswith("stepped forward")  # by less than the time between: it fits
    if wall in KEEP_STEADY:
        assert fact.uncertainty < 10 * SECOND


@pytest.mark.parametrize("wall", KEEP_STEADY)
def test_a_device_that_was_never_heard_is_dated_by_a_wall_clock_that_keeps_running(wall: str) -> None:
    handheld = Handheld(wall)
    kept = handheld.keeps(NOW)
    handheld.begins(NOW + HOUR)
    assert covers(handheld.sends(kept, NOW + 90 * MINUTE), NOW)


def test_the_wall_clock_of_a_device_with_a_flat_battery_is_still_right_about_what_it_showed_before() -> None:
    handheld = Handheld("reset to 2000 at the second start")
    kept = handheld.keeps(NOW)
    handheld.begins(NOW + HOUR)
    fact = handheld.sends(kept, NOW + 2 * HOUR)
    assert (fact.occurred_at, fact.uncertainty // MINUTE) == (NOW, 5)


def test_a_bare_time_is_corrected_by_the_clock_error_that_was_seen_last() -> None:
    handheld = Handheld("fourteen hours slow")
    handheld.is_heard(NOW - HOUR)
    kept = handheld.keeps(NOW) | {"mono": None}
    fact = handheld.hall.fact(
        raw({name: value for name, value in kept.items() if value is not None}), received_at=NOW + MINUTE
    )
    assert fact.occurred_at == NOW


def test_a_monotonic_clock_that_began_again_from_nothing_is_found_by_its_earlier_message() -> None:
    handheld = Handheld("stopped")
    handheld.is_heard(NOW - HOUR)
    kept = handheld.keeps(NOW)
    handheld.started = NOW + 10 * MINUTE  # the counter ran over, and the device did not notice
    fact = handheld.sends(kept, NOW + HOUR)
    assert covers(fact, NOW)


def test_an_unset_clock_dates_nothing_of_an_earlier_boot() -> None:
    handheld = Handheld("right")
    handheld.is_heard(NOW - 2 * HOUR)
    handheld.begins(NOW - HOUR)
    kept = handheld.keeps(NOW, clock="unset")
    handheld.begins(NOW + HOUR)
    fact = handheld.sends(kept, NOW + 90 * MINUTE)
    assert covers(fact, NOW)
    assert fact.uncertainty > HOUR


def test_an_unset_clock_with_nothing_beside_it_tells_no_time() -> None:
    assert Hall().reasons(raw(record(clock="unset"))) == ["time_unknown"]


def test_a_monotonic_clock_that_counts_on_over_a_restart_does_not_push_a_record_back() -> None:
    hall = Hall()
    started = NOW - 10 * HOUR
    status = record(
        1, "status", at=rfc3339(NOW - HOUR), mono=9 * HOUR, sent_at=rfc3339(NOW - HOUR), sent_mono=9 * HOUR
    )
    hall.take(raw(status), received_at=started + 9 * HOUR)
    kept = record(1, boot="b2", at=rfc3339(NOW), mono=10 * HOUR)
    sent = {"sent_boot": "b3", "sent_at": rfc3339(NOW + HOUR), "sent_mono": 11 * HOUR}
    fact = hall.fact(raw(kept | sent), received_at=NOW + HOUR)
    assert covers(fact, NOW)
    assert fact.uncertainty < 10 * SECOND


def test_a_message_that_was_long_on_its_way_moves_no_later_one() -> None:
    handheld = Handheld("stopped")
    handheld.is_heard(NOW - 2 * HOUR)
    late = handheld.keeps(NOW - HOUR, "status")
    wall, mono = handheld.clocks(NOW - HOUR)
    handheld.hall.take(raw(late | {"sent_at": wall, "sent_mono": mono}), received_at=NOW - HOUR + 5 * MINUTE)
    kept = handheld.keeps(NOW - HOUR)
    handheld.begins(NOW)
    assert covers(handheld.sends(kept, NOW + HOUR), NOW - HOUR)
