"""The plan: what a site is, and the duties that its people owe.

A `Plan` is one version of one site, in force from a moment on until the next version's. It is a value: it is
never changed, a change makes a new version. Durations are in seconds, instants in ms since the epoch (UTC),
local times in minutes after local midnight, in the site's own zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Final, TypeVar

from gateway.domain.facts import mark_of
from gateway.domain.strength import Strength

T = TypeVar("T")

ID_PATTERN: Final = r"[a-z0-9][a-z0-9_-]{0,31}"
"""The pattern of every id (docs/wire.md)."""

Names = Mapping[str, str]
"""A name by language tag: `zh`, `en`; at least one."""


class PostKind(StrEnum):
    GATE = "gate"
    PATROL = "patrol"
    DESK = "desk"
    CONTROL_ROOM = "control_room"
    OTHER = "other"


class DeviceKind(StrEnum):
    """The four kinds of device."""

    SCANNER = "scanner"
    READER = "reader"
    GATE = "gate"
    CONSOLE = "console"


class Order(StrEnum):
    STRICT = "strict"
    FREE = "free"


class DutyKind(StrEnum):
    ROUND = "round"
    RADIO_CHECK = "radio_check"
    RECORD = "record"


class Calendar(StrEnum):
    """The periods that a count can be owed in."""

    HOUR = "hour"
    SHIFT = "shift"
    NIGHT = "night"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


ALWAYS: Final = "always"
"""`during` of an `every` that never pauses."""

NIGHT: Final = "night"
"""`during` the site's night."""

ALL_POSTS: Final = "all"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of each day, in minutes after local midnight; across midnight when `to` is not after `from_`."""

    from_: int
    to: int


@dataclass(frozen=True, slots=True)
class Shift:
    id: str
    span: Span
    name: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: Names
    role: str
    card: str | None = None  # upper-case hex UID


@dataclass(frozen=True, slots=True)
class Post:
    id: str
    name: Names
    kind: PostKind = PostKind.OTHER


@dataclass(frozen=True, slots=True)
class Checkpoint:
    id: str
    name: Names
    tags: tuple[str, ...]  # upper-case hex UIDs, or the text of a QR code
    at: tuple[float, float] | None = None  # place on the site drawing
    proof: Strength | None = None  # a scan must be at least so strong to count


DEFAULT_SILENT_S: Final = 300
DEFAULT_HELD_OPEN_S: Final = 120

COMMANDERS: Final = ("shift_leader", "supervisor", "manager", "operator", "gate_guard")
"""The roles whose people may command devices, where the plan does not say otherwise: not those who walk rounds."""


@dataclass(frozen=True, slots=True)
class Device:
    """`silent_after_s`: how long it may say nothing before somebody is told; None for one that is docked at times.

    `checkpoint`: where a reader is fixed that reads the guards' cards.
    `held_open_after_s`: how long a barrier may stand open before somebody is told; None where it often does.
    """

    id: str
    kind: DeviceKind
    posts: tuple[str, ...] = ()
    name: Names = field(default_factory=dict)
    silent_after_s: int | None = DEFAULT_SILENT_S
    checkpoint: str | None = None
    held_open_after_s: int | None = DEFAULT_HELD_OPEN_S


@dataclass(frozen=True, slots=True)
class Leg:
    """Shortest and longest walking time between two checkpoints that follow each other, in seconds."""

    min_s: int = 0
    max_s: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    id: str
    name: Names
    order: Order
    checkpoints: tuple[str, ...]
    leg: Leg = Leg()
    legs: Mapping[tuple[str, str], Leg] = field(default_factory=dict)  # where one leg differs: (from, to)

    def leg_between(self, origin: str, target: str) -> Leg:
        """The walking time owed from one checkpoint to the next, in either direction."""
        if not self.legs:
            return self.leg
        return self.legs.get((origin, target)) or self.legs.get((target, origin)) or self.leg

    def has_leg(self, origin: str, target: str) -> bool:
        """Whether one checkpoint may follow the other, in either direction: any two may in free order."""
        stops = self.checkpoints
        if self.order is Order.FREE:
            return origin in stops and target in stops
        return any({origin, target} == set(leg) for leg in pairwise(stops))


@dataclass(frozen=True, slots=True)
class At:
    """Planned local times. `duration_s` is how long the round may take after its start."""

    times: tuple[int, ...]  # minutes after local midnight
    duration_s: int = 0
    early_s: int = 0
    late_s: int = 0
    vary_s: int = 0


@dataclass(frozen=True, slots=True)
class Every:
    """The longest allowed gap between two fulfilments while `during` runs: always, night, or a shift's id."""

    gap_s: int
    grace_s: int = 0
    during: str = ALWAYS


@dataclass(frozen=True, slots=True)
class Times:
    """A count in each period, each fulfilled at least `apart_s` after the one before.

    `grace_s` may be used up after the period's end by a round begun in it, and by any record.
    """

    count: int
    per: Calendar | Span
    grace_s: int = 0
    vary_s: int = 0
    apart_s: int = 0


Cadence = At | Every | Times


@dataclass(frozen=True, slots=True)
class Duty:
    """What is owed, by whom, how often, how it is proved, and which clause asks for it."""

    id: str
    kind: DutyKind
    cadence: Cadence
    name: Names = field(default_factory=dict)
    route: str | None = None  # of a round
    posts: tuple[str, ...] = ()  # of a radio check or a record: one track for each (`all` is spelled out)
    post: str | None = None  # of a round: whose scanner walks it
    by: str | None = None  # a role or a person's id: who must carry it out
    clause: str = ""
    figure: str = ""
    pre_notice_s: int = 0  # so long before the due those who carry it out are reminded; 0: never
    form: str | None = None  # of a record: what is signed
    signatures: int = 1  # of a record: how many different people must sign
    proof: Strength | None = None  # of a round: a scan must be at least so strong to count

    @property
    def subjects(self) -> tuple[tuple[str, str | None], ...]:
        """What each track of the duty is about, with its post."""
        if self.kind is DutyKind.ROUND:
            return ((self.route or "", self.post),)
        if self.kind is DutyKind.RADIO_CHECK:
            return tuple((post, post) for post in self.posts)
        # The records that one post owes are different things: each is a subject of its own.
        return tuple((f"{self.id}.{post}", post) for post in self.posts) or ((self.id, None),)


@dataclass(frozen=True, slots=True)
class EscalationStep:
    after_s: int
    to: tuple[str, ...]  # roles or people


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a temporary stay costs. Money is in hundredths of the currency's unit."""

    unit_s: int
    fee: int  # for each begun unit
    free_s: int = 0
    daily_cap: int | None = None  # the most for 24 hours


@dataclass(frozen=True, slots=True)
class GateRules:
    """How the gate ledger matches and charges (docs/ledger.md)."""

    pass_within_s: int = 60  # how long after its opening a vehicle may pass
    longest_stay_s: int | None = None  # of a vehicle on a ticket, a pass or a visit
    tariff: Tariff | None = None


DEFAULT_SETTLE_S: Final = 12 * 3600
DEFAULT_REPEAT_S: Final = 30 * 60
DEFAULT_PRE_NOTICE_S: Final = 5 * 60
"""Of radio checks; other duties remind nobody unless the plan says so."""


@dataclass(frozen=True)
class Plan:
    """One version of one site's plan, in force from `holds_from` (ms) on."""

    site: str
    name: Names
    timezone: str  # IANA name
    version: int
    holds_from: int
    night: Span
    shifts: tuple[Shift, ...] = ()
    people: tuple[Person, ...] = ()
    posts: tuple[Post, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    duties: tuple[Duty, ...] = ()
    escalation: tuple[EscalationStep, ...] = ()
    settle_after_s: int = DEFAULT_SETTLE_S
    repeat_s: int = DEFAULT_REPEAT_S
    """After the last step of the ladder an alert that nobody acknowledges is told again so often; 0: never."""
    gate_rules: GateRules = GateRules()

    @cached_property
    def gate_places(self) -> Mapping[str, str]:
        """Where each gate device stands: at the first post that it serves, else at a gate of its own."""
        return {
            device.id: device.posts[0] if device.posts else device.id
            for device in self.devices
            if device.kind is DeviceKind.GATE
        }

    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which roles may give a command, where they are not the usual `COMMANDERS`."""

    def may_command(self, person: Person, cmd: str) -> bool:
        """Whether a person's role allows a command."""
        return person.role in self.roles_for(cmd)

    def roles_for(self, cmd: str) -> tuple[str, ...]:
        """The roles that may give a command."""
        return self.commands.get(cmd, COMMANDERS)

    @cached_property
    def checkpoint_by_tag(self) -> Mapping[str, str]:
        """Which checkpoint a tag (or QR text) is fixed to, and a reader, by its mark."""
        tags = {tag: checkpoint.id for checkpoint in self.checkpoints for tag in checkpoint.tags}
        return _short_too(tags) | {
            mark_of(each.id): each.checkpoint for each in self.devices if each.checkpoint
        }

    @cached_property
    def person_by_token(self) -> Mapping[str, Person]:
        """People by id and by card."""
        by_id = {person.id: person for person in self.people}
        return by_id | _short_too({person.card: person for person in self.people if person.card})

    def person(self, token: str | None) -> Person | None:
        """The person with an id, or with a card however its UID is written."""
        if not token:
            return None
        people = self.person_by_token
        return people.get(token) or people.get(token.upper().translate(_NO_SEPARATORS))

    @cached_property
    def device_by_id(self) -> Mapping[str, Device]:
        return {device.id: device for device in self.devices}

    @cached_property
    def route_by_id(self) -> Mapping[str, Route]:
        return {route.id: route for route in self.routes}

    @cached_property
    def post_by_id(self) -> Mapping[str, Post]:
        return {post.id: post for post in self.posts}

    @cached_property
    def checkpoint_by_id(self) -> Mapping[str, Checkpoint]:
        return {checkpoint.id: checkpoint for checkpoint in self.checkpoints}

    def shortest_way_s(self, origin: str, target: str) -> int:
        """The shortest walking time (s) that a route gives for a leg between two checkpoints; 0 when none does."""
        stated = (
            route.leg_between(origin, target).min_s for route in self.routes if route.has_leg(origin, target)
        )
        return min((min_s for min_s in stated if min_s), default=0)

    def positions(self, route: Route) -> Mapping[str, int]:
        """Where each checkpoint stands in a route: its last place in strict order, its first in free order."""
        found = self._positions.get(route.id)
        if found is None:
            places = enumerate(route.checkpoints)
            if route.order is Order.STRICT:
                found = {checkpoint: place for place, checkpoint in places}
            else:
                found = {checkpoint: place for place, checkpoint in reversed(list(places))}
            self._positions[route.id] = found
        return found

    @cached_property
    def _positions(self) -> dict[str, Mapping[str, int]]:
        return {}

    def proof_needed(self, duty: Duty) -> Mapping[str, Strength]:
        """How strong a scan must be at least to count for a round, for the checkpoints that ask for something."""
        if duty.route is None or (duty.proof is None and not self._proofs):
            return {}
        needed: dict[str, Strength] = {}
        for stop in self.route_by_id[duty.route].checkpoints:
            asked = [each for each in (duty.proof, self._proofs.get(stop)) if each is not None]
            if asked:
                needed[stop] = max(asked, key=lambda each: each.rank)
        return needed

    @cached_property
    def _proofs(self) -> Mapping[str, Strength]:
        return {point.id: point.proof for point in self.checkpoints if point.proof is not None}

    def proof_devices(self, duty: Duty, post: str | None) -> tuple[str, ...]:
        """The devices that could hold a duty's proof: those of the post, else every fitting one (law 4)."""
        # Remembered, as a provider's million tracks share a few answers.
        found = self._proof_devices.get((duty.kind, post))
        if found is None:
            kinds = _PROOF_KINDS[duty.kind]
            fitting = [device for device in self.devices if device.kind in kinds]
            of_post = [device for device in fitting if post is not None and post in device.posts]
            found = tuple(device.id for device in of_post or fitting)
            self._proof_devices[(duty.kind, post)] = found
        return found

    @cached_property
    def _proof_devices(self) -> dict[tuple[DutyKind, str | None], tuple[str, ...]]:
        return {}


def _short_too(enrolled: Mapping[str, T]) -> dict[str, T]:
    """The same by the low 32 bits of a UID of 40, where no other has them: some readers tell no more.

    An EM4100 chip has 5 bytes; Tasmota leaves out the first, the maker's version.
    """
    long = [uid for uid in enrolled if len(uid) == _LONG and _IS_HEX.issuperset(uid)]
    times = Counter(uid[2:] for uid in long)
    return {uid[2:]: enrolled[uid] for uid in long if times[uid[2:]] == 1} | dict(enrolled)


_LONG: Final = 10  # hex digits of a UID of 40 bits
_IS_HEX: Final = frozenset("0123456789ABCDEF")
_NO_SEPARATORS: Final = str.maketrans("", "", ":- ")
_PROOF_KINDS: Final = {
    DutyKind.ROUND: (DeviceKind.SCANNER, DeviceKind.READER),
    DutyKind.RADIO_CHECK: (DeviceKind.CONSOLE,),
    DutyKind.RECORD: (DeviceKind.CONSOLE,),
}
