"""The documents say what the code does: its codes, its settings, its dependencies, and links that lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import main, run
from gateway.domain.alert import AlertKind
from gateway.domain.barrier import _RAISES
from gateway.domain.ledger.entries import CODES
from gateway.service import Service
from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore
from gateway.tokens import Right, Role

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

# -- codes ---------------------------------------------------------------------------------------------------


def sources(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (ROOT / "gateway" / part).rglob("*.py"))


def calls_of(path: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def strings_in(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def codes_in_variables(path: Path) -> Iterator[str]:
    """Codes that reach `Reason` as `code`: assigned to it, or returned between a verdict and the parameters."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id == "code":
                value = node.value
                for part in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                    yield from strings_in(part)
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3:
            verdict, code = node.elts[:2]
            if ast.unparse(verdict).startswith("Verdict.") and isinstance(code, ast.Constant):
                yield str(code.value)


def words_of_code(page: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", (DOCS / page).read_text(encoding="utf-8")))


def first_strings(paths: list[Path], *names: str) -> set[str]:
    found = set()
    for path in paths:
        for call in calls_of(path, *names):
            if call.args and isinstance(call.args[0], ast.Constant):
                found.add(str(call.args[0].value))
    return found


def test_every_reason_and_finding_is_explained() -> None:
    codes = first_strings(sources("domain"), "Reason", "Finding")
    codes |= set(codes_in_variables(ROOT / "gateway" / "domain" / "assess.py"))
    codes |= {event.value for event in _RAISES}
    assert {"no_proof", "not_visited", "completed_late", "leg_too_fast", "report"} <= codes
    assert codes - words_of_code("reasons.md") == set()


def test_whatever_can_be_left_over_in_the_gate_ledger_is_explained_and_has_words() -> None:
    written = {
        node.value
        for path in sources("domain/ledger")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in CODES and path.name != "entries.py"
    }
    assert written == set(CODES)
    assert set(CODES) - words_of_code("reasons.md") == set()
    for language in ("zh", "en"):
        locale = ROOT / "dashboard" / "src" / "locales" / f"{language}.json"
        assert set(json.loads(locale.read_text(encoding="utf-8"))["leftover"]) == set(CODES)


def test_every_kind_of_alert_and_line_of_its_history_is_explained() -> None:
    words = {kind.value for kind in AlertKind}
    for path in sources("domain"):
        for call in calls_of(path, "AlertEvent"):
            assert isinstance(call.args[1], ast.Constant)
            words.add(str(call.args[1].value))
    assert {"opened", "withdrawn"} <= words
    assert words - words_of_code("reasons.md") == set()


def test_every_reason_of_the_quarantine_is_explained() -> None:
    reasons = first_strings(sources("ingest"), "RefusedError")
    assert {"unknown_tag", "time_unknown", "array_too_long"} <= reasons
    assert reasons - words_of_code("wire.md") == set()


def test_every_member_of_a_record_is_explained() -> None:
    members = set()
    tree = ast.parse((ROOT / "gateway" / "ingest" / "records.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Record"):
            members |= {ast.unparse(each.target) for each in node.body if isinstance(each, ast.AnnAssign)}
    members = {"pass" if member == "pass_no" else member for member in members}
    assert {"sent_mono", "high_seq", "plate", "photo"} <= members
    assert members - words_of_code("wire.md") == set()


# -- settings, commands, dependencies ------------------------------------------------------------------------


def test_the_settings_of_the_readme_are_those_of_run() -> None:
    table = {}
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `PATROL_"):
            name, option, default, _ = (cell.strip() for cell in line.strip("|").split("|", 3))
            table[name.strip("`")] = (option.strip("`"), default.strip("`"))
    expected = {}
    for parameter in run.params:
        assert isinstance(parameter, click.Option)
        if not parameter.hidden:
            default = parameter.default
            shown = str(default) if isinstance(default, str | Path) else "none"
            expected[str(parameter.envvar)] = (parameter.opts[0], shown)
    assert table == expected


def test_the_commands_in_the_documents_exist() -> None:
    known = set()

    def walk(group: click.Group, words: tuple[str, ...]) -> None:
        for name, command in group.commands.items():
            known.add((*words, name))
            if isinstance(command, click.Group):
                walk(command, (*words, name))

    walk(main, ())
    first = {words[0] for words in known}
    groups = {words[0] for words in known if len(words) == 2}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("    "):
                found = re.findall(r"(?:^|\s|bin/)patrol-gateway ([a-z]+)(?: ([a-z-]+))?", line)
            else:
                found = re.findall(r"`patrol-gateway ([a-z]+)(?: ([a-z-]+))?", line)
            for words in found:
                assert words[0] in first, f"{page.name}: {line}"
                assert words[0] not in groups or not words[1] or words in known, f"{page.name}: {line}"


def test_every_dependency_earns_its_place() -> None:
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    listed = {match.lower() for match in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"].get("optional-dependencies", {}).values():
        wanted += extra
    for group in project["dependency-groups"].values():
        wanted += [each for each in group if isinstance(each, str)]
    names = {re.split(r"[\[<>=!~ ;]", each)[0].lower() for each in wanted}
    package = json.loads((ROOT / "dashboard" / "package.json").read_text(encoding="utf-8"))
    names |= {name.lower() for name in package["dependencies"]}
    assert names - listed == set()


# -- links ---------------------------------------------------------------------------------------------------


def slug(heading: str) -> str:
    """The anchor that GitHub and others give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(line.lstrip("#")) for line in page.read_text("utf-8").splitlines() if re.match(r"#+ ", line)}


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = document if not path else (document.parent / path).resolve()
        assert found.exists(), f"{document.name}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{document.name}: {target}"


# -- the device of docs/wire.md ------------------------------------------------------------------------------


async def test_the_device_in_the_wire_protocol_gets_its_scans_stored(tmp_path: Path) -> None:
    example = (DOCS / "wire.md").read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'store.sqlite'}",
        broker="embedded://127.0.0.1:0",
        sites=(ROOT / "deploy" / "sites" / "smallest.yaml",),
        data=tmp_path,
    )
    async with Service(settings) as service:
        assert service.endpoint is not None
        program = tmp_path / "scanner.py"
        program.write_text(example.replace("1883", str(service.endpoint.port)), encoding="utf-8")
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, program],
            input="04A1B2C3D4E580\n04DE5F1EACC080\n",
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    try:
        kinds = [row.type for _, row in await store.facts("smallest", 0, 2**62)]
        assert kinds.count("scan") == 2
        assert await store.quarantine() == []
    finally:
        await store.close()


# -- security ------------------------------------------------------------------------------------------------


def test_each_line_of_the_threat_model_has_a_test_that_exists() -> None:
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if re.match(r"\| [IV]\d", line)]
    assert len(lines) >= 20
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line)
        assert named, line
        for name in named:
            assert f"def {name}(" in sources, name


def test_the_roles_of_the_page_are_those_of_the_code() -> None:
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (?:and )?`(\w+)` \|", page, re.MULTILINE)
    assert told == [(role.value, right.value) for role, right in zip(Role, Right, strict=True)]
