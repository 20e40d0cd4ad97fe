"""Routes that change something: what people do about alerts, new plans, and what was refused tried again."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from gateway import sitefile
from gateway.domain.alert import WrongStateError
from gateway.ingest.records import RefusedError
from gateway.instants import rfc3339
from gateway.shapes import Json
from gateway.web.access import address_of, caller_of
from gateway.web.context import NOT_FOUND, Context, Instant, answer, unprocessable
from gateway.web.models import Act, Adopted, Alert, Conflict, Problem, Replayed, Sign, Taken
from gateway.web.reading import YAML, AlertPath, SitePath

_YAML_TYPES: Final = (YAML, "application/x-yaml", "text/yaml", "text/x-yaml")

_ACTING: Final = NOT_FOUND | {
    409: {
        "model": Conflict,
        "description": "The alert is not in a state for this: `detail.state` says which.",
    }
}

By = Annotated[str, Query(min_length=1, max_length=64, description="Who does it.", examples=["wang-jg"])]
_MEMBERS: Final = {"unknown_person": "by", "unknown_post": "post", "bad_post": "post"}
"""Which member of a body a signature was refused for."""

_NOTHING_SAID: Final = Act(by="anonymous", note="")

_SITE_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A site file in YAML (docs/site-file.md).",
        "content": {YAML: {"schema": {"type": "object"}}},
    }
}


def acting_routes(context: Context) -> APIRouter:
    """Everything that is not only read."""
    routes = APIRouter(prefix="/api")
    engine = context.service.engine

    async def act(request: Request, alert: str, what: str, said: Act) -> Json:
        by = caller_of(request).who(said.by.strip())
        try:
            return await context.acts.on_alert(alert, what, by, said.note.strip(), address_of(request))
        except KeyError:
            raise HTTPException(404, f"there is no alert {alert!r}") from None
        except WrongStateError as error:
            raise conflict("alert", error) from None

    @routes.post(
        "/alerts/{alert}/acknowledge",
        response_model=Alert,
        responses=_ACTING,
        tags=["alerts"],
        summary="Acknowledge an alert",
    )
    async def acknowledge(request: Request, alert: AlertPath, said: Act = _NOTHING_SAID) -> Response:
        """Somebody has seen it and sees to it: nobody else is told. Answers the alert."""
        return answer(await act(request, alert, "acknowledge", said))

    @routes.post(
        "/alerts/{alert}/resolve",
        response_model=Alert,
        responses=_ACTING,
        tags=["alerts"],
        summary="Resolve an alert",
    )
    async def resolve(request: Request, alert: AlertPath, said: Act = _NOTHING_SAID) -> Response:
        """It is dealt with; a note should say how. Answers the alert."""
        return answer(await act(request, alert, "resolve", said))

    @routes.post(
        "/alerts/{alert}/note",
        response_model=Alert,
        responses=NOT_FOUND,
        tags=["alerts"],
        summary="Add a note to an alert",
    )
    async def note(request: Request, alert: AlertPath, said: Act) -> Response:
        """Something to know about it, also when it is closed. Answers the alert."""
        if not said.note.strip():
            raise unprocessable(["body", "note"], "say in a note what was found or done")
        return answer(await act(request, alert, "note", said))

    @routes.post(
        "/records", response_model=Taken, responses=NOT_FOUND, tags=["verdicts"], summary="Sign a record"
    )
    async def sign(request: Request, said: Sign) -> Response:
        """Somebody signs a record at the desk. It is stored as a fact like any other; answers what took it."""
        caller = caller_of(request)
        caller.check_site(said.site)
        context.desk(said.site)
        members = said.model_dump(exclude={"site"})
        try:
            taken = await context.acts.sign(said.site, members, address_of(request), through=caller.name)
        except RefusedError as error:
            raise unprocessable(["body", _MEMBERS.get(error.reason, "form")], str(error)) from None
        return answer(taken)

    @routes.post(
        "/quarantine/replay",
        response_model=Replayed,
        tags=["quarantine"],
        summary="Try refused records again",
    )
    async def replay(
        request: Request,
        reason: Annotated[
            str | None,
            Query(max_length=64, description="Only what was refused for it.", examples=["unknown_tag"]),
        ] = None,
        by: By = "anonymous",
    ) -> Response:
        """Try again what was refused, once its cause is mended: a tag enrolled, a device added."""
        caller = caller_of(request)
        caller.check_all_sites()
        mended, left = await engine.replay_quarantine(reason, caller.who(by), address_of(request))
        return answer({"mended": mended, "left": left})

    @routes.put(
        "/sites/{site}/plan",
        response_model=Adopted,
        responses={415: {"model": Problem, "description": "The body is not said to be YAML."}},
        openapi_extra=_SITE_FILE,
        tags=["sites"],
        summary="Set up a site, or change its plan",
    )
    async def adopt(
        site: SitePath,
        request: Request,
        holds_from: Annotated[
            Instant | None,
            Query(alias="from", description="When the plan takes effect; at once when left out."),
        ] = None,
        by: By = "anonymous",
    ) -> Response:
        """A new version of a site's plan, from a site file. What was already due is judged by the plan of its time."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in _YAML_TYPES:
            raise HTTPException(415, f"a site file is sent as {YAML}")
        body = await request.body()
        async with context.planning:
            by = caller_of(request).who(by)
            return answer(await _adopt(context, site, body, holds_from, by, address_of(request)))

    return routes


def conflict(word: str, error: WrongStateError) -> HTTPException:
    """A 409 that says in which state a thing is."""
    state = str(error)
    return HTTPException(409, {"state": state, "message": f"the {word} is {state}"})


async def _adopt(context: Context, site: str, body: bytes, wanted: int | None, by: str, origin: str) -> Json:
    engine = context.service.engine
    desk = engine.desks.get(site)
    last = desk.plans[-1] if desk is not None else None
    now = context.now()
    holds_from = now if wanted is None else wanted
    if holds_from < now:
        raise unprocessable(
            ["query", "from"], "a plan cannot take effect in the past: it never rewrites what was due"
        )
    if last is not None and holds_from < last.holds_from:
        begins = rfc3339(last.holds_from)
        raise unprocessable(
            ["query", "from"],
            f"version {last.version} takes effect at {begins} and a later one not before; from={begins} replaces it",
        )
    version = 1 if last is None else last.version + 1
    try:
        plan = sitefile.parse(body, f"{site}.yaml", version=version, holds_from=holds_from)
    except sitefile.SiteFileError as error:
        raise HTTPException(422, [_problem_json(problem) for problem in error.problems]) from None
    if plan.site != site:
        raise unprocessable(["body", "site"], f"the file is of site {plan.site!r}, the path names {site!r}")
    await engine.adopt_plan(plan, body.decode("utf-8-sig"), by, origin)
    return {"site": site, "version": version, "holds_from": rfc3339(holds_from)}


def _problem_json(problem: sitefile.Problem) -> Json:
    """One thing that is wrong with a site file, in the shape of other wrong parameters."""
    where = f"{problem.where}: " if problem.where else ""
    return {
        "loc": ["body", problem.path] if problem.path else ["body"],
        "msg": f"{where}{problem.what}",
        "type": "site_file",
        "line": problem.line,
        "column": problem.column,
    }
