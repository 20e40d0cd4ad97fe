"""A desk: everything that the service holds in memory about one site. All of it is rebuilt from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.domain.alerts import KEEP_CLOSED_MS, Alert
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import AnyFact
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Verdict, VerdictChange
from gateway.domain.watch import Changes, Watch
from gateway.ingest.doors import SiteDoors
from gateway.ingest.records import RefusedError, decode, make_fact
from gateway.shapes import alert_from_json, alert_json, occurrence_json
from gateway.store.port import AlertRow, Commit, FactRow, Store, VerdictRow

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
        kept = await store.alerts(site, since=now - KEEP_CLOSED_MS, limit=_ALL)
        alerts = [alert_from_json(shape) for shape in kept]
        watch = Watch(
            plans,
            since=max(start, begin),
            judged_from=judged_from,
            records_since=signed_from,
            records_judged_from=records_from,
            alerts=alerts,
            last_alert=await store.last_alert(site),
        )
        desk = cls(plans, watch)
        recent = min(now - WARM_UP_MS, start if since is not None else now)
        facts: list[AnyFact] = []
        # Heartbeats are most of what is stored, and the old ones prove nothing that is still open.
        beginnings = (
            *(("scan", start), ("radio", start), ("gate", start)),
            *(("signature", signed_from), ("status", recent)),
        )
        for kind, begin_at in beginnings:
            facts += [fact_from_row(row) for _, row in await store.facts(site, begin_at, FOREVER, type=kind)]
        for fact in facts:
            if door := desk.doors.by_device.get(fact.device):
                door.health.take(fact)
        known = [
            (row.track, row.opens_at, row.ordinal, (Verdict(row.verdict), row.code))
            for row in [
                *await store.known(site, judged_from),
                *await store.known(site, records_from, kind="record"),
            ]
        ]
        for row in await store.device_states(site):
            if door := desk.doors.by_device.get(row.device):
                door.health.online = row.online
        watch.recall(facts, known)
        return desk

    def record(self, changes: Changes, commit: Commit, now: int) -> None:
        """Add what changed to what is going to be written."""
        now = max(now, self.watch.now)
        commit.verdicts += [self._verdict_row(change, now) for change in changes.verdicts]
        commit.alerts += [alert_row(alert, now) for alert in changes.alerts]

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


def fact_from_row(row: FactRow) -> AnyFact:
    """The fact that a row keeps. Raises ValueError when its body is not the record that was stored."""
    try:
        # When it happened was worked out when it came in, and stays as it was stored.
        return make_fact(
            decode(row.body), row.device, row.occurred_at, row.received_at, row.uncertainty, row.clock_error
        )
    except RefusedError as error:
        raise ValueError(f"the stored record {row.site}/{row.device}/{row.boot}/{row.seq}: {error}") from None
