"""The engine: the one task that takes facts in, lets time pass, and writes what follows.

Transports hand it deliveries; it turns a batch of them into facts, steps the watches of the sites that they bear
on, and writes all of it as one commit. Only then are the deliveries acknowledged (law 3) and the pages told. While a
commit is being written the next batch is judged, so that the disk and the processor work at the same time.

Everything that changes a site's state happens in this task, one thing after the other: there are no locks.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from gateway.clock import Clock, ClockWatch
from gateway.desk import Desk
from gateway.domain.alert import AlertKind
from gateway.domain.alerts import AlertBook
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import AnyFact, GateEvent, Report
from gateway.domain.plan import Names, Plan
from gateway.domain.verdicts import Reason
from gateway.ingest.delivery import Delivery, Link
from gateway.ingest.doors import Door, SiteDoors
from gateway.ingest.intake import Intake, Taken
from gateway.ingest.tag_keys import KeyRing
from gateway.store.port import ActionRow, BlindRow, Commit, PlanRow, Store, StoreError

T = TypeVar("T")
log = logging.getLogger("gateway")

BATCH: Final = 1000
"""The most deliveries in one commit."""

FULL: Final = 20_000
"""So many waiting deliveries stop the reading from their connections; a quarter of it starts it again."""

ACK_EVERY_S: Final = 0.5
"""How often `down/ack` is sent to a device at the most (s)."""

QUIET_S: Final = 1.0
"""After a start, deadlines are judged when all devices that were there are back and no backlog has come for so long,"""

HOLD_S: Final = 30.0
"""or after this (both in s): a backlog that is still coming in then must not keep alerts back for ever."""

SIGN_EVERY_S: Final = 10.0
"""So often at the least something is written (s), so that the next start knows how long we were down."""

SHORTEST_BLINDNESS_MS: Final = 1_000

_RETRY_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)

NEVER_AGAIN: Final = frozenset({"foreign_topic"})
"""What stays refused: no change of a plan makes true what one device says in the name of another."""

SendDown = Callable[[str, str, str, bytes], Any]
"""Sends a payload to `{site}`, `{device}`, on a suffix."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Work:
    """One step: what will be written, and what is to be done once it is."""

    commit: Commit
    acks: dict[Link, list[int]] = field(default_factory=dict)
    stored: dict[tuple[Door, str], int] = field(default_factory=dict)  # (door, boot) → stored up to here
    touched: set[str] = field(default_factory=set)
    then: list[Callable[[], None]] = field(default_factory=list)


class Engine:
    """All sites of one process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        send_down: SendDown | None = None,
        tag_keys: KeyRing | None = None,
        clock_watch: ClockWatch | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.send_down = send_down
        self.desks: dict[str, Desk] = {}
        self.intake = Intake(self.doors, tag_keys)
        self.listeners: list[Callable[[set[str]], None]] = []
        """Called with the sites that changed, after each commit."""
        self.store_error: str | None = None
        self.commits = 0
        self.stepped_at = 0.0  # loop time of the last step, for the health check
        self._inbox: deque[Delivery] = deque()
        self._requests: deque[Callable[[Work], Awaitable[None]]] = deque()
        self._paused: set[Link] = set()
        self._wake = asyncio.Event()
        self._timers: list[tuple[int, str]] = []
        self._wakes: dict[str, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self._to_acknowledge: dict[tuple[Door, str], int] = {}
        self._ack_timer: asyncio.TimerHandle | None = None
        self._held: dict[str, list[AnyFact]] | None = None
        self._hold_began = 0.0
        self._began_at = 0  # ms, when the hold began
        self._absent: set[str] = (
            set()
        )  # `site/device` of those that were there before it and are not heard yet
        self._last_backlog = 0.0
        self._hearing = True  # whether devices can be heard at all: not while a broker is away
        self._problem = ""  # why not, for people
        self.deaf_since: int | None = None
        """Since when no device can be heard (ms); None when they can."""
        self._clock_watch = clock_watch
        self.clock_step: tuple[int, float] | None = None
        """The last step of the clock: by how much (ms), and when (elapsed time, s)."""
        self._signed_at = 0.0  # elapsed time of the last commit (s)
        self._stopping = False

    def doors(self, site: str) -> SiteDoors | None:
        """Where the records of a site's devices come in; None for an unknown site."""
        desk = self.desks.get(site)
        return desk.doors if desk is not None else None

    @property
    def waiting(self) -> int:
        """How many deliveries have come in and are not judged yet."""
        return len(self._inbox)

    @property
    def deadline_lag_s(self) -> float:
        """How long the oldest deadline has been waiting to be judged (s of the gateway's clock)."""
        return max(0.0, (self.clock.now() - self._timers[0][0]) / 1000) if self._timers else 0.0

    # -- the start ------------------------------------------------------------------------------------------

    async def load(self, plans: dict[str, list[Plan]]) -> None:
        """Make every site's desk from the store; `plans`: all versions by site, in order."""
        now = self.clock.now()
        last_sign = await self.store.last_sign()
        if last_sign is not None and now - last_sign >= SHORTEST_BLINDNESS_MS:
            await self.store.commit(Commit(now, blind=[BlindRow(last_sign, now, "down")]))
        for site, versions in plans.items():
            self.desks[site] = await Desk.rebuild(versions, self.store, now)
        had_records = await self._recall_seqs()
        self.intake.plans_changed()
        for site in self.desks:
            # What fell due while nobody looked is judged first of all, and each deadline after it.
            self._wakes[site] = now
            heapq.heappush(self._timers, (now, site))
        if had_records:
            # Law 7: what was sent while this service was down comes first.
            self.hold()

    async def _recall_seqs(self) -> bool:
        refused: dict[tuple[str, str, str], list[int]] = {}
        for site, device, boot, seq in await self.store.refused_seqs():
            refused.setdefault((site, device, boot), []).append(seq)
        boots = await self.store.boots()
        for row in boots:
            door = self._door(row.site, row.device)
            if door is None:
                continue
            kept = refused.pop((row.site, row.device, row.boot), [])
            door.boot = row.boot
            received = door.hearing.received(row.boot)
            if row.records == row.high_seq and not kept:
                received.fill(row.high_seq)
                continue
            for seq in [*await self.store.received(row.site, row.device, row.boot), *kept]:
                received.add(seq)
        for (site, device, boot), seqs in refused.items():
            if (door := self._door(site, device)) is not None:
                for seq in seqs:
                    door.note(boot, seq)
        for desk in self.desks.values():
            for door in desk.doors.by_device.values():
                door.hearing.settle()
        return bool(boots)

    def _door(self, site: str, device: str) -> Door | None:
        doors = self.doors(site)
        return doors.by_device.get(device) if doors is not None else None

    # -- what others call -----------------------------------------------------------------------------------

    def receive(self, deliveries: list[Delivery]) -> None:
        """Take deliveries from a transport. Stops its reading when too many wait."""
        self._inbox.extend(deliveries)
        if len(self._inbox) > FULL:
            for link in {delivery.link for delivery in deliveries} - self._paused:
                link.pause()
                self._paused.add(link)
        self._wake.set()

    async def request(self, change: Callable[[Work], T]) -> T:
        """Run a change of state in the engine's task; returns its result once that is stored."""

        async def run(work: Work) -> T:
            return change(work)

        return await self.change(run)

    async def change(self, change: Callable[[Work], Awaitable[T]]) -> T:
        """The same for a change that must wait for something itself."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run(work: Work) -> None:
            try:
                result = await change(work)
            except Exception as error:
                if not done.cancelled():
                    done.set_exception(error)
                return
            work.then.append(partial(_answer, done, result))

        self._requests.append(run)
        self._wake.set()
        return await done

    async def report_event(
        self, site: str, kind: AlertKind, subject: str, name: Names, reason: Reason
    ) -> None:
        """Something that the service itself knows is wrong: open an alert, or bring the open one up to date.

        Returns when it is stored. Nothing happens for an unknown site.
        """
        await self._change_alerts(site, lambda book, now: book.event(kind, subject, name, reason, now, now))

    async def report_over(self, site: str, kind: AlertKind, subject: str) -> None:
        """What `report_event` told of is right again."""
        await self._change_alerts(site, lambda book, now: book.event_over(kind, subject, now))

    async def _change_alerts(self, site: str, change: Callable[[AlertBook, int], object]) -> None:
        def run(work: Work) -> None:
            if (desk := self.desks.get(site)) is not None:
                now = self.clock.now()
                change(desk.watch.alerts, now)
                self.advance(site, (), work, now)
                work.touched.add(site)

        await self.request(run)

    async def adopt_plan(self, plan: Plan, body: str, by: str = "anonymous", origin: str = "") -> None:
        """Store a new version of a site's plan and judge by it from `plan.holds_from` on.

        Raises ValueError when its version is not the one after the last.
        """

        async def change(work: Work) -> None:
            before = self.desks[plan.site].plans if plan.site in self.desks else []
            if plan.version != (before[-1].version + 1 if before else 1):
                raise ValueError(f"version {plan.version} does not follow the last one of {plan.site}")
            now = self.clock.now()
            work.commit.plans.append(PlanRow(plan.site, plan.version, plan.holds_from, now, body))
            act = ActionRow(plan.site, now, by, origin, "plan", str(plan.version), b"{}")
            work.commit.actions.append(act)
            await self.rebuild(plan.site, [*before, plan], work, now)

        await self.change(change)

    async def replay_quarantine(
        self, reason: str | None, by: str = "anonymous", origin: str = ""
    ) -> tuple[int, int]:
        """Try refused records again: how many became facts, and how many are left."""
        entries = await self.store.quarantine(reason, limit=10_000)

        async def change(work: Work) -> int:
            taken = Taken(work.commit)
            for entry in entries:
                if entry.reason in NEVER_AGAIN:
                    continue
                noted = entry.seq is not None
                if self.intake.take_again(entry.topic, entry.payload, entry.first_at, taken, noted=noted):
                    work.commit.cleared.append(entry.id)
            mended = len(work.commit.cleared)
            for site in taken.facts:
                act = ActionRow(site, self.clock.now(), by, origin, "replay_quarantine", reason or "", b"{}")
                work.commit.actions.append(act)
            await self._judge_or_hold(taken, work, self.clock.now())
            return mended

        mended = await self.change(change)
        return mended, len(entries) - mended

    # -- the loop -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop`; then finish what has come in."""
        self._signed_at = self.clock.elapsed()
        while True:
            await self._something_to_do()
            if self._stopping and not self._inbox and not self._requests:
                break
            work = await self._step()
            work.commit.alive = self.clock.elapsed() - self._signed_at >= SIGN_EVERY_S
            if self._committing is not None:
                await self._committing
                self._committing = None
            if work.commit or work.acks or work.then or work.touched:
                self._committing = asyncio.create_task(self._commit(work))
        if self._committing is not None:
            await self._committing
        with suppress(StoreError):
            # So that the next start knows to the moment how long we were down; else it takes the last commit.
            await self.store.commit(Commit(self.clock.now(), alive=True))
        self._send_acks()

    def can_hear_now(self, connected: bool, problem: str = "") -> None:
        """The way to all devices broke, or is there again: a transport tells. `problem` is for people."""
        self._hearing, self._problem = connected, problem

        async def note(work: Work) -> None:
            now = self.clock.now()
            since, self.deaf_since = self.deaf_since, None if connected else self.deaf_since or now
            if self.deaf_since == since:
                return
            if since is not None and now - since >= SHORTEST_BLINDNESS_MS:
                work.commit.blind.append(BlindRow(since, now, "cut_off"))
            for desk in self.desks.values():
                desk.watch.deaf(since or now, now if connected else None, now)

        self._requests.append(note)
        self.hold()

    async def turn(self) -> None:
        """One step, written and acknowledged: for whoever lets time pass otherwise than `run` does."""
        await self._commit(await self._step())
        self._send_acks()

    @property
    def holding(self) -> bool:
        """Whether a backlog is being read, and deadlines wait."""
        return self._held is not None

    def hold(self) -> None:
        """Read a backlog first (law 7): we were cut off from the devices, or can hear them again.

        Deadlines that pass wait until every device that was there has spoken and nothing from before comes in any
        more, or for `HOLD_S`: what does not come back, or keeps being cut off, must not keep alerts back for ever.
        """
        now = self.clock.elapsed()
        if self._held is None:
            self._held = {}
            self._hold_began = now
        self._last_backlog = now
        self._began_at = self.clock.now()
        self._absent = {
            door.name
            for desk in self.desks.values()
            for door in desk.doors.by_device.values()
            if door.health.online
        }
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return when everything that has come in is stored."""
        self._stopping = True
        self._wake.set()

    async def _something_to_do(self) -> None:
        """Return when there is a delivery or a request, or when a deadline has come."""
        while not (self._inbox or self._requests or self._stopping):
            timeout = self.seconds_to_deadline()
            self.stepped_at = asyncio.get_running_loop().time()
            if timeout <= 0 or self.clock.elapsed() - self._signed_at >= SIGN_EVERY_S:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(min(timeout, 1.0)):
                    await self._wake.wait()
            except TimeoutError:
                continue
        self._wake.clear()

    def seconds_to_deadline(self) -> float:
        """Until when there is nothing to do if nothing comes in (s)."""
        if self._held is not None:
            now = self.clock.elapsed()
            all_back = self._hearing and not self._absent
            quiet = self._last_backlog + QUIET_S if all_back else FOREVER
            return min(quiet, self._hold_began + HOLD_S) - now
        return self.clock.seconds_until(self._timers[0][0]) if self._timers else FOREVER

    async def _step(self) -> Work:
        """One batch: deliveries, requests, deadlines."""
        now = self.clock.now()
        self.stepped_at = asyncio.get_running_loop().time()
        work = Work(Commit(now))
        self._note_clock_step(work, now)
        if self._inbox:
            batch = [self._inbox.popleft() for _ in range(min(BATCH, len(self._inbox)))]
            repeats = self.intake.counts["duplicates"]
            taken = self.intake.take(batch, work.commit)
            if self._held is not None and self._absent:
                self._absent -= {"/".join(delivery.topic.split("/")[2:4]) for delivery in batch}
                self._last_backlog = self.clock.elapsed()
            if self._held is not None and (
                self.intake.counts["duplicates"] > repeats or self._is_backlog(taken)
            ):
                self._last_backlog = self.clock.elapsed()
            for delivery in batch:
                if delivery.packet_id:
                    packet_ids = work.acks.get(delivery.link)
                    if packet_ids is None:
                        packet_ids = work.acks[delivery.link] = []
                    packet_ids.append(delivery.packet_id)
            # Taken now: what a later batch adds is not covered by this commit.
            work.stored = {(door, boot): door.hearing.boots[boot].high for door, boot in taken.doors}
            await self._judge_or_hold(taken, work, now)
            if self._paused and len(self._inbox) < FULL // 4:
                for link in self._paused:
                    link.resume()
                self._paused.clear()
        while self._requests:
            await self._requests.popleft()(work)
        if self._held is not None and self.seconds_to_deadline() <= 0:
            held, self._held = self._held, None
            if self.deaf_since is not None:
                for site, desk in self.desks.items():
                    desk.watch.tell_cut_off(self.deaf_since, self._problem, now)
                    held.setdefault(site, [])
            for site, facts in held.items():
                if any(self.desks[site].watch.is_too_old(fact) for fact in facts):
                    await self._judge_history(site, facts, work, now)
                else:
                    self.advance(site, facts, work, now)
        if self._held is None:
            timers = self._timers
            while timers and timers[0][0] <= now:
                wake, site = heapq.heappop(timers)
                if self._wakes.get(site) == wake:
                    del self._wakes[site]
                    self.advance(site, (), work, now)
        return work

    def _note_clock_step(self, work: Work, now: int) -> None:
        """The clock was set: nobody could be heard in the time that it has skipped, and no miss is certain there.

        Set back, deadlines that were judged stay judged, and the others come at their time by the clock.
        """
        step = self._clock_watch.step() if self._clock_watch is not None else 0
        if not step:
            return
        self.clock_step = step, self.clock.elapsed()
        log.error("the clock was set %s by %d s", "forward" if step > 0 else "back", abs(step) // 1000)
        if step > 0:
            work.commit.blind.append(BlindRow(now - step, now, "clock"))
            for desk in self.desks.values():
                desk.watch.deaf(now - step, now, now)

    def _is_backlog(self, taken: Taken) -> bool:
        """Whether something comes in that happened before the start. What happens now holds nothing up."""
        return any(fact.occurred_at < self._began_at for facts in taken.facts.values() for fact in facts)

    async def _judge_or_hold(self, taken: Taken, work: Work, now: int) -> None:
        if self._held is not None:
            self._judge(taken, work, now)
            return
        late = [
            site
            for site, facts in taken.facts.items()
            if any(self.desks[site].watch.is_too_old(fact) for fact in facts)
        ]
        for site in late:
            facts = taken.facts.pop(site)
            await self._judge_history(site, facts, work, now)
        self._judge(taken, work, now)

    def _judge(self, taken: Taken, work: Work, now: int) -> None:
        for state in taken.states:
            self.desks[state.site].watch.outages.state(state.device, state.online, state.at)
            taken.facts.setdefault(state.site, [])
        for site, facts in taken.facts.items():
            self.advance(site, facts, work, now)
        work.touched |= taken.touched

    def advance(self, site: str, facts: list[AnyFact] | tuple[()], work: Work, now: int) -> None:
        desk = self.desks[site]
        if self._held is not None:
            self._held.setdefault(site, []).extend(
                fact for fact in facts if not isinstance(fact, (GateEvent, Report))
            )
            # These wait for no deadline. Judged later, one would be lost if the power failed until then.
            events = [fact for fact in facts if isinstance(fact, (GateEvent, Report))]
            changes = desk.watch.take_events(now, events)
        else:
            changes = desk.watch.step(now, facts)
            self._refile(desk)
        if changes.verdicts or changes.alerts or changes.notices:
            desk.record(changes, work.commit, now)
        if facts or changes.verdicts or changes.alerts:
            work.touched.add(site)

    def _refile(self, desk: Desk) -> None:
        """Put a site where its next deadline is, unless an earlier entry will look at it anyway."""
        wake = desk.watch.next_wake
        filed = self._wakes.get(desk.site)
        if wake < FOREVER and (filed is None or wake < filed):
            self._wakes[desk.site] = wake
            heapq.heappush(self._timers, (wake, desk.site))

    async def _judge_history(self, site: str, facts: Iterable[AnyFact], work: Work, now: int) -> None:
        """Facts from before what is in memory: store them, and judge from the stored facts again."""
        oldest = min(fact.occurred_at for fact in facts)
        await self._write_before(work)
        await self.rebuild(site, self.desks[site].plans, work, now, since=oldest)

    async def _write_before(self, work: Work) -> None:
        """Write what this step has so far, so that a rebuild reads it."""
        if self._committing is not None:
            await self._committing
            self._committing = None
        if work.commit:
            await self._store(work.commit)
            work.commit = Commit(work.commit.at)

    async def rebuild(
        self, site: str, versions: list[Plan], work: Work, now: int, since: int | None = None
    ) -> None:
        await self._write_before(work)
        desk = await self._until_it_works(lambda: Desk.rebuild(versions, self.store, now, since))
        if self.deaf_since is not None:
            desk.watch.deaf(self.deaf_since, None, now)
        if (old := self.desks.get(site)) is not None:
            desk.doors.adopt(old.doors)
            for door in desk.doors.by_device.values():
                door.hearing.settle()
        self.desks[site] = desk
        self._wakes.pop(site, None)
        if self._held is not None:
            self._held[site] = []  # the new desk has read them from the store
        self.intake.plans_changed()
        self.advance(site, (), work, now)
        work.touched.add(site)

    # -- writing --------------------------------------------------------------------------------------------

    async def _commit(self, work: Work) -> None:
        if work.commit:
            await self._store(work.commit)
        for link, packet_ids in work.acks.items():
            link.acknowledge(packet_ids)
        for then in work.then:
            then()
        if work.stored:
            self._to_acknowledge |= work.stored
            if self._ack_timer is None:
                self._ack_timer = asyncio.get_running_loop().call_later(ACK_EVERY_S, self._send_acks)
        if work.touched:
            for listener in self.listeners:
                listener(work.touched)

    async def _store(self, commit: Commit) -> None:
        """Write a commit, however long it takes: nothing is acknowledged before."""
        await self._until_it_works(lambda: self.store.commit(commit))
        self.commits += 1
        self._signed_at = self.clock.elapsed()

    async def _until_it_works(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the store answers, however long it takes until it does. Health tells meanwhile."""
        attempt = 0
        while True:
            try:
                answer = await ask()
            except StoreError as error:
                wait = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                if self.store_error is None:
                    log.error("nothing can be stored, and nothing is acknowledged until it can: %s", error)
                self.store_error = str(error)
                attempt += 1
                await asyncio.sleep(wait)
                continue
            if self.store_error is not None:
                log.info("the store works again after %d attempts", attempt)
                self.store_error = None
            return answer

    def _send_acks(self) -> None:
        """Tell the devices up to where everything of theirs is stored for good."""
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        if self.send_down is not None:
            for (door, boot), high in self._to_acknowledge.items():
                if high:
                    payload = _encode({"boot": boot, "seq": high})
                    self.send_down(door.of.site, door.device, "down/ack", payload)
        self._to_acknowledge.clear()


def _answer(done: asyncio.Future[T], result: T) -> None:
    if not done.cancelled():
        done.set_result(result)
