"""What must be true of a site as a whole: what is named exists, once, and what is owed can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Final, Protocol

from gateway.domain.facts import mark_of
from gateway.domain.plan import (
    ALWAYS,
    COMMANDERS,
    NIGHT,
    At,
    Calendar,
    Checkpoint,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Order,
    Plan,
    Route,
    Span,
    Times,
)
from gateway.domain.signing import may_sign
from gateway.domain.strength import Strength
from gateway.sitefile.draft import Draft, Read
from gateway.sitefile.fields import Fields
from gateway.sitefile.kinds import did_you_mean, is_uid, listed, show_duration, show_time, shown

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S

CALENDAR_S: Final[Mapping[Calendar, int]] = {
    Calendar.HOUR: HOUR_S,
    Calendar.DAY: DAY_S,
    Calendar.WEEK: 7 * DAY_S,
    Calendar.MONTH: 28 * DAY_S,
    Calendar.QUARTER: 90 * DAY_S,
    Calendar.YEAR: 365 * DAY_S,
}
"""The shortest length of each period that is the same at every site."""

ROLES: Final = ("guard", "shift_leader", "supervisor", "manager")
"""Roles that an alert can be sent to at any site; a site has others by giving them to its people."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def check(draft: Draft) -> None:
    """Complain of all that does not fit together; a value that is wrong by itself has had its complaint."""
    every_kind: tuple[Iterable[Read[_Named]], ...] = (
        *(draft.shifts, draft.people, draft.posts, draft.checkpoints),
        *(draft.devices, draft.routes, draft.duties),
    )
    for things in every_kind:
        _check_ids(things)
    _check_tags(draft)
    for checkpoint in draft.checkpoints:
        proof = checkpoint.value.proof
        if proof is not None and not _can_prove(checkpoint.value, proof, draft.plan):
            checkpoint.fields.complain(f"proof is {proof}, but {_WHY_NOT[proof]}", "proof")
    for shift in draft.shifts:
        if shift.value.id == ALWAYS:
            shift.fields.complain("the id always has its own meaning in during; choose another", "id")
    for device in draft.devices:
        _check_list(device.fields, "posts", device.value.posts, "post", draft.plan.post_by_id)
        place, known = device.value.checkpoint, draft.plan.checkpoint_by_id
        if _check_defined(device.fields, "checkpoint", place, "checkpoint", known) and place is not None:
            kind = device.value.kind
            if kind is not DeviceKind.READER:
                what = f"a {kind} is not fixed at a checkpoint; expected kind: reader, or no checkpoint"
                device.fields.complain(what, "checkpoint")
    for route in draft.routes:
        _check_route(route.fields, route.value, draft.plan)
    for duty in draft.duties:
        _check_duty(duty.fields, duty.value, draft.plan)
    _check_escalation(draft)
    _check_commands(draft)


def _check_ids(things: Iterable[Read[_Named]]) -> None:
    lines: dict[str, int] = {}
    for thing in things:
        name = thing.value.id
        if name in lines:
            thing.fields.complain(f"the id {shown(name)} is given twice, first in line {lines[name]}", "id")
        elif name:
            lines[name] = thing.fields.line


def _check_tags(draft: Draft) -> None:
    """A tag or a card shows one thing only: one checkpoint, or one person."""
    owners = {
        mark_of(device.value.id): f"device {device.value.id} (line {device.fields.line})"
        for device in draft.devices
        if device.value.checkpoint
    }
    for checkpoint in draft.checkpoints:
        for tag in checkpoint.value.tags:
            key = "tags" if is_uid(tag) and checkpoint.fields.has("tags") else "qr"
            if tag in owners:
                checkpoint.fields.complain(f"the tag {shown(tag)} already belongs to {owners[tag]}", key)
            owners.setdefault(tag, f"checkpoint {checkpoint.value.id} (line {checkpoint.fields.line})")
    for person in draft.people:
        card = person.value.card
        if card in owners:
            person.fields.complain(f"the card {shown(card)} already belongs to {owners[card]}", "card")
        elif card:
            owners[card] = f"person {person.value.id} (line {person.fields.line})"


def _check_defined(fields: Fields, key: str, name: str | None, word: str, known: Collection[str]) -> bool:
    if name is None or name in known:
        return True
    fields.complain(_not_defined(name, word, known), key)
    return False


def _check_list(fields: Fields, key: str, names: Iterable[str], word: str, known: Collection[str]) -> None:
    for index, name in enumerate(names):
        if name not in known:
            fields.complain(_not_defined(name, word, known), key, index)


def _not_defined(name: str, word: str, known: Collection[str]) -> str:
    choice = f"the {word}s are {listed(known)}" if known else f"there are no {word}s"
    return f"{word} {shown(name)} is not defined; {choice}{did_you_mean(name, known)}"


def _check_route(fields: Fields, route: Route, plan: Plan) -> None:
    _check_list(fields, "checkpoints", route.checkpoints, "checkpoint", plan.checkpoint_by_id)
    if route.order is Order.STRICT:
        pairs = set(pairwise(route.checkpoints))
        for index, (here, following) in enumerate(pairwise(route.checkpoints), start=1):
            if here == following:
                fields.complain(f"checkpoint {shown(here)} follows itself", "checkpoints", index)
    else:
        pairs = {(a, b) for a in route.checkpoints for b in route.checkpoints}
        for index, name in enumerate(route.checkpoints):
            if name in route.checkpoints[:index]:
                what = f"checkpoint {shown(name)} is given twice; in free order each is visited once"
                fields.complain(what, "checkpoints", index)
    for pair in route.legs:
        if pair[0] == pair[1] or (pair not in pairs and pair[::-1] not in pairs):
            fields.complain(f"the leg {pair[0]} – {pair[1]} is not part of this route", "legs")


def _check_duty(fields: Fields, duty: Duty, plan: Plan) -> None:
    _check_defined(fields, "post", duty.post, "post", plan.post_by_id)
    if not fields.is_text("posts"):
        _check_list(fields, "posts", duty.posts, "post", plan.post_by_id)
    elif not plan.posts:
        fields.complain("posts is all, but the site has no posts", "posts")
    if _check_defined(fields, "route", duty.route, "route", plan.route_by_id) and duty.route is not None:
        _check_walk(fields, duty, plan.route_by_id[duty.route], plan)
        _check_proof(fields, duty, plan)
    roles = {person.role for person in plan.people}
    people = {person.id for person in plan.people}
    if duty.by is not None and duty.by not in roles | people:
        near = did_you_mean(duty.by, sorted(roles | people))
        what = f"by {shown(duty.by)} is neither a role of the site's people nor a person"
        fields.complain(f"{what}; the roles are {listed(sorted(roles))}{near}", "by")
    elif duty.kind is DutyKind.RECORD:
        able = sum(may_sign(duty, person) for person in plan.people)
        if able < duty.signatures:
            what = f"{able} of the site's people may sign this; expected {duty.signatures} or more"
            fields.complain(what, "signatures")
    cadence, shifts = duty.cadence, [shift.id for shift in plan.shifts]
    if isinstance(cadence, Every) and cadence.during not in (ALWAYS, NIGHT, *shifts):
        near = did_you_mean(cadence.during, (ALWAYS, NIGHT, *shifts))
        known = f"expected always, night or a shift; the shifts are {listed(shifts)}"
        fields.complain(f"during {shown(cadence.during)} is not defined; {known}{near}", "during")
    if isinstance(cadence, Times) and cadence.per is Calendar.SHIFT and not shifts:
        fields.complain("per is shift, but the site has no shifts", "per")
    elif isinstance(cadence, Times) and cadence.apart_s * (cadence.count - 1) > period_s(cadence.per, plan):
        spread = show_duration(cadence.apart_s * (cadence.count - 1))
        fields.complain(f"{cadence.count} times apart take {spread}, longer than the period", "apart")
    if isinstance(cadence, At):
        _check_windows(fields, cadence)


_WHY_NOT: Final = {
    Strength.UID: "it has no tag, only QR codes",
    Strength.WIRED: "it has no tag that a reader of the site could read",
    Strength.SUN: "it has no tag with a UID of 7 bytes, as NTAG 424 DNA tags have",
}
"""Why a checkpoint can never be proved so well."""

_SUN_UID: Final = 14


def _can_prove(point: Checkpoint, proof: Strength, plan: Plan) -> bool:
    """Whether a tag of the checkpoint can give a scan of this strength."""
    uids = [tag for tag in point.tags if is_uid(tag)]
    if any(len(uid) == _SUN_UID for uid in uids) or proof is Strength.QR:
        return True
    if proof is Strength.WIRED and not any(device.kind is DeviceKind.READER for device in plan.devices):
        return False
    return bool(uids) and proof is not Strength.SUN


def _check_proof(fields: Fields, duty: Duty, plan: Plan) -> None:
    """A round asks for nothing that a checkpoint on its way can never give."""
    proof = duty.proof
    if proof is None or duty.route is None:
        return
    for name in dict.fromkeys(plan.route_by_id[duty.route].checkpoints):
        point = plan.checkpoint_by_id.get(name)
        if point is not None and not _can_prove(point, proof, plan):
            fields.complain(
                f"proof is {proof}, but checkpoint {shown(name)} cannot give it: {_WHY_NOT[proof]}", "proof"
            )


def _check_windows(fields: Fields, cadence: At) -> None:
    """The windows of one duty lie apart on every day, also when `vary` moves two towards each other."""
    times = sorted(cadence.times)
    window = cadence.early_s + cadence.duration_s + cadence.late_s + 2 * cadence.vary_s
    for here, following in pairwise([*times, *(minutes + DAY_S // 60 for minutes in times[:1])]):
        if (following - here) * 60 < max(window, 1):
            pair = f"{show_time(here)} and {show_time(following % (DAY_S // 60))}"
            width = f"each takes {show_duration(window)} with duration, early, late and vary on both sides"
            fields.complain(f"the windows of {pair} overlap: {width}", "at")


def _check_walk(fields: Fields, duty: Duty, route: Route, plan: Plan) -> None:
    """Even at the shortest legs that the plan allows, the round fits into the time that it may take."""
    if route.order is Order.STRICT:
        walk = sum(route.leg_between(a, b).min_s for a, b in pairwise(route.checkpoints))
    else:
        shortest = min(leg.min_s for leg in (route.leg, *route.legs.values()))
        walk = shortest * max(0, len(route.checkpoints) - 1)
    key, limit = _time_for(duty, plan)
    if walk > limit:
        needs = f"route {shown(route.id)} takes at least {show_duration(walk)} at its shortest legs"
        fields.complain(f"{needs}, longer than the {show_duration(limit)} that {key} allows", key)


def _time_for(duty: Duty, plan: Plan) -> tuple[str, int]:
    """The longest time that one round may take, in seconds, and the key of the file that says so."""
    cadence = duty.cadence
    if isinstance(cadence, At):
        if cadence.duration_s:
            return "duration", cadence.duration_s
        return "at", cadence.early_s + cadence.late_s
    if isinstance(cadence, Every):
        return "every", cadence.gap_s + cadence.grace_s
    return "per", period_s(cadence.per, plan) + cadence.grace_s


def period_s(per: Calendar | Span, plan: Plan) -> int:
    """The shortest length of a period, in seconds."""
    if isinstance(per, Span):
        return _span_s(per)
    if per is Calendar.NIGHT:
        return _span_s(plan.night)
    if per is Calendar.SHIFT:
        return min((_span_s(shift.span) for shift in plan.shifts), default=DAY_S)
    return CALENDAR_S[per]


def _span_s(span: Span) -> int:
    minutes = (span.to - span.from_) % (DAY_S // 60)
    return minutes * 60 or DAY_S


def _check_commands(draft: Draft) -> None:
    """A role that nobody could have is a slip of the hand that would shut everybody out."""
    roles = dict.fromkeys((*ROLES, *COMMANDERS, *(person.role for person in draft.plan.people)))
    for cmd, allowed in draft.plan.commands.items():
        for name in allowed:
            if name not in roles:
                near = did_you_mean(name, roles)
                what = f"commands.{cmd}: {shown(name)} is no role of the site; the roles are {listed(roles)}{near}"
                draft.fields.complain(what, "commands")


def _check_escalation(draft: Draft) -> None:
    people = draft.plan.people
    roles = dict.fromkeys((*ROLES, *(person.role for person in people)))
    known = {*roles, *(person.id for person in people)}
    for step in draft.escalation:
        for index, name in enumerate(step.value.to):
            if name not in known:
                near = did_you_mean(name, sorted(known))
                what = f"{shown(name)} is neither a role nor a person; the roles are {listed(roles)}{near}"
                step.fields.complain(what, "to", index)
    for before, step in pairwise(draft.escalation):
        if step.value.after_s <= before.value.after_s:
            after, longer = show_duration(step.value.after_s), show_duration(before.value.after_s)
            step.fields.complain(
                f"after is {after}; expected more than the {longer} of the step before", "after"
            )
