"""The real service as a process, a real mosquitto, and the load against them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .sites import bench_site_file

SITES, SCANNERS, ROUNDS = 10, 100, 20


@dataclass
class Running:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    database: Path

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def stored(self) -> int:
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM facts").fetchone()[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with code {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)


@contextlib.contextmanager
def service(folder: Path, broker: int | None = None) -> Iterator[Running]:
    """`patrol-gateway run` on free ports; its own endpoint, or a broker's port."""
    sites = []
    for number in range(SITES):
        path = folder / f"bench-{number}.yaml"
        if not path.exists():
            path.write_text(bench_site_file(f"bench-{number}", ROUNDS, SCANNERS))
        sites += ["--sites", str(path)]
    http, mqtt = free_port(), free_port()
    database = folder / "bench.sqlite"
    url = f"mqtt://127.0.0.1:{broker}" if broker else f"embedded://127.0.0.1:{mqtt}"
    arguments = ["--database", f"sqlite:///{database}", "--http", f"127.0.0.1:{http}", "--broker", url]
    arguments += ["--data", str(folder), "--log-level", "warning"]
    process = subprocess.Popen([sys.executable, "-m", "gateway.cli", "run", *arguments, *sites])
    try:
        _wait_for_port(http, process)
        yield Running(process, broker or mqtt, database)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker that keeps what is queued."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    program = next(p for p in ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto") if Path(p).exists())
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        _wait_for_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def load(port: int, connections: int, window: int, records: int, rate: float = 0) -> dict[str, float]:
    """Run the load process."""
    words = [port, connections, window, records, rate, SITES, SCANNERS, ROUNDS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load", *map(str, words)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@dataclass(frozen=True)
class Saturated:
    per_s: float
    cpu_us: float


def endpoint(connections: int, window: int, records: int) -> Saturated:
    """Published to acknowledged-and-judged on the own endpoint."""
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as running:
        load(running.port, connections, window, min(records, 20_000))  # warm
        before, cpu = running.stored(), running.cpu_s()
        found = load(running.port, connections, window, records)
        assert running.stored() - before == records, "every acknowledged record is stored"
        return Saturated(records / found["seconds"], (running.cpu_s() - cpu) / records * 1e6)


def latency(rate: float, records: int) -> tuple[float, float]:
    """p50 and p99 in ms from publish to PUBACK, from 1,000 connections, at so many records a second."""
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as running:
        load(running.port, 1000, 10, 5_000)
        found = load(running.port, 1000, 10, records, rate)
        return found["p50_ms"], found["p99_ms"]


def _until_stored(running: Running, count: int) -> float:
    while running.stored() < count:
        time.sleep(0.01)
    return time.perf_counter()


def broker_live(records: int) -> float:
    """Records/s from publishers through mosquitto into the store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with mosquitto(folder) as port, service(folder, port) as running:
            load(port, 100, 20, 5_000)
            _until_stored(running, 5_000)
            begun = time.perf_counter()
            load(port, 100, 50, records)
            return records / (_until_stored(running, 5_000 + records) - begun)


def broker_drain(records: int) -> float:
    """Records/s of a backlog that mosquitto kept while the service was away, from the first stored to the last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with mosquitto(folder) as port:
            with service(folder, port) as running:
                load(port, 10, 10, 100)
                _until_stored(running, 100)
            load(port, 100, 50, records)
            with service(folder, port) as running:
                first = _until_stored(running, 101)
                already = running.stored()
                last = _until_stored(running, 100 + records)
                return (100 + records - already) / max(last - first, 1e-9)
