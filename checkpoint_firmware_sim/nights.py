"""Bad nights: a scenario made from a number, with every fault and every human failing in some mixture.

Same plan, same number: the same night.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Final

from checkpoint_firmware_sim.scenario import Deviation, Moment, Rough, Scenario, What
from checkpoint_firmware_sim.times import DAY_MINUTES, HOUR, MINUTE, SECOND
from gateway.domain.plan import DeviceKind, DutyKind, Plan

BEGINS: Final = (17 * 60, 22 * 60)
"""Between which local times a night begins (minutes after midnight)."""

LASTS: Final = (8 * 60, 12 * 60)
"""Minutes."""


def bad_night(plan: Plan, seed: int) -> Scenario:
    """The night with this number."""
    night = _Night(plan, seed)
    return Scenario(
        start=night.start,
        duration=night.length * MINUTE,
        seed=seed,
        traffic_per_hour=0.3,
        network=night.network(),
        deviations=(*night.failings(), *night.faults()),
    )


class _Night:
    def __init__(self, plan: Plan, seed: int) -> None:
        self._plan = plan
        self._random = random = Random(f"night|{seed}")
        self.start = random.randrange(*BEGINS, 5)
        self.length = random.randrange(*LASTS, 5)
        self._rounds = [duty for duty in plan.duties if duty.kind is DutyKind.ROUND]
        self._scanners = [device.id for device in plan.devices if device.kind is DeviceKind.SCANNER]
        self._gates = [device.id for device in plan.devices if device.kind is DeviceKind.GATE]

    def network(self) -> Rough:
        random = self._random
        return Rough(
            duplicated=random.choice((0.0, 0.02, 0.2)),
            reordered=random.choice((0.0, 0.02, 0.2)),
            lost_acks=random.choice((0.0, 0.05, 0.3)),
            odd_batches=random.random() < 0.5,
        )

    def failings(self) -> Iterator[Deviation]:
        """What people do wrong."""
        random = self._random
        for _ in range(random.randint(1, 5)):
            duty = random.choice(self._rounds)
            what = random.choice(
                (What.MISSED_ROUND, What.LATE_ROUND, What.INCOMPLETE_ROUND, What.WRONG_ORDER)
            )
            route = self._plan.route_by_id[duty.route or ""]
            skip = random.choice(route.checkpoints) if what is What.INCOMPLETE_ROUND else None
            yield Deviation(
                what, self._when(), duty=duty.id, skip=skip, by=self._minutes(3, 25), count=self._few()
            )
        posts = list(self._plan.post_by_id)
        for _ in range(random.randint(0, 3)):
            what = random.choice((What.NOT_CALLED, What.NO_ANSWER, What.ABNORMAL))
            by, never = self._minutes(2, 6), random.random() < 0.3
            post, count = random.choice(posts), self._few() if what is What.NOT_CALLED else 1
            yield Deviation(what, self._when(), post=post, by=by, count=count, never=never)
        for _ in range(random.randint(0, 2)):
            if self._gates:
                gate = random.choice(self._gates)
                yield Deviation(What.FORCED, self._when(), device=gate, by=self._minutes(2, 20))
        for _ in range(random.randint(0, 2)):
            duty, device = random.choice(self._rounds), random.choice(self._scanners)
            both = random.random() < 0.5
            yield Deviation(What.TWO_SCANNERS, self._when(), duty=duty.id, device=device, both=both)

    def faults(self) -> Iterator[Deviation]:
        """What goes wrong with devices, the network and the gateway."""
        random = self._random
        upset = set(random.sample(list(self._plan.device_by_id), random.randint(0, 3)))
        for device in sorted(upset):
            yield self._clock_fault(device)
        ends: list[int] = []
        for _ in range(random.randint(0, 3)):
            after, minutes = self._when(), self._outage()
            ends.append(after + minutes)
            device = random.choice(list(self._plan.device_by_id))
            yield Deviation(What.OFFLINE, after, device=device, by=minutes * MINUTE)
        if random.random() < 0.15:
            after = (self.start + random.randint(10, self.length // 3)) % DAY_MINUTES
            minutes = random.randint(60, self.length // 2)
            ends.append(after + minutes)
            fill = random.choice((0.92, 0.99, 1.01))
            scanner = random.choice(self._scanners)
            yield Deviation(What.FULL_BUFFER, after, device=scanner, by=minutes * MINUTE, fill=fill)
        yield from self._starts(sorted(set(self._plan.device_by_id) - upset))
        if random.random() < 0.3:
            yield Deviation(What.BROKER_RESTART, self._when(), by=random.choice((5, 40, 240, 1500)) * SECOND)
        for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
            # Often into the middle of a backlog.
            after = random.choice(ends) % DAY_MINUTES if ends and random.random() < 0.5 else self._when()
            away = random.choice((3 * SECOND, 30 * SECOND, 5 * MINUTE, 40 * MINUTE, 3 * HOUR))
            yield Deviation(What.GATEWAY_RESTART, after, by=away, moment=random.choice(list(Moment)))

    def _starts(self, devices: list[str]) -> Iterator[Deviation]:
        """New starts of devices whose clock is good: after a start a bad wall clock is all there is to go by."""
        random = self._random
        scanners = [device for device in self._scanners if device in devices]
        for _ in range(random.randint(0, 2)):
            if scanners and random.random() < 0.6:
                duty, device = random.choice(self._rounds).id, random.choice(scanners)
                yield Deviation(What.RESTART, self._when(), duty=duty, device=device)
            elif devices:
                yield Deviation(What.RESTART, self._when(), device=random.choice(devices))
        if scanners and random.random() < 0.25:
            scanner = random.choice(scanners)
            yield Deviation(What.BATTERY_DEAD, self._when(), device=scanner, by=self._minutes(5, 200))

    def _clock_fault(self, device: str) -> Deviation:
        random = self._random
        what = random.choice(
            (What.CLOCK_STOPPED, What.CLOCK_RESET, What.CLOCK_AHEAD, What.CLOCK_BACK, What.CLOCK_DRIFTS)
        )
        by, slow = random.choice((MINUTE, HOUR, 14 * HOUR)), random.random() < 0.5
        if what is What.CLOCK_DRIFTS:
            by = random.choice((2 * SECOND, 48 * SECOND))
        return Deviation(what, self._when(), device=device, by=by, slow=slow)

    def _when(self) -> int:
        return (self.start + self._random.randint(5, self.length - 60)) % DAY_MINUTES

    def _minutes(self, least: int, most: int) -> int:
        return self._random.randint(least, most) * MINUTE

    def _outage(self) -> int:
        """Minutes; short ones are more frequent than those of half a day."""
        return round(math.exp(self._random.uniform(math.log(2), math.log(720))))

    def _few(self) -> int:
        return self._random.choice((1, 1, 1, 2, 3))
