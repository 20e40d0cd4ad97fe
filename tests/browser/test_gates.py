"""Gates on the board: telling one what to do, and saying what an unanswered command came to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import scenes
from tests.browser.fake_gateway import FakeGateway
from tests.browser.test_board import open_board
from tests.browser.test_muted import open_as


def panel(page: Page, gate: str) -> Locator:
    return page.locator(".gates .barriers li").filter(has_text=gate)


def test_a_gate_is_opened_with_a_reason_and_the_board_shows_that_it_is_under_way(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.show(scenes.bad())
    open_as(page, gateway, "王建国")
    panel(page, "西门").get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="西门")
    for name in ("开闸", "关闸", "常开"):
        expect(dialog.get_by_role("button", name=name)).to_be_disabled()
    dialog.get_by_label("原因").fill("救护车")
    dialog.get_by_role("button", name="开闸").click()
    expect(dialog.locator(".last")).to_contain_text("王建国：开闸，已发…")
    expect(dialog.get_by_label("原因")).to_have_value("")
    page.keyboard.press("Escape")
    expect(panel(page, "西门")).to_contain_text("已发")
    [act] = gateway.acts
    assert (act["action"], act["device"], act["cmd"], act["by"], act["reason"]) == (
        "command", "gate-west", "open", "wang-jg", "救护车",
    )  # fmt: skip


def test_an_uncertain_command_stands_out_and_is_settled_by_who_has_looked(
    page: Page, gateway: FakeGateway
) -> None:
    board = scenes.bad()
    board["gates"][1]["command"] = scenes.command("gate-west", "open", "uncertain", -2)
    gateway.show(board)
    open_as(page, gateway, "王建国")
    expect(panel(page, "西门")).to_contain_text("结果不明")
    panel(page, "西门").get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="西门")
    if shots := os.environ.get("PATROL_SHOTS"):
        page.screenshot(path=Path(shots) / "gate-dialog.png")
    dialog.get_by_label("现场看到的情况").fill("闸杆没动")
    expect(dialog.get_by_role("button", name="开闸")).to_be_disabled()
    expect(dialog.get_by_role("button", name="关闸")).to_be_enabled()
    dialog.get_by_role("button", name="没有动作").click()
    expect(dialog.locator(".last")).to_contain_text("失败")
    [act] = gateway.acts
    assert (act["action"], act["done"], act["note"]) == ("settle", False, "闸杆没动")


@pytest.mark.parametrize(
    ("person", "conflict", "told"),
    [("李强", None, "李强 无权对该道闸下指令"), ("王建国", "offline", "未下发：西门道闸 联系不上"),
     ("王建国", "pending", "无法操作：该道闸还有指令未了，或已有人处理")],
)  # fmt: skip
def test_what_cannot_be_is_said_in_the_dialog_which_keeps_the_words(
    page: Page, gateway: FakeGateway, person: str, conflict: str | None, told: str
) -> None:
    gateway.show(scenes.bad())
    gateway.conflict = conflict
    open_as(page, gateway, person)
    panel(page, "西门").get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="西门")
    dialog.get_by_label("原因").fill("救护车")
    dialog.get_by_role("button", name="开闸").click()
    expect(dialog.locator(".toast")).to_have_text(told)
    expect(dialog.get_by_label("原因")).to_have_value("救护车")


def test_a_wall_screen_shows_gates_and_commands_none(page: Page, gateway: FakeGateway) -> None:
    board = scenes.bad()
    board["gates"][2]["held"] = True
    gateway.show(board)
    page.goto(f"{gateway.url}/?kiosk")
    expect(panel(page, "车库")).to_contain_text("常开")
    expect(page.locator(".gates").get_by_role("button")).to_have_count(0)


def test_the_gates_of_the_board_look_as_they_should(page: Page, gateway: FakeGateway) -> None:
    board = scenes.bad()
    board["gates"][1]["command"] = scenes.command("gate-west", "open", "uncertain", -2)
    gateway.show(board)
    open_board(page, gateway)
    first = panel(page, "西门").bounding_box()
    other = panel(page, "车库").bounding_box()
    assert first is not None and other is not None and first["height"] == other["height"]
    if shots := os.environ.get("PATROL_SHOTS"):
        page.screenshot(path=Path(shots) / "gates.png")
