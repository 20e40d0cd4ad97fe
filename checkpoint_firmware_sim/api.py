"""What scoring reads from a gateway over HTTP (docs/api.md)."""

from __future__ import annotations

from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import msgspec

from gateway.instants import rfc3339

TIMEOUT: Final = 30.0
"""Seconds that an answer may take."""

MOST_ALERTS: Final = 10_000


class ApiError(Exception):
    """The gateway could not be asked. The text is meant for people."""


class Api:
    """The reading side of one gateway's API. `token` is only needed where the gateway asks for one."""

    def __init__(self, base: str, token: str | None = None) -> None:
        """Raises ApiError when `base` is no http address."""
        if urlsplit(base).scheme not in ("http", "https"):
            raise ApiError(f"{base!r} is no address; write http://127.0.0.1:8080")
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def occurrences(self, site: str, start: int, end: int) -> list[dict[str, Any]]:
        """Rounds and radio checks whose window touches `[start, end)` (ms)."""
        window = {"site": site, "from": rfc3339(start), "to": rfc3339(end)}
        return self._get("rounds", window) + self._get("radio-checks", window)

    def alerts(self, site: str) -> list[dict[str, Any]]:
        """Alerts in every state, newest first."""
        return self._get("alerts", {"site": site, "limit": str(MOST_ALERTS)})

    def _get(self, what: str, query: dict[str, str]) -> list[dict[str, Any]]:
        url = f"{self._base}/api/{what}?{urlencode(query)}"
        try:
            with urlopen(Request(url, headers=self._headers), timeout=TIMEOUT) as answer:
                return msgspec.json.decode(answer.read(), type=list[dict[str, Any]])
        except HTTPError as error:
            raise ApiError(
                f"{url} answered {error.code}: {error.read(300).decode(errors='replace')}"
            ) from None
        except (URLError, TimeoutError) as error:
            raise ApiError(f"{self._base} cannot be reached: {getattr(error, 'reason', error)}") from None
        except msgspec.DecodeError as error:
            raise ApiError(f"{url} answered something else than a list: {error}") from None
