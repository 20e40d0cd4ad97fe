"""Learnt leg times as lines of a site file, to be pasted into a route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from gateway.sitefile.kinds import show_duration


def learnt_legs(legs: Sequence[Any]) -> Iterator[str]:
    """The `legs` of each route, with a comment of what they rest on; `legs` as `/api/sites/{site}/legs` tells them."""
    if not legs:
        yield "# no round was walked in this time"
    for route, of_route in groupby(legs, key=lambda leg: leg["route"]):
        yield f"# route {route}"
        lines = list(of_route)
        if any(leg["suggested_min_s"] is not None for leg in lines):
            yield "legs:"
        for leg in lines:
            ends = f"{leg['from']} – {leg['to']}"
            if leg["suggested_min_s"] is None:
                yield f"  # {ends}: {leg['count']} walks are too few to say"
                continue
            least, most = show_duration(leg["suggested_min_s"]), show_duration(leg["suggested_max_s"])
            yield (
                f"  - {{from: {leg['from']}, to: {leg['to']}, min: {least}, max: {most}}}"
                f"  # {leg['count']} walks: {leg['p10_s']:.0f}s to {leg['p95_s']:.0f}s, median "
                f"{leg['median_s']:.0f}s; {_left_out(leg['left_out'])}{_planned(leg)}"
            )


def _left_out(count: int) -> str:
    return f"{count} left out; " if count else ""


def _planned(leg: Any) -> str:
    most = "none" if leg["plan_max_s"] is None else show_duration(leg["plan_max_s"])
    return f"now min {show_duration(leg['plan_min_s'])}, max {most}"
