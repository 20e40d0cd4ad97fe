"""What is asked of a store, as SQL that every database here understands. `?` stands for a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.domain.verdicts import finding_codes
from gateway.store.port import (
    FOREVER,
    ActionRow,
    BlindRow,
    BootRow,
    DeliveryRow,
    FactRow,
    Json,
    Known,
    NoticeRow,
    PlanRow,
    Refused,
    StateRow,
)
from gateway.store.schema import CHAINED, OF_LOSSES
from gateway.store.tables import tables
from gateway.store.writing import HOUR_MS

_NO_FINDINGS: Final = b'"findings":[]'
"""What most occurrences say, so that only the others have to be read for it."""


class Reading(ABC):
    """The reading half of a `Store`; each kind of store runs the queries in its own way."""

    @abstractmethod
    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    async def last_commit_at(self) -> int:
        rows = await self._query("SELECT at FROM commits ORDER BY number DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    async def plans(self) -> list[PlanRow]:
        rows = await self._query(f"SELECT {CHAINED['plans']} FROM plans ORDER BY site, version")
        return [PlanRow(*row) for row in rows]

    async def facts(
        self,
        site: str,
        start: int,
        end: int,
        *,
        type: str | None = None,
        device: str | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[tuple[int, FactRow]]:
        where = ["site = ?", "occurred_at >= ?", "occurred_at < ?"]
        values: list[Any] = [site, start, end]
        if type == "signature":
            where.append("type = 'signature'")  # spelled out, or the index of signatures is not used
        elif type is not None:
            where.append("type = ?")
            values.append(type)
        if device is not None:
            where.append("device = ?")
            values.append(device)
        if after is not None:
            where.append("(occurred_at, id) > (?, ?)")
            values += after
        values.append(FOREVER if limit is None else limit)
        rows = await self._query(
            f"SELECT id, {CHAINED['facts']} FROM facts WHERE {' AND '.join(where)} "
            "ORDER BY occurred_at, id LIMIT ?",
            values,
        )
        return [(row[0], FactRow(*row[1:])) for row in rows]

    async def losses(self, site: str) -> list[FactRow]:
        rows = await self._query(
            f"SELECT {CHAINED['facts']} FROM facts WHERE site = ? AND {OF_LOSSES} ORDER BY occurred_at, id",
            (site,),
        )
        return [FactRow(*row) for row in rows]

    async def received_since(self, at: int) -> list[FactRow]:
        rows = await self._query(
            f"SELECT {CHAINED['facts']} FROM facts WHERE id > coalesce("
            "(SELECT id FROM facts WHERE received_at < ? ORDER BY id DESC LIMIT 1), 0) ORDER BY id",
            (at,),
        )
        return [FactRow(*row) for row in rows]

    async def last_taps(self, site: str, before: int) -> list[FactRow]:
        # A tap begins with the UID (14) and the counter (8), so that the highest is the last by its letters.
        tapped = "FROM facts WHERE site = ? AND tap IS NOT NULL AND occurred_at < ?"
        rows = await self._query(
            f"SELECT {CHAINED['facts']} {tapped} AND substr(tap, 1, 23) IN "
            f"(SELECT max(substr(tap, 1, 23)) {tapped} GROUP BY substr(tap, 1, 14)) "
            "ORDER BY occurred_at, device, boot, seq",
            (site, before, site, before),
        )
        first: dict[str, FactRow] = {}
        for row in map(FactRow._make, rows):
            first.setdefault((row.tap or "")[:14], row)
        return list(first.values())

    async def received(self, site: str, device: str, boot: str) -> list[int]:
        rows = await self._query(
            "SELECT seq FROM facts WHERE site = ? AND device = ? AND boot = ? ORDER BY seq",
            (site, device, boot),
        )
        freed = await self._query(
            "SELECT first, last FROM freed WHERE site = ? AND device = ? AND boot = ?", (site, device, boot)
        )
        if not freed:
            return [row[0] for row in rows]
        return sorted(
            [row[0] for row in rows] + [seq for first, last in freed for seq in range(first, last + 1)]
        )

    async def boots(self) -> list[BootRow]:
        rows = await self._query(
            "SELECT site, device, boot, records, high, coalesce((SELECT received_at FROM facts WHERE id = began), "
            "(SELECT min(received_at) FROM freed WHERE record = began)) FROM "
            "(SELECT site, device, boot, CAST(sum(records) AS BIGINT) AS records, max(high) AS high, "
            "min(began) AS began FROM "
            "(SELECT site, device, boot, count(*) AS records, max(seq) AS high, min(id) AS began FROM facts "
            "GROUP BY site, device, boot UNION ALL "
            "SELECT site, device, boot, last - first + 1, last, record FROM freed) AS runs "
            "GROUP BY site, device, boot) AS boots ORDER BY began"
        )
        refused = await self._query(
            "SELECT site, device, boot, 0, 0, min(first_at) FROM quarantine AS kept "
            "WHERE seq IS NOT NULL AND cleared_at IS NULL AND NOT EXISTS (SELECT 1 FROM facts WHERE "
            "site = kept.site AND device = kept.device AND boot = kept.boot) AND NOT EXISTS (SELECT 1 FROM freed "
            "WHERE site = kept.site AND device = kept.device AND boot = kept.boot) "
            "GROUP BY site, device, boot ORDER BY min(id)"
        )
        for boot in refused:
            # Facts and refusals are counted apart: between them only the time tells which was first.
            later = (place for place, row in enumerate(rows) if row[:2] == boot[:2] and row[5] > boot[5])
            rows.insert(next(later, len(rows)), boot)
        return [BootRow(*row[:5]) for row in rows]

    async def refused_seqs(self) -> list[tuple[str, str, str, int]]:
        rows = await self._query(
            "SELECT site, device, boot, seq FROM quarantine WHERE seq IS NOT NULL AND cleared_at IS NULL"
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def known(self, site: str, since: int, *, kind: str | None = None) -> list[Known]:
        of_kind = ("", ()) if kind is None else (" AND kind = ?", (kind,))
        rows = await self._query(
            "SELECT track, opens_at, ordinal, verdict, code, "
            "CASE WHEN instr(body, ?) > 0 THEN NULL ELSE body END FROM occurrences "
            f"WHERE site = ?{of_kind[0]} "
            "AND opens_at >= ? AND verdict <> 'superseded' AND (verdict <> 'open' OR code = 'no_answer')",
            (_NO_FINDINGS, site, *of_kind[1], since),
        )
        return [Known(*(*row[:5], _finding_codes(row[5]))) for row in rows]

    async def occurrence(self, site: str, occurrence: str) -> Json | None:
        rows = await self._query(
            "SELECT body FROM occurrences WHERE site = ? AND occurrence = ? AND verdict <> 'superseded'",
            (site, occurrence),
        )
        return _json(rows[0][0]) if rows else None

    async def occurrences(self, site: str, kind: str, start: int, end: int) -> list[Json]:
        rows = await self._query(
            "SELECT body FROM occurrences WHERE site = ? AND kind = ? AND opens_at < ? AND due_at >= ? "
            "AND verdict <> 'superseded' ORDER BY opens_at, occurrence",
            (site, kind, end, start),
        )
        return [_json(row[0]) for row in rows]

    async def alerts(
        self, site: str | None = None, states: Sequence[str] = (), since: int = 0, limit: int = 500
    ) -> list[Json]:
        where, values = ["(closed_at IS NULL OR closed_at >= ?)"], [since]
        more: list[Any] = []
        if site is not None:
            where.append("site = ?")
            more.append(site)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            more += states
        rows = await self._query(
            f"SELECT body FROM alerts WHERE {' AND '.join(where)} ORDER BY opened_at DESC, number DESC LIMIT ?",
            [*values, *more, limit],
        )
        return [_json(row[0]) for row in rows]

    async def alert(self, alert_id: str) -> Json | None:
        rows = await self._query("SELECT body FROM alerts WHERE alert = ?", (alert_id,))
        return _json(rows[0][0]) if rows else None

    async def last_alert(self, site: str) -> int:
        rows = await self._query("SELECT coalesce(max(number), 0) FROM alerts WHERE site = ?", (site,))
        return int(rows[0][0])

    async def actions(
        self,
        site: str,
        start: int = 0,
        end: int = FOREVER,
        *,
        what: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[ActionRow]:
        only = f"AND what IN ({', '.join('?' * len(what))}) " if what else ""
        rows = await self._query(
            f"SELECT {CHAINED['actions']} FROM actions WHERE site = ? AND at >= ? AND at < ? {only}"
            "ORDER BY at DESC, id DESC LIMIT ?",
            (site, start, end, *what, FOREVER if limit is None else limit),
        )
        return [ActionRow(*row) for row in rows]

    async def blind(self, since: int) -> list[BlindRow]:
        rows = await self._query(
            f"SELECT {CHAINED['blind']} FROM blind WHERE until > ? ORDER BY since, id", (since,)
        )
        return [BlindRow(*row) for row in rows]

    async def last_sign(self) -> int | None:
        rows = await self._query(
            "SELECT max(at) FROM (SELECT at FROM signs UNION ALL SELECT at FROM commits) AS every"
        )
        return None if rows[0][0] is None else int(rows[0][0])

    async def notices_after(self, number: int, limit: int) -> list[tuple[int, NoticeRow]]:
        rows = await self._query(
            f"SELECT id, {CHAINED['notices']} FROM notices WHERE id > ? ORDER BY id LIMIT ?", (number, limit)
        )
        return [(row[0], NoticeRow(*row[1:])) for row in rows]

    async def notice(self, key: str) -> NoticeRow | None:
        rows = await self._query(f"SELECT {CHAINED['notices']} FROM notices WHERE key = ?", (key,))
        return NoticeRow(*rows[0]) if rows else None

    async def notices(
        self, site: str | None = None, limit: int = 200
    ) -> list[tuple[NoticeRow, list[DeliveryRow]]]:
        where, values = ("WHERE site = ?", [site]) if site is not None else ("", [])
        rows = await self._query(
            f"SELECT * FROM (SELECT id, {CHAINED['notices']} FROM notices {where} ORDER BY id DESC LIMIT ?) AS n "
            "LEFT JOIN deliveries ON notice = key ORDER BY id DESC, deliveries.channel",
            [*values, limit],
        )
        found: dict[int, tuple[NoticeRow, list[DeliveryRow]]] = {}
        for row in rows:
            _, deliveries = found.setdefault(row[0], (NoticeRow(*row[1:8]), []))
            if row[8] is not None:
                deliveries.append(DeliveryRow(*row[8:]))
        return list(found.values())

    async def last_delivery(self) -> int:
        rows = await self._query("SELECT coalesce(max(number), 0) FROM deliveries")
        return int(rows[0][0])

    async def waiting_deliveries(self) -> list[DeliveryRow]:
        columns = tables()["deliveries"].all_columns
        rows = await self._query(
            f"SELECT {columns} FROM deliveries WHERE state = 'waiting' ORDER BY number, channel"
        )
        return [DeliveryRow(*row) for row in rows]

    async def was_told(self, channel: str, alert: str) -> bool:
        rows = await self._query(
            "SELECT 1 FROM deliveries WHERE alert = ? AND channel = ? AND state = 'delivered' LIMIT 1",
            (alert, channel),
        )
        return bool(rows)

    async def delivery_counts(self) -> dict[tuple[str, str], int]:
        rows = await self._query("SELECT channel, state, count(*) FROM deliveries GROUP BY channel, state")
        return {(row[0], row[1]): row[2] for row in rows}

    async def device_states(self, site: str) -> list[StateRow]:
        rows = await self._query(
            "SELECT site, device, at, online FROM device_states WHERE id IN "
            "(SELECT max(id) FROM device_states WHERE site = ? GROUP BY device)",
            (site,),
        )
        return [StateRow(row[0], row[1], row[2], bool(row[3])) for row in rows]

    async def quarantine(self, reason: str | None = None, limit: int = 200) -> list[Refused]:
        only = ("", ()) if reason is None else (" AND reason = ?", (reason,))
        rows = await self._query(
            "SELECT id, topic, payload, reason, detail, site, device, times, first_at, last_at, seq FROM quarantine "
            f"WHERE cleared_at IS NULL{only[0]} ORDER BY last_at DESC, id DESC LIMIT ?",
            (*only[1], limit),
        )
        return [Refused(*row) for row in rows]

    async def quarantine_counts(self) -> dict[str, int]:
        rows = await self._query(
            "SELECT reason, sum(times) FROM quarantine WHERE cleared_at IS NULL GROUP BY reason ORDER BY reason"
        )
        return {row[0]: int(row[1]) for row in rows}

    async def series(self, measurement: str, site: str, start: int, end: int) -> list[tuple[int, str, int]]:
        rows = await self._query(
            "SELECT hour, what, count FROM series WHERE site = ? AND measurement = ? AND hour >= ? AND hour < ? "
            "ORDER BY hour, what",
            (site, measurement, start // HOUR_MS * HOUR_MS, end),
        )
        return [(row[0], row[1], row[2]) for row in rows]


class _Found(msgspec.Struct):
    code: str


class _Body(msgspec.Struct):
    findings: list[_Found] = []


_decode_body: Final = msgspec.json.Decoder(_Body).decode


def _finding_codes(body: bytes | None) -> str:
    return "" if body is None else finding_codes(found.code for found in _decode_body(body).findings)


def _json(body: bytes) -> Json:
    shape: Json = msgspec.json.decode(body)
    return shape
