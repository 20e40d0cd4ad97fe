"""The ledger as people see it: the entries of a time, how sure what is left over is, and the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gateway.domain.hearing import Hearing
from gateway.domain.ledger.entries import Explanation, Lane, Leftover, Opening, Passage, State, Stay
from gateway.domain.plan import Plan

E = TypeVar("E", Opening, Passage)

FINAL: Final = State("final")


@dataclass(frozen=True, slots=True)
class Shown:
    """The ledger of a time, as of an instant; each list by time."""

    openings: list[Opening]
    passages: list[Passage]
    stays: list[Stay]
    leftovers: list[tuple[Leftover, State]]
    under_way: frozenset[str]  # openings and passages that may still find each other
    explained: Mapping[str, Explanation]  # what people said of leftovers, by id

    def of_lane(self, lane: str) -> Shown:
        """What concerns one lane (`gate/lane`), or all lanes of a gate (`gate`)."""

        def wanted(found: Lane) -> bool:
            return lane in (found[0], lane_name(found))

        return Shown(
            [each for each in self.openings if wanted(each.lane)],
            [each for each in self.passages if wanted(each.lane)],
            [
                each
                for each in self.stays
                if any(end is not None and wanted(end.lane) for end in (each.entered, each.left))
            ],
            [each for each in self.leftovers if wanted(each[0].lane)],
            self.under_way,
            self.explained,
        )

    def totals(self) -> dict[str, dict[str, Any]]:
        """How many of each, by what became of them; the parts of each sum up to its `total`."""
        fates: dict[str, str] = {}
        for stay in self.stays:
            if stay.entered is not None:
                fates[stay.entered.id] = "lost" if stay.lost else "inside" if stay.left is None else "left"
        openings = Counter(
            self._found(each.id, each.passage, "passed", "nobody_passed") for each in self.openings
        )
        passages = Counter(self._found(each.id, each.opening, "opened", "unopened") for each in self.passages)
        entries = Counter(fates.get(each.id, "unidentified") for each in self.passages if each.inward)
        without = {stay.id for stay in self.stays if stay.entered is None}
        exits = Counter(
            "matched" if each.stay is not None else "without_in" if each.id in without else "unidentified"
            for each in self.passages
            if not each.inward
        )
        authority = Counter(each.grant.kind if each.grant is not None else "none" for each in self.openings)
        return {
            "openings": _sum(openings, "passed", "nobody_passed", "under_way")
            | {"authority": dict(sorted(authority.items()))},
            "passages": _sum(passages, "opened", "unopened", "under_way"),
            "entries": _sum(entries, "left", "inside", "lost", "unidentified"),
            "exits": _sum(exits, "matched", "without_in", "unidentified"),
            "leftovers": {
                "total": len(self.leftovers),
                "unverified": sum(state.code != "final" for _, state in self.leftovers),
                "explained": sum(each.id in self.explained for each, _ in self.leftovers),
                "codes": dict(sorted(Counter(each.code for each, _ in self.leftovers).items())),
            },
        }

    def _found(self, entry: str, other: str | None, found: str, not_found: str) -> str:
        if other is not None:
            return found
        return "under_way" if entry in self.under_way else not_found


class Certainty:
    """What the gate devices of a site may still know (law 4)."""

    def __init__(self, plan: Plan, hearing: Hearing | None, now: int) -> None:
        self._plan = plan
        self._hearing = hearing
        self._now = now

    def of(self, leftover: Leftover) -> State:
        """Whether a leftover is final. What was lost, or could not be heard, may have explained it.

        1. What is known says it, whatever else may come.
        2. A device that could hold the explanation has not shown that it has nothing more to say; it is waited for,
           but no longer than `settle_after`.
        3. Such a device has lost records of that time.
        4. The gateway could not hear at that time.
        """
        hearing, until = self._hearing, leftover.until
        if hearing is None or until is None:
            return FINAL
        places = self._plan.gate_places
        devices = tuple(
            device for device, place in places.items() if leftover.whole_site or place == leftover.lane[0]
        )
        since = int(leftover.params.get("since", leftover.at))
        silent = tuple(hearing.silent_at(devices, until))
        if silent and self._now <= until + self._plan.settle_after_s * 1000:
            return State("unverified", silent, "no_proof")
        if (gap := hearing.lost_between(devices, since, until)) is not None:
            return State("unverified", tuple(gap.devices), "evidence_lost")
        if hearing.blindness.within(since, until + 1) > 0:
            return State("unverified", (), "gateway_blind")
        return State("final", silent, "settled") if silent else FINAL


def lane_name(lane: Lane) -> str:
    """`gate/lane`; only the gate where its devices name no lane."""
    return "/".join(part for part in lane if part)


def within(entries: Iterable[E], start: int, end: int) -> list[E]:
    """Those that happened in `[start, end)`, by time."""
    return sorted((each for each in entries if start <= each.at < end), key=lambda each: (each.at, each.id))


def overlapping(stays: Sequence[Stay], start: int, end: int) -> list[Stay]:
    """Those of which some part, as far as it is known, lies in `[start, end)`, by their beginning."""

    def begin(stay: Stay) -> int:
        first = stay.entered or stay.left
        return first.at if first is not None else 0

    def touches(stay: Stay) -> bool:
        if stay.lost:
            return start <= begin(stay) < end
        return begin(stay) < end and (stay.left is None or stay.left.at >= start)

    return sorted((each for each in stays if touches(each)), key=lambda each: (begin(each), each.id))


def _sum(counts: Counter[str], *names: str) -> dict[str, Any]:
    return {"total": counts.total()} | {name: counts[name] for name in names}
