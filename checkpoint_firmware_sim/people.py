"""Who walks which duty, with whose scanner, and how long a person takes from one checkpoint to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.times import DAY_MINUTES, SECOND, local_minutes
from gateway.domain.plan import DeviceKind, Duty, Person, Plan, Route

SLOWEST: Final = 1.0
FASTEST: Final = 1.3
"""Walking pace in m/s; a checkpoint's place is in metres."""

UNKNOWN_WAY: Final = 120 * SECOND
"""How long the way between two checkpoints takes whose places nobody has entered."""

_UNHURRIED: Final = 1.15
_BRISK: Final = 0.85
"""How far a walk stays away from the shortest and the longest time that a leg may take."""


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody who walks rounds. `name` is a person's id, or made from the post when people are too few."""

    name: str
    badge: str | None  # what the scanner sends along: a card, else the person's id
    scanner: str | None  # a device's id; without one nothing is proved
    pace: float  # m/s


def leader_of(plan: Plan) -> Person | None:
    """The shift leader, who calls the posts."""
    return person_for(plan, "shift_leader")


def person_for(plan: Plan, by: str) -> Person | None:
    """The person that `by` of a duty means: with that id, else the first with that role."""
    return next((person for person in plan.people if by in (person.id, person.role)), None)


class Staff:
    """Deals the guards of a plan to the posts that have rounds to walk, and scanners to them.

    With each shift other guards take over, as far as there are enough, and the scanner of their post with it.
    """

    def __init__(self, plan: Plan, random: Random, start: int) -> None:
        """`start` (ms): the shift that runs then has the first guards."""
        self._plan = plan
        self._random = random
        self._zone = ZoneInfo(plan.timezone)
        self._first_shift = self._shift_at(start)
        self._scanners = [device for device in plan.devices if device.kind is DeviceKind.SCANNER]
        walking = [duty for duty in plan.duties if duty.route is not None]
        named = {person.id for duty in walking if duty.by and (person := person_for(plan, duty.by))}
        self._posts = tuple(dict.fromkeys(duty.post for duty in walking if duty.post and not duty.by))
        self._guards = [person for person in plan.people if person.role == "guard" and person.id not in named]
        # A shift for which there are no more guards is walked by those of another one.
        self._reliefs = min(max(1, len(plan.shifts)), max(1, len(self._guards) // max(1, len(self._posts))))
        self._on_duty: dict[int, dict[str, Walker]] = {}
        self._others: dict[str, Walker] = {}
        self._guards_of(0)

    def _guards_of(self, relief: int) -> dict[str, Walker]:
        """Who walks for each post, so many shifts after the first one."""
        relief %= self._reliefs
        if relief not in self._on_duty:
            guards = self._guards[relief * len(self._posts) :]
            guard_of: dict[str, Person] = dict(zip(self._posts, guards, strict=False))
            self._on_duty[relief] = {post: self._make(guard_of.get(post), post) for post in self._posts}
        return self._on_duty[relief]

    def _shift_at(self, at: int) -> int:
        minutes = local_minutes(self._zone, at)
        running = (
            place
            for place, shift in enumerate(self._plan.shifts)
            if (minutes - shift.span.from_) % DAY_MINUTES
            < (shift.span.to - shift.span.from_ - 1) % DAY_MINUTES + 1
        )
        return next(running, 0)

    def walker(self, duty: Duty, at: int) -> Walker:
        """Who walks a round duty that is begun at about `at` (ms)."""
        relief = (self._shift_at(at) - self._first_shift) % max(1, len(self._plan.shifts))
        of_post = self._guards_of(relief)
        if duty.by:
            person = person_for(self._plan, duty.by)
            key = person.id if person else duty.by
            if key not in self._others:
                self._others[key] = self._make(person, duty.post, duty.by)
            return self._others[key]
        if duty.post:
            return of_post[duty.post]
        if of_post:
            return next(iter(of_post.values()))
        if "" not in self._others:
            self._others[""] = self._make(self._guards[0] if self._guards else None, None)
        return self._others[""]

    def _make(self, person: Person | None, post: str | None, role: str = "guard") -> Walker:
        pace = self._random.uniform(SLOWEST, FASTEST)
        if person is None:
            return Walker(f"{post or role}'s guard", None, self._scanner(post), pace)
        return Walker(person.id, person.card or person.id, self._scanner(post), pace)

    def _scanner(self, post: str | None) -> str | None:
        """The post's own scanner; for somebody without a post one that no round's post has, else any."""
        own = [device.id for device in self._scanners if post in device.posts]
        taken = {duty.post for duty in self._plan.duties}
        free = [device.id for device in self._scanners if taken.isdisjoint(device.posts)]
        every = [device.id for device in self._scanners]
        return next(iter(own or free or every), None)


def way(plan: Plan, origin: str | None, target: str | None) -> int:
    """How long (ms) somebody slow needs from one checkpoint to another; None is no place in particular."""
    if origin is None or target is None:
        return 0
    metres = _metres(plan, origin, target)
    return UNKNOWN_WAY if metres is None else round(metres / SLOWEST * SECOND) + 30 * SECOND


def stroll(
    plan: Plan, route: Route, checkpoints: Sequence[str], walker: Walker, random: Random
) -> tuple[int, ...]:
    """When each of `checkpoints` is scanned, in ms after the first; somebody looks around at each of them."""
    times = [0]
    for origin, target in pairwise(checkpoints):
        times.append(times[-1] + _leg(plan, route, origin, target, walker, random))
    return tuple(times)


def _leg(plan: Plan, route: Route, origin: str, target: str, walker: Walker, random: Random) -> int:
    leg = route.leg_between(origin, target)
    metres = _metres(plan, origin, target)
    if metres is not None:
        seconds = metres / walker.pace * random.uniform(0.95, 1.1) + random.uniform(10, 30)
    else:
        longest = leg.max_s if leg.max_s is not None else leg.min_s + 120
        seconds = (leg.min_s + longest) / 2 * random.uniform(0.9, 1.1)
    if leg.max_s is not None:
        seconds = min(seconds, leg.max_s * _BRISK)
    return round(max(seconds, leg.min_s * _UNHURRIED, 12) * SECOND)


def _metres(plan: Plan, origin: str, target: str) -> float | None:
    places = plan.checkpoint_by_id
    here, there = places[origin].at, places[target].at
    return dist(here, there) if here is not None and there is not None else None
