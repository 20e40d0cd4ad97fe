"""Removing records whose time is over, so that the hash chain still holds.

Of a removed record its digest stays, in `purged`: with it the hash of its commit can still be worked out. A purge is an
act in the chain that names the digest of all that it removed, so that `verify` tells it from any other removal; and
the database lets go only of records whose digest is kept. Of a removed fact its number stays too, in `freed`: what a
device sends again is known, and what it has sent is not waited for.

What later judging rests on is never removed, however old: the last record of each table, the last state of a device,
the reading of a tag with the highest counter, lost records, authorities that still hold, plans, and purges.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from gateway.domain.ledger.authority import LASTING, AuthorityKind
from gateway.instants import parse_instant
from gateway.store.port import ActionRow, Commit, FreedRow, Kind, PurgedRow
from gateway.store.schema import CHAINED
from gateway.store.writing import digest_of

PURGE: Final = "purge"
"""What the act of a purge is called."""

BATCH: Final = 2_000
"""The most records that one commit removes: it must not keep others waiting for long."""


_FACTS: Final = {
    "scan": Kind.PATROL,
    "status": Kind.PATROL,
    "radio": Kind.INCIDENTS,
    "report": Kind.INCIDENTS,
    "signature": Kind.RECORDS,
    "gate": Kind.CAR_PARK,
}
_VERDICTS: Final = {"round": Kind.PATROL, "radio_check": Kind.INCIDENTS, "record": Kind.RECORDS}

_OF_RECORDS: Final = ("excuse", "sign")
_OF_CAR_PARK: Final = ("explain",)
_NEVER: Final = ("plan", PURGE)
_ENDING, _LASTING = (
    tuple(
        f"{what}_{kind}"
        for what in ("issue", "revoke")
        for kind in AuthorityKind
        if (kind in LASTING) is last
    )
    for last in (False, True)
)

Before = Mapping[Kind, int]
"""Of each kind what is older than this instant (ms) goes. A kind that is not named is kept."""

_encode: Final = msgspec.msgpack.Encoder().encode


class Queries(Protocol):
    """What a purge asks of a store."""

    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class _Rule(NamedTuple):
    """Which records of a table go; oldest first, so that what was written last of a thing goes last."""

    table: str
    where: str
    values: tuple[Any, ...]


async def purges(
    store: Queries, before: Before, now: Callable[[], int], by: str, origin: str
) -> AsyncIterator[Commit]:
    """The commits that remove what is older than `before`; each must be written before the next is asked for."""
    known = await purged_before(store)
    said = {kind: max(before.get(kind, 0), known.get(kind, 0)) for kind in {**known, **before}}
    sites = [site for (site,) in await store._query("SELECT DISTINCT site FROM plans ORDER BY site")]
    for site in sites:
        for rule in _rules(site, before):
            while rows := await _found(store, rule):
                yield _commit(rule.table, rows, said, now(), by, origin)
        while ended := await _ended(store, site, before.get(Kind.VEHICLES, 0)):
            rule = _Rule("actions", f"site = ? AND target IN ({', '.join('?' * len(ended))})", (site, *ended))
            rows = await _found(store, rule, limit=1 << 30)
            if not rows:
                break
            yield _commit("actions", rows, said, now(), by, origin)


async def purged_before(store: Queries) -> dict[Kind, int]:
    """Of each kind, before which instant (ms) records may be missing; a kind of which none may be is not there."""
    rows = await store._query(
        "SELECT body FROM actions WHERE site = '' AND what = ? ORDER BY id DESC LIMIT 1", (PURGE,)
    )
    return {Kind(kind): at for (body,) in rows for kind, at in msgspec.json.decode(body)["before"].items()}


def digest_of_purge(rows: Iterable[tuple[str, int, int, bytes]]) -> str:
    """The digest of all that one purge removed: (table, commit, number, digest), in this order."""
    whole = sha256()
    for row in sorted(rows):
        whole.update(_encode(row))
    return whole.hexdigest()


def _rules(site: str, before: Before) -> list[_Rule]:
    rules: list[_Rule] = []

    def add(kind: Kind, table: str, where: str, *values: Any) -> None:
        """`{at}` in `where` stands for the instant."""
        if (at := before.get(kind)) is not None:
            parts = where.count("{at}")
            rules.append(
                _Rule(table, f"site = ? AND {where.replace('{at}', '?')}", (site, *[at] * parts, *values))
            )

    for type_, kind in _FACTS.items():
        more, values = "", [type_]
        if type_ == "scan":
            more = (
                " AND (tap IS NULL OR substr(tap, 1, 23) NOT IN (SELECT max(substr(tap, 1, 23)) FROM facts "
                "WHERE site = ? AND tap IS NOT NULL GROUP BY substr(tap, 1, 14)))"
            )
            values.append(site)
        elif type_ == "status":
            more = """ AND instr(body, '"lost"') = 0"""
        add(kind, "facts", f"occurred_at < {{at}} AND type = ?{more}", *values)
    for name, kind in _VERDICTS.items():
        # By what is shown of the occurrence: so all that was written of it goes, and what was written last goes last.
        add(
            kind,
            "verdicts",
            "EXISTS (SELECT 1 FROM occurrences AS shown WHERE shown.site = verdicts.site "
            "AND shown.occurrence = verdicts.occurrence AND shown.due_at < {at} AND shown.at < {at} "
            "AND shown.kind = ?)",
            name,
        )
    add(
        Kind.INCIDENTS,
        "alert_changes",
        "EXISTS (SELECT 1 FROM alerts AS shown WHERE shown.alert = alert_changes.alert AND shown.closed_at < {at} "
        "AND shown.at < {at}) AND number < (SELECT max(number) FROM alerts WHERE site = ?)",
        site,
    )
    add(
        Kind.INCIDENTS,
        "notices",
        "at < {at} AND NOT EXISTS (SELECT 1 FROM deliveries WHERE notice = key AND state = 'waiting')",
    )
    add(
        Kind.PATROL,
        "device_states",
        "at < {at} AND id NOT IN (SELECT max(id) FROM device_states WHERE site = ? GROUP BY device)",
        site,
    )
    named = (*_NEVER, *_OF_RECORDS, *_OF_CAR_PARK, *_ENDING, *_LASTING)
    add(Kind.RECORDS, "actions", f"at < {{at}} AND what IN ({_places(_OF_RECORDS)})", *_OF_RECORDS)
    add(Kind.CAR_PARK, "actions", f"at < {{at}} AND what IN ({_places(_OF_CAR_PARK)})", *_OF_CAR_PARK)
    add(Kind.VEHICLES, "actions", f"at < {{at}} AND what IN ({_places(_ENDING)})", *_ENDING)
    add(Kind.INCIDENTS, "actions", f"at < {{at}} AND what NOT IN ({_places(named)})", *named)
    return rules


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


async def _found(store: Queries, rule: _Rule, limit: int = BATCH) -> list[tuple[Any, ...]]:
    return await store._query(
        f"SELECT id, commit_no, {CHAINED[rule.table]} FROM {rule.table} WHERE {rule.where} "
        f"AND id < (SELECT max(id) FROM {rule.table}) ORDER BY id LIMIT ?",
        (*rule.values, limit),
    )


async def _ended(store: Queries, site: str, before: int) -> list[str]:
    """Authorities that need no end, and did end before `before` by the last word on each, which is older as well."""
    rows = await store._query(
        f"SELECT target, body FROM actions WHERE id < (SELECT max(id) FROM actions) AND id IN (SELECT max(id) "
        f"FROM actions WHERE site = ? AND what IN ({_places(_LASTING)}) GROUP BY target) AND at < ? ORDER BY id",
        (site, *_LASTING, before),
    )
    shapes = [(target, msgspec.json.decode(body)) for target, body in rows]
    ends = [(target, shape["revoked_at"] or shape["to"]) for target, shape in shapes]
    return [target for target, end in ends if end is not None and parse_instant(end) < before][:BATCH]


def _commit(
    table: str, rows: list[tuple[Any, ...]], before: Before, now: int, by: str, origin: str
) -> Commit:
    purged = [PurgedRow(table, row[1], row[0], digest_of(table, row[2:])) for row in rows]
    body = {"before": dict(before), "removed": {table: len(rows)}, "digest": digest_of_purge(purged)}
    act = ActionRow("", now, by, origin, PURGE, table, msgspec.json.encode(body))
    return Commit(now, actions=[act], purged=purged, freed=_freed(rows) if table == "facts" else [])


def _freed(rows: list[tuple[Any, ...]]) -> list[FreedRow]:
    """The numbers of facts, runs of them together. A row begins: id, commit, site, device, boot, seq."""
    freed: list[FreedRow] = []
    for id_, _, site, device, boot, seq, _, _, received_at, *_ in sorted(rows, key=lambda row: row[2:6]):
        last = freed[-1] if freed else None
        if last is not None and last[:3] == (site, device, boot) and last.last == seq - 1:
            first_heard = min((last.record, last.received_at), (id_, received_at))
            freed[-1] = last._replace(last=seq, record=first_heard[0], received_at=first_heard[1])
        else:
            freed.append(FreedRow(site, device, boot, seq, seq, id_, received_at))
    return freed
