"""Whether a store could be opened and written to, without making or changing anything."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.store.opening import is_postgres, sqlite_path, without_password
from gateway.store.port import StoreError


async def probe(url: str) -> Path | None:
    """Try a store out; also one that a gateway holds. The folder of an embedded one.

    Raises `StoreError` with what is wrong.
    """
    if is_postgres(url):
        await _probe_server(url)
        return None
    path = sqlite_path(url)
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"the folder {folder} cannot be written to by this user: give it to the user of the service"
        )
    if path.exists():
        _probe_file(path)
    return folder


def _probe_file(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise StoreError(f"{file} belongs to another user: give it to the user of the service (chown)")
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
        ) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreError(f"the database {path} cannot be written to: {error}") from None


async def _probe_server(url: str) -> None:
    from gateway.store.postgres_session import connect, end, in_words

    shown = without_password(url)
    with in_words(shown):
        connection = await connect(url)
        try:
            if await connection.fetchval("SHOW transaction_read_only") == "on":
                raise StoreError(f"the database {shown} is read-only: is it a replica? Name the primary")
            if await connection.fetchval("SHOW server_encoding") != "UTF8":
                raise StoreError(
                    f"the database {shown} cannot hold Chinese names: make it with ENCODING 'UTF8'"
                )
            if not await connection.fetchval("SELECT has_schema_privilege(current_schema(), 'CREATE')"):
                raise StoreError(
                    f"the user may not make tables in {shown}: make it the owner of the database"
                )
        finally:
            await end(connection)
