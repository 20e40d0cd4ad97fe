"""Door readers that run esp-rfid. All that it says comes on one topic, which several boards may share.

    {name}/send   {"type": "access", "time": 1605991375, "isKnown": "true", "access": "Always", "username": …,
                   "uid": "04a1b2c3", "hostname": "door-1"}; older firmware says `door` for `hostname`
                  {"type": "boot" | "heartbeat", "time": …, "uptime": …, "ip": …, "hostname": …}
                  {"type": "INFO" | "WARN" | "ERRO", "src": "tamper", "desc": …, "cmd": "event", …}: its log, if so set

A heartbeat comes every 180 s if nobody sets it otherwise. Its time is often local, so only ours is used.
(github.com/esprfid/esp-rfid, README-MQTT.md and src/mqtt.esp.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.ingest.devices.payload import Json, is_hex, read_object, text, whole
from gateway.ingest.devices.reading import DecodeError, Heard, Noise, Reading

SAYS: Final = ("{name}/send",)
HEARS: Final = ("{name}/cmd",)
QUIET_S: Final = 400
"""Two of the usual heartbeats and some more (s)."""

_LOG: Final = ("INFO", "WARN", "ERRO")
_SET_SINCE: Final = 1_500_000_000  # a board whose clock shows less (s) has no time server


class EspRfid:
    """One board. Option `hostname`: which of those that share the topic."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        hostname = options.get("hostname")
        if unknown := sorted(set(options) - {"hostname"}):
            raise ValueError(f"{', '.join(unknown)}: esp-rfid has the option hostname alone")
        if hostname is not None and not text(hostname):
            raise ValueError(f"hostname: {hostname!r} is no host name")
        self._hostname = hostname

    def received(self, topic: str, payload: bytes, at: int) -> list[Heard] | None:
        """See `MqttTalk`."""
        try:
            found = read_object(payload)
            if self._hostname is not None and _host(found) != self._hostname:
                return None
            return [_reading(found, payload)]
        except DecodeError as error:
            return [Noise("bad_value", str(error), payload)]

    def recall(self, ahead: int, at: int) -> None:
        """Its clock is not asked."""

    def command(self, cmd: str, id: str, at: int) -> None:
        """It opens a door by the address of its board and gives no answer that names the command: never used."""


def talk(name: str, options: Mapping[str, Any]) -> EspRfid:
    """The talk of one board."""
    return EspRfid(options)


def decode(text: str) -> list[Reading]:
    """One message."""
    return [_reading(read_object(text), text.encode(errors="replace"))]


def _host(found: Json) -> str | None:
    return text(found.get("hostname")) or text(found.get("door"))


def _reading(found: Json, payload: bytes) -> Reading:
    kind = found.get("type")
    if not isinstance(kind, str):
        raise DecodeError("type is missing" if kind is None else "type is no string")
    time, uptime = whole(found.get("time")), whole(found.get("uptime"))
    fields = {
        "type": kind,
        "time": time,
        "hostname": _host(found),
        "uptime": uptime,
        "ip": text(found.get("ip")),
        "src": text(found.get("src")),
        "desc": text(found.get("desc")),
        "access": text(found.get("access")),
        "username": text(found.get("username")),
    }
    if kind == "access":
        return _tap(found, fields, payload)
    if kind == "WARN" and found.get("src") == "tamper":
        report = {
            "type": "report",
            "category": "tamper",
            "text": fields["desc"] or "tamper",
            "severity": "major",
        }
        return Reading(_said(fields), report, frame=payload)
    if kind in ("boot", "heartbeat") and uptime is not None:
        return Reading(_said(fields), {"type": "status", "uptime": uptime}, frame=payload)
    if kind not in ("boot", "heartbeat", *_LOG) and not found.get("hostname"):
        raise DecodeError(f"type {kind!r:.40} is none that esp-rfid has")
    return Reading(_said(fields), frame=payload)


def _tap(found: Json, fields: Json, payload: bytes) -> Reading:
    uid = found.get("uid")
    if not isinstance(uid, str):
        raise DecodeError("an access without a uid")
    fields["known"] = str(found.get("isKnown")).lower() == "true"
    uid = uid.strip().upper()
    if not uid:
        return Reading(_said(fields), frame=payload)  # opened over MQTT: nobody's card
    # A number of Wiegand is written without the zeros in front.
    uid = uid.zfill(len(uid) + len(uid) % 2)
    if not is_hex(uid):
        raise DecodeError(f"uid is no UID: {found['uid']!r:.80}")
    fields["uid"] = uid
    time = fields["time"]
    key = f"{time}/{uid}" if time is not None and time > _SET_SINCE else None
    return Reading(_said(fields), {"type": "scan", "tag": uid}, frame=payload, key=key)


def _said(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
