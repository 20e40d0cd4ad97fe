"""Commands to devices: what becomes of them, told as timelines. Nothing in here is ever sent; nothing is sent twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.alert import AlertKind, Severity, WrongStateError
from gateway.domain.commands import AT_GATES, LIVE, PENDING, Command, CommandState, Settled
from gateway.domain.facts import Status
from gateway.domain.watch import Watch
from tests.unit.domain.evening import BEGIN, MINUTE, Evening, story
from tests.unit.domain.evening import lodge as the_lodge

S = CommandState
SECOND = 1000


def asked(cmd: str = "open", at_s: float = 0, for_s: int = 10, id: str = "c1", device: str = "g1") -> Command:
    at = BEGIN + round(at_s * SECOND)
    return Command(id, "lodge", device, cmd, {}, "wang", "Ambulance", at, at + for_s * SECOND)


def sent(cmd: str = "open", at_s: float = 0, for_s: int = 10, id: str = "c1", device: str = "g1") -> Command:
    command = asked(cmd, at_s, for_s, id, device)
    return replace(command, state=S.SENT, sent_at=command.requested_at)


class Lodge(Evening):
    """An evening at which people tell the barrier what to do."""

    def puts(self, *commands: Command) -> Lodge:
        for command in commands:
            self.watch.commands.put(command)
        return self

    def answer(self, at_s: float, result: str, to: str = "c1", device: str = "g1") -> None:
        status = self.status(at_s / 60, device)
        status.reply_to, status.result = to, result
        self.until(at_s / 60, status)

    def second(self, at_s: float) -> None:
        self.until(at_s / 60)

    @property
    def command(self) -> Command:
        found = self.watch.commands.find("c1")
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("cmd", "result", "state"),
    [("open", "done", S.DONE), ("open", "refused", S.REFUSED), ("open", "failed", S.FAILED),
     ("open", "unknown", S.UNCERTAIN), ("call", "unknown", S.FAILED), ("sync_clock", "done", S.DONE)],
)  # fmt: skip
def test_the_answer_says_what_became_of_it(cmd: str, result: str, state: CommandState) -> None:
    lodge = Lodge().puts(sent(cmd))
    lodge.answer(3, result)
    assert (lodge.command.state, lodge.command.result, lodge.command.answer) == (state, result, "g1/b1/1")
    lodge.second(60)
    assert lodge.command.state is state


@pytest.mark.parametrize(("cmd", "severity"), [("open", "major"), ("hold", "major"), ("close", "minor")])
def test_a_barrier_command_that_nobody_answers_is_uncertain_and_somebody_is_told(
    cmd: str, severity: str
) -> None:
    lodge = Lodge().puts(sent(cmd))
    lodge.second(9.9)
    assert lodge.command.state is S.SENT and not lodge.alerts
    lodge.second(10)
    assert lodge.command.state is S.UNCERTAIN
    alert = lodge.one(AlertKind.COMMAND_UNCERTAIN, "g1")
    assert (alert.severity, alert.reason.code) == (Severity(severity), f"{cmd}_uncertain")
    assert alert.reason.params == {"by": "wang", "at": BEGIN, "command": "c1"}
    assert alert.deadline == BEGIN + 10 * SECOND


def test_a_late_answer_heals_it_and_ends_the_alert() -> None:
    lodge = Lodge().puts(sent())
    lodge.second(600)
    lodge.answer(700, "done")
    assert (lodge.command.state, lodge.command.result) == (S.DONE, "done")
    alert = lodge.one(AlertKind.COMMAND_UNCERTAIN, "g1")
    assert "recovered" in story(alert)
    assert alert.closed_at is not None and alert.facts == [lodge.command.answer]


def test_a_person_settles_it_and_a_later_answer_stands_beside_what_was_seen() -> None:
    lodge = Lodge().puts(sent())
    lodge.second(20)
    seen = Settled("li", False, "The bar is down", BEGIN + 30 * SECOND)
    lodge.watch.commands.settle("c1", seen)
    lodge.second(30)
    assert (lodge.command.state, lodge.command.settled) == (S.FAILED, seen)
    assert lodge.one(AlertKind.COMMAND_UNCERTAIN, "g1").closed_at is not None
    with pytest.raises(WrongStateError, match="failed"):
        lodge.watch.commands.settle("c1", seen)
    lodge.answer(40, "done")
    assert (lodge.command.state, lodge.command.result) == (S.FAILED, "done")


def test_what_was_never_sent_expires_and_is_no_ones_alarm() -> None:
    lodge = Lodge().puts(asked())
    lodge.second(10)
    assert lodge.command.state is S.EXPIRED and not lodge.alerts


def test_a_call_that_nobody_answers_expires_and_is_no_ones_alarm() -> None:
    lodge = Lodge().puts(sent("call"))
    lodge.second(10)
    assert lodge.command.state is S.EXPIRED and not lodge.alerts
    lodge.answer(12, "done")
    assert lodge.command.state is S.DONE


def test_only_the_device_that_was_asked_can_answer_and_only_once() -> None:
    lodge = Lodge().puts(sent())
    lodge.answer(1, "done", device="k1")
    lodge.answer(2, "done", to="c2")
    assert lodge.command.state is S.SENT
    lodge.answer(3, "refused")
    lodge.answer(4, "done")
    assert (lodge.command.state, lodge.command.result) == (S.REFUSED, "refused")


def test_of_two_who_press_at_once_the_second_learns_of_the_first() -> None:
    commands = Lodge().puts(sent("open")).watch.commands
    for cmd in ("open", "hold"):
        found = commands.blocking("g1", cmd)
        assert found is not None and found.id == "c1"
    assert commands.blocking("g1", "close") is None, "a barrier that opens can be told to close"
    assert commands.blocking("g2", "open") is None


def test_an_uncertain_opening_is_settled_before_the_next_but_closing_is_always_possible() -> None:
    lodge = Lodge().puts(sent("open"))
    lodge.second(10)
    commands = lodge.watch.commands
    assert commands.blocking("g1", "open") is not None and commands.blocking("g1", "close") is None
    commands.settle("c1", Settled("li", True, "", BEGIN))
    assert commands.blocking("g1", "open") is None


def test_the_alert_stays_until_the_last_of_several_is_certain() -> None:
    lodge = Lodge().puts(sent("open"), sent("close", 1, id="c2"))
    lodge.second(30)
    lodge.answer(31, "done")
    alert = lodge.one(AlertKind.COMMAND_UNCERTAIN, "g1")
    assert alert.closed_at is None
    lodge.answer(32, "done", to="c2")
    assert alert.closed_at is not None


def test_after_a_restart_nothing_is_sent_what_was_sent_is_uncertain_and_what_was_not_expires() -> None:
    stored = [sent(), asked(id="c2", device="g2")]
    lodge = Lodge(watch=Watch([the_lodge()], commands=stored))
    lodge.second(11)
    states = [found.state for id in ("c1", "c2") if (found := lodge.watch.commands.find(id))]
    assert states == [S.UNCERTAIN, S.EXPIRED]


def test_those_that_ended_are_forgotten_and_uncertain_ones_are_not() -> None:
    lodge = Lodge().puts(sent(), sent("call", id="c2", device="s1"))
    lodge.second(20)
    lodge.watch.commands.forget_before(BEGIN + 100 * MINUTE)
    assert lodge.watch.commands.find("c1") and not lodge.watch.commands.find("c2")


def test_while_a_backlog_is_read_answers_are_heard_and_nothing_runs_out() -> None:
    lodge = Lodge().puts(sent(), sent("close", id="c2"))
    status = lodge.status(1, "g1")
    status.reply_to, status.result = "c1", "done"
    changes = lodge.watch.take_events(BEGIN + MINUTE, [], [status])
    assert {each.id: each.state for each in changes.commands} == {"c1": S.DONE, "c2": S.SENT}


steps = st.lists(
    st.tuples(
        st.sampled_from(["done", "refused", "failed", "unknown", "settle", "wait"]), st.integers(1, 15)
    ),
    max_size=8,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(AT_GATES)), steps)
def test_whatever_happens_a_command_is_never_pending_again(cmd: str, steps: list[tuple[str, int]]) -> None:
    """Law 15: there is no way back to a state from which something would be sent."""
    watch = Watch([the_lodge()])
    commands = watch.commands
    commands.put(sent(cmd))
    now, left = BEGIN, False
    for seq, (what, after_s) in enumerate(steps, 1):
        now += after_s * SECOND
        commands.step(now)
        if what == "settle":
            command = commands.find("c1")
            if command is not None and command.state is S.UNCERTAIN:
                commands.settle("c1", Settled("li", True, "", now))
        elif what != "wait":
            fact = Status("g1", "b1", seq, now, now, 0, None, reply_to="c1", result=what)
            commands.answered(fact, now)
        command = commands.find("c1")
        assert command is not None
        left |= command.state not in PENDING
        assert not (left and command.state in PENDING)
        live = watch.alerts.live_of(AlertKind.COMMAND_UNCERTAIN, "g1")
        assert (live is not None) == (command.state is S.UNCERTAIN)
        assert command.state in LIVE or command.ended_at is not None
