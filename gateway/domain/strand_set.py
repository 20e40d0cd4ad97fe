"""The strands of one site: made of the plan's versions, and each fact handed to the one that it bears on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import AnyFact, RadioCall, Scan, Signature
from gateway.domain.plan import DutyKind, Plan
from gateway.domain.rounds import RoundRule
from gateway.domain.strands import RadioStrand, RecordStrand, RoundStrand, Strand
from gateway.domain.tracks import Track, make_track


class StrandSet:
    """One strand for all rounds, one for the calls to each post, one for each form that is signed.

    `since`: facts from before it will not be given, and nothing that opens before it is owed here; `records_since`: the
    same of signatures and records. `taps`: of each tag that counts its readings, the scan with the highest counter from
    before `since`. Instants in ms since the epoch, UTC.
    """

    def __init__(
        self, plans: Sequence[Plan], since: int | None, records_since: int | None, taps: Iterable[Scan]
    ) -> None:
        begin = plans[0].holds_from
        self._plans = plans
        self._since = max(begin, since if since is not None else -FOREVER)
        self._records_since = max(begin, records_since if records_since is not None else self._since)
        self._tags = _known_tags(plans)
        # What happened before the first plan bears on nothing, so that no fact can be too old for it.
        base_at = self._since if self._since > begin else -FOREVER
        records_base = self._records_since if self._records_since > begin else -FOREVER
        people = {token: person.id for plan in plans for token, person in plan.person_by_token.items()}
        posts = {post for plan in plans for duty in plan.duties for post in duty.posts}
        forms = {duty.form for plan in plans for duty in plan.duties if duty.form is not None}
        self.rounds = RoundStrand(partial(self._make, DutyKind.ROUND, None), base_at, plans, people, taps)
        self._radio = {
            post: RadioStrand(partial(self._make, DutyKind.RADIO_CHECK, post), base_at)
            for post in sorted(posts)
        }
        self._records = {
            form: RecordStrand(partial(self._make, DutyKind.RECORD, form), records_base)
            for form in sorted(forms)
        }
        self.all: list[Strand[Scan] | Strand[RadioCall] | Strand[Signature]] = [
            self.rounds,
            *self._radio.values(),
            *self._records.values(),
        ]
        for strand in self.all:
            strand.touched = dict.fromkeys(range(len(strand.tracks)), 0)

    def tracks(self) -> Iterator[Track]:
        """All tracks: rounds first, then each post's radio checks, then the records."""
        for strand in self.all:
            yield from strand.tracks

    def tracks_of(self, form: str) -> Sequence[Track]:
        """The tracks that signatures of a form go to."""
        strand = self._records.get(form)
        return strand.tracks if strand is not None else ()

    def is_too_old(self, fact: AnyFact) -> bool:
        """Whether this fact happened before what is remembered, so that all must be made anew."""
        if fact.occurred_at < self._plans[0].holds_from:
            return False  # it bears on nothing
        strand: RoundStrand | RadioStrand | RecordStrand | None = None
        if isinstance(fact, Scan):
            strand = self.rounds
        elif isinstance(fact, RadioCall):
            strand = self._radio.get(fact.post)
        elif isinstance(fact, Signature):
            strand = self._records.get(fact.form)
        return strand is not None and fact.occurred_at < strand.base_at

    def add(
        self,
        scans: list[Scan],
        calls: Mapping[str, list[RadioCall]],
        signatures: Mapping[str, list[Signature]],
    ) -> None:
        """Take in facts, in any order: calls by post, signatures by form."""
        if scans:
            self.rounds.add(scans)
        for post, found in calls.items():
            if strand := self._radio.get(post):
                strand.add(found)
        for form, signed in signatures.items():
            if records := self._records.get(form):
                records.add(signed)

    def _make(self, kind: DutyKind, of: str | None) -> list[Track]:
        """The tracks of one strand: of the rounds, of the post `of`, or of the form `of`."""
        tracks: list[Track] = []
        ends = [plan.holds_from for plan in self._plans[1:]] + [FOREVER]
        begin = self._records_since if kind is DutyKind.RECORD else self._since
        for plan, until in zip(self._plans, ends, strict=True):
            since = max(plan.holds_from, begin)
            if until <= since:
                continue
            for duty in plan.duties:
                if duty.kind is not kind:
                    continue
                rule = None
                if duty.route is not None:
                    rule = RoundRule(plan, duty, plan.route_by_id[duty.route], self._tags[plan.version])
                for subject, post in duty.subjects:
                    if kind is DutyKind.ROUND or of == (post if kind is DutyKind.RADIO_CHECK else duty.form):
                        tracks.append(make_track(plan, duty, subject, rule, since, until))
        return tracks


def _known_tags(plans: Sequence[Plan]) -> dict[int, Mapping[str, str]]:
    """By version of the plan: which checkpoint a tag is fixed to.

    A tag that was enrolled too late is known to the versions before, too: it was on the wall already.
    """
    found: dict[int, Mapping[str, str]] = {}
    later: Mapping[str, str] = {}
    for plan in reversed(plans):
        own = plan.checkpoint_by_tag
        later = own if later.keys() <= own.keys() else {**later, **own}
        found[plan.version] = later
    return found
