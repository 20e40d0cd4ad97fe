"""A barrier that stands open for too long, and one that may."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.alert import Alert, AlertKind
from gateway.domain.commands import Command, CommandState
from gateway.domain.facts import GateEvent, GateEventKind, Lost
from gateway.domain.watch import Watch
from tests.unit.domain.evening import BEGIN, MINUTE, Evening, lodge

K = GateEventKind


class Gateway(Evening):
    """An evening at the barrier g1, which may stand open for two minutes."""

    def event(self, minute: float, kind: GateEventKind) -> GateEvent:
        return GateEvent(*self._common(minute, "g1"), kind)

    def happens(self, minute: float, kind: GateEventKind) -> None:
        self.until(minute, self.event(minute, kind))

    def told(self, cmd: str, minute: float) -> None:  # type: ignore[override]
        at = BEGIN + round(minute * MINUTE)
        command = Command(f"c{at}-{cmd}", "lodge", "g1", cmd, {}, "wang", "Moving house", at, at + 10_000)
        self.watch.commands.put(replace(command, state=CommandState.DONE, ended_at=at))

    @property
    def found(self) -> Alert | None:
        return self.watch.alerts.live_of(AlertKind.GATE_HELD_OPEN, "g1")


def test_a_barrier_that_stands_open_for_longer_than_it_may_is_told_with_the_next_heartbeat() -> None:
    evening = Gateway()
    evening.happens(1, K.OPENED)
    evening.beating(2, 3, "g1")
    assert evening.found is None, "exactly at the limit passes"
    evening.beating(4, 4, "g1")
    alert = evening.found
    assert alert is not None
    assert (alert.reason.code, alert.severity.value) == ("held_open", "major")
    assert alert.reason.params == {"since": BEGIN + MINUTE, "limit_s": 120}
    assert (alert.deadline, alert.facts) == (BEGIN + 3 * MINUTE, ["g1/b1/1"])
    evening.happens(9, K.CLOSED)
    assert evening.found is None and alert.history[-1].what in ("recovered", "told")


def test_a_barrier_whose_controller_is_silent_is_not_called_open_as_its_closing_may_still_come() -> None:
    evening = Gateway()
    evening.happens(1, K.OPENED)
    evening.until(8)
    assert evening.found is None
    closed = evening.event(1.2, K.CLOSED)
    evening.until(8.5, closed, evening.status(8.5, "g1"))
    assert AlertKind.GATE_HELD_OPEN not in {alert.kind for alert in evening.alerts.values()}


def test_a_barrier_that_lost_records_since_it_opened_may_have_closed() -> None:
    evening = Gateway()
    evening.happens(1, K.OPENED)
    status = evening.status(4, "g1")
    evening._seqs["g1"] += 1
    status.lost = (Lost("b1", 3, 3, BEGIN + MINUTE, BEGIN + 2 * MINUTE),)
    evening.until(4, status)
    assert evening.found is None


def test_a_hold_that_a_person_asked_for_is_no_alarm_until_it_is_released() -> None:
    evening = Gateway()
    evening.told("hold", 1)
    evening.happens(1.1, K.OPENED)
    evening.beating(2, 60, "g1")
    assert evening.found is None
    evening.told("close", 60)
    evening.beating(61, 62, "g1")
    assert evening.found is not None, "told to close, and still open"


def test_a_hold_ends_the_alarm_and_a_closing_ends_the_hold() -> None:
    evening = Gateway()
    evening.happens(1, K.OPENED)
    evening.beating(2, 5, "g1")
    assert evening.found is not None
    evening.told("hold", 5)
    evening.beating(6, 7, "g1")
    assert evening.found is None
    evening.happens(8, K.CLOSED)
    evening.happens(9, K.OPENED)
    evening.beating(10, 12, "g1")
    assert evening.found is not None


def test_what_somebody_resolved_is_not_told_again_while_it_goes_on_not_even_after_a_restart() -> None:
    evening = Gateway()
    opened = evening.event(1, K.OPENED)
    evening.until(1, opened)
    evening.beating(2, 5, "g1")
    alert = evening.found
    assert alert is not None
    evening.watch.alerts.act(alert, "resolve", "wang", "The bar is broken", BEGIN + 6 * MINUTE)
    evening.beating(7, 9, "g1")
    assert evening.found is None
    again = Gateway(watch=Watch([lodge()], alerts=[alert], last_alert=9))
    again.watch.recall([opened], [])
    again._seqs["g1"] = 1
    again.watch.hearing.device("g1").add("b1", 1)
    again.beating(10, 11, "g1")
    assert again.found is None
    again.happens(12, K.CLOSED)
    again.happens(13, K.OPENED)
    again.beating(14, 17, "g1")
    assert again.found is not None, "another opening is another matter"


def test_the_plan_says_for_how_long_or_that_nobody_minds() -> None:
    for text, expected in (("held_open_after: 10s", True), ("held_open_after: never", False)):
        evening = Gateway(lodge(("kind: gate, posts: [gate]}", f"kind: gate, posts: [gate], {text}}}")))
        evening.happens(1, K.OPENED)
        evening.beating(1.5, 2, "g1")
        assert (evening.found is not None) is expected
