"""OSDP readers on a real pseudo-terminal, with libosdp's own peripheral devices at the other end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from pathlib import Path

import pytest

from gateway.clock import SYSTEM_CLOCK
from gateway.engine import Engine
from gateway.ingest.osdp import panel as panel_module
from gateway.ingest.osdp.bus import STOP_S, run_bus
from gateway.ingest.osdp.line import Line
from gateway.ingest.osdp.panel import OsdpReader
from gateway.store.sqlite import SqliteStore
from tests.integration.osdp.street import DEADLINE_S, KEY, OTHER_KEY, Ear, reader, serving, street
from tests.integration.service.yard import NEW_TAG, SHED, YARD, plan_of, until


async def test_a_card_becomes_a_scan_and_the_guard_is_told_only_once_it_is_stored(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await line.one(reader=1, secure=True)
        await ear.state(True)
        beat = await ear.one(type="status")
        assert (beat["firmware"], beat["buffered"]) == ("1.2.3", 0)
        line.happen("tap 1 26 80123440")
        scan = await ear.one(type="scan")
        assert (scan["tag"], scan["via"], scan["frame"]) == ("002468", "osdp", "00011a0080123440")
        line.happen("tap 1 56 04DE5F1EACC040")
        await ear.one(tag="04DE5F1EACC040")
        assert line.having(light="green") == []  # nothing is stored yet
        ear.acknowledge()
        await line.one(light="green")
        await line.one(beeps=1)
        assert line.having(light="red") == []


async def test_a_refused_tap_is_red_with_three_beeps(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("tap 1 32 DEADBEEF")
        await ear.one(type="scan")
        ear.acknowledge("unknown_tag")
        await line.one(light="red")
        await line.one(beeps=3)


async def test_the_gateway_knows_the_right_point_from_the_wrong_one(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "patrol.sqlite")
    engine = Engine(store, SYSTEM_CLOCK)
    await engine.load({"yard": [plan_of(YARD, SYSTEM_CLOCK.now())]})
    running = asyncio.create_task(engine.run())
    guard = OsdpReader(1, "yard", "scanner-1", "door")
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, guard, receive=engine.receive):
        await line.one(secure=True)
        await until(lambda: engine.desks["yard"].doors.by_device["scanner-1"].health.online is True)
        line.happen(f"tap 1 56 {SHED}")
        await line.one(light="green")
        line.happen(f"tap 1 56 {NEW_TAG}")
        await line.one(light="red")
    engine.stop()
    await running
    assert [entry.reason for entry in await store.quarantine(None, limit=10)] == ["unknown_tag"]
    assert engine.desks["yard"].doors.by_device["scanner-1"].health.firmware == "1.2.3"
    await store.close()


async def test_a_card_that_cannot_be_read_goes_to_the_quarantine_and_is_red(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("tap 1 26 00123440")
        await line.one(light="red")
        (wrong,) = [each["wrong"] for each in ear.said if "wrong" in each]
        assert wrong[0] == "bad_checksum"


async def test_a_card_that_is_held_to_the_reader_is_one_tap(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("tap 7 32 DEADBEEF")  # there is no such reader
        line.happen("dance")
        for card in ("DEADBEEF", "DEADBEEF", "DEADBEEF", "DEADBEE1"):
            line.happen(f"tap 1 32 {card}")
        await ear.one(tag="DEADBEE1")
        assert len(ear.having(tag="DEADBEEF")) == 1


async def test_a_reader_with_another_key_is_not_used_and_it_is_said_why(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: OTHER_KEY}) as line, serving(line.port, reader(1), receive=ear):
        report = await ear.one(category="osdp_wrong_key")
        assert report["severity"] == "major"
        line.happen("tap 1 32 DEADBEEF")
        line.happen("reboot 1")
        line.happen("tap 1 32 DEADBEEF")
        await ear.state(False)
        assert ear.having(online=True) == []
        assert ear.having(type="scan") == []


async def test_a_reader_without_a_key_is_given_one_only_where_that_is_said(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: None}) as line:
        async with serving(line.port, reader(1), receive=ear):
            await ear.one(category="osdp_wrong_key")
        assert line.having(key=True) == []
        async with serving(line.port, reader(1, install=True), receive=ear):
            await line.one(key=True)
            await ear.state(True)
        ear = Ear()
        async with serving(line.port, reader(1), receive=ear):
            await ear.state(True)


async def test_a_line_that_was_cut_for_seconds_is_used_again_when_it_is_whole(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("cut")
        await ear.state(False)
        line.happen("mend")
        await ear.state(True)
        line.happen("tap 1 32 DEADBEEF")
        await ear.one(tag="DEADBEEF")


async def test_an_adapter_that_was_pulled_out_is_used_again_under_its_name(tmp_path: Path) -> None:
    ear = Ear()
    problems: list[str | None] = []
    async with (
        street(tmp_path, {1: KEY}) as line,
        serving(line.port, reader(1), receive=ear, line_changed=lambda problem, _: problems.append(problem)),
    ):
        await ear.state(True)
        line.happen("unplug")
        await ear.state(False)
        line.happen("plug")
        await ear.state(True)
        line.happen("tap 1 32 DEADBEEF")
        await ear.one(tag="DEADBEEF")
        assert problems[-1] is None
        assert "unplugged" in problems


async def test_a_reader_that_starts_again_is_there_again(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("reboot 1")
        await ear.state(False)
        await ear.state(True)
        line.happen("tap 1 32 DEADBEEF")
        await ear.one(tag="DEADBEEF")
        assert ear.having(type="report") == []


async def test_two_readers_share_a_line_and_a_dead_one_does_not_stop_the_other(tmp_path: Path) -> None:
    ear = Ear()
    async with (
        street(tmp_path, {1: KEY, 2: KEY}) as line,
        serving(line.port, reader(1), reader(2), receive=ear),
    ):
        await ear.state(True)
        await ear.state(True, "reader-2")
        line.happen("tap 1 32 00000001")
        line.happen("tap 2 32 00000002")
        await ear.one(device="reader-1", tag="00000001")
        await ear.one(device="reader-2", tag="00000002")
        ear.acknowledge()
        await line.one(reader=1, light="green")
        await line.one(reader=2, light="green")
        line.happen("off 1")
        await ear.state(False)
        line.happen("tap 2 32 00000003")
        await ear.one(device="reader-2", tag="00000003")
        line.happen("reboot 1")
        await ear.state(True)


async def test_what_a_reader_says_of_itself_is_reported(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("tamper 1 on")
        await ear.one(category="osdp_tamper", severity="major", resolved=False)
        line.happen("tamper 1 off")
        await ear.one(category="osdp_tamper", severity="info", resolved=True)
        line.happen("power 1 fails")
        await ear.one(category="osdp_power", severity="major", resolved=False)
        assert len(ear.having(category="osdp_tamper")) == 2


async def test_a_light_that_the_reader_refuses_is_left_out_from_then_on(tmp_path: Path) -> None:
    ear = Ear()
    async with street(tmp_path, {1: KEY}) as line, serving(line.port, reader(1), receive=ear):
        await ear.state(True)
        line.happen("mute 1")
        line.happen("reboot 1")
        await ear.state(False)
        await ear.state(True)
        for card in ("00000001", "00000002"):  # one for the light, one for the buzzer
            line.happen(f"tap 1 32 {card}")
            await ear.one(tag=card)
            ear.acknowledge()
            await ear.state(False)  # libosdp drops a reader that refuses something
            await ear.state(True)
        losses = len(ear.having(online=False))
        for card in ("00000003", "00000004"):
            line.happen(f"tap 1 32 {card}")
            await ear.one(tag=card)
            ear.acknowledge()
        line.happen("tap 1 32 00000005")
        await ear.one(tag="00000005")
        assert len(ear.having(online=False)) == losses


async def test_a_stuck_line_stops_neither_the_loop_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, free = threading.Event(), threading.Event()

    def wait_for_ever(line: Line, max_bytes: int) -> bytes:
        stuck.set()
        free.wait()
        return b""

    monkeypatch.setattr(Line, "read", wait_for_ever)
    loop = asyncio.get_running_loop()
    async with street(tmp_path, {1: KEY}) as line:
        async with serving(line.port, reader(1), receive=Ear()):
            await asyncio.to_thread(stuck.wait)
            began = loop.time()
        assert STOP_S <= loop.time() - began < STOP_S + 5
    free.set()


@pytest.mark.parametrize(
    ("there", "code"), [(None, "no_such_port"), ("a file", "cannot_open"), ("taken", "busy")]
)
async def test_it_is_said_why_a_line_cannot_be_opened(tmp_path: Path, there: str | None, code: str) -> None:
    port, said = tmp_path / "line", asyncio.Queue[str | None]()
    if there == "a file":
        port.write_bytes(b"")
    master, slave = os.openpty()
    if there == "taken":
        port.symlink_to(os.ttyname(slave))
        fcntl.flock(slave, fcntl.LOCK_EX)
    ear = Ear()
    async with serving(
        port, reader(1), receive=ear, line_changed=lambda problem, _: said.put_nowait(problem)
    ):
        assert await asyncio.wait_for(said.get(), DEADLINE_S) == code
        await ear.state(False)
    os.close(slave)
    os.close(master)


async def test_a_line_whose_thread_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(panel: panel_module.Panel, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(panel_module.Panel, "_turn", fail)
    with pytest.raises(ZeroDivisionError):
        async with serving(tmp_path / "line", reader(1), receive=Ear()) as bus:
            await asyncio.wait({bus})


@pytest.mark.parametrize("addresses", [[], [1, 1], [127], [*range(33)]])
async def test_readers_that_cannot_share_a_line_are_refused(addresses: list[int], tmp_path: Path) -> None:
    readers = [reader(address) for address in addresses]
    with pytest.raises(ValueError, match=r"readers|address"):
        await run_bus(str(tmp_path / "line"), 9600, readers, {}, {"door": KEY})
