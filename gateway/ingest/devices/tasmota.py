"""Readers that run Tasmota: RDM6300 (EM4100) and PN532 (NFC) at an ESP board.

    tele/{name}/SENSOR   {"Time": "2020-09-28T17:02:10", "RDM6300": {"UID": "008EC793"}}, or "PN532": {"UID": …}
    tele/{name}/LWT      Online, and as its last will Offline; retained
    tele/{name}/STATE    {"Time": …, "UptimeSec": 61, "Wifi": {"RSSI": 78, "Signal": -61}, …}, every TelePeriod

Tasmota drops the first byte of an EM4100 number, the version: its UID is the low 32 bits of the 40 that other readers
tell. A tag that is held is read again about every 2 s. (Tasmota, drivers xsns_51_rdm6300 and xsns_40_pn532; MQTT page.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.ingest.devices.payload import Json, inside, is_hex, read_object, text, whole
from gateway.ingest.devices.reading import DecodeError, Heard, Noise, Reading

SAYS: Final = ("tele/{name}/SENSOR", "tele/{name}/LWT", "tele/{name}/STATE")
HEARS: Final = ("cmnd/{name}/",)

HELD_MS: Final = 3_000
"""A tag that is read again within this is still held to the reader: the driver pauses for 2 s after each read."""

_READERS: Final = ("RDM6300", "PN532")
_UNSET: Final = "1970-"  # what the time begins with while no time server was reached


class Tasmota:
    """One board."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        if options:
            raise ValueError(f"{', '.join(sorted(options))}: tasmota has no options")
        self._held: tuple[str, int] | None = None  # the tag that was read last, and when (ms)

    def received(self, topic: str, payload: bytes, at: int) -> list[Heard] | None:
        """See `MqttTalk`."""
        if topic.endswith("/LWT"):
            return [_presence(payload)]
        try:
            reading = _reading(read_object(payload), payload)
        except DecodeError as error:
            return [Noise("bad_value", str(error), payload)]
        if reading.record is None or reading.record["type"] != "scan":
            return [reading]
        uid = reading.record["tag"]
        is_held = self._held is not None and self._held[0] == uid and at - self._held[1] <= HELD_MS
        self._held = uid, at
        return [Reading(reading.fields, frame=payload) if is_held else reading]

    def recall(self, ahead: int, at: int) -> None:
        """Its clock is not asked."""

    def command(self, cmd: str, id: str, at: int) -> None:
        """A reader obeys nothing that a plan knows."""


def talk(name: str, options: Mapping[str, Any]) -> Tasmota:
    """The talk of one board."""
    return Tasmota(name, options)


def decode(text: str) -> list[Reading]:
    """One message: of SENSOR or STATE as JSON, or the word of LWT."""
    if text.strip() in ("Online", "Offline"):
        return [Reading({"lwt": text.strip()}, gone=text.strip() == "Offline")]
    return [_reading(read_object(text), text.encode(errors="replace"))]


def _presence(payload: bytes) -> Heard:
    word = payload.strip()
    if word not in (b"Online", b"Offline"):
        return Noise("bad_value", "LWT is Online or Offline", payload)
    return Reading({"lwt": word.decode()}, alive=word == b"Online", gone=word == b"Offline")


def _reading(found: Json, payload: bytes) -> Reading:
    for sensor in _READERS:
        if sensor in found:
            return _tap(sensor, found, payload)
    fields = {
        "time": text(found.get("Time")),
        "uptime": whole(found.get("UptimeSec")),
        "rssi": whole(inside(found, "Wifi", "RSSI"), 0, 100),
    }
    said = {name: value for name, value in fields.items() if value is not None}
    health = {"type": "status", "uptime": said["uptime"]} if "uptime" in said else None
    return Reading(said, health, frame=payload)


def _tap(sensor: str, found: Json, payload: bytes) -> Reading:
    uid = inside(found, sensor, "UID")
    if not isinstance(uid, str) or not is_hex(uid.upper()):
        raise DecodeError(f"{sensor}.UID is no UID: {uid!r:.80}")
    uid, time = uid.upper(), text(found.get("Time"), 64)
    fields: Json = {"sensor": sensor, "uid": uid} | ({"time": time} if time else {})
    if sensor == "RDM6300":
        fields["low32"] = int(uid, 16) & 0xFFFF_FFFF
    # The board's clock tells no more than that two messages are not the same.
    key = f"{time}/{uid}" if time and not time.startswith(_UNSET) else None
    return Reading(fields, {"type": "scan", "tag": uid}, frame=payload, key=key)
