"""The twins of other makers' devices, heard by the gateway's own decoders, which share no code with them."""

from __future__ import annotations

import ast
from pathlib import Path
from random import Random

import pytest

import checkpoint_firmware_sim
from checkpoint_firmware_sim.device import Device
from checkpoint_firmware_sim.devices import GateController, Scanner
from checkpoint_firmware_sim.makers import Speech, Twin, make_twin, read_speech
from gateway.clock import Clock
from gateway.domain.facts import GateEvent, Scan, Status
from gateway.ingest.delivery import Delivery
from gateway.ingest.devices.zhenshi_commands import close_command, open_command, set_time_command
from gateway.ingest.doors import SiteDoors
from gateway.ingest.foreign import Foreign
from gateway.ingest.linked import MqttLink
from gateway.store.port import Commit
from tests.unit.ingest.hall import NOW, SECOND, TAG, Hall, Wire

NAMES = {"tasmota": "scanner-1", "esp-rfid": "scanner-2", "zhenshi": "gate-1"}
OPTIONS = {"tasmota": {}, "esp-rfid": {"hostname": "door-2"}, "zhenshi": {"direction": "in"}}


class HandClock(Clock):
    """A clock that shows what it is set to (ms)."""

    __setattr__ = object.__setattr__  # a clock is frozen, this one is not

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW

    def now(self) -> int:
        return self.at

    def elapsed(self) -> float:
        return self.at / 1000


class Bench:
    """One twin, a network without delay, and the gateway's intake."""

    def __init__(self, protocol: str) -> None:
        self.clock = HandClock()
        self.hall = Hall()
        self.made: list[Delivery] = []
        self.said: list[tuple[str, bytes]] = []
        link = MqttLink(protocol, "name-1", "hall", NAMES[protocol], OPTIONS[protocol])
        self.foreign = Foreign([link], self.made.extend, self.clock, self._doors, retained_is_old=False)
        self.twin: Twin = make_twin(
            Speech(protocol, "name-1", options=OPTIONS[protocol]), "hall", link.device, self, Random(1)
        )

    def _doors(self, _: str) -> SiteDoors:
        return self.hall.doors

    def now(self) -> int:
        return self.clock.at

    def leaving(self) -> int:
        return self.clock.at

    def call_at(self, at: int, do: object) -> None:
        """What it does every now and then is not what these tests are about."""

    def send(self, device: Device, topic: str, payload: bytes, retain: bool) -> None:
        self.said.append((topic, payload))
        self.foreign.receive([Delivery(topic, payload, self.clock.at, retain, 0, Wire())])

    def facts(self, kind: type) -> list:  # type: ignore[type-arg]
        commit = Commit(self.clock.at)
        taken = self.hall.intake.take(self.made, commit)
        self.made.clear()
        assert commit.refused == []
        return [fact for fact in taken.facts.get("hall", []) if isinstance(fact, kind)]


@pytest.mark.parametrize("protocol", ["tasmota", "esp-rfid"])
def test_a_tap_at_a_twin_is_a_scan(protocol: str) -> None:
    bench = Bench(protocol)
    assert isinstance(bench.twin, Scanner)
    bench.twin.link_up()
    bench.twin.scan(TAG)
    (scan,) = bench.facts(Scan)
    assert (scan.device, scan.tag, scan.occurred_at) == (NAMES[protocol], TAG, NOW)
    assert bench.hall.door(NAMES[protocol]).health.online is True


def test_what_is_tapped_at_a_reader_without_a_connection_is_gone() -> None:
    bench = Bench("tasmota")
    assert isinstance(bench.twin, Scanner)
    bench.twin.scan(TAG)
    bench.twin.link_up()
    assert bench.facts(Scan) == []
    topic, payload = bench.twin.last_will
    bench.send(bench.twin, topic, payload, True)
    bench.facts(Scan)
    assert bench.hall.door("scanner-1").health.online is False


def test_a_tag_of_40_bits_loses_its_first_byte() -> None:
    bench = Bench("tasmota")
    assert isinstance(bench.twin, Scanner)
    bench.twin.link_up()
    bench.twin.scan("14008EC793")
    assert any(b'"RDM6300":{"UID":"008EC793"}' in payload for _, payload in bench.said)


def test_a_camera_keeps_what_it_sees_without_a_connection_and_its_clock_moves_nothing() -> None:
    bench = Bench("zhenshi")
    camera = bench.twin
    assert isinstance(camera, GateController)
    camera.link_up()
    camera.clock.step(NOW, -86_400 * SECOND)
    camera._say("keep_alive", {})  # type: ignore[attr-defined]
    camera.link_down()
    bench.clock.at = NOW + 60 * SECOND
    camera.event("vehicle_in", plate="粤B12345")
    bench.clock.at = NOW + 3600 * SECOND
    camera.link_up()
    camera.event("vehicle_in")
    kept, live = bench.facts(GateEvent)
    assert (kept.plate, live.plate) == ("粤B12345", None)
    assert abs(kept.occurred_at - (NOW + 60 * SECOND)) <= 2 * SECOND
    assert abs(live.occurred_at - bench.clock.at) <= 2 * SECOND


def test_a_camera_sees_the_cars_of_its_own_lane_only() -> None:
    bench = Bench("zhenshi")
    assert isinstance(bench.twin, GateController)
    bench.twin.link_up()
    bench.twin.event("vehicle_out", plate="粤B12345", lane="out")
    bench.twin.event("vehicle_in", plate="粤B54321", lane="in")
    assert [fact.plate for fact in bench.facts(GateEvent)] == ["粤B54321"]


def test_a_camera_opens_closes_and_answers() -> None:
    bench = Bench("zhenshi")
    bench.twin.link_up()
    for id, make in (("c1", open_command), ("c2", close_command), ("c3", set_time_command)):
        topic, payload = make("name-1", id, NOW)
        bench.twin.receive(topic, payload)
    bench.twin.receive("device/name-1/message/down/dance", b'{"name":"dance","id":"c4"}')
    bench.twin.receive("device/name-1/message/down/gpio_out", b"\xff")
    facts = bench.facts(object)
    answers = {fact.reply_to: fact.result for fact in facts if isinstance(fact, Status) and fact.reply_to}
    assert answers == {"c1": "done", "c2": "done", "c3": "done", "c4": "failed"}
    assert [fact.event.value for fact in facts if isinstance(fact, GateEvent)] == ["opened"]


def test_a_file_of_links_says_who_speaks_how(tmp_path: Path) -> None:
    path = tmp_path / "links.toml"
    path.write_text(
        '[[mqtt]]\nprotocol = "tasmota"\nname = "gate-reader"\nsite = "riverside"\ndevice = "reader-1"\n'
        '[[mqtt]]\nprotocol = "zhenshi"\nname = "sn"\nsite = "elsewhere"\ndevice = "gate-1"\n',
        "utf-8",
    )
    assert read_speech(path, "riverside") == {"reader-1": Speech("tasmota", "gate-reader")}


@pytest.mark.parametrize(
    "text",
    [
        "[[mqtt]",
        '[[mqtt]]\nsite = "riverside"',
        "mqtt = 7",
        '[[mqtt]]\nprotocol = "x"\nname = "n"\nsite = "riverside"\ndevice = "d"',
    ],
)
def test_a_file_of_links_that_is_none_is_said_to_be(tmp_path: Path, text: str) -> None:
    path = tmp_path / "links.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"links\.toml"):
        read_speech(path, "riverside")


def test_twins_share_no_code_with_what_decodes_them() -> None:
    source = Path(checkpoint_firmware_sim.__file__).with_name("makers.py").read_text("utf-8")
    imported = [node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert not any(name.startswith("gateway") for name in imported)
