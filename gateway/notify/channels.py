"""Channels: which notices go where, from a TOML file. Their addresses hold secrets, and are never shown."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.domain.alert import AlertKind, Severity
from gateway.domain.plan import ID_PATTERN, Plan
from gateway.shapes import Json

if TYPE_CHECKING:
    from gateway.notify.sending import Sender

log = logging.getLogger("gateway.notify")

LANGUAGES: Final = ("zh", "en")

_KEYS: Final = ("name", "url", "to", "sites", "language", "min_severity")
_RANK: Final = {severity.value: rank for rank, severity in enumerate(Severity)}
_READ_BY_OTHERS: Final = 0o077


class ChannelsError(Exception):
    """The file of channels is wrong; the message says where, and what was expected. It holds no secret."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach somebody."""

    name: str
    sender: Sender
    to: frozenset[str]  # roles, or ids of people
    sites: frozenset[str] | None = None  # None: all
    language: str = "zh"
    min_severity: Severity = Severity.MINOR

    def concerns(self, notice: Json, plan: Plan | None) -> bool:
        """Whether a notice goes over this channel. `plan`: of its site; it says who has which role."""
        if self.sites is not None and notice["site"] not in self.sites:
            return False
        alert = notice["alert"]
        # What comes before an alert weighs as little as the least of them.
        severity = Severity.MINOR if alert is None else alert["severity"]
        if _RANK[severity] < _RANK[self.min_severity]:
            return False
        if (
            alert is not None
            and alert["kind"] == AlertKind.NOTICE_UNDELIVERED
            and alert["subject"] == self.name
        ):
            return False  # a channel that fails is not told over itself
        return not self.to.isdisjoint(_with_roles(notice["to"], plan))


def _with_roles(recipients: Iterable[str], plan: Plan | None) -> set[str]:
    """Recipients, the roles of the people among them, and the people who have the roles among them."""
    wanted = set(recipients)
    for person in plan.people if plan is not None else ():
        if person.id in recipients:
            wanted.add(person.role)
        elif person.role in recipients:
            wanted.add(person.id)
    return wanted


def load_channels(path: Path) -> list[Channel]:
    """Read a file of channels. Raises `ChannelsError` with everything that is wrong with it.

    Warns in the log when others may read the file.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mode & _READ_BY_OTHERS:
            log.warning("%s holds secrets and can be read by others: chmod 600 it", path)
    except OSError as error:
        raise ChannelsError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ChannelsError(f"{path}: {error}") from None
    entries = found.pop("channel", [])
    if found or not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ChannelsError(f"{path}: a file of channels has [[channel]] tables and nothing else")
    problems: list[str] = []
    channels: list[Channel] = []
    for place, entry in enumerate(entries, 1):
        wrong = [f"{path}: channel {place}{_called(entry)}: {what}" for what in _problems(entry)]
        if not wrong:
            try:
                channels.append(_channel(entry))
            except ValueError as error:
                wrong.append(f"{path}: channel {place}{_called(entry)}: url: {error}")
        problems += wrong
    names = [channel.name for channel in channels]
    problems += [
        f"{path}: {names.count(name)} channels are called {name!r}: give each a name of its own"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    if problems:
        raise ChannelsError("\n".join(problems))
    return channels


def _called(entry: Mapping[str, Any]) -> str:
    name = entry.get("name")
    return f" {name!r}" if isinstance(name, str) and len(name) <= 32 else ""


def _problems(entry: Mapping[str, Any]) -> list[str]:
    """What is wrong with a channel. Values are not repeated: one may be an address in the wrong place."""
    problems = [
        f"unknown key {key!r}; known: {', '.join(_KEYS)}"
        if re.fullmatch(ID_PATTERN, key)
        else "an unknown key"
        for key in entry
        if key not in _KEYS
    ]
    name, url = entry.get("name"), entry.get("url")
    if not isinstance(name, str) or not re.fullmatch(ID_PATTERN, name):
        problems.append("name: expected an id like duty-room (a-z, 0-9, - and _, at most 32)")
    if not isinstance(url, str) or not url:
        problems.append("url: expected an Apprise URL like wecombot://KEY (docs/notifications.md)")
    if not _ids(entry.get("to")):
        problems.append('to: expected a list of roles or ids of people, like ["shift_leader", "li-qiang"]')
    if "sites" in entry and not _ids(entry["sites"]):
        problems.append('sites: expected a list of ids of sites, like ["riverside"]; leave it out for all')
    if entry.get("language", "zh") not in LANGUAGES:
        problems.append(f"language: expected one of {', '.join(LANGUAGES)}")
    if entry.get("min_severity", "minor") not in list(Severity):
        problems.append(f"min_severity: expected one of {', '.join(Severity)}")
    return problems


def _ids(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, str) and re.fullmatch(ID_PATTERN, each) for each in value)
    )


def _channel(entry: Mapping[str, Any]) -> Channel:
    # Not above: Apprise takes a while to load, and a service without channels does without.
    from gateway.notify.sending import Sender

    return Channel(
        entry["name"],
        Sender(entry["url"]),
        frozenset(entry["to"]),
        frozenset(entry["sites"]) if "sites" in entry else None,
        entry.get("language", "zh"),
        Severity(entry.get("min_severity", "minor")),
    )
