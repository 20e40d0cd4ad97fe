"""From the store to people: notices that are carried over real channels which fail, hang and come back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.alert import AlertKind, AlertState, Severity
from gateway.store.port import Commit, DeliveryRow, NoticeRow, StoreError
from tests.integration.notify.office import HOUR, MINUTE, SECOND, SITE, channel, office
from tests.integration.notify.receivers import HttpReceiver, MailReceiver
from tests.integration.service.yard import HandClock, until
from tests.unit.web.harbour import BEGIN


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def other() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


# -- the way


async def test_a_notice_reaches_the_people_it_is_for_in_their_language(
    tmp_path: Path, http: HttpReceiver, other: HttpReceiver
) -> None:
    english = channel(other.url(), "radio-room", ("li",), language="en")
    async with office(tmp_path, channel(http.url()), english) as at:
        alert = await at.opens()
        await at.states("delivered")
        await at.states("delivered", channel="radio-room")
        (message,), (translated,) = http.taken, other.taken
    assert message.key == translated.key == f"{alert}/opened/0"
    assert message.body["title"] == "【道闸被冲】东门道闸 · 港湾"
    assert message.body["message"].splitlines() == [
        "闸杆被强行冲过，车道 in",
        "级别：紧急",
        "告警时间：18:00",
        "处置：派人到道闸处，记下车辆，查看录像",
        f"查看：https://patrol.example.org/?site=harbour&alert={alert}",
        f"编号：{alert}/opened/0",
    ]
    assert message.body["type"] == "failure"
    assert translated.body["title"] == "[Gate forced] 东门道闸 · The Harbour"


async def test_a_notice_that_concerns_no_channel_is_said_to_go_nowhere(
    tmp_path: Path, http: HttpReceiver
) -> None:
    elsewhere = channel(http.url(), "elsewhere", sites=frozenset({"yard"}))
    grave = channel(http.url(), "grave", min_severity=Severity.CRITICAL)
    async with office(tmp_path, elsewhere, grave) as at:
        await at.opens(to=("manager",))
        await at.opens("crane", kind=AlertKind.GATE_FAULT)
        rows = await at.states("dropped", "dropped", channel="")
        assert {row.last_error for row in rows} == {"no_channel"}
        assert at.courier.counts == {("", "dropped"): 2}
    assert http.tried == []


async def test_without_channels_nothing_is_sent_and_nothing_piles_up(
    tmp_path: Path, http: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with office(tmp_path) as at:
        await at.opens()
        await at.states("dropped", channel="")
    assert caplog.text.count("no channels (PATROL_CHANNELS): nobody is notified") == 1
    async with office(tmp_path, channel(http.url())) as at:
        await at.opens("crane")
        await at.states("delivered")
    assert len(http.taken) == 1


async def test_a_notice_without_words_is_told_by_its_key(tmp_path: Path, http: HttpReceiver) -> None:
    async with office(tmp_path, channel(http.url())) as at:
        alert = {"severity": "critical", "kind": "gate_forced", "subject": "gate-east"}  # and nothing else
        body = {"site": SITE, "kind": "opened", "to": ["guard"], "alert": alert, "due_at": None}
        row = NoticeRow(
            "harbour-9/opened/0", SITE, BEGIN, "opened", '["guard"]', "harbour-9", json.dumps(body).encode()
        )
        await at.store.commit(Commit(BEGIN, notices=[row]))
        at.courier.wake()
        await at.opens()
        await at.states("delivered", "delivered")
    assert http.titles == ["harbour: opened", "【道闸被冲】东门道闸 · 港湾"]
    assert http.taken[0].body["message"] == "harbour-9/opened/0"


async def test_mail_is_delivered(tmp_path: Path) -> None:
    mail = MailReceiver()
    try:
        async with office(tmp_path, channel(mail.url())) as at:
            alert = await at.opens()
            await at.states("delivered")
        (message,) = mail.taken
        assert message["Subject"] == "【道闸被冲】东门道闸 · 港湾"
        assert message["Idempotency-Key"] == f"{alert}/opened/0"
    finally:
        mail.close()


# -- failing, and coming back


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_passing_failure_is_tried_again_after_longer_and_longer_pauses(
    tmp_path: Path, http: HttpReceiver, status: int
) -> None:
    http.status = status
    async with office(tmp_path, channel(http.url())) as at:
        await at.opens()
        for attempt, pause in enumerate((5, 15, 60, 300, 900, 900), 1):
            row = await at.tried(attempt)
            assert (row.state, row.last_error) == ("waiting", f"http_{status}")
            assert row.next_at == at.clock.at + pause * SECOND
            at.passes(pause * SECOND - 1)
            await asyncio.sleep(0)
            at.passes(1)
        await at.tried(7)
        assert len(http.tried) == 7
        http.status = 200
        at.passes(900 * SECOND)
        (row,) = await at.states("delivered")
        assert (row.attempts, row.last_error, row.delivered_at) == (8, None, at.clock.at)
    assert {message.key for message in http.tried} == set(http.keys)


async def test_a_permanent_failure_is_not_tried_again_and_somebody_is_told(
    tmp_path: Path, http: HttpReceiver
) -> None:
    http.status = 403
    async with office(tmp_path, channel(http.url())) as at:
        await at.opens()
        (row,) = await at.states("failed")
        assert (row.attempts, row.last_error, row.next_at) == (1, "http_403", None)
        alert = await at.undelivered(AlertState.OPEN)
        assert alert is not None
        assert (alert.subject, alert.severity) == ("phones", Severity.MAJOR)
        assert alert.reason.code == "could_not_deliver"
        assert alert.reason.params == {"channel": "phones", "error": "http_403", "waiting": 0}
        at.passes(2 * HOUR)
        assert len(http.tried) == 1
        http.status = 200
        await at.opens("crane")
        await at.states("failed", "delivered")
        await at.undelivered(AlertState.RESOLVED)


async def test_a_receiver_that_is_away_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    away = HttpReceiver()
    away.close()
    async with office(tmp_path, channel(away.url())) as at:
        await at.opens()
        assert (await at.tried(1)).last_error == "unreachable"
        back = HttpReceiver(away.port)
        at.passes(5 * SECOND)
        await at.states("delivered")
        assert len(back.taken) == 1
        back.close()


async def test_a_channel_that_hangs_does_not_hold_up_another(
    tmp_path: Path, http: HttpReceiver, other: HttpReceiver
) -> None:
    http.hangs = True
    slow = channel(http.url(query="rto=30"), "slow")
    async with office(tmp_path, slow, channel(other.url(), "quick")) as at:
        began = time.monotonic()
        await at.opens()
        await at.opens("crane")
        await at.states("delivered", "delivered", channel="quick")
        assert time.monotonic() - began < 3
        await at.states("waiting", "waiting", channel="slow")
        assert len(http.tried) == 1


async def test_a_channel_that_never_ends_its_answer_is_left_after_its_time_and_not_joined_by_another_thread(
    tmp_path: Path, http: HttpReceiver
) -> None:
    http.trickles = True
    async with office(tmp_path, channel(http.url()), timeout_s=0.3) as at:
        await at.opens()
        assert (await at.tried(1)).last_error == "no_answer"
        at.passes(5 * SECOND)
        assert (await at.tried(2)).last_error == "no_answer"
        assert len(http.tried) == 1  # the first attempt hangs on
        http.trickles = False
        await until(lambda: len(http.taken) == 1)
        at.passes(15 * SECOND)
        await at.states("delivered")
    assert len(set(http.keys)) == 1


async def test_what_was_sent_and_not_marked_is_sent_again_with_the_same_key(
    tmp_path: Path, http: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock(BEGIN)
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        write = at.store.write_deliveries

        async def dies(rows: list[DeliveryRow]) -> None:
            if any(row.state == "delivered" for row in rows):
                raise StoreError("the power is gone")
            await write(rows)

        monkeypatch.setattr(at.store, "write_deliveries", dies)
        await at.opens()
        await until(lambda: len(http.taken) == 1)
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        await at.states("delivered")
        assert len(http.taken) == 2
        assert http.keys[0] == http.keys[1]
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        await at.opens("crane")
        await at.states("delivered", "delivered")
    assert len(http.taken) == 3


# -- the order


async def test_the_order_is_kept_within_a_channel(tmp_path: Path, http: HttpReceiver) -> None:
    http.status = 500
    async with office(tmp_path, channel(http.url())) as at:
        first = await at.opens()
        await at.tried(1)
        second = await at.opens("crane")
        await at.ends(first)
        await at.states("waiting", "waiting", "waiting")
        http.status = 200
        at.passes(5 * SECOND)
        await at.states("delivered", "delivered", "delivered")
        assert [message.body["title"][:4] for message in http.tried] == [
            "【道闸被",
            "【道闸被",
            "【道闸被",
            "【已恢复",
        ]
    assert [key.partition("/")[0] for key in http.keys] == [first, second, first]


async def test_what_cannot_be_delivered_for_five_minutes_no_longer_holds_up_an_alarm(
    tmp_path: Path, http: HttpReceiver
) -> None:
    http.status = 500
    async with office(tmp_path, channel(http.url())) as at:
        first = await at.opens()
        for attempt, pause in enumerate((5, 15, 60), 1):
            await at.tried(attempt)
            at.passes(pause * SECOND)
        await at.tried(4)
        second = await at.opens("crane")
        await at.states("waiting", "waiting")
        await at.undelivered(None)
        http.status = 200
        at.passes(220 * SECOND + 1)  # five minutes since the first attempt; its next one is later
        await at.states("delivered", "delivered")
        assert [key.partition("/")[0] for key in http.keys] == [second, first]


async def test_a_channel_that_fails_for_five_minutes_is_told_of_and_recovers(
    tmp_path: Path, http: HttpReceiver
) -> None:
    http.status = 503
    async with office(tmp_path, channel(http.url())) as at:
        await at.opens()
        await at.tried(1)
        at.passes(5 * MINUTE)
        await at.tried(2)
        await at.undelivered(None)
        at.passes(1)
        alert = await at.undelivered(AlertState.OPEN)
        assert alert is not None
        assert alert.reason.params == {"channel": "phones", "error": "http_503", "waiting": 1}
        http.status = 200
        at.passes(15 * MINUTE)
        await at.states("delivered")
        await at.undelivered(AlertState.RESOLVED)


async def test_a_channel_that_fails_is_told_of_over_the_others_only(
    tmp_path: Path, http: HttpReceiver, other: HttpReceiver
) -> None:
    async with office(tmp_path, channel(http.url(), "broken"), channel(other.url(), "good")) as at:
        await at.opens("broken", kind=AlertKind.NOTICE_UNDELIVERED)
        await at.states("delivered", channel="good")
        assert await at.deliveries("broken") == []


async def test_the_alert_of_a_channel_that_is_there_no_more_ends(tmp_path: Path, http: HttpReceiver) -> None:
    clock = HandClock(BEGIN)
    http.status = 500
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        await at.opens()
        await at.tried(1)
        at.passes(5 * MINUTE + 1)
        await at.undelivered(AlertState.OPEN)
    async with office(tmp_path, clock=clock) as at:
        (row,) = await at.states("dropped")
        assert row.last_error == "no_channel"
        await at.undelivered(AlertState.RESOLVED)
        assert at.courier.counts["phones", "dropped"] == 1
        assert at.courier.counts["phones", "waiting"] == 0


# -- what is not sent any more


async def test_an_old_notice_of_a_closed_alert_is_not_sent_nor_that_it_is_over(
    tmp_path: Path, http: HttpReceiver
) -> None:
    clock = HandClock(BEGIN)
    http.status = 500
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        over = await at.opens()
        await at.tried(1)
        await at.opens("crane")
        await at.ends(over)
        await at.states("waiting", "waiting", "waiting")
    http.status = 200
    clock.at += HOUR + 1
    async with office(tmp_path, channel(http.url()), clock=clock) as at:
        rows = await at.states("dropped", "delivered", "dropped")
        assert [row.last_error for row in rows] == ["stale", None, "not_told"]
    assert len(http.taken) == 1


async def test_who_was_told_is_told_that_it_is_over_however_late(tmp_path: Path, http: HttpReceiver) -> None:
    async with office(tmp_path, channel(http.url())) as at:
        alert = await at.opens()
        await at.states("delivered")
        http.status = 500
        await at.ends(alert)

        async def refused_once() -> bool:
            rows = await at.deliveries()
            return [row.attempts for row in rows] == [1, 1]

        await until(refused_once, 10)
        http.status = 200
        at.passes(3 * HOUR)
        await at.states("delivered", "delivered")
    assert http.titles[-1] == "【已恢复：道闸被冲】东门道闸 · 港湾"


async def test_a_deadline_that_has_passed_is_not_announced(tmp_path: Path, http: HttpReceiver) -> None:
    async with office(tmp_path, channel(http.url())) as at:
        await at.due_soon(at.clock.at + 5 * MINUTE)
        await at.states("delivered")
        await at.due_soon(at.clock.at - 1)
        rows = await at.states("delivered", "dropped")
        assert rows[1].last_error == "stale"
    assert http.taken[0].body["message"].startswith("18:05 到点，还没有记录：东门岗")


async def test_after_a_day_it_is_given_up(tmp_path: Path, http: HttpReceiver) -> None:
    http.status = 500
    async with office(tmp_path, channel(http.url())) as at:
        await at.opens()
        await at.tried(1)
        at.passes(24 * HOUR - 1)
        await at.tried(2)
        at.passes(15 * MINUTE)
        (row,) = await at.states("dropped")
        assert (row.attempts, row.last_error) == (3, "http_500")
