"""Barriers: the position of each gate as its events tell it, and the events that somebody must act on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.alert import AlertKind
from gateway.domain.alerts import AlertBook
from gateway.domain.calendar import FOREVER
from gateway.domain.commands import Commands
from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.hearing import Hearing
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Reason

FEED_LENGTH: Final = 50

_POSITION: Final[Mapping[GateEventKind, str]] = {
    GateEventKind.OPENED: "open",
    GateEventKind.MANUAL_OPEN: "open",
    GateEventKind.CLOSED: "closed",
    GateEventKind.RECOVERED: "closed",
    GateEventKind.FORCED: "forced",
    GateEventKind.STUCK: "stuck",
    GateEventKind.FAULT: "fault",
}

_RAISES: Final[Mapping[GateEventKind, AlertKind]] = {
    GateEventKind.FORCED: AlertKind.GATE_FORCED,
    GateEventKind.STUCK: AlertKind.GATE_FAULT,
    GateEventKind.FAULT: AlertKind.GATE_FAULT,
}

_ENDS: Final[Mapping[GateEventKind, tuple[AlertKind, ...]]] = {
    GateEventKind.CLOSED: (AlertKind.GATE_FORCED,),
    GateEventKind.RECOVERED: (AlertKind.GATE_FORCED, AlertKind.GATE_FAULT),
}


@dataclass(slots=True)
class Gate:
    """One barrier: where it is, and since when (ms)."""

    device: str
    position: str = "unknown"
    since: int | None = None
    at: tuple[int, str, str, int] | None = field(default=None, repr=False)  # order of the event it rests on
    moved_by: str | None = None  # the fact that told of it
    closed_at: int = -FOREVER  # when it was last seen closed (ms)
    told: dict[AlertKind, GateEvent] = field(default_factory=dict, repr=False)
    """The latest event that raises or ends each kind of alert."""


class Gates:
    """The barriers of one site, and their latest events, in the order in which they happened."""

    __slots__ = ("_plan", "feed", "gates")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.gates: dict[str, Gate] = {}
        self.feed: deque[GateEvent] = deque(maxlen=FEED_LENGTH)

    def take(self, fact: GateEvent, alerts: AlertBook | None, now: int) -> None:
        """Note an event; `alerts` is None while stored events are read again."""
        gate = self.gates.setdefault(fact.device, Gate(fact.device))
        if not self.feed or fact.order > self.feed[-1].order:
            self.feed.append(fact)
        else:
            kept = sorted([*self.feed, fact], key=lambda event: event.order)
            self.feed = deque(kept[-FEED_LENGTH:], maxlen=FEED_LENGTH)
        position = _POSITION.get(fact.event)
        latest = gate.at is None or fact.order > gate.at
        if position is not None and latest:
            if position != gate.position:
                gate.position, gate.since, gate.moved_by = position, fact.occurred_at, fact.id
            gate.at = fact.order
        if position == "closed":
            gate.closed_at = max(gate.closed_at, fact.occurred_at)
        raises = _RAISES.get(fact.event)
        bears_on = (*_ENDS.get(fact.event, ()), *((raises,) if raises else ()))
        for kind in bears_on:
            if (told := gate.told.get(kind)) is None or fact.order > told.order:
                gate.told[kind] = fact
        if alerts is None:
            return
        if raises:
            device = self._plan.device_by_id.get(fact.device)
            name = (device.name if device else None) or {"zh": fact.device}
            params = {"event": fact.event.value, "lane": fact.lane, "cause": fact.cause}
            reason = Reason(fact.event.value, {key: value for key, value in params.items() if value})
            alerts.event(raises, fact.device, name, reason, fact.occurred_at, now, fact.id)
        for kind in bears_on:
            # In whatever order they come in: it is over when the latest of them says so.
            last = gate.told[kind]
            if kind in _ENDS.get(last.event, ()):
                alerts.event_over(kind, fact.device, now, last.id)

    def step(self, now: int, alerts: AlertBook, hearing: Hearing, commands: Commands) -> None:
        """Tell of barriers that stand open for longer than the plan allows, and of those that do not any more.

        Not of one that a person told to stay open, until it is closed; and not before the controller has shown that
        it had nothing else to say by then, as the word of its closing may still be on its way (law 4).
        """
        for gate in self.gates.values():
            alert = alerts.live_of(AlertKind.GATE_HELD_OPEN, gate.device)
            due = self._open_until(gate, commands)
            if alert is not None and (due is None or alert.reason.params["since"] != gate.since):
                alerts.event_over(AlertKind.GATE_HELD_OPEN, gate.device, now)
                alert = None
            if due is None or alert is not None or gate.since is None:
                continue
            heard = hearing.device(gate.device)
            if heard.heard_until <= due or heard.lost_between(gate.since, due) or _was_told(gate, alerts):
                continue
            reason = Reason("held_open", {"since": gate.since, "limit_s": (due - gate.since) // 1000})
            shown = self._plan.device_by_id[gate.device].name or {"zh": gate.device}
            alerts.event(AlertKind.GATE_HELD_OPEN, gate.device, shown, reason, due, now, gate.moved_by)

    def _open_until(self, gate: Gate, commands: Commands) -> int | None:
        """Until when an open barrier may stand open (ms); None for one that is not open, or may stay so."""
        device = self._plan.device_by_id.get(gate.device)
        if (
            device is None
            or device.held_open_after_s is None
            or gate.position != "open"
            or gate.since is None
        ):
            return None
        held_since = commands.held_since(gate.device)
        if held_since is not None and held_since > gate.closed_at:
            return None
        return gate.since + device.held_open_after_s * 1000


def _was_told(gate: Gate, alerts: AlertBook) -> bool:
    """Whether an alert about this same opening is over: somebody has resolved it, and it still stands open."""
    return any(
        alert.kind is AlertKind.GATE_HELD_OPEN
        and alert.subject == gate.device
        and alert.reason.params["since"] == gate.since
        for alert in alerts.closed_since(-FOREVER)
    )
