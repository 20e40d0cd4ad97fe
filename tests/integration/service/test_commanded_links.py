"""Barriers of the file of links at a running service: a person opens them, and the record names the person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoint_firmware_sim.devices import GateController
from gateway.clock import SYSTEM_CLOCK
from gateway.commanding import Commanding
from gateway.ingest.serial.health import LineState
from gateway.service import Service
from gateway.settings import Settings
from tests.integration.service.test_foreign_twins import Surroundings
from tests.integration.service.yard import HOUR, YARD, set_up, until

SITE = YARD.replace(
    "posts:\n", "people:\n  - {id: wang, name: 王建国, role: shift_leader}\nposts:\n", 1
).replace("  - {id: gate-1", "  - {id: gate-2, kind: gate, posts: [east]}\n  - {id: gate-1")
LINKS = """\
[[line]]
port = "{path}"
protocol = "modbus"
options = {{parity = "N"}}
[[line.device]]
address = 1
site = "yard"
device = "gate-2"
options = {{map = "came-ptx"}}

[[mqtt]]
protocol = "zhenshi"
name = "sn-1"
site = "yard"
device = "gate-1"
options = {{direction = "in"}}
"""


@pytest.fixture
async def controller() -> AsyncIterator[str]:
    """The path of a line with a controller on it: a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "checkpoint_firmware_sim", "modbus", "came-ptx:1",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    yield (await process.stdout.readline()).decode().strip()
    process.stdin.close()
    await process.wait()


@pytest.fixture
async def service(tmp_path: Path, controller: str) -> AsyncIterator[Service]:
    database, links = tmp_path / "patrol.sqlite", tmp_path / "links.toml"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR // 2, SITE)
    links.write_text(LINKS.format(path=controller), encoding="utf-8")
    settings = Settings(f"sqlite:///{database}", broker="embedded://127.0.0.1:0", data=tmp_path, links=links)
    async with Service(settings) as found:
        yield found


async def opened_by(service: Service, device: str) -> str:
    """Have somebody open a barrier; the state of the command once it is known what came of it."""
    desk = service.engine.desks["yard"]
    await until(lambda: desk.doors.by_device[device].health.online is True)
    asked = await Commanding(service.engine).command("yard", device, "open", {}, "wang", "a fire engine", 30)

    async def state() -> str:
        (found,) = [each for each in await service.store.commands("yard") if each["id"] == asked["id"]]
        return str(found["state"])

    async def is_over() -> bool:
        return await state() != "sent"

    await until(is_over)
    return await state()


async def test_a_barrier_on_a_modbus_line_is_opened_by_a_person(service: Service) -> None:
    assert await opened_by(service, "gate-2") == "done"
    (line,) = service.line_health
    assert (line.state, line.problem) == (LineState.OPEN, None)

    async def is_told() -> bool:
        bodies = [row.body for _, row in await service.store.facts("yard", 0, 2**53, type="gate")]
        return any(b'"event":"opened"' in body and b'"by":"wang"' in body for body in bodies)

    await until(is_told)


async def test_a_camera_is_told_to_open_its_barrier_by_a_person(service: Service) -> None:
    assert service.endpoint is not None
    around = Surroundings(service.endpoint.port)
    try:
        camera = around.twins["zhenshi"]
        assert isinstance(camera, GateController)
        await until(lambda: camera.linked)
        camera.event("vehicle_in", plate="粤B12345")
        assert await opened_by(service, "gate-1") == "done"
    finally:
        await around.network.close()


async def test_a_line_with_an_unknown_map_says_so(tmp_path: Path, controller: str) -> None:
    database, links = tmp_path / "patrol.sqlite", tmp_path / "links.toml"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR // 2, SITE)
    links.write_text(LINKS.format(path=controller).replace("came-ptx", "came"), encoding="utf-8")
    settings = Settings(f"sqlite:///{database}", broker="embedded://127.0.0.1:0", data=tmp_path, links=links)
    async with Service(settings) as found:
        await until(lambda: found.line_health[0].problem == "bad_options")
        assert "map: expected one of came-ptx" in found.line_health[0].detail
