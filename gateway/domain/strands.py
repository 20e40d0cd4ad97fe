"""Strands: facts in the order in which they happened, folded into the tracks that they bear on.

A strand is a left fold over its facts in canonical order. A fact that fits at the end is folded in at once;
one that happened earlier than what is folded already makes the strand go back to a snapshot before it and
fold again from there. So the state is a function of the set of facts, in whatever order they came (law 2).

A site has one strand for its rounds, as scans of shared checkpoints compete, one for each post's radio checks,
and one for each form that is signed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from gateway.domain.calendar import FOREVER
from gateway.domain.clashes import Clashes, Remembered
from gateway.domain.facts import Outcome, RadioCall, Scan, Signature
from gateway.domain.plan import Plan
from gateway.domain.rounds import RoundRule
from gateway.domain.signing import counted
from gateway.domain.strength import Strength
from gateway.domain.tracks import DOUBTFUL_MS, Doubtful, Owed, Track
from gateway.domain.verdicts import Finding

REPEAT_MS: Final = 10_000
"""A checkpoint read again by the same carrier within this time is the same tap."""

_SNAPSHOT_EVERY: Final = 64
"""Facts between two snapshots, at the least; four for each track where there are many, as a copy costs by track."""

_SNAPSHOTS: Final = 8

_PRUNE_AT: Final = 256
"""So many remembered reads, at the least, before the old ones are forgotten."""

FactT = TypeVar("FactT", Scan, RadioCall, Signature)
Reads = dict[tuple[str, str, Strength], int]
"""(device or guard, checkpoint, strength) → when it was read last with at least this strength."""

Memory = tuple[Reads, Reads, Remembered] | None

_UP_TO: Final = {
    strength: tuple(other for other in Strength if strength.reaches(other) and other is not Strength.WIRED)
    for strength in Strength
}
"""What a record may show by itself, up to a strength."""


def _order(fact: Scan | RadioCall | Signature) -> tuple[int, str, str, int]:
    return (fact.occurred_at, fact.device, fact.boot, fact.seq)


class Strand(Generic[FactT]):
    """What rounds and radio checks share: keeping facts in order, and going back in time."""

    __slots__ = (
        "_base",
        "_base_memory",
        "_facts",
        "_last_at",
        "_make",
        "_rolled_to",
        "_snapshot_every",
        "_snapshots",
        "base_at",
        "doubtful",
        "gone_back",
        "touched",
        "tracks",
    )

    def __init__(self, make: Callable[[], list[Track]], base_at: int) -> None:
        self._make = make
        self.doubtful = Doubtful()
        self.tracks = self._made()
        self.base_at = base_at
        """Facts from before this instant (ms) are folded for good: one that comes now needs a rebuild."""
        self.touched: dict[int, int] = {}
        """Tracks whose verdicts may have changed: place → first changed occurrence. The reader empties it."""
        self.gone_back = False
        """Whether all tracks were made anew since `touched` was emptied last."""
        self._facts: list[FactT] = []
        self._last_at = -FOREVER  # when the last fact happened
        self._base: list[Track] | None = None  # None: as made, before any fact
        self._base_memory: Memory = None
        # Facts folded, rolled to, tracks, and what `_memory` gave.
        self._snapshots: list[tuple[int, int, list[Track], Memory]] = []
        self._rolled_to = -FOREVER
        self._snapshot_every = max(_SNAPSHOT_EVERY, 4 * len(self.tracks))

    def _made(self) -> list[Track]:
        """The tracks as they are before any fact."""
        tracks = self._make()
        for track in tracks:
            track.doubtful = self.doubtful
        return tracks

    def add(self, facts: Sequence[FactT]) -> None:
        """Take in new facts, in any order; none of them may have happened before `base_at`."""
        kept = self._facts
        back_to: int | None = None
        # Devices of one site are a little out of step with each other; most of that is within one batch.
        for fact in sorted(facts, key=_order) if len(facts) > 1 else facts:
            at = fact.occurred_at
            if fact.uncertainty > DOUBTFUL_MS:
                self._doubt(fact)
            if at > self._last_at or not kept or fact.order > kept[-1].order:
                kept.append(fact)
                self._last_at = at
                if at < self._rolled_to:
                    back_to = len(kept) - 1 if back_to is None else back_to
                elif back_to is None:
                    self._take(fact)
                    if len(kept) % self._snapshot_every == 0:
                        self._snapshot(len(kept))
            else:
                place = bisect_left(kept, fact.order, key=_order)
                kept.insert(place, fact)
                back_to = place if back_to is None else min(back_to, place)
        if back_to is not None:
            self._go_back(back_to)

    def roll(self, place: int, at: int) -> Track:
        """Roll one track for good: a fact from before `at` that still comes makes the strand go back."""
        track = self.tracks[place]
        if at >= track.rolled:
            track.roll(at)
            self._rolled_to = max(self._rolled_to, at)
        return track

    def trim(self, before: int) -> None:
        """Fold what happened before an instant for good, and drop those facts."""
        facts = self._facts
        place = bisect_left(facts, (before, "", "", 0), key=_order)
        base = self._base if self._base is not None else self._made()
        live, self.tracks = self.tracks, base
        touched, self.touched = self.touched, {}
        memory = self._memory()
        self._recall(self._base_memory)
        for fact in facts[:place]:
            self._take(fact)
        for track in base:
            track.roll(before)
            track.forget_before(before)
        self._let_go()
        self._base_memory = self._memory()
        self._base, self.tracks, self.touched = base, live, touched
        self._recall(memory)
        del facts[:place]
        self._snapshots = [
            (count - place, at, tracks, reads)
            for count, at, tracks, reads in self._snapshots
            if count > place
        ]
        for track in live:
            track.roll(before)
            track.forget_before(before)
        self._let_go()
        self.base_at = max(self.base_at, before)
        self.doubtful.forget_before(
            min((track.items[0].opens for track in live if track.items), default=before)
        )

    def _snapshot(self, count: int) -> None:
        tracks = [track.copy() for track in self.tracks]
        self._snapshots.append((count, self._rolled_to, tracks, self._memory()))
        if len(self._snapshots) > _SNAPSHOTS:
            # Thin out the older half: going far back is rare and may fold a little more.
            half = len(self._snapshots) // 2
            self._snapshots = self._snapshots[:half:2] + self._snapshots[half:]

    def _go_back(self, place: int) -> None:
        at = self._facts[place].occurred_at
        while self._snapshots and (self._snapshots[-1][0] > place or self._snapshots[-1][1] > at):
            self._snapshots.pop()
        if self._snapshots:
            start, self._rolled_to, tracks, memory = self._snapshots[-1]
            self.tracks = [track.copy() for track in tracks]
        else:
            start, self._rolled_to, memory = 0, -FOREVER, self._base_memory
            self.tracks = self._made() if self._base is None else [track.copy() for track in self._base]
        self._recall(memory)
        for number in range(start, len(self._facts)):
            self._take(self._facts[number])
            if (number + 1) % self._snapshot_every == 0:
                self._snapshot(number + 1)
        self.touched = dict.fromkeys(range(len(self.tracks)), 0)
        self.gone_back = True

    def _touch(self, place: int, owed: Owed) -> None:
        """Note that an occurrence of a track changed in a way that time alone would not tell."""
        items = self.tracks[place].items
        first = len(items) - 1
        while first > 0 and items[first] is not owed:
            first -= 1
        self.touched[place] = min(first, self.touched.get(place, first))

    def _doubt(self, fact: FactT) -> None:
        """Note a fact that may belong elsewhere: whatever it may prove is looked at again."""
        self.doubtful.add(fact)
        for place in self._bears_on(fact):
            self.touched[place] = 0

    def _bears_on(self, fact: FactT) -> Iterable[int]:
        """The places of the tracks that a fact can prove something of."""
        raise NotImplementedError

    def _memory(self) -> Memory:
        """What folding has left beside the tracks."""
        return None

    def _recall(self, memory: Memory) -> None:
        """Take up what `_memory` gave once; None: as before the first fact."""

    def _let_go(self) -> None:
        """Drop what is remembered of facts that no occurrence holds any more."""

    def _take(self, fact: FactT) -> None:
        """Fold one fact into the tracks."""
        raise NotImplementedError


class RoundStrand(Strand[Scan]):
    """A site's scans and the rounds that claim them (docs/judging.md, part 2)."""

    __slots__ = (
        "_clashes",
        "_device_reads",
        "_guard_reads",
        "_people",
        "_places",
        "_prune_at",
        "looked_at",
    )

    def __init__(
        self,
        make: Callable[[], list[Track]],
        base_at: int,
        plans: Sequence[Plan],
        people: Mapping[str, str],
        taps: Iterable[Scan] = (),
    ) -> None:
        """`people`: the id of each person by id and by card, so that a card and an id are one carrier.

        `taps`: of each tag that counts, the scan with the highest counter from before `base_at`.
        """
        self._clashes = Clashes(plans, people, taps)
        super().__init__(make, base_at)
        self._people = people
        self.looked_at = -FOREVER
        """What was due before this instant (ms) may have been reported. The reader sets it."""
        self._device_reads: Reads = {}
        self._guard_reads: Reads = {}
        self._prune_at = _PRUNE_AT
        self._places: dict[str, tuple[int, ...]] = {}  # tag → tracks whose routes have its checkpoint
        tags_of: dict[int, dict[str, list[str]]] = {}  # by version of the plan
        alone: dict[int, tuple[int, ...]] = {}  # most tags are of one track; these share one tuple
        for place, track in enumerate(self.tracks):
            assert track.rule is not None
            known = track.rule.checkpoint_by_tag
            tags = tags_of.get(id(known))
            if tags is None:
                tags = tags_of[id(known)] = {}
                for tag, checkpoint in known.items():
                    tags.setdefault(checkpoint, []).append(tag)
            for checkpoint in track.rule.position:
                for tag in tags.get(checkpoint, ()):
                    before = self._places.get(tag)
                    if before is None:
                        self._places[tag] = alone.setdefault(place, (place,))
                    else:
                        self._places[tag] = (*before, place)

    def _made(self) -> list[Track]:
        tracks = super()._made()
        for track in tracks:
            track.clashes = self._clashes
        return tracks

    def _bears_on(self, fact: Scan) -> Iterable[int]:
        return self._places.get(fact.tag, ())

    def _memory(self) -> Memory:
        return self._device_reads.copy(), self._guard_reads.copy(), self._clashes.remember()

    def _recall(self, memory: Memory) -> None:
        devices, guards, clashes = memory or ({}, {}, None)
        self._device_reads, self._guard_reads = devices.copy(), guards.copy()
        self._clashes.recall(clashes)

    def _let_go(self) -> None:
        held = (
            scan
            for track in self.tracks
            for owed in track.items
            for scan in (*(owed.evidence or ()), *(owed.declined or ()))
        )
        doubtful = self.doubtful.reaching(-FOREVER, FOREVER)
        self._clashes.keep_only(scan for scan in (*held, *doubtful) if isinstance(scan, Scan))

    @property
    def clashes(self) -> Mapping[Scan, tuple[Finding, ...]]:
        """What was found of each scan that clashes with another."""
        return self._clashes.found

    def _take(self, fact: Scan) -> None:
        tag, at = fact.tag, fact.occurred_at
        places = self._places.get(tag)
        if places is None:
            return
        tracks = self.tracks
        checkpoint = self._checkpoint(places[0], tag)
        self._notice(fact, checkpoint)
        spent = self._clashes.is_spent(fact)
        if self._is_repeat(fact, checkpoint, at, Strength.QR if spent else fact.proof):
            return
        best: tuple[int, int, bool, int, bool, int, str, int] | None = None
        choice: tuple[int, str, Owed, bool] | None = None
        nearest: tuple[int, str, int] | None = None
        turned_away: tuple[int, Owed] | None = None
        for place in places:
            track = tracks[place]
            if at >= track.rolled:
                track.roll(at)
            rule = track.rule
            assert rule is not None
            checkpoint = rule.checkpoint_by_tag[tag]
            for owed in track.targets(at):
                last = self._last_carried(owed, fact)
                begun = 1 if last is not None else 3
                if not rule.needs(checkpoint, owed.seen, owed.expected):
                    if last is None:
                        continue
                    if rule.goes_back(checkpoint, owed.expected):
                        begun = 3
                    elif not self._begins_afresh(rule, owed, last, checkpoint):
                        continue
                fit = rule.fit(fact)
                if fit is None or (rule.proofs and rule.is_weak(fact, spent=spent)):
                    near = (abs(owed.due - at), track.key, owed.opens)
                    if nearest is None or near < nearest:
                        nearest, turned_away = near, (place, owed)
                    continue
                expected = rule.is_expected(checkpoint, owed.expected)
                begun -= expected
                first = rule.strict and rule.route.checkpoints[0] == checkpoint
                since = at - last.occurred_at if last is not None else 0
                nearness = abs(owed.due - at)
                rank = (begun, since, at > owed.due, fit, not first, nearness, track.key, owed.opens)
                if best is None or rank < best:
                    best, choice = rank, (place, checkpoint, owed, expected)
        if choice is not None:
            self._claim(fact, *choice)
        elif turned_away is not None:
            # Kept with the one that asks for somebody else, or for more; the nearest in its due.
            place, owed = turned_away
            owed.declined = [*(owed.declined or ()), fact]
            self._touch_if_due(place, owed, at)

    def _notice(self, scan: Scan, checkpoint: str) -> None:
        """Look for clashes: what was reported of the rounds of both scans may have to be told again."""
        for other in self._clashes.notice(scan, checkpoint):
            for place in (*self._places[other.tag], *self._places[scan.tag]):
                self.touched[place] = 0

    def _touch_if_due(self, place: int, owed: Owed, at: int) -> None:
        """Note a change of what may have been reported; the rest is looked at when it is due."""
        if at > owed.due or owed.due < self.looked_at:
            self._touch(place, owed)

    def _checkpoint(self, place: int, tag: str) -> str:
        rule = self.tracks[place].rule
        assert rule is not None
        return rule.checkpoint_by_tag[tag]

    def _claim(self, scan: Scan, place: int, checkpoint: str, owed: Owed, expected: bool) -> None:
        track = self.tracks[place]
        rule = track.rule
        assert rule is not None
        if owed.evidence is None:
            owed.evidence = [scan]
        else:
            owed.evidence.append(scan)
        if rule.strict:
            if len(owed.evidence) > 1:
                before = owed.evidence[-2]
                assert isinstance(before, Scan)
                if self._is_same_carrier(before, scan) and rule.begins_afresh(
                    rule.checkpoint_by_tag[before.tag], checkpoint, owed.expected
                ):
                    owed.evidence = owed.evidence[-2:]
                    owed.seen, owed.expected = 1, 1
                    expected = rule.is_expected(checkpoint, 1)
            if expected:
                owed.seen |= 1 << owed.expected
                owed.expected += 1
            complete = owed.expected == rule.size
        else:
            owed.seen |= 1 << rule.position[checkpoint]
            complete = owed.seen == rule.full
        if complete:
            track.fulfil(owed, scan.occurred_at)
            self._touch(place, owed)
        else:
            self._touch_if_due(place, owed, scan.occurred_at)

    def _last_carried(self, owed: Owed, scan: Scan) -> Scan | None:
        """The last scan of the same device or the same guard that the round has claimed."""
        for claimed in reversed(owed.evidence or ()):
            if isinstance(claimed, Scan) and self._is_same_carrier(claimed, scan):
                return claimed
        return None

    def _is_same_carrier(self, one: Scan, other: Scan) -> bool:
        if one.device == other.device and one.is_carried and other.is_carried:
            return True
        if one.guard is None or other.guard is None:
            return False
        people = self._people
        return people.get(one.guard, one.guard) == people.get(other.guard, other.guard)

    @staticmethod
    def _begins_afresh(rule: RoundRule, owed: Owed, last: Scan, checkpoint: str) -> bool:
        if owed.evidence is None or owed.evidence[-1] is not last:
            return False
        return rule.begins_afresh(rule.checkpoint_by_tag[last.tag], checkpoint, owed.expected)

    def _is_repeat(self, scan: Scan, checkpoint: str, at: int, strength: Strength) -> bool:
        """Whether the same carrier read this checkpoint within `REPEAT_MS` before, and no weaker."""
        earliest = at - REPEAT_MS
        reads = self._device_reads
        repeat = False
        if scan.is_carried:
            repeat = reads.get((scan.device, checkpoint, strength), earliest - 1) >= earliest
            for each in _UP_TO[strength]:
                reads[scan.device, checkpoint, each] = at
        if max(len(reads), len(self._guard_reads)) > self._prune_at:
            self._device_reads = {key: read for key, read in reads.items() if read >= earliest}
            self._guard_reads = {key: read for key, read in self._guard_reads.items() if read >= earliest}
            self._prune_at = max(_PRUNE_AT, 2 * max(len(self._device_reads), len(self._guard_reads)))
        if scan.guard is not None:
            reads = self._guard_reads
            person = self._people.get(scan.guard, scan.guard)
            repeat = repeat or reads.get((person, checkpoint, strength), earliest - 1) >= earliest
            for each in _UP_TO[strength]:
                reads[person, checkpoint, each] = at
        return repeat


class RadioStrand(Strand[RadioCall]):
    """The calls to one post and the radio checks that they fulfil (docs/judging.md, part 3)."""

    __slots__ = ()

    def _bears_on(self, fact: RadioCall) -> Iterable[int]:
        return range(len(self.tracks))

    def _take(self, fact: RadioCall) -> None:
        at = fact.occurred_at
        for place, track in enumerate(self.tracks):
            track.roll(at)
            targets = track.targets(at)
            if not targets:
                continue
            owed = min(targets, key=lambda target: target.due)
            if owed.evidence is None:
                owed.evidence = [fact]
            else:
                owed.evidence.append(fact)
            if fact.outcome is not Outcome.NO_ANSWER:
                track.fulfil(owed, at)
            self._touch(place, owed)


class RecordStrand(Strand[Signature]):
    """The signatures under one form, and the records that they complete (docs/judging.md, part 6)."""

    __slots__ = ()

    def _bears_on(self, fact: Signature) -> Iterable[int]:
        return [place for place, track in enumerate(self.tracks) if track.post in (None, fact.post)]

    def _take(self, fact: Signature) -> None:
        at = fact.occurred_at
        for place in self._bears_on(fact):
            track = self.tracks[place]
            track.roll(at)
            signed = [
                (counted(track.plan, track.duty, [*_signatures(owed), fact]), owed)
                for owed in sorted(track.targets(at), key=lambda target: target.due)
            ]
            if not signed:
                continue
            # To the first that it counts for; one that counts for nothing is kept with the first as evidence.
            counts, owed = next((each for each in signed if fact in each[0]), signed[0])
            owed.evidence = [*_signatures(owed), fact]
            owed.seen = (1 << len(counts)) - 1
            if len(counts) == track.duty.signatures:
                track.fulfil(owed, at)
            self._touch(place, owed)


def _signatures(owed: Owed) -> list[Signature]:
    return [fact for fact in owed.evidence or () if isinstance(fact, Signature)]
