"""Moving everything from one store to another: all of it, once, with the same hashes, or nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.store.moving import move
from gateway.store.opening import open_store
from gateway.store.port import StoreError
from gateway.store.sql_store import SqlStore
from gateway.store.tables import tables
from tests.cable import Cable
from tests.postgres import PostgresServer
from tests.unit.store.backends import T0, fact, notice, put, refused
from tests.unit.store.test_postgres_store import fill, open_through


@pytest.fixture
def embedded(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'patrol.sqlite'}"


@pytest.fixture
def server_url(postgres: PostgresServer) -> str:
    return postgres.url(postgres.new_database())


async def everything(store: SqlStore) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: await store._query(f"SELECT {table.all_columns} FROM {name} ORDER BY {', '.join(table.key)}")
        for name, table in tables().items()
    }


async def test_everything_moves_there_and_back_with_the_same_hashes(
    embedded: str, server_url: str, tmp_path: Path
) -> None:
    await fill(embedded)
    first = await open_store(embedded)
    await put(first, T0 + 6, facts=[fact(seq, boot="b2\0") for seq in range(1, 2501)])
    second = await open_store(server_url)
    third = await open_store(f"sqlite:///{tmp_path}/back.sqlite")
    moved = await move(first, second)
    assert (moved.rows["facts"], moved.commits, moved.faults) == (2531, 7, [])
    assert sum(moved.rows.values()) == sum(len(rows) for rows in (await everything(first)).values())
    await move(second, third)
    assert await everything(first) == await everything(second) == await everything(third)
    # All go on where the first one was: numbers are not given twice.
    for store in (first, second, third):
        await put(store, T0 + 7, facts=[fact(9, boot="b3")], notices=[notice(2)], refused=[refused(b"new")])
    assert await everything(first) == await everything(second) == await everything(third)
    for store in (first, second, third):
        assert await store.verify() == (8, [])
        await store.close()


async def test_a_target_that_is_not_empty_is_refused_and_left_as_it_is(
    embedded: str, server_url: str
) -> None:
    await fill(embedded)
    source, target = await open_store(embedded), await open_store(server_url)
    await put(target, T0, refused=[refused()])
    before = await everything(target)
    with pytest.raises(StoreError, match="the target is not empty"):
        await move(source, target)
    assert await everything(target) == before
    await source.close()
    await target.close()


@pytest.mark.parametrize("word", [b'COPY "verdicts"', b"COMMIT"])
async def test_a_move_that_was_cut_off_has_left_nothing_and_is_begun_again(
    embedded: str, server_url: str, postgres: PostgresServer, word: bytes
) -> None:
    await fill(embedded)
    source = await open_store(embedded)
    async with Cable(postgres.port) as cable:
        target = await open_through(cable, server_url)
        cable.cut_at(word, arrives=False)
        with pytest.raises(StoreError):
            await move(source, target)
        assert cable.cuts == 1
        assert not any((await everything(target)).values())
        await move(source, target)
        assert await everything(target) == await everything(source)
        await target.close()
    await source.close()


async def test_a_row_that_does_not_arrive_is_missed(
    embedded: str, server_url: str, postgres: PostgresServer
) -> None:
    await fill(embedded)
    source, target = await open_store(embedded), await open_store(server_url)
    name = server_url.rpartition("/")[2]
    postgres.sql(
        "CREATE FUNCTION lose() RETURNS TRIGGER LANGUAGE PLPGSQL AS 'BEGIN IF new.seq = 7 THEN RETURN NULL; END IF; "
        "RETURN new; END'; CREATE TRIGGER lossy BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION lose()",
        name,
    )
    with pytest.raises(StoreError, match="31 rows of facts were sent and 30 arrived: nothing was moved"):
        await move(source, target)
    assert not any((await everything(target)).values())
    await source.close()
    await target.close()


async def test_a_row_that_arrives_otherwise_is_found_by_the_chain(
    embedded: str, server_url: str, postgres: PostgresServer
) -> None:
    await fill(embedded)
    source, target = await open_store(embedded), await open_store(server_url)
    postgres.sql(
        "CREATE FUNCTION bend() RETURNS TRIGGER LANGUAGE PLPGSQL AS 'BEGIN new.occurred_at := 0; RETURN new; END'; "
        "CREATE TRIGGER bent BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION bend()",
        server_url.rpartition("/")[2],
    )
    with pytest.raises(StoreError, match=r"does not fit the chain .*: nothing was moved"):
        await move(source, target)
    assert not any((await everything(target)).values())
    await source.close()
    await target.close()


async def test_a_chain_that_is_broken_in_the_source_is_moved_as_it_is_and_told(
    embedded: str, server_url: str
) -> None:
    await fill(embedded)
    connection = sqlite3.connect(embedded.removeprefix("sqlite:///"))
    connection.executescript(
        "DROP TRIGGER facts_never_update; UPDATE facts SET occurred_at = 0 WHERE seq = 3"
    )
    connection.close()
    source, target = await open_store(embedded), await open_store(server_url)
    moved = await move(source, target)
    assert [fault.commit for fault in moved.faults] == [2]
    assert await target.verify() == await source.verify()
    await source.close()
    await target.close()
