"""The routes that read, against a running service."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from gateway.instants import rfc3339
from gateway.web import board_models, models
from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import CRANE, MINUTE, QUAY, local


def fits(shape: Any, answer: Any) -> Any:
    """The answer, which has the documented shape to the last member."""
    TypeAdapter(shape).validate_python(answer)
    return answer


async def walk(gateway: Gateway) -> None:
    """A round: two scans at 18:10 and 18:12."""
    await gateway.becomes("23 18:10")
    await gateway.record("scanner-1", "scan", tag=QUAY, guard="li", battery=71)
    await gateway.becomes("23 18:12")
    await gateway.record("scanner-1", "scan", tag=CRANE, guard="li")


async def test_sites_and_the_plan(gateway: Gateway) -> None:
    assert fits(list[board_models.SiteSummary], await gateway.get("/sites")) == [
        {
            "id": "harbour",
            "name": {"zh": "港湾", "en": "The Harbour"},
            "timezone": "Asia/Shanghai",
            "plan_version": 1,
        }
    ]
    plan = await gateway.get("/sites/harbour/plan")
    assert plan["site"] == "harbour" and plan["duties"][0]["route"] == "quays"
    for headers, query in (({"Accept": "application/yaml"}, {}), ({}, {"format": "yaml"})):
        text = await gateway.http.get("/api/sites/harbour/plan", headers=headers, params=query)
        assert text.headers["content-type"].startswith("application/yaml")
        assert "site: harbour" in text.text
    for path in ("board", "plan"):
        assert "no site 'elsewhere'" in (await gateway.get(f"/sites/elsewhere/{path}", 404))["detail"]


async def test_the_board(gateway: Gateway) -> None:
    await walk(gateway)
    board = fits(board_models.Board, await gateway.get("/sites/harbour/board"))
    assert board["now"] == rfc3339(local("23 18:12"))
    assert [(each["duty"], each["verdict"]) for each in board["rounds"]] == [
        ("hourly", "open"),
        ("hourly", "on_time"),
    ]


async def test_rounds_are_those_of_the_store_and_those_under_way(gateway: Gateway) -> None:
    await walk(gateway)
    rounds = fits(list[models.Round], await gateway.get("/rounds", site="harbour"))
    assert [(each["opens_at"], each["duty"], each["verdict"]) for each in rounds] == [
        (rfc3339(local("23 18:00")), "hourly", "on_time"),
        (rfc3339(local("23 18:12")), "hourly", "open"),
    ]
    assert [each["fact"] for each in rounds[0]["visits"]] == ["scanner-1/b1/1", "scanner-1/b1/2"]
    assert rounds[0]["carriers"] == ["li"]

    await gateway.becomes("23 19:20")
    stored = await gateway.service.store.occurrences("harbour", "round", 0, 1 << 60)
    assert [each["verdict"] for each in stored] == ["on_time", "unverified"]
    rounds = await gateway.get(
        "/rounds", site="harbour", from_=rfc3339(local("23 19:06")), to="2026-11-23T19:21:00 08:00"
    )
    assert [each["verdict"] for each in rounds] == ["unverified", "open"]
    assert (
        await gateway.get("/rounds", site="harbour", from_="2026-11-20T00:00:00Z", to="2026-11-21T00:00:00Z")
        == []
    )


async def test_how_long_legs_take(gateway: Gateway) -> None:
    assert await gateway.get("/sites/harbour/legs") == []
    for hour in range(3):
        await gateway.becomes(f"23 {18 + hour}:10")
        await gateway.record("scanner-1", "scan", tag=QUAY, guard="li")
        await gateway.becomes(f"23 {18 + hour}:12")
        await gateway.record("scanner-1", "scan", tag=CRANE, guard="li")
    (leg,) = fits(list[models.LearntLeg], await gateway.get("/sites/harbour/legs"))
    assert (leg["route"], leg["from"], leg["to"], leg["count"]) == ("quays", "quay", "crane", 3)
    assert (leg["suggested_min_s"], leg["plan_min_s"], leg["plan_max_s"]) == (None, 10, 540)
    assert await gateway.get("/sites/harbour/legs", to="2026-11-23T10:00:00Z") == []
    await gateway.get("/sites/elsewhere/legs", 404)


async def test_radio_checks(gateway: Gateway) -> None:
    await gateway.becomes("23 22:05")
    await gateway.record("console-1", "radio", post="east", outcome="answered", by="wang")
    checks = fits(
        list[models.RadioCheck],
        await gateway.get("/radio-checks", site="harbour", from_="2026-11-23T14:00:00Z"),
    )
    found = {
        (each["subject"], each["opens_at"][11:16], each["verdict"])
        for each in checks
        if each["duty"] == "night-radio"
    }
    assert found == {("east", "14:00", "on_time"), ("east", "14:05", "open"), ("west", "14:00", "open")}
    answered = next(each for each in checks if each["verdict"] == "on_time" and each["duty"] == "night-radio")
    assert answered["calls"][0]["by"] == "wang"


async def test_facts_as_the_device_sent_them_page_by_page(gateway: Gateway) -> None:
    await walk(gateway)
    sent = await gateway.record(
        "gate-east", "gate", event="vehicle_in", plate="粤B12345", lane="in", cause="plate"
    )
    facts = fits(list[models.Fact], await gateway.get("/facts", site="harbour"))
    assert [each["id"] for each in facts] == ["scanner-1/b1/1", "scanner-1/b1/2", "gate-east/b1/1"]
    assert facts[2]["record"] == sent
    assert [each["id"] for each in await gateway.get("/facts", site="harbour", type="gate")] == [
        "gate-east/b1/1"
    ]
    assert len(await gateway.get("/facts", site="harbour", device="scanner-1")) == 2
    pages: list[Any] = []
    after: dict[str, Any] = {}
    while found := await gateway.get("/facts", site="harbour", limit=1, **after):
        pages += found
        after = {"after": found[-1]["cursor"]}
    assert pages == facts


async def test_passages(gateway: Gateway) -> None:
    for event, plate in (
        ("opened", None),
        ("vehicle_in", "粤B12345"),
        ("closed", None),
        ("vehicle_out", "沪A77120"),
    ):
        gateway.clock.at += MINUTE
        await gateway.record("gate-east", "gate", event=event, **({"plate": plate} if plate else {}))
    passages = fits(list[board_models.GateEvent], await gateway.get("/passages", site="harbour"))
    assert [(each["event"], each["plate"]) for each in passages] == [
        ("vehicle_in", "粤B12345"),
        ("vehicle_out", "沪A77120"),
    ]
    assert len(await gateway.get("/passages", site="harbour", limit=1)) == 1


async def test_series_by_hour_and_by_day(gateway: Gateway) -> None:
    await walk(gateway)
    await gateway.becomes("24 00:30")
    await gateway.record("scanner-1", "scan", tag=QUAY)
    await gateway.record("scanner-1", "scan", tag="04FFFFFFFFFFFF")
    by_hour = fits(list[models.Point], await gateway.get("/series/scan", site="harbour"))
    assert [(each["start"], each["what"], each["count"]) for each in by_hour] == [
        ("2026-11-23T10:00:00.000Z", "scanner-1", 2),
        ("2026-11-23T16:00:00.000Z", "scanner-1", 1),
    ]
    by_day = await gateway.get("/series/scan", site="harbour", every="1d")
    assert [(each["start"], each["count"]) for each in by_day] == [
        ("2026-11-22T16:00:00.000Z", 2),
        ("2026-11-23T16:00:00.000Z", 1),
    ]
    refused = await gateway.get("/series/quarantine", site="harbour")
    assert [(each["what"], each["count"]) for each in refused] == [("unknown_tag", 1)]


async def test_the_quarantine(gateway: Gateway) -> None:
    await gateway.publish("harbour/scanner-1/up", b"\xff\x00")
    gateway.clock.at += MINUTE
    await gateway.record("scanner-1", "scan", tag="04FFFFFFFFFFFF")
    entries = fits(list[models.Quarantined], await gateway.get("/quarantine"))
    assert [(each["reason"], each["encoding"], each["device"]) for each in entries] == [
        ("unknown_tag", "utf-8", "scanner-1"),
        ("broken_json", "base64", "scanner-1"),
    ]
    assert '"04FFFFFFFFFFFF"' in entries[0]["payload"] and entries[1]["payload"] == "/wA="
    assert [each["id"] for each in await gateway.get("/quarantine", reason="broken_json")] == [
        entries[1]["id"]
    ]
    assert await gateway.get("/quarantine/reasons") == {"broken_json": 1, "unknown_tag": 1}


async def test_alerts(gateway: Gateway) -> None:
    await gateway.record("gate-east", "gate", event="forced")
    gateway.clock.at += MINUTE
    await gateway.record(
        "scanner-1", "report", category="leak", text="Water", severity="major", checkpoint="quay"
    )
    alerts = fits(list[models.Alert], await gateway.get("/alerts"))
    assert [each["kind"] for each in alerts] == ["report_raised", "gate_forced"]
    assert fits(models.Alert, await gateway.get(f"/alerts/{alerts[1]['id']}")) == alerts[1]
    await gateway.record("gate-east", "gate", event="closed")
    assert [each["kind"] for each in await gateway.get("/alerts", site="harbour", state="open")] == [
        "report_raised"
    ]
    assert len(await gateway.get("/alerts", state=["open", "resolved"])) == 2
    assert len(await gateway.get("/alerts", limit=1)) == 1
    await gateway.get("/alerts/harbour-99", 404)
    await gateway.get("/alerts", 404, site="elsewhere")


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("/rounds", {}, "site", "required"),
    ("/rounds", {"site": "harbour", "from_": "yesterday"}, "from", "not a time like"),
    ("/rounds", {"site": "harbour", "from_": "2026-11-23T10:00:00"}, "from", "no offset"),
    ("/rounds", {"site": "harbour", "to": "2026-11-20T10:00:00Z"}, "to", "before"),
    ("/facts", {"site": "harbour", "from_": "2026-01-01T00:00:00Z"}, "from", "longer than 93 days"),
    ("/facts", {"site": "harbour", "type": "dream"}, "type", "scan"),
    ("/facts", {"site": "harbour", "after": "x"}, "after", "match"),
    ("/facts", {"site": "harbour", "limit": 0}, "limit", "greater"),
    ("/alerts", {"state": "sleeping"}, "state", "acknowledged"),
    ("/series/dreams", {"site": "harbour"}, "measurement", "scan"),
    ("/series/scan", {"site": "harbour", "every": "1min"}, "every", "1h"),
]


async def test_a_wrong_parameter_is_named(gateway: Gateway) -> None:
    for path, query, where, what in WRONG:
        problem = (await gateway.get(path, 422, **query))["detail"][0]
        assert where in problem["loc"] and what in problem["msg"], (path, query)


async def test_an_unknown_site_is_not_found(gateway: Gateway) -> None:
    for path in ("/rounds", "/radio-checks", "/facts", "/passages", "/series/scan"):
        assert "no site" in (await gateway.get(path, 404, site="elsewhere"))["detail"], path
