"""The gate ledger: openings, passages and stays, and what is left over (docs/ledger.md)."""

from __future__ import annotations

import pytest

from gateway.domain.facts import Lost, Status
from gateway.domain.hearing import Hearing
from gateway.domain.ledger.authority import normal_plate
from gateway.domain.ledger.tariff import fee
from gateway.domain.plan import Tariff
from tests.unit.domain.gatehouse import CAR, HOUR, MINUTE, OTHER, Gatehouse, at


@pytest.fixture
def gate() -> Gatehouse:
    return Gatehouse()


# -- openings and passages -----------------------------------------------------------------------------------


def test_a_resident_comes_and_goes_and_nothing_is_left_over(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    gate.passes("18:00", "out", plate=CAR)
    shown = gate.shown()
    assert shown.leftovers == []
    assert [(each.grant and each.grant.kind, each.passage is not None) for each in shown.openings] == [
        ("resident", True),
        ("resident", True),
    ]
    (stay,) = shown.stays
    assert (stay.inside, stay.fee, stay.limit) == (False, None, None)
    totals = shown.totals()
    assert totals["openings"]["passed"] == totals["passages"]["opened"] == 2
    assert totals["entries"] == {"total": 1, "left": 1, "inside": 0, "lost": 0, "unidentified": 0}


def test_opened_and_nobody_passed(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.says("08:00", "opened", plate=CAR, cause="plate")
    assert gate.shown(at("08:00:30")).totals()["openings"]["under_way"] == 1
    assert gate.codes(at("08:00:30")) == []
    assert gate.codes() == ["nobody_passed"]


def test_passed_and_nothing_opened(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.says("08:00", "vehicle_in", plate=CAR)
    assert gate.codes() == ["passed_unopened"]


def test_a_second_car_slips_through_behind_the_first(gate: Gatehouse) -> None:
    for plate in (CAR, OTHER):
        gate.register("resident", plate)
    gate.says("08:00:00", "opened", plate=CAR, cause="plate")
    gate.says("08:00:05", "vehicle_in", plate=CAR)
    slipped = gate.says("08:00:07", "vehicle_in", plate=OTHER)
    gate.says("08:00:10", "closed")
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.about) == ("passed_unopened", slipped.id)


def test_two_cars_that_were_opened_for_while_the_barrier_was_up_find_their_own_openings(
    gate: Gatehouse,
) -> None:
    for plate in (CAR, OTHER):
        gate.register("resident", plate)
    first = gate.says("08:00:00", "opened", plate=CAR, cause="plate")
    second = gate.says("08:00:04", "opened", plate=OTHER, cause="plate")
    late = gate.says("08:00:06", "vehicle_in", plate=OTHER)
    early = gate.says("08:00:08", "vehicle_in", plate=CAR)
    assert {each.id: each.passage for each in gate.shown().openings} == {
        first.id: early.id,
        second.id: late.id,
    }
    assert gate.codes() == []


def test_nobody_passes_after_the_barrier_is_down(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.says("08:00:00", "opened", plate=CAR, cause="plate")
    gate.says("08:00:10", "closed")
    gate.says("08:00:40", "vehicle_in", plate=CAR)
    assert sorted(gate.codes()) == ["nobody_passed", "passed_unopened"]


def test_another_car_takes_the_opening(gate: Gatehouse) -> None:
    for plate in (CAR, OTHER):
        gate.register("resident", plate)
    gate.says("08:00:00", "opened", plate=CAR, cause="plate")
    gate.says("08:00:05", "vehicle_in", plate=OTHER)
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.params) == ("other_car", {"opened_for": CAR, "plate": OTHER})


def test_a_camera_that_sees_the_car_before_the_barrier_opens_tells_of_the_same_passage(
    gate: Gatehouse,
) -> None:
    gate.register("resident", CAR)
    seen = gate.says("08:00:00", "vehicle_in", plate=CAR, device="camera-east")
    opened = gate.says("08:00:02", "opened")
    assert gate.codes() == []
    assert gate.shown().openings[0].passage == seen.id
    assert gate.shown().passages[0].opening == opened.id


def test_camera_and_barrier_tell_of_one_opening(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.says("08:00:00", "opened", plate=CAR, cause="plate", device="camera-east")
    gate.says("08:00:01", "opened")
    gate.says("08:00:05", "vehicle_in", plate=CAR)
    (opening,) = gate.shown().openings
    assert (opening.devices, gate.codes()) == (("camera-east", "gate-east"), [])


def test_the_same_thing_told_twice_counts_once_and_is_listed(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    for second in ("00", "02"):
        gate.says(f"08:00:{second}", "opened", plate=CAR, cause="plate")
    for second in ("05", "06"):
        gate.says(f"08:00:{second}", "vehicle_in", plate=CAR)
    shown = gate.shown()
    assert (len(shown.openings), len(shown.passages)) == (1, 1)
    assert [(each.code, each.params["what"]) for each, _ in shown.leftovers] == [
        ("reported_twice", "opening"),
        ("reported_twice", "passage"),
    ]


def test_lanes_do_not_mix(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.says("08:00:00", "opened", "in", plate=CAR, cause="plate")
    gate.says("08:00:05", "vehicle_in", "in2", plate=CAR)
    gate.says("08:00:05", "vehicle_out", "in", device="gate-west", plate=OTHER)
    assert sorted(gate.codes()) == ["nobody_passed", "out_without_in", "passed_unopened", "passed_unopened"]


# -- authorities ---------------------------------------------------------------------------------------------


def test_an_opening_for_a_car_that_nobody_knows_has_no_authority(gate: Gatehouse) -> None:
    gate.passes("08:00", "in", plate=CAR)
    assert gate.codes() == ["no_authority"]


def test_a_guards_own_card_is_an_authority(gate: Gatehouse) -> None:
    gate.passes("08:00", "in", card="04:a1:b2:c3", cause="card")
    assert gate.codes() == []
    opening = gate.shown().openings[0]
    assert opening.grant is not None
    assert (opening.grant.kind, opening.grant.id) == ("staff", "li")


def test_a_revoked_authority_lets_nobody_in_any_more_but_what_it_let_in_stays(gate: Gatehouse) -> None:
    resident = gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    gate.passes("09:00", "out", plate=CAR)
    gate.revoke(resident, "12:00")
    assert gate.codes() == []
    gate.passes("13:00", "in", plate=CAR)
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.params["why"]) == ("authority_not_valid", "revoked")


@pytest.mark.parametrize(("when", "why"), [("07:00", "not_yet"), ("13:00", "expired")])
def test_a_visit_holds_in_its_time(gate: Gatehouse, when: str, why: str) -> None:
    gate.register("visitor", CAR, since="08:00", until="12:00", written="00:00")
    gate.passes(when, "in", plate=CAR)
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.params["why"]) == ("authority_not_valid", why)


def test_doubt_about_the_time_is_not_held_against_anybody(gate: Gatehouse) -> None:
    gate.register("visitor", CAR, since="08:00", until="12:00")
    gate.passes("12:03", "in", plate=CAR, doubt=5 * MINUTE)
    assert gate.codes(at("12:04")) == []


def test_a_person_who_opens_says_why(gate: Gatehouse) -> None:
    gate.says("08:00:00", "opened", cause="manual")
    gate.says("08:00:12", "manual_open", by="li", note="Ambulance")
    gate.says("08:00:05", "vehicle_in", plate=CAR)
    (opening,) = gate.shown().openings
    assert opening.grant is not None
    assert (opening.grant.kind, opening.grant.by, opening.grant.note) == ("person", "li", "Ambulance")
    assert gate.codes() == []


def test_a_persons_opening_is_not_mixed_up_with_one_that_needs_nobodys_word(gate: Gatehouse) -> None:
    for plate in (CAR, OTHER):
        gate.register("resident", plate)
    gate.says("08:00:00", "vehicle_in", plate=CAR, device="camera-east")
    gate.says("08:00:02", "opened")
    gate.says("08:00:10", "closed")
    gate.says("08:00:25", "manual_open", by="li", note="Reader is broken")
    gate.says("08:00:30", "vehicle_in", plate=OTHER)
    assert gate.codes() == []
    assert [each.grant and each.grant.kind for each in gate.shown().openings] == ["resident", "person"]


@pytest.mark.parametrize("said", [{}, {"by": "li"}, {"note": "Ambulance"}, {"by": " ", "note": " "}])
def test_an_opening_by_hand_without_person_or_reason_is_unexplained(
    gate: Gatehouse, said: dict[str, str]
) -> None:
    gate.says("08:00:00", "manual_open", **said)
    gate.says("08:00:05", "vehicle_in", plate=CAR)
    assert gate.codes() == ["unexplained_opening"]


def test_a_fire_alarm_opens_for_everybody(gate: Gatehouse) -> None:
    gate.says("08:00:00", "opened", cause="fire")
    gate.says("08:00:05", "vehicle_in", plate=CAR)
    assert gate.codes() == []


def test_a_barrier_that_was_driven_through_rests_on_nothing(gate: Gatehouse) -> None:
    gate.says("08:00:00", "forced")
    gate.says("08:00:01", "vehicle_in", plate=CAR)
    assert gate.codes() == ["forced_opening"]


# -- one card, one car ---------------------------------------------------------------------------------------


def test_a_card_comes_in_with_another_car(gate: Gatehouse) -> None:
    gate.register("resident", CAR, card="C1")
    gate.passes("08:00", "in", card="C1", plate=OTHER, cause="card")
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.params) == (
        "other_car",
        {"opened_for": CAR, "card": "C1", "plate": OTHER},
    )


def test_a_written_swap_lets_another_car_come_on_a_card(gate: Gatehouse) -> None:
    gate.register("resident", CAR, card="C1")
    gate.register("swap", OTHER, card="C1", until="12:00")
    gate.passes("08:00", "in", card="C1", plate=OTHER, cause="card")
    gate.passes("09:00", "out", card="C1", plate=OTHER, cause="card")
    assert gate.codes() == []


def test_a_card_that_is_inside_comes_in_again(gate: Gatehouse) -> None:
    for plate, card in ((CAR, "C1"), (OTHER, "C2")):
        gate.register("resident", plate, card=card)
    gate.passes("08:00", "in", card="C1", plate=CAR, cause="card")
    gate.passes("08:10", "in", card="C1", cause="card")
    assert gate.codes() == ["in_twice"]
    gate.passes("09:00", "out", card="C1", plate=CAR, cause="card")
    assert gate.codes() == [
        "in_twice"
    ]  # the car with the plate left; the one that came by the card alone is inside
    assert gate.shown().totals()["entries"] == {
        **{"total": 2, "left": 1, "inside": 1},
        **{"lost": 0, "unidentified": 0},
    }


def test_a_car_that_comes_in_twice_is_lost_from_sight_the_first_time(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    gate.passes("10:00", "in", plate=CAR)
    assert gate.codes() == ["in_twice"]
    assert gate.shown().totals()["entries"]["lost"] == 1


def test_a_car_leaves_on_the_pass_of_another(gate: Gatehouse) -> None:
    gate.passes("08:00", "in", plate=CAR, pass_="T1", cause="plate")
    gate.passes("08:20", "out", plate=OTHER, pass_="T1", cause="plate")
    ((leftover, _),) = gate.shown().leftovers
    assert leftover.code == "car_swapped"
    assert leftover.params == {"came_number": "T1", "came_plate": CAR, "number": "T1", "plate": OTHER}
    assert list(gate.ledger().alarms) == [leftover.id]


def test_two_cars_that_change_their_passes_are_both_told_of(gate: Gatehouse) -> None:
    for plate, number in ((CAR, "T1"), (OTHER, "T2")):
        gate.passes("08:00" if plate == CAR else "08:01", "in", plate=plate, pass_=number)
    gate.passes("08:10", "out", plate=CAR, pass_="T2")
    gate.passes("08:11", "out", plate=OTHER, pass_="T1")
    assert gate.codes() == ["car_swapped", "car_swapped"]
    assert gate.shown().totals()["entries"]["left"] == 2


def test_who_came_on_a_card_and_leaves_without_it_needs_an_id_record(gate: Gatehouse) -> None:
    gate.register("resident", CAR, card="C1")
    gate.passes("08:00", "in", plate=CAR, card="C1", cause="card")
    gate.passes("09:00", "out", plate=CAR, cause="manual", by="li", note="Card lost")
    assert gate.codes() == ["left_without_card"]
    gate.register("id_record", CAR, since="08:50", until="10:00", written="09:30")
    assert gate.codes() == []
    gate.passes("10:00", "in", plate=CAR, card="C1", cause="card")
    gate.passes("09:59:40", "out", "plate", device="gate-west")
    gate.passes("10:00:20", "out", plate=CAR, cause="manual", by="li", note="Card lost again")
    assert "left_without_card" in gate.codes()  # an id record serves once


# -- stays ---------------------------------------------------------------------------------------------------


def test_a_car_that_leaves_by_another_gate_has_stayed(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    gate.passes("09:00", "out", plate=CAR, device="gate-west")
    assert gate.codes() == []


def test_out_without_in(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "out", plate=CAR)
    assert gate.codes() == ["out_without_in"]


def test_a_ticket_is_issued_at_the_lane_and_its_stay_is_charged(gate: Gatehouse) -> None:
    gate.passes("08:00", "in", plate=CAR, pass_="t-7")
    gate.passes("10:31", "out", plate=CAR, pass_="T-7")
    assert gate.codes() == []
    assert gate.shown().stays[0].fee == 3 * 500  # 2 h 01 min beyond the free half hour


def test_a_stay_over_its_time_is_flagged_with_the_fee_while_it_lasts_and_when_it_ends(
    gate: Gatehouse,
) -> None:
    gate.passes("08:00", "in", plate=CAR, pass_="T-7")
    assert gate.codes(at("08:00", 1)) == []
    ((leftover, _),) = gate.shown(at("09:00", 1)).leftovers
    assert (leftover.code, leftover.at) == ("overstayed", at("08:00:05", 1))
    assert leftover.params["inside"] is True
    gate.passes(at("09:00", 1), "out", plate=CAR, pass_="T-7")
    ((leftover, _),) = gate.shown(at("12:00", 1)).leftovers
    assert (leftover.params["over_s"], leftover.params["fee"]) == (3600, 45.0)


def test_a_residents_car_may_stay(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    assert gate.codes(at("08:00", 20)) == []


def test_an_entry_is_forgotten_after_a_month(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR)
    gate.passes(at("09:00", 32), "out", plate=CAR)
    assert gate.codes(at("12:00", 32)) == ["out_without_in"]


@pytest.mark.parametrize("plate", ["", "无牌车", "_无_", "unknown", "粤B" + "1" * 198, "  ", "###"])
def test_a_plate_that_is_none_is_told_and_matches_nothing(gate: Gatehouse, plate: str) -> None:
    gate.says("08:00:00", "opened", cause="manual", by="li", note="No plate")
    gate.says("08:00:05", "vehicle_in", plate=plate)
    ((leftover, _),) = gate.shown().leftovers
    assert (leftover.code, leftover.params["direction"]) == ("unidentified", "in")
    assert len(str(leftover.params.get("read", ""))) <= 32


def test_plates_are_compared_without_what_separates_their_parts() -> None:
    assert {normal_plate(text) for text in ("粤B·12345", "粤b 12345", "粤B-12345", "粤Ｂ12345")} == {
        "粤B12345"
    }


# -- what must be allowed beforehand, and goods --------------------------------------------------------------


@pytest.mark.parametrize("vehicle", ["large", "dangerous"])
def test_large_vehicles_and_dangerous_goods_need_a_consent_from_before(gate: Gatehouse, vehicle: str) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR, vehicle=vehicle)
    assert gate.codes() == ["no_consent"]
    gate.register("consent", CAR, since="08:01", until="12:00")
    assert gate.codes() == ["no_consent"]  # too late
    gate.authorities.clear()
    gate.register("consent", CAR, since="07:00", until="12:00")
    assert gate.codes(at("09:00")) == []
    assert gate.codes() == ["overstayed"]  # and it must be gone when the consent ends


def test_goods_leave_with_a_slip_and_a_slip_serves_once(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.register("slip", number="S-1", until="20:00")
    for hour in ("08", "10", "12"):
        gate.passes(f"{hour}:00", "in", plate=CAR)
        slip = {} if hour == "12" else {"pass_": "S-1"}
        gate.passes(f"{hour}:30", "out", plate=CAR, goods=True, **slip)
    assert gate.codes() == ["slip_used_twice", "goods_without_slip"]


def test_a_slip_for_another_car_is_none(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.register("slip", OTHER, number="S-1", until="20:00")
    gate.passes("08:00", "in", plate=CAR)
    gate.passes("08:30", "out", plate=CAR, goods=True, pass_="S-1")
    assert gate.codes() == ["goods_without_slip"]


# -- what is not known yet -----------------------------------------------------------------------------------


def hears(hearing: Hearing, device: str, until: int, *lost: Lost) -> None:
    """A device says that it has nothing more to say up to `until`."""
    hearing.device(device).add("b", 1)
    hearing.device(device).status(Status(device, "b", 1, until, until, 0, None, 0, 1, until, lost=lost))
    hearing.device(device).settle()


def test_what_another_gate_may_still_tell_is_unverified_until_it_has_spoken(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "out", plate=CAR)
    gate.hearing = Hearing()
    ((_, state),) = gate.shown(at("09:00")).leftovers
    assert (state.code, state.reason) == ("unverified", "no_proof")
    assert set(state.devices) == {"gate-east", "camera-east", "gate-west"}
    for device in state.devices:
        hears(gate.hearing, device, at("08:30"))
    assert gate.shown(at("09:00")).leftovers[0][1].code == "final"


def test_late_records_heal(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    gate.passes("08:00", "out", plate=CAR)
    ledger = gate.ledger()
    assert [each.code for each, _ in ledger.show(at("00:00"), at("12:00"), at("12:00")).leftovers] == [
        "out_without_in"
    ]
    known = len(gate.events)
    gate.passes("07:00", "in", plate=CAR, device="gate-west")
    ledger.take(gate.events[known:])
    assert ledger.show(at("00:00"), at("12:00"), at("12:00")).leftovers == []


def test_nobody_is_waited_for_longer_than_the_plan_says(gate: Gatehouse) -> None:
    gate.says("08:00", "vehicle_in", plate=CAR)
    gate.hearing = Hearing()
    assert gate.shown(at("09:00")).leftovers[0][1].code == "unverified"
    state = gate.shown(at("21:00")).leftovers[0][1]
    assert (state.code, state.reason) == ("final", "settled")


def test_what_was_lost_may_have_been_the_other_half(gate: Gatehouse) -> None:
    gate.says("08:00", "vehicle_in", plate=CAR)
    gate.hearing = Hearing()
    for device in ("gate-east", "camera-east"):
        hears(gate.hearing, device, at("09:00"), Lost("a", 1, 5, at("07:00"), at("08:30")))
    state = gate.shown(at("10:00")).leftovers[0][1]
    assert (state.code, state.reason) == ("unverified", "evidence_lost")


def test_what_is_seen_needs_nobody_elses_word(gate: Gatehouse) -> None:
    gate.hearing = Hearing()
    gate.register("resident", CAR)
    gate.passes("08:00", "in", plate=CAR, vehicle="dangerous")
    assert [(each.code, state.code) for each, state in gate.shown(at("08:01")).leftovers] == [
        ("no_consent", "final")
    ]


# -- the tariff ----------------------------------------------------------------------------------------------

TARIFF = Tariff(unit_s=3600, fee=500, free_s=1800, daily_cap=4000)


@pytest.mark.parametrize(
    ("stay_s", "cost"),
    [
        (0, 0),
        (1800, 0),
        (1801, 500),
        (1800 + 3600, 500),
        (1800 + 3601, 1000),
        (1800 + 8 * 3600, 4000),
        (1800 + 20 * 3600, 4000),
        (1800 + 86_400, 4000),
        (1800 + 86_400 + 1, 4500),
        (1800 + 2 * 86_400 + 3 * 3600, 9500),
    ],
)
def test_begun_units_are_charged_after_the_free_time_and_no_day_costs_more_than_the_cap(
    stay_s: int, cost: int
) -> None:
    assert fee(TARIFF, stay_s) == cost


def test_without_a_cap_each_unit_counts() -> None:
    assert fee(Tariff(unit_s=900, fee=100), 86_400 + 1) == 97 * 100


# -- memory --------------------------------------------------------------------------------------------------


def test_what_is_old_is_let_go_and_the_rest_stays_as_it_was(gate: Gatehouse) -> None:
    gate.register("resident", CAR)
    for day in range(200):
        gate.passes(at("08:00", 0) + day * HOUR, "in" if day % 2 == 0 else "out", plate=CAR)
    long_ago = at("00:00", 20)
    ledger = gate.ledger()
    before = ledger.show(at("00:00", 8), long_ago, long_ago)
    ledger.trim(at("08:00", 16))
    assert ledger.base_at > at("00:00", 2)
    assert ledger.show(at("00:00", 8), long_ago, long_ago) == before
