"""The shapes of commands, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.commanding import LONGEST_S
from gateway.web.models import Shape, TimeText

CommandStateCode = Literal["requested", "sent", "done", "refused", "failed", "uncertain", "expired"]


class Settled(Shape):
    """What a person saw of an uncertain command."""

    by: str
    done: bool
    note: str
    at: TimeText


class Command(Shape):
    """A command to a device, and what is known of it."""

    id: str = Field(examples=["riverside-c1f2e3d4c"])
    site: str
    device: str
    cmd: Literal["open", "close", "hold", "call", "message", "sync_clock"]
    args: dict[str, Any]
    by: str = Field(description="The person who asked for it.")
    from_: str | None = Field(alias="from", description="From where, such as an address.")
    reason: str
    requested_at: TimeText
    expires_at: TimeText = Field(description="From then on it is not sent, nor carried out.")
    state: CommandStateCode
    sent_at: TimeText | None
    ended_at: TimeText | None
    answer: str | None = Field(description="The fact that answered it.")
    result: str | None = Field(
        description="`done`, `refused`, `failed` or `unknown`, as the device said; or `not_delivered`."
    )
    settled: Settled | None


class NewCommand(Shape):
    """What a device is to do, who wants it, and why."""

    cmd: Literal["open", "close", "hold", "call", "message", "sync_clock"]
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])
    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S", examples=["Ambulance for building 3"])
    args: dict[str, Any] = Field(default={}, max_length=20)
    expires_in_s: int | None = Field(
        None,
        ge=1,
        le=LONGEST_S,
        description="How long it may be carried out; left out: 10 s for barriers, 60 s for all else.",
    )


class Settle(Shape):
    """Whether an uncertain command was done, as somebody has seen."""

    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["wang-jg"])
    done: bool
    note: str = Field("", max_length=2000, examples=["The bar is up."])


class NotNowDetail(Shape):
    """Why nothing was sent: `offline`, or `pending` with the command that comes before."""

    state: Literal["offline", "pending"]
    message: str = Field(examples=["'gate-east' cannot be reached now: nothing was sent"])
    command: Command | None


class NotNow(Shape):
    """A command that was not sent."""

    detail: NotNowDetail
