"""An alert: something that somebody must act on, from its opening to its end. Instants are ms since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.domain.plan import EscalationStep, Names
from gateway.domain.verdicts import Reason


class AlertKind(StrEnum):
    ROUND_MISSED = "round_missed"
    RADIO_NOT_CALLED = "radio_not_called"
    RADIO_NO_ANSWER = "radio_no_answer"
    RADIO_ABNORMAL = "radio_abnormal"
    RECORD_MISSING = "record_missing"
    GATE_FORCED = "gate_forced"
    GATE_FAULT = "gate_fault"
    NO_CONSENT = "no_consent"
    CAR_SWAPPED = "car_swapped"
    GATE_HELD_OPEN = "gate_held_open"
    COMMAND_UNCERTAIN = "command_uncertain"
    REPORT_RAISED = "report_raised"
    DEVICE_SILENT = "device_silent"
    SITE_SILENT = "site_silent"
    GATEWAY_CUT_OFF = "gateway_cut_off"
    NOTICE_UNDELIVERED = "notice_undelivered"


class Severity(StrEnum):
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The worse, the higher."""
        return ("minor", "major", "critical").index(self.value)


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
    AlertKind.NO_CONSENT: Severity.MAJOR,
    AlertKind.CAR_SWAPPED: Severity.MAJOR,
    AlertKind.GATE_HELD_OPEN: Severity.MAJOR,
    AlertKind.COMMAND_UNCERTAIN: Severity.MAJOR,
    AlertKind.DEVICE_SILENT: Severity.MINOR,
    AlertKind.SITE_SILENT: Severity.CRITICAL,
    AlertKind.GATEWAY_CUT_OFF: Severity.CRITICAL,
    AlertKind.NOTICE_UNDELIVERED: Severity.MAJOR,
}


class WrongStateError(Exception):
    """An action on an alert that is not in a state for it; the message is the state."""


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of an alert's history. `origin`: from where a person acted, such as an address."""

    at: int
    what: str
    by: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None


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
    excused: list[str] = field(default_factory=list)
    last_due: int = 0
    facts: list[str] = field(default_factory=list)
    members: dict[str, int] = field(default_factory=dict)  # of a site-wide outage: silent device → joined at
    escalation: tuple[EscalationStep, ...] = ()
    history: list[AlertEvent] = field(default_factory=list)
    inhibited_by: str | None = None  # the alert that explains this one
    silenced_by: str | None = None  # the silence that covers it
    loud_since: int | None = None  # since when it is neither: the ladder counts from here
    steps_told: int = 0  # how many steps of the ladder have been told
    repeats: int = 0
    told: list[str] = field(default_factory=list)  # who has been told so far
    told_at: int | None = None

    @property
    def count(self) -> int:
        """How many occurrences it is about; 1 for an event."""
        return max(1, len(self.occurrences))

    @property
    def muted(self) -> bool:
        """Whether nobody is to be told of it for now."""
        return self.inhibited_by is not None or self.silenced_by is not None
