"""The link to the gateway: lost, silent, back again, another build."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser import scenes
from tests.browser.fake_gateway import FakeGateway
from tests.browser.test_board import open_board

STALE = re.compile(r"\bstale\b")


def test_a_silent_gateway_is_told_after_six_seconds(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.clock.install()
    open_board(fresh_page, gateway)
    gateway.ticking = False
    fresh_page.clock.run_for(4_000)
    expect(fresh_page.locator("strong[role=alert]")).to_have_count(0)
    fresh_page.clock.run_for(3_000)
    expect(fresh_page.locator("strong[role=alert]")).to_have_text("网关没有消息")
    expect(fresh_page.get_by_text(re.compile(r"画面停在 02:17:4\d，已 \d+ 秒"))).to_be_visible()
    board = fresh_page.locator(".board")
    expect(board).to_have_class(STALE)
    assert "grayscale(1)" in board.locator("main").evaluate("(el) => getComputedStyle(el).filter")
    gateway.ticking = True
    expect(fresh_page.locator("strong[role=alert]")).to_have_count(0)
    expect(board).not_to_have_class(STALE)


def test_a_page_that_lost_the_gateway_says_so_and_comes_back_with_since(
    fresh_page: Page, gateway: FakeGateway
) -> None:
    fresh_page.clock.install()
    open_board(fresh_page, gateway)
    gateway.push(hero={"critical": 0, "major": 1, "minor": 0})
    expect(fresh_page.locator(".hero .number")).to_have_text(["0", "1", "0"])
    gateway.cut()
    fresh_page.clock.run_for(7_000)
    expect(fresh_page.locator("strong[role=alert]")).to_have_text("本页与网关断开")
    assert "since" not in gateway.connections[0]
    gateway.push(hero={"critical": 0, "major": 2, "minor": 0})
    gateway.accepting = True
    fresh_page.clock.run_for(12_000)
    expect(fresh_page.locator(".hero .number")).to_have_text(["0", "2", "0"])
    expect(fresh_page.locator("strong[role=alert]")).to_have_count(0)
    assert gateway.connections[-1]["since"] == "42"


def test_a_reader_that_the_gateway_lost_is_another_matter(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    expect(page.locator(".devices")).to_contain_text("1 台失联")
    expect(page.locator(".devices")).to_contain_text("01:12 起网关收不到")
    expect(page.locator("strong[role=alert]")).to_have_count(0)


def test_a_gateway_that_hears_nothing_is_told_apart_from_a_page_that_lost_it(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.show(scenes.deaf())
    open_board(page, gateway)
    expect(page.locator(".deaf [role=alert]")).to_have_text("网关自 02:10 起收不到任何设备")
    expect(page.locator(".deaf")).to_contain_text("已 7 分")
    expect(page.locator(".board")).not_to_have_class(STALE)
    page.keyboard.press("l")
    expect(page.locator(".deaf")).to_contain_text("The gateway has heard no device since 02:10")
    gateway.push(deaf_since=None)
    expect(page.locator(".deaf")).to_have_count(0)


def test_a_missing_delta_is_noticed_and_made_up_for(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    gateway.skip()
    gateway.push(hero={"critical": 0, "major": 0, "minor": 7})
    expect(page.locator(".hero .number")).to_have_text(["0", "0", "7"])
    assert gateway.connections[-1]["since"] == "41"


def test_a_new_build_loads_the_new_pages_once(fresh_page: Page, gateway: FakeGateway) -> None:
    loads: list[str] = []
    fresh_page.on("load", lambda loaded: loads.append(loaded.url))
    open_board(fresh_page, gateway)
    assert len(loads) == 1
    gateway.build = "another"
    gateway.cut()
    with fresh_page.expect_event("load"):
        gateway.accepting = True
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("滨河花园")
    # The pages are still the old ones: loading them over and over would help nobody.
    gateway.push(hero={"critical": 0, "major": 5, "minor": 0})
    expect(fresh_page.locator(".hero .number")).to_have_text(["0", "5", "0"])
    assert len(loads) == 2


def test_a_site_that_the_gateway_does_not_know_is_named(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.clock.install()
    fresh_page.goto(f"{gateway.url}/?site=atlantis&lang=en")
    expect(fresh_page.get_by_text("Connecting to the gateway")).to_be_visible()
    fresh_page.clock.run_for(7_000)
    expect(fresh_page.locator("strong[role=alert]")).to_have_text("The gateway knows no site atlantis")


def test_a_board_of_months_keeps_bounded_lists(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    many = [
        scenes.alert(
            f"A-{n}", "gate_fault", "gate-east", scenes.EAST, "minor", {"code": "fault"}, opened=-n / 10
        )
        for n in range(1_000)
    ]
    gateway.push(alerts=many)
    expect(page.get_by_text("300 条未确认")).to_be_visible()
