"""PostgreSQL behind a running service: it goes away and comes back, and nobody's record is lost or doubled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from gateway.clock import SYSTEM_CLOCK
from tests.integration.service.process import Gateway, command
from tests.integration.service.running import Device
from tests.integration.service.test_kill import BUSY, check_alerts, check_records, load, more, total
from tests.integration.service.yard import YARD, stored, until
from tests.postgres import PostgresServer, binaries


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may end as they like."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    found = PostgresServer(programs)
    yield found
    found.remove()


async def health(gateway: Gateway) -> tuple[int, dict[str, Any]]:
    def ask() -> tuple[int, dict[str, Any]]:
        try:
            with urlopen(f"{gateway.api}/api/health", timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())

    return await asyncio.to_thread(ask)


@pytest.mark.timeout(180)
async def test_a_tap_reaches_the_database_then_the_device_then_the_board(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = server.url(server.new_database(empty=True))
    gateway = Gateway(tmp_path, YARD, url, PATROL_LOG_LEVEL="warning")
    await gateway.start()
    try:
        device = await asyncio.to_thread(lambda: Device(gateway.mqtt, "scanner-1"))
        await device.report(at=SYSTEM_CLOCK.now())
        assert stored(url, "SELECT device, seq FROM facts") == [("scanner-1", 1)]  # the PUBACK came after it
        board = await gateway.get("/sites/yard/board")
        (tour,) = [each for each in board["rounds"] if each["duty"] == "hourly"]
        assert {each["checkpoint"]: each["occurred_at"] is not None for each in tour["visits"]} == {
            "shed": True,
            "well": False,
        }
        second = await command(
            "run", PATROL_DATABASE=url, PATROL_DATA=str(tmp_path), PATROL_HTTP="127.0.0.1:0"
        )
        assert (second.code, "another patrol-gateway uses the database" in second.err) == (1, True), second
        assert "secret" not in second.text
        await asyncio.to_thread(device.close)
    finally:
        assert await gateway.stop() == 0
    assert (await gateway.verify()).code == 0
    assert "secret" not in gateway.log.read_text()


@pytest.mark.timeout(240)
async def test_a_database_that_is_killed_and_started_again_under_load_loses_and_doubles_nothing(
    tmp_path: Path, server: PostgresServer
) -> None:
    gateway = Gateway(tmp_path, BUSY, server.url(server.new_database()), PATROL_LOG_LEVEL="warning")
    await gateway.start()
    async with load(gateway, Random(7)) as devices:
        for end in (server.crash, server.stop, server.crash):
            await more(devices, 200)
            await asyncio.to_thread(end)
            acknowledged = -1
            while acknowledged != total(devices):  # what was on its way when it ended is there
                acknowledged = total(devices)
                await asyncio.sleep(0.2)
            code, said = await health(gateway)
            assert (code, said["status"]) == (503, "failing")
            assert "does not answer" in said["store"] or "connection" in said["store"]
            assert "secret" not in said["store"]
            promised = [(device.name, seq) for device in devices for seq in device.acknowledged]
            assert len(promised) <= acknowledged == total(devices)
            await asyncio.to_thread(server.start)
            kept = stored(
                gateway.database, "SELECT device, seq FROM facts UNION SELECT device, seq FROM quarantine"
            )
            assert set(promised) <= set(kept)

        async def well() -> bool:
            return (await health(gateway))[0] == 200

        await until(well)
        await asyncio.gather(*(device.end() for device in devices))
        assert await gateway.stop() == 0
        check_records(gateway, devices)
        check_alerts(gateway)
        assert (await gateway.verify()).code == 0
        kept = stored(
            gateway.database, "SELECT (SELECT count(*) FROM facts) + (SELECT count(*) FROM quarantine)"
        )
        assert kept == [(sum(len(device.sent) for device in devices),)]
    log = gateway.log.read_text()
    assert "Traceback" not in log and "secret" not in log
    assert log.count("nothing can be stored, and nothing is acknowledged until it can") == 3


@pytest.mark.timeout(180)
async def test_a_gateway_moves_to_postgresql_by_one_command_and_goes_on_there(
    tmp_path: Path, server: PostgresServer
) -> None:
    gateway = Gateway(tmp_path, YARD, PATROL_LOG_LEVEL="warning")
    target = server.url(server.new_database(empty=True))
    await gateway.start()
    device = await asyncio.to_thread(lambda: Device(gateway.mqtt, "scanner-1"))
    await device.report(at=SYSTEM_CLOCK.now())
    busy = await command("store", "move", "--from", gateway.url, "--to", target)
    assert (busy.code, "another patrol-gateway uses the database" in busy.err) == (1, True), busy
    await asyncio.to_thread(device.close)
    assert await gateway.stop() == 0
    moved = await command("store", "move", "--from", gateway.url, "--to", target)
    assert moved.code == 0, moved
    assert "commits with the same hashes" in moved.out and "secret" not in moved.text
    again = await command("store", "move", "--from", gateway.url, "--to", target)
    assert (again.code, "the target is not empty" in again.err) == (1, True), again
    there = await command("verify", "--database", target)
    assert (there.code, there.out) == (0, (await gateway.verify()).out), there

    after = Gateway(tmp_path, YARD, target, PATROL_LOG_LEVEL="warning")
    await after.start()
    device = await asyncio.to_thread(lambda: Device(after.mqtt, "scanner-1"))
    await device.report(at=SYSTEM_CLOCK.now())  # the same number as before: the gateway knows that it has it
    await device.report(at=SYSTEM_CLOCK.now())
    await asyncio.to_thread(device.close)
    assert await after.stop() == 0
    assert stored(target, "SELECT seq FROM facts ORDER BY seq") == [(1,), (2,)]
    assert (await after.verify()).code == 0
