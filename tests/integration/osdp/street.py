"""A line of real OSDP readers in a process of its own, and somebody who hears what a gateway makes of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.ingest.bridge import Bridge
from gateway.ingest.delivery import Delivery, Receiver
from gateway.ingest.osdp.bus import run_bus
from gateway.ingest.osdp.panel import OsdpReader

Json = dict[str, Any]

KEY = bytes.fromhex("8A1F3C5577D2E09B64A1C0FFEE123456")
OTHER_KEY = bytes.fromhex("0102030405060708090A0B0C0D0E0F10")

DEADLINE_S = 45.0
"""How long something may take on a machine with much else to do; a lost reader's own retry would take 300 s."""


class Heard:
    """What was said so far; one can wait for more."""

    def __init__(self) -> None:
        self.said: list[Json] = []
        self._more = asyncio.Event()

    def add(self, said: Json) -> None:
        self.said.append(said)
        self._more.set()

    async def until(self, there: Callable[[list[Json]], bool]) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not there(self.said):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"it never came; there is {self.said[-20:]}") from None

    async def one(self, **members: Any) -> Json:
        """The first that has these members."""
        await self.until(lambda said: any(members.items() <= each.items() for each in said))
        return next(each for each in self.said if members.items() <= each.items())

    def having(self, **members: Any) -> list[Json]:
        return [each for each in self.said if members.items() <= each.items()]


class Street(Heard):
    """The readers' side: what happens to them, and what they show."""

    def __init__(self, port: Path, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self.port = port
        self._process = process

    def happen(self, what: str) -> None:
        """See `checkpoint_firmware_sim/osdp_line.py`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n".encode())

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.add(json.loads(line))


@contextlib.asynccontextmanager
async def street(folder: Path, keys: Mapping[int, bytes | None]) -> AsyncIterator[Street]:
    """Readers at these addresses with these keys."""
    port = folder / "line"
    readers = [f"{address}={'none' if key is None else key.hex()}" for address, key in keys.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "checkpoint_firmware_sim", "osdp", "--port", str(port), *readers,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    found = Street(port, process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


class Ear(Heard):
    """What comes in from the bridges: records and states, with their device. It acknowledges when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._owed: list[Delivery] = []

    def __call__(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            device = delivery.topic.split("/")[3]
            if delivery.wrong is not None:
                self.add({"device": device, "wrong": delivery.wrong})
            else:
                self.add({"device": device, **json.loads(delivery.payload)})
            self._owed += [delivery] if delivery.packet_id else []

    async def state(self, online: bool, device: str = "reader-1") -> None:
        """Wait until the device is said to be there, or not."""

        def states(said: list[Json]) -> list[bool]:
            return [each["online"] for each in said if each["device"] == device and "online" in each]

        await self.until(lambda said: states(said)[-1:] == [online])

    def acknowledge(self, refused: str | None = None) -> None:
        """All that has come in is stored."""
        for delivery in self._owed:
            delivery.refused = refused
            delivery.link.acknowledge([delivery.packet_id])
        self._owed.clear()


def reader(address: int, **how: Any) -> OsdpReader:
    return OsdpReader(address, "yard", f"reader-{address}", "door", **how)


@contextlib.asynccontextmanager
async def serving(
    port: Path, *readers: OsdpReader, receive: Receiver, key: bytes = KEY, **how: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A bus at work."""
    bridges = {each.address: Bridge(each.site, each.device, "osdp", receive, Clock()) for each in readers}
    bus = asyncio.create_task(run_bus(str(port), 9600, readers, bridges, {"door": key}, **how))
    try:
        yield bus
    finally:
        bus.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await bus
