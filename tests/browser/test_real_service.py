"""The page and the real service: what devices say over MQTT is seen, and nothing that fails goes unseen."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.real_gateway import Device, RealGateway, plan
from tests.browser.test_desk import be

SEEN_WITHIN_S = 2.5


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    gateway = RealGateway(Path(tmp_path_factory.mktemp("gateway")))
    gateway.start()
    yield gateway
    gateway.kill()


_numbers = itertools.count(1)


@pytest.fixture
def site(real: RealGateway) -> str:
    """A harbour of the test's own."""
    name = f"harbour-{next(_numbers)}"
    real.hold(plan(name))
    return name


@pytest.fixture
def device(real: RealGateway, site: str) -> Iterator[Callable[[str], Device]]:
    made: list[Device] = []

    def connect(name: str) -> Device:
        made.append(Device(real, site, name))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def open_site(page: Page, real: RealGateway, site: str) -> None:
    page.goto(f"{real.url}/?site={site}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"港口 {site}")
    expect(page.locator(".rounds .row")).to_have_count(2)


def seconds_since(instant: str) -> float:
    return time.time() - datetime.fromisoformat(instant).timestamp()


def test_a_missed_deadline_is_seen_within_two_and_a_half_seconds(
    page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    open_site(page, real, site)
    with device("scanner-1").heartbeats(0.25), device("console-1").heartbeats(0.25):
        real.hold(plan(site, rounds_every="2s", calls_every="3s"))
        page.locator(".rounds .row.bad.tone-missed").first.wait_for()
        rounds_seen = time.time()
        page.locator(".radio .cell.tone-missed").first.wait_for()
        calls_seen = time.time()
    first: dict[str, float] = {}
    for alert in reversed(real.alerts(site)):
        first.setdefault(alert["kind"], datetime.fromisoformat(alert["deadline"]).timestamp())
    assert 0 <= rounds_seen - first["round_missed"] < SEEN_WITHIN_S
    assert 0 <= calls_seen - first["radio_not_called"] < SEEN_WITHIN_S
    expect(page.locator(".card.open").filter(has_text="堆场").first).to_be_visible()
    expect(page.locator(".card.open").filter(has_text="港务室").first).to_be_visible()


def test_a_scan_turns_its_segment_green(
    page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    open_site(page, real, site)
    row = page.locator(".rounds .row").filter(has_text="码头沿线")
    green = row.locator(".strip .tone-ok")
    expect(green).to_have_count(0)
    scanner = device("scanner-1")
    scanner.scan("pier")
    expect(green).to_have_count(1)
    expect(row.get_by_role("img", name="码头沿线：进行中，共 3 点，已到 1 点")).to_be_visible()
    expect(page.get_by_text("1 在巡")).to_be_visible()
    scanner.scan("crane")
    scanner.scan("shed")
    done = page.locator(".rounds .row.tone-ok").filter(has_text="码头沿线")
    expect(done.locator(".strip .tone-ok")).to_have_count(3)


def test_what_one_desk_does_is_seen_at_the_other(
    page: Page,
    fresh_page: Page,
    real: RealGateway,
    site: str,
    device: Callable[[str], Device],
) -> None:
    second = fresh_page
    open_site(page, real, site)
    open_site(second, real, site)
    device("gate-1").say("gate", event="forced")
    for desk in (page, second):
        expect(desk.locator(".card.open")).to_contain_text("大门道闸")
        expect(desk.locator(".hero .number")).to_have_text(["1", "0", "0"])
    page.keyboard.press("a")
    be(page, "马军")
    expect(second.locator(".card.acknowledged")).to_contain_text("马军")

    second.locator(".card .body").click()
    second.get_by_role("dialog").get_by_role("button", name="处置").click()
    asking = second.get_by_role("dialog", name="处置告警")
    asking.get_by_label("处置情况").fill("闸杆已换，现场正常")
    asking.get_by_role("button", name="保存").click()
    be(second, "马军")
    expect(page.locator(".card.resolved")).to_contain_text("大门道闸")
    expect(page.locator(".hero .number")).to_have_text(["0", "0", "0"])
    page.locator(".card .body").click()
    expect(page.get_by_role("dialog")).to_contain_text("闸杆已换，现场正常")
    [alert] = real.alerts(site)
    assert [(entry["what"], entry["by"]) for entry in alert["history"]] == [
        ("opened", None),
        ("acknowledged", "ma-jun"),
        ("resolved", "ma-jun"),
    ]


def test_a_killed_gateway_is_seen_and_one_that_is_back_goes_on_by_itself(
    fresh_page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    fresh_page.clock.install()
    loads: list[str] = []
    fresh_page.on("load", lambda loaded: loads.append(loaded.url))
    open_site(fresh_page, real, site)
    gate = device("gate-1")
    gate.say("gate", event="forced")
    expect(fresh_page.locator(".card")).to_have_count(1)

    real.kill()
    fresh_page.clock.run_for(7_000)
    expect(fresh_page.locator("strong[role=alert]")).to_have_text("本页与网关断开")
    expect(fresh_page.get_by_text(re.compile(r"画面停在 \d\d:\d\d:\d\d，已 \d+ 秒"))).to_be_visible()
    greyed = fresh_page.locator(".board > main")
    assert "grayscale(1)" in greyed.evaluate("(el) => getComputedStyle(el).filter")

    real.start()
    fresh_page.clock.run_for(11_000)  # the longest pause between two attempts
    expect(fresh_page.locator("strong[role=alert]")).to_have_count(0)
    assert greyed.evaluate("(el) => getComputedStyle(el).filter") == "none"
    gate.say("gate", event="vehicle_in", plate="粤B12345")
    expect(fresh_page.locator(".feed")).to_contain_text("粤B12345")
    expect(fresh_page.locator(".card")).to_have_count(1)
    expect(fresh_page.locator(".hero .number")).to_have_text(["1", "0", "0"])
    assert [alert["count"] for alert in real.alerts(site)] == [1]
    assert len(loads) == 1, "the page was not loaded anew"


def test_a_reader_that_the_gateway_lost_leaves_the_page_fresh(
    page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    open_site(page, real, site)
    scanner = device("scanner-1")
    scanner.say("status", battery=80)
    lost = page.locator(".devices li").filter(has_text="巡更棒一号")
    expect(lost).to_have_count(0)
    scanner.cut()
    # All devices of this site are silent: the list turns its pages.
    expect(lost).to_contain_text(re.compile(r"\d\d:\d\d 起网关收不到"), timeout=30_000)
    expect(page.locator("strong[role=alert]")).to_have_count(0)
    expect(page.locator(".board")).not_to_have_class(re.compile(r"\bstale\b"))


def test_another_language_keeps_everything_else(
    fresh_page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    streams: list[str] = []
    fresh_page.on("websocket", lambda stream: streams.append(stream.url))
    open_site(fresh_page, real, site)
    device("scanner-1").scan("pier")
    device("gate-1").say("gate", event="stuck")
    fresh_page.locator(".card .body").click()
    drawer = fresh_page.get_by_role("dialog")
    expect(drawer).to_contain_text("大门道闸")
    fresh_page.keyboard.press("l")
    expect(drawer).to_contain_text("Gate barrier")
    expect(drawer).to_contain_text("The barrier is stuck")
    expect(fresh_page.locator(".card")).to_have_class(re.compile(r"\bchosen\b"))
    expect(fresh_page.locator(".hero .number")).to_have_text(["0", "1", "0"])
    # Half a minute after a start, as that of a test before, devices that were there are waited for.
    expect(
        fresh_page.locator(".rounds .row").filter(has_text="Quay").locator(".strip .tone-ok")
    ).to_have_count(1, timeout=60_000)
    expect(fresh_page.locator("html")).to_have_attribute("lang", "en")
    fresh_page.keyboard.press("l")
    expect(drawer).to_contain_text("大门道闸")
    assert len(streams) == 1, "the stream was not begun again"


def test_axe_finds_nothing_serious_on_the_real_page(
    page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    open_site(page, real, site)
    device("scanner-1").scan("pier")
    gate = device("gate-1")
    gate.say("gate", event="vehicle_in", plate="粤B12345", cause="plate")
    gate.say("gate", event="forced")
    page.locator(".card .body").click()
    expect(page.get_by_role("dialog")).to_contain_text("大门道闸")
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_what_went_wrong_is_excused_and_alerts_are_silenced_at_the_real_gateway(
    page: Page, real: RealGateway, site: str, device: Callable[[str], Device]
) -> None:
    open_site(page, real, site)
    device("gate-1").say("gate", event="stuck")
    page.locator(".card .body").click()
    page.get_by_role("dialog").get_by_role("button", name="静音").click()
    asking = page.get_by_role("dialog", name="静音告警")
    asking.get_by_label("原因").fill("厂家正在检修")
    asking.get_by_role("button", name="静音", exact=True).click()
    be(page, "马军")
    expect(page.get_by_role("dialog")).to_contain_text("厂家正在检修")
    page.keyboard.press("Escape")
    expect(page.locator(".card.muted")).to_contain_text("已静音至")
    expect(page.locator(".hero .number")).to_have_text(["0", "0", "0"])
    page.locator(".silences").click()
    page.get_by_role("dialog").get_by_role("button", name="结束").click()
    expect(page.locator(".silences")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(".card.open")).not_to_have_class(re.compile("muted"))

    scanner = device("scanner-1")
    with scanner.heartbeats(0.25):
        real.hold(plan(site, rounds_every="2s"))
        missed = page.locator(".rounds .row.tone-missed").filter(has_text="堆场").first
        missed.wait_for()
        missed.get_by_role("button").click()
        drawer = page.get_by_role("dialog")
        drawer.get_by_role("button", name="免责").click()
        excusing = page.get_by_role("dialog", name="免责", exact=True)
        excusing.get_by_label("免责原因").fill("全员处置火警")
        excusing.get_by_role("button", name="保存").click()
        expect(excusing).to_have_count(0)
        expect(drawer.locator(".verdict")).to_have_text(re.compile("免责.*原判.*漏巡"))
        expect(drawer.locator(".excuse")).to_contain_text("马军")
        expect(drawer.locator(".excuse")).to_contain_text("来自 127.0.0.1")
