"""Routes for commands to devices: asking for one, seeing what came of it, and saying what was seen."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from gateway.commanding import NotAllowedError, NotNowError, UnfitError
from gateway.domain.alert import WrongStateError
from gateway.shapes import Json, command_json
from gateway.web.access import address_of, caller_of
from gateway.web.acting import conflict
from gateway.web.command_models import Command, CommandStateCode, NewCommand, NotNow, Settle
from gateway.web.context import DAY_MS, NOT_FOUND, Context, From, Id, answer, unprocessable
from gateway.web.models import Conflict, Problem
from gateway.web.reading import SitePath

_FORBIDDEN: Final[dict[int | str, dict[str, Any]]] = NOT_FOUND | {
    403: {"model": Problem, "description": "Not by this person. It is recorded that it was tried."}
}

DevicePath = Annotated[Id, Path(description="The device's id.", examples=["gate-east"])]
CommandPath = Annotated[
    str, Path(max_length=64, description="The command's id.", examples=["riverside-c1f2e3d4c"])
]


def command_routes(context: Context) -> APIRouter:
    """Everything about commands."""
    routes = APIRouter(prefix="/api", tags=["commands"])
    store = context.service.store

    async def seen_by(request: Request, command: str) -> Json:
        found = await store.command(command)
        if found is None:
            raise HTTPException(404, f"there is no command {command!r}")
        caller_of(request).check_site(found["site"])
        return found

    @routes.post(
        "/sites/{site}/devices/{device}/commands",
        response_model=Command,
        responses=_FORBIDDEN
        | {409: {"model": NotNow, "description": "Nothing was sent: `detail.state` says why."}},
        summary="Command a device",
    )
    async def command(request: Request, site: SitePath, device: DevicePath, wanted: NewCommand) -> Response:
        """Opens, closes or holds a barrier, or calls, tells or sets a device. Answers the command, `sent`.

        What comes of it is told by `GET /api/commands/{command}` and, for gates, by the board. It is sent once and
        never again.
        """
        if device not in context.desk(site).plan.device_by_id:
            raise HTTPException(404, f"site {site!r} has no device {device!r}")
        try:
            sent = await context.commanding.command(
                site,
                device,
                wanted.cmd,
                wanted.args,
                caller_of(request).who(wanted.by.strip()),
                wanted.reason.strip(),
                wanted.expires_in_s,
                address_of(request),
            )
        except NotAllowedError as error:
            raise HTTPException(403, str(error)) from None
        except UnfitError as error:
            raise unprocessable(["body", "cmd"], str(error)) from None
        except NotNowError as error:
            raise HTTPException(409, _not_now(error)) from None
        return answer(sent)

    @routes.get("/commands", response_model=list[Command], responses=NOT_FOUND, summary="Commands")
    async def commands(
        request: Request,
        site: Annotated[Id | None, Query(description="Only of this site.", examples=["riverside"])] = None,
        device: Annotated[Id | None, Query(description="Only to this device.")] = None,
        state: Annotated[
            list[CommandStateCode], Query(description="Only in these states.", max_length=10)
        ] = [],  # noqa: B006  # FastAPI copies it
        start: From = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    ) -> Response:
        """Commands, the last one asked for first. Those of the last 24 hours when `from` is left out."""
        if site is None:
            caller_of(request).check_all_sites()
        else:
            context.desk(site)
        since = context.now() - DAY_MS if start is None else start
        found = await store.commands(site, states=state, device=device, since=since, limit=limit)
        return answer(found)

    @routes.get("/commands/{command}", response_model=Command, responses=NOT_FOUND, summary="One command")
    async def one(request: Request, command: CommandPath) -> Response:
        """A command as it is now."""
        return answer(await seen_by(request, command))

    @routes.post(
        "/commands/{command}/settle",
        response_model=Command,
        responses=_FORBIDDEN | {409: {"model": Conflict, "description": "It is not uncertain."}},
        summary="Say whether an uncertain command was done",
    )
    async def settle(request: Request, command: CommandPath, seen: Settle) -> Response:
        """Somebody of the plan has looked at the barrier. Answers the command, `done` or `failed`."""
        await seen_by(request, command)
        by = caller_of(request).who(seen.by.strip())
        try:
            settled = await context.commanding.settle(
                command, by, seen.done, seen.note.strip(), address_of(request)
            )
        except KeyError:
            raise HTTPException(404, f"there is no command {command!r}") from None
        except NotAllowedError as error:
            raise HTTPException(403, str(error)) from None
        except WrongStateError as error:
            raise conflict("command", error) from None
        return answer(settled)

    return routes


def _not_now(error: NotNowError) -> Json:
    before = None if error.before is None else command_json(error.before)
    return {"state": error.state, "message": str(error), "command": before}
