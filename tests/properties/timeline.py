"""Timelines: a site's night written down in a few lines, for tests that read as sentences.

    night = Timeline(judge, "2026-01-10 22:00", walk("lap", "a b", every("30min")))
    night.scans("22:10 a", "22:15 b")
    assert night.verdicts("22:50") == ["22:00 on_time", "22:15 missed"]

Times are local. One without a date lies within 24 h of the beginning; `+1 22:10` is a day later, `-1 21:50` a
day earlier, and `01:30b` is the second 01:30 of a night on which the clocks go back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.facts import AnyFact, Lost, Outcome, RadioCall, Scan, Signature, Status
from gateway.domain.plan import (
    ALWAYS,
    At,
    Cadence,
    Calendar,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Order,
    Person,
    Plan,
    Post,
    Route,
    Shift,
    Span,
    Times,
)

from .reference import Judged

Judge = Callable[[Sequence[Plan], Sequence[AnyFact], int], list[Judged]]
Owed = tuple[Duty, Route | None]

UNITS: Final = {"s": 1, "min": 60, "h": 3600}
PEOPLE: Final = (
    Person("li", {"en": "Li"}, "guard", "CA01"),
    Person("wang", {"en": "Wang"}, "guard", "CA02"),
    Person("zhao", {"en": "Zhao"}, "leader", "CA03"),
)
SHIFTS: Final = (
    Shift("early", Span(6 * 60, 14 * 60)),
    Shift("late", Span(14 * 60, 22 * 60)),
    Shift("dark", Span(22 * 60, 6 * 60)),
)
NIGHT: Final = Span(22 * 60, 6 * 60)


def seconds(text: str) -> int:
    """`40s`, `6min`, `12h`."""
    found = re.fullmatch(r"(\d+)(s|min|h)", text)
    assert found, text
    return int(found[1]) * UNITS[found[2]]


def minutes(text: str) -> int:
    """`22:30` in minutes after midnight."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def at(*times: str, duration: str = "0s", early: str = "0s", late: str = "0s", vary: str = "0s") -> At:
    return At(
        tuple(minutes(time) for time in times),
        seconds(duration),
        seconds(early),
        seconds(late),
        seconds(vary),
    )


def every(gap: str, grace: str = "0s", during: str = ALWAYS) -> Every:
    return Every(seconds(gap), seconds(grace), during)


def times(count: int, per: str, grace: str = "0s", apart: str = "0s") -> Times:
    """`per` is a period's name or a span such as `01:00-05:00`."""
    if "-" in per:
        start, end = per.split("-")
        return Times(count, Span(minutes(start), minutes(end)), seconds(grace), apart_s=seconds(apart))
    return Times(count, Calendar(per), seconds(grace), apart_s=seconds(apart))


def walk(
    name: str,
    checkpoints: str,
    cadence: Cadence,
    strict: bool = False,
    post: str | None = None,
    by: str | None = None,
) -> Owed:
    """A round that is owed."""
    order = Order.STRICT if strict else Order.FREE
    route = Route(name, {"en": name}, order, tuple(checkpoints.split()))
    return Duty(name, DutyKind.ROUND, cadence, route=name, post=post, by=by), route


def radio(name: str, posts: str, cadence: Cadence) -> Owed:
    """A radio check that is owed."""
    return Duty(name, DutyKind.RADIO_CHECK, cadence, posts=tuple(posts.split())), None


def record(name: str, cadence: Cadence, posts: str = "", by: str | None = None, signatures: int = 1) -> Owed:
    """A signed record that is owed."""
    called = tuple(posts.split())
    return Duty(name, DutyKind.RECORD, cadence, posts=called, by=by, form=name, signatures=signatures), None


def scanner(name: str, *posts: str) -> Device:
    return Device(name, DeviceKind.SCANNER, posts)


def console(name: str, *posts: str) -> Device:
    return Device(name, DeviceKind.CONSOLE, posts)


class Timeline:
    """A site from a local time on: its plan, what happens, and what is judged."""

    def __init__(
        self,
        judge: Judge,
        begins: str,
        *owed: Owed,
        zone: str = "Asia/Shanghai",
        devices: Iterable[Device] = (),
        night: Span = NIGHT,
    ) -> None:
        self.begins = datetime.fromisoformat(begins)
        self.zone = ZoneInfo(zone)
        self.judge = judge
        self.devices = tuple(devices)
        self.night = night
        self.plans: list[Plan] = []
        self.facts: list[AnyFact] = []
        self.last_seq: dict[tuple[str, str], int] = {}
        self.holds(f"{self.begins:%H:%M}", *owed)

    def holds(self, time: str, *owed: Owed) -> None:
        """A new version of the plan holds from a time on."""
        routes = [route for _, route in owed if route]
        places = sorted({checkpoint for route in routes for checkpoint in route.checkpoints})
        posts = {post for duty, _ in owed for post in (*duty.posts, duty.post) if post}
        self.plans.append(
            Plan(
                site="site",
                name={"en": "Site"},
                timezone=self.zone.key,
                version=len(self.plans) + 1,
                holds_from=self.ms(time),
                night=self.night,
                shifts=SHIFTS,
                people=PEOPLE,
                posts=tuple(Post(post, {"en": post}) for post in sorted(posts)),
                checkpoints=tuple(Checkpoint(place, {"en": place}, (place.upper(),)) for place in places),
                devices=self.devices,
                routes=tuple(routes),
                duties=tuple(duty for duty, _ in owed),
            )
        )

    # --- local times

    def ms(self, time: str) -> int:
        """A local time in UTC ms."""
        found = re.fullmatch(r"(?:([+-]\d+) )?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{3}))?)?(b?)", time)
        assert found, time
        day, hour, minute, second, milli = (int(part or 0) for part in found.groups()[:5])
        local = self.begins.replace(hour=hour, minute=minute, second=second, microsecond=milli * 1000)
        if local < self.begins:
            local += timedelta(days=1)
        local = (local + timedelta(days=day)).replace(tzinfo=self.zone, fold=len(found[6]))
        return (local - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)

    def local(self, ms: int) -> str:
        """The other way."""
        local = datetime.fromtimestamp(ms // 1000, self.zone).replace(microsecond=ms % 1000 * 1000)
        day = (local.replace(tzinfo=None, fold=0) - self.begins) // timedelta(days=1)
        text = f"{local:%H:%M:%S}.{ms % 1000:03}".removesuffix(".000").removesuffix(":00")
        return (f"{day:+} " if day else "") + text + ("b" if local.fold else "")

    # --- what happens

    def next_seq(self, device: str, boot: str) -> int:
        self.last_seq[device, boot] = self.last_seq.get((device, boot), 0) + 1
        return self.last_seq[device, boot]

    def scans(
        self,
        *events: str,
        device: str = "s1",
        guard: str | None = None,
        uncertainty: int = 0,
        boot: str = "b1",
    ) -> None:
        """Scans, each as `22:10 a`: a time and a checkpoint."""
        for event in events:
            time, checkpoint = event.rsplit(" ", 1)
            t, seq = self.ms(time), self.next_seq(device, boot)
            self.facts.append(
                Scan(device, boot, seq, t, t + 500, uncertainty, None, tag=checkpoint.upper(), guard=guard)
            )

    def calls(self, *events: str, device: str = "k1", uncertainty: int = 0, boot: str = "b1") -> None:
        """Radio calls, each as `22:10 gate answered`: a time, a post and an outcome."""
        for event in events:
            time, post, outcome = event.rsplit(" ", 2)
            t, seq = self.ms(time), self.next_seq(device, boot)
            self.facts.append(
                RadioCall(
                    device, boot, seq, t, t + 500, uncertainty, None, post=post, outcome=Outcome(outcome)
                )
            )

    def signs(
        self,
        *events: str,
        post: str | None = None,
        abnormal: bool = False,
        device: str = "@desk",
        uncertainty: int = 0,
        boot: str = "b1",
    ) -> None:
        """Signatures, each as `22:10 weekly li`: a time, a form and who signs."""
        for event in events:
            time, form, by = event.rsplit(" ", 2)
            t, seq = self.ms(time), self.next_seq(device, boot)
            self.facts.append(
                Signature(
                    *(device, boot, seq, t, t + 500, uncertainty, None),
                    form=form,
                    by=by,
                    post=post,
                    abnormal=abnormal,
                )
            )

    def says_nothing_more(
        self, time: str, device: str = "s1", buffered: int = 0, boot: str = "b1", lost: str = ""
    ) -> None:
        """A heartbeat, which says that all but `buffered` records have been sent.

        `lost`: what it says was lost: `2-5 22:10 22:20`, numbers and times.
        """
        t, seq = self.ms(time), self.next_seq(device, boot)
        told: tuple[Lost, ...] = ()
        if lost:
            numbers, since, until = lost.split()
            first, last = numbers.split("-")
            told = (Lost(boot, int(first), int(last), self.ms(since), self.ms(until)),)
        self.facts.append(
            Status(
                device,
                boot,
                seq,
                t,
                t + 500,
                0,
                None,
                buffered=buffered,
                high_seq=seq,
                sent_at=t,
                lost=told,
            )
        )

    def loses_a_record(self, device: str = "s1", boot: str = "b1") -> None:
        """A record of the device that has not come in."""
        self.next_seq(device, boot)

    # --- what is judged

    def judged(self, now: str) -> list[Judged]:
        return self.judge(self.plans, self.facts, self.ms(now))

    def _told(self, now: str, tell: Callable[[Judged], str]) -> list[str]:
        judged = self.judged(now)
        several = any(one.track != other.track for one, other in pairwise(judged))
        return [
            (f"{one.track} " if several else "") + f"{self.local(one.opens_at)} {tell(one)}" for one in judged
        ]

    def verdicts(self, now: str) -> list[str]:
        """`22:00 missed` for each occurrence, behind its track when there are several."""
        return self._told(now, lambda one: one.verdict)

    def codes(self, now: str) -> list[str]:
        """`22:00 not_visited` for each occurrence."""
        return self._told(now, lambda one: one.code)

    def dues(self, now: str) -> list[str]:
        """`22:00 to 22:30` for each occurrence."""
        return self._told(now, lambda one: f"to {self.local(one.due_at)}")

    def evidence(self, now: str) -> list[int]:
        """How many facts each occurrence took."""
        return [len(one.facts) for one in self.judged(now)]
