"""One MQTT connection, from either side: bytes to deliveries, acknowledgements to bytes, and back-pressure.

What differs between the endpoint and a client of a broker is in the subclasses.

Three things may stop the reading: the receiver (`pause`), a peer that sends but does not read (our answers
would pile up), and the end of the connection. All messages of one read go to the receiver in one call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import cast

from gateway.clock import Clock
from gateway.ingest.delivery import Delivery, Receiver
from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.encode import encode, encode_pubacks
from gateway.ingest.mqtt.outbox import Outbox, Outgoing
from gateway.ingest.mqtt.packets import QOS_2, RETAIN, V5, Ack, Control, Disconnect
from gateway.ingest.mqtt.properties import PacketType
from gateway.ingest.mqtt.reasons import ProtocolError, Reason

log = logging.getLogger(__name__)

LINGER_S = 5.0  # how long a closing connection may take to send its last bytes
WRITE_TIMEOUT_S = 30.0  # how long a peer may leave our bytes unread

# After a silence that is too long, how long bytes that already lie in the socket have to be read (s): the
# silence may have been that of a busy event loop.
_LAST_CHANCE_S = 0.05

_BY_RECEIVER = 1
_BY_WRITER = 2


class Connection(asyncio.Protocol):
    """The common part. It is the `Link` of the deliveries that came over it."""

    speaks_for: str | None = None

    def __init__(
        self,
        parser: Parser,
        receiver: Receiver,
        clock: Clock,
        counters: Counters,
        *,
        receive_maximum: int | None,
    ) -> None:
        """`receive_maximum`: a version 5 peer with more unacknowledged messages is cut off; None: it is not."""
        self.parser = parser
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        self.heard = self.loop.time()  # s, when the last bytes came
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.ending = False  # nothing is read or acknowledged any more
        # QoS 2: what was stored and not released yet. It belongs to the session; a subclass shares it.
        self.stored: set[int] = set()
        self._exactly: set[int] = set()  # QoS 2: handed on over this connection and not stored yet
        self._receiver = receiver
        self._clock = clock
        self._receive_maximum = receive_maximum
        self._owed = 0  # acknowledgements
        self._holds = 0  # who wants us not to read
        self._outbox: Outbox | None = None
        self._window = 0
        self._peer_max_packet: int | None = None  # bytes
        self._transport: asyncio.Transport | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._silence_timer: asyncio.TimerHandle | None = None

    # what a subclass does

    def handle(self, packet: Control) -> None:
        """Act on a packet that is not PUBLISH and not part of its acknowledgement."""
        raise NotImplementedError

    def bind(self, topic: str) -> None:
        """Called with each topic while `binding` is true."""

    binding = False

    # Link

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Tell the peer that these messages are stored: one write for all of them.

        Over a connection that has ended nothing is sent. The next connection is another `Link`, so a late
        acknowledgement can never meet a packet identifier that has been used again.
        """
        if self.ending or not packet_ids:
            return
        self._owed -= len(packet_ids)
        self.counters.acknowledged += len(packet_ids)
        exactly = self._exactly.intersection(packet_ids) if self._exactly else None
        if exactly:
            self._exactly -= exactly
            self.stored |= exactly
            self.write(encode_pubacks([each for each in packet_ids if each in exactly], PacketType.PUBREC))
            packet_ids = [each for each in packet_ids if each not in exactly]
        if packet_ids:
            self.write(encode_pubacks(packet_ids))

    def pause(self) -> None:
        """Stop reading until `resume`."""
        self._stop_reading(_BY_RECEIVER)

    def resume(self) -> None:
        """Read again."""
        self._read_again(_BY_RECEIVER)

    @property
    def write_blocked(self) -> bool:
        """Whether the peer leaves our bytes unread."""
        return bool(self._holds & _BY_WRITER)

    def _stop_reading(self, by: int) -> None:
        if not self._holds and self._transport and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds |= by

    def _read_again(self, by: int) -> None:
        if self._holds == by and self._transport and not self._transport.is_closing():
            self.heard = self.loop.time()  # the silence until now was ours, and does not count
            self._transport.resume_reading()
        self._holds &= ~by

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in deed, not in name
        self.counters.connections += 1
        self.counters.connected += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.ending = True
        self.counters.connected -= 1
        if self._abort_timer:
            self._abort_timer.cancel()
        if self._silence_timer:
            self._silence_timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        if self.ending:
            return
        self.heard = self.loop.time()
        self.counters.bytes_in += len(data)
        now = self._clock.now()
        deliveries: list[Delivery] = []
        append = deliveries.append
        for packet in self.parser.feed(data):
            if isinstance(packet, tuple):
                topic, payload, packet_id, flags, _ = packet
                if self.binding:
                    self.bind(topic)
                if flags & QOS_2 and not self._is_new(packet_id):
                    continue
                append(Delivery(topic, payload, now, flags & RETAIN == RETAIN, packet_id, self))
                if packet_id:
                    self._owed += 1
            elif isinstance(packet, Ack):
                self._on_ack(packet)
            else:
                self.handle(packet)
                if self.ending:
                    break
        if deliveries:
            self.counters.messages_in += len(deliveries)
            self._receiver(deliveries)
        if self.parser.fault is not None:
            self.fail(self.parser.fault)
        elif (
            self._receive_maximum is not None
            and self._owed > self._receive_maximum
            and self.parser.version == V5
        ):
            self.fail(
                ProtocolError(
                    Reason.RECEIVE_MAXIMUM_EXCEEDED,
                    f"{self._owed} messages are unacknowledged, {self._receive_maximum} were allowed",
                )
            )

    def pause_writing(self) -> None:
        """asyncio: the peer does not read. It is not read either, until it does."""
        self._stop_reading(_BY_WRITER)
        self._abort_later(WRITE_TIMEOUT_S)

    def resume_writing(self) -> None:
        """asyncio: the peer reads again."""
        self._read_again(_BY_WRITER)
        if not self.ending:
            if self._abort_timer:
                self._abort_timer.cancel()
            self.flush()

    # silence

    def allow_silence(self, seconds: float, *, suspect: bool = False) -> None:
        """From now on, close the connection when the peer has sent nothing for so long."""
        if self.ending:
            return
        silent = self.loop.time() - self.heard
        # While we do not read, nothing can be heard.
        overdue = silent >= seconds and not self._holds
        if overdue and suspect:
            self.fail(ProtocolError(Reason.KEEP_ALIVE_TIMEOUT, f"nothing was heard for {silent:.1f} s"))
            return
        again = _LAST_CHANCE_S if overdue else max(seconds - silent, _LAST_CHANCE_S)
        self._silence_timer = self.loop.call_later(
            again, partial(self.allow_silence, seconds, suspect=overdue)
        )

    # QoS 2, and the acknowledgements of what we sent

    def _is_new(self, packet_id: int) -> bool:
        """Whether a QoS 2 message has to be handed on; if it is stored already, say so again."""
        if packet_id in self.stored:
            self.write(encode_pubacks((packet_id,), PacketType.PUBREC))
            return False
        if packet_id in self._exactly:
            return False
        self._exactly.add(packet_id)
        return True

    def _on_ack(self, packet: Ack) -> None:
        if packet.type == PacketType.PUBREL:
            known = packet.packet_id in self.stored
            self.stored.discard(packet.packet_id)
            reason = Reason.SUCCESS if known else Reason.PACKET_ID_NOT_FOUND
            self.send(Ack(PacketType.PUBCOMP, packet.packet_id, reason))
        elif packet.type == PacketType.PUBREC:
            # Nothing is ever sent at QoS 2, so there is no such message; this ends the peer's wait.
            self.send(Ack(PacketType.PUBREL, packet.packet_id, Reason.PACKET_ID_NOT_FOUND))
        elif packet.type == PacketType.PUBACK and self._outbox is not None:
            self._outbox.settle(packet.packet_id)
            self.flush()

    # our messages to the peer

    def open_outbox(self, outbox: Outbox, window: int, max_packet: int | None) -> None:
        """From now on the session's messages may go out, at most `window` unacknowledged."""
        self._outbox = outbox
        self._window = window
        self._peer_max_packet = max_packet
        outbox.resume()
        self.flush()

    def flush(self) -> None:
        """Send what waits in the outbox, as far as the peer allows."""
        if self._outbox is None or self.ending or self.write_blocked:
            return
        packets = self._outbox.send(
            self.parser.version, self.loop.time(), self._window, self._peer_max_packet
        )
        if packets:
            self.counters.messages_out += len(packets)
            self.write(b"".join(packets))

    def post(self, message: Outgoing) -> bool:
        """Send a QoS 0 message now; False when the peer does not read, or would refuse its size."""
        packet = message.encode(self.parser.version, self.loop.time())
        too_large = self._peer_max_packet is not None and len(packet) > self._peer_max_packet
        if self._outbox is None or self.ending or self.write_blocked or too_large:
            return False
        self.counters.messages_out += 1
        self.write(packet)
        return True

    # writing and ending

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self._transport
        self.counters.bytes_out += len(data)
        self._transport.write(data)

    def send(self, packet: Control) -> None:
        """Send one packet."""
        self.write(encode(packet, self.parser.version))

    def fail(self, fault: ProtocolError) -> None:
        """The peer broke the protocol."""
        if not self.ending:
            self.counters.refused[fault.reason.words] += 1
            log.info("%s: %s", self, fault)
            self.end(fault.reason)

    def end(self, reason: Reason | None = None) -> None:
        """Close the connection after what has been written, telling the peer the reason if there is one."""
        if self.ending:
            return
        assert self._transport
        if reason is not None:
            self.say_goodbye(reason)
        self.ending = True
        self._transport.close()
        self._abort_later(LINGER_S)

    def say_goodbye(self, reason: Reason) -> None:
        """Tell the peer why the connection ends; 3.1.1 has no words for it."""
        if self.parser.version == V5:
            self.send(Disconnect(reason))

    def abort(self) -> None:
        """Close the connection at once."""
        self.ending = True
        if self._transport:
            self._transport.abort()

    def _abort_later(self, seconds: float) -> None:
        if self._abort_timer:
            self._abort_timer.cancel()
        self._abort_timer = self.loop.call_later(seconds, self.abort)
