"""`patrol-gateway` as a process, as a person or systemd runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.integration.service.broker import free_port

BIN = Path(sys.executable).parent
COMMAND = str(BIN / "patrol-gateway") if (BIN / "patrol-gateway").exists() else None
PROGRAM = [COMMAND] if COMMAND else [sys.executable, "-m", "gateway.cli"]
START_S = 30.0


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What a service gets from its surroundings: these settings, and none of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PATROL_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "120", **settings}


class Ended:
    """What a command came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def text(self) -> str:
        return self.out + self.err

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


async def command(*arguments: str | Path, cwd: Path | None = None, **settings: str) -> Ended:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *map(str, arguments),
        env=environment(settings),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Gateway:
    """A `patrol-gateway run` with a data folder of its own, that can be started again and again."""

    def __init__(self, folder: Path, site: str, postgres: str | None = None, **settings: str) -> None:
        """`postgres`: the URL of a database, instead of a file in the folder."""
        self.folder = folder
        self.database: Path | str = postgres or folder / "patrol.sqlite"
        self.url = postgres or f"sqlite:///{self.database}"
        self.mqtt, self.http = free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.http}"
        self.log = folder / "stderr.log"
        self._site = folder / "site.yaml"
        self._site.write_text(site, "utf-8")
        self.settings = {
            "PATROL_DATABASE": self.url,
            "PATROL_DATA": str(folder),
            "PATROL_HTTP": f"127.0.0.1:{self.http}",
            "PATROL_BROKER": f"embedded://127.0.0.1:{self.mqtt}",
            "PATROL_SITES": str(self._site),
        } | settings
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it is well."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                "run",
                env=environment(self.settings),
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        async with asyncio.timeout(START_S):
            while True:
                assert self.process.returncode is None, self.log.read_text()
                if await asyncio.to_thread(self._is_well):
                    return
                await asyncio.sleep(0.02)

    def _is_well(self) -> bool:
        try:
            with urlopen(f"{self.api}/api/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    async def get(self, path: str) -> Any:
        def ask() -> Any:
            with urlopen(f"{self.api}/api{path}", timeout=10) as answer:
                return json.loads(answer.read())

        return await asyncio.to_thread(ask)

    async def kill(self) -> None:
        """End it like a power cut."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it in good order; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        async with asyncio.timeout(15):
            return await self.process.wait()

    async def verify(self) -> Ended:
        return await command("verify", "--database", self.url)
