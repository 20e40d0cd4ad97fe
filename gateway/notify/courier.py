"""The courier: carries notices from the store to the channels that they concern.

1. New notices are read from the store, behind the last one that has a delivery. Each gets a delivery for every
   channel that it concerns, or one that says that it concerns none; all are written before anything is sent.
2. Each channel has a worker of its own that takes its deliveries in order. What it sends is sent in a thread, for a
   limited time, so that a channel that hangs holds up nobody else.
3. A delivery is marked when it was sent. If the power fails in between, it is sent again under the same key.

The store is the truth: the queues here are what it says of deliveries that wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from gateway.clock import Clock
from gateway.domain.alert import AlertKind
from gateway.engine import Engine
from gateway.notify.channels import Channel
from gateway.notify.worker import Worker
from gateway.store.port import DeliveryRow, NoticeRow, Store, StoreError

T = TypeVar("T")
log = logging.getLogger("gateway.notify")

NOWHERE: Final = ""
"""The channel of a notice that concerns none."""

_AT_ONCE: Final = 200
_PAUSE_S: Final = 0.1
"""Between two looks (s): the engine may commit a hundred times a second."""

_LOOK_EVERY_S: Final = 10.0
_RETRY_S: Final = 1.0
_STOP_S: Final = 3.0
"""How long what is being sent may take to end when the service stops (s)."""


class Courier:
    """All channels of one service. `start`, then `stop`; the engine must run in between."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        clock: Clock,
        channels: Sequence[Channel],
        public_url: str = "",
        timeout_s: float = 15.0,
    ) -> None:
        """`timeout_s`: how long one attempt may take, beside the pause that a service asks for."""
        self._store = store
        self._engine = engine
        self._channels = {channel.name: channel for channel in channels}
        self._clock = clock
        self.counts: Counter[tuple[str, str]] = Counter()
        """Deliveries by channel and state."""
        self._workers = {
            channel.name: Worker(channel, store, engine, clock, self.write, public_url, timeout_s)
            for channel in channels
        }
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up where the last run ended."""
        if not self._channels:
            log.info("no channels (PATROL_CHANNELS): nobody is notified")
        self.counts.update(await self._store.delivery_counts())
        gone = []
        for delivery in await self._store.waiting_deliveries():
            if (worker := self._workers.get(delivery.channel)) is not None:
                worker.add(delivery)
            else:
                gone.append(delivery._replace(state="dropped", next_at=None, last_error="no_channel"))
        await self.write(gone, waited=True)
        self._engine.listeners.append(self._told)
        self._tasks = [
            asyncio.create_task(self._for_ever(worker.run), name=f"notify {name}")
            for name, worker in self._workers.items()
        ]
        self._tasks.append(asyncio.create_task(self._for_ever(self._distribute), name="notify"))

    async def stop(self) -> None:
        """Let what is being sent end, for a short while; what is not marked by then is sent again after the start."""
        if self._told in self._engine.listeners:
            self._engine.listeners.remove(self._told)
        for worker in self._workers.values():
            worker.stop()
        if busy := [task for task in self._tasks[:-1] if not task.done()]:
            await asyncio.wait(busy, timeout=_STOP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look at the time and the store."""
        self._look.set()
        for worker in self._workers.values():
            worker.wake()

    def _told(self, sites: set[str]) -> None:
        self._look.set()

    async def write(self, rows: Sequence[DeliveryRow], *, waited: bool = False) -> None:
        """Write deliveries, however long it takes. `waited`: they were waiting before."""
        while rows:
            try:
                await self._store.write_deliveries(rows)
            except StoreError as error:
                log.error("what came of notices cannot be stored: %s", error)
                await asyncio.sleep(_RETRY_S)
                continue
            for row in rows:
                if waited:
                    self.counts[row.channel, "waiting"] -= 1
                self.counts[row.channel, row.state] += 1
            return

    async def _distribute(self) -> None:
        """Give new notices to the channels that they concern."""
        await self._forget_channels()
        last = await self._store.last_delivery()
        while True:
            self._look.clear()
            while found := await self._store.notices_after(last, _AT_ONCE):
                rows = [row for number, notice in found for row in self._deliveries(number, notice)]
                await self.write(rows)
                last = found[-1][0]
                for row in rows:
                    if row.state == "waiting":
                        self._workers[row.channel].add(row)
            await asyncio.sleep(_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._look.wait()

    def _deliveries(self, number: int, row: NoticeRow) -> list[DeliveryRow]:
        now = self._clock.now()
        notice = msgspec.json.decode(row.body)
        desk = self._engine.desks.get(row.site)
        plan = desk.plan if desk is not None else None
        found = [
            DeliveryRow(row.key, number, row.site, row.alert, channel.name, "waiting", now, next_at=now)
            for channel in self._channels.values()
            if channel.concerns(notice, plan)
        ]
        nobody = DeliveryRow(row.key, number, row.site, row.alert, NOWHERE, "dropped", now)
        return found or [nobody._replace(last_error="no_channel")]

    async def _forget_channels(self) -> None:
        """End the alerts of channels that are there no more: they will never deliver again."""
        for site, desk in list(self._engine.desks.items()):
            for alert in desk.watch.alerts.live:
                if alert.kind is AlertKind.NOTICE_UNDELIVERED and alert.subject not in self._channels:
                    await self._engine.report_over(site, AlertKind.NOTICE_UNDELIVERED, alert.subject)

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        """One that fails begins again: a fault in one channel or one notice is not the end of all."""
        while True:
            try:
                await work()
                return
            except Exception as error:
                log.error("notices: %s", error, exc_info=not isinstance(error, StoreError))
                await asyncio.sleep(_RETRY_S)
