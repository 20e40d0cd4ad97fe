"""The gateway's own MQTT endpoint for devices. It is not a general broker: what devices publish goes to the
receiver and nowhere else, and a device can subscribe to its own `down/…` topics only.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable

from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.ingest.delivery import Receiver
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.device_connection import DeviceConnection, Limits, Others, Shared
from gateway.ingest.mqtt.identity import Authorise, trust
from gateway.ingest.mqtt.outbox import Outgoing
from gateway.ingest.mqtt.reasons import Reason
from gateway.ingest.mqtt.session import Sessions
from gateway.ingest.mqtt.topics import ROOT

_CLOSE_S = 2.0  # how long the devices have to take their last bytes when the endpoint closes
_BACKLOG = 4_096  # connections that wait to be accepted: after a power cut all devices come at once


class EndpointError(Exception):
    """The endpoint cannot be opened; the text says what to do."""


class EndpointBusy(EndpointError):  # noqa: N818  # the state is the name: "the endpoint is busy"
    """Another program listens on the address."""


class Endpoint:
    """Listens for devices. All methods belong to the event loop that `start` ran in."""

    def __init__(
        self,
        receiver: Receiver,
        clock: Clock = SYSTEM_CLOCK,
        *,
        host: str = "127.0.0.1",
        port: int = 1883,
        authorise: Authorise = trust,
        allow_bridges: bool = False,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        others: Others | None = None,
    ) -> None:
        """`port` 0 takes a free one, see `self.port` after `start`.

        `authorise` decides about each CONNECT. With `allow_bridges`, a client that names neither a user nor a
        device may speak for every device. `others` knows the topics of other makers' devices.
        """
        limits = limits or Limits()
        self.host = host
        self.port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        counters = Counters()
        sessions = Sessions(limit=limits.max_idle_sessions, queue_limit=limits.max_queue, counters=counters)
        self._shared = Shared(receiver, clock, authorise, allow_bridges, limits, sessions, counters, others)

    @property
    def counters(self) -> Counters:
        """What has been seen since the start."""
        return self._shared.counters

    @property
    def sessions(self) -> int:
        """How many sessions there are, connected or not."""
        return len(self._shared.sessions)

    async def start(self) -> None:
        """Listen. Raises EndpointBusy when another program does, EndpointError when it cannot be done."""
        where = f"{self.host}:{self.port}"
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: DeviceConnection(self._shared),
                self.host,
                self.port,
                ssl=self._tls,
                # Counted as a connection only when this is over, so it must not take long.
                ssl_handshake_timeout=self._shared.limits.connect_timeout_s
                if self._tls is not None
                else None,
                backlog=_BACKLOG,
            )
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                raise EndpointBusy(
                    f"cannot listen for devices on {where}: another program uses this port. "
                    "Stop that program, or choose another port."
                ) from fault
            raise EndpointError(
                f"cannot listen for devices on {where}: {fault.strerror or fault}. "
                "Check that the address belongs to this machine and that the port is allowed."
            ) from fault
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and say goodbye to every device. Sessions are forgotten, wills not published."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        connections = list(self._shared.connections)
        for connection in connections:
            connection.shut_down()
        if connections:
            await asyncio.wait([each.closed for each in connections], timeout=_CLOSE_S)
        slow = [each for each in connections if not each.closed.done()]
        for connection in slow:
            connection.abort()
        if slow:
            await asyncio.wait([each.closed for each in slow], timeout=_CLOSE_S)
        self._shared.sessions.close()

    def cut(self, concerns: Callable[[str | None], bool]) -> None:
        """End the connections that speak for a device which this `concerns`; None: for no device that is known yet."""
        for connection in list(self._shared.connections):
            if concerns(connection.speaks_for):
                connection.end(Reason.NOT_AUTHORIZED if connection.client_id else None)

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
        """Send a message to a device on `patrol/v1/{site}/{device}/{suffix}`, `suffix` being `down/…`.

        QoS 1 waits for a device that has a session but no connection, for `expiry_s` (s of the machine's
        clock) at the most; QoS 0 does not wait. False when nobody took it: no session has subscribed, or its
        queue is full.
        """
        topic = f"{ROOT}{site}/{device}/{suffix}"
        return self.send(site, device, topic, payload, qos=qos, expiry_s=expiry_s)

    def send(
        self,
        site: str,
        device: str,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        expiry_s: float | None = None,
    ) -> bool:
        """The same on any topic, for a device of another maker."""
        identity = f"{site}/{device}"
        now = asyncio.get_running_loop().time()
        expires_at = None if expiry_s is None else now + expiry_s
        taken = False
        for session, granted in self._shared.sessions.subscribers(identity, topic):
            message = Outgoing(topic, payload, min(qos, granted), expires_at=expires_at)
            holder = session.holder
            if message.qos == 0:
                done = holder is not None and not message.expired(now) and holder.post(message)
                self.counters.dropped += not done
            else:
                done = session.outbox.offer(message, now)
                if done and holder is not None:
                    holder.flush()
            taken |= done
        return taken
