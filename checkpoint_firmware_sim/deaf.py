"""When what a device without a memory reads is lost: it, or its line, cannot be heard then.

Worked out from the timetable, so that the truth does not hang on the pace at which it is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from checkpoint_firmware_sim.device import Device
from checkpoint_firmware_sim.scenario import What
from checkpoint_firmware_sim.times import MINUTE
from checkpoint_firmware_sim.timetable import Timetable

LAST_HEARD: Final = MINUTE
BACK_AGAIN: Final = 6 * MINUTE
"""A device is unheard from so long before it goes until so long after it is back, at most (ms).

A gateway opens a line again within 5 s of machine time, which are 5 min at 60 times the pace of life.
"""


class DeafSpans:
    """From when until when which device may be unheard. Those that keep what they read have no such time."""

    def __init__(self, timetable: Timetable, devices: Mapping[str, Device]) -> None:
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for id, start, end in _outages(timetable, devices):
            if not devices[id].keeps:
                self._spans.setdefault(id, []).append((start - LAST_HEARD, end + BACK_AGAIN))

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        return ((id, *span) for id, spans in self._spans.items() for span in spans)

    def has(self, id: str, at: int) -> bool:
        """Whether what the device reads at an instant may be lost."""
        return any(since <= at <= until for since, until in self._spans.get(id, ()))


def _outages(timetable: Timetable, devices: Mapping[str, Device]) -> Iterator[tuple[str, int, int]]:
    yield from ((each.device, each.start, each.end) for each in timetable.outages)
    for at, fault in timetable.line_faults:
        if fault.what is What.SILENCE:
            yield fault.device or "", at, at + fault.by
    for start, end in timetable.broker_outages:
        yield from ((device.id, start, end) for device in devices.values() if not device.wired)
