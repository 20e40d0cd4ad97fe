"""The simulator's twins of other makers' devices at a running service, over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest

from checkpoint_firmware_sim.device import Device
from checkpoint_firmware_sim.devices import GateController, Scanner
from checkpoint_firmware_sim.makers import Speech, Twin, make_twin
from checkpoint_firmware_sim.mqtt import Broker, MqttNetwork
from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.linked import MqttLink
from tests.integration.service.conftest import running
from tests.integration.service.running import Running
from tests.integration.service.yard import SHED, WELL, stored, until

LINKS = (
    MqttLink("tasmota", "gate-reader", "yard", "scanner-1"),
    MqttLink("esp-rfid", "rfid", "yard", "scanner-2", {"hostname": "door-1"}, client="door-1"),
    MqttLink("zhenshi", "sn-1", "yard", "gate-1", {"direction": "in"}),
)


class Surroundings:
    """What a twin lives in: now, and a network."""

    def __init__(self, port: int) -> None:
        self.network = MqttNetwork(Broker("127.0.0.1", port), lambda do: do())
        self.twins: dict[str, Twin] = {
            link.protocol: make_twin(
                Speech(link.protocol, link.name, link.client, link.options),
                "yard",
                link.device,
                self,
                Random(1),
            )
            for link in LINKS
        }
        for twin in self.twins.values():
            self.network.reach(twin, True)

    def now(self) -> int:
        return SYSTEM_CLOCK.now()

    def leaving(self) -> int:
        return SYSTEM_CLOCK.now()

    def call_at(self, at: int, do: Callable[[], None]) -> None:
        """Nothing here lasts so long."""

    def send(self, device: Device, topic: str, payload: bytes, retain: bool) -> None:
        self.network.publish(device, topic, payload, 1, retain)


@pytest.fixture(params=["endpoint", "broker"])
async def yard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, request.param, LINKS) as found:
        yield found


async def test_all_twins_are_heard_and_the_camera_obeys(yard: Running) -> None:
    around = Surroundings(yard.port)
    reader, door, camera = (around.twins[name] for name in ("tasmota", "esp-rfid", "zhenshi"))
    assert isinstance(reader, Scanner) and isinstance(door, Scanner) and isinstance(camera, GateController)
    try:
        await until(lambda: all(twin.linked for twin in around.twins.values()))
        reader.scan(SHED)
        door.scan(WELL)
        camera.event("vehicle_in", plate="粤B12345")
        scans = "SELECT device, json_extract(body, '$.tag') FROM facts WHERE type = 'scan' ORDER BY device"
        await until(lambda: stored(yard.database, scans) == [("scanner-1", SHED), ("scanner-2", WELL)])
        gates = "SELECT json_extract(body, '$.event') FROM facts WHERE type = 'gate'"
        await until(lambda: stored(yard.database, gates) == [("vehicle_in",)])

        sent = yard.service.foreign.command("yard", "gate-1", "open", "c1")
        assert sent is not None
        assert yard.service.send_foreign("yard", "gate-1", *sent)
        answers = (
            "SELECT json_extract(body, '$.result') FROM facts WHERE json_extract(body, '$.reply_to') = 'c1'"
        )
        await until(lambda: stored(yard.database, answers) == [("done",)])
        await until(lambda: ("opened",) in stored(yard.database, gates))

        doors = yard.service.engine.desks["yard"].doors.by_device
        assert all(doors[link.device].health.online for link in LINKS)
        around.network.reach(reader, False)
        await until(lambda: doors["scanner-1"].health.online is False)
    finally:
        await around.network.close()
    assert await yard.store.quarantine() == []
