"""What the command line asks of a running service, over its API."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

_TIMEOUT_S = 60


class RemoteError(Exception):
    """The service could not be reached, or refused; the message says which and why."""


def _call(api: str, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> bytes:
    headers = {"Content-Type": kind} if kind else {}
    if token := os.environ.get("PATROL_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        request = Request(f"{api.rstrip('/')}{path}", data=body, method=method, headers=headers)
        with urlopen(request, timeout=_TIMEOUT_S, context=_context(api)) as answer:
            found: bytes = answer.read()
            return found
    except HTTPError as error:
        if error.code == 401:
            raise RemoteError(
                f"{api} does not know who calls ({_detail(error)}): put a token into PATROL_TOKEN"
            ) from None
        raise RemoteError(f"{api} refused: {_detail(error)}") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RemoteError(
            f"no answer from {api} ({reason}): is `patrol-gateway run` running there?"
        ) from None


def _context(api: str) -> ssl.SSLContext | None:
    """With the service's own settings around, its very certificate is trusted, whatever name it has."""
    cert = os.environ.get("PATROL_TLS_CERT")
    if not api.startswith("https:") or not cert:
        return None
    context = ssl.create_default_context(cafile=cert)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def _detail(error: HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {text[:200]}"
    if isinstance(detail, list):
        return "\n".join(
            str(each.get("message") or each.get("msg") or each) if isinstance(each, dict) else str(each)
            for each in detail
        )
    return str(detail)


def put_plan(api: str, site: str, body: bytes, holds_from: str | None) -> Any:
    """Store a site file as a new version; answers its `version` and `holds_from`."""
    query = "?" + urlencode({"from": holds_from}) if holds_from else ""
    return json.loads(_call(api, "PUT", f"/api/sites/{quote(site)}/plan{query}", body, "application/yaml"))


def get_plan(api: str, site: str) -> str:
    """The plan in force, as a site file."""
    return _call(api, "GET", f"/api/sites/{quote(site)}/plan?format=yaml").decode()


def legs(api: str, site: str, start: str | None, end: str | None) -> list[Any]:
    """How long the legs of a site's routes take, as they were walked in a time."""
    query = urlencode({name: value for name, value in (("from", start), ("to", end)) if value})
    found: list[Any] = json.loads(_call(api, "GET", f"/api/sites/{quote(site)}/legs?{query}"))
    return found


def quarantine(api: str, reason: str | None, limit: int) -> list[Any]:
    """Entries of the quarantine, newest first."""
    query = urlencode({"limit": limit} | ({"reason": reason} if reason else {}))
    answer = json.loads(_call(api, "GET", f"/api/quarantine?{query}"))
    entries: list[Any] = answer["entries"] if isinstance(answer, dict) else answer
    return entries


def replay_quarantine(api: str, reason: str | None) -> Any:
    """Take refused records in again; answers `mended` and `left`."""
    query = "?" + urlencode({"reason": reason}) if reason else ""
    return json.loads(_call(api, "POST", f"/api/quarantine/replay{query}", b"{}", "application/json"))


def make_token(api: str, name: str, role: str, sites: Sequence[str]) -> str:
    """Make a token; answers its secret."""
    body = json.dumps({"name": name, "role": role, "sites": sites}).encode()
    secret: str = json.loads(_call(api, "POST", "/api/tokens", body, "application/json"))["token"]
    return secret


def tokens(api: str) -> list[Any]:
    """All tokens, without their secrets."""
    found: list[Any] = json.loads(_call(api, "GET", "/api/tokens"))
    return found


def revoke_token(api: str, name: str) -> None:
    """End a token."""
    _call(api, "POST", f"/api/tokens/{quote(name, safe='')}/revoke", b"{}", "application/json")


def make_password(api: str, device: str, grace_s: float) -> Any:
    """Make or change a device's password; answers it, and until when an old one is good."""
    body = json.dumps({"device": device, "grace_s": grace_s}).encode()
    return json.loads(_call(api, "POST", "/api/passwords", body, "application/json"))


def passwords(api: str) -> list[Any]:
    """Which devices have passwords."""
    found: list[Any] = json.loads(_call(api, "GET", "/api/passwords"))
    return found


def revoke_password(api: str, device: str) -> None:
    """End a device's password."""
    _call(api, "POST", "/api/passwords/revoke", json.dumps({"device": device}).encode(), "application/json")
