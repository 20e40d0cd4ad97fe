"""Twins of serial readers: their scripts, and what they know."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path

import pytest

import checkpoint_firmware_sim.lines
from checkpoint_firmware_sim.lines.play import PROTOCOLS, Act, make_twin, parse


def test_the_twins_know_nothing_of_the_gateway() -> None:
    for path in Path(checkpoint_firmware_sim.lines.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "gateway"], path


def test_a_row_of_a_script() -> None:
    assert parse("1.5 tap 67003BA867  # the pump room") == Act(1.5, "tap", "67003BA867")
    assert parse("0 unplug\n") == Act(0, "unplug")
    assert parse("# nothing\n") is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("tap 67003BA867", "does not begin with seconds"),
        ("1", "'' is none of tap, lift"),
        ("1 hug", "'hug' is none of tap, lift"),
        ("1 tap", "tap takes 1 argument"),
        ("-1 lift", "after 0 or more seconds"),
        ("1 noise much", "noise takes a number"),
        ("1 split perhaps", "split takes on or off"),
    ],
)
def test_a_row_that_cannot_be_is_refused_in_words(row: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(")):
        parse(row)


@pytest.mark.parametrize("protocol", [each for each in PROTOCOLS if each != "wiclax"])
def test_a_tag_that_a_reader_cannot_see_is_refused(protocol: str) -> None:
    twin = make_twin(protocol, datetime.now)
    for uid in ("zz", "0", "", "00" * 40):
        with pytest.raises(ValueError, match=r"bytes|not hex"):
            twin.tap(uid)
    assert twin.held is None
