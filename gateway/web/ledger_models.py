"""The shapes of the gate ledger and its register, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.domain.ledger.authority import AuthorityKind
from gateway.web.models import Shape, TimeText

KindCode = Literal["resident", "contractor", "visitor", "pass", "consent", "swap", "slip", "id_record"]


class Tokens(Shape):
    """By what a vehicle is known, in normal form."""

    plate: str | None = Field(examples=["粤B12345"])
    card: str | None
    number: str | None = Field(description="Of a pass, a ticket or a slip.")


class Authority(Tokens):
    """An entry of the register: what lets a vehicle, or goods, through."""

    id: str = Field(examples=["riverside-a1f2e3d4c5b"])
    site: str
    kind: KindCode
    at: TimeText = Field(description="When it was written.")
    from_: TimeText = Field(alias="from")
    to: TimeText | None = Field(description="Null for one without an end.")
    by: str
    holder: str
    host: str
    goods: str
    note: str
    revoked_at: TimeText | None
    revoked_by: str | None


class NewAuthority(Shape):
    """What is written into the register. Which members a kind needs is said in docs/ledger.md."""

    kind: AuthorityKind
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])
    plate: str = Field("", max_length=64, examples=["粤B12345"])
    card: str = Field("", max_length=64)
    number: str = Field("", max_length=64, description="Made by the gateway for a pass or slip without one.")
    holder: str = Field("", max_length=256, examples=["张伟"])
    host: str = Field("", max_length=256, description="Who expects a visitor or contractor.")
    goods: str = Field("", max_length=2000)
    note: str = Field("", max_length=2000)
    from_: str | None = Field(None, alias="from", max_length=40, description="At once when left out.")
    to: str | None = Field(None, max_length=40, examples=["2026-11-24T06:00:00+08:00"])


class Grant(Shape):
    """What an opening or a passage rests on."""

    kind: KindCode | Literal["staff", "ticket", "person", "fire"]
    id: str | None = Field(description="The authority, the person of a staff card, the number of a ticket.")
    by: str | None = Field(description="Of `person`: who opened.")
    note: str | None = Field(description="Of `person`: why.")
    until: TimeText | None


class InLane(Tokens):
    """Something that happened in a lane."""

    id: str = Field(examples=["gate-east/12/903"])
    gate: str
    lane: str = Field(examples=["east-gate/in"])
    device: str
    at: TimeText
    uncertainty_s: float
    authority: Grant | None


class Opening(InLane):
    """A barrier opened."""

    cause: str | None
    by_hand: bool
    forced: bool
    by: str | None
    note: str | None
    closed_at: TimeText | None
    passage: str | None = Field(description="The passage that it was for.")
    facts: list[str]


class Passage(InLane):
    """A vehicle went through."""

    direction: Literal["in", "out"]
    read: str | None = Field(description="What was given for a plate and is none.")
    vehicle: str | None
    goods: bool
    opening: str | None
    stay: str | None


class Stay(Tokens):
    """An entry, matched with its exit."""

    id: str
    state: Literal["inside", "left", "lost", "no_entry"]
    entered_at: TimeText | None
    left_at: TimeText | None
    entry: str | None = Field(description="The passage in.")
    exit: str | None = Field(description="The passage out.")
    stay_s: int | None
    limit_at: TimeText | None
    fee: float | None
    authority: Grant | None


class Explanation(Shape):
    """What a person said of something that is left over."""

    by: str
    note: str
    at: TimeText


class Leftover(Shape):
    """Something that does not balance."""

    id: str = Field(examples=["nobody_passed@gate-east/12/903"])
    code: str = Field(examples=["nobody_passed"])
    params: dict[str, Any]
    at: TimeText
    gate: str
    lane: str
    facts: list[str]
    state: Literal["final", "unverified"]
    reason: str | None = Field(description="Why it is not final, or `settled`.", examples=["no_proof"])
    devices: list[str] = Field(description="Those that may still know better.")
    explained: Explanation | None


class Ledger(Shape):
    """The gate ledger of a time."""

    site: str
    from_: TimeText = Field(alias="from")
    to: TimeText
    now: TimeText
    totals: dict[str, dict[str, Any]]
    openings: list[Opening]
    passages: list[Passage]
    stays: list[Stay]
    leftovers: list[Leftover]


class Leftovers(Shape):
    """What is left over of a time, for whoever takes over the shift."""

    site: str
    from_: TimeText = Field(alias="from")
    to: TimeText
    now: TimeText
    totals: dict[str, dict[str, Any]]
    inside: int = Field(description="How many vehicles are inside, as far as is known.")
    leftovers: list[Leftover]


class Moment(Shape):
    """One line of the timeline."""

    at: TimeText
    kind: Literal["scan", "radio", "signature", "gate", "report", "alert", "act"]
    what: str = Field(description="The event, outcome, form, kind of alert or act.", examples=["vehicle_in"])
    subject: str = Field(description="The checkpoint, post, gate, alert … that it is about.")
    by: str | None
    device: str | None
    ref: str = Field(description="The fact, the alert, or what was acted on.")
    detail: dict[str, Any] = Field(description="The record, the alert's reason, or the act's parameters.")
