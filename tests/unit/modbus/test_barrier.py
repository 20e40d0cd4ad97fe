"""From registers to what happened at a barrier, as timelines; and the maps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint_firmware_sim.modbus import TRAVEL, Controller
from gateway.ingest.modbus.barrier import FAULT_AFTER, Barrier
from gateway.ingest.modbus.barrier_map import Place, Read, Table, Write
from gateway.ingest.modbus.came import CAME_PTX
from gateway.ingest.modbus.frames import with_crc
from gateway.ingest.modbus.maps import MAPS
from gateway.ingest.modbus.relay import RELAY, RELAY_INPUTS
from gateway.ingest.modbus.roger import ROGER

CLOSED, OPEN, OPENING, CLOSING, STOPPED, UNKNOWN = [17, 0], [16, 100], [32, 40], [33, 60], [19, 50], [0, 255]


def came(place: Place = Place.CLOSED, *, alone: bool = False) -> Barrier:
    return Barrier(CAME_PTX, place, alone)


def seen(barrier: Barrier, *steps: tuple[float, list[int]]) -> list[str]:
    return [event["event"] for now, registers in steps for event in barrier.sees(registers, now)]


def test_a_passage_is_an_opening_and_a_closing() -> None:
    steps = [(0, CLOSED), (1, OPENING), (2, OPENING), (3, OPEN), (9, OPEN), (10, CLOSING), (12, CLOSED)]
    assert seen(came(), *[(float(at), registers) for at, registers in steps]) == ["opened", "closed"]


def test_what_was_known_before_is_not_told_again_and_what_differs_is() -> None:
    assert seen(came(Place.OPEN), (0, OPEN)) == []
    assert seen(came(Place.OPEN), (0, CLOSED)) == ["closed"]
    assert seen(came(Place.UNKNOWN), (0, OPEN)) == ["opened"]


def test_a_bar_that_stops_half_way_lets_somebody_through() -> None:
    assert seen(came(), (0, OPENING), (1, STOPPED), (5, OPENING), (6, OPEN)) == ["opened"]


def test_a_bar_that_stays_under_way_is_stuck_until_it_arrives() -> None:
    barrier = came()
    assert seen(barrier, (0, OPENING), (15, OPENING), (15.1, OPENING), (20, OPENING)) == ["stuck"]
    assert seen(barrier, (30, OPEN)) == ["recovered", "opened"]
    assert seen(barrier, (31, CLOSING), (33, CLOSED)) == ["closed"]


def test_a_controller_that_does_not_know_tells_nothing() -> None:
    assert seen(came(), (0, UNKNOWN), (1, [3, 0]), (2, [99, 0]), (3, CLOSED)) == []


def test_an_opening_of_ours_names_the_person_and_only_once() -> None:
    barrier = came()
    barrier.told("open", "wang", 0)
    (opened,) = barrier.sees(OPEN, 3)
    assert opened == {"event": "opened", "cause": "remote", "by": "wang"}
    barrier.sees(CLOSED, 9)
    assert barrier.sees(OPEN, 12) == [{"event": "opened", "cause": "unknown"}]


def test_an_opening_long_after_a_command_or_after_one_without_an_answer_is_nobodys() -> None:
    for by, at in (("wang", 15.1), (None, 3.0)):
        barrier = came()
        barrier.told("open", by, 0)
        assert barrier.sees(OPEN, at) == [{"event": "opened", "cause": "unknown"}]


def test_where_nothing_else_opens_it_a_bar_that_leaves_its_place_unasked_was_forced() -> None:
    assert seen(came(alone=True), (0, CLOSED), (1, OPENING), (3, OPEN), (9, CLOSED)) == ["forced", "closed"]
    for by in ("wang", None):
        barrier = came(alone=True)
        barrier.told("open", by, 0)
        assert seen(barrier, (1, OPENING), (3, OPEN)) == ["opened"], "it may have been us"


def test_a_fault_is_believed_when_it_is_said_often_enough() -> None:
    barrier = came()
    told = [barrier.fails() for _ in range(FAULT_AFTER + 2)]
    assert [len(events) for events in told] == [0] * (FAULT_AFTER - 1) + [1, 0, 0]
    assert seen(barrier, (9, CLOSED)) == ["recovered"]
    assert barrier.fails() == [] and seen(barrier, (10, CLOSED)) == []


@pytest.mark.parametrize(
    ("bits", "place"),
    [([1, 0], Place.OPEN), ([0, 1], Place.CLOSED), ([0, 0], Place.MOVING), ([1, 1], Place.UNKNOWN)],
)
def test_limit_switches_tell_the_place_and_two_at_once_tell_nothing(bits: list[int], place: Place) -> None:
    assert RELAY_INPUTS.place(bits) is place
    assert RELAY.place(bits) is Place.UNKNOWN


def test_the_addresses_are_those_of_the_makers() -> None:
    assert (CAME_PTX.read, CAME_PTX.commands["open"]) == (
        Read(Table.HOLDING, 40101 - 40001, 2),
        (Write(5, 2 - 1, 0xFF00),),
    )
    assert ROGER.commands["close"] == (Write(6, 6501, 26628),)
    assert RELAY.commands["close"] == (Write(5, 0, 0), Write(5, 513, 8)), "vectors: relay 1, 800 ms"


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"relay"}))
def test_every_map_fits_the_controller_of_the_simulator(name: str) -> None:
    """The two sides of a line were written apart: what one is told, the other sees."""
    map_, controller, barrier = MAPS[name], Controller(name), Barrier(MAPS[name], Place.CLOSED)
    now, events = 0.0, []
    for cmd in ("open", "close"):
        for write in map_.commands[cmd]:
            frame = bytes(
                [1, write.function, *write.address.to_bytes(2, "big"), *write.value.to_bytes(2, "big")]
            )
            assert controller.hears(with_crc(frame), now) == [(0.0, with_crc(frame))]
        for _ in range(6):
            now += TRAVEL / 4
            read = map_.read
            ask = bytes(
                [1, read.table.value, *read.address.to_bytes(2, "big"), *read.count.to_bytes(2, "big")]
            )
            ((_, answer),) = controller.hears(with_crc(ask), now)
            data = answer[3:-2]
            words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
            bits = [data[0] >> bit & 1 for bit in range(read.count)]
            values = bits if read.table in (Table.COILS, Table.INPUTS) else words
            events += [event["event"] for event in barrier.sees(values, now)]
    assert events == ["opened", "closed"]


PLACES = st.lists(
    st.tuples(st.floats(0.05, 20), st.sampled_from([CLOSED, OPEN, OPENING, CLOSING, STOPPED, UNKNOWN])),
    max_size=40,
)


@settings(deadline=None)
@given(PLACES, st.booleans())
def test_openings_and_closings_take_turns(steps: list[tuple[float, list[int]]], alone: bool) -> None:
    barrier, now, open_ = came(alone=alone), 0.0, False
    for after, registers in steps:
        now += after
        for event in barrier.sees(registers, now):
            if event["event"] in ("opened", "forced"):
                assert not open_ or event["event"] == "opened"
                open_ = True
            elif event["event"] == "closed":
                open_ = False
        if registers is CLOSED:
            assert not open_
        elif registers in (OPEN, STOPPED):
            assert open_
