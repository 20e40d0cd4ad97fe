"""Twins of other makers' devices: they speak MQTT in their makers' words. Which device is one a file of links says.

They share no code with what decodes them: each says what its maker's documents say (docs/devices/).
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from checkpoint_firmware_sim.device import Device, Environment
from checkpoint_firmware_sim.devices import GateController, Scanner
from checkpoint_firmware_sim.times import SECOND

SAYS_SO_EVERY: Final = 50 * SECOND
"""Between two messages in which a reader tells of itself, as its page advises to set it."""

KEEPS_ALIVE_EVERY: Final = 10 * SECOND
MAX_KEPT: Final = 5_000
"""Results that a camera keeps while it has no connection."""

OPEN_IO: Final = 0
_EM4100_DIGITS: Final = 10
_CHINA: Final = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Speech:
    """How a device speaks: one `[[mqtt]]` of a file of links."""

    protocol: str
    name: str
    client: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


NATIVE: Final[Mapping[str, Speech]] = {}
"""All devices speak as the contract says."""


def read_speech(path: Path, site: str) -> dict[str, Speech]:
    """The devices of a site that are other makers'. Raises ValueError that says what is wrong with the file."""
    found: dict[str, Speech] = {}
    try:
        for each in tomllib.loads(path.read_text("utf-8")).get("mqtt", []):
            if each["site"] == site:
                speech = Speech(each["protocol"], each["name"], each.get("client"), each.get("options", {}))
                found[each["device"]] = speech
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no file of links: {error}") from None
    for speech in found.values():
        if speech.protocol not in _TWINS:
            raise ValueError(f"{path}: {speech.protocol}: there are {', '.join(_TWINS)}")
    return found


class Twin(Device):
    """What they have in common: a speech, and the name under which they connect."""

    def __init__(self, speech: Speech, site: str, id: str, env: Environment, random: Random) -> None:
        super().__init__(site, id, env, random)
        self.speech = speech
        self.identity = speech.client or speech.name


class TwinReader(Twin, Scanner):
    """A reader of another maker: it sees a number, and does not know whether it is a card's."""

    keeps = False

    def read_card(self, card: str) -> None:
        """A guard's card is held to it."""
        self.record("scan", tag=card)


class TasmotaReader(TwinReader):
    """A reader at a board that runs Tasmota. It has no memory: what is tapped without a connection is gone."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The commands for the board."""
        return (f"cmnd/{self.speech.name}/#",)

    @property
    def last_will(self) -> tuple[str, bytes]:
        """Tasmota's own."""
        return f"tele/{self.speech.name}/LWT", b"Offline"

    def link_up(self) -> None:
        """Say so, and say more every now and then."""
        self.linked = True
        self._links += 1
        self._env.send(self, f"tele/{self.speech.name}/LWT", b"Online", True)
        self._tell_state(self._links)

    def record(self, type: str, **members: Any) -> int:
        """Publish a tap; the board knows nothing else that a scanner records."""
        tag = members.get("tag")
        if type == "scan" and tag is not None and self.linked:
            is_em4100 = len(tag) == _EM4100_DIGITS
            # The driver drops the first of an EM4100's five bytes.
            seen = {"RDM6300": {"UID": tag[2:]}} if is_em4100 else {"PN532": {"UID": tag}}
            self._say("SENSOR", seen)
        return 0

    def _tell_state(self, link: int) -> None:
        if self.linked and link == self._links:
            uptime = self.clock.mono(self._env.now()) // SECOND
            self._say("STATE", {"UptimeSec": uptime, "Wifi": {"RSSI": self._random.randint(40, 90)}})
            self._env.call_at(self._env.now() + SAYS_SO_EVERY, lambda: self._tell_state(link))

    def _say(self, what: str, members: dict[str, Any]) -> None:
        local = datetime.fromtimestamp(self.clock.wall(self._env.now()) // SECOND, UTC) + _CHINA
        said = {"Time": local.strftime("%Y-%m-%dT%H:%M:%S"), **members}
        self._env.send(self, f"tele/{self.speech.name}/{what}", msgspec.json.encode(said), False)


class EspRfidReader(TwinReader):
    """A door reader that runs esp-rfid. It has no memory and no last will."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The commands for the boards of its topic."""
        return (f"{self.speech.name}/cmd",)

    @property
    def last_will(self) -> tuple[str, bytes]:
        """It has none of its own: an event of its log stands in, which tells as little."""
        return f"{self.speech.name}/send", self._message("INFO", src="mqtt", desc="Disconnected", cmd="event")

    def link_up(self) -> None:
        """Tell of the start, then a heartbeat every now and then."""
        self.linked = True
        self._links += 1
        self._say("boot", uptime=0)
        self._beat(self._links)

    def record(self, type: str, **members: Any) -> int:
        """Publish a tap."""
        if type == "scan" and members.get("tag") is not None and self.linked:
            uid = members["tag"].lower()
            self._say("access", isKnown="true", access="Always", username="guard", uid=uid)
        return 0

    def _beat(self, link: int) -> None:
        if self.linked and link == self._links:
            self._say("heartbeat", uptime=self.clock.mono(self._env.now()) // SECOND)
            self._env.call_at(self._env.now() + SAYS_SO_EVERY, lambda: self._beat(link))

    def _say(self, type: str, **members: Any) -> None:
        self._env.send(self, f"{self.speech.name}/send", self._message(type, **members), False)

    def _message(self, type: str, **members: Any) -> bytes:
        time = self.clock.wall(self._env.now()) // SECOND
        host = self.speech.options.get("hostname", self.id)
        return msgspec.json.encode({"type": type, "time": time, **members, "hostname": host})


class ZhenshiCamera(Twin, GateController):
    """A number-plate camera that drives a barrier. What it sees without a connection it keeps, and sends later."""

    def __init__(self, speech: Speech, site: str, id: str, env: Environment, random: Random) -> None:
        super().__init__(speech, site, id, env, random)
        self._kept: list[dict[str, Any]] = []

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Its commands."""
        return (f"device/{self.speech.name}/message/down/+",)

    @property
    def last_will(self) -> tuple[str, bytes]:
        """It has none of its own: a last heartbeat stands in, which tells as little."""
        return self._topic("keep_alive"), self._message("keep_alive", {"body": {}})

    def link_up(self) -> None:
        """Send what was kept, say that this is all, and go on saying that it is there."""
        self.linked = True
        self._links += 1
        self._keep_alive(self._links)
        for result in self._kept:
            self._say("ivs_result", _alarm({**result, "isoffline": 1}))
        self._kept.clear()
        self._say("offline_record", {"body": {"offline_record": 0}})

    def record(self, type: str, **members: Any) -> int:
        """A car is seen, or the barrier moves. The camera knows of nothing else, and of no other lane."""
        event = members.get("event")
        if members.get("lane") not in (None, self.speech.options.get("direction")):
            return 0
        if event in ("vehicle_in", "vehicle_out"):
            result = self._recognise(members.get("plate") or "_无_")
            if self.linked:
                self._say("ivs_result", _alarm(result))
            elif len(self._kept) < MAX_KEPT:
                self._kept.append(result)
        elif self.linked and event in ("opened", "manual_open", "closed", "fault", "recovered"):
            status = {"gate_ctrl_id": 1, "enable": 1}
            status |= {
                "gate_status": int(event in ("opened", "manual_open")),
                "connect_status": int(event != "fault"),
            }
            self._say("barr_gate_status", {"body": status})
        return 0

    def receive(self, topic: str, payload: bytes) -> None:
        """Carry out a command, and answer it."""
        try:
            command = msgspec.json.decode(payload, type=dict[str, Any])
            name, id = command["name"], command["id"]
            body = (command.get("payload") or {}).get("body") or {}
        except (msgspec.DecodeError, KeyError, AttributeError):
            return
        code = 200
        if name == "gate_direct_open" or (name == "gpio_out" and body.get("io") == OPEN_IO):
            self.obey("open", {})
        elif name == "gpio_out":
            self.obey("close", {})
        elif name == "set_time":
            parts = [int(body.get(part, 0)) for part in ("year", "month", "day", "hour", "min", "sec")]
            local = datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=UTC)
            self.clock.set_wall(self._env.now(), round((local - _CHINA).timestamp()) * SECOND)
        else:
            code = 404
        answer = self._header(name) | {"id": id, "code": code, "payload": None}
        self._env.send(self, f"{topic}/reply", msgspec.json.encode(answer), False)

    def _keep_alive(self, link: int) -> None:
        if self.linked and link == self._links:
            self._say("keep_alive", {"body": {"timestamp": self.clock.wall(self._env.now()) // SECOND}})
            self._env.call_at(self._env.now() + KEEPS_ALIVE_EVERY, lambda: self._keep_alive(link))

    def _recognise(self, plate: str) -> dict[str, Any]:
        wall = self.clock.wall(self._env.now())
        seconds, ms = divmod(wall, SECOND)
        local = datetime.fromtimestamp(seconds, UTC) + _CHINA
        self._seq += 1
        stamp = {"sec": seconds, "usec": ms * 1000, "decyear": local.year, "decmon": local.month}
        stamp |= {"decday": local.day, "dechour": local.hour, "decmin": local.minute, "decsec": local.second}
        return {
            "license": base64.b64encode(plate.encode()).decode(),
            "plateid": self._seq,
            "confidence": self._random.randint(85, 100),
            "triggerType": 1,
            "isoffline": 0,
            "timeStamp": {"Timeval": stamp},
        }

    def _say(self, name: str, payload: dict[str, Any]) -> None:
        self._env.send(self, self._topic(name), self._message(name, payload), False)

    def _topic(self, name: str) -> str:
        return f"device/{self.speech.name}/message/up/{name}"

    def _message(self, name: str, payload: dict[str, Any]) -> bytes:
        id = f"{self._random.getrandbits(64):016x}"
        return msgspec.json.encode(self._header(name) | {"id": id, "bv": 16771, "payload": payload})

    def _header(self, name: str) -> dict[str, Any]:
        timestamp = self.clock.wall(self._env.leaving()) // SECOND
        return {"sn": self.speech.name, "name": name, "version": "1.0", "timestamp": timestamp}


def _alarm(result: dict[str, Any]) -> dict[str, Any]:
    return {"AlarmInfoPlate": {"channel": 0, "result": {"PlateResult": result}}}


_TWINS: Final[Mapping[str, type[Twin]]] = {
    "tasmota": TasmotaReader,
    "esp-rfid": EspRfidReader,
    "zhenshi": ZhenshiCamera,
}


def make_twin(speech: Speech, site: str, id: str, env: Environment, random: Random) -> Twin:
    """The device of another maker, freshly started."""
    return _TWINS[speech.protocol](speech, site, id, env, random)
