"""The SQLite schema, as the steps that lead to it. A step that has been released is never changed."""

from __future__ import annotations

from typing import Final

OF_LOSSES: Final = """type = 'status' AND instr(body, '"lost"') > 0"""
"""The facts that tell of records which a device has lost, among very many that do not."""

STEPS: Final = (
    """
    CREATE TABLE commits (
        number INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        hash BLOB NOT NULL
    );
    CREATE TABLE plans (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        site TEXT NOT NULL, version INTEGER NOT NULL, holds_from INTEGER NOT NULL, created_at INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (site, version)
    );
    CREATE TABLE facts (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        site TEXT NOT NULL, device TEXT NOT NULL, boot TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
        occurred_at INTEGER NOT NULL, received_at INTEGER NOT NULL, uncertainty INTEGER NOT NULL,
        clock_error INTEGER, body BLOB NOT NULL
    );
    CREATE UNIQUE INDEX facts_key ON facts (site, device, boot, seq);
    CREATE INDEX facts_by_time ON facts (site, occurred_at);
    CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        site TEXT NOT NULL, occurrence TEXT NOT NULL, track TEXT NOT NULL, kind TEXT NOT NULL,
        opens_at INTEGER NOT NULL, due_at INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        at INTEGER NOT NULL, verdict TEXT NOT NULL, code TEXT NOT NULL, body BLOB NOT NULL
    );
    CREATE TABLE occurrences (
        site TEXT NOT NULL, occurrence TEXT NOT NULL, track TEXT NOT NULL, kind TEXT NOT NULL,
        opens_at INTEGER NOT NULL, due_at INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        at INTEGER NOT NULL, verdict TEXT NOT NULL, code TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (site, occurrence)
    ) WITHOUT ROWID;
    CREATE INDEX occurrences_by_time ON occurrences (site, kind, opens_at);
    CREATE TABLE alert_changes (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        alert TEXT NOT NULL, site TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, opened_at INTEGER NOT NULL,
        closed_at INTEGER, body BLOB NOT NULL
    );
    CREATE TABLE alerts (
        alert TEXT PRIMARY KEY, site TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, opened_at INTEGER NOT NULL,
        closed_at INTEGER, body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alerts_by_site ON alerts (site, opened_at);
    CREATE INDEX alerts_live ON alerts (site, state) WHERE closed_at IS NULL;
    CREATE TABLE device_states (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        site TEXT NOT NULL, device TEXT NOT NULL, at INTEGER NOT NULL, online INTEGER NOT NULL
    );
    CREATE INDEX device_states_latest ON device_states (site, device, id);
    CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY,
        topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
        site TEXT, device TEXT, boot TEXT, seq INTEGER,
        fingerprint BLOB NOT NULL UNIQUE,
        times INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, cleared_at INTEGER
    );
    CREATE INDEX quarantine_by_boot ON quarantine (site, device, boot, seq) WHERE seq IS NOT NULL;
    CREATE TABLE series (
        site TEXT NOT NULL, measurement TEXT NOT NULL, hour INTEGER NOT NULL, what TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (site, measurement, hour, what)
    ) WITHOUT ROWID;
    """
    + "".join(
        f"""
    CREATE TRIGGER {table}_never_{change.lower()} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, 'records of {table} are never changed or deleted'); END;
    """
        for table in ("facts", "verdicts", "alert_changes", "device_states", "plans", "commits")
        for change in ("UPDATE", "DELETE")
    ),
    """
    CREATE TABLE actions (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        site TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, origin TEXT NOT NULL, what TEXT NOT NULL,
        target TEXT NOT NULL, body BLOB NOT NULL
    );
    CREATE INDEX actions_by_time ON actions (site, at);
    CREATE TABLE blind (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        since INTEGER NOT NULL, until INTEGER NOT NULL, cause TEXT NOT NULL
    );
    CREATE TABLE signs (
        name TEXT PRIMARY KEY, at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL,
        key TEXT NOT NULL UNIQUE, site TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
        recipients TEXT NOT NULL, alert TEXT, body BLOB NOT NULL
    );
    CREATE INDEX notices_by_site ON notices (site, id);
    CREATE TABLE deliveries (
        notice TEXT NOT NULL, number INTEGER NOT NULL, site TEXT NOT NULL, alert TEXT,
        channel TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, attempts INTEGER NOT NULL,
        next_at INTEGER, last_error TEXT, delivered_at INTEGER,
        PRIMARY KEY (notice, channel)
    ) WITHOUT ROWID;
    CREATE INDEX deliveries_by_number ON deliveries (number);
    CREATE INDEX deliveries_by_alert ON deliveries (alert) WHERE alert IS NOT NULL;
    CREATE INDEX deliveries_waiting ON deliveries (number) WHERE state = 'waiting';
    CREATE INDEX deliveries_by_channel ON deliveries (channel, state);
    """
    f"""
    CREATE INDEX facts_of_losses ON facts (site, occurred_at) WHERE {OF_LOSSES};
    CREATE INDEX facts_signed ON facts (site, occurred_at) WHERE type = 'signature';
    """
    + "".join(
        f"""
    CREATE TRIGGER {table}_never_{change.lower()} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, 'records of {table} are never changed or deleted'); END;
    """
        for table in ("actions", "blind", "notices")
        for change in ("UPDATE", "DELETE")
    ),
    """
    ALTER TABLE facts ADD COLUMN tap TEXT;
    CREATE INDEX facts_tapped ON facts (site, tap) WHERE tap IS NOT NULL;
    CREATE INDEX actions_by_what ON actions (site, what, at);
    """,
    """
    CREATE TABLE purged (
        act INTEGER NOT NULL, tbl TEXT NOT NULL, commit_no INTEGER NOT NULL, record INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (tbl, commit_no, record)
    ) WITHOUT ROWID;
    CREATE INDEX purged_by_act ON purged (act);
    CREATE TABLE freed (
        site TEXT NOT NULL, device TEXT NOT NULL, boot TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, record INTEGER NOT NULL, received_at INTEGER NOT NULL,
        PRIMARY KEY (site, device, boot, first)
    ) WITHOUT ROWID;
    CREATE INDEX freed_by_record ON freed (record);
    """
    + "".join(
        f"""
    CREATE TRIGGER {table}_never_{change.lower()} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, 'records of {table} are never changed or deleted'); END;
    """
        for table in ("purged", "freed")
        for change in ("UPDATE", "DELETE")
    )
    + "".join(
        f"""
    DROP TRIGGER {table}_never_delete;
    CREATE TRIGGER {table}_only_purged BEFORE DELETE ON {table} WHEN NOT EXISTS
        (SELECT 1 FROM purged WHERE tbl = '{table}' AND commit_no = OLD.commit_no AND record = OLD.id)
        BEGIN SELECT RAISE(ABORT, 'records of {table} are never changed or deleted'); END;
    """
        for table in ("facts", "verdicts", "alert_changes", "device_states", "actions", "notices")
    ),
)

CHAINED: Final = {
    "facts": "site, device, boot, seq, type, occurred_at, received_at, uncertainty, clock_error, body, tap",
    "verdicts": "site, occurrence, track, kind, opens_at, due_at, ordinal, at, verdict, code, body",
    "alert_changes": "alert, site, number, kind, subject, state, at, opened_at, closed_at, body",
    "notices": "key, site, at, kind, recipients, alert, body",
    "device_states": "site, device, at, online",
    "plans": "site, version, holds_from, created_at, body",
    "actions": "site, at, by, origin, what, target, body",
    "blind": "since, until, cause",
}
"""The tables whose records the hash chain covers, in the order within a commit, and what of them it covers."""

LATER_COLUMNS: Final = {"facts": 1}
"""How many of the last columns came in a later step. Where they hold nothing the chain does not cover them: so what
was written before them has the hash that it had."""
