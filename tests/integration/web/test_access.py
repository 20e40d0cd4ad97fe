"""Tokens at the API, the pages' cookie, and who may call what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from gateway.service import Service
from gateway.settings import SettingsError
from gateway.tokens import RIGHTS, Right, Role
from gateway.web.access import NEEDS, OPEN
from gateway.web.app import create_app
from gateway.web.server import WebServer
from gateway.web.signed_in import COOKIE, FREE_TRIES
from tests.integration.web.gateway_kit import WAIT_S, Gateway
from tests.unit.web.harbour import HARBOUR

SECOND = HARBOUR.replace("site: harbour", "site: marina")


@pytest.fixture
async def secrets(gateway: Gateway) -> dict[str, str]:
    """A token of each role, and one for the marina alone; from now on each call needs one."""
    await gateway.put_plan(SECOND, site="marina")
    made: dict[str, str] = {}
    for role in sorted(Role, key=lambda each: each is not Role.ADMINISTRATOR):
        body = {"name": f"the-{role.replace('_', '-')}", "role": role}
        made[role] = (await gateway.post("/tokens", **body))["token"]
        gateway.http.headers["Authorization"] = f"Bearer {made[Role.ADMINISTRATOR]}"
    made["marina"] = (await gateway.post("/tokens", name="marina", role="manager", sites=["marina"]))["token"]
    del gateway.http.headers["Authorization"]
    return made


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def ask(gateway: Gateway, method: str, path: str, secret: str = "", **how: Any) -> httpx.Response:
    return await gateway.http.request(method, path, headers=bearer(secret) if secret else {}, **how)


async def test_without_any_token_this_machine_may_do_everything(gateway: Gateway) -> None:
    found = await gateway.get("/session")
    assert found == {"required": False, "name": None, "role": "administrator", "sites": None}
    assert (await gateway.get("/sites"))[0]["id"] == "harbour"


async def test_with_the_first_token_nobody_is_served_without(
    gateway: Gateway, secrets: dict[str, str]
) -> None:
    paths = await closed_paths(gateway)
    assert len(paths) > 20
    for method, path in paths:
        answer = await ask(gateway, method, path)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "a token is needed" in answer.json()["detail"]
        assert (await ask(gateway, method, path, "pgt_wrong")).status_code in (401, 429), (method, path)
    assert (await ask(gateway, "GET", "/")).status_code in (200, 503)  # the pages are no secret
    assert (await ask(gateway, "GET", "/api/openapi.json")).status_code == 200


async def closed_paths(gateway: Gateway) -> list[tuple[str, str]]:
    document = (await gateway.http.get("/api/openapi.json")).json()
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in document["paths"].items()
        for method in methods
        if path not in OPEN
    ] + [("GET", "/api/nothing")]


async def test_each_role_may_do_what_the_table_says_and_nothing_else(
    gateway: Gateway, secrets: dict[str, str]
) -> None:
    document = (await gateway.http.get("/api/openapi.json")).json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert set(NEEDS) <= told
    for (method, path), right in NEEDS.items():
        for role in Role:
            # With no body, or one that is wrong, nothing is done; but whether it may be done is said first.
            real = path.replace("{site}", "harbour").replace("{alert}", "harbour-1")
            answer = await ask(gateway, method, real, secrets[role])
            allowed = right in RIGHTS[role]
            assert (answer.status_code != 403) == allowed, (method, path, role, answer.text)
            if not allowed:
                assert str(role) in answer.json()["detail"]


async def test_what_changes_something_and_is_not_in_the_table_is_for_administrators(gateway: Gateway) -> None:
    document = (await gateway.http.get("/api/openapi.json")).json()
    changing = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method != "get" and path not in OPEN
    }
    assert changing <= set(NEEDS), "say in NEEDS who may call it"


async def test_a_token_for_one_site_sees_no_other(gateway: Gateway, secrets: dict[str, str]) -> None:
    await gateway_alert(gateway, secrets)
    marina = secrets["marina"]
    assert [each["id"] for each in (await ask(gateway, "GET", "/api/sites", marina)).json()] == ["marina"]
    assert (await ask(gateway, "GET", "/api/sites/marina/board", marina)).status_code == 200
    assert (await ask(gateway, "GET", "/api/rounds?site=marina", marina)).status_code == 200
    signed = {"site": "harbour", "form": "log", "by": "li"}
    for method, path, how in (
        ("GET", "/api/sites/harbour/board", {}),
        ("GET", "/api/sites/nowhere/board", {}),
        ("GET", "/api/facts?site=harbour", {}),
        ("GET", "/api/facts?site=marina&site=harbour", {}),
        ("GET", "/api/alerts?site=harbour", {}),
        ("GET", "/api/alerts", {}),
        ("GET", "/api/alerts/harbour-1", {}),
        ("POST", "/api/alerts/harbour-1/acknowledge", {"json": {}}),
        ("POST", "/api/records", {"json": signed}),
        ("GET", "/api/notices", {}),
        ("POST", "/api/quarantine/replay", {}),
        ("GET", "/api/quarantine/reasons", {}),
        ("PUT", "/api/sites/harbour/plan", {"content": HARBOUR}),
    ):
        answer = await ask(gateway, method, path, marina, **how)
        assert answer.status_code == 403, (method, path, answer.text)
        assert "'marina' is not for" in answer.json()["detail"]
    await gateway.publish("harbour/scanner-1/up", "not json")
    await gateway.publish("nowhere/scanner-1/up", "not json")
    assert (await ask(gateway, "GET", "/api/quarantine", marina)).json() == []
    assert len((await ask(gateway, "GET", "/api/quarantine", secrets["auditor"])).json()) == 2


async def gateway_alert(gateway: Gateway, secrets: dict[str, str]) -> None:
    await gateway.record("gate-east", "gate", event="forced")
    found = await ask(gateway, "GET", "/api/alerts/harbour-1", secrets["auditor"])
    assert found.status_code == 200


async def test_what_is_done_is_done_in_the_name_of_the_token(
    gateway: Gateway, secrets: dict[str, str]
) -> None:
    await gateway_alert(gateway, secrets)
    answer = await ask(
        gateway,
        "POST",
        "/api/alerts/harbour-1/acknowledge",
        secrets["operator"],
        json={"by": "somebody-else"},
    )
    assert answer.json()["history"][-1]["by"] == "the-operator"
    acts = (await ask(gateway, "GET", "/api/actions?site=harbour", secrets["auditor"])).json()
    assert acts[0]["by"] == "the-operator"


async def test_a_revoked_token_counts_no_more_and_the_last_one_opens_nothing(
    gateway: Gateway, secrets: dict[str, str]
) -> None:
    administrator = secrets["administrator"]
    revoked = await ask(gateway, "POST", "/api/tokens/the-auditor/revoke", administrator)
    assert revoked.json()["revoked_by"] == "the-administrator"
    assert (await ask(gateway, "GET", "/api/sites", secrets["auditor"])).status_code == 401
    again = await ask(gateway, "POST", "/api/tokens/the-auditor/revoke", administrator)
    assert (again.status_code, again.json()["detail"]) == (409, "there is no token 'the-auditor'")
    tokens = (await ask(gateway, "GET", "/api/tokens", administrator)).json()
    for name in [
        each["name"] for each in tokens if each["revoked_at"] is None and each["role"] != "administrator"
    ]:
        await ask(gateway, "POST", f"/api/tokens/{name}/revoke", administrator)
    await ask(gateway, "POST", "/api/tokens/the-administrator/revoke", administrator)
    assert (await ask(gateway, "GET", "/api/sites")).status_code == 401
    assert (await ask(gateway, "GET", "/api/sites", administrator)).status_code in (401, 429)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "Wang JG"}, "small letters"),
        ({"name": "the-auditor"}, "already"),
        ({"name": "x", "sites": ["No Site"]}, "no id of a site"),
        ({"name": "x", "role": "administrator", "sites": ["marina"]}, "for all sites"),
    ],
)
async def test_a_token_that_cannot_be_made_says_why(
    gateway: Gateway, secrets: dict[str, str], wrong: dict[str, Any], words: str
) -> None:
    body = {"role": "auditor"} | wrong
    answer = await ask(gateway, "POST", "/api/tokens", secrets["administrator"], json=body)
    assert answer.status_code == 409 and words in answer.json()["detail"]


# -- pages


@pytest.fixture
async def page(gateway: Gateway, secrets: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has signed in as the operator."""
    origin = {"Origin": gateway.server.url}
    async with httpx.AsyncClient(base_url=gateway.server.url, headers=origin, timeout=WAIT_S) as http:
        assert (await http.get("/api/session")).status_code == 401
        answer = await http.post("/api/session", json={"token": secrets["operator"]})
        assert answer.json() == {"required": True, "name": "the-operator", "role": "operator", "sites": None}
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"{COOKIE}=") and "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert secrets["operator"] not in cookie
        yield http


async def test_a_page_signs_in_acts_and_signs_out(gateway: Gateway, page: httpx.AsyncClient) -> None:
    await gateway.record("gate-east", "gate", event="forced")
    assert (await page.get("/api/session")).json()["name"] == "the-operator"
    done = await page.post("/api/alerts/harbour-1/acknowledge", json={})
    assert done.json()["history"][-1]["by"] == "the-operator"
    kept = dict(page.cookies)
    assert (await page.delete("/api/session")).status_code == 204
    page.cookies.update(kept)  # somebody had copied it
    assert (await page.get("/api/sites")).status_code == 401


async def test_a_cookie_alone_does_nothing(gateway: Gateway, page: httpx.AsyncClient) -> None:
    """What another page makes a browser send has that page's Origin; what a program sends has none."""
    await gateway.record("gate-east", "gate", event="forced")
    path = "/api/alerts/harbour-1/acknowledge"
    other = await page.post(path, json={}, headers={"Origin": "https://evil.example"})
    assert (other.status_code, other.json()["detail"]) == (403, "a page of another origin may not act here")
    del page.headers["Origin"]
    none = await page.post(path, json={})
    assert none.status_code == 403 and "Origin" in none.json()["detail"]
    assert (await page.get("/api/alerts/harbour-1")).json()["state"] == "open"


async def test_pages_stay_signed_in_over_a_restart(gateway: Gateway, page: httpx.AsyncClient) -> None:
    app = create_app(gateway.service)  # reads what the other one wrote
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", cookies=page.cookies
    ) as http:
        http.cookies = httpx.Cookies({COOKIE: page.cookies[COOKIE]})
        assert (await http.get("/api/session")).json()["name"] == "the-operator"
    kept = gateway.service.settings.data / "pages-signed-in.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert page.cookies[COOKIE] not in kept.read_text()
    app.state.live.close()


async def test_a_page_that_was_not_seen_for_a_month_must_sign_in_again(
    gateway: Gateway, page: httpx.AsyncClient
) -> None:
    gateway.clock.at += 29 * 86_400_000
    assert (await page.get("/api/session")).status_code == 200
    gateway.clock.at += 29 * 86_400_000
    assert (await page.get("/api/session")).status_code == 200
    gateway.clock.at += 31 * 86_400_000
    assert (await page.get("/api/session")).status_code == 401


async def test_too_many_wrong_tokens_from_an_address_must_wait(
    gateway: Gateway, secrets: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(FREE_TRIES):
        assert (await ask(gateway, "POST", "/api/session", json={"token": "pgt_guess"})).status_code == 401
    refused = await ask(gateway, "POST", "/api/session", json={"token": "pgt_guess"})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    right = await ask(gateway, "POST", "/api/session", json={"token": secrets["operator"]})
    assert right.status_code == 429  # not even a right one is looked at
    assert (await ask(gateway, "GET", "/api/sites", secrets["operator"])).status_code == 200  # programs go on
    metrics = (await ask(gateway, "GET", "/metrics", secrets["auditor"])).text
    assert f"patrol_wrong_tokens_total {FREE_TRIES + 1}.0" in metrics
    assert "a wrong token was shown from 127.0.0.1" in caplog.text
    assert "pgt_guess" not in caplog.text


# -- the live stream


async def closed_with(url: str, headers: dict[str, str]) -> int:
    async with websockets.connect(url, proxy=None, additional_headers=headers) as ws:
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await ws.recv()
        assert ws.close_code is not None
        return ws.close_code


async def test_the_live_stream_asks_who_listens(gateway: Gateway, secrets: dict[str, str]) -> None:
    url = f"ws://127.0.0.1:{gateway.server.port}/api/live?site=harbour"
    assert await closed_with(url, {}) == 4401
    assert await closed_with(url, bearer("pgt_wrong")) == 4401
    assert await closed_with(url, bearer(secrets["marina"])) == 4403
    async with websockets.connect(url, proxy=None, additional_headers=bearer(secrets["auditor"])) as ws:
        assert json.loads(await ws.recv())["type"] == "hello"
        await ask(gateway, "POST", "/api/tokens/the-auditor/revoke", secrets["administrator"])
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await ws.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


async def test_a_page_listens_with_its_cookie_and_its_origin(
    gateway: Gateway, page: httpx.AsyncClient
) -> None:
    url = f"ws://127.0.0.1:{gateway.server.port}/api/live?site=harbour"
    cookie = {"Cookie": f"{COOKIE}={page.cookies[COOKIE]}"}
    assert await closed_with(url, cookie) == 4403
    async with websockets.connect(
        url, proxy=None, additional_headers=cookie | {"Origin": gateway.server.url}
    ) as ws:
        assert json.loads(await ws.recv())["type"] == "hello"
        await page.delete("/api/session")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await ws.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


# -- what anybody is told


async def test_health_tells_anybody_whether_and_those_with_a_token_why(
    gateway: Gateway, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.service, "clockwork_problem", lambda: "the engine has stopped")
    anybody = await ask(gateway, "GET", "/api/health")
    assert (anybody.status_code, anybody.json()["clockwork"]) == (503, "failing")
    known = await ask(gateway, "GET", "/api/health", secrets["auditor"])
    assert (known.status_code, known.json()["clockwork"]) == (503, "the engine has stopped")
    assert (await ask(gateway, "GET", "/metrics")).status_code == 401


# -- beyond this machine


async def test_only_this_machine_is_served_until_there_is_a_token(gateway: Gateway) -> None:
    transport = httpx.ASGITransport(create_app(gateway.service), client=("192.0.2.7", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
        refused = await elsewhere.get("/api/sites")
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            "until a token is made only this machine itself is served",
        )
        secret = (await gateway.post("/tokens", name="a", role="auditor"))["token"]
        assert (await elsewhere.get("/api/sites", headers=bearer(secret))).status_code == 200


async def test_other_addresses_are_refused_at_the_start_until_there_is_a_token(
    gateway: Gateway, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    settings = replace(
        gateway.service.settings, http="0.0.0.0:0", data=elsewhere, database=f"sqlite:///{elsewhere}/p.sqlite"
    )
    with pytest.raises(SettingsError, match=r"no token yet.*token create --name NAME --role administrator"):
        async with Service(settings):
            pass
    inside = replace(settings, http="127.0.0.1:0")
    async with Service(inside) as service:
        _, row = service.tokens.make("a", "administrator", (), service.clock.now(), "", "")
        await service.keep(row)
    async with Service(settings) as service:
        server = WebServer(service, "0.0.0.0", 0)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get("/api/sites")).status_code == 401
        await server.close()


def test_roles_are_a_ladder() -> None:
    steps = [RIGHTS[role] for role in Role]
    assert all(lower < higher for lower, higher in pairwise(steps))
    assert steps[0] == {Right.READ} and steps[-1] == set(Right)
