"""The load: devices that publish as fast as they are acknowledged, or at a rate. A process of its own.

    python -m tests.benchmarks.load PORT CONNECTIONS WINDOW RECORDS RATE SITES SCANNERS

It writes one line of JSON: records, seconds, and latency percentiles in ms. Frames are put together by hand here, so
that the load costs as little of the shared machine as can be, and shares no code with the codec that it loads.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from typing import cast

import uvloop

from .sites import CHECKPOINTS_PER_ROUTE, tag

_AT = b"2026-11-23T22:00:00.000+08:00"
_RECORD = (
    b'{"type":"scan","boot":"%s","seq":%d,"at":"' + _AT + b'","mono":%d,"sent_at":"' + _AT + b'",'
    b'"sent_mono":%d,"clock":"free","tag":"%s","guard":"li-qiang","battery":83}'
)


class Load:
    """All devices together."""

    def __init__(self, records: int, rounds: int) -> None:
        self.left = records
        self.records = records
        self.acknowledged = 0
        self.tags = [
            tag(route, stop).encode() for stop in range(CHECKPOINTS_PER_ROUTE) for route in range(rounds)
        ]
        self.latencies: list[float] = []
        self.done = asyncio.Event()
        self.ready = asyncio.Event()
        self.waiting = 0
        self.begun = 0.0
        self.ended = 0.0

    def acknowledge(self, count: int) -> None:
        self.acknowledged += count
        if self.acknowledged >= self.records:
            self.ended = time.perf_counter()
            self.done.set()


class Device(asyncio.Protocol):
    """One connection: CONNECT, then QoS 1 publishes with so many unacknowledged at the most."""

    def __init__(self, load: Load, identity: str, window: int, boot: str) -> None:
        self.load = load
        self.identity = identity
        self.window = window
        self.boot = boot.encode()
        self.seq = 0
        self.sent: deque[float] = deque()
        self.buffer = b""
        self.connected = False
        self.transport: asyncio.Transport
        topic = f"patrol/v1/{identity}/up".encode()
        self.head = len(topic).to_bytes(2, "big") + topic

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        name = self.identity.encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name
        self.transport.write(b"\x10" + _length(len(body)) + body)

    def publish(self, count: int) -> None:
        load = self.load
        count = min(count, load.left)
        if count <= 0:
            return
        load.left -= count
        frames = []
        now = time.perf_counter()
        tags = load.tags
        for _ in range(count):
            self.seq += 1
            seq = self.seq
            payload = _RECORD % (self.boot, seq, seq * 10, seq * 10, tags[seq % len(tags)])
            packet_id = (seq % 65535 + 1).to_bytes(2, "big")
            body_length = len(self.head) + 2 + len(payload)
            frames.append(b"\x32" + _length(body_length) + self.head + packet_id + payload)
            self.sent.append(now)
        self.transport.write(b"".join(frames))

    def data_received(self, data: bytes) -> None:
        load = self.load
        if not self.connected:
            self.connected = True
            load.waiting -= 1
            if not load.waiting:
                load.ready.set()
            data = data[4:]
        if self.buffer:
            data = self.buffer + data
        count, rest = divmod(len(data), 4)  # a PUBACK of MQTT 3.1.1 is four bytes
        self.buffer = data[len(data) - rest :] if rest else b""
        if count:
            now = time.perf_counter()
            for _ in range(count):
                load.latencies.append(now - self.sent.popleft())
            load.acknowledge(count)
            if self.window:
                self.publish(count)


def _length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | 0x80 if value else low)
        if not value:
            return bytes(out)


async def run(
    port: int,
    connections: int,
    window: int,
    records: int,
    rate: float,
    sites: int,
    scanners: int,
    rounds: int,
) -> dict[str, float]:
    """Connect them all, publish the records, and wait for the last acknowledgement."""
    loop = asyncio.get_running_loop()
    load = Load(records, rounds)
    load.waiting = connections
    boot = f"b{time.time_ns() % 10**12}"
    devices: list[Device] = []
    for n in range(connections):
        identity = f"bench-{n % sites}/s{n // sites % scanners}"
        _, device = await loop.create_connection(
            lambda identity=identity: Device(load, identity, window, boot), "127.0.0.1", port
        )
        devices.append(device)
    await load.ready.wait()
    load.begun = time.perf_counter()
    if rate:
        for device in devices:
            device.window = 0
        turn = 0
        while load.left:
            owed = min(load.left, int((time.perf_counter() - load.begun) * rate) - (records - load.left))
            for _ in range(owed):
                devices[turn % connections].publish(1)
                turn += 1
            await asyncio.sleep(0.001)
    else:
        for device in devices:
            device.publish(window)
    await load.done.wait()
    latencies = sorted(load.latencies)
    return {
        "records": records,
        "seconds": load.ended - load.begun,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


def main() -> None:
    numbers = [float(word) for word in sys.argv[1:9]]
    port, connections, window, records = (int(n) for n in numbers[:4])
    rate, (sites, scanners, rounds) = numbers[4], (int(n) for n in numbers[5:8])
    found = uvloop.run(run(port, connections, window, records, rate, sites, scanners, rounds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
