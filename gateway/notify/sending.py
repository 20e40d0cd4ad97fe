"""One message over one channel, through Apprise: whether it arrived, and if not, whether to try again.

Apprise answers yes or no. Why not is heard here: while it sends, the functions that its plugins call to speak HTTP
(`requests`) and SMTP (`smtplib`) note what the other side answered. What cannot be told counts as passing.
"""

from __future__ import annotations

import json
import logging
import re
import smtplib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

import apprise
import requests
from apprise.plugins.custom_form import NotifyForm
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.custom_xml import NotifyXML
from apprise.plugins.email.base import NotifyEmail

from gateway.domain.alert import Severity
from gateway.notify.delivery import Outcome

KEY_HEADER: Final = "Idempotency-Key"

SOCKET_TIMEOUT_S: Final = 7.0
"""How long the other side may take to be connected, and to answer (s), unless the URL says `cto` and `rto`."""

_PASSING_HTTP: Final = frozenset({408, 425, 429})
_WITH_HEADERS: Final = (NotifyJSON, NotifyXML, NotifyForm, NotifyEmail)

_ANSWER_CODES: Final = {
    # Robots that refuse with HTTP 200 and a code. -1: busy; the others: too many messages, or too fast.
    "wecombot": ("errcode", frozenset({-1, 45009, 45033})),
    "dingtalk": ("errcode", frozenset({-1, 130101, 410100})),
    "feishu": ("code", frozenset({11232, 11233, 99991400})),
    "lark": ("code", frozenset({11232, 11233, 99991400})),
}

_TYPES: Final = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.MAJOR: apprise.NotifyType.WARNING,
    Severity.MINOR: apprise.NotifyType.INFO,
}

for _name in ("apprise", "urllib3", "requests"):
    # What they log holds addresses with their secrets.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@dataclass(slots=True)
class _Ear:
    """Hears what the other side answers to one attempt."""

    answer: tuple[str, frozenset[int]] | None
    failed: Outcome | None = None

    def http(self, response: requests.Response) -> None:
        status = response.status_code
        if status >= 400:
            self.failed = Outcome(f"http_{status}", status < 500 and status not in _PASSING_HTTP)
        elif self.answer is not None:
            member, passing = self.answer
            try:
                code = json.loads(response.content)[member]
            except (ValueError, KeyError, TypeError):
                return
            if isinstance(code, int) and code:
                self.failed = Outcome(f"answer_{code}", code not in passing)

    def smtp(self, codes: Sequence[int]) -> None:
        self.failed = Outcome(f"smtp_{min(codes)}", min(codes) >= 500)

    def broken(self, error: Exception) -> None:
        slow = isinstance(error, TimeoutError | requests.Timeout)
        self.failed = Outcome("no_answer" if slow else "unreachable")


_ear: ContextVar[_Ear | None] = ContextVar("ear", default=None)


def _overhear(owner: type, name: str, hear: Callable[[_Ear, Any], None]) -> None:
    """Let what a method returns or raises be noted, where somebody listens in this context."""
    method = getattr(owner, name)

    @wraps(method)
    def heard(*args: Any, **kwargs: Any) -> Any:
        ear = _ear.get()
        if ear is None:
            return method(*args, **kwargs)
        try:
            result = method(*args, **kwargs)
        except smtplib.SMTPRecipientsRefused as error:
            ear.smtp([code for code, _ in error.recipients.values()])
            raise
        except smtplib.SMTPResponseException as error:
            ear.smtp([error.smtp_code])
            raise
        except OSError as error:  # those of requests and smtplib are among them
            ear.broken(error)
            raise
        hear(ear, result)
        return result

    setattr(owner, name, heard)


def _hear_refused(ear: _Ear, refused: Any) -> None:
    if refused:
        ear.smtp([code for code, _ in refused.values()])


_overhear(requests.Session, "send", lambda ear, response: ear.http(response))
_overhear(smtplib.SMTP, "connect", lambda ear, reply: None)
_overhear(smtplib.SMTP, "login", lambda ear, reply: None)
_overhear(smtplib.SMTP, "sendmail", _hear_refused)


def _url(plugin: apprise.NotifyBase, privacy: bool = False) -> str:
    return str(plugin.url(privacy=privacy))  # type: ignore[no-untyped-call]


class Sender:
    """One address that Apprise understands. Not for two threads at once."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a URL that Apprise does not understand; the message does not repeat it."""
        plugin = apprise.Apprise.instantiate(url)
        if plugin is None:
            scheme = re.match(r"[a-z0-9]{1,32}(?=://)", url.strip().lower())
            of = f"a complete {scheme.group()}:// URL" if scheme else "a URL like wecombot://KEY"
            raise ValueError(f"expected {of} that Apprise understands (docs/notifications.md)")
        asked = urlsplit(url).query
        if "cto=" not in asked:
            plugin.socket_connect_timeout = SOCKET_TIMEOUT_S
        if "rto=" not in asked:
            plugin.socket_read_timeout = SOCKET_TIMEOUT_S
        self._plugin = plugin

    def __repr__(self) -> str:
        return f"Sender({self.shown})"

    @property
    def shown(self) -> str:
        """The service and where it is, without secrets: `WeCom Bot, wecombot://0...y/…`."""
        parts = urlsplit(_url(self._plugin, privacy=True))
        # A path and a query may hold keys as well, and Apprise does not hide all of them.
        return f"{self._plugin.service_name}, {parts.scheme}://{parts.netloc}/…"

    @property
    def pause_s(self) -> float:
        """How long Apprise waits between two messages to this service (s)."""
        return float(self._plugin.request_rate_per_sec)

    def send(self, title: str, body: str, key: str, severity: Severity = Severity.MINOR) -> Outcome:
        """Send one message and wait for what comes of it; blocks. The same `key` goes with each attempt."""
        plugin = self._plugin
        if isinstance(plugin, _WITH_HEADERS):
            plugin.headers[KEY_HEADER] = key
        ear = _Ear(_ANSWER_CODES.get(urlsplit(_url(plugin)).scheme))
        listening = _ear.set(ear)
        try:
            arrived = plugin.notify(
                body=body, title=title, notify_type=_TYPES[severity], body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:
            # Whatever a plugin raises: its message may hold the address, its type does not.
            logging.getLogger("gateway.notify").warning(
                "a plugin of Apprise failed: %s", type(error).__name__
            )
            return ear.failed or Outcome("failed")
        finally:
            _ear.reset(listening)
        if arrived and (ear.answer is None or ear.failed is None):
            return Outcome()
        return ear.failed or Outcome("failed")
