"""A plan that is written out as a site file is read back as the same plan, whatever the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Final

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.commands import KNOWN
from gateway.domain.plan import (
    ALWAYS,
    COMMANDERS,
    DEFAULT_SETTLE_S,
    NIGHT,
    At,
    Cadence,
    Calendar,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    EscalationStep,
    Every,
    GateRules,
    Leg,
    Names,
    Order,
    Person,
    Plan,
    Post,
    PostKind,
    Route,
    Shift,
    Span,
    Tariff,
    Times,
)
from gateway.domain.strength import Strength
from gateway.sitefile import SiteFileError, document, dump, parse
from tests.unit.court import COURT

DAY_MIN: Final = 1440
YEAR_S: Final = 365 * 86_400

ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)
names = st.dictionaries(st.sampled_from(["zh", "en", "zh-Hant"]), texts, min_size=1, max_size=3)
maybe_names: st.SearchStrategy[Names] = st.just({}) | names
minutes = st.integers(0, DAY_MIN - 1)
seconds = st.integers(0, YEAR_S)
gate_rules = st.builds(
    GateRules,
    st.integers(1, 3600),
    st.none() | st.integers(1, YEAR_S),
    st.none()
    | st.builds(
        Tariff,
        st.integers(1, YEAR_S),
        st.integers(0, 999_999_999),
        st.integers(0, YEAR_S),
        st.none() | st.integers(0, 999_999_999),
    ),
)
uids = st.binary(min_size=4, max_size=10).map(lambda uid: uid.hex().upper())
places = st.floats(-1e6, 1e6).map(lambda place: round(place, 3) + 0.0)


def lists(of: st.SearchStrategy[str], least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(of, min_size=least, max_size=3, unique=True)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    begin, end = draw(st.lists(minutes, min_size=2, max_size=2, unique=True))
    return Span(begin, end)


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    least = draw(st.integers(0, 60))
    return Leg(least, draw(st.none() | st.integers(max(least, 1), YEAR_S)))


@st.composite
def routes(draw: st.DrawFn, name: str, checkpoints: list[str]) -> Route:
    order = draw(st.sampled_from(Order))
    path = draw(st.permutations(checkpoints))
    pairs = list(pairwise(path))
    special = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3)) if pairs else []
    return Route(
        name, draw(names), order, tuple(path), draw(legs()), {pair: draw(legs()) for pair in special}
    )


@st.composite
def windows(draw: st.DrawFn) -> At:
    """Times an hour or more apart, with windows of less than an hour."""
    first, gaps = draw(st.integers(0, 59)), draw(st.lists(st.integers(60, 200), max_size=6))
    times = [time for time in accumulate([first, *gaps]) if time <= DAY_MIN - 60 + first]
    early, late, vary = draw(st.integers(0, 300)), draw(st.integers(0, 300)), draw(st.integers(0, 300))
    shuffled = draw(st.permutations(times))
    return At(tuple(shuffled), draw(st.integers(1800, 2000)), early, late, vary)


@st.composite
def cadences(draw: st.DrawFn, shifts: list[str]) -> Cadence:
    during = st.sampled_from([ALWAYS, NIGHT, *shifts])
    words = [word for word in Calendar if shifts or word is not Calendar.SHIFT]
    long_spans = spans().filter(lambda span: (span.to - span.from_) % DAY_MIN >= 60)
    return draw(
        windows()
        | st.builds(Every, st.integers(1800, YEAR_S), seconds, during)
        | st.builds(Times, st.integers(1, 9999), st.sampled_from(words) | long_spans, seconds, seconds)
        | st.builds(Times, st.integers(1, 3), st.just(Calendar.DAY), seconds, apart_s=st.integers(1, 9999))
    )


PROVABLE = (Strength.QR, Strength.UID)
"""What any checkpoint with a tag can be proved with."""


@st.composite
def duties(draw: st.DrawFn, name: str, plan: Plan) -> Duty:
    posts, routes = [post.id for post in plan.posts], [route.id for route in plan.routes]
    who = [person.id for person in plan.people] + [person.role for person in plan.people]
    duty = Duty(
        id=name,
        kind=DutyKind.ROUND,
        cadence=draw(cadences([shift.id for shift in plan.shifts])),
        name=draw(maybe_names),
        by=draw(st.none() | st.sampled_from(who)) if who else None,
        clause=draw(st.just("") | texts),
        figure=draw(st.just("") | texts),
    )
    if routes and (not posts or draw(st.booleans())):
        post = draw(st.none() | st.sampled_from(posts)) if posts else None
        proof = draw(st.sampled_from([None, *PROVABLE]))
        return replace(duty, route=draw(st.sampled_from(routes)), post=post, proof=proof)
    called = draw(lists(st.sampled_from(posts), 1) | st.just(posts))
    if plan.people and draw(st.booleans()):
        form = draw(st.just(name) | ids)
        able = [person for person in plan.people if duty.by in (None, person.id, person.role)]
        signatures = draw(st.integers(1, len(able)))
        return replace(duty, kind=DutyKind.RECORD, posts=tuple(called), form=form, signatures=signatures)
    return replace(duty, kind=DutyKind.RADIO_CHECK, posts=tuple(called))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Right plans. The shortest legs are short and the periods long, so that each round can be walked."""
    tokens = draw(st.lists(uids, min_size=10, max_size=10, unique=True))
    codes = draw(st.lists(texts.filter(lambda text: text not in tokens), min_size=5, max_size=5, unique=True))
    points = draw(lists(ids))
    tags = [
        (token, code) if code else (token,)
        for token, code in zip(tokens, (*codes[:3], None, None), strict=False)
    ]
    roles = draw(st.lists(ids, min_size=5, max_size=5))
    steps = draw(st.lists(st.integers(1, 10_000), max_size=4))
    after = [step - steps[0] for step in accumulate(steps)] if steps else []
    posts = draw(lists(ids))
    plan = Plan(
        site=draw(ids),
        name=draw(names),
        timezone=draw(st.sampled_from(["Asia/Shanghai", "Europe/London", "UTC", "America/Sao_Paulo"])),
        version=3,
        holds_from=1_700_000_000_000,
        night=draw(spans()),
        shifts=tuple(
            Shift(name, draw(spans()), draw(maybe_names)) for name in draw(lists(ids)) if name != ALWAYS
        ),
        people=tuple(
            Person(name, draw(names), role, draw(st.none() | st.just(card)))
            for name, role, card in zip(draw(lists(ids)), roles, tokens[5:], strict=False)
        ),
        posts=tuple(Post(name, draw(names), draw(st.sampled_from(PostKind))) for name in posts),
        checkpoints=tuple(
            Checkpoint(
                name,
                draw(names),
                tag,
                draw(st.none() | st.tuples(places, places)),
                draw(st.sampled_from([None, *PROVABLE])),
            )
            for name, tag in zip(points, tags, strict=False)
        ),
        devices=tuple(
            Device(
                name,
                kind := draw(st.sampled_from(DeviceKind)),
                tuple(draw(lists(st.sampled_from(posts))) if posts else ()),
                draw(maybe_names),
                checkpoint=draw(st.sampled_from(points))
                if points and kind is DeviceKind.READER and draw(st.booleans())
                else None,
            )
            for name in draw(lists(ids))
        ),
        routes=tuple(draw(routes(name, points)) for name in draw(lists(ids))) if points else (),
        escalation=tuple(
            EscalationStep(at, tuple(draw(lists(st.sampled_from(["guard", "manager"]), 1)))) for at in after
        ),
        settle_after_s=draw(st.just(DEFAULT_SETTLE_S) | seconds),
        gate_rules=draw(gate_rules),
        commands=draw(
            st.dictionaries(st.sampled_from(sorted(KNOWN)), lists(st.sampled_from(COMMANDERS), 1).map(tuple))
        ),
    )
    if not plan.posts and not plan.routes:
        return plan
    owed = tuple(draw(duties(name, plan)) for name in draw(lists(ids)))
    return replace(plan, duties=owed)


@settings(deadline=None)  # a busy machine takes longer over some plans
@given(plans())
def test_what_is_written_out_is_read_back_the_same(plan: Plan) -> None:
    text = dump(plan)
    assert parse(text, "plan.yaml", version=plan.version, holds_from=plan.holds_from) == plan


@settings(deadline=None)  # a busy machine takes longer over some plans
@given(plans())
def test_the_same_plan_is_always_written_the_same(plan: Plan) -> None:
    assert dump(parse(dump(plan), "plan.yaml")) == dump(plan)


@settings(deadline=None)  # a busy machine takes longer over some plans
@given(plans())
def test_any_yaml_reader_sees_the_document_in_it(plan: Plan) -> None:
    assert yaml.safe_load(dump(plan)) == json.loads(json.dumps(document(plan)))


@settings(deadline=None)
@given(
    st.integers(0, len(COURT)),
    st.integers(0, 12),
    st.text(max_size=8) | st.sampled_from(["[", "{", "- ", "&a "]),
)
def test_a_file_with_a_slip_of_the_hand_is_read_or_refused_with_its_line(
    at: int, lost: int, typed: str
) -> None:
    text = COURT[:at] + typed + COURT[at + lost :]
    try:
        parse(text, "court.yaml")
    except SiteFileError as error:
        assert error.problems
        assert all(1 <= problem.line <= len(text.splitlines()) + 1 for problem in error.problems)


@given(st.binary(max_size=200))
def test_noise_is_refused_as_a_site_file(noise: bytes) -> None:
    with pytest.raises(SiteFileError):
        parse(noise, "noise.yaml")
