"""A talk and the twin of its reader, joined by a cable in which time is told, not waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checkpoint_firmware_sim.lines.twin import SerialTwin
from gateway.ingest.devices.reading import Heard, Noise, Reading, Talk

STEP_S = 0.01


class Bench:
    """`cable` may change or drop what the reader says."""

    def __init__(self, talk: Talk, twin: SerialTwin) -> None:
        self.talk = talk
        self.twin = twin
        self.cable: Callable[[bytes], bytes] = lambda data: data
        self.now = 0.0
        self.heard: list[Heard] = []
        self.sent: list[bytes] = []
        talk.opened(self.now)

    def run(self, seconds: float) -> list[Heard]:
        """What the talk heard in this time."""
        begun = len(self.heard)
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            due = self.talk.due()
            if due is not None and due <= self.now:
                self.heard += self.talk.wake(self.now)
            said = self.twin.tick(self.now)
            if out := self.talk.outgoing():
                self.sent.append(out)
                said += self.twin.feed(out)
            self.hear(said)
        return self.heard[begun:]

    def hear(self, data: bytes) -> None:
        """The reader says this."""
        if data and (data := self.cable(data)):
            self.heard += self.talk.received(data, self.now)


def scans(heard: list[Heard]) -> list[Any]:
    """The records of scans."""
    return [each.record for each in heard if isinstance(each, Reading) and each.record]


def tags(heard: list[Heard]) -> list[str]:
    return [record.get("tag") or record["qr"] for record in scans(heard)]


def noises(heard: list[Heard]) -> list[str]:
    return [each.reason for each in heard if isinstance(each, Noise)]
