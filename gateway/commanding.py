"""Commanding: a person tells a device to do something (law 15).

1. Who may not, is refused, and that is recorded. A device that is not there is not waited for: who stands before a
   barrier wants it now, and an opening that comes when nobody looks is worse than none.
2. The command is stored as `requested`, then as `sent`, and only then handed over. So after a crash what is stored as
   `requested` was certainly not sent and never will be, and what is stored as `sent` may have been.
3. The answer is a record of the device like any other. What is not answered by the end of its time is uncertain.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from gateway.domain.alert import WrongStateError
from gateway.domain.commands import AT_GATES, Command, CommandState, Settled
from gateway.domain.plan import DeviceKind
from gateway.engine import Engine, Work
from gateway.ingest.commander import SUFFIX, native_payload
from gateway.shapes import Json, command_from_json, command_json
from gateway.store.port import ActionRow

AT_GATES_EXPIRE_S: Final = 10
EXPIRE_S: Final = 60
"""For how long a command that moves a barrier, and any other, may be carried out unless somebody says otherwise (s)."""

LONGEST_S: Final = 300

_encode: Final = msgspec.json.Encoder().encode


class NotAllowedError(Exception):
    """Somebody may not command this; the message says who may."""


class UnfitError(Exception):
    """The device is of no kind for this command."""


class NotNowError(Exception):
    """It cannot be done now: `state` is `offline`, or `pending` with the command that comes before."""

    def __init__(self, state: str, message: str, before: Command | None = None) -> None:
        super().__init__(message)
        self.state, self.before = state, before


class Commanding:
    """What people tell devices to do, at one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def command(
        self,
        site: str,
        device: str,
        cmd: str,
        args: Mapping[str, Any],
        by: str,
        reason: str,
        expires_s: int | None = None,
        origin: str = "",
    ) -> Json:
        """Ask for a command and send it. Answers it as it is then: its outcome comes later.

        Raises KeyError for an unknown device, `NotAllowedError`, `UnfitError` and `NotNowError`.
        """
        engine = self._engine
        plan = engine.desks[site].plan
        if plan.device_by_id[device].kind is not DeviceKind.GATE and cmd in AT_GATES:
            raise UnfitError(f"{device!r} is no gate: {cmd} is for barriers")
        person = plan.person(by)
        if person is None or not plan.may_command(person, cmd):
            await self._record_denial(site, device, cmd, by, reason, "not_allowed", origin)
            roles = ", ".join(plan.roles_for(cmd))
            raise NotAllowedError(
                f"{by!r} may not command {cmd!r}: that takes a person of the plan whose role is one of {roles}"
            )
        command_id = f"{site}-c{secrets.token_hex(4)}"
        life_s = expires_s or (AT_GATES_EXPIRE_S if cmd in AT_GATES else EXPIRE_S)

        async def request(work: Work) -> Command | NotNowError:
            now = engine.clock.now()
            desk = engine.desks[site]
            if before := desk.watch.commands.blocking(device, cmd):
                said = f"{before.by} asked for {before.cmd!r} before: it is {before.state.value}"
                self._deny(work, site, device, cmd, person.id, reason, "pending", origin)
                return NotNowError("pending", said, before)
            if engine.deaf_since is not None or not desk.is_online(device, now):
                self._deny(work, site, device, cmd, person.id, reason, "offline", origin)
                return NotNowError("offline", f"{device!r} cannot be reached now: nothing was sent")
            command = Command(
                *(command_id, site, device, cmd, args, person.id, reason, now, now + life_s * 1000),
                origin=origin or None,
            )
            self._put(command, work, now)
            return command

        asked = await engine.change(request)
        if isinstance(asked, NotNowError):
            raise asked
        return command_json(await self._send(asked))

    async def settle(self, command_id: str, by: str, done: bool, note: str, origin: str = "") -> Json:
        """A person has looked whether an uncertain command was done. Answers the command.

        Raises KeyError for an unknown command, `NotAllowedError` for one whom the plan does not know, and
        `WrongStateError` when it is not uncertain.
        """
        engine = self._engine
        stored = await engine.store.command(command_id)
        if stored is None or stored["site"] not in engine.desks:
            raise KeyError(command_id)
        site: str = stored["site"]
        person = engine.desks[site].plan.person(by)
        if person is None:
            raise NotAllowedError(f"{by!r} is no person of the plan")

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            commands = engine.desks[site].watch.commands
            if commands.find(command_id) is None:
                # Older than what is in memory, which keeps all that are uncertain.
                raise WrongStateError(command_from_json(stored).state.value)
            command = commands.settle(command_id, Settled(person.id, done, note, now))
            engine.advance(site, (), work, now)
            return command_json(command)

        return await engine.change(change)

    async def _send(self, asked: Command) -> Command:
        engine = self._engine

        async def note_sent(work: Work) -> Command:
            now = engine.clock.now()
            engine.advance(asked.site, (), work, now)  # its time may have run out while it was stored
            known = engine.desks[asked.site].watch.commands.find(asked.id)
            if known is None or known.state is not CommandState.REQUESTED or now >= known.expires_at:
                return known or asked
            command = replace(known, state=CommandState.SENT, sent_at=now)
            self._put(command, work, now)
            return command

        command = await engine.change(note_sent)
        if command.state is not CommandState.SENT or self._hand_over(command):
            return command

        async def note_failed(work: Work) -> Command:
            now = engine.clock.now()
            failed = engine.desks[command.site].watch.commands.undelivered(command, now)
            engine.advance(command.site, (), work, now)
            return failed

        return await engine.change(note_failed)

    def _hand_over(self, command: Command) -> bool:
        """Give it to whoever carries it, once; whether it was taken."""
        engine = self._engine
        left_s = engine.clock.seconds_until(command.expires_at)
        if left_s <= 0:
            return False  # the disk was slow
        commander = engine.commanders.get((command.site, command.device))
        if commander is not None:
            return commander.send(command)
        if engine.send_down is None:
            return False
        payload = native_payload(command)
        return bool(engine.send_down(command.site, command.device, SUFFIX, payload, expiry_s=left_s))

    def _put(self, command: Command, work: Work, now: int) -> None:
        self._engine.desks[command.site].watch.commands.put(command)
        self._engine.advance(command.site, (), work, now)

    async def _record_denial(
        self, site: str, device: str, cmd: str, by: str, reason: str, why: str, origin: str
    ) -> None:
        await self._engine.request(lambda work: self._deny(work, site, device, cmd, by, reason, why, origin))

    def _deny(
        self, work: Work, site: str, device: str, cmd: str, by: str, reason: str, why: str, origin: str
    ) -> None:
        body = _encode({"cmd": cmd, "reason": reason, "why": why})
        now = self._engine.clock.now()
        work.commit.actions.append(ActionRow(site, now, by, origin, "denied_command", device, body))
