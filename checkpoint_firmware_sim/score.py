"""Compares a gateway's verdicts and alerts with the truth.

Two errors matter: a **false missed** accuses people who did their duty, an **overlooked** failure leaves one
undetected. `unverified` is neither: the gateway says that it does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from checkpoint_firmware_sim.owed import Happened, Owed, owed_by, tracks
from checkpoint_firmware_sim.times import MINUTE, SECOND
from gateway.domain.plan import Duty, Every
from gateway.instants import parse_instant, rfc3339

Json = Mapping[str, Any]

COUNTS: Final = ("right", "false_missed", "overlooked", "unverified", "wrong_alerts", "unreported")
FULFILLED: Final = frozenset({"on_time", "early"})
BLAMING: Final = frozenset({"missed", "incomplete", "late"})

TOLERANCE: Final = 2 * MINUTE
"""How far apart the same due may be in truth and report where it hangs on a measured time."""

_EVENT_ALERTS: Final = {"forced": "gate_forced", "stuck": "gate_fault", "fault": "gate_fault"}


@dataclass
class Score:
    """Counts by duty (and `alerts` for what belongs to none), and a line in words for each error."""

    by_duty: dict[str, Counter[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def count(self, duty: str, what: str, words: str | None = None) -> None:
        """Count one outcome; `words` says what is wrong with it."""
        self.by_duty.setdefault(duty, Counter())[what] += 1
        if words is not None:
            self.errors.append(f"{what.replace('_', ' ')}: {words}")

    @property
    def totals(self) -> dict[str, int]:
        """The sum over all duties, by the names of `COUNTS`."""
        whole: Counter[str] = sum(self.by_duty.values(), Counter())
        return {name: whole[name] for name in COUNTS}

    @property
    def passed(self) -> bool:
        """Whether nobody was accused wrongly and nothing was overlooked."""
        return not self.totals["false_missed"] and not self.totals["overlooked"]

    def table(self) -> str:
        """The counts for people, one duty a line."""
        heads = [name.replace("_", " ") for name in COUNTS]
        rows = [(duty, [counts[name] for name in COUNTS]) for duty, counts in sorted(self.by_duty.items())]
        rows.append(("total", list(self.totals.values())))
        width = max(len(duty) for duty, _ in rows)
        lines = [" " * width + "".join(f"{head:>14}" for head in heads)]
        lines += [
            f"{duty:<{width}}" + "".join(f"{number:>14}" for number in numbers) for duty, numbers in rows
        ]
        return "\n".join(lines)


def score(happened: Happened, occurrences: Sequence[Json], alerts: Sequence[Json]) -> Score:
    """Score what the API reported (docs/api.md, Occurrence and Alert) against what happened."""
    result = Score()
    failures: dict[str, Owed] = {}
    for duty, subject in tracks(happened.plan):
        reported = [
            each
            for each in occurrences
            if each["duty"] == duty.id
            and each["subject"] == subject
            and parse_instant(each["opens_at"]) >= happened.since - SECOND
        ]
        windows = [(parse_instant(each["opens_at"]), parse_instant(each["due_at"])) for each in reported]
        owed = owed_by(happened, duty, subject, windows)
        tolerance = tolerance_of(happened, duty)
        pairs, unmatched = match(owed, reported, tolerance)
        for each, report in pairs:
            if report is not None and not each.in_time:
                failures[report["id"]] = each
            _compare(result, each, report, alerts)
        for report in unmatched:
            _unexpected(result, happened, report, tolerance)
    _compare_events(result, happened, alerts)
    for alert in alerts:
        if parse_instant(alert["opened_at"]) <= happened.until and not has_cause(alert, happened, failures):
            words = f"{alert['id']} {alert['kind']} of {alert['subject']}, opened {alert['opened_at']}"
            result.count(alert["duty"] or "alerts", "wrong_alerts", words)
    return result


def tolerance_of(happened: Happened, duty: Duty) -> int:
    """How far apart (ms) the dues of one occurrence may be in truth and in the report."""
    if isinstance(duty.cadence, Every):
        # A round that was begun twice may be proved complete within either walk.
        return TOLERANCE + happened.longest_walk.get(duty.id, 0)
    return SECOND


def match(
    owed: list[Owed], reported: list[Json], tolerance: int
) -> tuple[list[tuple[Owed, Json | None]], list[Json]]:
    """Each owed occurrence with the reported one whose due is nearest, the fulfilled ones with each other."""
    left = sorted(reported, key=lambda each: (each["due_at"], each["verdict"] not in FULFILLED))
    pairs: list[tuple[Owed, Json | None]] = []
    for each in sorted(owed, key=lambda each: (each.due_at, not each.in_time)):
        near = [report for report in left if abs(parse_instant(report["due_at"]) - each.due_at) <= tolerance]
        best = min(near, key=lambda report: abs(parse_instant(report["due_at"]) - each.due_at), default=None)
        if best is not None:
            left.remove(best)
        pairs.append((each, best))
    return pairs, left


def _compare(result: Score, owed: Owed, report: Json | None, alerts: Iterable[Json]) -> None:
    words = f"{owed.duty} of {owed.subject}, due {rfc3339(owed.due_at)}"
    if report is None:
        if owed.in_time:
            result.count(owed.duty, "unreported", f"{words}: fulfilled, but no such occurrence")
        else:
            result.count(owed.duty, "overlooked", f"{words}: not fulfilled, and no such occurrence")
        return
    verdict = report["verdict"]
    words = f"{report['id']} ({words}) is {verdict}"
    if owed.in_time:
        if verdict in FULFILLED or verdict == "excused":
            result.count(owed.duty, "right")
        elif verdict == "unverified":
            result.count(owed.duty, "unverified")
        else:
            result.count(owed.duty, "false_missed", f"{words}, fulfilled {rfc3339(owed.done_at or 0)}")
    elif verdict in BLAMING or verdict in ("unverified", "excused"):
        if any(report["id"] in alert["occurrences"] for alert in alerts):
            result.count(owed.duty, "unverified" if verdict == "unverified" else "right")
        else:
            result.count(owed.duty, "overlooked", f"{words}, and no alert is about it")
    else:
        result.count(owed.duty, "overlooked", f"{words}, but was not fulfilled in time")


def _unexpected(result: Score, happened: Happened, report: Json, tolerance: int) -> None:
    """An occurrence that the truth does not know: right only when it does not accuse anybody."""
    duty, verdict = report["duty"], report["verdict"]
    opens, due = parse_instant(report["opens_at"]), parse_instant(report["due_at"])
    if due > happened.until - tolerance or verdict in ("upcoming", "open"):
        return
    words = f"{report['id']} is {verdict}, but nothing was due then"
    if verdict in BLAMING:
        result.count(duty, "false_missed", words)
    elif verdict == "unverified":
        result.count(duty, "unverified")
    else:
        done = happened.done.get((duty, report["subject"]), [])
        real = any(opens - tolerance <= each.end <= due + tolerance for each in done)
        result.count(duty, "right" if real else "overlooked", None if real else words)


def _compare_events(result: Score, happened: Happened, alerts: Sequence[Json]) -> None:
    """What needs an alert by itself: a forced or faulty barrier, an abnormal answer, a call in vain."""
    for kind, subject, at in events(happened):
        covered = any(
            alert["kind"] == kind
            and alert["subject"] == subject
            and (alert["closed_at"] is None or parse_instant(alert["closed_at"]) >= at - SECOND)
            for alert in alerts
        )
        words = None if covered else f"no alert {kind} of {subject} at {rfc3339(at)}"
        result.count("alerts", "right" if covered else "overlooked", words)


def events(happened: Happened) -> Iterable[tuple[str, str, int]]:
    for line in happened.gates:
        if line["event"] in _EVENT_ALERTS:
            yield _EVENT_ALERTS[line["event"]], line["device"], parse_instant(line["at"])
    for line in happened.calls:
        at = parse_instant(line["at"])
        if line["outcome"] == "abnormal":
            yield "radio_abnormal", line["post"], at
        elif line["outcome"] == "no_answer" and not happened.offline(line["device"], at):
            # Heard late, together with the answer that came after it, it is no longer worth an alert.
            yield "radio_no_answer", line["post"], at


def has_cause(alert: Json, happened: Happened, failures: Mapping[str, Owed]) -> bool:
    """Whether something true is behind an alert. One that was withdrawn has taken itself back."""
    if alert["state"] == "withdrawn" or any(id in failures for id in alert["occurrences"]):
        return True
    opened = parse_instant(alert["opened_at"])
    if alert["kind"] == "device_silent":
        return happened.offline(alert["subject"], opened)
    if alert["kind"] == "site_silent":
        return any(happened.offline(device.id, opened) for device in happened.plan.devices)
    if alert["kind"] == "radio_no_answer":
        calls = (line for line in happened.calls if line["outcome"] == "no_answer")
        return any(
            line["post"] == alert["subject"] and parse_instant(line["at"]) <= opened + MINUTE
            for line in calls
        )
    return any(
        kind == alert["kind"] and subject == alert["subject"] and at <= opened + MINUTE
        for kind, subject, at in events(happened)
    )
