"""The worker of one channel: takes its deliveries in order, sends them, and says what came of each."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from gateway.clock import Clock
from gateway.domain.alert import AlertKind, Severity
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Reason
from gateway.engine import Engine
from gateway.instants import parse_instant
from gateway.notify.channels import Channel
from gateway.notify.delivery import (
    FAILING_MS,
    GIVE_UP_MS,
    Outcome,
    next_due,
    next_look,
    tried_again_at,
    why_not_sent,
)
from gateway.notify.words import Words
from gateway.shapes import Json
from gateway.store.port import DeliveryRow, NoticeRow, Store

log = logging.getLogger("gateway.notify")


class Write(Protocol):
    """Stores what came of deliveries."""

    async def __call__(self, rows: list[DeliveryRow], *, waited: bool = False) -> None: ...


class Worker:
    """Everything that waits for one channel."""

    def __init__(
        self,
        channel: Channel,
        store: Store,
        engine: Engine,
        clock: Clock,
        write: Write,
        public_url: str,
        timeout_s: float,
    ) -> None:
        self._channel = channel
        self._store = store
        self._engine = engine
        self._clock = clock
        self._write = write
        self._public_url = public_url
        self._timeout_s = timeout_s + channel.sender.pause_s
        self._queue: list[DeliveryRow] = []
        self._failing_since: int | None = None
        self._error = ""
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, delivery: DeliveryRow) -> None:
        """A delivery that waits, newer than those that were added before."""
        self._queue.append(delivery)
        if delivery.attempts and self._failing_since is None:
            self._failing_since, self._error = delivery.since, delivery.last_error or ""
        self._wake.set()

    def wake(self) -> None:
        """Look at the time."""
        self._wake.set()

    def stop(self) -> None:
        """Let `run` end when nothing is being sent."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        while not self._stopping:
            self._wake.clear()
            now = self._clock.now()
            await self._tell_if_failing(now)
            if (delivery := next_due(self._queue, now)) is not None:
                await self._take(delivery)
                continue
            look = self._next_look(now)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if look is None else self._clock.seconds_until(look)):
                    await self._wake.wait()

    def _next_look(self, now: int) -> int | None:
        """When there may be something to send, or to tell of this channel."""
        looks = [next_look(self._queue, now)]
        if self._failing_since is not None:
            looks.append(self._failing_since + FAILING_MS + 1)
        return min((at for at in looks if at is not None and at > now), default=None)

    async def _take(self, delivery: DeliveryRow) -> None:
        row = await self._store.notice(delivery.notice)
        desk = self._engine.desks.get(delivery.site)
        if row is None or desk is None:
            await self._drop(delivery, "no_site")
            return
        notice = msgspec.json.decode(row.body)
        if (why_not := await self._why_not(row, notice)) is not None:
            await self._drop(delivery, why_not)
            return
        title, body = self._say(row, notice, desk.plan)
        severity = Severity.MINOR if notice["alert"] is None else Severity(notice["alert"]["severity"])
        outcome = await self._in_time(lambda: self._channel.sender.send(title, body, row.key, severity))
        await self._mark(delivery, outcome)

    def _say(self, row: NoticeRow, notice: Json, plan: Plan) -> tuple[str, str]:
        """Title and body. What cannot be put into words is told all the same, by its key."""
        try:
            words = Words(self._channel.language, plan, self._clock.now(), self._public_url)
            return words.title(notice), words.body(notice)
        except (KeyError, ValueError, TypeError, AttributeError):
            log.exception("notice %s has no words", row.key)
            return f"{row.site}: {row.kind}", row.key

    async def _why_not(self, row: NoticeRow, notice: Json) -> str | None:
        alert = await self._store.alert(row.alert) if row.alert is not None else None
        told = row.alert is not None and await self._store.was_told(self._channel.name, row.alert)
        due_at = None if notice["due_at"] is None else parse_instant(notice["due_at"])
        closed = alert is not None and alert["closed_at"] is not None
        return why_not_sent(row.kind, row.at, due_at, closed, told, self._clock.now())

    async def _mark(self, delivery: DeliveryRow, outcome: Outcome) -> None:
        """Write what came of an attempt, and tell of a channel that fails or works again."""
        now = self._clock.now()
        tried = delivery._replace(attempts=delivery.attempts + 1, next_at=None, last_error=outcome.error)
        if outcome.error is None:
            await self._done(delivery, tried._replace(state="delivered", delivered_at=now))
            self._failing_since = None
            # It works again: what waits for its next attempt need not wait any longer.
            self._queue = [each._replace(next_at=min(each.next_at or now, now)) for each in self._queue]
            await self._tell_that_it_works()
            return
        log.warning(
            "channel %s: %s, attempt %d: %s",
            self._channel.name,
            delivery.notice,
            tried.attempts,
            outcome.error,
        )
        self._error = outcome.error
        if outcome.permanent:
            await self._done(delivery, tried._replace(state="failed"))
            await self._tell_that_it_fails(delivery.site)
            return
        self._failing_since = self._failing_since or delivery.since
        if now - delivery.since >= GIVE_UP_MS:
            await self._done(delivery, tried._replace(state="dropped"))
            return
        waits = tried._replace(next_at=tried_again_at(tried.attempts, now))
        await self._write([waits], waited=True)
        self._queue[self._queue.index(delivery)] = waits

    async def _drop(self, delivery: DeliveryRow, why: str) -> None:
        await self._done(delivery, delivery._replace(state="dropped", next_at=None, last_error=why))

    async def _done(self, delivery: DeliveryRow, as_: DeliveryRow) -> None:
        await self._write([as_], waited=True)
        self._queue.remove(delivery)

    async def _in_time(self, send: Callable[[], Outcome]) -> Outcome:
        """Send in a thread, and wait for it for a limited time. One that hangs is waited for before the next."""
        if self._thread is not None and self._thread.is_alive():
            return Outcome("no_answer")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def answer(outcome: Outcome) -> None:
            if not done.done():
                done.set_result(outcome)

        def run() -> None:
            outcome = send()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(answer, outcome)

        # A thread that does not keep the process from ending, as those of an executor would.
        self._thread = threading.Thread(target=run, name=f"notify-{self._channel.name}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await done
        except TimeoutError:
            return Outcome("no_answer")

    # -- the alert of a channel that fails -----------------------------------------------------------------

    async def _tell_if_failing(self, now: int) -> None:
        if self._failing_since is None or now - self._failing_since <= FAILING_MS:
            return
        for site in sorted({delivery.site for delivery in self._queue if delivery.attempts}):
            await self._tell_that_it_fails(site)

    async def _tell_that_it_fails(self, site: str) -> None:
        if site in self._sites_told():
            return
        name = self._channel.name
        params = {"channel": name, "error": self._error, "waiting": len(self._queue)}
        reason = Reason("could_not_deliver", params)
        await self._engine.report_event(
            site, AlertKind.NOTICE_UNDELIVERED, name, {"zh": name, "en": name}, reason
        )

    async def _tell_that_it_works(self) -> None:
        for site in self._sites_told():
            await self._engine.report_over(site, AlertKind.NOTICE_UNDELIVERED, self._channel.name)

    def _sites_told(self) -> list[str]:
        """The sites whose people know already that this channel fails."""
        return [
            site
            for site, desk in self._engine.desks.items()
            if any(
                alert.kind is AlertKind.NOTICE_UNDELIVERED and alert.subject == self._channel.name
                for alert in desk.watch.alerts.live
            )
        ]
