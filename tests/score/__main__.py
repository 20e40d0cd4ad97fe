"""`make score`: plays bad nights, prints the table, writes score.json; exits with 1 when a goal is missed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from checkpoint_firmware_sim.nights import bad_night
from gateway.sitefile import load
from tests.score.night import play
from tests.score.tally import tally

ROOT: Final = Path(__file__).parents[2]
SITE: Final = ROOT / "deploy" / "sites" / "riverside.yaml"
WORKERS: Final = 2

Result = dict[str, Any]

GOALS: Final[dict[str, float]] = {
    "false_missed": 0,
    "overlooked": 0,
    "unverified_after_drain": 0,
    "not_drained": 0,
    "alerts_per_problem": 1.0,
    "worst_alert_delay_s": 2.0,
}
"""The most that is allowed. All nights must be judged alike live, shuffled and replayed, too."""


def score_night(seed: int) -> Result:
    """Play and score the night with this number."""
    plan = load(SITE)
    scenario = bad_night(plan, seed)
    night = play(plan, scenario, seed)
    result = tally(night)
    return {
        "seed": seed,
        "counts": result.counts,
        "worst_delay": result.worst_delay,
        "errors": [f"night {seed}: {words}" for words in result.errors],
        "faults": Counter(deviation.what.value for deviation in scenario.deviations),
        "shuffled": night.same_when_shuffled,
        "replayed": night.same_when_replayed,
    }


def summary(seed: int, results: list[Result]) -> Result:
    """All nights in one."""
    counts: Counter[str] = sum((result["counts"] for result in results), Counter())
    faults: Counter[str] = sum((result["faults"] for result in results), Counter())
    problems = counts["problems"]
    return {
        "nights": len(results),
        "seed": seed,
        "problems": problems,
        "false_missed": counts["false_missed"],
        "overlooked": counts["overlooked"],
        "unverified_after_drain": counts["unverified_after_drain"],
        "not_drained": counts["not_drained"],
        "alerts": counts["alerts"],
        "alerts_per_problem": round(counts["alerts"] / problems, 3) if problems else 0.0,
        "worst_alert_delay_s": max((result["worst_delay"] for result in results), default=0) / 1000,
        "identical_after_shuffle": sum(result["shuffled"] for result in results),
        "identical_after_replay": sum(result["replayed"] for result in results),
        "right": counts["right"],
        "unprovable": counts["unprovable"],
        "too_close_to_tell": counts["too_close_to_tell"],
        "withdrawn": counts["withdrawn"],
        "inhibited": counts["inhibited"],
        "faults": dict(sorted(faults.items())),
        "problem_kinds": _of_kind(counts, "problem."),
        "alert_kinds": _of_kind(counts, "alert."),
        "errors": [words for result in results for words in result["errors"]],
    }


def _of_kind(counts: Counter[str], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): number
        for name, number in sorted(counts.items())
        if name.startswith(prefix)
    }


def misses(score: Result) -> list[str]:
    """The goals that were missed, in words."""
    found = [f"{name} is {score[name]}, not {most:g}" for name, most in GOALS.items() if score[name] > most]
    alike = ("identical_after_shuffle", "identical_after_replay")
    return found + [
        f"{name} is {score[name]} of {score['nights']}" for name in alike if score[name] < score["nights"]
    ]


def table(score: Result) -> str:
    """The figures for people."""
    rows = [(name, value) for name, value in score.items() if isinstance(value, (int, float))]
    lines = [f"{name:<26}{value:>10}" for name, value in rows]
    for kinds in ("faults", "problem_kinds", "alert_kinds"):
        lines += ["", kinds.replace("_", " ")]
        lines += [f"  {name:<24}{value:>10}" for name, value in score[kinds].items()]
    return "\n".join(lines)


def main() -> int:
    """Play the nights."""
    parser = argparse.ArgumentParser(prog="python -m tests.score", description=__doc__)
    parser.add_argument("--nights", type=int, default=int(os.environ.get("NIGHTS") or 300))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 1))
    parser.add_argument("--json", type=Path, default=Path("score.json"))
    args = parser.parse_args()
    began = time.monotonic()
    results: list[Result] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for result in pool.map(score_night, range(args.seed, args.seed + args.nights)):
            results.append(result)
            for words in result["errors"]:
                print(words, flush=True)
            if sys.stderr.isatty():
                print(f"\r{len(results)} of {args.nights} nights ", end="", file=sys.stderr, flush=True)
    score = summary(args.seed, results)
    args.json.write_bytes(msgspec.json.format(msgspec.json.encode(score), indent=2) + b"\n")
    print(table(score))
    print(f"\n{args.nights} nights in {time.monotonic() - began:.0f} s")
    missed = misses(score)
    for words in missed:
        print(f"missed: {words}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
