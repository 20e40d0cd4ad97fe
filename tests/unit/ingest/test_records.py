"""From bytes to records: every way to be wrong has its name, and nothing else is ever raised."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.domain.facts import GateEvent, RadioCall, Report, Scan, Signature, Status
from gateway.ingest.event_time import TimeUnknownError
from gateway.ingest.records import (
    MAX_PAYLOAD,
    MAX_RECORDS,
    MAX_SEQ,
    RefusedError,
    decode,
    identity,
    split,
    to_fact,
)
from tests.unit.ingest.hall import NOW, TAG, raw, record


def reason(payload: bytes) -> str:
    """Why the first record of a message is refused."""
    with pytest.raises(RefusedError) as refusal:
        for part in split(payload):
            to_fact(decode(part), "scanner-1", NOW, same_boot=True)
    return refusal.value.reason


# -- messages

MESSAGES = {
    "nothing": (b"", "broken_json"),
    "blanks": (b" \n", "broken_json"),
    "words": (b"hello", "broken_json"),
    "half a record": (raw(record())[:-1], "broken_json"),
    "a record and more": (raw(record()) + b"}", "broken_json"),
    "two records on one line": (raw(record()) + raw(record(2)), "broken_json"),
    "half an array": (b"[" + raw(record()), "broken_json"),
    "bytes that are no text": (b"\xff\xfe\x00", "broken_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(record()), "broken_json"),
    "UTF-16": (raw(record()).decode().encode("utf-16"), "broken_json"),
    "a number": (b"17", "not_a_record"),
    "a string": (b'"scan"', "not_a_record"),
    "null": (b"null", "not_a_record"),
    "an array of numbers": (b"[1]", "not_a_record"),
    "an array in an array": (b"[" + raw(record(), record(2)) + b"]", "not_a_record"),
    "an empty array": (b"[]", "empty_array"),
    "an array of 501": (
        b"[" + b",".join([raw(record(seq)) for seq in range(1, 502)]) + b"]",
        "array_too_long",
    ),
    "too much": (b"[" + b" " * MAX_PAYLOAD, "payload_too_large"),
    "an array without a bottom": (b"[" * 100_000, "too_deep"),
    "an array of arrays far down": (b"[" * 50_000 + b"]" * 50_000, "too_deep"),
    "objects far down": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
    "an empty object": (b"{}", "missing_type"),
}


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_is_refused_that_is(what: str) -> None:
    payload, expected = MESSAGES[what]
    assert reason(payload) == expected


def test_blanks_around_a_record_and_an_array_do_no_harm() -> None:
    assert split(b"\r\n {} ") == [b"{} "]
    assert decode(split(b"\r\n " + raw(record()) + b"\n")[0]).seq == 1
    assert split(b' [ {"a": 1} , {"b":[2]}]\n') == [b'{"a": 1}', b'{"b":[2]}']


def test_an_array_of_500_and_a_payload_of_a_mebibyte_are_read() -> None:
    assert len(split(b"[" + b",".join([b"{}"] * MAX_RECORDS) + b"]")) == MAX_RECORDS
    assert len(split(b"{" + b" " * (MAX_PAYLOAD - 1))) == 1


# -- records

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no type": ({"type": None}, "missing_type"),
    "another type": ({"type": "tea"}, "unknown_type"),
    "a type in capitals": ({"type": "SCAN"}, "unknown_type"),
    "a type that is a number": ({"type": 1}, "unknown_type"),
    "no boot": ({"boot": None}, "missing_boot"),
    "an empty boot": ({"boot": ""}, "bad_boot"),
    "a boot of 33 letters": ({"boot": "b" * 33}, "bad_boot"),
    "a boot that is a number": ({"boot": 7}, "bad_boot"),
    "no seq": ({"seq": None}, "missing_seq"),
    "seq 0": ({"seq": 0}, "bad_seq"),
    "seq -1": ({"seq": -1}, "bad_seq"),
    "seq 1.5": ({"seq": 1.5}, "bad_seq"),
    "seq in words": ({"seq": "1"}, "bad_seq"),
    "seq true": ({"seq": True}, "bad_seq"),
    "a seq beyond what JSON's readers agree on": ({"seq": MAX_SEQ + 1}, "bad_seq"),
    "no time": ({"at": None}, "missing_at"),
    "a time without an offset": ({"at": "2026-11-23T22:00:00"}, "time_without_offset"),
    "a time of sending without an offset": ({"sent_at": "2026-11-23T22:00:00.5"}, "time_without_offset"),
    "a time in other words": ({"at": "23/11/2026 22:00"}, "bad_time"),
    "a time that is a number": ({"at": 1_795_392_000}, "bad_time"),
    "a day that is not": ({"at": "2026-02-30T22:00:00Z"}, "bad_time"),
    "an hour that is not": ({"at": "2026-02-03T25:00:00Z"}, "bad_time"),
    "a monotonic clock below 0": ({"mono": -1}, "bad_mono"),
    "a monotonic clock with a fraction": ({"mono": 0.5}, "bad_mono"),
    "a monotonic clock of sending in words": ({"sent_mono": "12"}, "bad_sent_mono"),
    "another clock": ({"clock": "sundial"}, "bad_clock"),
    "a replayed that is no boolean": ({"replayed": "yes"}, "bad_replayed"),
    "an empty boot of sending": ({"sent_boot": ""}, "bad_sent_boot"),
    "a scan of nothing": ({"tag": None}, "missing_tag"),
    "a tag that is not hex": ({"tag": "04DE5FXX"}, "bad_tag"),
    "half a byte of a tag": ({"tag": "04DE5"}, "bad_tag"),
    "an empty tag": ({"tag": ""}, "bad_tag"),
    "a tag that is a number": ({"tag": 4}, "bad_tag"),
    "an empty QR text": ({"tag": None, "qr": ""}, "bad_qr"),
    "a QR text that is endless": ({"tag": None, "qr": "q" * 513}, "bad_qr"),
    "a signed tag without a key": ({"tag": None, "sun": "https://t.example/?e=1"}, "sun_not_enrolled"),
    "a guard that is a number": ({"guard": 12}, "bad_guard"),
    "a battery of 101": ({"battery": 101}, "bad_battery"),
    "a battery below 0": ({"battery": -1}, "bad_battery"),
    "a signal strength in words": ({"rssi": "strong"}, "bad_rssi"),
    "a call to nobody": ({"type": "radio", "post": None}, "missing_post"),
    "a call to a post with blanks": ({"type": "radio", "post": "east gate"}, "bad_post"),
    "a call without outcome": ({"type": "radio", "outcome": None}, "missing_outcome"),
    "a call with another outcome": ({"type": "radio", "outcome": "maybe"}, "bad_outcome"),
    "a gate without event": ({"type": "gate", "event": None}, "missing_event"),
    "a gate with another event": ({"type": "gate", "event": "flew"}, "bad_event"),
    "a gate with another cause": ({"type": "gate", "cause": "wind"}, "bad_cause"),
    "a plate that is endless": ({"type": "gate", "plate": "粤" * 257}, "bad_plate"),
    "a pass that is a number": ({"type": "gate", "pass": 17}, "bad_pass"),
    "a report of no kind": ({"type": "report", "category": None}, "missing_category"),
    "a report without words": ({"type": "report", "text": None}, "missing_text"),
    "a report of 4,001 letters": ({"type": "report", "text": "字" * 4001}, "bad_text"),
    "a report of another severity": ({"type": "report", "severity": "fatal"}, "bad_severity"),
    "a report of a place with capitals": ({"type": "report", "checkpoint": "Ramp"}, "bad_checkpoint"),
    "a photo that is too large": ({"type": "report", "photo": "x" * 360_001}, "bad_photo"),
    "a status with less than nothing buffered": ({"type": "status", "buffered": -1}, "bad_buffered"),
    "a status with a high_seq in words": ({"type": "status", "high_seq": "9"}, "bad_high_seq"),
    "a status with another result": ({"type": "status", "result": "perhaps"}, "bad_result"),
    "members far down": ({"x": json.loads("[" * 400 + "]" * 400)}, "too_deep"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_record_is_refused_that_has(what: str) -> None:
    members, expected = WRONG[what]
    type_ = members.get("type", "scan")
    own = {name: value for name, value in members.items() if name != "type"}
    made = record(type=type_, **own) if isinstance(type_, str) else {**record(**own), "type": type_}
    assert (
        reason(json.dumps({name: value for name, value in made.items() if value is not None}).encode())
        == expected
    )


def test_a_member_that_is_not_utf_8_is_refused_even_where_nobody_reads_it() -> None:
    assert reason(raw(record()).replace(b'{"type"', b'{"extra": "\xff\xfe", "type"')) == "broken_json"
    assert reason(raw(record(guard="QQ")).replace(b"QQ", b"\xc3\x28")) == "broken_json"


def test_why_a_record_is_refused_stays_short_however_long_the_record_is() -> None:
    with pytest.raises(RefusedError) as refusal:
        decode(raw(record(at="x" * 100_000)))
    assert len(refusal.value.detail) <= 500


def test_unknown_members_are_ignored_so_that_a_newer_device_still_works() -> None:
    assert decode(raw(record(colour="red", nested={"a": [1, {"b": None}]}, big=10**15))).seq == 1


def test_brackets_in_a_text_are_no_depth() -> None:
    assert decode(raw(record(type="report", text='[[{{"\\' * 500))).seq == 1


def test_what_a_record_says_is_what_the_fact_says() -> None:
    def fact(**members: Any) -> object:
        return to_fact(decode(raw(record(**members))), "d1", NOW, same_boot=True)

    scan = fact(tag="04de:5f1e ac-c040".replace(" ", ":"), guard="li", battery=82.6)
    assert isinstance(scan, Scan)
    assert (scan.tag, scan.guard, scan.battery, scan.id) == (TAG, "li", 83, "d1/b1/1")
    qr = fact(tag=None, qr="https://tag.example/exit")
    assert isinstance(qr, Scan)
    assert qr.tag == "https://tag.example/exit"
    call = fact(type="radio", outcome="abnormal", by="wang", note="无人")
    assert isinstance(call, RadioCall)
    assert (call.post, call.outcome, call.by, call.note) == ("desk", "abnormal", "wang", "无人")
    items = [{"item": "hydrant box", "ok": False, "note": "seal broken"}, {"item": "exit sign", "ok": True}]
    signed = fact(type="signature", post="desk", text="checked", items=items)
    assert isinstance(signed, Signature)
    assert (signed.form, signed.by, signed.post, signed.text) == ("check", "li", "desk", "checked")
    assert (signed.abnormal, signed.failed) == (True, ("hydrant box",))
    settled = fact(type="signature", items=items, result="done")
    assert isinstance(settled, Signature)
    assert (settled.abnormal, settled.failed) == (False, ("hydrant box",))
    gate = fact(
        type="gate", event="vehicle_in", plate="粤B12345", **{"pass": "P-7"}, cause="plate", lane="in"
    )
    assert isinstance(gate, GateEvent)
    assert (gate.event, gate.plate, gate.pass_no, gate.cause, gate.lane) == (
        "vehicle_in",
        "粤B12345",
        "P-7",
        "plate",
        "in",
    )
    report = fact(type="report", severity="major", checkpoint="ramp", resolved=True, reason="none")
    assert isinstance(report, Report)
    assert (report.severity, report.checkpoint, report.resolved) == ("major", "ramp", True)
    status = fact(
        seq=9, type="status", high_seq=9, battery=10, firmware="1.2", uptime=5, reply_to="c1", result="done"
    )
    assert isinstance(status, Status)
    assert (status.buffered, status.high_seq, status.sent_at, status.result) == (0, 9, NOW, "done")


@pytest.mark.parametrize(
    "tag", ["04de5f1eacc040", "04:DE:5F:1E:AC:C0:40", "04-de-5f-1e-ac-c0-40", "04 DE 5F 1E AC C0 40"]
)
def test_a_tag_is_the_same_however_its_uid_is_written(tag: str) -> None:
    fact = to_fact(decode(raw(record(tag=tag))), "d1", NOW, same_boot=True)
    assert isinstance(fact, Scan)
    assert fact.tag == TAG


@pytest.mark.parametrize("offset", ["Z", "+08:00", "-03:30", "+00:00", "z"])
def test_every_offset_of_rfc_3339_is_read(offset: str) -> None:
    assert decode(raw(record(at=f"2026-11-23T22:00:00.123456{offset}"))).at.utcoffset() is not None


def test_a_refused_record_still_tells_its_number_where_it_can_be_read() -> None:
    assert identity(raw(record(7, type="tea"))) == ("b1", 7)
    for wrong in (
        {"seq": 0},
        {"seq": "7"},
        {"seq": True},
        {"seq": MAX_SEQ + 1},
        {"boot": ""},
        {"boot": 1},
        {"boot": "b" * 33},
    ):
        assert identity(raw(record() | wrong)) is None
    for other in (b"", b"7", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"boot":"b1"}'):
        assert identity(other) is None


# -- properties

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


def all_the_way(payload: bytes) -> None:
    """What the intake does with a message, as far as it looks at its bytes."""
    identity(payload)
    try:
        parts = split(payload)
    except RefusedError as refusal:
        assert refusal.reason.isidentifier()
        return
    assert 1 <= len(parts) <= MAX_RECORDS
    for part in parts:
        identity(part)
        try:
            fact = to_fact(decode(part), "scanner-1", NOW, same_boot=True)
        except RefusedError as refusal:
            assert refusal.reason.isidentifier(), refusal.reason
        except TimeUnknownError:
            pass
        else:
            json.loads(part)  # what is kept can be handed out as JSON
            assert identity(part) == (fact.boot, fact.seq)


@given(anything)
@settings(max_examples=300, deadline=None)
def test_any_json_is_records_or_is_refused_by_name(value: Any) -> None:
    all_the_way(json.dumps(value).encode())


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
@example(b"[" * 20_000)
@example(b'{"type":"scan","boot":"a","seq":1' + b"0" * 5000 + b"}")
def test_any_bytes_are_records_or_are_refused_by_name(payload: bytes) -> None:
    all_the_way(payload)


MEMBERS = (
    "type boot seq at mono sent_at sent_mono clock replayed sent_boot tag qr sun guard battery rssi post outcome by "
    "note event lane plate card cause pass category text checkpoint severity photo resolved reason buffered high_seq "
    "firmware uptime reply_to result"
)
members = st.sampled_from(MEMBERS.split())
types = st.sampled_from(["scan", "radio", "gate", "report", "status"])


@given(types, st.dictionaries(members, anything, max_size=4))
@settings(max_examples=500, deadline=None)
def test_a_right_record_with_any_members_changed_is_a_fact_or_is_refused_by_name(
    type_: str, changes: dict[str, Any]
) -> None:
    all_the_way(json.dumps({**record(type=type_), **changes}).encode())


@given(types, st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=500, deadline=None)
def test_a_right_record_with_any_bytes_changed_is_a_fact_or_is_refused_by_name(
    type_: str, random: Random, changes: int
) -> None:
    payload = bytearray(raw(record(type=type_, note="消防", mono=7, sent_mono=9)))
    for _ in range(changes):
        place = random.randrange(len(payload))
        deed = random.randrange(3)
        if deed == 0:
            payload[place] = random.randrange(256)
        elif deed == 1:
            del payload[place]
        else:
            payload.insert(place, random.randrange(256))
    all_the_way(bytes(payload))
