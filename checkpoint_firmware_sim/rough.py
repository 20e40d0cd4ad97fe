"""A network as buildings have it: messages take their time, come twice, overtake each other, or get lost.

For runs in pure simulated time. What it does follows from its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from checkpoint_firmware_sim.device import Device
from checkpoint_firmware_sim.engine import ScenarioRun
from checkpoint_firmware_sim.scenario import Rough
from checkpoint_firmware_sim.times import SECOND

LATENCY: Final = (20, 200)
"""How long a message is usually on its way (ms)."""

STRAY: Final = (SECOND, 3 * SECOND)
"""How much longer one takes that is overtaken, and after what time a second copy comes (ms)."""

Arrive = Callable[[str, bytes, bool], None]
"""Called with topic, payload and retain when a message arrives, at `run.now()`."""


class RoughNetwork:
    """Between the devices of a run and whoever listens. Set `run` before it is played."""

    run: ScenarioRun

    def __init__(self, rough: Rough, arrive: Arrive, seed: int) -> None:
        self._rough = rough
        self._arrive = arrive
        self._random = Random(f"{seed}|network")
        self._last: dict[str, int] = {}  # device → when the last message that kept its place arrives

    def reach(self, device: Device, reachable: bool) -> None:
        """Link the device, or unlink it and publish its last will."""
        if reachable:
            device.link_up()
        elif device.linked:
            device.link_down()
            topic, payload = device.last_will
            self.publish(device, topic, payload, 1, True)

    def publish(self, device: Device, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Let a message arrive, in order or not, once or twice."""
        at = max(self.run.now() + self._random.randint(*LATENCY), self._last.get(device.id, 0))
        if not retain and self._random.random() < self._rough.reordered:
            at += self._random.randint(*STRAY)
        else:
            self._last[device.id] = at
        self.run.call_at(at, partial(self._arrive, topic, payload, retain))
        if not retain and self._random.random() < self._rough.duplicated:
            again = at + self._random.randint(*STRAY)
            self.run.call_at(again, partial(self._arrive, topic, payload, retain))

    def down(self, topic: str, payload: bytes, at: int) -> None:
        """A message that the gateway sends at `at` (ms) reaches its device, unless it is lost."""
        device = self.run.devices.get(topic.split("/")[3])
        if device is None or not device.linked:
            return
        if topic.endswith("/ack") and self._random.random() < self._rough.lost_acks:
            return
        self.run.deliver(topic, payload, at + self._random.randint(*LATENCY))
