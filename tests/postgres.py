"""A real PostgreSQL for the tests: Debian's programs, on a port and in a folder of its own."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway.store.postgres_words import steps

_START_S = 60.0

_ROOM = 4 << 30
"""So much memory must be free (bytes) for the databases to be kept there; else they are on the disk."""

_READY = "patrol_ready"
"""A database that has all tables, to be copied."""


def binaries() -> Path | None:
    """The folder of the newest installed server's programs; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: float(each.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _as_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: whom it runs as instead."""
    if os.geteuid() != 0:
        return {}
    name = "postgres"
    try:
        pwd.getpwnam(name)
    except KeyError:
        name = "nobody"
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


class PostgresServer:
    """One server. `patrol` with the password `secret` owns the databases; it is no superuser."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        memory = Path("/dev/shm")
        in_memory = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="patrol-postgres-", dir=memory if in_memory else None))
        self._who = _as_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        atexit.register(self.remove)
        if self._who:
            shutil.chown(self._folder, self._who["user"])
        self._run(
            "initdb", "--pgdata", str(self._data), "--no-sync", "--auth", "trust", "--username", "boss",
            "--encoding", "UTF8", "--locale", "C.UTF-8",
        )  # fmt: skip
        (self._data / "pg_hba.conf").write_text(
            "local all boss trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.start()
        self.sql("CREATE ROLE patrol LOGIN PASSWORD 'secret'")
        self.sql(f"CREATE DATABASE {_READY} OWNER patrol")
        self.sql(f"SET ROLE patrol; {steps(None)}", _READY)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> str:
        ended = subprocess.run(
            [self._programs / program, *arguments], cwd=self._folder, capture_output=True, text=True, check=False,
            **self._who,
        )  # fmt: skip
        assert ended.returncode == 0, f"{program}: {ended.stderr}"
        return ended.stdout

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            # The tests kill processes, not the machine: what was written is in the kernel then.
            "fsync": "off",
            "max_connections": 60,
            "shared_buffers": "32MB",
            "logging_collector": "off",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *arguments],
                cwd=self._folder, stdout=log, stderr=log, start_new_session=True, **self._who,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(30)

    def stop(self) -> None:
        """End it in good order, whoever is connected."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End all of it at once, as a power cut would."""
        self._end(signal.SIGQUIT)

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run a statement as the superuser, behind everybody's back: its rows, as text."""
        text = self._run(
            "psql", "--host", str(self._folder), "--port", str(self.port), "--username", "boss", "--no-psqlrc",
            "--quiet", "--tuples-only", "--no-align", "--field-separator", "\t", "--set", "ON_ERROR_STOP=1",
            "--dbname", database, "--command", statement,
        )  # fmt: skip
        return [line.split("\t") for line in text.splitlines()]

    def new_database(self, *, empty: bool = False) -> str:
        """Make a database with all tables, or an empty one; its name."""
        self._databases += 1
        name = f"patrol_{self._databases}"
        template = "template1" if empty else _READY
        self.sql(f"CREATE DATABASE {name} OWNER patrol TEMPLATE {template}")
        return name

    def url(self, database: str, password: str = "secret") -> str:
        return f"postgresql://patrol:{password}@127.0.0.1:{self.port}/{database}"
