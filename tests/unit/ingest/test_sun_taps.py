"""SUN messages at the door: what is verified becomes a scan of its tag, the rest waits with a named reason."""

from __future__ import annotations

from random import Random

import pytest

from checkpoint_firmware_sim.sun_tag import SunTag
from gateway.desk import fact_from_row
from gateway.domain.facts import Scan
from gateway.domain.strength import Strength
from gateway.ingest.intake import Taken
from gateway.ingest.tag_keys import KeyRing, Master, meta_key_of
from gateway.store.port import Commit
from tests.unit.ingest.hall import NOW, TAG, Hall, raw, record

MASTER = bytes(range(32))


def ring(*sites: str) -> KeyRing:
    return KeyRing((Master(MASTER, meta_key_of(MASTER), frozenset(sites) or None),))


def tag(uid: str = TAG, master: bytes = MASTER, taps: int = 60) -> SunTag:
    return SunTag(uid, master, Random(1), taps)


def tapped(url: str, **more: object) -> bytes:
    return raw(record(tag=None, sun=url, **more))


def test_a_verified_tap_is_a_scan_of_its_tag_with_the_strength_of_its_message() -> None:
    fact = Hall(tag_keys=ring()).fact(tapped(tag().tap(), guard="li"))
    assert isinstance(fact, Scan)
    assert (fact.tag, fact.proof, fact.guard) == (TAG, Strength.SUN, "li")
    assert fact.tap is not None
    assert fact.tap.counter == 61


def test_what_a_tap_proved_is_stored_so_that_no_key_is_needed_to_read_it_again() -> None:
    payload = tapped(tag().tap())
    (row,) = Hall(tag_keys=ring()).take(payload).commit.facts
    assert row.body == payload
    assert row.tap is not None
    assert row.tap.startswith(f"{TAG}:00000061:")
    again = fact_from_row(row)
    assert isinstance(again, Scan)
    assert (again.tag, again.proof, again.tap and again.tap.counter) == (TAG, Strength.SUN, 61)
    assert MASTER.hex() not in repr(row)


def changed(url: str) -> str:
    return url[:-1] + ("0" if url[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (changed(tag().tap()), "sun_bad_mac"),
        (tag().tap()[:-2], "sun_bad_length"),
        (tag(master=bytes(range(1, 33))).tap(), "sun_not_enrolled"),
        (tag("04000000000001").tap(), "sun_unknown_tag"),
        ("https://patrol.example/t", "bad_sun"),
        ("tea", "bad_sun"),
    ],
)
def test_what_proves_nothing_waits_with_its_reason_and_is_acknowledged(url: str, reason: str) -> None:
    hall = Hall(tag_keys=ring())
    taken = hall.take(tapped(url))
    assert [(row.reason, row.seq) for row in taken.commit.refused] == [(reason, 1)]
    assert hall.door().hearing.boots["b1"].high == 1


def test_without_a_key_a_tap_waits_and_is_taken_in_when_there_is_one() -> None:
    payload = tapped(tag().tap())
    (row,) = Hall(tag_keys=ring("elsewhere")).take(payload).commit.refused
    assert row.reason == "sun_not_enrolled"
    taken = Taken(Commit(NOW))
    assert Hall(tag_keys=ring("hall")).intake.take_again(row.topic, row.payload, row.received_at, taken)
    assert [fact.tap is not None for fact in taken.commit.facts] == [True]


def test_a_device_that_names_the_tag_as_well_is_believed_as_far_as_a_tag_number_goes() -> None:
    payload = raw(record(sun=tag().tap()))
    fact = Hall().fact(payload)
    assert isinstance(fact, Scan)
    assert (fact.proof, fact.tap) == (Strength.UID, None)
    assert isinstance(fact := Hall(tag_keys=ring()).fact(payload), Scan)
    assert fact.proof is Strength.SUN
    forged = raw(record(sun=changed(tag().tap())))
    assert Hall(tag_keys=ring()).reasons(forged) == ["sun_bad_mac"]


def test_a_qr_code_and_a_tag_number_have_their_own_strength() -> None:
    shown = [
        Hall().fact(raw(record())),
        Hall().fact(raw(record(tag=None, qr="https://tag.example/exit"))),
    ]
    assert [fact.proof for fact in shown if isinstance(fact, Scan)] == [Strength.UID, Strength.QR]
