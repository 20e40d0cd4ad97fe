"""The live board: what it shows, in whose time and words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser import scenes
from tests.browser.fake_gateway import FakeGateway

#: A wall, a desk, and one of the square screens that still stand in control rooms.
SIZES = [(1920, 1080), (1366, 768), (1280, 1024)]


def open_board(page: Page, gateway: FakeGateway, query: str = "") -> None:
    page.goto(f"{gateway.url}/{query}")
    expect(page.get_by_role("heading", level=2).first).to_be_visible()


def test_a_quiet_night_says_so(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    expect(page.get_by_text("没有未处置的告警")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("滨河花园")
    expect(page.locator(".hero .number")).to_have_text(["0", "0", "0"])
    expect(page).to_have_title("滨河花园 · 巡更值守")


def test_times_are_those_of_the_site_and_its_server(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    expect(page.locator(".clock time")).to_have_text(re.compile(r"^02:17:4\d$"))
    expect(page.locator("div.clock")).to_contain_text("2026-11-23 星期一")
    expect(page.locator("div.where")).to_contain_text("夜班 19:00 – 07:00")
    upcoming = page.locator(".row").filter(has_text="楼顶天台")
    expect(upcoming).to_contain_text("02:39 起")


def test_an_accelerated_night_runs_at_its_own_speed(page: Page, gateway: FakeGateway) -> None:
    gateway.speed = 60
    gateway.ticking = False
    open_board(page, gateway)
    expect(page.get_by_text("演示 60 倍速")).to_be_visible()
    expect(page.locator(".clock time")).to_have_text(re.compile(r"^02:18:\d\d$"))


def test_a_round_shows_a_segment_for_each_checkpoint(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway, "?lang=en")
    row = page.locator(".row").filter(has_text="East loop")
    strip = row.get_by_role("img", name="East loop: Under way, 4 of 8 checkpoints visited")
    expect(strip.locator("i")).to_have_count(8)
    expect(strip.locator(".tone-late")).to_have_count(2)
    expect(row).to_contain_text(re.compile(r"03:2\d left"))
    first = page.locator(".rounds .row").first
    expect(first).to_contain_text("Fire pumps")


def test_a_delta_replaces_its_sections_whole(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    night = scenes.bad()
    gateway.push(alerts=night["alerts"], hero=night["hero"])
    expect(page.locator(".hero .number")).to_have_text(["2", "3", "1"])
    expect(page.get_by_text("5 条未确认")).to_be_visible()
    expect(page).to_have_title("(6) 滨河花园 · 巡更值守")
    gateway.push(alerts=[], hero={"critical": 0, "major": 0, "minor": 0})
    expect(page.get_by_text("没有未处置的告警")).to_be_visible()


def test_new_alerts_are_spoken(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    gateway.push(alerts=scenes.bad()["alerts"][:1])
    expect(page.locator("[aria-live=assertive]")).to_have_text("紧急告警：西门岗，点名无应答")


def test_a_muted_alert_is_spoken_when_it_is_loud(page: Page, gateway: FakeGateway) -> None:
    open_board(page, gateway)
    alert = scenes.bad()["alerts"][0]
    gateway.push(alerts=[alert | {"silenced_by": "riverside-s1"}])
    expect(page.locator("[data-alert=A-31]")).to_be_visible()
    expect(page.locator("[aria-live=assertive]")).to_have_text("")
    gateway.push(alerts=[alert])
    expect(page.locator("[aria-live=assertive]")).to_have_text("紧急告警：西门岗，点名无应答")


def test_sections_and_kinds_that_the_page_does_not_know_break_nothing(
    page: Page, gateway: FakeGateway
) -> None:
    night = scenes.quiet()
    record = night["rounds"][0] | {"kind": "record", "id": "log@1", "findings": None, "visits": None}
    signed = scenes.alert(
        "A-1", "record_missed", "handover", {}, "major", {"code": "not_signed"}, opened=-1
    ) | {"occurrences": ["log@1"]}
    strange = {"at": scenes.at(-1), "what": "sung_to", "by": None, "params": {"song": "a"}}
    gateway.show(
        night
        | {
            "records": [record],
            "alerts": [signed | {"history": [strange]}],
            "rounds": [record, *night["rounds"]],
            "silences": None,
        }
    )
    open_board(page, gateway)
    page.locator("[data-alert=A-1] .body").click()
    expect(page.get_by_role("dialog")).to_contain_text("sung_to")
    expect(page.get_by_role("dialog")).to_contain_text("record_missed")


def test_calls_that_are_nearly_due_are_told_by_mark_word_and_colour(page: Page, gateway: FakeGateway) -> None:
    night = scenes.quiet()
    gateway.show(night)
    open_board(page, gateway)
    expect(page.locator(".radio .cell.soon")).to_have_count(0)
    gateway.push(radio=scenes.soon(night)["radio"])
    cell = page.get_by_role("cell", name="东门岗 02:00：快到点")
    expect(cell.locator(".mark.hourglass.tone-late")).to_be_visible()
    expect(page.locator(".radio .cell.soon")).to_have_count(4)
    expect(page.locator(".radio .row").first).to_contain_text("快到点")
    called = page.locator(".radio .row").filter(has_text="监控中心")
    expect(called).not_to_contain_text("快到点")


def test_an_excused_call_and_the_findings_of_a_round_are_marked(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.outage())
    open_board(page, gateway, "?lang=en")
    expect(page.get_by_role("cell", name="West gate 01:30: Excused")).to_be_visible()
    expect(page.locator(".row").filter(has_text="Perimeter")).to_contain_text("Findings: 1")
    expect(page.locator(".row").filter(has_text="Clubhouse").first).not_to_contain_text("Findings")
    page.locator(".row").filter(has_text="Perimeter").get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("took only 12 s")


def test_devices_say_what_is_wrong_with_them(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    night = scenes.outage()
    night["devices"] = night["devices"][1:3]
    gateway.show(night)
    open_board(page, gateway)
    devices = page.locator(".devices")
    expect(devices).to_contain_text("1 台失联")
    expect(devices.locator("li").first).to_contain_text("01:12 起没有心跳 · 4 条未上传")
    expect(devices.locator("li").last).to_contain_text("丢失 2 条记录 · 存储快满")
    gateway.push(devices=scenes.outage()["devices"][:1], alerts=[])
    expect(devices.locator("li")).to_contain_text("时钟停走")


def test_reasons_are_words_of_the_readers_language(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    alert = page.locator("[data-alert=A-29]")
    expect(alert).to_contain_text("没有记录；巡更棒三号 自 01:12 起失联")
    page.keyboard.press("l")
    expect(alert).to_contain_text("No proof; Scanner 3 silent since 01:12")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(alert).to_contain_text("No proof; Scanner 3 silent since 01:12")
    page.get_by_role("button", name="中文").click()
    expect(alert).to_contain_text("没有记录")


def test_a_code_that_the_page_does_not_know_is_shown_as_it_is(page: Page, gateway: FakeGateway) -> None:
    board = scenes.quiet()
    reason = {"code": "eaten_by_dog", "params": {"device": "scanner-1", "since": scenes.at(-30)}}
    board["alerts"] = [scenes.alert("A-1", "dog_trouble", "kennel", {}, "major", reason, opened=-1)]
    board["rounds"][0] |= {"verdict": "brand_new", "reason": reason}
    board["radio"]["posts"][0]["cells"][3]["status"] = "constructor"
    board["gates"][0]["position"] = "upside_down"
    gateway.show(board)
    open_board(page, gateway)
    alert = page.locator("[data-alert=A-1]")
    expect(alert).to_contain_text("dog_trouble kennel")
    expect(alert).to_contain_text("eaten_by_dog · device: 巡更棒一号 · since: 01:47")
    expect(page.get_by_text("brand_new")).to_be_visible()
    expect(page.get_by_text("upside_down")).to_be_visible()


def test_names_are_text_and_nothing_else(fresh_page: Page, gateway: FakeGateway) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}@:app.title"
    board = scenes.bad()
    board["site"]["name"] = {"zh": attack}
    for thing in [
        *board["rounds"],
        *board["alerts"],
        *board["gates"],
        *board["devices"],
        *board["radio"]["posts"],
    ]:
        thing["name"] = {"zh": attack}
    board["alerts"][4]["reason"] = {"code": "report", "params": {"text": attack}}
    board["gate_feed"][0]["plate"] = attack
    gateway.show(board)
    fresh_page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_board(fresh_page, gateway)
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text(attack)
    fresh_page.keyboard.press("j")
    fresh_page.keyboard.press("Enter")
    expect(fresh_page.get_by_role("dialog")).to_contain_text(attack)
    assert fresh_page.locator("img, script:not([src])").count() == 0


@pytest.mark.parametrize("query", ["", "?lang=en", "?kiosk"])
def test_a_full_board_needs_no_scrolling(page: Page, gateway: FakeGateway, query: str) -> None:
    for scene in (scenes.bad(), scenes.outage() | {"deaf_since": scenes.at(-7)}):
        gateway.show(scene)
        open_board(page, gateway, query)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            fits_the_screen(page)


def fits_the_screen(page: Page) -> None:
    expect(page.locator(".radio .row").first).to_be_visible()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    overflow = page.evaluate(
        """() => {
          const inside = [...document.querySelectorAll('main section, main li, main .row')].filter((el) => {
            const box = el.getBoundingClientRect()
            return box.bottom > innerHeight + 1 || box.right > innerWidth + 1
          })
          const root = document.documentElement
          return [root.scrollHeight - innerHeight, root.scrollWidth - innerWidth, inside.length]
        }"""
    )
    assert overflow == [0, 0, 0]
    cut = page.evaluate(
        """() => [...document.querySelectorAll('main .list')]
          .filter((list) => list.scrollHeight > list.clientHeight + 2)
          .map((list) => `${list.parentElement.className} ${list.scrollHeight} > ${list.clientHeight}`)"""
    )
    assert cut == [], "no row is cut off at the bottom of its list"


@pytest.mark.parametrize("scene", ["bad", "outage", "deaf"])
def test_a_wall_is_readable_from_three_metres(page: Page, gateway: FakeGateway, scene: str) -> None:
    gateway.show(scenes.SCENES[scene]())
    open_board(page, gateway, "?kiosk")
    expect(page.locator(".bar")).to_have_count(0)
    sizes: dict[str, Any] = page.evaluate(
        """() => {
          const size = (el) => parseFloat(getComputedStyle(el).fontSize) / innerHeight * 100
          const texts = [...document.querySelectorAll('body *')].filter(
            (el) => [...el.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
          const least = (select) => Math.min(...[...document.querySelectorAll(select)].map(size))
          return { text: Math.min(...texts.map(size)), name: least('.row .name'), hero: least('.hero .number') }
        }"""
    )
    assert sizes["text"] >= 2.899
    assert sizes["name"] >= 3.499
    assert sizes["hero"] >= 7.999


def test_a_site_with_nothing_to_show_has_calm_words_for_it(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.board())
    open_board(page, gateway, "?lang=en")
    for words in (
        "No rounds in this shift now",
        "No radio checks within 12 hours",
        "No open alerts",
        "No devices",
    ):
        expect(page.get_by_text(words)).to_be_visible()


def test_pages_turn_and_the_bad_ones_stay(fresh_page: Page, gateway: FakeGateway) -> None:
    fresh_page.clock.install()
    gateway.show(scenes.bad())
    open_board(fresh_page, gateway)
    rows = fresh_page.locator(".radio .row .name")
    expect(rows.first).to_have_text("西门岗")
    seen = set(rows.all_inner_texts())
    for _ in range(3):
        fresh_page.clock.run_for(8_000)
        expect(rows.first).to_have_text("西门岗")
        seen |= set(rows.all_inner_texts())
    assert seen == {name["zh"] for name in scenes.POSTS.values()}


def test_a_phone_scrolls_down_and_never_sideways(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    gateway.show(scenes.bad())
    open_board(page, gateway)
    expect(page.locator(".card")).to_have_count(7)
    expect(page.locator(".radio .row .name")).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        "[...document.querySelectorAll('.card .act')].filter((b) => b.getBoundingClientRect().height < 44).length"
    )
    assert small == 0


@pytest.mark.parametrize(("width", "query"), [(1920, ""), (390, "?lang=en")])
@pytest.mark.parametrize("scene", ["bad", "outage", "deaf"])
def test_axe_finds_nothing_serious(
    page: Page, gateway: FakeGateway, scene: str, width: int, query: str
) -> None:
    page.set_viewport_size({"width": width, "height": 1080})
    gateway.show(scenes.SCENES[scene]())
    gateway.occurrences = gateway.board["rounds"]
    open_board(page, gateway, query)
    expect(page.locator(".radio .row").first).to_be_visible()
    no_serious_trouble(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    no_serious_trouble(page)


@pytest.mark.parametrize(("width", "query"), [(1920, ""), (390, "?lang=en")])
def test_axe_finds_nothing_serious_in_dialogs(
    page: Page, gateway: FakeGateway, width: int, query: str
) -> None:
    page.set_viewport_size({"width": width, "height": 1080})
    gateway.show(scenes.outage())
    open_board(page, gateway, query)
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_have_count(1)
    no_serious_trouble(page)
    page.get_by_role("dialog").locator(".foot button").last.click()
    for closed in page.locator("summary").all():
        closed.click()
    no_serious_trouble(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("[data-alert=A-32] .body").click()
    page.get_by_role("dialog").locator(".actions button").last.click()
    expect(page.get_by_role("radio")).to_have_count(4)
    no_serious_trouble(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator(".rounds .row.bad button").first.click()
    page.locator("p.actions button").click()
    expect(page.locator("textarea")).to_be_focused()
    no_serious_trouble(page)


def no_serious_trouble(page: Page) -> None:
    serious = [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]][:3])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_motion_is_slow_and_stops_for_who_asks(page: Page, gateway: FakeGateway) -> None:
    gateway.show(scenes.bad())
    open_board(page, gateway)
    moving = "document.getAnimations().map((one) => one.effect.getComputedTiming().duration)"
    assert page.evaluate(moving) == []
    page.emulate_media(reduced_motion="no-preference")
    durations = page.evaluate(moving)
    assert durations and min(durations) >= 1000, "far under three flashes a second"


def test_missing_assets_are_missing_and_other_paths_are_the_page(page: Page, gateway: FakeGateway) -> None:
    assert page.request.get(f"{gateway.url}/assets/gone.js").status == 404
    open_board(page, gateway, "no/such/page")
    expect(page).to_have_url(f"{gateway.url}/")
