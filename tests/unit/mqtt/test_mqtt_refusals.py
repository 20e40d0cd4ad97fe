"""Every malformed packet is refused, and for the right reason."""

from __future__ import annotations

import pytest

from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.fields import encode_text, encode_varint
from gateway.ingest.mqtt.packets import V5, V311, Auth, Connack, Connect, Packet, Publish, Subscribe
from gateway.ingest.mqtt.properties import Properties
from gateway.ingest.mqtt.reasons import Reason

MALFORMED, VIOLATION = Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR
BOTH = (V311, V5)
both = pytest.mark.parametrize("version", BOTH)


def packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + encode_varint(len(body)) + body


def opened(version: int, *, topic_aliases: int = 0) -> Parser:
    """A parser of a server that has read a CONNECT."""
    parser = Parser(from_client=True, topic_aliases=topic_aliases)
    assert len(parser.feed(encode(Connect("c", version), version))) == 1
    return parser


def answered(version: int) -> Parser:
    """A parser of a client that has read a CONNACK."""
    parser = Parser(from_client=False, version=version)
    assert len(parser.feed(encode(Connack(), version))) == 1
    return parser


def refusal(parser: Parser, data: bytes) -> Reason | None:
    """Why `data` is refused; None when it is accepted."""
    packets = parser.feed(data)
    assert bool(packets) != (parser.fault is not None)
    return parser.fault.reason if parser.fault else None


def published(parser: Parser, data: bytes) -> Publish:
    (found,) = parser.feed(data)
    assert isinstance(found, tuple)
    return found


def connect_body(version: int, flags: int, rest: bytes, properties: bytes = b"") -> bytes:
    extra = encode_varint(len(properties)) + properties if version == V5 else b""
    return b"\0\4MQTT" + bytes((version, flags, 0, 60)) + extra + rest


# the fixed header


@both
def test_a_remaining_length_of_five_bytes_is_refused(version: int) -> None:
    assert refusal(opened(version), b"\x30\xff\xff\xff\xff\x01") is MALFORMED
    assert refusal(Parser(from_client=True), b"\x10\x80\x80\x80\x80") is MALFORMED


def test_a_padded_remaining_length_is_refused_in_version_5_only() -> None:
    padded = b"\x30\x84\x00\x00\x01t\x00"
    assert refusal(opened(V5), padded) is MALFORMED
    assert published(opened(V311), padded) == ("t", b"\0", 0, 0, None)
    for version in BOTH:
        body = connect_body(version, 2, encode_text("c"))
        data = bytes((0x10, len(body) | 0x80, 0)) + body
        assert (refusal(Parser(from_client=True), data) is MALFORMED) == (version == V5)


@both
@pytest.mark.parametrize("head", [0x41, 0x50 | 8, 0x60, 0x63, 0x71, 0x80, 0x83, 0xA0, 0xC1, 0xE1])
def test_reserved_flags_of_the_fixed_header_are_refused(version: int, head: int) -> None:
    assert refusal(opened(version), packet(head, b"\0\1")) is MALFORMED


@both
@pytest.mark.parametrize("number", [0, 2, 9, 11, 13])
def test_a_packet_that_only_a_server_sends_is_refused(version: int, number: int) -> None:
    assert refusal(opened(version), packet(number << 4, b"\0\1")) is VIOLATION


@both
@pytest.mark.parametrize("head", [0x10, 0x82, 0xA2, 0xC0])
def test_a_packet_that_only_a_client_sends_is_refused(version: int, head: int) -> None:
    assert refusal(answered(version), packet(head, b"\0\1\0")) is VIOLATION


def test_auth_does_not_exist_in_3_1_1() -> None:
    assert refusal(opened(V311), b"\xf0\0") is VIOLATION
    assert opened(V5).feed(b"\xf0\0") == [Auth()]


@both
def test_bytes_after_the_last_field_are_refused(version: int) -> None:
    assert refusal(opened(version), packet(0xC0, b"\0")) is MALFORMED
    tail = b"\0\1\0\0\0" if version == V5 else b"\0\1\0"
    assert refusal(opened(version), packet(0x40, tail)) is MALFORMED


# CONNECT


@pytest.mark.parametrize("first", [b"\x30\x03\0\1t", b"\x82\x00", b"\xc0\0", b"\xe0\0", b"\xf0\0", b"\0\0"])
def test_the_first_packet_must_be_connect(first: bytes) -> None:
    assert refusal(Parser(from_client=True), first) is VIOLATION


@both
def test_a_second_connect_is_refused(version: int) -> None:
    assert refusal(opened(version), encode(Connect("c", version), version)) is VIOLATION


def test_another_protocol_name_is_refused() -> None:
    parser = Parser(from_client=True)
    assert refusal(parser, packet(0x10, b"\0\4mqtt\4\2\0\0\0\1c")) is MALFORMED
    assert parser.version == 0


@pytest.mark.parametrize(
    ("name", "level", "reply"), [("MQIsdp", 3, V311), ("MQTT", 3, V311), ("MQTT", 6, V5)]
)
def test_another_protocol_level_is_refused_in_words_the_client_knows(
    name: str, level: int, reply: int
) -> None:
    parser = Parser(from_client=True)
    data = packet(0x10, encode_text(name) + bytes((level, 2, 0, 0)) + b"\0\0\1c")
    assert refusal(parser, data) is Reason.UNSUPPORTED_PROTOCOL_VERSION
    assert parser.version == reply


@both
@pytest.mark.parametrize(
    ("flags", "rest"),
    [
        (0x03, b"\0\1c"),  # reserved flag
        (0x0A, b"\0\1c"),  # will QoS without a will
        (0x22, b"\0\1c"),  # will retain without a will
        (0x1E, b"\0\1c\0\1t\0\0"),  # will QoS 3
    ],
)
def test_contradicting_connect_flags_are_refused(version: int, flags: int, rest: bytes) -> None:
    assert refusal(Parser(from_client=True), packet(0x10, connect_body(version, flags, rest))) is MALFORMED


def test_a_password_without_a_user_name_is_refused_in_3_1_1_only() -> None:
    for version in BOTH:
        data = packet(0x10, connect_body(version, 0x42, b"\0\1c\0\1p"))
        assert (refusal(Parser(from_client=True), data) is MALFORMED) == (version == V311)


@both
def test_connect_fields_that_are_missing_or_too_long_are_refused(version: int) -> None:
    for rest in (b"", b"\0", b"\0\5c", b"\0\1c\0"):
        flags = 0x82 if rest == b"\0\1c\0" else 2
        data = packet(0x10, connect_body(version, flags, rest))
        assert refusal(Parser(from_client=True), data) is MALFORMED


@both
def test_a_will_topic_must_be_a_topic_name(version: int) -> None:
    for topic in ("", "a/#", "+"):
        properties = b"\0" if version == V5 else b""
        rest = b"\0\1c" + properties + encode_text(topic) + b"\0\0"
        data = packet(0x10, connect_body(version, 0x06, rest))
        assert refusal(Parser(from_client=True), data) is Reason.TOPIC_NAME_INVALID


def test_the_response_topic_of_a_will_must_be_a_topic_name() -> None:
    rest = b"\0\1c" + b"\4\x08\0\1#" + b"\0\1t\0\0"
    data = packet(0x10, connect_body(V5, 0x06, rest))
    assert refusal(Parser(from_client=True), data) is Reason.TOPIC_NAME_INVALID


# strings


@both
@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"a\0b"])
def test_a_string_that_is_not_utf8_or_has_a_null_is_refused(version: int, raw: bytes) -> None:
    field = len(raw).to_bytes(2, "big") + raw
    properties = b"\0" if version == V5 else b""
    assert refusal(opened(version), packet(0x30, field + properties)) is MALFORMED
    assert refusal(opened(version), packet(0x82, b"\0\1" + properties + field + b"\1")) is MALFORMED
    data = packet(0x10, connect_body(version, 2, field))
    assert refusal(Parser(from_client=True), data) is MALFORMED


@both
def test_a_byte_order_mark_is_a_character_like_any_other(version: int) -> None:
    topic = "\ufeffbom"
    assert published(opened(version), encode_publish(version, topic, b""))[0] == topic


# PUBLISH


@both
def test_qos_3_is_refused(version: int) -> None:
    assert refusal(opened(version), packet(0x36, b"\0\1t\0\1\0")) is MALFORMED


@both
def test_packet_identifier_0_is_refused(version: int) -> None:
    for head in (0x32, 0x34):
        assert refusal(opened(version), packet(head, b"\0\1t\0\0\0")) is MALFORMED
    for head in (0x40, 0x62, 0x50, 0x70):
        assert refusal(opened(version), packet(head, b"\0\0")) is MALFORMED
    for head in (0x82, 0xA2):
        assert refusal(opened(version), packet(head, b"\0\0\0\0\1t\0")) is MALFORMED


@both
def test_a_qos_0_publish_marked_as_duplicate_is_refused(version: int) -> None:
    assert refusal(opened(version), packet(0x38, b"\0\1t\0")) is MALFORMED


@both
def test_a_wildcard_in_a_published_topic_is_refused(version: int) -> None:
    for topic in ("a/+", "#", "a#b"):
        data = encode_publish(version, topic, b"")
        assert refusal(opened(version), data) is Reason.TOPIC_NAME_INVALID


@both
@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1", b"\0\2t", b"\0\1t", b"\0\1t\0"])
def test_a_publish_that_ends_within_a_field_is_refused(version: int, body: bytes) -> None:
    assert refusal(opened(version), packet(0x32, body)) is MALFORMED


def test_an_empty_topic_is_refused() -> None:
    assert refusal(opened(V311), packet(0x30, b"\0\0")) is Reason.TOPIC_NAME_INVALID
    assert refusal(opened(V5), packet(0x30, b"\0\0\0")) is VIOLATION


def test_a_packet_identifier_is_absent_at_qos_0() -> None:
    for version in BOTH:
        assert published(opened(version), encode_publish(version, "t", b"\0\1"))[1:3] == (b"\0\1", 0)


# topic aliases


def aliased(topic: str, alias: int) -> bytes:
    return encode_publish(V5, topic, b"", properties=Properties(topic_alias=alias))


def test_a_topic_alias_stands_for_its_topic_until_it_is_set_anew() -> None:
    parser = opened(V5, topic_aliases=2)
    assert published(parser, aliased("a", 1))[0] == "a"
    assert published(parser, aliased("", 1))[0] == "a"
    assert published(parser, aliased("b", 1))[0] == "b"
    assert published(parser, aliased("", 1))[0] == "b"


def test_a_topic_alias_out_of_range_is_refused() -> None:
    assert refusal(opened(V5, topic_aliases=2), aliased("a", 3)) is Reason.TOPIC_ALIAS_INVALID
    assert refusal(opened(V5), aliased("a", 1)) is Reason.TOPIC_ALIAS_INVALID
    assert refusal(opened(V5, topic_aliases=2), aliased("a", 0)) is Reason.TOPIC_ALIAS_INVALID


def test_a_topic_alias_that_was_never_set_is_refused() -> None:
    assert refusal(opened(V5, topic_aliases=2), aliased("", 2)) is VIOLATION


# SUBSCRIBE, UNSUBSCRIBE


@both
def test_a_subscribe_without_a_filter_is_refused(version: int) -> None:
    assert refusal(opened(version), encode(Subscribe(1, []), version)) is VIOLATION
    properties = b"\0" if version == V5 else b""
    assert refusal(opened(version), packet(0xA2, b"\0\1" + properties)) is VIOLATION


@both
@pytest.mark.parametrize("options", [0x03, 0x40, 0x80])
def test_reserved_bits_of_subscription_options_are_refused(version: int, options: int) -> None:
    properties = b"\0" if version == V5 else b""
    body = b"\0\1" + properties + b"\0\1t" + bytes((options,))
    assert refusal(opened(version), packet(0x82, body)) is MALFORMED


def test_version_5_subscription_options_are_reserved_bits_in_3_1_1() -> None:
    for options in (0x04, 0x08, 0x10):
        assert refusal(opened(V311), packet(0x82, b"\0\1\0\1t" + bytes((options,)))) is MALFORMED


def test_retain_handling_3_is_refused() -> None:
    assert refusal(opened(V5), packet(0x82, b"\0\1\0\0\1t\x30")) is VIOLATION


def test_no_local_on_a_shared_subscription_is_refused() -> None:
    body = b"\0\1\0" + encode_text("$share/g/t") + b"\x04"
    assert refusal(opened(V5), packet(0x82, body)) is VIOLATION


# properties


def with_properties(raw: bytes) -> bytes:
    """A PUBLISH with the given bytes as its properties."""
    return packet(0x30, b"\0\1t" + encode_varint(len(raw)) + raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x04\0", MALFORMED),  # no such property
        (b"\x11\0\0\0\1", MALFORMED),  # session expiry has no place in PUBLISH
        (b"\x1f\0\1r", MALFORMED),  # a reason string neither
        (b"\x01\1\x01\1", VIOLATION),  # given twice
        (b"\x02\0\0\0\1\x02\0\0\0\1", VIOLATION),
        (b"\x01\2", VIOLATION),  # a flag that is neither 0 nor 1
        (b"\x02\0\0", MALFORMED),  # ends within the value
        (b"\x03\0\5x", MALFORMED),
        (b"\x26\0\1a", MALFORMED),  # a name without a value
        (b"\x08\0\1#", Reason.TOPIC_NAME_INVALID),  # a response topic with a wildcard
        (b"\x0b\1", VIOLATION),  # a subscription identifier from a client
        (b"\x0b\0", VIOLATION),  # and 0 from anybody
        (b"\x81\0\1", MALFORMED),  # an identifier that is longer than need be
    ],
)
def test_a_wrong_property_of_publish_is_refused(raw: bytes, reason: Reason) -> None:
    assert refusal(opened(V5), with_properties(raw)) is reason


def test_properties_that_go_beyond_their_packet_are_refused() -> None:
    assert refusal(opened(V5), packet(0x30, b"\0\1t\x05\x01\0")) is MALFORMED
    assert refusal(opened(V5), packet(0x30, b"\0\1t\xff\xff\xff\xff\x7f")) is MALFORMED


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x21\0\0", VIOLATION),  # receive maximum 0
        (b"\x27\0\0\0\0", VIOLATION),  # maximum packet size 0
        (b"\x17\2", VIOLATION),
        (b"\x19\2", VIOLATION),
        (b"\x16\0\1x", VIOLATION),  # authentication data without a method
        (b"\x11\0\0\0\1\x11\0\0\0\1", VIOLATION),
        (b"\x24\1", MALFORMED),  # maximum QoS is for the server to say
        (b"\x18\0\0\0\1", MALFORMED),  # a will's property outside the will
    ],
)
def test_a_wrong_property_of_connect_is_refused(raw: bytes, reason: Reason) -> None:
    data = packet(0x10, connect_body(V5, 2, b"\0\1c", raw))
    assert refusal(Parser(from_client=True), data) is reason


def test_a_user_property_may_be_repeated() -> None:
    properties = Properties(user_property=[("a", "1"), ("a", "2"), ("b", "")])
    assert published(opened(V5), encode_publish(V5, "t", b"", properties=properties))[4] == properties


def test_a_server_may_send_several_subscription_identifiers() -> None:
    properties = Properties(subscription_identifier=[1, 200])
    data = encode_publish(V5, "t", b"", properties=properties)
    assert published(answered(V5), data)[4] == properties


# reason codes, DISCONNECT, CONNACK


@pytest.mark.parametrize("body", [b"\0\1\1", b"\0\1\x92", b"\0\1\xff"])
def test_a_reason_code_that_does_not_belong_to_its_packet_is_refused(body: bytes) -> None:
    assert refusal(opened(V5), packet(0x40, body)) is MALFORMED


def test_disconnect_reasons_differ_by_side() -> None:
    assert refusal(opened(V5), b"\xe0\1\x8b") is MALFORMED  # server shutting down
    assert refusal(answered(V5), b"\xe0\1\x04") is MALFORMED  # disconnect with will
    assert refusal(opened(V5), b"\xe0\1\x04") is None
    assert refusal(answered(V5), b"\xe0\1\x8b") is None


def test_disconnect_properties_of_the_other_side_are_refused() -> None:
    assert refusal(opened(V5), packet(0xE0, b"\0\x04\x1c\0\1s")) is VIOLATION
    assert refusal(answered(V5), packet(0xE0, b"\0\x05\x11\0\0\0\1")) is VIOLATION


def test_a_3_1_1_disconnect_has_no_body() -> None:
    assert refusal(opened(V311), b"\xe0\1\0") is MALFORMED


@both
def test_the_first_packet_of_a_server_must_be_connack(version: int) -> None:
    data = encode_publish(version, "t", b"")
    assert refusal(Parser(from_client=False, version=version), data) is VIOLATION


@both
def test_a_wrong_connack_is_refused(version: int) -> None:
    tail = b"\0" if version == V5 else b""
    for body in (b"\2\0" + tail, b"\0\x7f" + tail, b"\0"):
        assert refusal(Parser(from_client=False, version=version), packet(0x20, body)) is MALFORMED
    refused_with_session = b"\1\x87" + tail if version == V5 else b"\1\5"
    parser = Parser(from_client=False, version=version)
    assert refusal(parser, packet(0x20, refused_with_session)) is VIOLATION
    assert refusal(answered(version), encode(Connack(), version)) is VIOLATION


def test_a_3_1_1_server_may_refuse_version_5_in_its_own_words() -> None:
    packets: list[Packet] = Parser(from_client=False, version=V5).feed(b"\x20\2\0\1")
    assert packets == [Connack(False, Reason.UNSUPPORTED_PROTOCOL_VERSION)]
