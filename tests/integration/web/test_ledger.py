"""The gate ledger and its register over the API of a running service."""

from __future__ import annotations

from gateway.domain.calendar import FOREVER
from gateway.instants import rfc3339
from gateway.register import read_authorities
from gateway.web import ledger_models as models
from tests.integration.web.gateway_kit import Gateway, Json
from tests.unit.web.harbour import HOUR, MINUTE

SITE = "/sites/harbour"
CAR, OTHER = "粤B12345", "粤B99999"


async def passes(gateway: Gateway, way: str, plate: str, cause: str = "plate", **members: object) -> None:
    """A vehicle goes through the east gate."""
    known = {"lane": way, "plate": plate}
    await gateway.record("gate-east", "gate", event="opened", cause=cause, **known)
    gateway.clock.at += 5_000
    await gateway.record("gate-east", "gate", event=f"vehicle_{way}", **known, **members)
    gateway.clock.at += 5_000
    await gateway.record("gate-east", "gate", event="closed", lane=way)


async def issue(gateway: Gateway, kind: str, status: int = 200, **said: object) -> Json:
    answer: Json = await gateway.post(f"{SITE}/authorities", status, kind=kind, by="wang", **said)
    return answer


async def test_a_resident_comes_and_goes_and_the_ledger_balances(gateway: Gateway) -> None:
    resident = await issue(gateway, "resident", plate="粤b·12345", holder="张伟")
    models.Authority.model_validate(resident)
    assert (resident["plate"], resident["to"]) == (CAR, None)
    gateway.clock.at += MINUTE
    await passes(gateway, "in", CAR)
    gateway.clock.at += HOUR
    await passes(gateway, "out", CAR)
    await gateway.becomes("23 20:00")
    ledger = await gateway.get(f"{SITE}/ledger")
    models.Ledger.model_validate(ledger)
    assert ledger["leftovers"] == []
    assert [each["authority"]["id"] for each in ledger["openings"]] == [resident["id"]] * 2
    assert [each["state"] for each in ledger["stays"]] == ["left"]
    assert ledger["totals"]["exits"]["matched"] == 1
    assert (await gateway.get(f"{SITE}/ledger", lane="east/in"))["totals"]["passages"]["total"] == 1
    assert (await gateway.get(f"{SITE}/ledger", lane="west"))["passages"] == []


async def test_what_is_left_over_is_listed_for_the_shift_and_can_be_explained(gateway: Gateway) -> None:
    await passes(gateway, "in", OTHER)
    await gateway.record("gate-east", "gate", event="manual_open", lane="in")
    await gateway.becomes("23 18:20")
    left = await gateway.get(f"{SITE}/ledger/leftovers")
    models.Leftovers.model_validate(left)
    codes = {each["code"]: each for each in left["leftovers"]}
    assert set(codes) == {"no_authority", "nobody_passed", "unexplained_opening"}
    assert (codes["no_authority"]["state"], codes["nobody_passed"]["state"]) == ("final", "unverified")
    assert (codes["nobody_passed"]["reason"], left["inside"]) == ("no_proof", 1)
    leftover = codes["unexplained_opening"]["id"]
    path = f"{SITE}/ledger/leftovers/{leftover}/explain"
    explained = await gateway.post(path, by="wang", note="Let the ambulance out")
    assert explained["explained"]["note"] == "Let the ambulance out"
    await gateway.post(f"{SITE}/ledger/leftovers/nobody_passed@x/b/1/explain", 404, by="wang", note="x")
    await gateway.post(path, 422, by="wang", note=" ")
    again = await gateway.get(f"{SITE}/ledger/leftovers")
    assert again["totals"]["leftovers"]["explained"] == 1
    # It stays on the list, also when the site is made again from the store.
    desk = gateway.service.engine.desks["harbour"]

    async def rebuild(work: object) -> None:
        await gateway.service.engine.rebuild("harbour", desk.plans, work, gateway.clock.at)  # type: ignore[arg-type]

    await gateway.service.engine.change(rebuild)
    assert (await gateway.get(f"{SITE}/ledger/leftovers"))["leftovers"] == again["leftovers"]


async def test_the_register_says_what_is_missing_and_gives_numbers(gateway: Gateway) -> None:
    end = rfc3339(gateway.clock.at + HOUR)
    for kind, said, member in (
        ("resident", {}, "plate"),
        ("visitor", {"plate": CAR, "to": end}, "host"),
        ("visitor", {"plate": CAR, "host": "3-1201"}, "to"),
        ("visitor", {"plate": CAR, "host": "3-1201", "to": "soon"}, "to"),
        ("visitor", {"plate": CAR, "host": "3-1201", "to": rfc3339(gateway.clock.at - HOUR)}, "to"),
        ("visitor", {"plate": CAR, "host": "3-1201", "to": rfc3339(gateway.clock.at + 40 * 24 * HOUR)}, "to"),
        ("swap", {"plate": CAR, "note": "Garage", "to": end}, "card"),
        ("pass", {"plate": "x" * 60, "to": end}, "plate"),
        ("slip", {"to": end}, "goods"),
        ("id_record", {"plate": CAR, "to": end, "note": "ID seen"}, "holder"),
    ):
        problem = await issue(gateway, kind, 422, **said)
        assert problem["detail"][0]["loc"] == ["body", member], (kind, problem)
    slip = await issue(gateway, "slip", goods="Sofa", to=end)
    assert slip["number"].startswith("S-")
    await issue(gateway, "slip", 409, goods="Chair", to=end, number=slip["number"].lower())
    ended = await gateway.post(f"{SITE}/authorities/{slip['id']}/revoke", by="wang")
    assert ended["revoked_by"] == "wang"
    await gateway.post(f"{SITE}/authorities/{slip['id']}/revoke", 409, by="wang")
    await gateway.post(f"{SITE}/authorities/none/revoke", 404, by="wang")
    gateway.clock.at += MINUTE
    assert (await issue(gateway, "slip", goods="Chair", to=end, number=slip["number"]))["goods"] == "Chair"
    assert len(await gateway.get(f"{SITE}/authorities", kind="slip")) == 1
    assert len(await gateway.get(f"{SITE}/authorities", ended="true")) == 2


async def test_the_register_is_read_back_from_what_people_did(gateway: Gateway) -> None:
    end = rfc3339(gateway.clock.at + HOUR)
    await issue(gateway, "resident", plate=CAR, card="04:aa:bb")
    visit = await issue(gateway, "visitor", plate=OTHER, host="3-1201", to=end)
    await gateway.post(f"{SITE}/authorities/{visit['id']}/revoke", by="wang")
    kept = sorted(gateway.service.engine.desks["harbour"].watch.ledger.register, key=lambda each: each.id)
    read = await read_authorities(gateway.service.store, "harbour", gateway.clock.at - HOUR)
    assert sorted(read, key=lambda each: each.id) == kept
    assert {each.end == FOREVER for each in read} == {True, False}
    whats = [each["what"] for each in await gateway.get("/actions", site="harbour")]
    assert whats == ["revoke_visitor", "issue_visitor", "issue_resident"]


async def test_dangerous_goods_without_consent_and_a_swapped_car_are_alerts(gateway: Gateway) -> None:
    await issue(gateway, "resident", plate=CAR)
    gateway.clock.at += MINUTE
    await passes(gateway, "in", CAR, vehicle="dangerous")
    (alert,) = await gateway.get("/alerts", state="open")
    assert (alert["kind"], alert["subject"], alert["severity"]) == ("no_consent", CAR, "critical")
    assert alert["reason"]["params"] == {"lane": "east/in", "plate": CAR, "vehicle": "dangerous"}
    await gateway.record("gate-east", "gate", event="opened", lane="in", cause="plate")
    await gateway.record(
        "gate-east", "gate", event="vehicle_in", lane="in", plate="粤B11111", **{"pass": "T1"}
    )
    gateway.clock.at += MINUTE
    await gateway.record("gate-east", "gate", event="opened", lane="out", cause="plate")
    await gateway.record("gate-east", "gate", event="vehicle_out", lane="out", plate=OTHER, **{"pass": "T1"})
    swapped = (await gateway.get("/alerts", state="open"))[0]
    assert (swapped["kind"], swapped["subject"]) == ("car_swapped", OTHER)
    # A late record: the other car had come in by then on this ticket, and the first one had left before.
    late = rfc3339(gateway.clock.at - 30_000)
    for event, plate, lane in (("vehicle_out", "粤B11111", "out"), ("vehicle_in", OTHER, "in")):
        members = {"lane": lane, "plate": plate, "at": late, "pass": "T1"}
        await gateway.record("gate-east", "gate", event=event, **members)
    found = await gateway.get(f"/alerts/{swapped['id']}")
    assert found["state"] == "withdrawn"


async def test_a_range_that_is_not_in_memory_is_made_again_from_the_store(gateway: Gateway) -> None:
    await issue(gateway, "resident", plate=CAR)
    gateway.clock.at += MINUTE
    await passes(gateway, "in", CAR)
    begin, end = rfc3339(gateway.clock.at - HOUR), rfc3339(gateway.clock.at + HOUR)
    gateway.clock.at += HOUR
    now = await gateway.get(f"{SITE}/ledger", from_=begin, to=end)
    gateway.clock.at += 20 * 24 * HOUR
    later = await gateway.get(f"{SITE}/ledger", from_=begin, to=end)
    for part in ("openings", "passages", "leftovers", "totals"):
        assert later[part] == now[part]
    await gateway.get(f"{SITE}/ledger", 422, from_=begin, to=rfc3339(gateway.clock.at))


async def test_everything_stands_on_one_timeline(gateway: Gateway) -> None:
    await gateway.record("scanner-1", "scan", tag="04DE5F1EACC040", guard="li")
    gateway.clock.at += 1_000
    await gateway.record("console-1", "radio", post="east", outcome="answered", by="wang")
    gateway.clock.at += 1_000
    await issue(gateway, "resident", plate=CAR)
    gateway.clock.at += 1_000
    await gateway.record("gate-east", "gate", event="forced", lane="in")
    timeline = await gateway.get(f"{SITE}/timeline")
    for moment in timeline:
        models.Moment.model_validate(moment)
    assert [(each["kind"], each["what"], each["subject"]) for each in timeline] == [
        ("scan", "scan", "quay"),
        ("radio", "answered", "east"),
        ("act", "issue_resident", timeline[2]["ref"]),
        ("alert", "gate_forced", "gate-east"),
        ("gate", "forced", "in"),
    ]
    assert len(await gateway.get(f"{SITE}/timeline", limit=2)) == 2
