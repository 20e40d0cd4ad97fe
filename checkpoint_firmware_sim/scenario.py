"""A scenario file: which night is played, and what goes wrong in it.

Everything that a scenario does not mention goes as it should: the duties of the plan are carried out in time.
Local times are the site's, `after` means the first occasion at or after that time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from checkpoint_firmware_sim.times import HOUR, MINUTE, parse_duration, parse_local
from gateway.domain.plan import DeviceKind, DutyKind, Plan


class ScenarioError(Exception):
    """A scenario cannot be read, or does not fit its site. The text is meant for people."""


class What(StrEnum):
    """What can go wrong."""

    MISSED_ROUND = "missed_round"  # a guard sleeps: `count` rounds of `duty` are not walked
    LATE_ROUND = "late_round"  # a round of `duty` ends `by` after it was due
    INCOMPLETE_ROUND = "incomplete_round"  # the checkpoint `skip` is left out
    WRONG_ORDER = "wrong_order"  # two checkpoints change places
    NOT_CALLED = "not_called"  # the leader leaves `post` out, `count` times
    NO_ANSWER = (
        "no_answer"  # `post` does not answer; it is called again after `by` and then does, unless `never`
    )
    ABNORMAL = "abnormal"  # `post` answers that something is wrong: `note`
    FORCED = "forced"  # somebody breaks through the barrier of `device`; it is put right after `by`
    OFFLINE = "offline"  # `device` has no connection for `by`; its records come later
    RESTART = "restart"  # `device` starts anew; with `duty` in the middle of its next round
    BATTERY_DEAD = "battery_dead"  # `device` is without power for `by`: what is tapped then is not recorded
    FULL_BUFFER = "full_buffer"  # `device` is offline for `by`; half-way its ring is filled up to `fill`
    CLOCK_STOPPED = "clock_stopped"  # the wall clock of `device` stands still
    CLOCK_RESET = "clock_reset"  # the wall clock of `device` shows the year 2000
    CLOCK_AHEAD = "clock_ahead"  # the wall clock of `device` jumps forward `by`
    CLOCK_BACK = "clock_back"  # the wall clock of `device` jumps back `by`
    CLOCK_DRIFTS = "clock_drifts"  # both clocks of `device` gain `by` in a day; they lose it with `slow`
    COMMAND_LOST = "command_lost"  # `device` does the next thing that it is told to, and its answer is lost
    COMMAND_REFUSED = "command_refused"  # `device` refuses the next command
    COMMAND_LATE = "command_late"  # `device` answers the next command `by` later than it should
    TWO_SCANNERS = "two_scanners"  # a round of `duty` is scanned by turns with `device`, too; or with `both`
    NOISE = "noise"  # for `by` the line of `device` brings bytes of anything, too
    SPLIT = "split"  # for `by` what `device` says comes in small pieces
    SILENCE = "silence"  # for `by` nothing that `device` says arrives
    BROKER_RESTART = "broker_restart"  # all devices lose their connection for `by`
    GATEWAY_RESTART = "gateway_restart"  # the gateway is killed at the `moment`, and is away for `by`


CLOCK_FAULTS: Final = (
    What.CLOCK_STOPPED,
    What.CLOCK_RESET,
    What.CLOCK_AHEAD,
    What.CLOCK_BACK,
    What.CLOCK_DRIFTS,
)


COMMAND_FAULTS: Final = (What.COMMAND_LOST, What.COMMAND_REFUSED, What.COMMAND_LATE)
LINE_FAULTS: Final = (What.NOISE, What.SPLIT, What.SILENCE)
"""What only a device at a serial line can have."""


class Moment(StrEnum):
    """When a gateway is killed."""

    IDLE = "idle"  # between two messages
    RECEIVED = "received"  # with a message received and not yet stored
    STORED = "stored"  # with a message stored and not yet acknowledged


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that goes wrong. Which members it needs follows from `what`."""

    what: What
    after: int  # minutes after local midnight
    duty: str | None = None
    post: str | None = None
    device: str | None = None
    skip: str | None = None
    by: int = 10 * MINUTE  # ms
    count: int = 1
    never: bool = False
    note: str | None = None
    fill: float = 0.95  # of the ring's capacity; above 1 the oldest records are lost
    slow: bool = False
    both: bool = False
    moment: Moment = Moment.IDLE


@dataclass(frozen=True, slots=True)
class Rough:
    """What the network does to messages: parts of them, from 0 to 1. Only played in simulated time."""

    duplicated: float = 0.0  # come twice
    reordered: float = 0.0  # come some seconds later than others that were sent after them
    lost_acks: float = 0.0  # acknowledgements that do not reach the device
    odd_batches: bool = False  # devices send a backlog in arrays of any size


@dataclass(frozen=True, slots=True)
class Scenario:
    """One stretch of time at one site."""

    start: int  # minutes after local midnight
    duration: int  # ms
    site: str | None = None  # any, when not said
    seed: int = 1
    speed: float = 60.0
    traffic_per_hour: float = 6.0  # vehicles in and out at each gate
    network: Rough = Rough()
    sun_master: bytes | None = (
        None  # tags with a UID of 7 bytes make messages (SUN) with keys that come of it
    )
    deviations: tuple[Deviation, ...] = field(default=())


_NEEDS: Final[Mapping[What, tuple[str, ...]]] = {
    What.MISSED_ROUND: ("duty",),
    What.LATE_ROUND: ("duty",),
    What.INCOMPLETE_ROUND: ("duty", "skip"),
    What.WRONG_ORDER: ("duty",),
    What.NOT_CALLED: ("post",),
    What.NO_ANSWER: ("post",),
    What.ABNORMAL: ("post",),
    What.TWO_SCANNERS: ("duty", "device"),
    What.BROKER_RESTART: (),
    What.GATEWAY_RESTART: (),
}
"""What a deviation needs; the others need a `device`."""


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises ScenarioError with the file's name and what is wrong."""
    try:
        return parse_scenario(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None


def parse_scenario(text: str) -> Scenario:
    """Read the text of a scenario. Raises ScenarioError with what is wrong."""
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"is not YAML: {error}") from None
    if not isinstance(read, dict):
        raise ScenarioError("must be a mapping with at least `start` and `duration`")
    members = dict(read)
    listed = members.pop("deviations", None) or []
    if not isinstance(listed, list):
        raise ScenarioError("`deviations` must be a list")
    deviations = tuple(_deviation(place, entry) for place, entry in enumerate(listed, 1))
    return Scenario(**_members(members, _SCENARIO, ("start", "duration"), ""), deviations=deviations)


def _deviation(place: int, entry: Any) -> Deviation:
    where = f"deviation {place}: "
    if not isinstance(entry, dict):
        raise ScenarioError(f"{where}must be a mapping with at least `what` and `after`")
    deviation = Deviation(**_members(entry, _DEVIATION, ("what", "after"), where))
    for needed in _NEEDS.get(deviation.what, ("device",)):
        if getattr(deviation, needed) is None:
            raise ScenarioError(f"{where}{deviation.what} needs `{needed}`")
    return deviation


def _network(entry: Any) -> Rough:
    if not isinstance(entry, dict):
        raise ValueError("must be a mapping")
    return Rough(**_members(entry, _ROUGH, (), ""))


def _master_key(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 64:
        raise ValueError("must be a key of 64 hex digits in quotes")
    return bytes.fromhex(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


_ROUGH: Final[Mapping[str, Any]] = {
    "duplicated": float,
    "reordered": float,
    "lost_acks": float,
    "odd_batches": _switch,
}
_SCENARIO: Final[Mapping[str, Any]] = {
    "site": str,
    "start": parse_local,
    "duration": parse_duration,
    "seed": int,
    "speed": float,
    "traffic_per_hour": float,
    "network": _network,
    "sun_master": _master_key,
}
_DEVIATION: Final[Mapping[str, Any]] = {
    "what": What,
    "after": parse_local,
    "duty": str,
    "post": str,
    "device": str,
    "skip": str,
    "by": parse_duration,
    "count": int,
    "never": _switch,
    "note": str,
    "fill": float,
    "slow": _switch,
    "both": _switch,
    "moment": Moment,
}


def _members(
    entry: dict[Any, Any], known: Mapping[str, Any], needed: tuple[str, ...], where: str
) -> dict[str, Any]:
    if unknown := sorted(str(key) for key in entry if key not in known):
        raise ScenarioError(f"{where}unknown member `{unknown[0]}`; known are {', '.join(known)}")
    if missing := [key for key in needed if key not in entry]:
        raise ScenarioError(f"{where}`{missing[0]}` is missing")
    read = {}
    for key, value in entry.items():
        try:
            read[key] = known[key](value)
        except (TypeError, ValueError, AttributeError) as error:
            hint = "; write times and durations in quotes" if isinstance(value, int) else ""
            raise ScenarioError(f"{where}`{key}`: {error}{hint}") from None
    return read


def check_against(scenario: Scenario, plan: Plan) -> None:
    """Raises ScenarioError when the scenario speaks of something that the plan does not have."""
    if scenario.site not in (None, plan.site):
        raise ScenarioError(f"the scenario is for the site {scenario.site}, the site file is of {plan.site}")
    if not 0 < scenario.duration <= 31 * 24 * HOUR:
        raise ScenarioError("`duration` must be longer than nothing and at most 31 days")
    if not scenario.speed > 0:
        raise ScenarioError("`speed` must be above 0")
    duties = {duty.id: duty for duty in plan.duties if duty.kind is DutyKind.ROUND}
    for place, deviation in enumerate(scenario.deviations, 1):
        where = f"deviation {place}"
        _known(where, "round duty", deviation.duty, duties)
        _known(where, "post", deviation.post, plan.post_by_id)
        _known(where, "device", deviation.device, plan.device_by_id)
        if deviation.what in (What.FORCED, *COMMAND_FAULTS) and deviation.device is not None:
            gates = [device.id for device in plan.devices if device.kind is DeviceKind.GATE]
            _known(where, "gate", deviation.device, gates)
        if deviation.what is What.TWO_SCANNERS:
            scanners = [device.id for device in plan.devices if device.kind is DeviceKind.SCANNER]
            _known(where, "scanner", deviation.device, scanners)
        if deviation.skip is not None and deviation.duty is not None:
            route = plan.route_by_id[duties[deviation.duty].route or ""]
            _known(where, f"checkpoint of route {route.id}", deviation.skip, route.checkpoints)


def _known(
    where: str, word: str, id: str | None, known: Mapping[str, Any] | tuple[str, ...] | list[str]
) -> None:
    if id is not None and id not in known:
        raise ScenarioError(f"{where}: there is no {word} `{id}`; there are {', '.join(known) or 'none'}")
