"""Instants at the edges: ms since the epoch inside, RFC 3339 in UTC outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_MS: Final = timedelta(milliseconds=1)


def rfc3339(at: int) -> str:
    """An instant (ms since the epoch) as `2026-11-23T14:00:00.000Z`."""
    return f"{(_NAIVE_EPOCH + at * _MS).isoformat(timespec='milliseconds')}Z"


def maybe_rfc3339(at: int | None) -> str | None:
    """As `rfc3339`, and None for None."""
    return None if at is None else rfc3339(at)


def from_datetime(at: datetime) -> int:
    """An aware datetime as ms since the epoch."""
    return (at - _EPOCH) // _MS


def parse_instant(text: str) -> int:
    """An RFC 3339 time with an offset as ms since the epoch. Raises ValueError for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time like 2026-11-23T22:00:00+08:00") from None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: write 2026-11-23T22:00:00+08:00 or …Z")
    return from_datetime(at)
