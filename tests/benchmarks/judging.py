"""What decoding and judging a record costs in the process, and what an open round weighs.

Costs are CPU time of this process (`process_time`), so that what else the machine does falsifies them less.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.facts import AnyFact
from gateway.domain.watch import Watch
from gateway.ingest.records import decode, split, to_fact
from gateway.instants import rfc3339

from .sites import CHECKPOINTS_PER_ROUTE, bench_plan, scan_record

BEGIN = 1_795_442_400_000
BATCH = 1000
STEPS = CHECKPOINTS_PER_ROUTE - 2
"""Scans of a round after the first, none of which completes it."""


@dataclass(frozen=True, slots=True)
class Judging:
    """The figures of one size."""

    sites: int
    rounds: int  # for each site
    ns_per_record: float
    bytes_per_round: float
    deadline_us: float


def resident_bytes() -> int:
    """What this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(sites: int, rounds: int, records: int) -> Judging:
    """One size: make the watches, begin every round, judge records on them, let the deadlines come."""
    plan = bench_plan("site", rounds, 1, BEGIN)
    gc.collect()
    before = resident_bytes()
    watches = []
    for _ in range(sites):
        watch = Watch([plan])
        watch.step(BEGIN)
        watches.append(watch)
    _begin(watches, rounds)
    gc.collect()
    weight = (resident_bytes() - before) / (sites * rounds)
    gc.freeze()
    cost = _judge_ns(watches, rounds, min(records, STEPS * sites * rounds))
    deadline = _deadline_us(watches)
    gc.unfreeze()
    return Judging(sites, rounds, cost, weight, deadline)


def _begin(watches: Sequence[Watch], rounds: int) -> None:
    """One scan on every round, so that each is under way."""
    at = rfc3339(BEGIN)
    for number in range(rounds):
        raw = scan_record("b", number + 1, number, 0, 1000, at)
        for watch in watches:
            watch.hearing.device("s0").add("b", number + 1)
            watch.step(BEGIN + 1000, [to_fact(decode(raw), "s0", BEGIN + 1000 + number, same_boot=True)])


def _judge_ns(watches: Sequence[Watch], rounds: int, records: int) -> float:
    """ns of CPU for each record: decode, correct, de-duplicate, judge; records are spread over all sites."""
    at = rfc3339(BEGIN)
    sites = len(watches)
    work: list[tuple[int, bytes, int]] = []
    for n in range(records):
        nth = n // sites
        route, stop = nth % rounds, 1 + nth // rounds
        seq = rounds + 1 + nth
        work.append((n % sites, scan_record("b", seq, route, stop, 2000, at), BEGIN + 60_000 + n * 30))
    spent = 0
    for start in range(0, len(work), BATCH):
        batch = work[start : start + BATCH]
        begun = time.process_time_ns()
        facts: dict[int, list[AnyFact]] = {}
        for site, payload, received_at in batch:
            for raw in split(payload):
                record = decode(raw)
                if watches[site].hearing.device("s0").add(record.boot, record.seq):
                    found = facts.get(site)
                    if found is None:
                        found = facts[site] = []
                    found.append(to_fact(record, "s0", received_at, same_boot=True))
        now = batch[-1][2]
        for site, found in facts.items():
            watches[site].step(now, found)
        spent += time.process_time_ns() - begun
    return spent / len(work)


def _deadline_us(watches: Sequence[Watch]) -> float:
    """µs of CPU for each deadline that passes, its alert included."""
    late = BEGIN + 3_900_000 + 3_600_000
    begun = time.process_time_ns()
    passed = sum(len(watch.step(late).verdicts) for watch in watches[:1000])
    return (time.process_time_ns() - begun) / max(1, passed) / 1000
