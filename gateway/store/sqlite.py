"""The embedded store: SQLite in WAL mode, one writer thread, every commit flushed to the disk.

Measured (docs/decisions/0002-store.md): one thread with the plain driver and group commit writes several times what
an ORM does; checkpoints run beside it on a connection of their own, because inside a commit they cost its p99.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

from gateway.store.port import Commit, StoreError
from gateway.store.schema import STEPS
from gateway.store.sql_store import AlreadyThereError, SqlStore
from gateway.store.tables import Table
from gateway.store.writing import CLEAR, Head, Rows, written

T = TypeVar("T")

_CHECKPOINT_EVERY: Final = 4000
"""Rows written between two checkpoints of the write-ahead log; 4,000 rows are about 4 MB of it."""

_CHUNKS: Final = (256, 32, 4, 1)
"""How many rows one statement inserts: few sizes, so that the driver keeps each prepared."""

_PAGE: Final = 1000
"""How many rows of a view are read at once."""


class SqliteStore(SqlStore):
    """A `Store` in one file. Open it with `SqliteStore.open`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._writing = ThreadPoolExecutor(1, "store-writer")
        self._reading = ThreadPoolExecutor(2, "store-reader")
        self._checkpointing = ThreadPoolExecutor(1, "store-checkpoint")
        self._readers = threading.local()
        self._open_connections: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection
        self._lock: IO[str] | None = None
        self._head = Head()
        self._unchecked = 0

    @classmethod
    async def open(cls, path: Path, *, alone: bool = False) -> Self:
        """Open the file, making and upgrading it as needed.

        `alone`: no other process may open it so until it is closed; two writers would break the hash chain. Raises
        `StoreError` when it cannot be opened.
        """
        store = cls(path)
        try:
            if alone:
                store._lock = _lock(path)
            await store._in(store._writing, store._prepare)
        except BaseException:
            await store.close()
            raise
        return store

    def _prepare(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._writer.execute("PRAGMA wal_autocheckpoint=0")
            self._upgrade()
            self._head = self._last()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the database {self._path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._open_connections.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=10000")
        return connection

    def _upgrade(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(STEPS):
            raise StoreError(
                f"the database {self._path} has schema version {version}, newer than this program's {len(STEPS)}: "
                "run the version of patrol-gateway that wrote it, or a later one"
            )
        for number in range(version, len(STEPS)):
            self._writer.executescript(f"BEGIN; {STEPS[number]}; PRAGMA user_version={number + 1}; COMMIT;")

    def _last(self) -> Head:
        found = self._writer.execute(
            "SELECT number, hash FROM commits ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return Head(*found) if found else Head()

    # -- writing --------------------------------------------------------------------------------------------

    async def _write(self, commit: Commit) -> None:
        await self._in(self._writing, lambda: self._write_now(commit))

    def _write_now(self, commit: Commit) -> None:
        found = written(commit, self._head)

        def work() -> None:
            for rows in found.rows:
                self._insert(rows)
            self._writer.executemany(CLEAR, found.cleared)
            for removal, values in found.removals:
                self._writer.execute(removal, values)

        self._transaction(work)
        self._head = found.head
        self._unchecked += sum(len(rows.rows) for rows in found.rows)
        if self._unchecked >= _CHECKPOINT_EVERY:
            self._unchecked = 0
            self._checkpointing.submit(self._checkpoint)

    async def _replace(self, rows: Rows) -> None:
        await self._in(self._writing, lambda: self._transaction(lambda: self._insert(rows)))

    def _transaction(self, work: Callable[[], None]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            work()
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _insert(self, rows: Rows) -> None:
        """Insert many rows with few statements.

        The driver lets go of the interpreter's lock for each step of a statement. With a step for each row the
        writer would wait for the engine a thousand times in a commit, up to 5 ms each.
        """
        start = 0
        places = f"({', '.join('?' * (rows.columns.count(',') + 1))})"
        for size in _CHUNKS:
            while len(rows.rows) - start >= size:
                sql = f"INSERT INTO {rows.table} ({rows.columns}) VALUES {', '.join([places] * size)} {rows.conflict}"
                self._writer.execute(sql, [value for row in rows.rows[start : start + size] for value in row])
                start += size

    def _checkpoint(self) -> None:
        connection = self._reader()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @asynccontextmanager
    async def fill(self) -> AsyncIterator[_Filling]:
        async with self._turn:
            await self._in(self._writing, lambda: self._writer.execute("BEGIN IMMEDIATE"))
            try:
                yield _Filling(self, self._writing, self._writer)
                await self._in(self._writing, lambda: self._writer.execute("COMMIT"))
                self._head = await self._in(self._writing, self._last)
            finally:
                if self._writer.in_transaction:
                    await self._in(self._writing, lambda: self._writer.execute("ROLLBACK"))

    # -- reading --------------------------------------------------------------------------------------------

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = self._connect()
        return connection

    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await self._in(self._reading, lambda: self._reader().execute(sql, values).fetchall())

    @asynccontextmanager
    async def view(self) -> AsyncIterator[_View]:
        connection = await self._in(self._reading, self._connect)
        try:
            await self._in(self._reading, lambda: connection.execute("BEGIN"))
            yield _View(self, self._reading, connection)
        finally:
            await self._in(self._reading, connection.close)

    # -- threads --------------------------------------------------------------------------------------------

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except sqlite3.IntegrityError as error:
            raise AlreadyThereError(f"the database {self._path}: {error}") from error
        except sqlite3.Error as error:
            raise StoreError(f"the database {self._path}: {error}") from error

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._turn:
            for pool in (self._writing, self._checkpointing, self._reading):
                await loop.run_in_executor(None, pool.shutdown)
            for connection in self._open_connections:
                connection.close()
            if self._lock is not None:
                self._lock.close()


class _View:
    """A connection in a transaction, read in one of the store's threads."""

    def __init__(self, store: SqliteStore, pool: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self._store = store
        self._pool = pool
        self._connection = connection

    async def pages(self, sql: str, values: Sequence[Any] = ()) -> AsyncIterator[list[tuple[Any, ...]]]:
        cursor = await self._store._in(self._pool, lambda: self._connection.execute(sql, values))
        while rows := await self._store._in(self._pool, lambda: cursor.fetchmany(_PAGE)):
            yield rows


class _Filling(_View):
    """The writing connection in a transaction."""

    async def put(self, table: Table, rows: list[tuple[object, ...]]) -> None:
        await self._store._in(
            self._pool, lambda: self._store._insert(Rows(table.name, table.all_columns, rows))
        )


def _lock(path: Path) -> IO[str]:
    """Hold the file of a database for this process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("a")
    except OSError as error:
        raise StoreError(f"cannot open the database {path}: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            f"another patrol-gateway uses the database {path}: stop it, or give this one its own PATROL_DATABASE"
        ) from None
    return lock
