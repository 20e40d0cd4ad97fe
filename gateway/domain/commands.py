"""Commands: what people tell devices to do, and what is known of whether it was done.

A command at a barrier is dangerous twice: when it is carried out late, and when it is carried out again. So each has
an end, and after it nothing is sent any more; and one that was sent and not answered by then is *uncertain*: nobody
knows whether the barrier moved. A person looks and says so, or an answer that comes late after all does. Nothing here
or elsewhere ever sends a command a second time (law 15). Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from gateway.domain.alert import AlertKind, Severity, WrongStateError
from gateway.domain.alerts import AlertBook
from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Status
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Reason

OPENING: Final = frozenset({"open", "hold"})
AT_GATES: Final = OPENING | {"close"}
"""Commands that move a barrier. Without an answer it is not known where it is."""

KNOWN: Final = AT_GATES | {"call", "message", "sync_clock"}


class CommandState(StrEnum):
    REQUESTED = "requested"  # stored, and not sent yet
    SENT = "sent"  # on its way; stored before it was handed over
    DONE = "done"
    REFUSED = "refused"  # by the device
    FAILED = "failed"  # the device tried in vain, or it could not be handed over
    UNCERTAIN = "uncertain"  # sent, and nobody knows what came of it
    EXPIRED = "expired"  # its time ran out before it was sent; or nobody answered, and no barrier hangs on it


PENDING: Final = frozenset({CommandState.REQUESTED, CommandState.SENT})
LIVE: Final = PENDING | {CommandState.UNCERTAIN}
"""States that do not last."""

_DOUBTS: Final[Mapping[str, str]] = {
    "open": "open_uncertain",
    "hold": "hold_uncertain",
    "close": "close_uncertain",
}
"""The reason of the alert about one that is uncertain."""

_ANSWERS: Final[Mapping[str, CommandState]] = {
    "done": CommandState.DONE,
    "refused": CommandState.REFUSED,
    "failed": CommandState.FAILED,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """What a person saw of an uncertain command: whether it was done."""

    by: str
    done: bool
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Command:
    """One command to one device; after a change there is a new one of the same `id`."""

    id: str
    site: str
    device: str
    cmd: str
    args: Mapping[str, Any]
    by: str  # a person's id
    reason: str
    requested_at: int
    expires_at: int  # from then on it must not be sent, nor carried out
    state: CommandState = CommandState.REQUESTED
    origin: str | None = None
    sent_at: int | None = None
    ended_at: int | None = None  # when its state became one that lasts, or uncertain
    answer: str | None = None  # the fact that answered
    result: str | None = None  # what it said
    settled: Settled | None = None


class Commands:
    """The commands of one site that are under way or were not long ago. `changed` is to be taken and emptied."""

    __slots__ = ("_alerts", "_held", "_known", "_plan", "changed")

    def __init__(self, plan: Plan, alerts: AlertBook, stored: Iterable[Command] = ()) -> None:
        self._plan = plan
        self._alerts = alerts
        self._known: dict[str, Command] = {}
        self._held: dict[
            str, dict[str, int]
        ] = {}  # device → `hold` and `close` → when the last was asked for
        self.changed: dict[str, Command] = {}
        for command in stored:
            self._keep(command)

    def find(self, command_id: str) -> Command | None:
        return self._known.get(command_id)

    def last(self, device: str) -> Command | None:
        """The latest one to a device; one that is uncertain before all others, as it waits for a person."""
        of_device = [each for each in self._known.values() if each.device == device]
        return max(
            of_device,
            key=lambda each: (each.state is CommandState.UNCERTAIN, each.requested_at, each.id),
            default=None,
        )

    def blocking(self, device: str, cmd: str) -> Command | None:
        """One that must end before `cmd` may be asked for: the same, or another way of opening.

        Of two people who press at once the second learns of the first. An uncertain opening must be settled before
        the barrier is opened once more; it can be closed at any time.
        """
        same = OPENING if cmd in OPENING else {cmd}
        live = [
            each
            for each in self._known.values()
            if each.device == device
            and each.cmd in same
            and (each.state in PENDING or (each.state is CommandState.UNCERTAIN and cmd in OPENING))
        ]
        return min(live, key=lambda each: (each.requested_at, each.id), default=None)

    def held_since(self, device: str) -> int | None:
        """When it was last told to stay open, unless it was told to close since; None when it was not."""
        told = self._held.get(device, {})
        held = told.get("hold")
        return held if held is not None and held > told.get("close", -FOREVER) else None

    # -- what changes them ----------------------------------------------------------------------------------

    def put(self, command: Command) -> None:
        """Add one, or put a changed one in its place."""
        self._keep(command)
        self.changed[command.id] = command

    def answered(self, fact: Status, now: int) -> None:
        """A device answers a command. What nobody asked for, or what was answered before, changes nothing."""
        command = self._known.get(fact.reply_to or "")
        if command is None or command.device != fact.device or command.answer is not None:
            return
        answered = replace(command, answer=fact.id, result=fact.result)
        if command.settled is not None:
            self.put(answered)  # a person has seen it: that stays, with the answer beside it
            return
        state = _ANSWERS.get(fact.result or "")
        if state is None:
            # It does not know itself. What moves no barrier has come to nothing.
            state = CommandState.UNCERTAIN if command.cmd in AT_GATES else CommandState.FAILED
        if state is CommandState.UNCERTAIN:
            if command.state is not CommandState.UNCERTAIN:
                self._doubt(answered, now)
            else:
                self.put(answered)
            return
        self.put(replace(answered, state=state, ended_at=now))
        self._certain(command.device, now, fact.id)

    def settle(self, command_id: str, settled: Settled) -> Command:
        """A person has looked. Raises KeyError, and `WrongStateError` when there is nothing uncertain about it."""
        command = self._known[command_id]
        if command.state is not CommandState.UNCERTAIN:
            raise WrongStateError(command.state.value)
        state = CommandState.DONE if settled.done else CommandState.FAILED
        command = replace(command, state=state, settled=settled, ended_at=settled.at)
        self.put(command)
        self._certain(command.device, settled.at)
        return command

    def undelivered(self, command: Command, now: int) -> Command:
        """It was noted as sent, and then could not be handed over after all."""
        late = now >= command.expires_at
        state = CommandState.EXPIRED if late else CommandState.FAILED
        command = replace(command, state=state, ended_at=now, result="not_delivered")
        self.put(command)
        self._certain(command.device, now)
        return command

    @property
    def next_wake(self) -> int:
        """When `step` must be called even if nobody answers."""
        return min(
            (each.expires_at for each in self._known.values() if each.state in PENDING), default=FOREVER
        )

    def step(self, now: int) -> None:
        """Let time pass: what ran out and was not answered."""
        for command in [each for each in self._known.values() if each.state in PENDING]:
            if command.expires_at > now:
                continue
            if command.state is CommandState.SENT and command.cmd in AT_GATES:
                self._doubt(command, now)
            else:
                self.put(replace(command, state=CommandState.EXPIRED, ended_at=now))

    def forget_before(self, at: int) -> None:
        """Let go of those that ended before an instant."""
        self._known = {
            id: each
            for id, each in self._known.items()
            if each.state in LIVE or each.ended_at is None or each.ended_at >= at
        }

    def _keep(self, command: Command) -> None:
        self._known[command.id] = command
        if command.state is CommandState.DONE and command.cmd in ("hold", "close"):
            told = self._held.setdefault(command.device, {})
            told[command.cmd] = max(command.requested_at, told.get(command.cmd, -FOREVER))

    def _doubt(self, command: Command, now: int) -> None:
        self.put(replace(command, state=CommandState.UNCERTAIN, ended_at=now))
        device = self._plan.device_by_id.get(command.device)
        name = (device.name if device else None) or {"zh": command.device}
        params = {"by": command.by, "at": command.requested_at, "command": command.id}
        # A barrier that may stand open is worse than one that may not have closed: of that its position tells.
        severity = Severity.MAJOR if command.cmd in OPENING else Severity.MINOR
        kind, reason = AlertKind.COMMAND_UNCERTAIN, Reason(_DOUBTS[command.cmd], params)
        self._alerts.event(kind, command.device, name, reason, command.expires_at, now, severity=severity)

    def _certain(self, device: str, now: int, fact: str | None = None) -> None:
        doubts = (each for each in self._known.values() if each.state is CommandState.UNCERTAIN)
        if not any(each.device == device for each in doubts):
            self._alerts.event_over(AlertKind.COMMAND_UNCERTAIN, device, now, fact)
