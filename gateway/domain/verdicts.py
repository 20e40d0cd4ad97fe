"""Verdicts: what the facts say about an occurrence, with a named reason and the facts that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.domain.facts import Fact
from gateway.domain.plan import DutyKind, Names
from gateway.domain.strength import Strength


class Verdict(StrEnum):
    UPCOMING = "upcoming"
    OPEN = "open"
    ON_TIME = "on_time"
    EARLY = "early"
    LATE = "late"
    INCOMPLETE = "incomplete"
    MISSED = "missed"
    UNVERIFIED = "unverified"
    EXCUSED = "excused"


FULFILLED: Final = frozenset({Verdict.ON_TIME, Verdict.EARLY, Verdict.LATE})
EXCUSABLE: Final = frozenset({Verdict.MISSED, Verdict.INCOMPLETE, Verdict.UNVERIFIED, Verdict.LATE})
UNPROVED: Final = frozenset({Verdict.MISSED, Verdict.INCOMPLETE, Verdict.UNVERIFIED})


class VisitVerdict(StrEnum):
    OPEN = "open"
    ON_TIME = "on_time"
    EARLY = "early"
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a named code with parameters, never prose. Every code is listed in docs/reasons.md."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Excuse:
    """A person's word that an occurrence is not to be held against anybody. It stands beside what was judged."""

    occurrence: str
    by: str
    note: str
    at: int  # ms
    origin: str | None = None  # from where it was said, such as an address


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd beside the verdict, with its evidence. It never changes the verdict."""

    code: str
    params: Mapping[str, Any]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One checkpoint of a round, in the route's order. Instants in ms; None while it has not been visited."""

    checkpoint: str
    verdict: VisitVerdict
    occurred_at: int | None = None
    received_at: int | None = None
    fact: str | None = None
    strength: Strength | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One radio call of an occurrence."""

    at: int
    outcome: str
    by: str | None
    fact: str


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature of an occurrence; one that does not count is kept as evidence."""

    at: int
    by: str
    counts: bool
    abnormal: bool
    failed: tuple[str, ...]
    fact: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a duty is owed, and what is known of it now. Instants in ms since the epoch, UTC."""

    id: str
    track: str
    duty: str
    kind: DutyKind
    subject: str
    name: Names
    post: str | None
    opens_at: int
    planned_at: int | None
    due_at: int
    started_at: int | None
    done_at: int | None
    verdict: Verdict
    reason: Reason
    clause: str
    figure: str
    plan_version: int
    facts: tuple[Fact, ...] = ()
    carriers: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    visits: tuple[Visit, ...] = ()
    calls: tuple[Call, ...] = ()
    signatures: tuple[Signed, ...] = ()
    excuse: Excuse | None = None
    judged: tuple[Verdict, Reason] | None = None
    """What the facts say, where the verdict is `excused`."""


def finding_codes(codes: Iterable[str]) -> str:
    """What is compared of findings to tell whether there are others now: their codes, sorted."""
    return ",".join(sorted(codes))


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict became another, or there are other findings beside it.

    `superseded`: the occurrence itself turned out not to be owed.
    """

    occurrence: Occurrence
    previous: tuple[Verdict, str] | None  # verdict and reason code before; None when there was none
    superseded: bool = False

    @property
    def is_of_findings_only(self) -> bool:
        """Whether verdict and reason are what they were."""
        now = (self.occurrence.verdict, self.occurrence.reason.code)
        return not self.superseded and self.previous == now
