"""The shapes of docs/api.md, for the OpenAPI document. The tests check answers against them, the service does not."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


Name = dict[str, str]
"""A name by language tag: `zh`, `en`; at least one."""

VerdictCode = Literal[
    "upcoming", "open", "on_time", "early", "late", "incomplete", "missed", "unverified", "excused"
]
VisitCode = Literal["open", "on_time", "early", "late", "out_of_order", "missed"]
SeverityCode = Literal["critical", "major", "minor"]
AlertStateCode = Literal["open", "acknowledged", "resolved", "withdrawn"]
TimeText = str
"""RFC 3339 in UTC with milliseconds and `Z`."""


class Problem(Shape):
    """What went wrong, in words."""

    detail: str = Field(examples=["there is no site 'riverside'"])


class WrongState(Shape):
    """Why an action on an alert was not taken."""

    state: AlertStateCode
    message: str = Field(examples=["the alert is resolved"])


class Conflict(Shape):
    """An alert that is not in a state for the action."""

    detail: WrongState


class Reason(Shape):
    """Why: a code with parameters, never prose."""

    code: str = Field(examples=["no_proof"])
    params: dict[str, Any] = Field(examples=[{"devices": ["scanner-1"]}])


class Finding(Shape):
    """Something odd beside the verdict, with its evidence."""

    code: str = Field(examples=["leg_too_fast"])
    params: dict[str, Any]
    facts: list[str]


class Visit(Shape):
    """One checkpoint of a round, in the route's order."""

    checkpoint: str
    name: Name
    verdict: VisitCode
    occurred_at: TimeText | None
    received_at: TimeText | None
    fact: str | None


class Call(Shape):
    """One radio call."""

    at: TimeText
    outcome: Literal["answered", "no_answer", "abnormal"]
    by: str | None
    fact: str


class Occurrence(Shape):
    """One time that a duty is owed, and what is known of it."""

    id: str = Field(examples=["garage-hourly@1795442400000"])
    site: str
    duty: str
    kind: Literal["round", "radio_check", "record"]
    subject: str = Field(
        description="The route of a round, the post of a radio check; of a record its duty, and `.` and its post."
    )
    name: Name
    post: str | None
    opens_at: TimeText
    planned_at: TimeText | None
    due_at: TimeText = Field(description="The last instant that passes: tolerances are in it.")
    started_at: TimeText | None
    done_at: TimeText | None
    verdict: VerdictCode
    reason: Reason
    clause: str
    figure: str
    plan_version: int
    carriers: list[str] = Field(description="Who carried it out: ids of people, or of devices.")
    facts: list[str]
    findings: list[Finding]


class Round(Occurrence):
    """One time that a round is owed."""

    visits: list[Visit]


class RadioCheck(Occurrence):
    """One time that a radio check is owed."""

    calls: list[Call]


class Signed(Shape):
    """One signature under a record."""

    at: TimeText
    by: str
    counts: bool = Field(description="Not when this person has signed already, or may not.")
    result: Literal["done", "abnormal"]
    failed: list[str] = Field(description="The items of the checklist that were not in order.")
    fact: str


class Record(Occurrence):
    """One time that a signed record is owed."""

    signatures: list[Signed]


class Taken(Shape):
    """A signature that was stored."""

    fact: str = Field(examples=["@desk/9f3a/1"])
    at: TimeText
    records: list[Record] = Field(description="The owed records that took it; none when none asked for it.")


class EscalationStep(Shape):
    after_s: int
    to: list[str]


class AlertEvent(Shape):
    """One line of an alert's history."""

    at: TimeText
    what: str = Field(examples=["opened"])
    by: str | None
    params: dict[str, Any]


class Alert(Shape):
    """Something that somebody must act on."""

    id: str = Field(examples=["riverside-12"])
    site: str
    kind: str = Field(examples=["round_missed"])
    subject: str
    name: Name
    severity: SeverityCode
    state: AlertStateCode
    opened_at: TimeText
    deadline: TimeText
    closed_at: TimeText | None
    last_due_at: TimeText = Field(description="The last deadline of the occurrences that it is about.")
    reason: Reason
    clause: str
    duty: str | None
    occurrences: list[str]
    disproved: list[str] = Field(
        description="Those of the occurrences that were fulfilled in time after all."
    )
    count: int
    facts: list[str]
    escalation: list[EscalationStep]
    history: list[AlertEvent]


class Fact(Shape):
    """A stored fact, with the record as the device sent it."""

    id: str = Field(examples=["scanner-1/9f3a/17"])
    cursor: str = Field(
        description="Send it as `after` to read on behind this fact.", examples=["1795442400000-17"]
    )
    site: str
    device: str
    boot: str
    seq: int
    type: str
    occurred_at: TimeText
    received_at: TimeText
    uncertainty_s: float = Field(description="How far `occurred_at` may be off, either way (s).")
    clock_error_s: float | None
    record: dict[str, Any]


class Quarantined(Shape):
    """Something that was refused at the door; the same thing refused again counts up."""

    id: int
    topic: str
    payload: str
    encoding: Literal["utf-8", "base64"]
    reason: str = Field(examples=["unknown_tag"])
    detail: str
    site: str | None
    device: str | None
    times: int
    first_at: TimeText
    last_at: TimeText


class Replayed(Shape):
    """What came of trying refused records again."""

    mended: int = Field(description="How many are facts now.")
    left: int = Field(description="How many were tried and are refused still.")


class Point(Shape):
    """A sum of a series."""

    start: TimeText
    what: str = Field(description="The device, or the reason of what was refused.")
    count: int


class Adopted(Shape):
    """A version of a plan that was stored."""

    site: str
    version: int
    holds_from: TimeText


class Health(Shape):
    """How the service is: `ok`, or what is wrong in words."""

    status: Literal["ok", "failing"]
    now: TimeText
    build: str = Field(description="The id of the pages that are served.")
    store: str
    broker: str
    clockwork: str


class Item(Shape):
    """One line of a checklist."""

    item: str = Field(min_length=1, max_length=256, examples=["hydrant box sealed"])
    ok: bool
    note: str | None = Field(None, max_length=4000)


class Sign(Shape):
    """A record, and who signs it."""

    site: str = Field(max_length=32, examples=["riverside"])
    form: str = Field(max_length=32, examples=["weekly-safety-check"])
    by: str = Field(
        max_length=256, description="The id or the card of the person who signs.", examples=["sun-li"]
    )
    post: str | None = Field(None, max_length=32)
    text: str | None = Field(None, max_length=4000)
    items: list[Item] = Field(default=[], max_length=100)
    result: Literal["done", "abnormal"] | None = Field(
        None, description="Left out: `abnormal` when an item is not in order, else `done`."
    )


class Act(Shape):
    """Who does something about an alert, and what there is to say about it."""

    by: str = Field(
        "anonymous",
        min_length=1,
        max_length=64,
        pattern=r"\S",
        examples=["wang-jg"],
        description="Who does it. Until there is a sign-in, one who does not say is kept as `anonymous`.",
    )
    note: str = Field("", max_length=2000, examples=["The reader was flat; checked on site."])
