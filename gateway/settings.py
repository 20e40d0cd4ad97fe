"""The settings of `patrol-gateway run`, from the environment, a file, or the command line."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from gateway.clock import SYSTEM_CLOCK, Clock


class SettingsError(Exception):
    """A setting is wrong; the message names it, and says what was expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. Defaults are those of one small PC."""

    database: str = "sqlite:///patrol-data/patrol.sqlite"
    http: str = "127.0.0.1:8080"
    broker: str = "embedded://127.0.0.1:1883"
    sites: tuple[Path, ...] = ()
    data: Path = Path("patrol-data")
    clock: Clock = SYSTEM_CLOCK
    log_level: str = "info"
    channels: Path | None = None
    links: Path | None = None
    public_url: str = ""
    tag_keys: Path | None = None
    retention: str = ""

    @property
    def link_base(self) -> str:
        """What links in notices begin with; empty: they hold none."""
        if self.public_url and urlsplit(self.public_url).scheme not in ("http", "https"):
            raise SettingsError(
                "PATROL_PUBLIC_URL: write the address at which people reach the pages, like https://patrol.example.org"
            )
        return self.public_url

    @property
    def http_address(self) -> tuple[str, int]:
        """Host and port of pages and API."""
        host, port = _host_and_port("PATROL_HTTP", self.http, "127.0.0.1:8080")
        if not _is_loopback(host):
            raise SettingsError(
                f"PATROL_HTTP: {host} can be reached from other machines, and there is no sign-in yet: only loopback "
                "is served. Use 127.0.0.1, and reach it from elsewhere through an SSH tunnel or a proxy that asks who "
                "is there"
            )
        return host, port

    @property
    def embedded_address(self) -> tuple[str, int] | None:
        """Host and port of the own endpoint; None when an external broker is used."""
        prefix = "embedded://"
        if not self.broker.startswith(prefix):
            return None
        return _host_and_port("PATROL_BROKER", self.broker[len(prefix) :], "embedded://127.0.0.1:1883")


def _host_and_port(name: str, value: str, example: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None or parts.path:
        raise SettingsError(f"{name}: {value!r} is not host:port, like {example}")
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
