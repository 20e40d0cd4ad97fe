"""The OpenAPI document: complete, and kept by every route that reads."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.web.gateway_kit import Gateway
from tests.unit.web.harbour import QUAY

CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


async def something_of_everything(gateway: Gateway) -> None:
    """Facts of each kind, alerts, and something that was refused."""
    await gateway.record("scanner-1", "scan", tag=QUAY, guard="li")
    await gateway.record("scanner-1", "scan", tag="04FFFFFFFFFFFF")
    await gateway.record("scanner-1", "report", category="leak", text="Water", severity="major")
    await gateway.record("console-1", "radio", post="east", outcome="no_answer")
    await gateway.record("gate-east", "gate", event="vehicle_in", plate="粤B12345")
    await gateway.record("gate-east", "gate", event="forced")
    await gateway.post("/sites/harbour/authorities", kind="resident", by="wang", plate="粤B12345")
    await gateway.record("gate-east", "gate", event="opened", cause="plate", plate="粤B12345")
    await gateway.record("gate-east", "gate", event="vehicle_out", plate="粤B12345", vehicle="car")
    await gateway.record("gate-east", "gate", event="manual_open", by="li", note="Ambulance")
    await gateway.record("gate-east", "status", buffered=0, high_seq=6)
    await gateway.becomes("23 23:40")


async def test_the_routes_that_read_keep_their_word(gateway: Gateway) -> None:
    await something_of_everything(gateway)
    schema = schemathesis.openapi.from_dict(await gateway.get("/openapi.json")).include(method="GET")

    def keep_their_word() -> None:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)

            @settings(
                max_examples=6,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(found.ok().as_strategy(), st.booleans())
            def check(case: Any, real: bool) -> None:
                for place in (case.path_parameters, case.query) if real else ():
                    for name, value in (("site", "harbour"), ("alert", "harbour-1")):
                        if place and name in place:
                            place[name] = value
                case.call_and_validate(base_url=gateway.server.url, checks=CHECKS)

            check()

    await asyncio.to_thread(keep_their_word)


async def test_every_operation_is_described(gateway: Gateway) -> None:
    document = await gateway.get("/openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"] and operation["description"] and operation["tags"], where
            if path.endswith(("/acknowledge", "/resolve")):
                assert {"200", "404", "409", "422"} == set(operation["responses"])


async def test_the_documentation_page_has_every_operation(gateway: Gateway) -> None:
    document = await gateway.get("/openapi.json")
    page = (await gateway.http.get("/api/docs")).text
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"<b>{method.upper()}</b> {path}<" in page
    assert not re.search(r"<script|https?://|style=", page)
    style = await gateway.http.get("/api/docs.css")
    assert style.headers["content-type"].startswith("text/css")
