"""What a Zhenshi camera can be told (see `zhenshi`): topics and payloads, made without any state.

Each returns (topic, payload) for a camera by its serial number. `id` comes back in the answer, on the same topic with
`/reply` behind it: `{"id": …, "code": 200, …}` when it was carried out. `at` is now (ms); `sn_first`: the camera's
firmware puts the serial number before `device` in its topics.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import msgspec

REPLY: Final = "/reply"

OPEN_IO: Final = 0
CLOSE_IO: Final = 1
"""Which output raises the bar and which one lowers it, as barriers are wired to these cameras."""

OPEN_PULSE_MS: Final = 1_500
CLOSE_PULSE_MS: Final = 3_000
"""How long the contact closes; 500 to 5,000 are possible."""

COMMANDS: Final = {"close": "gpio_out", "sync_clock": "set_time"}
"""What the camera calls a command of the native contract. `open` depends on its firmware."""

_PULSE: Final = 2  # 0: open the contact, 1: close it, 2: close it for a while
_ZONE: Final = timezone(timedelta(hours=8))  # the cameras' clocks show the time of China

_encode: Final = msgspec.json.Encoder().encode


def open_command(
    sn: str, id: str, at: int, *, sn_first: bool = False, direct: bool = False
) -> tuple[str, bytes]:
    """Raise the bar; `direct`: by gate_direct_open, which newer firmware has."""
    return message("gate_direct_open" if direct else "gpio_out", "open", sn, id, at, sn_first=sn_first)


def close_command(sn: str, id: str, at: int, *, sn_first: bool = False) -> tuple[str, bytes]:
    """Lower the bar, where the barrier has a wire for it."""
    return message("gpio_out", "close", sn, id, at, sn_first=sn_first)


def set_time_command(sn: str, id: str, at: int, *, sn_first: bool = False) -> tuple[str, bytes]:
    """Set the camera's clock."""
    return message("set_time", "sync_clock", sn, id, at, sn_first=sn_first)


def message(name: str, cmd: str, sn: str, id: str, at: int, *, sn_first: bool) -> tuple[str, bytes]:
    """A command by the camera's name for it, and by ours."""
    body: dict[str, Any] | None = None
    if name == "gpio_out":
        io, pulse = (OPEN_IO, OPEN_PULSE_MS) if cmd == "open" else (CLOSE_IO, CLOSE_PULSE_MS)
        body = {"delay": pulse, "io": io, "value": _PULSE}
    elif name == "set_time":
        local = datetime.fromtimestamp(at // 1000, UTC).astimezone(_ZONE)
        parts = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "min": "%M", "sec": "%S"}
        body = {part: local.strftime(form) for part, form in parts.items()}
    payload = None if body is None else {"type": name, "body": body}
    sent = {
        "id": id,
        "sn": sn,
        "name": name,
        "version": "1.0",
        "timestamp": at // 1000,
        "payload": payload,
    }
    start = f"{sn}/device" if sn_first else f"device/{sn}"
    return f"{start}/message/down/{name}", _encode(sent)
