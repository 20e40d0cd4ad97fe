"""The register of sessions: what ends when, with times short enough to wait for."""

from __future__ import annotations

import asyncio

import pytest

from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.outbox import Outgoing
from gateway.ingest.mqtt.session import Session, Sessions

KEY = ("riverside/scanner-1", "client")
SHORT_S = 0.02


class Holder:
    """A connection that does nothing."""

    def taken_over(self) -> None:
        raise AssertionError("nobody else has the session")

    def post(self, message: Outgoing) -> bool:
        return False

    def flush(self) -> None:
        return


@pytest.fixture
async def sessions() -> Sessions:
    return Sessions(limit=10, queue_limit=10, counters=Counters())


def opened(sessions: Sessions) -> Session:
    session, _ = sessions.open(KEY, Holder(), clean=False)
    session.expiry_s = SHORT_S
    return session


async def test_a_device_that_is_back_keeps_its_session_and_its_will_is_not_published(
    sessions: Sessions,
) -> None:
    wills: list[str] = []
    session = opened(sessions)
    sessions.release(session, will=lambda: wills.append("gone"), will_delay_s=SHORT_S / 2)
    assert sessions.open(KEY, Holder(), clean=False) == (session, True)
    await asyncio.sleep(SHORT_S * 2)  # both times have passed
    assert len(sessions) == 1
    assert wills == []


async def test_a_session_that_ends_before_its_will_is_due_publishes_it_then(sessions: Sessions) -> None:
    published = asyncio.Event()
    sessions.release(opened(sessions), will=published.set, will_delay_s=60)
    await asyncio.wait_for(published.wait(), 5)
    assert len(sessions) == 0


async def test_closing_forgets_sessions_and_wills(sessions: Sessions) -> None:
    wills: list[str] = []
    sessions.release(opened(sessions), will=lambda: wills.append("gone"), will_delay_s=SHORT_S / 2)
    sessions.close()
    await asyncio.sleep(SHORT_S * 2)
    assert len(sessions) == 0
    assert wills == []
