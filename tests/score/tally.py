"""What a night's verdicts and alerts are worth, compared with what really happened (docs/score.md).

The truth side is `checkpoint_firmware_sim.owed`, which shares no code with the gateway's judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from checkpoint_firmware_sim.owed import Happened, Owed, owed_by, tracks
from checkpoint_firmware_sim.score import BLAMING, FULFILLED, events, match, tolerance_of
from checkpoint_firmware_sim.times import MINUTE, SECOND
from gateway.domain.facts import GateEvent, RadioCall
from gateway.domain.plan import Duty, DutyKind
from gateway.instants import parse_instant, rfc3339
from tests.score.night import Night

Json = dict[str, Any]

PROMPT: Final = 2 * SECOND
"""An alert must be open so long after the deadline at the latest."""

WORTH_TELLING: Final = 5 * MINUTE
"""A device that cannot be heard for longer is a problem by itself; one that spans a deadline is in any case."""

_TYPES: Final = {"gate_forced": GateEvent, "gate_fault": GateEvent}


@dataclass
class Tally:
    """The counts of one night, and each error in words."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    worst_delay: int = 0  # ms

    def error(self, what: str, words: str) -> None:
        """Count an error and say what it is."""
        self.counts[what] += 1
        self.errors.append(f"{what.replace('_', ' ')}: {words}")


@dataclass
class _Track:
    duty: Duty
    subject: str
    devices: set[str]
    pairs: list[tuple[Owed, Json | None]]


def tally(night: Night, prompt: int = PROMPT) -> Tally:
    """Score one night. `prompt` (ms): how late an alert may be."""
    return _Tallying(night, prompt).result


class _Tallying:
    def __init__(self, night: Night, prompt: int) -> None:
        self._night = night
        self._prompt = prompt
        self._happened = Happened.read(night.plan, night.truth)
        self._alerts = night.alerts
        self.result = Tally()
        tracks = list(self._tracks())
        for track in tracks:
            self._judge_track(track)
        self._judge_events()
        self._count_alerts(tracks)
        if not night.drained:
            self.result.error("not_drained", f"devices with records left: {sorted(night.unheard)}")

    def _tracks(self) -> Iterator[_Track]:
        happened = self._happened
        for duty, subject in tracks(happened.plan):
            reported = [
                each
                for each in self._night.occurrences
                if each["duty"] == duty.id and each["subject"] == subject
            ]
            windows = [(parse_instant(each["opens_at"]), parse_instant(each["due_at"])) for each in reported]
            owed = owed_by(happened, duty, subject, windows)
            pairs, unmatched = match(owed, reported, tolerance_of(happened, duty))
            for report in unmatched:
                self._unexpected(duty, report)
            post = subject if duty.kind is DutyKind.RADIO_CHECK else duty.post
            devices = {*happened.plan.proof_devices(duty, post), *happened.walked_with.get(duty.id, ())}
            yield _Track(duty, subject, devices, pairs)

    # -- verdicts

    def _judge_track(self, track: _Track) -> None:
        in_one_go = False  # consecutive failures are one problem
        for owed, report in track.pairs:
            self._judge_verdict(owed, report)
            if owed.in_time:
                in_one_go = False
                continue
            kind = "unprovable" if not owed.provable else "late" if owed.done_at is not None else "missed"
            if not in_one_go and not self._is_told_by_calls(track, owed):
                self.result.counts["problems"] += 1
                self.result.counts[f"problem.{kind}"] += 1
            delay = self._judge_alert(track, owed, report)
            if not in_one_go and delay is not None:
                self.result.worst_delay = max(self.result.worst_delay, delay)
            in_one_go = True

    def _judge_verdict(self, owed: Owed, report: Json | None) -> None:
        result = self.result
        words = _words(owed, report)
        if report is None:
            if owed.in_time:
                result.counts["unreported"] += 1
            return
        verdict = report["verdict"]
        if report["reason"]["code"] == "time_uncertain":
            result.counts["too_close_to_tell"] += 1
        elif owed.in_time:
            if verdict in BLAMING:
                result.error("false_missed", f"{words}, but was done {rfc3339(owed.done_at or 0)}")
            elif verdict == "unverified":
                result.error("unverified_after_drain", f"{words}, but was done {rfc3339(owed.done_at or 0)}")
            else:
                result.counts["right"] += 1
        elif not owed.provable:
            result.counts["unprovable"] += 1
        elif verdict in FULFILLED:
            result.error("overlooked", f"{words}, but was not done in time")
        elif verdict == "unverified":
            result.error("unverified_after_drain", words)
        else:
            result.counts["right"] += 1

    def _unexpected(self, duty: Duty, report: Json) -> None:
        """An occurrence that the truth does not have accuses nobody rightly."""
        due = parse_instant(report["due_at"])
        tolerance = tolerance_of(self._happened, duty)
        opens_too_soon = parse_instant(report["opens_at"]) < self._happened.since
        if opens_too_soon or due > self._happened.until - tolerance:
            return
        words = f"{report['id']} is {report['verdict']}, but nothing was due then"
        if report["verdict"] in BLAMING:
            self.result.error("false_missed", words)
        elif report["verdict"] == "unverified" and report["reason"]["code"] != "time_uncertain":
            self.result.error("unverified_after_drain", words)

    # -- alerts

    def _judge_alert(self, track: _Track, owed: Owed, report: Json | None) -> int | None:
        """By how much (ms) the alert about a failure came later than it could; None when there is none."""
        if report is not None and report["verdict"] in FULFILLED:
            return None  # told already, or proved in another way than the truth expects
        if report is not None and report["reason"]["code"] == "time_uncertain":
            return None
        words = _words(owed, report)
        about = [each for each in self._alerts if report is not None and report["id"] in each["occurrences"]]
        if not about and owed.done_at is not None:
            seen = self._could_see(owed.due_at)
            if owed.done_at <= seen or self._is_told(track, seen):
                return 0  # it was over before it was heard of
        if not about:
            self.result.error("overlooked", f"{words}, and no alert is about it")
            return None
        opened = min(parse_instant(alert["opened_at"]) for alert in about)
        due = parse_instant(report["due_at"]) if report is not None else owed.due_at
        base = self._could_see(due)
        if opened <= base + self._prompt:
            return max(0, opened - base)
        # What made it due then was not heard of yet. Somebody must have been told that something is amiss.
        heard = self._could_see(max(self._heard_out(device, base) for device in track.devices))
        if self._is_told(track, base):
            base = heard
        late = opened - base
        if late > self._prompt:
            self.result.error("overlooked", f"{words}; its alert came {late / SECOND:.1f} s late")
        return max(0, late)

    def _is_told(self, track: _Track, at: int) -> bool:
        """Whether people knew at an instant that something is amiss with a track or with its devices."""
        about = (
            alert
            for alert in self._alerts
            if (alert["duty"] == track.duty.id and alert["subject"] == track.subject)
            or set(_silent(alert)) & track.devices
        )
        return any(_is_live(alert, at, at + self._prompt) for alert in about)

    def _could_see(self, at: int) -> int:
        """The instant itself, or when the gateway was up again and had read the backlog."""
        for since, until in sorted(self._night.blind):
            if since <= at < until:
                at = until
        return at

    def _heard_out(self, device: str, at: int) -> int:
        """The instant itself, or when a device that could not be heard then had sent all of its backlog."""
        for since, until in sorted(self._night.unheard.get(device, ())):
            if since - MINUTE <= at < until:
                at = until
        return at

    def _is_told_by_calls(self, track: _Track, owed: Owed) -> bool:
        """Whether a failed radio check is the same problem as a call in vain."""
        if track.duty.kind is not DutyKind.RADIO_CHECK:
            return False
        return any(
            line["outcome"] == "no_answer"
            and line["post"] == track.subject
            and owed.opens_at <= parse_instant(line["at"]) <= owed.due_at
            for line in self._happened.calls
        )

    def _judge_events(self) -> None:
        """Barriers and calls: what needs an alert by itself, as soon as it is heard of."""
        for kind, subject, at in events(self._happened):
            self.result.counts["problems"] += 1
            self.result.counts[f"problem.{kind}"] += 1
            heard = self._received(kind, subject, at)
            words = f"{kind} of {subject} at {rfc3339(at)}"
            if heard is None:
                self.result.counts["unprovable"] += 1
                continue
            covering = [
                each
                for each in self._alerts
                if each["kind"] == kind
                and each["subject"] == subject
                and parse_instant(each["deadline"]) < at + MINUTE  # not one of a later event
                and (each["closed_at"] is None or parse_instant(each["closed_at"]) >= at - SECOND)
            ]
            if not covering:
                # Heard late, together with the answer that came after it, a call is no longer worth an alert.
                if kind != "radio_no_answer" or heard < at + MINUTE:
                    self.result.error("overlooked", f"{words}, and no alert is about it")
                continue
            opened = min(parse_instant(each["opened_at"]) for each in covering)
            delay = max(0, opened - self._could_see(heard))
            self.result.worst_delay = max(self.result.worst_delay, delay)
            if delay > self._prompt:
                self.result.error("overlooked", f"{words}; its alert came {delay / SECOND:.1f} s late")

    def _received(self, kind: str, subject: str, at: int) -> int | None:
        """When the gateway stored the record of an event."""
        found = [
            fact.received_at
            for fact in self._night.facts
            if abs(fact.occurred_at - at) < MINUTE
            and (
                (isinstance(fact, GateEvent) and fact.device == subject and kind in _TYPES)
                or (isinstance(fact, RadioCall) and fact.post == subject and kind not in _TYPES)
            )
        ]
        return min(found, default=None)

    def _count_alerts(self, tracks: list[_Track]) -> None:
        counts = self.result.counts
        for device, spans in self._night.unheard.items():
            for since, until in spans:
                dues = [owed.due_at for track in tracks if device in track.devices for owed, _ in track.pairs]
                if since >= self._happened.until or self._is_all_cut_off(since):
                    continue
                if until - since > WORTH_TELLING or any(since <= due < until for due in dues):
                    counts["problems"] += 1
                    counts["problem.device_unheard"] += 1
        for alert in self._alerts:
            if parse_instant(alert["deadline"]) >= self._happened.until:
                continue
            counts[f"alert.{alert['kind']}"] += 1
            if not self._was_told(alert):
                counts["inhibited"] += 1
                continue
            counts["alerts"] += 1
            if alert["state"] == "withdrawn":
                counts["withdrawn"] += 1

    def _was_told(self, alert: Json) -> bool:
        """Whether people were told of an alert: within the night, or of something that was due in it."""
        told = [parse_instant(each["at"]) for each in alert["history"] if each["what"] == "told"]
        if any(at < self._happened.until for at in told):
            return True
        # After its end nobody works any more, and what was explained till then is told for that.
        proved = set(alert["disproved"])
        lasting = set(alert["occurrences"]) - proved
        return bool(told) and any(each["id"] in lasting for each in self._due_in_the_night)

    @property
    def _due_in_the_night(self) -> Iterator[Json]:
        return (
            each for each in self._night.occurrences if parse_instant(each["due_at"]) < self._happened.until
        )

    def _is_all_cut_off(self, at: int) -> bool:
        """Whether the gateway was down, or no device at all could be heard: then it is not the device's problem."""
        return any(since - MINUTE <= at < until for since, until in self._night.blind)


def _silent(alert: Json) -> Iterable[str]:
    if alert["kind"] == "device_silent":
        return (alert["subject"],)
    if alert["kind"] == "site_silent":
        return [member["device"] for member in alert["members"]]
    return ()


def _is_live(alert: Json, since: int, until: int) -> bool:
    closed = alert["closed_at"]
    return parse_instant(alert["opened_at"]) <= until and (closed is None or parse_instant(closed) >= since)


def _words(owed: Owed, report: Json | None) -> str:
    words = f"{owed.duty} of {owed.subject}, due {rfc3339(owed.due_at)}"
    if report is None:
        return f"{words}: no such occurrence"
    return f"{report['id']} ({words}) is {report['verdict']} ({report['reason']['code']})"
