"""The deviations of a scenario as a night unfolds: each is used up at its first occasion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.scenario import Deviation, Scenario, What
from checkpoint_firmware_sim.times import local_time_after


@dataclass(slots=True)
class _Pending:
    at: int  # ms
    left: int
    deviation: Deviation


class Mishaps:
    """Which deviation strikes, and when. Instants are ms since the epoch, UTC."""

    def __init__(self, scenario: Scenario, zone: ZoneInfo, start: int) -> None:
        self._pending = [
            _Pending(local_time_after(zone, deviation.after, start), deviation.count, deviation)
            for deviation in scenario.deviations
        ]

    def of_round(self, duty: str, at: int) -> Deviation | None:
        """What goes wrong with a round of a duty that would start at `at`."""
        return self._take(at, lambda deviation: deviation.duty == duty and deviation.what is not What.RESTART)

    def of_call(self, post: str, at: int) -> Deviation | None:
        """What goes wrong with a call to a post at `at`."""
        return self._take(at, lambda deviation: deviation.post == post)

    def of_devices(self, *kinds: What) -> list[tuple[int, Deviation]]:
        """What goes wrong with devices, and when; in order of time."""
        found = [(each.at, each.deviation) for each in self._pending if each.deviation.what in kinds]
        return sorted(found, key=lambda pair: pair[0])

    def _take(self, at: int, concerns: Callable[[Deviation], bool]) -> Deviation | None:
        for each in self._pending:
            if each.left and each.at <= at and concerns(each.deviation):
                each.left -= 1
                return each.deviation
        return None
