"""How a command reaches a device: the native way, and the port for all others."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from gateway.domain.commands import AT_GATES, Command
from gateway.instants import rfc3339

SUFFIX: Final = "down/cmd"

_encode: Final = msgspec.json.Encoder().encode


class Commander(Protocol):
    """Carries commands to one device that is not spoken to by the native contract."""

    def send(self, command: Command) -> bool:
        """Hand a command over, at once; False when that cannot be.

        It must be carried out once at the most, and never after its `expires_at`. The answer, if one comes, is a
        `status` record of the device with `reply_to` and `result` (docs/wire.md), as a native device sends it.
        """


def native_payload(command: Command) -> bytes:
    """What a native device is told on `down/cmd`."""
    args = dict(command.args)
    if command.cmd in AT_GATES:
        args.setdefault("by", command.by)  # so that the event at the barrier can name a person
    return _encode(
        {"id": command.id, "cmd": command.cmd, "args": args, "expires": rfc3339(command.expires_at)}
    )
