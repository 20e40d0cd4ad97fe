"""A device: firmware without any input or output of its own.

It makes records, keeps them in flash until the gateway has stored them, sends them, sends them again, reports
its health and answers commands. It lives in an `Environment` that gives it the time, timers and a way out, so
the same firmware runs over MQTT at wall-clock speed and in a test through a whole night within milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

import msgspec

from checkpoint_firmware_sim.clocks import MAX_OFFSET, MAX_PPM, DeviceClock
from checkpoint_firmware_sim.flash import CAPACITY, Flash, Record
from checkpoint_firmware_sim.times import HOUR, SECOND
from gateway.instants import parse_instant, rfc3339

FIRMWARE: Final = "3.2.0"
MAX_BATCH: Final = 500
"""Records in one message, at most."""

MAX_IN_FLIGHT: Final = 4 * MAX_BATCH
"""Records that may wait for an acknowledgement before the device stops sending."""

MAX_GAPS: Final = 16
"""Ranges of lost records in one status, at most; the others are told once these are acknowledged."""

HEARTBEAT: Final = (45 * SECOND, 55 * SECOND)
"""Between two heartbeats, from device to device; the contract asks for at least one a minute."""

ACK_TIMEOUT: Final = 30 * SECOND
MAX_ACK_TIMEOUT: Final = 600 * SECOND
COMMANDS: Final = frozenset({"call", "message", "sync_clock", "open", "close", "hold"})
_REMEMBERED_COMMANDS: Final = 64


class Environment(Protocol):
    """What a device is surrounded by. Instants are true ms since the epoch, UTC."""

    def now(self) -> int:
        """When what happens now happens."""

    def leaving(self) -> int:
        """When a message sent now leaves: later than `now` where the simulation lags behind its clock."""

    def call_at(self, at: int, do: Callable[[], None]) -> None:
        """Call `do` at the instant `at`."""

    def send(self, device: Device, topic: str, payload: bytes, retain: bool) -> None:
        """Publish at QoS 1."""


class Device:
    """The firmware that all kinds of device have in common."""

    commands: frozenset[str] = frozenset({"message", "sync_clock"})
    """What this kind can be told to do. The other commands are refused, and what is none is `unknown`."""

    keeps = True
    """Whether it keeps what it cannot send, and sends it later."""

    wired = False
    """Whether it hangs at a serial line, and not at the broker."""

    drain_per_hour = 0.0
    """Percent of the battery that an hour costs; 0 for what hangs on the mains."""

    def __init__(
        self,
        site: str,
        id: str,
        env: Environment,
        random: Random,
        *,
        capacity: int = CAPACITY,
        ack_timeout: int = ACK_TIMEOUT,
        odd_batches: bool = False,
    ) -> None:
        """`ack_timeout` (ms) is how long the device waits for an acknowledgement before it sends again.

        With `odd_batches` a backlog goes out in arrays of any size up to `MAX_BATCH`.
        """
        self.id = id
        self.topic = f"patrol/v1/{site}/{id}"
        self.identity = f"{site}/{id}"
        self.flash = Flash(capacity)
        self.boot_id = ""
        self.linked = False
        self.alive = True
        self._odd_batches = odd_batches
        self._told: tuple[str, int, list[tuple[Record, Record]]] | None = None  # boot, seq, gaps
        self._env = env
        self._random = random
        self._seq = 0
        self._first_ack_timeout = self._ack_timeout = ack_timeout
        self._acknowledged_at = 0
        self._waiting = False
        self._links = 0
        self._draining = False
        self._rhythm = random.randint(*HEARTBEAT)
        self._charge = random.uniform(82, 100)
        self._charged_at = env.now()
        self._answered: OrderedDict[str, str] = OrderedDict()
        self.clock = DeviceClock(env.now())
        self.start()

    # Power and connection

    def start(self) -> None:
        """Start, also again: boot id, sequence and monotonic clock are new; wall clock and flash stay."""
        now = self._env.now()
        self.flash.starts += 1
        self.flash.forget_sent()
        if self.flash.starts == 1:
            offset = self._random.randint(-MAX_OFFSET, MAX_OFFSET)
            ppm = self._random.uniform(-MAX_PPM, MAX_PPM)
            self.clock = DeviceClock(now, offset, ppm, set_at=now)
        else:
            self.clock.boot(now)
        self.boot_id = f"{self.flash.starts:x}-{self._random.getrandbits(24):06x}"
        self._seq = 0

    def link_up(self) -> None:
        """The connection to the gateway stands: say so, send what is waiting, and report from now on."""
        self.linked = True
        self._links += 1
        self.flash.forget_sent()
        self._ack_timeout = self._first_ack_timeout
        self._env.send(self, f"{self.topic}/state", b'{"online":true}', True)
        self._draining = bool(self.flash)
        if self.flash.gaps:
            # Ahead of the backlog: without it the gateway waits for records that are not there any more.
            self._tell_gaps()
        self._pump(replayed=True)
        self._heartbeat(self._links)

    def link_down(self) -> None:
        """The connection is gone: from now on records are kept for later."""
        self.linked = False

    def die(self) -> None:
        """The battery is flat: nothing is recorded any more. What the flash holds stays."""
        self.alive = False

    def revive(self) -> None:
        """A fresh battery: a new start, with a wall clock that has lost its time."""
        self.alive = True
        self._charge, self._charged_at = 100.0, self._env.now()
        self.start()
        self.clock.reset(self._env.now())

    @property
    def last_will(self) -> tuple[str, bytes]:
        """Topic and payload of the retained message that the broker sends when the connection breaks."""
        return f"{self.topic}/state", b'{"online":false}'

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What the device listens to."""
        return f"{self.topic}/down/ack", f"{self.topic}/down/cmd"

    # Records

    def record(self, type: str, **members: Any) -> int:
        """Make a record of what happens now; it is sent at once when connected. Returns its `seq`."""
        self._make(type, members)
        if self.linked:
            self._pump(replayed=self.flash.unsent > 1)
        return self._seq

    def _make(self, type: str, members: dict[str, Any]) -> Record:
        now = self._env.now()
        self._seq += 1
        told = {name: value for name, value in members.items() if value is not None}
        clock = self.clock
        made = Record(
            type, self.boot_id, self._seq, clock.wall(now), clock.mono(now), clock.confidence, told, now
        )
        self.flash.append(made)
        return made

    def fill(self, share: float) -> None:
        """Fill the ring to a share of its capacity, above 1 too, with lines of the device's own log."""
        for _ in range(round(share * self.flash.capacity) - len(self.flash)):
            self._make("report", {"category": "log", "text": "antenna tuned", "severity": "info"})
        if self.linked:
            self._pump(replayed=True)

    def report_status(self, **members: Any) -> None:
        """Make a `status`: a heartbeat, or the answer to a command."""
        self.record("status", **members)

    @property
    def battery(self) -> int | None:
        """What is left of the battery, in percent; None on the mains."""
        if not self.drain_per_hour:
            return None
        hours = (self._env.now() - self._charged_at) / HOUR
        return max(1, round(self._charge - self.drain_per_hour * hours))

    def _heartbeat(self, link: int) -> None:
        if self.linked and link == self._links:
            self.report_status()
            self._env.call_at(self._env.now() + self._rhythm, lambda: self._heartbeat(link))

    # Sending, and sending again

    def _pump(self, *, replayed: bool) -> None:
        while self.linked and self.flash.unsent and self.flash.in_flight < MAX_IN_FLIGHT:
            records = self.flash.take(self._random.randint(1, MAX_BATCH) if self._odd_batches else MAX_BATCH)
            bodies = [self._body(record, replayed) for record in records]
            payload = msgspec.json.encode(bodies if len(bodies) > 1 else bodies[0])
            self._wait_for_ack()
            self._env.send(self, f"{self.topic}/up", payload, False)

    def _body(self, record: Record, replayed: bool) -> dict[str, Any]:
        leaving = self._env.leaving()
        body: dict[str, Any] = {
            "type": record.type,
            "boot": record.boot,
            "seq": record.seq,
            "at": rfc3339(record.wall),
            "mono": record.mono,
            "sent_at": rfc3339(self.clock.wall(leaving)),
            "sent_mono": self.clock.mono(leaving),
            "clock": record.clock,
        }
        if record.boot != self.boot_id:
            # The monotonic clock of an earlier start cannot be compared with this one's.
            body["sent_boot"] = self.boot_id
        if replayed:
            body["replayed"] = True
        body |= record.members
        if record.type == "status":
            body |= self._health(record)
        return body

    def _health(self, status: Record) -> dict[str, Any]:
        """What a status says of the device.

        It speaks of the instant at which it is sent, also when it is sent again: together with `sent_at` it
        proves that the device had nothing more to say, so it must not repeat an older state.
        """
        if status.boot == self.boot_id:
            high_seq, uptime = self._seq, self.clock.mono(self._env.leaving()) // SECOND
        else:
            high_seq, uptime = status.seq, status.mono // SECOND
        health: dict[str, Any] = {
            "buffered": len(self.flash) - 1,
            "high_seq": high_seq,
            "firmware": FIRMWARE,
            "uptime": uptime,
        }
        if (battery := self.battery) is not None:
            health["battery"] = battery
        if self.flash.nearly_full:
            health["warning"] = "buffer_nearly_full"
        if self.flash.overwritten:
            health["overwritten"] = self.flash.overwritten
        if self.flash.gaps:
            told = [(gap.first, gap.last) for gap in self.flash.gaps[:MAX_GAPS]]
            self._told = (status.boot, status.seq, told)
            health["lost"] = [
                {
                    "boot": first.boot,
                    "from": first.seq,
                    "to": last.seq,
                    "at": rfc3339(first.wall),
                    "mono": first.mono,
                    "until": rfc3339(last.wall),
                    "until_mono": last.mono,
                }
                for first, last in told
            ]
        return health

    def _tell_gaps(self) -> None:
        status = self._make("status", {})
        payload = msgspec.json.encode(self._body(status, replayed=False))
        self._env.send(self, f"{self.topic}/up", payload, False)

    def _wait_for_ack(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._acknowledged_at = self._env.now()
            link = self._links
            self._env.call_at(self._env.now() + self._ack_timeout, lambda: self._ack_overdue(link))

    def _ack_overdue(self, link: int) -> None:
        self._waiting = False
        if not self.linked or not self.flash.in_flight:
            return
        if link == self._links and self._env.now() - self._acknowledged_at >= self._ack_timeout:
            self._ack_timeout = min(2 * self._ack_timeout, MAX_ACK_TIMEOUT)
            self.flash.forget_sent()
            self._pump(replayed=True)
        else:
            self._wait_for_ack()

    # What the gateway says

    def receive(self, topic: str, payload: bytes) -> None:
        """Take a message from the gateway. What cannot be understood is ignored: whom to tell?"""
        try:
            message = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.DecodeError:
            return
        if topic == f"{self.topic}/down/ack":
            self._acknowledged(message.get("boot"), message.get("seq"))
        elif topic == f"{self.topic}/down/cmd":
            self._command(message)

    def _acknowledged(self, boot: object, seq: object) -> None:
        if not isinstance(boot, str) or not isinstance(seq, int):
            return
        if self._told is not None and self._told[0] == boot and self._told[1] <= seq:
            self.flash.told(self._told[2])
            self._told = None
        if self.flash.free(boot, seq):
            self._acknowledged_at = self._env.now()
            self._ack_timeout = self._first_ack_timeout
        self._pump(replayed=True)
        if self._draining and not self.flash:
            # Say at once that there is nothing more, so that nobody has to wait for the next heartbeat.
            self._draining = False
            self.report_status()

    def _command(self, message: dict[str, Any]) -> None:
        id = message.get("id")
        if not isinstance(id, str):
            return
        # A command that is delivered twice is carried out once; its answer is given again.
        result = self._answered.get(id) or self._result(message)
        self._answered[id] = result
        if len(self._answered) > _REMEMBERED_COMMANDS:
            self._answered.popitem(last=False)
        self.answer(id, result)

    def answer(self, id: str, result: str) -> None:
        """Tell what became of a command."""
        self.report_status(reply_to=id, result=result)

    def _result(self, message: dict[str, Any]) -> str:
        command = message.get("cmd")
        if command not in self.commands:
            return "refused" if command in COMMANDS else "unknown"
        try:
            if "expires" in message and parse_instant(message["expires"]) < self.clock.wall(self._env.now()):
                return "refused"
            return self.obey(command, message.get("args") or {})
        except (LookupError, TypeError, ValueError, AttributeError):
            return "failed"

    def obey(self, command: str, args: dict[str, Any]) -> str:
        """Carry out a command of `commands`. Returns `done`, `refused` or `failed`."""
        if command == "sync_clock":
            self.clock.set_wall(self._env.now(), parse_instant(args["at"]))
        return "done"
