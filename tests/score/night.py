"""One bad night from its first minute until every device has said all that it had to say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.engine import FINDS_BACK, ScenarioRun
from checkpoint_firmware_sim.rough import RoughNetwork
from checkpoint_firmware_sim.scenario import Moment, Scenario
from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND, local_time_after
from checkpoint_firmware_sim.timetable import GatewayStop
from checkpoint_firmware_sim.truth import Line
from gateway.desk import fact_from_row
from gateway.domain.facts import AnyFact
from gateway.domain.plan import Plan
from gateway.domain.watch import Watch
from gateway.instants import parse_instant
from gateway.shapes import occurrence_json
from gateway.store.sqlite import SqliteStore
from tests.score.gateway import NightGateway

Json = dict[str, Any]

NOON: Final = parse_instant("2026-11-23T12:00:00+08:00")

MEMORY: Final = Path("/dev/shm")

BATCH: Final = 200
"""What arrives within so many ms is given to the engine in one turn."""

LAST_WORDS: Final = 3 * MINUTE
"""After its buffer is empty, every device has sent a heartbeat within this time."""

GIVE_UP: Final = 15 * HOUR
"""So long after its end (ms) a night is scored whether its devices have drained or not."""


@dataclass
class Night:
    """What came of a night, on both sides."""

    plan: Plan
    scenario: Scenario
    truth: list[Line]
    occurrences: list[Json] = field(default_factory=list)
    alerts: list[Json] = field(default_factory=list)
    facts: list[AnyFact] = field(default_factory=list)
    blind: list[tuple[int, int]] = field(default_factory=list)
    unheard: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Device → from when until when (ms) it had no connection or a backlog."""
    drained: bool = False
    same_when_shuffled: bool = False
    same_when_replayed: bool = False


def play(plan: Plan, scenario: Scenario, seed: int) -> Night:
    """Play a night through a gateway, and judge its facts again in two other ways."""
    # What the disk's flushes cost is measured by the benchmarks; here they would only take time.
    with TemporaryDirectory(prefix="patrol-night-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return asyncio.run(_Player(plan, scenario, seed, Path(folder)).play())


class _Player:
    def __init__(self, plan: Plan, scenario: Scenario, seed: int, folder: Path) -> None:
        start = local_time_after(ZoneInfo(plan.timezone), scenario.start, NOON)
        plan = replace(plan, holds_from=start)
        truth: list[Line] = []
        network = RoughNetwork(scenario.network, self._arrive, seed)
        self.run = ScenarioRun(plan, scenario, start, network=network, truth=truth.append, seed=seed)
        network.run = self.run
        self.gateway = NightGateway(plan, folder / "night.sqlite", start, network)
        self.night = Night(plan, scenario, truth)
        self._seed = seed
        self._start = start
        self._stop: GatewayStop | None = None
        self._starts = False
        self._unheard_since: dict[str, int] = {}
        timetable = self.run.timetable
        for at, until in timetable.broker_outages:
            self.run.call_at(at, partial(self._broker, False))
            self.run.call_at(until, partial(self._broker, True))
        for stop in timetable.gateway_stops:
            self.run.call_at(stop.at, partial(self._ask_to_stop, stop))
        changes = [outage.end for outage in (*timetable.outages, *timetable.deaths)]
        changes += [until for _, until in timetable.broker_outages]
        changes += [stop.at + stop.away + HOUR for stop in timetable.gateway_stops]
        self._quiet_from = max([timetable.end, *changes]) + FINDS_BACK
        self._next_look = start

    async def play(self) -> Night:
        run, gateway, night = self.run, self.gateway, self.night
        await gateway.start(self._start)
        end = run.timetable.end
        drained_at: int | None = None
        while True:
            await self._go_on()
            now = max(run.now(), gateway.clock.now())
            if now >= self._next_look:
                self._next_look = now + 10 * SECOND
                self._look_at_devices(now)
            if now > self._quiet_from and gateway.is_up and not self._unheard_since:
                drained_at = now if drained_at is None else drained_at
                if now > drained_at + LAST_WORDS:
                    night.drained = True
                    break
            else:
                drained_at = None
            if now > end + GIVE_UP and gateway.is_up:
                break
        for device, since in self._unheard_since.items():
            night.unheard.setdefault(device, []).append((since, now))
        night.blind = list(gateway.blind)
        await self._collect(now)
        await gateway.store.close()
        return night

    async def _go_on(self) -> None:
        """The next event of the run, or the next turn of the gateway, whichever comes first."""
        run, gateway = self.run, self.gateway
        turn_at = gateway.deadline
        if gateway.inbox:
            batch_at = gateway.inbox[0].received_at + BATCH
            turn_at = batch_at if turn_at is None else min(turn_at, batch_at)
        next_at = run.next_at
        if turn_at is None or (next_at is not None and next_at <= turn_at):
            run.step()
            if self._starts:
                self._starts = False
                await gateway.start(run.now())
                run.reconnect()
            elif self._stop is not None and self._stop.moment is Moment.IDLE:
                await self._kill(run.now())
            return
        at = max(turn_at, run.now())
        if self._stop is not None and gateway.inbox:
            if self._stop.moment is Moment.RECEIVED:
                await self._kill(at, holding_a_message=True)
            else:
                await gateway.turn(at, mute=True)
                await self._kill(at)
            return
        await gateway.turn(at)

    async def _kill(self, at: int, *, holding_a_message: bool = False) -> None:
        stop, self._stop = self._stop, None
        assert stop is not None
        await self.gateway.kill(at, holding_a_message=holding_a_message)
        self.run.cut_off()
        self.run.call_at(at + stop.away, self._ask_to_start)

    def _ask_to_stop(self, stop: GatewayStop) -> None:
        if self.gateway.is_up:
            self._stop = stop

    def _ask_to_start(self) -> None:
        self._starts = True

    def _broker(self, is_there: bool) -> None:
        self.gateway.broker(is_there, self.run.now())

    def _arrive(self, topic: str, payload: bytes, retain: bool) -> None:
        self.gateway.arrive(topic, payload, retain, self.run.now())

    def _look_at_devices(self, now: int) -> None:
        """Note who cannot be heard, or has not been heard out."""
        for device in self.run.devices.values():
            flash = device.flash
            heard = device.linked and device.alive and not (flash.waiting if len(flash) < 500 else 1)
            since = self._unheard_since.get(device.id)
            if not heard and since is None:
                self._unheard_since[device.id] = now - 10 * SECOND
            elif heard and since is not None:
                del self._unheard_since[device.id]
                self.night.unheard.setdefault(device.id, []).append((since, now))

    async def _collect(self, now: int) -> None:
        night, gateway = self.night, self.gateway
        site, end = night.plan.site, self.run.timetable.end
        store = gateway.store
        night.alerts = await store.alerts(site, limit=100_000)
        night.facts = await stored_facts(store, site)

        def shown(watch: Watch) -> list[Json]:
            return [occurrence_json(each, site, {}) for each in watch.occurrences(now, self._start, end)]

        night.occurrences = shown(gateway.engine.desks[site].watch)
        blind = [(row.since, row.until) for row in await store.blind(0)]
        night.same_when_shuffled = shown(_shuffled(night, self._seed, now, blind)) == night.occurrences
        await gateway.kill(now)
        await gateway.start(now)
        while (at := gateway.deadline) is not None and gateway.engine.holding:
            await gateway.turn(at)
        night.same_when_replayed = shown(gateway.engine.desks[site].watch) == night.occurrences


async def stored_facts(store: SqliteStore, site: str) -> list[AnyFact]:
    """All facts of a site that a night can have."""
    kinds = ("scan", "radio", "gate", "status", "report")
    rows = [row for kind in kinds for _, row in await store.facts(site, 0, 1 << 60, type=kind)]
    return [fact_from_row(row) for row in rows]


def _shuffled(night: Night, seed: int, now: int, blind: list[tuple[int, int]]) -> Watch:
    """A watch that was given the night's facts in another order, in other batches, some of them twice."""
    random = Random(f"{seed}|shuffle")
    facts = [*night.facts, *random.sample(night.facts, len(night.facts) // 10)]
    random.shuffle(facts)
    watch = Watch([night.plan], blind=blind)
    while facts:
        batch = [facts.pop() for _ in range(min(len(facts), random.choice((1, 30, 3000))))]
        fresh = [fact for fact in batch if watch.hearing.device(fact.device).add(fact.boot, fact.seq)]
        watch.step(now, fresh)
    return watch
