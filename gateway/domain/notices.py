"""Notices: what somebody must be told of an alert, and who. The domain decides that; `gateway/notify` carries it.

A notice is made in the same commit as the change of the alert that calls for it, under a key that is never used
again. So a restart neither loses one nor makes it twice. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"  # the first step of the ladder
    ESCALATED = "escalated"  # a later step: nobody has acknowledged
    REPEATED = "repeated"  # still nobody, one repeat interval after the last word
    RECOVERED = "recovered"  # it is over; so are the two below
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"
    DUE_SOON = "due_soon"  # a deadline is near, and nothing has been done yet: no alert so far


ENDS: frozenset[NoticeKind] = frozenset({NoticeKind.RECOVERED, NoticeKind.WITHDRAWN, NoticeKind.RESOLVED})
"""Notices that take an earlier one back: only who was told before is told these."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told to some people, once."""

    key: str
    """Unique for ever, such as `riverside-12/escalated/1`; a receiver can tell by it what it has had already."""
    site: str
    kind: NoticeKind
    at: int
    to: tuple[str, ...]  # roles, or ids of people
    alert: str | None  # None: `due_soon`
    subjects: tuple[str, ...] = ()  # of `due_soon`: the posts that have not been called
    duty: str | None = None  # of `due_soon`
    due_at: int | None = None  # of `due_soon`
