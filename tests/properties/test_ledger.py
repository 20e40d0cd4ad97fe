"""Law 2 and law 13: the gate ledger is what the rules say, whatever came first, twice or late."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.ledger.authority import Authority, AuthorityKind, Tokens
from gateway.domain.ledger.ledger import GateLedger, make_ledger
from gateway.domain.ledger.shown import Shown
from tests.unit.domain.gatehouse import BEGIN, DAY, HOUR, MINUTE, PLAN, SECOND

from .ledger_reference import refer

PLATES = ["粤B12345", "粤B99999", "无牌", None]
CARDS = ["C1", "C2", "04A1B2C3", None, None]
NUMBERS = ["T1", "T2", "S1", None, None]

STEPS = st.sampled_from([0, 1, 2, 5, 9, 12, 31, 61, 95, 600, 4000, 90_000])


@st.composite
def events(draw: st.DrawFn) -> list[GateEvent]:
    """What two gates say: few vehicles, often close together, in any order that a gate may say it."""
    now = BEGIN
    found: list[GateEvent] = []
    for seq in range(1, draw(st.integers(1, 16)) + 1):
        now += draw(STEPS) * SECOND
        kind = draw(
            st.sampled_from(
                ["opened", "opened", "vehicle_in", "vehicle_in", "vehicle_out", "vehicle_out", *_RARE]
            )
        )
        found.append(
            GateEvent(
                draw(st.sampled_from(["gate-east", "gate-east", "camera-east", "gate-west"])),
                "b",
                seq,
                now,
                now,
                draw(st.sampled_from([0, 500, 500, 30 * SECOND, 5 * MINUTE])),
                None,
                GateEventKind(kind),
                draw(st.sampled_from(["in", "in", None])),
                draw(st.sampled_from(PLATES)),
                draw(st.sampled_from(CARDS)),
                draw(st.sampled_from(["plate", "plate", "card", "manual", "fire", None])),
                draw(st.sampled_from(NUMBERS)),
                draw(st.sampled_from(["li", None])),
                draw(st.sampled_from(["Ambulance", None])),
                draw(st.sampled_from(["car", "large", None])),
                draw(st.booleans()),
            )
        )
    return found


_RARE = ["manual_open", "forced", "closed", "closed", "recovered", "stuck"]


@st.composite
def registers(draw: st.DrawFn) -> list[Authority]:
    """Some authorities, of which some are revoked."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(AuthorityKind))
        at = BEGIN + draw(st.sampled_from([0, MINUTE, HOUR, DAY]))
        late = kind is AuthorityKind.ID_RECORD and draw(st.booleans())
        start = at - HOUR if late else at + draw(st.sampled_from([0, 0, 10 * MINUTE]))
        tokens = Tokens(
            draw(st.sampled_from(NUMBERS)),
            draw(st.sampled_from(CARDS)),
            draw(st.sampled_from(["粤B12345", "粤B99999", None])),
        )
        end = draw(st.sampled_from([FOREVER, start + 2 * HOUR, start + DAY]))
        authority = Authority(f"a{number}", "court", kind, at, start, end, "wang", tokens)
        if draw(st.booleans()):
            authority = authority.revoke(at + draw(st.sampled_from([MINUTE, HOUR])), "wang")
        found.append(authority)
    return found


def compared(shown: Shown) -> dict[str, Any]:
    """A ledger in the form of the reference's."""
    left = {(each.code, each.about) for each, _ in shown.leftovers if "inside" not in each.params}
    return {
        "openings": {
            each.id: (each.passage, each.grant and each.grant[:2])
            for each in shown.openings
            if each.id not in shown.under_way
        },
        "passages": {each.id: (each.opening, each.grant and each.grant[:2]) for each in shown.passages},
        "stays": {each.id: (each.left and each.left.id, each.lost, each.fee) for each in shown.stays},
        "left": left,
    }


def whole(ledger: GateLedger, now: int) -> Shown:
    return ledger.show(BEGIN, now + 1, now)


@given(events(), registers(), st.integers(0, 120))
@settings(max_examples=150, deadline=None)
def test_the_ledger_is_what_the_reference_says(
    found: list[GateEvent], register: list[Authority], after_s: int
) -> None:
    now = found[-1].occurred_at + after_s * SECOND
    ledger = make_ledger([PLAN], found, register)
    assert compared(whole(ledger, now)) == refer(PLAN, register, found, now)


@given(events(), registers(), st.randoms(use_true_random=False), st.integers(1, 8))
@settings(max_examples=100, deadline=None)
def test_any_order_any_batches_and_a_register_that_grows_meanwhile_give_the_same_ledger(
    found: list[GateEvent], register: list[Authority], random: Random, batches: int
) -> None:
    now = found[-1].occurred_at + 10 * MINUTE
    expected = make_ledger([PLAN], found, register)
    again = random.choices(found, k=len(found) // 2)
    arrivals: list[GateEvent | Authority] = [*found, *again, *register]
    random.shuffle(arrivals)
    piecemeal = GateLedger([PLAN])
    for number in range(batches):
        for each in arrivals[number::batches]:
            if isinstance(each, Authority):  # first written, then revoked
                piecemeal.put(replace(each, revoked_at=None, revoked_by=None))
                piecemeal.put(each)
        piecemeal.take(each for each in arrivals[number::batches] if isinstance(each, GateEvent))
    assert whole(piecemeal, now) == whole(expected, now)
    assert piecemeal.alarms == expected.alarms


@given(events(), registers())
@settings(max_examples=60, deadline=None)
def test_the_parts_of_each_sum_make_the_whole(found: list[GateEvent], register: list[Authority]) -> None:
    now = found[-1].occurred_at + 10 * MINUTE
    shown = whole(make_ledger([PLAN], found, register), now)
    totals = shown.totals()
    for name in ("openings", "passages", "entries", "exits"):
        parts = {key: value for key, value in totals[name].items() if key not in ("total", "authority")}
        assert sum(parts.values()) == totals[name]["total"]
    assert totals["openings"]["passed"] == totals["passages"]["opened"]
    assert totals["entries"]["total"] + totals["exits"]["total"] == totals["passages"]["total"]
    assert len({leftover.id for leftover, _ in shown.leftovers}) == len(shown.leftovers)
