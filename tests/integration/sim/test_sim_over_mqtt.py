"""Devices over a real connection: aiomqtt on one side, mosquitto and a storing gateway on the other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from checkpoint_firmware_sim.live import LiveRun
from checkpoint_firmware_sim.mqtt import Broker
from checkpoint_firmware_sim.scenario import Scenario
from checkpoint_firmware_sim.times import HOUR
from checkpoint_firmware_sim.truth import Line, read_truth
from gateway.clock import Clock
from gateway.domain.plan import Plan
from tests.integration.sim.conftest import RealBroker
from tests.unit.sim.small_site import EVENING, HOURLY, site

SPEED = 7200.0  # two hours in a second
TWO_HOURS = Scenario(start=21 * 60 + 50, duration=2 * HOUR, traffic_per_hour=0)


def one_scanner() -> Plan:
    """A site with one scanner and nothing else."""
    plan = site(HOURLY)
    return replace(plan, devices=plan.devices[:1])


class StoringGateway:
    """Stores every record once and acknowledges what is stored without a gap; keeps connecting."""

    def __init__(self, port: int) -> None:
        self.records: dict[tuple[str, int], dict[str, Any]] = {}
        self.states: list[bool] = []
        self.acknowledging = True
        self._port = port
        self._changed = asyncio.Condition()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until what was received looks so."""
        async with self._changed:
            await self._changed.wait_for(reached)

    @property
    def scans(self) -> list[dict[str, Any]]:
        return [record for record in self.records.values() if record["type"] == "scan"]

    async def keep(self) -> None:
        while True:
            try:
                async with aiomqtt.Client("127.0.0.1", self._port, identifier="gateway") as client:
                    await client.subscribe([("patrol/v1/+/+/up", 1), ("patrol/v1/+/+/state", 1)])
                    async for message in client.messages:
                        await self._take(client, message)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.02)  # the broker is away: that is what the test is about

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        body = msgspec.json.decode(message.payload)
        if message.topic.value.endswith("/state"):
            self.states.append(body["online"])
            async with self._changed:
                self._changed.notify_all()
            return
        for record in body if isinstance(body, list) else [body]:
            self.records.setdefault((record["boot"], record["seq"]), record)
        boot = record["boot"]
        stored = next(seq for seq in range(1 << 20) if (boot, seq + 1) not in self.records)
        if self.acknowledging:
            ack = msgspec.json.encode({"boot": boot, "seq": stored})
            await client.publish(f"{message.topic.value[:-3]}/down/ack", ack)
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def storing_gateway(broker: RealBroker) -> AsyncIterator[StoringGateway]:
    gateway = StoringGateway(broker.port)
    task = asyncio.create_task(gateway.keep())
    try:
        yield gateway
    finally:
        while not task.done():  # Python 3.11's wait_for, in aiomqtt, may swallow a cancellation
            task.cancel()
            await asyncio.wait((task,), timeout=0.1)


def live_run(broker: RealBroker, scenario: Scenario, truth: list[Line]) -> LiveRun:
    clock = Clock(EVENING, time.time_ns() // 1_000_000, SPEED)
    where = Broker("127.0.0.1", broker.port)
    return LiveRun(one_scanner(), scenario, EVENING, clock=clock, broker=where, truth=truth.append)


def visits(truth: list[Line]) -> int:
    return sum(len(line["visits"]) for line in truth if line["what"] == "walk")


async def test_nothing_is_lost_when_the_broker_dies_and_comes_back(broker: RealBroker) -> None:
    truth: list[Line] = []
    async with asyncio.timeout(20), storing_gateway(broker) as gateway:
        playing = asyncio.create_task(live_run(broker, TWO_HOURS, truth).play(until_end=True))
        broker.start()
        await gateway.until(lambda: len(gateway.scans) >= 3)
        gateway.acknowledging = False
        broker.kill()
        broker.start()
        gateway.acknowledging = True
        await playing
    assert len(gateway.scans) == visits(truth) >= 6
    (boot,) = {boot for boot, _ in gateway.records}
    assert {seq for _, seq in gateway.records} == set(range(1, len(gateway.records) + 1))
    assert boot == truth[1]["boot"]


async def test_out_of_reach_breaks_the_connection_so_that_the_broker_sends_the_will(
    broker: RealBroker,
) -> None:
    truth: list[Line] = []
    live = live_run(broker, TWO_HOURS, truth)
    scanner = live.run.devices["scanner-1"]
    broker.start()
    async with asyncio.timeout(20), storing_gateway(broker) as gateway:
        playing = asyncio.create_task(live.play(until_end=False))
        for reachable in (True, False, True):
            live.network.reach(scanner, reachable)
            await gateway.until(lambda reachable=reachable: gateway.states[-1:] == [reachable])  # type: ignore[misc]
        live.stop()
        await playing
        await gateway.until(lambda: gateway.states[-1:] == [False])
    assert gateway.states == [True, False, True, False]


async def test_a_run_without_a_broker_ends_when_it_is_told_to(broker: RealBroker) -> None:
    truth: list[Line] = []
    run = live_run(broker, TWO_HOURS, truth)
    async with asyncio.timeout(10):
        run.run.call_at(EVENING + HOUR, run.stop)
        await run.play(until_end=False)
    assert run.run.unacknowledged == visits(truth) > 0
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal(broker: RealBroker, tmp_path: Path, number: int) -> None:
    broker.start()
    root = Path(__file__).parents[3]
    command = [
        sys.executable, "-c", "from checkpoint_firmware_sim.cli import main; main()", "run", "demo",
        "--site", str(root / "deploy/sites/riverside.yaml"), "--broker", f"mqtt://127.0.0.1:{broker.port}",
        "--truth", str(tmp_path / "truth.jsonl"), "--speed", "3000",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "forced" in line:
                process.send_signal(number)
        process.wait(10)
    assert process.returncode == 0
    assert "8 devices of riverside" in seen[0]
    assert "Traceback" not in "".join(seen)
    truth = read_truth((tmp_path / "truth.jsonl").read_text().splitlines())
    assert truth[-1]["what"] == "end"
