"""`doctor` finds what an installer gets wrong, and says what, where and what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.doctor import Found, Machine, examine, lines
from gateway.settings import Settings
from gateway.store.opening import open_store
from tests.postgres import PostgresServer
from tests.unit.court import COURT


class Well(Machine):
    """A machine on which all is well."""

    room, at, set_right = 50 << 30, 1_795_392_000.0, True

    def free(self, folder: Path) -> int:
        return self.room

    def now(self) -> float:
        return self.at

    def clock_is_set(self) -> bool:
        return self.set_right


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a good installation."""
    site = tmp_path / "court.yaml"
    site.write_text(COURT, encoding="utf-8")
    return Settings(
        database=f"sqlite:///{tmp_path}/data/patrol.sqlite",
        http=f"127.0.0.1:{free_port()}",
        broker=f"embedded://127.0.0.1:{free_port()}",
        sites=(site,),
        data=tmp_path / "data",
    )


def but(settings: Settings, **changes: object) -> Settings:
    kept = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    return Settings(**{**kept, **changes})


async def complaints(settings: Settings, machine: Machine | None = None) -> list[str]:
    return [f"{each.name}: {each.wrong}" for each in await examine(settings, machine or Well()) if each.wrong]


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_of_a_good_installation_nothing_is_wrong_and_nothing_is_made(
    settings: Settings, tmp_path: Path
) -> None:
    found = await examine(settings, Well())
    assert [each for each in found if each.wrong] == []
    assert {"database", "clock", "addresses", "time zones"} <= {each.name for each in found}
    assert contents(tmp_path) == ["court.yaml"]
    assert list(lines(found))[-1] == f"All {len(found)} are well."


async def test_a_database_that_a_gateway_holds_is_well(settings: Settings) -> None:
    store = await open_store(settings.database, alone=True)
    assert await complaints(settings) == []
    await store.close()


def test_a_line_says_ok_or_what_is_wrong() -> None:
    assert list(lines([Found("clock"), Found("disk", note="9 GB free"), Found("port", "it is not there")])) == [
        "ok: clock", "ok: disk (9 GB free)", "wrong: port: it is not there", "1 of 3 are wrong.",
    ]  # fmt: skip


async def test_a_full_disk_and_a_clock_that_nobody_sets_are_found(settings: Settings) -> None:
    machine = Well()
    machine.room, machine.set_right = 1 << 20, False
    found = await complaints(settings, machine)
    assert len(found) == 2
    assert "0.0 GB free" in found[0] and "make room" in found[0]
    assert found[1].startswith("clock: nothing keeps it right") and "timedatectl set-ntp true" in found[1]
    machine = Well()
    machine.at = 0.0
    assert "it was never set" in (await complaints(settings, machine))[0]


def test_the_real_machine_answers() -> None:
    machine = Machine()
    assert machine.free(Path("/")) >= 0 and machine.now() > 0 and machine.clock_is_set() in (True, False)


def wrong_database(settings: Settings, folder: Path) -> Settings:
    (folder / "diary.sqlite").write_text("Dear diary, " * 1000)
    return but(settings, database=f"sqlite:///{folder}/diary.sqlite")


def wrong_site(settings: Settings, folder: Path) -> Settings:
    (folder / "wrong.yaml").write_text(COURT.replace("Asia/Shanghai", "Asia/Shanghi"), encoding="utf-8")
    return but(settings, sites=(folder / "wrong.yaml",))


def links_of(settings: Settings, folder: Path, port: str) -> Settings:
    text = f'[[line]]\nport = "{port}"\nprotocol = "wiegand-text"\nsite = "court"\ndevice = "scanner-1"\n'
    (folder / "links.toml").write_text(text)
    return but(settings, links=folder / "links.toml")


def open_keys(settings: Settings, folder: Path) -> Settings:
    (folder / "keys.toml").write_text("")
    (folder / "keys.toml").chmod(0o644)
    return but(settings, tag_keys=folder / "keys.toml")


def open_channels(settings: Settings, folder: Path) -> Settings:
    (folder / "channels.toml").write_text("")
    (folder / "channels.toml").chmod(0o644)
    return but(settings, channels=folder / "channels.toml")


WRONG = {
    "no database": (wrong_database, "database: the database .*diary.sqlite cannot be written to: .*not a database"),
    "a database of no kind": (lambda s, f: but(s, database="mysql://h/d"), "database: PATROL_DATABASE: "),
    "a site file": (wrong_site, "site file .*wrong.yaml: .*did you mean Asia/Shanghai"),
    "a missing site file": (lambda s, f: but(s, sites=(f / "x.yaml",)), "site file .*x.yaml: .*No such file"),
    "keys that all may read": (open_keys, "tag keys: .*chmod 600"),
    "channels that all may read": (open_channels, "channels: .*chmod 640"),
    "an address of another machine": (
        lambda s, f: but(s, broker="embedded://192.0.2.1:1883"), "addresses: PATROL_BROKER: 192.0.2.1:1883: "
    ),
    "an address that is none": (lambda s, f: but(s, http="localhost"), "settings: PATROL_HTTP: 'localhost' is not"),
    "a broker that is off": (lambda s, f: but(s, broker="mqtt://127.0.0.1:1"), "broker: mqtt:.*: does it run"),
    "a broker's address": (lambda s, f: but(s, broker="mqqt://h"), "broker: a broker is written mqtt://"),
    "a file of links that is not there": (lambda s, f: but(s, links=f / "l.toml"), "links: .*l.toml"),
    "a time of keeping": (lambda s, f: but(s, retention="patrol=1"), "retention: PATROL_RETENTION: .*at least 45 days"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
async def test_it_finds(settings: Settings, tmp_path: Path, what: str) -> None:
    change, said = WRONG[what]
    found = "\n".join(await complaints(change(settings, tmp_path)))
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


async def test_a_port_that_somebody_else_has_is_found(settings: Settings, taken: int) -> None:
    found = await complaints(but(settings, broker=f"embedded://127.0.0.1:{taken}"))
    assert len(found) == 1
    assert f"PATROL_BROKER: 127.0.0.1:{taken}: Address already in use. `ss -ltnp` shows who" in found[0]


async def test_a_broker_that_runs_is_found_and_its_limit_is_mentioned(settings: Settings) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await examine(but(settings, broker=f"mqtt://gateway:secret@127.0.0.1:{port}"), Well())
    (broker,) = [each for each in found if each.name == "broker"]
    assert broker.wrong == "" and "max_queued_messages 0" in broker.note
    assert "secret" not in "".join(lines(found))


async def test_a_reader_that_is_not_plugged_in_is_found(settings: Settings, tmp_path: Path) -> None:
    from gateway.ingest.devices.registry import PROTOCOLS
    from gateway.ingest.serial.bus import BUSES

    protocol = next(name for name in sorted(PROTOCOLS) if name not in BUSES)
    there = tmp_path / "tty"
    there.touch()
    for port, said in ((tmp_path / "none", "it is not there"), (there, "")):
        changed = links_of(settings, tmp_path, str(port))
        text = (tmp_path / "links.toml").read_text().replace("wiegand-text", protocol)
        (tmp_path / "links.toml").write_text(text)
        found = {each.name: each.wrong for each in await examine(changed, Well())}
        assert found[f"port {port}"].startswith(said) and bool(found[f"port {port}"]) == bool(said), found


async def test_a_server_that_takes_the_database_is_well_and_one_that_does_not_is_told(
    settings: Settings, postgres: PostgresServer
) -> None:
    name = postgres.new_database(empty=True)
    assert await complaints(but(settings, database=postgres.url(name))) == []
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == [["0"]]
    (lost,) = await complaints(but(settings, database=postgres.url(name, "wrong")))
    assert lost.startswith("database: ") and "lets nobody in" in lost
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    (replica,) = await complaints(but(settings, database=postgres.url(name)))
    assert "is read-only" in replica
