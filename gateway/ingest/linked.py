"""What this machine reads for devices that do not speak the native contract, as the file of links names it.

A line is a serial port with one reader, or a bus with several devices, each with an address. An MQTT link is a device
of another maker that publishes at the broker in its own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_DEBOUNCE_S: Final = 3

Options = Mapping[str, Any]
"""A protocol's own options."""


@dataclass(frozen=True, slots=True)
class LinkedDevice:
    """A device of a plan, as a line reaches it."""

    site: str
    device: str
    address: int | None = None  # on a bus
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineLink:
    """One serial port. A line without a bus has one device, which has no address."""

    port: str
    protocol: str
    devices: tuple[LinkedDevice, ...]
    baud: int | None = None  # None: as the protocol has it
    debounce_s: int = DEFAULT_DEBOUNCE_S
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MqttLink:
    """A device of another maker at the broker.

    `name`: as it calls itself in its topics. `client`: its client identifier or user name, where that is another.
    """

    protocol: str
    name: str
    site: str
    device: str
    options: Options = field(default_factory=dict)
    client: str | None = None

    @property
    def identity(self) -> str:
        """`{site}/{device}`."""
        return f"{self.site}/{self.device}"


@dataclass(frozen=True, slots=True)
class Links:
    """All that a file says."""

    lines: tuple[LineLink, ...] = ()
    mqtt: tuple[MqttLink, ...] = ()

    def devices(self) -> Iterator[tuple[str, str, str]]:
        """Which link stands for which device: (link, site, device)."""
        for line in self.lines:
            yield from ((line.port, each.site, each.device) for each in line.devices)
        yield from ((link.name, link.site, link.device) for link in self.mqtt)
