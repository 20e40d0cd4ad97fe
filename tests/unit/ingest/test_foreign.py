"""Devices of other makers over MQTT: native records, in whose name, and when their messages are acknowledged."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.domain.facts import GateEvent, Scan, Status
from gateway.domain.plan import Device, DeviceKind
from gateway.ingest.delivery import NOTHING, Delivery
from gateway.ingest.foreign import RECALL_MS, Foreign, LinkError
from gateway.ingest.linked import MqttLink
from gateway.store.port import Commit
from gateway.store.sqlite import SqliteStore
from tests.unit.ingest.hall import MINUTE, NOW, SECOND, TAG, Hall

READER = MqttLink("tasmota", "gate-reader", "hall", "scanner-1")
DOOR = MqttLink("esp-rfid", "rfid", "hall", "scanner-2", {"hostname": "door-2"})
CAMERA = MqttLink("zhenshi", "sn-1", "hall", "gate-1", {"direction": "in"})


class HandClock(Clock):
    """A clock that shows what it is set to (ms), the machine's too."""

    __setattr__ = object.__setattr__  # a clock is frozen, this one is not

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW

    def now(self) -> int:
        return self.at

    def elapsed(self) -> float:
        return self.at / 1000


class Line:
    """A connection. `speaks_for`: the device that the endpoint knows it to be; None for a broker."""

    def __init__(self, speaks_for: str | None = None) -> None:
        self.speaks_for = speaks_for

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """The engine's part."""

    def pause(self) -> None:
        """Nothing to do here."""

    def resume(self) -> None:
        """Nothing to do here."""


class Planned:
    """Doors, as far as a bridge asks: which devices the plan has."""

    def __init__(self, devices: set[str]) -> None:
        self.devices = devices

    def planned(self, device: str) -> Device | None:
        return Device(device, DeviceKind.READER) if device in self.devices else None


class Yard:
    """Linked devices, and the intake behind them."""

    def __init__(self, *links: MqttLink, retained_is_old: bool = True) -> None:
        self.clock = HandClock()
        self.hall = Hall()
        self.made: list[Delivery] = []
        self.planned = {"scanner-1", "scanner-2", "gate-1"}
        self.foreign = Foreign(
            links,
            self.made.extend,
            self.clock,
            lambda site: Planned(self.planned),  # type: ignore[arg-type,return-value]
            retained_is_old=retained_is_old,
        )
        self.line = Line()

    def say(
        self,
        topic: str,
        payload: Any,
        packet_id: int = 0,
        *,
        line: Line | None = None,
        retained: bool = False,
    ) -> list[Delivery]:
        """A message comes in; what is handed on."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        before = len(self.made)
        self.foreign.receive([Delivery(topic, raw, self.clock.now(), retained, packet_id, line or self.line)])
        return self.made[before:]

    def tap(self, uid: str = TAG, time: str | None = None, packet_id: int = 0, **how: Any) -> list[Delivery]:
        said = {"PN532": {"UID": uid}} | ({"Time": time} if time else {})
        return self.say("tele/gate-reader/SENSOR", said, packet_id, **how)

    def passage(
        self, plate: str, plateid: int, packet_id: int = 0, sent: int | None = None, **members: Any
    ) -> Any:
        """A camera with the right time says this."""
        license = base64.b64encode(plate.encode()).decode()
        at = self.clock.now() if sent is None else sent
        found = {
            "license": license,
            "plateid": plateid,
            "timeStamp": {"Timeval": {"sec": at // 1000}},
        } | members
        said = {"id": f"m{plateid}", "sn": "sn-1", "name": "ivs_result", "timestamp": at // 1000}
        said["payload"] = {"AlarmInfoPlate": {"result": {"PlateResult": found}}}
        return self.say("device/sn-1/message/up/ivs_result", said, packet_id)

    def facts(self) -> list[Any]:
        """What the intake makes of all that was handed on."""
        commit = Commit(self.clock.now())
        taken = self.hall.intake.take(self.made, commit)
        self.made.clear()
        self.refused = commit.refused
        return taken.facts.get("hall", [])

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts() if isinstance(fact, kind)]


def records(deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    return [json.loads(each.payload) for each in deliveries if each.topic.endswith("/up")]


# -- in whose name


def test_a_tap_is_a_scan_of_the_linked_device() -> None:
    yard = Yard(READER)
    yard.tap()
    (scan,) = yard.of(Scan)
    assert (scan.device, scan.tag, scan.occurred_at) == ("scanner-1", TAG, NOW)
    assert yard.hall.door("scanner-1").health.online is True


def test_what_is_nobodys_topic_goes_on_as_it_is() -> None:
    yard = Yard(READER)
    for topic in ("patrol/v1/hall/scanner-2/up", "tele/other/SENSOR"):
        (delivery,) = yard.say(topic, b"{}", packet_id=9)
        assert (delivery.topic, delivery.payload, delivery.packet_id) == (topic, b"{}", 9)


def test_what_to_subscribe_to_names_the_devices_alone() -> None:
    filters = Yard(READER, CAMERA).foreign.filters
    assert "tele/gate-reader/SENSOR" in filters
    assert {"device/sn-1/message/up/+", "sn-1/device/message/up/+"} < set(filters)
    assert not any(each.startswith(("#", "+", "tele/+", "device/+")) for each in filters)


def test_a_device_may_not_speak_on_the_topics_of_another() -> None:
    yard = Yard(READER, CAMERA)
    (refused,) = yard.tap(packet_id=4, line=Line("hall/gate-1"))
    assert refused.wrong is not None and refused.wrong[0] == "foreign_topic"
    assert yard.facts() == []
    (row,) = yard.refused
    assert (row.topic, row.device, row.reason) == ("tele/gate-reader/SENSOR", "gate-1", "foreign_topic")


def test_a_linked_device_speaks_on_its_own_topics_only() -> None:
    yard = Yard(READER)
    line = Line("hall/scanner-1")
    for topic in ("patrol/v1/hall/scanner-1/up", "tasmota/discovery/A/config"):
        (refused,) = yard.say(topic, b"{}", line=line)
        assert refused.wrong is not None and refused.wrong[0] == "foreign_topic"
    yard.made.clear()
    yard.tap(line=line)
    assert len(yard.of(Scan)) == 1


def test_boards_that_share_a_topic_are_told_apart() -> None:
    first = MqttLink("esp-rfid", "rfid", "hall", "scanner-1", {"hostname": "door-1"})
    yard = Yard(first, DOOR)
    for host in ("door-2", "door-1", "door-9"):
        yard.say("rfid/send", {"type": "access", "uid": TAG, "hostname": host})
    assert [scan.device for scan in yard.of(Scan)] == ["scanner-2", "scanner-1"]
    assert [row.reason for row in yard.refused] == ["unknown_device"]
    assert yard.foreign.owner_of("rfid/send") is None


def test_a_client_is_the_device_whose_name_it_bears() -> None:
    named = MqttLink("tasmota", "gate-reader", "hall", "scanner-1", client="DVES_3A2B1C")
    foreign = Yard(named, CAMERA).foreign
    assert foreign.identify("DVES_3A2B1C", None) == "hall/scanner-1"
    assert foreign.identify("any", "sn-1") == "hall/gate-1"
    assert foreign.identify("gate-reader", None) is None
    assert foreign.owner_of("tele/gate-reader/LWT") == "hall/scanner-1"


def test_a_device_may_hear_what_its_maker_sends_it_and_nothing_else() -> None:
    foreign = Yard(READER, CAMERA, DOOR).foreign
    assert foreign.may_hear("hall/scanner-1", "cmnd/gate-reader/#")
    assert foreign.may_hear("hall/gate-1", "device/sn-1/message/down/+")
    assert foreign.may_hear("hall/scanner-2", "rfid/cmd")
    assert not foreign.may_hear("hall/scanner-1", "cmnd/#")
    assert not foreign.may_hear("hall/scanner-1", "device/sn-1/message/down/+")
    assert not foreign.may_hear("hall/scanner-2", "rfid/cmd/#")
    assert not foreign.may_hear(None, "cmnd/gate-reader/#")


# -- stored before acknowledged (law 3)


def test_the_last_record_of_a_message_carries_its_acknowledgement_and_no_other_does() -> None:
    yard = Yard(READER)
    made = yard.tap(packet_id=7)
    assert len(made) == 3  # it is there, the scan, a heartbeat
    assert [each.packet_id for each in made] == [0, 0, 7]
    assert all(each.link is yard.line and each.played == "hall/scanner-1" for each in made)


def test_a_message_that_tells_nothing_new_is_acknowledged_in_its_turn() -> None:
    yard = Yard(READER)
    yard.tap(packet_id=1)
    (held,) = yard.tap(packet_id=2)
    assert (held.topic, held.packet_id, held.link) == (NOTHING, 2, yard.line)
    assert yard.tap() == []  # nothing is owed for QoS 0
    assert [fact.tag for fact in yard.of(Scan)] == [TAG]
    assert yard.refused == []


def test_messages_of_one_read_go_on_in_their_order_and_in_one_piece() -> None:
    yard = Yard(READER)
    calls: list[list[Delivery]] = []
    foreign = Foreign(
        [READER], calls.append, yard.clock, lambda _: Planned({"scanner-1"}), retained_is_old=True
    )
    native = Delivery("patrol/v1/hall/scanner-2/up", b"{}", NOW, False, 2, yard.line)
    said = [Delivery("tele/gate-reader/STATE", b"{}", NOW, False, packet, yard.line) for packet in (1, 3)]
    foreign.receive([said[0], native, said[1]])
    (call,) = calls
    assert [each.packet_id for each in call if each.packet_id] == [1, 2, 3]


def test_malformed_messages_go_to_the_quarantine_with_topic_payload_and_reason() -> None:
    yard = Yard(READER)
    (refused,) = yard.say("tele/gate-reader/SENSOR", b'{"PN532": {"UID": "XY"}}', packet_id=5)
    assert refused.packet_id == 5
    assert yard.facts() == []
    (row,) = yard.refused
    assert (row.topic, row.payload) == ("tele/gate-reader/SENSOR", b'{"PN532": {"UID": "XY"}}')
    assert (row.reason, row.site, row.device) == ("bad_value", "hall", "scanner-1")
    assert "UID" in row.detail


# -- nothing doubled


def test_a_message_that_comes_again_tells_nothing_new() -> None:
    yard = Yard(CAMERA)
    for plate, plateid in (("粤B1", 1), ("粤B2", 2), ("粤B1", 1)):
        yard.passage(plate, plateid, packet_id=plateid, sent=NOW)
    assert [fact.plate for fact in yard.of(GateEvent)] == ["粤B1", "粤B2"]
    assert yard.foreign.counts["repeated"] == 1


def test_two_taps_of_one_tag_are_two() -> None:
    yard = Yard(READER)
    for minute in (0, 1):
        yard.clock.at = NOW + minute * MINUTE
        yard.tap(time=f"2026-11-23T22:0{minute}:00")
    assert len(yard.of(Scan)) == 2


async def test_after_a_start_what_was_stored_before_is_known(tmp_path: Any) -> None:
    store = await SqliteStore.open(tmp_path / "patrol.sqlite")
    try:
        before = Yard(CAMERA)
        before.passage("粤B1", 1)
        commit = Commit(NOW)
        before.hall.intake.take(before.made, commit)
        await store.commit(commit)

        after = Yard(CAMERA)
        await after.foreign.recall(store)
        after.clock.at = NOW + 8 * RECALL_MS  # however long we were down
        after.passage("粤B1", 1, packet_id=1, sent=NOW)
        after.passage("粤B2", 2, packet_id=2)
        assert [fact.plate for fact in after.of(GateEvent)] == ["粤B2"]
    finally:
        await store.close()


async def test_after_a_start_the_error_of_a_cameras_clock_is_known(tmp_path: Any) -> None:
    store = await SqliteStore.open(tmp_path / "patrol.sqlite")
    try:
        before = Yard(CAMERA)
        before.passage("粤B1", 1, sent=NOW - 24 * 60 * MINUTE)
        commit = Commit(NOW)
        before.hall.intake.take(before.made, commit)
        await store.commit(commit)

        after = Yard(CAMERA)
        await after.foreign.recall(store)
        after.clock.at = NOW + 30 * MINUTE
        after.passage("粤B2", 2, sent=NOW - (24 * 60 - 10) * MINUTE, isoffline=1)
        (passage,) = after.of(GateEvent)
        assert abs(passage.occurred_at - (NOW + 10 * MINUTE)) <= 1000
    finally:
        await store.close()


def test_a_camera_a_day_off_moves_nothing_and_its_error_is_kept() -> None:
    yard = Yard(CAMERA)
    yard.passage("粤B1", 1, sent=NOW - 24 * 60 * MINUTE)
    (passage,) = yard.of(GateEvent)
    assert passage.occurred_at == NOW
    assert passage.clock_error == -24 * 60 * MINUTE


# -- there or not


def online(yard: Yard) -> list[bool]:
    return [json.loads(each.payload)["online"] for each in yard.made if each.topic.endswith("/state")]


def test_the_last_will_tells_that_a_reader_is_away() -> None:
    yard = Yard(READER)
    for word in (b"Online", b"Online", b"Offline", b"Online"):
        yard.say("tele/gate-reader/LWT", word)
    assert online(yard) == [True, False, True]


def test_what_a_reader_without_memory_was_away_for_may_be_lost() -> None:
    yard = Yard(READER)
    yard.tap()
    yard.clock.at = NOW + MINUTE
    yard.say("tele/gate-reader/LWT", b"Offline")
    yard.clock.at = NOW + 5 * MINUTE
    yard.say("tele/gate-reader/LWT", b"Online")
    told = [fact for fact in yard.of(Status) if fact.lost]
    ((lost,),) = [fact.lost for fact in told]
    assert lost.start <= NOW and lost.end >= NOW + 5 * MINUTE


def test_its_heartbeats_prove_that_nothing_is_held_back_and_are_not_too_many() -> None:
    yard = Yard(READER)
    for second in range(0, 120, 10):
        yard.clock.at = NOW + second * SECOND
        yard.say("tele/gate-reader/STATE", {"UptimeSec": second})
    beats = yard.of(Status)
    assert [beat.uptime for beat in beats] == [0, 50, 100]
    assert all(beat.buffered == 0 and beat.high_seq == beat.seq for beat in beats)


def test_a_reader_that_says_nothing_for_a_while_is_there_but_proves_nothing() -> None:
    yard = Yard(READER)
    yard.tap()
    yard.made.clear()
    for second in (30, 65, 100, 130):
        yard.clock.at = NOW + second * SECOND
        yard.foreign.tick()
    assert [record["buffered"] for record in records(yard.made)] == [None, None]


def test_a_camera_that_says_nothing_for_a_minute_is_away() -> None:
    yard = Yard(CAMERA)
    yard.passage("粤B1", 1)
    for second in (5, 59, 61, 66):
        yard.clock.at = NOW + second * SECOND
        yard.foreign.tick()
    assert online(yard) == [True, False]


def test_a_camera_has_nothing_more_to_say_when_it_says_so() -> None:
    yard = Yard(CAMERA)
    for name, body in (
        ("keep_alive", {}),
        ("offline_record", {"offline_record": 3}),
        ("offline_record", {"offline_record": 0}),
    ):
        said = {"id": name, "name": name, "timestamp": NOW // 1000, "payload": {"body": body}}
        yard.say(f"device/sn-1/message/up/{name}", said)
    assert [beat.buffered for beat in yard.of(Status)] == [None, 3, 0]


def test_what_a_broker_has_kept_is_no_tap_and_no_proof() -> None:
    yard = Yard(READER)
    yard.tap(retained=True)
    yard.say("tele/gate-reader/LWT", b"Online", retained=True)
    assert online(yard) == [True]
    assert [record["type"] for record in records(yard.made)] == ["status"]
    assert records(yard.made)[0]["buffered"] is None
    assert yard.foreign.counts["old"] == 1


def test_at_our_own_endpoint_nothing_is_old() -> None:
    yard = Yard(READER, retained_is_old=False)
    yard.tap(retained=True)
    assert len(yard.of(Scan)) == 1


def test_a_device_that_the_plan_gets_later_begins_anew() -> None:
    yard = Yard(READER)
    yard.planned.clear()
    yard.tap()
    yard.made.clear()  # refused: unknown_device
    yard.planned.add("scanner-1")
    yard.foreign.tick()
    yard.tap(uid="04DE5F1EACC041")
    assert online(yard) == [True]
    assert [record["seq"] for record in records(yard.made)] == [1, 2]


# -- commands


def test_the_answer_to_a_command_comes_at_once_as_a_native_one_does() -> None:
    yard = Yard(CAMERA)
    yard.passage("粤B1", 1)
    sent = yard.foreign.command("hall", "gate-1", "open", "c1")
    assert sent is not None
    topic, payload = sent
    assert json.loads(payload)["id"] == "c1"
    yard.say(f"{topic}/reply", {"id": "c1", "code": 200, "name": "gpio_out"})
    answer = yard.of(Status)[-1]
    assert (answer.device, answer.reply_to, answer.result) == ("gate-1", "c1", "done")
    assert yard.foreign.command("hall", "scanner-1", "open", "c2") is None


# -- links


@pytest.mark.parametrize(
    ("link", "word"),
    [
        (MqttLink("em4100", "x", "hall", "scanner-1"), "protocol"),
        (MqttLink("tasmota", "", "hall", "scanner-1"), "name"),
        (MqttLink("tasmota", "+", "hall", "scanner-1"), "pattern"),
        (MqttLink("tasmota", "a/#", "hall", "scanner-1"), "name"),
        (MqttLink("tasmota", "x", "hall", "gate-1"), "twice"),
        (MqttLink("zhenshi", "sn-1", "hall", "scanner-1", {"direction": "in"}), "same name"),
        (MqttLink("zhenshi", "sn-2", "hall", "scanner-1"), "direction"),
    ],
)
def test_a_link_that_is_wrong_is_said_to_be(link: MqttLink, word: str) -> None:
    with pytest.raises(LinkError, match=word) as error:
        Yard(CAMERA, link)
    assert link.identity in str(error.value)
