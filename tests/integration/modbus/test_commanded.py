"""From a person to a bar and back: the API's way of commanding, a Modbus line, and a controller at its other end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from checkpoint_firmware_sim.modbus import Controller, Fault
from checkpoint_firmware_sim.modbus_line import ModbusLine as Played
from gateway.ingest.bridge import Bridge
from gateway.ingest.commander import Commander
from gateway.ingest.modbus.bus import ModbusLine, run_bus
from tests.integration.modbus.line import unit
from tests.integration.service.test_commanding import Lodge, at_lodge
from tests.integration.service.yard import until


@contextlib.asynccontextmanager
async def wired(lodge: Lodge, controller: Controller) -> AsyncIterator[None]:
    """The lodge's gate on a line."""

    def register(site: str, device: str, commander: Commander) -> None:
        lodge.engine.commanders[site, device] = commander

    played = Played([controller])
    line = ModbusLine(played.path, (unit(),), parity="N", poll_s=0.02, timeout_s=0.15, leave_s=0.5)
    bus = run_bus(
        line,
        lambda site, device: Bridge(site, device, "modbus", lodge.engine.receive, lodge.clock),
        lodge.clock,
        register,
        lambda *_: "closed",
    )
    task = asyncio.create_task(bus)
    await until(lambda: lodge.engine.desks["yard"].doors.by_device["gate-1"].boot is not None)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        played.close()


async def test_a_person_opens_a_bar_and_the_record_of_it_names_the_person(tmp_path: Path) -> None:
    controller = Controller("came-ptx")
    async with at_lodge(tmp_path) as lodge, wired(lodge, controller):
        command = await lodge.opens("sun")

        async def opened() -> bool:
            gate = lodge.engine.desks["yard"].watch.gates.gates.get("gate-1")
            return gate is not None and gate.position == "open"

        await until(opened)
        assert await lodge.state_of(command) == "done"
        event = lodge.engine.desks["yard"].watch.gates.feed[-1]
        assert (event.event.value, event.cause, event.by) == ("opened", "remote", "sun")
        assert controller.opened == 1 and lodge.sent == [], "nothing went the native way"


async def test_a_bar_whose_controller_does_not_answer_is_uncertain_and_told_once(tmp_path: Path) -> None:
    controller = Controller("came-ptx")
    async with at_lodge(tmp_path) as lodge, wired(lodge, controller):
        controller.fault = Fault.MUTE
        command = await lodge.opens()
        await until(lambda: controller.opened == 1)
        await lodge.becomes(11)
        assert await lodge.state_of(command) == "uncertain"
        controller.fault = Fault.NONE
        await until(lambda: bool(lodge.engine.desks["yard"].watch.gates.feed))
        assert lodge.engine.desks["yard"].watch.gates.feed[-1].cause == "unknown"
        assert await lodge.state_of(command) == "uncertain", "somebody may have pressed the button"
        assert controller.opened == 1
