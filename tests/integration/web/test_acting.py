"""The routes that change something, against a running service."""

from __future__ import annotations

import asyncio

from gateway.instants import rfc3339
from gateway.web import models
from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import HARBOUR, local


async def forced(gateway: Gateway) -> str:
    """An alert that is open; its id."""
    await gateway.record("gate-east", "gate", event="forced")
    alerts = await gateway.get("/alerts", state="open")
    found: str = alerts[0]["id"]
    return found


async def test_acknowledge_note_and_resolve(gateway: Gateway) -> None:
    alert = await forced(gateway)
    answer = await gateway.post(f"/alerts/{alert}/acknowledge", by=" wang-jg ")
    models.Alert.model_validate(answer)
    assert (answer["state"], answer["history"][-1]["what"], answer["history"][-1]["by"]) == (
        "acknowledged",
        "acknowledged",
        "wang-jg",
    )
    again = await gateway.post(f"/alerts/{alert}/acknowledge", 409, by="wang-jg")
    assert again["detail"] == {"state": "acknowledged", "message": "the alert is acknowledged"}
    await gateway.post(f"/alerts/{alert}/note", by="wang-jg", note="On my way")
    answer = await gateway.post(f"/alerts/{alert}/resolve", by="wang-jg", note="A lorry backed into it")
    assert answer["state"] == "resolved" and answer["closed_at"] == rfc3339(gateway.clock.at)
    assert await gateway.get(f"/alerts/{alert}") == answer
    await gateway.post(f"/alerts/{alert}/resolve", 409, by="wang-jg", note="Again")
    answer = await gateway.post(f"/alerts/{alert}/note", by="li", note="Seen")
    assert [each["what"] for each in answer["history"]] == [
        "opened",
        "acknowledged",
        "noted",
        "resolved",
        "noted",
    ]


async def test_an_act_needs_a_name_and_some_a_note(gateway: Gateway) -> None:
    alert = await forced(gateway)
    for action, body, where in (
        ("acknowledge", {"by": ""}, "by"),
        ("acknowledge", {"by": "  "}, "by"),
        ("acknowledge", {"by": "x" * 65}, "by"),
        ("note", {"by": "li"}, "note"),
        ("note", {"by": "li", "note": "x" * 2001}, "note"),
        ("note", {"by": "li", "note": "x", "more": 1}, "more"),
    ):
        answer = await gateway.post(f"/alerts/{alert}/{action}", 422, **body)
        assert where in answer["detail"][0]["loc"], (action, body)
    for action in ("acknowledge", "resolve", "note"):
        await gateway.post(f"/alerts/harbour-99/{action}", 404, by="li", note="x")


async def test_a_tag_is_enrolled_and_what_was_refused_becomes_a_fact(gateway: Gateway) -> None:
    await gateway.record("scanner-1", "scan", tag="04FFFFFFFFFFFF")
    await gateway.publish("harbour/scanner-1/up", "{")
    assert await gateway.post("/quarantine/replay") == {"mended": 0, "left": 2}
    gateway.clock.at += 1000
    enrolled = HARBOUR.replace('["04DE5F1EACC041"]', '["04DE5F1EACC041", "04FFFFFFFFFFFF"]')
    assert await gateway.put_plan(enrolled) == {
        "site": "harbour",
        "version": 2,
        "holds_from": rfc3339(gateway.clock.at),
    }
    answer = await gateway.http.post("/api/quarantine/replay", params={"reason": "unknown_tag"})
    assert answer.json() == {"mended": 1, "left": 0}
    assert [each["id"] for each in await gateway.get("/facts", site="harbour")] == ["scanner-1/b1/1"]
    assert [each["reason"] for each in await gateway.get("/quarantine")] == ["broken_json"]


async def test_a_plan_takes_effect_when_it_says(gateway: Gateway) -> None:
    renamed = HARBOUR.replace("The Harbour", "New Harbour")
    begins = rfc3339(local("23 20:00"))
    assert (await gateway.put_plan(renamed, from_=begins))["holds_from"] == begins
    assert (await gateway.get("/sites"))[0]["plan_version"] == 1
    early = await gateway.put_plan(HARBOUR, status=422, from_=rfc3339(local("23 19:00")))
    assert "version 2 takes effect at" in early["detail"][0]["msg"]
    assert (await gateway.put_plan(renamed, from_=begins))["version"] == 3
    await gateway.becomes("23 20:00")
    site = (await gateway.get("/sites"))[0]
    assert (site["plan_version"], site["name"]["en"]) == (3, "New Harbour")
    past = await gateway.put_plan(HARBOUR, status=422, from_=rfc3339(local("23 19:59")))
    assert past["detail"][0]["loc"] == ["query", "from"] and "in the past" in past["detail"][0]["msg"]
    stored = await gateway.service.store.plans()
    assert [(row.version, row.body == renamed) for row in stored] == [(1, False), (2, True), (3, True)]


async def test_a_new_site(gateway: Gateway) -> None:
    text = HARBOUR.replace("site: harbour", "site: marina")
    assert (await gateway.put_plan(text, "marina"))["version"] == 1
    assert [each["id"] for each in await gateway.get("/sites")] == ["harbour", "marina"]
    await gateway.record("scanner-1", "status", site="marina", buffered=0, high_seq=1)
    board = await gateway.get("/sites/marina/board")
    assert board["devices"][0]["heard_until"] == rfc3339(gateway.clock.at)


async def test_a_wrong_site_file_is_told_line_by_line(gateway: Gateway) -> None:
    wrong = HARBOUR.replace("route: quays, every", "route: nowhere, every").replace(
        "kind: console}", "kind: drum}"
    )
    problems = (await gateway.put_plan(wrong, status=422))["detail"]
    assert [(each["line"], each["loc"][0]) for each in problems] == [
        (number, "body")
        for number, line in enumerate(wrong.splitlines(), 1)
        if "nowhere" in line or "drum" in line
    ]
    assert "nowhere" in problems[1]["msg"]
    other = await gateway.put_plan(HARBOUR, "marina", 422)
    assert other["detail"][0]["loc"] == ["body", "site"]
    assert (await gateway.put_plan(b"\xff", status=422))["detail"][0]["line"] == 1
    assert len(await gateway.service.store.plans()) == 1


async def test_a_plan_is_sent_as_yaml(gateway: Gateway) -> None:
    for content_type, status in (
        ("application/json", 415),
        ("text/plain", 415),
        ("text/yaml; charset=utf-8", 200),
    ):
        headers = {"Content-Type": content_type}
        answer = await gateway.http.put("/api/sites/harbour/plan", content=HARBOUR, headers=headers)
        assert answer.status_code == status, content_type


async def test_two_plans_at_once_are_two_versions(gateway: Gateway) -> None:
    answers = await asyncio.gather(*(gateway.put_plan(HARBOUR) for _ in range(3)))
    assert sorted(each["version"] for each in answers) == [2, 3, 4]


async def test_one_who_does_not_say_who_is_kept_as_anonymous(gateway: Gateway) -> None:
    alert = await forced(gateway)
    answered = await gateway.http.post(f"/api/alerts/{alert}/acknowledge")
    assert answered.status_code == 200
    assert answered.json()["history"][-1]["by"] == "anonymous"
