"""The real judge in the form of the reference: a `Watch` fed in some order, in some batches, with duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from gateway.domain.assess import assess, started_at
from gateway.domain.calendar import varied
from gateway.domain.facts import AnyFact
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Finding
from gateway.domain.watch import Changes, Watch

from .reference import Judged

VARY_S = 600


def vary(track: str, day: date, index: int) -> int:
    """How the judge moves a planned time of the strategies' site, whose `vary` is 10 minutes or none."""
    return varied(VARY_S, f"site|{track}", day, index)


def feed(watch: Watch, facts: Iterable[AnyFact], now: int) -> Changes:
    """Give a watch what has come in, as the intake does: each record once."""
    fresh = [fact for fact in facts if watch.hearing.device(fact.device).add(fact.boot, fact.seq)]
    return watch.step(now, fresh)


def judged(watch: Watch, now: int) -> list[Judged]:
    """All that the watch holds, as the reference tells it."""
    found = []
    for track in watch.tracks():
        for owed in track.peek(now, 0):
            if owed.opens <= now:
                assessment = assess(track, owed, now, watch.hearing)
                evidence = owed.evidence or []
                found.append(
                    Judged(
                        track.key,
                        owed.opens,
                        owed.due,
                        assessment.verdict.value,
                        assessment.reason.code,
                        started_at(track, owed),
                        owed.done,
                        tuple(fact.id for fact in evidence),
                        findings=told(watch.findings(track, owed)),
                    )
                )
    return sorted(found, key=lambda each: (each.track, each.opens_at))


def told(findings: Iterable[Finding]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Findings as the reference tells them: code and facts, sorted."""
    return tuple(sorted((finding.code, finding.facts) for finding in findings))


def judge(plans: Sequence[Plan], facts: Sequence[AnyFact], now: int) -> list[Judged]:
    """The real judge, given everything at once."""
    watch = Watch(sorted(plans, key=lambda plan: plan.holds_from))
    feed(watch, facts, now)
    return judged(watch, now)
