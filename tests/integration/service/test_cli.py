"""The command `patrol-gateway`, as a person uses it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import paho.mqtt.publish as paho_publish
import psutil
import pytest

from gateway import sitefile
from gateway.clock import SYSTEM_CLOCK
from gateway.store.port import Commit
from gateway.store.sqlite import SqliteStore
from tests.integration.service.broker import free_port
from tests.integration.service.process import PROGRAM, Ended, Gateway, command, environment
from tests.integration.service.yard import ENROLLED, NEW_TAG, SHED, YARD, encode, record, stored, until
from tests.unit.store.backends import alert, fact, verdict


def check_refusal(ended: Ended, *words: str) -> None:
    """A user's mistake ends with one line that says what is wrong, and with no traceback."""
    assert ended.code in (1, 2), ended
    assert "Traceback" not in ended.text, ended
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ended
    message = ended.err[ended.err.index("Error: ") :]
    if ended.code == 1:
        assert ended.err == message, ended
    for word in words:
        assert re.search(word, message), f"{word!r} is not in {message!r}"


async def run(folder: Path, **settings: str) -> Ended:
    """`patrol-gateway run` with these settings, which should not start."""
    defaults = {
        "PATROL_DATABASE": f"sqlite:///{folder}/patrol.sqlite",
        "PATROL_DATA": str(folder),
        "PATROL_HTTP": f"127.0.0.1:{free_port()}",
        "PATROL_BROKER": f"embedded://127.0.0.1:{free_port()}",
        "PATROL_LOG_LEVEL": "warning",
    }
    return await command("run", cwd=None, **(defaults | settings))


# -- a whole night, that is played while the other commands are tried


class Night:
    """`patrol-gateway demo --exit-at-end`, as fast as it can be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = ("--http", f"127.0.0.1:{free_port()}", "--mqtt", f"embedded://127.0.0.1:{free_port()}")
        words = [*PROGRAM, "demo", "--speed", "300", "--exit-at-end", "--data", str(folder), *ports]
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                words, env=environment({}), stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def said(self, where: str = "out") -> str:
        return (self.folder / where).read_text()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    found = Night(tmp_path_factory.mktemp("night"))
    yield found
    if found.process.poll() is None:
        found.process.terminate()
        found.process.wait(15)


async def test_a_night_begins_with_the_address_of_its_dashboard(night: Night) -> None:
    await until(lambda: "Dashboard: http://127.0.0.1:" in night.said())
    assert "(300 times real time; Ctrl-C ends it)" in night.said()


# -- help


async def test_the_help_of_run_names_each_setting_with_its_variable() -> None:
    ended = await command("run", "--help")
    assert ended.code == 0
    for name in ("DATABASE", "HTTP", "BROKER", "SITES", "DATA", "LOG_LEVEL", "CONFIG"):
        assert f"PATROL_{name}" in re.sub(r"\s+", "", ended.out), name


@pytest.mark.parametrize(
    "words",
    [[], ["run"], ["demo"], ["verify"], ["replay"], ["site"], ["site", "check"], ["site", "import"], ["site", "export"],
     ["site", "legs"],
     ["quarantine"], ["quarantine", "list"], ["quarantine", "replay"]],
    ids=" ".join,
)  # fmt: skip
async def test_every_command_has_help(words: list[str]) -> None:
    ended = await command(*words, "--help")
    assert (ended.code, ended.out.startswith("Usage: "), ended.err) == (0, True, "")


async def test_an_unknown_command_is_refused() -> None:
    check_refusal(await command("dance"), "dance")


# -- settings that are wrong

WRONG_SETTINGS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "another database": (
        {"PATROL_DATABASE": "mysql://u:hush@h/db"},
        ("PATROL_DATABASE", "sqlite:///path", "postgresql://user:password@host"),
    ),
    "a database without a path": ({"PATROL_DATABASE": "sqlite:///"}, ("PATROL_DATABASE",)),
    "no port for pages": ({"PATROL_HTTP": "localhost"}, ("PATROL_HTTP", "host:port")),
    "words for pages": ({"PATROL_HTTP": "all over the place"}, ("PATROL_HTTP",)),
    "a port that is none": ({"PATROL_HTTP": "127.0.0.1:99999"}, ("PATROL_HTTP",)),
    "an endpoint without a port": ({"PATROL_BROKER": "embedded://127.0.0.1"}, ("PATROL_BROKER",)),
    "a broker of another kind": (
        {"PATROL_BROKER": "http://127.0.0.1:1883"},
        ("http://127.0.0.1:1883|mqtt://",),
    ),
    "an address of another machine": ({"PATROL_BROKER": "embedded://192.0.2.1:1883"}, (r"192\.0\.2\.1",)),
    "another level": ({"PATROL_LOG_LEVEL": "loud"}, ("loud",)),
    "a site file that is not there": ({"PATROL_SITES": "/nowhere/site.yaml"}, (r"/nowhere/site\.yaml",)),
    "a configuration that is not there": (
        {"PATROL_CONFIG": "/nowhere/patrol.toml"},
        (r"/nowhere/patrol\.toml",),
    ),
    "a clock that is none": ({"PATROL_CLOCK": "noon"}, ("noon",)),
}


@pytest.mark.parametrize("what", WRONG_SETTINGS)
async def test_run_says_in_one_line_what_is_wrong_with(tmp_path: Path, what: str) -> None:
    settings, words = WRONG_SETTINGS[what]
    ended = await run(tmp_path, **settings)
    check_refusal(ended, *words)
    assert "hush" not in ended.text


@contextlib.contextmanager
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


async def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with busy_port() as port:
        check_refusal(
            await run(tmp_path, PATROL_HTTP=f"127.0.0.1:{port}"), str(port), "another program", "PATROL_HTTP"
        )
        check_refusal(
            await run(tmp_path, PATROL_BROKER=f"embedded://127.0.0.1:{port}"), str(port), "another program"
        )


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


async def test_a_broken_site_file_is_named_with_its_line(tmp_path: Path) -> None:
    lines = YARD.splitlines()
    place = next(n for n, line in enumerate(lines, 1) if "kind: console" in line)
    wrong = write(tmp_path / "wrong.yaml", YARD.replace("kind: console", "kind: teapot"))
    ended = await run(tmp_path, PATROL_SITES=str(wrong))
    check_refusal(ended, rf"wrong\.yaml:{place}", "teapot")
    no_yaml = write(tmp_path / "no.yaml", "site: [yard\n")
    check_refusal(await run(tmp_path, PATROL_SITES=str(no_yaml)), r"no\.yaml")
    check_refusal(
        await run(tmp_path, PATROL_SITES=str(write(tmp_path / "binary.yaml", b"\xff\xfe"))), r"binary\.yaml"
    )


async def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken.toml", "http = \n")
    check_refusal(await run(tmp_path, PATROL_CONFIG=str(broken)), r"broken\.toml", "line 1")
    unknown = write(tmp_path / "unknown.toml", 'htpp = "127.0.0.1:1"\n')
    check_refusal(await run(tmp_path, PATROL_CONFIG=str(unknown)), r"unknown\.toml", "htpp", "http")


async def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    diary = write(tmp_path / "diary.sqlite", "Dear diary, " * 1000)
    check_refusal(
        await run(tmp_path, PATROL_DATABASE=f"sqlite:///{diary}"), r"diary\.sqlite", "not a database"
    )
    check_refusal(await run(tmp_path, PATROL_DATABASE=f"sqlite:///{diary}/patrol.sqlite"), r"diary\.sqlite")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A running service."""
    found = Gateway(tmp_path, YARD, PATROL_LOG_LEVEL="warning")
    await found.start()
    try:
        yield found
    finally:
        assert found.process is not None
        if found.process.returncode is None:
            await found.stop()


async def test_a_second_process_on_the_same_database_is_refused(gateway: Gateway) -> None:
    second = await run(gateway.folder, PATROL_DATABASE=gateway.settings["PATROL_DATABASE"])
    check_refusal(second, "another patrol-gateway uses the database", "PATROL_DATABASE")
    assert (await gateway.get("/health"))["status"] == "ok"


async def test_several_site_files_are_loaded_and_a_configuration_file_is_read(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{site}.yaml", YARD.replace("site: yard", f"site: {site}"))
        for site in ("a", "b", "c")
    ]
    http = free_port()
    config = write(tmp_path / "patrol.toml", f'http = "127.0.0.1:{http}"\nlog_level = "warning"\n')
    gateway = Gateway(
        tmp_path, YARD, PATROL_SITES=f"{files[0]}:{files[1]},{files[2]}", PATROL_CONFIG=str(config)
    )
    del gateway.settings["PATROL_HTTP"]
    gateway.http, gateway.api = http, f"http://127.0.0.1:{http}"
    await gateway.start()
    assert [site["id"] for site in await gateway.get("/sites")] == ["a", "b", "c"]
    assert await gateway.stop() == 0


# -- verify


async def fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.commit(Commit(1, facts=[fact(1), fact(2)]))
    await store.commit(Commit(2, facts=[fact(3)], verdicts=[verdict("d@1")], alerts=[alert(1)]))
    await store.close()


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_verify_tells_a_good_database_from_a_changed_one(tmp_path: Path) -> None:
    path = tmp_path / "patrol.sqlite"
    await fill(path)
    good = await command("verify", "--database", f"sqlite:///{path}")
    assert (good.code, good.out, good.err) == (0, "2 commits; the chain holds.\n", "")
    tamper(path, "UPDATE facts SET occurred_at = occurred_at - 600000 WHERE seq = 2")
    bad = await command("verify", PATROL_DATABASE=f"sqlite:///{path}")
    assert bad.code == 1
    assert bad.out.startswith("commit 1: ")
    assert "The records were changed" in bad.out
    assert bad.err == ""


def contents(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_verify_of_nothing_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "missing.sqlite"
    check_refusal(
        await command("verify", "--database", f"sqlite:///{path}"), "there is no database", "PATROL_DATABASE"
    )
    assert contents(tmp_path) == []
    check_refusal(await command("verify", "--database", "mysql://h/db"), "PATROL_DATABASE")
    diary = write(tmp_path / "diary.sqlite", "Dear diary, " * 1000)
    check_refusal(await command("verify", "--database", f"sqlite:///{diary}"), "not a database")


async def test_a_running_service_can_be_verified(gateway: Gateway) -> None:
    ended = await gateway.verify()
    assert (ended.code, ended.out) == (0, "1 commits; the chain holds.\n")


# -- site files


async def test_site_check_says_what_is_in_a_good_file_and_where_a_bad_one_is_wrong(tmp_path: Path) -> None:
    good = await command("site", "check", write(tmp_path / "yard.yaml", YARD))
    assert (good.code, good.err) == (0, "")
    assert "yard, 2 duties, 1 routes, 2 checkpoints, 1 posts, 5 devices" in good.out
    wrong = YARD.replace("kind: console", "kind: teapot").replace(
        "every: 60min, clause", "every: soon, clause"
    )
    bad = await command("site", "check", write(tmp_path / "wrong.yaml", wrong))
    assert bad.code == 1
    assert bad.out == ""
    assert len(re.findall(r"wrong\.yaml:\d+", bad.err)) == 2
    assert "Traceback" not in bad.err
    check_refusal(await command("site", "check", tmp_path / "none.yaml"), r"none\.yaml")
    check_refusal(await command("site", "check", tmp_path), "directory")


async def test_a_plan_is_exported_changed_and_imported_into_a_running_service(
    gateway: Gateway, tmp_path: Path
) -> None:
    exported = await command("site", "export", "yard", PATROL_API=gateway.api)
    assert exported.code == 0
    assert sitefile.document(sitefile.parse(exported.out, "x")) == sitefile.document(
        sitefile.parse(YARD, "y")
    )
    changed = write(tmp_path / "new.yaml", ENROLLED)
    imported = await command("site", "import", changed, "--api", gateway.api)
    assert (imported.code, imported.err) == (0, "")
    assert re.fullmatch(r"yard: version 2 holds from \S+Z\n", imported.out)
    later = await command(
        "site", "import", changed, "--from", "2036-12-01T07:00:00+08:00", PATROL_API=gateway.api
    )
    assert later.out == "yard: version 3 holds from 2036-11-30T23:00:00.000Z\n"
    new_site = write(tmp_path / "other.yaml", YARD.replace("site: yard", "site: court"))
    assert (await command("site", "import", new_site, PATROL_API=gateway.api)).out.startswith(
        "court: version 1 "
    )
    assert NEW_TAG in (await command("site", "export", "yard", PATROL_API=gateway.api)).out


async def test_leg_times_are_asked_of_a_running_service(gateway: Gateway) -> None:
    nothing = await command("site", "legs", "yard", PATROL_API=gateway.api)
    assert (nothing.code, nothing.out) == (0, "# no round was walked in this time\n")
    check_refusal(await command("site", "legs", "yard", "--from", "soon", PATROL_API=gateway.api), "soon")
    check_refusal(await command("site", "legs", "court", PATROL_API=gateway.api), "no site 'court'")


async def test_what_a_running_service_does_not_take_is_told_in_its_words(
    gateway: Gateway, tmp_path: Path
) -> None:
    check_refusal(
        await command("site", "export", "nowhere", PATROL_API=gateway.api), "there is no site 'nowhere'"
    )
    file = write(tmp_path / "new.yaml", ENROLLED)
    past = await command("site", "import", file, "--from", "2020-01-01T00:00:00Z", PATROL_API=gateway.api)
    check_refusal(past, "past")
    check_refusal(await command("site", "import", file, "--from", "soon", PATROL_API=gateway.api), "soon")
    wrong = write(tmp_path / "wrong.yaml", YARD.replace("kind: console", "kind: teapot"))
    check_refusal(await command("site", "import", wrong, PATROL_API=gateway.api), "teapot")


@pytest.mark.parametrize(
    "words",
    [["site", "export", "yard"], ["site", "legs", "yard"], ["quarantine", "list"], ["quarantine", "replay"]],
    ids=" ".join,
)
async def test_without_a_running_service_it_is_said_that_none_answers(words: list[str]) -> None:
    ended = await command(*words, PATROL_API=f"http://127.0.0.1:{free_port()}")
    check_refusal(ended, "no answer from http://127", "patrol-gateway run")


async def test_a_service_that_is_no_address_is_refused() -> None:
    check_refusal(await command("quarantine", "list", PATROL_API="somewhere"), "somewhere")


# -- the quarantine


async def test_what_was_refused_is_listed_and_taken_in_once_its_cause_is_mended(
    gateway: Gateway, tmp_path: Path
) -> None:
    now = SYSTEM_CLOCK.now()
    topic = "patrol/v1/yard/scanner-1/up"
    payloads = [encode(record(1, at=now, tag=SHED)), encode(record(2, at=now, tag=NEW_TAG)), b'{"type": ']
    paho_publish.multiple(
        [(topic, payload, 1, False) for payload in payloads],
        hostname="127.0.0.1",
        port=gateway.mqtt,
        client_id="yard/scanner-1",
    )
    await until(lambda: len(stored(gateway.database, "SELECT id FROM quarantine")) == 2)
    listed = await command("quarantine", "list", PATROL_API=gateway.api)
    assert (listed.code, listed.err) == (0, "")
    lines = listed.out.splitlines()
    assert len(lines) == 2
    assert all(f"[{topic}]" in line and " 1 x " in line for line in lines)
    assert {"unknown_tag", "broken_json"} == {line.split()[3].rstrip(":") for line in lines}
    only = await command("quarantine", "list", "--reason", "unknown_tag", PATROL_API=gateway.api)
    assert NEW_TAG in only.out
    assert len(only.out.splitlines()) == 1
    assert (await command("quarantine", "replay", PATROL_API=gateway.api)).out == "0 taken in, 2 left\n"
    await command("site", "import", write(tmp_path / "new.yaml", ENROLLED), PATROL_API=gateway.api)
    again = await command("quarantine", "replay", "--reason", "unknown_tag", PATROL_API=gateway.api)
    assert (again.code, again.out) == (0, "1 taken in, 0 left\n")
    assert stored(gateway.database, "SELECT seq FROM facts ORDER BY seq") == [(1,), (2,)]
    assert len((await command("quarantine", "list", PATROL_API=gateway.api)).out.splitlines()) == 1
    assert (await gateway.verify()).code == 0


# -- the demonstration


def left_over(folder: Path) -> list[str]:
    """Processes that have to do with a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line and process.pid != os.getpid():
            found.append(line)
    return found


async def start_demo(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    ports = ("--http", f"127.0.0.1:{free_port()}", "--mqtt", f"embedded://127.0.0.1:{free_port()}")
    return await asyncio.create_subprocess_exec(
        *PROGRAM, "demo", "--data", str(folder), *ports, *arguments,
        env=environment({}), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def to_the_group(process: asyncio.subprocess.Process) -> None:
    os.killpg(process.pid, signal.SIGINT)


def to_the_process(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGINT)


def by_systemd(process: asyncio.subprocess.Process) -> None:
    process.terminate()


@pytest.mark.parametrize("stop", [to_the_group, to_the_process, by_systemd])
async def test_ctrl_c_ends_all_of_the_demonstration(
    tmp_path: Path, stop: Callable[[asyncio.subprocess.Process], None]
) -> None:
    demo = await start_demo(tmp_path, "--speed", "60")
    assert demo.stdout is not None
    async with asyncio.timeout(30):
        while b"Dashboard:" not in await demo.stdout.readline():
            assert demo.returncode is None
        truth = tmp_path / "truth.jsonl"
        await until(lambda: truth.exists() and truth.stat().st_size > 0)  # the simulated estate works
    assert len(left_over(tmp_path)) >= 2
    stop(demo)
    async with asyncio.timeout(10):
        _, err = await demo.communicate()
    assert (demo.returncode, err.decode()) == (0, "")
    assert left_over(tmp_path) == []


async def test_a_demonstration_takes_other_ports_where_its_own_are_busy(tmp_path: Path) -> None:
    with busy_port() as http, busy_port() as mqtt:
        demo = await asyncio.create_subprocess_exec(
            *PROGRAM, "demo", "--data", str(tmp_path), "--http", f"127.0.0.1:{http}",
            "--mqtt", f"embedded://127.0.0.1:{mqtt}",
            env=environment({}), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert demo.stdout is not None
        said = b""
        async with asyncio.timeout(30):
            while b"Dashboard:" not in said:
                said += await demo.stdout.readline()
                assert demo.returncode is None
        assert said.count(b"is busy; taking") == 2
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            _, err = await demo.communicate()
    assert (demo.returncode, err.decode()) == (0, "")


@pytest.mark.timeout(300)
async def test_the_night_is_played_to_its_end_and_scored_without_a_fault(night: Night) -> None:
    async with asyncio.timeout(270):
        code = await asyncio.to_thread(night.process.wait)
    out, err = night.said(), night.said("err")
    assert (code, err) == (0, ""), out + err
    score = out[out.index("The night is over") :]
    heads = re.split(r"\s{2,}", score.splitlines()[1].strip())
    total = dict(zip(heads, re.findall(r"\d+", score[score.index("total") :]), strict=True))
    assert int(total.pop("right")) > 100, score
    assert set(total.values()) == {"0"}, score
    assert {"false missed", "overlooked"} <= set(total), score
    assert left_over(night.folder) == []
    ended = await command("verify", "--database", f"sqlite:///{night.folder}/night.sqlite")
    assert ended.code == 0, ended
    window = ("--from", "2020-01-01T00:00:00Z", "--to", "2040-01-01T00:00:00Z")
    again = await command("replay", *window, "--database", f"sqlite:///{night.folder}/night.sqlite")
    assert (again.code, again.err) == (0, ""), again
    assert "0 different, 0 added, 0 gone" in again.out
