"""A site against a standard: which clauses its duties meet, and what can be added (docs/standard.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

import yaml

from gateway.domain.plan import ALWAYS, At, Cadence, Calendar, Duty, DutyKind, Every, Plan, Span, Times
from gateway.sitefile import parse
from gateway.sitefile.checks import DAY_S, period_s
from gateway.sitefile.errors import Problems
from gateway.sitefile.fields import compose
from gateway.sitefile.kinds import show_duration, show_time
from gateway.sitefile.standard import BY_DUTY, Asked, Entry, Proof, Standard
from gateway.sitefile.write import dump, duty_lines


class State(StrEnum):
    """How a site stands towards a clause."""

    MET = "met"
    WEAKER = "weaker"  # a duty is there, but asks less than the figure
    MISSING = "missing"
    GATEWAY = "gateway"  # no duty is needed: the gateway proves it by itself
    LATER = "later"  # the gateway will prove it, and does not yet


@dataclass(frozen=True, slots=True)
class Coverage:
    """One entry of the standard, and what the site has for it."""

    entry: Entry
    state: State
    duties: tuple[str, ...] = ()
    why: str = ""  # what is weaker than the figure asks


@dataclass(frozen=True, slots=True)
class Applied:
    """A site file with what could be added, and for the rest what must be done by hand."""

    text: str
    added: tuple[str, ...]
    by_hand: tuple[str, ...]


def coverage(standard: Standard, plan: Plan) -> list[Coverage]:
    """How a site stands towards each entry, in the order of the standard."""
    return [_covered(entry, plan) for entry in standard.entries]


def _covered(entry: Entry, plan: Plan) -> Coverage:
    duties = [duty for duty in plan.duties if _cites(duty, entry.clause)]
    names = tuple(duty.id for duty in duties)
    if entry.proof not in BY_DUTY:
        return Coverage(entry, State.LATER if entry.later else State.GATEWAY, names)
    if not duties:
        return Coverage(entry, State.MISSING)
    faults = [list(_faults(duty, entry.asked, plan)) if entry.asked else [] for duty in duties]
    least = min(faults, key=len)
    return Coverage(entry, State.WEAKER if least else State.MET, names, "; ".join(least))


def _cites(duty: Duty, clause: str) -> bool:
    """Whether a duty names a clause among its own, which may leave out the part of the book."""
    cited = [part.strip() for part in duty.clause.split(";")]
    return any(part and (clause == part or clause.endswith(f" {part}")) for part in cited)


def _faults(duty: Duty, asked: Asked, plan: Plan) -> Iterator[str]:
    if _longest_gap_s(duty.cadence, plan) > _longest_gap_s(asked.cadence, plan):
        yield f"{how_often(duty.cadence)}, where {how_often(asked.cadence)} is asked"
    during = asked.cadence.during if isinstance(asked.cadence, Every) else ALWAYS
    if isinstance(duty.cadence, Every) and duty.cadence.during not in (ALWAYS, during):
        yield f"only during {duty.cadence.during}, where {during} is asked"
    if asked.every_post and (left_out := [post.id for post in plan.posts if post.id not in duty.posts]):
        yield f"without {', '.join(left_out)}, where every post is asked"
    if duty.kind is DutyKind.RECORD and duty.signatures < asked.signatures:
        yield f"{duty.signatures} signature, where {asked.signatures} are asked"
    if asked.by is not None and duty.by is None:
        yield f"by anybody, where {asked.by} is asked"


def _longest_gap_s(cadence: Cadence, plan: Plan) -> float:
    """How long it takes on average from one fulfilment to the next, in seconds; tolerances left aside."""
    if isinstance(cadence, Every):
        return cadence.gap_s
    if isinstance(cadence, Times):
        return period_s(cadence.per, plan) / cadence.count
    times = sorted(cadence.times)
    return max(b - a for a, b in pairwise([*times, times[0] + DAY_S // 60])) * 60


def how_often(cadence: Cadence) -> str:
    """A cadence in a few words."""
    if isinstance(cadence, Every):
        return f"every {show_duration(cadence.gap_s)}"
    if isinstance(cadence, At):
        return "at " + ", ".join(show_time(minutes) for minutes in cadence.times)
    per = cadence.per
    period = f"{show_time(per.from_)}-{show_time(per.to)}" if isinstance(per, Span) else per.value
    return f"{cadence.count} per {period}"


# -- adding what is missing ----------------------------------------------------------------------------------

_BY_HAND: Final = "# Still to be set up by hand, after the standard "


def apply(standard: Standard, text: str, file: str) -> Applied:
    """Add to a site file the duties that a standard asks for and that need nothing that the site does not have.

    Raises `SiteFileError` when the site file is wrong.
    """
    text = text.split(f"\n{_BY_HAND}{standard.id}", 1)[0].rstrip("\n") + "\n"
    plan = parse(text, file)
    added: list[Duty] = []
    by_hand: list[str] = []
    for covered in coverage(standard, plan):
        entry = covered.entry
        if covered.state is State.WEAKER:
            by_hand.append(f"{entry.clause} {entry.id}: {', '.join(covered.duties)} is {covered.why}")
        elif covered.state is State.MISSING:
            duty = _duty(entry, plan)
            if why := _what_is_missing(entry, duty, plan):
                by_hand.append(f"{entry.clause} {entry.id}: {why}")
            else:
                added.append(duty)
    written = _insert(text, plan, added) if added else text
    if by_hand:
        heading = f"{_BY_HAND}{standard.id} (clause, entry, what is needed):"
        written += "\n".join(["", heading, *(f"#   {line}" for line in by_hand), ""])
    parse(written, file)
    return Applied(written, tuple(duty.id for duty in added), tuple(by_hand))


def _duty(entry: Entry, plan: Plan) -> Duty:
    asked = entry.asked or Asked(Times(1, Calendar.DAY))
    kind = DutyKind.RECORD if entry.proof is Proof.RECORD else DutyKind.RADIO_CHECK
    return Duty(
        id=entry.id,
        kind=kind,
        cadence=asked.cadence,
        name=entry.name,
        posts=tuple(post.id for post in plan.posts) if asked.every_post else (),
        by=asked.by,
        clause=entry.clause,
        figure=entry.figure,
        form=entry.id if kind is DutyKind.RECORD else None,
        signatures=asked.signatures,
    )


def _what_is_missing(entry: Entry, duty: Duty, plan: Plan) -> str:
    """What the site lacks for a duty to be added; empty when nothing."""
    if entry.proof is Proof.ROUND:
        often = how_often(entry.asked.cadence) if entry.asked else "as often as the site decides"
        return f"a round that needs a route, {often}"
    if entry.asked is None:
        return f"a {entry.proof}; the site decides how often"
    if any(other.id == duty.id for other in plan.duties):
        return "its id is taken by a duty that does not cite the clause"
    able = [person for person in plan.people if duty.by in (None, person.role)]
    if len(able) < (duty.signatures if duty.kind is DutyKind.RECORD else min(1, len(duty.by or ""))):
        return f"needs {duty.signatures} of the site's people with the role {duty.by or 'of your choice'}"
    if entry.asked.every_post and not plan.posts:
        return "needs posts"
    if isinstance(duty.cadence, Times) and duty.cadence.per is Calendar.SHIFT and not plan.shifts:
        return "needs shifts"
    return ""


def _insert(text: str, plan: Plan, added: list[Duty]) -> str:
    """A site file with more duties, otherwise as it was written, with its comments."""
    node = next((value for key, value in compose(text, Problems("")).value if key.value == "duties"), None)
    if node is None:
        lines = [line for duty in added for line in duty_lines(duty, plan)]
        return text + "\n".join(["", "duties:", *lines, ""])
    if node.flow_style:
        return dump(replace(plan, duties=(*plan.duties, *added)))
    lines = text.splitlines(keepends=True)
    indent = " " * node.start_mark.column
    more = [f"{indent}{line[2:]}\n" for duty in added for line in duty_lines(duty, plan)]
    at = _last_line(node) + 1
    return "".join([*lines[:at], *more, *lines[at:]])


def _last_line(node: yaml.Node) -> int:
    """The line, from 0, in which a node's own text ends: a block ends only where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)
