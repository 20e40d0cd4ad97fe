"""Who a connection speaks for. `Authorise` is the place where that is checked; `trust` believes what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.ingest.mqtt.reasons import Reason
from gateway.ingest.mqtt.topics import parse_identity


@dataclass(frozen=True, slots=True)
class Refusal:
    """A connection is refused. `detail` goes to the log, not to the device."""

    reason: Reason = Reason.NOT_AUTHORIZED
    detail: str = ""


# (client identifier, user name, password, common name of the certificate that it showed) to `{site}/{device}`, to None
# if they do not tell, or to a refusal.
Authorise = Callable[[str, str | None, bytes | None, str | None], str | Refusal | None]


def trust(client_id: str, username: str | None, *proof: object) -> str | None:
    """Believe the user name `site/device`, else the client identifier `site/device` or `site:device`."""
    identity = parse_identity(username) if username and ":" not in username else None
    return identity or parse_identity(client_id)


def common_name(certificate: dict[str, Any] | None) -> str | None:
    """The common name in a peer's certificate, as `ssl` tells it; None when it showed none, "" when that has none."""
    if not certificate:
        return None
    return next(
        (value for part in certificate["subject"] for name, value in part if name == "commonName"), ""
    )
