"""What every store must do, whatever database is behind it."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store.port import Commit, Known, Store, StoreError
from tests.unit.store.backends import (
    HOUR,
    T0,
    Open,
    action,
    alert,
    blind,
    changed,
    command,
    delivery,
    fact,
    key,
    notice,
    plan,
    put,
    refused,
    state,
    verdict,
)

NUMBERS = itertools.count()

# -- commits


async def test_what_is_committed_is_there_after_opening_again(open_store: Open) -> None:
    store = await open_store()
    row = fact(1, body='{"note":"泵房 ✓"}'.encode())
    await put(store, facts=[row], verdicts=[verdict("d@1")], alerts=[alert(1)], states=[state(True)], plans=[plan(1)],
              notices=[notice(1)], refused=[refused()])  # fmt: skip
    await store.write_deliveries([delivery(notice(1), 1)])
    await store.close()
    again = await open_store()
    assert [found for _, found in await again.facts("court", T0, T0 + 1)] == [row]
    assert await again.occurrences("court", "round", T0, T0 + 1) == [
        {"id": "d@1", "verdict": "missed", "at": T0}
    ]
    assert [each["id"] for each in await again.alerts()] == ["court-1"]
    assert await again.notices() == [(notice(1), [delivery(notice(1), 1)])]
    assert await again.device_states("court") == [state(True)]
    assert await again.plans() == [plan(1)]
    assert [entry.reason for entry in await again.quarantine()] == ["broken_json"]
    assert await again.verify() == (1, [])


async def test_a_commit_that_fails_leaves_nothing_of_it(store: Store) -> None:
    await put(store, plans=[plan(1)])
    everything = Commit(
        T0, facts=[fact(1)], verdicts=[verdict("d@1")], alerts=[alert(1)], states=[state(True)], plans=[plan(1)],
        notices=[notice(1)], refused=[refused()],
    )  # fmt: skip
    with pytest.raises(StoreError):  # this version is there already
        await store.commit(everything)
    assert await store.facts("court", 0, 2 * T0) == []
    assert await store.boots() == []
    assert await store.occurrences("court", "round", 0, 2 * T0) == []
    assert await store.alerts() == []
    assert await store.notices() == []
    assert await store.device_states("court") == []
    assert await store.quarantine() == []
    assert await store.series("scan", "court", 0, 2 * T0) == []
    assert await store.verify() == (1, [])


async def test_a_commit_after_a_failed_one_keeps_the_chain_right(store: Store) -> None:
    await put(store, plans=[plan(1)])
    with pytest.raises(StoreError):
        await put(store, plans=[plan(1)], facts=[fact(1)])
    await put(store, facts=[fact(1)])
    await put(store, verdicts=[verdict("d@1")])
    assert await store.verify() == (3, [])


async def test_an_empty_commit_is_no_commit(store: Store) -> None:
    await put(store)
    assert await store.verify() == (0, [])


async def test_a_commit_of_refusals_alone_is_kept_and_is_no_link_of_the_chain(store: Store) -> None:
    await put(store, refused=[refused()])
    assert len(await store.quarantine()) == 1
    assert await store.verify() == (0, [])


async def test_many_commits_at_once_are_written_one_after_the_other(store: Store) -> None:
    await asyncio.gather(*(put(store, facts=[fact(seq)]) for seq in range(1, 101)))
    assert await store.received("court", "scanner-1", "b1") == list(range(1, 101))
    assert await store.verify() == (100, [])


# -- secrets


async def test_what_is_done_about_secrets_is_kept_in_order_and_chained(store: Store) -> None:
    rows = [key("make"), key("make", "yard/scanner-1", kind="password"), key("revoke", at=T0 + 1)]
    for row in rows:
        await put(store, keys=[row])
    assert await store.keys() == rows
    assert await store.verify() == (3, [])


# -- facts


async def test_a_fact_is_stored_once_however_often_it_is_sent(store: Store) -> None:
    await put(store, facts=[fact(1, body=b"first")])
    await put(store, facts=[fact(1, T0 + 1, body=b"again"), fact(2), fact(2, body=b"twice in one commit")])
    found = {row.seq: row.body for _, row in await store.facts("court", T0, T0 + HOUR)}
    assert found == {1: b"first", 2: b'{"seq":2}'}
    assert await store.series("scan", "court", T0, T0 + HOUR) == [(T0, "scanner-1", 2)]
    assert await store.verify() == (2, [])


async def test_what_came_with_a_repeated_fact_is_written_all_the_same(store: Store) -> None:
    await put(store, facts=[fact(1)])
    await put(store, facts=[fact(1)], verdicts=[verdict("d@1")], alerts=[alert(1)], refused=[refused()])
    assert len(await store.occurrences("court", "round", T0, T0 + 1)) == 1
    assert len(await store.alerts()) == 1
    assert len(await store.quarantine()) == 1
    assert await store.verify() == (2, [])


async def test_site_device_boot_and_seq_together_name_a_fact(store: Store) -> None:
    rows = [
        fact(1),
        fact(1, site="yard"),
        fact(1, device="scanner-2"),
        fact(1, boot="b2"),
        fact(1, boot="B1"),
        fact(1, boot="b1\0"),
        fact(2),
    ]
    await put(store, facts=rows)
    found = [row for site in ("court", "yard") for _, row in await store.facts(site, T0, T0 + 1)]
    assert sorted(found) == sorted(rows)


async def test_facts_come_by_time_and_then_in_the_order_in_which_they_were_stored(store: Store) -> None:
    await put(store, facts=[fact(1, T0 + 20), fact(2, T0 + 10), fact(3, T0 + 10)])
    await put(store, facts=[fact(4, T0 + 10), fact(5, T0)])
    assert [row.seq for _, row in await store.facts("court", T0, T0 + 100)] == [5, 2, 3, 4, 1]


async def test_the_range_of_facts_begins_with_its_start_and_ends_before_its_end(store: Store) -> None:
    await put(store, facts=[fact(seq, T0 + seq) for seq in range(1, 6)])
    assert [row.seq for _, row in await store.facts("court", T0 + 2, T0 + 4)] == [2, 3]


async def test_facts_are_found_by_type_and_device(store: Store) -> None:
    await put(
        store, facts=[fact(1), fact(2, type="status"), fact(3, device="scanner-2"), fact(4, site="yard")]
    )
    assert [row.seq for _, row in await store.facts("court", T0, T0 + 1, type="status")] == [2]
    assert [row.seq for _, row in await store.facts("court", T0, T0 + 1, device="scanner-2")] == [3]
    assert await store.facts("court", T0, T0 + 1, type="gate") == []
    assert await store.facts("nowhere", T0, T0 + 1) == []


@given(
    times=st.lists(st.integers(0, 5), max_size=12),
    page=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_together_are_the_whole_whatever_their_size(
    open_store: Open, times: list[int], page: int
) -> None:
    store = await open_store()
    site = f"site-{next(NUMBERS)}"
    await put(store, facts=[fact(number, T0 + at, site=site) for number, at in enumerate(times, 1)])
    whole = await store.facts(site, T0, T0 + 10)
    paged: list[object] = []
    after = None
    while rows := await store.facts(site, T0, T0 + 10, after=after, limit=page):
        assert len(rows) <= page
        paged += rows
        after = (rows[-1][1].occurred_at, rows[-1][0])
    assert paged == whole
    await store.close()


async def test_received_numbers_of_a_boot_come_ascending(store: Store) -> None:
    await put(store, facts=[fact(5), fact(1), fact(3), fact(2, boot="b2")])
    assert await store.received("court", "scanner-1", "b1") == [1, 3, 5]
    assert await store.received("court", "scanner-1", "b9") == []


async def test_what_was_received_last_comes_in_the_order_in_which_it_was_stored(store: Store) -> None:
    old, kept, new = fact(1, T0), fact(2, T0 - 5 * HOUR), fact(1, T0 + HOUR, boot="b2")
    await put(store, facts=[old])
    await put(store, facts=[kept._replace(received_at=old.received_at + 1), new])
    assert [row.seq for row in await store.received_since(old.received_at + 1)] == [2, 1]
    assert len(await store.received_since(0)) == 3
    assert await store.received_since(T0 + 900 * HOUR) == []


async def test_what_tells_of_lost_records_is_found_among_the_heartbeats(store: Store) -> None:
    told = fact(2, T0 - 900 * HOUR, type="status", body=b'{"seq":2,"lost":[]}')
    others = [fact(3, type="status"), fact(4, body=b'{"lost":1}'), fact(5, site="yard", type="status")]
    await put(store, facts=[told, *others])
    assert await store.losses("court") == [told]


# -- boots, and what was refused of them


async def test_boots_come_in_the_order_in_which_they_were_heard_of(store: Store) -> None:
    await put(store, facts=[fact(1, T0 + 9, boot="zz"), fact(2, boot="zz")])
    await put(
        store, facts=[fact(7, T0 + 3, boot="aa"), fact(9, boot="aa"), fact(1, boot="mm", device="gate-1")]
    )
    await put(store, facts=[fact(3, boot="zz")])
    assert [tuple(row) for row in await store.boots()] == [
        ("court", "scanner-1", "zz", 3, 3),
        ("court", "scanner-1", "aa", 2, 9),
        ("court", "gate-1", "mm", 1, 1),
    ]


async def test_a_boot_of_which_everything_was_refused_has_its_place_among_the_boots(store: Store) -> None:
    await put(store, T0, facts=[fact(1, boot="old")])
    await put(store, T0 + 10, refused=[refused(b"1", "unknown_tag", T0 + 10, boot="odd", seq=1)])
    await put(store, T0 + 20, facts=[fact(1, T0 + 20, boot="new")])
    await put(store, T0 + 30, refused=[refused(b"2", "unknown_tag", T0 + 30, boot="old", seq=2)])
    assert [(row.boot, row.records, row.high_seq) for row in await store.boots()] == [
        ("old", 1, 1),
        ("odd", 0, 0),
        ("new", 1, 1),
    ]


async def test_numbers_of_refused_records_are_remembered_until_they_are_cleared(store: Store) -> None:
    await put(
        store,
        refused=[refused(b"1", "unknown_tag", boot="b1", seq=1), refused(b"2", boot="b1", seq=4), refused()],
    )
    assert sorted(await store.refused_seqs()) == [
        ("court", "scanner-1", "b1", 1),
        ("court", "scanner-1", "b1", 4),
    ]
    (entry,) = await store.quarantine("unknown_tag")
    assert entry.seq == 1
    await put(store, cleared=[entry.id], facts=[fact(1)])
    assert await store.refused_seqs() == [("court", "scanner-1", "b1", 4)]


# -- what is derived: occurrences and alerts


async def test_an_occurrence_is_shown_as_it_was_reported_last(store: Store) -> None:
    await put(
        store, verdicts=[verdict("d@1", "unverified", code="no_proof"), verdict("d@1", "missed", at=T0 + 1)]
    )
    await put(store, verdicts=[verdict("d@1", "late", at=T0 + 2, code="completed_late")])
    assert await store.occurrences("court", "round", T0, T0 + 1) == [
        {"id": "d@1", "verdict": "late", "at": T0 + 2}
    ]
    assert await store.known("court", T0) == [Known("d", T0, 0, "late", "completed_late")]
    assert await store.verify() == (2, [])


async def test_an_occurrence_that_was_not_owed_after_all_is_shown_no_more(store: Store) -> None:
    await put(store, verdicts=[verdict("d@1")])
    await put(store, verdicts=[verdict("d@1", "superseded", at=T0 + 1, code="superseded")])
    assert await store.occurrences("court", "round", T0, T0 + 1) == []
    assert await store.known("court", 0) == []


async def test_occurrences_are_those_whose_window_touches_the_range(store: Store) -> None:
    rows = [verdict(f"d@{n}", opens_at=T0 + n * HOUR, due_at=T0 + (n + 1) * HOUR) for n in range(5)]
    await put(store, verdicts=[*rows, verdict("r@1", kind="radio_check"), verdict("d@1", site="yard")])

    async def found(start: int, end: int) -> list[str]:
        return [each["id"] for each in await store.occurrences("court", "round", start, end)]

    assert await found(T0 + HOUR + 1, T0 + 2 * HOUR) == ["d@1"]
    assert await found(T0 + HOUR, T0 + 2 * HOUR + 1) == [
        "d@0",
        "d@1",
        "d@2",
    ]  # a due is the last instant that passes
    assert await found(T0 - HOUR, T0) == []
    assert [each["id"] for each in await store.occurrences("court", "radio_check", T0, T0 + 1)] == ["r@1"]


async def test_only_what_is_worth_comparing_is_known(store: Store) -> None:
    rows = [
        verdict("a@1", "on_time", code="on_time"),
        verdict("b@1", "open", code="under_way"),
        verdict("c@1", "open", code="no_answer"),
        verdict("d@1", "missed", opens_at=T0 - 1),
        verdict("e@1", "missed", ordinal=2),
    ]
    await put(store, verdicts=rows)
    assert sorted(await store.known("court", T0)) == [
        Known("a", T0, 0, "on_time", "on_time"),
        Known("c", T0, 0, "open", "no_answer"),
        Known("e", T0, 2, "missed", "not_visited"),
    ]


async def test_an_alert_is_shown_as_it_was_changed_last(store: Store) -> None:
    await put(store, alerts=[alert(1), alert(1, "acknowledged", at=T0 + 5)])
    await put(store, alerts=[alert(1, "resolved", at=T0 + 9, closed_at=T0 + 9)])
    assert await store.alert("court-1") == {
        "id": "court-1",
        "site": "court",
        "state": "resolved",
        "at": T0 + 9,
    }
    assert await store.alert("court-2") is None
    assert len(await store.alerts()) == 1


async def test_alerts_come_newest_first_and_are_found_by_site_state_and_time(store: Store) -> None:
    rows = [
        alert(1, "resolved", closed_at=T0 + 50),
        alert(2, "withdrawn", closed_at=T0 + 60),
        alert(3, "acknowledged"),
        alert(4, opened_at=T0 + 3),
        alert(1, site="yard", opened_at=T0 + 100),
    ]
    await put(store, alerts=rows)

    async def found(*args: object, **how: object) -> list[str]:
        return [each["id"] for each in await store.alerts(*args, **how)]  # type: ignore[arg-type]

    assert await found() == ["yard-1", "court-4", "court-3", "court-2", "court-1"]
    assert await found("court") == ["court-4", "court-3", "court-2", "court-1"]
    assert await found("court", ("open", "acknowledged")) == ["court-4", "court-3"]
    assert await found("court", since=T0 + 60) == ["court-4", "court-3", "court-2"]
    assert await found("court", limit=2) == ["court-4", "court-3"]
    assert await found("nowhere") == []


async def test_the_highest_number_of_an_alert_is_that_of_its_site(store: Store) -> None:
    await put(store, alerts=[alert(9), alert(10), alert(300, site="yard")])
    assert (await store.last_alert("court"), await store.last_alert("nowhere")) == (10, 0)


async def test_the_state_of_a_device_is_its_latest_one(store: Store) -> None:
    await put(store, states=[state(True), state(True, "gate-1"), state(True, site="yard")])
    await put(store, states=[state(False, at=T0 + 5)])
    assert sorted(await store.device_states("court")) == [state(True, "gate-1"), state(False, at=T0 + 5)]


async def test_plans_come_by_site_and_version(store: Store) -> None:
    await put(store, plans=[plan(2), plan(1)])
    await put(store, plans=[plan(1, "atrium", "site: atrium  # 中庭\n"), plan(10)])
    assert [(row.site, row.version) for row in await store.plans()] == [
        ("atrium", 1), ("court", 1), ("court", 2), ("court", 10),
    ]  # fmt: skip
    assert (await store.plans())[0].body == "site: atrium  # 中庭\n"


# -- notices, and what came of them


async def test_a_notice_is_stored_once_however_often_it_is_made(store: Store) -> None:
    await put(store, notices=[notice(1)])
    again = notice(1)._replace(body=b"again")
    await put(
        store, notices=[again, notice(2), notice(2)._replace(body=b"twice in one commit")], facts=[fact(1)]
    )
    assert await store.notice(notice(1).key) == notice(1)
    assert await store.notice(notice(2).key) == notice(2)
    assert await store.notice("court-9/opened/0") is None
    assert len(await store.notices()) == 2
    assert len(await store.facts("court", T0, T0 + 1)) == 1
    assert await store.verify() == (2, [])


async def test_notices_come_in_the_order_in_which_they_were_made(store: Store) -> None:
    await put(store, notices=[notice(3), notice(1)])
    await put(store, notices=[notice(2, at=T0 - HOUR, alert=None)])
    rows = await store.notices_after(0, 10)
    assert [row for _, row in rows] == [notice(3), notice(1), notice(2, at=T0 - HOUR, alert=None)]
    numbers = [number for number, _ in rows]
    assert numbers == sorted(numbers)
    assert await store.notices_after(numbers[0], 1) == [rows[1]]
    assert await store.notices_after(numbers[2], 10) == []


async def test_a_delivery_is_shown_as_it_was_written_last(store: Store) -> None:
    await put(store, notices=[notice(1), notice(2)])
    waits = delivery(notice(1), 1)
    await store.write_deliveries([waits, delivery(notice(1), 1, "post"), delivery(notice(2), 2)])
    done = waits._replace(
        state="delivered", attempts=2, next_at=None, last_error="http_500", delivered_at=T0 + 9
    )
    await store.write_deliveries([done])
    assert await store.notices() == [
        (notice(2), [delivery(notice(2), 2)]),
        (notice(1), [done, delivery(notice(1), 1, "post")]),
    ]
    assert await store.waiting_deliveries() == [delivery(notice(1), 1, "post"), delivery(notice(2), 2)]
    assert await store.delivery_counts() == {
        ("phones", "delivered"): 1,
        ("phones", "waiting"): 1,
        ("post", "waiting"): 1,
    }
    assert await store.last_delivery() == 2
    assert await store.verify() == (1, [])


async def test_without_notices_there_are_no_deliveries(store: Store) -> None:
    assert await store.notices() == []
    assert await store.last_delivery() == 0
    assert await store.waiting_deliveries() == []
    assert await store.delivery_counts() == {}


async def test_notices_come_newest_first_and_by_site(store: Store) -> None:
    await put(store, notices=[notice(1), notice(1, site="yard"), notice(2)])

    async def found(*args: object, **how: object) -> list[str]:
        return [row.key for row, _ in await store.notices(*args, **how)]  # type: ignore[arg-type]

    assert await found() == ["court-1/opened/2", "yard-1/opened/1", "court-1/opened/1"]
    assert await found("court") == ["court-1/opened/2", "court-1/opened/1"]
    assert await found("court", limit=1) == ["court-1/opened/2"]
    await store.write_deliveries([delivery(notice(2), 3), delivery(notice(2), 3, "post")])
    assert await found(limit=2) == ["court-1/opened/2", "yard-1/opened/1"]


async def test_who_was_told_of_an_alert_is_known_by_channel(store: Store) -> None:
    await put(store, notices=[notice(1), notice(2), notice(3, alert=2)])
    await store.write_deliveries(
        [
            delivery(notice(1), 1, "phones", "failed"),
            delivery(notice(2), 2, "phones", "delivered"),
            delivery(notice(2), 2, "post"),
            delivery(notice(3, alert=2), 3, "post", "delivered"),
        ]
    )
    assert await store.was_told("phones", "court-1")
    assert not await store.was_told("post", "court-1")
    assert not await store.was_told("phones", "court-2")


# -- the quarantine


async def test_the_same_thing_refused_again_counts_up(store: Store) -> None:
    await put(store, refused=[refused(at=T0), refused(at=T0 + 1)])
    await put(store, refused=[refused(at=T0 + 2)])
    (entry,) = await store.quarantine()
    assert (entry.times, entry.first_at, entry.last_at) == (3, T0, T0 + 2)
    assert (entry.topic, entry.payload, entry.detail) == ("patrol/v1/court/scanner-1/up", b"{", "why")
    assert await store.quarantine_counts() == {"broken_json": 3}


async def test_another_topic_payload_or_reason_is_another_entry(store: Store) -> None:
    rows = [
        refused(),
        refused(b"["),
        refused(reason="not_a_record"),
        refused(topic="t", site=None, device=None),
    ]
    await put(store, refused=rows)
    assert len(await store.quarantine()) == 4


async def test_refusals_come_newest_first_and_by_reason(store: Store) -> None:
    await put(
        store, refused=[refused(b"1", at=T0), refused(b"2", "unknown_tag", T0 + 2), refused(b"3", at=T0 + 1)]
    )
    await put(store, refused=[refused(b"1", at=T0 + 3)])
    assert [entry.payload for entry in await store.quarantine()] == [b"1", b"2", b"3"]
    assert [entry.payload for entry in await store.quarantine("broken_json")] == [b"1", b"3"]
    assert [entry.payload for entry in await store.quarantine(limit=1)] == [b"1"]
    assert await store.quarantine_counts() == {"broken_json": 3, "unknown_tag": 1}


async def test_what_is_cleared_is_gone_until_it_is_refused_again(store: Store) -> None:
    await put(store, refused=[refused(), refused(b"x")])
    entry = next(entry for entry in await store.quarantine() if entry.payload == b"{")
    await put(store, T0 + 5, cleared=[entry.id])
    assert [entry.payload for entry in await store.quarantine()] == [b"x"]
    assert await store.quarantine_counts() == {"broken_json": 1}
    await put(store, refused=[refused(at=T0 + 9)])
    assert {entry.payload for entry in await store.quarantine()} == {b"{", b"x"}


async def test_of_a_huge_payload_the_beginning_is_kept_and_the_whole_tells_it_apart(store: Store) -> None:
    huge = b"x" * 3_000_000
    await put(store, refused=[refused(huge + b"1"), refused(huge + b"2"), refused(huge + b"1")])
    entries = await store.quarantine()
    assert sorted(entry.times for entry in entries) == [1, 2]
    assert all(len(entry.payload) < len(huge) and huge.startswith(entry.payload) for entry in entries)


# -- series


async def test_series_count_what_came_in_by_the_hour_in_which_it_was_received(store: Store) -> None:
    rows = [fact(1, received_at=T0), fact(2, received_at=T0 + HOUR - 1), fact(3, received_at=T0 + HOUR)]
    await put(store, facts=[*rows, fact(1, device="scanner-2"), fact(4, type="status"), fact(5, site="yard")])
    await put(store, facts=[fact(6, T0 - 50 * HOUR, received_at=T0)])
    assert await store.series("scan", "court", T0, T0 + HOUR) == [(T0, "scanner-1", 3), (T0, "scanner-2", 1)]
    assert await store.series("scan", "court", T0 + 5, T0 + 2 * HOUR) == [
        (T0, "scanner-1", 3),
        (T0, "scanner-2", 1),
        (T0 + HOUR, "scanner-1", 1),
    ]
    assert await store.series("status", "court", T0, T0 + HOUR) == [(T0, "scanner-1", 1)]


async def test_a_series_counts_refusals_by_reason(store: Store) -> None:
    await put(
        store, refused=[refused(), refused(), refused(reason="unknown_tag"), refused(site=None, device=None)]
    )
    assert await store.series("quarantine", "court", T0, T0 + 1) == [
        (T0, "broken_json", 2),
        (T0, "unknown_tag", 1),
    ]


# -- while others read


async def test_readers_see_whole_commits_only(store: Store) -> None:
    """Each commit writes ten facts; no reader ever sees another number than a multiple of ten."""
    done = asyncio.Event()
    seen: set[int] = set()

    async def read() -> None:
        while not done.is_set():
            rows = await store.facts("court", T0, T0 + 1)
            assert len(rows) % 10 == 0
            seen.add(len(rows))

    readers = [asyncio.create_task(read()) for _ in range(2)]
    for number in range(60):
        await put(store, facts=[fact(number * 10 + each) for each in range(1, 11)])
    done.set()
    await asyncio.gather(*readers)
    assert len(await store.facts("court", T0, T0 + 1)) == 600
    assert len(seen) > 1


async def test_the_chain_is_verified_while_it_grows(store: Store) -> None:
    writing = asyncio.create_task(_write_many(store, 80))
    while not writing.done():
        count, faults = await store.verify()
        assert faults == []
    assert await store.verify() == (80, [])
    assert count <= 80


async def _write_many(store: Store, count: int) -> None:
    for seq in range(1, count + 1):
        await put(store, facts=[fact(seq)], verdicts=[verdict(f"d@{seq}")])


async def test_what_is_known_of_an_occurrence_has_the_codes_of_its_findings(store: Store) -> None:
    odd = verdict(
        "a@1", "late", code="completed_late", findings=["two_places", "leg_too_fast", "leg_too_fast"]
    )
    await put(store, verdicts=[odd, verdict("b@1")])
    assert sorted(await store.known("court", T0)) == [
        Known("a", T0, 0, "late", "completed_late", "leg_too_fast,leg_too_fast,two_places"),
        Known("b", T0, 0, "missed", "not_visited", ""),
    ]


async def test_when_the_last_commit_was_made(store: Store) -> None:
    assert await store.last_commit_at() == 0
    await put(store, T0, facts=[fact(1)])
    await put(store, T0 + 5, facts=[fact(2)])
    assert await store.last_commit_at() == T0 + 5


async def test_what_people_did_comes_newest_first_and_by_kind(store: Store) -> None:
    await put(store, T0, actions=[action("acknowledge", at=T0), action("excuse", "d@1", at=T0)])
    await put(
        store, T0 + 5, actions=[action("silence", "court-s1", at=T0 + 5), action("note", site="atrium")]
    )
    assert [row.what for row in await store.actions("court")] == ["silence", "excuse", "acknowledge"]
    assert await store.actions("court", what=("excuse",)) == [action("excuse", "d@1", at=T0)]
    assert [row.what for row in await store.actions("court", T0 + 1)] == ["silence"]
    assert [row.what for row in await store.actions("court", 0, T0 + 5, limit=1)] == ["excuse"]


async def test_blind_intervals_come_by_time_as_far_back_as_is_asked(store: Store) -> None:
    await put(store, T0, blind=[blind(T0 + HOUR, cause="cut_off"), blind(T0)])
    assert await store.blind(0) == [blind(T0), blind(T0 + HOUR, cause="cut_off")]
    assert await store.blind(T0 + HOUR) == [blind(T0 + HOUR, cause="cut_off")]


async def test_the_last_sign_of_life_is_the_last_commit_even_if_it_holds_nothing(store: Store) -> None:
    assert await store.last_sign() is None
    await put(store, T0, facts=[fact(1)])
    assert await store.last_sign() == T0
    await put(store, T0 + 10_000, alive=True)
    assert await store.last_sign() == T0 + 10_000


async def test_one_occurrence_is_found_as_it_was_reported_last(store: Store) -> None:
    await put(store, verdicts=[verdict("d@1")])
    await put(store, verdicts=[verdict("d@1", "late", at=T0 + 1)])
    found = await store.occurrence("court", "d@1")
    assert found is not None and found["verdict"] == "late"
    assert await store.occurrence("atrium", "d@1") is None


# -- commands


async def test_a_command_is_as_it_was_changed_last_and_the_newest_comes_first(store: Store) -> None:
    first, second, other = command(1), command(2), command(3, site="yard")
    await put(
        store, commands=[first, second, other], actions=[changed(each) for each in (first, second, other)]
    )
    done = command(1, "done")
    await put(store, commands=[done], actions=[changed(done)])
    found = await store.commands("court")
    assert [(each["id"], each["state"]) for each in found] == [("court-c2", "sent"), ("court-c1", "done")]
    assert [each["id"] for each in await store.commands()] == ["yard-c3", "court-c2", "court-c1"]
    assert [each["id"] for each in await store.commands(states=["done"])] == ["court-c1"]
    assert [each["id"] for each in await store.commands("court", since=T0 + 2)] == ["court-c2"]
    assert await store.commands("court", device="gate-9") == []
    assert len(await store.commands(limit=1)) == 1
    one = await store.command("court-c1")
    assert one is not None and one["state"] == "done"
    assert await store.command("court-c9") is None
    assert (await store.verify())[1] == []


async def test_a_command_that_no_act_tells_of_is_found(store: Store) -> None:
    await put(store, commands=[command(1)])
    assert ["court-c1" in fault.what for fault in (await store.verify())[1]] == [True]
