"""Which store a URL means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.store.port import StoreError
from gateway.store.sql_store import SqlStore
from gateway.store.sqlite import SqliteStore

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


async def open_store(url: str, *, alone: bool = False, existing: bool = False) -> SqlStore:
    """Open the store that a URL (PATROL_DATABASE) means, making and upgrading it as needed.

    `alone`: for a process that is the only one to write, until the store is closed. `existing`: what is not there
    is not made. Raises `StoreError` in words for whoever wrote the URL, without the password in it.
    """
    if is_postgres(url):
        # Not above: an estate's small computer never needs it, and it takes a tenth of a second to load.
        from gateway.store.postgres import PostgresStore

        return await PostgresStore.open(url, alone=alone, existing=existing)
    path = sqlite_path(url)
    if existing and not path.is_file():
        raise StoreError(f"there is no database {path}; name one with --database or PATROL_DATABASE")
    return await SqliteStore.open(path, alone=alone)


def is_postgres(url: str) -> bool:
    return url.startswith(_POSTGRES)


def sqlite_path(url: str) -> Path:
    """The file that a URL of an embedded store means. Raises `StoreError` for one that means no store."""
    if not url.startswith(_SQLITE) or len(url) == len(_SQLITE):
        raise StoreError(
            f"PATROL_DATABASE: {without_password(url)!r} is not understood; write sqlite:///path/to/file.sqlite "
            "(sqlite:////absolute/path for an absolute one) or postgresql://user:password@host:5432/database"
        )
    return Path(url[len(_SQLITE) :])


def without_password(url: str) -> str:
    """A URL that may be shown. What is not understood of it is left out rather than shown."""
    shown = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", shown)
