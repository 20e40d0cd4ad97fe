"""What all stores that speak SQL have in common: commits one after the other, and records that are there already."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.store.checking import View, check
from gateway.store.port import Commit, DeliveryRow, FactRow, Fault, Kind, StoreError
from gateway.store.purging import purged_before, purges
from gateway.store.reading import Reading
from gateway.store.tables import Table
from gateway.store.writing import Head, Rows, replacing


class AlreadyThereError(StoreError):
    """A row with this key is there already; nothing was written."""


class Filling(View, Protocol):
    """One transaction that fills an empty database: nobody sees any of it before the end, or after a failure."""

    async def put(self, table: Table, rows: list[tuple[object, ...]]) -> None:
        """Write whole rows as they are, their numbers included."""


class SqlStore(Reading):
    """A `Store` over SQL. A kind of store adds how it is opened, and how one transaction is written."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    @abstractmethod
    async def _write(self, commit: Commit) -> None:
        """Write a commit in one transaction. Raises `AlreadyThereError` for a key that is there already."""

    @abstractmethod
    async def _replace(self, rows: Rows) -> None:
        """Write rows that are not of the record in one transaction."""

    @abstractmethod
    def view(self) -> AbstractAsyncContextManager[View]:
        """The database as it is now."""

    @abstractmethod
    def fill(self) -> AbstractAsyncContextManager[Filling]:
        """Fill the empty database: what is put into it counts when the block ends without an error."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is being written, and let go of everything."""

    async def commit(self, commit: Commit) -> None:
        async with self._turn:
            try:
                await self._write(commit)
            except AlreadyThereError:
                # A fact or a notice: another process wrote it, or a caller sent it twice. Keep the first.
                await self._drop_known_facts(commit)
                await self._drop_known_notices(commit)
                await self._write(commit)

    async def write_deliveries(self, rows: Sequence[DeliveryRow]) -> None:
        async with self._turn:
            await self._replace(
                replacing("deliveries", list({(row.notice, row.channel): row for row in rows}.values()))
            )

    async def purge(
        self, before: Mapping[Kind, int], now: Callable[[], int], by: str, origin: str = ""
    ) -> dict[str, int]:
        removed: Counter[str] = Counter()
        async for commit in purges(self, before, now, by, origin):
            await self.commit(commit)
            removed.update(row.table for row in commit.purged)
        return dict(removed)

    async def purged_before(self) -> dict[Kind, int]:
        return await purged_before(self)

    async def head(self) -> Head:
        """The last link of the chain."""
        rows = await self._query("SELECT number, hash FROM commits ORDER BY number DESC LIMIT 1")
        return Head(*rows[0]) if rows else Head()

    async def verify(self) -> tuple[int, list[Fault]]:
        async with self.view() as view:
            return await check(view)

    async def _drop_known_facts(self, commit: Commit) -> None:
        fresh: dict[tuple[str, str, str, int], FactRow] = {}
        for row in commit.facts:
            fresh.setdefault((row.site, row.device, row.boot, row.seq), row)
        for site, device, boot in {key[:3] for key in fresh}:
            for seq in await self.received(site, device, boot):
                fresh.pop((site, device, boot, seq), None)
        commit.facts[:] = fresh.values()

    async def _drop_known_notices(self, commit: Commit) -> None:
        fresh = {row.key: row for row in reversed(commit.notices)}
        commit.notices[:] = [
            row for row in commit.notices if fresh[row.key] is row and await self.notice(row.key) is None
        ]
