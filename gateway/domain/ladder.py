"""The ladder: who is told of an alert that nobody has acknowledged, and when. Pure functions of the alert and the time.

The steps are those of the plan when the alert opened. They count from when the alert became loud: an alert that
another one explains, or that is silenced, waits at its step. Acknowledging ends the climb.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.domain.alert import Alert, AlertEvent, AlertState
from gateway.domain.calendar import FOREVER
from gateway.domain.notices import Notice, NoticeKind


def next_rung(alert: Alert, repeat_s: int) -> int:
    """When somebody must be told next (ms); `FOREVER` when nobody must. `repeat_s` 0: nothing is told again."""
    if alert.state is not AlertState.OPEN or alert.muted or alert.loud_since is None or not alert.escalation:
        return FOREVER
    if alert.steps_told < len(alert.escalation):
        return alert.loud_since + alert.escalation[alert.steps_told].after_s * 1000
    if not repeat_s or alert.told_at is None:
        return FOREVER
    return max(alert.told_at, alert.loud_since) + repeat_s * 1000


def climb(alert: Alert, repeat_s: int, now: int) -> Iterator[Notice]:
    """Tell everybody who must be told by `now`; notes it in the alert."""
    while next_rung(alert, repeat_s) <= now:
        if alert.steps_told < len(alert.escalation):
            step = alert.escalation[alert.steps_told]
            kind = NoticeKind.ESCALATED if alert.steps_told else NoticeKind.OPENED
            alert.steps_told += 1
            yield _tell(alert, kind, alert.steps_told, step.to, now)
        else:
            alert.repeats += 1
            yield _tell(alert, NoticeKind.REPEATED, alert.repeats, tuple(alert.told), now)


def tell_the_end(alert: Alert, kind: NoticeKind, now: int) -> Notice | None:
    """Tell those who were told of the alert that it is over; None when nobody was."""
    return _tell(alert, kind, 1, tuple(alert.told), now) if alert.told else None


def _tell(alert: Alert, kind: NoticeKind, number: int, to: tuple[str, ...], now: int) -> Notice:
    alert.told_at = now
    alert.told += [who for who in to if who not in alert.told]
    alert.history.append(AlertEvent(now, "told", params={"notice": kind.value, "to": list(to)}))
    return Notice(f"{alert.id}/{kind}/{number}", alert.site, kind, now, to, alert.id)
