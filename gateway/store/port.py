"""The storage port: what the service asks of a store, whatever database is behind it.

There is one writer. What one step of the service brought about is one `Commit`, written in one transaction:
the facts, what follows from them, and the hash that chains it to all before. Reading never waits for writing.
Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

Json = dict[str, Any]

FOREVER: Final = 1 << 62


class StoreError(Exception):
    """The store cannot do what was asked; the message says what is wrong and what to do."""


class Kind(StrEnum):
    """The kinds of record that are kept for times of their own."""

    PATROL = "patrol"  # scans, heartbeats, rounds, states of devices
    VEHICLES = "vehicles"  # authorities of vehicles and visitors
    CAR_PARK = "car_park"  # events at barriers, and what people said of them
    INCIDENTS = "incidents"  # calls, reports, alerts, notices, and what people did about them
    RECORDS = "records"  # signatures, the records that they prove, excuses


class FactRow(NamedTuple):
    """A fact as it is kept: what the gateway worked out, and the record as the device sent it."""

    site: str
    device: str
    boot: str
    seq: int
    type: str
    occurred_at: int
    received_at: int
    uncertainty: int
    clock_error: int | None
    body: bytes
    tap: str | None = None  # of a scan: what its SUN message proved, as the keys may be gone later


class VerdictRow(NamedTuple):
    """A change of an occurrence's verdict. `verdict` is `superseded` when it turned out not to be owed."""

    site: str
    occurrence: str
    track: str
    kind: str
    opens_at: int
    due_at: int
    ordinal: int  # which of several that open at once
    at: int
    verdict: str
    code: str
    body: bytes  # the occurrence in JSON


class AlertRow(NamedTuple):
    """An alert after a change of it."""

    id: str
    site: str
    number: int
    kind: str
    subject: str
    state: str
    at: int
    opened_at: int
    closed_at: int | None
    body: bytes  # the alert in JSON, its history included


class RefusedRow(NamedTuple):
    """Something that was refused at the door."""

    topic: str
    payload: bytes
    received_at: int
    reason: str
    detail: str
    site: str | None = None
    device: str | None = None
    boot: str | None = None
    seq: int | None = None


class StateRow(NamedTuple):
    """A device said that it is there, or its last will said that it is not."""

    site: str
    device: str
    at: int
    online: bool


class PlanRow(NamedTuple):
    """A version of a site's plan, as a site file."""

    site: str
    version: int
    holds_from: int
    created_at: int
    body: str


class ActionRow(NamedTuple):
    """Something that a person did: who, when, from where, to what."""

    site: str
    at: int
    by: str
    origin: str  # from where, such as an address; empty when not known
    what: str  # acknowledge, excuse, silence, …
    target: str  # the alert, occurrence, silence, … it was done to
    body: bytes  # the rest in JSON


class BlindRow(NamedTuple):
    """The gateway could not hear in `[since, until)`."""

    since: int
    until: int
    cause: str  # down, cut_off, clock


class NoticeRow(NamedTuple):
    """Something that somebody must be told of an alert, as it was when that was decided."""

    key: str
    site: str
    at: int
    kind: str
    to: str  # roles and ids of people, a JSON list
    alert: str | None
    body: bytes  # the notice in JSON, with its alert as it was then


class DeliveryRow(NamedTuple):
    """How far a notice has come on its way over one channel. Not a record of what happened: it changes."""

    notice: str
    number: int  # of the notice
    site: str
    alert: str | None
    channel: str  # "" when it concerns none
    state: str  # waiting, delivered, failed, dropped
    since: int  # when it was first to be sent
    attempts: int = 0
    next_at: int | None = None  # while it waits
    last_error: str | None = None
    delivered_at: int | None = None


class PurgedRow(NamedTuple):
    """A record that is removed: what is kept of it, so that the chain can be worked out."""

    table: str
    commit: int
    record: int  # its number in its table
    digest: bytes


class FreedRow(NamedTuple):
    """Numbers of facts that are removed, `first` to `last`: they were heard, and are not taken in again."""

    site: str
    device: str
    boot: str
    first: int
    last: int
    record: (
        int  # the number of the one of them that was stored first, which stands for its place among the boots
    )
    received_at: int  # of that one


@dataclass(slots=True)
class Commit:
    """What is written in one transaction. `alive`: written even if it holds nothing, as a sign of life."""

    at: int
    alive: bool = False
    facts: list[FactRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    notices: list[NoticeRow] = field(default_factory=list)
    states: list[StateRow] = field(default_factory=list)
    plans: list[PlanRow] = field(default_factory=list)
    actions: list[ActionRow] = field(default_factory=list)
    blind: list[BlindRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)  # quarantine entries that were replayed
    purged: list[PurgedRow] = field(default_factory=list)
    freed: list[FreedRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.facts
            or self.verdicts
            or self.alerts
            or self.notices
            or self.states
            or self.plans
            or self.actions
            or self.blind
            or self.alive
            or self.refused
            or self.cleared
        )


class Known(NamedTuple):
    """What was reported of an occurrence last."""

    track: str
    opens_at: int
    ordinal: int
    verdict: str
    code: str
    findings: str = ""  # their codes, as `finding_codes` joins them


class BootRow(NamedTuple):
    """How many facts are stored of one boot of a device; 0 when all that is kept of it was refused."""

    site: str
    device: str
    boot: str
    records: int
    high_seq: int


class Refused(NamedTuple):
    """An entry of the quarantine: the same thing refused again counts up."""

    id: int
    topic: str
    payload: bytes
    reason: str
    detail: str
    site: str | None
    device: str | None
    times: int
    first_at: int
    last_at: int
    seq: int | None = None  # of the record that it is, where its number could be read


class Fault(NamedTuple):
    """A place where the hash chain does not hold."""

    commit: int
    what: str


class Store(Protocol):
    """A store. Every method may raise `StoreError`."""

    async def commit(self, commit: Commit) -> None:
        """Write all of it, or nothing; when this returns it survives a power cut.

        Facts and notices that are there already are skipped.
        """

    async def last_commit_at(self) -> int:
        """When the last commit was made; 0 when there is none."""

    async def plans(self) -> list[PlanRow]:
        """All versions of all sites' plans, by site and version."""

    async def facts(
        self,
        site: str,
        start: int,
        end: int,
        *,
        type: str | None = None,
        device: str | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[tuple[int, FactRow]]:
        """Facts with `start <= occurred_at < end`, by time, with their numbers.

        `after`: go on behind this (occurred_at, number).
        """

    async def losses(self, site: str) -> list[FactRow]:
        """All facts that tell of records which a device has lost, by time; maybe some others too."""

    async def received_since(self, at: int) -> list[FactRow]:
        """The facts of all sites that were stored last: those after the last one that was received before `at` (ms)."""

    async def last_taps(self, site: str, before: int) -> list[FactRow]:
        """Of each tag that counts its readings the scan with the highest counter that happened before an instant.

        Of several with that counter the first by time, device, boot and number.
        """

    async def received(self, site: str, device: str, boot: str) -> list[int]:
        """The sequence numbers of one boot that are stored as facts, ascending."""

    async def boots(self) -> list[BootRow]:
        """What is kept of each boot of each device, in the order in which they were first heard of."""

    async def refused_seqs(self) -> list[tuple[str, str, str, int]]:
        """(site, device, boot, seq) of the records that are kept in the quarantine."""

    async def known(self, site: str, since: int, *, kind: str | None = None) -> list[Known]:
        """What was reported last of the occurrences, all or of a kind, that open at or after `since`."""

    async def occurrence(self, site: str, occurrence: str) -> Json | None:
        """One occurrence as last reported."""

    async def occurrences(self, site: str, kind: str, start: int, end: int) -> list[Json]:
        """Occurrences as last reported, whose window touches `[start, end)`, by opening."""

    async def alerts(
        self, site: str | None = None, states: Sequence[str] = (), since: int = 0, limit: int = 500
    ) -> list[Json]:
        """Alerts, newest first; `since`: those that are live or were closed at or after it."""

    async def alert(self, alert_id: str) -> Json | None:
        """One alert."""

    async def last_alert(self, site: str) -> int:
        """The highest number of an alert of a site; 0 when there is none."""

    async def actions(
        self,
        site: str,
        start: int = 0,
        end: int = FOREVER,
        *,
        what: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[ActionRow]:
        """What people did with `start <= at < end`, newest first; `what`: only these."""

    async def blind(self, since: int) -> list[BlindRow]:
        """When the gateway could not hear, of what ended after `since`, by time."""

    async def last_sign(self) -> int | None:
        """When this store was written to last (ms); None for a new one."""

    async def notices_after(self, number: int, limit: int) -> list[tuple[int, NoticeRow]]:
        """Notices with a higher number than this, in the order in which they were made, with their numbers."""

    async def notice(self, key: str) -> NoticeRow | None:
        """One notice."""

    async def notices(
        self, site: str | None = None, limit: int = 200
    ) -> list[tuple[NoticeRow, list[DeliveryRow]]]:
        """Notices, newest first, with what came of them on each channel."""

    async def last_delivery(self) -> int:
        """The highest number of a notice that has a delivery; 0 when there is none."""

    async def waiting_deliveries(self) -> list[DeliveryRow]:
        """Deliveries that wait to be tried, by the number of their notice."""

    async def write_deliveries(self, rows: Sequence[DeliveryRow]) -> None:
        """Write how far deliveries have come, all of them or none; each replaces what was known of it."""

    async def was_told(self, channel: str, alert: str) -> bool:
        """Whether any notice of an alert was delivered over a channel."""

    async def delivery_counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are, by channel and state."""

    async def device_states(self, site: str) -> list[StateRow]:
        """The latest state of each device."""

    async def quarantine(self, reason: str | None = None, limit: int = 200) -> list[Refused]:
        """What was refused, newest first."""

    async def quarantine_counts(self) -> dict[str, int]:
        """How much was refused, by reason."""

    async def series(self, measurement: str, site: str, start: int, end: int) -> list[tuple[int, str, int]]:
        """Hourly counts: (start of the hour, what, count), by hour."""

    async def verify(self) -> tuple[int, list[Fault]]:
        """Work the hash chain out again: how many commits there are, and where it does not hold.

        What is shown of occurrences and alerts must be what the chain says of them last.
        """

    async def purge(
        self, before: Mapping[Kind, int], now: Callable[[], int], by: str, origin: str = ""
    ) -> dict[str, int]:
        """Remove what is older than these instants (ms), and say how many records, by table; the chain still holds.

        It is many commits, between which others are written. `by`, `origin`: who does it, from where.
        """

    async def purged_before(self) -> dict[Kind, int]:
        """Of each kind, before which instant (ms) records may have been removed."""

    async def close(self) -> None:
        """Finish what is being written, and let go of everything."""
