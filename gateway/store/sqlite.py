"""The embedded store: SQLite in WAL mode, one writer thread, every commit flushed to the disk.

Measured (docs/decisions/0002-store.md): one thread with the plain driver and group commit writes several times what
an ORM does; checkpoints run beside it on a connection of their own, because inside a commit they cost its p99.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from gateway.domain.verdicts import finding_codes
from gateway.store.chain import GENESIS, digest, link
from gateway.store.port import (
    FOREVER,
    ActionRow,
    BlindRow,
    BootRow,
    Commit,
    DeliveryRow,
    FactRow,
    Fault,
    Json,
    Known,
    NoticeRow,
    PlanRow,
    Refused,
    RefusedRow,
    StateRow,
    StoreError,
)
from gateway.store.schema import CHAINED, OF_LOSSES, STEPS

T = TypeVar("T")

HOUR_MS: Final = 3_600_000
_CHECKPOINT_EVERY: Final = 4000
"""Rows written between two checkpoints of the write-ahead log; 4,000 rows are about 4 MB of it."""

_KEPT_PAYLOAD: Final = 1 << 20
"""How much of a refused payload is kept (bytes): all of any that could be taken in again."""

_NO_FINDINGS: Final = b'"findings":[]'
"""What most occurrences say, so that only the others have to be read for it."""

_CHUNKS: Final = (256, 32, 4, 1)
"""How many rows one statement inserts: few sizes, so that the driver keeps each prepared."""


class SqliteStore:
    """A `Store` in one file. Open it with `SqliteStore.open`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = ThreadPoolExecutor(1, "store-writer")
        self._reading = ThreadPoolExecutor(2, "store-reader")
        self._checkpointing = ThreadPoolExecutor(1, "store-checkpoint")
        self._readers = threading.local()
        self._open_connections: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection
        self._head = (0, GENESIS)
        self._unchecked = 0

    @classmethod
    async def open(cls, path: Path) -> SqliteStore:
        """Open the file, making and upgrading it as needed. Raises `StoreError` when that cannot be done."""
        store = cls(path)
        try:
            await store._in(store._writing, store._prepare)
        except BaseException:
            await store.close()
            raise
        return store

    def _prepare(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._writer.execute("PRAGMA wal_autocheckpoint=0")
            self._upgrade()
            found = self._writer.execute(
                "SELECT number, hash FROM commits ORDER BY number DESC LIMIT 1"
            ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the database {self._path}: {error}") from error
        if found:
            self._head = (found[0], found[1])

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._open_connections.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=10000")
        return connection

    def _upgrade(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(STEPS):
            raise StoreError(
                f"the database {self._path} has schema version {version}, newer than this program's {len(STEPS)}: "
                "run the version of patrol-gateway that wrote it, or a later one"
            )
        for number in range(version, len(STEPS)):
            self._writer.executescript(f"BEGIN; {STEPS[number]}; PRAGMA user_version={number + 1}; COMMIT;")

    # -- writing --------------------------------------------------------------------------------------------

    async def commit(self, commit: Commit) -> None:
        await self._in(self._writing, lambda: self._write(commit))

    def _write(self, commit: Commit) -> None:
        try:
            self._write_once(commit)
        except sqlite3.IntegrityError:
            # A fact or a notice is there already: another process wrote it, or a caller sent it twice. Keep the first.
            self._drop_known_facts(commit)
            self._drop_known_notices(commit)
            self._write_once(commit)
        if self._unchecked >= _CHECKPOINT_EVERY:
            self._unchecked = 0
            self._checkpointing.submit(self._checkpoint)

    def _write_once(self, commit: Commit) -> None:
        run = self._writer.execute
        number = self._head[0] + 1
        chained: dict[str, Sequence[tuple[Any, ...]]] = {
            "facts": commit.facts,
            "verdicts": commit.verdicts,
            "alert_changes": commit.alerts,
            "notices": commit.notices,
            "device_states": [(s.site, s.device, s.at, int(s.online)) for s in commit.states],
            "plans": commit.plans,
            "actions": commit.actions,
            "blind": commit.blind,
        }
        digests = [digest(table.encode(), tuple(row)) for table, rows in chained.items() for row in rows]
        head = self._head
        run("BEGIN IMMEDIATE")
        try:
            for table, rows in chained.items():
                self._insert(f"{table} (commit_no, {CHAINED[table]})", [(number, *row) for row in rows])
            if digests:
                head = (number, link(head[1], number, commit.at, digests))
                run("INSERT INTO commits (number, at, hash) VALUES (?, ?, ?)", (number, commit.at, head[1]))
            self._write_latest(commit)
            self._write_quarantine(commit)
            run("INSERT OR REPLACE INTO signs (name, at) VALUES ('alive', ?)", (commit.at,))
            run("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                run("ROLLBACK")
            raise
        self._head = head
        self._unchecked += len(digests) + len(commit.refused)

    def _insert(self, into: str, rows: Sequence[tuple[Any, ...]], conflict: str = "") -> None:
        """Insert many rows with few statements.

        The driver lets go of the interpreter's lock for each step of a statement. With a step for each row the
        writer would wait for the engine a thousand times in a commit, up to 5 ms each.
        """
        start = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                places = f"({', '.join('?' * len(rows[0]))})"
                sql = f"INSERT INTO {into} VALUES {', '.join([places] * size)} {conflict}"
                self._writer.execute(sql, [value for row in rows[start : start + size] for value in row])
                start += size

    def _write_latest(self, commit: Commit) -> None:
        """What is derived from the records: the latest state of things, and the hourly counts."""
        run_many = self._writer.executemany
        if commit.verdicts:
            run_many(
                "INSERT OR REPLACE INTO occurrences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", commit.verdicts
            )
        if commit.alerts:
            run_many("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", commit.alerts)
        if commit.commands:
            run_many("INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?, ?, ?, ?)", commit.commands)
        counts = Counter(
            (row.site, row.type, row.received_at // HOUR_MS * HOUR_MS, row.device) for row in commit.facts
        )
        counts.update(
            (row.site or "", "quarantine", row.received_at // HOUR_MS * HOUR_MS, row.reason)
            for row in commit.refused
        )
        rows = [(*key, count) for key, count in counts.items()]
        self._insert("series", rows, "ON CONFLICT DO UPDATE SET count = count + excluded.count")

    def _write_quarantine(self, commit: Commit) -> None:
        entries: dict[bytes, list[RefusedRow]] = {}
        for row in commit.refused:
            fingerprint = sha256(f"{row.reason}|{row.topic}|".encode() + row.payload).digest()
            entries.setdefault(fingerprint, []).append(row)
        if entries:
            self._writer.executemany(
                "INSERT INTO quarantine (topic, payload, reason, detail, site, device, boot, seq, fingerprint, times, "
                "first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE "
                "SET times = times + excluded.times, last_at = excluded.last_at, cleared_at = NULL",
                [
                    (
                        row.topic,
                        row.payload[:_KEPT_PAYLOAD],
                        row.reason,
                        row.detail,
                        row.site,
                        row.device,
                        row.boot,
                        row.seq,
                        fingerprint,
                        len(rows),
                        row.received_at,
                        rows[-1].received_at,
                    )
                    for fingerprint, rows in entries.items()
                    for row in rows[:1]
                ],
            )
        if commit.cleared:
            self._writer.executemany(
                "UPDATE quarantine SET cleared_at = ? WHERE id = ?",
                [(commit.at, entry) for entry in commit.cleared],
            )

    def _drop_known_facts(self, commit: Commit) -> None:
        seen: set[tuple[str, str, str, int]] = set()
        fresh: list[FactRow] = []
        for row in commit.facts:
            key = (row.site, row.device, row.boot, row.seq)
            query = "SELECT 1 FROM facts WHERE site = ? AND device = ? AND boot = ? AND seq = ?"
            if key not in seen and not self._writer.execute(query, key).fetchone():
                fresh.append(row)
            seen.add(key)
        commit.facts[:] = fresh

    def _drop_known_notices(self, commit: Commit) -> None:
        known = "SELECT 1 FROM notices WHERE key = ?"
        fresh = {row.key: row for row in reversed(commit.notices)}
        commit.notices[:] = [
            row
            for row in commit.notices
            if fresh[row.key] is row and not self._writer.execute(known, (row.key,)).fetchone()
        ]

    async def write_deliveries(self, rows: Sequence[DeliveryRow]) -> None:
        await self._in(self._writing, lambda: self._write_deliveries(rows))

    def _write_deliveries(self, rows: Sequence[DeliveryRow]) -> None:
        run = self._writer.execute
        run("BEGIN IMMEDIATE")
        try:
            self._writer.executemany(
                "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            run("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                run("ROLLBACK")
            raise

    def _checkpoint(self) -> None:
        connection = self._reader()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    # -- reading --------------------------------------------------------------------------------------------

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = self._connect()
        return connection

    async def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await self._in(self._reading, lambda: self._reader().execute(sql, values).fetchall())

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
        values.append(-1 if limit is None else limit)
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

    async def received(self, site: str, device: str, boot: str) -> list[int]:
        rows = await self._query(
            "SELECT seq FROM facts WHERE site = ? AND device = ? AND boot = ? ORDER BY seq",
            (site, device, boot),
        )
        return [row[0] for row in rows]

    async def boots(self) -> list[BootRow]:
        rows = await self._query(
            "SELECT site, device, boot, records, high, (SELECT received_at FROM facts WHERE id = first) FROM "
            "(SELECT site, device, boot, count(*) AS records, max(seq) AS high, min(id) AS first FROM facts "
            "GROUP BY site, device, boot) ORDER BY first"
        )
        refused = await self._query(
            "SELECT site, device, boot, 0, 0, min(first_at) FROM quarantine AS kept "
            "WHERE seq IS NOT NULL AND cleared_at IS NULL AND NOT EXISTS (SELECT 1 FROM facts WHERE "
            "site = kept.site AND device = kept.device AND boot = kept.boot) "
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
            "CASE WHEN instr(body, ?) THEN NULL ELSE body END FROM occurrences "
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
            (site, start, end, *what, -1 if limit is None else limit),
        )
        return [ActionRow(*row) for row in rows]

    async def commands(
        self,
        site: str | None = None,
        *,
        states: Sequence[str] = (),
        device: str | None = None,
        since: int = 0,
        limit: int = 500,
    ) -> list[Json]:
        where, values = ["requested_at >= ?"], [since]
        more: list[Any] = []
        for column, value in (("site", site), ("device", device)):
            if value is not None:
                where.append(f"{column} = ?")
                more.append(value)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            more += states
        rows = await self._query(
            f"SELECT body FROM commands WHERE {' AND '.join(where)} ORDER BY requested_at DESC, command LIMIT ?",
            [*values, *more, limit],
        )
        return [_json(row[0]) for row in rows]

    async def command(self, command_id: str) -> Json | None:
        rows = await self._query("SELECT body FROM commands WHERE command = ?", (command_id,))
        return _json(rows[0][0]) if rows else None

    async def blind(self, since: int) -> list[BlindRow]:
        rows = await self._query(
            f"SELECT {CHAINED['blind']} FROM blind WHERE until > ? ORDER BY since, id", (since,)
        )
        return [BlindRow(*row) for row in rows]

    async def last_sign(self) -> int | None:
        rows = await self._query(
            "SELECT max(at) FROM (SELECT at FROM signs UNION ALL SELECT at FROM commits)"
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
            f"SELECT * FROM (SELECT id, {CHAINED['notices']} FROM notices {where} ORDER BY id DESC LIMIT ?) "
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
        rows = await self._query("SELECT * FROM deliveries WHERE state = 'waiting' ORDER BY number, channel")
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
        rows = await self._query(
            "SELECT id, topic, payload, reason, detail, site, device, times, first_at, last_at, seq FROM quarantine "
            "WHERE cleared_at IS NULL AND (? IS NULL OR reason = ?) ORDER BY last_at DESC, id DESC LIMIT ?",
            (reason, reason, limit),
        )
        return [Refused(*row) for row in rows]

    async def quarantine_counts(self) -> dict[str, int]:
        rows = await self._query(
            "SELECT reason, sum(times) FROM quarantine WHERE cleared_at IS NULL GROUP BY reason ORDER BY reason"
        )
        return {row[0]: row[1] for row in rows}

    async def series(self, measurement: str, site: str, start: int, end: int) -> list[tuple[int, str, int]]:
        rows = await self._query(
            "SELECT hour, what, count FROM series WHERE site = ? AND measurement = ? AND hour >= ? AND hour < ? "
            "ORDER BY hour, what",
            (site, measurement, start // HOUR_MS * HOUR_MS, end),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def verify(self) -> tuple[int, list[Fault]]:
        return await self._in(self._reading, self._verify)

    def _verify(self) -> tuple[int, list[Fault]]:
        connection = self._reader()
        connection.execute("BEGIN")  # one view of it all, whatever is written meanwhile
        try:
            rows = {
                table: connection.execute(f"SELECT commit_no, {columns} FROM {table} ORDER BY commit_no, id")
                for table, columns in CHAINED.items()
            }
            ahead = {table: cursor.fetchone() for table, cursor in rows.items()}
            faults: list[Fault] = []
            previous, expected, count = GENESIS, 1, 0
            for number, at, hash_ in connection.execute(
                "SELECT number, at, hash FROM commits ORDER BY number"
            ):
                count += 1
                if number != expected:
                    faults.append(Fault(number, f"commit {expected} is not there"))
                digests: list[bytes] = []
                for table, cursor in rows.items():
                    while (row := ahead[table]) is not None and row[0] <= number:
                        if row[0] < number:
                            faults.append(
                                Fault(row[0], f"{table} has a record of a commit that is not there")
                            )
                        digests.append(digest(table.encode(), row[1:]))
                        ahead[table] = cursor.fetchone()
                if link(previous, number, at, digests) != hash_:
                    faults.append(Fault(number, "its records are not those that were written"))
                previous, expected = hash_, number + 1
            faults += [
                Fault(row[0], f"{table} has a record of a commit that is not there")
                for table, row in ahead.items()
                if row is not None
            ]
            faults += self._shown_otherwise(connection)
            return count, faults
        finally:
            connection.execute("COMMIT")

    @staticmethod
    def _shown_otherwise(connection: sqlite3.Connection) -> list[Fault]:
        """Where what is shown of an occurrence or an alert is not what was written of it last."""
        faults: list[Fault] = []
        for shown, written, key in (
            ("occurrences", "verdicts", "site, occurrence"),
            ("alerts", "alert_changes", "alert"),
        ):
            columns = CHAINED[written]
            last = f"SELECT max(id) FROM {written} GROUP BY {key}"
            said = f"SELECT {columns} FROM {written} WHERE id IN ({last})"
            found = connection.execute(
                f"SELECT * FROM (SELECT {columns} FROM {shown} EXCEPT {said}) UNION ALL "
                f"SELECT * FROM ({said} EXCEPT SELECT {columns} FROM {shown})"
            )
            names = [column.strip() for column in columns.split(",")]
            places = [names.index(column.strip()) for column in key.split(",")]
            different = dict.fromkeys(tuple(row[place] for place in places) for row in found)
            where = " AND ".join(f"{column.strip()} = ?" for column in key.split(","))
            for values in different:
                number = connection.execute(
                    f"SELECT coalesce(max(commit_no), 0) FROM {written} WHERE {where}", values
                ).fetchone()[0]
                faults.append(Fault(number, f"{shown}: {values[-1]} is not shown as it was written"))
        # A command is shown as the last act of it says.
        acts = "FROM actions WHERE what LIKE 'command\\_%' ESCAPE '\\'"
        shown = "SELECT site, command, body FROM commands"
        said = f"SELECT site, target, body FROM actions WHERE id IN (SELECT max(id) {acts} GROUP BY target)"
        query = (
            f"SELECT command FROM ({shown} EXCEPT {said}) UNION SELECT target FROM ({said} EXCEPT {shown})"
        )
        for (command,) in connection.execute(query).fetchall():
            number = connection.execute(
                f"SELECT coalesce(max(commit_no), 0) {acts} AND target = ?", (command,)
            ).fetchone()[0]
            faults.append(Fault(number, f"commands: {command} is not shown as it was written"))
        return faults

    # -- threads --------------------------------------------------------------------------------------------

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except sqlite3.Error as error:
            raise StoreError(f"the database {self._path}: {error}") from error

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for pool in (self._writing, self._checkpointing, self._reading):
            await loop.run_in_executor(None, pool.shutdown)
        for connection in self._open_connections:
            connection.close()


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
