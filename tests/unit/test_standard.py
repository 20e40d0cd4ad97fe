"""The duty standard: the file that is shipped, what is refused in one, and what it says of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.sitefile import SiteFileError, parse
from gateway.sitefile.coverage import State, apply, coverage
from gateway.sitefile.standard import Proof, load_standard, parse_standard
from tests.unit.court import COURT

ROOT: Final = Path(__file__).parents[2]
SHIPPED: Final = ROOT / "deploy" / "standards" / "residential-cn.yaml"
RIVERSIDE: Final = ROOT / "deploy" / "sites" / "riverside.yaml"
CORE: Final = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "core_clauses.tsv").read_text(encoding="utf-8").splitlines()[1:]
]

RULES = """\
standard: house
name: {zh: 家规, en: House rules}
entries:
  - {id: hourly, area: patrol, clause: "A 1", figure: hourly, name: 巡, asks: 巡, proof: round, duty: {every: 60min}}
  - {id: calls, area: radio, clause: "A 2", name: 呼, asks: 呼, proof: radio_check,
     duty: {posts: all, every: 30min, during: night}}
  - {id: weekly, area: papers, clause: "A 3", name: 签, asks: 签, proof: record,
     duty: {times: 1, per: week, by: guard, signatures: 2}}
  - {id: chain, area: papers, clause: "A 4", name: 存, asks: 存, proof: retention, proved_by: 哈希链}
  - {id: book, area: gate, clause: "A 5", name: 账, asks: 账, proof: ledger, proved_by: 台账, later: true}
"""


def rules(*changes: tuple[str, str]) -> str:
    text = RULES
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def states(site: str) -> dict[str, tuple[str, str]]:
    found = coverage(parse_standard(RULES, "rules.yaml"), parse(site, "court.yaml"))
    return {each.entry.id: (each.state.value, each.why) for each in found}


def cited(*changes: tuple[str, str]) -> str:
    text = COURT.replace('"5.4.6.1"', '"A 1"').replace("figure: each half hour", 'clause: "2"')
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


# -- the shipped one


def test_every_core_clause_is_in_the_shipped_standard_with_its_figure() -> None:
    there = sorted((entry.clause, entry.figure) for entry in load_standard(SHIPPED).entries)
    for row in CORE:
        assert row in there
        there.remove(row)  # type: ignore[arg-type]
    assert {clause for clause, _ in there} == {"篇4 5.2.13", "篇4 5.1.3"}  # a muster and a fire drill


def test_the_shipped_standard_speaks_both_languages() -> None:
    for entry in load_standard(SHIPPED).entries:
        words = [entry.name, entry.asks] + ([entry.proved_by] if entry.proved_by else [])
        assert all(each.keys() == {"zh", "en"} for each in words), entry.id


def test_what_the_gate_ledger_does_not_prove_yet_says_that_it_comes_later() -> None:
    proved = [entry for entry in load_standard(SHIPPED).entries if entry.proof is Proof.LEDGER]
    assert [entry.id for entry in proved if entry.later] == ["slip-content", "keys"]


def test_riverside_with_the_standard_applied_is_a_right_site_and_misses_only_what_needs_a_person() -> None:
    standard = load_standard(SHIPPED)
    before = RIVERSIDE.read_text(encoding="utf-8")
    applied = apply(standard, before, "riverside.yaml")
    plan = parse(applied.text, "riverside.yaml")
    assert {duty.id for duty in plan.duties} == {duty.id for duty in parse(before, "r").duties} | set(
        applied.added
    )
    assert {"two-signatures", "shift-summary"} <= set(applied.added)
    assert not {"weekly-check", "night-radio"} & set(applied.added)  # riverside has them
    missing = [each.entry for each in coverage(standard, plan) if each.state is State.MISSING]
    assert all(entry.asked is None for entry in missing)
    assert len(applied.by_hand) == len(missing)
    assert [line for line in before.splitlines() if line not in applied.text.splitlines()] == []
    assert apply(standard, applied.text, "riverside.yaml").text == applied.text


# -- reading


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("proof: round", "proof: rounds"), 'rules.yaml:4: entries[0] "hourly": proof is "rounds"'),
        (("id: calls", "id: hourly"), 'the id "hourly" is given twice, first in line 4'),
        (("every: 60min", "every: 60"), 'rules.yaml:4: entries[0] "hourly": duty.every is "60"'),
        (("{every: 60min}", "{posts: all, every: 60min}"), "posts does not belong here"),
        ((", proved_by: 哈希链", ""), 'rules.yaml:9: entries[3] "chain": proved_by is missing'),
        (("proof: retention", "proof: retention, duty: {times: 1, per: day}"), "duty does not belong here"),
        (("later: true", "later: yes"), 'later is "yes"; expected true or false'),
        (("posts: all", "posts: some"), "a standard knows no post by its id"),
        (("standard: house\n", ""), "standard is missing"),
        (("area: patrol", "aera: patrol"), "(did you mean area?)"),
    ],
)
def test_is_refused_with_its_line(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(SiteFileError) as caught:
        parse_standard(rules(change), "rules.yaml")
    assert complaint in str(caught.value)


def test_a_site_file_is_no_standard() -> None:
    with pytest.raises(SiteFileError):
        parse_standard(COURT, "court.yaml")
    with pytest.raises(SiteFileError, match="expected a standard"):
        parse_standard("", "empty.yaml")


# -- a site against it


def test_a_clause_is_met_by_the_duty_that_cites_it() -> None:
    assert states(cited()) == {
        "hourly": ("met", ""),
        "calls": ("met", ""),
        "weekly": ("missing", ""),
        "chain": ("gateway", ""),
        "book": ("later", ""),
    }


def test_one_duty_may_cite_several_clauses() -> None:
    both = cited(('clause: "A 1"', 'clause: "9.9; A 1"'))
    assert states(both)["hourly"] == ("met", "")
    assert states(cited(('clause: "A 1"', 'clause: "A 11"')))["hourly"] == ("missing", "")


@pytest.mark.parametrize(
    ("change", "entry", "why"),
    [
        (("every: 60min, grace: 5min", "every: 90min"), "hourly", "every 90min, where every 1h is asked"),
        (
            ("every: 60min, grace: 5min", "times: 1, per: shift"),
            "hourly",
            "1 per shift, where every 1h is asked",
        ),
        (
            ("every: 60min, grace: 5min", 'at: ["01:00", "13:00"], duration: 40min'),
            "hourly",
            "at 01:00, 13:00, where every 1h is asked",
        ),
        (
            ("every: 60min, grace: 5min", "every: 60min, during: day"),
            "hourly",
            "only during day, where always is asked",
        ),
        (("posts: all", "posts: [east-gate]"), "calls", "without patrol-1, where every post is asked"),
        (("during: night", "during: day"), "calls", "only during day, where night is asked"),
    ],
)
def test_what_asks_less_than_the_figure_is_weaker(change: tuple[str, str], entry: str, why: str) -> None:
    assert states(cited(change))[entry] == ("weaker", why)


@pytest.mark.parametrize(
    ("signing", "why"),
    [
        ("by: guard, times: 1, per: week", "1 signature, where 2 are asked"),
        ("signatures: 2, times: 1, per: week", "by anybody, where guard is asked"),
        ("signatures: 2, times: 1, per: month, by: guard", "1 per month, where 1 per week is asked"),
    ],
)
def test_a_record_that_asks_less_is_weaker(signing: str, why: str) -> None:
    guards = ("people:\n", "people:\n  - {id: zhang, name: 张敏, role: guard}\n")
    duty = ("duties:\n", f'duties:\n  - {{id: w, kind: record, clause: "A 3", {signing}}}\n')
    assert states(cited(guards, duty))["weekly"] == ("weaker", why)


# -- adding what is missing


def applied(site: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    found = apply(parse_standard(RULES, "rules.yaml"), site, "court.yaml")
    return found.text, found.added, found.by_hand


def test_what_the_site_can_owe_is_added_behind_its_last_duty() -> None:
    guards = ("people:\n", "people:\n  - {id: zhang, name: 张敏, role: guard}\n")
    text, added, by_hand = applied(cited(guards))
    assert (added, by_hand) == (("weekly",), ())
    lines = text.splitlines()
    assert lines.index("escalation:") == next(n for n, line in enumerate(lines) if "weekly" in line) + 1


def test_what_the_site_cannot_owe_yet_is_left_to_a_person() -> None:
    text, added, by_hand = applied(COURT)
    assert added == ("calls",)
    assert by_hand == (
        "A 1 hourly: a round that needs a route, every 1h",
        "A 3 weekly: needs 2 of the site's people with the role guard",
    )
    assert "#   A 1 hourly: a round that needs a route" in text


def test_a_site_without_duties_gets_a_list_of_them() -> None:
    bare = COURT[: COURT.index("duties:")]
    assert applied(bare)[1] == ("calls",)


def test_a_list_of_duties_in_one_line_is_written_anew() -> None:
    flow = (
        COURT[: COURT.index("duties:")] + "duties: [{id: t, kind: round, route: tour, times: 1, per: day}]\n"
    )
    text, added, _ = applied(flow)
    assert added == ("calls",)
    assert [duty.id for duty in parse(text, "t").duties] == ["t", "calls"]


# -- the commands


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["standard", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_the_commands_tell_and_print(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "court.yaml").write_text(cited(), "utf-8")
    code, said = run("check", tmp_path / "rules.yaml")
    assert (code, "house, 5 entries" in said) == (0, True)
    code, said = run("check", tmp_path / "rules.yaml", tmp_path / "court.yaml")
    assert (code, "met      A 1  hourly: hourly" in said) == (0, True)
    code, said = run("apply", SHIPPED, RIVERSIDE)
    assert (code, "id: two-signatures" in said) == (0, True)


def test_a_mistake_of_a_user_ends_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules(("proof: round", "proof: walk")), "utf-8")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    for arguments, status in [
        (("check", tmp_path / "rules.yaml"), 1),
        (("check", tmp_path / "nowhere.yaml"), 1),
        (("check", SHIPPED, tmp_path / "nowhere.yaml"), 1),
        (("apply", SHIPPED, tmp_path / "bytes.yaml"), 1),
        (("apply", SHIPPED), 2),
    ]:
        code, said = run(*arguments)
        assert code == status, said
        assert "rror" in said
