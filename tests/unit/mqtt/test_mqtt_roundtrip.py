"""What the encoder writes, the parser reads back, however the bytes are cut."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.decode import DISCONNECT_BY_CLIENT
from gateway.ingest.mqtt.encode import encode, encode_pubacks, encode_publish
from gateway.ingest.mqtt.packets import (
    V5,
    V311,
    Ack,
    Auth,
    Connack,
    Connect,
    Control,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from gateway.ingest.mqtt.properties import RULES, PacketType, Properties
from gateway.ingest.mqtt.reasons import RETURN_CODES, Reason

unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))
versions = st.sampled_from((V311, V5))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
topics = st.text(
    st.characters(exclude_characters="\0+#", exclude_categories=("Cs",)), min_size=1, max_size=30
)
binaries = st.binary(max_size=40)
packet_ids = st.integers(1, 65_535)

_VALUES = {
    "flag": st.integers(0, 1),
    "two": st.integers(1, 65_535),
    "four": st.integers(1, 2**32 - 1),
    "varint": st.lists(st.integers(1, 268_435_455), max_size=1),
    "text": texts,
    "binary": binaries,
    "pair": st.lists(st.tuples(texts, texts), max_size=3),
}


@st.composite
def properties(draw: st.DrawFn, place: PacketType, without: tuple[str, ...] = ()) -> Properties:
    """Any properties that may stand in `place`."""
    rules = [rule for rule in RULES.values() if place in rule.places and rule.name not in without]
    chosen = draw(st.sets(st.sampled_from([rule.name for rule in rules]))) if rules else set()
    values = {rule.name: draw(_VALUES[rule.kind]) for rule in rules if rule.name in chosen}
    if "response_topic" in values:
        values["response_topic"] = draw(topics)
    if "authentication_data" in values:
        values.setdefault("authentication_method", "m")
    return Properties(**values)


def maybe(version: int, place: PacketType, *without: str) -> st.SearchStrategy[Properties]:
    return properties(place, without) if version == V5 else st.just(Properties())


@st.composite
def connects(draw: st.DrawFn, version: int) -> Connect:
    username = draw(st.none() | texts)
    will = None
    if draw(st.booleans()):
        will = Will(
            draw(topics),
            draw(binaries),
            draw(st.integers(0, 2)),
            draw(st.booleans()),
            draw(maybe(version, PacketType.WILL)),
        )
    return Connect(
        draw(texts),
        version,
        draw(st.booleans()),
        draw(st.integers(0, 65_535)),
        username,
        None if username is None and version == V311 else draw(st.none() | binaries),
        will,
        draw(maybe(version, PacketType.CONNECT)),
    )


def acks(version: int) -> st.SearchStrategy[Ack]:
    kinds = {
        PacketType.PUBACK: (Reason.SUCCESS, Reason.QUOTA_EXCEEDED, Reason.NO_MATCHING_SUBSCRIBERS),
        PacketType.PUBREC: (Reason.SUCCESS, Reason.PACKET_ID_IN_USE),
        PacketType.PUBREL: (Reason.SUCCESS, Reason.PACKET_ID_NOT_FOUND),
        PacketType.PUBCOMP: (Reason.SUCCESS, Reason.PACKET_ID_NOT_FOUND),
    }
    return st.sampled_from(list(kinds)).flatmap(
        lambda kind: st.builds(
            Ack,
            st.just(kind),
            packet_ids,
            st.sampled_from(kinds[kind] if version == V5 else (Reason.SUCCESS,)),
            maybe(version, kind),
        )
    )


def from_client(version: int) -> st.SearchStrategy[Control]:
    """Any packet that a client may send after CONNECT, but PUBLISH."""
    v5 = version == V5
    flags = st.booleans() if v5 else st.just(False)
    subscriptions = st.builds(
        Subscription,
        texts.filter(lambda text: not text.startswith("$share/")),
        st.integers(0, 2),
        flags,
        flags,
        st.integers(0, 2) if v5 else st.just(0),
    )
    either: list[st.SearchStrategy[Control]] = [
        acks(version),
        st.builds(
            Subscribe,
            packet_ids,
            st.lists(subscriptions, min_size=1, max_size=4),
            maybe(version, PacketType.SUBSCRIBE),
        ),
        st.builds(
            Unsubscribe,
            packet_ids,
            st.lists(texts, min_size=1, max_size=4),
            maybe(version, PacketType.UNSUBSCRIBE),
        ),
        st.just(Pingreq()),
        st.builds(
            Disconnect,
            st.sampled_from(sorted(DISCONNECT_BY_CLIENT)).map(Reason) if v5 else st.just(Reason.SUCCESS),
            maybe(version, PacketType.DISCONNECT, "server_reference"),
        ),
    ]
    if v5:
        either.append(st.builds(Auth, st.just(Reason.REAUTHENTICATE), properties(PacketType.AUTH)))
    return st.one_of(either)


def from_server(version: int) -> st.SearchStrategy[Control]:
    """Any packet that a server may send after CONNACK, but PUBLISH."""
    v5 = version == V5
    granted = [Reason.SUCCESS, Reason.GRANTED_QOS_1, Reason.GRANTED_QOS_2, Reason.UNSPECIFIED_ERROR]
    removed = st.lists(st.sampled_from((Reason.SUCCESS, Reason.NO_SUBSCRIPTION_EXISTED)), max_size=4)
    either: list[st.SearchStrategy[Control]] = [
        acks(version),
        st.builds(
            Suback,
            packet_ids,
            st.lists(st.sampled_from(granted), max_size=4),
            maybe(version, PacketType.SUBACK),
        ),
        st.builds(
            Unsuback,
            packet_ids,
            removed if v5 else st.just([]),
            maybe(version, PacketType.UNSUBACK),
        ),
        st.just(Pingresp()),
    ]
    if v5:
        ends = st.sampled_from((Reason.SESSION_TAKEN_OVER, Reason.SERVER_SHUTTING_DOWN))
        no_expiry = properties(PacketType.DISCONNECT, ("session_expiry_interval",))
        either.append(st.builds(Disconnect, ends, no_expiry))
    return st.one_of(either)


@st.composite
def publishes(draw: st.DrawFn, version: int, by_client: bool) -> tuple[bytes, Packet]:
    """A PUBLISH as bytes and as the parser should return it."""
    qos = draw(st.integers(0, 2))
    topic, payload = draw(topics), draw(binaries)
    packet_id = draw(packet_ids) if qos else 0
    retain = draw(st.booleans())
    dup = bool(qos) and draw(st.booleans())
    without = ("topic_alias", "subscription_identifier") if by_client else ("topic_alias",)
    found = draw(maybe(version, PacketType.PUBLISH, *without))
    raw = encode_publish(
        version,
        topic,
        payload,
        qos=qos,
        packet_id=packet_id,
        retain=retain,
        dup=dup,
        properties=found if found != Properties() else None,
    )
    flags = dup << 3 | qos << 1 | retain
    return raw, (topic, payload, packet_id, flags, found if found != Properties() else None)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in pieces of the given sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def read(parser: Parser, pieces: list[bytes]) -> list[Packet]:
    packets: list[Packet] = []
    for piece in pieces:
        packets += parser.feed(piece)
    assert parser.fault is None
    assert parser.buffered == 0
    return packets


sizes = st.lists(st.integers(1, 200), min_size=1, max_size=8)


@unhurried
@given(st.data(), versions, sizes)
def test_what_a_client_sends_is_read_back(data: st.DataObject, version: int, pieces: list[int]) -> None:
    first = data.draw(connects(version))
    expected: list[Packet] = [first]
    stream = encode(first, version)
    for _ in range(data.draw(st.integers(0, 6))):
        if data.draw(st.booleans()):
            raw, packet = data.draw(publishes(version, by_client=True))
            stream += raw
            expected.append(packet)
        else:
            control = data.draw(from_client(version))
            stream += encode(control, version)
            expected.append(control)
    assert read(Parser(from_client=True), cut(stream, pieces)) == expected


@unhurried
@given(st.data(), versions, sizes)
def test_what_a_server_sends_is_read_back(data: st.DataObject, version: int, pieces: list[int]) -> None:
    reason = data.draw(st.sampled_from(list(RETURN_CODES.values())))
    present = reason is Reason.SUCCESS and data.draw(st.booleans())
    first = Connack(present, reason, data.draw(maybe(version, PacketType.CONNACK)))
    expected: list[Packet] = [first]
    stream = encode(first, version)
    for _ in range(data.draw(st.integers(0, 6))):
        if data.draw(st.booleans()):
            raw, packet = data.draw(publishes(version, by_client=False))
            stream += raw
            expected.append(packet)
        else:
            control = data.draw(from_server(version))
            stream += encode(control, version)
            expected.append(control)
    assert read(Parser(from_client=False, version=version), cut(stream, pieces)) == expected


@unhurried
@given(st.lists(packet_ids, min_size=1, max_size=50), st.sampled_from((PacketType.PUBACK, PacketType.PUBREC)))
def test_acknowledgements_in_one_piece_are_the_same_as_one_by_one(ids: list[int], kind: PacketType) -> None:
    one_by_one = b"".join(encode(Ack(kind, each), V5) for each in ids)
    assert encode_pubacks(ids, kind) == one_by_one
