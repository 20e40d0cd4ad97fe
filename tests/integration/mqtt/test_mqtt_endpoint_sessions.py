"""Sessions, identity, subscriptions, commands and last wills at the endpoint."""

from __future__ import annotations

import asyncio

import pytest
from mqtt_peer import BOTH, DOWN, STATE, UP, OpenEndpoint, Peer, Recorder, acknowledge, until

from gateway.ingest.mqtt import Endpoint, Limits, Reason
from gateway.ingest.mqtt.packets import (
    DUP,
    V5,
    V311,
    Ack,
    Disconnect,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from gateway.ingest.mqtt.properties import PacketType, Properties

both = pytest.mark.parametrize("version", BOTH)
DEVICE = ("riverside", "scanner-1")
COMMAND = "patrol/v1/riverside/scanner-1/down/cmd"
ACK = "patrol/v1/riverside/scanner-1/down/ack"


async def subscribe(peer: Peer, *filters: str, qos: int = 1) -> list[Reason]:
    peer.send(Subscribe(11, [Subscription(each, qos) for each in filters]))
    answer = await peer.next()
    assert isinstance(answer, Suback)
    assert answer.packet_id == 11
    return answer.reasons


async def received(peer: Peer) -> tuple[str, bytes, int, int, Properties | None]:
    packet = await peer.next()
    assert isinstance(packet, tuple)
    return packet


async def leave(peer: Peer, endpoint: Endpoint) -> None:
    """Lose the connection, and wait until the endpoint knows."""
    before = endpoint.counters.connected
    peer.abort()
    await until(lambda: endpoint.counters.connected < before)


def puback(packet_id: int) -> Ack:
    return Ack(PacketType.PUBACK, packet_id)


# identity


async def test_a_connection_speaks_for_the_device_in_its_user_name_or_client_id(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    by_user = await Peer.connect(endpoint.port, "any", username="riverside/scanner-1")
    by_client = await Peer.connect(endpoint.port, "riverside:scanner-2")
    for peer in (by_user, by_client):
        peer.publish(b"x", 1)
        await peer.next()
    assert [each.link.speaks_for for each in recorder.deliveries] == [
        "riverside/scanner-1",
        "riverside/scanner-2",
    ]


async def test_an_unknown_client_is_bound_to_the_first_device_it_publishes_for(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    peer = await Peer.connect(endpoint.port, "stranger")
    peer.publish(b"tasmota", 1, topic="tele/reader/SENSOR")
    await peer.next()
    assert recorder.deliveries[0].link.speaks_for is None
    peer.publish(b"own", 2)
    peer.publish(b"foreign", 3, topic="patrol/v1/riverside/scanner-2/up")
    await peer.next()
    await peer.next()
    assert recorder.payloads == [b"tasmota", b"own", b"foreign"]
    # The foreign one is handed on like any other: the receiver puts it into the quarantine.
    assert recorder.deliveries[2].link.speaks_for == "riverside/scanner-1"


async def test_an_unknown_client_is_bound_by_its_subscription_or_its_will(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    peer = await Peer.connect(endpoint.port, "stranger-1")
    assert await subscribe(peer, "patrol/v1/+/+/down/#", "#") == [Reason.NOT_AUTHORIZED] * 2
    assert await subscribe(peer, DOWN) == [Reason.GRANTED_QOS_1]
    assert await subscribe(peer, "patrol/v1/riverside/scanner-2/down/#") == [Reason.NOT_AUTHORIZED]
    peer = await Peer.connect(endpoint.port, "stranger-2", will=Will(STATE, b"gone"))
    assert await subscribe(peer, "patrol/v1/riverside/scanner-2/down/#") == [Reason.NOT_AUTHORIZED]


async def test_a_bridge_speaks_for_every_device_where_bridges_are_allowed(
    open_endpoint: OpenEndpoint, recorder: Recorder
) -> None:
    endpoint = await open_endpoint(allow_bridges=True)
    bridge = await Peer.connect(endpoint.port, "bridge")
    filters = ("patrol/v1/+/+/down/#", "patrol/v1/riverside/scanner-1/down/cmd", "patrol/v1/#")
    granted = [Reason.GRANTED_QOS_1, Reason.GRANTED_QOS_1, Reason.NOT_AUTHORIZED]
    assert await subscribe(bridge, *filters) == granted
    for number in (1, 2):
        bridge.publish(b"x", number, topic=f"patrol/v1/riverside/scanner-{number}/up")
        await bridge.next()
    assert [each.link.speaks_for for each in recorder.deliveries] == [None, None]
    assert endpoint.publish("riverside", "scanner-2", "down/cmd", b"go")
    assert (await received(bridge))[:2] == ("patrol/v1/riverside/scanner-2/down/cmd", b"go")
    named = await Peer.connect(endpoint.port, "named", username="bob")
    named.publish(b"x", 1)
    await named.next()
    assert recorder.deliveries[-1].link.speaks_for == "riverside/scanner-1"


async def test_two_devices_with_the_same_client_id_do_not_meet(endpoint: Endpoint) -> None:
    first = await Peer.connect(endpoint.port, "ESP32", username="riverside/scanner-1")
    await subscribe(first, DOWN)
    second = await Peer.connect(endpoint.port, "ESP32", username="riverside/scanner-2")
    assert endpoint.counters.connected == 2
    assert endpoint.publish(*DEVICE, "down/cmd", b"go")
    assert (await received(first))[1] == b"go"
    await second.disconnect()


# subscriptions


@both
async def test_a_device_may_subscribe_to_its_own_down_topics_only(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    own = [DOWN, "patrol/v1/riverside/scanner-1/down/+", COMMAND]
    assert await subscribe(peer, *own) == [Reason.GRANTED_QOS_1] * 3
    others = {
        UP: Reason.NOT_AUTHORIZED,
        "patrol/v1/riverside/scanner-2/down/#": Reason.NOT_AUTHORIZED,
        "patrol/v1/riverside/+/down/#": Reason.NOT_AUTHORIZED,
        "#": Reason.NOT_AUTHORIZED,
        "$SYS/#": Reason.NOT_AUTHORIZED,
        "patrol/#/down": Reason.TOPIC_FILTER_INVALID,
        f"$share/group/{DOWN}": Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    }
    expected = list(others.values()) if version == V5 else [Reason.UNSPECIFIED_ERROR] * len(others)
    assert await subscribe(peer, *others) == expected
    assert endpoint.counters.refused["subscription_not_authorized"] == 5


@both
async def test_a_subscription_is_granted_at_qos_1_at_most_and_replaced_by_the_next(
    endpoint: Endpoint, version: int
) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    assert await subscribe(peer, DOWN, qos=2) == [Reason.GRANTED_QOS_1]
    assert await subscribe(peer, DOWN, qos=0) == [Reason.SUCCESS]
    assert endpoint.publish(*DEVICE, "down/cmd", b"go")
    assert (await received(peer))[:4] == (COMMAND, b"go", 0, 0)


async def test_overlapping_subscriptions_bring_a_message_once_at_the_highest_qos(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port)
    await subscribe(peer, DOWN, qos=0)
    await subscribe(peer, COMMAND, qos=1)
    endpoint.publish(*DEVICE, "down/cmd", b"one")
    endpoint.publish(*DEVICE, "down/ack", b"two")
    assert (await received(peer))[1:3] == (b"one", 1)
    assert (await received(peer))[1:3] == (b"two", 0)


async def test_too_many_subscriptions_are_refused(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_subscriptions=1))
    peer = await Peer.connect(endpoint.port)
    assert await subscribe(peer, DOWN, COMMAND, DOWN) == [
        Reason.GRANTED_QOS_1,
        Reason.QUOTA_EXCEEDED,
        Reason.GRANTED_QOS_1,
    ]


async def test_a_subscription_identifier_is_refused(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port)
    peer.send(Subscribe(1, [Subscription(DOWN)], Properties(subscription_identifier=[1])))
    assert await peer.end() == Disconnect(Reason.SUBSCRIPTION_IDS_NOT_SUPPORTED)


@both
async def test_unsubscribe_ends_a_subscription(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    await subscribe(peer, DOWN)
    peer.send(Unsubscribe(5, [DOWN, COMMAND]))
    reasons = [Reason.SUCCESS, Reason.NO_SUBSCRIPTION_EXISTED] if version == V5 else []
    assert await peer.next() == Unsuback(5, reasons)
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")


# commands


async def test_publish_says_whether_anybody_wants_the_message(endpoint: Endpoint) -> None:
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")
    peer = await Peer.connect(endpoint.port)
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")
    await subscribe(peer, COMMAND)
    assert endpoint.publish(*DEVICE, "down/cmd", b"go")
    assert not endpoint.publish(*DEVICE, "down/ack", b"go")
    assert not endpoint.publish("riverside", "scanner-2", "down/cmd", b"go")
    topic, payload, packet_id, flags, _ = await received(peer)
    assert (topic, payload, packet_id, flags) == (COMMAND, b"go", 1, 2)


@both
async def test_a_session_keeps_commands_for_a_device_that_is_away(endpoint: Endpoint, version: int) -> None:
    how = {"clean": False, "expiry": 60} if version == V5 else {"clean": False}
    peer = await Peer.connect(endpoint.port, version=version, **how)
    assert not peer.connack.session_present
    await subscribe(peer, DOWN)
    await leave(peer, endpoint)
    for payload in (b"one", b"two"):
        assert endpoint.publish(*DEVICE, "down/cmd", payload)
    assert not endpoint.publish(*DEVICE, "down/cmd", b"now or never", qos=0)
    peer = await Peer.connect(endpoint.port, version=version, **how)
    assert peer.connack.session_present
    assert [(await received(peer))[1] for _ in range(2)] == [b"one", b"two"]


@both
async def test_a_clean_start_forgets_the_session(endpoint: Endpoint, version: int) -> None:
    how = {"expiry": 60} if version == V5 else {}
    peer = await Peer.connect(endpoint.port, version=version, clean=False, **how)
    await subscribe(peer, DOWN)
    await leave(peer, endpoint)
    peer = await Peer.connect(endpoint.port, version=version, clean=True)
    assert not peer.connack.session_present
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")


@both
async def test_a_session_without_expiry_ends_with_its_connection(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version, clean=True)
    await subscribe(peer, DOWN)
    assert endpoint.sessions == 1
    await leave(peer, endpoint)
    assert endpoint.sessions == 0
    peer = await Peer.connect(endpoint.port, version=version, clean=False)
    assert not peer.connack.session_present


async def test_a_session_expires(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint()
    peer = await Peer.connect(endpoint.port, expiry=1)
    await subscribe(peer, DOWN)
    await leave(peer, endpoint)
    assert endpoint.sessions == 1
    await until(lambda: endpoint.sessions == 0)
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")


async def test_a_wish_for_an_endless_session_is_shortened_and_said_so(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_session_expiry_s=100))
    peer = await Peer.connect(endpoint.port, expiry=0xFFFFFFFF)
    assert peer.connack.properties.session_expiry_interval == 100


async def test_disconnect_may_change_the_expiry_of_a_session(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, expiry=60)
    await peer.disconnect(Disconnect(properties=Properties(session_expiry_interval=0)))
    await until(lambda: endpoint.sessions == 0)
    peer = await Peer.connect(endpoint.port, expiry=0)
    peer.send(Disconnect(properties=Properties(session_expiry_interval=60)))
    assert await peer.end() == Disconnect(Reason.PROTOCOL_ERROR)


async def test_the_session_that_was_left_longest_goes_when_there_are_too_many(
    open_endpoint: OpenEndpoint,
) -> None:
    endpoint = await open_endpoint(limits=Limits(max_idle_sessions=1))
    for name in ("scanner-1", "scanner-2"):
        peer = await Peer.connect(endpoint.port, f"riverside/{name}", expiry=60)
        await leave(peer, endpoint)
    assert endpoint.sessions == 1
    again = await Peer.connect(endpoint.port, "riverside/scanner-2", clean=False, expiry=60)
    assert again.connack.session_present


async def test_an_expired_command_is_never_delivered(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, expiry=60)
    await subscribe(peer, DOWN)
    await leave(peer, endpoint)
    assert endpoint.publish(*DEVICE, "down/cmd", b"late", expiry_s=0.02)
    assert endpoint.publish(*DEVICE, "down/cmd", b"good", expiry_s=30)
    await asyncio.sleep(0.03)  # the passing of time is what is tested
    peer = await Peer.connect(endpoint.port, clean=False, expiry=60)
    _, payload, _, _, properties = await received(peer)
    assert payload == b"good"
    assert properties is not None
    assert properties.message_expiry_interval in (29, 30)
    assert endpoint.counters.dropped == 1


async def test_the_queue_of_a_session_is_bounded(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_queue=2))
    peer = await Peer.connect(endpoint.port, expiry=60)
    await subscribe(peer, DOWN)
    await leave(peer, endpoint)
    taken = [endpoint.publish(*DEVICE, "down/cmd", b"%d" % number) for number in range(3)]
    assert taken == [True, True, False]


@both
async def test_an_unacknowledged_command_is_sent_again_on_the_next_connection(
    endpoint: Endpoint, version: int
) -> None:
    how = {"clean": False, "expiry": 60} if version == V5 else {"clean": False}
    peer = await Peer.connect(endpoint.port, version=version, **how)
    await subscribe(peer, DOWN)
    for payload in (b"one", b"two", b"three"):
        endpoint.publish(*DEVICE, "down/cmd", payload)
    ids = [(await received(peer))[2] for _ in range(3)]
    peer.send(puback(ids[1]))
    await peer.disconnect()
    peer = await Peer.connect(endpoint.port, version=version, **how)
    again = [await received(peer) for _ in range(2)]
    assert [(packet[1], packet[2], bool(packet[3] & DUP)) for packet in again] == [
        (b"one", ids[0], True),
        (b"three", ids[2], True),
    ]


async def test_no_more_commands_are_in_flight_than_the_device_allows(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, properties=Properties(receive_maximum=1))
    await subscribe(peer, DOWN)
    for payload in (b"one", b"two"):
        endpoint.publish(*DEVICE, "down/cmd", payload)
    first = await received(peer)
    peer.send(Subscribe(11, [Subscription(DOWN)]))
    assert isinstance(await peer.next(), Suback)  # and not the second command
    peer.send(puback(first[2]))
    assert (await received(peer))[1] == b"two"


async def test_a_message_that_is_too_large_for_the_device_is_not_sent(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, properties=Properties(maximum_packet_size=100))
    await subscribe(peer, DOWN)
    endpoint.publish(*DEVICE, "down/cmd", b"x" * 100)
    endpoint.publish(*DEVICE, "down/cmd", b"small")
    assert (await received(peer))[1] == b"small"
    assert not endpoint.publish(*DEVICE, "down/cmd", b"x" * 100, qos=0)


# taking over


@both
async def test_a_second_connection_takes_the_session_over(
    endpoint: Endpoint, recorder: Recorder, version: int
) -> None:
    how = {"clean": False, "expiry": 60} if version == V5 else {"clean": False}
    first = await Peer.connect(endpoint.port, version=version, **how)
    await subscribe(first, DOWN)
    recorder.hold = True
    first.publish(b"x", 1)
    (delivery,) = await recorder.wait(1)
    second = await Peer.connect(endpoint.port, version=version, **how)
    assert second.connack.session_present
    assert await first.end() == (Disconnect(Reason.SESSION_TAKEN_OVER) if version == V5 else None)
    # The acknowledgement of the old connection must not reach the new one, where 1 is another message.
    acknowledge([delivery])
    assert endpoint.publish(*DEVICE, "down/cmd", b"go")
    assert (await received(second))[1] == b"go"
    assert endpoint.counters.connected == 1


@both
async def test_a_session_that_lives_no_longer_than_its_connection_cannot_be_taken_over(
    endpoint: Endpoint, version: int
) -> None:
    first = await Peer.connect(endpoint.port, version=version)
    await subscribe(first, DOWN)
    second = await Peer.connect(endpoint.port, version=version, clean=False)
    assert not second.connack.session_present
    assert not endpoint.publish(*DEVICE, "down/cmd", b"go")
    assert endpoint.sessions == 1


async def test_a_qos_2_message_whose_release_was_lost_is_not_handed_on_again(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    peer = await Peer.connect(endpoint.port, expiry=60)
    peer.publish(b"once", 9, qos=2)
    assert await peer.next() == Ack(PacketType.PUBREC, 9)
    await leave(peer, endpoint)
    peer = await Peer.connect(endpoint.port, clean=False, expiry=60)
    peer.publish(b"once", 9, qos=2, dup=True)
    assert await peer.next() == Ack(PacketType.PUBREC, 9)
    peer.send(Ack(PacketType.PUBREL, 9))
    assert await peer.next() == Ack(PacketType.PUBCOMP, 9)
    assert recorder.payloads == [b"once"]


# last wills


@both
async def test_the_last_will_is_published_when_the_connection_is_lost(
    endpoint: Endpoint, recorder: Recorder, version: int
) -> None:
    peer = await Peer.connect(endpoint.port, version=version, will=Will(STATE, b"gone", 1, True))
    peer.abort()
    (delivery,) = await recorder.wait(1)
    assert (delivery.topic, delivery.payload, delivery.retained, delivery.packet_id) == (
        STATE,
        b"gone",
        True,
        0,
    )
    assert delivery.link.speaks_for == "riverside/scanner-1"
    acknowledge([delivery])


@both
async def test_a_goodbye_removes_the_last_will(endpoint: Endpoint, recorder: Recorder, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version, will=Will(STATE, b"gone"))
    peer.publish(b"x")
    await peer.disconnect()
    await until(lambda: endpoint.counters.connected == 0)
    assert recorder.payloads == [b"x"]


async def test_a_protocol_error_or_a_goodbye_with_will_publishes_it(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    peer = await Peer.connect(endpoint.port, will=Will(STATE, b"first"))
    peer.write(b"\xff")
    peer.write(b"\xff\xff\xff\xff\xff")
    await recorder.wait(1)
    peer = await Peer.connect(endpoint.port, will=Will(STATE, b"second"))
    await peer.disconnect(Disconnect(Reason.DISCONNECT_WITH_WILL))
    await recorder.wait(2)
    assert recorder.payloads == [b"first", b"second"]


async def test_taking_over_publishes_the_last_will_of_the_old_connection(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    await Peer.connect(endpoint.port, will=Will(STATE, b"gone"))
    second = await Peer.connect(endpoint.port)
    second.publish(b"here", 1)
    await second.next()
    assert recorder.payloads == [b"gone", b"here"]


async def test_a_device_that_is_back_within_the_will_delay_was_never_gone(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    will = Will(STATE, b"gone", properties=Properties(will_delay_interval=60))
    peer = await Peer.connect(endpoint.port, expiry=120, will=will)
    await leave(peer, endpoint)
    peer = await Peer.connect(endpoint.port, clean=False, expiry=120)
    await peer.disconnect()
    await until(lambda: endpoint.counters.connected == 0)
    assert recorder.payloads == []


async def test_a_delayed_will_is_published_when_the_delay_or_the_session_ends(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    will = Will(STATE, b"delayed", properties=Properties(will_delay_interval=1))
    peer = await Peer.connect(endpoint.port, expiry=60, will=will)
    await leave(peer, endpoint)
    assert recorder.payloads == []
    await recorder.wait(1)
    will = Will(STATE, b"ended", properties=Properties(will_delay_interval=60))
    peer = await Peer.connect(endpoint.port, expiry=60, will=will)
    await leave(peer, endpoint)
    await Peer.connect(endpoint.port, clean=True)
    assert recorder.payloads == [b"delayed", b"ended"]


async def test_shutting_down_publishes_no_last_will(open_endpoint: OpenEndpoint, recorder: Recorder) -> None:
    endpoint = await open_endpoint()
    peer = await Peer.connect(endpoint.port, will=Will(STATE, b"gone"))
    await endpoint.close()
    assert await peer.end() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert recorder.payloads == []


@both
async def test_a_retained_state_is_marked(endpoint: Endpoint, recorder: Recorder, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    peer.publish(b'{"online": true}', 1, topic=STATE, retain=True)
    await peer.next()
    peer.publish(b"x", 2)
    await peer.next()
    assert [each.retained for each in recorder.deliveries] == [True, False]


async def test_every_message_acknowledged_in_version_3_1_1_too(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    peer = await Peer.connect(endpoint.port, version=V311)
    for number in range(1, 101):
        peer.publish(b"%d" % number, number)
    assert [await peer.next() for _ in range(100)] == [puback(number) for number in range(1, 101)]
    assert recorder.payloads == [b"%d" % number for number in range(1, 101)]
    assert endpoint.counters.acknowledged == 100
