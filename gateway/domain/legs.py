"""Leg times learnt from the rounds that were walked: what a plan's `min` and `max` should rather be.

For each leg of a route, in either direction:

1. Only rounds that were fulfilled, and of which nothing says that they were not walked, count.
2. A time of less than a third or of more than three times the median is no walk of that leg (a break, a
   report written on the way) and is left out.
3. Of what is left, with at least `ENOUGH` times: `min` is four fifths of the time that one walk in ten stays
   below, `max` one and a half times the time that one in twenty exceeds.

So an honest walk stays within the suggestion, and a few odd ones do not move it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

from gateway.domain.plan import Leg, Order, Plan, Route
from gateway.domain.verdicts import FULFILLED

ENOUGH: Final = 10
"""So many times of a leg are needed before anything is suggested."""

COUNTED: Final = frozenset(verdict.value for verdict in FULFILLED)
"""The verdicts of rounds that were walked."""

NOT_WALKED: Final = frozenset(
    {
        *("leg_too_fast", "leg_too_slow", "tags_together", "two_places", "tag_copied"),
        *("tag_replayed", "tag_cloned", "tag_rolled_back"),
    }
)
"""Findings with which a round says nothing about how long its legs take."""

_ODD: Final = 3
_ROUND_TO_S: Final = 5

Walk = Sequence[tuple[str, int]]
"""The checkpoints of one round, and when each was visited (ms), in the order of the walk."""


@dataclass(frozen=True, slots=True)
class LearntLeg:
    """How long a leg takes (s), and what its limits should rather be. None: too few walks to say."""

    route: str
    origin: str
    target: str
    count: int  # times that count
    left_out: int
    p10_s: float | None
    median_s: float | None
    p95_s: float | None
    suggested: Leg | None
    planned: Leg


def learn_legs(plan: Plan, walks: Iterable[tuple[str, Walk]]) -> list[LearntLeg]:
    """What the walks, each with its route's id, say about every leg that was walked, in the plan's order."""
    times: dict[tuple[str, frozenset[str]], list[float]] = {}
    for route, walk in walks:
        for (origin, left), (target, reached) in pairwise(walk):
            times.setdefault((route, frozenset((origin, target))), []).append((reached - left) / 1000)
    return [
        _learn(route, origin, target, found)
        for route in plan.routes
        for origin, target in _legs(route)
        if (found := times.get((route.id, frozenset((origin, target)))))
    ]


def _legs(route: Route) -> Iterable[tuple[str, str]]:
    """The legs of a route, each once, in the direction in which the route names it first."""
    stops = route.checkpoints
    pairs = combinations(stops, 2) if route.order is Order.FREE else pairwise(stops)
    found: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        found.setdefault(frozenset(pair), pair)
    return found.values()


def _learn(route: Route, origin: str, target: str, times: list[float]) -> LearntLeg:
    middle = _percentile(sorted(times), 50)
    kept = sorted(time for time in times if middle / _ODD <= time <= middle * _ODD)
    planned = route.leg_between(origin, target)
    left_out = len(times) - len(kept)
    if len(kept) < ENOUGH:
        return LearntLeg(route.id, origin, target, len(kept), left_out, None, None, None, None, planned)
    p10, p95 = _percentile(kept, 10), _percentile(kept, 95)
    suggested = Leg(
        math.floor(p10 * 0.8 / _ROUND_TO_S) * _ROUND_TO_S, math.ceil(p95 * 1.5 / _ROUND_TO_S) * _ROUND_TO_S
    )
    return LearntLeg(
        route.id, origin, target, len(kept), left_out, p10, _percentile(kept, 50), p95, suggested, planned
    )


def _percentile(times: Sequence[float], percent: int) -> float:
    """The least of the sorted times that so many percent do not exceed."""
    return times[math.ceil(len(times) * percent / 100) - 1]
