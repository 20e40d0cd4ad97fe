"""MQTT packets as values. PUBLISH, of which a read may bring a thousand, is a plain tuple."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.ingest.mqtt.properties import PacketType, Properties
from gateway.ingest.mqtt.reasons import Reason

V311 = 4  # the protocol level of MQTT 3.1.1
V5 = 5

# Topic, payload, packet identifier (0 for QoS 0), the four flag bits of the fixed header, properties (None
# when there are none).
Publish = tuple[str, bytes, int, int, Properties | None]

DUP = 0x08
QOS_1 = 0x02
QOS_2 = 0x04
RETAIN = 0x01


@dataclass(slots=True)
class Will:
    """What the server publishes when the client is gone without saying goodbye."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Connect:
    """The first packet of a client. `keep_alive` in s, 0 for none."""

    client_id: str
    version: int = V5
    clean_start: bool = True
    keep_alive: int = 60
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Connack:
    """The answer to CONNECT."""

    session_present: bool = False
    reason: Reason = Reason.SUCCESS
    properties: Properties = field(default_factory=Properties)


AckType = Literal[PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP]


@dataclass(slots=True)
class Ack:
    """A step of the acknowledgement of a PUBLISH: PUBACK, PUBREC, PUBREL or PUBCOMP."""

    type: AckType
    packet_id: int
    reason: Reason = Reason.SUCCESS
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Subscription:
    """One filter of a SUBSCRIBE with its options; a 3.1.1 client has only `qos`."""

    filter: str
    qos: int = 1
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    """A client asks for messages."""

    packet_id: int
    subscriptions: list[Subscription]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Suback:
    """The answer to SUBSCRIBE, one reason for each filter: the granted QoS or a failure."""

    packet_id: int
    reasons: list[Reason]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Unsubscribe:
    """A client wants no more of these filters."""

    packet_id: int
    filters: list[str]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Unsuback:
    """The answer to UNSUBSCRIBE; 3.1.1 has no reasons, so the list is empty there."""

    packet_id: int
    reasons: list[Reason]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Pingreq:
    """A client that has nothing to say is still there."""


@dataclass(slots=True)
class Pingresp:
    """The answer to PINGREQ."""


@dataclass(slots=True)
class Disconnect:
    """The last packet of a connection; in 3.1.1 only a client sends it."""

    reason: Reason = Reason.SUCCESS
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Auth:
    """A step of MQTT 5 enhanced authentication."""

    reason: Reason = Reason.SUCCESS
    properties: Properties = field(default_factory=Properties)


Control = (
    Connect
    | Connack
    | Ack
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
Packet = Publish | Control
