"""24 hours at the gates through the real intake, engine and store, balanced against the truth to the last passage.

The way to the gateway is a bad one: one gate is cut off for six hours and sends all of it afterwards, messages come
twice and in the wrong order, and the clock of a camera is a day off.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import msgspec

from checkpoint_firmware_sim.gate_day import DAY, GATES, RULES, GateDay, GateRecord, make_gate_day
from checkpoint_firmware_sim.rough import RoughNetwork
from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND
from gateway import sitefile
from gateway.desk import fact_from_row
from gateway.domain.facts import GateEvent
from gateway.domain.ledger.authority import AuthorityKind
from gateway.domain.ledger.ledger import make_ledger
from gateway.domain.ledger.shown import Shown
from gateway.gate_acts import GateActs
from gateway.instants import parse_instant, rfc3339
from gateway.register import read_authorities
from tests.score.gateway import NightGateway
from tests.score.night import MEMORY

START: Final = parse_instant("2026-11-23T00:00:00+08:00")
SITE: Final = "gatehouse"
AWAY: Final = ("gate-south", 2 * HOUR, 8 * HOUR)
"""This device is cut off from the second to the eighth hour."""

STRAY_CLOCK: Final = "camera-east"
BEAT: Final = 2 * MINUTE
TURN: Final = 10 * SECOND
LOOK: Final = 30 * MINUTE

_encode: Final = msgspec.json.encode


@dataclass
class Balance:
    """How the ledger and the truth compare."""

    passages: int
    facts: int
    leftovers: Counter[str]
    seconds: float
    doubted: int
    """How many leftovers were unverified at some look and turned out not to be."""
    wrong: list[str] = field(default_factory=list)


class _Deaf:
    """Nobody listens to what the gateway says."""

    def down(self, topic: str, payload: bytes, at: int) -> None:
        """It is said into the wind."""


def site_text() -> str:
    """The site: four gates, each with a barrier and a camera, each with a lane in and a lane out."""
    return _encode(
        {
            "site": SITE,
            "name": {"en": "Gatehouse"},
            "timezone": "Asia/Shanghai",
            "night": {"from": "22:00", "to": "06:00"},
            "people": [{"id": "li-qiang", "name": "李强", "role": "guard"}],
            "posts": [{"id": gate, "name": gate, "kind": "gate"} for gate in GATES],
            "devices": [
                {"id": f"{kind}-{gate}", "kind": "gate", "posts": [gate], "silent_after": "never"}
                for gate in GATES
                for kind in ("gate", "camera")
            ],
            "gate_rules": RULES,
        }
    ).decode()


def balance(passages: int, seed: int, day: GateDay | None = None) -> Balance:
    """Play a day, and compare. `day`: another one than `seed` makes."""
    began = time.monotonic()
    day = make_gate_day(passages, seed) if day is None else day
    with TemporaryDirectory(prefix="gate-day-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        result = asyncio.run(_Player(day, seed, Path(folder)).play())
    result.seconds = time.monotonic() - began
    return result


class _Player:
    def __init__(self, day: GateDay, seed: int, folder: Path) -> None:
        self.day = day
        self.random = Random(f"gate day on its way {seed}")
        plan = sitefile.parse(site_text(), "gatehouse.yaml", holds_from=START)
        network = cast(RoughNetwork, _Deaf())
        self.gateway = NightGateway(plan, folder / "day.sqlite", START, network)
        self.wrong: list[str] = []
        self.doubted: set[tuple[str, str]] = set()
        self.allowed = {(code, _id(record)) for code, record in day.leftovers}
        self.allowed |= {("overstayed", _id(entry)) for entry, _ in day.overdue}

    async def play(self) -> Balance:
        gateway, day = self.gateway, self.day
        await gateway.start(START)
        acts = list(day.acts)
        for at, topic, payload in self._deliveries():
            while acts and acts[0][0] <= at:
                await self._write(acts)
            if at >= self.turned_at + TURN:
                await self._turn(at)
            gateway.arrive(topic, payload, False, START + at)
        end = DAY + HOUR
        await self._turn(end)
        live = self._show(end)
        self._compare("live", live)
        await gateway.kill(START + end)
        await gateway.start(START + end + MINUTE)
        await gateway.turn(START + end + 2 * MINUTE)
        self._compare("after a restart", self._show(end + 2 * MINUTE))
        rows = [row for _, row in await gateway.store.facts(SITE, 0, 1 << 62, type="gate")]
        register = await read_authorities(gateway.store, SITE, START)
        facts = [fact for row in rows if isinstance(fact := fact_from_row(row), GateEvent)]
        self.random.shuffle(facts)
        made = make_ledger([gateway.plan], facts, register)
        self._compare("from the store", made.show(START, START + DAY, START + end))
        _, faults = await gateway.store.verify()
        self.wrong += [f"the chain: {fault}" for fault in faults]
        await gateway.store.close()
        codes = Counter(leftover.code for leftover, _ in live.leftovers)
        return Balance(
            len(day.passages), len(facts), codes, 0.0, len(self.doubted - self.allowed), self.wrong
        )

    # -- the way to the gateway -----------------------------------------------------------------------------

    def _deliveries(self) -> list[tuple[int, str, bytes]]:
        """(when it arrives, topic, payload), in the order of arrival."""
        found: list[tuple[int, str, bytes]] = []
        by_device: dict[str, list[GateRecord]] = {
            f"{kind}-{gate}": [] for gate in GATES for kind in ("gate", "camera")
        }
        for record in self.day.records:
            by_device[record.device].append(record)
        for device, records in by_device.items():
            topic = f"patrol/v1/{SITE}/{device}/up"
            kept: list[GateRecord] = []
            for record in records:
                if device == AWAY[0] and AWAY[1] <= record.at < AWAY[2]:
                    kept.append(record)
                    continue
                arrives = record.at + self.random.randrange(20, 3_000)
                found.append((arrives, topic, _message([record], arrives)))
                if self.random.random() < 0.03:
                    again = arrives + self.random.randrange(1, 60) * SECOND
                    found.append((again, topic, _message([record], again)))
            batches = [kept[place : place + 100] for place in range(0, len(kept), 100)]
            self.random.shuffle(batches)
            for number, batch in enumerate(batches):
                arrives = AWAY[2] + (number + 1) * 5 * SECOND
                found.append((arrives, topic, _message(batch, arrives)))
            found += self._beats(device, topic, records)
        return sorted(found, key=lambda each: each[0])

    def _beats(self, device: str, topic: str, records: list[GateRecord]) -> Iterable[tuple[int, str, bytes]]:
        """Heartbeats, in a boot of their own, that say how far this device has got."""
        high, place = 0, 0
        for number, at in enumerate(range(BEAT, DAY + 30 * MINUTE, BEAT), 1):
            while place < len(records) and records[place].at <= at:
                high, place = records[place].seq, place + 1
            if device == AWAY[0] and AWAY[1] <= at < AWAY[2] + 5 * MINUTE:
                continue
            # Numbered above all records, so that one boot holds both and nothing is missing in between.
            yield at + 4 * SECOND, topic, _beat(at + 4 * SECOND, number, high)

    # -- turns and looks ------------------------------------------------------------------------------------

    turned_at = 0
    looked_at = 0

    async def _turn(self, at: int) -> None:
        self.turned_at = at
        await self.gateway.turn(START + at)
        if at - self.looked_at >= LOOK:
            self.looked_at = at
            for leftover, state in self._show(at).leftovers:
                known = (leftover.code, leftover.about)
                if state.code != "final":
                    self.doubted.add(known)
                elif known not in self.allowed:
                    self.wrong.append(f"at {at // MINUTE} min: {leftover.id} is final, and is not true")

    async def _write(self, acts: list[tuple[int, dict[str, Any]]]) -> None:
        """People write into the register what is due."""
        at = acts[0][0]
        await self._turn(at)
        issue = GateActs(self.gateway.engine).issue
        writing = []
        while acts and acts[0][0] == at:
            _, said = acts.pop(0)
            members = {name: text for name, text in said.items() if name not in ("kind", "until")}
            until = None if said["until"] is None else START + said["until"]
            writing.append(
                asyncio.create_task(issue(SITE, AuthorityKind(said["kind"]), "wang", members, None, until))
            )
        await asyncio.sleep(0)
        await self.gateway.turn(START + at)
        await asyncio.gather(*writing)

    def _show(self, now: int) -> Shown:
        watch = self.gateway.engine.desks[SITE].watch
        return watch.ledger.show(START, START + DAY, START + now, watch.hearing)

    # -- the comparison -------------------------------------------------------------------------------------

    def _compare(self, when: str, shown: Shown) -> None:
        day = self.day
        openings = {
            _id(each.told): (each.passage and _id(each.passage), each.authority) for each in day.openings
        }
        found = {each.id: (each.passage, each.grant and each.grant.kind) for each in shown.openings}
        self._differ(f"{when}: opening", openings, found)
        passages = {
            _id(each.told): (each.opening and _id(each.opening), each.authority) for each in day.passages
        }
        self._differ(
            f"{when}: passage",
            passages,
            {each.id: (each.opening, each.grant and each.grant.kind) for each in shown.passages},
        )
        stays = {
            (each.entry and _id(each.entry), each.exit and _id(each.exit)): (each.lost, each.fee)
            for each in day.stays
        }
        self._differ(
            f"{when}: stay",
            stays,
            {
                (each.entered and each.entered.id, each.left and each.left.id): (each.lost, each.fee)
                for each in shown.stays
            },
        )
        left = Counter((code, _id(record)) for code, record in day.leftovers)
        gone = {_id(stay.entry) for stay in day.stays if stay.entry and (stay.exit or stay.lost)}
        left.update(
            ("overstayed", _id(entry))
            for entry, limit in day.overdue
            if limit < DAY and _id(entry) not in gone
        )
        self._differ(
            f"{when}: leftover", left, Counter((each.code, each.about) for each, _ in shown.leftovers)
        )
        doubtful = [each.id for each, state in shown.leftovers if state.code != "final"]
        if doubtful:
            self.wrong.append(f"{when}: {len(doubtful)} leftovers are not final, such as {doubtful[0]}")

    def _differ(self, what: str, truth: dict[Any, Any], found: dict[Any, Any]) -> None:
        for key in sorted({*truth, *found}, key=str):
            if truth.get(key) != found.get(key):
                self.wrong.append(f"{what} {key} is {found.get(key)}, in truth {truth.get(key)}")


def _message(records: list[GateRecord], sent: int) -> bytes:
    """Records as they are sent at `sent`; one clock is a day off, and its device counts the time since its start."""
    made = []
    for record in records:
        stray = DAY if record.device == STRAY_CLOCK else 0
        made.append(
            {
                **{"type": "gate", "boot": "d1", "seq": record.seq, "event": record.event},
                **{"at": rfc3339(START + record.at - stray), "mono": record.at},
                **{"sent_at": rfc3339(START + sent - stray), "sent_mono": sent},
                **record.members,
            }
        )
    return _encode(made[0] if len(made) == 1 else made)


def _beat(sent: int, number: int, high: int) -> bytes:
    return _encode(
        {
            **{"type": "status", "boot": "d1", "seq": 1_000_000 + number, "buffered": 0, "high_seq": high},
            **{"at": rfc3339(START + sent), "mono": sent},
            **{"sent_at": rfc3339(START + sent), "sent_mono": sent},
        }
    )


def _id(record: GateRecord) -> str:
    return f"{record.device}/d1/{record.seq}"
