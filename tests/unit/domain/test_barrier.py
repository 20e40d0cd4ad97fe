"""Where each barrier is, and the alerts of what happens at it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.alert import LIVE, AlertState
from gateway.domain.alerts import AlertBook
from gateway.domain.barrier import FEED_LENGTH, Gates
from gateway.domain.facts import GateEvent, GateEventKind
from tests.unit.court import court

K = GateEventKind
PLAN = court(("devices:\n", "devices:\n  - {id: gate-1, kind: gate, posts: [east-gate], name: 东门道闸}\n"))


def event(at: int, kind: GateEventKind, device: str = "gate-1", **more: Any) -> GateEvent:
    return GateEvent(device, "b1", at, at, at, 0, None, kind, **more)


def tell(*events: GateEvent) -> tuple[Gates, AlertBook]:
    gates, book = Gates(PLAN), AlertBook(PLAN)
    for now, each in enumerate(events):
        gates.take(each, book, 1000 + now)
    return gates, book


@pytest.mark.parametrize(
    ("kind", "position"),
    [(K.OPENED, "open"), (K.MANUAL_OPEN, "open"), (K.CLOSED, "closed"), (K.FORCED, "forced"), (K.STUCK, "stuck"),
     (K.FAULT, "fault"), (K.RECOVERED, "closed"), (K.VEHICLE_IN, "unknown"), (K.VEHICLE_OUT, "unknown")],
)  # fmt: skip
def test_an_event_tells_where_the_barrier_is(kind: GateEventKind, position: str) -> None:
    gates, _ = tell(event(1, kind))
    assert gates.gates["gate-1"].position == position


def test_a_vehicle_moves_no_barrier_and_staying_where_it_is_is_no_move() -> None:
    gates, _ = tell(event(1, K.OPENED), event(2, K.VEHICLE_IN), event(3, K.MANUAL_OPEN))
    assert (gates.gates["gate-1"].position, gates.gates["gate-1"].since) == ("open", 1)


def test_an_event_that_comes_late_does_not_move_the_barrier_back() -> None:
    gates, _ = tell(event(5, K.CLOSED), event(3, K.OPENED))
    assert (gates.gates["gate-1"].position, gates.gates["gate-1"].since) == ("closed", 5)
    assert [each.occurred_at for each in gates.feed] == [3, 5]


def test_the_feed_keeps_the_latest_events_in_the_order_in_which_they_happened() -> None:
    order = list(range(1, FEED_LENGTH + 21))
    Random(4).shuffle(order)
    gates, _ = tell(*(event(at, K.VEHICLE_IN) for at in order))
    assert [each.occurred_at for each in gates.feed] == list(range(21, FEED_LENGTH + 21))


def test_a_forced_barrier_opens_one_alert_that_its_closing_ends() -> None:
    _, book = tell(event(1, K.FORCED, lane="in"), event(2, K.FORCED))
    (alert,) = book.live
    assert (alert.kind.value, alert.subject, alert.severity.value, alert.deadline) == (
        "gate_forced",
        "gate-1",
        "critical",
        1,
    )
    assert alert.name == {"zh": "东门道闸"}
    assert alert.reason.params == {"event": "forced", "lane": "in"}
    assert [each.what for each in alert.history] == ["opened", "joined"]
    assert alert.facts == ["gate-1/b1/1", "gate-1/b1/2"]
    _, book = tell(event(1, K.FORCED), event(2, K.CLOSED))
    (closed,) = book.closed_since(0)
    assert (closed.state, closed.history[-1].what, closed.facts) == (
        AlertState.RESOLVED, "recovered", ["gate-1/b1/1", "gate-1/b1/2"],
    )  # fmt: skip


def test_a_fault_ends_when_the_controller_says_so_and_not_when_the_barrier_closes() -> None:
    _, book = tell(event(1, K.STUCK), event(2, K.CLOSED))
    assert [alert.kind.value for alert in book.live] == ["gate_fault"]
    _, book = tell(event(1, K.STUCK), event(2, K.FORCED), event(3, K.RECOVERED))
    assert book.live == []
    assert len(book.closed_since(0)) == 2


def test_each_barrier_has_alerts_of_its_own() -> None:
    _, book = tell(event(1, K.FORCED), event(1, K.FORCED, "gate-2"), event(2, K.CLOSED))
    assert [alert.subject for alert in book.live] == ["gate-2"]


def test_stored_events_that_are_read_again_raise_nothing() -> None:
    gates = Gates(PLAN)
    gates.take(event(1, K.FORCED), None, 0)
    assert gates.gates["gate-1"].position == "forced"


def test_what_was_forced_and_is_over_when_it_is_heard_of_is_told_and_ended() -> None:
    _, book = tell(event(5, K.RECOVERED), event(9, K.OPENED), event(3, K.FORCED))
    assert book.live == []
    (closed,) = book.closed_since(0)
    assert [each.what for each in closed.history] == ["opened", "recovered"]
    assert closed.facts == ["gate-1/b1/3", "gate-1/b1/5"]


@given(st.lists(st.sampled_from(list(K)), max_size=10), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_what_is_live_in_the_end_does_not_depend_on_the_order_of_arrival(
    kinds: list[GateEventKind], random: Random
) -> None:
    events = [event(at, kind) for at, kind in enumerate(kinds, 1)]
    gates, book = tell(*events)
    other_gates, other_book = tell(*random.sample(events, len(events)))
    live = sorted(alert.kind for alert in book.live)
    assert sorted(alert.kind for alert in other_book.live) == live
    position = gates.gates.get("gate-1")
    other = other_gates.gates.get("gate-1")
    assert (position and position.position) == (other and other.position)
    assert all(alert.state in LIVE for alert in book.live)
