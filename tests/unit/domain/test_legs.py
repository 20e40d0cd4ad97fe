"""Leg times learnt from walks."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.domain.legs import ENOUGH, LearntLeg, learn_legs
from gateway.domain.plan import Leg
from tests.unit.court import court


def walks(*times: Sequence[float], route: str = "garage") -> list[tuple[str, list[tuple[str, int]]]]:
    """Walks of the garage: how long each took from the ramp to the pump room, and from there to the exit (s)."""
    found = []
    for to_pump, to_exit in times:
        arrivals = (0, to_pump * 1000, (to_pump + to_exit) * 1000)
        found.append((route, [(stop, int(at)) for stop, at in zip(STOPS, arrivals, strict=True)]))
    return found


STOPS = ("ramp", "pump-room", "exit")


def learnt(*times: Sequence[float]) -> list[LearntLeg]:
    return learn_legs(court(), walks(*times))


def test_a_suggestion_leaves_room_on_both_sides_of_what_was_walked() -> None:
    to_pump, to_exit = learnt(*[(100, 50)] * 2, *[(120, 60)] * 16, *[(150, 80)] * 2)
    assert (to_pump.origin, to_pump.target, to_pump.count) == ("ramp", "pump-room", 20)
    assert (to_pump.p10_s, to_pump.median_s, to_pump.p95_s) == (100, 120, 150)
    assert to_pump.suggested == Leg(80, 225)
    assert to_pump.planned == Leg(40, 360)
    assert to_exit.suggested == Leg(40, 120)


def test_a_few_odd_times_do_not_move_it() -> None:
    usual = [(100, 60), (110, 60), (120, 60)] * 10
    odd = [(2, 60), (5, 60), (1800, 60), (4000, 60)]
    (plain, _), (disturbed, _) = learnt(*usual), learnt(*usual, *odd)
    assert disturbed.suggested == plain.suggested
    assert (disturbed.count, disturbed.left_out) == (plain.count, 4)


def test_too_few_walks_suggest_nothing() -> None:
    few, _ = learnt(*[(100, 60)] * (ENOUGH - 1))
    assert (few.count, few.suggested, few.median_s) == (ENOUGH - 1, None, None)
    enough, _ = learnt(*[(100, 60)] * ENOUGH)
    assert enough.suggested is not None


def test_both_directions_are_one_leg() -> None:
    there = [("tour", [("ramp", 0), ("exit", 60_000)])] * 6
    back = [("tour", [("exit", 0), ("ramp", 60_000)])] * 6
    (leg,) = learn_legs(court(), [*there, *back])
    assert (leg.origin, leg.target, leg.count) == ("ramp", "exit", 12)


def test_legs_and_routes_that_the_plan_does_not_have_are_left_out() -> None:
    gone = walks(*[(100, 60)] * 12, route="roof")
    skipped = [("garage", [("ramp", 0), ("exit", 60_000)])] * 12
    assert learn_legs(court(), [*gone, *skipped]) == []
