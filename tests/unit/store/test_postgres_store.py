"""What is particular to PostgreSQL: who may write, what a lost connection leaves in doubt, and words for people."""

from __future__ import annotations

import asyncio
import re

import asyncpg
import pytest

from gateway.store.opening import open_store, without_password
from gateway.store.port import Commit, StoreError
from gateway.store.postgres import PostgresStore
from gateway.store.schema import CHAINED, STEPS
from gateway.store.tables import tables
from tests.cable import Cable
from tests.integration.service.yard import until
from tests.postgres import PostgresServer, binaries
from tests.unit.store.backends import (
    T0,
    action,
    alert,
    blind,
    delivery,
    fact,
    notice,
    plan,
    put,
    refused,
    state,
    verdict,
)


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The name of a database with all tables."""
    return postgres.new_database()


async def open_through(cable: Cable, url: str) -> PostgresStore:
    """The store at the far end of a cable, to write to it."""
    return await PostgresStore.open(re.sub(r":\d+/", f":{cable.port}/", url), alone=True)


async def fill(url: str) -> None:
    """Six commits that hold something of everything."""
    store = await open_store(url)
    await put(store, T0, plans=[plan(1)], states=[state(True)])
    await put(store, T0 + 1, facts=[fact(seq) for seq in range(1, 31)], refused=[refused()])
    await put(store, T0 + 2, facts=[fact(31)], verdicts=[verdict("d@1"), verdict("d@2")], alerts=[alert(1)])
    await put(
        store,
        T0 + 3,
        verdicts=[verdict("d@1", "late", at=T0 + 3)],
        alerts=[alert(1, "resolved", closed_at=T0)],
    )
    await put(store, T0 + 4, actions=[action("excuse")], blind=[blind(T0)])
    await put(store, T0 + 5, notices=[notice(1)])
    await store.write_deliveries([delivery(notice(1), 1)])
    await store.close()


# -- the tables


async def test_both_kinds_of_store_have_the_same_tables_and_columns(
    postgres: PostgresServer, database: str
) -> None:
    rows = postgres.sql(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND table_name <> 'schema_version' ORDER BY table_name, ordinal_position",
        database,
    )
    assert rows == [[name, column] for name in sorted(tables()) for column in tables()[name].columns]


async def test_an_empty_database_becomes_a_store_also_when_two_open_it_at_once(
    postgres: PostgresServer,
) -> None:
    name = postgres.new_database(empty=True)
    stores = await asyncio.gather(*(PostgresStore.open(postgres.url(name)) for _ in range(3)))
    await put(stores[0], facts=[fact(1)])
    assert await stores[2].verify() == (1, [])
    for store in stores:
        await store.close()
    assert postgres.sql("SELECT version FROM schema_version", name) == [[str(len(STEPS))]]


async def test_hashes_are_those_of_the_embedded_store(
    postgres: PostgresServer, database: str, tmp_path: object
) -> None:
    embedded = f"sqlite:///{tmp_path}/patrol.sqlite"
    await fill(embedded)
    await fill(postgres.url(database))
    hashes = []
    for url in (embedded, postgres.url(database)):
        store = await open_store(url)
        hashes.append(await store._query("SELECT number, at, hash FROM commits ORDER BY number"))
        await store.close()
    assert hashes[0] == hashes[1] and len(hashes[0]) == 6


async def test_texts_that_postgresql_cannot_keep_are_kept(postgres: PostgresServer, database: str) -> None:
    store = await open_store(postgres.url(database))
    boots = ["\0", "\1", "\1\1", "\1\2", "\0\1\2", "泵房\0✓"]
    await put(
        store, facts=[fact(1, boot=boot) for boot in boots]
    )  # few rows and many go in by different ways
    await put(store, facts=[fact(seq, boot=boot) for boot in boots for seq in (2, 3, 4)])
    assert {row.boot for row in await store.boots()} == set(boots)
    assert await store.received("court", "scanner-1", "\0\1\2") == [1, 2, 3, 4]
    assert await store.verify() == (2, [])
    await store.close()


@pytest.mark.parametrize("table", [*CHAINED, "commits"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}", "TRUNCATE {}"])
async def test_the_database_itself_refuses_to_change_records(
    postgres: PostgresServer, database: str, table: str, change: str
) -> None:
    await fill(postgres.url(database))
    column = "at" if table == "commits" else CHAINED[table].partition(",")[0]
    connection = await asyncpg.connect(postgres.url(database))
    with pytest.raises(
        asyncpg.RestrictViolationError, match=f"records of {table} are never changed or deleted"
    ):
        await connection.execute(change.format(table, column, column))
    await connection.close()


TAMPERINGS: dict[str, tuple[int, str]] = {
    "a fact's record is edited": (2, "UPDATE facts SET body = 'x' WHERE seq = 2"),
    "a fact is removed": (2, "DELETE FROM facts WHERE seq = 30"),
    "a fact moves to another commit": (2, "UPDATE facts SET commit_no = 3 WHERE seq = 3"),
    "a verdict is removed": (4, "DELETE FROM verdicts WHERE commit_no = 4"),
    "a commit is removed": (3, "DELETE FROM commits WHERE number = 2"),
    "the last commit is removed": (6, "DELETE FROM commits WHERE number = 6"),
    "what is shown of an occurrence is edited": (
        4,
        "UPDATE occurrences SET verdict = 'x' WHERE occurrence = 'd@1'",
    ),
    "an alert is shown no more": (4, "DELETE FROM alerts"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_verify_finds_the_commit_where(postgres: PostgresServer, database: str, what: str) -> None:
    await fill(postgres.url(database))
    commit, statement = TAMPERINGS[what]
    postgres.sql(f"SET session_replication_role = replica; {statement}", database)  # no trigger runs
    store = await open_store(postgres.url(database))
    _, faults = await store.verify()
    await store.close()
    assert [fault.commit for fault in faults][:1] == [commit]


# -- what cannot be opened


async def test_what_is_wrong_is_said_in_words_and_without_the_password(
    postgres: PostgresServer, database: str
) -> None:
    newer = postgres.new_database()
    postgres.sql(f"UPDATE schema_version SET version = {len(STEPS) + 1}", newer)
    empty = postgres.new_database(empty=True)
    foreign = postgres.new_database(empty=True)
    postgres.sql(f"ALTER DATABASE {foreign} OWNER TO boss", foreign)
    postgres.sql("CREATE DATABASE latin OWNER patrol ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    at = f"127.0.0.1:{postgres.port}"
    wrong = {
        postgres.url(database, "hush"): "lets nobody in with this name and password",
        f"postgresql://nobody:hush@{at}/{database}": "lets nobody in with this name and password",
        postgres.url("nowhere"): r"nowhere is not there: make it \(createdb\)",
        "postgresql://patrol:hush@127.0.0.1:1/db": r"127\.0\.0\.1:1/db does not answer: .*",
        "postgresql://patrol:hush@no-such-host.invalid/db": r"no-such-host\.invalid/db does not answer: .*",
        "postgresql://patrol:hu/sh@127.0.0.1:1/db": r"PATROL_DATABASE: .* is not understood; write postgresql://",
        "postgresql://patrol:hush@127.0.0.1:port/db": r"PATROL_DATABASE: .* is not understood; write postgresql://",
        "postgresql://127.0.0.1:1/db?password=hush": r"db\?password=\*\*\* does not answer",
        "mysql://patrol:hush@h/db": r"PATROL_DATABASE: 'mysql://patrol:\*\*\*@h/db' is not understood",
        postgres.url(newer): rf"version {len(STEPS) + 1}, newer than .*run the version",
        postgres.url(foreign): r"permission denied .* Make the user of PATROL_DATABASE its owner",
        postgres.url("latin"): "keeps texts as LATIN1, and cannot hold Chinese names",
    }
    for url, words in wrong.items():
        with pytest.raises(StoreError, match=words) as refusal:
            await open_store(url)
        assert not re.search(r"hush|hu/sh|secret", str(refusal.value))
        assert "\n" not in str(refusal.value)
    with pytest.raises(StoreError, match=r"there is no database of patrol-gateway in .*PATROL_DATABASE"):
        await open_store(postgres.url(empty), existing=True)
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", empty) == [["0"]]


def test_a_password_is_never_shown_whatever_is_in_it() -> None:
    for url in (
        "postgresql://u:a@b/c@h/db",
        "postgresql://u:a:b@h/db",
        "postgresql://u:ab@h:5432/db?sslpassword=a@b",
    ):
        assert "a" not in without_password(url).replace("password", "")


# -- who may write


async def test_only_one_writes_until_it_is_closed(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.postgres_session._LOCK_WAIT_MS", 50)
    url = postgres.url(database)
    first = await PostgresStore.open(url, alone=True)
    with pytest.raises(StoreError, match=r"another patrol-gateway uses the database .*\*\*\*@"):
        await PostgresStore.open(url, alone=True)
    second = await PostgresStore.open(url)  # `verify` and `replay` may
    assert await second.last_commit_at() == 0
    with pytest.raises(StoreError, match="another patrol-gateway uses the database"):
        await put(second, facts=[fact(1)])
    await put(first, facts=[fact(1)])
    await first.close()
    await put(second, facts=[fact(2)])
    assert await second.verify() == (2, [])
    await second.close()


async def test_who_lost_the_connection_and_then_the_database_to_another_writes_no_more(
    postgres: PostgresServer, database: str
) -> None:
    async with Cable(postgres.port) as cable:
        first = await open_through(cable, postgres.url(database))
        await put(first, T0, facts=[fact(1)])
        cable.unplug()
        other = await PostgresStore.open(postgres.url(database), alone=True)
        await put(other, T0 + 1, facts=[fact(2)])
        await other.close()
        cable.plugged = True
        for _ in range(2):
            with pytest.raises(
                StoreError, match=r"not as this gateway left it \(its last commit is 2, not 1\)"
            ):
                await put(first, T0 + 2, facts=[fact(3)])
        assert await first.received("court", "scanner-1", "b1") == [1, 2]
        await first.close()


# -- connections that break


async def commit_until_it_works(store: PostgresStore, commit: Commit) -> int:
    """As the engine does; how often it failed."""
    failures = 0
    async with asyncio.timeout(30):
        while True:
            try:
                await store.commit(commit)
            except StoreError:
                failures += 1
                await asyncio.sleep(0.01)
            else:
                return failures


COMMITS = {
    "a commit of records": lambda: Commit(
        T0 + 9, facts=[fact(7)], verdicts=[verdict("d@1")], refused=[refused()]
    ),
    "a commit of refusals alone": lambda: Commit(T0 + 9, refused=[refused()]),
}


@pytest.mark.parametrize("arrives", [True, False], ids=["and it was written", "and it was not written"])
@pytest.mark.parametrize("what", COMMITS)
async def test_the_connection_dies_in_commit(
    postgres: PostgresServer, database: str, what: str, arrives: bool
) -> None:
    async with Cable(postgres.port) as cable:
        store = await open_through(cable, postgres.url(database))
        await put(store, T0, facts=[fact(1)])
        cable.cut_at(b"COMMIT", arrives=arrives)
        commit = COMMITS[what]()
        with pytest.raises(StoreError):
            await store.commit(commit)
        await store.write_deliveries([delivery(notice(1), 1)])  # somebody else writes in between
        await store.commit(commit)
        await put(store, T0 + 10, facts=[fact(8)])
        assert cable.cuts == 1
        chained = 3 if commit.facts else 2
        assert await store.verify() == (chained, [])
        assert await store.received("court", "scanner-1", "b1") == ([1, 7, 8] if commit.facts else [1, 8])
        assert (await store.quarantine_counts()) == {"broken_json": 1}
        assert postgres.sql("SELECT count(*) FROM verdicts", database) == [["1" if commit.facts else "0"]]
        await store.close()


@pytest.mark.parametrize(
    "word", [b"BEGIN", b'COPY "facts"', b"INSERT INTO occurrences", b"INSERT INTO signs"]
)
async def test_a_connection_that_dies_anywhere_in_a_transaction_leaves_nothing_and_doubles_nothing(
    postgres: PostgresServer, database: str, word: bytes
) -> None:
    async with Cable(postgres.port) as cable:
        store = await open_through(cable, postgres.url(database))
        cable.cut_at(word, arrives=True)
        commit = Commit(T0, facts=[fact(seq) for seq in range(1, 51)], verdicts=[verdict("d@1")])
        assert await commit_until_it_works(store, commit) == cable.cuts == 1
        assert await store.received("court", "scanner-1", "b1") == list(range(1, 51))
        assert await store.verify() == (1, [])
        await store.close()


async def test_a_server_that_is_killed_among_commits_loses_and_doubles_nothing() -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs)
    try:
        store = await PostgresStore.open(server.url(server.new_database()), alone=True)
        done: list[int] = []

        async def work() -> int:
            failures = 0
            for seq in range(1, 301):
                failures += await commit_until_it_works(store, Commit(T0 + seq, facts=[fact(seq)]))
                done.append(seq)
            return failures

        working = asyncio.create_task(work())
        for wanted in (50, 120, 200):
            await until(lambda wanted=wanted: len(done) >= wanted)  # type: ignore[misc]
            await asyncio.to_thread(server.crash)
            assert not working.done()
            with pytest.raises(StoreError, match=r"does not answer|connection"):
                await store.last_alert("")  # what health asks
            await asyncio.to_thread(server.start)
        assert await working >= 3
        assert await store.received("court", "scanner-1", "b1") == list(range(1, 301))
        assert await store.verify() == (300, [])
        await store.close()
    finally:
        server.remove()


async def test_a_server_that_hangs_is_given_up_and_found_again(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.postgres._ANSWER_S", 0.3)
    async with Cable(postgres.port) as cable:
        store = await open_through(cable, postgres.url(database))
        await put(store, T0, facts=[fact(1)])
        cable.hold()
        with pytest.raises(StoreError, match="does not answer"):
            await put(store, T0 + 1, facts=[fact(2)])
        cable.unplug()
        cable.plugged = True
        assert await commit_until_it_works(store, Commit(T0 + 1, facts=[fact(2)])) == 0
        assert await store.verify() == (2, [])
        await store.close()
