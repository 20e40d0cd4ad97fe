"""From the body of a packet to its value, for every packet but PUBLISH (which `codec` reads inline)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from gateway.ingest.mqtt.fields import Cursor
from gateway.ingest.mqtt.packets import (
    V5,
    V311,
    Ack,
    AckType,
    Auth,
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
from gateway.ingest.mqtt.properties import PacketType, Properties, decode_properties
from gateway.ingest.mqtt.reasons import RETURN_CODES, ProtocolError, Reason, malformed, violation

# Which reason codes a packet may carry. DISCONNECT differs by who sends it, so it has two rows.
_PUB = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
_REASONS: dict[PacketType, frozenset[int]] = {
    PacketType.CONNACK: frozenset(
        (0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F)
    ),
    PacketType.PUBACK: frozenset(_PUB),
    PacketType.PUBREC: frozenset(_PUB),
    PacketType.PUBREL: frozenset((0x00, 0x92)),
    PacketType.PUBCOMP: frozenset((0x00, 0x92)),
    PacketType.SUBACK: frozenset(
        (0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2),
    ),
    PacketType.UNSUBACK: frozenset((0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91)),
    PacketType.AUTH: frozenset((0x00, 0x18, 0x19)),
}
DISCONNECT_BY_CLIENT = frozenset(
    (0x00, 0x04, *range(0x80, 0x84), 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99)
)
_DISCONNECT_BY_SERVER = frozenset(
    (0x00, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3))
)


def _reason(cursor: Cursor, allowed: frozenset[int]) -> Reason:
    code = cursor.integer(1)
    if code not in allowed:
        raise malformed(f"the reason code 0x{code:02X} does not belong here")
    return Reason(code)


class UnknownVersionError(ProtocolError):
    """A CONNECT of a protocol version that is not spoken here; `reply` is the version to answer in."""

    def __init__(self, level: int) -> None:
        super().__init__(Reason.UNSUPPORTED_PROTOCOL_VERSION, f"protocol level {level} is not spoken here")
        self.reply = V5 if level > V5 else V311


def decode_version(cursor: Cursor) -> int:
    """Read the protocol name and level at the start of a CONNECT; return the level, 4 or 5."""
    name = cursor.binary()
    level = cursor.integer(1)
    if name == b"MQTT" and level in (V311, V5):
        return level
    if name in (b"MQTT", b"MQIsdp"):
        raise UnknownVersionError(level)
    raise malformed("the protocol name is not MQTT")


def decode_connect(cursor: Cursor, version: int) -> Connect:
    """Read a CONNECT from behind its protocol level."""
    flags = cursor.integer(1)
    keep_alive = cursor.integer(2)
    has_username, has_password, has_will = flags & 0x80, flags & 0x40, flags & 0x04
    will_qos = flags >> 3 & 3
    if flags & 1:
        raise malformed("the reserved flag of CONNECT is set")
    if will_qos == 3 or (not has_will and flags & 0x38):
        raise malformed("the will flags of CONNECT contradict each other")
    if version == V311 and has_password and not has_username:
        raise malformed("CONNECT has a password but no user name")
    properties = decode_properties(cursor, PacketType.CONNECT) if version == V5 else Properties()
    client_id = cursor.text()
    will = None
    if has_will:
        will_properties = decode_properties(cursor, PacketType.WILL) if version == V5 else Properties()
        topic = cursor.text()
        check_topic_name(topic)
        if will_properties.response_topic is not None:
            check_topic_name(will_properties.response_topic)
        will = Will(topic, cursor.binary(), will_qos, bool(flags & 0x20), will_properties)
    return Connect(
        client_id,
        version,
        bool(flags & 2),
        keep_alive,
        cursor.text() if has_username else None,
        cursor.binary() if has_password else None,
        will,
        properties,
    )


def check_topic_name(topic: str) -> None:
    """Refuse a topic that nothing can be published to."""
    if not topic:
        raise ProtocolError(Reason.TOPIC_NAME_INVALID, "a topic name is empty")
    if "#" in topic or "+" in topic:
        raise ProtocolError(Reason.TOPIC_NAME_INVALID, "a topic name contains a wildcard")


def _connack(cursor: Cursor, version: int) -> Control:
    flags = cursor.integer(1)
    if flags > 1:
        raise malformed("reserved flags of CONNACK are set")
    if version == V5 and cursor.left > 1:
        reason = _reason(cursor, _REASONS[PacketType.CONNACK])
        packet = Connack(bool(flags), reason, decode_properties(cursor, PacketType.CONNACK))
    else:
        # A 3.1.1 server answers a version 5 CONNECT in its own form: two bytes, code 1.
        code = cursor.integer(1)
        if code not in RETURN_CODES or (version == V5 and code != 1):
            raise malformed(f"CONNACK return code {code} is not defined")
        packet = Connack(bool(flags), RETURN_CODES[code])
    if packet.session_present and packet.reason is not Reason.SUCCESS:
        raise violation("CONNACK refuses the connection and says that there is a session")
    return packet


def _ack(kind: PacketType) -> Callable[[Cursor, int], Control]:
    def decode(cursor: Cursor, version: int) -> Control:
        packet = Ack(cast(AckType, kind), cursor.packet_id())
        if version == V5 and cursor.left:
            packet.reason = _reason(cursor, _REASONS[kind])
            if cursor.left:
                packet.properties = decode_properties(cursor, kind)
        return packet

    return decode


def _subscribe(cursor: Cursor, version: int) -> Control:
    packet = Subscribe(cursor.packet_id(), [])
    if version == V5:
        packet.properties = decode_properties(cursor, PacketType.SUBSCRIBE)
    while cursor.left:
        filter_ = cursor.text()
        options = cursor.integer(1)
        qos = options & 3
        if qos == 3 or options & (0xC0 if version == V5 else 0xFC):
            raise malformed("the options of a subscription have reserved bits set")
        handling = options >> 4 & 3
        no_local = bool(options & 4)
        if handling == 3:
            raise violation("the retain handling of a subscription is 3")
        if no_local and filter_.startswith("$share/"):
            raise violation("a shared subscription asks for no local")
        packet.subscriptions.append(Subscription(filter_, qos, no_local, bool(options & 8), handling))
    if not packet.subscriptions:
        raise violation("SUBSCRIBE has no topic filter")
    return packet


def _suback(cursor: Cursor, version: int) -> Control:
    packet = Suback(cursor.packet_id(), [])
    if version == V5:
        packet.properties = decode_properties(cursor, PacketType.SUBACK)
        allowed = _REASONS[PacketType.SUBACK]
    else:
        allowed = frozenset((0, 1, 2, 0x80))
    while cursor.left:
        packet.reasons.append(_reason(cursor, allowed))
    return packet


def _unsubscribe(cursor: Cursor, version: int) -> Control:
    packet = Unsubscribe(cursor.packet_id(), [])
    if version == V5:
        packet.properties = decode_properties(cursor, PacketType.UNSUBSCRIBE)
    while cursor.left:
        packet.filters.append(cursor.text())
    if not packet.filters:
        raise violation("UNSUBSCRIBE has no topic filter")
    return packet


def _unsuback(cursor: Cursor, version: int) -> Control:
    packet = Unsuback(cursor.packet_id(), [])
    if version == V5:
        packet.properties = decode_properties(cursor, PacketType.UNSUBACK)
        while cursor.left:
            packet.reasons.append(_reason(cursor, _REASONS[PacketType.UNSUBACK]))
    return packet


def _disconnect(allowed: frozenset[int]) -> Callable[[Cursor, int], Control]:
    def decode(cursor: Cursor, version: int) -> Control:
        packet = Disconnect()
        if version == V5 and cursor.left:
            packet.reason = _reason(cursor, allowed)
            if cursor.left:
                packet.properties = decode_properties(cursor, PacketType.DISCONNECT)
        return packet

    return decode


def _auth(cursor: Cursor, version: int) -> Control:
    packet = Auth()
    if cursor.left:
        packet.reason = _reason(cursor, _REASONS[PacketType.AUTH])
        packet.properties = decode_properties(cursor, PacketType.AUTH)
    return packet


Decoder = Callable[[Cursor, int], Control]
_ACKS: dict[int, Decoder] = {
    kind: _ack(kind) for kind in (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)
}
# What a client and what a server may send, beside PUBLISH and CONNECT. AUTH exists in version 5 only.
FROM_CLIENT: dict[int, Decoder] = {
    **_ACKS,
    PacketType.SUBSCRIBE: _subscribe,
    PacketType.UNSUBSCRIBE: _unsubscribe,
    PacketType.PINGREQ: lambda cursor, version: Pingreq(),
    PacketType.DISCONNECT: _disconnect(DISCONNECT_BY_CLIENT),
    PacketType.AUTH: _auth,
}
FROM_SERVER: dict[int, Decoder] = {
    **_ACKS,
    PacketType.CONNACK: _connack,
    PacketType.SUBACK: _suback,
    PacketType.UNSUBACK: _unsuback,
    PacketType.PINGRESP: lambda cursor, version: Pingresp(),
    PacketType.DISCONNECT: _disconnect(_DISCONNECT_BY_SERVER),
    PacketType.AUTH: _auth,
}
# These have the flags 0010, all others but PUBLISH 0000.
FLAGGED = frozenset((PacketType.PUBREL, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE))
