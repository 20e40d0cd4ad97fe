"""A small site with everything that a board shows, and what happens there."""

from __future__ import annotations

from typing import Any

from gateway.desk import Desk
from gateway.domain.facts import GateEvent, GateEventKind, Outcome, RadioCall, Scan, Status
from gateway.domain.plan import Plan
from gateway.domain.watch import Watch
from gateway.instants import parse_instant
from gateway.sitefile import parse

HARBOUR = """\
site: harbour
name: {zh: 港湾, en: The Harbour}
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
shifts:
  - {id: day, from: "07:00", to: "19:00"}
  - {id: night, from: "19:00", to: "07:00"}
people:
  - {id: li, name: 李强, role: guard, card: "04A1B2C3D4E5F6"}
  - {id: wang, name: 王建国, role: shift_leader}
posts:
  - {id: east, name: {zh: 东门岗, en: East gate}, kind: gate}
  - {id: west, name: {zh: 西门岗, en: West gate}, kind: gate}
checkpoints:
  - {id: quay, name: {zh: 码头, en: Quay}, tags: ["04DE5F1EACC040"]}
  - {id: crane, name: {zh: 吊机, en: Crane}, tags: ["04DE5F1EACC041"]}
devices:
  - {id: scanner-1, kind: scanner, name: {zh: 巡更棒, en: Scanner}}
  - {id: console-1, kind: console}
  - {id: gate-east, kind: gate, posts: [east], name: {zh: 东门道闸, en: East barrier}}
routes:
  - {id: quays, name: {zh: 码头路线, en: Quays}, order: strict, checkpoints: [quay, crane], leg: {min: 10s, max: 9min}}
duties:
  - {id: hourly, kind: round, route: quays, every: 60min, grace: 5min, clause: "5.4.6.1"}
  - {id: dusk, kind: round, route: quays, at: ["20:30"], duration: 20min, early: 5min, late: 5min}
  - {id: night-radio, kind: radio_check, posts: all, every: 30min, during: night, grace: 2min}
  - {id: day-radio, kind: radio_check, posts: all, every: 2h, during: day, grace: 10min}
"""

MINUTE = 60_000
HOUR = 60 * MINUTE

QUAY, CRANE = "04DE5F1EACC040", "04DE5F1EACC041"


def local(text: str) -> int:
    """An instant (ms) of the harbour's 23 and 24 November: `23 22:05` is its local day and time."""
    day, time = text.split()
    return parse_instant(f"2026-11-{day}T{time}:00+08:00")


BEGIN = local("23 18:00")
"""When the plan takes effect (ms): before the shift change, before the night."""


def harbour(*changes: tuple[str, str], version: int = 1, holds_from: int = BEGIN) -> Plan:
    """The harbour's plan after some changes of its text."""
    text = HARBOUR
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the harbour"
        text = text.replace(old, new)
    return parse(text, "harbour.yaml", version=version, holds_from=holds_from)


class Night:
    """A desk at the harbour, and a hand that writes its facts. `now` is in ms."""

    def __init__(self, *plans: Plan) -> None:
        plans = plans or (harbour(),)
        self.desk = Desk(plans, Watch(plans))
        self._seq = 0

    def at(self, text: str, *facts: Any) -> int:
        """Let it become a local time, with these facts; the instant (ms)."""
        now = local(text)
        self.desk.watch.step(now, facts)
        return now

    def _next(self, device: str, text: str) -> tuple[str, str, int, int, int, int, int | None]:
        self._seq += 1
        return device, "b1", self._seq, local(text), local(text), 0, 400

    def scan(self, text: str, tag: str) -> Scan:
        return Scan(*self._next("scanner-1", text), tag, "li")

    def call(self, text: str, post: str, outcome: Outcome = Outcome.ANSWERED) -> RadioCall:
        return RadioCall(*self._next("console-1", text), post, outcome, "wang")

    def gate(self, text: str, event: GateEventKind, plate: str | None = None) -> GateEvent:
        return GateEvent(*self._next("gate-east", text), event, "in", plate)

    def all_heard(self, text: str) -> list[Status]:
        """A status of each device by which it has nothing more to say."""
        found = []
        for device in ("scanner-1", "console-1", "gate-east"):
            common = self._next(device, text)
            self.desk.watch.hearing.device(device).add("b1", 1)
            found.append(Status(*common, 0, 0, common[3], 80))
        return found
