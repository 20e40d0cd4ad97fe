"""Learnt leg times as lines that can be pasted into a site file."""

from __future__ import annotations

from typing import Any

from gateway.domain.plan import Leg
from gateway.sitefile import learnt_legs, parse
from tests.unit.court import COURT


def leg(origin: str, target: str, **members: Any) -> dict[str, Any]:
    told = {
        "route": "garage",
        "from": origin,
        "to": target,
        "count": 42,
        "left_out": 1,
        "p10_s": 51.3,
        "median_s": 64.0,
        "p95_s": 95.0,
        "suggested_min_s": 40,
        "suggested_max_s": 145,
        "plan_min_s": 40,
        "plan_max_s": 360,
    }
    return told | members


def test_the_lines_can_be_pasted_into_the_route() -> None:
    lines = list(
        learnt_legs(
            [
                leg("ramp", "pump-room"),
                leg("pump-room", "exit", left_out=0, suggested_min_s=0, suggested_max_s=120, plan_max_s=None),
            ]
        )
    )
    assert lines == [
        "# route garage",
        "legs:",
        "  - {from: ramp, to: pump-room, min: 40s, max: 145s}"
        "  # 42 walks: 51s to 95s, median 64s; 1 left out; now min 40s, max 6min",
        "  - {from: pump-room, to: exit, min: 0s, max: 2min}"
        "  # 42 walks: 51s to 95s, median 64s; now min 40s, max none",
    ]
    route = next(line for line in COURT.splitlines() if "id: garage" in line)
    block = "  - id: garage\n    name: 车库\n    order: strict\n    checkpoints: [ramp, pump-room, exit]\n"
    pasted = COURT.replace(f"{route}\n", block + "".join(f"    {line}\n" for line in lines))
    legs = parse(pasted, "court.yaml").route_by_id["garage"].legs
    assert legs == {("ramp", "pump-room"): Leg(40, 145), ("pump-room", "exit"): Leg(0, 120)}


def test_a_leg_that_was_walked_too_seldom_is_only_a_comment() -> None:
    few = leg("ramp", "exit", count=3, suggested_min_s=None, suggested_max_s=None)
    lines = list(learnt_legs([few]))
    assert lines == ["# route garage", "  # ramp – exit: 3 walks are too few to say"]


def test_nothing_that_was_walked_is_said_in_a_comment() -> None:
    assert list(learnt_legs([])) == ["# no round was walked in this time"]
