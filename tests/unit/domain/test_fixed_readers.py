"""Readers that are fixed at a checkpoint and read the guards' cards; and readers that tell a part of a UID."""

from __future__ import annotations

from gateway.domain.facts import Scan, mark_of
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Verdict
from tests.unit.domain.evening import Evening, lodge

READER = "  - {id: r1, kind: reader, posts: [yard], checkpoint: shed}\n"


def with_reader(*changes: tuple[str, str]) -> Plan:
    return lodge(("  - {id: g1", READER + "  - {id: g1"), *changes)


DOOR = (
    ("  - {id: tour,", "  - {id: door, name: 棚, order: free, checkpoints: [shed]}\n  - {id: tour,"),
    (
        "  - {id: hourly, kind: round, route: tour, post: yard, every: 60min}",
        "  - {id: visits, kind: round, route: door, times: 2, per: night}",
    ),
)
"""Two visits of the shed are owed each night."""


def card(evening: Evening, minute: float, guard: str, device: str = "r1") -> Scan:
    return Scan(*evening._common(minute, device), mark_of(device), guard)


def verdicts(evening: Evening) -> list[Verdict]:
    return [each.occurrence.verdict for each in evening.changes]


def test_a_card_at_the_reader_shows_that_its_holder_was_there() -> None:
    evening = Evening(with_reader())
    evening.until(10, card(evening, 10, "04A1B2C3D4E5F6"))
    assert verdicts(evening) == []
    evening.until(12, evening.scan(12, "well"))
    (change,) = evening.changes
    assert change.occurrence.verdict is Verdict.ON_TIME
    assert [visit.checkpoint for visit in change.occurrence.visits] == ["shed", "well"]


def test_two_guards_who_come_one_after_the_other_are_two_visits() -> None:
    evening = Evening(with_reader(*DOOR))
    evening.until(10, card(evening, 10, "li"), card(evening, 10.05, "wang"))
    assert verdicts(evening) == [Verdict.ON_TIME, Verdict.ON_TIME]


def test_one_card_that_is_shown_again_at_once_is_one_visit() -> None:
    evening = Evening(with_reader(*DOOR))
    evening.until(10, card(evening, 10, "li"), card(evening, 10.05, "04A1B2C3D4E5F6"))
    assert verdicts(evening) == [Verdict.ON_TIME]


def test_who_comes_to_the_reader_next_has_not_begun_the_same_round() -> None:
    there_and_back = (
        (
            "  - {id: tour,",
            "  - {id: loop, name: 圈, order: strict, checkpoints: [shed, well, shed]}\n  - {id: tour,",
        ),
        (
            "  - {id: hourly, kind: round, route: tour, post: yard, every: 60min}",
            "  - {id: one, kind: round, route: loop, times: 1, per: night}\n"
            "  - {id: two, kind: round, route: loop, times: 1, per: night}",
        ),
    )
    evening = Evening(with_reader(*there_and_back))
    li, wang = card(evening, 10, "li"), card(evening, 11, "wang")
    evening.until(11, li, wang)
    claimed = {
        track.duty.id: [owed.evidence for owed in track.items if owed.evidence]
        for track in evening.watch.tracks()
    }
    assert claimed == {"one": [[li]], "two": [[wang]]}


def test_a_reader_is_waited_for_like_a_scanner() -> None:
    evening = Evening(with_reader())
    evening.beating(1, 62, "s1")
    assert set(verdicts(evening)) == {Verdict.UNVERIFIED}
    evening.until(63, evening.status(63, "r1"))
    assert verdicts(evening)[-1] is Verdict.MISSED


def tagged(*tags: str) -> Plan:
    return lodge(('tags: ["04DE5F1EACC040"]', f"tags: [{', '.join(map(repr, tags))}]"))


def test_a_reader_that_leaves_out_the_first_of_five_bytes_is_understood() -> None:
    plan = tagged("01008EC793")
    assert plan.checkpoint_by_tag["008EC793"] == plan.checkpoint_by_tag["01008EC793"] == "shed"
    assert "8EC793" not in plan.checkpoint_by_tag
    assert "DE5F1EACC041" not in plan.checkpoint_by_tag  # of seven bytes none is left out


def test_where_two_tags_end_alike_the_end_is_nobodys() -> None:
    plan = tagged("01008EC793", "02008EC793")
    assert "008EC793" not in plan.checkpoint_by_tag


def test_a_uid_of_four_bytes_goes_before_the_end_of_a_longer_one() -> None:
    plan = lodge(('tags: ["04DE5F1EACC040"]', 'tags: ["01008EC793"]'), ('"04DE5F1EACC041"', '"008EC793"'))
    assert plan.checkpoint_by_tag["008EC793"] == "well"


def test_of_cards_the_same_is_true_but_not_of_ids_that_look_like_one() -> None:
    plan = lodge(('card: "04A1B2C3D4E5F6"', 'card: "01008EC793"'), ("{id: wang,", '{id: "0123456789",'))
    found = plan.person("00:8e:c7:93")
    assert found is not None
    assert found.id == "li"
    assert plan.person("23456789") is None
