"""The watch: one site's facts, verdicts and alerts, kept up to date as facts come and time passes.

`Watch` is the pure heart of the service. It is given facts, and the time; it answers with what changed. It
never looks at a clock and never does I/O: the caller stores what changed, and calls again at `next_wake`.

What it holds is a function of the plan's versions, the set of facts, and `now`; how the facts were batched,
ordered or repeated makes no difference (law 2). To add a plan version, or to take in a fact older than
`remembers_from`, the caller makes a new watch from the stored facts and lets it `recall` what was known.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gateway.domain.alert import Alert, AlertKind, Severity
from gateway.domain.alerts import KEEP_CLOSED_MS, AlertBook
from gateway.domain.assess import Assessment, assess, describe, excused, findings_of, occurrence_id
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
from gateway.domain.plan import DutyKind, Plan
from gateway.domain.rounds import RoundRule
from gateway.domain.silences import Silence
from gateway.domain.strands import RadioStrand, RecordStrand, RoundStrand, Strand
from gateway.domain.tracks import Owed, Track, make_track
from gateway.domain.verdicts import (
    Excuse,
    Finding,
    Occurrence,
    Reason,
    Verdict,
    VerdictChange,
    finding_codes,
)

KEEP_FACTS_MS: Final = 48 * 3_600_000
"""Facts stay in memory this long; older ones are folded for good."""

_TRIM_EVERY_MS: Final = 3_600_000
_LATENCY_MS: Final = 900_000
"""A fact that comes in later than this after it happened makes its strand fold again."""

Known = tuple[Verdict, str, str]
"""A verdict, its reason's code, its findings' codes: what is compared to tell whether something changed."""


@dataclass(slots=True)
class _View:
    """What is known to the outside about one track."""

    settled: int = 0  # occurrences before this index need no more looks
    wake: int = FOREVER
    emitted: dict[tuple[int, int], Known] = field(default_factory=dict)
    waiting: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)  # for which devices
    reminded: tuple[int, int] | None = None  # the last occurrence that somebody was reminded of


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
        self._excuses = {excuse.occurrence: excuse for excuse in excuses}
        self.gates = Gates(self.plan)
        self.ledger = GateLedger(self.plans, authorities)
        self._gate_alarms = GateAlarms(self.plan, self.ledger)
        self.commands = Commands(self.plan, self.alerts, commands)
        self.now = -FOREVER
        self._since = max(plans[0].holds_from, since if since is not None else -FOREVER)
        self._judged_from = judged_from if judged_from is not None else -FOREVER
        records_from = records_since if records_since is not None else self._since
        self._records_since = max(plans[0].holds_from, records_from)
        self._records_judged_from = -FOREVER if records_judged_from is None else records_judged_from
        self._tags = _known_tags(self.plans)
        # What happened before the first plan bears on nothing, so that no fact can be too old for it.
        base_at = self._since if self._since > plans[0].holds_from else -FOREVER
        people = {token: person.id for plan in plans for token, person in plan.person_by_token.items()}
        self._rounds = RoundStrand(
            partial(self._make_tracks, DutyKind.ROUND, None), base_at, self.plans, people, taps
        )
        posts = {post for plan in plans for duty in plan.duties for post in duty.posts}
        self._radio: dict[str, RadioStrand] = {
            post: RadioStrand(partial(self._make_tracks, DutyKind.RADIO_CHECK, post), base_at)
            for post in sorted(posts)
        }
        records_base = self._records_since if self._records_since > plans[0].holds_from else -FOREVER
        forms = {duty.form for plan in plans for duty in plan.duties if duty.form is not None}
        self._records: dict[str, RecordStrand] = {
            form: RecordStrand(partial(self._make_tracks, DutyKind.RECORD, form), records_base)
            for form in sorted(forms)
        }
        self._strands: list[Strand[Scan] | Strand[RadioCall] | Strand[Signature]] = [
            self._rounds,
            *self._radio.values(),
            *self._records.values(),
        ]
        self._views = [[_View() for _ in strand.tracks] for strand in self._strands]
        self._timers: list[tuple[int, int, int]] = []  # wake, strand, track
        self._awaiting: dict[str, set[tuple[int, int]]] = {}
        self._to_remind: list[tuple[Track, Owed]] = []
        self._trimmed_at: int | None = None
        for strand in self._strands:
            strand.touched = dict.fromkeys(range(len(strand.tracks)), 0)

    def _make_tracks(self, kind: DutyKind, of: str | None) -> list[Track]:
        """The tracks of one strand: of the rounds, of the post `of`, or of the form `of`."""
        tracks: list[Track] = []
        ends = [plan.holds_from for plan in self.plans[1:]] + [FOREVER]
        begin = self._records_since if kind is DutyKind.RECORD else self._since
        for plan, until in zip(self.plans, ends, strict=True):
            since = max(plan.holds_from, begin)
            if until <= since:
                continue
            for duty in plan.duties:
                if duty.kind is not kind:
                    continue
                rule = None
                if duty.route is not None:
                    rule = RoundRule(plan, duty, plan.route_by_id[duty.route], self._tags[plan.version])
                for subject, post in duty.subjects:
                    if kind is DutyKind.ROUND or of == (post if kind is DutyKind.RADIO_CHECK else duty.form):
                        tracks.append(make_track(plan, duty, subject, rule, since, until))
        return tracks

    # -- taking in ------------------------------------------------------------------------------------------

    @property
    def next_wake(self) -> int:
        """When `step` must be called even if nothing comes in."""
        own = self._timers[0][0] if self._timers else FOREVER
        return min(own, self.outages.next_wake, self.alerts.next_wake, self.commands.next_wake)

    def is_too_old(self, fact: AnyFact) -> bool:
        """Whether this fact happened before what is remembered, so that a new watch must be made."""
        if fact.occurred_at < self.plans[0].holds_from:
            return False  # it bears on nothing
        if isinstance(fact, Scan):
            return fact.occurred_at < self._rounds.base_at
        if isinstance(fact, RadioCall):
            strand = self._radio.get(fact.post)
            return strand is not None and fact.occurred_at < strand.base_at
        if isinstance(fact, Signature):
            records = self._records.get(fact.form)
            return records is not None and fact.occurred_at < records.base_at
        if isinstance(fact, GateEvent):
            return fact.occurred_at < self.ledger.base_at
        return False

    def step(self, now: int, facts: Sequence[AnyFact] = ()) -> Changes:
        """Take in new facts, let time pass to `now`, and tell what changed.

        1. Facts are handed to their strands, in any order; statuses to the hearing.
        2. Tracks that facts touched, that waited for a device that has now been heard, or whose time has come
           are looked at; verdicts that differ from what was reported are changes.
        3. Changes open, extend, recover or withdraw alerts, but for those of findings alone; so do devices that fall
           silent.
        4. Whoever must be told of an alert by now is told.
        """
        self._rounds.looked_at = self.now
        self.now = now = max(now, self.now)
        if facts:
            self._take_in(facts, now)
        due = self._touched()
        timers = self._timers
        while timers and timers[0][0] <= now:
            wake, number, place = heapq.heappop(timers)
            if self._views[number][place].wake == wake:
                due.add((number, place))
        changes = Changes()
        for number, place in sorted(due):
            changes.verdicts += self._review(number, place, now)
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
        if book.notices or self._to_remind:
            changes.notices = [*book.notices, *self._reminders(now)]
            book.notices = []

    def _reminders(self, now: int) -> Iterator[Notice]:
        """One reminder for each duty whose deadline is near, with all that has not been done for it."""
        by_duty: dict[str, list[tuple[Track, Owed]]] = {}
        for track, owed in self._to_remind:
            by_duty.setdefault(track.duty.id, []).append((track, owed))
        self._to_remind = []
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
        key = excuse.occurrence.rpartition("@")[0]
        for strand in self._strands:
            for place, track in enumerate(strand.tracks):
                if track.key == key and any(
                    occurrence_id(track, owed) == excuse.occurrence for owed in track.items
                ):
                    self._excuses[excuse.occurrence] = excuse
                    strand.touched[place] = 0
                    return True
        return False

    def find(self, occurrence: str, now: int) -> Occurrence | None:
        """An occurrence by its id, as of `now`; None when it is not remembered."""
        key = occurrence.rpartition("@")[0]
        for track in self.tracks():
            if track.key == key:
                for owed in track.peek(now, 0):
                    if occurrence_id(track, owed) == occurrence:
                        return describe(
                            track, owed, now, self._assess(track, owed, now), self.findings(track, owed)
                        )
        return None

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
        for places in self._awaiting.values():
            for number, place in places:
                self._strands[number].touched.setdefault(
                    place, len(self._strands[number].tracks[place].items)
                )

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
        views: dict[str, list[tuple[Track, _View]]] = {}
        for strand, seen in zip(self._strands, self._views, strict=True):
            for track, view in zip(strand.tracks, seen, strict=True):
                views.setdefault(track.key, []).append((track, view))
        for key, opens, index, verdict in known:
            for track, view in views.get(key, ()):
                if track.since <= opens < track.until:
                    view.emitted[(opens, index)] = verdict

    def _take_in(self, facts: Sequence[AnyFact], now: int) -> None:
        scans: list[Scan] = []
        calls: dict[str, list[RadioCall]] = {}
        signatures: dict[str, list[Signature]] = {}
        proofs: dict[str, DeviceHearing] = {}
        at_gates: list[GateEvent] = []
        stored = now == -FOREVER
        for fact in facts:
            device = self.hearing.device(fact.device)
            if device.heard_at is None or fact.received_at > device.heard_at:
                device.heard_at = fact.received_at
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
        if scans:
            self._rounds.add(scans)
        for post, found in calls.items():
            if strand := self._radio.get(post):
                strand.add(found)
        for form, signed in signatures.items():
            if records := self._records.get(form):
                records.add(signed)
        if at_gates:
            self.ledger.take(at_gates)
            self._gate_alarms.tell(None if stored else self.alerts, now)
        for name, device in proofs.items():
            if device.lost_changed:
                device.lost_changed = False
                self._look_again(name)
            if device.settle():
                self.outages.heard(name)
                for strand_no, place in self._awaiting.pop(name, ()):
                    self._strands[strand_no].touched.setdefault(
                        place, len(self._strands[strand_no].tracks[place].items)
                    )

    def _look_again(self, device: str) -> None:
        """What a device has lost is known better now: all that it could have held the proof of."""
        for strand in self._strands:
            for place, track in enumerate(strand.tracks):
                if device in track.proof_devices:
                    strand.touched[place] = 0

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

    def _touched(self) -> set[tuple[int, int]]:
        due: set[tuple[int, int]] = set()
        for number, strand in enumerate(self._strands):
            if strand.touched:
                for place, first in strand.touched.items():
                    view = self._views[number][place]
                    view.settled = min(view.settled, first)
                    due.add((number, place))
                strand.touched = {}
        return due

    # -- judging --------------------------------------------------------------------------------------------

    def _review(self, number: int, place: int, now: int) -> list[VerdictChange]:
        """Look at one track at `now`, and say what is different from what was reported."""
        strand, view = self._strands[number], self._views[number][place]
        track = strand.roll(place, now - _LATENCY_MS)
        items = track.peek(now, view.settled)
        emitted = view.emitted
        changes: list[VerdictChange] = []
        wake = FOREVER
        leading = True
        for owed in items:
            if owed.opens > now and owed.evidence is None:
                remind_at = owed.due - track.duty.pre_notice_s * 1000
                wake = min(wake, max(owed.opens, remind_at) if track.duty.pre_notice_s else owed.due + 1)
                break
            assessment = self._assess(track, owed, now)
            if assessment.settled:
                if leading:
                    view.settled += 1
            else:
                leading = False
                if now <= owed.due:
                    wake = min(wake, self._remind(track, owed, view, now))
                else:
                    settle_ms = track.plan.settle_after_s * 1000
                    wake = min(wake, self.hearing.blindness.pause(owed.due, settle_ms))
                    for device in assessment.waits_for:
                        self._awaiting.setdefault(device, set()).add((number, place))
                        self.outages.want(device)
            if self._is_judged(track, owed):
                change = self._difference(track, owed, assessment, view, now)
                if change is not None:
                    changes.append(change)
        # Only what the track itself holds can be skipped next time; `peek` may have shown more.
        view.settled = min(view.settled, max(0, len(track.items) - 2))
        if emitted and items:
            changes += self._superseded(track, items, emitted, now)
        if wake != view.wake:
            view.wake = wake
            if wake != FOREVER:
                heapq.heappush(self._timers, (wake, number, place))
        return changes

    def _assess(self, track: Track, owed: Owed, now: int) -> Assessment:
        assessment = assess(track, owed, now, self.hearing)
        if self._excuses and (excuse := self._excuses.get(occurrence_id(track, owed))) is not None:
            return excused(assessment, excuse)
        return assessment

    def _remind(self, track: Track, owed: Owed, view: _View, now: int) -> int:
        """Note who is to be reminded of a deadline that is near; returns when to look again."""
        remind_at = owed.due - track.duty.pre_notice_s * 1000
        if not track.duty.pre_notice_s or view.reminded == owed.key:
            return owed.due + 1
        if now < remind_at:
            return remind_at
        view.reminded = owed.key
        self._to_remind.append((track, owed))
        return owed.due + 1

    def _is_judged(self, track: Track, owed: Owed) -> bool:
        is_record = track.duty.kind is DutyKind.RECORD
        return owed.opens >= (self._records_judged_from if is_record else self._judged_from)

    def _difference(
        self, track: Track, owed: Owed, assessment: Assessment, view: _View, now: int
    ) -> VerdictChange | None:
        verdict, code = assessment.verdict, assessment.reason.code
        emitted = view.emitted
        before = emitted.get(owed.key)
        waited = view.waiting.pop(owed.key, assessment.waits_for)
        if assessment.waits_for:
            view.waiting[owed.key] = assessment.waits_for
        is_open = verdict in (Verdict.OPEN, Verdict.UPCOMING) and code != "no_answer"
        if is_open and before is None:
            return None
        findings = self.findings(track, owed)
        if is_open:
            del emitted[owed.key]
        else:
            known = (verdict, code, finding_codes(finding.code for finding in findings))
            if before == known and waited == assessment.waits_for:
                return None
            emitted[owed.key] = known
        return VerdictChange(
            describe(track, owed, now, assessment, findings), None if before is None else before[:2]
        )

    @staticmethod
    def _superseded(
        track: Track, items: list[Owed], emitted: dict[tuple[int, int], Known], now: int
    ) -> list[VerdictChange]:
        """Occurrences that were reported and are not owed after all, as an earlier fact moved the chain."""
        present = {owed.key for owed in items}
        first = items[0].key
        changes = []
        for key in [key for key in emitted if key >= first and key not in present]:
            before = emitted.pop(key)
            ghost = Owed(key[0], key[0], key[0], None, key[1])
            assessment = Assessment(Verdict.OPEN, Reason("superseded"), settled=True)
            changes.append(
                VerdictChange(describe(track, ghost, now, assessment, ()), before[:2], superseded=True)
            )
        return changes

    def _trim(self, now: int) -> None:
        self.ledger.trim(now)
        self._trimmed_at = now
        before = now - KEEP_FACTS_MS
        for strand, views in zip(self._strands, self._views, strict=True):
            strand.trim(before)
            for track, view in zip(strand.tracks, views, strict=True):
                view.settled = 0
                if view.emitted and track.items:
                    first = track.items[0].key
                    for key in [key for key in view.emitted if key < first]:
                        del view.emitted[key]
                        view.waiting.pop(key, None)
        self.alerts.forget_before(now - KEEP_CLOSED_MS)
        self.commands.forget_before(now - KEEP_CLOSED_MS)

    # -- looking --------------------------------------------------------------------------------------------

    def tracks(self) -> Iterator[Track]:
        """All tracks: rounds first, then each post's radio checks, then the records."""
        for strand in self._strands:
            yield from strand.tracks

    def findings(self, track: Track, owed: Owed) -> list[Finding]:
        """What is odd about one occurrence, as far as is known."""
        return findings_of(track, owed, self._rounds.clashes)

    def records_with(self, fact: Signature, now: int) -> list[Occurrence]:
        """The occurrences of records that have taken a signature, whether it counts or not."""
        strand = self._records.get(fact.form)
        return [
            describe(track, owed, now, self._assess(track, owed, now), self.findings(track, owed))
            for track in (strand.tracks if strand else ())
            for owed in track.items
            if owed.evidence and fact in owed.evidence
        ]

    def occurrences(self, now: int, start: int, end: int, track: Track | None = None) -> list[Occurrence]:
        """What is remembered of the occurrences whose window touches `[start, end)`, as of `now`."""
        found = [
            describe(each, owed, now, self._assess(each, owed, now), self.findings(each, owed))
            for each in (self.tracks() if track is None else (track,))
            for owed in each.peek(now, 0)
            if owed.opens < end and owed.due >= start and self._is_judged(each, owed)
        ]
        return sorted(found, key=lambda occurrence: (occurrence.opens_at, occurrence.id))


def _known_tags(plans: Sequence[Plan]) -> dict[int, Mapping[str, str]]:
    """By version of the plan: which checkpoint a tag is fixed to.

    A tag that was enrolled too late is known to the versions before, too: it was on the wall already.
    """
    found: dict[int, Mapping[str, str]] = {}
    later: Mapping[str, str] = {}
    for plan in reversed(plans):
        own = plan.checkpoint_by_tag
        later = own if later.keys() <= own.keys() else {**later, **own}
        found[plan.version] = later
    return found


__all__ = ["Changes", "Watch", "occurrence_id"]
