"""An evening at a small site, written down in a few lines: a watch, and a hand that lets devices speak and time pass.

Times are minutes after the evening began; the watch is stepped at each of its wakes on the way, as the engine does.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.domain.alert import Alert, AlertKind
from gateway.domain.facts import AnyFact, Outcome, RadioCall, Scan, Status
from gateway.domain.notices import Notice
from gateway.domain.plan import Plan
from gateway.domain.verdicts import VerdictChange
from gateway.domain.watch import Watch
from gateway.instants import parse_instant
from gateway.sitefile import parse

MINUTE = 60_000
BEGIN = parse_instant("2026-11-23T22:00:00+08:00")

LODGE = """\
site: lodge
name: {zh: 门房, en: The Lodge}
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
people:
  - {id: wang, name: 王建国, role: shift_leader}
  - {id: li, name: 李强, role: guard, card: "04A1B2C3D4E5F6"}
posts:
  - {id: gate, name: 大门岗, kind: gate}
  - {id: yard, name: 院内岗, kind: patrol}
checkpoints:
  - {id: shed, name: 棚, tags: ["04DE5F1EACC040"]}
  - {id: well, name: 井, tags: ["04DE5F1EACC041"]}
devices:
  - {id: s1, kind: scanner, posts: [yard]}
  - {id: s2, kind: scanner, posts: [gate]}
  - {id: k1, kind: console, posts: [gate]}
  - {id: g1, kind: gate, posts: [gate]}
routes:
  - {id: tour, name: 巡逻, order: free, checkpoints: [shed, well]}
duties:
  - {id: hourly, kind: round, route: tour, post: yard, every: 60min}
escalation:
  - {after: 0s, to: [shift_leader]}
  - {after: 10min, to: [supervisor]}
"""


def lodge(*changes: tuple[str, str]) -> Plan:
    """The plan of the lodge after some changes of its text, in force from the beginning of the evening."""
    text = LODGE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the lodge"
        text = text.replace(old, new)
    return parse(text, "lodge.yaml", version=1, holds_from=BEGIN)


class Evening:
    """A watch at the lodge, and what came of it."""

    def __init__(self, plan: Plan | None = None, watch: Watch | None = None) -> None:
        self.watch = Watch([plan or lodge()]) if watch is None else watch
        self.now = BEGIN
        self.alerts: dict[str, Alert] = {}
        self.notices: list[Notice] = []
        self.changes: list[VerdictChange] = []
        self._seqs: dict[str, int] = {}

    def until(self, minute: float, *facts: AnyFact) -> None:
        """Let it become so late, and these facts come in then."""
        at = BEGIN + round(minute * MINUTE)
        while self.watch.next_wake < at:
            self._step(max(self.watch.next_wake, self.now), ())
        self._step(at, facts)

    def beating(self, minute: float, until: float, *devices: str) -> None:
        """Devices that send a heartbeat each minute, with nothing left to say."""
        for step in range(round(until - minute) + 1):
            at = minute + step
            self.until(at, *[self.status(at, device) for device in devices])

    def _step(self, now: int, facts: Iterable[AnyFact]) -> None:
        self.now = now
        changes = self.watch.step(now, list(facts))
        self.alerts |= {alert.id: alert for alert in changes.alerts}
        self.notices += changes.notices
        self.changes += changes.verdicts

    def _common(self, minute: float, device: str) -> tuple[str, str, int, int, int, int, None]:
        self._seqs[device] = seq = self._seqs.get(device, 0) + 1
        self.watch.hearing.device(device).add("b1", seq)
        at = BEGIN + round(minute * MINUTE)
        return device, "b1", seq, at, at, 0, None

    def status(self, minute: float, device: str, battery: int | None = None) -> Status:
        common = self._common(minute, device)
        return Status(*common, 0, common[2], common[3], battery)

    def scan(self, minute: float, tag: str, device: str = "s1", guard: str = "li") -> Scan:
        return Scan(
            *self._common(minute, device), {"shed": "04DE5F1EACC040", "well": "04DE5F1EACC041"}[tag], guard
        )

    def call(self, minute: float, post: str, outcome: Outcome = Outcome.ANSWERED) -> RadioCall:
        return RadioCall(*self._common(minute, "k1"), post, outcome, "wang")

    def one(self, kind: AlertKind, subject: str) -> Alert:
        """The only alert of a kind about a subject that there was."""
        (found,) = (each for each in self.alerts.values() if each.kind is kind and each.subject == subject)
        return found

    def kinds(self) -> list[str]:
        """The kinds of all alerts that there were, in order of their opening."""
        return [alert.kind.value for alert in sorted(self.alerts.values(), key=lambda each: each.id)]

    def told(self) -> list[tuple[str, tuple[str, ...], float]]:
        """What people were told, whom, and at which minute."""
        return [(each.kind.value, each.to, (each.at - BEGIN) / MINUTE) for each in self.notices]


def story(alert: Alert) -> list[str]:
    """The words of an alert's history."""
    return [event.what for event in alert.history]
