"""A Modbus line over pseudo-terminals: pymodbus's own server, and controllers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from checkpoint_firmware_sim.modbus import Controller, Fault
from checkpoint_firmware_sim.modbus_line import ModbusLine as Played
from tests.integration.modbus.line import Cable, Listener, command, gateway, unit

# -- the peer library ----------------------------------------------------------------------------------------


class Server:
    """pymodbus's server with a CAME controller: what its registers hold, and what was written to it."""

    def __init__(self) -> None:
        self.status = 17
        self.written: list[tuple[int, int]] = []

    async def act(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function == 3:
            registers[address - start] = self.status
        elif values is not None:
            self.written.append((function, address))
        return None


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    cable, peer = Cable(), Server()
    bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
    words = [SimData(100, count=10, values=0, datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(bits, bits, words, words), action=peer.act)
    serving = ModbusSerialServer(device, port=cable.other, ignore_missing_devices=True)
    await serving.serve_forever(background=True)
    try:
        yield peer, cable.one
    finally:
        await serving.shutdown()
        cable.close()


async def test_a_barrier_is_read_and_opened_at_pymodbuss_own_server(server: tuple[Server, str]) -> None:
    peer, port = server
    async with gateway(port, known="unknown") as line:
        await line.until(lambda: line.names() == ["closed"] and line.online())
        opening = command()
        assert line.commanders["gate-1"].send(opening)
        await line.until(lambda: line.result_of(opening) == "done")
        assert peer.written == [(5, 1)]
        peer.status = 32
        peer.status = 16
        await line.until(lambda: len(line.events()) == 2)
        assert line.events()[1] == {"event": "opened", "cause": "remote", "by": "wang"}


# -- the controllers of the simulator ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def played(*controllers: Controller) -> AsyncIterator[Played]:
    line = Played(controllers)
    try:
        yield line
    finally:
        line.close()


async def opened(line: Listener, times: int = 1) -> None:
    await line.until(lambda: line.names().count("opened") == times)


async def answered_again(line: Listener, controller: Controller) -> None:
    """Wait until the unit has been asked anew and has answered."""
    controller.fault = Fault.NONE
    controller.press("open", asyncio.get_running_loop().time())
    await opened(line)


@pytest.mark.parametrize("name", ["came-ptx", "roger", "relay-inputs"])
async def test_each_make_is_opened_and_closed(name: str) -> None:
    controller = Controller(name)
    async with played(controller) as real, gateway(real.path, unit(name)) as line:
        await line.until(line.online)
        for cmd in ("open", "close"):
            wanted = command(cmd, cmd)
            line.commanders["gate-1"].send(wanted)
            await line.until(lambda wanted=wanted: line.result_of(wanted) == "done")  # type: ignore[misc]
            name_of = {"open": "opened", "close": "closed"}[cmd]
            await line.until(lambda name_of=name_of: name_of in line.names())  # type: ignore[misc]
        assert line.events() == [
            {"event": "opened", "cause": "remote", "by": "wang"},
            {"event": "closed", "cause": "remote", "by": "wang"},
        ]


async def test_a_relay_board_says_that_it_did_and_claims_no_more() -> None:
    controller = Controller("relay")
    async with played(controller) as real, gateway(real.path, unit("relay")) as line:
        await line.until(line.online)
        wanted = command("hold")
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == "done")
        assert controller.opened == 1 and line.events() == []


async def test_somebody_at_the_button_is_seen_and_nobody_is_named() -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        real.obey("open 1")
        await opened(line)
        assert line.events() == [{"event": "opened", "cause": "unknown"}]


async def test_where_nothing_else_opens_it_that_is_forced() -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path, unit(alone=True)) as line:
        await line.until(line.online)
        real.obey("open 1")
        await line.until(lambda: line.names() == ["forced"])


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.LATE, Fault.OTHER_UNIT, Fault.BAD_CRC, Fault.SHORT])
async def test_an_opening_whose_answer_is_lost_has_no_result_and_is_never_sent_again(fault: Fault) -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        controller.fault = fault
        wanted = command()
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.online() is False)
        assert controller.opened == 1 and line.result_of(wanted) is None
        controller.fault = Fault.NONE
        await line.until(lambda: line.online() is True)
        await opened(line)
        assert line.events() == [{"event": "opened", "cause": "unknown"}], "nobody knows whose doing it was"
        assert controller.opened == 1 and line.result_of(wanted) is None


@pytest.mark.parametrize("fault", [Fault.JUNK, Fault.OTHER_FIRST])
async def test_what_lies_before_an_answer_is_passed_over(fault: Fault) -> None:
    controller = Controller("came-ptx", fault=fault)
    async with played(controller) as real, gateway(real.path) as line:
        wanted = command()
        await line.until(line.online)
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == "done")
        await opened(line)
        assert controller.opened == 1 and not line.refused


@pytest.mark.parametrize(("fault", "result"), [(Fault.BUSY, "refused"), (Fault.FAILED, "failed")])
async def test_an_exception_is_an_answer(fault: Fault, result: str) -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        controller.fault = fault
        wanted = command()
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == result)
        assert controller.opened == 0


async def test_a_controller_that_keeps_saying_that_it_failed_is_at_fault_until_it_does_not() -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        controller.fault = Fault.FAILED
        await line.until(lambda: line.names() == ["fault"])
        controller.fault = Fault.NONE
        await line.until(lambda: line.names() == ["fault", "recovered"])


async def test_the_wrong_map_is_told_once_and_moves_no_barrier() -> None:
    controller = Controller("came-ptx", fault=Fault.WRONG_MAP)
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(lambda: bool(line.refused))
        await answered_again(line, controller)
        assert [device for device, _ in line.refused] == ["gate-1"]
        assert "exception 2" in line.refused[0][1]


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.LATE, Fault.OTHER_UNIT, Fault.BAD_CRC, Fault.SHORT])
async def test_bad_answers_to_readings_are_silence_and_never_an_event(fault: Fault) -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        controller.fault = fault
        await line.until(lambda: line.online() is False)
        assert line.events() == [] and not line.refused
        controller.fault = Fault.NONE
        await line.until(lambda: line.online() is True)
        assert line.events() == []


async def test_a_silent_unit_does_not_stop_its_neighbour() -> None:
    quiet, good = Controller("came-ptx", 1, Fault.SILENT), Controller("came-ptx", 2)
    units = unit(), unit(address=2, device="gate-2")
    async with played(quiet, good) as real, gateway(real.path, *units) as line:
        await line.until(lambda: line.online("gate-2"))
        real.obey("open 2")
        await line.until(lambda: line.names("gate-2") == ["opened"])
        assert line.online("gate-1") in (None, False) and line.names("gate-1") == []


async def test_what_expired_in_the_queue_is_not_sent() -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        wanted = command(for_ms=0)
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == "refused")
        assert controller.opened == 0


async def test_what_a_make_cannot_do_is_refused() -> None:
    controller = Controller("came-ptx")
    async with played(controller) as real, gateway(real.path) as line:
        await line.until(line.online)
        wanted = command("hold")
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == "refused")


async def test_a_line_that_is_unplugged_ends_what_waits_for_it_and_comes_back(tmp_path: Path) -> None:
    controller, by_id = Controller("came-ptx"), tmp_path / "usb-rs485"
    real = Played([controller])
    by_id.symlink_to(real.path)
    async with gateway(str(by_id)) as line:
        await line.until(line.online)
        by_id.unlink()
        real.close()
        await line.until(lambda: line.online() is False)
        wanted = command()
        line.commanders["gate-1"].send(wanted)
        await line.until(lambda: line.result_of(wanted) == "failed")
        async with played(controller) as again:
            by_id.symlink_to(again.path)
            await line.until(line.online)
            assert controller.opened == 0 and line.events() == []
            again.obey("open 1")
            await opened(line)


async def test_the_simulators_line_is_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "checkpoint_firmware_sim", "modbus", "came-ptx:1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        path = (await process.stdout.readline()).decode().strip()
        async with gateway(path) as line:
            await line.until(line.online)
            process.stdin.write(b"open 1\n")
            await opened(line)
    finally:
        process.stdin.close()
        assert await process.wait() == 0
