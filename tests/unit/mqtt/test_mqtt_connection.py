"""One connection with a transport that only takes notes: calls, writes and back-pressure can be counted."""

from __future__ import annotations

import asyncio

import pytest

from gateway.clock import Clock
from gateway.ingest.delivery import Delivery
from gateway.ingest.mqtt import connection
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.device_connection import DeviceConnection, Limits, Shared
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.identity import trust
from gateway.ingest.mqtt.packets import V5, V311, Ack, Connect, Pingreq
from gateway.ingest.mqtt.properties import PacketType
from gateway.ingest.mqtt.session import Sessions

UP = "patrol/v1/riverside/scanner-1/up"


class Notes(asyncio.Transport):
    """A transport that writes down what it is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.closed = False
        self.gone = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True
        self.gone.set()


class Bench:
    """A connection, its transport, and the calls that the receiver got."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.calls: list[list[Delivery]] = []
        self.counters = Counters()
        sessions = Sessions(limit=10, queue_limit=10, counters=self.counters)
        shared = Shared(self.calls.append, clock, trust, False, limits, sessions, self.counters)
        self.connection = DeviceConnection(shared)
        self.transport = Notes()
        self.connection.connection_made(self.transport)

    def connect(self, version: int = V311) -> None:
        self.connection.data_received(encode(Connect("riverside/scanner-1", version, keep_alive=0), version))
        self.transport.written.clear()


@pytest.fixture
async def bench() -> Bench:
    return Bench(Clock(start=1_000_000, anchor=0, speed=0.0), Limits(receive_maximum=3))


def publishes(*packet_ids: int, version: int = V311, qos: int = 1) -> bytes:
    return b"".join(encode_publish(version, UP, b"%d" % each, qos=qos, packet_id=each) for each in packet_ids)


async def test_all_messages_of_one_read_come_in_one_call_with_one_time(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(publishes(1, 2) + encode(Pingreq(), V311) + publishes(3))
    (call,) = bench.calls
    assert [(each.packet_id, each.received_at, each.topic) for each in call] == [
        (number, 1_000_000, UP) for number in (1, 2, 3)
    ]
    assert all(each.link is bench.connection for each in call)


async def test_a_read_without_a_message_is_no_call(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(encode(Pingreq(), V311))
    bench.connection.data_received(publishes(1)[:5])
    assert bench.calls == []
    bench.connection.data_received(publishes(1)[5:])
    assert len(bench.calls) == 1


async def test_nothing_is_acknowledged_before_the_pipeline_says_so_and_then_in_one_write(
    bench: Bench,
) -> None:
    bench.connect()
    bench.connection.data_received(publishes(1, 2, 3))
    assert bench.transport.written == []
    bench.connection.acknowledge([1, 2, 3])
    assert bench.transport.written == [b"\x40\2\0\1\x40\2\0\2\x40\2\0\3"]
    bench.connection.acknowledge([])
    assert len(bench.transport.written) == 1


async def test_an_identifier_means_a_new_message_once_it_is_acknowledged(bench: Bench) -> None:
    bench.connect()
    for _ in range(2):
        bench.connection.data_received(publishes(1))
        bench.connection.acknowledge([1])
    assert [len(call) for call in bench.calls] == [1, 1]


async def test_qos_1_and_2_may_be_acknowledged_together(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(publishes(1, 3) + publishes(2, qos=2))
    bench.connection.acknowledge([1, 2, 3])
    assert b"".join(bench.transport.written) == b"\x50\2\0\2\x40\2\0\1\x40\2\0\3"


async def test_a_closed_connection_acknowledges_nothing(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(publishes(1))
    bench.connection.connection_lost(None)
    bench.connection.acknowledge([1])
    assert bench.transport.written == []


async def test_pause_and_resume_reach_the_transport_once(bench: Bench) -> None:
    bench.connect()
    for _ in range(2):
        bench.connection.pause()
        assert not bench.transport.reading
    for _ in range(2):
        bench.connection.resume()
        assert bench.transport.reading


async def test_a_peer_that_does_not_read_is_not_read_either(bench: Bench) -> None:
    bench.connect()
    bench.connection.pause_writing()
    assert not bench.transport.reading
    bench.connection.pause()
    bench.connection.resume_writing()
    assert not bench.transport.reading  # the receiver has not said yes yet
    bench.connection.resume()
    assert bench.transport.reading


async def test_a_connection_that_ends_may_still_be_paused_and_resumed(bench: Bench) -> None:
    bench.connect()
    bench.connection.end()
    bench.connection.pause()
    bench.connection.resume()
    assert bench.transport.closed
    bench.connection.data_received(publishes(1))
    assert bench.calls == []


async def test_a_closing_connection_whose_bytes_nobody_takes_is_aborted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.001)
    bench.connect()
    bench.connection.end()
    assert not bench.transport.gone.is_set()
    await asyncio.wait_for(bench.transport.gone.wait(), 5)


async def test_a_peer_that_does_not_read_for_too_long_is_aborted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_TIMEOUT_S", 0.001)
    bench.connect()
    bench.connection.pause_writing()
    await asyncio.wait_for(bench.transport.gone.wait(), 5)


async def test_more_unacknowledged_messages_than_allowed_close_a_version_5_connection(bench: Bench) -> None:
    bench.connect(V5)
    bench.connection.data_received(publishes(1, 2, 3, version=V5))
    assert not bench.transport.closed
    bench.connection.acknowledge([1])
    bench.connection.data_received(publishes(4, version=V5))
    assert not bench.transport.closed
    bench.connection.data_received(publishes(5, version=V5))
    assert bench.transport.written[-1] == b"\xe0\2\x93\0"
    assert bench.transport.closed
    assert len(bench.calls) == 3  # what came is handed on all the same


async def test_3_1_1_has_no_receive_maximum(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(publishes(*range(1, 100)))
    assert not bench.transport.closed


async def test_a_qos_2_message_is_handed_on_once_and_its_exchange_ends_in_order(bench: Bench) -> None:
    bench.connect()
    bench.connection.data_received(publishes(7, qos=2))
    bench.connection.data_received(publishes(7, qos=2))  # not stored yet: neither handed on nor answered
    assert (len(bench.calls), bench.transport.written) == (1, [])
    bench.connection.acknowledge([7])
    bench.connection.data_received(publishes(7, qos=2))  # stored: answered again
    assert (len(bench.calls), bench.transport.written) == (1, [b"\x50\2\0\7"] * 2)
    bench.connection.data_received(encode(Ack(PacketType.PUBREL, 7), V311))
    assert bench.transport.written[2:] == [b"\x70\2\0\7"]
    bench.connection.data_received(publishes(7, qos=2))  # released: a new message
    assert len(bench.calls) == 2


async def test_an_unknown_release_is_answered_with_the_reason_in_version_5(bench: Bench) -> None:
    bench.connect(V5)
    bench.connection.data_received(encode(Ack(PacketType.PUBREL, 7), V5))
    bench.connection.data_received(encode(Ack(PacketType.PUBREC, 8), V5))
    assert bench.transport.written == [b"\x70\4\0\7\x92\0", b"\x62\4\0\x08\x92\0"]
