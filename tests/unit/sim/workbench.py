"""A bench for one device, and a gateway that only stores: simulated time, and a wire that can be read."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import msgspec

from checkpoint_firmware_sim.device import Device
from checkpoint_firmware_sim.devices import make_device
from checkpoint_firmware_sim.engine import InstantNetwork, ScenarioRun
from checkpoint_firmware_sim.scenario import Scenario
from checkpoint_firmware_sim.truth import Line
from gateway.domain.plan import DeviceKind, Plan
from gateway.instants import parse_instant

EVENING = parse_instant("2026-11-23T21:50:00+08:00")


class Store:
    """A gateway that stores and acknowledges everything: a `Transport` for a `ScenarioRun`."""

    def __init__(self) -> None:
        self.run: ScenarioRun | None = None
        self.messages: list[tuple[str, Any]] = []

    def __call__(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        body = msgspec.json.decode(payload)
        self.messages.append((topic, body))
        if topic.endswith("/up") and self.run is not None:
            last = body[-1] if isinstance(body, list) else body
            ack = msgspec.json.encode({"boot": last["boot"], "seq": last["seq"]})
            self.run.deliver(f"{topic[:-3]}/down/ack", ack)

    def records(self, device: str) -> list[dict[str, Any]]:
        """All records of a device, in the order in which they came."""
        bodies = [body for topic, body in self.messages if topic.endswith(f"/{device}/up")]
        return [record for body in bodies for record in (body if isinstance(body, list) else [body])]


def play(plan: Plan, scenario: Scenario, start: int = EVENING, seed: int = 1) -> tuple[Store, list[Line]]:
    """Play a scenario in simulated time; returns what arrived and what really happened."""
    store = Store()
    truth: list[Line] = []
    store.run = ScenarioRun(
        plan, scenario, start, network=InstantNetwork(store), truth=truth.append, seed=seed
    )
    store.run.play()
    return store, truth


class Bench:
    """An `Environment` under a test's control. Times are ms since the epoch, UTC."""

    def __init__(self, kind: DeviceKind = DeviceKind.SCANNER, id: str = "scanner-1") -> None:
        self.at = EVENING
        self.messages: list[tuple[str, Any, bool]] = []
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.device = make_device(kind, "riverside", id, self, Random(1))

    def now(self) -> int:
        return self.at

    def leaving(self) -> int:
        return self.at

    def call_at(self, at: int, do: Callable[[], None]) -> None:
        heappush(self._timers, (at, next(self._order), do))

    def send(self, device: Device, topic: str, payload: bytes, retain: bool) -> None:
        self.messages.append((topic, msgspec.json.decode(payload), retain))

    def pass_time(self, ms: int) -> None:
        """Let time pass; timers fire on the way."""
        end = self.at + ms
        while self._timers and self._timers[0][0] <= end:
            self.at, _, do = heappop(self._timers)
            do()
        self.at = end

    def uploads(self) -> list[list[dict[str, Any]]]:
        """What was sent `up` since the last call, message by message."""
        bodies = [body for topic, body, _ in self.messages if topic.endswith("/up")]
        self.messages.clear()
        return [body if isinstance(body, list) else [body] for body in bodies]

    def records(self, type: str | None = None) -> list[dict[str, Any]]:
        """The records sent since the last call, all or those of a type."""
        records = [record for message in self.uploads() for record in message]
        return [record for record in records if type in (None, record["type"])]

    def acknowledge(self, seq: int, boot: str | None = None) -> None:
        """The gateway has stored all up to `seq`."""
        self.say("ack", boot=boot or self.device.boot_id, seq=seq)

    def acknowledge_all(self) -> None:
        """The gateway has stored all of this boot."""
        self.acknowledge(1 << 40)

    def command(self, cmd: str, id: str = "c1", **members: Any) -> list[tuple[str, str]]:
        """Give a command; returns what was answered, as (reply_to, result)."""
        self.messages.clear()
        self.say("cmd", id=id, cmd=cmd, **members)
        return [(each["reply_to"], each["result"]) for each in self.uploads_of_replies()]

    def uploads_of_replies(self) -> list[dict[str, Any]]:
        """The statuses that answer a command, among what was sent; the rest stays to be read."""
        bodies = [body for topic, body, _ in self.messages if topic.endswith("/up")]
        return [body for body in bodies if isinstance(body, dict) and "reply_to" in body]

    def say(self, what: str, **members: Any) -> None:
        """A message from the gateway."""
        self.device.receive(f"patrol/v1/riverside/{self.device.id}/down/{what}", msgspec.json.encode(members))
