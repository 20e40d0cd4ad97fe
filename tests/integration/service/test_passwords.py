"""Devices that must show a password at the own endpoint, with real MQTT clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from gateway.ingest.linked import MqttLink
from tests.integration.service.conftest import running
from tests.integration.service.process import Gateway, command
from tests.integration.service.running import Running
from tests.integration.service.test_cli import check_refusal
from tests.integration.service.yard import SHED, WAIT_S, YARD, encode, record, until

READER = MqttLink("tasmota", "gate-reader", "yard", "gate-1", client="DVES_3A2B1C")
SCANNER = "yard/scanner-1"
HOUR_S = 3600.0


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, "endpoint", (READER,)) as found:
        yield found


def client(
    yard: Running, identifier: str, password: str | None = None, username: str | None = None
) -> aiomqtt.Client:
    if password is not None and username is None:
        username = identifier
    return aiomqtt.Client(
        "127.0.0.1", yard.port, identifier=identifier, username=username, password=password, timeout=WAIT_S
    )


async def refused(
    yard: Running, identifier: str, password: str | None = None, username: str | None = None
) -> str:
    with pytest.raises(aiomqtt.MqttError) as error:
        async with client(yard, identifier, password, username):
            pass
    return str(error.value)


async def give(yard: Running, device: str, grace_s: float = HOUR_S) -> str:
    secret, row = yard.service.passwords.make(device, yard.now, "test", "", grace_s)
    await yard.service.keep(row)
    return secret


async def scan(yard: Running, at: aiomqtt.Client, seq: int, device: str = SCANNER) -> None:
    payload = encode(record(seq, "scan", at=yard.now, sent_at=None, tag=SHED))
    await at.publish(f"patrol/v1/{device}/up", payload, qos=1, timeout=WAIT_S)


async def test_until_a_site_has_a_password_its_devices_are_believed(yard: Running) -> None:
    async with client(yard, SCANNER) as at:
        await scan(yard, at, 1)
    assert len(await yard.facts()) == 1


async def test_a_device_must_show_its_own_password_and_no_other(yard: Running) -> None:
    one, other = await give(yard, SCANNER), await give(yard, "yard/gate-1")
    async with client(yard, SCANNER, one) as at:
        await scan(yard, at, 1)
    assert len(await yard.facts()) == 1
    for password in (None, "", other, one[:-1], one + "x"):
        assert await refused(yard, SCANNER, password, SCANNER)
    assert await refused(yard, "yard/console-1", one)  # of the same site, and none was given to it
    counts = yard.service.endpoint.counters.refused  # type: ignore[union-attr]
    assert counts["bad_user_name_or_password"] == 6


async def test_nobody_may_leave_open_for_whom_they_speak(yard: Running) -> None:
    """Neither a bridge that carries many devices nor one whose first topic would tell."""
    await give(yard, SCANNER)
    assert await refused(yard, "some-bridge")
    assert await refused(yard, "some-bridge", "x", "some-user")


async def test_a_device_with_a_password_speaks_for_itself_alone(yard: Running) -> None:
    secret = await give(yard, SCANNER)
    await give(yard, "yard/gate-1")
    async with client(yard, SCANNER, secret) as at:
        await scan(yard, at, 1, "yard/gate-1")
        await at.publish("tele/gate-reader/SENSOR", "{}", qos=1, timeout=WAIT_S)  # a maker's topic of gate-1
        assert [each.reason for each in await yard.refused(2)] == ["foreign_topic"] * 2
        for filter_ in (
            "patrol/v1/yard/gate-1/down/#",
            "patrol/v1/yard/+/down/#",
            "cmnd/gate-reader/POWER",
            "#",
        ):
            with pytest.raises(aiomqtt.MqttError):
                granted = await at.subscribe(filter_, qos=1, timeout=WAIT_S)
                if any(code.value >= 0x80 for code in granted):  # type: ignore[union-attr]
                    raise aiomqtt.MqttError("refused")
    assert await yard.facts() == []


async def test_a_linked_makers_device_shows_the_password_of_the_device_that_it_is(yard: Running) -> None:
    secret = await give(yard, "yard/gate-1")
    assert await refused(yard, "DVES_3A2B1C", "wrong", "DVES_USER")
    async with client(yard, "DVES_3A2B1C", secret, "DVES_USER") as at:
        await at.publish("tele/gate-reader/LWT", "Online", qos=1, timeout=WAIT_S)
        await at.publish("tele/other-reader/LWT", "Online", qos=1, timeout=WAIT_S)
        assert [each.reason for each in await yard.refused()] == ["foreign_topic"]


async def test_an_old_password_is_good_until_its_grace_is_over(yard: Running) -> None:
    first = await give(yard, SCANNER)
    second = await give(yard, SCANNER, HOUR_S)
    for password in (first, second):
        async with client(yard, SCANNER, password):
            pass
    third = await give(yard, SCANNER, 0)
    assert await refused(yard, SCANNER, first)
    assert await refused(yard, SCANNER, second)
    async with client(yard, SCANNER, third):
        pass


async def test_a_revoked_password_ends_the_connection_and_lets_nobody_in(yard: Running) -> None:
    secret = await give(yard, SCANNER)
    gone = asyncio.Event()

    async def stay() -> None:
        with pytest.raises(aiomqtt.MqttError):
            async with client(yard, SCANNER, secret) as at:
                async for _ in at.messages:
                    pass
        gone.set()

    staying = asyncio.create_task(stay())
    counters = yard.service.endpoint.counters  # type: ignore[union-attr]
    await until(lambda: counters.connected == 1)
    row = yard.service.passwords.revoke(SCANNER, yard.now, "test", "")
    await yard.service.keep(row)
    async with asyncio.timeout(WAIT_S):
        await gone.wait()
    await staying
    assert await refused(yard, SCANNER, secret)
    assert await refused(yard, SCANNER)  # nor without: the site has had a password


async def test_the_first_password_of_a_site_cuts_off_who_was_believed(yard: Running) -> None:
    cut: list[str] = []

    async def stay(name: str) -> None:
        with pytest.raises(aiomqtt.MqttError):
            async with client(yard, name) as at:
                async for _ in at.messages:
                    pass
        cut.append(name)

    staying = [asyncio.create_task(stay(name)) for name in ("yard/gate-1", "a-bridge")]
    counters = yard.service.endpoint.counters  # type: ignore[union-attr]
    await until(lambda: counters.connected == 2)
    await give(yard, SCANNER)
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*staying)
    assert sorted(cut) == ["a-bridge", "yard/gate-1"]


async def test_passwords_by_command_outlast_a_restart_and_are_in_no_file(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, YARD)
    settings = gateway.settings
    made = await command("password", "create", SCANNER, cwd=None, **settings)
    secret = made.out.splitlines()[-1]
    assert len(secret) == 32 and "user name yard/scanner-1" in made.out
    await gateway.start()
    try:
        async with aiomqtt.Client("127.0.0.1", gateway.mqtt, username=SCANNER, password=secret):
            pass
        changed = await command("password", "create", SCANNER, "--grace-hours", "0", cwd=None, **settings)
        new = changed.out.splitlines()[-1]
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", gateway.mqtt, username=SCANNER, password=secret):
                pass
        async with aiomqtt.Client("127.0.0.1", gateway.mqtt, username=SCANNER, password=new):
            pass
        assert "yard/scanner-1: made" in (await command("password", "list", cwd=None, **settings)).out
        assert (
            await command("password", "revoke", SCANNER, cwd=None, **settings)
        ).out == "yard/scanner-1: revoked\n"
        check_refusal(await command("password", "revoke", SCANNER, cwd=None, **settings), "has no password")
        check_refusal(await command("password", "create", "scanner-1", cwd=None, **settings), "site/device")
    finally:
        assert await gateway.stop() == 0
    written = gateway.log.read_bytes() + gateway.database.read_bytes()
    assert secret.encode() not in written and new.encode() not in written
    assert (await gateway.verify()).code == 0
