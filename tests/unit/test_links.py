"""The file of links: what it may say, what is wrong with it, and what the plans do not have of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.domain.plan import Device, DeviceKind
from gateway.ingest.devices.reading import Heard, Listening, Reading, Talk
from gateway.ingest.devices.registry import PROTOCOLS, MakersProtocol, Serial
from gateway.ingest.linked import LinkedDevice, Links, MqttLink
from gateway.ingest.serial.bus import BUSES
from gateway.links import LinksError, load_links, unplanned

EXAMPLE = Path(__file__).parents[2] / "deploy" / "links.example.toml"

GOOD = """\
[[line]]
port = "/dev/serial/by-id/usb-A"
protocol = "toy"
site = "riverside"
device = "reader-1"

[[line]]
port = "/dev/serial/by-id/usb-B"
protocol = "toybus"
baud = 19200
options = {parity = "even"}
[[line.device]]
address = 1
site = "riverside"
device = "gate-east"
options = {map = "relay"}
[[line.device]]
address = 2
site = "riverside"
device = "gate-west"

[[mqtt]]
protocol = "tasmota"
name = "porch"
site = "riverside"
device = "reader-2"
options = {key = 1}
"""


class Silent:
    """A decoder that finds nothing."""

    def feed(self, data: bytes) -> list[Heard]:
        return []

    def end(self) -> list[Heard]:
        return []


def talk(options: Mapping[str, Any]) -> Talk:
    if options.get("region", "cn") not in ("cn", "eu"):
        raise ValueError("region: expected cn or eu")
    return Listening(Silent())


def decode(text: str) -> list[Reading]:
    raise NotImplementedError


async def run_bus(*_: object) -> None:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "toy", MakersProtocol(decode, Serial(talk)))  # type: ignore[misc]
    monkeypatch.setitem(PROTOCOLS, "paper", MakersProtocol(decode))  # type: ignore[misc]
    monkeypatch.setitem(BUSES, "toybus", run_bus)


def written(folder: Path, text: str) -> Path:
    path = folder / "links.toml"
    path.write_text(text, "utf-8")
    return path


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    links = load_links(written(tmp_path, GOOD))
    line, bus = links.lines
    assert (line.port, line.protocol, line.baud, line.debounce_s) == (
        "/dev/serial/by-id/usb-A", "toy", None, 3,
    )  # fmt: skip
    assert line.devices == (LinkedDevice("riverside", "reader-1"),)
    assert (bus.baud, bus.options) == (19200, {"parity": "even"})
    assert bus.devices == (
        LinkedDevice("riverside", "gate-east", 1, {"map": "relay"}),
        LinkedDevice("riverside", "gate-west", 2),
    )
    assert links.mqtt == (MqttLink("tasmota", "porch", "riverside", "reader-2", {"key": 1}),)


def test_the_example_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "em4100", MakersProtocol(decode, Serial(talk)))  # type: ignore[misc]
    monkeypatch.setitem(BUSES, "modbus", run_bus)
    assert load_links(EXAMPLE) == Links()
    text = re.sub(r"^# (?=\[|[a-z]+ =)", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    links = load_links(written(tmp_path, text))
    assert [line.protocol for line in links.lines] == ["em4100", "modbus"]
    assert [link.protocol for link in links.mqtt] == ["tasmota"]


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    assert list(load_links(written(tmp_path, "")).devices()) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('port = "/dev/serial/by-id/usb-A"\n', "", "line 1: port: expected the path of a serial port"),
        ('"toy"', '"toi"', "line 1 '/dev/serial/by-id/usb-A': protocol: 'toi' is not known; expected one of"),
        ('"toy"', '"toi"', r"\(did you mean toy\?\)"),
        ('"toy"', '"paper"', "protocol: 'paper' is not known"),
        ('"toy"', "7", "protocol: expected one of"),
        ('"riverside"', '"River Side"', "site: expected an id like riverside"),
        ('"reader-1"', "1", "device: expected an id like reader-1"),
        ("device =", "baud = 3\ndevice =", "baud: expected a whole number like 9600"),
        ("device =", "baud = true\ndevice =", "baud: expected a whole number like 9600"),
        ("device =", 'baud = "9600"\ndevice =', "baud: expected a whole number like 9600"),
        ("device =", "debounce = 3\ndevice =", 'debounce: expected a duration like "3s"'),
        ("device =", 'debounce = "soon"\ndevice =', 'debounce: expected a duration like "3s"'),
        ("device =", "options = 3\ndevice =", "options: expected a table of the protocol's own options"),
        ("device =", 'options = {region = "us"}\ndevice =', "options: region: expected cn or eu"),
        ("device =", "bawd = 9600\ndevice =", r"unknown key 'bawd' \(did you mean baud\?\); known: port"),
        ("address = 1\n", "", "line 2 '/dev/serial/by-id/usb-B': device 1 'gate-east': address: expected"),
        ("address = 1", "address = 248", "device 1 'gate-east': address: expected the address"),
        ("address = 1", "address = 2", "2 devices have the address 2"),
        ("address = 1", "addres = 1", r"device 1 'gate-east': unknown key 'addres' \(did you mean address"),
        ("[[line.device]]", "[[line.dev]]", "line 2 .*: unknown key 'dev'"),
        ('"toybus"', '"toy"', "line 2 .*: site: expected an id like riverside"),
        ('"toy"', '"toybus"', r"line 1 .*: expected a \[\[line.device\]\] table for each device"),
        ('"tasmota"', '"tasmoto"', r"mqtt 1 'porch': protocol: 'tasmoto' is not known.*mean tasmota\?"),
        ('"porch"', '"porch/#"', "mqtt 1 'porch/#': name: expected what the device calls itself"),
        ("options = {key", "client = 7\noptions = {key", "client: expected the device's client identifier"),
        ("usb-B", "usb-A", "2 lines have the port '/dev/serial/by-id/usb-A'"),
        ("reader-2", "reader-1", "2 links stand for riverside/reader-1: a device has one"),
        ("[[mqtt]]", "[[mqttt]]", r"has \[\[line\]\] and \[\[mqtt\]\] tables and nothing else"),
        ("[[mqtt]]", "[mqtt]", r"has \[\[line\]\] and \[\[mqtt\]\] tables and nothing else"),
        ("[[mqtt]]", "[[mqtt]", "line 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(LinksError, match=message) as refused:
        load_links(path)
    assert all(line.startswith(str(path)) for line in str(refused.value).splitlines())


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[[line]]\n[[mqtt]]\n")
    with pytest.raises(LinksError) as refused:
        load_links(path)
    places = [line.removeprefix(f"{path}: ").split(":")[0] for line in str(refused.value).splitlines()]
    assert places == ["line 1"] * 4 + ["mqtt 1"] * 4


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(LinksError, match="No such file"):
        load_links(tmp_path / "none.toml")


def test_a_device_that_no_plan_has_or_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    links = load_links(written(tmp_path, GOOD))
    kinds = {"reader-1": DeviceKind.READER, "gate-east": DeviceKind.GATE, "reader-2": DeviceKind.CONSOLE}
    told = unplanned(links, lambda site, name: Device(name, kinds[name]) if name in kinds else None)
    assert [line.split(":")[0] for line in told] == ["/dev/serial/by-id/usb-B", "porch"]
    assert "the plan of 'riverside' has no device 'gate-west'" in told[0]
    assert "'reader-2' of 'riverside' is a console in the plan; expected reader, scanner, gate" in told[1]


SITE = """\
site: riverside
name: 滨河
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
devices:
  - {id: reader-1, kind: reader}
  - {id: reader-2, kind: reader}
  - {id: gate-east, kind: gate}
  - {id: gate-west, kind: gate}
"""


def test_the_command_lists_what_is_read_and_says_what_is_wrong(tmp_path: Path) -> None:
    path, site = written(tmp_path, GOOD), tmp_path / "site.yaml"
    site.write_text(SITE, "utf-8")
    good = CliRunner().invoke(main, ["links", "check", str(path), str(site)])
    assert good.exit_code == 0
    assert good.output.splitlines()[1:] == [
        "/dev/serial/by-id/usb-B: toybus at 1: riverside/gate-east",
        "/dev/serial/by-id/usb-B: toybus at 2: riverside/gate-west",
        "mqtt porch: tasmota: riverside/reader-2",
    ]
    site.write_text(SITE.replace("gate-west", "gate-south"), "utf-8")
    missing = CliRunner().invoke(main, ["links", "check", str(path), str(site)])
    assert (missing.exit_code, "has no device 'gate-west'" in missing.output) == (1, True)
    path.write_text("line = 1")
    wrong = CliRunner().invoke(main, ["links", "check", str(path)])
    assert wrong.exit_code == 1
    assert wrong.output.startswith(f"Error: {path}: a file of links has")
