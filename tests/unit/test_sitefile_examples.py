"""The sites that come with the gateway: they are right, and an honest guard can do what they ask."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from gateway.domain.plan import At, DeviceKind, DutyKind, Order, Plan, Route
from gateway.sitefile import dump, load, parse

SITES: Final = Path(__file__).parents[2] / "deploy" / "sites"
PACE_M_S: Final = 1.2
DWELL_S: Final = 30  # to find the tag, look round and scan

RIVERSIDE: Final = load(SITES / "riverside.yaml")


def walk_s(plan: Plan, origin: str, target: str) -> float:
    here, there = plan.checkpoint_by_id[origin].at, plan.checkpoint_by_id[target].at
    assert here is not None
    assert there is not None
    return math.dist(here, there) / PACE_M_S


def round_s(plan: Plan, route: Route) -> float:
    """An honest round, and the way back to its beginning."""
    legs = sum(walk_s(plan, a, b) for a, b in pairwise((*route.checkpoints, route.checkpoints[0])))
    return legs + DWELL_S * len(route.checkpoints)


@pytest.mark.parametrize("path", sorted(SITES.glob("*.yaml")), ids=lambda path: str(path.name))
def test_every_example_comes_back_as_it_was_written_out(path: Path) -> None:
    plan = load(path)
    assert parse(dump(plan), "written.yaml") == plan


def test_the_smallest_site_fits_on_one_page() -> None:
    assert len((SITES / "smallest.yaml").read_text(encoding="utf-8").splitlines()) <= 25


def test_riverside_is_an_estate_of_a_real_size() -> None:
    assert len(RIVERSIDE.posts) == 6
    assert len(RIVERSIDE.checkpoints) == len(RIVERSIDE.checkpoint_by_tag) == 40
    assert {route.id for route in RIVERSIDE.routes} == {
        *("garage", "outer", "garage-fire", "posts-tour", "building-floors")
    }
    assert {device.kind for device in RIVERSIDE.devices} == set(DeviceKind)
    assert {person.role for person in RIVERSIDE.people} == {"guard", "shift_leader", "supervisor", "manager"}
    names = [thing.name for thing in RIVERSIDE.checkpoints] + [duty.name for duty in RIVERSIDE.duties]
    assert all(name.keys() == {"zh", "en"} for name in names)
    assert all(duty.clause for duty in RIVERSIDE.duties)


def test_every_checkpoint_of_riverside_is_on_the_drawing_and_on_a_route() -> None:
    on_routes = {checkpoint for route in RIVERSIDE.routes for checkpoint in route.checkpoints}
    for checkpoint in RIVERSIDE.checkpoints:
        assert checkpoint.at is not None
        assert 0 <= checkpoint.at[0] <= 400
        assert 0 <= checkpoint.at[1] <= 300
        assert checkpoint.id in on_routes


def test_every_tag_of_riverside_looks_like_a_seven_byte_nfc_uid() -> None:
    tags = [*RIVERSIDE.checkpoint_by_tag, *(person.card for person in RIVERSIDE.people if person.card)]
    assert all(tag.startswith("04") and len(tag) == 14 for tag in tags)


@pytest.mark.parametrize("route", RIVERSIDE.routes, ids=lambda route: str(route.id))
def test_an_honest_leg_is_neither_too_fast_nor_too_slow(route: Route) -> None:
    for origin, target in pairwise(route.checkpoints):
        leg, took = route.leg_between(origin, target), walk_s(RIVERSIDE, origin, target)
        assert leg.max_s is not None
        assert leg.min_s * 1.4 <= took, f"{origin} – {target} takes {took:.0f} s"
        assert took + DWELL_S <= leg.max_s / 2, f"{origin} – {target} takes {took:.0f} s"


def test_routes_share_a_few_checkpoints_but_never_their_first() -> None:
    routes = RIVERSIDE.routes
    shared = {
        checkpoint
        for route in routes
        for checkpoint in route.checkpoints
        if sum(checkpoint in other.checkpoints for other in routes) > 1
    }
    assert 3 <= len(shared) <= 6
    assert not shared & {route.checkpoints[0] for route in routes}


def test_a_planned_round_takes_less_than_two_thirds_of_its_duration() -> None:
    for duty in RIVERSIDE.duties:
        if isinstance(duty.cadence, At) and duty.route:
            took = round_s(RIVERSIDE, RIVERSIDE.route_by_id[duty.route])
            assert took < duty.cadence.duration_s * 2 / 3, f"{duty.id} takes {took:.0f} s"


def test_one_guard_at_each_post_has_time_for_all_its_rounds_in_the_worst_hour() -> None:
    """Even when every duty of a post falls due in the same hour, its guard is done within that hour."""
    for post in {duty.post for duty in RIVERSIDE.duties if duty.kind is DutyKind.ROUND}:
        routes = {duty.route for duty in RIVERSIDE.duties if duty.post == post and duty.route}
        took = sum(round_s(RIVERSIDE, RIVERSIDE.route_by_id[route]) for route in routes)
        assert took < 3600, f"{post} takes {took:.0f} s"


def test_every_round_of_riverside_has_a_scanner_that_proves_it() -> None:
    for duty in RIVERSIDE.duties:
        if duty.kind is DutyKind.ROUND:
            (device,) = RIVERSIDE.proof_devices(duty, duty.post)
            assert RIVERSIDE.device_by_id[device].kind is DeviceKind.SCANNER


def test_riverside_has_strict_and_free_routes() -> None:
    assert {route.order for route in RIVERSIDE.routes} == set(Order)
