"""How long records of each kind are kept, and the daily purge of what is older.

The periods are those that the Chinese rules for property security ask for at least; an estate may keep longer, and must
not keep what judging still reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from gateway.clock import Clock
from gateway.store.port import Kind, Store, StoreError

log = logging.getLogger("gateway")

DAY_MS: Final = 86_400_000

DEFAULT_DAYS: Final[Mapping[Kind, int]] = {
    Kind.PATROL: 90,
    Kind.VEHICLES: 180,
    Kind.CAR_PARK: 365,
    Kind.INCIDENTS: 365,
    Kind.RECORDS: 730,
}
"""Signatures prove duties of a whole year, which are judged up to its end: so they are kept for two."""

LEAST_DAYS: Final[Mapping[Kind, int]] = {
    # What a start reads again (gateway/desk.py: 40 days; the register twice 31 days before it; signatures 435 days).
    Kind.PATROL: 45,
    Kind.VEHICLES: 110,
    Kind.CAR_PARK: 45,
    Kind.INCIDENTS: 45,
    Kind.RECORDS: 440,
}

FIRST_AFTER_S: Final = 600.0
"""A purge waits so long after a start (s): the backlog comes first."""

BY: Final = "patrol-gateway"
"""Who purges daily, as the act says."""


class RetentionError(Exception):
    """The setting is wrong; the message says what was expected."""


def parse(text: str) -> dict[Kind, int]:
    """The days of each kind, of `patrol=90,incidents=forever`; a kind that is kept for ever is not there.

    Kinds that the text does not name have their defaults. Raises `RetentionError`.
    """
    days = dict(DEFAULT_DAYS)
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = (each.strip() for each in part.partition("="))
        try:
            kind = Kind(name)
        except ValueError:
            raise RetentionError(
                f"PATROL_RETENTION: {name!r} is no kind of record; the kinds are {', '.join(Kind)}"
            ) from None
        if value == "forever":
            days.pop(kind, None)
            continue
        if not (value.isascii() and value.isdigit()) or int(value) > 36_500:
            raise RetentionError(f"PATROL_RETENTION: {part!r}: write {name}=DAYS, or {name}=forever")
        if int(value) < LEAST_DAYS[kind]:
            raise RetentionError(
                f"PATROL_RETENTION: {part!r}: at least {LEAST_DAYS[kind]} days, as judging still reads them"
            )
        days[kind] = int(value)
    return days


def before(days: Mapping[Kind, int], now: int) -> dict[Kind, int]:
    """Of each kind, before which instant (ms) records go."""
    return {kind: now - each * DAY_MS for kind, each in days.items()}


async def purge_daily(store: Store, clock: Clock, days: Mapping[Kind, int]) -> None:
    """Purge soon after the start, and then each day, until cancelled. What fails is logged and tried the next day."""
    at = clock.now() + round(FIRST_AFTER_S * 1000)
    while True:
        await asyncio.sleep(clock.seconds_until(at))
        at = clock.now() + DAY_MS
        await purge_once(store, clock, days)


async def purge_once(store: Store, clock: Clock, days: Mapping[Kind, int]) -> None:
    """One purge; an error of the store is logged."""
    try:
        removed = await store.purge(before(days, clock.now()), clock.now, BY)
    except StoreError as error:
        log.error("old records could not be purged, it is tried again tomorrow: %s", error)
        return
    if removed:
        log.info("purged %s", ", ".join(f"{count} of {table}" for table, count in sorted(removed.items())))
