"""The endpoint's side of one device's connection: CONNECT, subscriptions, keep alive, last will, goodbye."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Protocol

from gateway.clock import Clock
from gateway.ingest.delivery import Delivery, Receiver
from gateway.ingest.mqtt.codec import DEFAULT_MAX_PACKET, Parser, TopicCache
from gateway.ingest.mqtt.connection import Connection
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.identity import Authorise, Refusal, common_name
from gateway.ingest.mqtt.outbox import DEFAULT_WINDOW
from gateway.ingest.mqtt.packets import (
    V5,
    Connack,
    Connect,
    Control,
    Disconnect,
    Pingreq,
    Pingresp,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from gateway.ingest.mqtt.properties import Properties
from gateway.ingest.mqtt.reasons import RETURN_CODES, ProtocolError, Reason, violation
from gateway.ingest.mqtt.session import Session, Sessions
from gateway.ingest.mqtt.topics import device_of, is_down_filter, valid_filter


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint allows."""

    max_connections: int = 10_000
    max_connections_of_address: int = 2_000  # so that one cannot keep all others out; a proxy or NAT is one
    connect_timeout_s: float = 10.0  # from the TCP connection to the CONNECT
    max_packet: int = DEFAULT_MAX_PACKET  # bytes, as announced by the packet's header
    receive_maximum: int = 16_384  # unacknowledged messages of one version 5 connection
    topic_aliases: int = 16
    max_client_id: int = 256  # characters
    max_subscriptions: int = 32  # of one session
    max_session_expiry_s: int = 7 * 86_400
    max_idle_sessions: int = 20_000
    max_queue: int = 1_000  # messages that wait for one session
    max_in_flight: int = 64  # unacknowledged messages to one device


class Others(Protocol):
    """The topics of other makers' devices."""

    def owner_of(self, topic: str) -> str | None:
        """`{site}/{device}` whose topic it is; None where it is nobody's, or not of one alone."""

    def may_hear(self, identity: str | None, filter_: str) -> bool:
        """Whether a device may subscribe to a filter."""


@dataclass(slots=True)
class Shared:
    """What all connections of one endpoint have in common."""

    receiver: Receiver
    clock: Clock
    authorise: Authorise
    allow_bridges: bool
    limits: Limits
    sessions: Sessions
    counters: Counters
    others: Others | None = None
    topics: TopicCache = field(default_factory=TopicCache)
    connections: set[DeviceConnection] = field(default_factory=set)
    of_address: Counter[str] = field(default_factory=Counter)
    """How many of the connections each address has."""


class DeviceConnection(Connection):
    """One device, or a bridge that carries several."""

    def __init__(self, shared: Shared) -> None:
        limits = shared.limits
        parser = Parser(
            from_client=True,
            max_packet=limits.max_packet,
            topic_aliases=limits.topic_aliases,
            topics=shared.topics,
        )
        super().__init__(
            parser,
            shared.receiver,
            shared.clock,
            shared.counters,
            receive_maximum=limits.receive_maximum,
        )
        self.client_id = ""
        self.binding = False
        self._address = ""
        self._shared = shared
        self._limits = limits
        self._bridge = False
        self._session: Session | None = None
        self._will: Will | None = None
        self._connect_timer: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        peer = self._transport.get_extra_info("peername") if self._transport else None
        name = self.speaks_for or self.client_id or "a client without CONNECT"
        return f"{name} at {peer[0]}:{peer[1]}" if peer else name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a device has connected."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        of_address = self._shared.of_address
        if len(self._shared.connections) >= self._limits.max_connections:
            self.counters.refused["too_many_connections"] += 1
            self.abort()
            return
        if of_address[address] >= self._limits.max_connections_of_address:
            self.counters.refused["too_many_connections_of_address"] += 1
            self.abort()
            return
        self._address = address
        of_address[address] += 1
        self._shared.connections.add(self)
        self._connect_timer = self.loop.call_later(self._limits.connect_timeout_s, self._no_connect)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the device is gone."""
        super().connection_lost(exc)
        if self in self._shared.connections:
            self._shared.connections.discard(self)
            self._shared.of_address[self._address] -= 1
            if not self._shared.of_address[self._address]:
                del self._shared.of_address[self._address]
        if self._connect_timer:
            self._connect_timer.cancel()
        self._release()

    def handle(self, packet: Control) -> None:
        """Act on a packet of the device."""
        if isinstance(packet, Connect):
            try:
                self._connect(packet)
            except ProtocolError as fault:
                self.fail(fault)
        elif isinstance(packet, Subscribe):
            self._subscribe(packet)
        elif isinstance(packet, Unsubscribe):
            self._unsubscribe(packet)
        elif isinstance(packet, Pingreq):
            self.send(Pingresp())
        elif isinstance(packet, Disconnect):
            self._disconnect(packet)
        else:
            self.fail(violation("AUTH is sent, but no authentication is going on"))

    # CONNECT

    def _connect(self, packet: Connect) -> None:
        limits = self._limits
        wanted = packet.properties
        if wanted.authentication_method is not None:
            raise ProtocolError(Reason.BAD_AUTHENTICATION_METHOD, "enhanced authentication is not offered")
        answer = Properties()
        self.client_id = packet.client_id
        if not self.client_id:
            if packet.version != V5 and not packet.clean_start:
                raise ProtocolError(Reason.CLIENT_ID_NOT_VALID, "a session needs a client identifier")
            self.client_id = answer.assigned_client_identifier = f"gateway-{token_hex(8)}"
        elif len(self.client_id) > limits.max_client_id:
            raise ProtocolError(
                Reason.CLIENT_ID_NOT_VALID, f"the client identifier is over {limits.max_client_id} long"
            )
        assert self._transport
        shown = common_name(self._transport.get_extra_info("peercert"))
        identity = self._shared.authorise(packet.client_id, packet.username, packet.password, shown)
        if isinstance(identity, Refusal):
            raise ProtocolError(identity.reason, identity.detail or "the connection is not authorised")
        self._bridge = identity is None and self._shared.allow_bridges and packet.username is None

        session, present = self._shared.sessions.open(
            (identity, self.client_id), self, clean=packet.clean_start
        )
        session.expiry_s = self._expiry(packet, answer)
        self._session = session
        self.stored = session.stored
        self.speaks_for = session.identity
        self.binding = session.identity is None and not self._bridge
        if packet.will is not None:
            self._will = packet.will
            if self.binding:
                self.bind(packet.will.topic)

        answer.receive_maximum = limits.receive_maximum
        answer.maximum_packet_size = limits.max_packet
        answer.topic_alias_maximum = limits.topic_aliases
        answer.subscription_identifier_available = 0
        answer.shared_subscription_available = 0
        self.send(Connack(present, Reason.SUCCESS, answer))
        window = wanted.receive_maximum or (65_535 if packet.version == V5 else DEFAULT_WINDOW)
        self.open_outbox(session.outbox, min(window, limits.max_in_flight), wanted.maximum_packet_size)
        if self._connect_timer:
            self._connect_timer.cancel()
        if packet.keep_alive:
            self.allow_silence(packet.keep_alive * 1.5)

    def _expiry(self, packet: Connect, answer: Properties) -> float:
        """How long the session outlives the connection (s); a shortened wish is told to the device."""
        longest = self._limits.max_session_expiry_s
        if packet.version != V5:
            return 0 if packet.clean_start else longest
        wanted = packet.properties.session_expiry_interval or 0
        if wanted > longest:
            answer.session_expiry_interval = longest
        return min(wanted, longest)

    def bind(self, topic: str) -> None:
        """The first device topic that an unknown device names tells which device it is, for good."""
        others = self._shared.others
        identity = device_of(topic) or (others.owner_of(topic) if others is not None else None)
        if identity is not None and self._session is not None:
            self.binding = False
            self.speaks_for = identity
            self._shared.sessions.identify(self._session, identity)

    # subscriptions

    def _subscribe(self, packet: Subscribe) -> None:
        assert self._session
        if packet.properties.subscription_identifier:
            self.fail(
                ProtocolError(Reason.SUBSCRIPTION_IDS_NOT_SUPPORTED, "a subscription identifier is used")
            )
            return
        reasons = [self._grant(self._session, each) for each in packet.subscriptions]
        self.send(Suback(packet.packet_id, reasons))

    def _grant(self, session: Session, wanted: Subscription) -> Reason:
        reason = self._may_subscribe(session, wanted.filter)
        if reason is not Reason.SUCCESS:
            self.counters.refused[f"subscription_{reason.words}"] += 1
            return reason
        granted = min(wanted.qos, 1)
        session.subscriptions[wanted.filter] = granted
        return Reason(granted)

    def _may_subscribe(self, session: Session, filter_: str) -> Reason:
        if filter_.startswith("$share/"):
            return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        if not valid_filter(filter_):
            return Reason.TOPIC_FILTER_INVALID
        others = self._shared.others
        if others is None or not others.may_hear(self.speaks_for, filter_):
            if not is_down_filter(filter_):
                return Reason.NOT_AUTHORIZED
            if self.binding:
                self.bind(filter_)
            if not self._bridge and (self.speaks_for is None or device_of(filter_) != self.speaks_for):
                return Reason.NOT_AUTHORIZED
        full = len(session.subscriptions) >= self._limits.max_subscriptions
        return Reason.QUOTA_EXCEEDED if full and filter_ not in session.subscriptions else Reason.SUCCESS

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        assert self._session
        subscriptions = self._session.subscriptions
        reasons = [
            Reason.NO_SUBSCRIPTION_EXISTED if subscriptions.pop(each, None) is None else Reason.SUCCESS
            for each in packet.filters
        ]
        self.send(Unsuback(packet.packet_id, reasons))

    # the end

    def _no_connect(self) -> None:
        self.counters.refused["connect_timeout"] += 1
        self.end()

    def _disconnect(self, packet: Disconnect) -> None:
        assert self._session
        expiry = packet.properties.session_expiry_interval
        if expiry is not None:
            if expiry and not self._session.expiry_s:
                self.fail(violation("DISCONNECT gives a session expiry although CONNECT had none"))
                return
            self._session.expiry_s = min(expiry, self._limits.max_session_expiry_s)
        if packet.reason is Reason.SUCCESS:
            self._will = None
        self.end()

    def say_goodbye(self, reason: Reason) -> None:
        """A refused CONNECT is answered by CONNACK, as far as the version has a code for the reason."""
        if self._session is not None:
            super().say_goodbye(reason)
        elif self.parser.version == V5 or (self.parser.version and reason in RETURN_CODES.values()):
            self.send(Connack(False, reason))

    def taken_over(self) -> None:
        """The same client has connected again."""
        self.counters.refused[Reason.SESSION_TAKEN_OVER.words] += 1
        self.end(Reason.SESSION_TAKEN_OVER)
        self._release()

    def shut_down(self) -> None:
        """The endpoint closes. Its end says nothing about the device, so the last will is not published."""
        self._will = None
        self.end(Reason.SERVER_SHUTTING_DOWN)

    def _release(self) -> None:
        """Give the session back, once; the last will, if it still stands, goes to the receiver."""
        session, self._session = self._session, None
        if session is None:
            return
        will, self._will = self._will, None
        delay = (will.properties.will_delay_interval or 0) if will else 0
        self._shared.sessions.release(
            session, will=(lambda: self._publish_will(will)) if will else None, will_delay_s=delay
        )

    def _publish_will(self, will: Will) -> None:
        self.counters.messages_in += 1
        self._receiver([Delivery(will.topic, will.payload, self._clock.now(), will.retain, 0, self)])
