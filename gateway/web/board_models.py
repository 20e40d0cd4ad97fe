"""The shapes of the live board, for the OpenAPI document."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.web.command_models import Command
from gateway.web.models import Alert, Line, Name, Record, Round, Shape, Silence, TimeText


class SiteName(Shape):
    id: str
    name: Name
    timezone: str


class SiteSummary(SiteName):
    """A site that the gateway serves."""

    plan_version: int


class Slot(Shape):
    from_: TimeText = Field(alias="from")
    to: TimeText


class Shift(Slot):
    id: str


class Cell(Shape):
    """What a post's row of the radio grid shows in the slot of the same index."""

    status: Literal[
        "on_time",
        "late",
        "no_answer",
        "abnormal",
        "missed",
        "unverified",
        "excused",
        "open",
        "upcoming",
        "off",
    ]
    at: TimeText | None
    occurrence: str | None


class RadioRow(Shape):
    post: str
    name: Name
    due_at: TimeText | None
    remind_at: TimeText | None = Field(description="From then on the deadline is near.")
    cells: list[Cell]


class Radio(Shape):
    """The radio grid: post by slot."""

    slot_s: int
    slots: list[Slot]
    next_due_at: TimeText | None
    posts: list[RadioRow]


class Gate(Shape):
    device: str
    name: Name
    posts: list[str]
    position: Literal["open", "closed", "forced", "stuck", "fault", "unknown"]
    since: TimeText | None
    held: bool = Field(description="A person told it to stay open, and it was not closed since.")
    command: Command | None = Field(
        description="The latest one to it: what is uncertain first; else what is under way or ended within the hour."
    )


class GateEvent(Shape):
    """An event at a barrier."""

    at: TimeText
    device: str
    event: str = Field(examples=["vehicle_in"])
    plate: str | None
    lane: str | None
    cause: str | None
    by: str | None
    fact: str


class Device(Shape):
    device: str
    name: Name
    kind: Literal["scanner", "reader", "gate", "console"]
    online: bool
    last_heard_at: TimeText | None
    battery: int | None = Field(description="Percent.")
    buffered: int | None = Field(description="Records that the device has not got rid of yet.")
    buffer_warning: bool = Field(description="It has little room left for records.")
    lost: int = Field(description="Records that it has lost for good, as far as it said.")
    clock_error_s: float | None = Field(description="How far the device's clock is ahead (s).")
    clock_doubt_s: float | None = Field(description="How far that may be wrong by now (s).")
    clock: Literal["ok", "off", "stopped", "reset", "stepped", "drifting"] | None = Field(
        description="What is wrong with the device's wall clock. It moves no verdict."
    )
    heard_until: TimeText | None = Field(description="Nothing that happened up to here is still to come.")
    line: Line | None = Field(description="The serial line over which this machine reads it.")


class Hero(Shape):
    critical: int
    major: int
    minor: int


class Board(Shape):
    """The live board."""

    site: SiteName
    now: TimeText
    plan_version: int
    shift: Shift | None
    hero: Hero
    rounds: list[Round]
    radio: Radio | None
    records: list[Record]
    alerts: list[Alert]
    gates: list[Gate]
    gate_feed: list[GateEvent]
    devices: list[Device]
    silences: list[Silence] = Field(
        description="Those that run, and what is announced for the next 24 hours."
    )
    deaf_since: TimeText | None = Field(description="Since when no device can be heard; null when they can.")
