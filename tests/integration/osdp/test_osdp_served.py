"""OSDP lines of the file of links, in a running service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.osdp.keys import load_keys, new_key
from gateway.ingest.serial.health import LineState
from gateway.service import Service
from gateway.settings import Settings
from tests.integration.osdp.street import street
from tests.integration.service.yard import HOUR, SHED, YARD, set_up, until

LINKS = """\
[[line]]
port = "{folder}/line"
protocol = "osdp"
options = {{keys = "{folder}/osdp.keys"}}
[[line.device]]
address = 1
site = "yard"
device = "reader-1"
options = {{key = "door"}}
"""
SITE = YARD.replace("  - {id: console-1", "  - {id: reader-1, kind: reader}\n  - {id: console-1")


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Service]:
    database = folder / "patrol.sqlite"
    await set_up(database, SYSTEM_CLOCK.now() - HOUR // 2, SITE)
    links = folder / "links.toml"
    links.write_text(LINKS.format(folder=folder), encoding="utf-8")
    settings = Settings(f"sqlite:///{database}", broker="embedded://127.0.0.1:0", data=folder, links=links)
    async with Service(settings) as service:
        yield service


async def test_a_reader_of_the_file_of_links_is_read_and_shows_what_became_of_the_tap(tmp_path: Path) -> None:
    new_key(tmp_path / "osdp.keys", "door")
    key = load_keys(tmp_path / "osdp.keys")["door"]
    async with street(tmp_path, {1: key}) as line, running(tmp_path) as service:
        door = service.engine.desks["yard"].doors.by_device["reader-1"]
        await until(lambda: door.health.online is True and door.health.firmware == "1.2.3")
        line.happen(f"tap 1 56 {SHED}")
        await line.one(light="green")
        line.happen("tap 1 56 04FFFFFFFFFFFF")
        await line.one(light="red")
        assert service.lines is not None
        (health,) = service.lines.health
        assert (health.state, health.frames, health.problem) == (LineState.OPEN, 2, None)
        line.happen("unplug")
        await until(lambda: door.health.online is False)
        assert (health.state, health.problem) == (LineState.CLOSED, "unplugged")


async def test_keys_that_others_may_read_keep_a_line_closed_until_that_is_mended(tmp_path: Path) -> None:
    keys = tmp_path / "osdp.keys"
    new_key(keys, "door")
    keys.chmod(0o644)
    async with street(tmp_path, {1: load_later(keys)}) as line, running(tmp_path) as service:
        assert service.lines is not None
        (health,) = service.lines.health
        await until(lambda: health.problem == "bad_keys")
        assert "chmod 600" in health.detail
        keys.chmod(0o600)
        await line.one(secure=True)


def load_later(keys: Path) -> bytes:
    """The key in a file that the gateway will not take."""
    return bytes.fromhex(keys.read_text(encoding="utf-8").split('"')[1])
