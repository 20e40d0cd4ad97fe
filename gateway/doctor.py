"""What an installer gets wrong, looked for in the settings of the service and on this machine. Nothing is changed."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen
from zoneinfo import ZoneInfo

from gateway import retention, sitefile
from gateway.ingest.mqtt.broker_url import BrokerAddress, BrokerUrlError
from gateway.ingest.tag_keys import TagKeysError, load_tag_keys
from gateway.links import LinksError, load_links, unplanned
from gateway.notify.channels import ChannelsError, load_channels
from gateway.settings import Settings, SettingsError
from gateway.store.port import StoreError
from gateway.store.probing import probe

ROOM: Final = 1 << 30
"""Less free disk than this is wrong (bytes): about four months of eight devices, or one night of a fault that logs."""

OLDEST: Final = 1_735_689_600
"""A clock before 2025 was never set (s): a machine without a battery begins in 1970, or at its last shutdown."""

_TIME_ERROR: Final = 5
"""What adjtimex(2) returns while nothing sets the clock."""

_CONNECT_S: Final = 5.0

_EXPECTED: Final = (
    SettingsError, StoreError, BrokerUrlError, ChannelsError, LinksError, TagKeysError, retention.RetentionError,
    sitefile.SiteFileError, OSError,
)  # fmt: skip


class Found(NamedTuple):
    """One thing that was looked at."""

    name: str
    wrong: str = ""
    """What is wrong, where, and what to do; empty when nothing is."""
    note: str = ""

    def __str__(self) -> str:
        return (
            f"wrong: {self.name}: {self.wrong}"
            if self.wrong
            else f"ok: {self.name}{self.note and f' ({self.note})'}"
        )


class Machine:
    """What is asked of the machine itself."""

    def free(self, folder: Path) -> int:
        """How much room there is for who is no root (bytes)."""
        return shutil.disk_usage(folder).free

    def now(self) -> float:
        return time.time()

    def clock_is_set(self) -> bool:
        """Whether something keeps the clock right, as the kernel knows."""
        libc: Any = ctypes.CDLL(None)
        return bool(libc.adjtimex(ctypes.create_string_buffer(512)) != _TIME_ERROR)


async def examine(settings: Settings, machine: Machine | None = None) -> list[Found]:
    """Look at everything; what needs an hour of the day or another machine is asked once, for a few seconds."""
    machine = machine or Machine()
    found: list[Found] = []

    async def look(name: str, check: Callable[[], Any]) -> Any:
        """Note what a check raises, or what it returns as a note."""
        try:
            answer = check()
            if asyncio.iscoroutine(answer):
                answer = await answer
        except _EXPECTED as error:
            found.append(Found(name, " ".join(str(error).split())))
            return None
        found.append(Found(name, note=answer if isinstance(answer, str) else ""))
        return answer

    await look("settings", lambda: (settings.http_address, settings.embedded_address, settings.link_base))
    await look("retention", lambda: retention.parse(settings.retention))
    folder = await look("database", lambda: probe(settings.database))
    await look("data folder", lambda: _folder(settings.data))
    for place in {Path(each) for each in (folder, _existing(settings.data)) if each is not None}:
        await look(f"disk of {place}", lambda place=place: _disk(place, machine))  # type: ignore[misc]
    await look("clock", lambda: _clock(machine))
    await look("time zones", lambda: str(ZoneInfo("Asia/Shanghai")))
    plans = {}
    for path in settings.sites:
        plan = await look(f"site file {path}", lambda path=path: sitefile.load(path))  # type: ignore[misc]
        if plan is not None:
            plans[plan.site] = plan.device_by_id
    if settings.links is not None and (links := await look("links", lambda: load_links(settings.links))):  # type: ignore[arg-type]
        for line in links.lines:
            await look(f"port {line.port}", lambda port=line.port: _port(port))  # type: ignore[misc]
        if plans:
            strangers = unplanned(links, lambda site, device: plans.get(site, {}).get(device))
            found += [Found("links", f"{settings.links}: {each}") for each in strangers]
    if settings.channels is not None:
        await look("channels", lambda: _channels(settings.channels))  # type: ignore[arg-type]
    if settings.tag_keys is not None:
        await look("tag keys", lambda: load_tag_keys(settings.tag_keys))  # type: ignore[arg-type]
    await look("addresses", lambda: _addresses(settings))
    if not settings.broker.startswith("embedded://"):
        await look("broker", lambda: _broker(settings.broker))
    return found


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _folder(path: Path) -> None:
    folder = _existing(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(
            f"{folder} (PATROL_DATA) cannot be written to by this user: give it to the user of the service"
        )


def _disk(folder: Path, machine: Machine) -> str:
    free = machine.free(folder)
    if free < ROOM:
        raise SettingsError(
            f"{free / 1e9:.1f} GB free, less than {ROOM / 1e9:.1f}: make room, or take a larger disk"
        )
    return f"{free / 1e9:.0f} GB free"


def _clock(machine: Machine) -> None:
    if machine.now() < OLDEST:
        raise SettingsError(
            "it was never set: `timedatectl set-time`, or better, a time server (systemd-timesyncd)"
        )
    if not machine.clock_is_set():
        raise SettingsError(
            "nothing keeps it right, and all events are timed by it: `timedatectl set-ntp true`, and see `timedatectl`"
        )


def _port(port: str) -> str:
    if not port.startswith("/"):
        return "reached over the network, not looked at"
    path = Path(port)
    if not path.exists():
        raise SettingsError(
            "it is not there: is the reader plugged in? Names that stay are in /dev/serial/by-id"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise SettingsError("this user may not use it: add the user of the service to the group dialout")
    return ""


def _channels(path: Path) -> str:
    if path.stat().st_mode & 0o007:
        raise SettingsError(f"{path} holds passwords and can be read by everybody: run chmod 640 {path}")
    return f"{len(load_channels(path))} channels"


def _addresses(settings: Settings) -> str:
    http = settings.http_address
    if _answers(*http):
        return f"a patrol-gateway runs at http://{http[0]}:{http[1]}"
    for name, address in (("PATROL_HTTP", http), ("PATROL_BROKER", settings.embedded_address)):
        if address is None:
            continue
        host, port = address
        try:
            family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(where)
        except OSError as error:
            raise SettingsError(
                f"{name}: {host}:{port}: {error.strerror}. `ss -ltnp` shows who has the port; the address must be "
                "one of this machine, and a port below 1024 is not for this user"
            ) from None
    return ""


def _answers(host: str, port: int) -> bool:
    """Whether a gateway runs here already: its ports are its own."""
    shown = f"[{host}]" if ":" in host else host
    try:
        with urlopen(f"http://{shown}:{port}/api/health", timeout=_CONNECT_S) as answer:
            return b'"clockwork"' in answer.read(4096)
    except URLError as error:
        return getattr(error, "code", None) == 503
    except (OSError, ValueError):
        return False


async def _broker(url: str) -> str:
    address = BrokerAddress.parse(url)
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "it did not answer"
        raise SettingsError(f"{address}: {why}: does it run, and does it listen on this address?") from None
    writer.close()
    return "it must keep all that waits for the gateway: max_queued_messages 0, as in deploy/mosquitto.conf"


def lines(found: list[Found]) -> Iterator[str]:
    """What was found, and at the end how much of it is wrong."""
    yield from map(str, found)
    wrong = sum(bool(each.wrong) for each in found)
    yield f"{wrong} of {len(found)} are wrong." if wrong else f"All {len(found)} are well."
