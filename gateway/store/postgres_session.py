"""A connection to PostgreSQL as the store needs it: its settings, the tables, the lock, and errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg

from gateway.store.opening import without_password
from gateway.store.port import InUseError, StoreError
from gateway.store.postgres_words import from_text, steps, to_text
from gateway.store.schema import STEPS
from gateway.store.sql_store import AlreadyThereError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_S: Final = 10.0

_LEAVE_S: Final = 2.0

_LOCK_CLASS: Final = 0x7061_7472
"""Our advisory locks: "patr" in ASCII."""
_WRITER, _UPGRADE = 0, 1

_LOCK_WAIT_MS: Final = 3_000
"""How long to wait for the lock: the server takes a moment to see that its last holder is gone."""

SETTINGS: Final = {
    "application_name": "patrol-gateway",
    # Half a minute after a gateway's machine has died, another one may write.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "jit": "off",  # these queries are short
}


async def connect(url: str) -> Connection:
    """Connect. Raises `StoreError` for a URL that is not understood, else what the driver raises."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S, server_settings=SETTINGS)
    except ValueError:
        # The driver's words may hold a part of the password.
        raise StoreError(
            f"PATROL_DATABASE: {without_password(url)!r} is not understood; write "
            "postgresql://user:password@host:5432/database, with %40 for @ and %2F for / in a password"
        ) from None
    await as_kept(connection)
    return connection


async def as_kept(connection: Connection) -> None:
    """Let texts be any texts."""
    await connection.set_type_codec(
        "text", schema="pg_catalog", encoder=to_text, decoder=from_text, format="binary"
    )


async def end(connection: Connection) -> None:
    """Take leave, if the server is still there to hear it."""
    try:
        await connection.close(timeout=_LEAVE_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def upgrade(connection: Connection, shown: str, *, existing: bool) -> None:
    """Make the tables, or bring them up to this program's version. `existing`: they must be there."""
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database {shown} keeps texts as {encoding}, and cannot hold Chinese names: make it with "
            "ENCODING 'UTF8' TEMPLATE template0"
        )
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK_CLASS, _UPGRADE)
        version: int | None = None
        if await connection.fetchval("SELECT to_regclass('schema_version')::text") is not None:
            version = await connection.fetchval("SELECT max(version) FROM schema_version")
        elif existing:
            raise StoreError(
                f"there is no database of patrol-gateway in {shown}; name one with --database or PATROL_DATABASE"
            )
        if version is not None and version > len(STEPS):
            raise StoreError(
                f"the database {shown} has schema version {version}, newer than this program's {len(STEPS)}: "
                "run the version of patrol-gateway that wrote it, or a later one"
            )
        if version != len(STEPS):
            await connection.execute(steps(version))


async def hold(connection: Connection, shown: str) -> None:
    """Take the lock of the one who writes: it is held for as long as the connection lives."""
    await connection.execute(f"SET lock_timeout = {_LOCK_WAIT_MS}")
    try:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_CLASS, _WRITER)
    except asyncpg.LockNotAvailableError:
        raise InUseError(
            f"another patrol-gateway uses the database {shown}: stop it, or give this one its own PATROL_DATABASE"
        ) from None
    await connection.execute("RESET lock_timeout")
    # What was acknowledged must survive a power cut, whatever the server's own setting says.
    await connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )


@contextmanager
def in_words(shown: str) -> Iterator[None]:
    """Make `StoreError`s of the driver's errors, for people."""
    where = f"the database {shown}"
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise AlreadyThereError(f"{where}: {error}") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise StoreError(
            f"{where} lets nobody in with this name and password: put them right in PATROL_DATABASE ({error})"
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StoreError(
            f"{where} is not there: make it (createdb), or name another one in PATROL_DATABASE ({error})"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreError(
            f"{where}: {error}. Make the user of PATROL_DATABASE its owner (ALTER DATABASE … OWNER TO …)"
        ) from error
    except OSError as error:  # TimeoutError is one
        raise StoreError(f"{where} does not answer: {error or 'no answer in time'}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreError(f"{where}: {error}") from error
