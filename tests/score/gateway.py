"""A gateway that lives in simulated time: the real engine and the real store, killed and started again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from checkpoint_firmware_sim.rough import RoughNetwork
from gateway import sitefile
from gateway.clock import Clock
from gateway.domain.plan import Plan
from gateway.engine import Engine
from gateway.ingest.delivery import Delivery
from gateway.store.port import Commit, PlanRow
from gateway.store.sqlite import SqliteStore


class PlayedClock(Clock):
    """Shows what it is told to; its seconds pass in step with that."""

    __setattr__ = object.__setattr__  # a clock is frozen, this one is not

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        return self.at

    def elapsed(self) -> float:
        return self.now() / 1000

    def seconds_until(self, at: int) -> float:
        return max(0.0, (at - self.now()) / 1000)


class AnyoneLink:
    """A connection that may speak for every device; what is not stored is sent again by the device."""

    speaks_for = None

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Nobody waits for a PUBACK here."""

    def pause(self) -> None:
        """There is no socket to stop reading from."""

    def resume(self) -> None:
        """Nor one to start reading from."""


_LINK = AnyoneLink()


class NightGateway:
    """Engine and store of one night. `inbox` holds what has arrived and was not given to the engine yet."""

    def __init__(self, plan: Plan, path: Path, at: int, network: RoughNetwork) -> None:
        self.plan = plan
        self.clock = PlayedClock(at)
        self.inbox: list[Delivery] = []
        self.broker_is_there = True
        self.away_since: int | None = at
        self.blind: list[tuple[int, int]] = []
        """From when until when (ms) deadlines were not judged: down, or reading a backlog."""
        self._path = path
        self._network = network
        self._mute = False
        self._store: SqliteStore | None = None
        self._engine: Engine | None = None

    @property
    def is_up(self) -> bool:
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        assert self._engine is not None
        return self._engine

    @property
    def store(self) -> SqliteStore:
        assert self._store is not None
        return self._store

    @property
    def deadline(self) -> int | None:
        """When a turn is wanted even if nothing arrives (ms); None when never, or while it is down."""
        if self._engine is None:
            return None
        seconds = self._engine.seconds_to_deadline()
        return self.clock.now() + max(0, round(seconds * 1000)) if seconds < 1e9 else None

    def arrive(self, topic: str, payload: bytes, retain: bool, at: int) -> None:
        """A message of a device arrives; while the gateway is down nobody takes it."""
        if self._engine is not None:
            self.inbox.append(Delivery(topic, payload, at, retain, 1, _LINK))

    async def start(self, at: int) -> None:
        """Start, also again after a kill."""
        self.clock.at = at
        store = self._store = await SqliteStore.open(self._path)
        if not await store.plans():
            body = sitefile.dump(self.plan)
            await store.commit(Commit(at, plans=[PlanRow(self.plan.site, 1, self.plan.holds_from, at, body)]))
        engine = Engine(store, self.clock, self._send)
        await engine.load({self.plan.site: [self.plan]})
        if not self.broker_is_there:
            engine.can_hear_now(False, "the broker is away")
        self._engine = engine
        self._mute = False
        self._note_blindness()

    async def turn(self, at: int, *, mute: bool = False) -> None:
        """Give the engine what has arrived, and let it judge as of `at` (ms). `mute`: nobody hears its answers."""
        self.clock.at = at
        self._mute = mute
        inbox, self.inbox = self.inbox, []
        if inbox:
            self.engine.receive(inbox)
        while True:
            await self.engine.turn()
            if not self.engine.waiting:
                break
        self._note_blindness()

    async def kill(self, at: int, *, holding_a_message: bool = False) -> None:
        """End without a word; what was received and not stored is gone."""
        if holding_a_message:
            self.engine.receive(self.inbox)
        self.inbox = []
        self._engine = None
        if self.away_since is None:
            self.away_since = at
        await self.store.close()

    def broker(self, is_there: bool, at: int) -> None:
        """The connection to the broker broke, or stands again."""
        self.broker_is_there = is_there
        if self._engine is not None:
            self.clock.at = at
            self._engine.can_hear_now(is_there, "the broker is away")
            self._note_blindness()

    def _note_blindness(self) -> None:
        if self.engine.holding:
            if self.away_since is None:
                self.away_since = self.clock.now()
        elif self.away_since is not None:
            self.blind.append((self.away_since, self.clock.now()))
            self.away_since = None

    def _send(self, site: str, device: str, suffix: str, payload: bytes) -> None:
        if not self._mute:
            self._network.down(f"patrol/v1/{site}/{device}/{suffix}", payload, self.clock.now())
