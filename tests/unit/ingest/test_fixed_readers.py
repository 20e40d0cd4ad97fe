"""A scan that names a guard and no tag: what a reader says that is fixed at a checkpoint."""

from __future__ import annotations

from gateway.domain.facts import Scan, mark_of
from tests.unit.ingest.hall import HALL, NOW, Hall, raw, record

READER = "  - {id: reader-1, kind: reader, checkpoint: pump-room}\n"
FIXED = HALL.replace("  - {id: console-1", READER + "  - {id: console-1")
TOPIC = "patrol/v1/hall/reader-1/up"
CARD = "04A1B2C3D4E5F6"


def card(seq: int = 1, guard: str | None = CARD) -> bytes:
    return raw(record(seq, tag=None, guard=guard))


def test_the_guard_was_at_the_checkpoint_of_the_reader() -> None:
    hall = Hall(FIXED)
    for seq, guard in enumerate((CARD, "li", CARD.lower()), 1):
        fact = hall.fact(card(seq, guard), topic=TOPIC)
        assert isinstance(fact, Scan)
        assert (fact.tag, fact.guard, fact.is_carried) == (mark_of("reader-1"), guard, False)


def test_a_tag_may_be_read_there_as_well() -> None:
    fact = Hall(FIXED).fact(raw(record(guard="li")), topic=TOPIC)
    assert isinstance(fact, Scan)
    assert fact.is_carried


def test_a_card_that_nobody_has_waits_until_somebody_is_given_it() -> None:
    hall = Hall(FIXED)
    assert hall.reasons(card(1, "0102030405"), topic=TOPIC) == ["unknown_card"]
    taken = hall.take()
    assert not hall.intake.take_again(TOPIC, card(1, "0102030405"), NOW, taken, noted=True)
    later = Hall(FIXED, FIXED.replace(CARD, "0102030405"))
    assert later.intake.take_again(TOPIC, card(1, "0102030405"), NOW, taken, noted=True)
    assert len(taken.commit.facts) == 1


def test_one_that_is_fixed_nowhere_needs_a_tag_until_the_plan_fixes_it() -> None:
    hall = Hall(FIXED.replace(", checkpoint: pump-room", ""))
    assert hall.reasons(card(), topic=TOPIC) == ["missing_tag"]
    assert hall.reasons(card(), topic="patrol/v1/hall/scanner-1/up") == ["missing_tag"]
    assert Hall(FIXED).intake.take_again(TOPIC, card(), NOW, hall.take(), noted=True)


def test_a_scan_of_nothing_and_nobody_is_refused_there_too() -> None:
    assert Hall(FIXED).reasons(card(guard=None), topic=TOPIC) == ["missing_tag"]


def test_a_qr_code_that_reads_like_a_fixed_reader_is_none() -> None:
    forged = raw(record(tag=None, qr=mark_of("reader-1"), guard="li"))
    assert Hall(FIXED).reasons(forged, topic="patrol/v1/hall/scanner-1/up") == ["unknown_tag"]


def test_a_short_uid_is_found_at_the_door() -> None:
    hall = Hall(HALL.replace("04DE5F1EACC040", "01008EC793"))
    fact = hall.fact(raw(record(tag="008EC793")))
    assert isinstance(fact, Scan)
    assert fact.tag == "008EC793"
