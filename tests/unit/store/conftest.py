"""Fixtures: a store of each kind, and the same one opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.store import opening
from gateway.store.port import Store
from tests.postgres import PostgresServer
from tests.unit.store.backends import Open


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'patrol.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.new_database())


@pytest.fixture
async def open_store(url: str) -> AsyncIterator[Open]:
    """Opens the store, each time on the same data."""
    opened: list[Store] = []

    async def open_it() -> Store:
        store = await opening.open_store(url)
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        with suppress(RuntimeError):  # closed by the test
            await store.close()


@pytest.fixture
async def store(open_store: Open) -> Store:
    return await open_store()
