"""Routes that read: sites, boards, plans, what was owed, what happened, what was refused."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Header, HTTPException, Path, Query, Request
from starlette.responses import Response

from gateway import sitefile
from gateway.desk import fact_from_row
from gateway.domain.calendar import instant, local_date
from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.legs import COUNTED, NOT_WALKED, Walk, learn_legs
from gateway.domain.legs import LearntLeg as Learnt
from gateway.domain.plan import DutyKind
from gateway.instants import maybe_rfc3339, parse_instant, rfc3339
from gateway.shapes import Json, occurrence_json
from gateway.store.port import DeliveryRow, FactRow, NoticeRow, Refused
from gateway.web.access import caller_of
from gateway.web.board import gate_event_json, make_board, named, plan_at
from gateway.web.board_models import Board, SiteSummary
from gateway.web.board_models import GateEvent as GateEventShape
from gateway.web.context import DAY_MS, NOT_FOUND, Context, From, Id, Instant, Site, To, answer, time_range
from gateway.web.models import (
    Alert,
    AlertStateCode,
    Fact,
    LearntLeg,
    Notice,
    Point,
    Quarantined,
    RadioCheck,
    Record,
    Round,
)

YAML: Final = "application/yaml"

_LONGEST_SERIES_DAYS: Final = 800
_PAGE: Final = 1000
_MOST_REFUSED: Final = 10_000
_LEARN_FROM_DAYS: Final = 30
_PASSED: Final = (GateEventKind.VEHICLE_IN, GateEventKind.VEHICLE_OUT)

SitePath = Annotated[Id, Path(description="The site's id.", examples=["riverside"])]
AlertPath = Annotated[str, Path(max_length=64, description="The alert's id.", examples=["riverside-12"])]
After = Annotated[
    str | None,
    Query(pattern=r"^-?\d{1,15}-\d{1,15}$", description="The `cursor` of the last one that you have."),
]
Measurement = Literal["scan", "radio", "signature", "gate", "report", "status", "quarantine"]


def site_routes(context: Context) -> APIRouter:
    """`/api/sites…`: the sites, their boards and plans."""
    routes = APIRouter(prefix="/api/sites", tags=["sites"])

    @routes.get("", response_model=list[SiteSummary], summary="The sites")
    async def sites(request: Request) -> Response:
        """All sites that this gateway serves and the caller may see, by id."""
        now, sees = context.now(), caller_of(request).sees
        desks = sorted(context.service.engine.desks.items())
        plans = [plan_at(desk, now) for site, desk in desks if sees(site)]
        return answer(
            [
                {
                    "id": plan.site,
                    "name": named(plan.name, plan.site),
                    "timezone": plan.timezone,
                    "plan_version": plan.version,
                }
                for plan in plans
            ]
        )

    @routes.get("/{site}/board", response_model=Board, responses=NOT_FOUND, summary="The live board")
    async def board(site: SitePath) -> Response:
        """What the live board of a site shows now. `WS /api/live` keeps it up to date."""
        return answer(make_board(context.desk(site), context.now()))

    @routes.get(
        "/{site}/plan",
        response_model=dict[str, Any],
        responses=NOT_FOUND | {200: {"content": {YAML: {"schema": {"type": "object"}}}}},
        summary="The plan in force",
    )
    async def plan(
        site: SitePath,
        format: Annotated[
            Literal["json", "yaml"] | None, Query(description="Overrides the `Accept` header.")
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """The plan in force, as a site file: in JSON, or in YAML as an installer would write it."""
        found = plan_at(context.desk(site), context.now())
        if format == "yaml" or (format is None and "yaml" in accept):
            return Response(sitefile.dump(found), media_type=YAML)
        return Response(
            json.dumps(sitefile.document(found), ensure_ascii=False), media_type="application/json"
        )

    @routes.get(
        "/{site}/legs", response_model=list[LearntLeg], responses=NOT_FOUND, summary="How long legs take"
    )
    async def legs(
        site: SitePath,
        start: Annotated[
            Instant | None,
            Query(alias="from", description="Beginning of the range; 30 days ago when left out."),
        ] = None,
        end: To = None,
    ) -> Response:
        """How long each leg of the plan in force took in the rounds of a time, and what `min` and `max` fit that."""
        desk, now = context.desk(site), context.now()
        start = now - _LEARN_FROM_DAYS * DAY_MS if start is None else start
        start, end = time_range(start, end, now)
        rounds = await context.service.store.occurrences(site, DutyKind.ROUND.value, start, end)
        walks = [(each["subject"], _walk(each)) for each in rounds if _was_walked(each)]
        return answer([_learnt_json(leg) for leg in learn_legs(plan_at(desk, now), walks)])

    return routes


def history_routes(context: Context) -> APIRouter:
    """What was owed, and what happened."""
    routes = APIRouter(prefix="/api", responses=NOT_FOUND)
    store = context.service.store

    async def occurrences(site: str, kind: DutyKind, start: int, end: int) -> list[Json]:
        """As last reported, and what is in memory: that is as of now, and what is open is only there."""
        desk = context.desk(site)
        found = {each["id"]: each for each in await store.occurrences(site, kind.value, start, end)}
        now = context.now()
        for track in desk.watch.tracks():
            if track.duty.kind is kind:
                for each in desk.watch.occurrences(now, start, end, track):
                    found[each.id] = occurrence_json(each, site, desk.checkpoint_names)
        return sorted(found.values(), key=lambda each: (each["opens_at"], each["id"]))

    @routes.get("/rounds", response_model=list[Round], tags=["verdicts"], summary="Rounds")
    async def rounds(site: Site, start: From = None, end: To = None) -> Response:
        """Rounds whose window touches the range, oldest first, with the verdict on each as of now."""
        return answer(await occurrences(site, DutyKind.ROUND, *time_range(start, end, context.now())))

    @routes.get("/radio-checks", response_model=list[RadioCheck], tags=["verdicts"], summary="Radio checks")
    async def radio_checks(site: Site, start: From = None, end: To = None) -> Response:
        """Radio checks whose window touches the range, oldest first, with the verdict on each as of now."""
        return answer(await occurrences(site, DutyKind.RADIO_CHECK, *time_range(start, end, context.now())))

    @routes.get("/records", response_model=list[Record], tags=["verdicts"], summary="Signed records")
    async def records(site: Site, start: From = None, end: To = None) -> Response:
        """Records whose window touches the range, oldest first, with the verdict on each as of now."""
        return answer(await occurrences(site, DutyKind.RECORD, *time_range(start, end, context.now())))

    @routes.get("/facts", response_model=list[Fact], tags=["evidence"], summary="Stored facts")
    async def facts(
        site: Site,
        start: From = None,
        end: To = None,
        type: Annotated[
            Literal["scan", "radio", "signature", "gate", "report", "status"] | None, Query()
        ] = None,
        device: Annotated[Id | None, Query()] = None,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Response:
        """Facts by when they happened, with the record as the device sent it. Read on with `after`."""
        context.desk(site)
        start, end = time_range(start, end, context.now())
        rows = await store.facts(
            site, start, end, type=type, device=device, after=_position(after), limit=limit
        )
        return answer([_fact_json(number, row) for number, row in rows])

    @routes.get(
        "/passages",
        response_model=list[GateEventShape],
        tags=["evidence"],
        summary="Vehicles through the gates",
    )
    async def passages(
        site: Site,
        start: From = None,
        end: To = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Response:
        """Vehicles that came in or went out, oldest first. Read on with `from`: the time of the last one."""
        context.desk(site)
        start, end = time_range(start, end, context.now())
        found: list[Json] = []
        after: tuple[int, int] | None = None
        while len(found) < limit:
            rows = await store.facts(site, start, end, type="gate", after=after, limit=_PAGE)
            events = [fact_from_row(row) for _, row in rows]
            found += [
                gate_event_json(each)
                for each in events
                if isinstance(each, GateEvent) and each.event in _PASSED
            ]
            if len(rows) < _PAGE:
                break
            after = (rows[-1][1].occurred_at, rows[-1][0])
        return answer(found[:limit])

    @routes.get(
        "/series/{measurement}", response_model=list[Point], tags=["evidence"], summary="How much came in"
    )
    async def series(
        measurement: Measurement,
        site: Site,
        start: From = None,
        end: To = None,
        every: Annotated[Literal["1h", "1d"], Query(description="Hours, or days of the site.")] = "1h",
    ) -> Response:
        """Records that came in, or were refused (`quarantine`), by hour or day and device (or reason)."""
        zone = plan_at(context.desk(site), context.now()).timezone
        start, end = time_range(start, end, context.now(), _LONGEST_SERIES_DAYS)
        sums: dict[tuple[int, str], int] = {}
        for hour, what, count in await store.series(measurement, site, start, end):
            begin = hour if every == "1h" else instant(zone, local_date(zone, hour), 0)
            sums[begin, what] = sums.get((begin, what), 0) + count
        return answer(
            [{"start": rfc3339(begin), "what": what, "count": n} for (begin, what), n in sorted(sums.items())]
        )

    return routes


def alert_routes(context: Context) -> APIRouter:
    """Alerts, and what was refused at the door."""
    routes = APIRouter(prefix="/api")
    store = context.service.store

    @routes.get("/alerts", response_model=list[Alert], responses=NOT_FOUND, tags=["alerts"], summary="Alerts")
    async def alerts(
        request: Request,
        site: Annotated[
            Id | None, Query(description="All sites when left out.", examples=["riverside"])
        ] = None,
        state: Annotated[list[AlertStateCode], Query(description="May be given more than once.")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ) -> Response:
        """Alerts, newest first."""
        if site is not None:
            context.desk(site)
        else:
            caller_of(request).check_all_sites()
        return answer(await store.alerts(site, state, limit=limit))

    @routes.get(
        "/alerts/{alert}", response_model=Alert, responses=NOT_FOUND, tags=["alerts"], summary="One alert"
    )
    async def alert(alert: AlertPath) -> Response:
        """One alert, with its history."""
        found = await store.alert(alert)
        if found is None:
            raise HTTPException(404, f"there is no alert {alert!r}")
        return answer(found)

    @routes.get(
        "/notices",
        response_model=list[Notice],
        responses=NOT_FOUND,
        tags=["alerts"],
        summary="Who was told of alerts, and how",
    )
    async def notices(
        request: Request,
        site: Annotated[
            Id | None, Query(description="All sites when left out.", examples=["riverside"])
        ] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ) -> Response:
        """Notices, newest first, with what came of each on the channels that it concerns."""
        if site is not None:
            context.desk(site)
        else:
            caller_of(request).check_all_sites()
        return answer([_notice_json(row, sent) for row, sent in await store.notices(site, limit)])

    @routes.get(
        "/quarantine", response_model=list[Quarantined], tags=["quarantine"], summary="What was refused"
    )
    async def quarantine(
        request: Request,
        reason: Annotated[str | None, Query(max_length=64, examples=["unknown_tag"])] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ) -> Response:
        """What was refused at the door, newest first, as it came in."""
        caller = caller_of(request)
        found = await store.quarantine(reason, limit if caller.sites is None else _MOST_REFUSED)
        # What was for no site that could be told is seen by those only who see all.
        theirs = [each for each in found if caller.sees(each.site or "")]
        return answer([_refused_json(each) for each in theirs[:limit]])

    @routes.get(
        "/quarantine/reasons",
        response_model=dict[str, int],
        tags=["quarantine"],
        summary="How much was refused",
    )
    async def reasons(request: Request) -> Response:
        """How much is in the quarantine, by reason."""
        caller_of(request).check_all_sites()
        return answer(await store.quarantine_counts())

    return routes


def _was_walked(occurrence: Json) -> bool:
    findings = {finding["code"] for finding in occurrence["findings"]}
    return occurrence["verdict"] in COUNTED and not findings & NOT_WALKED


def _walk(occurrence: Json) -> Walk:
    visits = [
        (visit["checkpoint"], parse_instant(visit["occurred_at"]))
        for visit in occurrence["visits"]
        if visit["occurred_at"] is not None
    ]
    return sorted(visits, key=lambda visit: visit[1])


def _learnt_json(leg: Learnt) -> Json:
    return {
        "route": leg.route,
        "from": leg.origin,
        "to": leg.target,
        "count": leg.count,
        "left_out": leg.left_out,
        "p10_s": leg.p10_s,
        "median_s": leg.median_s,
        "p95_s": leg.p95_s,
        "suggested_min_s": leg.suggested.min_s if leg.suggested else None,
        "suggested_max_s": leg.suggested.max_s if leg.suggested else None,
        "plan_min_s": leg.planned.min_s,
        "plan_max_s": leg.planned.max_s,
    }


def _position(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    at, _, number = cursor.rpartition("-")
    return int(at), int(number)


def _fact_json(number: int, row: FactRow) -> Json:
    return {
        "id": f"{row.device}/{row.boot}/{row.seq}",
        "cursor": f"{row.occurred_at}-{number}",
        "site": row.site,
        "device": row.device,
        "boot": row.boot,
        "seq": row.seq,
        "type": row.type,
        "occurred_at": rfc3339(row.occurred_at),
        "received_at": rfc3339(row.received_at),
        "uncertainty_s": row.uncertainty / 1000,
        "clock_error_s": None if row.clock_error is None else row.clock_error / 1000,
        "tap": None if row.tap is None else _tap_json(row.tap),
        "record": msgspec.Raw(row.body),
    }


def _tap_json(tap: str) -> Json:
    uid, counter, _ = tap.split(":")
    return {"tag": uid, "counter": int(counter)}


def _notice_json(row: NoticeRow, deliveries: list[DeliveryRow]) -> Json:
    return {
        "key": row.key,
        "site": row.site,
        "at": rfc3339(row.at),
        "kind": row.kind,
        "to": msgspec.Raw(row.to.encode()),
        "alert": row.alert,
        "deliveries": [
            {
                "channel": each.channel or None,
                "state": each.state,
                "attempts": each.attempts,
                "next_at": maybe_rfc3339(each.next_at),
                "last_error": each.last_error,
                "delivered_at": maybe_rfc3339(each.delivered_at),
            }
            for each in deliveries
        ],
    }


def _refused_json(entry: Refused) -> Json:
    try:
        payload, encoding = entry.payload.decode(), "utf-8"
    except UnicodeDecodeError:
        payload, encoding = base64.b64encode(entry.payload).decode(), "base64"
    return {
        "id": entry.id,
        "topic": entry.topic,
        "payload": payload,
        "encoding": encoding,
        "reason": entry.reason,
        "detail": entry.detail,
        "site": entry.site,
        "device": entry.device,
        "times": entry.times,
        "first_at": rfc3339(entry.first_at),
        "last_at": rfc3339(entry.last_at),
    }
