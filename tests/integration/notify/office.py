"""An office that is notified: a store, an engine and a courier, a clock that is set by hand, and real receivers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gateway.domain.alert import Alert, AlertKind, AlertState
from gateway.domain.notices import Notice, NoticeKind
from gateway.domain.verdicts import Reason
from gateway.domain.watch import Changes
from gateway.engine import Engine, Work
from gateway.notify.channels import Channel
from gateway.notify.courier import Courier
from gateway.notify.sending import Sender
from gateway.store.port import DeliveryRow, Store
from gateway.store.sqlite import SqliteStore
from tests.integration.service.yard import HandClock, until
from tests.unit.web.harbour import BEGIN, HARBOUR, harbour

SITE = "harbour"
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


def channel(url: str, name: str = "phones", to: tuple[str, ...] = ("guard",), **more: Any) -> Channel:
    return Channel(name, Sender(url), frozenset(to), **more)


class Office:
    """What runs, and what happens there."""

    def __init__(self, store: Store, engine: Engine, courier: Courier, clock: HandClock) -> None:
        self.store = store
        self.engine = engine
        self.courier = courier
        self.clock = clock
        self._numbers = itertools.count()

    async def opens(
        self,
        subject: str = "gate-east",
        to: tuple[str, ...] = ("guard",),
        kind: AlertKind = AlertKind.GATE_FORCED,
    ) -> str:
        """An alert opens, and somebody must be told; its id."""

        def change(work: Work) -> str:
            now = self.clock.now()
            desk = self.engine.desks[SITE]
            reason = Reason("forced", {"event": "forced", "lane": "in"})
            alert = desk.watch.alerts.event(kind, subject, {"zh": "东门道闸"}, reason, now, now)
            return self._record(work, alert, NoticeKind.OPENED, to)

        return await self.engine.request(change)

    async def ends(self, alert_id: str, to: tuple[str, ...] = ("guard",)) -> None:
        """An alert recovers, and whoever was told of it is told so."""

        def change(work: Work) -> None:
            book = self.engine.desks[SITE].watch.alerts
            alert = book.find(alert_id)
            assert alert is not None
            book.event_over(alert.kind, alert.subject, self.clock.now())
            self._record(work, alert, NoticeKind.RECOVERED, to)

        await self.engine.request(change)

    async def due_soon(self, due_at: int) -> None:
        """A post is to be called soon."""

        def change(work: Work) -> None:
            key = f"{SITE}/due_soon/{next(self._numbers)}"
            notice = Notice(key, SITE, NoticeKind.DUE_SOON, self.clock.now(), ("guard",), None, ("east",),
                            "night-radio", due_at)  # fmt: skip
            self.engine.desks[SITE].record(Changes(notices=[notice]), work.commit, self.clock.now())
            work.touched.add(SITE)

        await self.engine.request(change)

    def _record(self, work: Work, alert: Alert, kind: NoticeKind, to: tuple[str, ...]) -> str:
        desk = self.engine.desks[SITE]
        now = self.clock.now()
        notice = Notice(f"{alert.id}/{kind}/{next(self._numbers)}", SITE, kind, now, to, alert.id)
        changed, desk.watch.alerts.changed = list(desk.watch.alerts.changed.values()), {}
        desk.record(Changes(alerts=changed, notices=[notice]), work.commit, now)
        work.touched.add(SITE)
        return alert.id

    def passes(self, ms: int) -> None:
        """Time passes at once."""
        self.clock.at += ms
        self.courier.wake()

    async def deliveries(self, name: str = "phones") -> list[DeliveryRow]:
        """What came of each notice on one channel, oldest first."""
        rows = await self.store.notices()
        return [each for _, sent in reversed(rows) for each in sent if each.channel == name]

    async def states(self, *expected: str, channel: str = "phones") -> list[DeliveryRow]:
        """Wait until the deliveries of a channel are in these states, oldest first."""
        found: list[DeliveryRow] = []

        async def as_expected() -> bool:
            found[:] = await self.deliveries(channel)
            return [each.state for each in found] == list(expected)

        try:
            await until(as_expected, 10)
        except TimeoutError:
            raise AssertionError(f"{found}") from None
        return found

    async def tried(self, times: int, name: str = "phones") -> DeliveryRow:
        """Wait until the oldest delivery of a channel was tried so often."""
        found: list[DeliveryRow] = []

        async def as_expected() -> bool:
            found[:] = (await self.deliveries(name))[:1]
            return bool(found) and found[0].attempts >= times

        try:
            await until(as_expected, 10)
        except TimeoutError:
            raise AssertionError(f"{found}") from None
        assert found[0].attempts == times
        return found[0]

    async def undelivered(self, state: AlertState | None) -> Alert | None:
        """Wait until the alert of a channel that fails is in this state; None: until none is open."""

        def alerts() -> list[Alert]:
            book = self.engine.desks[SITE].watch.alerts
            return [
                each
                for each in [*book.live, *book.closed_since(0)]
                if each.kind is AlertKind.NOTICE_UNDELIVERED
            ]

        if state is None:
            assert alerts() == []
            return None
        await until(lambda: any(each.state is state for each in alerts()), 10)
        (alert,) = alerts()
        return alert


@contextlib.asynccontextmanager
async def office(
    folder: Path, *channels: Channel, clock: HandClock | None = None, timeout_s: float = 15.0
) -> AsyncIterator[Office]:
    """An office in a folder: what was there before is there again."""
    clock = HandClock(BEGIN) if clock is None else clock
    store = await SqliteStore.open(folder / "patrol.sqlite")
    engine = Engine(store, clock)
    await engine.load({SITE: [harbour()]})
    running = asyncio.create_task(engine.run())
    courier = Courier(store, engine, clock, channels, "https://patrol.example.org", timeout_s)
    await courier.start()
    try:
        yield Office(store, engine, courier, clock)
    finally:
        await courier.stop()
        engine.stop()
        await running
        await store.close()


__all__ = ["HARBOUR", "HOUR", "MINUTE", "SECOND", "SITE", "Office", "channel", "office"]
