"""One connection to a broker, from CONNECT to its end. `client` makes a new one when the last is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.ingest.delivery import Receiver
from gateway.ingest.mqtt.codec import DEFAULT_MAX_PACKET, Parser
from gateway.ingest.mqtt.connection import Connection
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.decode import DISCONNECT_BY_CLIENT
from gateway.ingest.mqtt.outbox import DEFAULT_WINDOW, Outbox
from gateway.ingest.mqtt.packets import (
    V5,
    Auth,
    Connack,
    Connect,
    Control,
    Disconnect,
    Pingreq,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from gateway.ingest.mqtt.properties import Properties
from gateway.ingest.mqtt.reasons import ProtocolError, Reason, violation

_SUBSCRIBE_ID = 1  # the only SUBSCRIBE of a connection; it goes out before any PUBLISH takes an identifier


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client behaves towards its broker."""

    # How many messages the broker may send ahead of our acknowledgements. Always told: mosquitto takes the
    # default of MQTT 5, 65,535, for its own default of 20.
    receive_maximum: int = 2_000
    session_expiry_s: int = 7 * 86_400  # how long the broker keeps messages for us
    keep_alive_s: int = 30  # a broker that is silent for so long, in spite of two pings, is dead
    connect_timeout_s: float = 10.0  # each for the TCP connection and for CONNACK and SUBACK
    first_delay_s: float = 0.25  # before connecting again; doubled by each failure
    longest_delay_s: float = 30.0
    max_packet: int = DEFAULT_MAX_PACKET  # bytes
    max_queue: int = 10_000  # outgoing messages that wait
    max_in_flight: int = 1_000  # outgoing messages that are not acknowledged


@dataclass(slots=True)
class BrokerSession:
    """What outlives a connection, and who is told about it."""

    client_id: str
    username: str | None
    password: str | None
    filters: tuple[str, ...]
    will: Will | None
    settings: ClientSettings
    receiver: Receiver
    clock: Clock
    counters: Counters
    outbox: Outbox
    stored: set[int]
    on_ready: Callable[[BrokerConnection], None]


class BrokerConnection(Connection):
    """A connection to a broker. `ready` when every subscription is in force; `problem` says why it ended."""

    def __init__(self, session: BrokerSession, version: int) -> None:
        settings = session.settings
        super().__init__(
            Parser(from_client=False, version=version, max_packet=settings.max_packet),
            session.receiver,
            session.clock,
            session.counters,
            # A mosquitto with `max_inflight_messages 0` ignores what it was told. Cutting it off would only
            # begin the same again; not reading, when too much waits, bounds what it can do.
            receive_maximum=None,
        )
        self.stored = session.stored
        self.ready = False
        self.answered = False  # by a CONNACK
        self.wrong_version = False
        self.problem: str | None = None
        self._session = session
        self._told = Properties()
        self._timer: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        return "the broker"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the TCP connection stands."""
        super().connection_made(transport)
        session, settings = self._session, self._session.settings
        properties = Properties(
            session_expiry_interval=settings.session_expiry_s,
            receive_maximum=settings.receive_maximum,
            maximum_packet_size=settings.max_packet,
        )
        self.send(
            Connect(
                session.client_id,
                self.parser.version,
                clean_start=False,
                keep_alive=settings.keep_alive_s,
                username=session.username,
                password=None if session.password is None else session.password.encode(),
                will=session.will,
                properties=properties,
            )
        )
        self._timer = self.loop.call_later(settings.connect_timeout_s, self._no_answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        if self._timer:
            self._timer.cancel()
        self.problem = self.problem or (f"the connection broke: {exc}" if exc else "the broker closed it")
        super().connection_lost(exc)

    def handle(self, packet: Control) -> None:
        """Act on a packet of the broker."""
        if isinstance(packet, Connack):
            self._connack(packet)
        elif isinstance(packet, Suback):
            self._suback(packet)
        elif isinstance(packet, Disconnect):
            self.problem = f"the broker disconnects: {packet.reason.words}"
            self.end()
        elif isinstance(packet, Auth):
            self.fail(violation("the broker asks for an authentication that was not offered"))

    def _connack(self, packet: Connack) -> None:
        self.answered = True
        told = packet.properties
        if packet.reason is not Reason.SUCCESS:
            self.wrong_version = packet.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION
            self.problem = f"the broker refuses the connection: {packet.reason.words}"
            self.end()
            return
        if told.maximum_qos == 0:
            self._give_up("the broker offers no QoS 1, without which messages are lost; use another broker")
            return
        self._told = told
        filters = [Subscription(each, 1) for each in self._session.filters]
        self.send(Subscribe(_SUBSCRIBE_ID, filters))
        if not packet.session_present:
            self.stored.clear()
            self._session.outbox.restart()

    def _suback(self, packet: Suback) -> None:
        if self.ready or len(packet.reasons) != len(self._session.filters):
            self.fail(violation("SUBACK does not belong to the SUBSCRIBE that was sent"))
            return
        for filter_, reason in zip(self._session.filters, packet.reasons, strict=True):
            if reason is not Reason.GRANTED_QOS_1:
                self._give_up(f"the broker does not grant QoS 1 on {filter_}: {reason.words}")
                return
        self.ready = True
        told, settings = self._told, self._session.settings
        window = told.receive_maximum or (65_535 if self.parser.version == V5 else DEFAULT_WINDOW)
        window = min(window, settings.max_in_flight)
        self.open_outbox(self._session.outbox, window, told.maximum_packet_size)
        if self._timer:
            self._timer.cancel()
        keep_alive = settings.keep_alive_s if told.server_keep_alive is None else told.server_keep_alive
        if keep_alive:
            self.allow_silence(keep_alive)
            self._ping(keep_alive / 2)
        self._session.on_ready(self)

    def _give_up(self, problem: str) -> None:
        self.problem = problem
        self.end(Reason.SUCCESS)

    def _no_answer(self) -> None:
        self.problem = "the broker does not answer"
        self.abort()

    def _ping(self, every_s: float) -> None:
        if not self.ending:
            self.send(Pingreq())
            self._timer = self.loop.call_later(every_s, self._ping, every_s)

    # the end

    def fail(self, fault: ProtocolError) -> None:
        """The broker broke the protocol, or is dead."""
        self.problem = self.problem or str(fault)
        super().fail(fault)

    def say_goodbye(self, reason: Reason) -> None:
        """Tell the broker why the connection ends, in a code that a client may use."""
        if self.parser.version == V5:
            self.send(Disconnect(reason if reason in DISCONNECT_BY_CLIENT else Reason.UNSPECIFIED_ERROR))
        elif reason is Reason.SUCCESS:
            self.send(Disconnect())
