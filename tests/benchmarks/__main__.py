"""`make bench`: all tables, and `bench.json`. QUICK=1 takes fewer records and takes each figure once."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from . import judging, service
from .stages import stages

QUICK = bool(os.environ.get("QUICK"))
RUNS = 1 if QUICK else 3
SCALE = 1 if QUICK else 3


def median(figure: Callable[[], float]) -> float:
    """The median of so many runs."""
    return statistics.median(figure() for _ in range(RUNS))


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print rows of (what, figure, goal)."""
    print(f"\n{title}")
    wide = max(len(row[0]) for row in rows)
    for what, figure, goal in rows:
        print(f"  {what:<{wide}}  {figure:>12}  {goal}")


def main() -> None:
    found: dict[str, float] = {}

    by_stage = stages(20_000 * SCALE)
    table(
        "Where the time goes, in one process (us of CPU for each record)",
        [(stage, f"{cost:.2f}", "") for stage, cost in by_stage.items()],
    )

    sizes = [judging.measure(sites, 100, 40_000) for sites in (1, 100)]
    sizes.append(judging.measure(1000 if QUICK else 10_000, 100, 40_000))
    one, hundred, most = sizes
    found["judge_ns_10k"] = hundred.ns_per_record
    found["judge_ns_1m"] = most.ns_per_record
    found["bytes_per_open_round"] = most.bytes_per_round
    found["cost_ratio_10k_sites"] = most.ns_per_record / one.ns_per_record
    found["deadline_us"] = most.deadline_us
    table(
        "Decode and judge, and an open round (100 rounds under way at each site)",
        [
            (
                f"{size.sites:,} sites, {size.sites * size.rounds:,} open rounds",
                f"{size.ns_per_record:,.0f} ns",
                f"{size.bytes_per_round:,.0f} bytes/round, {size.deadline_us:.1f} us/deadline",
            )
            for size in sizes
        ]
        + [("most sites / one site", f"{found['cost_ratio_10k_sites']:.2f}", "goal 2")],
    )

    runs = [service.endpoint(1000, 20, 50_000 * SCALE) for _ in range(RUNS)]
    found["endpoint_connections_per_s"] = statistics.median(run.per_s for run in runs)
    found["cpu_us_per_record"] = statistics.median(run.cpu_us for run in runs)
    piped = [service.endpoint(1, 2000, 50_000 * SCALE) for _ in range(RUNS)]
    found["endpoint_pipelined_per_s"] = statistics.median(run.per_s for run in piped)
    found["broker_live_per_s"] = median(lambda: service.broker_live(30_000 * SCALE))
    found["broker_drain_per_s"] = median(lambda: service.broker_drain(30_000 * SCALE))
    half = min(10_000.0, found["endpoint_connections_per_s"] / 2)
    p50, p99 = service.latency(half, int(half) * 5)
    found["p50_ms"], found["p99_ms"], found["latency_rate_per_s"] = p50, p99, half
    table(
        "Published to judged, committed and acknowledged (the load runs on the same two cores)",
        [
            (
                "own endpoint, 1,000 connections",
                f"{found['endpoint_connections_per_s']:,.0f}/s",
                "goal 30,000/s",
            ),
            ("own endpoint, one pipelined", f"{found['endpoint_pipelined_per_s']:,.0f}/s", "goal 50,000/s"),
            ("through mosquitto, live", f"{found['broker_live_per_s']:,.0f}/s", "goal 35,000/s"),
            ("through mosquitto, a backlog", f"{found['broker_drain_per_s']:,.0f}/s", "goal 70,000/s"),
            ("service CPU for each record", f"{found['cpu_us_per_record']:.1f} us", "goal 20 us"),
            (f"latency p50 at {half:,.0f}/s", f"{p50:.1f} ms", "goal 2 ms"),
            ("latency p99", f"{p99:.1f} ms", "goal 20 ms"),
        ],
    )
    Path("bench.json").write_text(
        json.dumps({key: round(value, 3) for key, value in found.items()}, indent=1) + "\n"
    )
    print("\nbench.json written")


if __name__ == "__main__":
    main()
