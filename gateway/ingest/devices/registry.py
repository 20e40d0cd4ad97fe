"""The protocols that there are: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.ingest.devices import (
    em4100,
    esp_rfid,
    ibutton,
    m100,
    modbus,
    ndef,
    osdp,
    pn532,
    sun,
    tasmota,
    wiclax,
    wiegand26,
    zhenshi,
)
from gateway.ingest.devices.reading import MqttTalk, Reading, Talk


@dataclass(frozen=True, slots=True)
class Serial:
    """How a line is set, and who talks on it."""

    talk: Callable[[Mapping[str, Any]], Talk]
    """Makes the talk of one line from the options of its link; raises `ValueError` that says what is wrong with one.

    The gateway's `clock` is among them when a line is opened.
    """
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1


@dataclass(frozen=True, slots=True)
class Mqtt:
    """What is said over MQTT. `{name}` stands for what the link of a device calls it."""

    talk: Callable[[str, Mapping[str, Any]], MqttTalk]
    """Makes the talk of one device from its name and the options of its link; raises `ValueError` as `Serial.talk`."""
    says: tuple[str, ...]
    """Filters of the topics that the device publishes on."""
    hears: tuple[str, ...]
    """The topics that it may subscribe to; one that ends with `/` stands for all below it."""
    quiet_s: int | None
    """After so long without a word (s) it is taken to be away; None: its last will tells."""
    remembers: bool = False
    """Whether it keeps what it cannot send, and sends it later."""


@dataclass(frozen=True, slots=True)
class MakersProtocol:
    """One protocol of a maker."""

    decode: Callable[[str], list[Reading]]
    """For `patrol-gateway decode`: readings of what a person pasted. Raises `DecodeError`."""
    serial: Serial | None = None
    mqtt: Mqtt | None = None


PROTOCOLS: Final[Mapping[str, MakersProtocol]] = {
    "em4100": MakersProtocol(em4100.decode, Serial(em4100.listen)),
    "ibutton": MakersProtocol(ibutton.decode, Serial(ibutton.listen)),
    "m100": MakersProtocol(m100.decode, Serial(m100.talk, baud=115200)),
    "pn532": MakersProtocol(pn532.decode, Serial(pn532.talk, baud=115200)),
    "wiclax": MakersProtocol(wiclax.decode, Serial(wiclax.talk)),
    "wiegand26": MakersProtocol(wiegand26.decode, Serial(wiegand26.listen)),
    "osdp": MakersProtocol(decode=osdp.decode),
    "esp-rfid": MakersProtocol(
        esp_rfid.decode, mqtt=Mqtt(esp_rfid.talk, esp_rfid.SAYS, esp_rfid.HEARS, esp_rfid.QUIET_S)
    ),
    "tasmota": MakersProtocol(tasmota.decode, mqtt=Mqtt(tasmota.talk, tasmota.SAYS, tasmota.HEARS, None)),
    "zhenshi": MakersProtocol(
        zhenshi.decode, mqtt=Mqtt(zhenshi.talk, zhenshi.SAYS, zhenshi.HEARS, zhenshi.QUIET_S, remembers=True)
    ),
    "ndef": MakersProtocol(ndef.decode),
    "sun": MakersProtocol(sun.decode),
    "modbus": MakersProtocol(modbus.decode),
}
