"""Law 1: the core is pure. And the arrows between packages point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parents[2] / "gateway"

PURE = frozenset(
    (
        "__future__",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "string",
        "types",
        "typing",
        "unicodedata",
        "zlib",
        "zoneinfo",
    )
)
"""Modules of the standard library that a calculation may use. `zoneinfo` reads rules, which are the same anywhere."""

IMPURE = ("asyncio", "threading", "sqlite3", "socket", "subprocess", "selectors", "logging")

CLOCKS = frozenset(
    {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"}
)
FILES = frozenset({"open", "input", "print", "exec", "eval", "__import__"})

MAY_KNOW = {
    "domain": set(),
    "clock": set(),
    "instants": set(),
    "sitefile": {"domain", "instants"},
    "store": {"domain", "instants"},
    "shapes": {"domain", "instants"},
    "ingest": {"clock", "domain", "instants", "store"},
    "decode": {"ingest"},
    "ledger_shapes": {"domain", "instants", "shapes"},
    "register": {"domain", "ledger_shapes", "store"},
    "desk": {"domain", "ingest", "instants", "register", "shapes", "store"},
    "engine": {"clock", "desk", "domain", "ingest", "instants", "shapes", "store"},
    "acts": {"domain", "engine", "ingest", "instants", "shapes", "store"},
    "gate_acts": {"acts", "domain", "engine", "ledger_shapes", "register", "store"},
    "web": {"acts", "clock", "desk", "domain", "engine", "gate_acts", "ingest", "instants", "ledger_shapes",
            "register", "service", "settings", "shapes", "sitefile", "store"},
    "notify": {"clock", "domain", "engine", "instants", "shapes", "store"},
    "retention": {"clock", "store"},
    "doctor": {"ingest", "links", "notify", "retention", "settings", "sitefile", "store"},
    "replay": {"desk", "domain", "instants", "shapes", "sitefile", "store"},
    "settings": {"clock"},
    "links": {"domain", "ingest", "sitefile"},
    "service": {"clock", "desk", "domain", "engine", "ingest", "links", "notify", "retention", "settings", "sitefile",
                "store"},
}  # fmt: skip
"""Which parts of the gateway a part may import. Those that are not named put others together, and nobody knows them."""

PUTS_TOGETHER = {"cli", "demo"}
OWN_PROCESS = {"remote"}  # asks a running service over HTTP, and knows nothing of how that works


def sources(part: str) -> list[Path]:
    """The files of a package or of a single module."""
    found = sorted((GATEWAY / part).rglob("*.py")) or [GATEWAY / f"{part}.py"]
    assert all(path.is_file() for path in found), part
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each module that a file imports, wherever in the file it does so."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            yield node.lineno, node.module or ""
            if node.module == "gateway":
                yield from ((node.lineno, f"gateway.{alias.name}") for alias in node.names)


def test_the_core_imports_itself_and_what_calculates_and_nothing_else() -> None:
    strangers = [
        f"{path.relative_to(GATEWAY)}:{line} imports {name}"
        for path in sources("domain")
        for line, name in imports(path)
        if name.partition(".")[0] not in PURE and not name.startswith("gateway.domain")
    ]
    assert strangers == []


def test_loading_the_core_loads_no_event_loop_no_database_and_no_network() -> None:
    inside = (path.relative_to(GATEWAY.parent).with_suffix("") for path in sources("domain"))
    modules = [".".join(path.parts) for path in inside if path.name != "__init__"]
    script = f"import sys, {', '.join(modules)}; print(*sorted(set({IMPURE!r}) & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=GATEWAY.parent, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_the_core_asks_no_clock_and_opens_no_file() -> None:
    calls = []
    for path in sources("domain"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in FILES | {"Path"}:
                calls.append(f"{path.name}:{node.lineno} {called.id}")
            if isinstance(called, ast.Attribute) and called.attr in CLOCKS | FILES:
                calls.append(f"{path.name}:{node.lineno} {ast.unparse(called)}")
    assert calls == []


def test_the_core_keeps_nothing_between_calls_in_global_variables() -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in sources("domain")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Global)
    ]
    assert found == []


@pytest.mark.parametrize("part", MAY_KNOW)
def test_arrows_point_one_way(part: str) -> None:
    known = set()
    for path in sources(part):
        for _, name in imports(path):
            first, _, rest = name.partition(".")
            assert first != "checkpoint_firmware_sim", f"{path}: the simulator is no part of the service"
            if first == "gateway" and rest:
                known.add(rest.partition(".")[0])
    assert known - {part} <= MAY_KNOW[part]


def test_every_part_of_the_gateway_has_its_place() -> None:
    parts = {path.stem for path in GATEWAY.glob("*.py")} | {
        path.parent.name for path in GATEWAY.glob("*/__init__.py")
    }
    assert parts - {"__init__", "gateway"} == set(MAY_KNOW) | PUTS_TOGETHER | OWN_PROCESS


def test_the_mqtt_code_knows_nothing_of_records_stores_and_plans() -> None:
    known = {
        name
        for path in sources("ingest/mqtt")
        for _, name in imports(path)
        if name.startswith("gateway.") and not name.startswith("gateway.ingest.mqtt")
    }
    assert known <= {"gateway.clock", "gateway.ingest.delivery"}
