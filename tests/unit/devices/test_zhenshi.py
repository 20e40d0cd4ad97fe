"""Zhenshi cameras: plates, times that are not trusted, the barrier, commands."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.devices.reading import DecodeError, Noise, Reading
from gateway.ingest.devices.registry import PROTOCOLS
from gateway.ingest.devices.zhenshi import Zhenshi
from gateway.ingest.devices.zhenshi_commands import close_command, open_command, set_time_command
from gateway.instants import parse_instant, rfc3339

VECTORS = json.loads((Path(__file__).parent / "vectors_zhenshi.json").read_text("utf-8"))
SN = "917e2298-8ddf3e46"
NOW = parse_instant("2026-11-23T22:00:00+08:00")
SECOND, MINUTE, DAY = 1000, 60_000, 86_400_000


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def camera(**options: Any) -> Zhenshi:
    return Zhenshi(SN, {"direction": "in", **options})


def message(name: str, payload: Any, shows: int | None = NOW, **members: Any) -> bytes:
    """A message as it is sent when the camera's clock shows this (ms)."""
    said = {"id": f"{name}-1", "bv": 16771, "sn": SN, "name": name, "version": "1.0"}
    said |= {} if shows is None else {"timestamp": shows // 1000}
    return json.dumps({**said, "payload": payload, **members}, ensure_ascii=False).encode()


def result(
    license: str = "粤B12345", shows: int = NOW, sent: int | None = None, plateid: int = 7, **members: Any
) -> bytes:
    """A recognition at an instant of the camera's clock, in a message that is sent at another one."""
    plate = {"license": b64(license), "isoffline": 0, "plateid": plateid, "triggerType": 1}
    plate["timeStamp"] = {"Timeval": {"sec": shows // 1000, "usec": shows % 1000 * 1000}}
    alarm = {"channel": 0, "result": {"PlateResult": {**plate, **members}}}
    return message("ivs_result", {"AlarmInfoPlate": alarm}, shows if sent is None else sent)


def hear(talk: Zhenshi, payload: bytes, at: int = NOW, name: str = "ivs_result") -> Reading:
    heard = talk.received(f"device/{SN}/message/up/{name}", payload, at)
    assert len(heard or ()) == 1, heard
    (one,) = heard or ()
    assert isinstance(one, Reading), one
    return one


def record(reading: Reading) -> dict[str, Any]:
    assert reading.record is not None
    return dict(reading.record)


# -- what is published


def test_the_published_result_says_what_its_source_says() -> None:
    vector = VECTORS[0]
    (found,) = PROTOCOLS["zhenshi"].decode(json.dumps(vector["data"]))
    assert vector["expected"].items() <= found.fields.items()


def test_the_published_command_is_the_one_that_we_send_and_is_answered_where_we_listen() -> None:
    data, expected = VECTORS[1]["data"], VECTORS[1]["expected"]
    topic, payload = open_command(SN, "x", 1_784_098_020_000)
    assert (topic, json.loads(payload)) == (data["topic"], data["payload"])
    (found,) = PROTOCOLS["zhenshi"].decode(json.dumps(data))
    told = {name: value for name, value in expected["reply"].items() if name != "timestamp"}
    assert found.fields == {"reply_topic": expected["reply_topic"], "reply": told}


def test_the_published_answer_says_that_it_is_done() -> None:
    reply = json.dumps(VECTORS[1]["expected"]["reply"]).encode()
    (answer,) = camera().received(f"device/{SN}/message/down/gpio_out/reply", reply, NOW) or ()
    assert isinstance(answer, Reading)
    assert answer.record == {"type": "status", "reply_to": "x", "result": "done"}


def test_a_whole_message_decodes_like_the_result_in_it() -> None:
    (found,) = PROTOCOLS["zhenshi"].decode(result("赣GZ7S13").decode())
    assert (found.fields["name"], found.fields["plate"]) == ("ivs_result", "赣GZ7S13")
    assert found.fields["utc"] == "2026-11-23T14:00:00Z"


# -- plates


def test_a_car_is_a_passage_with_its_plate_in_the_lane_of_the_camera() -> None:
    passage = record(hear(camera(lane="south"), result()))
    assert (passage["type"], passage["event"]) == ("gate", "vehicle_in")
    assert (passage["plate"], passage["lane"], passage["cause"]) == ("粤B12345", "south", "plate")
    assert record(hear(camera(direction="out"), result()))["event"] == "vehicle_out"


@pytest.mark.parametrize("license", ["", "_无_", "无牌车", "粤" * 200, "\x00\x01", "???????"])
def test_a_car_whose_plate_cannot_be_read_passes_all_the_same_without_a_plate(license: str) -> None:
    passage = record(hear(camera(), result(license)))
    assert passage["event"] == "vehicle_in"
    assert "plate" not in passage and "cause" not in passage
    assert len(passage.get("note", "")) < 100


@pytest.mark.parametrize(
    "license", ["粤B12345", "粤BD12345", "WJ粤1234警", "使014578", "粤Z1234港", "粤B·12345", "B1234ABC"]
)
def test_plates_of_all_kinds_are_plates(license: str) -> None:
    assert record(hear(camera(), result(license)))["plate"] == license


@pytest.mark.parametrize("license", ["粤B12345", "6LWjR1o3UzE", "/////w==", 7, None, ["6LWj"]])
def test_a_license_that_is_not_base64_of_utf8_is_refused(license: Any) -> None:
    heard = camera().received("x/ivs_result", _with(license), NOW)
    (one,) = heard or ()
    assert isinstance(one, Noise)
    assert (one.reason, "license" in one.detail) == ("bad_value", True)


def _with(license: Any) -> bytes:
    said = json.loads(result())
    said["payload"]["AlarmInfoPlate"]["result"]["PlateResult"]["license"] = license
    return json.dumps(said).encode()


def test_a_car_that_waits_and_is_read_again_and_again_passes_once() -> None:
    talk = camera()
    told = [
        hear(talk, result(shows=NOW + n * 8 * SECOND, plateid=n), NOW + n * 8 * SECOND).record
        for n in range(6)
    ]
    assert [each is not None for each in told] == [True, False, False, False, False, False]
    later = NOW + 5 * 8 * SECOND + MINUTE
    assert hear(talk, result(shows=later, plateid=9), later).record is not None


def test_cars_that_cannot_be_read_are_not_taken_for_one() -> None:
    talk = camera()
    assert all(hear(talk, result("", plateid=n), NOW + n).record for n in range(3))


# -- clocks


@pytest.mark.parametrize("off", [-DAY, DAY, 8 * 3600 * SECOND, -30 * 365 * DAY])
def test_a_camera_whose_clock_is_off_dates_what_happens_now_by_ours(off: int) -> None:
    talk = camera()
    hear(talk, message("keep_alive", {"body": {}}, NOW), NOW, "keep_alive")
    passage = record(hear(talk, result(shows=NOW + MINUTE + off), NOW + MINUTE))
    # `at` and `sent_at` are one: it happened when it was sent, and that was when it came.
    assert passage["at"] == passage["sent_at"] == rfc3339(NOW + MINUTE + off)


def test_what_it_kept_is_dated_by_its_own_clock_less_what_that_is_off() -> None:
    talk, off = camera(), -DAY
    hear(talk, message("keep_alive", {"body": {}}, NOW + off), NOW, "keep_alive")
    happened = NOW - 40 * MINUTE
    passage = record(hear(talk, result(shows=happened + off, sent=NOW + off, isoffline=1), NOW + SECOND))
    said = parse_instant(passage["sent_at"]) - parse_instant(passage["at"])
    assert NOW + SECOND - said == happened
    assert passage["replayed"] is True


def test_the_error_of_its_clock_is_known_from_before_our_start() -> None:
    talk, off = camera(), 3 * DAY
    talk.recall(off, NOW - 2 * MINUTE)
    happened = NOW - MINUTE
    passage = record(hear(talk, result(shows=happened + off, sent=NOW + off, isoffline=1), NOW))
    assert NOW - (parse_instant(passage["sent_at"]) - parse_instant(passage["at"])) == happened


def test_without_a_known_error_nothing_is_said_of_now() -> None:
    passage = record(hear(camera(), result(shows=NOW - 40 * MINUTE, sent=NOW, isoffline=1)))
    assert (passage["at"], passage["sent_at"]) == (rfc3339(NOW - 40 * MINUTE), None)


def test_what_a_broker_held_while_we_were_away_is_dated_when_it_was_sent() -> None:
    talk, off = camera(), -DAY
    hear(talk, message("keep_alive", {"body": {}}, NOW + off), NOW, "keep_alive")
    sent, came = NOW + 20 * MINUTE, NOW + 60 * MINUTE
    passage = record(hear(talk, result(shows=sent + off), came))
    assert came - (parse_instant(passage["sent_at"]) - parse_instant(passage["at"])) == sent


def test_a_clock_that_is_set_back_behind_what_was_heard_is_no_delay() -> None:
    talk = camera()
    hear(talk, message("keep_alive", {"body": {}}, NOW), NOW, "keep_alive")
    passage = record(hear(talk, result(shows=NOW + 5 * SECOND - DAY), NOW + 5 * SECOND))
    assert passage["at"] == passage["sent_at"]


def test_a_kept_result_that_does_not_say_when_is_refused() -> None:
    said = json.loads(result(isoffline=1))
    del said["payload"]["AlarmInfoPlate"]["result"]["PlateResult"]["timeStamp"]
    (one,) = camera().received("x/ivs_result", json.dumps(said).encode(), NOW) or ()
    assert isinstance(one, Noise) and "Timeval" in one.detail


def test_the_same_result_live_and_kept_has_one_key() -> None:
    live, kept = (
        hear(camera(), result()),
        hear(camera(), result(isoffline=1, sent=NOW + MINUTE), NOW + MINUTE),
    )
    assert live.key == kept.key is not None
    assert hear(camera(), result(plateid=8)).key != live.key


# -- the rest of what it says


def test_both_orders_of_topics_are_heard_and_commands_go_where_the_camera_listens() -> None:
    talk = camera()
    assert talk.command("open", "c1", NOW) == open_command(SN, "c1", NOW)
    talk.received(f"{SN}/device/message/up/ivs_result", result(), NOW)
    topic, _ = talk.command("open", "c1", NOW) or ("", b"")
    assert topic == f"{SN}/device/message/down/gpio_out"


def test_a_heartbeat_is_health_also_with_a_zero_byte_around_it() -> None:
    beat = b"\x00" + message("keep_alive", {"body": {"timestamp": NOW // 1000}}) + b"\x00\n"
    health = record(hear(camera(), beat, name="keep_alive"))
    assert (health["type"], health["firmware"]) == ("status", "16771")


def test_what_waits_in_the_camera_is_what_it_holds_back() -> None:
    waiting = hear(
        camera(), message("offline_record", {"body": {"offline_record": 12}}), name="offline_record"
    )
    assert record(waiting)["buffered"] == 12


def barrier(gate: int, connected: int = 1, enable: int = 1) -> bytes:
    body = {"gate_ctrl_id": 1, "gate_status": gate, "connect_status": connected, "enable": enable}
    return message("barr_gate_status", {"body": body})


def events(talk: Zhenshi, payload: bytes) -> list[str]:
    heard = talk.received("x/barr_gate_status", payload, NOW)
    readings = [each for each in heard or () if isinstance(each, Reading)]
    return [each.record["event"] for each in readings if each.record is not None]


def test_the_barrier_opens_and_closes() -> None:
    talk = camera()
    assert [events(talk, barrier(gate)) for gate in (1, 0, 2)] == [["opened"], ["closed"], []]


def test_a_camera_cut_off_from_its_barrier_is_a_fault_once_and_over_when_it_is_back() -> None:
    talk = camera()
    told = [events(talk, barrier(1, connected)) for connected in (1, 0, 0, 1)]
    assert told == [["opened"], ["fault"], [], ["recovered", "opened"]]


def test_a_barrier_that_is_switched_off_in_the_camera_tells_nothing() -> None:
    assert events(camera(), barrier(1, enable=0)) == []


def test_an_input_means_what_the_link_says() -> None:
    def closes(source: int, value: int) -> bytes:
        trigger = {"TriggerResult": {"source": source, "value": value}}
        return message("gpio_in", {"body": {"AlarmGioIn": {"result": trigger}}})

    talk = camera(inputs={"1": "manual_open"})
    told = [
        hear(talk, closes(source, value), name="gpio_in").record for source, value in ((1, 1), (1, 0), (0, 1))
    ]
    assert [each and each["event"] for each in told] == ["manual_open", None, None]


def test_commands_are_what_the_camera_understands() -> None:
    topic, payload = close_command(SN, "c2", NOW, sn_first=True)
    assert topic == f"{SN}/device/message/down/gpio_out"
    assert json.loads(payload)["payload"]["body"] == {"delay": 3000, "io": 1, "value": 2}
    topic, payload = open_command(SN, "c3", NOW, direct=True)
    assert (topic, json.loads(payload)["payload"]) == (f"device/{SN}/message/down/gate_direct_open", None)
    _, payload = set_time_command(SN, "c4", NOW)
    body = json.loads(payload)["payload"]["body"]
    assert body == {"year": "2026", "month": "11", "day": "23", "hour": "22", "min": "00", "sec": "00"}


def test_a_command_that_was_refused_failed() -> None:
    reply = json.dumps({"id": "c1", "code": 500, "name": "gpio_out", "sn": SN}).encode()
    (answer,) = camera().received(f"device/{SN}/message/down/gpio_out/reply", reply, NOW) or ()
    assert isinstance(answer, Reading)
    assert record(answer)["result"] == "failed"


def test_no_command_of_the_contract_is_guessed() -> None:
    talk = camera(open_with="gate_direct_open")
    assert [talk.command(cmd, "c", NOW) for cmd in ("hold", "call", "message")] == [None] * 3
    assert talk.command("open", "c", NOW) == open_command(SN, "c", NOW, direct=True)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"direction": "up"}, "direction"),
        ({"direction": None}, "direction"),
        ({"inputs": {"1": "explodes"}}, "inputs"),
        ({"inputs": "1"}, "inputs"),
        ({"open_with": "force"}, "open_with"),
        ({"lame": "south"}, "lame"),
    ],
)
def test_an_option_that_is_wrong_is_refused_by_its_name(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        camera(**wrong)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"topic": 7}', '{"topic": "a", "payload": {}}', '{"name": 7}']
)
def test_what_cannot_be_decoded_is_said_in_few_words(text: str) -> None:
    with pytest.raises(DecodeError):
        PROTOCOLS["zhenshi"].decode(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(b64("粤B12345")),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sec", "Timeval", "source"]), inner)
    ),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["license", "isoffline", "plateid", "timeStamp", "triggerType", "user_data"]), VALUES
)
BODY = st.dictionaries(
    st.sampled_from(["gate_status", "connect_status", "enable", "offline_record", "AlarmGioIn", "timestamp"]),
    VALUES,
)
NAMES = st.sampled_from(
    ["ivs_result", "keep_alive", "gpio_in", "barr_gate_status", "offline_record", "snapshot"]
)


@given(members=MEMBERS, body=BODY, name=NAMES, stamp=VALUES, raw=st.binary(max_size=30))
def test_nothing_that_is_said_breaks_it(members: Any, body: Any, name: str, stamp: Any, raw: bytes) -> None:
    payload = {"body": body, "AlarmInfoPlate": {**members, "result": {"PlateResult": members}}}
    talk = camera(inputs={"0": "opened"})
    for said in (message(name, payload, timestamp=stamp), raw):
        assert talk.received(f"device/{SN}/message/up/{name}", said, NOW)
        assert talk.received(f"device/{SN}/message/down/gpio_out/reply", said, NOW)
        try:
            PROTOCOLS["zhenshi"].decode(said.decode(errors="surrogateescape"))
        except DecodeError as error:
            assert str(error)
