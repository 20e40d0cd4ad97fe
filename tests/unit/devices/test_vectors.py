"""Frames that were captured or published: `vectors_*.json`, each with its source."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.ingest.devices.registry import PROTOCOLS

SERIAL = ("em4100", "ibutton", "m100", "pn532", "wiclax", "wiegand26")
FILES = [Path(__file__).parent / f"vectors_{name}.json" for name in SERIAL]
VECTORS = [
    pytest.param(path.stem.removeprefix("vectors_"), vector, id=f"{path.stem}-{vector['name']}")
    for path in FILES
    for vector in json.loads(path.read_text("utf-8"))
]


def decode(*words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["decode", *words], input=given)


ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "devices"


def test_every_protocol_has_a_page() -> None:
    assert {name for name in PROTOCOLS if not (PAGES / f"{name}.md").is_file()} == set()


def test_every_reason_of_noise_is_explained() -> None:
    reasons = set()
    for path in (ROOT / "gateway" / "ingest" / "devices").glob("*.py"):
        reasons |= set(re.findall(r'(?:Wrong|Noise)\(\s*"([a-z_]+)"', path.read_text("utf-8")))
    assert {"bad_checksum", "truncated", "unanswered"} <= reasons
    explained = {
        code for page in PAGES.glob("*.md") for code in re.findall(r"`([a-z_]+)`", page.read_text("utf-8"))
    }
    assert reasons - explained == set()


@pytest.mark.parametrize("protocol, vector", VECTORS)
def test_a_published_frame_decodes_or_is_refused_as_published(protocol: str, vector: dict[str, Any]) -> None:
    found = decode(protocol, vector["data"])
    if vector["valid"]:
        assert found.exit_code == 0, found.output
        (line,) = found.stdout.splitlines()
        printed = json.loads(line)
        assert {key: printed.get(key) for key in vector["expected"]} == vector["expected"]
        assert found.stderr == ""
    else:
        assert found.exit_code == 1
        assert found.stdout == ""
        assert found.stderr.startswith("error: bad ")
        assert found.stderr.count("\n") == 1


@pytest.mark.parametrize("protocol, vector", [each for each in VECTORS if each.values[1]["valid"]])
def test_one_letter_less_is_refused_in_words(protocol: str, vector: dict[str, Any]) -> None:
    data = vector["data"].removesuffix("\r")
    if protocol == "pn532":
        data = data[:-3]  # the last 00 is a filler
    found = decode(protocol, data[:-1])
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("error: ")


def test_data_may_come_from_standard_input() -> None:
    lines = "00100010011110010110110101\n00100010010100010010011111\r\n"
    found = decode("wiegand26", "-", given=lines)
    assert [json.loads(each)["value24"] for each in found.stdout.splitlines()] == [4518618, 4497999]


def test_several_frames_give_several_lines() -> None:
    tag = "0000ff00ff000000ff0cf4d54b01010004080424d34f592f00"
    found = decode("pn532", f"{tag} {tag} 0000FF00FF00")
    assert [json.loads(each)["frames"] for each in found.stdout.splitlines()] == [
        ["ACK", "D54B"],
        ["ACK", "D54B"],
        ["ACK"],
    ]


@pytest.mark.parametrize(
    ("protocol", "data", "uid"),
    [
        ("em4100", "67003BA86793", "67003BA867"),  # as a terminal shows it
        ("em4100", "02 36 37 30 30 33 42 41 38 36 37 39 33 0d 0a 03", "67003BA867"),  # ID-12LA
        ("pn532", "55550000000000ff00ff000000ff0cf4d54b010100040804fb0ee20bd800", "FB0EE20B"),
    ],
)
def test_how_people_write_frames(protocol: str, data: str, uid: str) -> None:
    fields = json.loads(decode(protocol, data).stdout)
    assert uid in (fields.get("uid40"), fields.get("uid"))


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
@pytest.mark.parametrize(
    "data", ["", " ", "\n", "0", "zz", "\udcff\udcfe", "\x00", "巡更", "-1", "{", "[" * 5000]
)
def test_nonsense_is_refused_on_one_line(protocol: str, data: str) -> None:
    found = decode(protocol, "--", data)
    assert found.exit_code == 1, found.output
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1
    assert len(found.stderr) < 320


def test_bytes_that_are_no_text_are_refused() -> None:
    found = decode("wiclax", "-", given=b"\xff\xfe01539")
    assert (found.exit_code, found.stderr) == (1, "error: a character that is not ASCII\n")


def test_an_unknown_protocol_is_told_which_there_are() -> None:
    found = decode("rfid", "00")
    assert found.exit_code == 2
    assert found.stderr.startswith("error: unknown protocol 'rfid'; known: ")
    assert all(name in found.stderr for name in PROTOCOLS)


def test_an_ibutton_of_zeros_is_a_shorted_probe() -> None:
    assert decode("ibutton", "0" * 16).stderr == "error: bad value: family 00: the probe is shorted\n"
