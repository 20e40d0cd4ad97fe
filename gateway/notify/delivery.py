"""What is done with a notice on its way: when it is tried again, what it waits for, when it is not sent any more.

Pure: `now` is an argument. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.notices import ENDS, NoticeKind
from gateway.store.port import DeliveryRow

BACK_OFF_S: Final = (5, 15, 60, 300, 900)
"""How long after each failed attempt the next one is made (s); the last goes on for ever."""

GIVE_UP_MS: Final = 24 * 3_600_000
"""A notice that could not be delivered for so long is dropped."""

STALE_MS: Final = 3_600_000
"""A notice older than this is not sent any more when its alert is closed."""

FAILING_MS: Final = 300_000
"""A channel that fails for longer is told of by an alert, and its oldest notice no longer holds up the others."""

_ENDS: Final = frozenset(kind.value for kind in ENDS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `error` is a code (docs/notifications.md); None: it was delivered."""

    error: str | None = None
    permanent: bool = False


def tried_again_at(attempts: int, now: int) -> int:
    """When to try again after so many attempts, the last of them now."""
    return now + BACK_OFF_S[min(attempts, len(BACK_OFF_S)) - 1] * 1000


def next_due(queue: Sequence[DeliveryRow], now: int) -> DeliveryRow | None:
    """The delivery to try now, of those that wait on one channel, oldest first.

    The order is kept: what waits to be tried again holds up what was made after it. But not for longer than
    `FAILING_MS`, so that a notice that its receiver cannot take does not keep back an alarm behind it; only
    those of the same alert wait on.
    """
    held: set[str | None] = set()
    for delivery in queue:
        held_up = delivery.alert is not None and delivery.alert in held
        if _due_at(delivery) <= now and not held_up:
            return delivery
        if now - delivery.since <= FAILING_MS:
            return None
        held.add(delivery.alert)
    return None


def next_look(queue: Sequence[DeliveryRow], now: int) -> int | None:
    """When `next_due` may find something that it does not find now."""
    if not queue:
        return None
    times = [_due_at(delivery) for delivery in queue]
    times += [delivery.since + FAILING_MS + 1 for delivery in queue]
    return min((at for at in times if at > now), default=now)


def _due_at(delivery: DeliveryRow) -> int:
    return delivery.since if delivery.next_at is None else delivery.next_at


def why_not_sent(
    kind: str, at: int, due_at: int | None, alert_closed: bool, told_before: bool, now: int
) -> str | None:
    """Why a notice is not sent any more; None when it is.

    1. `not_told`: it takes back what this channel never delivered.
    2. `stale`: it is older than an hour and its alert is closed, or it announces a deadline that has passed.
    """
    if kind in _ENDS:
        return None if told_before else "not_told"
    if kind == NoticeKind.DUE_SOON:
        return "stale" if due_at is not None and now > due_at else None
    return "stale" if alert_closed and now - at > STALE_MS else None
