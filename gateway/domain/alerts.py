"""The alert book: a site's alerts, from the changes of verdicts and events to those who are told.

At most one alert is open per (kind, subject) (law 8). An alert has members: the occurrences that it is about. One
that is proved to have been fulfilled in time leaves it; when none is left the alert is withdrawn. A late fulfilment,
or a later occurrence of the duty that is fulfilled, is a recovery. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.domain.alert import (
    LIVE,
    SEVERITY,
    Alert,
    AlertEvent,
    AlertKind,
    AlertState,
    Severity,
    WrongStateError,
)
from gateway.domain.calendar import FOREVER
from gateway.domain.ladder import climb, next_rung, tell_the_end
from gateway.domain.notices import Notice, NoticeKind
from gateway.domain.plan import DutyKind, Names, Plan
from gateway.domain.silences import Silence, Silences
from gateway.domain.verdicts import FULFILLED, UNPROVED, Occurrence, Reason, Verdict, VerdictChange

KEEP_CLOSED_MS: Final = 48 * 3_600_000
"""How long a closed alert still answers for its members, so that late proof finds it."""

RELEASE_MS: Final = 120_000
"""So long after an outage what it explained stays quiet: the devices first send what they have kept."""

LONG_MS: Final = 6 * 86_400_000
"""A record that is owed for as long as this, a week or more, is not urgent the moment that it is missing."""

_DISPROVABLE: Final = frozenset(
    {AlertKind.ROUND_MISSED, AlertKind.RADIO_NOT_CALLED, AlertKind.RECORD_MISSING}
)
"""Kinds that say that something did not happen: proof that it did withdraws them."""

_OUTAGES: Final = frozenset({AlertKind.DEVICE_SILENT, AlertKind.SITE_SILENT, AlertKind.GATEWAY_CUT_OFF})
"""Kinds that explain others."""

_ENDED_BY: Final[Mapping[DutyKind, tuple[AlertKind, ...]]] = {
    DutyKind.ROUND: (AlertKind.ROUND_MISSED,),
    DutyKind.RADIO_CHECK: (AlertKind.RADIO_NOT_CALLED, AlertKind.RADIO_NO_ANSWER),
    DutyKind.RECORD: (AlertKind.RECORD_MISSING,),
}
"""What a later fulfilment of the duty puts an end to."""


class AlertBook:
    """The alerts of one site. `changed` collects what the caller has to store; the caller empties it."""

    __slots__ = (
        "_by_occurrence",
        "_explained_by",
        "_filed",
        "_known",
        "_live",
        "_next",
        "_outages_changed",
        "_release_at",
        "_silence_change",
        "_wakes",
        "changed",
        "notices",
        "plan",
        "silences",
    )

    def __init__(
        self,
        plan: Plan,
        stored: Iterable[Alert] = (),
        last_number: int = 0,
        silences: Iterable[Silence] = (),
    ) -> None:
        self.plan = plan
        self.changed: dict[str, Alert] = {}
        self.notices: list[Notice] = []
        """Who must be told what. Like `changed` to be taken and emptied by the caller."""
        self.silences = Silences(silences)
        self._live: dict[tuple[AlertKind, str], Alert] = {}
        self._known: dict[str, Alert] = {}  # live, or closed not long ago
        self._by_occurrence: dict[str, dict[AlertKind, Alert]] = {}
        self._next = last_number + 1
        self._explained_by: dict[str, Alert] = {}  # silent device → the alert about it
        self._outages_changed = True
        self._silence_change = self.silences.next_change(-FOREVER)
        self._release_at: dict[str, int] = {}
        self._wakes: list[tuple[int, str]] = []
        self._filed: dict[str, int] = {}
        for alert in sorted(stored, key=lambda alert: alert.opened_at):
            self._known[alert.id] = alert
            if alert.state in LIVE:
                self._live[(alert.kind, alert.subject)] = alert
            for occurrence in alert.occurrences:
                self._by_occurrence.setdefault(occurrence, {})[alert.kind] = alert

    @property
    def live(self) -> list[Alert]:
        """Open and acknowledged alerts, newest first."""
        return sorted(self._live.values(), key=lambda alert: alert.opened_at, reverse=True)

    def live_of(self, kind: AlertKind, subject: str) -> Alert | None:
        """The one live alert of a kind about a subject."""
        return self._live.get((kind, subject))

    def closed_since(self, at: int) -> list[Alert]:
        """Alerts that were closed at or after an instant, at most `KEEP_CLOSED_MS` ago, newest first."""
        found = [
            alert for alert in self._known.values() if alert.closed_at is not None and alert.closed_at >= at
        ]
        return sorted(found, key=lambda alert: alert.opened_at, reverse=True)

    def find(self, alert_id: str) -> Alert | None:
        """An alert that is live or was closed not long ago, by its id."""
        return self._known.get(alert_id)

    def verdict_changed(self, change: VerdictChange, now: int) -> None:
        """Open, extend, explain, recover or withdraw what a changed verdict bears on."""
        occurrence = change.occurrence
        excused = occurrence.verdict is Verdict.EXCUSED
        problems = {} if change.superseded or excused else _problems(occurrence)
        known = self._by_occurrence.get(occurrence.id, {})
        for kind, alert in list(known.items()):
            if kind in problems:
                self._explain(alert, problems[kind], now)
            elif excused:
                self._excused(alert, occurrence, now)
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
        fact: str | None = None,
        severity: Severity | None = None,
    ) -> Alert:
        """Open an alert for something that a device reported at `at`, or add it to the open one.

        `fact`: None for what the service itself knows; it brings the open alert's reason up to date.
        """
        alert = self._live.get((kind, subject))
        if alert is None:
            alert = self._open(kind, subject, name, reason, at, now, severity)
        elif fact is None:
            self._explain(alert, reason, now)
            return alert
        else:
            alert.history.append(AlertEvent(now, "joined", params={"fact": fact}))
        if fact is not None:
            alert.facts.append(fact)
        self.changed[alert.id] = alert
        return alert

    def open_outage(
        self,
        kind: AlertKind,
        subject: str,
        name: Names,
        reason: Reason,
        since: int,
        now: int,
        severity: Severity | None = None,
    ) -> Alert:
        """Open an alert about something that keeps us from hearing, which has lasted since `since`."""
        alert = self._open(kind, subject, name, reason, since, now, severity)
        self.note_outage(alert)
        return alert

    def note_outage(self, alert: Alert) -> None:
        """An alert that explains others has changed."""
        self._outages_changed = True
        self.changed[alert.id] = alert

    def event_over(self, kind: AlertKind, subject: str, now: int, fact: str | None = None) -> None:
        """What an event alert told of is over."""
        alert = self._live.get((kind, subject))
        if alert is not None:
            facts = [] if fact is None else [fact]
            alert.facts += facts
            self.recover(alert, now, facts)

    def event_disproved(self, kind: AlertKind, subject: str, now: int, fact: str) -> None:
        """What an event alert told of did not happen, as records that came late show."""
        alert = self._live.get((kind, subject))
        if alert is None or fact not in alert.facts:
            return
        alert.facts.remove(fact)
        params = {"occurrence": fact, "facts": [fact]}
        self.changed[alert.id] = alert
        if alert.facts:
            alert.history.append(AlertEvent(now, "disproved", params=params))
            return
        alert.history.append(AlertEvent(now, "withdrawn", params=params))
        self._close(alert, AlertState.WITHDRAWN, NoticeKind.WITHDRAWN, now)

    def act(self, alert: Alert, what: str, by: str, note: str, now: int, origin: str | None = None) -> None:
        """A person acknowledges, resolves or notes. Raises `WrongStateError` when the alert is closed."""
        params = {"note": note} if note else {}
        if what == "note":
            alert.history.append(AlertEvent(now, "noted", by, params, origin))
        elif alert.state not in LIVE:
            raise WrongStateError(alert.state.value)
        elif what == "acknowledge":
            if alert.state is AlertState.ACKNOWLEDGED:
                raise WrongStateError(alert.state.value)
            alert.state = AlertState.ACKNOWLEDGED
            alert.history.append(AlertEvent(now, "acknowledged", by, params, origin))
        else:
            alert.history.append(AlertEvent(now, "resolved", by, params, origin))
            self._close(alert, AlertState.RESOLVED, NoticeKind.RESOLVED, now)
        self.changed[alert.id] = alert

    def silence(self, silence: Silence, now: int) -> None:
        """Put a silence into force, or a changed one in its place."""
        self.silences.put(silence)
        self._silence_change = now

    # -- who is told ----------------------------------------------------------------------------------------

    @property
    def next_wake(self) -> int:
        """When `settle` must be called even if nothing changes."""
        return min(self._wakes[0][0] if self._wakes else FOREVER, self._silence_change)

    def settle(self, now: int) -> None:
        """At the end of a step: mute what is explained or silenced, and tell who must be told by `now`."""
        if self._outages_changed or self._silence_change <= now:
            self._outages_changed = False
            self._explained_by = self._explanations()
            self._silence_change = self.silences.next_change(now)
            looked = list(self._live.values())
        else:
            looked = [alert for alert in self.changed.values() if alert.state in LIVE]
        while self._wakes and self._wakes[0][0] <= now:
            at, alert_id = heapq.heappop(self._wakes)
            if self._filed.get(alert_id) == at:
                del self._filed[alert_id]
                alert = self._known.get(alert_id)
                if alert is not None and alert.state in LIVE:
                    looked.append(alert)
        for alert in looked:
            self._mute(alert, now)
            for notice in climb(alert, self.plan.repeat_s, now):
                self.notices.append(notice)
                self.changed[alert.id] = alert
            wake = min(next_rung(alert, self.plan.repeat_s), self._release_at.get(alert.id, FOREVER))
            if wake < self._filed.get(alert.id, FOREVER):
                self._filed[alert.id] = wake
                heapq.heappush(self._wakes, (wake, alert.id))

    def _explanations(self) -> dict[str, Alert]:
        found: dict[str, Alert] = {}
        for alert in self._live.values():
            if alert.kind is AlertKind.DEVICE_SILENT:
                found.setdefault(alert.subject, alert)
            elif alert.kind is AlertKind.SITE_SILENT:
                found |= dict.fromkeys(alert.members, alert)
        return found

    def _explanation(self, alert: Alert) -> Alert | None:
        """The outage that explains an alert (law 8); None when nothing does."""
        if alert.kind in _OUTAGES:
            site = self.live_of(AlertKind.SITE_SILENT, self.plan.site)
            within = (
                alert.kind is AlertKind.DEVICE_SILENT and site is not None and alert.subject in site.members
            )
            return site if within else None
        if alert.reason.code != "no_proof":
            return None
        outages = [self._explained_by.get(device) for device in alert.reason.params["devices"]]
        outages.append(self.live_of(AlertKind.GATEWAY_CUT_OFF, self.plan.site))
        # What has been away for longer than anybody waits for it, a scanner in a drawer, explains nothing.
        earliest = alert.deadline - self.plan.settle_after_s * 1000
        explaining = [each for each in outages if each is not None and each.deadline > earliest]
        return min(explaining, key=lambda each: (each.opened_at, each.id), default=None)

    def _mute(self, alert: Alert, now: int) -> None:
        outage = self._explanation(alert)
        over = outage is None and alert.inhibited_by is not None and alert.reason.code == "no_proof"
        if over and now < self._release_at.setdefault(alert.id, now + RELEASE_MS):
            return
        self._release_at.pop(alert.id, None)
        silence = self.silences.covering(alert, now)
        explained, silenced = outage.id if outage else None, silence.id if silence else None
        if explained != alert.inhibited_by:
            params = {"alert": explained or alert.inhibited_by}
            event = AlertEvent(now, "inhibited", params=params)
            alert.history.append(event if explained else AlertEvent(now, "released", params=params))
            if outage is not None and outage.severity.rank < alert.severity.rank:
                # What keeps us from knowing is as bad as what we do not know.
                outage.severity = alert.severity
                self.changed[outage.id] = outage
        if silenced != alert.silenced_by:
            params = {"silence": silenced or alert.silenced_by}
            event = AlertEvent(now, "silenced", params=params)
            alert.history.append(event if silenced else AlertEvent(now, "unsilenced", params=params))
        if (explained, silenced) != (alert.inhibited_by, alert.silenced_by):
            alert.inhibited_by, alert.silenced_by = explained, silenced
            alert.loud_since = None
            self.changed[alert.id] = alert
        if alert.loud_since is None and not alert.muted:
            alert.loud_since = now
            self.changed[alert.id] = alert

    def forget_before(self, at: int) -> None:
        """Let go of closed alerts that nothing can bear on any more."""
        for occurrence, kinds in list(self._by_occurrence.items()):
            for kind, alert in list(kinds.items()):
                if alert.closed_at is not None and alert.closed_at < at:
                    del kinds[kind]
            if not kinds:
                del self._by_occurrence[occurrence]
        self._known = {
            alert.id: alert
            for alert in self._known.values()
            if alert.closed_at is None or alert.closed_at >= at
        }
        self.silences.forget_before(at)

    # -- opening and closing --------------------------------------------------------------------------------

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
        self._known[alert.id] = alert
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
                self.recover(alert, now, [fact.id for fact in occurrence.facts[-1:]])
            return
        if occurrence.id in alert.disproved:
            return
        alert.disproved.append(occurrence.id)
        proof = {"occurrence": occurrence.id, "facts": [fact.id for fact in occurrence.facts]}
        self.changed[alert.id] = alert
        if not _is_about_nothing(alert) or alert.state is AlertState.WITHDRAWN:
            alert.history.append(AlertEvent(now, "disproved", params=proof))
            return
        alert.history.append(AlertEvent(now, "withdrawn", params=proof))
        self._close(alert, AlertState.WITHDRAWN, NoticeKind.WITHDRAWN, now)

    def _excused(self, alert: Alert, occurrence: Occurrence, now: int) -> None:
        """Somebody has excused an occurrence; when nothing else is left the alert is resolved."""
        if occurrence.id in alert.excused:
            return
        alert.excused.append(occurrence.id)
        excuse = occurrence.excuse
        assert excuse is not None
        params = {"occurrence": occurrence.id, "note": excuse.note}
        alert.history.append(AlertEvent(now, "excused", excuse.by, params, excuse.origin))
        self.changed[alert.id] = alert
        if alert.state in LIVE and _is_about_nothing(alert):
            self._close(alert, AlertState.RESOLVED, NoticeKind.RESOLVED, now)

    def _recover_earlier(self, occurrence: Occurrence, now: int) -> None:
        """A fulfilled occurrence ends what earlier ones of the same duty began."""
        for kind in _ENDED_BY[occurrence.kind]:
            alert = self._live.get((kind, occurrence.subject))
            if alert is not None and alert.duty == occurrence.duty and alert.last_due < occurrence.due_at:
                self.recover(alert, now, [fact.id for fact in occurrence.facts[-1:]])

    def recover(self, alert: Alert, now: int, facts: Iterable[str] = ()) -> None:
        """What an alert told of is over by itself."""
        after = round((now - alert.deadline) / 1000)
        params = {"after_s": after, "facts": list(facts)}
        alert.history.append(AlertEvent(now, "recovered", params=params))
        self._close(alert, AlertState.RESOLVED, NoticeKind.RECOVERED, now)
        self.changed[alert.id] = alert

    def _close(self, alert: Alert, state: AlertState, told: NoticeKind, now: int) -> None:
        was_live = alert.state in LIVE
        alert.state = state
        alert.closed_at = alert.closed_at or now
        if was_live and alert.silenced_by is None:
            notice = tell_the_end(alert, told, now)
            self.notices += [notice] if notice else []
        self._outages_changed |= alert.kind in _OUTAGES
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
    if any(call.outcome == "abnormal" for call in occurrence.calls):
        # Whether the call was in time cannot be told; what was answered can.
        problems[AlertKind.RADIO_ABNORMAL] = Reason("abnormal", {})
    if occurrence.calls and occurrence.calls[-1].outcome == "no_answer":
        problems[AlertKind.RADIO_NO_ANSWER] = Reason("no_answer", {"calls": len(occurrence.calls)})
    if verdict in UNPROVED and reason.code != "no_answer":
        problems[AlertKind.RADIO_NOT_CALLED] = reason
    return problems


def _is_about_nothing(alert: Alert) -> bool:
    """Whether each of its occurrences was disproved or excused."""
    return set(alert.occurrences) <= {*alert.disproved, *alert.excused}
