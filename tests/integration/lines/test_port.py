"""One serial port, on both event loops: the service has uvloop, which watches ports in another way."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.ingest.serial.port import READ_SIZE, Port, PortError
from tests.integration.lines.wall import Reader

On = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def on(request: pytest.FixtureRequest) -> On:
    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(test)

    return run


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    found = Reader(tmp_path, "reader")
    found.plug()
    yield found
    found.close()


def code(path: Path | str, baud: int = 9600) -> Coroutine[Any, Any, str]:
    async def of_opening() -> str:
        with pytest.raises(PortError) as refused:
            await Port.open(str(path), baud)
        return refused.value.code

    return of_opening()


def test_what_is_said_is_read_and_what_is_written_is_heard(on: On, reader: Reader) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        waiting = asyncio.create_task(port.read(30))
        await asyncio.sleep(0)
        reader.say(b"\x00\x02\r\n\xff\x11\x13\x03")
        assert await waiting == b"\x00\x02\r\n\xff\x11\x13\x03"
        assert await port.read(0) == b""
        port.write(b"\x0a\x0d?")
        assert reader.asked() == b"\x0a\x0d?"
        await port.close()

    on(test())


def test_a_little_is_read_in_each_turn(on: On, reader: Reader) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        assert reader.say(b"x" * 3000) == 3000
        assert [len(await port.read(30)) for _ in range(3)] == [READ_SIZE] * 3
        await port.close()

    on(test())


def test_a_hang_up_is_noticed_while_reading_and_after(on: On, reader: Reader) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        waiting = asyncio.create_task(port.read(30))
        await asyncio.sleep(0)
        reader.pull()
        for noticing in (waiting, port.read(30)):
            with pytest.raises(PortError) as gone:
                await noticing
            assert gone.value.code == "unplugged"
        with pytest.raises(PortError):
            port.check()
        with pytest.raises(PortError):
            port.write(b"?")
        await port.close()

    on(test())


def test_a_path_that_leads_elsewhere_is_noticed(on: On, reader: Reader) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        port.check()
        reader.move()
        with pytest.raises(PortError, match="leads to another device"):
            port.check()
        await port.close()

    on(test())


def test_a_port_is_for_one(on: On, reader: Reader, tmp_path: Path) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        assert await code(reader.link) == "busy"
        await port.close()
        await (await Port.open(str(reader.link), 115200)).close()
        assert await code(tmp_path / "none") == "no_such_port"
        assert await code(tmp_path) == "cannot_open"
        (tmp_path / "text").write_text("no port")
        assert await code(tmp_path / "text") == "cannot_open"

    on(test())


def test_a_line_that_takes_nothing_more_is_no_line(on: On, reader: Reader) -> None:
    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        with pytest.raises(PortError) as stuck:
            for _ in range(10_000):
                port.write(b"?" * 100)
        assert stuck.value.code == "stuck"
        await port.close()

    on(test())


def test_beside_thousands_of_connections_a_port_is_read_as_well(on: On, reader: Reader) -> None:
    """`select`, which others use for this, ends at descriptor 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("so many files may not be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]

    async def test() -> None:
        port = await Port.open(str(reader.link), 9600)
        reader.say(b"far up")
        assert await port.read(30) == b"far up"
        await port.close()

    try:
        on(test())
    finally:
        for each in files:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
