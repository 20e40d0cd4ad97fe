"""The shapes of docs/api.md, for the OpenAPI document. The tests check answers against them, the service does not."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.alert import AlertKind


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


Name = dict[str, str]
"""A name by language tag: `zh`, `en`; at least one."""

VerdictCode = Literal[
    "upcoming", "open", "on_time", "early", "late", "incomplete", "missed", "unverified", "excused"
]
VisitCode = Literal["open", "on_time", "early", "late", "out_of_order", "missed"]
StrengthCode = Literal["qr", "uid", "wired", "sun"]
SeverityCode = Literal["critical", "major", "minor"]
AlertStateCode = Literal["open", "acknowledged", "resolved", "withdrawn"]
TimeText = str
"""RFC 3339 in UTC with milliseconds and `Z`."""


class Problem(Shape):
    """What went wrong, in words."""

    detail: str = Field(examples=["there is no site 'riverside'"])


class WrongState(Shape):
    """Why an action was not taken: the state of the alert or silence, or the verdict."""

    state: str
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


class Excuse(Shape):
    """A person's word that it is not to be held against anybody. What was judged stands beside it."""

    by: str
    note: str
    at: TimeText
    from_: str | None = Field(alias="from", description="From where it was said, such as an address.")


class Judged(Shape):
    """What the facts say, where the verdict is `excused`."""

    verdict: VerdictCode
    reason: Reason


class Visit(Shape):
    """One checkpoint of a round, in the route's order."""

    checkpoint: str
    name: Name
    verdict: VisitCode
    occurred_at: TimeText | None
    received_at: TimeText | None
    fact: str | None
    strength: StrengthCode | None = Field(
        default=None, description="How well its scan shows that somebody was there, the weakest first."
    )


class LearntLeg(Shape):
    """How long a leg of a route takes, in either direction (s), and what its limits should rather be."""

    route: str
    from_: str = Field(alias="from")
    to: str
    count: int = Field(description="Walks that count.")
    left_out: int = Field(description="Walks of less than a third or more than three times the median.")
    p10_s: float | None = Field(description="One walk in ten is faster. Null, like the rest, below 10 walks.")
    median_s: float | None
    p95_s: float | None = Field(description="One walk in twenty is slower.")
    suggested_min_s: int | None
    suggested_max_s: int | None
    plan_min_s: int
    plan_max_s: int | None


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
    excuse: Excuse | None = None
    judged: Judged | None = Field(None, description="Null unless the verdict is `excused`.")


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
    from_: str | None = Field(alias="from", description="From where a person acted, such as an address.")


class Member(Shape):
    """A device of an outage of the whole site, and when it fell silent with the others."""

    device: str
    at: TimeText


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
    excused: list[str] = Field(description="Those of the occurrences that somebody has excused.")
    count: int
    facts: list[str]
    members: list[Member] = Field(description="Of `site_silent`: the devices that are silent now.")
    inhibited_by: str | None = Field(description="The alert that explains this one: nobody is told of it.")
    silenced_by: str | None = Field(description="The silence that covers it: nobody is told of it.")
    loud_since: TimeText | None = Field(
        description="Since when it is neither: the steps of `escalation` count from here."
    )
    steps_told: int = Field(description="How many steps of `escalation` have been told.")
    repeats: int = Field(description="How often it was told again after the last step.")
    told: list[str] = Field(description="The roles and people that were told of it.")
    told_at: TimeText | None
    escalation: list[EscalationStep]
    history: list[AlertEvent]


class Delivery(Shape):
    """How far a notice has come over one channel."""

    channel: str | None = Field(description="Null: the notice concerns no channel.", examples=["duty-room"])
    state: Literal["waiting", "delivered", "failed", "dropped"]
    attempts: int
    next_at: TimeText | None = Field(description="When it is tried next, while it waits.")
    last_error: str | None = Field(
        description="A code (docs/notifications.md): of the last attempt, or why it was dropped.",
        examples=["http_503"],
    )
    delivered_at: TimeText | None


class Notice(Shape):
    """What somebody is told of an alert, or before one."""

    key: str = Field(
        description="Receivers know by it what they had already.", examples=["riverside-12/opened/0"]
    )
    site: str
    at: TimeText
    kind: str = Field(examples=["opened"])
    to: list[str] = Field(description="Roles, and ids of people.")
    alert: str | None
    deliveries: list[Delivery]


class ProvedTap(Shape):
    """What the SUN message of a scan proved when it came in."""

    tag: str = Field(description="The UID of the tag.")
    counter: int = Field(description="How often the tag had been read.")


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
    tap: ProvedTap | None
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


class Line(Shape):
    """A serial line of the gateway's machine. Counts are since its start."""

    port: str
    protocol: str
    state: Literal["open", "silent", "closed"] = Field(description="`silent`: open, and nobody answers.")
    problem: str | None = Field(description="A code (docs/devices).", examples=["unplugged"])
    since: TimeText | None = Field(description="When this state began.")
    frames: int = Field(description="Frames that were understood.")
    held: int = Field(description="Repeats of a tag that was held to the reader.")
    noise: dict[str, int] = Field(description="What was no frame, by reason.")
    noise_kept: int = Field(description="How much of it is in the quarantine.")
    faults: int = Field(description="How often the line was lost.")
    reopenings: int = Field(description="How often it was opened again.")


class HealthLine(Line):
    """A serial line, with what an engineer wants to know."""

    devices: list[str] = Field(description="`site/device`", examples=[["riverside/reader-1"]])
    detail: str = Field(description="What is wrong, in words; empty when nothing is.")


class Health(Shape):
    """How the service is: `ok`, or what is wrong in words."""

    status: Literal["ok", "failing"]
    now: TimeText
    build: str = Field(description="The id of the pages that are served.")
    store: str
    broker: str
    clockwork: str
    lines: list[HealthLine] = Field(
        description="The serial lines of this machine. They make it no less `ok`."
    )


class Silence(Shape):
    """Nobody is told of the alerts that it covers while it runs."""

    id: str = Field(examples=["riverside-s1f2e3d4c"])
    site: str
    from_: TimeText = Field(alias="from")
    to: TimeText
    by: str
    reason: str
    kinds: list[str] = Field(description="Kinds of alert; all when empty.")
    subjects: list[str] = Field(description="Routes, posts, devices, …; all when empty.")
    maintenance: bool = Field(description="Work that was announced, and no mere silence.")
    created_at: TimeText
    ended_by: str | None


class NewSilence(Shape):
    """What nobody is to be told of, from when until when, and why. It needs an end, an author and a reason."""

    from_: str | None = Field(None, alias="from", description="At once when left out.", max_length=40)
    to: str = Field(examples=["2026-11-24T06:00:00+08:00"], max_length=40)
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])
    reason: str = Field(
        min_length=1, max_length=2000, pattern=r"\S", examples=["The barrier is being repaired."]
    )
    kinds: list[AlertKind] = Field([], max_length=50)
    subjects: list[str] = Field([], max_length=200, examples=[["gate-east"]])
    maintenance: bool = False


class Said(Shape):
    """Who does it."""

    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])


class NewExcuse(Shape):
    """Why an occurrence is excused, by a shift leader or one above."""

    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])
    note: str = Field(
        min_length=1, max_length=2000, pattern=r"\S", examples=["Sent to a fire alarm at building 3."]
    )


class Action(Shape):
    """Something that a person did."""

    site: str
    at: TimeText
    by: str
    from_: str = Field(alias="from", description="From where, such as an address.")
    what: str = Field(examples=["acknowledge"])
    target: str = Field(examples=["riverside-12"])
    params: dict[str, Any]


class Blind(Shape):
    """The gateway could not hear."""

    since: TimeText
    until: TimeText | None = Field(description="Null while it lasts.")
    cause: Literal["down", "cut_off", "clock"]


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
