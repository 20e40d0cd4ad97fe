"""Working the hash chain out again, over any database: whether the records are those that were written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from gateway.store.chain import GENESIS, link
from gateway.store.port import Fault
from gateway.store.purging import PURGE, digest_of_purge
from gateway.store.schema import CHAINED
from gateway.store.writing import digest_of

Row = tuple[Any, ...]


_REMOVED: Final = "SELECT commit_no, record, digest FROM purged WHERE tbl = ? ORDER BY commit_no, record"


class View(Protocol):
    """A database as it is at one instant, whatever is written meanwhile."""

    def pages(self, sql: str, values: Sequence[Any] = ()) -> AsyncIterator[list[Row]]:
        """The rows of a query, some at a time; `?` stands for a value. Several may be under way at once."""


class _Ahead:
    """Rows that begin with the number of their commit, ascending, read as far as they are asked for."""

    def __init__(self, pages: AsyncIterator[list[Row]]) -> None:
        self._pages = pages
        self._page: list[Row] = []
        self._next = 0

    async def up_to(self, number: int | None) -> AsyncIterator[Row]:
        """The next rows that are not of a later commit; None: all that are left."""
        while True:
            while self._next < len(self._page):
                row = self._page[self._next]
                if number is not None and row[0] > number:
                    return
                self._next += 1
                yield row
            self._page, self._next = await anext(self._pages, []), 0
            if not self._page:
                return


async def check(view: View) -> tuple[int, list[Fault]]:
    """How many commits there are, and where the chain does not hold or something else is shown."""
    records = {
        table: _Ahead(view.pages(f"SELECT commit_no, id, {columns} FROM {table} ORDER BY commit_no, id"))
        for table, columns in CHAINED.items()
    }
    removed = {table: _Ahead(view.pages(_REMOVED, (table,))) for table in CHAINED}
    faults: list[Fault] = []
    previous, expected, count = GENESIS, 1, 0
    async for page in view.pages("SELECT number, at, hash FROM commits ORDER BY number"):
        for number, at, hash_ in page:
            count += 1
            if number != expected:
                faults.append(Fault(number, f"commit {expected} is not there"))
            digests: list[bytes] = []
            for table, ahead in records.items():
                found: list[tuple[int, bytes]] = []
                async for row in ahead.up_to(number):
                    if row[0] < number:
                        faults.append(_orphan(table, row))
                    found.append((row[1], digest_of(table, row[2:])))
                async for row in removed[table].up_to(number):
                    if row[0] < number:
                        faults.append(_orphan(table, row))
                    found.append((row[1], row[2]))
                digests += [digest for _, digest in sorted(found)]
            if link(previous, number, at, digests) != hash_:
                faults.append(Fault(number, "its records are not those that were written"))
            previous, expected = hash_, number + 1
    for table, ahead in (*records.items(), *removed.items()):
        async for row in ahead.up_to(None):
            faults.append(_orphan(table, row))
            break
    return count, faults + await _purged_otherwise(view) + await _shown_otherwise(view)


def _orphan(table: str, row: Row) -> Fault:
    return Fault(row[0], f"{table} has a record of a commit that is not there")


async def _purged_otherwise(view: View) -> list[Fault]:
    """Where something was removed by no purge, or otherwise than the purge says."""
    said = {
        row[0]: msgspec.json.decode(row[1]).get("digest")
        async for page in view.pages("SELECT commit_no, body FROM actions WHERE what = ?", (PURGE,))
        for row in page
    }
    faults: list[Fault] = []
    removed: list[tuple[str, int, int, bytes]] = []
    act: int | None = None

    def end() -> None:
        if act is not None and said.pop(act, None) != digest_of_purge(removed):
            faults.append(Fault(act, "it has removed other records than it says"))
        removed.clear()

    async for page in view.pages("SELECT act, tbl, commit_no, record, digest FROM purged ORDER BY act"):
        for row in page:
            if row[0] != act:
                end()
                act = row[0]
            removed.append((row[1], row[2], row[3], row[4]))
    end()
    return faults + [Fault(number, "what it has removed is not there any more") for number in said]


async def _shown_otherwise(view: View) -> list[Fault]:
    """Where what is shown of an occurrence or an alert is not what was written of it last."""
    faults: list[Fault] = []
    for shown, written, key in (
        ("occurrences", "verdicts", "site, occurrence"),
        ("alerts", "alert_changes", "alert"),
    ):
        columns = CHAINED[written]
        last = f"SELECT max(id) FROM {written} GROUP BY {key}"
        said = f"SELECT {columns} FROM {written} WHERE id IN ({last})"
        found = view.pages(
            f"SELECT {key} FROM (SELECT {columns} FROM {shown} EXCEPT {said}) AS more UNION "
            f"SELECT {key} FROM ({said} EXCEPT SELECT {columns} FROM {shown}) AS less"
        )
        different = [row async for page in found for row in page]
        where = " AND ".join(f"{column.strip()} = ?" for column in key.split(","))
        for values in different:
            query = f"SELECT coalesce(max(commit_no), 0) FROM {written} WHERE {where}"
            (number,) = [row[0] async for page in view.pages(query, values) for row in page]
            faults.append(Fault(number, f"{shown}: {values[-1]} is not shown as it was written"))
    return faults
