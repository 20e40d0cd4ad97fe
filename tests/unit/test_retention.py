"""How long records are kept, as it is written in the settings, and the purge of each day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import pytest

from gateway import retention
from gateway.clock import Clock
from gateway.desk import LOOK_BACK_MS, RECORDS_BACK_MS
from gateway.domain.ledger.authority import MAX_AUTHORITY_MS
from gateway.retention import DAY_MS, DEFAULT_DAYS, LEAST_DAYS, RetentionError, parse, purge_daily
from gateway.store.port import Kind, Store, StoreError


def test_what_is_not_named_has_its_default() -> None:
    assert parse("") == DEFAULT_DAYS
    assert parse("patrol=120, incidents = 400") == {**DEFAULT_DAYS, Kind.PATROL: 120, Kind.INCIDENTS: 400}


def test_a_kind_that_is_kept_for_ever_is_never_purged() -> None:
    days = parse("car_park=forever")
    assert Kind.CAR_PARK not in days
    assert Kind.CAR_PARK not in retention.before(days, 1000 * DAY_MS)
    assert retention.before(days, 1000 * DAY_MS)[Kind.PATROL] == 910 * DAY_MS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "patrols=90",
            "'patrols' is no kind of record; the kinds are patrol, vehicles, car_park, incidents, records",
        ),
        ("patrol", "write patrol=DAYS, or patrol=forever"),
        ("patrol=90d", "write patrol=DAYS"),
        ("patrol=-1", "write patrol=DAYS"),
        ("patrol=²", "write patrol=DAYS"),
        ("patrol=99999", "write patrol=DAYS"),
        ("patrol=7", "at least 45 days"),
        ("records=365", "at least 440 days"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(RetentionError, match=said):
        parse(text)


def test_what_a_start_reads_is_always_kept() -> None:
    for kind in (Kind.PATROL, Kind.INCIDENTS, Kind.CAR_PARK):
        assert LEAST_DAYS[kind] * DAY_MS > LOOK_BACK_MS
    assert LEAST_DAYS[Kind.VEHICLES] * DAY_MS > LOOK_BACK_MS + 2 * MAX_AUTHORITY_MS
    assert LEAST_DAYS[Kind.RECORDS] * DAY_MS > RECORDS_BACK_MS
    assert all(DEFAULT_DAYS[kind] >= LEAST_DAYS[kind] for kind in Kind)


class Wall(Clock):
    """A clock whose waits are over at once."""

    def __init__(self) -> None:
        object.__setattr__(self, "at", 0)

    def now(self) -> int:
        return cast(int, object.__getattribute__(self, "at"))

    def seconds_until(self, at: int) -> float:
        object.__setattr__(self, "at", at)
        return 0.0


class Full:
    """A store that cannot be written on its second day."""

    def __init__(self) -> None:
        self.purges: list[dict[Kind, int]] = []
        self.enough = asyncio.Event()

    async def purge(self, before: Mapping[Kind, int], now: Callable[[], int], by: str) -> dict[str, int]:
        self.purges.append(dict(before))
        if len(self.purges) == 2:
            raise StoreError("the disk is full")
        if len(self.purges) == 3:
            self.enough.set()
        return {"facts": 3}


async def test_it_is_purged_each_day_also_after_a_day_on_which_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Full()
    with caplog.at_level(logging.INFO):
        task = asyncio.create_task(purge_daily(cast(Store, store), Wall(), {Kind.PATROL: 90}))
        async with asyncio.timeout(10):
            await store.enough.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    days: list[Any] = [before[Kind.PATROL] // DAY_MS for before in store.purges[:3]]
    assert days == [-90, -89, -88]
    assert "purged 3 of facts" in caplog.text
    assert "could not be purged, it is tried again tomorrow: the disk is full" in caplog.text
