"""What the firmware of every simulated device does."""

from __future__ import annotations

from random import Random

import pytest

from checkpoint_firmware_sim.device import MAX_BATCH, Device
from checkpoint_firmware_sim.devices import Console, GateController, Scanner
from checkpoint_firmware_sim.flash import Flash, Record
from checkpoint_firmware_sim.scenario import What
from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND
from gateway.domain.plan import DeviceKind
from gateway.instants import parse_instant, rfc3339
from tests.unit.sim.workbench import EVENING, Bench

TAG = "043CA33472D780"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def scanner(bench: Bench) -> Scanner:
    assert isinstance(bench.device, Scanner)
    return bench.device


def linked(bench: Bench) -> None:
    """Connect, and let the gateway store what is said first."""
    bench.device.link_up()
    bench.acknowledge_all()
    bench.messages.clear()


# Records


def test_a_scan_carries_what_the_contract_asks_for(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    scanner.badge("045E36A08D2080")
    bench.pass_time(5 * SECOND)
    scanner.scan(TAG)
    (scan,) = bench.records()
    assert scan["type"] == "scan"
    assert scan["tag"] == TAG
    assert scan["guard"] == "045E36A08D2080"
    assert scan["boot"] == scanner.boot_id
    assert scan["mono"] == scan["sent_mono"] == pytest.approx(5 * SECOND, abs=2)
    assert scan["at"] == scan["sent_at"]
    assert abs(parse_instant(scan["at"]) - bench.at) <= 3 * SECOND
    assert scan["clock"] == "free"
    assert "replayed" not in scan


def test_a_qr_code_is_sent_as_such(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    scanner.scan("checkpoint:ramp")
    (scan,) = bench.records()
    assert scan["qr"] == "checkpoint:ramp"
    assert "tag" not in scan


def test_the_sequence_rises_by_one_for_each_record(bench: Bench, scanner: Scanner) -> None:
    scanner.link_up()
    for _ in range(5):
        scanner.scan(TAG)
    assert [record["seq"] for record in bench.records()] == [1, 2, 3, 4, 5, 6]


def test_a_start_changes_the_boot_and_begins_a_new_sequence(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    scanner.scan(TAG)
    before = bench.records()[-1]
    scanner.link_down()
    bench.pass_time(HOUR)
    scanner.start()
    scanner.link_up()
    status = bench.records("status")[-1]
    assert status["boot"] != before["boot"]
    assert status["seq"] == 1
    assert status["mono"] == 0


def test_the_battery_of_a_scanner_drains_and_a_console_has_none(bench: Bench, scanner: Scanner) -> None:
    full = scanner.battery
    bench.pass_time(8 * HOUR)
    assert full is not None
    assert scanner.battery is not None
    assert 25 <= full - scanner.battery <= 40
    assert Bench(DeviceKind.CONSOLE, "console-1").device.battery is None


# Sending and acknowledging


def test_coming_online_is_told_by_a_retained_state_and_the_will_tells_the_opposite(bench: Bench) -> None:
    bench.device.link_up()
    assert bench.messages[0] == ("patrol/v1/riverside/scanner-1/state", {"online": True}, True)
    assert bench.device.last_will == ("patrol/v1/riverside/scanner-1/state", b'{"online":false}')


def test_what_was_recorded_without_a_connection_comes_later_in_batches(
    bench: Bench, scanner: Scanner
) -> None:
    for _ in range(MAX_BATCH + 20):
        scanner.scan(TAG)
        bench.pass_time(SECOND)
    scanner.link_up()
    first, second, status = bench.uploads()
    assert (len(first), len(second), len(status)) == (MAX_BATCH, 20, 1)
    assert all(record["replayed"] for record in first + second)
    age = first[0]["sent_mono"] - first[0]["mono"]
    assert age == pytest.approx((MAX_BATCH + 20) * SECOND, rel=1e-4)


def test_an_acknowledgement_frees_all_up_to_its_sequence_number(bench: Bench, scanner: Scanner) -> None:
    scanner.link_up()
    for _ in range(9):
        scanner.scan(TAG)
    bench.acknowledge(7)
    assert len(scanner.flash) == 3
    bench.acknowledge(7, boot="another")
    assert len(scanner.flash) == 3


def test_what_is_not_acknowledged_is_sent_again_after_a_while_and_ever_more_rarely(
    bench: Bench, scanner: Scanner
) -> None:
    scanner.link_up()
    scanner.scan(TAG)
    bench.messages.clear()
    bench.pass_time(29 * SECOND)
    assert not bench.uploads()
    bench.pass_time(SECOND)
    (again,) = bench.uploads()
    assert [record["seq"] for record in again] == [1, 2]
    assert all(record["replayed"] for record in again)
    bench.pass_time(10 * MINUTE)
    sent_again = [message for message in bench.uploads() if message[0]["seq"] == 1]
    assert 2 <= len(sent_again) <= 5


def test_what_is_not_acknowledged_is_sent_again_after_a_reconnect(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    scanner.scan(TAG)
    (live,) = bench.records("scan")
    scanner.link_down()
    scanner.link_up()
    (again,) = bench.records("scan")
    assert again["seq"] == live["seq"]
    assert again["replayed"]


def test_a_record_of_an_earlier_start_says_which_start_sends_it(bench: Bench, scanner: Scanner) -> None:
    scanner.scan(TAG)
    earlier = scanner.boot_id
    bench.pass_time(MINUTE)
    scanner.start()
    scanner.link_up()
    scan = bench.records("scan")[0]
    assert scan["boot"] == earlier
    assert scan["sent_boot"] == scanner.boot_id
    assert parse_instant(scan["sent_at"]) - parse_instant(scan["at"]) == pytest.approx(MINUTE, abs=5)


def test_sending_pauses_while_too_much_is_unacknowledged(bench: Bench, scanner: Scanner) -> None:
    for _ in range(6 * MAX_BATCH):
        scanner.scan(TAG)
    scanner.link_up()
    assert [len(message) for message in bench.uploads()] == [MAX_BATCH] * 4
    bench.acknowledge(2 * MAX_BATCH)
    assert [len(message) for message in bench.uploads()] == [MAX_BATCH, MAX_BATCH]


# The ring


def record(seq: int, boot: str = "b1") -> Record:
    return Record("scan", boot, seq, EVENING, seq, "free", {})


def test_a_full_ring_overwrites_the_oldest_record_and_counts_it() -> None:
    flash = Flash(capacity=10)
    for seq in range(1, 14):
        flash.append(record(seq))
    assert len(flash) == 10
    assert flash.overwritten == 3
    assert [each.seq for each in flash.take(10)] == list(range(4, 14))


def test_a_ring_that_is_90_percent_full_says_so(bench: Bench) -> None:
    device = Scanner("riverside", "scanner-9", bench, Random(1), capacity=20)
    for _ in range(17):
        device.scan(TAG)
    assert not device.flash.nearly_full
    device.scan(TAG)
    assert device.flash.nearly_full
    device.link_up()
    assert bench.records("status")[-1]["warning"] == "buffer_nearly_full"


def test_overwritten_records_are_reported(bench: Bench) -> None:
    device = Scanner("riverside", "scanner-9", bench, Random(1), capacity=20)
    for _ in range(25):
        device.scan(TAG)
    device.link_up()
    assert bench.records("status")[-1]["overwritten"] == 7


def test_records_of_two_starts_are_freed_independently() -> None:
    flash = Flash()
    for each in (record(1), record(2), record(1, "b2"), record(2, "b2")):
        flash.append(each)
    flash.take(3)
    assert flash.free("b2", 1) == 1
    assert (len(flash), flash.in_flight) == (3, 2)
    assert flash.free("b1", 2) == 2
    assert (len(flash), flash.in_flight, flash.unsent) == (1, 0, 1)


# Heartbeats


def test_a_connected_device_reports_at_least_once_a_minute(bench: Bench) -> None:
    linked(bench)
    for _ in range(10):
        bench.pass_time(MINUTE)
        assert bench.records("status")
        bench.acknowledge_all()


def test_nothing_is_reported_without_a_connection(bench: Bench) -> None:
    linked(bench)
    bench.device.link_down()
    bench.pass_time(HOUR)
    assert len(bench.device.flash) == 0


def test_a_status_counts_what_waited_before_it_but_not_itself(bench: Bench, scanner: Scanner) -> None:
    scanner.scan(TAG)
    scanner.scan(TAG)
    scanner.link_up()
    status = bench.records("status")[-1]
    assert status["buffered"] == 2
    assert status["high_seq"] == status["seq"] == 3


def test_the_end_of_a_backlog_is_told_at_once(bench: Bench, scanner: Scanner) -> None:
    scanner.scan(TAG)
    scanner.link_up()
    bench.messages.clear()
    bench.acknowledge(2)
    (status,) = bench.records("status")
    assert (status["buffered"], status["high_seq"]) == (0, 3)


def test_a_status_that_is_sent_again_speaks_of_now_and_not_of_then(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    bench.pass_time(MINUTE)
    (status,) = bench.records("status")
    assert status["buffered"] == 0
    scanner.link_down()
    scanner.scan(TAG)
    scanner.link_up()
    again = bench.records("status")[0]
    assert again["seq"] == status["seq"]
    assert again["buffered"] > 0
    assert again["high_seq"] > status["high_seq"]


# Commands


def gate() -> Bench:
    bench = Bench(DeviceKind.GATE, "gate-east")
    linked(bench)
    return bench


def test_a_gate_opens_on_command_and_says_so() -> None:
    bench = gate()
    assert bench.command("open", args={"by": "wang-jg"}) == [("c1", "done")]
    (opened,) = bench.records("gate")
    assert (opened["event"], opened["cause"], opened["by"]) == ("opened", "remote", "wang-jg")


def test_a_gate_closes_on_command_after_its_bar_has_moved() -> None:
    bench = gate()
    bench.command("close")
    bench.messages.clear()
    bench.pass_time(3 * SECOND)
    assert bench.records("gate")[0]["event"] == "closed"


@pytest.mark.parametrize(
    ("what", "answered", "moved", "late"),
    [(What.COMMAND_LOST, [], 1, []), (What.COMMAND_REFUSED, [("c1", "refused")], 0, []),
     (What.COMMAND_LATE, [], 1, ["done"])],
)  # fmt: skip
def test_one_command_goes_wrong_and_the_next_does_not(
    what: What, answered: list[tuple[str, str]], moved: int, late: list[str]
) -> None:
    bench = gate()
    assert isinstance(bench.device, GateController)
    bench.device.troubles.append((what, MINUTE))
    assert bench.command("open") == answered
    assert len(bench.records("gate")) == moved
    bench.messages.clear()
    bench.pass_time(2 * MINUTE)
    # What nobody acknowledges is sent again: only what was not said before counts.
    said = {each["result"] for each in bench.uploads_of_replies()} - {result for _, result in answered}
    assert sorted(said) == late
    assert bench.command("open", "c2") == [("c2", "done")]


def test_an_expired_command_is_refused() -> None:
    bench = gate()
    assert bench.command("open", expires=rfc3339(bench.at - MINUTE)) == [("c1", "refused")]
    assert not bench.records("gate")


def test_a_command_that_comes_twice_is_carried_out_once_and_answered_twice() -> None:
    bench = gate()
    bench.command("open")
    assert len(bench.records("gate")) == 1
    assert bench.command("open") == [("c1", "done")]
    assert not bench.records("gate")


@pytest.mark.parametrize(
    ("command", "result"), [("open", "refused"), ("dance", "unknown"), ("message", "done"), ("call", "done")]
)
def test_a_scanner_answers_every_command(bench: Bench, command: str, result: str) -> None:
    linked(bench)
    assert bench.command(command) == [("c1", result)]


def test_the_wall_clock_can_be_set(bench: Bench, scanner: Scanner) -> None:
    linked(bench)
    assert bench.command("sync_clock", args={"at": rfc3339(bench.at)}) == [("c1", "done")]
    bench.acknowledge_all()
    bench.messages.clear()
    scanner.scan(TAG)
    (scan,) = bench.records("scan")
    assert scan["clock"] == "synced"
    assert scan["at"] == rfc3339(bench.at)


def test_a_clock_command_without_a_time_fails(bench: Bench) -> None:
    linked(bench)
    assert bench.command("sync_clock", args={}) == [("c1", "failed")]


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"boot": 1, "seq": "x"}', b"\xff", b'{"id": 7}'])
def test_what_cannot_be_understood_is_ignored(bench: Bench, payload: bytes) -> None:
    linked(bench)
    for topic in ("ack", "cmd"):
        bench.device.receive(f"patrol/v1/riverside/scanner-1/down/{topic}", payload)
    assert not bench.messages


# The other kinds


def test_a_console_records_calls() -> None:
    bench = Bench(DeviceKind.CONSOLE, "console-1")
    console: Device = bench.device
    assert isinstance(console, Console)
    linked(bench)
    console.called("east-gate", "abnormal", "wang-jg", "a stranger at the wall")
    (call,) = bench.records("radio")
    assert (call["post"], call["outcome"], call["by"]) == ("east-gate", "abnormal", "wang-jg")
    assert call["note"] == "a stranger at the wall"


def test_a_gate_records_what_happens_at_its_barrier() -> None:
    bench = gate()
    assert isinstance(bench.device, GateController)
    bench.device.event("vehicle_in", lane="in", plate="粤B12345", cause="plate")
    (passage,) = bench.records("gate")
    assert (passage["event"], passage["plate"]) == ("vehicle_in", "粤B12345")
