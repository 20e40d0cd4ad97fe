"""A stored night judged once more: with the same plan nothing differs, with another one the difference is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkpoint_firmware_sim.cli import SCENARIOS
from checkpoint_firmware_sim.engine import InstantNetwork, ScenarioRun
from checkpoint_firmware_sim.scenario import Scenario, load_scenario
from gateway import sitefile
from gateway.desk import Desk
from gateway.domain.plan import Every, Plan
from gateway.domain.watch import Watch
from gateway.ingest.delivery import Delivery
from gateway.ingest.intake import Intake
from gateway.instants import parse_instant
from gateway.replay import Difference, Replayed, ReplayError, compare, replay, replayed_lines
from gateway.store.port import Commit, PlanRow
from gateway.store.sqlite import SqliteStore
from tests.integration.service.process import command
from tests.integration.sim.played_night import LINK

ROOT = Path(__file__).parents[3]
RIVERSIDE = sitefile.load(ROOT / "deploy" / "sites" / "riverside.yaml")
START, END = parse_instant("2026-11-23T21:50:00+08:00"), parse_instant("2026-11-24T06:00:00+08:00")
LOCAL = ("--from", "2026-11-23T21:50:00+08:00", "--to", "2026-11-24T06:00:00+08:00")
DEMO = load_scenario(SCENARIOS / "demo.yaml")


def night(plan: Plan, scenario: Scenario) -> list[Commit]:
    """What a gateway writes in a night, commit by commit."""
    plan = replace(plan, holds_from=START)
    desk = Desk([plan], Watch([plan]))
    intake = Intake(lambda site: desk.doors if site == plan.site else None)
    commits = [Commit(START, plans=[PlanRow(plan.site, 1, START, START, sitefile.dump(plan))])]

    def step(now: int, commit: Commit, facts: Sequence[Any] = ()) -> None:
        desk.record(desk.watch.step(now, facts), commit, now)
        if commit:
            commits.append(commit)

    def pass_time(now: int) -> None:
        while (wake := desk.watch.next_wake) <= now:
            step(wake, Commit(wake))

    def hear(topic: str, payload: bytes, qos: int, retain: bool) -> None:
        now = run.now()
        pass_time(now)
        commit = Commit(now)
        taken = intake.take([Delivery(topic, payload, now, retain, 1, LINK)], commit)
        step(now, commit, taken.facts.get(plan.site, ()))
        for door, boot in taken.doors:
            stored = {"boot": boot, "seq": door.hearing.boots[boot].high}
            run.deliver(f"patrol/v1/{door.name}/down/ack", msgspec.json.encode(stored), now + 200)

    run = ScenarioRun(plan, scenario, START, network=InstantNetwork(hear), truth=lambda line: None)
    run.play()
    pass_time(run.now())
    return commits


@pytest.fixture(scope="module")
def commits() -> list[Commit]:
    return night(RIVERSIDE, DEMO)


@pytest.fixture
async def database(tmp_path: Path, commits: list[Commit]) -> Path:
    """The demonstration's night in a database of its own, as a gateway leaves it behind."""
    path = tmp_path / "patrol.sqlite"
    store = await SqliteStore.open(path)
    whole = Commit(commits[-1].at)
    for commit in commits:
        for name in ("plans", "facts", "verdicts", "states"):
            getattr(whole, name).extend(getattr(commit, name))
    await store.commit(whole)
    await store.close()
    return path


async def test_the_same_facts_give_the_same_verdicts(database: Path) -> None:
    store = await SqliteStore.open(database)
    found = await replay(store, "riverside", START, END)
    assert found.differences == []
    assert found.same > 100
    half = await replay(store, "riverside", START + (END - START) // 2, END)
    assert half.differences == [] and 0 < half.same < found.same
    await store.close()


async def test_the_command_says_that_nothing_differs_and_writes_nothing(database: Path) -> None:
    ended = await command("replay", *LOCAL, "--database", f"sqlite:///{database}")
    assert (ended.code, ended.err) == (0, ""), ended
    assert "riverside: 0 different, 0 added, 0 gone, " in ended.out
    assert "judged as of 2026-11-24 06:" in ended.out and "Asia/Shanghai" in ended.out
    verified = await command("verify", "--database", f"sqlite:///{database}")
    assert verified.out.startswith("1 commits")


async def test_a_verdict_that_was_changed_is_found_with_both_reasons(database: Path) -> None:
    connection = sqlite3.connect(database)
    changed = connection.execute(
        'UPDATE occurrences SET body = CAST(replace(replace(CAST(body AS TEXT), \'"verdict":"missed"\', '
        '\'"verdict":"on_time"\'), \'"code":"not_visited"\', \'"code":"on_time"\') AS BLOB) '
        "WHERE track = 'night-rounds' AND verdict = 'missed'"
    ).rowcount
    connection.commit()
    connection.close()
    assert changed == 1
    ended = await command("replay", *LOCAL, "--site", "riverside", PATROL_DATABASE=f"sqlite:///{database}")
    assert ended.code == 1
    line = ended.out.splitlines()[0]
    assert line.startswith("riverside  night-rounds outer  2026-11-2")
    assert "on_time (on_time: of " in line and " → missed (not_visited: of " in line
    assert "1 different, 0 added, 0 gone" in ended.out


async def test_another_plan_shows_what_it_would_have_made_of_the_night(
    database: Path, tmp_path: Path
) -> None:
    duties = tuple(
        replace(duty, cadence=replace(duty.cadence, gap_s=duty.cadence.gap_s // 2))
        if duty.id == "garage-hourly" and isinstance(duty.cadence, Every)
        else duty
        for duty in RIVERSIDE.duties
    )
    file = tmp_path / "stricter.yaml"
    file.write_text(sitefile.dump(replace(RIVERSIDE, duties=duties)), "utf-8")
    ended = await command("replay", *LOCAL, "--plan", file, "--json", PATROL_DATABASE=f"sqlite:///{database}")
    assert ended.code == 1, ended
    (found,) = msgspec.json.decode(ended.out)
    assert {each["duty"] for each in found["differences"]} == {"garage-hourly"}
    assert any(
        each["after"] and each["after"]["verdict"] in ("late", "missed") for each in found["differences"]
    )
    assert found["same"] > 50


async def test_what_cannot_be_replayed_is_refused(database: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{database}"
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("--from", "yesterday", "--to", LOCAL[3]), "not a time like"),
        (("--from", LOCAL[3], "--to", LOCAL[1]), "not after"),
        ((*LOCAL, "--site", "elsewhere"), "there is no site 'elsewhere'"),
        ((*LOCAL, "--plan", "deploy/sites/smallest.yaml", "--site", "riverside"), "the plan of smallest"),
        ((*LOCAL, "--database", f"sqlite:///{tmp_path}/none.sqlite"), "there is no database"),
        (("--from", LOCAL[1]), "--to"),
    ]
    for words, what in wrong:
        ended = await command("replay", *words, cwd=ROOT, PATROL_DATABASE=url)
        assert ended.code == 2 and what in ended.err and "Traceback" not in ended.err, ended


async def test_a_site_that_is_not_stored_has_nothing_to_replay(database: Path) -> None:
    store = await SqliteStore.open(database)
    with pytest.raises(ReplayError, match="no site 'elsewhere'"):
        await replay(store, "elsewhere", START, END)
    await store.close()


def told(id_: str, verdict: str, code: str, *findings: str) -> dict[str, Any]:
    return {
        "id": id_,
        "duty": "hourly",
        "subject": "tour",
        "opens_at": "2026-11-23T14:00:00.000Z",
        "due_at": "2026-11-23T15:00:00.000Z",
        "verdict": verdict,
        "reason": {"code": code, "params": {}},
        "findings": [{"code": each, "params": {}, "facts": []} for each in findings],
    }


def test_what_is_compared_are_verdict_reason_and_findings() -> None:
    before = {
        "a": told("a", "on_time", "on_time"),
        "b": told("b", "missed", "not_visited"),
        "c": told("c", "on_time", "on_time"),
        "d": told("d", "late", "completed_late"),
    }
    after = {
        "a": told("a", "on_time", "on_time"),
        "b": told("b", "unverified", "no_proof"),
        "c": told("c", "on_time", "on_time", "tags_together"),
        "e": told("e", "missed", "not_visited"),
    }
    same, different = compare(before, after)
    assert same == 1
    assert [each.occurrence["id"] for each in different] == ["b", "c", "d", "e"]


def test_a_difference_is_one_line_with_the_times_of_the_site() -> None:
    unknown = told("b", "unverified", "no_proof")
    unknown["reason"]["params"] = {"devices": ["h1", "h2"], "since": "2026-11-23T14:30:00.000Z"}
    odd = told("b", "on_time", "on_time", "two_places")
    found = Replayed("yard", "Asia/Shanghai", END, 0, [Difference(unknown, odd), Difference(None, odd)])
    assert list(replayed_lines(found)) == [
        "yard  hourly tour  2026-11-23 22:00:00 to 2026-11-23 23:00:00  "
        "unverified (no_proof: devices h1+h2, since 2026-11-23 22:30:00) → on_time (on_time) [two_places]",
        "yard  hourly tour  2026-11-23 22:00:00 to 2026-11-23 23:00:00  added: on_time (on_time) [two_places]",
        "yard: 1 different, 1 added, 0 gone, 0 the same; judged as of 2026-11-24 06:00:00 Asia/Shanghai",
    ]
