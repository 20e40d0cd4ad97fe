"""What is particular to the embedded store: its file, its schema, and how tampering with it is found."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.store.chain import covered, digest, link
from gateway.store.port import StoreError
from gateway.store.schema import CHAINED, LATER_COLUMNS, STEPS
from gateway.store.sqlite import SqliteStore
from tests.unit.store.backends import (
    T0,
    action,
    alert,
    blind,
    fact,
    key,
    notice,
    plan,
    put,
    refused,
    state,
    verdict,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "patrol.sqlite"


def raw(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Change the file behind the store's back; the rows of the last statement."""
    connection = sqlite3.connect(path)
    try:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


def drop_triggers(path: Path) -> None:
    names = [str(row[0]) for row in raw(path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    raw(path, *(f"DROP TRIGGER {name}" for name in names))


# -- the file

WORDS = b"Dear diary, " * 1000


def fill_with_words(path: Path) -> Callable[[], bytes]:
    path.write_bytes(WORDS)
    return path.read_bytes


def sizes(path: Path) -> tuple[int, int]:
    """Of the file and of its write-ahead log (bytes)."""
    return path.stat().st_size, path.with_name(path.name + "-wal").stat().st_size


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    raw(path)  # SQLite makes an empty file
    assert raw(path, "PRAGMA user_version") == [(0,)]
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(1)])
    assert await store.verify() == (1, [])
    await store.close()
    assert raw(path, "PRAGMA user_version") == [(len(STEPS),)]


async def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a" / "b" / "patrol.sqlite")
    await store.close()
    assert (tmp_path / "a" / "b" / "patrol.sqlite").is_file()


async def test_a_newer_schema_is_refused_in_words_that_say_what_to_do(path: Path) -> None:
    await (await SqliteStore.open(path)).close()
    raw(path, f"PRAGMA user_version={len(STEPS) + 1}")
    with pytest.raises(StoreError, match=rf"version {len(STEPS) + 1}, newer than .*run the version"):
        await SqliteStore.open(path)
    assert raw(path, "PRAGMA user_version") == [(len(STEPS) + 1,)]  # and left as it was


async def test_a_file_that_is_no_database_is_refused_in_one_line(path: Path) -> None:
    diary = fill_with_words(path)
    with pytest.raises(StoreError, match=r"cannot open the database .*patrol\.sqlite") as refusal:
        await SqliteStore.open(path)
    assert "\n" not in str(refusal.value)
    assert diary() == WORDS


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot open the database"):
        await SqliteStore.open(tmp_path / "file" / "patrol.sqlite")


async def test_commits_are_flushed_and_logged_ahead(path: Path) -> None:
    store = await SqliteStore.open(path)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    await store.close()


async def test_a_reader_of_another_process_does_not_wait_for_a_writer(path: Path) -> None:
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(1)])
    store._writer.execute("BEGIN IMMEDIATE")
    try:
        assert raw(path, "SELECT seq FROM facts") == [(1,)]
        assert [row.seq for _, row in await store.facts("court", T0, T0 + 1)] == [1]
    finally:
        store._writer.execute("ROLLBACK")
        await store.close()


async def test_the_write_ahead_log_does_not_grow_for_ever(path: Path) -> None:
    store = await SqliteStore.open(path)
    largest = 0
    for round_ in range(12):
        await put(store, facts=[fact(round_ * 2000 + seq, body=b"x" * 200) for seq in range(1, 2001)])
        store._checkpointing.submit(lambda: None).result()  # the checkpoint that was asked for is over
        largest = max(largest, sizes(path)[1])
    written = sum(sizes(path))
    await store.close()
    assert largest < written / 2


async def test_a_store_that_cannot_be_written_for_a_while_goes_on_where_it_was(path: Path) -> None:
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(1)])
    store._writer.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await put(store, facts=[fact(2)])
    other.rollback()
    other.close()
    await put(store, facts=[fact(2)])
    assert await store.verify() == (2, [])
    await store.close()


async def test_closing_waits_for_what_is_being_written(path: Path) -> None:
    store = await SqliteStore.open(path)
    writing = [asyncio.create_task(put(store, facts=[fact(seq)])) for seq in range(1, 21)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writing)
    assert raw(path, "SELECT count(*) FROM facts") == [(20,)]


# -- records are never changed (law 12)


async def fill(path: Path) -> None:
    """Five commits that hold something of everything."""
    store = await SqliteStore.open(path)
    await put(store, T0, plans=[plan(1)], states=[state(True)])
    await put(store, T0 + 1, facts=[fact(1), fact(2), fact(3)], refused=[refused()])
    await put(store, T0 + 2, facts=[fact(4)], verdicts=[verdict("d@1"), verdict("d@2")], alerts=[alert(1)])
    await put(
        store,
        T0 + 3,
        verdicts=[verdict("d@1", "late", at=T0 + 3)],
        alerts=[alert(1, "resolved", closed_at=T0 + 3)],
    )
    await put(store, T0 + 4, actions=[action("excuse")], blind=[blind(T0)])
    await store.close()


async def faults(path: Path) -> list[tuple[int, str]]:
    store = await SqliteStore.open(path)
    try:
        _, found = await store.verify()
        return [(fault.commit, fault.what) for fault in found]
    finally:
        await store.close()


@pytest.mark.parametrize("table", [*CHAINED, "commits"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
async def test_the_database_itself_refuses_to_change_records(path: Path, table: str, change: str) -> None:
    await fill(path)
    store = await SqliteStore.open(path)
    await put(store, notices=[notice(1)], keys=[key("make")])
    await store.close()
    column = "at" if table == "commits" else CHAINED[table].partition(",")[0]
    with pytest.raises(sqlite3.IntegrityError, match=f"records of {table} are never changed or deleted"):
        raw(path, change.format(table, column, column))
    assert await faults(path) == []


TAMPERINGS: dict[str, tuple[int, str]] = {
    "a fact's record is edited": (2, "UPDATE facts SET body = '{\"seq\":9}' WHERE seq = 2"),
    "a fact is given another time": (2, "UPDATE facts SET occurred_at = occurred_at - 60000 WHERE seq = 2"),
    "a fact is said to be another guard's device's": (
        2,
        "UPDATE facts SET device = 'scanner-2' WHERE seq = 1",
    ),
    "a fact's number becomes text": (2, "UPDATE facts SET body = CAST(body AS TEXT) WHERE seq = 1"),
    "a scan is made a tap": (2, "UPDATE facts SET tap = '04DE5F1EACC040:00000001:ab' WHERE seq = 1"),
    "a fact is removed": (2, "DELETE FROM facts WHERE seq = 3"),
    "the last fact is removed": (3, "DELETE FROM facts WHERE seq = 4"),
    "a fact is put in": (
        2,
        "INSERT INTO facts SELECT 99, 2, site, device, boot, 99, type, occurred_at, received_at, uncertainty, "
        "clock_error, body, tap FROM facts WHERE seq = 1",
    ),
    "a fact is put into a commit that is not there": (
        9,
        "INSERT INTO facts SELECT 99, 9, site, device, boot, 99, type, occurred_at, received_at, uncertainty, "
        "clock_error, body, tap FROM facts WHERE seq = 1",
    ),
    "a fact moves to another commit": (2, "UPDATE facts SET commit_no = 3 WHERE seq = 3"),
    "a verdict is edited": (3, "UPDATE verdicts SET verdict = 'on_time' WHERE occurrence = 'd@2'"),
    "a verdict is removed": (4, "DELETE FROM verdicts WHERE commit_no = 4"),
    "an alert is edited": (3, "UPDATE alert_changes SET body = '{}' WHERE commit_no = 3"),
    "an alert's time is edited": (4, "UPDATE alert_changes SET closed_at = 1 WHERE commit_no = 4"),
    "a plan is edited": (1, "UPDATE plans SET body = 'site: other'"),
    "a plan holds from another moment": (1, "UPDATE plans SET holds_from = 0"),
    "a device's state is edited": (1, "UPDATE device_states SET online = 0"),
    "a commit's time is edited": (2, "UPDATE commits SET at = 0 WHERE number = 2"),
    "a commit's hash is edited": (3, "UPDATE commits SET hash = zeroblob(32) WHERE number = 3"),
    "a commit is removed": (3, "DELETE FROM commits WHERE number = 2"),
    "what is shown of an occurrence is edited": (
        4,
        "UPDATE occurrences SET verdict = 'on_time', body = '{\"verdict\":\"on_time\"}' WHERE occurrence = 'd@1'",
    ),
    "an occurrence is shown no more": (3, "DELETE FROM occurrences WHERE occurrence = 'd@2'"),
    "an occurrence is shown that was never judged": (
        0,
        "INSERT INTO occurrences SELECT site, 'd@3', track, kind, opens_at, due_at, ordinal, at, verdict, code, body "
        "FROM occurrences WHERE occurrence = 'd@1'",
    ),
    "an alert is shown as another": (4, "UPDATE alerts SET state = 'withdrawn'"),
    "an alert is shown no more": (4, "DELETE FROM alerts"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_verify_finds_the_commit_where(path: Path, what: str) -> None:
    await fill(path)
    assert await faults(path) == []
    drop_triggers(path)
    commit, statement = TAMPERINGS[what]
    raw(path, statement)
    assert [number for number, _ in await faults(path)][:1] == [commit]


def _swap_ids(path: Path) -> None:
    raw(path, "UPDATE facts SET id = -1 WHERE seq = 1", "UPDATE facts SET id = 1 WHERE seq = 2",
        "UPDATE facts SET id = 2 WHERE seq = 1")  # fmt: skip


def _swap_commits(path: Path) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        raw(path, f"UPDATE facts SET commit_no = {new} WHERE commit_no = {old}")


def _rehash_one(path: Path) -> None:
    """Edit a fact, and make the hash of its own commit right again."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE facts SET occurred_at = 0 WHERE commit_no = 2")
    rows = connection.execute(
        f"SELECT {CHAINED['facts']} FROM facts WHERE commit_no = 2 ORDER BY id"
    ).fetchall()
    (previous,) = connection.execute("SELECT hash FROM commits WHERE number = 1").fetchone()
    hash_ = link(
        previous, 2, T0 + 1, [digest(b"facts", covered(row, LATER_COLUMNS["facts"])) for row in rows]
    )
    connection.execute("UPDATE commits SET hash = ? WHERE number = 2", (hash_,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("tamper", "commit"),
    [(_swap_ids, 2), (_swap_commits, 2), (_rehash_one, 3)],
    ids=("ids are swapped", "commits are swapped", "one hash is made to fit"),
)
async def test_verify_finds_reordering_and_a_hash_made_to_fit(
    path: Path, tamper: Callable[[Path], None], commit: int
) -> None:
    await fill(path)
    drop_triggers(path)
    tamper(path)
    assert [number for number, _ in await faults(path)][:1] == [commit]


async def test_a_new_commit_does_not_heal_a_broken_chain(path: Path) -> None:
    await fill(path)
    drop_triggers(path)
    raw(path, "UPDATE facts SET body = 'x' WHERE seq = 2")
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(50)])
    count, found = await store.verify()
    await store.close()
    assert count == 6
    assert [fault.commit for fault in found] == [2]


async def test_hashes_are_the_same_in_every_version_of_this_program(path: Path) -> None:
    """A released chain must hold for ever: this is what the first version wrote."""
    await fill(path)
    rows = raw(path, "SELECT number, hex(hash) FROM commits ORDER BY number")
    assert [(number, str(hash_)[:16]) for number, hash_ in rows][: len(FIRST_HASHES)] == FIRST_HASHES


FIRST_HASHES = [
    (1, "CEB02739219F062C"),
    (2, "4D1E5F4426A948FC"),
    (3, "CF520C678244516A"),
    (4, "468879ABE6E6EC21"),
]


# -- a disk that cannot take it


async def test_a_disk_that_is_full_loses_nothing_and_the_store_goes_on_when_there_is_room(path: Path) -> None:
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(1)])
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count={pages}")
    large = [fact(seq, body=b"x" * 4000) for seq in range(2, 50)]
    with pytest.raises(StoreError, match="database or disk is full"):
        await put(store, facts=large, verdicts=[verdict("d@1")])
    assert await store.received("court", "scanner-1", "b1") == [1]
    store._writer.execute("PRAGMA max_page_count=1000000")
    await put(store, facts=large, verdicts=[verdict("d@1")])
    assert await store.received("court", "scanner-1", "b1") == list(range(1, 50))
    assert await store.verify() == (2, [])
    await store.close()


async def test_a_file_that_may_not_grow_in_the_middle_of_a_commit_keeps_what_was_there(path: Path) -> None:
    store = await SqliteStore.open(path)
    await put(store, facts=[fact(1)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to write behind this place of a file, which is in the middle of what comes now.
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes(path)[1] + 50_000, before[1]))
    try:
        with pytest.raises(StoreError, match=r"patrol\.sqlite"):
            await put(store, facts=[fact(seq, body=b"x" * 4000) for seq in range(2, 50)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert await faults(path) == []
    await put(store, facts=[fact(2)])
    assert await store.received("court", "scanner-1", "b1") == [1, 2]
    assert await store.verify() == (2, [])
    await store.close()


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of its own, and no right to write what one may not: root may write everything."""
    folder = Path(tempfile.mkdtemp(prefix="patrol-nobody-"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


def make_read_only(path: Path) -> bytes:
    """Of a file and its folder; what is in the file."""
    path.chmod(0o444)
    path.parent.chmod(0o555)
    return path.read_bytes()


async def test_a_database_on_a_read_only_disk_is_refused_in_words_and_left_as_it_is(nobody: Path) -> None:
    path = nobody / "patrol.sqlite"
    await fill(path)
    content = make_read_only(path)
    with pytest.raises(
        StoreError, match=r"cannot open the database .*patrol\.sqlite: .*(readonly|unable to open)"
    ):
        await SqliteStore.open(path)
    with pytest.raises(StoreError, match=r"cannot open the database .*patrol\.sqlite: .*Permission denied"):
        await SqliteStore.open(path, alone=True)
    assert make_read_only(path) == content
