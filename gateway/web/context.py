"""What the routes share: the running service, checks of parameters, and answers in JSON."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from fastapi import HTTPException, Query
from pydantic import BeforeValidator, Field, WithJsonSchema
from starlette.responses import Response

from gateway.acts import Acts
from gateway.commanding import Commanding
from gateway.desk import Desk
from gateway.domain.calendar import HOUR_MS
from gateway.gate_acts import GateActs
from gateway.instants import parse_instant
from gateway.service import Service
from gateway.web.live import Live
from gateway.web.models import Problem
from gateway.web.signed_in import SignedIn, Tries

LONGEST_RANGE_DAYS: Final = 93
DAY_MS: Final = 24 * HOUR_MS

_encode: Final = msgspec.json.Encoder().encode
_LOST_PLUS: Final = re.compile(r"(T\S+) (\d\d:\d\d)$")


@dataclass(slots=True)
class Context:
    """The service, and what the web layer keeps beside it."""

    service: Service
    live: Live
    build: str
    acts: Acts
    gate_acts: GateActs
    commanding: Commanding
    signed_in: SignedIn
    tries: Tries
    planning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a plan is adopted: two at once would get the same version."""
    keeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a secret is made or revoked: two at once might get the same name."""

    def desk(self, site: str) -> Desk:
        """The desk of a site. Raises 404 when there is none."""
        desk = self.service.engine.desks.get(site)
        if desk is None:
            raise HTTPException(404, f"there is no site {site!r}")
        return desk

    def now(self) -> int:
        """Now, by the gateway's clock (ms)."""
        return self.service.clock.now()


def _instant(value: object) -> int:
    """An instant in a query, where an unescaped `+` of the offset has become a space."""
    return parse_instant(_LOST_PLUS.sub(r"\1+\2", str(value)))


Instant = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T22:00:00+08:00"]}),
]
"""An RFC 3339 time in a query, as ms since the epoch."""

Id = Annotated[str, Field(max_length=32)]
Site = Annotated[Id, Query(description="The site's id.", examples=["riverside"])]
From = Annotated[
    Instant | None, Query(alias="from", description="Beginning of the range; 24 hours ago when left out.")
]
To = Annotated[
    Instant | None, Query(alias="to", description="End of the range, not in it; in an hour when left out.")
]

NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "There is no such site or alert."}
}


def time_range(
    start: int | None, end: int | None, now: int, longest_days: int = LONGEST_RANGE_DAYS
) -> tuple[int, int]:
    """`[start, end)` in ms. Raises 422 for one that ends before it begins or is too long."""
    start = now - DAY_MS if start is None else start
    end = now + HOUR_MS if end is None else end
    if end < start:
        raise unprocessable(["query", "to"], "`to` is before `from`")
    if end - start > longest_days * DAY_MS:
        raise unprocessable(
            ["query", "from"], f"the range is longer than {longest_days} days: ask for parts of it"
        )
    return start, end


def unprocessable(where: list[str], what: str) -> HTTPException:
    """A 422 in the same shape as those of wrong parameters."""
    return HTTPException(422, [{"loc": where, "msg": what, "type": "value_error"}])


def answer(content: Any, status: int = 200) -> Response:
    """JSON, as it is: the shapes are made by our own code and need no check on their way out."""
    return Response(_encode(content), status, media_type="application/json")
