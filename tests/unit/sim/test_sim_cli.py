"""The command: what people get when something is wrong, and scoring over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from checkpoint_firmware_sim.cli import main
from checkpoint_firmware_sim.scenario import Scenario
from checkpoint_firmware_sim.times import HOUR
from checkpoint_firmware_sim.truth import writing_to
from gateway.instants import rfc3339
from gateway.sitefile import dump, parse
from tests.unit.sim.small_site import EVENING, HOURLY, site
from tests.unit.sim.workbench import play

RIVERSIDE = Path(__file__).parents[3] / "deploy" / "sites" / "riverside.yaml"


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", [[], ["run"], ["score"], ["osdp"]])
def test_every_command_has_help(name: list[str]) -> None:
    result = command(*name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage:")


@pytest.mark.parametrize(
    ("arguments", "why", "code"),
    [
        (["osdp", "--port", "line", "1=beef"], "a key is 32 hex digits", 2),
        (["osdp", "--port", "line", "127=none"], "an address from 0 to 126", 2),
        (["osdp", "--port", "line"], "Missing argument", 2),
        (["run", "nowhere.yaml", "--site", RIVERSIDE], "nowhere.yaml: No such file", 1),
        (["run", "demo", "--site", "nowhere.yaml"], "nowhere.yaml: No such file", 1),
        (["run", "demo", "--site", __file__], "test_sim_cli.py", 1),
        (["run", "demo", "--site", RIVERSIDE, "--broker", "localhost"], "write mqtt://", 2),
        (["run", "demo", "--site", RIVERSIDE, "--clock", "now"], "start,anchor,speed", 2),
        (["run", "demo", "--site", RIVERSIDE, "--clock", "1,2,3", "--speed", "4"], "leave out --speed", 2),
        (["run", "demo", "--site", RIVERSIDE, "--truth", "/nowhere/truth"], "No such file", 1),
        (["score", "--truth", "nowhere.jsonl"], "nowhere.jsonl: No such file", 1),
        (["score", "--truth", __file__], "line 1 of the truth log is not JSON", 1),
    ],
)
def test_a_mistake_is_told_in_words(arguments: list[object], why: str, code: int) -> None:
    result = command(*arguments)
    assert result.exit_code == code
    assert why in result.output
    assert "Traceback" not in result.output


def test_a_scenario_for_another_site_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "small.yaml"
    other.write_text(dump(site()))
    result = command("run", "demo", "--site", other)
    assert result.exit_code == 1
    assert "the scenario is for the site riverside, the site file is of small" in result.output


class FakeGateway(BaseHTTPRequestHandler):
    """Answers the reading calls with what the test has put there."""

    occurrences: list[dict[str, Any]] = []  # noqa: RUF012  # the test's, for as long as the server lives
    asked: list[dict[str, list[str]]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.asked.append(parse_qs(parts.query))
        answer = self.occurrences if parts.path == "/api/rounds" else []
        body = json.dumps(answer).encode()
        self.send_response(200 if parts.path.startswith("/api/") else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def api() -> Iterator[str]:
    """The address of a fake gateway."""
    FakeGateway.occurrences, FakeGateway.asked = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeGateway)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The truth of two hours in which one hourly round was owed and walked in time."""
    path = tmp_path / "truth.jsonl"
    plan = site(HOURLY)
    _, lines = play(plan, Scenario(start=21 * 60 + 50, duration=2 * HOUR - 1000, traffic_per_hour=0))
    lines[0]["site_file"] = dump(plan)
    with path.open("w") as file:
        for line in lines:
            writing_to(file)(line)
    return path


def occurrence(opens: int, due: int, verdict: str) -> dict[str, Any]:
    return {"id": "hourly@1", "duty": "hourly", "subject": "garage", "verdict": verdict} | {
        "opens_at": rfc3339(opens),
        "due_at": rfc3339(due),
    }


def test_scoring_asks_the_gateway_and_writes_the_counts(api: str, truth: Path, tmp_path: Path) -> None:
    FakeGateway.occurrences = [occurrence(EVENING, EVENING + 65 * 60_000, "on_time")]
    counts = tmp_path / "counts.json"
    result = command(
        "score", "--truth", truth, "--api", api, "--json", counts, "--until", "2026-11-23T15:00:00Z"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(counts.read_text())["right"] == 1
    assert FakeGateway.asked[0]["site"] == ["small"]
    assert FakeGateway.asked[0]["from"] == ["2026-11-23T13:50:00.000Z"]


def test_a_false_accusation_makes_scoring_fail(api: str, truth: Path) -> None:
    FakeGateway.occurrences = [occurrence(EVENING, EVENING + 65 * 60_000, "missed")]
    result = command("score", "--truth", truth, "--api", api, "--until", "2026-11-23T15:00:00Z")
    assert result.exit_code == 1
    assert "false missed: hourly@1" in result.output


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("localhost:8080", "write http://"),
        ("{api}/x", "answered 404"),
    ],
)
def test_a_gateway_that_cannot_be_asked_is_named(api: str, truth: Path, address: str, why: str) -> None:
    result = command("score", "--truth", truth, "--api", address.format(api=api))
    assert result.exit_code == 1
    assert why in result.output


def test_a_truth_without_its_site_file_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"what": "scenario", "at": "2026-11-23T13:50:00Z", "from": "2026-11-23T13:50:00Z"}\n')
    result = command("score", "--truth", path)
    assert result.exit_code == 1
    assert "--site" in result.output


def test_the_small_site_is_a_valid_site_file() -> None:
    assert parse(dump(site()), "small").duties == site().duties
