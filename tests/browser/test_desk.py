"""What a reader does at the board: keys, acknowledging, resolving, muting."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser import scenes
from tests.browser.fake_gateway import FakeGateway
from tests.browser.test_board import open_board

#: Writes down the tones that the page plays.
TONES = """window.tones = []
const start = OscillatorNode.prototype.start
OscillatorNode.prototype.start = function (at) {
  window.tones.push(this.frequency.value)
  start.call(this, at)
}"""

#: Settles when so many tones were played. (Playwright's own wait_for_function needs what the policy forbids.)
HEARD = """(least) => new Promise((done) => {
  const look = () => (window.tones.length >= least ? done() : setTimeout(look, 20))
  look()
})"""


def be(page: Page, name: str) -> None:
    dialog = page.get_by_role("dialog", name="你是谁？")
    dialog.get_by_role("button", name=name).click()
    expect(dialog).to_have_count(0)


def test_the_newest_alert_is_acknowledged_by_one_key(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    page.keyboard.press("a")
    be(page, "王建国")
    expect(page.get_by_role("status")).to_have_text("已确认：东门道闸")
    assert gateway.acts == [{"alert": "A-30", "action": "acknowledge", "by": "wang-jg"}]

    page.keyboard.press("a")
    expect(page.get_by_role("status")).to_have_text("已确认：地下车库")
    assert gateway.acts[1] == {"alert": "A-29", "action": "acknowledge", "by": "wang-jg"}


def test_who_acts_is_remembered_and_can_be_changed(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    page.get_by_role("button", name="处理人").click()
    be(page, "陈敏")
    page.reload()
    expect(page.get_by_role("button", name="处理人 陈敏")).to_be_visible()
    page.get_by_role("button", name="处理人").click()
    page.get_by_label("其他姓名或工号").fill("赵师傅")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="处理人 赵师傅")).to_be_visible()


def test_without_a_name_nothing_is_done(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    page.locator("[data-alert=A-31]").get_by_role("button", name="确认", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert gateway.acts == []


def test_an_alert_opens_with_all_that_is_known_of_it(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator("[data-alert=A-29]")).to_have_class(re.compile("chosen"))
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    for words in (
        "漏巡 · 地下车库",
        "没有记录；巡更棒三号 自 01:12 起失联",
        "5.4.6.1",
        "车库每小时巡查",
        "每 60 分钟一次",
        "01:57:40",
        "消防泵房",
        "告警产生",
        "02:02 已通知",
    ):
        expect(drawer).to_contain_text(words)
    page.keyboard.press("k")
    expect(drawer).to_contain_text("点名无应答 · 西门岗")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_the_record_of_an_alert_is_asked_of_the_server_where_the_board_lacks_it(
    page: Page, gateway: FakeGateway
) -> None:
    board = scenes.quiet()
    gone = scenes.bad()["rounds"][3]
    late = scenes.alert("A-5", "round_missed", "outer", gone["name"], "major", gone["reason"], opened=-30)
    late["occurrences"] = [gone["id"]]
    gateway.show(board | {"alerts": [late]})
    gateway.occurrences = [gone]
    open_board(page, gateway, "?lang=en")
    page.locator("[data-alert=A-5] .body").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Completed 6 min 20 s late")
    expect(drawer).to_contain_text("Difference7 min late")
    expect(drawer).to_contain_text("Garage ramp → Fire pump room took only 12 s (at least 40 s)")


def test_an_open_record_follows_what_happens_to_its_alert(page: Page, gateway: FakeGateway) -> None:
    call = {"at": scenes.at(-15), "outcome": "no_answer", "by": "wang-jg", "fact": "console-1/1/5"}
    owed = scenes.round_(
        "west-gate",
        scenes.POSTS["west-gate"],
        "missed",
        {"code": "no_answer", "params": {"calls": 1}},
        [],
        opens=-45,
        due=-13,
    ) | {"kind": "radio_check", "visits": None, "calls": [call]}
    alert = scenes.bad()["alerts"][0] | {"occurrences": [owed["id"]]}
    gateway.show(scenes.quiet() | {"alerts": [alert]})
    gateway.occurrences = [owed]
    open_board(page, gateway)
    page.locator("[data-alert=A-31] .body").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.locator(".verdict b")).to_have_text("无应答")

    answer = {"at": scenes.at(-10), "outcome": "answered", "by": "wang-jg", "fact": "console-1/1/6"}
    late = {"verdict": "late", "reason": {"code": "answered_late", "params": {"by_s": 180}}}
    gateway.occurrences = [owed | late | {"done_at": scenes.at(-10), "calls": [call, answer]}]
    recovered: scenes.Json = {"at": scenes.at(-10), "what": "recovered", "by": None, "params": {}}
    closed = {"state": "resolved", "closed_at": scenes.at(-10), "history": [*alert["history"], recovered]}
    gateway.push(alerts=[alert | closed])
    expect(drawer.locator(".verdict")).to_have_text("晚点名晚了 3 分 才点名")
    expect(drawer).to_contain_text("02:07:40 应答")
    expect(page.locator("[data-alert=A-31] .why")).to_contain_text("02:07 自行恢复")


def test_a_round_opens_too(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    page.locator(".rounds .row").filter(has_text="外围围墙").get_by_role("button").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("巡逻进行中，已到 2/6 个点")
    expect(drawer.get_by_role("row")).to_have_count(7)
    gateway.push(rounds=[])
    expect(drawer).to_contain_text("取不到这次任务的记录")


def test_resolving_takes_a_note(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    page.locator("[data-alert=A-31] .body").click()
    page.get_by_role("dialog").get_by_role("button", name="处置").click()
    asking = page.get_by_role("dialog", name="处置告警")
    expect(asking.get_by_role("button", name="保存")).to_be_disabled()
    asking.get_by_label("处置情况").fill("对讲机没电，已换电池 A")
    asking.get_by_role("button", name="保存").click()
    be(page, "王建国")
    expect(page.get_by_role("status")).to_have_text("已处置：西门岗")
    assert gateway.acts == [
        {"alert": "A-31", "action": "resolve", "by": "wang-jg", "note": "对讲机没电，已换电池 A"}
    ]
    expect(page.get_by_role("dialog")).to_contain_text("对讲机没电，已换电池 A")


def test_a_refusal_is_told_in_words(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    gateway.conflict = "withdrawn"
    open_board(page, gateway)
    page.keyboard.press("a")
    be(page, "王建国")
    expect(page.get_by_role("status")).to_have_text("不能这样做：告警已撤销")


def test_keys_typed_into_a_field_are_text(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    page.get_by_role("button", name="处理人").click()
    page.get_by_label("其他姓名或工号").press_sequentially("malj")
    expect(page.get_by_label("其他姓名或工号")).to_have_value("malj")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert gateway.acts == []


def test_the_question_mark_shows_the_keys(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="按键")).to_contain_text("确认最新告警")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_everything_is_reached_by_the_tab_key(fresh_page: Page, gateway: FakeGateway) -> None:
    gateway.push(alerts=scenes.bad()["alerts"][:1])
    open_board(fresh_page, gateway)
    fresh_page.keyboard.press("Shift")  # the first key arms the sound, and its button goes away
    expect(fresh_page.get_by_role("button", name="声音未开")).to_have_count(0)
    buttons = fresh_page.locator("button:visible").count()
    listed = [*scenes.quiet()["rounds"], *scenes.quiet()["gates"]]
    assert buttons == len(["alert", "acknowledge", *listed, "by", "mute", "S", "L", "F", "?"])
    reached = set()
    for _ in range(buttons):
        fresh_page.keyboard.press("Tab")
        reached.add(
            fresh_page.evaluate("[...document.querySelectorAll('button')].indexOf(document.activeElement)")
        )
    assert reached == set(range(buttons))


def test_sound_says_when_it_is_off_or_muted(fresh_page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(fresh_page, gateway)
    expect(fresh_page.get_by_role("button", name="声音未开")).to_be_visible()
    fresh_page.get_by_role("button", name="声音未开").click()
    expect(fresh_page.get_by_role("button", name="声音未开")).to_have_count(0)
    fresh_page.keyboard.press("m")
    expect(fresh_page.get_by_role("button", name="静音剩")).to_have_text(re.compile("静音剩 04:5"))
    fresh_page.keyboard.press("m")
    expect(fresh_page.get_by_role("button", name="静音剩")).to_have_count(0)


def test_an_alert_sounds_until_it_is_acknowledged(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.add_init_script(TONES)
    open_board(fresh_page, gateway)
    fresh_page.get_by_role("button", name="声音未开").click()
    assert fresh_page.evaluate("window.tones") == []
    gateway.push(alerts=scenes.bad()["alerts"][:1])
    fresh_page.evaluate(HEARD, 8)  # said, and said again
    fresh_page.keyboard.press("a")
    be(fresh_page, "王建国")
    expect(fresh_page.locator(".card.acknowledged")).to_have_count(1)
    fresh_page.evaluate("window.tones = []")
    gateway.push(alerts=[scenes.bad()["alerts"][3]])
    fresh_page.evaluate(HEARD, 1)
    assert set(fresh_page.evaluate("window.tones")) == {660}, (
        "a major alert sounds otherwise than a critical one"
    )


def test_a_list_does_not_turn_under_a_reader(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.clock.install()
    gateway.show(scenes.bad())
    open_board(fresh_page, gateway)
    names = fresh_page.locator(".rounds .row .name")
    row = fresh_page.locator(".rounds .row button").last
    row.focus()
    fresh_page.clock.run_for(300)
    before = names.all_inner_texts()
    for _ in range(3):
        fresh_page.clock.run_for(8_000)
        assert names.all_inner_texts() == before
    expect(row).to_be_focused()
    row.blur()
    seen = set(before)
    for _ in range(2):
        fresh_page.clock.run_for(8_000)
        seen |= set(names.all_inner_texts())
    assert seen > set(before)
