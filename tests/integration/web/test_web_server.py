"""The server around the routes: headers, refusals, pages, health, metrics, the port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.service import ServiceError
from gateway.store.port import StoreError
from gateway.web import models
from gateway.web.app import create_app
from gateway.web.guard import LARGEST_BODY, POLICY
from gateway.web.pages import Pages
from gateway.web.server import WebServer
from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import HARBOUR, QUAY


async def test_every_answer_has_the_security_headers(gateway: Gateway) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/api/health"),
        ("GET", "/api/sites/elsewhere/board"),
        ("GET", "/api/rounds"),
        ("GET", "/assets/none.js"),
        ("GET", "/api/docs"),
        ("GET", "/metrics"),
        ("DELETE", "/api/sites"),
        ("POST", "/anything"),
    ):
        answer = await gateway.http.request(method, path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


async def test_only_by_its_own_names(gateway: Gateway) -> None:
    port = gateway.server.port
    for host, status in (
        (f"localhost:{port}", 200),
        (f"127.0.0.1:{port}", 200),
        (f"[::1]:{port}", 200),
        (f"{socket.gethostname()}:{port}", 200),
        (f"evil.example:{port}", 400),
        ("localhost.evil.example", 400),
        ("[::1", 400),
        ("", 400),
    ):
        answer = await gateway.http.get("/api/sites", headers={"Host": host})
        assert answer.status_code == status, host


async def test_no_form_and_no_other_origin_acts_here(gateway: Gateway) -> None:
    for headers, status in (
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain;charset=utf-8"}, 415),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": gateway.server.url}, 200),
        ({}, 200),
    ):
        answer = await gateway.http.post("/api/quarantine/replay", headers=headers)
        assert answer.status_code == status, headers


async def test_bodies_have_a_limit(gateway: Gateway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 1000 + 2):
            yield b" " * 1000

    url, json_type = "/api/alerts/x/note", {"Content-Type": "application/json"}
    told = await gateway.http.post(url, content=b" " * (LARGEST_BODY + 1), headers=json_type)
    assert told.status_code == 413 and "65,536" in told.json()["detail"]
    untold = await gateway.http.post(url, content=pieces(), headers=json_type)
    assert untold.status_code == 413
    large = HARBOUR + "# " + "x" * 200_000 + "\n"
    assert (await gateway.put_plan(large))["version"] == 2


async def test_pages(gateway: Gateway, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>the board</p>", "utf-8")
    (folder / "assets" / "app-1.js").write_text("1", "utf-8")
    (folder / "icon.svg").write_text("<svg/>", "utf-8")
    (folder / "build.json").write_text('{"build": "b-7"}', "utf-8")
    app = create_app(gateway.service, pages=Pages.load(folder))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        for path in ("/", "/alerts/harbour-12", "/favicon.ico", "/../../etc/passwd"):
            index = await http.get(path)
            assert (index.status_code, index.text) == (200, "<p>the board</p>"), path
            assert index.headers["cache-control"] == "no-cache"
        fresh = await http.get("/", headers={"If-None-Match": index.headers["etag"]})
        assert (fresh.status_code, fresh.content) == (304, b"")
        asset = await http.get("/assets/app-1.js")
        assert asset.headers["content-type"].startswith("text/javascript")
        assert "immutable" in asset.headers["cache-control"]
        icon = await http.get("/icon.svg")
        assert icon.headers["content-type"] == "image/svg+xml" and icon.headers["cache-control"] == "no-cache"
        for path in ("/assets/app-0.js", "/assets/", "/api/nothing", "/api"):
            missing = await http.get(path)
            assert missing.status_code == 404 and "there is no" in missing.json()["detail"], path
        assert (await http.post("/")).status_code == 405
        assert (await http.head("/")).status_code == 200
        assert (await http.get("/api/health")).json()["build"] == "b-7"
    app.state.live.close()


async def test_pages_that_were_not_built(gateway: Gateway, tmp_path: Path) -> None:
    app = create_app(gateway.service, pages=Pages.load(tmp_path / "nothing"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        page = await http.get("/")
        assert page.status_code == 503 and "hatch_build.py build" in page.text
        assert (await http.get("/api/health")).json()["build"] == "none"
    app.state.live.close()


async def test_health(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    well = await gateway.get("/health")
    models.Health.model_validate(well)
    assert (well["status"], well["store"], well["broker"], well["clockwork"]) == ("ok", "ok", "ok", "ok")

    monkeypatch.setattr(gateway.service, "clockwork_problem", lambda: "the engine has stopped")
    ill = await gateway.get("/health", 503)
    models.Health.model_validate(ill)
    assert (ill["status"], ill["store"], ill["clockwork"]) == ("failing", "ok", "the engine has stopped")
    monkeypatch.undo()

    async def fail(site: str) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(gateway.service.store, "last_alert", fail)
    assert (await gateway.get("/health", 503))["store"] == "the disk is full"
    monkeypatch.undo()
    gateway.service.engine.store_error = "cannot write"
    assert (await gateway.get("/health", 503))["store"] == "cannot write"
    gateway.service.engine.store_error = None


async def test_a_store_that_fails_is_told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object, **options: object) -> list[object]:
        raise StoreError("the disk is full")

    monkeypatch.setattr(gateway.service.store, "alerts", fail)
    assert (await gateway.get("/alerts", 503))["detail"] == "the disk is full"


async def test_metrics(gateway: Gateway) -> None:
    await gateway.record("scanner-1", "scan", tag=QUAY)
    await gateway.record("scanner-1", "scan", tag="04FFFFFFFFFFFF")
    await gateway.record("gate-east", "gate", event="forced")
    await gateway.publish("harbour/gate-east/state", '{"online": true}')
    answer = await gateway.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert all(family.documentation for family in families.values())
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["patrol_records_total", "stored"] == 2
    assert samples["patrol_records_total", "state"] == 1
    assert samples["patrol_records_total", "refused"] == 1
    assert samples["patrol_refused_total", "unknown_tag"] == 1
    assert samples["patrol_alerts", "gate_forced", "critical"] == 1
    assert samples["patrol_devices", "online"] == 2  # the scanner was heard, the gate says so
    assert samples["patrol_sites",] == 1
    assert samples["patrol_mqtt_connections",] == 1
    assert samples["patrol_mqtt_messages_total", "in"] == 4
    assert samples["patrol_commits_total",] >= 4
    assert samples["patrol_store_failing",] == 0
    assert samples["patrol_inbox_deliveries",] == 0
    assert samples["patrol_deadline_lag_seconds",] == 0
    assert "process_resident_memory_bytes" in families


async def test_a_busy_port_says_what_to_do(gateway: Gateway) -> None:
    second = WebServer(gateway.service, "127.0.0.1", gateway.server.port)
    with pytest.raises(ServiceError, match="another program uses this port"):
        await second.start()
    await second.close()
    nowhere = WebServer(gateway.service, "no-such-host.invalid", 0)
    with pytest.raises(ServiceError, match="PATROL_HTTP"):
        await nowhere.start()
    await nowhere.close()


async def test_closing_waits_for_nobody(gateway: Gateway) -> None:
    """A connection that was opened and says nothing, and a request that is not finished."""
    _, idle = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    _, half = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    half.write(b"PUT /api/sites/harbour/plan HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/yaml\r\n")
    half.write(b"Content-Length: 100\r\n\r\nsite")
    await gateway.get("/health")
    async with asyncio.timeout(2):
        await gateway.server.close()
    idle.close()
    half.close()
