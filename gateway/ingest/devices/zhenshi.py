"""Number-plate cameras of Zhenshi (臻识, Vzenith) that drive a barrier.

    device/{sn}/message/up/ivs_result         a car was seen: payload.AlarmInfoPlate.result.PlateResult
    …/keep_alive                              every 5 s or so: payload.body.timestamp
    …/gpio_in                                 an input: payload.body.AlarmGioIn.result.TriggerResult {source, value}
    …/barr_gate_status                        the barrier: payload.body {gate_status, connect_status, enable}
    …/offline_record                          how many results wait to be sent: payload.body.offline_record
    device/{sn}/message/down/{command}        a command; its answer comes on …/{command}/reply, with `code` 200

Other firmware puts the serial number first, `{sn}/device/message/up/…`, or sends `$/device/{sn}/message/up/keep_alive`.
Every message has id, sn, name, version, timestamp (s, the camera's clock) and payload. `license` and `user_data` are
base64 of UTF-8. `Timeval.sec` is UTC; `decyear` … `decsec` beside it are local. `isoffline` 1 marks a result that the
camera kept. (open.vzicloud.com/doc/mqtt; the MQTT document V1.1.14 of R3 and R5 for topics and commands, and for C5H
firmware 16771 what was seen at the device: no gate_direct_open, the barrier at IO 0 and 1.)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.ingest.devices.payload import Json, inside, read_object, text, whole
from gateway.ingest.devices.reading import DecodeError, Heard, Noise, Reading
from gateway.ingest.devices.zhenshi_commands import COMMANDS, REPLY, message
from gateway.instants import rfc3339

SAYS: Final = (
    "device/{name}/message/up/+",
    "{name}/device/message/up/+",
    "$/device/{name}/message/up/+",
    "device/{name}/message/down/+/reply",
    "{name}/device/message/down/+/reply",
)
HEARS: Final = ("device/{name}/message/down/", "{name}/device/message/down/")
QUIET_S: Final = 60
"""A camera says something every few seconds."""

LONGEST_PLATE: Final = 12
"""No plate has more characters; what has is a misread, or no plate."""

SAME_CAR_MS: Final = 10_000
"""A plate that is read again within this is that of the car that still stands there."""

LATE_MS: Final = 5_000
"""What comes later than this was held somewhere."""

_NO_PLATE: Final = frozenset({"_无_", "无", "无牌", "无牌车", "未识别", "unknown"})
_LATEST_S: Final = 4_102_444_800  # 2100-01-01: no clock shows more
_EVENTS: Final = ("opened", "closed", "vehicle_in", "vehicle_out", "forced", "stuck", "fault", "manual_open")
_OPTIONS: Final = frozenset({"direction", "lane", "inputs", "open_with"})


class Zhenshi:
    """One camera.

    Options: `direction` (`in` or `out`: which way the cars drive that it sees), `lane` (else the direction), `inputs`
    (what it means that an input closes, by its number, such as `{"1" = "manual_open"}`), `open_with` (`gpio_out`, or
    `gate_direct_open` where the firmware knows it).
    """

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        if unknown := sorted(set(options) - _OPTIONS):
            raise ValueError(
                f"{', '.join(unknown)}: the options of zhenshi are {', '.join(sorted(_OPTIONS))}"
            )
        direction, inputs = options.get("direction"), options.get("inputs", {})
        if direction not in ("in", "out"):
            raise ValueError(
                f'direction: {direction!r}; write "in" or "out", the way the cars drive that it sees'
            )
        if not isinstance(inputs, Mapping) or any(each not in _EVENTS for each in inputs.values()):
            raise ValueError(f"inputs: {inputs!r}; write for each input one of {', '.join(_EVENTS)}")
        self._open_with = options.get("open_with", "gpio_out")
        if self._open_with not in ("gpio_out", "gate_direct_open"):
            raise ValueError(f'open_with: {self._open_with!r}; write "gpio_out" or "gate_direct_open"')
        self._sn = name
        self._lane = text(options.get("lane")) or direction
        self._event = f"vehicle_{direction}"
        self._inputs = {str(number): str(event) for number, event in inputs.items()}
        self._sn_first = False
        self._ahead: int | None = None  # how far the camera's clock is ahead of ours (ms)
        self._heard_at = 0  # when it last said something (ms)
        self._is_cut_off = False  # from its barrier
        self._last_car: tuple[str, int] | None = None  # the plate that was read last, and when (ms)

    def received(self, topic: str, payload: bytes, at: int) -> list[Heard] | None:
        """See `MqttTalk`."""
        self._sn_first = topic.startswith(f"{self._sn}/")
        try:
            found = read_object(payload)
            name = topic.removesuffix("/reply").rsplit("/", 1)[-1]
            if topic.endswith("/reply"):
                return [_answer(found, payload)]
            return self._said(name, found, payload, at)
        except DecodeError as error:
            return [Noise("bad_value", str(error), payload)]

    def recall(self, ahead: int, at: int) -> None:
        """See `MqttTalk`."""
        self._ahead, self._heard_at = ahead, max(self._heard_at, at)

    def command(self, cmd: str, id: str, at: int) -> tuple[str, bytes] | None:
        """See `MqttTalk`: `open`, `close` and `sync_clock`."""
        name = self._open_with if cmd == "open" else COMMANDS.get(cmd)
        return None if name is None else message(name, cmd, self._sn, id, at, sn_first=self._sn_first)

    def _said(self, name: str, found: Json, payload: bytes, at: int) -> list[Heard]:
        fields = _fields(name, found)
        if name == "ivs_result":
            return [self._passage(fields, found, payload, at)]
        _, clock = self._placed(found, at)
        key = text(found.get("id"), 64)
        key = key and f"{name}/{key}"
        if name == "offline_record":
            waiting = {"type": "status", "buffered": fields["offline_record"], **clock}
            return [Reading(fields, waiting, frame=payload)]
        if name == "gpio_in":
            event = self._inputs.get(str(fields["source"])) if fields["value"] else None
            return [Reading(fields, self._gate(event, clock) if event else None, frame=payload, key=key)]
        if name == "barr_gate_status":
            events = self._barrier(fields)
            gates: list[Heard] = [
                Reading(fields, self._gate(event, clock), frame=payload, key=key and f"{key}/{event}")
                for event in events
            ]
            return gates or [Reading(fields, frame=payload)]
        health: Json = {"type": "status", **clock}
        if (build := whole(found.get("bv"))) is not None:
            health["firmware"] = str(build)
        return [Reading(fields, health, frame=payload)]

    def _passage(self, fields: Json, found: Json, payload: bytes, at: int) -> Reading:
        record = self._gate(self._event, {})
        if fields["plate"]:
            record |= {"plate": fields["plate"], "cause": "plate"}
        elif fields.get("read"):
            record["note"] = f"plate not read: {fields['read']}"
        if not fields["isoffline"]:
            seen_at, clock = self._placed(found, at)
            record |= clock
        elif "time_ms" not in fields:
            raise DecodeError("a result from when the camera was offline, without Timeval.sec")
        else:
            # What its clock shows now tells how long ago it was, however wrong the clock is. Where that is not known
            # the error is asked that was seen before: nothing is said of now.
            seen_at = fields["time_ms"] - (self._ahead or 0)
            record["at"] = rfc3339(fields["time_ms"])
            record["sent_at"] = None if self._ahead is None else rfc3339(at + self._ahead)
            record["replayed"] = True
        last, self._last_car = self._last_car, (fields["plate"], seen_at)
        still_there = (
            last is not None and last[0] == fields["plate"] and abs(seen_at - last[1]) <= SAME_CAR_MS
        )
        key = f"ivs_result/{fields['plateid']}/{fields['time_ms']}" if _has_key(fields) else None
        if key is None and (id := text(found.get("id"), 64)):
            key = f"ivs_result/{id}"
        return Reading(
            _shown(fields), None if still_there and fields["plate"] else record, frame=payload, key=key
        )

    def _gate(self, event: str, clock: Json) -> Json:
        return {"type": "gate", "event": event, "lane": self._lane, **clock}

    def _placed(self, found: Json, at: int) -> tuple[int, Json]:
        """When a message was sent, by our clock, and the times of its record.

        That is now: the error of the camera's clock is kept, and moves nothing. But a broker may have held the message
        while we were away. Then its clock seems to have fallen back, and yet not behind what was heard last.
        """
        shows = whole(found.get("timestamp"), 1, _LATEST_S)
        if shows is None:
            return at, {}
        ahead, shows = shows * 1000 - at, shows * 1000
        if self._ahead is not None and ahead < self._ahead - LATE_MS:
            sent_at = shows - self._ahead
            if sent_at >= self._heard_at - LATE_MS:
                self._heard_at = max(self._heard_at, sent_at)
                return sent_at, {"at": rfc3339(shows), "sent_at": rfc3339(at + self._ahead)}
        self._ahead, self._heard_at = ahead, at
        return at, {"at": rfc3339(shows), "sent_at": rfc3339(shows)}

    def _barrier(self, fields: Json) -> list[str]:
        """What a status of the barrier amounts to."""
        if fields["enable"] == 0:
            return []
        was_cut_off, self._is_cut_off = self._is_cut_off, fields["connect_status"] == 0
        if self._is_cut_off:
            return [] if was_cut_off else ["fault"]
        position = {0: ["closed"], 1: ["opened"]}.get(fields["gate_status"], [])
        return ["recovered", *position] if was_cut_off else position


def talk(name: str, options: Mapping[str, Any]) -> Zhenshi:
    """The talk of one camera."""
    return Zhenshi(name, options)


def decode(text: str) -> list[Reading]:
    """A message, a result alone as `{license, user_data, timeStamp}`, or a command as `{topic, payload}`."""
    found = read_object(text)
    if "topic" in found:
        return [_expected_answer(found)]
    if "license" in found or "timeStamp" in found:
        return [Reading(_shown(_result(found, found)))]
    if "code" in found:
        return [_answer(found, b"")]
    name = found.get("name")
    if not isinstance(name, str):
        raise DecodeError(
            "neither a message with a name, nor a result with a license, nor a command with a topic"
        )
    return [Reading(_shown({"name": name} | _fields(name, found)))]


def _shown(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if name != "time_ms"}


def _fields(name: str, found: Json) -> Json:
    """What a message says, by its name. Raises `DecodeError`."""
    body = inside(found, "payload", "body")
    if name == "ivs_result":
        alarm = inside(found, "payload", "AlarmInfoPlate")
        result = inside(alarm, "result", "PlateResult")
        if not isinstance(result, dict):
            raise DecodeError("payload.AlarmInfoPlate.result.PlateResult is missing")
        return _result(result, alarm)
    if name == "gpio_in":
        trigger = inside(body, "AlarmGioIn", "result", "TriggerResult")
        return {part: _needed(trigger, part, 255) for part in ("source", "value")}
    if name == "barr_gate_status":
        told = {part: whole(inside(body, part), 0, 255) for part in ("connect_status", "enable")}
        return {"gate_status": _needed(body, "gate_status", 255), **told}
    if name == "offline_record":
        return {"offline_record": _needed(body, "offline_record", 2**31)}
    shows = whole(inside(body, "timestamp") or found.get("timestamp"), 1, _LATEST_S)
    return {} if shows is None else {"utc": rfc3339(shows * 1000).replace(".000Z", "Z")}


def _needed(found: object, name: str, high: int) -> int:
    value = whole(inside(found, name), 0, high)
    if value is None:
        raise DecodeError(f"{name} is missing, or no whole number")
    return value


def _result(result: Json, alarm: Json) -> Json:
    """The fields of a recognition. `read` is what stands in place of a plate; `time_ms` is the camera's."""
    license = _unpacked(result.get("license", ""), "license")
    plate = license.strip()
    fields: Json = {"plate": plate, "isoffline": 1 if result.get("isoffline") in (1, True, "1") else 0}
    if (
        plate in _NO_PLATE
        or len(plate) > LONGEST_PLATE
        or not plate.replace("·", "").replace("-", "").isalnum()
    ):
        fields |= {"plate": "", "read": plate[:64]}
    if "user_data" in alarm:
        fields["user_data"] = _unpacked(alarm["user_data"], "user_data")
    for name in ("plateid", "triggerType", "confidence", "direction"):
        if (value := whole(result.get(name))) is not None:
            fields[name] = value
    stamp = inside(result, "timeStamp", "Timeval") or result.get("timeStamp")
    seconds = whole(inside(stamp, "sec"), 1, _LATEST_S)
    if seconds is not None:
        micros = whole(inside(stamp, "usec"), 0, 999_999) or 0
        fields |= {
            "utc": rfc3339(seconds * 1000).replace(".000Z", "Z"),
            "time_ms": seconds * 1000 + micros // 1000,
        }
        if (ahead := _local_ahead(stamp, seconds)) is not None:
            fields["dec_fields_are"] = ahead
    return fields


def _has_key(fields: Json) -> bool:
    return "plateid" in fields and "time_ms" in fields


def _local_ahead(stamp: object, seconds: int) -> str | None:
    """The zone of the local time beside the UTC one, as `local +08:00`; None where it makes no sense."""
    year, month, day, hour, minute, second = (
        whole(inside(stamp, f"dec{part}"), 0, 9999) or 0
        for part in ("year", "mon", "day", "hour", "min", "sec")
    )
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    quarters, rest = divmod(round(local.timestamp()) - seconds, 900)
    if rest or not -56 <= quarters <= 56:
        return None
    zone = timedelta(minutes=15 * abs(quarters))
    return f"local {'-' if quarters < 0 else '+'}{zone.seconds // 3600:02}:{zone.seconds // 60 % 60:02}"


def _unpacked(packed: object, name: str) -> str:
    if not isinstance(packed, str):
        raise DecodeError(f"{name} is no string")
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, ValueError):
        raise DecodeError(f"{name} is not base64 of UTF-8: {packed!r:.80}") from None


def _answer(found: Json, payload: bytes) -> Reading:
    """The answer to a command: it is done when `code` is 200."""
    id, code = text(found.get("id")), whole(found.get("code"))
    if id is None or code is None:
        raise DecodeError("an answer without id or code")
    fields = {"name": found.get("name"), "id": id, "code": code}
    result = "done" if code == 200 else "failed"
    return Reading(fields, {"type": "status", "reply_to": id, "result": result}, frame=payload)


def _expected_answer(found: Json) -> Reading:
    """Where a command is answered, and how when it is carried out. When that is the camera alone can tell."""
    topic, sent = found["topic"], found.get("payload")
    if not isinstance(topic, str) or not isinstance(sent, dict) or "/message/down/" not in topic:
        raise DecodeError("a command is {topic: …/message/down/…, payload: {id, sn, name, …}}")
    reply = {name: sent.get(name) for name in ("id", "name", "sn", "version")}
    return Reading({"reply_topic": f"{topic}{REPLY}", "reply": {"code": 200, "payload": None, **reply}})
