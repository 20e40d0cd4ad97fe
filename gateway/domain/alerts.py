"""Alerts: verdicts and events that somebody must act on. At most one is open per (kind, subject) (law 8).

An alert has members: the occurrences that it is about. One that is proved to have been fulfilled in time
leaves it; when none is left the alert is withdrawn. A late fulfilment, or a later occurrence of the duty that
is fulfilled, is a recovery. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.domain.plan import DutyKind, EscalationStep, Names, Plan
from gateway.domain.verdicts import FULFILLED, UNPROVED, Occurrence, Reason, Verdict, VerdictChange

KEEP_CLOSED_MS: Final = 48 * 3_600_000
"""How long a closed alert still answers for its members, so that late proof finds it."""


class AlertKind(StrEnum):
    ROUND_MISSED = "round_missed"
    RADIO_NOT_CALLED = "radio_not_called"
    RADIO_NO_ANSWER = "radio_no_answer"
    RADIO_ABNORMAL = "radio_abnormal"
    RECORD_MISSING = "record_missing"
    GATE_FORCED = "gate_forced"
    GATE_FAULT = "gate_fault"
    REPORT_RAISED = "report_raised"


class Severity(StrEnum):
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class AlertState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


LIVE: Final = frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED})

SEVERITY: Final[Mapping[AlertKind, Severity]] = {
    AlertKind.ROUND_MISSED: Severity.MAJOR,
    AlertKind.RADIO_NOT_CALLED: Severity.MAJOR,
    AlertKind.RADIO_NO_ANSWER: Severity.CRITICAL,
    AlertKind.RADIO_ABNORMAL: Severity.CRITICAL,
    AlertKind.RECORD_MISSING: Severity.MAJOR,
    AlertKind.GATE_FORCED: Severity.CRITICAL,
    AlertKind.GATE_FAULT: Severity.MAJOR,
}

LONG_MS: Final = 6 * 86_400_000
"""A record that is owed for as long as this, a week or more, is not urgent the moment that it is missing."""

_DISPROVABLE: Final = frozenset(
    {AlertKind.ROUND_MISSED, AlertKind.RADIO_NOT_CALLED, AlertKind.RECORD_MISSING}
)
"""Kinds that say that something did not happen: proof that it did withdraws them."""


_ENDED_BY: Final[Mapping[DutyKind, tuple[AlertKind, ...]]] = {
    DutyKind.ROUND: (AlertKind.ROUND_MISSED,),
    DutyKind.RADIO_CHECK: (AlertKind.RADIO_NOT_CALLED, AlertKind.RADIO_NO_ANSWER),
    DutyKind.RECORD: (AlertKind.RECORD_MISSING,),
}
"""What a later fulfilment of the duty puts an end to."""


class WrongStateError(Exception):
    """An action on an alert that is not in a state for it; the message is the state."""


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of an alert's history."""

    at: int
    what: str
    by: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Alert:
    """Something that somebody must act on."""

    id: str
    site: str
    kind: AlertKind
    subject: str
    name: Names
    severity: Severity
    opened_at: int
    deadline: int
    reason: Reason
    clause: str = ""
    duty: str | None = None
    state: AlertState = AlertState.OPEN
    closed_at: int | None = None
    occurrences: list[str] = field(default_factory=list)
    disproved: list[str] = field(default_factory=list)
    last_due: int = 0
    facts: list[str] = field(default_factory=list)
    escalation: tuple[EscalationStep, ...] = ()
    history: list[AlertEvent] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many occurrences it is about; 1 for an event."""
        return max(1, len(self.occurrences))


class AlertBook:
    """The alerts of one site. `changed` collects what the caller has to store; the caller empties it."""

    __slots__ = ("_by_occurrence", "_closed", "_live", "_next", "changed", "plan")

    def __init__(self, plan: Plan, stored: Iterable[Alert] = (), last_number: int = 0) -> None:
        self.plan = plan
        self.changed: dict[str, Alert] = {}
        self._live: dict[tuple[AlertKind, str], Alert] = {}
        self._closed: dict[str, Alert] = {}
        self._by_occurrence: dict[str, dict[AlertKind, Alert]] = {}
        self._next = last_number + 1
        for alert in sorted(stored, key=lambda alert: alert.opened_at):
            if alert.state in LIVE:
                self._live[(alert.kind, alert.subject)] = alert
            else:
                self._closed[alert.id] = alert
            for occurrence in alert.occurrences:
                self._by_occurrence.setdefault(occurrence, {})[alert.kind] = alert

    @property
    def live(self) -> list[Alert]:
        """Open and acknowledged alerts, newest first."""
        return sorted(self._live.values(), key=lambda alert: alert.opened_at, reverse=True)

    def closed_since(self, at: int) -> list[Alert]:
        """Alerts that were closed at or after an instant, at most `KEEP_CLOSED_MS` ago, newest first."""
        found = [
            alert for alert in self._closed.values() if alert.closed_at is not None and alert.closed_at >= at
        ]
        return sorted(found, key=lambda alert: alert.opened_at, reverse=True)

    def find(self, alert_id: str) -> Alert | None:
        """An alert that is live or was closed not long ago, by its id."""
        live = (alert for alert in self._live.values() if alert.id == alert_id)
        return self._closed.get(alert_id) or next(live, None)

    def verdict_changed(self, change: VerdictChange, now: int) -> None:
        """Open, extend, explain, recover or withdraw what a changed verdict bears on."""
        occurrence = change.occurrence
        problems = {} if change.superseded else _problems(occurrence)
        known = self._by_occurrence.get(occurrence.id, {})
        for kind, alert in list(known.items()):
            if kind in problems:
                self._explain(alert, problems[kind], now)
            elif not (change.superseded and kind not in _DISPROVABLE):
                self._answered(alert, occurrence, change.superseded, now)
        for kind, reason in problems.items():
            earlier = known.get(kind)
            if earlier is None or earlier.state is AlertState.WITHDRAWN:
                self._problem(kind, occurrence, reason, now)
        if occurrence.verdict in FULFILLED and not change.superseded:
            self._recover_earlier(occurrence, now)

    def event(
        self,
        kind: AlertKind,
        subject: str,
        name: Names,
        reason: Reason,
        at: int,
        now: int,
        fact: str,
        severity: Severity | None = None,
    ) -> Alert:
        """Open an alert for something that a device reported at `at`, or add it to the open one."""
        alert = self._live.get((kind, subject))
        if alert is None:
            alert = self._open(kind, subject, name, reason, at, now, severity)
        else:
            alert.history.append(AlertEvent(now, "joined", params={"fact": fact}))
        alert.facts.append(fact)
        self.changed[alert.id] = alert
        return alert

    def event_over(self, kind: AlertKind, subject: str, now: int, fact: str) -> None:
        """What an event alert told of is over."""
        alert = self._live.get((kind, subject))
        if alert is not None:
            alert.facts.append(fact)
            self._recover(alert, now, [fact])

    def act(self, alert: Alert, what: str, by: str, note: str, now: int) -> None:
        """A person acknowledges, resolves or notes. Raises `WrongStateError` when the alert is closed."""
        params = {"note": note} if note else {}
        if what == "note":
            alert.history.append(AlertEvent(now, "noted", by, params))
        elif alert.state not in LIVE:
            raise WrongStateError(alert.state.value)
        elif what == "acknowledge":
            if alert.state is AlertState.ACKNOWLEDGED:
                raise WrongStateError(alert.state.value)
            alert.state = AlertState.ACKNOWLEDGED
            alert.history.append(AlertEvent(now, "acknowledged", by, params))
        else:
            self._close(alert, AlertState.RESOLVED, now)
            alert.history.append(AlertEvent(now, "resolved", by, params))
        self.changed[alert.id] = alert

    def forget_before(self, at: int) -> None:
        """Let go of closed alerts that nothing can bear on any more."""
        for occurrence, kinds in list(self._by_occurrence.items()):
            for kind, alert in list(kinds.items()):
                if alert.closed_at is not None and alert.closed_at < at:
                    del kinds[kind]
            if not kinds:
                del self._by_occurrence[occurrence]
        self._closed = {
            alert.id: alert
            for alert in self._closed.values()
            if alert.closed_at is None or alert.closed_at >= at
        }

    def _problem(self, kind: AlertKind, occurrence: Occurrence, reason: Reason, now: int) -> None:
        alert = self._live.get((kind, occurrence.subject))
        if alert is None:
            deadline = occurrence.due_at
            if kind in (AlertKind.RADIO_NO_ANSWER, AlertKind.RADIO_ABNORMAL) and occurrence.calls:
                deadline = occurrence.calls[-1].at
            is_long = occurrence.due_at - occurrence.opens_at >= LONG_MS
            severity = Severity.MINOR if kind is AlertKind.RECORD_MISSING and is_long else None
            alert = self._open(kind, occurrence.subject, occurrence.name, reason, deadline, now, severity)
            alert.duty, alert.clause = occurrence.duty, occurrence.clause
        else:
            alert.history.append(AlertEvent(now, "joined", params={"occurrence": occurrence.id}))
            alert.reason = reason
        if occurrence.id not in alert.occurrences:
            alert.occurrences.append(occurrence.id)
        if occurrence.id in alert.disproved:
            alert.disproved.remove(occurrence.id)
        alert.last_due = max(alert.last_due, occurrence.due_at)
        self._by_occurrence.setdefault(occurrence.id, {})[kind] = alert
        self.changed[alert.id] = alert

    def _open(
        self,
        kind: AlertKind,
        subject: str,
        name: Names,
        reason: Reason,
        deadline: int,
        now: int,
        severity: Severity | None = None,
    ) -> Alert:
        alert = Alert(
            id=f"{self.plan.site}-{self._next}",
            site=self.plan.site,
            kind=kind,
            subject=subject,
            name=name,
            severity=severity or SEVERITY[kind],
            opened_at=now,
            deadline=deadline,
            reason=reason,
            escalation=self.plan.escalation,
            history=[AlertEvent(now, "opened", params={"reason": reason.code})],
        )
        self._next += 1
        self._live[(kind, subject)] = alert
        return alert

    def _explain(self, alert: Alert, reason: Reason, now: int) -> None:
        if alert.reason != reason and alert.state is not AlertState.WITHDRAWN:
            if alert.reason.code != reason.code:
                params = {"reason": reason.code, "params": dict(reason.params)}
                alert.history.append(AlertEvent(now, "reason", params=params))
            alert.reason = reason
            self.changed[alert.id] = alert

    def _answered(self, alert: Alert, occurrence: Occurrence, superseded: bool, now: int) -> None:
        """An occurrence that the alert is about is no problem any more."""
        if alert.kind is AlertKind.RADIO_ABNORMAL:
            return
        in_time = superseded or occurrence.verdict in (Verdict.ON_TIME, Verdict.EARLY)
        if alert.kind not in _DISPROVABLE or not in_time:
            if alert.state in LIVE and occurrence.verdict in FULFILLED:
                self._recover(alert, now, [fact.id for fact in occurrence.facts[-1:]])
            return
        if occurrence.id in alert.disproved:
            return
        alert.disproved.append(occurrence.id)
        proof = {"occurrence": occurrence.id, "facts": [fact.id for fact in occurrence.facts]}
        self.changed[alert.id] = alert
        if len(alert.disproved) < len(alert.occurrences) or alert.state is AlertState.WITHDRAWN:
            alert.history.append(AlertEvent(now, "disproved", params=proof))
            return
        self._close(alert, AlertState.WITHDRAWN, now)
        alert.history.append(AlertEvent(now, "withdrawn", params=proof))

    def _recover_earlier(self, occurrence: Occurrence, now: int) -> None:
        """A fulfilled occurrence ends what earlier ones of the same duty began."""
        for kind in _ENDED_BY[occurrence.kind]:
            alert = self._live.get((kind, occurrence.subject))
            if alert is not None and alert.duty == occurrence.duty and alert.last_due < occurrence.due_at:
                self._recover(alert, now, [fact.id for fact in occurrence.facts[-1:]])

    def _recover(self, alert: Alert, now: int, facts: list[str]) -> None:
        after = round((now - alert.deadline) / 1000)
        self._close(alert, AlertState.RESOLVED, now)
        alert.history.append(AlertEvent(now, "recovered", params={"after_s": after, "facts": facts}))
        self.changed[alert.id] = alert

    def _close(self, alert: Alert, state: AlertState, now: int) -> None:
        alert.state = state
        alert.closed_at = alert.closed_at or now
        self._closed[alert.id] = alert
        if self._live.get((alert.kind, alert.subject)) is alert:
            del self._live[(alert.kind, alert.subject)]


def _problems(occurrence: Occurrence) -> dict[AlertKind, Reason]:
    """What somebody must act on in one occurrence."""
    verdict, reason = occurrence.verdict, occurrence.reason
    if occurrence.kind is DutyKind.ROUND:
        return {AlertKind.ROUND_MISSED: reason} if verdict in UNPROVED else {}
    if occurrence.kind is DutyKind.RECORD:
        return {AlertKind.RECORD_MISSING: reason} if verdict in UNPROVED else {}
    if reason.code == "abnormal":
        return {AlertKind.RADIO_ABNORMAL: reason}
    problems: dict[AlertKind, Reason] = {}
    if occurrence.calls and occurrence.calls[-1].outcome == "no_answer":
        problems[AlertKind.RADIO_NO_ANSWER] = Reason("no_answer", {"calls": len(occurrence.calls)})
    if verdict in UNPROVED and reason.code != "no_answer":
        problems[AlertKind.RADIO_NOT_CALLED] = reason
    return problems
