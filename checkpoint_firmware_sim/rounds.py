"""The rounds of a scenario: who walks which route when, so that every duty is carried out in time.

1. Planned times (`at`) are entered first: they cannot move far.
2. Then the rest, in the order in which it is wanted: each `every` as late as is comfortable after the round
   before it, each of `times` at its share of the period.
3. A deviation changes its round, and what follows is planned from what was really walked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.deeds import Skipped, Visit, Walk
from checkpoint_firmware_sim.diary import Diary, Need
from checkpoint_firmware_sim.mishaps import Mishaps
from checkpoint_firmware_sim.people import Staff, Walker, stroll, way
from checkpoint_firmware_sim.scenario import Deviation, What
from checkpoint_firmware_sim.times import MINUTE, SECOND, days_touching, periods
from gateway.domain.calendar import PlannedTimes
from gateway.domain.plan import At, Duty, Every, Order, Plan, Times

COMFORT: Final = 0.15
"""The part of the longest allowed gap that a guard keeps in hand."""

_LAST_RESORT: Final = 20 * SECOND
"""What is kept in hand when there is no room for comfort."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One round that is owed: when it would suit, and the limits (ms). It ends before `due_at`."""

    duty: Duty
    suits: int
    opens_at: int
    due_at: int
    until: int  # end of the period that it belongs to
    as_late_as_possible: bool = False


class Rounds:
    """Plans the walks within `[start, end)`; `walks` and `skipped` are the outcome."""

    def __init__(
        self,
        plan: Plan,
        start: int,
        end: int,
        mishaps: Mishaps,
        random: Random,
        diary_of: Callable[[str], Diary],
    ) -> None:
        self.walks: list[Walk] = []
        self.skipped: list[Skipped] = []
        self._plan = plan
        self._zone = ZoneInfo(plan.timezone)
        self._start, self._end = start, end
        self._mishaps = mishaps
        self._random = random
        self._diary_of = diary_of
        self._staff = Staff(plan, random, start)
        self._fixed = {device.checkpoint: device.id for device in plan.devices if device.checkpoint}
        self._wishes: list[tuple[int, int, Wish]] = []
        self._order = count()

    def plan_all(self) -> None:
        """Plan every round duty of the plan."""
        duties = [duty for duty in self._plan.duties if duty.route is not None]
        for planned_times in (True, False):
            for duty in duties:
                if isinstance(duty.cadence, At) is planned_times:
                    self._first_wishes(duty)
            while self._wishes:
                self._grant(heappop(self._wishes)[2])
        self.walks.sort(key=lambda walk: (walk.start, walk.duty))

    def _wish(self, wish: Wish) -> None:
        if wish.suits < self._end:
            heappush(self._wishes, (wish.suits, next(self._order), wish))

    def _first_wishes(self, duty: Duty) -> None:
        cadence = duty.cadence
        start, end = self._start, self._end
        if isinstance(cadence, At):
            seed = f"{self._plan.site}|{duty.id}"
            planned = PlannedTimes(self._plan.timezone, cadence.times, cadence.vary_s, seed)
            for day in days_touching(self._zone, start, end):
                for at in planned.on(day):
                    opens, due = at - cadence.early_s * SECOND, at + _allowed(cadence)
                    if start <= opens and at < end:
                        self._wish(Wish(duty, at + self._random.randint(0, 90) * SECOND, opens, due, due))
        elif isinstance(cadence, Every):
            for a, z in periods(self._plan, cadence.during, start, end):
                opens = max(a, start)
                suits = opens + self._random.randint(30, 240) * SECOND
                self._wish(Wish(duty, suits, opens, opens + _allowed(cadence), z))
        else:
            for a, z in periods(self._plan, cadence.per, start, end):
                share = (z - a) // cadence.count
                for n in range(cadence.count):
                    suits = a + share * n + self._random.randint(share * 3 // 8, share * 5 // 8)
                    if suits >= start:
                        self._wish(Wish(duty, suits, max(a, start), z + cadence.grace_s * SECOND, z))

    def _grant(self, wish: Wish) -> None:
        """Find room for a wish, walk it or not, and wish for what follows from it."""
        mishap = self._mishaps.of_round(wish.duty.id, wish.suits)
        if mishap is not None and mishap.what is What.MISSED_ROUND:
            self._skip(wish, mishap.what)
            return
        walk = self._walk(wish, mishap)
        if walk is None:
            if wish.due_at <= self._end:
                self._skip(wish, mishap.what if mishap else "no_time")
            return
        self.walks.append(walk)
        done = walk.end if is_complete(self._plan, walk) else None
        if done is None or done > wish.due_at:
            what = mishap.what if mishap else "no_time"
            self.skipped.append(Skipped(what, wish.duty.id, None, wish.opens_at, wish.due_at))
        self._wish_next(wish, done)

    def _skip(self, wish: Wish, what: str) -> None:
        self.skipped.append(Skipped(what, wish.duty.id, None, wish.opens_at, wish.due_at))
        self._wish_next(wish, None)

    def _wish_next(self, wish: Wish, done: int | None) -> None:
        """The next round of an `every`: from the fulfilment on, else one gap later."""
        cadence = wish.duty.cadence
        if isinstance(cadence, Every):
            opens = wish.opens_at + cadence.gap_s * SECOND if done is None else done
            due = opens + _allowed(cadence)
            if due > wish.until:
                return
            length = self._length(wish.duty, opens)
            spare = min(
                round(cadence.gap_s * SECOND * COMFORT * self._random.uniform(1, 1.4)), (due - opens) // 3
            )
            suits = max(due - spare - length, opens)
            self._wish(Wish(wish.duty, suits, opens, due, wish.until, as_late_as_possible=True))

    def _length(self, duty: Duty, at: int) -> int:
        """About how long a round takes."""
        route = self._plan.route_by_id[duty.route or ""]
        walker = self._staff.walker(duty, at)
        return stroll(self._plan, route, route.checkpoints, walker, Random(0))[-1]

    def _walk(self, wish: Wish, mishap: Deviation | None) -> Walk | None:
        route = self._plan.route_by_id[wish.duty.route or ""]
        walker = self._staff.walker(wish.duty, wish.suits)
        second = mishap.device if mishap is not None and mishap.what is What.TWO_SCANNERS else None
        checkpoints = _with_mishap(route.checkpoints, mishap)
        times = stroll(self._plan, route, checkpoints, walker, self._random)
        need = Need(
            tuple(self._diary_of(name) for name in (walker.name, walker.scanner, second) if name is not None),
            times[-1],
            checkpoints[0],
            checkpoints[-1],
            lambda origin, target: way(self._plan, origin, target),
        )
        start = self._room(wish, mishap, need)
        if start is None or start + need.length >= self._end:
            return None
        need.note(start)
        visits = tuple(
            Visit(checkpoint, start + time, self._readers(checkpoint, walker, place, second, mishap))
            for place, (checkpoint, time) in enumerate(zip(checkpoints, times, strict=True))
        )
        return Walk(walker, wish.duty.id, route.id, visits)

    def _readers(
        self, checkpoint: str, walker: Walker, place: int, second: str | None, mishap: Deviation | None
    ) -> tuple[str, ...]:
        """What is used at a checkpoint: the reader that is fixed there, else what somebody carries."""
        fixed = self._fixed.get(checkpoint)
        return (fixed,) if fixed else _scanners(walker, place, second, mishap)

    def _room(self, wish: Wish, mishap: Deviation | None, need: Need) -> int | None:
        if mishap is not None and mishap.what is What.LATE_ROUND:
            late = wish.due_at + mishap.by - need.length
            if not isinstance(wish.duty.cadence, At):
                # What is begun after its period belongs to nothing any more.
                late = min(late, wish.until - MINUTE)
            return need.earliest(late, late + need.length + 60 * MINUTE)
        due_at = wish.due_at - _LAST_RESORT
        if wish.as_late_as_possible:
            comfortable = wish.suits + need.length
            start = need.latest(wish.opens_at + MINUTE, min(comfortable, due_at))
        else:
            start = need.earliest(wish.suits, due_at)
        return start if start is not None else need.earliest(wish.opens_at + SECOND, due_at)


def _scanners(walker: Walker, place: int, second: str | None, mishap: Deviation | None) -> tuple[str, ...]:
    """With which scanners somebody who carries one or two taps the tag at a place of the walk."""
    own = (walker.scanner,) if walker.scanner else ()
    if second is None or second == walker.scanner:
        return own
    if mishap is not None and mishap.both:
        return (*own, second)
    return (second,) if place % 2 else own


def is_complete(plan: Plan, walk: Walk) -> bool:
    """Whether a walk visited all that its route asks for, in the order that it asks for."""
    route = plan.route_by_id[walk.route]
    visited = [visit.checkpoint for visit in walk.visits]
    if route.order is Order.FREE:
        return set(route.checkpoints) <= set(visited)
    ahead = iter(visited)
    return all(checkpoint in ahead for checkpoint in route.checkpoints)


def _with_mishap(checkpoints: tuple[str, ...], mishap: Deviation | None) -> tuple[str, ...]:
    if mishap is not None and mishap.what is What.INCOMPLETE_ROUND:
        return tuple(checkpoint for checkpoint in checkpoints if checkpoint != mishap.skip) or checkpoints
    if mishap is not None and mishap.what is What.WRONG_ORDER and len(checkpoints) > 1:
        place = len(checkpoints) // 2
        changed = list(checkpoints)
        changed[place - 1], changed[place] = changed[place], changed[place - 1]
        return tuple(changed)
    return checkpoints


def _allowed(cadence: At | Every | Times) -> int:
    """How long (ms) after its planned time, or after the one before it, a round may end."""
    if isinstance(cadence, At):
        return (cadence.duration_s + cadence.late_s) * SECOND
    if isinstance(cadence, Every):
        return (cadence.gap_s + cadence.grace_s) * SECOND
    return 0
