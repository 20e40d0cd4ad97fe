"""The web: the API, the live stream and the pages of one running service."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import Depends, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from gateway.acts import Acts
from gateway.commanding import Commanding
from gateway.gate_acts import GateActs
from gateway.service import Service
from gateway.store.port import StoreError
from gateway.web.access import FORBIDDEN, Access, caller_of, permit
from gateway.web.acting import acting_routes
from gateway.web.commanding import command_routes
from gateway.web.context import Context
from gateway.web.deciding import deciding_routes
from gateway.web.docs_page import add_docs_page
from gateway.web.guard import Guard
from gateway.web.health import health_routes
from gateway.web.ledger import ledger_routes, register_routes, timeline_routes
from gateway.web.live import Live
from gateway.web.pages import Pages
from gateway.web.reading import alert_routes, history_routes, site_routes
from gateway.web.signed_in import SignedIn, Tries
from gateway.web.signing_in import signing_routes

_DESCRIPTION: Final = """\
Judges patrol scans, radio checks and gate events against the duties that are owed.

Times are RFC 3339 in UTC with milliseconds, durations are seconds. Answers hold codes and parameters, never sentences.
`WS /api/live?site=…` keeps a board up to date: `hello`, `snapshot`, then `delta` and `tick` messages.
"""


def create_app(service: Service, names: Iterable[str] = (), pages: Pages | None = None) -> FastAPI:
    """The web of a service that runs. `app.state.live` must be closed when it ends.

    `names`: what the gateway is called besides localhost, the machine's name and its addresses; requests to
    any other name are refused. `pages`: other pages than those that were built.
    """
    pages = Pages.load() if pages is None else pages
    live = Live(service, pages.build)
    signed_in = SignedIn(service.tokens, service.settings.data / "pages-signed-in.json", service.clock.now)
    tries = Tries(service.clock.elapsed)
    engine = service.engine
    context = Context(
        service, live, pages.build, Acts(engine), GateActs(engine), Commanding(engine), signed_in, tries
    )

    async def site_of_alert(alert: str) -> str | None:
        found = await service.store.alert(alert)
        return None if found is None else found["site"]

    app = FastAPI(
        title="Patrol Gateway",
        description=_DESCRIPTION,
        version=_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(permit(site_of_alert))],
        middleware=[
            Middleware(Guard, names=(service.settings.http_address[0], *names)),
            Middleware(Access, tokens=service.tokens, signed_in=signed_in, tries=tries),
        ],
    )
    app.state.live = live
    for routes in (
        site_routes(context),
        history_routes(context),
        alert_routes(context),
        acting_routes(context),
        deciding_routes(context),
        ledger_routes(context),
        register_routes(context),
        timeline_routes(context),
        command_routes(context),
        health_routes(context),
        signing_routes(context),
    ):
        app.include_router(routes)

    add_docs_page(app)

    @app.websocket("/api/live")
    async def listen(ws: WebSocket) -> None:
        site = ws.query_params.get("site", "")
        if not caller_of(ws).sees(site):
            await ws.accept()
            await ws.close(FORBIDDEN, "not a site of this token")
            return
        await live.serve(ws, ws.state.still)

    @app.exception_handler(StoreError)
    async def store_failed(request: Request, error: StoreError) -> Response:
        return JSONResponse({"detail": str(error)}, 503)

    app.router.default = pages
    return app


def _version() -> str:
    try:
        return version("patrol-gateway")
    except PackageNotFoundError:
        return "0"
