"""From a plan to the text of a site file: a line for each thing, as an installer would write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from gateway.domain.plan import (
    ALL_POSTS,
    ALWAYS,
    DEFAULT_HELD_OPEN_S,
    DEFAULT_REPEAT_S,
    DEFAULT_SETTLE_S,
    DEFAULT_SILENT_S,
    At,
    Cadence,
    Duty,
    Every,
    GateRules,
    Leg,
    Plan,
    Route,
    Span,
)
from gateway.domain.strength import Strength
from gateway.sitefile.duties import usual_pre_notice
from gateway.sitefile.kinds import NEVER, is_uid, show_duration, show_money, show_time

Document = dict[str, Any]
"""A site file as plain data: maps, lists, texts and numbers, ready for JSON."""

LONGEST_LINE: Final = 140
WIDE: Final = 1_000_000_000  # never break a line


_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w /-]*\w)?|\d+(?:d|h|min|s)")
"""Texts that are left without quotes: words and durations, nothing that looks like a number or a time."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with double quotes round all but words: its single ones lose some of Unicode's line breaks."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(value) and not is_uid(value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def dump(plan: Plan) -> str:
    """The site file of a plan. `parse` makes the same plan of it, given the same version and moment."""
    lines = []
    for key, value in document(plan).items():
        if isinstance(value, list):
            lines += ["", f"{key}:", *(line for item in value for line in _item(item))]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def document(plan: Plan) -> Document:
    """The site file of a plan as plain data, in the order of the file; what has its default is left out."""
    every_post = tuple(post.id for post in plan.posts)
    settle = None if plan.settle_after_s == DEFAULT_SETTLE_S else show_duration(plan.settle_after_s)
    repeat = None if plan.repeat_s == DEFAULT_REPEAT_S else show_duration(plan.repeat_s)
    return _given(
        site=plan.site,
        name=dict(plan.name),
        timezone=plan.timezone,
        night=_span(plan.night),
        settle_after=settle,
        repeat=repeat,
        gate_rules=_gate_rules(plan.gate_rules),
        commands={cmd: list(roles) for cmd, roles in plan.commands.items()},
        shifts=[_given(id=shift.id, **_span(shift.span), name=dict(shift.name)) for shift in plan.shifts],
        people=[
            _given(id=person.id, name=dict(person.name), role=person.role, card=person.card)
            for person in plan.people
        ],
        posts=[_given(id=post.id, name=dict(post.name), kind=post.kind.value) for post in plan.posts],
        checkpoints=[
            _given(
                id=checkpoint.id,
                name=dict(checkpoint.name),
                tags=[tag for tag in checkpoint.tags if is_uid(tag)],
                qr=[tag for tag in checkpoint.tags if not is_uid(tag)],
                at=[_number(place) for place in checkpoint.at or ()],
                proof=_word(checkpoint.proof),
            )
            for checkpoint in plan.checkpoints
        ],
        devices=[
            _given(
                id=device.id,
                kind=device.kind.value,
                posts=list(device.posts),
                name=dict(device.name),
                silent_after=_silent_after(device.silent_after_s),
                checkpoint=device.checkpoint,
                held_open_after=_held_open_after(device.held_open_after_s),
            )
            for device in plan.devices
        ],
        routes=[_route(route) for route in plan.routes],
        duties=[_duty(duty, every_post) for duty in plan.duties],
        escalation=[{"after": show_duration(step.after_s), "to": list(step.to)} for step in plan.escalation],
    )


def _gate_rules(rules: GateRules) -> Document:
    usual, tariff = GateRules(), rules.tariff
    within = None if rules.pass_within_s == usual.pass_within_s else show_duration(rules.pass_within_s)
    return _given(
        pass_within=within,
        longest_stay=None if rules.longest_stay_s is None else show_duration(rules.longest_stay_s),
        tariff=None
        if tariff is None
        else _given(
            free=_some(tariff.free_s),
            unit=show_duration(tariff.unit_s),
            fee=show_money(tariff.fee),
            daily_cap=None if tariff.daily_cap is None else show_money(tariff.daily_cap),
        ),
    )


def _route(route: Route) -> Document:
    return _given(
        id=route.id,
        name=dict(route.name),
        order=route.order.value,
        checkpoints=list(route.checkpoints),
        leg=_leg(route.leg),
        legs=[
            {"from": origin, "to": target, **_leg(leg, least=leg.max_s is None)}
            for (origin, target), leg in route.legs.items()
        ],
    )


def _leg(leg: Leg, *, least: bool = False) -> Document:
    """A leg's limits. `least` writes a shortest time of nothing too, so that one of the two is there."""
    return _given(
        min=show_duration(leg.min_s) if leg.min_s or least else None,
        max=None if leg.max_s is None else show_duration(leg.max_s),
    )


def _duty(duty: Duty, every_post: tuple[str, ...]) -> Document:
    return _given(
        id=duty.id,
        kind=duty.kind.value,
        name=dict(duty.name),
        route=duty.route,
        post=duty.post,
        posts=ALL_POSTS if duty.posts and duty.posts == every_post else list(duty.posts),
        form=None if duty.form == duty.id else duty.form,
        by=duty.by,
        signatures=None if duty.signatures == 1 else duty.signatures,
        proof=_word(duty.proof),
        **_cadence(duty.cadence),
        clause=duty.clause,
        figure=duty.figure,
        pre_notice=_pre_notice(duty),
    )


def _pre_notice(duty: Duty) -> str | None:
    usual = usual_pre_notice(duty.kind)
    return None if duty.pre_notice_s == usual else show_duration(duty.pre_notice_s)


def _silent_after(seconds: int | None) -> str | None:
    if seconds is None:
        return NEVER
    return None if seconds == DEFAULT_SILENT_S else show_duration(seconds)


def _held_open_after(seconds: int | None) -> str | None:
    if seconds is None:
        return NEVER
    return None if seconds == DEFAULT_HELD_OPEN_S else show_duration(seconds)


def _cadence(cadence: Cadence) -> Document:
    if isinstance(cadence, At):
        return _given(
            at=[show_time(minutes) for minutes in cadence.times],
            duration=_some(cadence.duration_s),
            early=_some(cadence.early_s),
            late=_some(cadence.late_s),
            vary=_some(cadence.vary_s),
        )
    if isinstance(cadence, Every):
        during = None if cadence.during == ALWAYS else cadence.during
        return _given(every=show_duration(cadence.gap_s), grace=_some(cadence.grace_s), during=during)
    per = _span(cadence.per) if isinstance(cadence.per, Span) else cadence.per.value
    return _given(
        times=cadence.count,
        per=per,
        grace=_some(cadence.grace_s),
        vary=_some(cadence.vary_s),
        apart=_some(cadence.apart_s),
    )


def _word(strength: Strength | None) -> str | None:
    return None if strength is None else strength.value


def _given(**members: object) -> Document:
    return {key: value for key, value in members.items() if value not in (None, "", [], {})}


def _span(span: Span) -> Document:
    return {"from": show_time(span.from_), "to": show_time(span.to)}


def _some(seconds: int) -> str | None:
    return show_duration(seconds) if seconds else None


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


def duty_lines(duty: Duty, plan: Plan) -> list[str]:
    """The lines of one duty of a plan, as they stand in the list of its site file."""
    return _item(_duty(duty, tuple(post.id for post in plan.posts)))


def _item(item: Document) -> list[str]:
    """One thing of a list: in one line, or, when that is too long to read, a line for each of its keys."""
    line = f"  - {_flow(item)}"
    if len(line) <= LONGEST_LINE:
        return [line]
    lines = [f"    {key}: {_flow(value)}" for key, value in item.items()]
    return [f"  - {lines[0].lstrip()}", *lines[1:]]


def _flow(value: str | Iterable[object] | Mapping[str, object]) -> str:
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, sort_keys=False, width=WIDE
    )
    return str(text).removesuffix("\n").removesuffix("\n...")
