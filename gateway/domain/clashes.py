"""Clashes: two scans that cannot both be what they seem (docs/judging.md, part 5).

One person cannot be at two checkpoints at once, and one tag is at one place. Scans are noticed in canonical
order, each compared with the last one of its person and the last one of its tag, so that what is found is a
function of the set of facts. A clash is a finding of both scans. What it decides is only how strong the evidence is
of a scan whose tag shows that it is not what it seems (`taps.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.domain.facts import Scan
from gateway.domain.plan import Plan
from gateway.domain.taps import Highest, Taps, is_spent
from gateway.domain.verdicts import Finding

ANY_WAY_S: Final = 10
"""The least time between two checkpoints (s) where no route says how long the way is."""

ONE_TAG_MS: Final = 10_000
"""Two people who come from different places do not read one tag within this time."""

MEMORY_MS: Final = 3_600_000
"""A scan this long after the person's last one is compared with nothing: it tells nothing about the way."""

_PRUNE_AT: Final = 256
"""So many remembered scans, at the least, before the old ones are forgotten."""


class Sight(NamedTuple):
    """A scan that shows a person: where it was, and at which other checkpoint the person was before it."""

    scan: Scan
    person: str
    checkpoint: str
    came_from: str | None


class Remembered(NamedTuple):
    """What noticing has left behind at some point of the fold."""

    by_person: dict[str, Sight]
    by_tag: dict[str, Sight]
    taps: dict[str, Highest] | None
    found: Mapping[Scan, tuple[Finding, ...]]


class Clashes:
    """The clashes of one site's scans."""

    __slots__ = ("_by_person", "_by_tag", "_people", "_plans", "_prune_at", "_starts", "_taps", "found")

    def __init__(self, plans: Sequence[Plan], people: Mapping[str, str], taps: Iterable[Scan] = ()) -> None:
        """`people`: the id of each person by id and by card. `taps`: see `Taps`."""
        self._plans = plans
        self._starts = [plan.holds_from for plan in plans]
        self._people = people
        self._by_person: dict[str, Sight] = {}
        self._by_tag: dict[str, Sight] = {}
        self._taps = Taps(taps)
        self._prune_at = _PRUNE_AT
        self.found: Mapping[Scan, tuple[Finding, ...]] = {}
        """What was found of each scan that clashes. Never changed in place: snapshots share it."""

    def notice(self, scan: Scan, checkpoint: str) -> list[Scan]:
        """Take in the next scan; returns the earlier ones that it clashes with."""
        clashing: list[Scan] = []
        if scan.tap is not None and (odd := self._taps.notice(scan, checkpoint)) is not None:
            other, finding = odd
            self._add(finding, other, scan)
            clashing.append(other)
        if scan.guard is None:
            return clashing
        person = self._people.get(scan.guard, scan.guard)
        at = scan.occurred_at
        last, came_from = self._by_person.get(person), None
        if last is not None and at - last.scan.occurred_at < MEMORY_MS:
            elsewhere = last.checkpoint != checkpoint
            came_from = last.checkpoint if elsewhere else last.came_from
            if elsewhere and last.scan.device != scan.device and self._two_places(last, scan, checkpoint):
                clashing.append(last.scan)
        sight = Sight(scan, person, checkpoint, came_from)
        before = self._by_tag.get(scan.tag)
        if before is not None and self._copied(before, sight):
            clashing.append(before.scan)
        self._by_person[person] = self._by_tag[scan.tag] = sight
        if max(len(self._by_person), len(self._by_tag)) > self._prune_at:
            self._prune(at)
        return clashing

    def remember(self) -> Remembered:
        """All that `recall` needs to go on from here."""
        return Remembered(self._by_person.copy(), self._by_tag.copy(), self._taps.remember(), self.found)

    def recall(self, memory: Remembered | None) -> None:
        """Go back to where `remember` was called; None: to before the first scan."""
        by_person, by_tag, taps, self.found = memory or Remembered({}, {}, None, {})
        self._by_person, self._by_tag = by_person.copy(), by_tag.copy()
        self._taps.recall(taps)

    def is_spent(self, scan: Scan) -> bool:
        """Whether the message of a scan proves nothing, as its tag shows."""
        return is_spent(scan, self.found)

    def keep_only(self, scans: Iterable[Scan]) -> None:
        """Let go of what was found of other scans."""
        if self.found:
            kept = set(scans)
            self.found = {scan: found for scan, found in self.found.items() if scan in kept}

    def _two_places(self, last: Sight, scan: Scan, checkpoint: str) -> bool:
        plan = self._plans[max(0, bisect_right(self._starts, scan.occurred_at) - 1)]
        shortest = plan.shortest_way_s(last.checkpoint, checkpoint) or ANY_WAY_S
        if _at_most(last.scan, scan) >= shortest * 1000:
            return False
        params = {
            "person": last.person,
            "from": last.checkpoint,
            "to": checkpoint,
            "took_s": _took_s(last.scan, scan),
            "min_s": shortest,
            "devices": [last.scan.device, scan.device],
        }
        self._add(Finding("two_places", params, (last.scan.id, scan.id)), last.scan, scan)
        return True

    def _copied(self, before: Sight, sight: Sight) -> bool:
        scan = sight.scan
        if before.person == sight.person or before.scan.device == scan.device:
            return False
        if before.came_from is None or sight.came_from is None or before.came_from == sight.came_from:
            return False  # they may be walking together, which leaves the same traces
        if _at_most(before.scan, scan) >= ONE_TAG_MS:
            return False
        params = {
            "checkpoint": sight.checkpoint,
            "people": [before.person, sight.person],
            "devices": [before.scan.device, scan.device],
            "took_s": _took_s(before.scan, scan),
        }
        self._add(Finding("tag_copied", params, (before.scan.id, scan.id)), before.scan, scan)
        return True

    def _add(self, finding: Finding, *scans: Scan) -> None:
        self.found = {**self.found, **{scan: (*self.found.get(scan, ()), finding) for scan in scans}}

    def _prune(self, at: int) -> None:
        for sights in (self._by_person, self._by_tag):
            for key in [key for key, sight in sights.items() if at - sight.scan.occurred_at >= MEMORY_MS]:
                del sights[key]
        self._prune_at = max(_PRUNE_AT, 2 * max(len(self._by_person), len(self._by_tag)))


def _at_most(first: Scan, second: Scan) -> int:
    """The longest time that may have passed between two scans of different devices (ms)."""
    return second.occurred_at - first.occurred_at + first.uncertainty + second.uncertainty


def _took_s(first: Scan, second: Scan) -> float:
    return round((second.occurred_at - first.occurred_at) / 1000, 1)
