"""Cut off from the broker: what it kept meanwhile is read before the deadlines that passed are judged (law 7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import engine as engine_module

from .test_engine import BEGIN, HOUR, MINUTE, SHED, WELL, Station, record, scans


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    monkeypatch.setattr(engine_module, "QUIET_S", 0.2)
    return Station(tmp_path)


async def test_a_round_walked_while_the_broker_was_away_raises_no_alarm(station: Station) -> None:
    async with station.open() as post:
        await post.take(record(1, type="status", at=BEGIN))
        post.engine.can_hear_now(False, "gone")
        station.clock.at = BEGIN + HOUR + 10 * MINUTE
        await post.settled()
        assert await post.alerts() == []
        post.engine.can_hear_now(True)
        await post.take(*scans(2, BEGIN + 30 * MINUTE, SHED, WELL, clock="synced"))
        await post.take(record(1, type="radio", at=BEGIN + 20 * MINUTE, clock="synced"), device="console-1")
        await post.begun()
        assert await post.alerts() == []


async def test_a_broker_that_stays_away_keeps_no_alert_back_for_ever(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "HOLD_S", 0.3)
    async with station.open() as post:
        post.engine.can_hear_now(False, "connection refused")
        station.clock.at = BEGIN + HOUR + 10 * MINUTE
        async with asyncio.timeout(10):
            await post.begun()
        told = {alert["kind"]: alert for alert in await post.alerts()}
        assert sorted(told) == ["gateway_cut_off", "radio_not_called", "round_missed"]
        assert told["gateway_cut_off"]["reason"]["params"]["problem"] == "connection refused"
