"""The outbox of a session: bounded, in order, never late, sent again after a lost connection."""

from __future__ import annotations

from gateway.ingest.mqtt.codec import Parser
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.encode import encode
from gateway.ingest.mqtt.outbox import Outbox, Outgoing
from gateway.ingest.mqtt.packets import DUP, V5, V311, Connack, Publish

WINDOW = 10


def sent(packets: list[bytes], version: int = V5) -> list[Publish]:
    """What the peer reads."""
    parser = Parser(from_client=False, version=version)
    parser.feed(encode(Connack(), version))
    found = [each for each in parser.feed(b"".join(packets)) if isinstance(each, tuple)]
    assert len(found) == len(packets)
    return found


def outbox(limit: int = 10) -> tuple[Outbox, Counters]:
    counters = Counters()
    return Outbox(limit, counters), counters


def message(name: str, expires_at: float | None = None) -> Outgoing:
    return Outgoing("t", name.encode(), expires_at=expires_at)


def names(packets: list[bytes]) -> list[str]:
    return [payload.decode() for _, payload, *_ in sent(packets)]


def test_messages_leave_in_order_and_at_most_a_window_of_them() -> None:
    box, _ = outbox()
    for name in "abc":
        assert box.offer(message(name), 0)
    first = sent(box.send(V5, 0, window=2))
    assert [(payload, packet_id) for _, payload, packet_id, *_ in first] == [(b"a", 1), (b"b", 2)]
    assert box.send(V5, 0, window=2) == []
    box.settle(1)
    assert names(box.send(V5, 0, window=2)) == ["c"]


def test_a_full_queue_refuses_unless_something_in_it_has_expired() -> None:
    box, counters = outbox(limit=2)
    assert box.offer(message("a", expires_at=5), 0)
    assert box.offer(message("b"), 0)
    assert not box.offer(message("c"), 1)
    assert box.offer(message("d"), 5)
    assert names(box.send(V5, 5, WINDOW)) == ["b", "d"]
    assert counters.dropped == 2


def test_an_expired_message_is_never_sent() -> None:
    box, counters = outbox()
    box.offer(message("late", expires_at=5), 0)
    box.offer(message("good"), 0)
    assert names(box.send(V5, 5, WINDOW)) == ["good"]
    assert counters.dropped == 1


def test_what_is_left_of_its_life_is_sent_with_a_message() -> None:
    box, _ = outbox()
    for name in "ab":
        box.offer(message(name, expires_at=10), 0)
    (first,) = sent(box.send(V5, 2.5, window=1))
    assert first[4] is not None
    assert first[4].message_expiry_interval == 8
    box.settle(1)
    (second,) = sent(box.send(V5, 9.9, window=1))
    assert second[4] is not None
    assert second[4].message_expiry_interval == 1


def test_3_1_1_has_no_expiry_on_the_wire() -> None:
    box, _ = outbox()
    box.offer(message("a", expires_at=10), 0)
    assert sent(box.send(V311, 0, WINDOW), V311)[0][4] is None


def test_after_a_lost_connection_what_was_in_flight_comes_first_marked_as_duplicate() -> None:
    box, _ = outbox()
    for name in "abc":
        box.offer(message(name), 0)
    box.send(V5, 0, window=2)
    box.resume()
    again = sent(box.send(V5, 0, WINDOW))
    assert [(payload, packet_id, bool(flags & DUP)) for _, payload, packet_id, flags, _ in again] == [
        (b"a", 1, True),
        (b"b", 2, True),
        (b"c", 3, False),
    ]


def test_sending_again_respects_a_smaller_window() -> None:
    box, _ = outbox()
    for name in "abc":
        box.offer(message(name), 0)
    box.send(V5, 0, WINDOW)
    box.resume()
    assert names(box.send(V5, 0, window=1)) == ["a"]
    assert box.send(V5, 0, window=1) == []
    box.settle(1)
    assert names(box.send(V5, 0, window=1)) == ["b"]


def test_an_acknowledgement_that_comes_before_sending_again_settles_it() -> None:
    box, _ = outbox()
    for name in "ab":
        box.offer(message(name), 0)
    box.send(V5, 0, WINDOW)
    box.resume()
    box.settle(1)
    box.settle(77)
    assert names(box.send(V5, 0, WINDOW)) == ["b"]


def test_a_command_in_flight_that_expired_meanwhile_is_not_sent_again() -> None:
    box, counters = outbox()
    box.offer(message("open", expires_at=5), 0)
    box.send(V5, 0, WINDOW)
    box.resume()
    assert box.send(V5, 6, WINDOW) == []
    assert counters.dropped == 1
    assert len(box) == 0


def test_when_the_peer_has_lost_the_session_messages_are_new_again() -> None:
    box, _ = outbox()
    for name in "abc":
        box.offer(message(name), 0)
    box.send(V5, 0, window=2)
    box.restart()
    again = sent(box.send(V5, 0, WINDOW))
    assert [(payload, bool(flags & DUP)) for _, payload, _, flags, _ in again] == [
        (b"a", False),
        (b"b", False),
        (b"c", False),
    ]


def test_a_message_larger_than_the_peer_accepts_is_dropped() -> None:
    box, counters = outbox()
    box.offer(message("x" * 100), 0)
    box.offer(message("a"), 0)
    assert names(box.send(V5, 0, WINDOW, max_packet=50)) == ["a"]
    assert counters.dropped == 1


def test_packet_identifiers_wrap_round_and_skip_those_in_flight() -> None:
    box, _ = outbox(limit=70_000)
    box.offer(message("stays"), 0)
    box.send(V5, 0, WINDOW)
    seen = set()
    for _ in range(65_540):
        box.offer(message("a"), 0)
        ((_, _, packet_id, _, _),) = sent_one(box)
        assert packet_id != 1
        seen.add(packet_id)
        box.settle(packet_id)
    assert seen == set(range(2, 65_536))


def sent_one(box: Outbox) -> list[tuple[str, bytes, int, int, None]]:
    """Like `sent`, without a parser: the identifier stands behind the topic `t`."""
    (raw,) = box.send(V5, 0, WINDOW)
    return [("t", b"a", int.from_bytes(raw[5:7], "big"), raw[0] & 15, None)]
