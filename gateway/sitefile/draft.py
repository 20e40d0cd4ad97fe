"""From the mappings of a site file to the plan's own classes, each kept with the place it was read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gateway.domain.commands import KNOWN
from gateway.domain.plan import (
    DEFAULT_HELD_OPEN_S,
    DEFAULT_REPEAT_S,
    DEFAULT_SETTLE_S,
    DEFAULT_SILENT_S,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    EscalationStep,
    GateRules,
    Leg,
    Order,
    Person,
    Plan,
    Post,
    PostKind,
    Route,
    Shift,
    Span,
    Tariff,
)
from gateway.domain.strength import Strength
from gateway.sitefile import kinds
from gateway.sitefile.duties import DUTY_KEYS, read_duty, read_names, read_span
from gateway.sitefile.fields import Fields

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

SITE_KEYS: Final = (
    *("site", "name", "timezone", "night", "settle_after", "repeat", "gate_rules", "commands"),
    *("shifts", "people", "posts", "checkpoints", "devices", "routes", "duties", "escalation"),
)
LEG: Final = "a map such as {min: 40s, max: 6min}"
GATE_RULES: Final = "a map such as {pass_within: 60s, longest_stay: 24h}"
TARIFF: Final = "a map such as {free: 30min, unit: 1h, fee: 5, daily_cap: 40}"


@dataclass(frozen=True, slots=True)
class Read(Generic[T_co]):
    """A thing of the plan and the mapping of the file that it came from."""

    fields: Fields
    value: T_co


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a site file, read but not yet checked as a whole."""

    fields: Fields
    plan: Plan
    shifts: tuple[Read[Shift], ...]
    people: tuple[Read[Person], ...]
    posts: tuple[Read[Post], ...]
    checkpoints: tuple[Read[Checkpoint], ...]
    devices: tuple[Read[Device], ...]
    routes: tuple[Read[Route], ...]
    duties: tuple[Read[Duty], ...]
    escalation: tuple[Read[EscalationStep], ...]


def read_site(site: Fields, version: int, holds_from: int) -> Draft:
    """The draft of a site. What is wrong is complained of and stands in the draft as something harmless."""

    def things(key: str, keys: tuple[str, ...], read: Callable[[Fields], T]) -> tuple[Read[T], ...]:
        expected = f"a map such as {{{keys[0]}: …, {keys[1]}: …}}"
        return tuple(Read(fields, read(fields)) for fields in site.things(key, keys, expected))

    shifts = things("shifts", ("id", "from", "to", "name"), _shift)
    people = things("people", ("id", "name", "role", "card"), _person)
    posts = things("posts", ("id", "name", "kind"), _post)
    checkpoints = things("checkpoints", ("id", "name", "tags", "qr", "at", "proof"), _checkpoint)
    devices = things(
        "devices",
        ("id", "kind", "posts", "name", "silent_after", "checkpoint", "held_open_after"),
        _device,
    )
    routes = things("routes", ("id", "name", "order", "checkpoints", "leg", "legs"), _route)
    every_post = tuple(post.value.id for post in posts)
    duties = things("duties", DUTY_KEYS, lambda fields: read_duty(fields, every_post))
    escalation = things("escalation", ("after", "to"), _step)
    settle_after_s = site.get("settle_after", kinds.duration)
    repeat_s = site.get("repeat", kinds.duration)
    plan = Plan(
        site=site.need("site", kinds.identifier) or "",
        name=read_names(site, need=True),
        timezone=site.need("timezone", kinds.zone) or "UTC",
        version=version,
        holds_from=holds_from,
        night=_night(site),
        shifts=_values(shifts),
        people=_values(people),
        posts=_values(posts),
        checkpoints=_values(checkpoints),
        devices=_values(devices),
        routes=_values(routes),
        duties=_values(duties),
        escalation=_values(escalation),
        settle_after_s=DEFAULT_SETTLE_S if settle_after_s is None else settle_after_s,
        repeat_s=DEFAULT_REPEAT_S if repeat_s is None else repeat_s,
        gate_rules=_gate_rules(site),
        commands=_commands(site),
    )
    return Draft(site, plan, shifts, people, posts, checkpoints, devices, routes, duties, escalation)


def _values(things: Iterable[Read[T]]) -> tuple[T, ...]:
    return tuple(thing.value for thing in things)


def _id(fields: Fields) -> str:
    # A wrong id is complained of once, here: it still stands for itself where it is referred to.
    return fields.need("id", kinds.identifier) or fields.raw("id")


def _night(site: Fields) -> Span:
    expected = 'a map such as {from: "22:00", to: "06:00"}'
    fields = site.nested("night", ("from", "to"), expected)
    if not site.has("night"):
        site.complain(f"night is missing; expected {expected}")
    span = read_span(fields) if fields else None
    if span and span.from_ == span.to:
        site.complain(
            "night begins and ends at the same time; expected a night that lasts some time", "night"
        )
    return span or Span(0, 1)


def _gate_rules(site: Fields) -> GateRules:
    fields = site.nested("gate_rules", ("pass_within", "longest_stay", "tariff"), GATE_RULES)
    if fields is None:
        return GateRules()
    return GateRules(
        pass_within_s=fields.get("pass_within", kinds.longer_than_nothing) or GateRules().pass_within_s,
        longest_stay_s=fields.get("longest_stay", kinds.longer_than_nothing),
        tariff=_tariff(fields),
    )


def _tariff(rules: Fields) -> Tariff | None:
    fields = rules.nested("tariff", ("free", "unit", "fee", "daily_cap"), TARIFF)
    if fields is None:
        return None
    return Tariff(
        unit_s=fields.need("unit", kinds.longer_than_nothing) or 1,
        fee=fields.need("fee", kinds.money) or 0,
        free_s=fields.get("free", kinds.duration) or 0,
        daily_cap=fields.get("daily_cap", kinds.money),
    )


def _shift(fields: Fields) -> Shift:
    return Shift(_id(fields), read_span(fields) or Span(0, 0), read_names(fields))


def _person(fields: Fields) -> Person:
    return Person(
        id=_id(fields),
        name=read_names(fields, need=True),
        role=fields.need("role", kinds.identifier) or fields.raw("role"),
        card=fields.get("card", kinds.uid),
    )


def _post(fields: Fields) -> Post:
    kind = fields.get("kind", kinds.word(PostKind)) or PostKind.OTHER
    return Post(_id(fields), read_names(fields, need=True), kind)


def _checkpoint(fields: Fields) -> Checkpoint:
    if not fields.has("tags") and not fields.has("qr"):
        fields.complain('tags is missing; expected tags: ["04…"] or qr: ["…"], at least one')
    tags = fields.many("tags", kinds.uid) + fields.many("qr", kinds.text)
    # A QR text may look like a UID. UIDs first, so that a plan that is written out is read as the same one.
    ordered = tuple(sorted(tags, key=lambda tag: not kinds.is_uid(tag)))
    at = fields.many("at", kinds.number)
    if at and len(at) != 2:
        fields.complain(f"at has {len(at)} numbers; expected two: [x, y] on the site drawing", "at")
    place = (at[0], at[1]) if len(at) == 2 else None
    proof = fields.get("proof", kinds.word(Strength))
    return Checkpoint(_id(fields), read_names(fields, need=True), ordered, place, proof)


def _device(fields: Fields) -> Device:
    return Device(
        id=_id(fields),
        kind=fields.need("kind", kinds.word(DeviceKind)) or DeviceKind.CONSOLE,
        posts=fields.many("posts", kinds.identifier),
        name=read_names(fields),
        silent_after_s=_silent_after(fields),
        checkpoint=fields.get("checkpoint", kinds.identifier),
        held_open_after_s=_held_open_after(fields),
    )


def _silent_after(fields: Fields) -> int | None:
    if not fields.has("silent_after"):
        return DEFAULT_SILENT_S
    return fields.get("silent_after", kinds.silence)


def _held_open_after(fields: Fields) -> int | None:
    if not fields.has("held_open_after"):
        return DEFAULT_HELD_OPEN_S
    if fields.raw("kind") != DeviceKind.GATE:
        fields.complain(
            "held_open_after is given for a device that is no gate; leave it out", "held_open_after"
        )
    return fields.get("held_open_after", kinds.longest_opening)


def _commands(site: Fields) -> dict[str, tuple[str, ...]]:
    names = sorted(KNOWN)
    fields = site.nested("commands", names, "a map such as {open: [shift_leader, gate_guard]}")
    return {} if fields is None else {cmd: fields.many(cmd, kinds.identifier) for cmd in fields.given}


def _route(fields: Fields) -> Route:
    leg = fields.nested("leg", ("min", "max"), LEG)
    legs = {}
    for part in fields.parts("legs", ("from", "to", "min", "max"), f"{LEG[:-1]}, from: …, to: …}}"):
        pair = (part.need("from", kinds.identifier) or "", part.need("to", kinds.identifier) or "")
        if pair in legs or pair[::-1] in legs:
            part.complain(f"the leg {pair[0]} – {pair[1]} is given twice; give it once, for both directions")
        if not part.has("min") and not part.has("max"):
            part.complain(f"the leg {pair[0]} – {pair[1]} has neither min nor max; expected one or both")
        legs[pair] = _leg(part)
    return Route(
        id=_id(fields),
        name=read_names(fields, need=True),
        order=fields.need("order", kinds.word(Order)) or Order.FREE,
        checkpoints=fields.many("checkpoints", kinds.identifier, need=True),
        leg=_leg(leg) if leg else Leg(),
        legs=legs,
    )


def _leg(fields: Fields) -> Leg:
    min_s = fields.get("min", kinds.duration) or 0
    max_s = fields.get("max", kinds.longer_than_nothing)
    if max_s is not None and min_s > max_s:
        least, most = kinds.show_duration(min_s), kinds.show_duration(max_s)
        fields.complain(f"the leg's min {least} is longer than its max {most}", "min")
        min_s = 0
    return Leg(min_s, max_s)


def _step(fields: Fields) -> EscalationStep:
    after_s = fields.need("after", kinds.duration)
    return EscalationStep(after_s or 0, fields.many("to", kinds.identifier, need=True))
