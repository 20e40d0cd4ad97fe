"""Scenario files, and times as they are written in them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.scenario import (
    Deviation,
    ScenarioError,
    What,
    check_against,
    load_scenario,
    parse_scenario,
)
from checkpoint_firmware_sim.times import (
    HOUR,
    MINUTE,
    local_instant,
    local_time_nearest,
    parse_duration,
    parse_local,
    periods,
)
from gateway.domain.plan import Calendar, Span
from gateway.instants import parse_instant
from tests.unit.sim.small_site import EVENING, site

NIGHT = 'start: "21:50"\nduration: 8.5h\n'


def test_a_scenario_is_read_with_its_deviations() -> None:
    scenario = parse_scenario(
        NIGHT + 'deviations:\n  - {what: late_round, duty: hourly, after: "23:00", by: 9min}\n'
    )
    assert (scenario.start, scenario.duration) == (21 * 60 + 50, 8 * HOUR + 30 * MINUTE)
    assert scenario.deviations == (Deviation(What.LATE_ROUND, 23 * 60, duty="hourly", by=9 * MINUTE),)


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_scenario_that_comes_along_can_be_read(path: Path) -> None:
    assert load_scenario(path).duration > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- 1", "must be a mapping"),
        ("start: [", "is not YAML"),
        ("duration: 1h", "`start` is missing"),
        ('start: "25:00"\nduration: 1h', "no time of day"),
        ("start: 21:50\nduration: 1h", "write times and durations in quotes"),
        ('start: "21:50"\nduration: soon', "no duration"),
        (NIGHT + "sede: 3", "unknown member `sede`"),
        (NIGHT + "deviations: 3", "must be a list"),
        (NIGHT + "deviations: [sleep]", "deviation 1: must be a mapping"),
        (NIGHT + 'deviations: [{what: sleep, after: "22:00"}]', "deviation 1: `what`"),
        (NIGHT + 'deviations: [{what: missed_round, after: "22:00"}]', "missed_round needs `duty`"),
        (NIGHT + 'deviations: [{what: incomplete_round, duty: x, after: "22:00"}]', "needs `skip`"),
    ],
)
def test_a_scenario_that_is_wrong_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        parse_scenario(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("site: other", "is for the site other"),
        ("speed: 0", "`speed` must be above 0"),
        ('deviations: [{what: missed_round, duty: radio, after: "22:00"}]', "no round duty `radio`"),
        ('deviations: [{what: no_answer, post: x, after: "22:00"}]', "no post `x`"),
        ('deviations: [{what: forced, device: console-1, after: "22:00"}]', "no gate `console-1`"),
        (
            'deviations: [{what: incomplete_round, duty: hourly, skip: north, after: "22:00"}]',
            "no checkpoint of route garage `north`",
        ),
    ],
)
def test_a_scenario_that_does_not_fit_its_site_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        check_against(parse_scenario(NIGHT + text), site())


def test_a_missing_scenario_file_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml"):
        load_scenario(Path("nowhere.yaml"))


# Times


def test_times_and_durations_are_read_as_people_write_them() -> None:
    assert [parse_duration(text) for text in ("40s", "6min", "1.5h")] == [40_000, 360_000, 5_400_000]
    assert parse_local("22:05") == 1325


def test_a_local_time_that_is_skipped_moves_forward_and_of_two_the_first_is_taken() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert local_instant(berlin, date(2026, 3, 29), 150) == parse_instant("2026-03-29T03:30:00+02:00")
    assert local_instant(berlin, date(2026, 10, 25), 150) == parse_instant("2026-10-25T02:30:00+02:00")


def test_the_nearest_start_may_be_yesterday_or_tomorrow() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    evening = 21 * 60 + 50
    assert local_time_nearest(zone, evening, EVENING + 9 * HOUR) == EVENING
    assert local_time_nearest(zone, evening, EVENING - 11 * HOUR) == EVENING
    assert local_time_nearest(zone, evening, EVENING + 13 * HOUR) == EVENING + 24 * HOUR


@pytest.mark.parametrize(
    ("per", "hours"),
    [
        (Calendar.HOUR, [1] * 9),
        (Calendar.NIGHT, [8]),
        (Calendar.SHIFT, [12]),
        (Calendar.DAY, [24, 24]),
        (Calendar.WEEK, [168]),
        (Calendar.MONTH, [30 * 24]),
        (Calendar.QUARTER, [92 * 24]),
        (Calendar.YEAR, [365 * 24]),
        (Span(0, 6 * 60), [6]),
        ("night", [8]),
    ],
)
def test_the_periods_of_a_night(per: Calendar | Span | str, hours: list[int]) -> None:
    found = periods(site(), per, EVENING, EVENING + 8 * HOUR)
    assert [(z - a) / HOUR for a, z in found] == hours
