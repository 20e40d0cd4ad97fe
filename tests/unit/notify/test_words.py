"""The words of notices: every code has them in both languages, and what has none is no obstacle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.alert import AlertKind, Severity
from gateway.domain.notices import NoticeKind
from gateway.notify.channels import LANGUAGES
from gateway.notify.words import Words, templates
from tests.unit.web.harbour import harbour, local

REASONS = Path(__file__).parents[3] / "docs" / "reasons.md"


def words(language: str = "zh", at: str = "23 22:10", url: str = "") -> Words:
    return Words(language, harbour(), local(at), url)


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "id": "harbour-12",
        "kind": "round_missed",
        "subject": "quays",
        "name": {"zh": "码头路线", "en": "Quays"},
        "severity": "major",
        "opened_at": "2026-11-23T14:00:01Z",
        "deadline": "2026-11-23T14:00:00Z",
        "closed_at": None,
        "reason": {
            "code": "no_proof",
            "params": {
                "devices": ["scanner-1", "console-1"],
                "since": "2026-11-23T13:12:00Z",
                "of": 2,
                "visited": 0,
            },
        },
        "clause": "5.4.6.1",
        "count": 1,
        "escalation": [
            {"after_s": 0, "to": ["a"]},
            {"after_s": 600, "to": ["b"]},
            {"after_s": 1800, "to": ["c"]},
        ],
        "history": [],
    } | changes


def notice(kind: str = "opened", about: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "key": f"harbour-12/{kind}/0",
        "site": "harbour",
        "kind": kind,
        "at": "2026-11-23T14:00:01Z",
        "to": ["shift_leader"],
        "alert": alert() if about is None else about,
        "subjects": [],
        "duty": None,
        "due_at": None,
    } | changes


# -- whole notices


def test_an_alert_that_opens_in_chinese() -> None:
    said = words(url="https://patrol.example.org/")
    assert said.title(notice()) == "【漏巡】码头路线 · 港湾"
    assert said.body(notice()).splitlines() == [
        "没有记录；巡更棒、console-1 自 21:12 起没有消息",
        "级别：重要",
        "应完成：22:00",
        "告警时间：22:00",
        "条款：5.4.6.1",
        "处置：联系该岗，查明为何没有记录；必要时安排补巡",
        "查看：https://patrol.example.org/?site=harbour&alert=harbour-12",
        "编号：harbour-12/opened/0",
    ]


def test_a_later_step_in_english() -> None:
    escalated = notice("escalated", alert(count=3), at="2026-11-23T14:10:01Z")
    assert words("en").title(escalated) == "[Escalated: Round missed] Quays · The Harbour"
    assert words("en").body(escalated).splitlines()[:4] == [
        "Step 2 of 3: nobody has acknowledged it for 10 min",
        "No proof; Scanner, console-1 silent since 21:12",
        "Severity: major",
        "Times: 3",
    ]


def test_how_it_ended() -> None:
    over = notice("recovered", at="2026-11-23T14:12:01Z")
    assert words("en").title(over).startswith("[Recovered: Round missed]")
    assert words("en").body(over).splitlines()[0] == "Recovered after 12 min"
    assert words().body(over).splitlines()[0] == "12 分钟后恢复"
    assert "处置" not in words().body(over)
    history = [{"at": "…", "what": "resolved", "by": "li", "params": {"note": "补巡 {done}"}}]
    resolved = notice("resolved", alert(history=history))
    assert words().body(resolved).splitlines()[:2] == ["由 李强 处置", "备注：补巡 {done}"]
    assert words("en").body(notice("resolved")).startswith("No proof")
    assert words("en").body(notice("withdrawn")).startswith("New evidence")
    assert (
        words("en")
        .body(notice("repeated", at="2026-11-23T15:30:01Z"))
        .startswith("Nobody has acknowledged it for 1 h 30 min")
    )


def test_what_is_due_soon() -> None:
    soon = notice("due_soon", subjects=["east", "west"], duty="night-radio", due_at="2026-11-23T14:30:00Z")
    soon["alert"] = None
    assert words().title(soon) == "【即将到点】night-radio · 港湾"
    assert words().body(soon).splitlines()[0] == "22:30 到点，还没有记录：东门岗、西门岗"
    assert (
        words("en").body(soon).splitlines()[0] == "Due at 22:30, nothing recorded yet: East gate, West gate"
    )


def test_a_time_of_another_day_has_its_date() -> None:
    assert "11-23 22:00" in words(at="24 00:01").body(notice())


# -- reasons


@pytest.mark.parametrize(
    ("code", "params", "said"),
    [
        ("incomplete", {"missing": ["crane"], "visited": 1, "of": 2}, "Not visited: Crane"),
        ("no_proof", {"devices": ["scanner-1"], "since": None}, "No proof; Scanner may hold unsent records"),
        ("not_visited", {"visited": 0, "of": 2}, "None of 2 checkpoints visited"),
        ("completed_late", {"by_s": 754.0}, "Completed 13 min late"),
        ("completed_late", {"by_s": 40}, "Completed 40 s late"),
        ("no_answer", {"calls": 2}, "Called 2 ×, no answer"),
        ("report", {"category": "fire", "text": "{smoke} 50%"}, "Reported (fire): {smoke} 50%"),
        ("could_not_deliver", {"channel": "phones", "error": "http_403", "waiting": 0},
         "Channel phones delivers nothing: http_403; 0 waiting"),
        ("eaten_by_dog", {"devices": ["scanner-1"], "ago_s": 30}, "eaten_by_dog · devices: Scanner · ago_s: 30 s"),
        ("eaten_by_dog", {}, "eaten_by_dog"),
    ],
)  # fmt: skip
def test_a_reason_is_said_with_its_parameters(code: str, params: dict[str, Any], said: str) -> None:
    assert words("en").reason({"code": code, "params": params}) == said


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.sampled_from([*templates("zh")["reason"], "eaten_by_dog"]),
    st.dictionaries(
        st.sampled_from(["devices", "since", "at", "by_s", "missing", "of", "text", "lane", "x"]), json_values
    ),
    st.sampled_from([*NoticeKind, "sung"]),
    st.sampled_from([*AlertKind, "eaten"]),
)
def test_no_code_and_no_parameter_is_an_obstacle(
    code: str, params: dict[str, Any], kind: str, about: str
) -> None:
    for language in LANGUAGES:
        said = notice(kind, alert(kind=about, reason={"code": code, "params": params}))
        assert words(language).title(said) and words(language).body(said)


# -- every code


def codes_of_reasons() -> set[str]:
    """The codes of the tables of verdicts and alerts in the page of reasons; not what nobody is told of."""
    found = set()
    section, header = "", ""
    for line in REASONS.read_text("utf-8").splitlines():
        if line.startswith("## "):
            section, header = line[3:], ""
        elif line.startswith("| code"):
            header = line
        elif not line.startswith("|"):
            header = ""
        elif header and section not in ("Findings", "Left over in the gate ledger"):
            found |= set(re.findall(r"`([a-z_]+)`", line.split("|")[1]))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words(language: str) -> None:
    known = templates(language)
    assert {"no_proof", "not_called", "forced", "could_not_deliver"} <= codes_of_reasons()
    assert codes_of_reasons() - set(known["reason"]) == set()
    assert set(known["kind"]) == set(known["do"]) == {kind.value for kind in AlertKind}
    assert set(known["title"]) == {kind.value for kind in NoticeKind}
    assert set(known["severity"]) == {severity.value for severity in Severity}


def leaves(of: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    if isinstance(of, dict):
        for name, inner in of.items():
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path, set(re.findall(r"{(\w+)}", of))


def test_the_languages_have_the_same_templates_with_the_same_parameters() -> None:
    first, *others = [dict(leaves(templates(language))) for language in LANGUAGES]
    for other in others:
        assert other == first


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reason_uses_the_parameters_that_it_is_chosen_for(language: str) -> None:
    for code, variants in templates(language)["reason"].items():
        for variant, text in variants.items():
            wanted = set() if variant == "_" else set(variant.split("+")) - {"settled"}
            assert wanted == set(re.findall(r"{(\w+)}", text)), f"{code} {variant}"
