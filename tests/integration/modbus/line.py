"""The gateway's side of a Modbus line, and what comes of it, for tests that wait for what happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tty
from collections.abc import AsyncIterator, Callable
from typing import Any

from gateway.clock import Clock
from gateway.domain.commands import Command
from gateway.ingest.bridge import Bridge
from gateway.ingest.commander import Commander
from gateway.ingest.delivery import Delivery
from gateway.ingest.modbus.bus import ModbusLine, ModbusUnit, run_bus

WAIT_S = 20.0
Json = dict[str, Any]


class Listener:
    """What the pipeline is given of a line."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Json]] = []
        self.refused: list[tuple[str, str]] = []
        self.commanders: dict[str, Commander] = {}
        self._changed = asyncio.Event()

    def __call__(self, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            device = each.topic.split("/")[3]
            if each.wrong is not None:
                self.refused.append((device, each.wrong[1]))
            else:
                self.said.append((device, json.loads(each.payload)))
        self._changed.set()

    def register(self, site: str, device: str, commander: Commander) -> None:
        self.commanders[device] = commander

    def events(self, device: str = "gate-1") -> list[Json]:
        """The gate events of a device, without what every record has."""
        members = ("event", "cause", "by")
        records = [said for name, said in self.said if name == device and said.get("type") == "gate"]
        return [{name: record[name] for name in members if name in record} for record in records]

    def names(self, device: str = "gate-1") -> list[str]:
        return [event["event"] for event in self.events(device)]

    def online(self, device: str = "gate-1") -> bool | None:
        states = [said["online"] for name, said in self.said if name == device and "online" in said]
        return states[-1] if states else None

    def result_of(self, command: Command) -> str | None:
        found = [said["result"] for _, said in self.said if said.get("reply_to") == command.id]
        assert len(found) <= 1, "answered twice"
        return found[0] if found else None

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that the line says makes this true."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def beats(self, count: int, device: str = "gate-1") -> None:
        await self.until(
            lambda: sum("buffered" in said for name, said in self.said if name == device) >= count
        )


def command(cmd: str = "open", id: str = "c1", clock: Clock | None = None, for_ms: int = 10_000) -> Command:
    now = (clock or Clock()).now()
    return Command(id, "yard", "gate-1", cmd, {}, "wang", "x", now, now + for_ms)


def unit(map: str = "came-ptx", address: int = 1, device: str = "gate-1", **more: Any) -> ModbusUnit:
    return ModbusUnit("yard", device, address, map, **more)


@contextlib.asynccontextmanager
async def gateway(
    port: str, *units: ModbusUnit, known: str = "closed", **more: Any
) -> AsyncIterator[Listener]:
    """The gateway at a line. A pseudo-terminal knows no parity."""
    line = ModbusLine(
        port, units or (unit(),), parity="N", **({"poll_s": 0.02, "timeout_s": 0.15, "leave_s": 0.5} | more)
    )
    listener = Listener()
    task = asyncio.create_task(
        run_bus(
            line,
            lambda site, device: Bridge(site, device, "modbus", listener, Clock()),
            Clock(),
            listener.register,
            lambda *_: known,
        )
    )
    try:
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Cable:
    """Two pseudo-terminals, each of which hears what the other is told: a line with two ends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = [os.openpty(), os.openpty()]
        for _, slave in self._ends:
            tty.setraw(slave)
        self.one, self.other = (os.ttyname(slave) for _, slave in self._ends)
        (here, _), (there, _) = self._ends
        self._loop.add_reader(here, lambda: os.write(there, os.read(here, 4096)))
        self._loop.add_reader(there, lambda: os.write(here, os.read(there, 4096)))

    def close(self) -> None:
        for master, slave in self._ends:
            self._loop.remove_reader(master)
            os.close(master)
            os.close(slave)
