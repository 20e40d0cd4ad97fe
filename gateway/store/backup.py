"""Backups: the whole store as one SQLite file that was checked, whatever kind of store it comes from.

A backup is a move (moving.py) out of a view of the store, so that the gateway goes on meanwhile. The file has its
name only when all is in it, and the hash chain was worked out again: a file with that name is a whole one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.store.moving import Moved, Told, move
from gateway.store.port import StoreError
from gateway.store.sql_store import SqlStore
from gateway.store.sqlite import SqliteStore


class BackedUp(NamedTuple):
    """What a backup holds."""

    moved: Moved
    last: tuple[int, str]
    """Number and hash (hex) of the last commit. Noted elsewhere, they show later that nothing before was changed."""


def _nothing(table: str, rows: int) -> None:
    """Told of progress, and silent."""


async def back_up(source: SqlStore, file: Path, told: Told = _nothing) -> BackedUp:
    """Write all of a store that is in use into a new file, which only its owner can read.

    Raises `StoreError` when the file is there already, or when not all of it arrived; then there is no file.
    """
    part = file.with_name(f"{file.name}.part-{os.getpid()}")
    try:
        _begin(file, part)
        target = await SqliteStore.open(part)
        try:
            moved = await move(source, target, told)
            head = await target.head()
        finally:
            await target.close()
        _to_disk(part)
        part.rename(file)
        _to_disk(file.parent)
    except OSError as error:
        raise StoreError(f"the backup {file} cannot be written: {error.strerror}") from error
    finally:
        for name in ("", "-wal", "-shm"):
            with suppress(OSError):
                part.with_name(part.name + name).unlink()
    return BackedUp(moved, (head.number, head.hash.hex()))


async def restore(file: Path, target: SqlStore, told: Told = _nothing) -> BackedUp:
    """Fill an empty store from a backup. Raises `StoreError`, with nothing written, when the backup is not as it was
    written, or the target is not empty.
    """
    _find(file)
    source = await SqliteStore.open(file, alone=True)
    try:
        commits, faults = await source.verify()
        if faults:
            raise StoreError(
                f"the backup {file} does not fit its hash chain ({len(faults)} of {commits} commits, the first is "
                f"{faults[0].commit}: {faults[0].what}). Take an earlier one; to take it all the same, with its "
                f"faults, use `store move --from sqlite:///{file}`"
            )
        moved = await move(source, target, told)
        head = await target.head()
    finally:
        await source.close()
    return BackedUp(moved, (head.number, head.hash.hex()))


def _begin(file: Path, part: Path) -> None:
    if file.exists():
        raise StoreError(
            f"{file} is there already: give each backup a name of its own, like one with the date"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _find(file: Path) -> None:
    if not file.is_file():
        raise StoreError(f"there is no backup {file}")


def _to_disk(path: Path) -> None:
    """Flush a file, or the names in a folder: a backup that is told of survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
