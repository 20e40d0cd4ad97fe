"""Records that are signed at the desk, against a running service."""

from __future__ import annotations

from gateway.web import models
from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import HARBOUR

DUTY = "  - {id: check, kind: record, by: guard, every: 60min, name: {zh: 检查, en: Check}}\n"


async def test_a_record_is_signed_at_the_desk_stored_and_shown(gateway: Gateway) -> None:
    await gateway.put_plan(HARBOUR + DUTY)
    await gateway.becomes("23 18:10")
    (owed,) = (await gateway.get("/sites/harbour/board"))["records"]
    assert (owed["duty"], owed["verdict"], owed["reason"]["code"]) == ("check", "open", "awaiting_signature")
    taken = await gateway.post(
        "/records",
        site="harbour",
        form="check",
        by="04A1B2C3D4E5F6",
        text="灭火器",
        items=[{"item": "hydrant box", "ok": False}],
    )
    models.Taken.model_validate(taken)
    (record,) = taken["records"]
    assert (record["verdict"], record["reason"]) == (
        "on_time",
        {"code": "signed_abnormal", "params": {"failed": ["hydrant box"]}},
    )
    assert [(each["by"], each["counts"]) for each in record["signatures"]] == [("li", True)]
    assert record in await gateway.get("/records", site="harbour")
    (fact,) = await gateway.get("/facts", site="harbour", type="signature")
    assert (fact["id"], fact["device"], fact["record"]["text"]) == (taken["fact"], "@desk", "灭火器")
    models.Record.model_validate(record)
    assert (await gateway.service.store.verify())[1] == []


async def test_a_page_is_told_of_it(gateway: Gateway) -> None:
    await gateway.put_plan(HARBOUR + DUTY)
    async with gateway.live() as page:
        await page.until("snapshot")
        await gateway.post("/records", site="harbour", form="check", by="li")
        told = await page.until("delta", "records")
        assert "on_time" in [each["verdict"] for each in told["sections"]["records"]]


async def test_a_form_that_no_duty_asks_for_is_kept(gateway: Gateway) -> None:
    taken = await gateway.post("/records", site="harbour", form="incident", by="li", text="x")
    assert taken["records"] == []
    assert [each["id"] for each in await gateway.get("/facts", site="harbour")] == [taken["fact"]]


async def test_what_cannot_be_a_signature_is_not_taken(gateway: Gateway) -> None:
    for said, member in [
        ({"by": "nobody"}, "by"),
        ({"by": "li", "post": "roof"}, "post"),
        ({"by": "li", "form": "No Form"}, "form"),
        ({"by": "li", "items": [{"item": "x"}]}, "items"),
    ]:
        answer = await gateway.post("/records", status=422, **({"site": "harbour", "form": "check"} | said))
        assert answer["detail"][0]["loc"][1] == member
    await gateway.post("/records", status=404, site="nowhere", form="check", by="li")
    assert await gateway.get("/facts", site="harbour") == []
