"""Vehicles at a gate: each entry is opened for, passes and is closed after, and goes out again some time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND

_PROVINCES: Final = "粤粤粤粤湘桂闽京"
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"


@dataclass(frozen=True, slots=True)
class GateDeed:
    """Something that happens at a barrier. `at` is ms since the epoch, UTC."""

    at: int
    device: str
    event: str
    members: dict[str, Any] = field(default_factory=dict)


def plan_traffic(device: str, start: int, end: int, per_hour: float, random: Random) -> Iterator[GateDeed]:
    """The passages at one gate within `[start, end)`, `per_hour` on the average."""
    inside = [_plate(random) for _ in range(8)]
    at = start
    while per_hour > 0:
        # A vehicle needs the barrier for itself.
        at += max(round(random.expovariate(per_hour) * HOUR), MINUTE)
        if at + MINUTE >= end:
            return
        coming = random.random() < 0.5 or not inside
        plate = _plate(random) if coming else inside.pop(random.randrange(len(inside)))
        if coming:
            inside.append(plate)
        yield from _passage(device, at, plate, coming, random)


def _passage(device: str, at: int, plate: str, coming: bool, random: Random) -> Iterator[GateDeed]:
    lane, event = ("in", "vehicle_in") if coming else ("out", "vehicle_out")
    authority = {"lane": lane, "plate": plate, "cause": "plate"}
    passed = at + random.randint(4, 9) * SECOND
    yield GateDeed(at, device, "opened", authority)
    yield GateDeed(passed, device, event, authority)
    yield GateDeed(passed + random.randint(3, 6) * SECOND, device, "closed", {"lane": lane})


def plan_break_in(device: str, at: int, until: int) -> Iterator[GateDeed]:
    """Somebody breaks through the barrier at `at`; it is put right at `until`."""
    yield GateDeed(at, device, "forced", {"lane": "in", "cause": "unknown"})
    yield GateDeed(until, device, "recovered")
    yield GateDeed(until + 5 * SECOND, device, "closed")


def _plate(random: Random) -> str:
    tail = "".join(random.choice(_DIGITS) for _ in range(5))
    return random.choice(_PROVINCES) + random.choice(_LETTERS) + tail
