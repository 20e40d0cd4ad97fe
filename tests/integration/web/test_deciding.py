"""Excuses, silences, and the record of what people did, against a running service."""

from __future__ import annotations

from gateway.instants import rfc3339
from gateway.web import models
from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import HOUR, MINUTE


async def missed(gateway: Gateway) -> str:
    """A round that nobody walked: the id of its occurrence."""
    await gateway.becomes("23 19:30")
    alerts = [each for each in await gateway.get("/alerts") if each["kind"] == "round_missed"]
    found: str = alerts[0]["occurrences"][0]
    return found


async def test_a_shift_leader_excuses_a_round_and_what_was_judged_stays_beside_it(gateway: Gateway) -> None:
    occurrence = await missed(gateway)
    path = f"/sites/harbour/occurrences/{occurrence}/excuse"
    answer = await gateway.post(path, by="wang", note="Sent to a fire alarm")
    models.Occurrence.model_validate({key: answer[key] for key in models.Occurrence.model_fields})
    assert (answer["verdict"], answer["judged"]["verdict"]) == ("excused", "unverified")
    assert (answer["excuse"]["by"], answer["excuse"]["from"]) == ("wang", "127.0.0.1")
    again = await gateway.post(path, 409, by="wang", note="Again")
    assert again["detail"]["state"] == "excused"
    alert = next(each for each in await gateway.get("/alerts") if occurrence in each["occurrences"])
    assert alert["excused"] == [occurrence]


async def test_who_may_not_excuse_is_told_so(gateway: Gateway) -> None:
    occurrence = await missed(gateway)
    path = f"/sites/harbour/occurrences/{occurrence}/excuse"
    for by in ("li", "nobody"):
        answer = await gateway.post(path, 403, by=by, note="I was ill")
        assert "may not excuse" in answer["detail"]
    await gateway.post(path, 422, by="wang", note=" ")
    await gateway.post("/sites/harbour/occurrences/hourly@12345/excuse", 404, by="wang", note="x")
    await gateway.post("/sites/nowhere/occurrences/hourly@12345/excuse", 404, by="wang", note="x")


async def test_a_silence_needs_an_end_an_author_and_a_reason_and_can_be_ended(gateway: Gateway) -> None:
    now = gateway.clock.at
    wanted = {"to": rfc3339(now + HOUR), "by": "wang", "reason": "Painting", "subjects": ["gate-east"]}
    for left_out in ("to", "by", "reason"):
        await gateway.post(
            "/sites/harbour/silences", 422, **{key: value for key, value in wanted.items() if key != left_out}
        )
    for end in (now - MINUTE, now + 31 * 24 * HOUR):
        await gateway.post("/sites/harbour/silences", 422, **wanted | {"to": rfc3339(end)})
    silence = await gateway.post("/sites/harbour/silences", **wanted)
    models.Silence.model_validate(silence)
    await gateway.record("gate-east", "gate", event="forced")
    (alert,) = await gateway.get("/alerts", state="open")
    assert (alert["silenced_by"], alert["told"]) == (silence["id"], [])
    ended = await gateway.post(f"/sites/harbour/silences/{silence['id']}/end", by="wang")
    assert ended["ended_by"] == "wang"
    await gateway.post(f"/sites/harbour/silences/{silence['id']}/end", 409, by="wang")
    await gateway.post("/sites/harbour/silences/harbour-s0/end", 404, by="wang")
    (alert,) = await gateway.get("/alerts", state="open")
    assert alert["silenced_by"] is None


async def test_everything_that_a_person_does_is_recorded_with_who_when_and_from_where(
    gateway: Gateway,
) -> None:
    await gateway.record("gate-east", "gate", event="forced")
    (alert,) = await gateway.get("/alerts", state="open")
    await gateway.post(f"/alerts/{alert['id']}/acknowledge", by="wang")
    await gateway.post(f"/alerts/{alert['id']}/resolve", by="wang", note="Mended")
    actions = await gateway.get("/actions", site="harbour")
    for action in actions:
        models.Action.model_validate(action)
    assert [(each["what"], each["by"], each["from"], each["target"]) for each in actions] == [
        ("resolve", "wang", "127.0.0.1", alert["id"]),
        ("acknowledge", "wang", "127.0.0.1", alert["id"]),
    ]
    assert actions[0]["at"] == rfc3339(gateway.clock.at)
    assert actions[0]["params"] == {"note": "Mended"}


async def test_when_the_gateway_could_not_hear_can_be_asked(gateway: Gateway) -> None:
    assert await gateway.get("/blind") == []
