"""Moving everything from one store to another, of whatever kind.

It is one transaction of the target: nobody sees anything of it before it has been checked, and a move that was cut
off has left nothing behind, so that it is simply begun again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gateway.store.checking import View, check
from gateway.store.port import Fault, StoreError
from gateway.store.sql_store import Filling, SqlStore
from gateway.store.tables import Table, tables

Told = Callable[[str, int], None]


class Moved(NamedTuple):
    """What was moved."""

    rows: dict[str, int]
    """How many, by table."""
    commits: int
    faults: list[Fault]
    """Where the chain does not hold in the target, which are the places where it does not hold in the source."""


async def move(source: SqlStore, target: SqlStore, told: Told = lambda table, rows: None) -> Moved:
    """Copy everything, and check counts and the hash chain before it counts.

    It is the source as it was at the beginning, whatever is written to it meanwhile; nobody else may write to the
    target. `told` hears how many rows of a table there are so far. Raises `StoreError` when the target is not empty, or
    what arrived is not what was sent: the target is empty then.
    """
    async with source.view() as there, target.fill() as here:
        for table in tables():
            if await _count(here, table):
                raise StoreError("the target is not empty: name a new database, or empty this one yourself")
        rows = {name: await _copy(there, here, table, told) for name, table in tables().items()}
        for table, sent in rows.items():
            arrived = await _count(here, table)
            if arrived != sent:
                raise StoreError(f"{sent} rows of {table} were sent and {arrived} arrived: nothing was moved")
        commits, faults = await check(here)
        if faults and (await check(there))[1] != faults:
            raise StoreError(f"what arrived does not fit the chain ({faults[0].what}): nothing was moved")
        return Moved(rows, commits, faults)


async def _copy(there: View, here: Filling, table: Table, told: Told) -> int:
    count = 0
    async for page in there.pages(
        f"SELECT {table.all_columns} FROM {table.name} ORDER BY {', '.join(table.key)}"
    ):
        await here.put(table, page)
        count += len(page)
        told(table.name, count)
    return count


async def _count(view: View, table: str) -> int:
    return sum([row[0] async for page in view.pages(f"SELECT count(*) FROM {table}") for row in page])
