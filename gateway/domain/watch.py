"""The watch: one site's facts, verdicts and alerts, kept up to date as facts come and time passes.

`Watch` is the pure heart of the service. It is given facts, and the time; it answers with what changed. It
never looks at a clock and never does I/O: the caller stores what changed, and calls again at `next_wake`.

What it holds is a function of the plan's versions, the set of facts, and `now`; how the facts were batched,
ordered or repeated makes no difference (law 2). To add a plan version, or to take in a fact older than
`remembers_from`, the caller makes a new watch from the stored facts and lets it `recall` what was known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.alert import Alert, AlertKind, Severity
from gateway.domain.alerts import KEEP_CLOSED_MS, AlertBook
from gateway.domain.barrier import Gates
from gateway.domain.calendar import FOREVER, Period
from gateway.domain.commands import Command, Commands
from gateway.domain.facts import AnyFact, GateEvent, RadioCall, Report, Scan, Signature, Status
from gateway.domain.hearing import DeviceHearing, Hearing
from gateway.domain.ledger.alarms import GateAlarms
from gateway.domain.ledger.authority import Authority
from gateway.domain.ledger.ledger import GateLedger
from gateway.domain.notices import Notice, NoticeKind
from gateway.domain.outages import Outages
from gateway.domain.plan import Plan
from gateway.domain.review import Known, Review
from gateway.domain.silences import Silence
from gateway.domain.strand_set import StrandSet
from gateway.domain.tracks import Owed, Track
from gateway.domain.verdicts import (
    Excuse,
    Finding,
    Occurrence,
    Reason,
    VerdictChange,
)

KEEP_FACTS_MS: Final = 48 * 3_600_000
"""Facts stay in memory this long; older ones are folded for good."""

_TRIM_EVERY_MS: Final = 3_600_000


@dataclass(slots=True)
class Changes:
    """What one step brought about."""

    verdicts: list[VerdictChange] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


class Watch:
    """One site. Instants are ms since the epoch, UTC."""

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        since: int | None = None,
        judged_from: int | None = None,
        records_since: int | None = None,
        records_judged_from: int | None = None,
        alerts: Iterable[Alert] = (),
        last_alert: int = 0,
        silences: Iterable[Silence] = (),
        excuses: Iterable[Excuse] = (),
        blind: Sequence[Period] = (),
        taps: Iterable[Scan] = (),
        authorities: Iterable[Authority] = (),
        commands: Iterable[Command] = (),
    ) -> None:
        """A watch over the plan's versions, in the order in which they take effect.

        `since`: facts from before it will not be given, and nothing that opens before it is owed here.
        `judged_from`: verdicts of what opens before it are not reported, as their evidence may lie before
        `since`. `records_since`, `records_judged_from`: the same two of signatures and records, which are few
        and owed by the quarter and the year. `alerts`: the stored ones that are live or closed not long ago;
        `last_alert`: the highest number given to an alert so far. `blind`: when the gateway could not hear.
        `taps`: of each tag that counts its readings, the scan with the highest counter from before `since`.
        `authorities`: the register that the gate ledger goes by.
        `commands`: the stored ones of the same past.
        """
        self.plans = tuple(plans)
        self.plan = plans[-1]
        self.hearing = Hearing()
        for start, end in blind:
            self.hearing.blindness.add(start, end)
        self.alerts = AlertBook(self.plan, alerts, last_alert, silences)
        self.outages = Outages(self.plan, self.hearing, self.alerts)
        for _, end in blind:
            self.outages.deaf(end)
        self.gates = Gates(self.plan)
        self.ledger = GateLedger(self.plans, authorities)
        self._gate_alarms = GateAlarms(self.plan, self.ledger)
        self.commands = Commands(self.plan, self.alerts, commands)
        self.now = -FOREVER
        self._strands = StrandSet(self.plans, since, records_since, taps)
        self._review = Review(
            self._strands, self.hearing, self.outages, excuses, judged_from, records_judged_from
        )
        self._trimmed_at: int | None = None

    # -- taking in ------------------------------------------------------------------------------------------

    @property
    def next_wake(self) -> int:
        """When `step` must be called even if nothing comes in."""
        parts = (self._review, self.outages, self.alerts, self.commands)
        return min(part.next_wake for part in parts)

    def is_too_old(self, fact: AnyFact) -> bool:
        """Whether this fact happened before what is remembered, so that a new watch must be made."""
        if isinstance(fact, GateEvent):
            return self.plans[0].holds_from <= fact.occurred_at < self.ledger.base_at
        return self._strands.is_too_old(fact)

    def step(self, now: int, facts: Sequence[AnyFact] = ()) -> Changes:
        """Take in new facts, let time pass to `now`, and tell what changed.

        1. Facts are handed to their strands, in any order; statuses to the hearing.
        2. Tracks that facts touched, that waited for a device that has now been heard, or whose time has come
           are looked at; verdicts that differ from what was reported are changes.
        3. Changes open, extend, recover or withdraw alerts, but for those of findings alone; so do devices that fall
           silent.
        4. Whoever must be told of an alert by now is told.
        """
        self._strands.rounds.looked_at = self.now
        self.now = now = max(now, self.now)
        if facts:
            self._take_in(facts, now)
        changes = Changes(self._review.look(now))
        for change in changes.verdicts:
            # Of what cannot be told yet, who keeps us waiting is news as well.
            if not change.is_of_findings_only or change.occurrence.reason.code == "no_proof":
                self.alerts.verdict_changed(change, now)
        self.outages.step(now)
        self.commands.step(now)
        self.gates.step(now, self.alerts, self.hearing, self.commands)
        self._tell(changes, now)
        if self._trimmed_at is None:
            self._trimmed_at = now
        elif now - self._trimmed_at > _TRIM_EVERY_MS:
            self._trim(now)
        return changes

    def take_events(
        self, now: int, events: Sequence[GateEvent | Report], replies: Iterable[Status] = ()
    ) -> Changes:
        """Take in what happened at gates, what was reported and answered, without looking at any deadline."""
        now = max(now, self.now)
        self._take_in(events, now)
        for reply in replies:
            self.commands.answered(reply, now)
        changes = Changes()
        self._tell(changes, now)
        return changes

    def _tell(self, changes: Changes, now: int) -> None:
        """What became of the alerts, and who must be told."""
        book = self.alerts
        book.settle(now)
        if self.commands.changed:
            changes.commands = list(self.commands.changed.values())
            self.commands.changed = {}
        if book.changed:
            changes.alerts = list(book.changed.values())
            book.changed = {}
        if book.notices or self._review.to_remind:
            changes.notices = [*book.notices, *self._reminders(now)]
            book.notices = []

    def _reminders(self, now: int) -> Iterator[Notice]:
        """One reminder for each duty whose deadline is near, with all that has not been done for it."""
        by_duty: dict[str, list[tuple[Track, Owed]]] = {}
        for track, owed in self._review.to_remind:
            by_duty.setdefault(track.duty.id, []).append((track, owed))
        self._review.to_remind = []
        for duty_id, found in by_duty.items():
            duty = found[0][0].duty
            due = min(owed.due for _, owed in found)
            to = (duty.by,) if duty.by else next((step.to for step in self.plan.escalation), ())
            if to:
                key = f"{self.plan.site}/{duty_id}/due_soon/{due}"
                subjects = tuple(track.subject for track, _ in found)
                yield Notice(key, self.plan.site, NoticeKind.DUE_SOON, now, to, None, subjects, duty_id, due)

    def authorize(self, authority: Authority, now: int) -> None:
        """Take an authority, or what has become of one, into the register; the next step tells what follows."""
        self.ledger.put(authority)
        self._gate_alarms.tell(self.alerts, now)

    def excuse(self, excuse: Excuse) -> bool:
        """Put an excuse beside an occurrence; the next step tells what follows. False when it is not remembered."""
        return self._review.excuse(excuse)

    def deaf(self, since: int, until: int | None, now: int) -> None:
        """The gateway could not hear from `since` until `until`, or cannot still (None)."""
        blindness = self.hearing.blindness
        blindness.since = since if until is None else None
        if until is not None:
            blindness.add(since, until)
        self.outages.deaf(until)
        cut_off = self.alerts.live_of(AlertKind.GATEWAY_CUT_OFF, self.plan.site)
        if cut_off is not None and until is not None:
            self.alerts.recover(cut_off, now)
        self._review.wait_anew()

    def tell_cut_off(self, since: int, problem: str, now: int) -> None:
        """Devices cannot be heard, and it lasts: somebody must see to it."""
        if self.alerts.live_of(AlertKind.GATEWAY_CUT_OFF, self.plan.site) is None:
            reason = Reason("cut_off", {"since": since, "problem": problem})
            self.alerts.open_outage(
                AlertKind.GATEWAY_CUT_OFF, self.plan.site, self.plan.name, reason, since, now
            )

    def recall(self, facts: Sequence[AnyFact], known: Iterable[tuple[str, int, int, Known]]) -> None:
        """Take in stored facts, and what was reported of them: (track, opens_at, index, what is known)."""
        self._take_in(facts, -FOREVER)
        for device in self.plan.devices:
            self.hearing.device(device.id).settle()
        self._review.recall(known)

    def _take_in(self, facts: Sequence[AnyFact], now: int) -> None:
        scans: list[Scan] = []
        calls: dict[str, list[RadioCall]] = {}
        signatures: dict[str, list[Signature]] = {}
        proofs: dict[str, DeviceHearing] = {}
        at_gates: list[GateEvent] = []
        stored = now == -FOREVER
        for fact in facts:
            device = self.hearing.device(fact.device)
            device.arrived(fact.received_at)
            if device.pending or device.lost_changed:
                proofs[fact.device] = device
            kind = type(fact)
            if kind is Scan:
                scans.append(fact)  # type: ignore[arg-type]
            elif isinstance(fact, Status):
                device.status(fact)
                proofs[fact.device] = device
                self.outages.beats(fact.device)
                if fact.reply_to is not None and not stored:
                    self.commands.answered(fact, now)
                if fact.battery is not None:
                    self.outages.battery(fact.device, fact.battery)
            elif isinstance(fact, RadioCall):
                calls.setdefault(fact.post, []).append(fact)
            elif isinstance(fact, Signature):
                signatures.setdefault(fact.form, []).append(fact)
            elif isinstance(fact, GateEvent):
                self.gates.take(fact, None if stored else self.alerts, now)
                at_gates.append(fact)
            elif isinstance(fact, Report) and not stored:
                self._raise(fact, now)
        self._strands.add(scans, calls, signatures)
        if at_gates:
            self.ledger.take(at_gates)
            self._gate_alarms.tell(None if stored else self.alerts, now)
        for name, device in proofs.items():
            if device.lost_changed:
                device.lost_changed = False
                self._review.look_again(name)
            if device.settle():
                self.outages.heard(name)
                self._review.heard_out(name)

    def _raise(self, report: Report, now: int) -> None:
        if report.severity not in (Severity.MAJOR, Severity.CRITICAL):
            return
        checkpoint = self.plan.checkpoint_by_id.get(report.checkpoint or "")
        device = self.plan.device_by_id.get(report.device)
        name = checkpoint.name if checkpoint else (device.name if device else {})
        reason = Reason("report", {"category": report.category, "text": report.text})
        self.alerts.event(
            AlertKind.REPORT_RAISED,
            report.checkpoint or report.device,
            name or {"zh": report.device},
            reason,
            report.occurred_at,
            now,
            report.id,
            Severity(report.severity),
        )

    def _trim(self, now: int) -> None:
        self._trimmed_at = now
        self.ledger.trim(now)
        self._review.trim(now - KEEP_FACTS_MS)
        self.alerts.forget_before(now - KEEP_CLOSED_MS)
        self.commands.forget_before(now - KEEP_CLOSED_MS)

    # -- looking --------------------------------------------------------------------------------------------

    def tracks(self) -> Iterator[Track]:
        """All tracks: rounds first, then each post's radio checks, then the records."""
        return self._strands.tracks()

    def findings(self, track: Track, owed: Owed) -> list[Finding]:
        """What is odd about one occurrence, as far as is known."""
        return self._review.findings(track, owed)

    def find(self, occurrence: str, now: int) -> Occurrence | None:
        """An occurrence by its id, as of `now`; None when it is not remembered."""
        return self._review.find(occurrence, now)

    def records_with(self, fact: Signature, now: int) -> list[Occurrence]:
        """The occurrences of records that have taken a signature, whether it counts or not."""
        return self._review.records_with(fact, now)

    def occurrences(self, now: int, start: int, end: int, track: Track | None = None) -> list[Occurrence]:
        """What is remembered of the occurrences whose window touches `[start, end)`, as of `now`."""
        tracks = self.tracks() if track is None else (track,)
        return self._review.occurrences(tracks, now, start, end)
