"""A bridge plays a device that cannot speak for itself."""

from __future__ import annotations

import json
from typing import Any

from gateway.clock import Clock
from gateway.ingest.bridge import Bridge
from gateway.ingest.delivery import Delivery
from gateway.ingest.devices.reading import Noise
from gateway.ingest.records import ScanRecord, StatusRecord, decode


class Ear:
    """What the pipeline is given."""

    def __init__(self) -> None:
        self.heard: list[Delivery] = []

    def __call__(self, deliveries: list[Delivery]) -> None:
        self.heard += deliveries

    @property
    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.heard[-1].payload)
        return found


def bridge() -> tuple[Bridge, Ear]:
    ear = Ear()
    return Bridge("riverside", "reader-1", "em4100", ear, Clock()), ear


def test_what_a_reader_says_becomes_a_native_record_with_its_frame() -> None:
    reader, ear = bridge()
    fact = reader.report({"type": "scan", "tag": "0102030405"}, b"\x02x\x03")
    record = decode(ear.heard[0].payload)
    assert isinstance(record, ScanRecord)
    assert (record.tag, record.seq, record.clock) == ("0102030405", 1, "synced")
    assert record.mono == record.sent_mono
    assert ear.heard[0].topic == "patrol/v1/riverside/reader-1/up"
    assert (ear.last["frame"], ear.last["via"]) == ("027803", "em4100")
    assert fact == f"reader-1/{record.boot}/1"


def test_a_heartbeat_says_that_nothing_is_held_back_itself_included() -> None:
    reader, ear = bridge()
    reader.report({"type": "scan", "tag": "0102030405"})
    reader.beat({"battery": 80})
    status = decode(ear.heard[-1].payload)
    assert isinstance(status, StatusRecord)
    assert (status.seq, status.buffered, status.high_seq, status.battery) == (2, 0, 2, 80)


def test_a_device_with_a_clock_of_its_own_is_not_given_ours() -> None:
    reader, ear = bridge()
    reader.report({"type": "scan", "tag": "01539A", "at": "2011-09-22T02:41:30+00:00"})
    assert "mono" not in ear.last and "clock" not in ear.last
    assert ear.last["at"] == "2011-09-22T02:41:30+00:00"


def test_coming_and_going_is_told_once() -> None:
    reader, ear = bridge()
    for there in (True, True, False, False, True):
        reader.present(there)
    assert [json.loads(each.payload)["online"] for each in ear.heard] == [True, False, True]
    assert all(each.topic.endswith("/state") for each in ear.heard)


def test_noise_goes_to_the_quarantine_as_it_came() -> None:
    reader, ear = bridge()
    reader.refuse(Noise("bad_checksum", "the check byte is 9C, not 9B", b"\x02junk"))
    assert ear.heard[0].wrong == ("bad_checksum", "the check byte is 9C, not 9B")
    assert ear.heard[0].payload == b"\x02junk"


def test_whoever_waits_hears_after_the_commit_what_became_of_a_record() -> None:
    reader, ear = bridge()
    heard: list[str | None] = []
    reader.report({"type": "scan", "tag": "0102030405"}, told=heard.append)
    reader.report({"type": "scan", "tag": "0102030406"})
    reader.report({"type": "scan", "tag": "0102030407"}, told=heard.append)
    first, second, third = ear.heard
    assert second.packet_id == 0
    third.refused = "unknown_tag"
    reader.acknowledge([third.packet_id])
    assert heard == ["unknown_tag"]
    reader.acknowledge([first.packet_id])
    assert heard == ["unknown_tag", None]
