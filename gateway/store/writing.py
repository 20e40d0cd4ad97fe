"""What a commit writes, row by row, whatever database it goes to: the records, their hash, and what is derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from gateway.store.chain import GENESIS, covered, digest, link
from gateway.store.port import Commit, RefusedRow
from gateway.store.schema import CHAINED, LATER_COLUMNS
from gateway.store.tables import tables

HOUR_MS: Final = 3_600_000

_KEPT_PAYLOAD: Final = 1 << 20
"""How much of a refused payload is kept (bytes): all of any that could be taken in again."""

CLEAR: Final = "UPDATE quarantine SET cleared_at = ? WHERE id = ?"


_PURGED: Final = "(SELECT record FROM purged WHERE act = ? AND tbl = ?)"

_SHOWN_OF: Final = {
    # What is shown of a thing goes with the last that was written of it.
    "verdicts": (
        "DELETE FROM occurrences WHERE (site, occurrence, at, body) IN "
        f"(SELECT site, occurrence, at, body FROM verdicts WHERE id IN {_PURGED})",
    ),
    "alert_changes": (
        "DELETE FROM alerts WHERE (alert, at, body) IN "
        f"(SELECT alert, at, body FROM alert_changes WHERE id IN {_PURGED})",
    ),
    "notices": (f"DELETE FROM deliveries WHERE notice IN (SELECT key FROM notices WHERE id IN {_PURGED})",),
}
"""What is removed before the records of a table."""


class Head(NamedTuple):
    """The last link of the chain."""

    number: int = 0
    hash: bytes = GENESIS


class Rows(NamedTuple):
    """Rows for one table. Without `conflict` they are new; with it no two of them have the same key."""

    table: str
    columns: str
    rows: Sequence[tuple[Any, ...]]
    conflict: str = ""


class Written(NamedTuple):
    """What one transaction writes."""

    head: Head
    """The last link afterwards: a new one, or the one before where there is nothing to chain."""
    rows: list[Rows]
    cleared: list[tuple[int, int]]
    """For `CLEAR`."""
    removals: list[tuple[str, tuple[Any, ...]]]
    """Statements that remove records whose digests are among the rows."""


def digest_of(table: str, values: tuple[Any, ...]) -> bytes:
    """The digest of a record of a table, its columns in the order of `CHAINED`."""
    return digest(table.encode(), covered(values, LATER_COLUMNS.get(table, 0)))


def written(commit: Commit, head: Head) -> Written:
    """What a commit on top of `head` writes."""
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
    number = head.number + 1
    digests = [digest_of(table, tuple(row)) for table, rows in chained.items() for row in rows]
    found = [
        Rows(table, f"commit_no, {CHAINED[table]}", [(number, *row) for row in rows])
        for table, rows in chained.items()
    ]
    if digests:
        head = Head(number, link(head.hash, number, commit.at, digests))
        found.append(Rows("commits", "number, at, hash", [(number, commit.at, head.hash)]))
    found += [
        replacing("occurrences", list({(row.site, row.occurrence): row for row in commit.verdicts}.values())),
        replacing("alerts", list({row.id: row for row in commit.alerts}.values())),
        _series(commit),
        _quarantine(commit),
        Rows("purged", "act, tbl, commit_no, record, digest", [(number, *row) for row in commit.purged]),
        Rows("freed", tables()["freed"].all_columns, commit.freed),
        replacing("signs", [("alive", commit.at)]),
    ]
    return Written(
        head,
        [each for each in found if each.rows],
        [(commit.at, entry) for entry in commit.cleared],
        [
            (removal, (number, table))
            for table in sorted({row.table for row in commit.purged})
            for removal in (*_SHOWN_OF.get(table, ()), f"DELETE FROM {table} WHERE id IN {_PURGED}")
        ],
    )


def replacing(table: str, rows: Sequence[tuple[Any, ...]]) -> Rows:
    """Whole rows, each in the place of the one with its key."""
    return Rows(table, tables()[table].all_columns, rows, tables()[table].replacing)


def _series(commit: Commit) -> Rows:
    """The hourly counts."""
    counts = Counter(
        (row.site, row.type, row.received_at // HOUR_MS * HOUR_MS, row.device) for row in commit.facts
    )
    counts.update(
        (row.site or "", "quarantine", row.received_at // HOUR_MS * HOUR_MS, row.reason)
        for row in commit.refused
    )
    rows = [(*key, count) for key, count in counts.items()]
    more = "ON CONFLICT (site, measurement, hour, what) DO UPDATE SET count = series.count + excluded.count"
    return Rows("series", "site, measurement, hour, what, count", rows, more)


def _quarantine(commit: Commit) -> Rows:
    """What was refused: the same thing refused again counts up."""
    entries: dict[bytes, list[RefusedRow]] = {}
    for row in commit.refused:
        fingerprint = sha256(f"{row.reason}|{row.topic}|".encode() + row.payload).digest()
        entries.setdefault(fingerprint, []).append(row)
    return Rows(
        "quarantine",
        "topic, payload, reason, detail, site, device, boot, seq, fingerprint, times, first_at, last_at",
        [
            (
                rows[0].topic,
                rows[0].payload[:_KEPT_PAYLOAD],
                rows[0].reason,
                rows[0].detail,
                rows[0].site,
                rows[0].device,
                rows[0].boot,
                rows[0].seq,
                fingerprint,
                len(rows),
                rows[0].received_at,
                rows[-1].received_at,
            )
            for fingerprint, rows in entries.items()
        ],
        "ON CONFLICT (fingerprint) DO UPDATE SET times = quarantine.times + excluded.times, "
        "last_at = excluded.last_at, cleared_at = NULL",
    )
