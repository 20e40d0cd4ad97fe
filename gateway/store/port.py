"""The storage port: what the service asks of a store, whatever database is behind it.

There is one writer. What one step of the service brought about is one `Commit`, written in one transaction:
the facts, what follows from them, and the hash that chains it to all before. Reading never waits for writing.
Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Json = dict[str, Any]


class StoreError(Exception):
    """The store cannot do what was asked; the message says what is wrong and what to do."""


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


@dataclass(slots=True)
class Commit:
    """What is written in one transaction."""

    at: int
    facts: list[FactRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    states: list[StateRow] = field(default_factory=list)
    plans: list[PlanRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)  # quarantine entries that were replayed

    def __bool__(self) -> bool:
        return bool(
            self.facts
            or self.verdicts
            or self.alerts
            or self.states
            or self.plans
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

        Facts that are there already are skipped.
        """

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

    async def received(self, site: str, device: str, boot: str) -> list[int]:
        """The sequence numbers of one boot that are stored as facts, ascending."""

    async def boots(self) -> list[BootRow]:
        """What is kept of each boot of each device, in the order in which they were first heard of."""

    async def refused_seqs(self) -> list[tuple[str, str, str, int]]:
        """(site, device, boot, seq) of the records that are kept in the quarantine."""

    async def known(self, site: str, since: int, *, kind: str | None = None) -> list[Known]:
        """What was reported last of the occurrences, all or of a kind, that open at or after `since`."""

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

    async def close(self) -> None:
        """Finish what is being written, and let go of everything."""
