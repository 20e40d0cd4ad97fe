"""Readers of other makers in the whole service: the twins of the simulator are processes of their own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.lines.conftest import SITE, Run
from tests.integration.service.yard import until

TAGS = {
    "em4100": "67003BA867",
    "ibutton": "01C68011010000C7",
    "m100": "E200471BB0006013044509D0",
    "pn532": "04DE5F1EACC040",
    "wiclax": "001539",
    "wiegand26": "44A24F",
}
LINKS = "\n".join(
    f'[[line]]\nport = "{{folder}}/{name}"\nprotocol = "{name}"\nsite = "yard"\ndevice = "{name}"'
    + ('\noptions = {{timezone = "Asia/Shanghai"}}\n' if name == "wiclax" else "\n")
    for name in TAGS
)
READERS = "".join(f"  - {{id: {name}, kind: reader}}\n" for name in TAGS)
WALL = SITE.replace("  - {id: console-1", f"{READERS}  - {{id: console-1").replace(
    'tags: ["', f'tags: [{", ".join(json.dumps(tag) for tag in TAGS.values() if tag not in SITE)}, "', 1
)


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """A twin of each protocol; rows of its script go to its standard input."""
    words = [sys.executable, "-m", "checkpoint_firmware_sim", "line"]
    found = {
        name: subprocess.Popen(
            [*words, name, "--script", "-", "--link", str(tmp_path / name)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        for name in TAGS
    }  # fmt: skip
    for twin in found.values():
        assert twin.stdout is not None
        twin.stdout.readline()  # its path: the line is there
    yield found
    for twin in found.values():
        twin.kill()
        twin.communicate()


async def test_what_each_reader_sees_becomes_a_fact(
    run: Run, twins: dict[str, subprocess.Popen[str]]
) -> None:
    async with run(LINKS, WALL) as service:
        await until(lambda: all(line.state == "open" for line in service.line_health))
        await asyncio.sleep(0.5)
        for name, twin in twins.items():
            assert twin.stdin is not None
            print("0 noise 30", f"0 tap {TAGS[name]}", "0.5 lift", sep="\n", file=twin.stdin, flush=True)

        async def all_there() -> bool:
            rows = [row for _, row in await service.store.facts("yard", 0, 2**53, type="scan")]
            return {(row.device, json.loads(row.body).get("tag")) for row in rows} == set(TAGS.items())

        await until(all_there, 30)
        doors = service.engine.desks["yard"].doors.by_device
        await until(lambda: doors["wiclax"].hearing.heard_until > 0, 40)
