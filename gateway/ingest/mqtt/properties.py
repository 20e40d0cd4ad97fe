"""The properties of MQTT 5 packets as one table: the name of each, how it is written, where it may stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from gateway.ingest.mqtt.fields import Cursor, encode_binary, encode_text, encode_varint
from gateway.ingest.mqtt.reasons import ProtocolError, Reason, malformed, violation


class PacketType(IntEnum):
    """The number of a packet type; `WILL` is no packet but a place in CONNECT that has properties too."""

    WILL = 0
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


@dataclass(slots=True)
class Properties:
    """The properties of one packet; None where one is absent. Intervals are in s, sizes in bytes."""

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifier: list[int] = field(default_factory=list)
    session_expiry_interval: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay_interval: int | None = None
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user_property: list[tuple[str, str]] = field(default_factory=list)
    maximum_packet_size: int | None = None
    wildcard_subscription_available: int | None = None
    subscription_identifier_available: int | None = None
    shared_subscription_available: int | None = None


Kind = Literal["flag", "two", "four", "varint", "text", "binary", "pair"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one property is written and where it may stand."""

    name: str
    kind: Kind
    places: frozenset[PacketType]
    lowest: int = 0
    below: Reason = Reason.PROTOCOL_ERROR  # the reason to refuse a value under `lowest`


_P = PacketType
_MESSAGE = frozenset({_P.PUBLISH, _P.WILL})
_OPENING = frozenset({_P.CONNECT, _P.CONNACK})
_CONNACK = frozenset({_P.CONNACK})
_ANSWERS = frozenset(
    {_P.CONNACK, _P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP, _P.SUBACK, _P.UNSUBACK, _P.DISCONNECT, _P.AUTH}
)
_ANYWHERE = _ANSWERS | {_P.CONNECT, _P.PUBLISH, _P.WILL, _P.SUBSCRIBE, _P.UNSUBSCRIBE}

RULES: dict[int, Rule] = {
    0x01: Rule("payload_format_indicator", "flag", _MESSAGE),
    0x02: Rule("message_expiry_interval", "four", _MESSAGE),
    0x03: Rule("content_type", "text", _MESSAGE),
    0x08: Rule("response_topic", "text", _MESSAGE),
    0x09: Rule("correlation_data", "binary", _MESSAGE),
    0x0B: Rule("subscription_identifier", "varint", frozenset({_P.PUBLISH, _P.SUBSCRIBE}), lowest=1),
    0x11: Rule("session_expiry_interval", "four", _OPENING | {_P.DISCONNECT}),
    0x12: Rule("assigned_client_identifier", "text", _CONNACK),
    0x13: Rule("server_keep_alive", "two", _CONNACK),
    0x15: Rule("authentication_method", "text", _OPENING | {_P.AUTH}),
    0x16: Rule("authentication_data", "binary", _OPENING | {_P.AUTH}),
    0x17: Rule("request_problem_information", "flag", frozenset({_P.CONNECT})),
    0x18: Rule("will_delay_interval", "four", frozenset({_P.WILL})),
    0x19: Rule("request_response_information", "flag", frozenset({_P.CONNECT})),
    0x1A: Rule("response_information", "text", _CONNACK),
    0x1C: Rule("server_reference", "text", frozenset({_P.CONNACK, _P.DISCONNECT})),
    0x1F: Rule("reason_string", "text", _ANSWERS),
    0x21: Rule("receive_maximum", "two", _OPENING, lowest=1),
    0x22: Rule("topic_alias_maximum", "two", _OPENING),
    0x23: Rule("topic_alias", "two", frozenset({_P.PUBLISH}), lowest=1, below=Reason.TOPIC_ALIAS_INVALID),
    0x24: Rule("maximum_qos", "flag", _CONNACK),
    0x25: Rule("retain_available", "flag", _CONNACK),
    0x26: Rule("user_property", "pair", _ANYWHERE),
    0x27: Rule("maximum_packet_size", "four", _OPENING, lowest=1),
    0x28: Rule("wildcard_subscription_available", "flag", _CONNACK),
    0x29: Rule("subscription_identifier_available", "flag", _CONNACK),
    0x2A: Rule("shared_subscription_available", "flag", _CONNACK),
}
_SIZES = {"flag": 1, "two": 2, "four": 4}


def decode_properties(cursor: Cursor, place: PacketType) -> Properties:
    """Read the properties at the cursor, their length first.

    Raises ProtocolError for an unknown property, one that may not stand in `place`, one that is given twice,
    or a value that is out of range.
    """
    length = cursor.varint()
    found = Properties()
    if length == 0:
        return found
    inner = Cursor(cursor.take(length))
    seen: set[int] = set()
    while inner.left:
        number = inner.varint()
        rule = RULES.get(number)
        if rule is None:
            raise malformed(f"there is no property 0x{number:02X}")
        if place not in rule.places:
            raise malformed(f"{rule.name} may not stand in {place.name}")
        if rule.kind == "pair":
            found.user_property.append((inner.text(), inner.text()))
            continue
        # A PUBLISH carries one subscription identifier for each subscription that it matched.
        if number in seen and not (rule.kind == "varint" and place is PacketType.PUBLISH):
            raise violation(f"{rule.name} is given twice")
        seen.add(number)
        _read(inner, rule, found)
    if found.authentication_data is not None and found.authentication_method is None:
        raise violation("authentication_data is given without authentication_method")
    return found


def _read(inner: Cursor, rule: Rule, found: Properties) -> None:
    if rule.kind == "text":
        setattr(found, rule.name, inner.text())
        return
    if rule.kind == "binary":
        setattr(found, rule.name, inner.binary())
        return
    value = inner.varint() if rule.kind == "varint" else inner.integer(_SIZES[rule.kind])
    if value < rule.lowest:
        raise ProtocolError(rule.below, f"{rule.name} is {value}")
    if rule.kind == "flag" and value > 1:
        raise violation(f"{rule.name} is {value}, not 0 or 1")
    if rule.kind == "varint":
        found.subscription_identifier.append(value)
    else:
        setattr(found, rule.name, value)


def encode_properties(properties: Properties | None) -> bytes:
    """The properties with their length before them."""
    if properties is None:
        return b"\0"
    out = bytearray()
    for number, rule in RULES.items():
        value = getattr(properties, rule.name)
        if value is None or value == []:
            continue
        if rule.kind == "text":
            out += bytes((number,)) + encode_text(value)
        elif rule.kind == "binary":
            out += bytes((number,)) + encode_binary(value)
        elif rule.kind == "pair":
            for name, text in value:
                out += bytes((number,)) + encode_text(name) + encode_text(text)
        elif rule.kind == "varint":
            for each in value:
                out += bytes((number,)) + encode_varint(each)
        else:
            out += bytes((number,)) + value.to_bytes(_SIZES[rule.kind], "big")
    return encode_varint(len(out)) + bytes(out)
