"""Replay: the stored facts judged once more, beside what was reported of them (law 2).

Nothing is written. What comes out is as of the last commit of the store, or of `LATER_MS` after the window
where that is earlier: what was unknown then and has not been heard since stays unknown. Instants are ms since
the epoch, UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway import sitefile
from gateway.desk import LOOK_BACK_MS, fact_from_row, read_taps
from gateway.domain.facts import AnyFact
from gateway.domain.plan import DutyKind, Plan
from gateway.domain.strength import Strength
from gateway.domain.verdicts import finding_codes
from gateway.domain.watch import Watch
from gateway.instants import parse_instant, rfc3339
from gateway.shapes import INSTANT_PARAMS, Json, occurrence_json
from gateway.store.port import Store

LATER_MS: Final = LOOK_BACK_MS
"""So long after the window (ms) facts are still read: what comes even later is as rare as it is far."""


class ReplayError(Exception):
    """What was asked for cannot be replayed; the message says why."""


@dataclass(slots=True)
class Difference:
    """One occurrence. `before`: as it was reported, None when it was not; `after`: as it comes out, likewise."""

    before: Json | None
    after: Json | None

    @property
    def occurrence(self) -> Json:
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(slots=True)
class Replayed:
    """What a replay of one site came to."""

    site: str
    timezone: str
    as_of: int
    same: int = 0
    differences: list[Difference] = field(default_factory=list)


async def replay(store: Store, site: str, start: int, end: int, other: Plan | None = None) -> Replayed:
    """Judge what opened in `[start, end)` again, and compare it with what was reported.

    `other`: a plan that takes the place of all stored versions, as though it had been in force from the first
    on. Raises `ReplayError` for a site that is not stored.
    """
    versions = [
        sitefile.parse(row.body, f"{row.site}, version {row.version}", version=row.version,
                       holds_from=row.holds_from)
        for row in await store.plans()
        if row.site == site
    ]  # fmt: skip
    if not versions:
        raise ReplayError(f"there is no site {site!r} in this database")
    plans = versions if other is None else [replace(other, holds_from=versions[0].holds_from)]
    before = await _reported(store, site, start, end)
    as_of = min(await store.last_commit_at(), end + LATER_MS)
    after = await _judge(store, plans, start, end, as_of)
    # The gateway may be running: what it has reported meanwhile rests on more than was read here.
    now = await _reported(store, site, start, end)
    moving = {id_ for id_ in before.keys() | now.keys() if before.get(id_) != now.get(id_)}
    before = {id_: each for id_, each in before.items() if id_ not in moving}
    after = {id_: each for id_, each in after.items() if id_ not in moving}
    found = Replayed(site, plans[-1].timezone, as_of)
    found.same, found.differences = compare(before, after)
    return found


def compare(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[int, list[Difference]]:
    """How many occurrences are told alike, and those that are not, by their opening. Both by id."""
    same, different = 0, []
    for id_ in before.keys() | after.keys():
        difference = Difference(before.get(id_), after.get(id_))
        if difference.before and difference.after and _told(difference.before) == _told(difference.after):
            same += 1
        else:
            different.append(difference)
    return same, sorted(different, key=lambda each: (each.occurrence["opens_at"], each.occurrence["id"]))


def _told(occurrence: Json) -> tuple[str, str, str]:
    codes = finding_codes(finding["code"] for finding in occurrence["findings"])
    return occurrence["verdict"], occurrence["reason"]["code"], codes


def _is_told(occurrence: Json) -> bool:
    """Whether a gateway reports it: not while it is open, but for a call in vain."""
    return occurrence["verdict"] not in ("open", "upcoming") or occurrence["reason"]["code"] == "no_answer"


async def _reported(store: Store, site: str, start: int, end: int) -> dict[str, Json]:
    return {
        each["id"]: each
        for kind in DutyKind
        for each in await store.occurrences(site, kind.value, start, end)
        if start <= parse_instant(each["opens_at"]) < end and _is_told(each)
    }


async def _judge(store: Store, plans: Sequence[Plan], start: int, end: int, as_of: int) -> dict[str, Json]:
    site, begin = plans[0].site, max(plans[0].holds_from, start - LOOK_BACK_MS)
    watch = Watch(plans, since=begin, taps=await read_taps(store, site, begin))
    await _hear(store, watch, site)
    facts: list[AnyFact] = []
    # A heartbeat from before the window proves nothing of what was due in it.
    for kind, since in (("scan", begin), ("radio", begin), ("status", start)):
        rows = await store.facts(site, since, as_of + 1, type=kind)
        facts += [fact_from_row(row) for _, row in rows if row.received_at <= as_of]
    watch.recall(facts, ())
    watch.step(as_of)
    names = {point.id: point.name for plan in plans for point in plan.checkpoints}
    shapes = [occurrence_json(each, site, names) for each in watch.occurrences(as_of, start, end)]
    return {
        each["id"]: each
        for each in shapes
        if start <= parse_instant(each["opens_at"]) < end and _is_told(each)
    }


async def _hear(store: Store, watch: Watch, site: str) -> None:
    """Tell the watch which records are stored: a heartbeat proves something only when none is missing."""
    for of_site, device, boot, seq in await store.refused_seqs():
        if of_site == site:
            watch.hearing.device(device).add(boot, seq)
    for row in await store.boots():
        if row.site == site:
            for seq in await store.received(site, row.device, row.boot):
                watch.hearing.device(row.device).add(row.boot, seq)


# -- for people and programs ---------------------------------------------------------------------------------


def replayed_json(found: Replayed) -> Json:
    """A replay as a program reads it."""
    return {
        "site": found.site,
        "timezone": found.timezone,
        "as_of": rfc3339(found.as_of),
        "same": found.same,
        "differences": [
            {
                "id": each.occurrence["id"],
                "duty": each.occurrence["duty"],
                "subject": each.occurrence["subject"],
                "opens_at": each.occurrence["opens_at"],
                "due_at": each.occurrence["due_at"],
                "before": _side_json(each.before),
                "after": _side_json(each.after),
            }
            for each in found.differences
        ],
    }


def _side_json(occurrence: Json | None) -> Json | None:
    if occurrence is None:
        return None
    side = {key: occurrence[key] for key in ("verdict", "reason", "findings", "plan_version")}
    if "visits" in occurrence:
        side["strengths"] = {visit["checkpoint"]: strength for visit, strength in _strengths(occurrence)}
    return side


def _strengths(occurrence: Json) -> list[tuple[Json, str]]:
    """The visits of a round with how strong each is as evidence; older records do not say it."""
    visits = occurrence.get("visits", ())
    return [(visit, visit["strength"]) for visit in visits if visit.get("strength") is not None]


def replayed_lines(found: Replayed) -> Iterator[str]:
    """A replay as a person reads it: a line for each difference, and how many there are."""
    zone = ZoneInfo(found.timezone)
    for each in found.differences:
        occurrence = each.occurrence
        opens = _local(parse_instant(occurrence["opens_at"]), zone)
        due = _local(parse_instant(occurrence["due_at"]), zone)
        what = f"{occurrence['duty']} {occurrence['subject']}  {opens} to {due}"
        if each.before is None:
            yield f"{found.site}  {what}  added: {_say(occurrence, zone)}"
        elif each.after is None:
            yield f"{found.site}  {what}  gone, was {_say(occurrence, zone)}"
        else:
            yield f"{found.site}  {what}  {_say(each.before, zone)} → {_say(each.after, zone)}"
    added = sum(each.before is None for each in found.differences)
    gone = sum(each.after is None for each in found.differences)
    other = len(found.differences) - added - gone
    yield (
        f"{found.site}: {other} different, {added} added, {gone} gone, {found.same} the same; "
        f"judged as of {_local(found.as_of, zone)} {found.timezone}"
    )


def _local(at: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _say(occurrence: Json, zone: ZoneInfo) -> str:
    """`incomplete (incomplete: missing exit, visited 2, of 3) by 2 uid [leg_too_fast]`."""
    reason = occurrence["reason"]
    params = ", ".join(f"{key} {_value(key, value, zone)}" for key, value in sorted(reason["params"].items()))
    said = f"{occurrence['verdict']} ({reason['code']}{f': {params}' if params else ''})"
    counts = Counter(strength for _, strength in _strengths(occurrence))
    if counts:
        said += f" by {', '.join(f'{counts[each]} {each}' for each in Strength if counts[each])}"
    codes = finding_codes(finding["code"] for finding in occurrence["findings"])
    return f"{said} [{codes.replace(',', ', ')}]" if codes else said


def _value(key: str, value: Any, zone: ZoneInfo) -> str:
    if key in INSTANT_PARAMS and isinstance(value, str):
        return _local(parse_instant(value), zone)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "+".join(map(str, value)) or "none"
    return str(value)
