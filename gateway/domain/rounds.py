"""Rounds: which scans of a route count, when it is complete, and what its legs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from gateway.domain.facts import Scan
from gateway.domain.plan import DeviceKind, Duty, Order, Plan, Route
from gateway.domain.strength import Strength
from gateway.domain.verdicts import Finding

IN_HAND_MS: Final = 5_000
"""Tags on walls are not read one after the other within this time, where the plan says how long the way is."""

IN_HAND_UNSAID_MS: Final = 3_000
"""Where it does not."""


class RoundRule:
    """What one round duty asks of scans. Shared by all of its occurrences; holds no state."""

    __slots__ = (
        "by",
        "checkpoint_by_tag",
        "duty",
        "full",
        "plan",
        "position",
        "post",
        "proofs",
        "route",
        "size",
        "strict",
    )

    def __init__(self, plan: Plan, duty: Duty, route: Route, checkpoint_by_tag: Mapping[str, str]) -> None:
        """`checkpoint_by_tag`: what this version of the plan knows, and of other tags what later ones know."""
        self.plan = plan
        self.checkpoint_by_tag = checkpoint_by_tag
        self.duty = duty
        self.route = route
        self.strict = route.order is Order.STRICT
        self.position = plan.positions(route)
        """Where a checkpoint stands in the route: its last place in strict order, its first in free order."""
        self.size = len(route.checkpoints) if self.strict else len(self.position)
        self.full = sum(1 << place for place in self.position.values())
        self.post = duty.post
        self.by = duty.by
        self.proofs = plan.proof_needed(duty)
        """How strong a scan must be at the least, by checkpoint; most plans ask for nothing."""

    def needs(self, checkpoint: str, seen: int, expected: int) -> bool:
        """Whether a round that has counted `seen` (bits of positions) still has a use for this checkpoint."""
        place = self.position[checkpoint]
        return place >= expected if self.strict else not seen >> place & 1

    def is_expected(self, checkpoint: str, expected: int) -> bool:
        """Whether the checkpoint is the next one; in free order any one that is needed is."""
        return not self.strict or self.route.checkpoints[expected] == checkpoint

    def goes_back(self, checkpoint: str, expected: int) -> bool:
        """Whether a strict round that is under way is at its first checkpoint again."""
        return self.strict and expected > 0 and checkpoint == self.route.checkpoints[0]

    def begins_afresh(self, before: str, checkpoint: str, expected: int) -> bool:
        """Whether a scan of `before` and then of `checkpoint` is a strict round walked anew from its beginning.

        That is so from the first checkpoint to one that was counted already (or to the second): somebody who only
        was at the beginning once more goes on where the round had got to.
        """
        stops = self.route.checkpoints
        if not self.strict or before != stops[0] or checkpoint not in stops[1 : max(expected, 2)]:
            return False
        return expected < 2 or not self.is_expected(checkpoint, expected)

    def fit(self, scan: Scan) -> int | None:
        """How well the carrier fits: 0 best, 1 allowed, None when somebody else must walk this round."""
        rank = 0
        if self.post is not None:
            device = self.plan.device_by_id.get(scan.device)
            if device is None or self.post not in device.posts:
                rank = 1
        if self.by is not None:
            person = self.plan.person(scan.guard)
            if person is None:
                rank = 1
            elif self.by not in (person.id, person.role):
                return None
        return rank

    def strength(self, scan: Scan, *, spent: bool) -> Strength:
        """How strong a scan is as evidence. `spent`: its message proves nothing, as the tag's counter shows."""
        if spent:
            return Strength.QR
        if scan.proof is Strength.UID:
            device = self.plan.device_by_id.get(scan.device)
            if device is not None and device.kind is DeviceKind.READER:
                return Strength.WIRED
        return scan.proof

    def is_weak(self, scan: Scan, *, spent: bool) -> bool:
        """Whether it is weaker than what its checkpoint must be proved with."""
        needed = self.proofs.get(self.checkpoint_by_tag[scan.tag])
        return needed is not None and not self.strength(scan, spent=spent).reaches(needed)

    def counted(self, scans: Sequence[tuple[str, Scan]]) -> list[tuple[int, Scan]]:
        """The claimed scans that count, as (position in the route, scan), in the order of the walk.

        `scans` are (checkpoint, scan) in canonical order. In strict order a scan counts when it is the next
        expected one; in free order when it is the first of its checkpoint.
        """
        found: list[tuple[int, Scan]] = []
        if self.strict:
            for checkpoint, scan in scans:
                if len(found) < self.size and self.route.checkpoints[len(found)] == checkpoint:
                    found.append((len(found), scan))
            return found
        taken: set[int] = set()
        for checkpoint, scan in scans:
            position = self.position[checkpoint]
            if position not in taken:
                taken.add(position)
                found.append((position, scan))
        return found

    def longest_ordered(self, scans: Sequence[tuple[str, Scan]]) -> dict[int, Scan]:
        """The longest run of the route's positions that was walked in order: the rest was out of order.

        The longest common subsequence of the route and the walk, O(route x scans); the earliest match wins.
        """
        stops = self.route.checkpoints
        rows, columns = len(stops), len(scans)
        best = [[0] * (columns + 1) for _ in range(rows + 1)]
        for row in range(rows - 1, -1, -1):
            for column in range(columns - 1, -1, -1):
                if stops[row] == scans[column][0]:
                    best[row][column] = best[row + 1][column + 1] + 1
                else:
                    best[row][column] = max(best[row + 1][column], best[row][column + 1])
        walked: dict[int, Scan] = {}
        row = column = 0
        while row < rows and column < columns:
            if stops[row] == scans[column][0]:
                walked[row] = scans[column][1]
                row, column = row + 1, column + 1
            elif best[row + 1][column] >= best[row][column + 1]:
                row += 1
            else:
                column += 1
        return walked

    def findings(self, walk: Sequence[tuple[int, Scan]]) -> list[Finding]:
        """Legs that were walked faster than possible or slower than allowed, and carriers who do not fit.

        A leg is named only when it is out of its limits whatever the two scans' uncertainty. When every one of
        two and more legs took no longer than two readings take, the tags are not on their walls.
        """
        found: list[Finding] = []
        in_hand = len(walk) >= 3
        stops = self.route.checkpoints
        for (before, first), (after, second) in pairwise(walk):
            leg = self.route.leg_between(stops[before], stops[after])
            took = second.occurred_at - first.occurred_at
            # One boot of a device has one clock; another device may well call its own boot the same.
            one_clock = (first.device, first.boot) == (second.device, second.boot)
            doubt = 0 if one_clock else first.uncertainty + second.uncertainty
            in_hand = in_hand and took + doubt < (
                min(IN_HAND_MS, leg.min_s * 1000) if leg.min_s else IN_HAND_UNSAID_MS
            )
            params = {"from": stops[before], "to": stops[after], "took_s": round(took / 1000, 1)}
            if took + doubt < leg.min_s * 1000:
                found.append(Finding("leg_too_fast", params | {"min_s": leg.min_s}, (first.id, second.id)))
            elif leg.max_s is not None and took - doubt > leg.max_s * 1000:
                found.append(Finding("leg_too_slow", params | {"max_s": leg.max_s}, (first.id, second.id)))
        if in_hand:
            took = walk[-1][1].occurred_at - walk[0][1].occurred_at
            together = {"count": len(walk), "took_s": round(took / 1000, 1)}
            found.insert(0, Finding("tags_together", together, tuple(scan.id for _, scan in walk)))
        strangers = [scan for _, scan in walk if self.fit(scan)]
        if strangers:
            facts = tuple(scan.id for scan in strangers)
            if self.by is not None and any(not self._is_shown(scan) for scan in strangers):
                found.append(Finding("carrier_unknown", {"by": self.by}, facts))
            others = sorted({scan.device for scan in strangers if not self._serves(scan)})
            if others:
                found.append(Finding("other_device", {"devices": others, "post": self.post}, facts))
        return found

    def wrong_person(self, declined: Sequence[Scan]) -> Finding:
        """Somebody else walked here than the duty asks for. `declined`: their scans, in canonical order."""
        people = {person.id for scan in declined if (person := self.plan.person(scan.guard)) is not None}
        params: dict[str, Any] = {
            "by": self.by,
            "people": sorted(people),
            "checkpoints": list(dict.fromkeys(self.checkpoint_by_tag[scan.tag] for scan in declined)),
        }
        return Finding("wrong_person", params, tuple(scan.id for scan in declined))

    def _serves(self, scan: Scan) -> bool:
        device = self.plan.device_by_id.get(scan.device)
        return self.post is None or (device is not None and self.post in device.posts)

    def _is_shown(self, scan: Scan) -> bool:
        return self.plan.person(scan.guard) is not None
