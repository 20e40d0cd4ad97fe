"""From deliveries to facts and the quarantine: nothing is lost, nothing is doubled."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.desk import fact_from_row
from gateway.domain.facts import Signature
from gateway.ingest.delivery import Delivery
from gateway.ingest.intake import Taken
from gateway.ingest.pen import DESK, Pen
from gateway.ingest.records import RefusedError
from gateway.instants import rfc3339
from gateway.store.port import Commit
from tests.unit.ingest.hall import MINUTE, NOW, SECOND, Hall, Wire, raw, record

UP = "patrol/v1/hall/scanner-1/up"
STATE = "patrol/v1/hall/scanner-1/state"


def again(hall: Hall, taken: Taken, place: int = 0) -> tuple[bool, Taken]:
    """Try a refused message once more, an hour later."""
    row = taken.commit.refused[place]
    found = Taken(Commit(NOW + 60 * MINUTE))
    mended = hall.intake.take_again(row.topic, row.payload, row.received_at, found, noted=row.seq is not None)
    return mended, found


# -- facts


def test_a_record_becomes_a_fact_with_the_record_as_it_was_sent() -> None:
    payload = raw(record(5, guard="li", colour="unknown to us"))
    taken = Hall().take(payload)
    (row,) = taken.commit.facts
    assert (row.site, row.device, row.boot, row.seq, row.type) == ("hall", "scanner-1", "b1", 5, "scan")
    assert (row.received_at, row.body) == (NOW, payload)
    assert [fact.id for fact in taken.facts["hall"]] == ["scanner-1/b1/5"]
    assert taken.commit.refused == []


def test_a_record_that_comes_again_is_no_second_fact_and_is_acknowledged_again() -> None:
    hall = Hall()
    first = hall.take(raw(record(1)), raw(record(1)))
    second = hall.take(raw(record(1), guard="someone else"))
    assert len(first.commit.facts) == 1
    assert not second.commit
    assert set(second.doors) == {(hall.door(), "b1")}
    assert hall.intake.counts == {"facts": 1, "duplicates": 2}


def test_one_device_one_boot_and_one_number_name_a_record_and_nothing_else_does() -> None:
    hall = Hall()
    hall.take(raw(record(1)))
    assert len(hall.take(raw(record(1, boot="b2"))).commit.facts) == 1
    assert len(hall.take(raw(record(1)), topic="patrol/v1/hall/scanner-2/up").commit.facts) == 1
    assert len(hall.take(raw(record(2))).commit.facts) == 1


def test_of_an_array_with_a_bad_record_the_good_ones_are_facts() -> None:
    hall = Hall()
    taken = hall.take(raw(record(1), record(2, tag="not hex"), record(3), record(4, type="tea"), record(5)))
    assert [row.seq for row in taken.commit.facts] == [1, 3, 5]
    assert [(row.reason, row.seq) for row in taken.commit.refused] == [("bad_tag", 2), ("unknown_type", 4)]
    assert json.loads(taken.commit.refused[0].payload)["seq"] == 2
    assert hall.door().hearing.boots["b1"].high == 5


@given(st.lists(st.integers(1, 12), max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_however_records_are_repeated_and_bundled_each_is_a_fact_once(
    seqs: list[int], random: Random
) -> None:
    hall = Hall()
    facts: list[int] = []
    while seqs:
        count = random.randint(1, len(seqs))
        bundle, seqs = seqs[:count], seqs[count:]
        taken = hall.take(b"[" + b",".join(raw(record(seq)) for seq in bundle) + b"]")
        facts += [row.seq for row in taken.commit.facts]
        assert taken.commit.refused == []
    assert len(facts) == len(set(facts))


# -- who says it


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("patrol/v1/nowhere/scanner-1/up", "unknown_site"),
        ("patrol/v1/hall/scanner-9/up", "unknown_device"),
        ("patrol/v1/hall/scanner-9/state", "unknown_device"),
        ("patrol/v2/hall/scanner-1/up", "unknown_topic"),
        ("patrol/v1/hall/scanner-1/down/ack", "unknown_topic"),
        ("patrol/v1/hall/scanner-1/UP", "unknown_topic"),
        ("patrol/v1/hall/up", "unknown_topic"),
        ("patrol/v1/hall/scanner-1/up/", "unknown_topic"),
        ("/patrol/v1/hall/scanner-1/up", "unknown_topic"),
        ("tele/rfid/SENSOR", "unknown_topic"),
        ("", "unknown_topic"),
    ],
)
def test_a_topic_of_nobody_is_refused(topic: str, expected: str) -> None:
    hall = Hall()
    for _ in range(2):  # the second time from what is remembered of the topic
        taken = hall.take(raw(record()), topic=topic)
        (row,) = taken.commit.refused
        assert (row.topic, row.payload, row.reason, row.seq) == (topic, raw(record()), expected, None)
        assert not taken.commit.facts


def test_a_device_may_not_speak_for_another() -> None:
    hall = Hall()
    taken = hall.take(raw(record(1)), speaks_for="hall/scanner-2")
    (row,) = taken.commit.refused
    assert (row.reason, row.detail) == ("foreign_topic", "hall/scanner-2 may not publish for hall/scanner-1")
    assert hall.reasons(b'{"online": true}', topic=STATE, speaks_for="hall/scanner-2") == ["foreign_topic"]
    assert hall.door().health.online is None
    # And what it said does not count as said: the right device may use the number.
    assert len(hall.take(raw(record(1)), speaks_for="hall/scanner-1").commit.facts) == 1


def test_a_bridge_may_speak_for_all() -> None:
    hall = Hall()
    assert len(hall.take(raw(record(1)), speaks_for=None).commit.facts) == 1


# -- what it speaks of


def test_an_unknown_tag_and_an_unknown_post_are_refused_and_count_as_heard() -> None:
    hall = Hall()
    assert hall.reasons(raw(record(1, tag="04FFFFFFFFFFFF"))) == ["unknown_tag"]
    assert hall.reasons(raw(record(2, tag=None, qr="https://tag.example/else"))) == ["unknown_tag"]
    assert hall.reasons(raw(record(3, type="radio", post="roof"))) == ["unknown_post"]
    assert hall.door().hearing.boots["b1"].high == 3


def test_an_unknown_guard_and_an_unknown_checkpoint_of_a_report_are_no_reason_to_refuse() -> None:
    hall = Hall()
    assert (
        hall.reasons(raw(record(1, guard="stranger")), raw(record(2, type="report", checkpoint="roof"))) == []
    )


def test_a_refused_record_that_comes_again_is_refused_once_and_acknowledged_again() -> None:
    hall = Hall()
    for payload in (raw(record(1, tag="04FFFFFFFFFFFF")), raw(record(2, type="tea"))):
        assert len(hall.reasons(payload)) == 1
        repeat = hall.take(payload)
        assert not repeat.commit
        assert set(repeat.doors) == {(hall.door(), "b1")}
    assert hall.intake.counts == {"refused.unknown_tag": 1, "refused.unknown_type": 1, "duplicates": 2}


def test_what_has_no_number_is_refused_as_often_as_it_comes() -> None:
    assert Hall().reasons(b"{", b"{", raw(record(boot=None))) == [
        "broken_json",
        "broken_json",
        "missing_boot",
    ]


# -- states


def test_a_state_is_noted_when_it_changes() -> None:
    hall = Hall()
    online, offline = b'{"online": true}', b'{"online": false, "since": "now"}'
    taken = hall.take(online, online, offline, topic=STATE)
    assert [state.online for state in taken.commit.states] == [True, False]
    assert taken.touched == {"hall"}
    assert not hall.take(offline, topic=STATE).commit
    assert hall.door().health.online is False


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "broken_json"),
        (b"online", "broken_json"),
        (b"[]", "broken_json"),
        (b"[" * 50_000, "broken_json"),
        (b"{}", "bad_online"),
        (b'{"online": "true"}', "bad_online"),
        (b'{"online": 1}', "bad_online"),
        (b'{"online": null}', "bad_online"),
        (b'{"online": true', "broken_json"),
        (b'{"on\xffline": true}', "broken_json"),
    ],
)
def test_a_state_that_says_neither_is_refused(payload: bytes, expected: str) -> None:
    hall = Hall()
    assert hall.reasons(payload, topic=STATE) == [expected]
    assert hall.door().health.online is None


# -- health, and the proof of having heard everything (law 4)


def status(seq: int, high_seq: int | None = None, **members: Any) -> bytes:
    sent = {"mono": seq * SECOND, "sent_mono": seq * SECOND}
    return raw(record(seq, type="status", high_seq=seq if high_seq is None else high_seq, **sent) | members)


def test_a_heartbeat_tells_the_health_of_its_device() -> None:
    hall = Hall()
    hall.take(status(1, battery=81.4, firmware="2.1", sent_at=rfc3339(NOW + 9 * SECOND)))
    health = hall.door().health
    assert (health.battery, health.firmware, health.buffered, health.clock_error) == (
        81,
        "2.1",
        0,
        9 * SECOND,
    )
    hall.take(raw(record(2, battery=5)), received_at=NOW - MINUTE)  # an older one that is judged later
    assert health.battery == 81


def test_an_empty_buffer_proves_that_all_was_heard_once_the_store_is_without_a_gap() -> None:
    hall = Hall()
    hearing = hall.door().hearing
    for seq, high in ((1, 1), (4, 4)):
        for fact in hall.take(status(seq, high), received_at=NOW + seq * SECOND).facts["hall"]:
            hearing.status(fact)  # type: ignore[arg-type]
        hearing.settle()
    assert hearing.heard_until == NOW + SECOND
    hall.take(raw(record(2)))
    assert not hearing.settle()
    hall.take(raw(record(3, tag="04FFFFFFFFFFFF")))  # kept in the quarantine: that is heard, too
    assert hearing.settle()
    assert hearing.heard_until == NOW + 4 * SECOND


# -- what was refused, tried again


def enrol(hall: Hall, tag: str) -> None:
    hall.doors.tags.add(tag)


def test_a_refused_record_becomes_a_fact_once_its_cause_is_mended() -> None:
    hall = Hall()
    taken = hall.take(raw(record(1, tag="04FFFFFFFFFFFF", mono=0, sent_mono=MINUTE)))
    assert again(hall, taken)[0] is False
    enrol(hall, "04FFFFFFFFFFFF")
    mended, found = again(hall, taken)
    assert mended
    (row,) = found.commit.facts
    assert (row.seq, row.occurred_at, row.received_at) == (
        1,
        NOW - MINUTE,
        NOW,
    )  # as if it had been let in at once


def test_a_replay_keeps_to_the_boot_that_the_record_says_sent_it() -> None:
    hall = Hall()
    enrolled_later = record(1, tag="04FFFFFFFFFFFF", at=rfc3339(NOW - 9 * MINUTE), sent_at=rfc3339(NOW))
    taken = hall.take(raw(enrolled_later, mono=0, sent_mono=MINUTE, sent_boot="b1"))
    hall.take(raw(record(1, boot="b2")))  # the device has been restarted in the meantime
    enrol(hall, "04FFFFFFFFFFFF")
    assert again(hall, taken)[1].commit.facts[0].occurred_at == NOW - MINUTE


def test_a_record_that_was_sent_again_in_the_meantime_is_not_doubled_by_a_replay() -> None:
    """A device that was unknown keeps its records, as nobody acknowledged them, and sends them again."""
    hall = Hall()
    unknown = "patrol/v1/hall/scanner-9/up"
    taken = hall.take(raw(record(1), record(2)), raw(record(1), record(2), record(3)), topic=unknown)
    hall.doors.by_device["scanner-9"] = type(hall.door())(
        hall.doors, "scanner-9", hall.hearing.device("scanner-9")
    )
    hall.intake.plans_changed()
    assert len(hall.take(raw(record(1)), topic=unknown).commit.facts) == 1
    found = Taken(Commit(NOW))
    for row in taken.commit.refused:
        assert hall.intake.take_again(row.topic, row.payload, row.received_at, found)
    assert [row.seq for row in found.commit.facts] == [2, 3]
    assert [fact.seq for fact in found.facts["hall"]] == [2, 3]


def test_an_array_is_tried_again_as_a_whole() -> None:
    hall = Hall()
    taken = hall.take(raw(record(1), record(2, tag="04FFFFFFFFFFFF")), topic="patrol/v1/hall/scanner-9/up")
    hall.doors.by_device["scanner-9"] = type(hall.door())(
        hall.doors, "scanner-9", hall.hearing.device("scanner-9")
    )
    hall.intake.plans_changed()
    assert again(hall, taken)[0] is False
    enrol(hall, "04FFFFFFFFFFFF")
    mended, found = again(hall, taken)
    assert mended
    assert len(found.commit.facts) == 2


def test_a_refused_state_is_not_tried_again() -> None:
    hall = Hall()
    assert again(hall, hall.take(b'{"online": 1}', topic=STATE))[0] is False


# -- everything at once


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_a_fact_a_repeat_a_state_or_refused_and_nothing_is_lost(
    data: st.DataObject,
) -> None:
    hall = Hall()
    topics = st.sampled_from(
        [UP, STATE, "patrol/v1/hall/scanner-2/up", "patrol/v1/hall/x/up", "patrol/v1/x/y/up", "a"]
    )
    good = st.builds(
        lambda seq, boot: raw(record(seq, boot=boot)), st.integers(1, 4), st.sampled_from(["b1", "b2"])
    )
    odd = st.sampled_from(
        [b"{", b"[]", b"[1,2]", b'{"online":true}', b'{"online":false}', raw(record(tag="zz"))]
    )
    payloads = st.one_of(good, odd, st.binary(max_size=8))
    speakers = st.sampled_from([None, "hall/scanner-1", "hall/scanner-2"])
    messages = data.draw(st.lists(st.tuples(topics, payloads, speakers), max_size=20))
    deliveries = [
        Delivery(topic, payload, NOW, False, 1, Wire(speaker)) for topic, payload, speaker in messages
    ]
    taken = hall.intake.take(deliveries, Commit(NOW))
    counts = hall.intake.counts
    refusals = sum(count for name, count in counts.items() if name.startswith("refused."))
    assert refusals == len(taken.commit.refused)
    assert counts["facts"] == len(taken.commit.facts)
    ends = counts["facts"] + counts["duplicates"] + counts["states"] + refusals
    assert ends >= len(deliveries)  # an array of two bad parts ends twice
    keys = [(row.device, row.boot, row.seq) for row in taken.commit.facts]
    assert len(keys) == len(set(keys))


# -- what is lost


def lost(first: int, last: int, **members: Any) -> list[dict[str, Any]]:
    told = {
        "boot": "b1",
        "from": first,
        "to": last,
        "at": rfc3339(NOW - 50 * MINUTE),
        "mono": 10 * MINUTE,
        "until": rfc3339(NOW - 40 * MINUTE),
        "until_mono": 20 * MINUTE,
    }
    return [told | members]


def heartbeat(seq: int, **members: Any) -> bytes:
    clocks = {"mono": 60 * MINUTE, "sent_mono": 60 * MINUTE, "sent_at": rfc3339(NOW)}
    return raw(record(seq, "status", **clocks, **members))


def test_what_a_device_lost_is_passed_over_and_acknowledged() -> None:
    hall = Hall()
    hall.take(raw(record(1)))
    taken = hall.take(heartbeat(9, lost=lost(2, 8)))
    assert hall.door().hearing.boots["b1"].high == 9
    assert set(taken.doors) == {(hall.door(), "b1")}
    assert [row.seq for row in hall.take(raw(record(5))).commit.facts] == [5]
    assert hall.door().hearing.lost_records == 6


def test_when_it_was_lost_is_told_by_the_monotonic_clock() -> None:
    wrong = {"at": "2000-01-01T00:00:00Z", "until": "2000-01-01T00:10:00Z"}
    fact = Hall().fact(heartbeat(9, lost=lost(2, 8, **wrong)))
    (told,) = fact.lost  # type: ignore[union-attr]
    assert told[:3] == ("b1", 2, 8)
    assert abs(told.start - (NOW - 50 * MINUTE)) < 3 * SECOND
    assert abs(told.end - (NOW - 40 * MINUTE)) < 3 * SECOND


def test_what_an_earlier_boot_lost_is_dated_by_the_wall_clock_or_not_at_all() -> None:
    fact = Hall().fact(heartbeat(9, boot="b2", lost=lost(2, 8)))
    (told,) = fact.lost  # type: ignore[union-attr]
    assert told.start <= NOW - 60 * MINUTE <= told.end  # before this boot or not: it cannot be told
    unknown = {"at": "2000-01-01T00:00:00Z", "until": "2000-01-01T00:00:01Z"}
    fact = Hall().fact(heartbeat(9, boot="b2", lost=lost(2, 8, **unknown), clock="unset"))
    (told,) = fact.lost  # type: ignore[union-attr]
    assert told.start < 0 < told.end == NOW


@pytest.mark.parametrize(
    "wrong", [{"to": 1}, {"from": 0}, {"at": None}, {"until": "yesterday"}, {"boot": ""}, {"mono": "1"}]
)
def test_a_range_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    assert Hall().reasons(heartbeat(9, lost=lost(2, 8, **wrong))) == ["bad_lost"]
    assert Hall().reasons(heartbeat(9, lost=lost(2, 8) * 17)) == ["bad_lost"]


# -- signatures


def test_a_signature_of_somebody_unknown_is_refused_and_of_a_known_card_is_not() -> None:
    hall = Hall()
    refused = hall.take(raw(record(1, "signature", by="nobody")))
    assert [row.reason for row in refused.commit.refused] == ["unknown_person"]
    assert hall.take(raw(record(2, "signature", by="04:a1:b2:c3:d4:e5:f6"))).commit.refused == []
    elsewhere = hall.take(raw(record(3, "signature", post="roof")))
    assert [row.reason for row in elsewhere.commit.refused] == ["unknown_post"]


def test_each_signature_at_the_desk_is_a_record_of_its_own_that_reads_back_as_the_same_fact() -> None:
    hall, pen = Hall(), Pen()
    said = {
        "form": "check",
        "by": "li",
        "post": None,
        "text": "all well",
        "items": [{"item": "door", "ok": True}],
    }
    first, fact = pen.sign(hall.doors, said, NOW)
    second, _ = pen.sign(hall.doors, said, NOW)
    assert (first.device, first.seq, second.seq) == (DESK, 1, 2)
    assert Pen().sign(hall.doors, said, NOW)[0].boot != first.boot
    read = fact_from_row(first)
    assert isinstance(read, Signature)
    assert (read.id, read.by, read.text, read.occurred_at) == (fact.id, "li", "all well", NOW)
    with pytest.raises(RefusedError, match="unknown_person"):
        pen.sign(hall.doors, said | {"by": "nobody"}, NOW)
    with pytest.raises(RefusedError, match="bad_form"):
        pen.sign(hall.doors, said | {"form": "No Form"}, NOW)
