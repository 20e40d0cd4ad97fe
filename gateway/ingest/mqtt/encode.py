"""From packets to bytes, for either side and both versions."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from sys import byteorder

from gateway.ingest.mqtt.fields import encode_binary, encode_text, encode_varint
from gateway.ingest.mqtt.packets import (
    DUP,
    V5,
    Ack,
    Auth,
    Connack,
    Connect,
    Control,
    Disconnect,
    Pingreq,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from gateway.ingest.mqtt.properties import PacketType, Properties, encode_properties
from gateway.ingest.mqtt.reasons import Reason, return_code

_NONE = Properties()


def _packet(kind: PacketType, body: bytes, flags: int = 0) -> bytes:
    return bytes((kind << 4 | flags,)) + encode_varint(len(body)) + body


def encode_pubacks(packet_ids: Sequence[int], kind: PacketType = PacketType.PUBACK) -> bytes:
    """One PUBACK (or PUBREC) for each packet identifier, meaning success, in one piece for one write.

    Both versions write success in the same four bytes, so this is an array of 16-bit words.
    """
    words = array("H", (kind << 12 | 2,)) * (2 * len(packet_ids))
    words[1::2] = array("H", packet_ids)
    if byteorder == "little":
        words.byteswap()
    return words.tobytes()


def encode_publish(
    version: int,
    topic: str,
    payload: bytes,
    *,
    qos: int = 0,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
    properties: Properties | None = None,
) -> bytes:
    """A PUBLISH; `packet_id` is for QoS 1 and 2 only, `properties` for version 5 only."""
    body = encode_text(topic)
    if qos:
        body += packet_id.to_bytes(2, "big")
    if version == V5:
        body += encode_properties(properties)
    return _packet(PacketType.PUBLISH, body + payload, DUP * dup | qos << 1 | retain)


def encode(packet: Control, version: int) -> bytes:
    """Any packet but PUBLISH. What `version` has no place for (reasons, properties) is left out."""
    v5 = version == V5
    if isinstance(packet, Connect):
        return _packet(PacketType.CONNECT, _connect(packet))
    if isinstance(packet, Connack):
        body = bytes((packet.session_present, packet.reason if v5 else return_code(packet.reason)))
        return _packet(PacketType.CONNACK, body + encode_properties(packet.properties) if v5 else body)
    if isinstance(packet, Ack):
        flags = 2 if packet.type == PacketType.PUBREL else 0
        body = packet.packet_id.to_bytes(2, "big") + _optional(packet.reason, packet.properties, v5)
        return _packet(packet.type, body, flags)
    if isinstance(packet, Disconnect):
        return _packet(PacketType.DISCONNECT, _optional(packet.reason, packet.properties, v5))
    if isinstance(packet, Auth):
        return _packet(PacketType.AUTH, _optional(packet.reason, packet.properties, v5))
    if isinstance(packet, Subscribe | Suback | Unsubscribe | Unsuback):
        return _subscribing(packet, v5)
    return b"\xc0\0" if isinstance(packet, Pingreq) else b"\xd0\0"


def _optional(reason: Reason, properties: Properties, v5: bool) -> bytes:
    """A reason and properties at the end of a packet, where success without properties is not written."""
    if not v5 or (reason == Reason.SUCCESS and properties == _NONE):
        return b""
    if properties == _NONE:
        # AUTH alone may not leave out the length of its properties; for the others a length of 0 is as good.
        return bytes((reason, 0))
    return bytes((reason,)) + encode_properties(properties)


def _connect(packet: Connect) -> bytes:
    v5 = packet.version == V5
    will = packet.will
    flags = 2 * packet.clean_start
    body = encode_text(packet.client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | 0x20 * will.retain
        if v5:
            body += encode_properties(will.properties)
        body += encode_text(will.topic) + encode_binary(will.payload)
    if packet.username is not None:
        flags |= 0x80
        body += encode_text(packet.username)
    if packet.password is not None:
        flags |= 0x40
        body += encode_binary(packet.password)
    head = b"\0\4MQTT" + bytes((packet.version, flags)) + packet.keep_alive.to_bytes(2, "big")
    return head + (encode_properties(packet.properties) if v5 else b"") + body


def _subscribing(packet: Subscribe | Suback | Unsubscribe | Unsuback, v5: bool) -> bytes:
    body = packet.packet_id.to_bytes(2, "big")
    if v5:
        body += encode_properties(packet.properties)
    if isinstance(packet, Subscribe):
        for each in packet.subscriptions:
            options = each.qos
            if v5:
                options |= 4 * each.no_local | 8 * each.retain_as_published | each.retain_handling << 4
            body += encode_text(each.filter) + bytes((options,))
        return _packet(PacketType.SUBSCRIBE, body, 2)
    if isinstance(packet, Unsubscribe):
        body += b"".join(map(encode_text, packet.filters))
        return _packet(PacketType.UNSUBSCRIBE, body, 2)
    if isinstance(packet, Suback):
        # 3.1.1 knows one failure only.
        codes = packet.reasons if v5 else [min(reason, 0x80) for reason in packet.reasons]
        return _packet(PacketType.SUBACK, body + bytes(codes))
    return _packet(PacketType.UNSUBACK, body + bytes(packet.reasons if v5 else ()))
