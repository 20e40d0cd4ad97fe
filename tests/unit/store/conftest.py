"""Fixtures: a store of each kind, and the same one opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.store.port import Store
from tests.unit.store.backends import BACKENDS, Open


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_store(backend: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the store, each time on the same data."""
    opened: list[Store] = []

    async def open_it() -> Store:
        store = await BACKENDS[backend](tmp_path)
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        with suppress(RuntimeError):  # closed by the test
            await store.close()


@pytest.fixture
async def store(open_store: Open) -> Store:
    return await open_store()
