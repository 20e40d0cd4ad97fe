"""The parser under hostile input: any bytes, any cut, any size. It may refuse; it may not break or grow."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ingest.mqtt.codec import DEFAULT_MAX_PACKET, MAX_CONNECT, Parser, TopicCache
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from gateway.ingest.mqtt.properties import PacketType, Properties
from gateway.ingest.mqtt.reasons import Reason

unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def conversation(version: int) -> bytes:
    """One packet of each kind that a client sends."""
    will = Will("patrol/v1/s/d/state", b"gone", 1, True, Properties(will_delay_interval=5))
    rich = Properties(user_property=[("a", "b")], content_type="json", message_expiry_interval=9)
    packets = [
        encode(Connect("s/d", version, False, 30, "u", b"p", will), version),
        encode_publish(version, "patrol/v1/s/d/up", b"one", qos=1, packet_id=1),
        encode_publish(
            version, "patrol/v1/s/d/up", b"x" * 300, qos=2, packet_id=2, dup=True, properties=rich
        ),
        encode_publish(version, "patrol/v1/s/d/state", b"", retain=True),
        encode(Subscribe(3, [Subscription("patrol/v1/s/d/down/#"), Subscription("a/+", 2)]), version),
        encode(Unsubscribe(4, ["a/+"]), version),
        encode(Ack(PacketType.PUBREL, 2), version),
        encode(Ack(PacketType.PUBACK, 9), version),
        encode(Pingreq(), version),
        encode(Disconnect(Reason.DISCONNECT_WITH_WILL), version),
    ]
    return b"".join(packets)


def replies(version: int) -> bytes:
    """Packets that a server sends."""
    return b"".join(
        (
            encode(Connack(True, Reason.SUCCESS, Properties(receive_maximum=7)), version),
            encode(Suback(1, [Reason.GRANTED_QOS_1]), version),
            encode_publish(version, "patrol/v1/s/d/up", b"one", qos=1, packet_id=1),
        )
    )


def survive(parser: Parser, pieces: list[bytes]) -> list[Packet]:
    """Feed everything; whatever happens must be packets or a fault, in bounded memory."""
    packets: list[Packet] = []
    for piece in pieces:
        packets += parser.feed(piece)
        assert parser.buffered <= DEFAULT_MAX_PACKET + 5
        if parser.fault is not None:
            assert parser.fault.reason >= 0x80
            assert parser.feed(b"\xc0\0") == []
    return packets


@pytest.mark.parametrize("version", [V311, V5])
def test_a_stream_may_be_split_at_every_byte(version: int) -> None:
    stream = conversation(version)
    whole = Parser(from_client=True).feed(stream)
    assert len(whole) == 10
    for at in range(len(stream) + 1):
        assert survive(Parser(from_client=True), [stream[:at], stream[at:]]) == whole
    assert survive(Parser(from_client=True), [stream[at : at + 1] for at in range(len(stream))]) == whole


@unhurried
@given(st.binary(max_size=400), st.booleans(), st.sampled_from((V311, V5)))
def test_random_bytes_never_break_the_parser(data: bytes, from_client: bool, version: int) -> None:
    survive(Parser(from_client=from_client, version=0 if from_client else version), [data])


@unhurried
@given(st.binary(max_size=400), st.sampled_from((V311, V5)))
def test_random_bytes_after_a_good_start_never_break_the_parser(data: bytes, version: int) -> None:
    survive(Parser(from_client=True), [encode(Connect("c", version), version), data])
    server = Parser(from_client=False, version=version)
    survive(server, [encode(Connack(), version), data])


@unhurried
@given(st.sampled_from((V311, V5)), st.booleans(), st.integers(0, 2**32))
def test_mutated_packets_never_break_the_parser(version: int, from_client: bool, seed: int) -> None:
    chance = random.Random(seed)
    stream = bytearray(conversation(version) if from_client else replies(version))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(stream))
        match chance.randrange(4):
            case 0:
                stream[at] ^= 1 << chance.randrange(8)
            case 1:
                stream[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del stream[at : at + chance.randint(1, 4)]
            case _:
                stream[at:at] = chance.randbytes(chance.randint(1, 4))
        if not stream:
            break
    data, size = bytes(stream), chance.randint(1, 60)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    cut = Parser(from_client=from_client, version=0 if from_client else version)
    whole = Parser(from_client=from_client, version=0 if from_client else version)
    # How the bytes are cut changes neither the packets nor the verdict.
    assert survive(cut, pieces) == survive(whole, [data])
    assert (cut.fault is None) == (whole.fault is None)


@pytest.mark.parametrize("version", [V311, V5])
def test_a_large_packet_is_refused_by_its_header_before_anything_is_buffered(version: int) -> None:
    parser = Parser(from_client=True, max_packet=1_000)
    parser.feed(encode(Connect("c", version), version))
    assert parser.feed(b"\x32\xe9\x07") == []  # announces 1,001 bytes
    assert parser.fault is not None
    assert parser.fault.reason is Reason.PACKET_TOO_LARGE
    assert parser.buffered == 0


def test_a_packet_of_exactly_the_limit_is_accepted() -> None:
    parser = Parser(from_client=True, max_packet=1_000)
    parser.feed(encode(Connect("c", V311), V311))
    packet = encode_publish(V311, "t", b"x" * 997)
    assert len(packet) == 1_003
    assert len(parser.feed(packet)) == 1
    assert parser.feed(encode_publish(V311, "t", b"x" * 998)) == []
    assert parser.fault is not None


def test_a_stranger_cannot_announce_a_large_connect() -> None:
    parser = Parser(from_client=True)
    announced = MAX_CONNECT + 1
    parser.feed(bytes((0x10, announced & 0x7F | 0x80, announced >> 7 & 0x7F | 0x80, announced >> 14)))
    assert parser.fault is not None
    assert parser.fault.reason is Reason.PACKET_TOO_LARGE


def test_a_stranger_is_refused_by_the_first_byte() -> None:
    parser = Parser(from_client=True)
    parser.feed(b"GET / HTTP/1.1\r\n")
    assert parser.fault is not None


def test_one_large_packet_in_small_pieces_is_not_copied_again_and_again() -> None:
    parser = Parser(from_client=True)
    parser.feed(encode(Connect("c", V311), V311))
    packet = encode_publish(V311, "t", b"x" * 1_000_000)
    packets: list[Packet] = []
    for at in range(0, len(packet), 100):  # ten thousand pieces: quadratic copying would take minutes
        packets += parser.feed(packet[at : at + 100])
    assert len(packets) == 1


def test_packets_before_a_fault_are_still_delivered() -> None:
    parser = Parser(from_client=True)
    good = encode_publish(V5, "t", b"good", qos=1, packet_id=1)
    packets = parser.feed(encode(Connect("c"), V5) + good + b"\x36\x00")
    assert [packet[1] for packet in packets if isinstance(packet, tuple)] == [b"good"]
    assert parser.fault is not None


def test_the_topic_cache_is_bounded() -> None:
    topics = TopicCache()
    for number in range(20_000):
        assert topics.learn(b"t%d" % number) == f"t{number}"
    assert len(topics) <= 8_192
    topics.learn(b"x" * 200)
    assert b"x" * 200 not in topics


def test_a_known_topic_does_not_hide_that_it_ends_beyond_its_packet() -> None:
    topics = TopicCache()
    topics.learn(b"ab\x30\x03")
    parser = Parser(from_client=True, topics=topics)
    parser.feed(encode(Connect("c", V311), V311))
    assert parser.feed(b"\x30\x04\x00\x04ab\x30\x03\x00\x01t") == []
    assert parser.fault is not None
