"""The store for several machines and large sites: PostgreSQL, by asyncpg.

One connection writes, and holds an advisory lock of the database for as long as it lives: whoever lost the
connection has lost the right to write as well. Others read. Nothing is tried again here: whoever commits tries the
same commit again until it works, and one that was written although nobody heard of it is recognised then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Self

import asyncpg

from gateway.store.opening import without_password
from gateway.store.port import Commit, StoreError
from gateway.store.postgres_session import (
    CONNECT_S,
    SETTINGS,
    Connection,
    as_kept,
    connect,
    end,
    hold,
    in_words,
    upgrade,
)
from gateway.store.postgres_words import insert, names, numbered
from gateway.store.sql_store import SqlStore
from gateway.store.tables import Table, tables
from gateway.store.writing import CLEAR, Head, Rows, written

_ANSWER_S: Final = 60.0
"""A statement that takes longer has lost its server: nothing else tells when a machine or a cable dies (s)."""

_READERS: Final = 4
_PAGE: Final = 1000

_COPY_FROM: Final = 16
"""From so many rows on, COPY's one round trip more is worth it: a third of the processor time for each row."""


class _State(NamedTuple):
    """Where the database is: each commit leads to another one, a commit of refusals alone too."""

    head: Head
    sign: int


class _Doubt(NamedTuple):
    """A COMMIT whose outcome is not known: where it leads from and to."""

    before: _State
    after: _State


class PostgresStore(SqlStore):
    """A `Store` in a PostgreSQL database. Open it with `PostgresStore.open`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._shown = without_password(url)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._writer: Connection | None = None
        self._state: _State | None = None  # None until this process first wrote or held it
        self._doubt: _Doubt | None = None

    @classmethod
    async def open(cls, url: str, *, alone: bool = False, existing: bool = False) -> Self:
        """Connect, making and upgrading the tables as needed (`existing`: only upgrading).

        `alone`: as the one process that writes, until it is closed. Others become it with their first commit. Raises
        `StoreError` when it cannot be opened.
        """
        store = cls(url)
        try:
            with in_words(store._shown):
                connection = await connect(url)
                try:
                    await upgrade(connection, store._shown, existing=existing)
                finally:
                    await end(connection)
                store._pool = await asyncpg.create_pool(
                    url, min_size=0, max_size=_READERS, timeout=CONNECT_S, command_timeout=_ANSWER_S,
                    server_settings=SETTINGS, init=as_kept,
                )  # fmt: skip
                if alone:
                    await store._own()
        except BaseException:
            await store.close()
            raise
        return store

    # -- writing --------------------------------------------------------------------------------------------

    async def _own(self) -> Connection:
        """The connection that may write: it holds the lock, and the database is where this process left it."""
        if self._writer is not None and not self._writer.is_closed():
            return self._writer
        async with asyncio.timeout(_ANSWER_S):
            connection = await connect(self._url)
            try:
                await hold(connection, self._shown)
                found = await _state(connection)
                self._check_is_ours(found)
            except BaseException:
                connection.terminate()
                raise
        self._writer, self._state = connection, found
        return connection

    def _check_is_ours(self, found: _State) -> None:
        """Raises `StoreError` when the database has moved on by no commit of this process."""
        landed = self._doubt is not None and found == self._doubt.after
        if self._state is not None and found != self._state and not landed:
            raise StoreError(
                f"the database {self._shown} is not as this gateway left it (its last commit is {found.head.number}, "
                f"not {self._state.head.number}): another gateway wrote to it, or it was restored. Start this one again"
            )

    async def _write(self, commit: Commit) -> None:
        with in_words(self._shown):
            await self._own()
            assert self._state is not None
            before, doubt, self._doubt = self._state, self._doubt, None
            if doubt is not None and before == doubt.after == _after(commit, doubt.before) != doubt.before:
                return  # it was written, though nobody heard of it
            async with self._transaction(_ANSWER_S) as connection:
                found = written(commit, before.head)
                for rows in found.rows:
                    await _put(connection, rows)
                if found.cleared:
                    await connection.executemany(numbered(CLEAR), found.cleared)
                for removal, values in found.removals:
                    await connection.execute(numbered(removal), *values)
                self._doubt = _Doubt(before, _State(found.head, commit.at))
            self._state, self._doubt = self._doubt.after, None

    async def _replace(self, rows: Rows) -> None:
        with in_words(self._shown):
            async with self._transaction(_ANSWER_S) as connection:
                await _put(connection, rows)

    @asynccontextmanager
    async def _transaction(self, within_s: float | None) -> AsyncIterator[Connection]:
        """A transaction of the writer. An error but for a key that is there already gives the connection up."""
        connection = await self._own()
        try:
            async with asyncio.timeout(within_s):
                await connection.execute("BEGIN")
                try:
                    yield connection
                except asyncpg.IntegrityConstraintViolationError:
                    await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
        except asyncpg.IntegrityConstraintViolationError:
            raise
        except BaseException:
            connection.terminate()
            self._writer = None
            raise

    @asynccontextmanager
    async def fill(self) -> AsyncIterator[_Filling]:
        async with self._turn:
            with in_words(self._shown):
                async with self._transaction(None) as connection:
                    yield _Filling(self._shown, connection)
                    for name, table in tables().items():
                        if "id" in table.columns:
                            number = f"pg_get_serial_sequence('{name}', 'id')"
                            await connection.execute(f"SELECT setval({number}, max(id)) FROM {name}")
                self._state = await _state(await self._own())

    # -- reading --------------------------------------------------------------------------------------------

    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        assert self._pool is not None
        with in_words(self._shown):
            async with self._pool.acquire(timeout=_ANSWER_S) as connection:
                return [tuple(row) for row in await connection.fetch(numbered(sql), *values)]

    @asynccontextmanager
    async def view(self) -> AsyncIterator[_View]:
        with in_words(self._shown):
            connection = await connect(self._url)
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield _View(self._shown, connection)
            finally:
                await end(connection)

    async def close(self) -> None:
        async with self._turn:
            if self._writer is not None:
                await end(self._writer)
                self._writer = None
            if self._pool is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CONNECT_S):
                        await self._pool.close()


class _View:
    """A connection in a transaction."""

    def __init__(self, shown: str, connection: Connection) -> None:
        self._shown = shown
        self._connection = connection

    async def pages(self, sql: str, values: Sequence[Any] = ()) -> AsyncIterator[list[tuple[Any, ...]]]:
        with in_words(self._shown):
            cursor = await self._connection.cursor(numbered(sql), *values)
            while rows := await cursor.fetch(_PAGE):
                yield [tuple(row) for row in rows]


class _Filling(_View):
    async def put(self, table: Table, rows: list[tuple[object, ...]]) -> None:
        await self._connection.copy_records_to_table(table.name, records=rows, columns=list(table.columns))


async def _put(connection: Connection, rows: Rows) -> None:
    if len(rows.rows) >= _COPY_FROM and not rows.conflict:
        await connection.copy_records_to_table(rows.table, records=rows.rows, columns=names(rows.columns))
    else:
        statement, arrays = insert(rows)
        await connection.execute(statement, *arrays)


async def _state(connection: Connection) -> _State:
    row = await connection.fetchrow("SELECT number, hash FROM commits ORDER BY number DESC LIMIT 1")
    sign = await connection.fetchval("SELECT at FROM signs WHERE name = 'alive'")
    return _State(Head(*row) if row else Head(), sign or 0)


def _after(commit: Commit, before: _State) -> _State:
    return _State(written(commit, before.head).head, commit.at)
