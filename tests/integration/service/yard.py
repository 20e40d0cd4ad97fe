"""A small guarded yard, and what the tests of the running service share."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from gateway import sitefile
from gateway.clock import Clock
from gateway.domain.plan import Plan
from gateway.instants import rfc3339
from gateway.store.port import Commit, PlanRow
from gateway.store.sqlite import SqliteStore

WAIT_S = 20.0
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000

YARD = """\
site: yard
name: {zh: 大院, en: The Yard}
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
posts:
  - {id: east, name: 东门岗, kind: gate}
checkpoints:
  - {id: shed, name: 工具房, tags: ["04DE5F1EACC040"]}
  - {id: well, name: 水井, tags: ["04DE5F1EACC041"]}
devices:
  - {id: scanner-1, kind: scanner, posts: [east]}
  - {id: scanner-2, kind: scanner, posts: [east]}
  - {id: scanner-3, kind: scanner, posts: [east]}
  - {id: console-1, kind: console}
  - {id: gate-1, kind: gate, posts: [east]}
routes:
  - {id: tour, name: 巡查, order: free, checkpoints: [shed, well]}
duties:
  - {id: hourly, kind: round, route: tour, every: 60min, clause: "5.4.6.1"}
  - {id: radio, kind: radio_check, posts: all, every: 60min}
"""

SHED, WELL = "04DE5F1EACC040", "04DE5F1EACC041"
NEW_TAG = "04DE5F1EACC099"
ENROLLED = YARD.replace(f'tags: ["{WELL}"]', f'tags: ["{WELL}", "{NEW_TAG}"]')
"""The yard with one more tag at the well."""


class HandClock(Clock):
    """A clock that shows what it is set to (ms)."""

    __setattr__ = object.__setattr__  # a clock is frozen, this one is not

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        return self.at

    def ahead(self) -> float:
        return 0.0  # it is a test that sets it, and nobody is to be told


def plan_of(text: str, holds_from: int, version: int = 1) -> Plan:
    return sitefile.parse(text, "yard.yaml", version=version, holds_from=holds_from)


async def set_up(database: Path, holds_from: int, text: str = YARD) -> None:
    """A database with the yard's plan, which holds since then (ms)."""
    store = await SqliteStore.open(database)
    try:
        row = PlanRow("yard", 1, holds_from, holds_from, text)
        await store.commit(Commit(holds_from, plans=[row]))
    finally:
        await store.close()


def record(seq: int = 1, type: str = "scan", *, at: int, **members: Any) -> dict[str, Any]:
    """A right record of something that happened at an instant (ms); a member given as None is left out."""
    of_type: dict[str, dict[str, Any]] = {
        "scan": {"tag": SHED},
        "radio": {"post": "east", "outcome": "answered"},
        "gate": {"event": "opened"},
        "report": {"category": "light", "text": "灯坏了"},
        "status": {"buffered": 0, "high_seq": seq},
    }
    made = {"type": type, "boot": "b1", "seq": seq, "at": rfc3339(at)} | of_type.get(type, {}) | members
    return {name: value for name, value in made.items() if value is not None}


def encode(*records: dict[str, Any]) -> bytes:
    """One record, or an array of several."""
    return json.dumps(records[0] if len(records) == 1 else records, ensure_ascii=False).encode()


def stored(database: Path | str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What another process sees in the database: the file of an embedded one, or the URL of PostgreSQL."""
    if isinstance(database, str):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(_stored_in_postgres(str(database), query))).result()
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


async def _stored_in_postgres(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], within_s: float = WAIT_S
) -> None:
    """Wait for something that happens in another process, or without telling us."""
    async with asyncio.timeout(within_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)
