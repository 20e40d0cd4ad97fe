"""The truth: what really happened, whatever of it arrived. One JSON object a line, in true simulated time.

Every line has `what` and `at` (RFC 3339, UTC, ms). `what` is `scenario` (the first line), `walk`, `call`,
`gate`, `device`, `skipped` and `end` (the last line); docs/simulator.md lists their members.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TextIO

import msgspec

from checkpoint_firmware_sim.deeds import Call, Skipped, Visit, Walk
from checkpoint_firmware_sim.flash import Record
from checkpoint_firmware_sim.traffic import GateDeed
from gateway.instants import rfc3339

Line = dict[str, Any]
"""One line of the truth log."""

Truth = Callable[[Line], None]
"""Where lines go."""


class TruthError(Exception):
    """A truth log cannot be used. The text is meant for people."""


def writing_to(file: TextIO) -> Truth:
    """Write each line at once, so that a run that is killed leaves all that had happened."""

    def write(line: Line) -> None:
        file.write(msgspec.json.encode(line).decode() + "\n")
        file.flush()

    return write


def read_truth(lines: Iterable[str]) -> list[Line]:
    """Read a truth log. Raises TruthError with the line's number when one cannot be read."""
    read: list[Line] = []
    for number, text in enumerate(lines, 1):
        try:
            line = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise TruthError(f"line {number} of the truth log is not JSON: {error}") from None
        if "what" not in line or "at" not in line:
            raise TruthError(f"line {number} of the truth log has no `what` or no `at`")
        read.append(line)
    if not read or read[0]["what"] != "scenario":
        raise TruthError("this is no truth log: its first line is not the scenario")
    return read


def walk_line(walk: Walk, until: int, unrecorded: Collection[int] = ()) -> Line:
    """A walk as far as it had come at `until` (ms). `unrecorded`: places where no scanner worked."""
    visits = [visit for visit in walk.visits if visit.at <= until]
    return {
        "what": "walk",
        "at": rfc3339(visits[-1].at),
        "guard": walk.walker.name,
        "duty": walk.duty,
        "route": walk.route,
        "device": walk.walker.scanner,
        "visits": [
            _visit(walk, visit) | ({"recorded": False} if place in unrecorded else {})
            for place, visit in enumerate(visits)
        ],
    }


def _visit(walk: Walk, visit: Visit) -> Line:
    line: Line = {"checkpoint": visit.checkpoint, "at": rfc3339(visit.at)}
    own = () if walk.walker.scanner is None else (walk.walker.scanner,)
    return line if visit.devices == own else line | {"devices": list(visit.devices)}


def call_line(call: Call) -> Line:
    """One call to one post."""
    return {
        "what": "call",
        "at": rfc3339(call.at),
        "post": call.post,
        "outcome": call.outcome,
        "by": call.by,
        "device": call.console,
    }


def gate_line(deed: GateDeed) -> Line:
    """Something at a barrier."""
    return {"what": "gate", "at": rfc3339(deed.at), "device": deed.device, "event": deed.event} | deed.members


def device_line(at: int, device: str, event: str, **members: Any) -> Line:
    """A device started (`boot`), lost its connection (`offline`) or may connect again (`online`)."""
    return {"what": "device", "at": rfc3339(at), "device": device, "event": event} | members


def lost_line(at: int, device: str, records: Sequence[Record]) -> Line:
    """Records that a device has overwritten, in the order in which they were made."""
    made = [{"type": record.type, "at": rfc3339(record.made_at)} for record in records]
    return {
        "what": "device",
        "at": rfc3339(at),
        "device": device,
        "event": "lost",
        "from": made[0]["at"],
        "to": made[-1]["at"],
        "records": [each for each in made if each["type"] in ("scan", "radio", "gate")],
    }


def deaf_line(at: int, device: str, since: int, until: int) -> Line:
    """A device without a memory was not heard from `since` until `until` (ms): what it read then is lost."""
    span = {"from": rfc3339(since), "to": rfc3339(until), "records": []}
    return {"what": "device", "at": rfc3339(at), "device": device, "event": "lost"} | span


def skipped_line(skipped: Skipped) -> Line:
    """A duty that was not carried out; `at` is when it was due."""
    return {
        "what": "skipped",
        "at": rfc3339(skipped.due_at),
        "deviation": skipped.what,
        "duty": skipped.duty,
        "post": skipped.post,
        "from": rfc3339(skipped.opens_at),
        "to": rfc3339(skipped.due_at),
    }
