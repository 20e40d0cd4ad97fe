"""Routes of the gate ledger: what each barrier did and on whose authority, the register, and the timeline."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from gateway.desk import Desk, fact_from_row
from gateway.domain.alert import WrongStateError
from gateway.domain.facts import GateEvent
from gateway.domain.ledger.authority import AuthorityKind
from gateway.domain.ledger.ledger import KEEP_MS, LOOK_BACK_MS, make_ledger
from gateway.domain.ledger.shown import Shown
from gateway.gate_acts import FieldError
from gateway.instants import parse_instant, rfc3339
from gateway.ledger_shapes import Json, authority_json, ledger_json, leftovers_json
from gateway.register import read_authorities, read_explanations
from gateway.store.port import ActionRow, FactRow
from gateway.web.access import address_of, caller_of
from gateway.web.acting import conflict
from gateway.web.board import plan_at, running_shift
from gateway.web.context import (
    NOT_FOUND,
    Context,
    From,
    Instant,
    To,
    answer,
    time_range,
    unprocessable,
)
from gateway.web.ledger_models import Authority, Ledger, Leftover, Leftovers, Moment, NewAuthority
from gateway.web.models import Conflict, NewExcuse, Said
from gateway.web.reading import SitePath

LONGEST_LEDGER_DAYS: Final = 8

_NO_SHIFT_MS: Final = 12 * 3_600_000
_ON_TIMELINE: Final = ("scan", "radio", "signature", "gate", "report")

_STATED: Final[dict[int | str, dict[str, Any]]] = NOT_FOUND | {
    409: {
        "model": Conflict,
        "description": "It has ended, or the number is in use: `detail.state` says which.",
    }
}

Lane = Annotated[
    str | None,
    Query(max_length=300, description="One lane, or one gate with all its lanes.", examples=["east-gate/in"]),
]
AuthorityPath = Annotated[
    str, Path(max_length=64, description="The authority's id.", examples=["riverside-a1f2e3d4c5b"])
]


def ledger_routes(context: Context) -> APIRouter:
    """Everything about the gate ledger."""
    routes = APIRouter(prefix="/api/sites", tags=["gates"])

    @routes.get("/{site}/ledger", response_model=Ledger, responses=NOT_FOUND, summary="The gate ledger")
    async def ledger(site: SitePath, start: From = None, end: To = None, lane: Lane = None) -> Response:
        """Openings, passages and stays with what they rest on, what is left over, and sums that balance."""
        desk, now = context.desk(site), context.now()
        start, end = time_range(start, end, now, LONGEST_LEDGER_DAYS)
        shown = await _show(context, desk, start, end, now, lane)
        shape = await asyncio.to_thread(ledger_json, shown, site, start, end, now)
        return await asyncio.to_thread(answer, shape)

    @routes.get(
        "/{site}/ledger/leftovers",
        response_model=Leftovers,
        responses=NOT_FOUND,
        summary="What is left over of a shift",
    )
    async def leftovers(
        site: SitePath,
        start: Annotated[
            Instant | None,
            Query(alias="from", description="The beginning of the shift that runs when left out."),
        ] = None,
        end: To = None,
        lane: Lane = None,
    ) -> Response:
        """What does not balance, for whoever takes over the shift; oldest first."""
        desk, now = context.desk(site), context.now()
        if start is None:
            shift = running_shift(plan_at(desk, now), now)
            start = shift[1][0] if shift is not None else now - _NO_SHIFT_MS
        start, end = time_range(start, end, now, LONGEST_LEDGER_DAYS)
        shown = await _show(context, desk, start, end, now, lane)
        return answer(
            {
                "site": site,
                "from": rfc3339(start),
                "to": rfc3339(end),
                "now": rfc3339(now),
                "totals": shown.totals(),
                "inside": sum(stay.inside for stay in shown.stays),
                "leftovers": leftovers_json(shown),
            }
        )

    @routes.post(
        "/{site}/ledger/leftovers/{leftover:path}/explain",
        response_model=Leftover,
        responses=NOT_FOUND,
        summary="Explain what is left over",
    )
    async def explain(
        request: Request,
        site: SitePath,
        leftover: Annotated[
            str, Path(max_length=300, examples=["nobody_passed@gate-east/12/903"], description="Its id.")
        ],
        said: NewExcuse,
    ) -> Response:
        """Somebody says what there is to say about it. It stays on the list, with the words beside it."""
        context.desk(site)
        try:
            found = await context.gate_acts.explain(
                site,
                leftover,
                caller_of(request).who(said.by.strip()),
                said.note.strip(),
                address_of(request),
            )
        except KeyError:
            raise HTTPException(404, f"nothing is left over with the id {leftover!r}") from None
        return answer(found)

    return routes


def register_routes(context: Context) -> APIRouter:
    """The register of authorities."""
    routes = APIRouter(prefix="/api/sites", tags=["gates"])

    @routes.get(
        "/{site}/authorities",
        response_model=list[Authority],
        responses=NOT_FOUND,
        summary="The register of authorities",
    )
    async def authorities(
        site: SitePath,
        kind: Annotated[list[AuthorityKind], Query(description="May be given more than once.")] = [],  # noqa: B006
        ended: Annotated[bool, Query(description="Also those that have ended.")] = False,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Response:
        """What lets vehicles and goods through, newest first."""
        now = context.now()
        found = [
            each
            for each in context.desk(site).watch.ledger.register
            if (not kind or each.kind in kind) and (ended or each.until > now)
        ]
        found.sort(key=lambda each: (each.at, each.id), reverse=True)
        return answer([authority_json(each) for each in found[:limit]])

    @routes.post(
        "/{site}/authorities",
        response_model=Authority,
        responses=_STATED,
        summary="Write an authority into the register",
    )
    async def issue(request: Request, site: SitePath, wanted: NewAuthority) -> Response:
        """A resident's card or plate, a pass, a visitor, a consent, a swap, a slip, an id record. Holds from now on."""
        context.desk(site)
        names = ("plate", "card", "number", "holder", "host", "goods", "note")
        said = {name: getattr(wanted, name) for name in names}
        start, end = _instant("from", wanted.from_), _instant("to", wanted.to)
        try:
            made = await context.gate_acts.issue(
                site,
                wanted.kind,
                caller_of(request).who(wanted.by.strip()),
                said,
                start,
                end,
                address_of(request),
            )
        except FieldError as error:
            raise unprocessable(["body", error.field], str(error)) from None
        except WrongStateError as error:
            raise conflict("number", error) from None
        return answer(made)

    @routes.post(
        "/{site}/authorities/{authority}/revoke",
        response_model=Authority,
        responses=_STATED,
        summary="Revoke an authority",
    )
    async def revoke(request: Request, site: SitePath, authority: AuthorityPath, said: Said) -> Response:
        """It holds no more from now on; what it let through stays let through. Answers the authority."""
        context.desk(site)
        try:
            ended = await context.gate_acts.revoke(
                site, authority, caller_of(request).who(said.by.strip()), address_of(request)
            )
        except KeyError:
            raise HTTPException(404, f"there is no authority {authority!r}") from None
        except WrongStateError as error:
            raise conflict("authority", error) from None
        return answer(ended)

    return routes


def timeline_routes(context: Context) -> APIRouter:
    """Everything that happened, in order."""
    routes = APIRouter(prefix="/api/sites", tags=["evidence"])
    store = context.service.store

    @routes.get(
        "/{site}/timeline", response_model=list[Moment], responses=NOT_FOUND, summary="Everything in order"
    )
    async def timeline(
        site: SitePath,
        start: From = None,
        end: To = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Response:
        """Scans, radio calls, signatures, gate events, reports, alerts and what people did, oldest first.

        Read on with `from`: the time of the last one.
        """
        desk = context.desk(site)
        start, end = time_range(start, end, context.now())
        moments: list[Json] = []
        for kind in _ON_TIMELINE:
            rows = await store.facts(site, start, end, type=kind, limit=limit)
            moments += [_of_fact(row, desk) for _, row in rows]
        for alert in await store.alerts(site, since=start, limit=10_000):
            if rfc3339(start) <= alert["opened_at"] < rfc3339(end):
                moments.append(_of_alert(alert))
        moments += [_of_act(row) for row in await store.actions(site, start, end)]
        moments.sort(key=lambda each: (each["at"], each["kind"], each["ref"]))
        return answer(moments[:limit])

    return routes


async def _show(context: Context, desk: Desk, start: int, end: int, now: int, lane: str | None) -> Shown:
    """The ledger of a time: from memory, or, of what is older, made again from what is stored."""
    hearing = desk.watch.hearing
    if start >= now - KEEP_MS:
        shown = desk.watch.ledger.show(start, end, now, hearing)
    else:
        store, site, since = context.service.store, desk.site, start - LOOK_BACK_MS
        rows = await store.facts(site, since, now, type="gate")
        register = await read_authorities(store, site, since)
        made = await asyncio.to_thread(lambda: make_ledger(desk.plans, _events(rows), register))
        made.explained |= await read_explanations(store, site, start)
        shown = made.show(start, end, now, hearing)
    return shown if lane is None else shown.of_lane(lane)


def _events(rows: list[tuple[int, FactRow]]) -> list[GateEvent]:
    facts = (fact_from_row(row) for _, row in rows)
    return [fact for fact in facts if isinstance(fact, GateEvent)]


def _instant(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise unprocessable(["body", name], f"an RFC 3339 time with an offset is needed: {error}") from None


def _of_fact(row: FactRow, desk: Desk) -> Json:
    record: Json = msgspec.json.decode(row.body)
    what, subject = {
        "scan": ("scan", ""),
        "radio": (record.get("outcome"), record.get("post")),
        "signature": (record.get("form"), record.get("post")),
        "gate": (record.get("event"), record.get("lane")),
        "report": (record.get("category"), record.get("checkpoint")),
    }[row.type]
    if row.type == "scan":
        tag = getattr(fact_from_row(row), "tag", "")
        subject = desk.plan.checkpoint_by_tag.get(tag, tag)
    return {
        "at": rfc3339(row.occurred_at),
        "kind": row.type,
        "what": what,
        "subject": subject or row.device,
        "by": record.get("by") or record.get("guard"),
        "device": row.device,
        "ref": f"{row.device}/{row.boot}/{row.seq}",
        "detail": record,
    }


def _of_alert(alert: Json) -> Json:
    return {
        "at": alert["opened_at"],
        "kind": "alert",
        "what": alert["kind"],
        "subject": alert["subject"],
        "by": None,
        "device": None,
        "ref": alert["id"],
        "detail": {"severity": alert["severity"], "state": alert["state"], "reason": alert["reason"]},
    }


def _of_act(row: ActionRow) -> Json:
    return {
        "at": rfc3339(row.at),
        "kind": "act",
        "what": row.what,
        "subject": row.target,
        "by": row.by,
        "device": None,
        "ref": row.target,
        "detail": msgspec.json.decode(row.body),
    }
