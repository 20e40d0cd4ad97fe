"""The client of an external broker: connects, subscribes, and does so again whenever the connection is lost.

The broker keeps a session for it, so what arrives there while the gateway is away is delivered afterwards.
Each message is acknowledged to the broker only after the commit that holds it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.ingest.delivery import Receiver
from gateway.ingest.mqtt.broker_connection import BrokerConnection, BrokerSession, ClientSettings
from gateway.ingest.mqtt.broker_url import BrokerAddress
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.outbox import Outbox, Outgoing
from gateway.ingest.mqtt.packets import V5, V311, Will
from gateway.ingest.mqtt.reasons import Reason
from gateway.ingest.mqtt.topics import ROOT

log = logging.getLogger(__name__)

_CLOSE_S = 2.0  # how long the broker has to take our goodbye


class BrokerClient:
    """Speaks MQTT 5 to a broker, or 3.1.1 when the broker does not know better.

    All methods belong to the event loop that `start` ran in. Messages of one connection reach the receiver in
    the broker's order; each connection is another `Link`.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        filters: Sequence[str],
        receiver: Receiver,
        clock: Clock = SYSTEM_CLOCK,
        *,
        settings: ClientSettings | None = None,
        will: Will | None = None,
        on_change: Callable[[bool], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`client_id` names the session at the broker: keep it, and let no other process use it.

        `filters` are subscribed to at QoS 1 on every connect. `on_change` is told when `connected` changes.
        Raises BrokerUrlError when `url` is not `mqtt://user:password@host:port` or `mqtts://…`.
        """
        self.address = BrokerAddress.parse(url)
        self.counters = Counters()
        self.connected_since: int | None = None  # ms since the epoch
        self.problem: str | None = None  # why there is no connection, for people
        self.version: int | None = None  # of the protocol, once the broker has accepted one
        self._settings = settings or ClientSettings()
        self._clock = clock
        self._outbox = Outbox(self._settings.max_queue, self.counters)
        self._session = BrokerSession(
            client_id,
            self.address.username,
            self.address.password,
            tuple(filters),
            will,
            self._settings,
            receiver,
            clock,
            self.counters,
            self._outbox,
            set(),
            self._ready,
        )
        self._on_change = on_change
        self._tls = tls
        self._connection: BrokerConnection | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection stands and every subscription is in force."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return as soon as `connected` is true."""
        await self._connected.wait()

    async def start(self) -> None:
        """Begin to connect, and return at once: a broker that is away is no reason not to start."""
        if self.address.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        self._task = asyncio.create_task(self._run(), name="mqtt broker client")

    async def close(self) -> None:
        """Say goodbye to the broker, which keeps the session."""
        if self._task is None:
            return
        connection = self._connection
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        if connection is not None:
            connection.end(Reason.SUCCESS)
            await asyncio.wait([connection.closed], timeout=_CLOSE_S)
            connection.abort()

    def publish(
        self,
        site: str,
        device: str,
        suffix: str,
        payload: bytes,
        *,
        qos: int = 1,
        expiry_s: float | None = None,
    ) -> bool:
        """Send a message to a device, as `Endpoint.publish` does. True: it will be sent to the broker.

        Whether a device has subscribed only the broker knows. With 3.1.1 the broker cannot be told of
        `expiry_s`; the message expires while it waits here only.
        """
        return self.send(f"{ROOT}{site}/{device}/{suffix}", payload, qos=qos, expiry_s=expiry_s)

    def send(self, topic: str, payload: bytes, *, qos: int = 1, expiry_s: float | None = None) -> bool:
        """Publish on any topic. QoS 1 waits in a bounded queue for the broker, QoS 0 does not wait."""
        now = asyncio.get_running_loop().time()
        message = Outgoing(topic, payload, qos, expires_at=None if expiry_s is None else now + expiry_s)
        if qos == 0:
            sent = (
                self._connection is not None and not message.expired(now) and self._connection.post(message)
            )
            self.counters.dropped += not sent
            return sent
        if not self._outbox.offer(message, now):
            return False
        if self._connection is not None:
            self._connection.flush()
        return True

    async def _run(self) -> None:
        version = preferred = V5
        failures = 0
        while True:
            connection = await self._connect(version)
            other = V311 if version == V5 else V5
            if connection is None:
                failures += 1
            elif connection.ready:
                failures, version = 0, preferred
            elif connection.wrong_version:
                version = preferred = other
                if other == V311:
                    continue
                failures += 1
            else:
                failures += 1
                if not connection.answered:
                    # Some 3.1.1 brokers hang up on version 5 without a word. So may any broker that is just
                    # starting, and therefore the preference stays.
                    version = other
            longest = min(
                self._settings.longest_delay_s, self._settings.first_delay_s * 2 ** min(failures, 16)
            )
            # Jitter, so that gateways that lost the same broker do not come back as one.
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))

    async def _connect(self, version: int) -> BrokerConnection | None:
        """Connect once and return when the connection has ended; None when there was none."""
        address = self.address
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: BrokerConnection(self._session, version),
                    address.host,
                    address.port,
                    ssl=self._tls,
                )
        except OSError as fault:  # TimeoutError and ssl.SSLError are of this kind
            reason = "it does not answer" if isinstance(fault, TimeoutError) else fault.strerror or str(fault)
            self._report(f"{reason}. Check the address, and that the broker runs there")
            return None
        self._connection = connection
        try:
            await asyncio.shield(connection.closed)  # `close` still waits for it when this is cancelled
        finally:
            self._connection = None
            if self.connected:
                self._connected.clear()
                self.connected_since = None
                if self._on_change:
                    self._on_change(False)
        self._report(connection.problem or "the connection ended")
        return connection

    def _ready(self, connection: BrokerConnection) -> None:
        self.version = connection.parser.version
        self.connected_since = self._clock.now()
        self.problem = None
        self._connected.set()
        log.info("connected to the broker at %s", self.address)
        if self._on_change:
            self._on_change(True)

    def _report(self, problem: str) -> None:
        """Keep the problem for people; log it once, not with every attempt."""
        text = f"no connection to the broker at {self.address}: {problem}"
        if text != self.problem:
            log.warning("%s", text)
        self.problem = text
