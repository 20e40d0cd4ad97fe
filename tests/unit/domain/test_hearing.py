"""What has been stored of a device, and until when it had nothing more to say (law 4)."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Lost, Status
from gateway.domain.hearing import DeviceHearing, Hearing, Received


def status(at: int, high_seq: int | None, buffered: int | None = 0, boot: str = "b1") -> Status:
    return Status("d", boot, high_seq or 1, at, at, 0, None, buffered, high_seq, at)


@given(st.lists(st.integers(1, 40), max_size=80))
def test_received_numbers_are_a_set_with_a_high_water_mark(seqs: list[int]) -> None:
    received, known = Received(), set[int]()
    for seq in seqs:
        assert received.add(seq) == (seq not in known)
        known.add(seq)
        high = next(n for n in range(1, 50) if n not in known) - 1
        assert received.high == high
        assert received.beyond_gap == len([n for n in known if n > high])
    assert all(received.has(seq) == (seq in known) for seq in range(42))


def test_many_numbers_in_order_need_no_memory_for_each() -> None:
    received = Received()
    for seq in [*range(2, 1000), 1]:
        received.add(seq)
    assert (received.high, received._above) == (999, None)


def test_nothing_is_proved_by_a_device_that_still_has_records_or_does_not_say() -> None:
    hearing = DeviceHearing()
    hearing.add("b1", 1)
    for fact in (status(10, 1, buffered=3), status(10, 1, buffered=None), status(10, None)):
        hearing.status(fact)
        assert not hearing.settle()
    assert hearing.heard_until == -FOREVER


def test_a_proof_waits_until_every_record_up_to_it_is_stored() -> None:
    hearing = DeviceHearing()
    for seq in (1, 2, 4):
        hearing.add("b1", seq)
    hearing.status(status(10, 4))
    assert not hearing.settle()
    hearing.add("b1", 3)
    assert hearing.settle()
    assert hearing.heard_until == 10


def test_a_later_proof_covers_an_earlier_one_and_an_old_one_says_nothing_new() -> None:
    hearing = DeviceHearing()
    hearing.add("b1", 1)
    hearing.status(status(10, 5))
    hearing.status(status(20, 1))
    assert hearing.settle()
    assert (hearing.heard_until, hearing.pending) == (20, [])
    hearing.status(status(15, 1))
    assert not hearing.settle()


def test_each_boot_has_numbers_of_its_own() -> None:
    hearing = DeviceHearing()
    hearing.add("b1", 1)
    hearing.status(status(10, 1, boot="b2"))
    assert not hearing.settle()
    hearing.add("b2", 1)
    assert hearing.settle()


@given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=12), st.randoms(use_true_random=False))
def test_what_is_proved_does_not_depend_on_the_order_of_arrival(
    events: list[tuple[int, bool]], random: Random
) -> None:
    """An event: a record of this number, or a status that it was the highest (law 2)."""

    def heard(order: list[tuple[int, bool]]) -> int:
        hearing = DeviceHearing()
        for seq, is_status in order:
            hearing.add("b1", seq)
            if is_status:
                hearing.status(status(seq * 10, seq))
            hearing.settle()
        return hearing.heard_until

    shuffled = random.sample(events, len(events))
    assert heard(events) == heard(shuffled)


def test_a_device_is_silent_at_a_deadline_until_it_has_proved_more_than_it() -> None:
    hearing = Hearing()
    for device, at in (("a", 10), ("b", 11)):
        hearing.device(device).add("b1", 1)
        hearing.device(device).status(status(at, 1))
        hearing.device(device).settle()
    assert hearing.silent_at(("a", "b", "never-heard"), 10) == ["a", "never-heard"]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 8)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_what_is_lost_is_passed_over_and_still_counts_as_new_when_it_comes(
    events: list[tuple[bool, int, int]], random: Random
) -> None:
    """An event: a number comes, or a range from it on is lost."""

    def state(order: list[tuple[bool, int, int]]) -> tuple[int, list[bool], int]:
        received, stored, lost = Received(), set[int](), set[int]()
        for comes, seq, length in order:
            if comes:
                assert received.add(seq) == (seq not in stored)
                stored.add(seq)
            else:
                received.lose(seq, seq + length)
                lost |= set(range(seq, seq + length + 1))
            assert received.high == next(n for n in range(1, 60) if n not in stored | lost) - 1
        assert [received.has(seq) for seq in range(50)] == [seq in stored for seq in range(50)]
        assert received.lost(1, 100) == len(lost - stored)
        return received.high, [received.has(seq) for seq in range(50)], received.lost(3, 20)

    assert state(events) == state(random.sample(events, len(events)))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 8)), max_size=5), st.integers(0, 30))
def test_filling_is_adding_each(ranges: list[tuple[int, int]], high: int) -> None:
    one, other = Received(), Received()
    for received in (one, other):
        for first, length in ranges:
            received.lose(first, first + length)
    one.fill(high)
    for seq in range(1, high + 1):
        other.add(seq)
    assert (one.high, one.lost(1, 99)) == (other.high, other.lost(1, 99))
    assert all(one.has(seq) == other.has(seq) for seq in range(50))


def test_a_proof_passes_over_what_is_lost() -> None:
    hearing = DeviceHearing()
    hearing.add("b1", 4)
    told = status(10, 4)
    told.lost = (Lost("b1", 1, 3, 2, 5),)
    hearing.status(told)
    assert hearing.settle()
    assert (hearing.heard_until, hearing.lost_records) == (10, 3)


def test_what_several_devices_lost_is_counted_once() -> None:
    hearing = Hearing()
    hearing.device("a").lose([Lost("b1", 1, 3, 2, 5), Lost("b1", 2, 6, 4, 9), Lost("b1", 8, 9, 20, 30)])
    hearing.device("b").lose([Lost("b1", 1, 1, 6, 7)])
    gap = hearing.lost_between(("a", "b", "c"), 5, 8)
    assert gap is not None
    assert (gap.devices, gap.since, gap.until, gap.records) == (["a", "b"], 2, 9, 7)
    assert hearing.lost_between(("c",), 5, 8) is None
