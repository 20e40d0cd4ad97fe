"""The radio grid of the board: post by slot, for the radio duty that runs, or else the one that comes next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.desk import Desk
from gateway.domain.calendar import HOUR_MS, Period, gap_periods, instant, local_date
from gateway.domain.plan import Duty, DutyKind, Every, Plan
from gateway.domain.tracks import Track
from gateway.domain.verdicts import UNPROVED, Occurrence, Verdict
from gateway.instants import maybe_rfc3339, rfc3339
from gateway.shapes import Json

AHEAD_MS: Final = 12 * HOUR_MS
"""A period that begins later than this (ms from now) is not shown yet."""

ALWAYS_SHOWN_MS: Final = 8 * HOUR_MS
"""How much of a duty that never pauses is shown (ms)."""

MOST_SLOTS: Final = 96
"""Of a longer period only the part around now is shown."""

_WORST_FIRST: Final = ("abnormal", "no_answer", "missed", "unverified", "late", "excused", "on_time")


@dataclass(frozen=True, slots=True)
class _Grid:
    """The period that is shown, its slots, and the duties that are owed in it. Instants and `gap` in ms."""

    period: Period
    gap: int
    slots: tuple[Period, ...]
    duties: frozenset[str]

    def place(self, at: int) -> int | None:
        """Which slot an instant falls into; the period's end belongs to the last one."""
        if at < self.slots[0][0] or at > self.slots[-1][1]:
            return None
        return min((at - self.slots[0][0]) // self.gap, len(self.slots) - 1)


def radio_grid(desk: Desk, plan: Plan, now: int) -> Json | None:
    """The `radio` section of the board; None when no radio duty with a gap runs or comes within 12 h."""
    grid = _choose(plan, now)
    if grid is None:
        return None
    tracks: dict[str, list[Track]] = {}
    for track in desk.watch.tracks():
        if track.duty.kind is DutyKind.RADIO_CHECK and track.duty.id in grid.duties:
            tracks.setdefault(track.subject, []).append(track)
    posts = []
    dues = []
    for post in plan.posts:
        if post.id in tracks:
            row, due = _row(desk, grid, tracks[post.id], now)
            pre_notice = max(track.duty.pre_notice_s for track in tracks[post.id]) * 1000
            remind_at = due - pre_notice if due is not None and pre_notice else None
            posts.append(
                {
                    "post": post.id,
                    "name": dict(post.name),
                    "due_at": maybe_rfc3339(due),
                    "remind_at": maybe_rfc3339(remind_at),
                    "cells": row,
                }
            )
            dues += [due] if due is not None else []
    return {
        "slot_s": grid.gap // 1000,
        "slots": [{"from": rfc3339(start), "to": rfc3339(end)} for start, end in grid.slots],
        "next_due_at": maybe_rfc3339(min(dues, default=None)),
        "posts": posts,
    }


def _choose(plan: Plan, now: int) -> _Grid | None:
    """The running period with the shortest gap, or else the one that begins first."""
    found: list[tuple[bool, int, Period, Duty]] = []
    for duty in plan.duties:
        if duty.kind is not DutyKind.RADIO_CHECK or not isinstance(duty.cadence, Every):
            continue
        gap = duty.cadence.gap_s * 1000
        period = _period(plan, duty.cadence, now)
        if period[0] <= now:
            found.append((False, gap, period, duty))
        elif period[0] - now <= AHEAD_MS:
            found.append((True, period[0], period, duty))
    if not found:
        return None
    chosen = min(found, key=lambda each: each[:2])
    assert isinstance(chosen[3].cadence, Every)
    period, gap = chosen[2], chosen[3].cadence.gap_s * 1000
    count = -(-(period[1] - period[0]) // gap)
    first = max(0, min(count - MOST_SLOTS, (now - period[0]) // gap - MOST_SLOTS // 2))
    slots = tuple(
        (period[0] + gap * n, min(period[0] + gap * (n + 1), period[1]))
        for n in range(first, min(count, first + MOST_SLOTS))
    )
    together = frozenset(
        duty.id
        for _, _, other, duty in found
        if other == period and isinstance(duty.cadence, Every) and duty.cadence.gap_s * 1000 == gap
    )
    return _Grid(period, gap, slots, together)


def _period(plan: Plan, cadence: Every, now: int) -> Period:
    """The period that runs at `now`, or else the next one; of a duty that never pauses, the last 8 h."""
    periods = gap_periods(plan, cadence.during)
    if periods is not None:
        return periods.running_at(now) or periods.next_from(now)
    gap = cadence.gap_s * 1000
    midnight = instant(plan.timezone, local_date(plan.timezone, now), 0)
    end = midnight + ((now - midnight) // gap + 1) * gap
    return end - max(1, ALWAYS_SHOWN_MS // gap) * gap, end


def _row(desk: Desk, grid: _Grid, tracks: list[Track], now: int) -> tuple[list[Json], int | None]:
    """The cells of one post, and until when it must be called next (ms)."""
    marks: dict[int, tuple[int, int, Json]] = {}  # by slot: how bad (0 is worst), minus when, cell
    pending: Occurrence | None = None
    for track in tracks:
        for each in desk.watch.occurrences(now, *grid.period, track):
            if each.verdict in (Verdict.OPEN, Verdict.UPCOMING):
                pending = each
            own: dict[
                int, tuple[int, int, Json]
            ] = {}  # of what one occurrence leaves in a slot, the last counts
            for at, status in _marks(each):
                if (slot := grid.place(at)) is not None:
                    cell = {"status": status, "at": rfc3339(at), "occurrence": each.id}
                    own[slot] = (_WORST_FIRST.index(status), -at, cell)
            for slot, mark in own.items():
                marks[slot] = min(marks.get(slot, mark), mark, key=lambda known: known[:2])
    cells = [
        marks[place][2] if place in marks else _empty(slot, pending, now)
        for place, slot in enumerate(grid.slots)
    ]
    return cells, pending.due_at if pending is not None else None


def _marks(occurrence: Occurrence) -> Iterator[tuple[int, str]]:
    """What an occurrence leaves in the grid, in order of time: when (ms) and what."""
    code, done = occurrence.reason.code, occurrence.done_at
    for call in occurrence.calls:
        if call.at != done:
            yield call.at, "no_answer"
    if done is None:
        if occurrence.verdict in UNPROVED and occurrence.planned_at is not None:
            yield occurrence.planned_at, code if code == "no_answer" else occurrence.verdict.value
        elif occurrence.verdict is Verdict.EXCUSED and occurrence.planned_at is not None:
            yield occurrence.planned_at, occurrence.verdict.value
    elif code == "abnormal":
        yield done, code
    elif occurrence.verdict in (Verdict.LATE, Verdict.UNVERIFIED):
        if occurrence.planned_at is not None:
            yield occurrence.planned_at, occurrence.verdict.value  # the slot that was missed stays marked
        yield done, occurrence.verdict.value
    else:
        yield done, "on_time"


def _empty(slot: Period, pending: Occurrence | None, now: int) -> Json:
    """A slot in which nothing happened and nothing was missed."""
    if slot[0] > now:
        return {"status": "upcoming", "at": None, "occurrence": None}
    if slot[1] > now and pending is not None and pending.opens_at <= now:
        return {"status": "open", "at": maybe_rfc3339(pending.planned_at), "occurrence": pending.id}
    return {"status": "off", "at": None, "occurrence": None}
