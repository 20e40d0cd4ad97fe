"""From what an occurrence has claimed to its verdict at an instant (docs/judging.md, part 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from gateway.domain.facts import AnyFact, Outcome, RadioCall, Scan, Signature
from gateway.domain.hearing import Hearing
from gateway.domain.plan import At, DutyKind, Names
from gateway.domain.rounds import RoundRule
from gateway.domain.signing import counted, may_sign, signer, wrong_signers
from gateway.domain.tracks import DOUBTFUL_MS, Owed, Track
from gateway.domain.verdicts import (
    EXCUSABLE,
    Call,
    Excuse,
    Finding,
    Occurrence,
    Reason,
    Signed,
    Verdict,
    Visit,
    VisitVerdict,
)


@dataclass(slots=True)
class Assessment:
    """A verdict with its reason. `settled`: only a fact can change it now, not time and not hearing more."""

    verdict: Verdict
    reason: Reason
    settled: bool = False
    waits_for: tuple[str, ...] = ()  # devices that may still hold the proof
    excuse: Excuse | None = None
    judged: tuple[Verdict, Reason] | None = None  # what the facts say, where it is excused


_NOT_DUE: Final = Assessment(Verdict.UPCOMING, Reason("not_due"))
_NOT_BEGUN: Final = Assessment(Verdict.OPEN, Reason("not_begun"))
_AWAITING_CALL: Final = Assessment(Verdict.OPEN, Reason("awaiting_call"))


def assess(track: Track, owed: Owed, now: int, hearing: Hearing) -> Assessment:
    """The verdict on one occurrence at `now` (ms)."""
    if owed.done is not None:
        return _assess_fulfilled(track, owed, owed.done)
    if now <= owed.due:
        return _assess_open(track, owed, now)
    return _assess_overdue(track, owed, now, hearing)


def excused(assessment: Assessment, excuse: Excuse) -> Assessment:
    """An assessment with an excuse beside it: the verdict becomes `excused` where there is something to excuse."""
    if assessment.verdict not in EXCUSABLE:
        return replace(assessment, excuse=excuse)
    return Assessment(
        Verdict.EXCUSED,
        Reason("excused", {"by": excuse.by, "note": excuse.note}),
        assessment.settled,
        assessment.waits_for,
        excuse,
        (assessment.verdict, assessment.reason),
    )


def _assess_fulfilled(track: Track, owed: Owed, done: int) -> Assessment:
    assert owed.evidence is not None
    proof = owed.evidence[-1]
    if proof.uncertainty > max(DOUBTFUL_MS, owed.due - owed.opens):
        # It may as well have happened in the window before, or in the one after.
        return _time_uncertain(proof.uncertainty)
    if done > owed.due:
        if done - proof.uncertainty <= owed.due:
            return _time_uncertain(proof.uncertainty)
        verdict, by = Verdict.LATE, {"by_s": _seconds(done - owed.due)}
    else:
        verdict, by = Verdict.ON_TIME, {}
        started = started_at(track, owed)
        if isinstance(track.duty.cadence, At) and started is not None and started < owed.opens:
            verdict, by = Verdict.EARLY, {"by_s": _seconds(owed.opens - started)}
    code, params = _what_was_done(track, owed, verdict)
    return Assessment(verdict, Reason(code, by | params), settled=True)


def _what_was_done(track: Track, owed: Owed, verdict: Verdict) -> tuple[str, dict[str, Any]]:
    """The reason's code, and the parameters of what the proof says."""
    late = verdict is Verdict.LATE
    if track.duty.kind is DutyKind.ROUND:
        code = "completed_late" if late else "on_time"
        if verdict is Verdict.EARLY:
            code = "completed_early"
        return code, {}
    if track.duty.kind is DutyKind.RADIO_CHECK:
        code = "answered_late" if late else "answered"
        call = owed.evidence[-1] if owed.evidence else None
        if isinstance(call, RadioCall) and call.outcome is Outcome.ABNORMAL:
            code = "abnormal"
        return code, {}
    code = "signed_late" if late else "signed"
    signed = _counted_signatures(track, owed)
    if any(signature.abnormal for signature in signed):
        code = "signed_abnormal"
    failed = list(dict.fromkeys(item for signature in signed for item in signature.failed))
    return code, {"failed": failed} if failed else {}


def _assess_open(track: Track, owed: Owed, now: int) -> Assessment:
    if track.duty.kind is DutyKind.RECORD:
        if now < owed.opens and not owed.evidence:
            return _NOT_DUE
        return Assessment(Verdict.OPEN, Reason("awaiting_signature", _signed_of(track, owed)))
    if owed.evidence:
        if track.rule is None:
            return Assessment(Verdict.OPEN, Reason("no_answer", {"calls": len(owed.evidence)}))
        return Assessment(
            Verdict.OPEN, Reason("under_way", {"visited": _visited(owed), "of": track.rule.size})
        )
    if now < owed.opens:
        return _NOT_DUE
    return _NOT_BEGUN if track.rule is not None else _AWAITING_CALL


def _assess_overdue(track: Track, owed: Owed, now: int, hearing: Hearing) -> Assessment:
    devices = track.proof_devices
    silent = hearing.silent_at(devices, owed.due) if devices else []
    blindness = hearing.blindness
    settled = not silent or now >= blindness.pause(owed.due, track.plan.settle_after_s * 1000)
    if track.rule is not None:
        verdict, code, params = _what_is_missing(track, track.rule, owed)
    elif track.duty.kind is DutyKind.RADIO_CHECK:
        verdict, code, params = _who_did_not_call(owed)
    else:
        verdict, code, params = _who_did_not_sign(track, owed)
    if blind := blindness.within(owed.opens, owed.due):
        params["blind_s"] = _seconds(blind)
    if settled and (doubt := _doubt(track, owed)) is not None:
        return _time_uncertain(doubt)
    if settled and (gap := hearing.lost_between(devices, owed.opens, owed.due)):
        told = {"devices": gap.devices, "since": gap.since, "until": gap.until, "records": gap.records}
        return Assessment(Verdict.UNVERIFIED, Reason("evidence_lost", told), settled=True)
    if settled:
        if (silent or not devices) and blindness.hid(owed.opens, owed.due):
            return Assessment(Verdict.UNVERIFIED, Reason("gateway_blind", params), settled=True)
        if silent:
            params |= {"settled": True, "devices": silent}
        return Assessment(verdict, Reason(code, params), settled=True)
    since = [hearing.device(device).heard_until for device in silent]
    params |= {"devices": silent, "since": max(min(since), 0) or None}
    if code != "no_answer":
        code = "no_proof"
    return Assessment(Verdict.UNVERIFIED, Reason(code, params), waits_for=tuple(silent))


def _time_uncertain(doubt: int) -> Assessment:
    reason = Reason("time_uncertain", {"uncertainty_s": _seconds(doubt)})
    return Assessment(Verdict.UNVERIFIED, reason, settled=True)


def _doubt(track: Track, owed: Owed) -> int | None:
    """The doubt (ms) by which all that is missing may have happened in time; None when it cannot have."""
    facts = track.doubtful.reaching(owed.opens, owed.due)
    if track.rule is not None:
        return _doubt_of_scans(track, track.rule, owed, facts)
    if track.duty.kind is DutyKind.RECORD:
        return _doubt_of_signatures(track, owed, facts)
    answers = [
        fact.uncertainty
        for fact in facts
        if isinstance(fact, RadioCall) and fact.outcome is not Outcome.NO_ANSWER
    ]
    return min(answers, default=None)


def _doubt_of_scans(track: Track, rule: RoundRule, owed: Owed, facts: Iterable[AnyFact]) -> int | None:
    found: dict[str, int] = {}  # by checkpoint: the least doubt of a scan that may be the missing one
    for scan in facts:
        if isinstance(scan, Scan) and (stop := rule.checkpoint_by_tag.get(scan.tag)) in rule.position:
            assert stop is not None
            needed = rule.proofs.get(stop)
            strong = needed is None or track.strength(scan).reaches(needed)
            if strong and rule.fit(scan) is not None:
                found[stop] = min(scan.uncertainty, found.get(stop, scan.uncertainty))
    missing = _missing(rule, owed)
    return max(found[stop] for stop in missing) if found.keys() >= missing else None


def _doubt_of_signatures(track: Track, owed: Owed, facts: Iterable[AnyFact]) -> int | None:
    plan, duty = track.plan, track.duty
    signed = {signer(plan, signature) for signature in _counted_signatures(track, owed)}
    found: dict[str, int] = {}  # by person: the least doubt of a signature that may be a missing one
    for fact in facts:
        if isinstance(fact, Signature) and track.post in (None, fact.post):
            who = signer(plan, fact)
            if may_sign(duty, plan.person(fact.by)) and who not in signed:
                found[who] = min(fact.uncertainty, found.get(who, fact.uncertainty))
    wanted = duty.signatures - len(signed)
    return sorted(found.values())[wanted - 1] if len(found) >= wanted else None


def _missing(rule: RoundRule, owed: Owed) -> set[str]:
    """The checkpoints that have not been counted."""
    if rule.strict:
        return set(rule.route.checkpoints[owed.expected :])
    return {stop for stop, place in rule.position.items() if not owed.seen >> place & 1}


def _what_is_missing(track: Track, rule: RoundRule, owed: Owed) -> tuple[Verdict, str, dict[str, Any]]:
    counts: dict[str, Any] = {"visited": _visited(owed), "of": rule.size}
    if weak := _weak(rule, owed):
        not_counted = [stop for stop in dict.fromkeys(rule.route.checkpoints) if stop in _missing(rule, owed)]
        if all(stop in weak for stop in not_counted):
            needed = max((rule.proofs[stop] for stop in not_counted), key=lambda each: each.rank)
            return (
                Verdict.INCOMPLETE,
                "weak_evidence",
                counts
                | {
                    "checkpoints": not_counted,
                    "needed": needed.value,
                },
            )
    if not owed.evidence:
        return Verdict.MISSED, "not_visited", counts
    seen = _seen(rule, owed)
    missing = [stop for stop in dict.fromkeys(rule.route.checkpoints) if stop not in seen]
    if missing:
        return Verdict.INCOMPLETE, "incomplete", counts | {"missing": missing}
    walked = rule.longest_ordered(_claimed(rule, owed))
    astray = [stop for place, stop in enumerate(rule.route.checkpoints) if place not in walked]
    return Verdict.INCOMPLETE, "out_of_order", counts | {"checkpoints": astray}


def _weak(rule: RoundRule, owed: Owed) -> dict[str, list[Scan]]:
    """By checkpoint that has not been counted: the scans of it that are too weak to count."""
    found: dict[str, list[Scan]] = {}
    if owed.declined and owed.done is None:
        missing = _missing(rule, owed)
        for scan in owed.declined:
            stop = rule.checkpoint_by_tag[scan.tag]
            if stop in missing and rule.fit(scan) is not None:
                found.setdefault(stop, []).append(scan)
    return found


def _who_did_not_call(owed: Owed) -> tuple[Verdict, str, dict[str, Any]]:
    calls = [call for call in owed.evidence or () if call.occurred_at <= owed.due]
    if calls:
        return Verdict.MISSED, "no_answer", {"calls": len(calls)}
    return Verdict.MISSED, "not_called", {}


def _who_did_not_sign(track: Track, owed: Owed) -> tuple[Verdict, str, dict[str, Any]]:
    if owed.seen:
        return Verdict.INCOMPLETE, "signatures_missing", _signed_of(track, owed)
    return Verdict.MISSED, "not_signed", _signed_of(track, owed)


def _signed_of(track: Track, owed: Owed) -> dict[str, Any]:
    return {"signed": owed.seen.bit_count(), "of": track.duty.signatures}


def _counted_signatures(track: Track, owed: Owed) -> list[Signature]:
    return counted(track.plan, track.duty, _signatures(owed))


def _signatures(owed: Owed) -> list[Signature]:
    return [fact for fact in owed.evidence or () if isinstance(fact, Signature)]


def _seconds(ms: int) -> float:
    return round(ms / 1000, 1)


def _claimed(rule: RoundRule, owed: Owed) -> list[tuple[str, Scan]]:
    """The claimed scans with the checkpoint of each, in canonical order."""
    by_tag = rule.checkpoint_by_tag
    return [(by_tag[scan.tag], scan) for scan in owed.evidence or () if isinstance(scan, Scan)]


def _seen(rule: RoundRule, owed: Owed) -> set[str]:
    return {checkpoint for checkpoint, _ in _claimed(rule, owed)}


def _visited(owed: Owed) -> int:
    """How many checkpoints have been counted."""
    return owed.seen.bit_count()


def started_at(track: Track, owed: Owed) -> int | None:
    """When the first counted scan or signature happened, or the call that was answered (ms)."""
    if track.duty.kind is DutyKind.RECORD:
        signed = _counted_signatures(track, owed)
        return signed[0].occurred_at if signed else None
    if track.rule is None:
        return owed.done
    walk = track.rule.counted(_claimed(track.rule, owed))
    return walk[0][1].occurred_at if walk else None


def findings_of(track: Track, owed: Owed, clashes: Mapping[Scan, tuple[Finding, ...]]) -> list[Finding]:
    """What is odd about one occurrence. `clashes`: what was found of each scan that clashes with another."""
    rule = track.rule
    if track.duty.kind is DutyKind.RECORD:
        return wrong_signers(track.plan, track.duty, _signatures(owed))
    if rule is None or not (owed.evidence or owed.declined):
        return []
    found = rule.findings(rule.counted(_claimed(rule, owed)))
    weak = _weak(rule, owed)
    if clashes:
        for scan in (*(owed.evidence or ()), *chain.from_iterable(weak.values())):
            if isinstance(scan, Scan):
                found += [clash for clash in clashes.get(scan, ()) if clash not in found]
    if owed.declined and owed.done is None:
        of_others = [scan for scan in owed.declined if rule.fit(scan) is None]
        if of_others:
            found.append(rule.wrong_person(of_others))
    for stop, scans in weak.items():
        strongest = max((track.strength(scan) for scan in scans), key=lambda each: each.rank)
        params = {"checkpoint": stop, "strength": strongest.value, "needed": rule.proofs[stop].value}
        found.append(Finding("weak_evidence", params, tuple(scan.id for scan in scans)))
    return found


def describe(
    track: Track, owed: Owed, now: int, assessment: Assessment, findings: Sequence[Finding]
) -> Occurrence:
    """The whole of what is known about one occurrence at `now` (ms)."""
    duty, rule = track.duty, track.rule
    signed = _counted_signatures(track, owed)
    visits: tuple[Visit, ...] = ()
    if rule is not None:
        visits = _visits(track, rule, owed, now, _claimed(rule, owed))
    evidence = owed.evidence or ()
    carriers = {scan.guard or scan.device for scan in evidence if isinstance(scan, Scan)}
    carriers |= {call.by for call in evidence if isinstance(call, RadioCall) and call.by}
    carriers |= {signature.by for signature in signed}
    return Occurrence(
        id=occurrence_id(track, owed),
        track=track.key,
        duty=duty.id,
        kind=duty.kind,
        subject=track.subject,
        name=_name(track),
        post=track.post,
        opens_at=owed.opens,
        planned_at=owed.planned,
        due_at=owed.due,
        started_at=started_at(track, owed),
        done_at=owed.done,
        verdict=assessment.verdict,
        reason=assessment.reason,
        clause=duty.clause,
        figure=duty.figure,
        plan_version=track.plan.version,
        facts=tuple(evidence),
        carriers=tuple(sorted({_person_id(track, who) for who in carriers})),
        findings=tuple(findings),
        visits=visits,
        calls=tuple(
            Call(call.occurred_at, call.outcome.value, call.by, call.id)
            for call in evidence
            if isinstance(call, RadioCall)
        ),
        signatures=tuple(
            Signed(
                each.occurred_at,
                signer(track.plan, each),
                each in signed,
                each.abnormal,
                each.failed,
                each.id,
            )
            for each in _signatures(owed)
        ),
        excuse=assessment.excuse,
        judged=assessment.judged,
    )


def _name(track: Track) -> Names:
    """What people call what an occurrence is about: the route, the post, or the record, with its post."""
    duty, plan = track.duty, track.plan
    if track.rule is not None:
        return track.rule.route.name
    post: Names = plan.post_by_id[track.post].name if track.post is not None else {}
    if duty.kind is DutyKind.RADIO_CHECK:
        return post
    record = duty.name or {"zh": duty.id, "en": duty.id}
    if not post:
        return record
    return {language: f"{name} · {_in(language, post)}" for language, name in record.items()}


def _in(language: str, names: Names) -> str:
    """A name in a language; in another one where there is none."""
    return names.get(language) or next(iter(names.values()))


def _person_id(track: Track, token: str) -> str:
    person = track.plan.person(token)
    return person.id if person is not None else token


def _visits(
    track: Track, rule: RoundRule, owed: Owed, now: int, claimed: list[tuple[str, Scan]]
) -> tuple[Visit, ...]:
    stops = rule.route.checkpoints
    astray: dict[int, Scan] = {}
    if rule.strict:
        counted = dict(rule.counted(claimed))
        if len(counted) < len(claimed) and owed.done is None:
            counted = rule.longest_ordered(claimed)
            taken = {scan.id for scan in counted.values()}
            for position, stop in enumerate(rule.route.checkpoints):
                for checkpoint, scan in claimed:
                    if checkpoint == stop and position not in counted and scan.id not in taken:
                        astray.setdefault(position, scan)
    else:
        counted = dict(rule.counted(claimed))
    unvisited = VisitVerdict.MISSED if now > owed.due else VisitVerdict.OPEN
    visits = []
    for position, stop in enumerate(stops):
        if not rule.strict and rule.position[stop] != position:
            continue
        visit = counted.get(position) or astray.get(position)
        if visit is None:
            visits.append(Visit(stop, unvisited))
            continue
        verdict = VisitVerdict.ON_TIME
        if position in astray:
            verdict = VisitVerdict.OUT_OF_ORDER
        elif visit.occurred_at > owed.due:
            verdict = VisitVerdict.LATE
        elif isinstance(track.duty.cadence, At) and visit.occurred_at < owed.opens:
            verdict = VisitVerdict.EARLY
        strength = track.strength(visit)
        visits.append(Visit(stop, verdict, visit.occurred_at, visit.received_at, visit.id, strength))
    return tuple(visits)


def occurrence_id(track: Track, owed: Owed) -> str:
    """`track@opens_at`, with `.n` for the later ones of several that open at once."""
    name = f"{track.key}@{owed.opens}"
    return f"{name}.{owed.index + 1}" if owed.index else name
