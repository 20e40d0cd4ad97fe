"""Backup and restore: one file that holds everything, from a store in use to a store of any kind elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from gateway.store.backup import back_up, restore
from gateway.store.opening import open_store
from gateway.store.port import StoreError
from tests.postgres import PostgresServer
from tests.unit.store.backends import HOUR, T0, fact, put, refused
from tests.unit.store.test_moving import everything
from tests.unit.store.test_postgres_store import fill


@pytest.fixture(params=["sqlite", "postgres"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, as on a second machine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/second-machine/patrol.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.new_database(empty=True))


def break_the_chain(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TRIGGER facts_never_update; UPDATE facts SET occurred_at = 0 WHERE seq = 3"
    )
    connection.close()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_backup_is_restored_elsewhere_and_goes_on_where_it_was(
    url: str, elsewhere: str, tmp_path: Path
) -> None:
    await fill(url)
    first = await open_store(url, alone=True)
    file = tmp_path / "backup.sqlite"
    done = await back_up(first, file)
    assert [name for name in names(tmp_path) if name.startswith("backup")] == ["backup.sqlite"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head = await first.head()
    assert done.last == (6, head.hash.hex())
    second = await open_store(elsewhere, alone=True)
    assert await restore(file, second) == done
    assert await everything(second) == await everything(first)
    for store in (first, second):
        await put(store, T0 + 9, facts=[fact(40)])
        assert await store.verify() == (7, [])
    assert await second.head() == await first.head()
    await first.close()
    await second.close()


async def test_a_backup_of_a_store_that_is_written_to_is_the_store_at_one_instant(
    url: str, tmp_path: Path
) -> None:
    store = await open_store(url, alone=True)
    await put(store, facts=[fact(seq) for seq in range(1, 1501)])
    began = asyncio.Event()

    async def write_on() -> None:
        await began.wait()
        for seq in range(1501, 1521):
            await put(store, facts=[fact(seq)])

    writing = asyncio.create_task(write_on())
    done = await back_up(store, tmp_path / "backup.sqlite", lambda table, rows: began.set())
    await writing
    assert await store.verify() == (21, [])
    await store.close()
    backup = await open_store(f"sqlite:///{tmp_path / 'backup.sqlite'}")
    commits, faults = await backup.verify()
    assert (commits, faults) == (done.moved.commits, [])
    assert len(await backup.facts("court", T0, T0 + HOUR)) == 1499 + commits
    assert commits < 21
    await backup.close()


async def test_a_backup_never_takes_the_place_of_another_file(url: str, tmp_path: Path) -> None:
    await fill(url)
    store = await open_store(url)
    (tmp_path / "monday.sqlite").write_text("the backup of Monday")
    with pytest.raises(StoreError, match="is there already"):
        await back_up(store, tmp_path / "monday.sqlite")
    assert (tmp_path / "monday.sqlite").read_text() == "the backup of Monday"
    await store.close()


async def test_a_backup_that_fails_leaves_no_file(url: str, tmp_path: Path) -> None:
    await fill(url)
    store = await open_store(url)

    def fails(table: str, rows: int) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        await back_up(store, tmp_path / "to" / "backup.sqlite", fails)
    assert names(tmp_path / "to") == []
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"backup.sqlite cannot be written"):
        await back_up(store, tmp_path / "file" / "backup.sqlite")
    await store.close()


async def test_a_backup_that_was_changed_is_not_restored(elsewhere: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    await fill(f"sqlite:///{file}")
    break_the_chain(file)
    target = await open_store(elsewhere)
    with pytest.raises(StoreError, match=r"does not fit its hash chain .*store move --from"):
        await restore(file, target)
    assert not any((await everything(target)).values())
    with pytest.raises(StoreError, match="there is no backup"):
        await restore(tmp_path / "other.sqlite", target)
    await target.close()


async def test_nothing_is_restored_over_what_is_there(elsewhere: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    await fill(f"sqlite:///{file}")
    target = await open_store(elsewhere)
    await put(target, refused=[refused()])
    before = await everything(target)
    with pytest.raises(StoreError, match="the target is not empty"):
        await restore(file, target)
    assert await everything(target) == before
    await target.close()


async def test_a_broken_chain_is_backed_up_as_it_is_and_told(tmp_path: Path) -> None:
    await fill(f"sqlite:///{tmp_path}/patrol.sqlite")
    break_the_chain(tmp_path / "patrol.sqlite")
    store = await open_store(f"sqlite:///{tmp_path}/patrol.sqlite")
    done = await back_up(store, tmp_path / "backup.sqlite")
    assert [fault.commit for fault in done.moved.faults] == [2]
    await store.close()
