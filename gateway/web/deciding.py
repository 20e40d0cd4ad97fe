"""Routes for what a person decides beside an alert: an excuse, a silence; and what people have done so far."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from gateway.acts import ActError
from gateway.domain.alert import WrongStateError
from gateway.instants import parse_instant, rfc3339
from gateway.shapes import Json, silence_json
from gateway.store.port import ActionRow
from gateway.web.access import address_of, caller_of
from gateway.web.acting import conflict
from gateway.web.context import NOT_FOUND, Context, From, Site, To, answer, time_range, unprocessable
from gateway.web.models import (
    Action,
    Blind,
    Conflict,
    NewExcuse,
    NewSilence,
    Occurrence,
    Problem,
    Said,
    Silence,
)
from gateway.web.reading import SitePath

_DECIDING: Final[dict[int | str, dict[str, Any]]] = NOT_FOUND | {
    403: {"model": Problem, "description": "Not by this person."},
    409: {"model": Conflict, "description": "There is nothing to decide: `detail.state` says why."},
}

OccurrencePath = Annotated[
    str, Path(max_length=128, description="The occurrence's id.", examples=["garage-hourly@1795442400000"])
]
SilencePath = Annotated[
    str, Path(max_length=64, description="The silence's id.", examples=["riverside-s1f2e3d4c"])
]


def deciding_routes(context: Context) -> APIRouter:
    """Excuses, silences, and the record of what people did."""
    routes = APIRouter(prefix="/api")
    store = context.service.store

    @routes.post(
        "/sites/{site}/occurrences/{occurrence}/excuse",
        response_model=Occurrence,
        responses=_DECIDING,
        tags=["verdicts"],
        summary="Excuse an occurrence",
    )
    async def excuse(
        request: Request, site: SitePath, occurrence: OccurrencePath, said: NewExcuse
    ) -> Response:
        """A shift leader, or one above, says why it is not to be held against anybody. Answers the occurrence."""
        context.desk(site)
        try:
            found = await context.acts.excuse(
                site,
                occurrence,
                caller_of(request).who(said.by.strip()),
                said.note.strip(),
                address_of(request),
            )
        except KeyError:
            raise HTTPException(404, f"there is no occurrence {occurrence!r}") from None
        except ActError as error:
            raise HTTPException(403, str(error)) from None
        except WrongStateError as error:
            raise conflict("occurrence", error) from None
        return answer(found)

    @routes.get(
        "/sites/{site}/silences",
        response_model=list[Silence],
        responses=NOT_FOUND,
        tags=["alerts"],
        summary="Silences",
    )
    async def silences(site: SitePath) -> Response:
        """Silences that have not ended, or not long ago, by their beginning."""
        found = sorted(context.desk(site).watch.alerts.silences, key=lambda each: (each.start, each.id))
        return answer([silence_json(each) for each in found])

    @routes.post(
        "/sites/{site}/silences",
        response_model=Silence,
        responses=NOT_FOUND,
        tags=["alerts"],
        summary="Silence alerts for a while",
    )
    async def silence(request: Request, site: SitePath, wanted: NewSilence) -> Response:
        """Nobody is told of what it covers until it ends; alerts are opened, shown and judged as ever."""
        context.desk(site)
        now = context.now()
        try:
            start = now if wanted.from_ is None else parse_instant(wanted.from_)
            end = parse_instant(wanted.to)
        except ValueError as error:
            raise unprocessable(
                ["body", "to"], f"an RFC 3339 time with an offset is needed: {error}"
            ) from None
        try:
            made = await context.acts.silence(
                site,
                start,
                end,
                caller_of(request).who(wanted.by.strip()),
                wanted.reason.strip(),
                kinds=tuple(wanted.kinds),
                subjects=tuple(wanted.subjects),
                maintenance=wanted.maintenance,
                origin=address_of(request),
            )
        except ActError as error:
            raise unprocessable(["body", "to"], str(error)) from None
        return answer(made)

    @routes.post(
        "/sites/{site}/silences/{silence}/end",
        response_model=Silence,
        responses=_DECIDING,
        tags=["alerts"],
        summary="End a silence before its time",
    )
    async def end(request: Request, site: SitePath, silence: SilencePath, said: Said) -> Response:
        """From now on people are told again. Answers the silence."""
        context.desk(site)
        try:
            by = caller_of(request).who(said.by.strip())
            ended = await context.acts.unsilence(site, silence, by, address_of(request))
        except KeyError:
            raise HTTPException(404, f"there is no silence {silence!r}") from None
        except WrongStateError as error:
            raise conflict("silence", error) from None
        return answer(ended)

    @routes.get(
        "/actions",
        response_model=list[Action],
        responses=NOT_FOUND,
        tags=["evidence"],
        summary="What people did",
    )
    async def actions(
        site: Site,
        start: From = None,
        end: To = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Response:
        """Who did what, when and from where; newest first."""
        context.desk(site)
        start, end = time_range(start, end, context.now())
        return answer([_action_json(row) for row in await store.actions(site, start, end, limit=limit)])

    @routes.get(
        "/blind", response_model=list[Blind], tags=["evidence"], summary="When the gateway could not hear"
    )
    async def blind(start: From = None, end: To = None) -> Response:
        """When it was down, or cut off from its broker; oldest first."""
        start, end = time_range(start, end, context.now())
        found: list[Json] = [
            {"since": rfc3339(row.since), "until": rfc3339(row.until), "cause": row.cause}
            for row in await store.blind(start)
            if row.since < end
        ]
        deaf_since = context.service.engine.deaf_since
        if deaf_since is not None and deaf_since < end:
            found.append({"since": rfc3339(deaf_since), "until": None, "cause": "cut_off"})
        return answer(found)

    return routes


def _action_json(row: ActionRow) -> dict[str, Any]:
    return {
        "site": row.site,
        "at": rfc3339(row.at),
        "by": row.by,
        "from": row.origin,
        "what": row.what,
        "target": row.target,
        "params": msgspec.Raw(row.body),
    }
