"""A scenario as it is played: one queue of events in simulated time.

`ScenarioRun.play` goes through the queue as fast as the machine can; the live run paces the same steps by a
clock. Devices send through a `Transport`; what the gateway answers comes back through `deliver`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final, Protocol

from checkpoint_firmware_sim.deaf import DeafSpans
from checkpoint_firmware_sim.deeds import Call, Walk
from checkpoint_firmware_sim.device import ACK_TIMEOUT, Device
from checkpoint_firmware_sim.devices import HEX, Console, GateController, Scanner, make_device
from checkpoint_firmware_sim.makers import NATIVE, Speech, make_twin
from checkpoint_firmware_sim.scenario import Deviation, Scenario, ScenarioError, What, check_against
from checkpoint_firmware_sim.sun_tag import UID_DIGITS, SunTag
from checkpoint_firmware_sim.times import HOUR, SECOND
from checkpoint_firmware_sim.timetable import Timetable, make_timetable
from checkpoint_firmware_sim.traffic import GateDeed
from checkpoint_firmware_sim.truth import (
    Truth,
    call_line,
    deaf_line,
    device_line,
    gate_line,
    lost_line,
    skipped_line,
    walk_line,
)
from checkpoint_firmware_sim.wired import NO_LINES, Handheld, LineReader, SerialLines
from gateway.domain.plan import Plan
from gateway.instants import rfc3339

DAY: Final = 24 * HOUR
FINDS_BACK: Final = 5 * SECOND
"""How long after its broker is back a device notices, at most."""

NOISE_EVERY: Final = 20 * SECOND
NOISE_BYTES: Final = 24
TO_THE_DOCK: Final = 30 * SECOND
"""From the last checkpoint of a walk back to the dock of the handheld."""

Transport = Callable[[str, bytes, int, bool], None]
"""Called with topic, payload, QoS and retain for each message that a device publishes."""


class Network(Protocol):
    """What connects devices with the gateway, where that takes time."""

    def reach(self, device: Device, reachable: bool) -> None:
        """The device comes into, or goes out of, reach of the network."""

    def publish(self, device: Device, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send a message of a device that is linked."""


class InstantNetwork:
    """A network without delay, for runs in pure simulated time: in reach is linked."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def reach(self, device: Device, reachable: bool) -> None:
        """Link the device, or unlink it and do what a broker does then: publish its last will."""
        if reachable:
            device.link_up()
        elif device.linked:
            device.link_down()
            topic, payload = device.last_will
            self._transport(topic, payload, 1, True)

    def publish(self, device: Device, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Hand the message to the transport."""
        self._transport(topic, payload, qos, retain)


class ScenarioRun:
    """One scenario at one site from `start` (ms since the epoch, UTC) on.

    Same plan, scenario, start and seed: the same truth, line by line, however the run is paced.
    """

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        start: int,
        *,
        network: Network,
        truth: Truth | None = None,
        seed: int | None = None,
        lag: Callable[[], int] | None = None,
        ack_timeout: int = ACK_TIMEOUT,
        site_file: str | None = None,
        speech: Mapping[str, Speech] = NATIVE,
        lines: SerialLines = NO_LINES,
    ) -> None:
        """`lag` tells the instant that the pacing clock shows; `site_file` is kept in the truth for scoring.

        `speech`: the devices that are other makers', by id; `lines`: those at serial lines.
        Raises ScenarioError when the scenario does not fit the plan.
        """
        check_against(scenario, plan)
        self.plan = plan
        self.seed = scenario.seed if seed is None else seed
        self.timetable: Timetable = make_timetable(plan, scenario, start, self.seed)
        self.ended = False
        self._network = network
        self._tell: Truth = truth or (lambda line: None)
        self._lag = lag
        self._now = start
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._under_way: dict[int, Walk] = {}
        self._unrecorded: set[tuple[int, int]] = set()  # (walk, place)
        self._away: Counter[str] = Counter()  # device → reasons why it has no connection
        self._tell(
            {
                "what": "scenario",
                "at": rfc3339(start),
                "site": plan.site,
                "from": rfc3339(start),
                "to": rfc3339(self.timetable.end),
                "seed": self.seed,
                "site_file": site_file,
            }
        )
        self.devices: dict[str, Device] = {
            spec.id: make_twin(speech[spec.id], plan.site, spec.id, self, Random(f"{self.seed}|{spec.id}"))
            if spec.id in speech
            else lines.make(plan.site, spec.id, self, Random(f"{self.seed}|{spec.id}"))
            if spec.id in lines
            else make_device(
                spec.kind,
                plan.site,
                spec.id,
                self,
                Random(f"{self.seed}|{spec.id}"),
                ack_timeout,
                scenario.network.odd_batches,
            )
            for spec in plan.devices
        }
        self._deaf = DeafSpans(self.timetable, self.devices)
        self._sun_tags = {
            tag: SunTag(tag, scenario.sun_master, Random(f"{self.seed}|{tag}"))
            for point in plan.checkpoints
            for tag in point.tags
            if scenario.sun_master is not None and len(tag) == UID_DIGITS and set(tag) <= HEX
        }
        self._file_all()

    # What devices live in

    def now(self) -> int:
        """When what happens now happens (ms)."""
        return self._now

    def leaving(self) -> int:
        """When a message that is sent now leaves (ms)."""
        return max(self._now, self._lag()) if self._lag else self._now

    def call_at(self, at: int, do: Callable[[], None]) -> None:
        """File an event; one that is already past happens next."""
        heappush(self._queue, (max(at, self._now), next(self._order), do))

    def send(self, device: Device, topic: str, payload: bytes, retain: bool) -> None:
        """Publish at QoS 1."""
        self._network.publish(device, topic, payload, 1, retain)

    # Going through the queue

    @property
    def next_at(self) -> int | None:
        """The instant of the next event; None when there is none. Devices live on after the scenario's end."""
        return self._queue[0][0] if self._queue else None

    def step(self) -> None:
        """Let the next event happen."""
        at, _, do = heappop(self._queue)
        self._now = at
        do()

    def play(self, until: int | None = None) -> None:
        """Let everything happen up to and including `until` (ms), or to the scenario's end."""
        while (at := self.next_at) is not None:
            if self.ended if until is None else at > until:
                return
            self.step()

    def deliver(self, topic: str, payload: bytes, at: int | None = None) -> None:
        """A message from the gateway reaches its device, at once or at the instant `at`."""
        parts = topic.split("/")
        if len(parts) >= 4 and (device := self.devices.get(parts[3])) is not None:
            self.call_at(self._now if at is None else at, lambda: device.receive(topic, payload))

    @property
    def unacknowledged(self) -> int:
        """How many records the gateway has not acknowledged; heartbeats, of which there is no end, apart."""
        return sum(device.flash.waiting for device in self.devices.values())

    def finish(self) -> None:
        """End the scenario, early or not: the truth is told up to this instant."""
        if self.ended:
            return
        self.ended = True
        for walk in self._under_way.values():
            self._tell(walk_line(walk, self._now, self._places_unrecorded(walk)))
        for device in self.devices.values():
            if device.flash.lost:
                self._tell(lost_line(self._now, device.id, device.flash.lost))
        self._tell({"what": "end", "at": rfc3339(self._now)})

    # What happens

    def _file_all(self) -> None:
        timetable = self.timetable
        for device in self.devices.values():
            self.call_at(timetable.start, partial(self._boot, device))
        for outage in timetable.outages:
            device = self.devices[outage.device]
            self.call_at(outage.start, partial(self._reach, device, False))
            self.call_at(outage.end, partial(self._reach, device, True))
        for death in timetable.deaths:
            device = self.devices[death.device]
            self.call_at(death.start, partial(self._die, device))
            self.call_at(death.end, partial(self._revive, device))
        for at, id, share in timetable.fills:
            self.call_at(at, partial(self.devices[id].fill, share))
        for at, fault in timetable.clock_faults:
            self.call_at(at, partial(self._upset, self.devices[fault.device or ""], fault))
        for at, fault in timetable.line_faults:
            reader = self.devices[fault.device or ""]
            if not isinstance(reader, LineReader):
                raise ScenarioError(f"{fault.what}: {reader.id} is at no serial line")
            self.call_at(at, partial(self._line_fault, reader, fault, True))
            self.call_at(at + fault.by, partial(self._line_fault, reader, fault, False))
        for id, since, until in self._deaf:
            at = min(until, timetable.end)
            self.call_at(at, partial(self._tell, deaf_line(at, id, since, until)))
        for at, fault in timetable.command_faults:
            gate = self.devices[fault.device or ""]
            if isinstance(gate, GateController):
                self.call_at(at, partial(gate.troubles.append, (fault.what, fault.by)))
        for start, end in timetable.broker_outages:
            self.call_at(start, self.cut_off)
            self.call_at(end, self.reconnect)
        for at, id in timetable.restarts:
            self.call_at(at, partial(self._restart, self.devices[id]))
        for walk in timetable.walks:
            for place, visit in enumerate(walk.visits):
                self.call_at(visit.at, partial(self._visit, walk, place))
        for call in timetable.calls:
            self.call_at(call.at, partial(self._call, call))
        for deed in timetable.gates:
            self.call_at(deed.at, partial(self._gate, deed))
        for skipped in timetable.skipped:
            self.call_at(min(skipped.due_at, timetable.end), partial(self._tell, skipped_line(skipped)))
        self.call_at(timetable.end, self.finish)

    def _visit(self, walk: Walk, place: int) -> None:
        self._under_way[id(walk)] = walk
        visit = walk.visits[place]
        scanners = [self.devices.get(device) for device in visit.devices]
        working = [each for each in scanners if isinstance(each, Scanner) and each.alive]
        for number, scanner in enumerate(working):
            if place == 0 and isinstance(scanner, Handheld):
                scanner.take_along()
                self._tell(device_line(self._now, scanner.id, "taken"))
            # A second scanner is held to the tag a moment later.
            self.call_at(visit.at + number * SECOND, partial(self._scan, scanner, walk, visit.checkpoint))
        if all(self._deaf.has(each.id, visit.at) for each in working):
            self._unrecorded.add((id(walk), place))
        if place == len(walk.visits) - 1:
            del self._under_way[id(walk)]
            self._tell(walk_line(walk, visit.at, self._places_unrecorded(walk)))
            self.call_at(visit.at + TO_THE_DOCK, partial(self._put_back, walk.walker.scanner))

    def _put_back(self, id: str | None) -> None:
        """Whoever carried a handheld brings it back to its dock, unless the next walk has begun."""
        scanner = self.devices.get(id or "")
        if isinstance(scanner, Handheld) and id not in {
            each.walker.scanner for each in self._under_way.values()
        }:
            self._tell(device_line(self._now, scanner.id, "docked"))
            scanner.put_back()

    def _scan(self, scanner: Scanner, walk: Walk, checkpoint: str) -> None:
        if not scanner.alive:
            return
        if self.plan.device_by_id[scanner.id].checkpoint is not None:
            scanner.read_card(walk.walker.badge or walk.walker.name)
        else:
            scanner.badge(walk.walker.badge)
            tag = self.plan.checkpoint_by_id[checkpoint].tags[0]
            scanner.scan(self._sun_tags[tag].tap() if tag in self._sun_tags else tag)

    def _places_unrecorded(self, walk: Walk) -> set[int]:
        return {place for walked, place in self._unrecorded if walked == id(walk)}

    def _call(self, call: Call) -> None:
        self._tell(call_line(call))
        console = self.devices.get(call.console or "")
        if isinstance(console, Console):
            console.called(call.post, call.outcome, call.by, call.note)

    def _gate(self, deed: GateDeed) -> None:
        self._tell(gate_line(deed))
        gate = self.devices[deed.device]
        if isinstance(gate, GateController):
            gate.event(deed.event, **deed.members)

    def _boot(self, device: Device) -> None:
        self._tell(device_line(self._now, device.id, "boot", boot=device.boot_id))
        if not self._away[device.id]:
            self._set_reach(device, True)

    def _restart(self, device: Device) -> None:
        if not device.alive:
            return
        self._set_reach(device, False)
        device.start()
        self._boot(device)

    def _reach(self, device: Device, reachable: bool) -> None:
        self._tell(device_line(self._now, device.id, "online" if reachable else "offline"))
        self._connect(device, reachable)

    def _connect(self, device: Device, reachable: bool) -> None:
        """One reason less, or more, why a device has no connection."""
        self._away[device.id] += -1 if reachable else 1
        away = self._away[device.id] > 0
        if away == device.linked:
            self._set_reach(device, not away)

    def _set_reach(self, device: Device, reachable: bool) -> None:
        if isinstance(device, LineReader):
            device.reach(reachable)
        else:
            self._network.reach(device, reachable)

    def _line_fault(self, reader: LineReader, fault: Deviation, begins: bool) -> None:
        if fault.what is What.SILENCE:
            self._tell(device_line(self._now, reader.id, "offline" if begins else "online"))
            reader.wire.silence(begins)
            return
        if begins:
            self._tell(device_line(self._now, reader.id, fault.what, by_s=fault.by // SECOND))
        if fault.what is What.SPLIT:
            reader.wire.split(begins)
        elif begins:
            for at in range(self._now, self._now + fault.by, NOISE_EVERY):
                self.call_at(at, partial(reader.wire.noise, NOISE_BYTES))

    def _die(self, device: Device) -> None:
        if device.alive:
            self._tell(device_line(self._now, device.id, "dead"))
            self._connect(device, False)
            device.die()

    def _revive(self, device: Device) -> None:
        if not device.alive:
            device.revive()
            self._tell(device_line(self._now, device.id, "boot", boot=device.boot_id))
            self._connect(device, True)

    def cut_off(self) -> None:
        """All devices lose their connection: the broker, or the gateway that is one, is gone."""
        self._tell({"what": "cut_off", "at": rfc3339(self._now)})
        for device in self._networked:
            self._connect(device, False)

    def reconnect(self) -> None:
        """The broker is back: each device finds that out within a few seconds."""
        self._tell({"what": "reconnected", "at": rfc3339(self._now)})
        random = Random(f"{self.seed}|{self._now}")
        for device in self._networked:
            self.call_at(self._now + random.randint(0, FINDS_BACK), partial(self._connect, device, True))

    @property
    def _networked(self) -> list[Device]:
        """The devices that need the broker."""
        return [device for device in self.devices.values() if not device.wired]

    def _upset(self, device: Device, fault: Deviation) -> None:
        now, clock = self._now, device.clock
        self._tell(device_line(now, device.id, fault.what, by_s=fault.by // SECOND))
        if fault.what is What.CLOCK_STOPPED:
            clock.stop(now)
        elif fault.what is What.CLOCK_RESET:
            clock.reset(now)
        elif fault.what is What.CLOCK_DRIFTS:
            clock.run_at(now, (-fault.by if fault.slow else fault.by) / DAY * 1_000_000)
        else:
            clock.step(now, fault.by if fault.what is What.CLOCK_AHEAD else -fault.by)
