"""A whole night in simulated time: the simulator's devices on one side, the gateway's intake and judge on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from checkpoint_firmware_sim.engine import InstantNetwork, ScenarioRun
from checkpoint_firmware_sim.owed import Happened
from checkpoint_firmware_sim.scenario import Scenario
from checkpoint_firmware_sim.score import Score, score
from checkpoint_firmware_sim.truth import Line
from gateway.domain.plan import Plan
from gateway.domain.watch import Watch
from gateway.ingest.delivery import Delivery
from gateway.ingest.doors import SiteDoors
from gateway.ingest.intake import Intake
from gateway.shapes import alert_json, occurrence_json
from gateway.store.port import Commit


class AnyoneLink:
    """A connection that may speak for every device and wants nothing back."""

    speaks_for = None

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Nobody waits for a PUBACK here."""

    def pause(self) -> None:
        """There is no socket to stop reading from."""

    def resume(self) -> None:
        """Nor one to start reading from."""


LINK = AnyoneLink()


@dataclass
class PlayedNight:
    """What came of a night."""

    truth: list[Line]
    occurrences: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    scored: Score

    def verdict_of(self, duty: str, subject: str, verdict: str) -> list[dict[str, Any]]:
        """The occurrences of a track with a verdict."""
        return [
            each
            for each in self.occurrences
            if each["duty"] == duty and each["subject"] == subject and each["verdict"] == verdict
        ]

    def alerts_of(self, kind: str, subject: str) -> list[dict[str, Any]]:
        """The alerts of a kind about a subject."""
        return [alert for alert in self.alerts if alert["kind"] == kind and alert["subject"] == subject]


def play_night(plan: Plan, scenario: Scenario, start: int, seed: int | None = None) -> PlayedNight:
    """Play a scenario from `start` (ms) on; the plan takes effect then. Judged until its end."""
    plan = replace(plan, holds_from=start)
    watch = Watch([plan])
    doors = SiteDoors([plan], watch.hearing)
    intake = Intake(lambda site: doors if site == plan.site else None)
    alerts: dict[str, dict[str, Any]] = {}

    def step(now: int, facts: Sequence[Any] = ()) -> None:
        for alert in watch.step(now, facts).alerts:
            alerts[alert.id] = alert_json(alert)

    def pass_time(now: int) -> None:
        while watch.next_wake <= now:
            step(watch.next_wake)

    def hear(topic: str, payload: bytes, qos: int, retain: bool) -> None:
        now = run.now()
        pass_time(now)
        taken = intake.take([Delivery(topic, payload, now, retain, 1, LINK)], Commit(now))
        step(now, taken.facts.get(plan.site, ()))
        for door, boot in taken.doors:
            stored = {"boot": boot, "seq": door.hearing.boots[boot].high}
            run.deliver(f"patrol/v1/{door.name}/down/ack", msgspec.json.encode(stored), now + 200)

    truth: list[Line] = []
    run = ScenarioRun(plan, scenario, start, network=InstantNetwork(hear), truth=truth.append, seed=seed)
    run.play()
    pass_time(run.now())
    assert intake.counts["facts"] and not any(name.startswith("refused") for name in intake.counts)
    occurrences = [
        occurrence_json(each, plan.site, {}) for each in watch.occurrences(run.now(), start, run.now() + 1)
    ]
    scored = score(Happened.read(plan, truth), occurrences, list(alerts.values()))
    return PlayedNight(truth, occurrences, list(alerts.values()), scored)
