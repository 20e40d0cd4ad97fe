"""Commands over the API, to a gate that a real MQTT client plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import pytest

from gateway.instants import parse_instant
from gateway.web import models
from gateway.web.board_models import Gate as GateShape
from gateway.web.command_models import Command, NotNow
from tests.integration.web.gateway_kit import WAIT_S, Gateway
from tests.unit.web.harbour import MINUTE

PATH = "/sites/harbour/devices/gate-east/commands"
OPEN = {"cmd": "open", "by": "wang", "reason": "Ambulance"}


class Barrier:
    """The gate's controller: what it was told."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._messages = client.messages

    async def told(self) -> tuple[dict[str, Any], int]:
        """The next command, and the message expiry that it came with (s)."""
        async with asyncio.timeout(WAIT_S):
            message = await anext(self._messages)
        assert isinstance(message.payload, bytes) and message.properties is not None
        assert message.topic.value == "patrol/v1/harbour/gate-east/down/cmd" and not message.retain
        return json.loads(message.payload), message.properties.MessageExpiryInterval


@pytest.fixture
async def barrier(gateway: Gateway) -> AsyncIterator[Barrier]:
    assert gateway.service.endpoint is not None
    async with aiomqtt.Client(
        "127.0.0.1",
        gateway.service.endpoint.port,
        identifier="harbour/gate-east",
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        await client.subscribe("patrol/v1/harbour/gate-east/down/cmd", qos=1)
        await client.publish("patrol/v1/harbour/gate-east/state", '{"online": true}', qos=1)
        yield Barrier(client)


async def test_a_gate_is_opened_and_the_board_shows_how_it_went(gateway: Gateway, barrier: Barrier) -> None:
    sent = await gateway.post(PATH, **OPEN)
    Command.model_validate(sent)
    assert (sent["state"], sent["by"], sent["from"]) == ("sent", "wang", "127.0.0.1")
    assert parse_instant(sent["expires_at"]) - parse_instant(sent["requested_at"]) == 10_000
    told, expiry_s = await barrier.told()
    assert told == {"id": sent["id"], "cmd": "open", "args": {"by": "wang"}, "expires": sent["expires_at"]}
    assert expiry_s == 10
    (gate,) = (await gateway.get("/sites/harbour/board"))["gates"]
    GateShape.model_validate(gate)
    assert (gate["command"]["state"], gate["held"]) == ("sent", False)
    await gateway.record("gate-east", "status", reply_to=sent["id"], result="done")
    found = await gateway.get(f"/commands/{sent['id']}")
    assert (found["state"], found["answer"]) == ("done", "gate-east/b1/1")
    assert await gateway.get("/commands", site="harbour", state="done") == [found]
    assert await gateway.get("/commands", site="harbour", state="uncertain") == []


async def test_an_unanswered_opening_waits_for_a_person(gateway: Gateway, barrier: Barrier) -> None:
    sent = await gateway.post(PATH, **OPEN)
    gateway.clock.at += MINUTE
    for _ in range(2):
        await gateway.service.engine.request(lambda work: None)
    (found,) = await gateway.get("/commands", state="uncertain")
    assert found["id"] == sent["id"]
    answer = await gateway.post(PATH, 409, **OPEN | {"cmd": "hold"})
    NotNow.model_validate(answer)
    assert (answer["detail"]["state"], answer["detail"]["command"]["id"]) == ("pending", sent["id"])
    path = f"/commands/{sent['id']}/settle"
    await gateway.post(path, 403, by="nobody", done=True)
    await gateway.post("/commands/harbour-c0/settle", 404, by="li", done=True)
    settled = await gateway.post(path, by="li", done=False, note="The bar is down")
    Command.model_validate(settled)
    assert settled["state"] == "failed"
    answer = await gateway.post(path, 409, by="li", done=True)
    models.Conflict.model_validate(answer)
    await gateway.post(PATH, **OPEN)


async def test_what_cannot_be_is_refused_with_the_reason(gateway: Gateway) -> None:
    answer = await gateway.post(PATH, 409, **OPEN)
    assert (answer["detail"]["state"], answer["detail"]["command"]) == ("offline", None)
    assert "may not command" in (await gateway.post(PATH, 403, **OPEN | {"by": "li"}))["detail"]
    await gateway.post("/sites/harbour/devices/gate-9/commands", 404, **OPEN)
    await gateway.post("/sites/nowhere/devices/gate-east/commands", 404, **OPEN)
    await gateway.post("/sites/harbour/devices/console-1/commands", 422, **OPEN)
    for wrong in (
        {"cmd": "explode"},
        {"reason": " "},
        {"by": ""},
        {"expires_in_s": 301},
        {"expires_in_s": 0},
    ):
        await gateway.post(PATH, 422, **OPEN | wrong)
    await gateway.get("/commands/harbour-c0", 404)
    denied = await gateway.get("/actions", site="harbour")
    assert {(each["what"], each["by"], each["target"], each["params"]["why"]) for each in denied} == {
        ("denied_command", "wang", "gate-east", "offline"),
        ("denied_command", "li", "gate-east", "not_allowed"),
    }


async def test_any_device_can_be_told_something(gateway: Gateway) -> None:
    await gateway.record("scanner-1", "status", buffered=0, high_seq=1)
    assert gateway.service.engine.desks["harbour"].is_online("scanner-1", gateway.clock.at)
    answer = await gateway.post(
        "/sites/harbour/devices/scanner-1/commands",
        cmd="message",
        args={"text": "Come in"},
        by="wang",
        reason="x",
    )
    assert (answer["state"], answer["result"]) == ("failed", "not_delivered"), "it has subscribed to nothing"
