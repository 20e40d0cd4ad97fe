"""What decoding and judging a record costs in the process, and what an open round weighs."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.domain.watch import Watch
from gateway.ingest.records import decode, split, to_fact
from gateway.instants import rfc3339

from .sites import CHECKPOINTS_PER_ROUTE, bench_plan, scan_record

BEGIN = 1_795_442_400_000
BATCH = 1000


def resident_bytes() -> int:
    """What this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def watches(sites: int, rounds: int) -> list[Watch]:
    """So many sites with so many rounds under way each."""
    template = bench_plan("site-0", rounds, 1, BEGIN)
    made = []
    for _ in range(sites):
        watch = Watch([template])
        watch.step(BEGIN)
        made.append(watch)
    return made


def begin_rounds(made: Sequence[Watch], rounds: int) -> None:
    """One scan on every round, so that each is under way."""
    at = rfc3339(BEGIN)
    for number in range(rounds):
        raw = scan_record("b", number + 1, number, 0, 1000, at)
        for watch in made:
            watch.hearing.device("s0").add("b", number + 1)
            watch.step(BEGIN + 1000, [to_fact(decode(raw), "s0", BEGIN + 1000 + number, same_boot=True)])


def judge_ns(made: Sequence[Watch], rounds: int, records: int) -> float:
    """ns for each record: decode, correct, de-duplicate, judge; records spread over all sites."""
    at = rfc3339(BEGIN)
    sites = len(made)
    work: list[tuple[int, bytes, int]] = []
    for n in range(records):
        site, nth = n % sites, n // sites
        route, stop = nth % rounds, 1 + nth // rounds % (CHECKPOINTS_PER_ROUTE - 2)
        seq = rounds + 1 + nth
        work.append((site, scan_record("b", seq, route, stop, 2000 + nth, at), BEGIN + 60_000 + n))
    gc.collect()
    gc.freeze()
    spent = 0
    for start in range(0, len(work), BATCH):
        batch = work[start : start + BATCH]
        begun = time.process_time_ns()
        facts: dict[int, list] = {}
        for site, payload, received_at in batch:
            for raw in split(payload):
                record = decode(raw)
                if made[site].hearing.device("s0").add(record.boot, record.seq):
                    facts.setdefault(site, []).append(to_fact(record, "s0", received_at, same_boot=True))
        now = batch[-1][2]
        for site, found in facts.items():
            made[site].step(now, found)
        spent += time.process_time_ns() - begun
    gc.unfreeze()
    return spent / len(work)
