"""CONNECT and the end of a connection at the endpoint."""

from __future__ import annotations

import asyncio

import pytest
from mqtt_peer import BOTH, UP, OpenEndpoint, Peer, Recorder, until

from gateway.ingest.mqtt import Endpoint, EndpointBusy, EndpointError, Limits, Reason, Refusal
from gateway.ingest.mqtt.encode import encode, encode_publish
from gateway.ingest.mqtt.packets import V5, V311, Auth, Connack, Connect, Disconnect, Pingreq, Pingresp
from gateway.ingest.mqtt.properties import Properties

both = pytest.mark.parametrize("version", BOTH)


@both
async def test_a_device_connects(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    assert peer.connack.reason is Reason.SUCCESS
    assert not peer.connack.session_present
    assert endpoint.counters.connected == 1


async def test_version_5_is_told_what_the_endpoint_offers(endpoint: Endpoint) -> None:
    told = (await Peer.connect(endpoint.port)).connack.properties
    limits = Limits()
    assert told == Properties(
        receive_maximum=limits.receive_maximum,
        maximum_packet_size=limits.max_packet,
        topic_alias_maximum=limits.topic_aliases,
        subscription_identifier_available=0,
        shared_subscription_available=0,
    )


async def test_an_empty_client_id_is_given_one(endpoint: Endpoint) -> None:
    first = await Peer.connect(endpoint.port, "")
    second = await Peer.connect(endpoint.port, "")
    given = {each.connack.properties.assigned_client_identifier for each in (first, second)}
    assert len(given) == 2
    assert None not in given
    third = await Peer.connect(endpoint.port, "", V311)
    assert third.connack.reason is Reason.SUCCESS


async def test_a_3_1_1_session_without_a_client_id_is_refused(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, "", V311, clean=False)
    assert peer.connack.reason is Reason.CLIENT_ID_NOT_VALID
    assert await peer.end() is None


@both
async def test_an_overlong_client_id_is_refused(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, "x" * 257, version)
    assert peer.connack.reason is Reason.CLIENT_ID_NOT_VALID


@pytest.mark.parametrize(("level", "version"), [(3, V311), (6, V5)])
async def test_another_protocol_level_is_answered_and_closed(
    endpoint: Endpoint, level: int, version: int
) -> None:
    peer = await Peer.open(endpoint.port, version)
    peer.write(b"\x10\x0d\0\4MQTT" + bytes((level, 2, 0, 0)) + b"\0\1c")
    assert await peer.next() == Connack(False, Reason.UNSUPPORTED_PROTOCOL_VERSION)
    assert await peer.end() is None


async def test_a_first_packet_that_is_not_connect_is_closed_without_an_answer(endpoint: Endpoint) -> None:
    peer = await Peer.open(endpoint.port)
    peer.publish(b"x")
    assert await peer.end() is None
    assert endpoint.counters.refused["protocol_error"] == 1


async def test_a_malformed_connect_of_version_5_is_told_why(endpoint: Endpoint) -> None:
    peer = await Peer.open(endpoint.port)
    peer.write(b"\x10\x0d\0\4MQTT\5\3\0\0\0\0\0")
    assert await peer.next() == Connack(False, Reason.MALFORMED_PACKET)
    assert await peer.end() is None


@both
async def test_a_second_connect_closes(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    peer.send(Connect("riverside/scanner-1", version))
    last = await peer.end()
    assert last == (Disconnect(Reason.PROTOCOL_ERROR) if version == V5 else None)


@both
async def test_a_malformed_packet_closes_with_the_reason_in_version_5(
    endpoint: Endpoint, version: int
) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    peer.write(b"\x36\x05\0\1t\0\1")
    last = await peer.end()
    assert last == (Disconnect(Reason.MALFORMED_PACKET) if version == V5 else None)
    assert endpoint.counters.refused["malformed_packet"] == 1


async def test_a_packet_that_is_too_large_closes(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_packet=1_000))
    peer = await Peer.connect(endpoint.port)
    assert peer.connack.properties.maximum_packet_size == 1_000
    peer.publish(b"x" * 1_000, 1)
    assert await peer.end() == Disconnect(Reason.PACKET_TOO_LARGE)


async def test_enhanced_authentication_is_refused(endpoint: Endpoint) -> None:
    peer = await Peer.connect(endpoint.port, properties=Properties(authentication_method="SCRAM"))
    assert peer.connack.reason is Reason.BAD_AUTHENTICATION_METHOD
    peer = await Peer.connect(endpoint.port)
    peer.send(Auth(Reason.REAUTHENTICATE))
    assert await peer.end() == Disconnect(Reason.PROTOCOL_ERROR)


@both
async def test_authorise_refuses_and_nothing_after_the_connect_is_read(
    open_endpoint: OpenEndpoint, recorder: Recorder, version: int
) -> None:
    asked: list[tuple[str, str | None, bytes | None]] = []

    def authorise(client_id: str, username: str | None, password: bytes | None, *_: object) -> Refusal:
        asked.append((client_id, username, password))
        return Refusal(Reason.BAD_USER_NAME_OR_PASSWORD, "wrong")

    endpoint = await open_endpoint(authorise=authorise)
    peer = await Peer.open(endpoint.port, version)
    connect = Connect("c", version, username="u", password=b"p")
    peer.write(encode(connect, version) + encode_publish(version, UP, b"x", qos=1, packet_id=1))
    assert await peer.next() == Connack(False, Reason.BAD_USER_NAME_OR_PASSWORD)
    assert await peer.end() is None
    assert asked == [("c", "u", b"p")]
    assert recorder.deliveries == []
    assert endpoint.counters.refused["bad_user_name_or_password"] == 1


@both
async def test_a_client_need_not_wait_for_the_connack(
    endpoint: Endpoint, recorder: Recorder, version: int
) -> None:
    peer = await Peer.open(endpoint.port, version)
    connect = encode(Connect("riverside/scanner-1", version), version)
    peer.write(connect + encode_publish(version, UP, b"x", qos=1, packet_id=1))
    assert isinstance(await peer.next(), Connack)
    await peer.next()
    assert recorder.payloads == [b"x"]


@both
async def test_a_ping_is_answered(endpoint: Endpoint, version: int) -> None:
    peer = await Peer.connect(endpoint.port, version=version)
    peer.send(Pingreq())
    assert await peer.next() == Pingresp()


async def test_one_and_a_half_keep_alives_of_silence_close_unless_we_are_the_ones_who_do_not_read(
    endpoint: Endpoint, recorder: Recorder
) -> None:
    paused = await Peer.connect(endpoint.port, "riverside/paused", keep_alive=1)
    paused.publish(b"x", topic="patrol/v1/riverside/paused/up")
    (delivery,) = await recorder.wait(1)
    delivery.link.pause()
    silent = await Peer.connect(endpoint.port, "riverside/silent", keep_alive=1)
    began = asyncio.get_running_loop().time()
    assert await silent.end() == Disconnect(Reason.KEEP_ALIVE_TIMEOUT)
    assert 1.4 < asyncio.get_running_loop().time() - began < 5
    assert endpoint.counters.connected == 1
    paused.send(Pingreq())
    delivery.link.resume()
    assert await paused.next() == Pingresp()


async def test_a_connection_without_a_connect_is_closed(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(connect_timeout_s=0.05))
    peer = await Peer.open(endpoint.port)
    assert await peer.end() is None
    assert endpoint.counters.refused["connect_timeout"] == 1


async def test_no_more_connections_than_allowed(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_connections=1))
    first = await Peer.connect(endpoint.port)
    with pytest.raises(ConnectionError):
        await Peer.connect(endpoint.port, "riverside/scanner-2")
    assert endpoint.counters.refused["too_many_connections"] == 1
    await first.disconnect()
    await until(lambda: endpoint.counters.connected == 0)
    assert (await Peer.connect(endpoint.port)).connack.reason is Reason.SUCCESS


async def test_version_5_is_told_when_the_endpoint_shuts_down(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint()
    new = await Peer.connect(endpoint.port, version=V5)
    old = await Peer.connect(endpoint.port, "riverside/scanner-2", V311)
    await endpoint.close()
    assert await new.end() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert await old.end() is None
    assert endpoint.counters.connected == 0
    await endpoint.close()


async def test_a_busy_port_is_explained(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint()
    with pytest.raises(EndpointBusy, match=rf"127\.0\.0\.1:{endpoint.port}.*another program"):
        await open_endpoint(port=endpoint.port)


async def test_an_address_of_another_machine_is_explained(open_endpoint: OpenEndpoint) -> None:
    with pytest.raises(EndpointError, match="belongs to this machine"):
        await open_endpoint(host="192.0.2.1")


async def test_one_address_cannot_take_all_connections(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(max_connections_of_address=2))
    first = await Peer.connect(endpoint.port, "a/1")
    second = await Peer.connect(endpoint.port, "a/2")
    third = await Peer.open(endpoint.port)
    assert await third.end() is None
    assert endpoint.counters.refused["too_many_connections_of_address"] == 1
    await first.disconnect()
    await until(lambda: endpoint.counters.connected == 1)
    assert (await Peer.connect(endpoint.port, "a/3")).connack.reason is Reason.SUCCESS
    await second.disconnect()


@both
async def test_a_packet_of_256_mb_is_refused_when_it_is_announced(endpoint: Endpoint, version: int) -> None:
    """The header alone ends the connection: nothing of the packet is waited for or kept."""
    peer = await Peer.connect(endpoint.port, version=version)
    peer.write(b"\x30\xff\xff\xff\x7f")
    assert await peer.end() == (Disconnect(Reason.PACKET_TOO_LARGE) if version == V5 else None)


async def test_a_connect_that_announces_256_mb_is_refused(endpoint: Endpoint) -> None:
    peer = await Peer.open(endpoint.port)
    peer.write(b"\x10\xff\xff\xff\x7f\0\4MQTT")
    assert await peer.end() is None
    assert endpoint.counters.refused["packet_too_large"] == 1


async def test_many_connections_that_say_nothing_keep_no_device_out(open_endpoint: OpenEndpoint) -> None:
    endpoint = await open_endpoint(limits=Limits(connect_timeout_s=0.5, max_connections_of_address=301))
    silent = [await Peer.open(endpoint.port) for _ in range(300)]
    device = await Peer.connect(endpoint.port)
    for each in silent:
        assert await each.end() is None
    assert endpoint.counters.refused["connect_timeout"] == 300
    device.send(Pingreq())
    assert await device.next() == Pingresp()
