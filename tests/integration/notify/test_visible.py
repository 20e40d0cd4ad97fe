"""What can be seen of notices: over the API, in the metrics, and by the command line. No secret is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.alert import AlertKind
from gateway.domain.notices import Notice, NoticeKind
from gateway.domain.verdicts import Reason
from gateway.domain.watch import Changes
from gateway.engine import Work
from gateway.service import Service, ServiceError
from gateway.settings import Settings, SettingsError
from gateway.web.server import WebServer
from tests.integration.notify.receivers import HttpReceiver
from tests.integration.service.process import command
from tests.integration.service.yard import until
from tests.integration.web.gateway_kit import Gateway, HandClock
from tests.unit.web.harbour import BEGIN, HARBOUR

CHANNELS = """\
[[channel]]
name = "duty-room"
url = "json://127.0.0.1:{good}/hunter2"
to = ["shift_leader"]

[[channel]]
name = "office"
url = "json://127.0.0.1:{bad}/hunter2?+Authorization=hunter2"
to = ["manager", "shift_leader"]
sites = ["harbour"]
language = "en"
"""


@pytest.fixture
def good() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def bad() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    receiver.status = 401
    yield receiver
    receiver.close()


@pytest.fixture
def channels(tmp_path: Path, good: HttpReceiver, bad: HttpReceiver) -> Path:
    path = tmp_path / "channels.toml"
    path.write_text(CHANNELS.format(good=good.port, bad=bad.port), "utf-8")
    path.chmod(0o600)
    return path


async def test_what_became_of_notices_is_in_the_api_and_in_the_metrics(
    tmp_path: Path, channels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    site_file = tmp_path / "harbour.yaml"
    site_file.write_text(HARBOUR, "utf-8")
    clock = HandClock(BEGIN)
    settings = Settings(
        database=f"sqlite:///{tmp_path}/patrol.sqlite", data=tmp_path, broker="embedded://127.0.0.1:0",
        http="127.0.0.1:0", sites=(site_file,), clock=clock, channels=channels,
    )  # fmt: skip

    def opens(service: Service, work: Work) -> None:
        desk = service.engine.desks["harbour"]
        reason = Reason("forced", {})
        alert = desk.watch.alerts.event(
            AlertKind.GATE_FORCED, "gate-east", {"zh": "闸"}, reason, BEGIN, BEGIN
        )
        desk.watch.alerts.changed.clear()
        notice = Notice(
            "harbour-1/opened/0", "harbour", NoticeKind.OPENED, BEGIN, ("shift_leader",), alert.id
        )
        desk.record(Changes(alerts=[alert], notices=[notice]), work.commit, BEGIN)
        work.touched.add("harbour")

    async with Service(settings) as service:
        server = WebServer(service, "127.0.0.1", 0)
        await server.start()
        try:
            async with Gateway.connect(service, server, clock) as gateway:
                assert await gateway.get("/notices") == []
                await service.engine.request(lambda work: opens(service, work))
                counts = service.courier.counts
                await until(lambda: counts["duty-room", "delivered"] + counts["office", "failed"] == 2)

                async def is_told() -> bool:
                    return bool((await gateway.get("/alerts", limit=1))[0]["kind"] == "notice_undelivered")

                await until(is_told)
                alerts = await gateway.get("/alerts", limit=1)
                (notice,) = await gateway.get("/notices", site="harbour", limit=5)
                assert notice == {
                    "key": "harbour-1/opened/0",
                    "site": "harbour",
                    "at": "2026-11-23T10:00:00.000Z",
                    "kind": "opened",
                    "to": ["shift_leader"],
                    "alert": "harbour-1",
                    "deliveries": [
                        {"channel": "duty-room", "state": "delivered", "attempts": 1, "next_at": None,
                         "last_error": None, "delivered_at": "2026-11-23T10:00:00.000Z"},
                        {"channel": "office", "state": "failed", "attempts": 1, "next_at": None,
                         "last_error": "http_401", "delivered_at": None},
                    ],
                }  # fmt: skip
                assert alerts[0]["reason"]["params"] == {
                    "channel": "office",
                    "error": "http_401",
                    "waiting": 0,
                }
                await gateway.get("/notices", 404, site="nowhere")
                metrics = (await gateway.http.get("/metrics")).text
                assert 'patrol_notices_total{channel="duty-room",state="delivered"} 1.0' in metrics
                assert 'patrol_notices_total{channel="office",state="failed"} 1.0' in metrics
                assert 'patrol_notices_waiting{channel="office"} 0.0' in metrics
                assert (await gateway.get("/health"))["status"] == "ok"
                seen = f"{metrics}{notice}{alerts}{caplog.text}"
        finally:
            await server.close()
    assert "channel office" in caplog.text
    assert "hunter2" not in seen


async def test_a_wrong_address_for_links_is_refused(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/p.sqlite", data=tmp_path, broker="embedded://127.0.0.1:0",
                        public_url="patrol.example.org")  # fmt: skip
    with pytest.raises(
        (ServiceError, SettingsError), match="write the address at which people reach the pages"
    ):
        async with Service(settings):
            pass


async def test_the_command_lists_channels_without_their_secrets(channels: Path, good: HttpReceiver) -> None:
    ended = await command("notify", "check", str(channels))
    assert ended.code == 0, ended
    first, second, last = ended.out.splitlines()
    assert first.startswith(
        f"duty-room: JSON, json://127.0.0.1:{good.port}/…  to shift_leader  [all sites; zh; minor"
    )
    assert (
        second.startswith("office: ") and "to manager, shift_leader  [harbour; en; minor and above]" in second
    )
    assert last == f"{channels}: 2 channels"
    assert "hunter2" not in ended.text
    assert good.tried == []


@pytest.fixture
def wrong(channels: Path) -> Path:
    channels.write_text(CHANNELS.replace("json://127.0.0.1:{good}", "json:hunter2"), "utf-8")
    return channels


async def test_the_command_says_what_is_wrong(wrong: Path) -> None:
    for words in (("notify", "check"), ("notify", "test"), ("run", "--channels")):
        ended = await command(*words, str(wrong))
        assert ended.code == 1
        assert "channel 1 'duty-room': url: expected a URL like wecombot://KEY" in ended.err
        assert "hunter2" not in ended.text and "Traceback" not in ended.text


async def test_the_command_sends_a_test_and_says_what_came_of_it(
    channels: Path, good: HttpReceiver, bad: HttpReceiver
) -> None:
    ended = await command("notify", "test", str(channels))
    assert (ended.code, ended.out.splitlines()) == (1, ["duty-room: sent", "office: http_401"])
    ended = await command("notify", "test", str(channels), "--channel", "duty-room")
    assert (ended.code, ended.out.splitlines()) == (0, ["duty-room: sent"])
    first, second = good.taken
    assert first.body["title"] == "【测试】巡逻网关"
    assert first.body["message"].endswith(f"编号：{first.key}")
    assert first.key != second.key
    assert len(bad.tried) == 1
    ended = await command("notify", "test", str(channels), "--channel", "nobody")
    assert ended.code == 1 and "there is no channel 'nobody'" in ended.err
