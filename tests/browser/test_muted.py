"""What nobody is told of, and why: outages that explain alerts, silences, excuses; and links to alerts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import scenes
from tests.browser.fake_gateway import FakeGateway
from tests.browser.test_board import open_board
from tests.browser.test_desk import HEARD, TONES, be

#: Lists are whole there, and turn no pages.
PHONE: ViewportSize = {"width": 390, "height": 844}


def open_as(page: Page, gateway: FakeGateway, person: str) -> None:
    """The board on a screen that knows who acts there."""
    open_board(page, gateway)
    page.get_by_role("button", name="处理人").click()
    be(page, person)
    page.evaluate("document.activeElement.blur()")


# -- what an outage explains


def test_what_an_outage_explains_is_told_of_in_its_card(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway)
    expect(page.locator("[data-alert=A-32]")).to_contain_text("另有 2 项因此待核实")
    expect(page.locator("[data-alert=A-29], [data-alert=A-33]")).to_have_count(0)
    expect(page.get_by_text("2 条未确认")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("[data-alert=A-32]")).to_contain_text("Explains 2 more")


def test_cause_and_what_it_explains_lead_to_each_other(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("因此待核实的 2 项")
    garage = drawer.get_by_role("button", name="漏巡 地下车库")
    garage.focus()
    page.keyboard.press("Enter")
    expect(drawer.get_by_role("heading", level=2)).to_have_text("漏巡 · 地下车库")
    expect(drawer).to_contain_text("静音或待核实期间不再通知")
    expect(drawer).to_contain_text("由设备失联引起，暂不通知")
    page.keyboard.press("j")  # goes on from the card in which it is told of
    expect(drawer.get_by_role("heading", level=2)).to_have_text("现场上报 · 配电房")
    page.keyboard.press("k")
    drawer.get_by_role("button", name="未点名 会所岗").click()
    drawer.locator("section").get_by_role("button", name="设备失联 巡更棒三号").click()
    expect(drawer.get_by_role("heading", level=2)).to_have_text("设备失联 · 巡更棒三号")


def test_what_no_outage_explains_any_more_has_its_card_again(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway)
    expect(page.locator("[data-alert=A-29]")).to_have_count(0)
    alerts = [
        each | {"inhibited_by": None} if each["inhibited_by"] else each for each in scenes.outage()["alerts"]
    ]
    gateway.push(alerts=alerts)
    expect(page.locator("[data-alert=A-29]")).to_be_visible()
    expect(page.locator("[data-alert=A-32]")).not_to_contain_text("待核实")


def test_the_ladder_says_who_was_told_when_and_who_is_next(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway, "?lang=en")
    page.locator("[data-alert=A-32] .body").click()
    steps = page.get_by_role("dialog").locator("ol").first.get_by_role("listitem")
    expect(steps).to_have_text(
        [
            re.compile("shift leader.*at once.*told at 02:01"),
            re.compile("supervisor.*after 10 min.*told at 02:11"),
            re.compile("manager.*after 30 min.*next, at 02:31"),
        ]
    )
    history = page.get_by_role("dialog").locator("ol").last
    expect(history).to_contain_text("Told supervisor (escalated)")


def test_the_devices_of_a_site_that_is_silent_are_named(page: Page, gateway: FakeGateway) -> None:
    site = scenes.named("滨河花园", "Riverside Garden")
    reason = {"code": "site_silent", "params": {"devices": ["scanner-1"], "of": 5, "since": scenes.at(-9)}}
    silent = scenes.alert("A-1", "site_silent", "riverside", site, "critical", reason, opened=-8)
    changes = [
        {"at": scenes.at(-6), "what": what, "by": None, "from": None, "params": {"device": "gate-west"}}
        for what in ("joined", "left")
    ]
    members = [{"device": name, "at": scenes.at(-9)} for name in ("scanner-1", "console-1")]
    gateway.show(
        scenes.quiet() | {"alerts": [silent | {"members": members, "history": silent["history"] + changes}]}
    )
    open_board(page, gateway)
    expect(page.locator(".devices")).to_contain_text("2 台失联")
    page.locator("[data-alert=A-1] .body").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("失联设备 2 台")
    expect(drawer.locator(".members")).to_contain_text("对讲台 02:08 起没有心跳")
    expect(drawer).to_contain_text("又一台设备失联：西门道闸")
    expect(drawer).to_contain_text("一台设备恢复：西门道闸")


# -- silences


def test_a_silenced_alert_is_quiet_and_last(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size(PHONE)
    gateway.show(scenes.outage())
    open_board(page, gateway)
    card = page.locator("[data-alert=A-30]")
    expect(card).to_contain_text("已静音至 03:00")
    expect(card).to_have_class(re.compile(r"\bmuted\b"))
    ids = page.locator(".card").evaluate_all("(cards) => cards.map((card) => card.dataset.alert)")
    assert ids[:4] == ["A-32", "A-27", "A-26", "A-30"]
    expect(page.locator(".hero li.critical")).not_to_have_class(re.compile("loud"))


def test_a_muted_alert_makes_no_sound(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.add_init_script(TONES)
    open_board(fresh_page, gateway)
    fresh_page.get_by_role("button", name="声音未开").click()
    [critical, _, major, *_] = scenes.bad()["alerts"]
    muted = [critical | {"silenced_by": "s"}, major | {"inhibited_by": "gone"}]
    minor = scenes.alert("A-2", "report_raised", "ramp", {}, "minor", {"code": "report"}, opened=-1)
    gateway.push(alerts=muted)
    expect(fresh_page.locator(".card.muted")).to_have_count(2)
    assert fresh_page.evaluate("window.tones") == []
    gateway.push(alerts=[*muted, minor])
    fresh_page.evaluate(HEARD, 1)
    assert set(fresh_page.evaluate("window.tones")) == {523}, "only the minor one is heard"
    gateway.push(alerts=[critical])
    fresh_page.evaluate("window.tones = []")
    fresh_page.evaluate(HEARD, 4)


def test_the_header_says_how_many_silences_run_and_until_when(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size(PHONE)
    gateway.show(scenes.outage())
    open_board(page, gateway)
    mark = page.get_by_role("button", name="静音 1 · 至 03:00")
    expect(mark).to_be_visible()
    mark.click()
    listed = page.get_by_role("dialog", name="静音与维修").get_by_role("listitem")
    expect(listed).to_have_count(2)
    expect(listed.first).to_contain_text("道闸被冲 · 东门道闸")
    expect(listed.last).to_contain_text("维修 所有告警 · 西门道闸")
    expect(listed.last).to_contain_text("07:00 起，到 11:00")
    listed.first.get_by_role("button", name="结束").click()
    be(page, "王建国")
    expect(listed).to_have_count(1)
    assert gateway.acts == [{"silence": "riverside-s1", "action": "end", "by": "wang-jg"}]
    page.keyboard.press("Escape")
    expect(page.locator(".silences")).to_have_count(0)
    expect(page.locator("[data-alert=A-30]")).not_to_have_class(re.compile(r"\bmuted\b"))


def test_an_alert_is_silenced_by_keyboard_until_the_end_of_the_shift(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.show(scenes.bad())
    open_as(page, gateway, "王建国")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="静音").focus()
    page.keyboard.press("Enter")
    asking = page.get_by_role("dialog", name="静音告警")
    expect(asking.get_by_role("radio", name="1 小时 03:17")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(asking.get_by_role("radio", name="到本班结束 07:00")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("正在检修")
    page.keyboard.press("Tab")
    expect(asking.get_by_role("button", name="处理人 王建国")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(asking).to_have_count(0)
    assert gateway.acts == [
        {
            "action": "silence",
            "to": "2026-11-22T23:00:00.000Z",
            "reason": "正在检修",
            "kinds": ["radio_no_answer"],
            "subjects": ["west-gate"],
            "maintenance": False,
            "by": "wang-jg",
        }
    ]
    expect(page.get_by_role("dialog")).to_contain_text("已静音至 07:00")
    expect(page.locator("[data-alert=A-31]")).to_have_class(re.compile(r"\bmuted\b"))


def test_an_own_time_is_the_sites_and_must_be_to_come(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_as(page, gateway, "王建国")
    page.locator("[data-alert=A-31] .body").click()
    page.get_by_role("dialog").get_by_role("button", name="静音").click()
    asking = page.get_by_role("dialog", name="静音告警")
    asking.get_by_text("自定时间").click()
    asking.get_by_label("原因").fill("检修")
    until = asking.get_by_label("到（")
    expect(until).to_have_value("2026-11-23 04:17")
    for wrong in ("2026-11-23 02:00", "2026-12-24 00:00", "4:30"):
        until.fill(wrong)
        expect(asking.get_by_role("alert")).to_contain_text("最长 30 天")
        expect(asking.get_by_role("button", name="静音", exact=True)).to_be_disabled()
    until.fill("2026-11-23 04:30")
    asking.get_by_role("button", name="静音", exact=True).click()
    expect(asking).to_have_count(0)
    assert gateway.acts[0]["to"] == "2026-11-22T20:30:00.000Z"


def test_maintenance_is_announced(page: Page, gateway: FakeGateway) -> None:
    open_as(page, gateway, "陈敏")
    page.keyboard.press("s")
    listing = page.get_by_role("dialog", name="静音与维修")
    expect(listing).to_contain_text("没有静音")
    listing.get_by_role("button", name="公布维修").click()
    asking = page.get_by_role("dialog", name="公布维修")
    asking.get_by_label("从（").fill("2026-11-23 23:00")
    asking.get_by_label("到（").fill("2026-11-24 01:30")
    asking.locator("summary").first.click()
    asking.get_by_label("道闸故障").check()
    asking.locator("summary").last.click()
    asking.get_by_label("东门道闸").check()
    asking.get_by_label("原因").fill("东门道闸换闸杆")
    asking.get_by_role("button", name="公布", exact=True).click()
    expect(asking).to_have_count(0)
    assert gateway.acts == [
        {
            "action": "silence",
            "from": "2026-11-23T15:00:00.000Z",
            "to": "2026-11-23T17:30:00.000Z",
            "reason": "东门道闸换闸杆",
            "kinds": ["gate_fault"],
            "subjects": ["gate-east"],
            "maintenance": True,
            "by": "chen-min",
        }
    ]
    expect(listing.get_by_role("listitem")).to_contain_text("23:00 起，到 11-24 01:30")
    expect(page.locator(".silences")).to_have_count(0)  # it does not run yet


# -- excuses


def test_a_missed_round_is_excused_by_keyboard(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad() | {"alerts": []})
    open_as(page, gateway, "王建国")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="巡逻 · 消防泵房专巡")
    drawer.get_by_role("button", name="免责").focus()
    page.keyboard.press("Enter")
    asking = page.get_by_role("dialog", name="免责", exact=True)
    expect(asking.get_by_label("免责原因")).to_be_focused()
    expect(asking.get_by_role("button", name="保存")).to_be_disabled()
    page.keyboard.type("当时去处置火警")
    for _ in ("who acts", "cancel", "save"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(asking).to_have_count(0)
    [act] = gateway.acts
    assert (act["action"], act["by"], act["note"]) == ("excuse", "wang-jg", "当时去处置火警")
    # The board has let it go, and the reader still sees what became of it.
    expect(page.locator(".rounds .row").filter(has_text="消防泵房专巡")).to_have_count(0)
    expect(drawer.locator(".verdict")).to_have_text(re.compile("免责.*原判.*漏巡.*一个点也没有到"))
    expect(drawer.locator(".excuse")).to_have_text(
        re.compile("王建国 于 02:17 免责.*10.0.8.21.*当时去处置火警")
    )
    expect(drawer.get_by_role("button", name="免责")).to_have_count(0)


@pytest.mark.parametrize("person", ["李强", "赵师傅"])
def test_who_may_not_excuse_is_told_so_and_loses_no_words(
    page: Page, gateway: FakeGateway, person: str
) -> None:
    gateway.show(scenes.bad() | {"alerts": []})
    open_board(page, gateway)
    page.locator(".rounds .row").first.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="免责").click()
    asking = page.get_by_role("dialog", name="免责", exact=True)
    asking.get_by_label("免责原因").fill("去吃饭了")
    asking.get_by_role("button", name="保存").click()
    who = page.get_by_role("dialog", name="你是谁？")
    if person == "李强":
        who.get_by_role("button", name=person).click()
    else:
        who.get_by_label("其他姓名或工号").fill(person)
        page.keyboard.press("Enter")
    expect(asking.get_by_role("status")).to_have_text(f"{person} 不能免责：只有本项目的班长、主管、经理可以")
    expect(asking.get_by_label("免责原因")).to_have_value("去吃饭了")
    asking.get_by_role("button", name=f"处理人 {person}").click()
    who.get_by_role("button", name="陈敏").click()
    asking.get_by_role("button", name="保存").click()
    expect(asking).to_have_count(0)
    assert [act["by"] for act in gateway.acts][-1] == "chen-min"


def test_what_proved_to_be_in_order_meanwhile_is_told_so(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad() | {"alerts": []})
    gateway.conflict = "on_time"
    open_as(page, gateway, "王建国")
    page.locator(".rounds .row").first.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="免责").click()
    asking = page.get_by_role("dialog", name="免责", exact=True)
    asking.get_by_label("免责原因").fill("去处置火警")
    asking.get_by_role("button", name="保存").click()
    expect(asking.get_by_role("status")).to_have_text("不能免责：现在是“准时”")
    page.keyboard.press("Escape")
    expect(page.locator("dialog .toast")).to_have_text("")


def test_an_excused_round_shows_what_was_judged(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway, "?lang=en")
    row = page.locator(".rounds .row").filter(has_text="Fire pumps")
    expect(row).to_contain_text("Excused")
    expect(row).to_contain_text("judged Missed")
    row.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Excused by Wang Jianguo at 01:57")


def test_only_what_went_wrong_can_be_excused(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    page.locator(".rounds .row").first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("进行中")
    expect(page.get_by_role("dialog").get_by_role("button", name="免责")).to_have_count(0)


def test_each_of_an_alerts_occurrences_can_be_looked_at(page: Page, gateway: FakeGateway) -> None:
    night = scenes.bad()
    first = night["rounds"][1] | {"id": "garage@0", "due_at": scenes.at(-75), "verdict": "missed"}
    again = next(each for each in night["alerts"] if each["id"] == "A-29")
    gateway.show(night | {"alerts": [again | {"occurrences": ["garage@0", *again["occurrences"]]}]})
    gateway.occurrences = [first]
    open_board(page, gateway)
    page.locator("[data-alert=A-29] .body").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.locator(".verdict b")).to_have_text("待核实")
    drawer.get_by_role("group").get_by_role("button", name="01:02").click()
    expect(drawer.locator(".verdict b")).to_have_text("漏巡")


# -- links


def test_a_link_opens_its_alert_once(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway, "?site=riverside&alert=A-33")
    expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_have_text("未点名 · 会所岗")
    expect(page).to_have_url(f"{gateway.url}/?site=riverside")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("[data-alert=A-32]")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_link_opens_an_alert_that_has_left_the_board(page: Page, gateway: FakeGateway) -> None:
    gateway.closed = [each for each in scenes.bad()["alerts"] if each["id"] == "A-25"]
    open_board(page, gateway, "?alert=A-25")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", level=2)).to_have_text("点名无应答 · 一号楼大堂")
    expect(drawer).to_contain_text("已到场查看")


def test_a_link_to_nothing_says_so(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway, "?alert=A-404")
    expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_have_text("没有这条告警")
