"""The live board: what a site looks like at an instant, in the shape of docs/api.md.

A pure function of the desk and the time, and quick, as it runs in the event loop for every site that is watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.desk import Desk
from gateway.domain.alert import Severity
from gateway.domain.calendar import HOUR_MS, Period, Periods
from gateway.domain.commands import CommandState
from gateway.domain.facts import GateEvent
from gateway.domain.plan import Device, DeviceKind, DutyKind, Plan
from gateway.domain.verdicts import UNPROVED, Occurrence, Verdict
from gateway.ingest.serial.health import LineHealth
from gateway.instants import maybe_rfc3339, rfc3339
from gateway.shapes import Json, alert_json, command_json, occurrence_json, silence_json
from gateway.web.radio_grid import radio_grid

FEED_SHOWN: Final = 20
"""How many events of the gates the board shows."""

SILENCES_AHEAD_MS: Final = 24 * HOUR_MS
"""How long before it begins (ms) announced maintenance is shown."""

_NO_SHIFT_MS: Final = 12 * HOUR_MS
"""Where no shift runs, "this shift" means so far back (ms)."""

_RANK: Final[Mapping[Verdict, int]] = {
    Verdict.MISSED: 0,
    Verdict.INCOMPLETE: 1,
    Verdict.UNVERIFIED: 2,
    Verdict.LATE: 3,
    Verdict.OPEN: 4,
    Verdict.UPCOMING: 5,
}
_FULFILLED_RANK: Final = 6


def make_board(desk: Desk, now: int) -> Json:
    """The board of a site at `now` (ms)."""
    plan = plan_at(desk, now)
    shift = running_shift(plan, now)
    live = desk.watch.alerts.live
    hero = dict.fromkeys(("critical", "major", "minor"), 0)
    for alert in live:
        hero[
            alert.severity.value
        ] += not alert.muted  # what explains it is counted, or nobody wants to hear of it
    period = (now - _NO_SHIFT_MS, now + HOUR_MS) if shift is None else shift[1]
    return {
        "site": {"id": plan.site, "name": named(plan.name, plan.site), "timezone": plan.timezone},
        "now": rfc3339(now),
        "plan_version": plan.version,
        "shift": None
        if shift is None
        else {"id": shift[0], "from": rfc3339(period[0]), "to": rfc3339(period[1])},
        "hero": hero,
        "rounds": [
            occurrence_json(each, desk.site, desk.checkpoint_names)
            for each in _shown(desk, DutyKind.ROUND, now, period)
        ],
        "radio": radio_grid(desk, plan, now),
        "records": [
            occurrence_json(each, desk.site, desk.checkpoint_names)
            for each in _shown(desk, DutyKind.RECORD, now, period)
        ],
        "alerts": [alert_json(each) for each in [*live, *desk.watch.alerts.closed_since(now - HOUR_MS)]],
        "gates": [_gate(desk, each, now) for each in plan.devices if each.kind is DeviceKind.GATE],
        "gate_feed": [gate_event_json(each) for each in list(desk.watch.gates.feed)[: -FEED_SHOWN - 1 : -1]],
        "devices": [_device(desk, each, now) for each in plan.devices],
        "silences": [
            silence_json(each)
            for each in sorted(desk.watch.alerts.silences, key=lambda each: (each.start, each.id))
            if each.end > now and each.start < now + SILENCES_AHEAD_MS
        ],
        "deaf_since": maybe_rfc3339(desk.watch.hearing.blindness.since),
    }


def plan_at(desk: Desk, now: int) -> Plan:
    """The version that is in force at `now` (ms); before the first one begins, the first."""
    begun = [plan for plan in desk.plans if plan.holds_from <= now]
    return begun[-1] if begun else desk.plans[0]


def named(name: Mapping[str, str], fallback: str) -> Json:
    """A name to show: an id stands in where the plan gives none."""
    return dict(name) or {"zh": fallback, "en": fallback}


def gate_event_json(event: GateEvent) -> Json:
    """An event at a barrier as the gate feed and the passages show it."""
    return {
        "at": rfc3339(event.occurred_at),
        "device": event.device,
        "event": event.event.value,
        "plate": event.plate,
        "lane": event.lane,
        "cause": event.cause,
        "by": event.by,
        "fact": event.id,
    }


def live_alerts(desk: Desk) -> dict[tuple[str, Severity], int]:
    """How many open and acknowledged alerts there are, by kind and severity."""
    counts: dict[tuple[str, Severity], int] = {}
    for alert in desk.watch.alerts.live:
        key = (alert.kind.value, alert.severity)
        counts[key] = counts.get(key, 0) + 1
    return counts


def running_shift(plan: Plan, now: int) -> tuple[str, Period] | None:
    """The shift that runs at `now`, the one that began last where two overlap."""
    running = [
        (period, shift.id)
        for shift in plan.shifts
        if (period := Periods(plan.timezone, None, (shift.span,)).running_at(now)) is not None
    ]
    if not running:
        return None
    period, shift_id = max(running)
    return shift_id, period


def _shown(desk: Desk, kind: DutyKind, now: int, shift: Period) -> list[Occurrence]:
    """Those under way, those to come within the hour, and what this shift has to show for itself; worst first."""
    recent = max(now - HOUR_MS, shift[0])
    shown: list[Occurrence] = []
    for track in desk.watch.tracks():
        if track.duty.kind is not kind:
            continue
        waiting: set[int] = set()  # openings of which one that has not begun is shown
        end = min(now + HOUR_MS, shift[1])
        for each in desk.watch.occurrences(now, shift[0] - HOUR_MS, end, track):
            if each.verdict is Verdict.UPCOMING or (each.verdict is Verdict.OPEN and each.started_at is None):
                # Of several that open at once only the next one is of interest.
                if each.opens_at not in waiting:
                    waiting.add(each.opens_at)
                    shown.append(each)
            elif each.verdict is Verdict.OPEN or _ended(each) >= (shift[0] if _is_wrong(each) else recent):
                shown.append(each)
    return sorted(shown, key=_order)


def _is_wrong(occurrence: Occurrence) -> bool:
    return occurrence.verdict in UNPROVED or occurrence.verdict is Verdict.LATE


def _ended(occurrence: Occurrence) -> int:
    return occurrence.due_at if occurrence.done_at is None else occurrence.done_at


def _order(occurrence: Occurrence) -> tuple[int, int, str]:
    """Worst first; what is over newest first, what is open by its deadline, what is to come by its opening."""
    rank = _RANK.get(occurrence.verdict, _FULFILLED_RANK)
    if occurrence.verdict is Verdict.OPEN:
        return rank, occurrence.due_at, occurrence.id
    if occurrence.verdict is Verdict.UPCOMING:
        return rank, occurrence.opens_at, occurrence.id
    return rank, -_ended(occurrence), occurrence.id


def _gate(desk: Desk, device: Device, now: int) -> Json:
    gate, commands = desk.watch.gates.gates.get(device.id), desk.watch.commands
    command, held_since = commands.last(device.id), commands.held_since(device.id)
    shown = command is not None and (command.ended_at is None or command.ended_at > now - HOUR_MS)
    if command is not None and command.state is CommandState.UNCERTAIN:
        shown = True
    return {
        "device": device.id,
        "name": named(device.name, device.id),
        "posts": list(device.posts),
        "position": "unknown" if gate is None else gate.position,
        "since": None if gate is None else maybe_rfc3339(gate.since),
        "held": gate is not None and held_since is not None and held_since > gate.closed_at,
        "command": command_json(command) if command is not None and shown else None,
    }


def _device(desk: Desk, device: Device, now: int) -> Json:
    health = desk.doors.by_device[device.id].health
    state, doubt = health.clock.state(), health.clock.doubt(now)
    hearing = desk.watch.hearing.device(device.id)
    return {
        "device": device.id,
        "name": named(device.name, device.id),
        "kind": device.kind.value,
        "online": desk.is_online(device.id, now),
        "last_heard_at": maybe_rfc3339(hearing.heard_at),
        "battery": health.battery,
        "buffered": health.buffered,
        "buffer_warning": health.buffer_warning,
        "lost": hearing.lost_records,
        "clock_error_s": None if health.clock_error is None else round(health.clock_error / 1000, 1),
        "clock_doubt_s": None if doubt is None else round(doubt / 1000, 1),
        "clock": None if state is None else state.value,
        "heard_until": rfc3339(hearing.heard_until) if hearing.heard_until > 0 else None,
        "line": None if health.line is None else line_json(health.line),
    }


def line_json(line: LineHealth) -> Json:
    """A line of this machine, as the board and the health check show it."""
    return {
        "port": line.port,
        "protocol": line.protocol,
        "state": line.state.value,
        "problem": line.problem,
        "since": rfc3339(line.since) if line.since else None,
        "frames": line.frames,
        "held": line.held,
        "noise": dict(sorted(line.noise.items())),
        "noise_kept": line.noise_kept,
        "faults": line.faults,
        "reopenings": line.reopenings,
    }
