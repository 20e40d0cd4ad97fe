"""The kinds of device: a handheld scanner, a gate controller, a radio console."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any, Final

from checkpoint_firmware_sim.device import ACK_TIMEOUT, Device, Environment
from checkpoint_firmware_sim.scenario import What
from checkpoint_firmware_sim.sun_tag import SUN_URL
from checkpoint_firmware_sim.times import SECOND
from gateway.domain.plan import DeviceKind

BAR_TRAVEL: Final = 3 * SECOND
"""How long a barrier takes to close when it is told to."""


class Scanner(Device):
    """Reads tags. The guard taps a badge at the start of a shift; it is sent along with each scan."""

    commands = Device.commands | {"call"}
    drain_per_hour = 4.0
    guard: str | None = None

    def badge(self, guard: str | None) -> None:
        """A guard takes the scanner: a card UID or a person's id."""
        self.guard = guard

    def scan(self, tag: str) -> None:
        """A tag is read: an upper-case hex UID, the message of a tag that makes them, or the text of a QR code."""
        rssi = self._random.randint(-71, -48)
        if set(tag) <= HEX:
            self.record("scan", tag=tag, guard=self.guard, battery=self.battery, rssi=rssi)
        elif tag.startswith(SUN_URL):
            self.record("scan", sun=tag, guard=self.guard, battery=self.battery, rssi=rssi)
        else:
            self.record("scan", qr=tag, guard=self.guard, battery=self.battery)

    def read_card(self, card: str) -> None:
        """Fixed at a checkpoint, it reads a guard's card."""
        self.record("scan", guard=card)


class GateController(Device):
    """Drives one barrier and reports what happens at it."""

    commands = Device.commands | {"open", "close", "hold"}

    def __init__(self, *args: Any, **more: Any) -> None:
        self.troubles: deque[tuple[What, int]] = deque()
        """What goes wrong with the next commands, one each, and how late an answer is (ms)."""
        super().__init__(*args, **more)

    def event(self, event: str, **members: Any) -> None:
        """Something happens at the barrier (the names of WIRE: `opened`, `vehicle_in`, `forced`, …)."""
        self.record("gate", event=event, **members)

    def answer(self, id: str, result: str) -> None:
        """Tell what became of a command, unless that goes wrong."""
        what, by = self.troubles.popleft() if self.troubles else (None, 0)
        if what is What.COMMAND_LATE:
            self._env.call_at(self._env.now() + by, lambda: self.report_status(reply_to=id, result=result))
        elif what is not What.COMMAND_LOST:
            super().answer(id, result)

    def obey(self, command: str, args: dict[str, Any]) -> str:
        """Open, close or hold the barrier open; a person may be named in `args.by`."""
        if self.troubles and self.troubles[0][0] is What.COMMAND_REFUSED:
            return "refused"
        by = args.get("by")
        if command in ("open", "hold"):
            self.event("opened", cause="remote", by=by)
        elif command == "close":
            self._env.call_at(
                self._env.now() + BAR_TRAVEL, lambda: self.event("closed", cause="remote", by=by)
            )
        else:
            return super().obey(command, args)
        return "done"


class Console(Device):
    """The radio console at which calls to posts are entered."""

    commands = Device.commands | {"call"}

    def called(self, post: str, outcome: str, by: str | None, note: str | None = None) -> None:
        """A post was called: `answered`, `no_answer` or `abnormal`."""
        self.record("radio", post=post, outcome=outcome, by=by, note=note)


HEX: Final = frozenset("0123456789ABCDEF")
_KINDS: Final[dict[DeviceKind, type[Device]]] = {
    DeviceKind.SCANNER: Scanner,
    DeviceKind.READER: Scanner,
    DeviceKind.GATE: GateController,
    DeviceKind.CONSOLE: Console,
}


def make_device(
    kind: DeviceKind,
    site: str,
    id: str,
    env: Environment,
    random: Random,
    ack_timeout: int = ACK_TIMEOUT,
    odd_batches: bool = False,
) -> Device:
    """A device of a kind, freshly started."""
    return _KINDS[kind](site, id, env, random, ack_timeout=ack_timeout, odd_batches=odd_batches)
