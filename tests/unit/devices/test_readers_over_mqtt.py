"""Tasmota and esp-rfid: what published messages say, and what is no message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.devices.reading import DecodeError, MqttTalk, Noise, Reading
from gateway.ingest.devices.registry import PROTOCOLS

HERE = Path(__file__).parent
NOW = 1_795_000_000_000  # ms


def vectors(protocol: str) -> list[Any]:
    found: list[Any] = json.loads((HERE / f"vectors_{protocol}.json").read_text("utf-8"))
    return found


def made(protocol: str, name: str = "gate-reader", **options: Any) -> MqttTalk:
    mqtt = PROTOCOLS[protocol].mqtt
    assert mqtt is not None
    return mqtt.talk(name, options)


def reading(talk: MqttTalk, topic: str, said: Any, at: int = NOW) -> Reading:
    payload = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
    heard = talk.received(topic, payload, at)
    assert heard is not None
    (one,) = heard
    assert isinstance(one, Reading), one
    return one


def noise(talk: MqttTalk, topic: str, payload: bytes) -> Noise:
    heard = talk.received(topic, payload, NOW)
    assert heard is not None
    (one,) = heard
    assert isinstance(one, Noise), one
    assert one.data == payload
    return one


@pytest.mark.parametrize("protocol", ["tasmota", "esp-rfid"])
def test_published_messages_say_what_their_source_says(protocol: str) -> None:
    for vector in vectors(protocol.replace("-", "_")):
        (found,) = PROTOCOLS[protocol].decode(json.dumps(vector["data"]))
        assert vector["expected"].items() <= found.fields.items(), vector["name"]


# -- Tasmota


def test_a_tap_at_a_tasmota_reader_is_a_scan_of_the_low_32_bits() -> None:
    tap = reading(made("tasmota"), "tele/gate-reader/SENSOR", vectors("tasmota")[0]["data"])
    assert tap.record == {"type": "scan", "tag": "008EC793"}
    assert tap.fields["low32"] == 0x14008EC793 & 0xFFFF_FFFF
    assert tap.key == "2020-09-28T17:02:10/008EC793"


def test_a_tag_that_is_held_is_one_tap_however_long() -> None:
    talk = made("tasmota")
    taps = [
        reading(talk, "tele/gate-reader/SENSOR", {"RDM6300": {"UID": "008EC793"}}, NOW + seconds * 1000)
        for seconds in (0, 2, 4, 6, 8, 12)
    ]
    assert [tap.record is not None for tap in taps] == [True, False, False, False, False, True]


def test_another_tag_in_between_is_another_tap() -> None:
    talk = made("tasmota")
    uids = ["008EC793", "008EC794", "008EC793"]
    taps = [
        reading(talk, "t/SENSOR", {"PN532": {"UID": uid}}, NOW + place * 1000)
        for place, uid in enumerate(uids)
    ]
    assert [tap.record and tap.record["tag"] for tap in taps] == uids


def test_a_clock_that_was_never_set_tells_no_two_taps_apart() -> None:
    said = {"Time": "1970-01-01T00:00:13", "RDM6300": {"UID": "008EC793"}}
    assert reading(made("tasmota"), "t/SENSOR", said).key is None


def test_the_last_will_of_tasmota_is_its_presence() -> None:
    talk = made("tasmota")
    there, away = reading(talk, "tele/x/LWT", b"Online"), reading(talk, "tele/x/LWT", b"Offline")
    assert (there.alive, there.gone) == (True, False)
    assert (away.alive, away.gone) == (False, True)
    assert noise(talk, "tele/x/LWT", b"on fire").reason == "bad_value"


def test_state_is_health_and_other_sensors_are_none_of_ours() -> None:
    talk = made("tasmota")
    state = {"Time": "2026-11-23T22:00:00", "UptimeSec": 61, "Wifi": {"RSSI": 78, "Signal": -61}}
    assert reading(talk, "tele/x/STATE", state).record == {"type": "status", "uptime": 61}
    assert reading(talk, "tele/x/SENSOR", {"Time": "…", "DS18B20": {"Temperature": 3.5}}).record is None


BAD_TASMOTA = {
    "no JSON": b"{",
    "not UTF-8": b'{"Time": "\xff"}',
    "a list": b"[]",
    "no UID": b'{"RDM6300": {}}',
    "a UID that is a number": b'{"RDM6300": {"UID": 9357203}}',
    "a UID that is no hex": b'{"PN532": {"UID": "XYZW"}}',
    "half a byte": b'{"PN532": {"UID": "04A1B"}}',
    "a UID without end": b'{"PN532": {"UID": "' + b"04" * 17 + b'"}}',
    "too deep": b'{"Time":' + b"[" * 100_000,
}


@pytest.mark.parametrize("payload", BAD_TASMOTA.values(), ids=BAD_TASMOTA)
def test_what_tasmota_does_not_say_is_noise(payload: bytes) -> None:
    assert noise(made("tasmota"), "tele/x/SENSOR", payload).detail


# -- esp-rfid


def test_an_access_is_a_scan_also_one_that_was_denied() -> None:
    talk = made("esp-rfid", "/rfid")
    for known, access in (("true", "Always"), ("false", "Denied")):
        said = {
            "type": "access",
            "time": 1605991375,
            "isKnown": known,
            "access": access,
            "uid": "04a1b2c3",
            "hostname": "d",
        }
        assert reading(talk, "/rfid/send", said).record == {"type": "scan", "tag": "04A1B2C3"}


def test_a_number_without_its_zero_in_front_gets_it_back() -> None:
    said = {"type": "access", "uid": "1539a", "hostname": "d"}
    assert reading(made("esp-rfid"), "r/send", said).fields["uid"] == "01539A"


def test_a_door_that_was_opened_over_mqtt_is_nobodys_scan() -> None:
    said = {
        "type": "access",
        "time": 1605991375,
        "isKnown": "true",
        "username": "MQTT",
        "uid": " ",
        "door": "d",
    }
    assert reading(made("esp-rfid"), "r/send", said).record is None


def test_tampering_is_a_report_and_a_heartbeat_is_health() -> None:
    talk = made("esp-rfid")
    _, _, heartbeat, tamper = (each["data"] for each in vectors("esp_rfid"))
    assert reading(talk, "r/send", heartbeat).record == {"type": "status", "uptime": 999}
    report = reading(talk, "r/send", tamper).record
    assert report is not None
    assert (report["type"], report["severity"], report["text"]) == ("report", "major", "Door was tampered!")


def test_boards_that_share_a_topic_are_told_apart_by_their_host_name() -> None:
    ours, theirs = made("esp-rfid", hostname="door-1"), made("esp-rfid", hostname="door-2")
    said = json.dumps({"type": "access", "uid": "04a1b2c3", "hostname": "door-1"}).encode()
    assert ours.received("r/send", said, NOW)
    assert theirs.received("r/send", said, NOW) is None


BAD_ESP_RFID = {
    "no JSON": b"access",
    "no type": b"{}",
    "a type that is a number": b'{"type": 7}',
    "a type of nobody": b'{"type": "party"}',
    "no uid": b'{"type": "access"}',
    "words for a uid": b'{"type": "access", "uid": "not an rfid tag"}',
}


@pytest.mark.parametrize("payload", BAD_ESP_RFID.values(), ids=BAD_ESP_RFID)
def test_what_esp_rfid_does_not_say_is_noise(payload: bytes) -> None:
    assert noise(made("esp-rfid"), "r/send", payload).detail


# -- both


@pytest.mark.parametrize(
    ("protocol", "options"),
    [("tasmota", {"colour": "red"}), ("esp-rfid", {"hostname": 7}), ("esp-rfid", {"host": "d"})],
)
def test_an_option_that_is_none_is_refused_by_its_name(protocol: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        made(protocol, "x", **options)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Time", "RDM6300", "PN532", "UID", "type", "uid", "time", "src", "hostname", "Wifi"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    said=JSON,
    type=st.sampled_from(["access", "boot", "heartbeat", "WARN", "INFO", None]),
    raw=st.binary(max_size=40),
)
def test_nothing_that_is_said_breaks_them(said: Any, type: str | None, raw: bytes) -> None:
    if isinstance(said, dict) and type is not None:
        said = {**said, "type": type}
    for payload in (json.dumps(said).encode(), raw):
        for protocol, topic in (("tasmota", "t/SENSOR"), ("tasmota", "t/LWT"), ("esp-rfid", "t/send")):
            heard = made(protocol).received(topic, payload, NOW)
            assert heard is not None and len(heard) == 1
        for protocol in ("tasmota", "esp-rfid"):
            try:
                PROTOCOLS[protocol].decode(payload.decode(errors="surrogateescape"))
            except DecodeError as error:
                assert str(error)
