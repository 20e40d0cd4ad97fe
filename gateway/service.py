"""The service: the store, the engine, a way in for devices, and the web, put together and run until told to stop."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import retention, sitefile
from gateway.clock import Clock, ClockWatch
from gateway.domain.plan import Plan
from gateway.engine import Engine
from gateway.ingest.bridge import Bridges
from gateway.ingest.foreign import Foreign, LinkError
from gateway.ingest.linked import Links
from gateway.ingest.mqtt.broker_connection import ClientSettings
from gateway.ingest.mqtt.client import BrokerClient
from gateway.ingest.mqtt.device_connection import Limits
from gateway.ingest.mqtt.endpoint import Endpoint
from gateway.ingest.mqtt.identity import Refusal, trust
from gateway.ingest.serial.health import LineHealth
from gateway.ingest.serial.line import Lines
from gateway.ingest.tag_keys import load_tag_keys
from gateway.links import load_links, unplanned
from gateway.notify.channels import load_channels
from gateway.notify.courier import Courier
from gateway.settings import Settings
from gateway.store.opening import open_store
from gateway.store.port import Commit, PlanRow, Store

log = logging.getLogger("gateway")

LARGEST_PACKET = 8 << 20
"""Larger than any payload that is taken in (bytes), so that one that is too large is kept to be looked at."""

BROKER_FILTERS = ("patrol/v1/+/+/up", "patrol/v1/+/+/state")


CLOCK_STEP_SHOWN_S = 600.0
"""For so long health tells that the clock was set (s)."""


class ServiceError(Exception):
    """The service cannot start; the message says why and what to do."""


class Service:
    """One running gateway. Use `async with Service(settings) as service`."""

    def __init__(self, settings: Settings, links: Links | None = None) -> None:
        """`links`: devices that do not speak the native contract; None: as the file of the settings names them."""
        self.settings = settings
        self.clock: Clock = settings.clock
        self.store: Store
        self.engine: Engine
        self.endpoint: Endpoint | None = None
        self.client: BrokerClient | None = None
        self.courier: Courier
        self.bridges: Bridges
        self.links = links or Links()
        self.lines: Lines | None = None
        self.foreign: Foreign
        self._ticking: asyncio.Task[None] | None = None
        self._purging: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Service:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        settings = self.settings
        channels = load_channels(settings.channels) if settings.channels is not None else []
        tag_keys = load_tag_keys(settings.tag_keys) if settings.tag_keys is not None else None
        if settings.links is not None:
            self.links = load_links(settings.links)
        days = retention.parse(settings.retention)
        settings.data.mkdir(parents=True, exist_ok=True)
        self.store = await open_store(settings.database, alone=True)
        self.engine = Engine(self.store, self.clock, tag_keys=tag_keys, clock_watch=ClockWatch(self.clock))
        address = settings.embedded_address
        try:
            self.foreign = Foreign(
                self.links.mqtt,
                self.engine.receive,
                self.clock,
                self.engine.doors,
                retained_is_old=address is None,
            )
        except LinkError as error:
            raise ServiceError(f"PATROL_LINKS: {error}") from None
        await self.foreign.recall(self.store)
        await self.engine.load(await self._plans())
        # Taken in before the first device can connect, so that nothing that it sends is refused.
        self._running = asyncio.create_task(self.engine.run(), name="engine")
        self.courier = Courier(self.store, self.engine, self.clock, channels, settings.link_base)
        await self.courier.start()
        self._ticking = asyncio.create_task(self.foreign.run(), name="foreign devices")
        self._purging = asyncio.create_task(
            retention.purge_daily(self.store, self.clock, days), name="retention"
        )
        if address is not None:
            self.endpoint = Endpoint(
                self.foreign.receive,
                self.clock,
                host=address[0],
                port=address[1],
                authorise=self._identity,
                allow_bridges=True,
                limits=Limits(max_packet=LARGEST_PACKET),
                others=self.foreign,
            )
            self.engine.send_down = self.endpoint.publish
            await self.endpoint.start()
        else:
            self.client = BrokerClient(
                settings.broker,
                _client_id(settings.data),
                (*BROKER_FILTERS, *self.foreign.filters),
                self.foreign.receive,
                self.clock,
                settings=ClientSettings(max_packet=LARGEST_PACKET),
                on_change=lambda connected: self.engine.can_hear_now(connected, self.broker_problem() or ""),
            )
            self.engine.can_hear_now(False, "not connected yet")
            self.engine.send_down = self.client.publish
            await self.client.start()
        self.bridges = Bridges(self.engine.receive, self.clock, self.engine.doors)
        for problem in unplanned(self.links, self.bridges.planned):
            log.warning("%s: %s", settings.links, problem)
        self.lines = Lines(self.links.lines, self.bridges)
        self.lines.start()

    def _identity(self, client_id: str, username: str | None, password: bytes | None) -> str | Refusal | None:
        """Who a device is: `site/device` as it says, what a link calls it, or the one device here that has its name."""
        named = trust(client_id, username, password) or self.foreign.identify(client_id, username)
        if named is not None:
            return named
        for name in (username, client_id):
            doors = [desk.doors.by_device.get(name) for desk in self.engine.desks.values()] if name else []
            found = [door.name for door in doors if door is not None]
            if len(found) == 1:
                return found[0]
        return None

    async def _plans(self) -> dict[str, list[Plan]]:
        """All versions of all sites: those of the store, and the site files of sites that it does not know yet."""
        plans: dict[str, list[Plan]] = {}
        for row in await self.store.plans():
            name = f"{row.site}, version {row.version}"
            plan = sitefile.parse(row.body, name, version=row.version, holds_from=row.holds_from)
            plans.setdefault(row.site, []).append(plan)
        now = self.clock.now()
        for path in self.settings.sites:
            try:
                plan = sitefile.load(path, version=1, holds_from=now)
            except OSError as error:
                raise ServiceError(f"PATROL_SITES: the site file {path}: {error.strerror}") from None
            if plan.site in plans:
                log.info("site %s is in the store already: %s is not read again", plan.site, path)
                continue
            body = sitefile.dump(plan)
            row = PlanRow(plan.site, 1, now, now, body)
            await self.store.commit(Commit(now, plans=[row]))
            plans[plan.site] = [plan]
            log.info("site %s was set up from %s", plan.site, path)
        return plans

    @property
    def running(self) -> asyncio.Task[None]:
        """The engine's task: it ends when the service is stopped, or with the error that ended it."""
        assert self._running is not None
        return self._running

    @property
    def line_health(self) -> list[LineHealth]:
        """How the lines of this machine are, in the order of the file of links."""
        return self.lines.health if self.lines is not None else []

    def send_foreign(
        self, site: str, device: str, topic: str, payload: bytes, expiry_s: float | None = None
    ) -> bool:
        """Send a message to a device of another maker, at QoS 1. False when nobody took it."""
        if self.endpoint is not None:
            return self.endpoint.send(site, device, topic, payload, expiry_s=expiry_s)
        return self.client is not None and self.client.send(topic, payload, expiry_s=expiry_s)

    def broker_problem(self) -> str | None:
        """Why devices cannot be heard now; None when they can."""
        if self.client is not None and not self.client.connected:
            return self.client.problem or "not connected yet"
        return None

    def clockwork_problem(self) -> str | None:
        """Why deadlines are not judged now; None when they are."""
        if self._running is None or self._running.done():
            return "the engine has stopped"
        behind = asyncio.get_running_loop().time() - self.engine.stepped_at
        if behind > 5:
            return f"the engine has not moved for {behind:.0f} s"
        if self.engine.clock_step is not None:
            step, at = self.engine.clock_step
            if self.clock.elapsed() - at < CLOCK_STEP_SHOWN_S:
                way = "forward" if step > 0 else "back"
                return (
                    f"the clock was set {way} by {abs(step) // 1000} s: see that a time server keeps it right"
                )
        return None

    async def _stop(self) -> None:
        """In the order in which things flow: no new deliveries, what has come in is stored, the store is closed."""
        if self.lines is not None:
            await self.lines.close()
        if self.endpoint is not None:
            await self.endpoint.close()
        for task in (self._ticking, self._purging):
            if task is not None:
                task.cancel()
        if hasattr(self, "courier"):
            await self.courier.stop()
        if self._running is not None:
            self.engine.stop()
            # An error that ended the engine is told by `running`; here everything is closed all the same.
            await asyncio.wait([self._running])
        if self.client is not None:
            await self.client.close()
        if hasattr(self, "store"):
            await self.store.close()


def _client_id(data: Path) -> str:
    """The name of this gateway's session at a broker: made once, and kept, as no other may have it."""
    path = data / "broker-client-id"
    if not path.exists():
        path.write_text(f"patrol-gateway-{secrets.token_hex(4)}\n")
    return path.read_text().strip()


def stop_on_signals(stop: Callable[[], Any]) -> None:
    """Call `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
