"""Strands: facts in the order in which they happened, folded into the tracks that they bear on.

A strand is a left fold over its facts in canonical order. A fact that fits at the end is folded in at once;
one that happened earlier than what is folded already makes the strand go back to a snapshot before it and
fold again from there. So the state is a function of the set of facts, in whatever order they came (law 2).

A site has one strand for its rounds, as scans of shared checkpoints compete, one for each post's radio checks,
and one for each form that is signed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Outcome, RadioCall, Scan, Signature
from gateway.domain.signing import counted
from gateway.domain.tracks import Owed, Track

REPEAT_MS: Final = 10_000
"""A checkpoint read again by the same carrier within this time is the same tap."""

_SNAPSHOT_EVERY: Final = 64
"""Facts between two snapshots, at the least; four for each track where there are many, as a copy costs by track."""

_SNAPSHOTS: Final = 8

_PRUNE_AT: Final = 256
"""So many remembered reads, at the least, before the old ones are forgotten."""

FactT = TypeVar("FactT", Scan, RadioCall, Signature)
Memory = tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]] | None


def _order(fact: Scan | RadioCall | Signature) -> tuple[int, str, str, int]:
    return (fact.occurred_at, fact.device, fact.boot, fact.seq)


class Strand(Generic[FactT]):
    """What rounds and radio checks share: keeping facts in order, and going back in time."""

    __slots__ = (
        "_base",
        "_facts",
        "_last_at",
        "_make",
        "_rolled_to",
        "_snapshot_every",
        "_snapshots",
        "base_at",
        "gone_back",
        "touched",
        "tracks",
    )

    def __init__(self, make: Callable[[], list[Track]], base_at: int) -> None:
        self._make = make
        self.tracks = make()
        self.base_at = base_at
        """Facts from before this instant (ms) are folded for good: one that comes now needs a rebuild."""
        self.touched: dict[int, int] = {}
        """Tracks whose verdicts may have changed: place → first changed occurrence. The reader empties it."""
        self.gone_back = False
        """Whether all tracks were made anew since `touched` was emptied last."""
        self._facts: list[FactT] = []
        self._last_at = -FOREVER  # when the last fact happened
        self._base: list[Track] | None = None  # None: as made, before any fact
        # Facts folded, rolled to, tracks, and what `_memory` gave.
        self._snapshots: list[tuple[int, int, list[Track], Memory]] = []
        self._rolled_to = -FOREVER
        self._snapshot_every = max(_SNAPSHOT_EVERY, 4 * len(self.tracks))

    def add(self, facts: Sequence[FactT]) -> None:
        """Take in new facts, in any order; none of them may have happened before `base_at`."""
        kept = self._facts
        back_to: int | None = None
        # Devices of one site are a little out of step with each other; most of that is within one batch.
        for fact in sorted(facts, key=_order) if len(facts) > 1 else facts:
            at = fact.occurred_at
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
        # Never between a tap and its repeat.
        while 0 < place < len(facts) and facts[place].occurred_at - facts[place - 1].occurred_at <= REPEAT_MS:
            place -= 1
        base = self._base if self._base is not None else self._make()
        live, self.tracks = self.tracks, base
        touched, self.touched = self.touched, {}
        memory = self._memory()
        self._recall(None)
        for fact in self._facts[:place]:
            self._take(fact)
        for track in base:
            track.roll(before)
            track.forget_before(before)
        self._base, self.tracks, self.touched = base, live, touched
        self._recall(memory)
        del self._facts[:place]
        self._snapshots = [
            (count - place, at, tracks, reads)
            for count, at, tracks, reads in self._snapshots
            if count > place
        ]
        for track in live:
            track.roll(before)
            track.forget_before(before)
        self.base_at = max(self.base_at, before)

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
            start, self._rolled_to, memory = 0, -FOREVER, None
            self.tracks = self._make() if self._base is None else [track.copy() for track in self._base]
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

    def _memory(self) -> Memory:
        """What folding has left beside the tracks."""
        return None

    def _recall(self, memory: Memory) -> None:
        """Take up what `_memory` gave once; None: as before the first fact."""

    def _take(self, fact: FactT) -> None:
        """Fold one fact into the tracks."""
        raise NotImplementedError


class RoundStrand(Strand[Scan]):
    """A site's scans and the rounds that claim them (docs/judging.md, part 2)."""

    __slots__ = ("_device_reads", "_guard_reads", "_people", "_places", "_prune_at")

    def __init__(
        self, make: Callable[[], list[Track]], base_at: int, people: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`people`: the id of each person by id and by card, so that a card and an id are one carrier."""
        super().__init__(make, base_at)
        self._people = people
        self._device_reads: dict[tuple[str, str], int] = {}  # (device, checkpoint) → when it was read last
        self._guard_reads: dict[tuple[str, str], int] = {}
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

    def _memory(self) -> Memory:
        return self._device_reads.copy(), self._guard_reads.copy()

    def _recall(self, memory: Memory) -> None:
        devices, guards = memory or ({}, {})
        self._device_reads, self._guard_reads = devices.copy(), guards.copy()

    def _take(self, fact: Scan) -> None:
        tag, at = fact.tag, fact.occurred_at
        places = self._places.get(tag)
        if places is None:
            return
        tracks = self.tracks
        if self._is_repeat(fact, self._checkpoint(places[0], tag), at):
            return
        best: tuple[int, bool, int, bool, int, str, int] | None = None
        choice: tuple[int, str, Owed, bool] | None = None
        for place in places:
            track = tracks[place]
            if at >= track.rolled:
                track.roll(at)
            rule = track.rule
            assert rule is not None
            checkpoint = rule.checkpoint_by_tag[tag]
            for owed in track.targets(at):
                if not rule.needs(checkpoint, owed.seen, owed.expected):
                    continue
                fit = rule.fit(fact)
                if fit is None:
                    continue
                expected = rule.is_expected(checkpoint, owed.expected)
                begun = 2
                if owed.evidence and self._is_carried_by(owed, fact):
                    begun = 0 if expected else 1
                first = rule.strict and rule.route.checkpoints[0] == checkpoint
                nearness = abs(owed.due - at)
                rank = (begun, at > owed.due, fit, not first, nearness, track.key, owed.opens)
                if best is None or rank < best:
                    best, choice = rank, (place, checkpoint, owed, expected)
        if choice is not None:
            self._claim(fact, *choice)

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
        elif scan.occurred_at > owed.due:
            self._touch(place, owed)

    def _is_carried_by(self, owed: Owed, scan: Scan) -> bool:
        """Whether a scan that the round has claimed had the same device or the same guard."""
        assert owed.evidence is not None
        device = scan.device
        for claimed in owed.evidence:
            if claimed.device == device:
                return True
        if scan.guard is None:
            return False
        people = self._people
        guard = people.get(scan.guard, scan.guard)
        return any(
            isinstance(claimed, Scan)
            and claimed.guard is not None
            and people.get(claimed.guard, claimed.guard) == guard
            for claimed in owed.evidence
        )

    def _is_repeat(self, scan: Scan, checkpoint: str, at: int) -> bool:
        """Whether the same carrier read this checkpoint within `REPEAT_MS` before."""
        earliest = at - REPEAT_MS
        reads = self._device_reads
        key = (scan.device, checkpoint)
        repeat = reads.get(key, earliest - 1) >= earliest
        reads[key] = at
        if len(reads) > self._prune_at:
            self._device_reads = {key: read for key, read in reads.items() if read >= earliest}
            self._guard_reads = {key: read for key, read in self._guard_reads.items() if read >= earliest}
            self._prune_at = max(_PRUNE_AT, 2 * len(self._device_reads))
        if scan.guard is not None:
            reads = self._guard_reads
            key = (self._people.get(scan.guard, scan.guard), checkpoint)
            repeat = repeat or reads.get(key, earliest - 1) >= earliest
            reads[key] = at
        return repeat


class RadioStrand(Strand[RadioCall]):
    """The calls to one post and the radio checks that they fulfil (docs/judging.md, part 3)."""

    __slots__ = ()

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
    """The signatures under one form, and the records that they complete (docs/judging.md, part 5)."""

    __slots__ = ()

    def _take(self, fact: Signature) -> None:
        at = fact.occurred_at
        for place, track in enumerate(self.tracks):
            if track.post not in (None, fact.post):
                continue
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
