"""`make ledger`: whole days at the gates, balanced against the truth; exits with 1 when anything differs."""

from __future__ import annotations

import argparse
import os
import sys

from tests.score.gate_day import balance


def main() -> int:
    """Play the days."""
    parser = argparse.ArgumentParser(prog="python -m tests.score.gates", description=__doc__)
    parser.add_argument("--passages", type=int, default=int(os.environ.get("PASSAGES") or 5000))
    parser.add_argument("--days", type=int, default=int(os.environ.get("DAYS") or 1))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 1))
    args = parser.parse_args()
    wrong = 0
    for seed in range(args.seed, args.seed + args.days):
        result = balance(args.passages, seed)
        wrong += len(result.wrong)
        print(
            f"day {seed}: {result.passages} passages, {result.facts} gate records, "
            f"{result.leftovers.total()} left over, "
            f"{result.doubted} doubted for a while, {len(result.wrong)} wrong, {result.seconds:.0f} s"
        )
        for code, count in sorted(result.leftovers.items()):
            print(f"  {code:<24}{count:>8}")
        for words in result.wrong[:20]:
            print(f"  wrong: {words}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
