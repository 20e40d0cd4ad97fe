"""A desk: everything that the service holds in memory about one site. All of it is rebuilt from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.domain.alerts import KEEP_CLOSED_MS, Alert
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import AnyFact, Scan
from gateway.domain.ledger.ledger import KEEP_MS
from gateway.domain.ledger.ledger import LOOK_BACK_MS as LEDGER_BACK_MS
from gateway.domain.notices import Notice
from gateway.domain.plan import Plan
from gateway.domain.silences import LONGEST_MS, Silence
from gateway.domain.verdicts import Excuse, Verdict, VerdictChange
from gateway.domain.watch import Changes, Watch
from gateway.ingest.doors import SiteDoors
from gateway.ingest.records import AnyRecord, RefusedError, decode, make_fact
from gateway.register import read_authorities, read_explanations
from gateway.shapes import alert_from_json, alert_json, notice_json, occurrence_json, silence_from_json
from gateway.store.port import ActionRow, AlertRow, Commit, FactRow, Kind, NoticeRow, Store, VerdictRow

LOOK_BACK_MS: Final = 40 * 86_400_000
"""How much of the past is read at the start: the longest common period, a month, and some days."""

WARM_UP_MS: Final = 2 * 86_400_000
"""What opens within this of the beginning of what was read is not judged again: its evidence may lie before."""

RECORDS_BACK_MS: Final = 435 * 86_400_000
"""How much of the past is read of signatures, which are few: the longest period, a year, and …"""

RECORDS_WARM_UP_MS: Final = 35 * 86_400_000
"""… what opens within this of the beginning of it is not judged again."""

_ALL: Final = 2**31

_EVERY: Final = 1_000_000_000

_encode: Final = msgspec.json.Encoder().encode


class Desk:
    """One site's plan versions, its watch, and its doors."""

    def __init__(self, plans: Sequence[Plan], watch: Watch) -> None:
        self.plans = list(plans)
        self.plan = plans[-1]
        self.site = self.plan.site
        self.watch = watch
        self.doors = SiteDoors(plans, watch.hearing)
        self.checkpoint_names = {point.id: point.name for plan in plans for point in plan.checkpoints}

    @classmethod
    async def rebuild(cls, plans: Sequence[Plan], store: Store, now: int, since: int | None = None) -> Desk:
        """The desk of a site from what is stored. `since`: what happened from then on (ms) must be judged."""
        site = plans[-1].site
        start = min(now, since if since is not None else now) - LOOK_BACK_MS
        begin = plans[0].holds_from
        judged_from = start + WARM_UP_MS if start > begin else begin
        signed_from = max(begin, start + LOOK_BACK_MS - RECORDS_BACK_MS)
        records_from = signed_from + RECORDS_WARM_UP_MS if signed_from > begin else begin
        purged = await store.purged_before()
        # What was removed proves nothing any more: a record that comes in now from before it judges nothing again.
        judged_purged = max(purged.get(Kind.PATROL, 0), purged.get(Kind.INCIDENTS, 0))
        judged_from = max(judged_from, judged_purged + WARM_UP_MS)
        records_from = max(records_from, purged.get(Kind.RECORDS, 0) + RECORDS_WARM_UP_MS)
        kept = await store.alerts(site, since=now - KEEP_CLOSED_MS, limit=_ALL)
        alerts = [alert_from_json(shape) for shape in kept]
        excuses = await store.actions(site, records_from, what=("excuse",))
        gates_from = now - KEEP_MS - LEDGER_BACK_MS
        watch = Watch(
            plans,
            since=max(start, begin),
            judged_from=judged_from,
            records_since=signed_from,
            records_judged_from=records_from,
            alerts=alerts,
            last_alert=await store.last_alert(site),
            silences=await read_silences(store, site, now),
            excuses=[excuse_from_row(row) for row in excuses],
            blind=[(row.since, row.until) for row in await store.blind(signed_from)],
            taps=await read_taps(store, site, start),
            authorities=await read_authorities(store, site, min(start, gates_from)),
        )
        watch.ledger.explained |= await read_explanations(store, site, gates_from)
        desk = cls(plans, watch)
        recent = min(now - WARM_UP_MS, start if since is not None else now)
        facts: list[AnyFact] = []
        # Heartbeats are most of what is stored, and the old ones prove nothing that is still open.
        beginnings = (
            *(("scan", start), ("radio", start), ("gate", start)),
            *(("signature", signed_from), ("status", recent)),
        )
        for kind, begin_at in beginnings:
            for _, row in await store.facts(site, begin_at, FOREVER, type=kind):
                record, fact = _record_and_fact(row)
                facts.append(fact)
                if door := desk.doors.by_device.get(fact.device):
                    door.recall(record, fact)
        # Whatever was lost, however long ago, is not waited for.
        facts += [fact_from_row(row) for row in await store.losses(site) if row.occurred_at < recent]
        known = [
            (row.track, row.opens_at, row.ordinal, (Verdict(row.verdict), row.code, row.findings))
            for row in [
                *await store.known(site, judged_from),
                *await store.known(site, records_from, kind="record"),
            ]
        ]
        for state in await store.device_states(site):
            if door := desk.doors.by_device.get(state.device):
                door.health.online = state.online
                watch.outages.state(state.device, state.online, state.at)
        watch.recall(facts, known)
        return desk

    def record(self, changes: Changes, commit: Commit, now: int) -> None:
        """Add what changed to what is going to be written."""
        now = max(now, self.watch.now)
        commit.verdicts += [self._verdict_row(change, now) for change in changes.verdicts]
        commit.alerts += [alert_row(alert, now) for alert in changes.alerts]
        commit.notices += [
            notice_row(notice, self.watch.alerts.find(notice.alert) if notice.alert else None)
            for notice in changes.notices
        ]

    def _verdict_row(self, change: VerdictChange, now: int) -> VerdictRow:
        occurrence = change.occurrence
        _, _, ordinal = occurrence.id.rpartition("@")[2].partition(".")
        return VerdictRow(
            self.site,
            occurrence.id,
            occurrence.track,
            occurrence.kind.value,
            occurrence.opens_at,
            occurrence.due_at,
            int(ordinal) - 1 if ordinal else 0,
            now,
            "superseded" if change.superseded else occurrence.verdict.value,
            occurrence.reason.code,
            _encode(occurrence_json(occurrence, self.site, self.checkpoint_names)),
        )


async def read_taps(store: Store, site: str, before: int) -> list[Scan]:
    """Of each tag that counts its readings the scan with the highest counter before an instant (ms)."""
    facts = [fact_from_row(row) for row in await store.last_taps(site, before)]
    return [fact for fact in facts if isinstance(fact, Scan)]


async def read_silences(store: Store, site: str, now: int) -> list[Silence]:
    """The silences that have not ended, and those that ended within the last two days."""
    rows = await store.actions(site, now - LONGEST_MS - KEEP_CLOSED_MS, what=("silence", "unsilence"))
    latest: dict[str, Silence] = {}
    for row in reversed(rows):
        latest[row.target] = silence_from_json(msgspec.json.decode(row.body), row.origin)
    return [silence for silence in latest.values() if silence.end > now - KEEP_CLOSED_MS]


def excuse_from_row(row: ActionRow) -> Excuse:
    """The excuse that a person gave."""
    return Excuse(row.target, row.by, msgspec.json.decode(row.body)["note"], row.at, row.origin or None)


def alert_row(alert: Alert, now: int) -> AlertRow:
    """An alert as it is stored."""
    return AlertRow(
        alert.id,
        alert.site,
        int(alert.id.rpartition("-")[2]),
        alert.kind.value,
        alert.subject,
        alert.state.value,
        now,
        alert.opened_at,
        alert.closed_at,
        _encode(alert_json(alert)),
    )


def notice_row(notice: Notice, alert: Alert | None) -> NoticeRow:
    """A notice as it is stored, with the alert that it is about as it is now."""
    to = _encode(notice.to).decode()
    body = _encode(notice_json(notice, alert))
    return NoticeRow(notice.key, notice.site, notice.at, notice.kind.value, to, notice.alert, body)


def fact_from_row(row: FactRow) -> AnyFact:
    """The fact that a row keeps. Raises ValueError when its body is not the record that was stored."""
    return _record_and_fact(row)[1]


def _record_and_fact(row: FactRow) -> tuple[AnyRecord, AnyFact]:
    try:
        record = decode(row.body)
        # When it happened was worked out when it came in, and stays as it was stored.
        return record, make_fact(
            record,
            row.device,
            row.occurred_at,
            row.received_at,
            row.uncertainty,
            row.clock_error,
            row.tap,
        )
    except RefusedError as error:
        raise ValueError(f"the stored record {row.site}/{row.device}/{row.boot}/{row.seq}: {error}") from None
