"""The table in docs/mqtt.md names tests that exist, and at least one for each statement."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_statement_of_the_conformance_table_has_a_test_that_exists() -> None:
    tests = "".join(each.read_text() for each in ROOT.glob("tests/*/mqtt/test_*.py"))
    existing = set(re.findall(r"def (test_\w+)\(", tests))
    text = (ROOT / "docs" / "mqtt.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named <= existing, f"docs/mqtt.md names tests that do not exist: {sorted(named - existing)}"
    rows = [line for line in text.splitlines() if re.match(r"\| (–|\d+\.\d+\.\d+-\d)", line)]
    assert len(rows) > 50
    without = [row for row in rows if "`test_" not in row]
    assert without == []
