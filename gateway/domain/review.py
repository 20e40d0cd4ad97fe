"""The review: which verdicts were reported of a site's occurrences, which are due a look, and what is different now.

A track is looked at when facts have touched it, when a device that it waited for has been heard out, and when its time
has come. What a look finds is compared with what was reported last; only the difference is a change. Instants in ms.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.assess import Assessment, assess, describe, excused, findings_of, occurrence_id
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Signature
from gateway.domain.hearing import Hearing
from gateway.domain.outages import Outages
from gateway.domain.plan import DutyKind
from gateway.domain.strand_set import StrandSet
from gateway.domain.tracks import Owed, Track
from gateway.domain.verdicts import (
    Excuse,
    Finding,
    Occurrence,
    Reason,
    Verdict,
    VerdictChange,
    finding_codes,
)

_LATENCY_MS: Final = 900_000
"""A fact that comes in later than this after it happened makes its strand fold again."""

Known = tuple[Verdict, str, str]
"""A verdict, its reason's code, its findings' codes: what is compared to tell whether something changed."""


@dataclass(slots=True)
class _View:
    """What is known to the outside about one track."""

    settled: int = 0  # occurrences before this index need no more looks
    wake: int = FOREVER
    emitted: dict[tuple[int, int], Known] = field(default_factory=dict)
    waiting: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)  # for which devices
    reminded: tuple[int, int] | None = None  # the last occurrence that somebody was reminded of


class Review:
    """The verdicts of one site.

    `judged_from`: verdicts of what opens before it are not reported, as their evidence may be unknown here;
    `records_judged_from`: the same of records.
    """

    def __init__(
        self,
        strands: StrandSet,
        hearing: Hearing,
        outages: Outages,
        excuses: Iterable[Excuse],
        judged_from: int | None,
        records_judged_from: int | None,
    ) -> None:
        self._set = strands
        self._strands = strands.all
        self._hearing = hearing
        self._outages = outages
        self._excuses = {excuse.occurrence: excuse for excuse in excuses}
        self._judged_from = -FOREVER if judged_from is None else judged_from
        self._records_judged_from = -FOREVER if records_judged_from is None else records_judged_from
        self._views = [[_View() for _ in strand.tracks] for strand in strands.all]
        self._timers: list[tuple[int, int, int]] = []  # wake, strand, track
        self._awaiting: dict[str, set[tuple[int, int]]] = {}
        self.to_remind: list[tuple[Track, Owed]] = []
        """What is due soon and not done; whoever tells people of it empties the list."""

    @property
    def next_wake(self) -> int:
        """When `look` must be called even if nothing comes in."""
        return self._timers[0][0] if self._timers else FOREVER

    def recall(self, known: Iterable[tuple[str, int, int, Known]]) -> None:
        """What was reported before: (track, opens_at, index, what is known)."""
        views: dict[str, list[tuple[Track, _View]]] = {}
        for strand, seen in zip(self._strands, self._views, strict=True):
            for track, view in zip(strand.tracks, seen, strict=True):
                views.setdefault(track.key, []).append((track, view))
        for key, opens, index, verdict in known:
            for track, view in views.get(key, ()):
                if track.since <= opens < track.until:
                    view.emitted[(opens, index)] = verdict

    # -- what makes a track be looked at --------------------------------------------------------------------

    def heard_out(self, device: str) -> None:
        """A device has shown that it has nothing more to say: who waited for that looks again."""
        self._touch(self._awaiting.pop(device, ()))

    def wait_anew(self) -> None:
        """How long a device may be waited for is another now: all who wait look again."""
        for places in self._awaiting.values():
            self._touch(places)

    def look_again(self, device: str) -> None:
        """What a device has lost is known better now: all that it could have held the proof of."""
        for strand in self._strands:
            for place, track in enumerate(strand.tracks):
                if device in track.proof_devices:
                    strand.touched[place] = 0

    def excuse(self, excuse: Excuse) -> bool:
        """Put an excuse beside an occurrence; the next look tells what follows. False when it is not remembered."""
        key = excuse.occurrence.rpartition("@")[0]
        for strand in self._strands:
            for place, track in enumerate(strand.tracks):
                if track.key == key and any(
                    occurrence_id(track, owed) == excuse.occurrence for owed in track.items
                ):
                    self._excuses[excuse.occurrence] = excuse
                    strand.touched[place] = 0
                    return True
        return False

    def _touch(self, places: Iterable[tuple[int, int]]) -> None:
        for number, place in places:
            strand = self._strands[number]
            strand.touched.setdefault(place, len(strand.tracks[place].items))

    # -- looking --------------------------------------------------------------------------------------------

    def look(self, now: int) -> list[VerdictChange]:
        """Look at all that is due by `now`, and say what is different from what was reported."""
        due: set[tuple[int, int]] = set()
        for number, strand in enumerate(self._strands):
            if strand.touched:
                for place, first in strand.touched.items():
                    view = self._views[number][place]
                    view.settled = min(view.settled, first)
                    due.add((number, place))
                strand.touched = {}
        timers = self._timers
        while timers and timers[0][0] <= now:
            wake, number, place = heapq.heappop(timers)
            if self._views[number][place].wake == wake:
                due.add((number, place))
        return [change for number, place in sorted(due) for change in self._review(number, place, now)]

    def _review(self, number: int, place: int, now: int) -> list[VerdictChange]:
        """Look at one track, and say what is different of it."""
        strand, view = self._strands[number], self._views[number][place]
        track = strand.roll(place, now - _LATENCY_MS)
        items = track.peek(now, view.settled)
        emitted = view.emitted
        changes: list[VerdictChange] = []
        wake = FOREVER
        leading = True
        for owed in items:
            if owed.opens > now and owed.evidence is None:
                remind_at = owed.due - track.duty.pre_notice_s * 1000
                wake = min(wake, max(owed.opens, remind_at) if track.duty.pre_notice_s else owed.due + 1)
                break
            assessment = self._assess(track, owed, now)
            if assessment.settled:
                if leading:
                    view.settled += 1
            else:
                leading = False
                if now <= owed.due:
                    wake = min(wake, self._remind(track, owed, view, now))
                else:
                    settle_ms = track.plan.settle_after_s * 1000
                    wake = min(wake, self._hearing.blindness.pause(owed.due, settle_ms))
                    for device in assessment.waits_for:
                        self._awaiting.setdefault(device, set()).add((number, place))
                        self._outages.want(device)
            if self._is_judged(track, owed):
                change = self._difference(track, owed, assessment, view, now)
                if change is not None:
                    changes.append(change)
        # Only what the track itself holds can be skipped next time; `peek` may have shown more.
        view.settled = min(view.settled, max(0, len(track.items) - 2))
        if emitted and items:
            changes += self._superseded(track, items, emitted, now)
        if wake != view.wake:
            view.wake = wake
            if wake != FOREVER:
                heapq.heappush(self._timers, (wake, number, place))
        return changes

    def _assess(self, track: Track, owed: Owed, now: int) -> Assessment:
        assessment = assess(track, owed, now, self._hearing)
        if self._excuses and (excuse := self._excuses.get(occurrence_id(track, owed))) is not None:
            return excused(assessment, excuse)
        return assessment

    def _remind(self, track: Track, owed: Owed, view: _View, now: int) -> int:
        """Note who is to be reminded of a deadline that is near; returns when to look again."""
        remind_at = owed.due - track.duty.pre_notice_s * 1000
        if not track.duty.pre_notice_s or view.reminded == owed.key:
            return owed.due + 1
        if now < remind_at:
            return remind_at
        view.reminded = owed.key
        self.to_remind.append((track, owed))
        return owed.due + 1

    def _is_judged(self, track: Track, owed: Owed) -> bool:
        is_record = track.duty.kind is DutyKind.RECORD
        return owed.opens >= (self._records_judged_from if is_record else self._judged_from)

    def _difference(
        self, track: Track, owed: Owed, assessment: Assessment, view: _View, now: int
    ) -> VerdictChange | None:
        verdict, code = assessment.verdict, assessment.reason.code
        emitted = view.emitted
        before = emitted.get(owed.key)
        waited = view.waiting.pop(owed.key, assessment.waits_for)
        if assessment.waits_for:
            view.waiting[owed.key] = assessment.waits_for
        is_open = verdict in (Verdict.OPEN, Verdict.UPCOMING) and code != "no_answer"
        if is_open and before is None:
            return None
        findings = self.findings(track, owed)
        if is_open:
            del emitted[owed.key]
        else:
            known = (verdict, code, finding_codes(finding.code for finding in findings))
            if before == known and waited == assessment.waits_for:
                return None
            emitted[owed.key] = known
        return VerdictChange(
            describe(track, owed, now, assessment, findings), None if before is None else before[:2]
        )

    @staticmethod
    def _superseded(
        track: Track, items: list[Owed], emitted: dict[tuple[int, int], Known], now: int
    ) -> list[VerdictChange]:
        """Occurrences that were reported and are not owed after all, as an earlier fact moved the chain."""
        present = {owed.key for owed in items}
        first = items[0].key
        changes = []
        for key in [key for key in emitted if key >= first and key not in present]:
            before = emitted.pop(key)
            ghost = Owed(key[0], key[0], key[0], None, key[1])
            assessment = Assessment(Verdict.OPEN, Reason("superseded"), settled=True)
            changes.append(
                VerdictChange(describe(track, ghost, now, assessment, ()), before[:2], superseded=True)
            )
        return changes

    def trim(self, before: int) -> None:
        """Let go of what happened before an instant: it is folded for good."""
        for strand, views in zip(self._strands, self._views, strict=True):
            strand.trim(before)
            for track, view in zip(strand.tracks, views, strict=True):
                view.settled = 0
                if view.emitted and track.items:
                    first = track.items[0].key
                    for key in [key for key in view.emitted if key < first]:
                        del view.emitted[key]
                        view.waiting.pop(key, None)

    # -- telling --------------------------------------------------------------------------------------------

    def findings(self, track: Track, owed: Owed) -> list[Finding]:
        """What is odd about one occurrence, as far as is known."""
        return findings_of(track, owed, self._set.rounds.clashes)

    def find(self, occurrence: str, now: int) -> Occurrence | None:
        """An occurrence by its id, as of `now`; None when it is not remembered."""
        key = occurrence.rpartition("@")[0]
        for track in self._set.tracks():
            if track.key == key:
                for owed in track.peek(now, 0):
                    if occurrence_id(track, owed) == occurrence:
                        return self._tell(track, owed, now)
        return None

    def records_with(self, fact: Signature, now: int) -> list[Occurrence]:
        """The occurrences of records that have taken a signature, whether it counts or not."""
        return [
            self._tell(track, owed, now)
            for track in self._set.tracks_of(fact.form)
            for owed in track.items
            if owed.evidence and fact in owed.evidence
        ]

    def occurrences(self, tracks: Iterable[Track], now: int, start: int, end: int) -> list[Occurrence]:
        """What is remembered of the occurrences of tracks whose window touches `[start, end)`, as of `now`."""
        found = [
            self._tell(track, owed, now)
            for track in tracks
            for owed in track.peek(now, 0)
            if owed.opens < end and owed.due >= start and self._is_judged(track, owed)
        ]
        return sorted(found, key=lambda occurrence: (occurrence.opens_at, occurrence.id))

    def _tell(self, track: Track, owed: Owed, now: int) -> Occurrence:
        return describe(track, owed, now, self._assess(track, owed, now), self.findings(track, owed))
