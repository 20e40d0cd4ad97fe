"""Messages on their way out over one session: a bounded queue, and what has been sent but not acknowledged.

It survives the connection: what was in flight is sent again, marked as a duplicate, on the next one. It reads
no clock; times are s of any monotonic clock, always the same one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil

from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.encode import encode_publish
from gateway.ingest.mqtt.packets import V5
from gateway.ingest.mqtt.properties import Properties

# How many may be in flight to a peer that does not say: 3.1.1 has no word for it.
DEFAULT_WINDOW = 20


@dataclass(slots=True)
class Outgoing:
    """One message to be sent. After `expires_at` (s, monotonic) it must not reach anybody."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expires_at: float | None = None

    def expired(self, now: float) -> bool:
        """Whether it is too late to send it."""
        return self.expires_at is not None and now >= self.expires_at

    def encode(self, version: int, now: float, packet_id: int = 0, *, dup: bool = False) -> bytes:
        """The PUBLISH, with what is left of its life (whole s, rounded up) where the version can say it."""
        properties = None
        if self.expires_at is not None and version == V5:
            properties = Properties(message_expiry_interval=max(1, ceil(self.expires_at - now)))
        return encode_publish(
            version,
            self.topic,
            self.payload,
            qos=self.qos,
            packet_id=packet_id,
            retain=self.retain,
            dup=dup,
            properties=properties,
        )


class Outbox:
    """The QoS 1 messages of one session. Those that expired or did not fit are counted as dropped."""

    def __init__(self, limit: int, counters: Counters) -> None:
        """`limit`: the most messages that wait, those in flight not counted."""
        self._counters = counters
        self._limit = limit
        self._queue: deque[Outgoing] = deque()
        self._in_flight: dict[int, Outgoing] = {}  # by packet identifier, in the order of sending
        self._again: deque[int] = deque()  # those of them that this connection has not seen yet
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._in_flight)

    @property
    def in_flight(self) -> int:
        """How many are sent and not acknowledged."""
        return len(self._in_flight)

    def offer(self, message: Outgoing, now: float) -> bool:
        """Queue a message; False when the queue is full of messages that are still good."""
        if len(self._queue) >= self._limit:
            good = [each for each in self._queue if not each.expired(now)]
            self._counters.dropped += len(self._queue) - len(good)
            self._queue = deque(good)
            if len(good) >= self._limit:
                self._counters.dropped += 1
                return False
        self._queue.append(message)
        return True

    def send(self, version: int, now: float, window: int, max_packet: int | None = None) -> list[bytes]:
        """The packets that may go out now, so that at most `window` wait for the peer's acknowledgement.

        First come those of the last connection, marked as duplicates, in the order of sending. What expired
        is dropped, even if it was sent once: it may be a command, and a late command is worse than none. What
        is larger than the peer's `max_packet` (bytes) is dropped too.
        """
        packets = []
        while len(self._in_flight) - len(self._again) < window and (self._again or self._queue):
            dup = bool(self._again)
            if dup:
                packet_id = self._again.popleft()
                message = self._in_flight.pop(packet_id)
            else:
                packet_id = self._free_id()
                message = self._queue.popleft()
            if not message.expired(now):
                packet = message.encode(version, now, packet_id, dup=dup)
                if max_packet is None or len(packet) <= max_packet:
                    self._in_flight[packet_id] = message
                    packets.append(packet)
                    continue
            self._counters.dropped += 1
        return packets

    def resume(self) -> None:
        """There is a new connection of the same session: what is in flight has to be sent again."""
        self._again = deque(self._in_flight)

    def restart(self) -> None:
        """The peer has lost the session: what was in flight is new again and goes before all else."""
        self._queue.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        self._again.clear()

    def settle(self, packet_id: int) -> None:
        """The peer has acknowledged; an identifier that is not in flight is ignored."""
        if packet_id in self._again:
            self._again.remove(packet_id)
        self._in_flight.pop(packet_id, None)

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id % 65_535 + 1
            if self._last_id not in self._in_flight:
                return self._last_id
