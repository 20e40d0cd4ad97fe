"""The incremental MQTT parser: bytes in, packets out, no input or output of its own.

One read may bring a thousand PUBLISH packets, so these are read inline in one loop, without a call for each;
everything else goes through the tables in `decode`. A topic is decoded and checked once and then found by its
bytes in a bounded dictionary that all connections of an endpoint may share.
"""

from __future__ import annotations

from gateway.ingest.mqtt.decode import (
    FLAGGED,
    FROM_CLIENT,
    FROM_SERVER,
    UnknownVersionError,
    check_topic_name,
    decode_connect,
    decode_version,
)
from gateway.ingest.mqtt.fields import Cursor, decode_text
from gateway.ingest.mqtt.packets import V5, Connack, Connect, Control, Disconnect, Packet
from gateway.ingest.mqtt.properties import PacketType, Properties, decode_properties
from gateway.ingest.mqtt.reasons import ProtocolError, Reason, malformed, violation

DEFAULT_MAX_PACKET = 1_048_576 + 1_024  # bytes of remaining length: a mebibyte of payload and its head
# A stranger may not make us buffer more than this; it holds the largest will, user name and password but one.
MAX_CONNECT = 131_072  # bytes

_CACHED_TOPICS = 8_192
_LONGEST_CACHED = 128  # bytes


class TopicCache(dict[bytes, str]):
    """Topic names that were checked, by their bytes. Bounded: when it is full it starts anew."""

    def learn(self, raw: bytes) -> str:
        """Check and decode a topic name, and remember it unless it is unusually long."""
        topic = decode_text(raw)
        check_topic_name(topic)
        if len(raw) <= _LONGEST_CACHED:
            if len(self) >= _CACHED_TOPICS:
                self.clear()
            self[raw] = topic
        return topic


class Parser:
    """Turns the bytes of one direction of one connection into packets.

    After `feed` has met a fault it stands in `fault`; the packets before it are still returned, and nothing
    after it. No more than one packet of at most `max_packet` bytes is ever buffered, because a packet that
    announces more is refused by its header.
    """

    def __init__(
        self,
        *,
        from_client: bool,
        version: int = 0,
        max_packet: int = DEFAULT_MAX_PACKET,
        topic_aliases: int = 0,
        topics: TopicCache | None = None,
    ) -> None:
        """`from_client`: the other side is a client, and its CONNECT tells the version; else give `version`.

        `topic_aliases` is the Topic Alias Maximum that the other side was told.
        """
        self.version = version
        self.fault: ProtocolError | None = None
        self._from_client = from_client
        self._decoders = FROM_CLIENT if from_client else FROM_SERVER
        self._max_packet = max_packet
        self._limit = min(max_packet, MAX_CONNECT) if from_client else max_packet
        self._opened = False  # CONNECT or CONNACK has been read
        self._first = (PacketType.CONNECT,) if from_client else (PacketType.CONNACK, PacketType.AUTH)
        self._alias_maximum = topic_aliases
        self._aliases: dict[int, str] = {}
        self._topics = TopicCache() if topics is None else topics
        self._pending = bytearray()  # the beginning of a packet
        self._need = 0  # how many bytes must be there before reading on is of use

    @property
    def buffered(self) -> int:
        """Bytes kept of a packet that is not complete."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Packet]:
        """Take in what was read and return the packets that it completes, in order."""
        packets: list[Packet] = []
        if self.fault is not None:
            return packets
        pending = self._pending
        if pending:
            if len(pending) + len(data) < self._need:
                pending += data
                return packets
            data = b"".join((pending, data))
            pending.clear()
        try:
            read = self._parse(data, packets)
        except ProtocolError as fault:
            self.fault = fault
            return packets
        if read < len(data):
            pending += memoryview(data)[read:]
        return packets

    def _parse(self, data: bytes, packets: list[Packet]) -> int:
        """Append the complete packets to `packets`; return where the first incomplete one begins."""
        append = packets.append
        topics = self._topics
        find_topic = topics.get
        version, limit, opened = self.version, self._limit, self._opened
        end = len(data)
        start = 0
        while start + 2 <= end:
            head = data[start]
            length = data[start + 1]
            at = start + 2
            if length >= 0x80:
                shift, byte = 0, length
                length &= 0x7F
                while byte >= 0x80:
                    if at >= end:
                        self._need = at - start + 1
                        return start
                    shift += 7
                    byte = data[at]
                    at += 1
                    length |= (byte & 0x7F) << shift
                    if shift == 21 and byte >= 0x80:
                        raise malformed("the remaining length has more than four bytes")
                # Some 3.1.1 devices write a length of fixed width; only version 5 forbids it.
                if byte == 0 and version == V5:
                    raise malformed("the remaining length is longer than need be")
            if length > limit:
                raise ProtocolError(
                    Reason.PACKET_TOO_LARGE, f"a packet of {length} bytes is announced, {limit} are accepted"
                )
            stop = at + length
            if not opened and head >> 4 not in self._first:
                raise violation(f"the first packet is of type {head >> 4}")
            if stop > end:
                self._need = stop - start
                return start
            if head & 0xF0 != 0x30:
                append(self._control(head, data, at, stop))
                version, limit, opened = self.version, self._limit, self._opened
                start = stop
                continue

            # PUBLISH
            if length < 2:
                raise malformed("PUBLISH has no topic")
            body = at + 2
            at = body + (data[at] << 8 | data[at + 1])
            raw = data[body:at]
            topic = find_topic(raw)
            if topic is None:
                if at > stop:
                    raise malformed("a topic goes beyond the end of its packet")
                topic = topics.learn(raw) if raw or version != V5 else ""
            packet_id = 0
            if head & 0x06:
                if at + 2 > stop:
                    raise malformed("PUBLISH has no packet identifier")
                packet_id = data[at] << 8 | data[at + 1]
                at += 2
                if packet_id == 0 or head & 0x06 == 0x06:
                    raise malformed("PUBLISH has QoS 3 or the packet identifier 0")
            elif head & 0x08:
                raise malformed("a PUBLISH of QoS 0 is marked as a duplicate")
            properties = None
            if version == V5:
                if at < stop and data[at] == 0 and topic:
                    at += 1
                else:
                    cursor = Cursor(data, at, stop)
                    properties = self._publish_properties(cursor)
                    topic = self._alias(topic, properties)
                    at = cursor.at
            if at > stop:
                raise malformed("a topic goes beyond the end of its packet")
            append((topic, data[at:stop], packet_id, head & 0x0F, properties))
            start = stop
        self._need = end - start + 1
        return start

    def _control(self, head: int, data: bytes, at: int, stop: int) -> Control:
        """Read a packet that is not PUBLISH."""
        number = head >> 4
        if head & 0x0F != (2 if number in FLAGGED else 0):
            raise malformed(f"the reserved flags of packet type {number} are 0x{head & 0x0F:X}")
        cursor = Cursor(data, at, stop)
        packet: Control
        if self._from_client and number == PacketType.CONNECT:
            if self._opened:
                raise violation("CONNECT is sent a second time")
            packet = self._connect(cursor, padded=data[at - 1] == 0 and at < stop)
        else:
            decoder = self._decoders.get(number)
            if decoder is None or (number == PacketType.AUTH and self.version != V5):
                raise violation(f"packet type {number} may not be sent by this side")
            packet = decoder(cursor, self.version)
        cursor.finish()
        if isinstance(packet, Connack):
            if self._opened:
                raise violation("CONNACK is sent a second time")
            self._opened = True
        elif isinstance(packet, Disconnect):
            self._check_disconnect(packet)
        return packet

    def _connect(self, cursor: Cursor, *, padded: bool) -> Connect:
        try:
            self.version = decode_version(cursor)
        except UnknownVersionError as fault:
            self.version = fault.reply
            raise
        if padded and self.version == V5:
            raise malformed("the remaining length is longer than need be")
        packet = decode_connect(cursor, self.version)
        self._opened = True
        self._limit = self._max_packet
        return packet

    def _check_disconnect(self, packet: Disconnect) -> None:
        forbidden = (
            packet.properties.server_reference
            if self._from_client
            else packet.properties.session_expiry_interval
        )
        if forbidden is not None:
            raise violation("DISCONNECT has a property that only the other side may send")

    def _publish_properties(self, cursor: Cursor) -> Properties:
        properties = decode_properties(cursor, PacketType.PUBLISH)
        if properties.response_topic is not None:
            check_topic_name(properties.response_topic)
        if self._from_client and properties.subscription_identifier:
            raise violation("a client's PUBLISH has a subscription identifier")
        return properties

    def _alias(self, topic: str, properties: Properties) -> str:
        """The topic of a PUBLISH that may have set or used a topic alias."""
        alias = properties.topic_alias
        if alias is None:
            if not topic:
                raise violation("PUBLISH has neither a topic nor a topic alias")
            return topic
        if alias > self._alias_maximum:
            raise ProtocolError(
                Reason.TOPIC_ALIAS_INVALID, f"topic alias {alias} is above {self._alias_maximum}"
            )
        if topic:
            self._aliases[alias] = topic
            return topic
        known = self._aliases.get(alias)
        if known is None:
            raise violation(f"topic alias {alias} was never set")
        return known
