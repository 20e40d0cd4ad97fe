"""The file of links: which devices that do not speak the native contract this machine reads, and where. TOML.

docs/devices/README.md is its reference.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeGuard

from gateway.domain.plan import ID_PATTERN, Device, DeviceKind
from gateway.ingest.devices.registry import PROTOCOLS
from gateway.ingest.linked import DEFAULT_DEBOUNCE_S, LineLink, LinkedDevice, Links, MqttLink, Options
from gateway.ingest.serial.bus import BUSES
from gateway.sitefile.kinds import did_you_mean, duration

MQTT_PROTOCOLS: Final = tuple(sorted(name for name, each in PROTOCOLS.items() if each.mqtt is not None))
"""What devices of other makers speak over MQTT."""

FITTING: Final = (DeviceKind.READER, DeviceKind.SCANNER, DeviceKind.GATE)
"""The kinds of device that a link may stand for."""

_LINE_KEYS: Final = ("port", "protocol", "site", "device", "baud", "debounce", "options")
_BUS_KEYS: Final = ("port", "protocol", "baud", "debounce", "options", "device")
_BUS_DEVICE_KEYS: Final = ("address", "site", "device", "options")
_MQTT_KEYS: Final = ("protocol", "name", "client", "site", "device", "options")
_LAST_ADDRESS: Final = 247  # of Modbus; those of OSDP end at 126
_AN_ID: Final = "expected an id like reader-1 (a-z, 0-9, - and _, at most 32)"


class LinksError(Exception):
    """The file of links is wrong; the message says where, and what was expected."""


def load_links(path: Path) -> Links:
    """Read a file of links. Raises `LinksError` with everything that is wrong with it."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LinksError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LinksError(f"{path}: {error}") from None
    lines, mqtt = found.pop("line", []), found.pop("mqtt", [])
    if found or not _are_tables(lines) or not _are_tables(mqtt):
        raise LinksError(f"{path}: a file of links has [[line]] and [[mqtt]] tables and nothing else")
    problems = [
        f"{path}: line {place}{_called(entry, 'port')}: {what}"
        for place, entry in enumerate(lines, 1)
        for what in _line_problems(entry)
    ]
    problems += [
        f"{path}: mqtt {place}{_called(entry, 'name')}: {what}"
        for place, entry in enumerate(mqtt, 1)
        for what in _mqtt_problems(entry)
    ]
    if not problems:
        links = Links(tuple(map(_line, lines)), tuple(map(_mqtt, mqtt)))
        problems = [f"{path}: {what}" for what in _doubles(links)]
    if problems:
        raise LinksError("\n".join(problems))
    return links


def unplanned(links: Links, planned: Callable[[str, str], Device | None]) -> list[str]:
    """What the plans do not have yet of what a file names. `planned` finds the device of a site."""
    found = []
    for link, site, name in links.devices():
        device = planned(site, name)
        if device is None:
            found.append(
                f"{link}: the plan of {site!r} has no device {name!r}: what it reads waits in the quarantine; "
                "add the device to the site file, or mend the name in the file of links"
            )
        elif device.kind not in FITTING:
            expected = ", ".join(FITTING)
            found.append(f"{link}: {name!r} of {site!r} is a {device.kind} in the plan; expected {expected}")
    return found


# -- what may be wrong ---------------------------------------------------------------------------------------


def _line_problems(entry: Options) -> Iterator[str]:
    protocol = entry.get("protocol")
    is_bus = protocol in BUSES
    known = sorted({name for name, each in PROTOCOLS.items() if each.serial is not None} | set(BUSES))
    yield from _unknown_keys(entry, _BUS_KEYS if is_bus else _LINE_KEYS)
    if not isinstance(entry.get("port"), str) or not entry["port"]:
        yield 'port: expected the path of a serial port, like "/dev/serial/by-id/usb-…"'
    yield from _protocol_problems(protocol, known)
    baud = entry.get("baud", 9600)
    if not _is_whole(baud) or not 50 <= baud <= 4_000_000:
        yield "baud: expected a whole number like 9600, 19200 or 115200"
    if not _is_debounce(entry.get("debounce", "3s")):
        yield 'debounce: expected a duration like "3s", or "0s" for none'
    if not isinstance(entry.get("options", {}), dict):
        yield "options: expected a table of the protocol's own options"
    elif protocol in known and not is_bus:
        serial = PROTOCOLS[protocol].serial
        assert serial is not None
        try:
            serial.talk(entry.get("options", {}))
        except ValueError as error:
            yield f"options: {error}"
    if not is_bus:
        yield from _device_problems(entry)
        return
    devices = entry.get("device", [])
    if not devices or not _are_tables(devices):
        yield f"expected a [[line.device]] table for each device, as {protocol} is a bus"
        return
    for place, each in enumerate(devices, 1):
        for what in _bus_device_problems(each):
            yield f"device {place}{_called(each, 'device')}: {what}"
    for address, times in Counter(map(str, (each.get("address") for each in devices))).items():
        if times > 1:
            yield f"{times} devices have the address {address}: give each its own"


def _bus_device_problems(entry: Options) -> Iterator[str]:
    yield from _unknown_keys(entry, _BUS_DEVICE_KEYS)
    address = entry.get("address")
    if not _is_whole(address) or not 0 <= address <= _LAST_ADDRESS:
        yield f"address: expected the address that the device is set to, 0 to {_LAST_ADDRESS}"
    if not isinstance(entry.get("options", {}), dict):
        yield "options: expected a table of the protocol's own options"
    yield from _device_problems(entry)


def _mqtt_problems(entry: Options) -> Iterator[str]:
    yield from _unknown_keys(entry, _MQTT_KEYS)
    yield from _protocol_problems(entry.get("protocol"), MQTT_PROTOCOLS)
    name = entry.get("name")
    if not isinstance(name, str) or not name or re.search(r"[+#\0]", name):
        yield "name: expected what the device calls itself in its topics, without + and #"
    client = entry.get("client", "x")
    if not isinstance(client, str) or not client:
        yield "client: expected the device's client identifier or user name; leave it out where that is its name"
    if not isinstance(entry.get("options", {}), dict):
        yield "options: expected a table of the protocol's own options"
    yield from _device_problems(entry)


def _device_problems(entry: Options) -> Iterator[str]:
    for key, example in (("site", "riverside"), ("device", "reader-1")):
        value = entry.get(key)
        if not isinstance(value, str) or not re.fullmatch(ID_PATTERN, value):
            yield f"{key}: {_AN_ID.replace('reader-1', example)}"


def _protocol_problems(protocol: Any, known: Iterable[str]) -> Iterator[str]:
    names = ", ".join(known)
    if not isinstance(protocol, str):
        yield f"protocol: expected one of {names}"
    elif protocol not in known:
        yield f"protocol: {protocol[:40]!r} is not known; expected one of {names}{did_you_mean(protocol, known)}"


def _unknown_keys(entry: Options, known: tuple[str, ...]) -> Iterator[str]:
    for key in entry:
        if key not in known:
            yield f"unknown key {key[:40]!r}{did_you_mean(key, known)}; known: {', '.join(known)}"


def _doubles(links: Links) -> Iterator[str]:
    for port, times in Counter(line.port for line in links.lines).items():
        if times > 1:
            yield f"{times} lines have the port {port!r}: a port is read once"
    # Boards of one topic may be told apart by their options.
    named = Counter(f"{link.protocol} {link.name!r} {link.options or ''}".rstrip() for link in links.mqtt)
    yield from (f"{times} links are of {name}: name each once" for name, times in named.items() if times > 1)
    for device, times in Counter(f"{site}/{name}" for _, site, name in links.devices()).items():
        if times > 1:
            yield f"{times} links stand for {device}: a device has one"


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_debounce(value: Any) -> bool:
    try:
        duration(value)
    except (ValueError, TypeError):
        return False
    return True


def _called(entry: Options, key: str) -> str:
    name = entry.get(key)
    return f" {name[:80]!r}" if isinstance(name, str) else ""


# -- what is said --------------------------------------------------------------------------------------------


def _line(entry: Options) -> LineLink:
    devices = entry["device"] if entry["protocol"] in BUSES else [{**entry, "options": {}}]
    return LineLink(
        entry["port"],
        entry["protocol"],
        tuple(
            LinkedDevice(each["site"], each["device"], each.get("address"), each.get("options", {}))
            for each in devices
        ),
        entry.get("baud"),
        duration(entry["debounce"]) if "debounce" in entry else DEFAULT_DEBOUNCE_S,
        entry.get("options", {}),
    )


def _mqtt(entry: Options) -> MqttLink:
    return MqttLink(
        entry["protocol"],
        entry["name"],
        entry["site"],
        entry["device"],
        entry.get("options", {}),
        entry.get("client"),
    )
