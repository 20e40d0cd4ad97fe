"""What a site file says, and how freely it may be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.domain.plan import (
    ALWAYS,
    DEFAULT_SETTLE_S,
    At,
    Calendar,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    EscalationStep,
    Every,
    GateRules,
    Leg,
    Order,
    Person,
    Post,
    PostKind,
    Route,
    Shift,
    Span,
    Tariff,
    Times,
)
from gateway.sitefile import load, parse

from .court import COURT, complaints, court

HOURLY = "every: 60min, grace: 5min"


def test_a_site_file_becomes_a_plan() -> None:
    plan = parse(COURT, "court.yaml", version=7, holds_from=1_700_000_000_000)

    assert (plan.site, plan.timezone, plan.version) == ("court", "Asia/Shanghai", 7)
    assert plan.holds_from == 1_700_000_000_000
    assert plan.name == {"zh": "庭院", "en": "The Court"}
    assert plan.night == Span(22 * 60, 6 * 60)
    assert plan.settle_after_s == DEFAULT_SETTLE_S
    assert plan.shifts == (
        Shift("day", Span(7 * 60, 19 * 60)),
        Shift("late", Span(19 * 60, 7 * 60), {"zh": "夜班"}),
    )
    assert plan.people[0] == Person("li", {"zh": "李强"}, "guard", "04A1B2C3D4E5F6")
    assert plan.posts[0] == Post("east-gate", {"zh": "东门岗"}, PostKind.GATE)
    assert plan.checkpoints[0] == Checkpoint("ramp", {"zh": "坡道"}, ("04DE5F1EACC040",), (10.0, 20.5))
    assert plan.checkpoints[2].tags == ("https://tag.example/exit",)
    assert plan.devices == (Device("scanner-1", DeviceKind.SCANNER, ("patrol-1",)),)
    assert plan.routes[0] == Route(
        "garage", {"zh": "车库"}, Order.STRICT, ("ramp", "pump-room", "exit"), Leg(40, 360)
    )
    assert plan.escalation == (EscalationStep(0, ("shift_leader",)), EscalationStep(600, ("supervisor",)))


def test_each_cadence_is_read() -> None:
    hourly, radio, rounds, watch = court().duties

    assert hourly == Duty(
        id="hourly",
        kind=DutyKind.ROUND,
        cadence=Every(3600, 300, ALWAYS),
        route="garage",
        post="patrol-1",
        clause="5.4.6.1",
    )
    assert radio.cadence == Every(1800, 0, "night")
    assert radio.figure == "each half hour"
    assert rounds.cadence == At((20 * 60, 23 * 60 + 30), duration_s=2400, late_s=300, vary_s=540)
    assert watch.cadence == Times(3, Span(0, 360))
    assert watch.by == "shift_leader"


def test_posts_all_is_spelled_out() -> None:
    assert court().duties[1].posts == ("east-gate", "patrol-1")


def test_a_radio_check_may_call_some_posts_only() -> None:
    assert court(("posts: all", "posts: [east-gate]")).duties[1].posts == ("east-gate",)


@pytest.mark.parametrize("word", list(Calendar))
def test_a_count_may_be_owed_in_each_calendar_period(word: Calendar) -> None:
    plan = court(('per: {from: "00:00", to: "06:00"}', f"per: {word}, grace: 1h, vary: 5min"))
    assert plan.duties[3].cadence == Times(3, word, 3600, 300)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("6min", 360), ("12h", 43_200), ("1d", 86_400), ("1h30min", 5400), ("1d2h3min4s", 93_784)],
)
def test_durations_have_units_and_may_be_combined(written: str, seconds: int) -> None:
    plan = court((HOURLY, f"every: {written}"), ("min: 40s, ", ""))
    assert plan.duties[0].cadence == Every(seconds)


@pytest.mark.parametrize("written", ['"22:00"', "22:00", "'22:00'"])
def test_a_time_of_day_needs_no_quotes(written: str) -> None:
    assert court(('night: {from: "22:00"', f"night: {{from: {written}")).night.from_ == 1320


def test_words_that_yaml_takes_for_true_and_false_are_words() -> None:
    plan = court(
        ("{id: exit, name: 出口", "{id: no, name: on"),
        ("pump-room, exit]", "pump-room, no]"),
        ("[ramp, exit]", "[ramp, no]"),
    )
    assert plan.checkpoints[2].id == "no"
    assert plan.checkpoints[2].name == {"zh": "on"}


def test_digits_are_not_taken_for_numbers() -> None:
    plan = court(('"04DE5F1EACC040"', "04123456"), ('clause: "5.4.6.1"', "clause: 5.10"))
    assert plan.checkpoints[0].tags == ("04123456",)
    assert plan.duties[0].clause == "5.10"


@pytest.mark.parametrize(
    "written", ["04de5f1eacc040", "04:DE:5F:1E:AC:C0:40", "04 de 5f 1e ac c0 40", "04-DE-5F-1E-AC-C0-40"]
)
def test_uids_are_brought_to_one_form(written: str) -> None:
    plan = court(('"04DE5F1EACC040"', f'"{written}"'), ('"04A1B2C3D4E5F6"', '"04a1b2c3d4e5f6"'))
    assert plan.checkpoints[0].tags == ("04DE5F1EACC040",)
    assert plan.people[0].card == "04A1B2C3D4E5F6"


def test_a_checkpoint_may_have_tags_and_qr_codes() -> None:
    plan = court(('qr: ["https://tag.example/exit"]', "qr: [出口-1], tags: [04DE5F42]"))
    assert plan.checkpoints[2].tags == ("04DE5F42", "出口-1")


def test_one_leg_may_differ_from_the_others() -> None:
    plan = court(("max: 6min}", "max: 6min}, legs: [{from: pump-room, to: exit, max: 9min}]"))
    route = plan.route_by_id["garage"]
    assert route.leg_between("exit", "pump-room") == Leg(0, 540)
    assert route.leg_between("ramp", "pump-room") == Leg(40, 360)


def test_settle_after_is_a_duration() -> None:
    assert court(("site: court", "site: court\nsettle_after: 36h")).settle_after_s == 36 * 3600


def test_gate_rules_have_a_tariff_in_money_with_two_places() -> None:
    tariff = "tariff: {free: 30min, unit: 1h, fee: 2.5, daily_cap: 40}"
    rules = court(("site: court", f"site: court\ngate_rules: {{longest_stay: 1d, {tariff}}}")).gate_rules
    assert rules == GateRules(60, 86_400, Tariff(3600, 250, 1800, 4000))
    assert court().gate_rules == GateRules()


def test_a_tariff_without_a_unit_and_with_a_fee_in_words_is_refused() -> None:
    found = complaints(("site: court", "site: court\ngate_rules: {tariff: {fee: five}}"))
    assert len(found) == 2
    assert "amount such as 5 or 2.50" in " ".join(found)


def test_a_shift_may_last_the_whole_day() -> None:
    assert complaints(('from: "07:00", to: "19:00"', 'from: "08:00", to: "08:00"')) == []


def test_a_by_may_name_one_person() -> None:
    assert court(("by: shift_leader", "by: wang")).duties[3].by == "wang"


def test_json_is_read_as_well() -> None:
    text = '{"site": "s", "name": {"en": "S"}, "timezone": "UTC", "night": {"from": "22:00", "to": "06:00"}}'
    assert parse(text, "s.json").name == {"en": "S"}


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "court.yaml"
    path.write_text(COURT, encoding="utf-8-sig")
    assert load(path, version=2, holds_from=5) == parse(COURT, "court.yaml", version=2, holds_from=5)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.yaml")
