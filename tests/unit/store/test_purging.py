"""Retention: what is older than its time goes, the chain still holds, and nobody else can remove anything."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.store.backup import back_up
from gateway.store.opening import open_store as open_by_url
from gateway.store.port import FOREVER, ActionRow, Kind, Store, StoreError
from gateway.store.sql_store import SqlStore
from tests.unit.store.backends import (
    HOUR,
    T0,
    Open,
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

LATER = T0 + 10 * HOUR
ALL = dict.fromkeys(Kind, T0 + HOUR)
"""Of every kind what is older than T0 + 1 h."""


async def purge(store: Store, before: dict[Kind, int] = ALL, at: int = LATER) -> dict[str, int]:
    return await store.purge(before, lambda: at, "wang-jg", "192.0.2.7")


async def rows(store: Store, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
    assert isinstance(store, SqlStore)
    return await store._query(sql, values)


def tap(uid: str, counter: int) -> str:
    return f"{uid}:{counter:08}:ab"


def authority(what: str, target: str, end: str | None, revoked: str | None = None) -> ActionRow:
    body = msgspec.json.encode({"to": end, "revoked_at": revoked})
    return ActionRow("court", T0, "wang-jg", "", what, target, body)


async def fill(store: Store) -> None:
    """Old and new of everything that has a time, in eight commits of which most hold both."""
    await put(store, plans=[plan(1)], states=[state(True), state(False), state(True, "scanner-2")])
    kinds = ("scan", "status", "radio", "report", "signature", "gate")
    await put(store, facts=[fact(seq, type=kind) for seq, kind in enumerate(kinds, 1)], refused=[refused()])
    await put(
        store,
        facts=[fact(7), fact(8, LATER), fact(9)],
        verdicts=[verdict("d@1"), verdict("d@2", opens_at=LATER)],
    )
    await put(store, T0 + 1, verdicts=[verdict("d@1", "late", due_at=T0 + 1, at=T0 + 1)], blind=[blind(T0)])
    await put(store, alerts=[alert(1), alert(2), alert(3)], actions=[action("acknowledge"), action("excuse")])
    await put(store, alerts=[alert(1, "resolved", closed_at=T0)], notices=[notice(1), notice(2, alert=2)])
    await store.write_deliveries([delivery(notice(1), 1, state="delivered"), delivery(notice(2, alert=2), 2)])
    await put(
        store, LATER, facts=[fact(10, LATER)], states=[state(True, "scanner-3", at=LATER)],
        verdicts=[verdict("d@3", opens_at=LATER, at=LATER)], alerts=[alert(4, at=LATER)],
        notices=[notice(3, at=LATER)], actions=[action("note", at=LATER)],
    )  # fmt: skip


async def test_what_is_older_than_its_time_goes_and_the_chain_still_holds(open_store: Open) -> None:
    store = await open_store()
    await fill(store)
    assert await purge(store) == {
        "facts": 8, "verdicts": 2, "alert_changes": 2, "notices": 1, "device_states": 1, "actions": 2,
    }  # fmt: skip
    assert [row.seq for _, row in await store.facts("court", 0, FOREVER)] == [8, 10]
    assert [each["id"] for each in await store.occurrences("court", "round", 0, FOREVER)] == ["d@2", "d@3"]
    assert await store.alert("court-1") is None
    assert [each["id"] for each in await store.alerts()] == ["court-4", "court-3", "court-2"]
    assert [row.key for row, _ in await store.notices()] == [notice(3, at=LATER).key, notice(2, alert=2).key]
    assert await store.delivery_counts() == {("phones", "waiting"): 1}
    commits, faults = await store.verify()
    assert faults == []
    await store.close()
    again = await open_store()
    assert await again.verify() == (commits, [])
    assert await purge(again) == {}
    await put(again, LATER, facts=[fact(11, LATER)])
    assert await again.verify() == (commits + 1, [])


async def test_a_purge_is_an_act_that_names_who_what_and_what_from(store: Store) -> None:
    await fill(store)
    await purge(store, {Kind.CAR_PARK: T0 + HOUR})
    (act,) = await store.actions("", what=("purge",))
    assert (act.at, act.by, act.origin, act.target) == (LATER, "wang-jg", "192.0.2.7", "facts")
    body = msgspec.json.decode(act.body)
    assert body["removed"] == {"facts": 1}
    assert await store.purged_before() == {Kind.CAR_PARK: T0 + HOUR}


async def test_what_may_be_missing_is_not_forgotten_when_records_are_kept_longer_from_now_on(
    store: Store,
) -> None:
    await fill(store)
    await purge(store)
    await put(store, facts=[fact(20, T0 - HOUR), fact(21, LATER)])
    await purge(store, {Kind.PATROL: T0})
    assert (await store.purged_before())[Kind.PATROL] == T0 + HOUR


@pytest.mark.parametrize("kind", Kind)
async def test_each_kind_goes_by_its_own_time(store: Store, kind: Kind) -> None:
    await fill(store)
    await put(store, LATER, actions=[action("note", at=LATER)])
    before = [row.type for _, row in await store.facts("court", 0, T0 + HOUR)]
    await purge(store, {kind: T0 + HOUR})
    left = [row.type for _, row in await store.facts("court", 0, T0 + HOUR)]
    gone = {
        Kind.PATROL: {"scan", "status"}, Kind.VEHICLES: set[str](), Kind.CAR_PARK: {"gate"},
        Kind.INCIDENTS: {"radio", "report"}, Kind.RECORDS: {"signature"},
    }[kind]  # fmt: skip
    assert left == [type_ for type_ in before if type_ not in gone]
    assert (await store.verify())[1] == []


async def test_a_record_just_at_the_limit_stays(store: Store) -> None:
    await put(store, plans=[plan(1)], facts=[fact(1, T0 + HOUR - 1), fact(2, T0 + HOUR), fact(3, LATER)])
    await purge(store)
    assert [row.seq for _, row in await store.facts("court", 0, FOREVER)] == [2, 3]


async def test_numbers_that_were_heard_stay_known_and_keep_their_place(store: Store) -> None:
    await put(store, plans=[plan(1)], facts=[fact(seq, boot="b0") for seq in (1, 2, 3)])
    await put(
        store, T0 + 1, facts=[fact(1, LATER, received_at=T0), fact(2), fact(3), fact(5), fact(6, LATER)]
    )
    await put(store, T0 + 2, refused=[refused(boot="b2", seq=1, at=T0 + 2)])
    await put(store, LATER, facts=[fact(1, LATER, boot="b3", received_at=LATER)])
    before = await store.boots()
    assert await purge(store) == {"facts": 6}
    assert await store.received("court", "scanner-1", "b0") == [1, 2, 3]
    assert await store.received("court", "scanner-1", "b1") == [1, 2, 3, 5, 6]
    assert await store.boots() == before
    assert [row.boot for row in before] == ["b0", "b1", "b2", "b3"]


async def test_what_judging_rests_on_stays_however_old_it_is(store: Store) -> None:
    await put(
        store, plans=[plan(1)], states=[state(True)], alerts=[alert(1, "resolved", closed_at=T0)],
        facts=[
            fact(1)._replace(tap=tap("04DE5F1EACC040", 7)), fact(2)._replace(tap=tap("04DE5F1EACC040", 9)),
            fact(3, type="status", body=b'{"lost":[{"boot":"b0"}]}'), fact(4),
        ],
    )  # fmt: skip
    await put(store, alerts=[alert(2)], facts=[fact(5)], states=[state(True, "scanner-2")])
    await purge(store)
    kept = [row.seq for _, row in await store.facts("court", 0, FOREVER)]
    assert kept == [2, 3, 5]  # the highest counter, what was lost, and the last record of all
    assert len(await store.losses("court")) == 1
    assert [row.seq for row in await store.last_taps("court", FOREVER)] == [2]
    assert {row.device for row in await store.device_states("court")} == {"scanner-1", "scanner-2"}
    assert await store.last_alert("court") == 2
    assert (await store.verify())[1] == []


async def test_an_authority_goes_when_it_has_ended_and_not_because_it_is_old(store: Store) -> None:
    old, late = "1970-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
    await put(
        store,
        plans=[plan(1)],
        actions=[
            authority("issue_resident", "for-ever", None),
            authority("issue_resident", "ended", old),
            authority("issue_resident", "will-end", late),
            authority("issue_resident", "moved-out", None),
            authority("issue_visitor", "came-once", old),
        ],
    )
    await put(store, actions=[authority("revoke_resident", "moved-out", None, revoked=old)])
    await put(store, LATER, actions=[action("note", at=LATER)])
    assert await purge(store) == {"actions": 4}
    left = {row.target for row in await store.actions("court")}
    assert left == {"for-ever", "will-end", "court-1"}
    assert (await store.verify())[1] == []


async def test_many_records_go_in_many_commits_none_of_which_is_large(store: Store) -> None:
    await put(store, plans=[plan(1)], facts=[fact(seq) for seq in range(1, 4502)])
    assert await purge(store) == {"facts": 4500}
    assert [msgspec.json.decode(act.body)["removed"]["facts"] for act in await store.actions("")] == [
        500,
        2000,
        2000,
    ]
    assert await store.verify() == (4, [])


async def test_what_is_left_is_backed_up_with_what_shows_that_the_rest_was_purged(
    store: Store, tmp_path: Path
) -> None:
    await fill(store)
    await purge(store)
    assert isinstance(store, SqlStore)
    done = await back_up(store, tmp_path / "backup.sqlite")
    assert done.moved.faults == []
    copy = await open_by_url(f"sqlite:///{tmp_path / 'backup.sqlite'}")
    assert await copy.purged_before() == ALL
    await copy.close()


async def test_the_database_lets_go_of_a_record_only_when_its_digest_is_kept(store: Store) -> None:
    await fill(store)
    for table in ("facts", "verdicts", "alert_changes", "device_states", "actions", "notices"):
        with pytest.raises(StoreError, match=f"records of {table} are never changed or deleted"):
            await rows(store, f"DELETE FROM {table}")
    await purge(store)
    for statement in (
        "DELETE FROM purged",
        "UPDATE purged SET act = 1",
        "DELETE FROM freed",
        "DELETE FROM facts",
    ):
        with pytest.raises(StoreError, match="never changed or deleted"):
            await rows(store, statement)


FORGERIES = {
    "a record is removed as though it had been purged": (
        "it has removed other records than it says",
        "INSERT INTO purged SELECT (SELECT max(act) FROM purged), 'facts', commit_no, id, x'00' FROM facts "
        "WHERE seq = 8",
        "DELETE FROM facts WHERE seq = 8",
    ),
    "a record is removed by a purge that was none": (
        "it has removed other records than it says",
        "INSERT INTO purged SELECT 1, 'facts', commit_no, id, x'00' FROM facts WHERE seq = 8",
        "DELETE FROM facts WHERE seq = 8",
    ),
    "what shows that a record was purged is removed": (
        "its records are not those that were written",
        "DROP TRIGGER purged_never_delete",
        "DELETE FROM purged WHERE tbl = 'facts' AND record = 1",
    ),
    "all that a purge has removed is not known any more": (
        "what it has removed is not there any more",
        "DROP TRIGGER purged_never_delete",
        "DELETE FROM purged WHERE tbl = 'actions'",
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
async def test_verify_tells_a_purge_from_any_other_removal(tmp_path: Path, what: str) -> None:
    store = await open_by_url(f"sqlite:///{tmp_path / 'patrol.sqlite'}")
    await fill(store)
    await purge(store)
    said, *statements = FORGERIES[what]
    connection = sqlite3.connect(tmp_path / "patrol.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    _, faults = await store.verify()
    assert any(re.search(said, fault.what) for fault in faults), faults
    await store.close()
