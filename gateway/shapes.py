"""The JSON shapes of docs/api.md: what the store keeps of verdicts and alerts, and what the API answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.domain.alert import Alert, AlertEvent, AlertKind, AlertState, Severity
from gateway.domain.commands import Command, CommandState, Settled
from gateway.domain.notices import Notice
from gateway.domain.plan import EscalationStep
from gateway.domain.silences import Silence
from gateway.domain.verdicts import Excuse, Occurrence, Reason
from gateway.instants import maybe_rfc3339, parse_instant, rfc3339

Json = dict[str, Any]

INSTANT_PARAMS: Final = frozenset({"since", "until", "at"})
"""Parameters of reasons that are instants in ms."""


def reason_json(reason: Reason) -> Json:
    return {"code": reason.code, "params": params_json(reason.params)}


def params_json(params: Mapping[str, Any]) -> Json:
    return {
        key: rfc3339(value) if key in INSTANT_PARAMS and isinstance(value, int) else value
        for key, value in params.items()
    }


def occurrence_json(
    occurrence: Occurrence, site: str, checkpoint_names: Mapping[str, Mapping[str, str]]
) -> Json:
    """An occurrence. `checkpoint_names`: by checkpoint id."""
    shape: Json = {
        "id": occurrence.id,
        "site": site,
        "duty": occurrence.duty,
        "kind": occurrence.kind.value,
        "subject": occurrence.subject,
        "name": dict(occurrence.name),
        "post": occurrence.post,
        "opens_at": rfc3339(occurrence.opens_at),
        "planned_at": maybe_rfc3339(occurrence.planned_at),
        "due_at": rfc3339(occurrence.due_at),
        "started_at": maybe_rfc3339(occurrence.started_at),
        "done_at": maybe_rfc3339(occurrence.done_at),
        "verdict": occurrence.verdict.value,
        "reason": reason_json(occurrence.reason),
        "clause": occurrence.clause,
        "figure": occurrence.figure,
        "plan_version": occurrence.plan_version,
        "carriers": list(occurrence.carriers),
        "facts": [fact.id for fact in occurrence.facts],
        "findings": [
            {"code": finding.code, "params": params_json(finding.params), "facts": list(finding.facts)}
            for finding in occurrence.findings
        ],
        "excuse": None if occurrence.excuse is None else excuse_json(occurrence.excuse),
        "judged": None
        if occurrence.judged is None
        else {"verdict": occurrence.judged[0].value, "reason": reason_json(occurrence.judged[1])},
    }
    if occurrence.kind.value == "round":
        shape["visits"] = [
            {
                "checkpoint": visit.checkpoint,
                "name": dict(checkpoint_names.get(visit.checkpoint, {})),
                "verdict": visit.verdict.value,
                "occurred_at": maybe_rfc3339(visit.occurred_at),
                "received_at": maybe_rfc3339(visit.received_at),
                "fact": visit.fact,
                "strength": None if visit.strength is None else visit.strength.value,
            }
            for visit in occurrence.visits
        ]
    elif occurrence.kind.value == "record":
        shape["signatures"] = [
            {
                "at": rfc3339(signed.at),
                "by": signed.by,
                "counts": signed.counts,
                "result": "abnormal" if signed.abnormal else "done",
                "failed": list(signed.failed),
                "fact": signed.fact,
            }
            for signed in occurrence.signatures
        ]
    else:
        shape["calls"] = [
            {"at": rfc3339(call.at), "outcome": call.outcome, "by": call.by, "fact": call.fact}
            for call in occurrence.calls
        ]
    return shape


def excuse_json(excuse: Excuse) -> Json:
    return {"by": excuse.by, "note": excuse.note, "at": rfc3339(excuse.at), "from": excuse.origin}


def silence_json(silence: Silence) -> Json:
    return {
        "id": silence.id,
        "site": silence.site,
        "from": rfc3339(silence.start),
        "to": rfc3339(silence.end),
        "by": silence.by,
        "reason": silence.reason,
        "kinds": [kind.value for kind in silence.kinds],
        "subjects": list(silence.subjects),
        "maintenance": silence.maintenance,
        "created_at": rfc3339(silence.created_at),
        "ended_by": silence.ended_by,
    }


def silence_from_json(shape: Json, origin: str | None = None) -> Silence:
    """The silence that `silence_json` wrote."""
    return Silence(
        id=shape["id"],
        site=shape["site"],
        start=parse_instant(shape["from"]),
        end=parse_instant(shape["to"]),
        by=shape["by"],
        reason=shape["reason"],
        kinds=tuple(AlertKind(kind) for kind in shape["kinds"]),
        subjects=tuple(shape["subjects"]),
        maintenance=shape["maintenance"],
        created_at=parse_instant(shape["created_at"]),
        origin=origin,
        ended_by=shape["ended_by"],
    )


def command_json(command: Command) -> Json:
    """A command, with everything that `command_from_json` needs to make it again."""
    settled = command.settled
    return {
        "id": command.id,
        "site": command.site,
        "device": command.device,
        "cmd": command.cmd,
        "args": dict(command.args),
        "by": command.by,
        "from": command.origin,
        "reason": command.reason,
        "requested_at": rfc3339(command.requested_at),
        "expires_at": rfc3339(command.expires_at),
        "state": command.state.value,
        "sent_at": maybe_rfc3339(command.sent_at),
        "ended_at": maybe_rfc3339(command.ended_at),
        "answer": command.answer,
        "result": command.result,
        "settled": None
        if settled is None
        else {"by": settled.by, "done": settled.done, "note": settled.note, "at": rfc3339(settled.at)},
    }


def command_from_json(shape: Json) -> Command:
    """The command that `command_json` wrote."""
    sent_at, ended_at, settled = shape["sent_at"], shape["ended_at"], shape["settled"]
    return Command(
        id=shape["id"],
        site=shape["site"],
        device=shape["device"],
        cmd=shape["cmd"],
        args=shape["args"],
        by=shape["by"],
        reason=shape["reason"],
        requested_at=parse_instant(shape["requested_at"]),
        expires_at=parse_instant(shape["expires_at"]),
        state=CommandState(shape["state"]),
        origin=shape["from"],
        sent_at=None if sent_at is None else parse_instant(sent_at),
        ended_at=None if ended_at is None else parse_instant(ended_at),
        answer=shape["answer"],
        result=shape["result"],
        settled=None
        if settled is None
        else Settled(settled["by"], settled["done"], settled["note"], parse_instant(settled["at"])),
    )


def alert_json(alert: Alert) -> Json:
    """An alert, with everything that `alert_from_json` needs to make it again."""
    return {
        "id": alert.id,
        "site": alert.site,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "name": dict(alert.name),
        "severity": alert.severity.value,
        "state": alert.state.value,
        "opened_at": rfc3339(alert.opened_at),
        "deadline": rfc3339(alert.deadline),
        "closed_at": maybe_rfc3339(alert.closed_at),
        "last_due_at": rfc3339(alert.last_due),
        "reason": reason_json(alert.reason),
        "clause": alert.clause,
        "duty": alert.duty,
        "occurrences": list(alert.occurrences),
        "disproved": list(alert.disproved),
        "count": alert.count,
        "excused": list(alert.excused),
        "facts": list(alert.facts),
        "members": [{"device": name, "at": rfc3339(at)} for name, at in alert.members.items()],
        "inhibited_by": alert.inhibited_by,
        "silenced_by": alert.silenced_by,
        "loud_since": maybe_rfc3339(alert.loud_since),
        "steps_told": alert.steps_told,
        "repeats": alert.repeats,
        "told": list(alert.told),
        "told_at": maybe_rfc3339(alert.told_at),
        "escalation": [{"after_s": step.after_s, "to": list(step.to)} for step in alert.escalation],
        "history": [
            {
                "at": rfc3339(event.at),
                "what": event.what,
                "by": event.by,
                "params": params_json(event.params),
                "from": event.origin,
            }
            for event in alert.history
        ],
    }


def notice_json(notice: Notice, alert: Alert | None) -> Json:
    """A notice, with its alert as it is now."""
    return {
        "key": notice.key,
        "site": notice.site,
        "kind": notice.kind.value,
        "at": rfc3339(notice.at),
        "to": list(notice.to),
        "alert": None if alert is None else alert_json(alert),
        "subjects": list(notice.subjects),
        "duty": notice.duty,
        "due_at": maybe_rfc3339(notice.due_at),
    }


def alert_from_json(shape: Json) -> Alert:
    """The alert that `alert_json` wrote; an older version of it wrote less."""
    closed_at = shape["closed_at"]
    loud_since, told_at = shape.get("loud_since"), shape.get("told_at")
    return Alert(
        id=shape["id"],
        site=shape["site"],
        kind=AlertKind(shape["kind"]),
        subject=shape["subject"],
        name=shape["name"],
        severity=Severity(shape["severity"]),
        state=AlertState(shape["state"]),
        opened_at=parse_instant(shape["opened_at"]),
        deadline=parse_instant(shape["deadline"]),
        closed_at=None if closed_at is None else parse_instant(closed_at),
        last_due=parse_instant(shape["last_due_at"]),
        reason=Reason(shape["reason"]["code"], _params_from_json(shape["reason"]["params"])),
        clause=shape["clause"],
        duty=shape["duty"],
        occurrences=shape["occurrences"],
        disproved=shape["disproved"],
        excused=shape.get("excused", []),
        facts=shape["facts"],
        members={each["device"]: parse_instant(each["at"]) for each in shape.get("members", ())},
        inhibited_by=shape.get("inhibited_by"),
        silenced_by=shape.get("silenced_by"),
        loud_since=None if loud_since is None else parse_instant(loud_since),
        steps_told=shape.get("steps_told", 0),
        repeats=shape.get("repeats", 0),
        told=shape.get("told", []),
        told_at=None if told_at is None else parse_instant(told_at),
        escalation=tuple(EscalationStep(step["after_s"], tuple(step["to"])) for step in shape["escalation"]),
        history=[
            AlertEvent(
                parse_instant(e["at"]), e["what"], e["by"], _params_from_json(e["params"]), e.get("from")
            )
            for e in shape["history"]
        ],
    )


def _params_from_json(params: Json) -> Json:
    return {
        key: parse_instant(value) if key in INSTANT_PARAMS and isinstance(value, str) else value
        for key, value in params.items()
    }
