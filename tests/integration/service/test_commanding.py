"""Commands from a person to a device, through a real store: stored before they are sent, sent once, never again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commanding import Commanding, NotAllowedError, NotNowError, UnfitError
from gateway.domain.commands import Command
from gateway.engine import Engine
from gateway.ingest.delivery import Delivery
from gateway.instants import parse_instant
from tests.integration.service.test_engine import Shaky, Wire
from tests.integration.service.yard import SECOND, YARD, HandClock, encode, plan_of, record

BEGIN = parse_instant("2026-11-23T12:00:00+08:00")
PEOPLE = """people:
  - {id: wang, name: 王建国, role: shift_leader}
  - {id: sun, name: 孙丽, role: gate_guard}
  - {id: li, name: 李强, role: guard}
"""
PLAN = YARD.replace("posts:\n", PEOPLE + "posts:\n", 1)


class Lodge:
    """An engine with a gate that is there, and what was sent to it, with what the store held at that moment."""

    def __init__(self, store: Shaky, clock: HandClock, plan: str) -> None:
        self.store, self.clock, self.plan = store, clock, plan
        self.sent: list[dict[str, Any]] = []
        self.stored_as: list[str] = []
        self.taken = True
        self.start()

    def start(self) -> None:
        self.engine = Engine(self.store, self.clock, self.send_down)
        self.commanding = Commanding(self.engine)
        self.wire = Wire()
        self.packets = 0

    def send_down(
        self, site: str, device: str, suffix: str, payload: bytes, *, expiry_s: float | None = None
    ) -> bool:
        if suffix == "down/cmd":
            self.sent.append({"to": f"{site}/{device}", "expiry_s": expiry_s} | json.loads(payload))
        return self.taken

    async def run(self) -> None:
        await self.engine.load({"yard": [plan_of(self.plan, BEGIN)]})
        self.task = asyncio.create_task(self.engine.run())

    async def stop(self) -> None:
        self.engine.stop()
        await self.task

    async def take(self, *records: dict[str, Any], topic: str = "patrol/v1/yard/gate-1/up") -> None:
        self.packets += 1
        payload = encode(*records)
        self.engine.receive([Delivery(topic, payload, self.clock.now(), False, self.packets, self.wire)])
        await self.wire.told(self.packets)

    async def online(self, online: bool = True) -> None:
        await self.take({"online": online}, topic="patrol/v1/yard/gate-1/state")

    async def answer(self, seq: int, to: str, result: str = "done") -> None:
        await self.take(record(seq, "status", at=self.clock.at, reply_to=to, result=result))

    async def becomes(self, seconds: float) -> None:
        self.clock.at = BEGIN + round(seconds * SECOND)
        for _ in range(2):
            await self.engine.request(lambda work: None)

    async def opens(self, by: str = "wang", cmd: str = "open", **more: Any) -> dict[str, Any]:
        return await self.commanding.command("yard", "gate-1", cmd, {}, by, "Ambulance", **more)

    async def state_of(self, command: dict[str, Any]) -> str:
        found = await self.store.command(command["id"])
        assert found is not None
        return str(found["state"])

    async def acts(self) -> list[tuple[str, str]]:
        return [(row.what, row.by) for row in reversed(await self.store.actions("yard"))]


@contextlib.asynccontextmanager
async def at_lodge(folder: Path, plan: str = PLAN) -> AsyncIterator[Lodge]:
    store = await Shaky.open(folder / "patrol.sqlite")
    assert isinstance(store, Shaky)
    lodge = Lodge(store, HandClock(BEGIN), plan)
    await lodge.run()
    await lodge.online()
    try:
        yield lodge
        assert (await store.verify())[1] == []
    finally:
        await lodge.stop()
        await store.close()


async def test_an_opening_is_stored_then_sent_then_answered_and_each_change_is_an_act(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        command = await lodge.opens(origin="192.0.2.7")
        assert (command["state"], command["by"], command["from"]) == ("sent", "wang", "192.0.2.7")
        (sent,) = lodge.sent
        assert sent == {
            "to": "yard/gate-1",
            "expiry_s": 10.0,
            "id": command["id"],
            "cmd": "open",
            "args": {"by": "wang"},
            "expires": command["expires_at"],
        }
        await lodge.answer(1, command["id"])
        found = await lodge.store.command(command["id"])
        assert found is not None
        assert (found["state"], found["result"], found["answer"]) == ("done", "done", "gate-1/b1/1")
        expected = [("command_requested", "wang"), ("command_sent", "@gateway"), ("command_done", "@gateway")]
        assert await lodge.acts() == expected
        await lodge.becomes(60)
        assert len(lodge.sent) == 1


async def test_nothing_is_sent_before_it_is_stored(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        lodge.store.may_write = asyncio.Event()
        asking = asyncio.create_task(lodge.opens())
        for _ in range(20):
            await asyncio.sleep(0)
        assert lodge.sent == [] and not asking.done()
        lodge.store.may_write.set()
        command = await asking
        assert len(lodge.sent) == 1 and command["state"] == "sent"
        lodge.store.may_write = None


async def test_a_disk_that_is_too_slow_lets_it_expire_unsent(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        lodge.store.may_write = asyncio.Event()
        asking = asyncio.create_task(lodge.opens())
        for _ in range(20):
            await asyncio.sleep(0)
        lodge.clock.at += 11 * SECOND
        lodge.store.may_write.set()
        assert (await asking)["state"] == "expired"
        assert lodge.sent == []
        lodge.store.may_write = None


async def test_what_nobody_answers_is_uncertain_and_stays_so_after_a_restart_without_being_sent_again(
    tmp_path: Path,
) -> None:
    async with at_lodge(tmp_path) as lodge:
        command = await lodge.opens()
        await lodge.becomes(5)
        await lodge.stop()
        lodge.clock.at = BEGIN + 20 * SECOND
        lodge.start()
        await lodge.run()
        await lodge.take(record(1, "status", at=lodge.clock.at))
        lodge.engine._hold_began -= 60  # the backlog has had its time
        await lodge.becomes(21)
        assert await lodge.state_of(command) == "uncertain"
        (alert,) = await lodge.store.alerts("yard", ("open",))
        assert (alert["kind"], alert["subject"], alert["reason"]["code"]) == (
            "command_uncertain", "gate-1", "open_uncertain",
        )  # fmt: skip
        assert len(lodge.sent) == 1, "never repeated by itself"
        with pytest.raises(NotNowError) as pending:
            await lodge.opens("sun")
        assert pending.value.before is not None and pending.value.before.id == command["id"]
        settled = await lodge.commanding.settle(command["id"], "li", True, "The bar is up")
        assert (settled["state"], settled["settled"]["by"]) == ("done", "li")
        assert not await lodge.store.alerts("yard", ("open",))
        assert (await lodge.acts())[-1] == ("command_settled", "li")
        assert len(lodge.sent) == 1


async def test_what_was_stored_and_not_sent_before_a_crash_is_never_sent(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        at = lodge.clock.at
        command = Command("yard-c1", "yard", "gate-1", "open", {}, "wang", "x", at, at + 10 * SECOND)

        def leave(work: Any) -> None:
            lodge.engine.desks["yard"].watch.commands.put(command)
            lodge.engine.advance("yard", (), work, at)

        await lodge.engine.request(leave)
        await lodge.stop()
        lodge.start()
        await lodge.run()
        lodge.engine._hold_began -= 60
        await lodge.becomes(11)
        found = await lodge.store.command("yard-c1")
        assert found is not None and found["state"] == "expired"
        assert lodge.sent == []


async def test_an_answer_while_a_backlog_is_read_counts_at_once(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        lodge.engine.hold()
        command = await lodge.opens()
        await lodge.answer(1, command["id"])
        assert lodge.engine.holding
        assert await lodge.state_of(command) == "done"


async def test_who_may_not_is_refused_and_that_is_recorded(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        for by in ("li", "nobody"):
            with pytest.raises(NotAllowedError, match="gate_guard"):
                await lodge.opens(by)
        assert lodge.sent == [] and not await lodge.store.commands("yard")
        assert await lodge.acts() == [("denied_command", "li"), ("denied_command", "nobody")]
        await lodge.opens("sun")


async def test_the_plan_says_who_may(tmp_path: Path) -> None:
    plan = PLAN.replace("posts:\n", "commands: {open: [guard]}\nposts:\n", 1)
    async with at_lodge(tmp_path, plan) as lodge:
        with pytest.raises(NotAllowedError):
            await lodge.opens("wang")
        assert (await lodge.opens("li"))["state"] == "sent"
        assert (await lodge.opens("wang", "close"))["state"] == "sent"


async def test_two_who_press_at_once_open_it_once(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        outcomes = await asyncio.gather(lodge.opens("wang"), lodge.opens("sun"), return_exceptions=True)
        first, second = outcomes
        assert isinstance(first, dict) and isinstance(second, NotNowError)
        assert (second.state, second.before and second.before.by) == ("pending", "wang")
        assert len(lodge.sent) == 1


async def test_a_gate_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        await lodge.online(False)
        with pytest.raises(NotNowError, match="cannot be reached") as offline:
            await lodge.opens()
        assert offline.value.state == "offline"
        await lodge.online()
        lodge.engine.can_hear_now(False, "the broker is away")
        await lodge.becomes(1)
        with pytest.raises(NotNowError, match="cannot be reached"):
            await lodge.opens()
        assert lodge.sent == [] and not await lodge.store.commands("yard")


async def test_what_no_transport_takes_has_failed_and_is_no_alarm(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        lodge.taken = False
        command = await lodge.opens()
        assert (command["state"], command["result"]) == ("failed", "not_delivered")
        await lodge.becomes(60)
        assert not await lodge.store.alerts("yard", ("open",))


async def test_a_barrier_is_opened_by_its_own_commander_where_it_has_one(tmp_path: Path) -> None:
    class Hand:
        asked: list[Command] = []  # noqa: RUF012

        def send(self, command: Command) -> bool:
            self.asked.append(command)
            return True

    async with at_lodge(tmp_path) as lodge:
        lodge.engine.commanders["yard", "gate-1"] = Hand()
        command = await lodge.opens(expires_s=300)
        assert [each.id for each in Hand.asked] == [command["id"]] and lodge.sent == []
        assert Hand.asked[0].expires_at == BEGIN + 300 * SECOND


async def test_only_a_gate_can_be_opened(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        with pytest.raises(UnfitError, match="no gate"):
            await lodge.commanding.command("yard", "console-1", "open", {}, "wang", "x")
        with pytest.raises(KeyError):
            await lodge.commanding.command("yard", "gate-9", "open", {}, "wang", "x")


async def test_a_new_plan_in_the_middle_of_a_command_loses_nothing(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        command = await lodge.opens()
        await lodge.engine.adopt_plan(plan_of(PLAN, BEGIN + 1, 2), PLAN)
        await lodge.answer(1, command["id"])
        assert await lodge.state_of(command) == "done"


async def test_a_command_whose_record_was_changed_is_found(tmp_path: Path) -> None:
    async with at_lodge(tmp_path) as lodge:
        command = await lodge.opens()
        with contextlib.closing(sqlite3.connect(tmp_path / "patrol.sqlite")) as other:
            body = other.execute("SELECT body FROM commands").fetchone()[0]
            other.execute("UPDATE commands SET body = ?", (body.replace(b"wang", b"chen"),))
            other.commit()
            _, faults = await lodge.store.verify()
            assert [command["id"] in fault.what for fault in faults] == [True]
            other.execute("UPDATE commands SET body = ?", (body,))
            other.commit()
