"""Is it well? `/api/health` for a supervisor of processes or people, `/metrics` for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from gateway.instants import rfc3339
from gateway.store.port import StoreError
from gateway.web.access import NOBODY, caller_of
from gateway.web.board import line_json
from gateway.web.context import Context, answer
from gateway.web.metrics import Metrics
from gateway.web.models import Health

_STORE_ANSWERS_S = 2.0


def health_routes(context: Context) -> APIRouter:
    """Health and metrics."""
    routes = APIRouter(tags=["health"])
    metrics = Metrics(context)

    @routes.get(
        "/api/health",
        response_model=Health,
        responses={503: {"model": Health, "description": "Something is wrong, and what."}},
        summary="Whether the service is well",
    )
    async def health(request: Request) -> Response:
        """200 only when facts can be stored, devices heard and deadlines judged.

        Why not is told to those only who show a token, once there is one.
        """
        parts = {
            "store": await _store_problem(context),
            "broker": context.service.broker_problem(),
            "clockwork": context.service.clockwork_problem(),
        }
        tls = context.service.tls
        well = not any(parts.values()) and not (tls is not None and tls.expired)
        told = caller_of(request) is not NOBODY
        if not told:
            parts = {part: problem and "failing" for part, problem in parts.items()}
        certificate = None if tls is None else tls.problem or "ok"
        if not told and certificate not in (None, "ok"):
            certificate = "failing"
        shape = {
            "status": "ok" if well else "failing",
            "now": rfc3339(context.now()),
            "build": context.build,
            **{part: problem or "ok" for part, problem in parts.items()},
            "certificate": certificate,
            "lines": [
                {**line_json(line), "devices": line.devices, "detail": line.detail}
                for line in (context.service.line_health if told else ())
            ],
        }
        return answer(shape, 200 if well else 503)

    @routes.get("/metrics", response_class=PlainTextResponse, summary="Metrics for Prometheus")
    async def prometheus() -> Response:
        """Counters and gauges in the text format of Prometheus."""
        return Response(metrics.text(), media_type=metrics.media_type)

    return routes


async def _store_problem(context: Context) -> str | None:
    """Why facts cannot be stored or read; None when they can."""
    if (error := context.service.engine.store_error) is not None:
        return error
    try:
        async with asyncio.timeout(_STORE_ANSWERS_S):
            await context.service.store.last_alert("")
    except StoreError as failed:
        return str(failed)
    except TimeoutError:
        return f"the store did not answer within {_STORE_ANSWERS_S:.0f} s"
    return None
