"""The words of a notice, in the language of its channel. What has no words is shown by its code.

The templates are `locales/zh.json` and `en.json`. A reason has several; the one is used that needs most of the
parameters that there are: `devices+since` before `devices` before `_`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.domain.notices import NoticeKind
from gateway.domain.plan import Names, Plan
from gateway.instants import parse_instant
from gateway.shapes import Json

_INSTANTS: Final = frozenset({"since", "at"})


@cache
def templates(language: str) -> Json:
    """The templates of a language."""
    text = files("gateway.notify").joinpath("locales", f"{language}.json").read_text(encoding="utf-8")
    found: Json = json.loads(text)
    return found


def test_message(language: str) -> tuple[str, str, str]:
    """Title, body and key of a message that only shows that it arrives. It ends like every other."""
    found = templates(language)
    key = f"test-{secrets.token_hex(4)}"
    return (
        found["test"]["title"],
        f"{found['test']['body']}\n{_fill(found['body']['key'], {'key': key})}",
        key,
    )


class Words:
    """Says a notice in one language, with the names of one site. `now`: ms."""

    def __init__(self, language: str, plan: Plan, now: int, public_url: str = "") -> None:
        self._language = language
        self._templates = templates(language)
        self._plan = plan
        self._today = self._local(now).date()
        self._public_url = public_url.rstrip("/")
        groups = (plan.checkpoints, plan.posts, plan.devices, plan.people, plan.routes, plan.duties)
        self._names: dict[str, Names] = {each.id: each.name for group in groups for each in group}

    def title(self, notice: Json) -> str:
        """What happened, where."""
        alert = notice["alert"]
        if alert is None:
            kind, subject = "", self._name(self._names.get(notice["duty"] or "", {}), notice["duty"] or "")
        else:
            kind, subject = self._word("kind", alert["kind"]), self._name(alert["name"], alert["subject"])
        title = self._templates["title"].get(notice["kind"], self._templates["title"]["opened"])
        site = self._name(self._plan.name, self._plan.site)
        return _fill(title, {"kind": kind or notice["kind"], "subject": subject, "site": site})

    def body(self, notice: Json) -> str:
        """Why, since when, and what to do; one thing on each line."""
        lines = self._announcement(notice) if notice["alert"] is None else self._about(notice)
        if self._public_url:
            query = {"site": notice["site"]} | ({"alert": notice["alert"]["id"]} if notice["alert"] else {})
            lines.append(self._line("link", link=f"{self._public_url}/?{urlencode(query)}"))
        lines.append(self._line("key", key=notice["key"]))
        return "\n".join(lines)

    def _announcement(self, notice: Json) -> list[str]:
        subjects = self._list(self._named(subject) for subject in notice["subjects"])
        return [self._line("due_soon", at=self._time(notice["due_at"] or notice["at"]), subjects=subjects)]

    def _about(self, notice: Json) -> list[str]:
        alert, kind = notice["alert"], notice["kind"]
        opened, at = parse_instant(alert["opened_at"]), parse_instant(notice["at"])
        after = self._span((at - opened) / 1000)
        lines = [self.reason(alert["reason"])]
        if kind == NoticeKind.RECOVERED:
            lines.insert(0, self._line("recovered", after=after))
        elif kind == NoticeKind.WITHDRAWN:
            lines.insert(0, self._line("withdrawn"))
        elif kind == NoticeKind.RESOLVED:
            lines[:0] = self._resolved(alert)
        elif kind == NoticeKind.ESCALATED:
            steps = alert["escalation"]
            reached = sum(step["after_s"] * 1000 <= at - opened for step in steps)
            lines.insert(0, self._line("step", step=reached, of=len(steps), after=after))
        elif kind == NoticeKind.REPEATED:
            lines.insert(0, self._line("unanswered", after=after))
        lines.append(self._line("severity", severity=self._word("severity", alert["severity"])))
        if alert["count"] > 1:
            lines.append(self._line("count", count=alert["count"]))
        if alert["deadline"] != alert["opened_at"]:
            lines.append(self._line("deadline", at=self._time(alert["deadline"])))
        lines.append(self._line("opened_at", at=self._time(alert["opened_at"])))
        if alert["clause"]:
            lines.append(self._line("clause", clause=alert["clause"]))
        goes_on = kind in (NoticeKind.OPENED, NoticeKind.ESCALATED, NoticeKind.REPEATED)
        if goes_on and (do := self._templates["do"].get(alert["kind"])):
            lines.append(self._line("do", do=do))
        return lines

    def _resolved(self, alert: Json) -> list[str]:
        last = next((event for event in reversed(alert["history"]) if event["what"] == "resolved"), None)
        if last is None:
            return []
        note = last["params"].get("note")
        lines = [self._line("resolved", by=self._named(last["by"] or "–"))]
        return [*lines, self._line("note", note=note)] if note else lines

    def reason(self, reason: Json) -> str:
        """A reason in words; one that has none as its code, with its parameters."""
        given = {name: value for name, value in reason["params"].items() if value is not False}
        said = {
            name: self._param(name, value) for name, value in given.items() if value not in (None, [], "")
        }
        variants = self._templates["reason"].get(reason["code"])
        if variants is None:
            unknown = self._templates["unknown"]
            return str(reason["code"]) + "".join(
                _fill(unknown, {"name": name, "value": value}) for name, value in said.items()
            )
        fitting = [variant for variant in variants if variant == "_" or set(variant.split("+")) <= set(said)]
        best = max(fitting, key=lambda variant: 0 if variant == "_" else variant.count("+") + 1)
        return _fill(variants[best], said)

    # -- parts ----------------------------------------------------------------------------------------------

    def _line(self, name: str, **params: object) -> str:
        return _fill(self._templates["body"][name], params)

    def _word(self, group: str, code: str) -> str:
        return str(self._templates[group].get(code, code))

    def _param(self, name: str, value: Any) -> str:
        if isinstance(value, list):
            return self._list(self._param(name, each) for each in value)
        if name in _INSTANTS and isinstance(value, str):
            return self._time(value)
        if name.endswith("_s") and isinstance(value, int | float):
            return self._span(value)
        if name == "needed":
            return self._word("strength", value)
        return self._named(value) if isinstance(value, str) else str(value)

    def _list(self, items: Any) -> str:
        return str(self._templates["list"]).join(items)

    def _named(self, id_: str) -> str:
        """What the site calls a thing or a person; a word of another kind stays as it is."""
        return self._name(self._names.get(id_, {}), id_)

    def _name(self, name: Names, fallback: str) -> str:
        return name.get(self._language) or next(iter(name.values()), fallback)

    def _span(self, seconds: float) -> str:
        """A duration, to the unit that matters."""
        units = self._templates["unit"]
        whole = max(0, round(seconds))
        if whole < 60:
            return _fill(units["s"], {"n": whole})
        hours, minutes = divmod(round(whole / 60), 60)
        parts = ([_fill(units["h"], {"n": hours})] if hours else []) + (
            [_fill(units["min"], {"n": minutes})] if minutes else []
        )
        return " ".join(parts)

    def _time(self, text: str) -> str:
        """An instant in the site's zone, in 24 hours; with its date unless it is of today."""
        try:
            local = self._local(parse_instant(text))
        except (ValueError, OverflowError):
            return text
        return local.strftime("%H:%M" if local.date() == self._today else "%m-%d %H:%M")

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(self._plan.timezone))


def _fill(template: str, params: Mapping[str, object]) -> str:
    """Put parameters into their places; what is in them is never read as a template."""
    return template.format_map(_Shown(params))


class _Shown(dict[str, object]):
    """A parameter that is not there is shown as a dash."""

    def __missing__(self, key: str) -> str:
        return "–"
