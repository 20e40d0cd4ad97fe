"""A running service that reads two readers at the yard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import SYSTEM_CLOCK
from gateway.ingest.devices.registry import PROTOCOLS
from gateway.service import Service
from gateway.settings import Settings
from tests.integration.lines.wall import LISTENING, POLLING, Reader
from tests.integration.service.yard import HOUR, YARD, set_up

SITE = YARD.replace(
    "  - {id: console-1",
    """\
  - {id: reader-1, kind: reader}
  - {id: reader-2, kind: reader}
  - {id: reader-3, kind: reader, checkpoint: shed}
  - {id: console-1""",
).replace(
    "posts:\n  - {id: east",
    'people:\n  - {id: li, name: 李强, role: guard, card: "0102030405"}\nposts:\n  - {id: east',
    1,
)

FILE = """\
[[line]]
port = "{folder}/reader-1"
protocol = "lines"
site = "yard"
device = "reader-1"

[[line]]
port = "{folder}/reader-2"
protocol = "lines"
site = "yard"
device = "reader-2"
"""


@pytest.fixture(autouse=True)
def protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "lines", LISTENING)  # type: ignore[misc]
    monkeypatch.setitem(PROTOCOLS, "polled", POLLING)  # type: ignore[misc]


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[tuple[Reader, Reader]]:
    both = Reader(tmp_path, "reader-1"), Reader(tmp_path, "reader-2")
    yield both
    for each in both:
        each.close()


Run = Callable[..., contextlib.AbstractAsyncContextManager[Service]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Starts a service with a file of links."""

    @contextlib.asynccontextmanager
    async def running(links: str = FILE, site: str = SITE) -> AsyncIterator[Service]:
        database = tmp_path / "patrol.sqlite"
        if not database.exists():
            await set_up(database, SYSTEM_CLOCK.now() - HOUR // 2, site)
        path = tmp_path / "links.toml"
        path.write_text(links.format(folder=tmp_path), encoding="utf-8")
        settings = Settings(
            f"sqlite:///{database}", broker="embedded://127.0.0.1:0", data=tmp_path, links=path
        )
        async with Service(settings) as service:
            yield service

    return running
