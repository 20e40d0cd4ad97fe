"""A duty of the site file: what is owed, and one of the three cadences (`at`, `every`, `times`)."""

from __future__ import annotations

from typing import Final

from gateway.domain.plan import (
    ALL_POSTS,
    ALWAYS,
    DEFAULT_PRE_NOTICE_S,
    At,
    Cadence,
    Calendar,
    Duty,
    DutyKind,
    Every,
    Names,
    Span,
    Times,
)
from gateway.domain.strength import Strength
from gateway.sitefile import kinds
from gateway.sitefile.fields import Fields

CADENCES: Final = {
    "at": ("duration", "early", "late", "vary"),
    "every": ("grace", "during"),
    "times": ("per", "grace", "vary", "apart"),
}
"""The keys that say how often a duty is owed, each with the keys that go with it."""

CADENCE_KEYS: Final = (*CADENCES, *dict.fromkeys(key for keys in CADENCES.values() for key in keys))
DUTY_KEYS: Final = (
    *(
        "id",
        "kind",
        "name",
        "route",
        "post",
        "posts",
        "form",
        "by",
        "signatures",
        "proof",
        "clause",
        "figure",
        "pre_notice",
    ),
    *CADENCE_KEYS,
)
NAMES: Final = "a name, or a map such as {zh: 东门岗, en: East gate}"
PER_SPAN: Final = 'a map such as {from: "00:00", to: "06:00"}'

NO_CADENCE: Final = Every(gap_s=10**9)
"""Stands in for a cadence that could not be read until the complaints are raised; no check faults it."""


def read_duty(fields: Fields, every_post: tuple[str, ...]) -> Duty:
    """One duty; `posts: all` is spelled out as `every_post`."""
    kind = fields.need("kind", kinds.word(DutyKind))
    if kind is DutyKind.ROUND:
        _must(fields, "route", "a round walks a route; expected route: and its id")
        _must_not(fields, "posts", "a round is walked by one post; write post: and its id")
    elif kind is DutyKind.RADIO_CHECK:
        _must(fields, "posts", "a radio check calls posts; expected posts: all, or a list of their ids")
        _must_not(fields, "route", "a radio check has no route; it has posts: all, or a list of their ids")
        _must_not(fields, "post", "a radio check calls posts; write posts: and a list of their ids")
    elif kind is DutyKind.RECORD:
        _must_not(fields, "route", "a record is signed, not walked; a duty that walks is of kind: round")
        _must_not(fields, "post", "a record is owed by posts; write posts: and a list of their ids")
    if kind is not None and kind is not DutyKind.RECORD:
        _must_not(fields, "form", "only a record has a form; write kind: record")
        _must_not(fields, "signatures", "only a record is signed; write kind: record")
    if kind is not None and kind is not DutyKind.ROUND:
        _must_not(fields, "proof", "only a round is proved by scans; write kind: round")
    name = fields.need("id", kinds.identifier) or fields.raw("id")
    form = fields.get("form", kinds.identifier) or name
    return Duty(
        id=name,
        kind=kind or DutyKind.ROUND,
        cadence=read_cadence(fields),
        name=read_names(fields),
        route=fields.get("route", kinds.identifier),
        posts=_posts(fields, every_post),
        post=fields.get("post", kinds.identifier),
        by=fields.get("by", kinds.identifier),
        clause=fields.get("clause", kinds.text) or "",
        figure=fields.get("figure", kinds.text) or "",
        pre_notice_s=_pre_notice(fields, kind),
        form=form if kind is DutyKind.RECORD else None,
        signatures=fields.get("signatures", kinds.signatures) or 1,
        proof=fields.get("proof", kinds.word(Strength)),
    )


def read_names(fields: Fields, *, key: str = "name", need: bool = False) -> Names:
    """The name of a thing: by language, or one text, which is then the Chinese name."""
    if not fields.has(key):
        if need:
            fields.complain(f"{key} is missing; expected {NAMES}")
        return {}
    if fields.is_text(key):
        single = fields.get(key, kinds.text)
        return {"zh": single} if single else {}
    names = fields.nested(key, None, NAMES)
    if names is None:
        return {}
    if not names.given:
        fields.complain(f"{key} is an empty map; expected {NAMES}", key)
    found = {}
    for language in names.given:
        if not kinds.is_language(language):
            what = f"{key} has the key {kinds.shown(language)}; expected a language such as zh or en"
            names.complain(what, language)
        elif name := names.get(language, kinds.text):
            found[language] = name
    return found


def read_span(fields: Fields) -> Span | None:
    """A mapping's `from` and `to`, times of day."""
    begin, end = fields.need("from", kinds.time_of_day), fields.need("to", kinds.time_of_day)
    return None if begin is None or end is None else Span(begin, end)


def _pre_notice(fields: Fields, kind: DutyKind | None) -> int:
    given = fields.get("pre_notice", kinds.duration)
    if given is None:
        return usual_pre_notice(kind)
    return given


def usual_pre_notice(kind: DutyKind | None) -> int:
    """Seconds before its due at which a duty reminds, where its site file does not say."""
    return DEFAULT_PRE_NOTICE_S if kind is DutyKind.RADIO_CHECK else 0


def _must(fields: Fields, key: str, why: str) -> None:
    if not fields.has(key):
        fields.complain(f"{key} is missing; {why}")


def _must_not(fields: Fields, key: str, why: str) -> None:
    if fields.has(key):
        fields.complain(f"{key} does not belong here: {why}", key)


def _posts(fields: Fields, every_post: tuple[str, ...]) -> tuple[str, ...]:
    if not fields.is_text("posts"):
        return fields.many("posts", kinds.identifier)
    return every_post if fields.get("posts", _all_posts) else ()


def _all_posts(value: str) -> str:
    if value != ALL_POSTS:
        raise ValueError("all, or a list of posts such as [east-gate, lobby]")
    return value


def read_cadence(fields: Fields) -> Cadence:
    """How often something is owed; complains when it is not said in exactly one of the three ways."""
    given = [key for key in CADENCES if fields.has(key)]
    if len(given) != 1:
        fault = f"{' and '.join(given)} are given together" if given else "how often it is owed is missing"
        fields.complain(f"{fault}; expected one of at, every, times")
        return NO_CADENCE
    (chosen,) = given
    for key in CADENCE_KEYS:
        if fields.has(key) and key != chosen and key not in CADENCES[chosen]:
            homes = " or ".join(cadence for cadence, keys in CADENCES.items() if key in keys)
            fields.complain(f"{key} goes with {homes}, not with {chosen}", key)
    if chosen == "at":
        return At(
            times=fields.many("at", kinds.time_of_day),
            duration_s=fields.get("duration", kinds.duration) or 0,
            early_s=fields.get("early", kinds.duration) or 0,
            late_s=fields.get("late", kinds.duration) or 0,
            vary_s=fields.get("vary", kinds.duration) or 0,
        )
    grace_s = fields.get("grace", kinds.duration) or 0
    if chosen == "every":
        gap_s = fields.get("every", kinds.longer_than_nothing)
        during = fields.get("during", kinds.identifier) or ALWAYS
        return Every(gap_s, grace_s, during) if gap_s else NO_CADENCE
    count, per = fields.get("times", kinds.count), _per(fields)
    vary_s = fields.get("vary", kinds.duration) or 0
    apart_s = fields.get("apart", kinds.duration) or 0
    return Times(count, per, grace_s, vary_s, apart_s) if count and per else NO_CADENCE


def _per(fields: Fields) -> Calendar | Span | None:
    if not fields.has("per") or fields.is_text("per"):
        return fields.need("per", _calendar)
    span_fields = fields.nested("per", ("from", "to"), PER_SPAN)
    span = read_span(span_fields) if span_fields else None
    if span and span.from_ == span.to:
        fields.complain("per begins and ends at the same time; for a whole day write per: day", "per")
        return None
    return span


def _calendar(value: str) -> Calendar:
    try:
        return kinds.word(Calendar)(value)
    except ValueError as expected:
        raise ValueError(f"{expected}, or {PER_SPAN}") from None
