"""A gatehouse for tests: what happens at two gates line by line, and what the ledger makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.hearing import Hearing
from gateway.domain.ledger.authority import Authority, AuthorityKind, tokens_of
from gateway.domain.ledger.ledger import GateLedger
from gateway.domain.ledger.shown import Shown
from gateway.domain.plan import (
    Device,
    DeviceKind,
    GateRules,
    Person,
    Plan,
    Post,
    PostKind,
    Span,
    Tariff,
)
from gateway.instants import parse_instant

BEGIN = parse_instant("2026-11-23T00:00:00Z")
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY = 24 * HOUR

PLAN = Plan(
    "court",
    {"zh": "庭院"},
    "UTC",
    1,
    BEGIN,
    Span(1320, 360),
    people=(Person("li", {"zh": "李强"}, "guard", "04A1B2C3"),),
    posts=(Post("east", {"zh": "东门"}, PostKind.GATE), Post("west", {"zh": "西门"}, PostKind.GATE)),
    devices=(
        Device("gate-east", DeviceKind.GATE, ("east",)),
        Device("camera-east", DeviceKind.GATE, ("east",)),
        Device("gate-west", DeviceKind.GATE, ("west",)),
        Device("scanner-1", DeviceKind.SCANNER),
    ),
    gate_rules=GateRules(60, 86_400, Tariff(unit_s=3600, fee=500, free_s=1800, daily_cap=4000)),
)

CAR, OTHER = "粤B12345", "粤B99999"


def at(text: str, day: int = 0) -> int:
    """An instant (ms): the time of a day from the first on."""
    hours, minutes, seconds = (int(part) for part in (text + ":00")[:8].split(":"))
    return BEGIN + day * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND


class Gatehouse:
    """Records what happens, and reads the ledger."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.plan = plan
        self.events: list[GateEvent] = []
        self.authorities: list[Authority] = []
        self.hearing: Hearing | None = None

    def says(self, when: str | int, event: str, lane: str | None = "in", **members: Any) -> GateEvent:
        """A record of a gate: at `when`, of `device`, with the members of the wire."""
        instant = at(when) if isinstance(when, str) else when
        device = members.pop("device", "gate-east")
        doubt = members.pop("doubt", 500)
        if "pass_" in members:
            members["pass_no"] = members.pop("pass_")
        kind = GateEventKind(event)
        fact = GateEvent(
            device, "b", len(self.events) + 1, instant, instant, doubt, None, kind, lane, **members
        )
        self.events.append(fact)
        return fact

    def passes(self, when: str | int, direction: str, cause: str = "plate", **members: Any) -> GateEvent:
        """All that a barrier says of one vehicle: it opens, the vehicle passes 5 s later, it closes."""
        instant = at(when) if isinstance(when, str) else when
        place = {name: members[name] for name in ("device", "doubt") if name in members}
        known = {name: members[name] for name in ("plate", "card", "pass_") if name in members}
        said = {name: value for name, value in members.items() if name not in ("vehicle", "goods")}
        self.says(instant, "opened", direction, cause=cause, **said)
        more = {name: members[name] for name in ("vehicle", "goods") if name in members}
        passed = self.says(instant + 5 * SECOND, f"vehicle_{direction}", direction, **place, **known, **more)
        self.says(instant + 9 * SECOND, "closed", direction, **place)
        return passed

    def register(
        self,
        kind: str,
        plate: str | None = None,
        *,
        card: str | None = None,
        number: str | None = None,
        since: str | int = "00:00",
        until: str | int | None = None,
        written: str | int | None = None,
    ) -> Authority:
        """An entry of the register."""
        start = at(since) if isinstance(since, str) else since
        end = FOREVER if until is None else at(until) if isinstance(until, str) else until
        wrote = start if written is None else at(written) if isinstance(written, str) else written
        name = f"a{len(self.authorities) + 1}"
        tokens = tokens_of(number, card, plate)
        made = Authority(name, "court", AuthorityKind(kind), wrote, start, end, "wang", tokens)
        self.authorities.append(made)
        return made

    def revoke(self, authority: Authority, when: str) -> None:
        """It holds no more."""
        place = self.authorities.index(authority)
        self.authorities[place] = replace(authority, revoked_at=at(when), revoked_by="wang")

    def ledger(self, events: Iterable[GateEvent] | None = None) -> GateLedger:
        """The ledger of all that was said."""
        made = GateLedger([self.plan], self.authorities)
        made.take(self.events if events is None else events)
        return made

    def shown(self, now: int | None = None) -> Shown:
        """The whole ledger, a day after the first day when no time is given."""
        return self.ledger().show(
            BEGIN, BEGIN + 40 * DAY, at("23:59:59") if now is None else now, self.hearing
        )

    def codes(self, now: int | None = None) -> list[str]:
        """What is left over."""
        return [leftover.code for leftover, _ in self.shown(now).leftovers]
