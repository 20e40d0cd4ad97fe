"""The address of a broker, written as a URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerUrlError(ValueError):
    """The URL does not tell where a broker is; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and who we are there. As text it shows no password."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> BrokerAddress:
        """Read `mqtt://user:password@host:1883`, or `mqtts://…` for TLS.

        The port may be left out; special characters in user and password are percent-encoded. Raises
        BrokerUrlError, whose text never repeats the password.
        """
        expected = "a broker is written mqtt://user:password@host:port, or mqtts://… for TLS"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # urllib's own words may repeat a piece of the password.
            raise BrokerUrlError(
                f"{expected}; the port is no number up to 65535, or a character needs percent-encoding"
            ) from None
        if parts.scheme not in _PORTS:
            raise BrokerUrlError(f"{expected}; {parts.scheme or 'no scheme'!r} is not known")
        if not parts.hostname:
            raise BrokerUrlError(f"{expected}; the host is missing")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise BrokerUrlError(f"{expected}; nothing may follow the port")
        if parts.password is not None and not parts.username:
            raise BrokerUrlError(f"{expected}; there is a password but no user")
        return cls(
            parts.hostname,
            _PORTS[parts.scheme] if port is None else port,
            parts.scheme == "mqtts",
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password is not None else None,
        )
