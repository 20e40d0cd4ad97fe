"""The real thing: `patrol-gateway run` as a process of its own, devices over real MQTT, sites made for a test."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

Json = dict[str, Any]
WAIT_S = 20.0

TAGS = {"pier": "04A1B2C3D4E580", "crane": "04DE5F1EACC080", "shed": "04B1B2C3D4E580"}
POSTS = ("barrier", "harbour-office")
NAMES = {
    "pier": {"zh": "一号码头", "en": "Pier 1"},
    "crane": {"zh": "岸桥", "en": "Crane"},
    "shed": {"zh": "仓库", "en": "Shed"},
    "barrier": {"zh": "港口大门", "en": "Harbour gate"},
    "harbour-office": {"zh": "港务室", "en": "Harbour office"},
    "quay": {"zh": "码头沿线", "en": "Quay"},
    "yard": {"zh": "堆场", "en": "Yard"},
    "scanner-1": {"zh": "巡更棒一号", "en": "Scanner 1"},
    "gate-1": {"zh": "大门道闸", "en": "Gate barrier"},
    "console-1": {"zh": "对讲主机", "en": "Radio console"},
    "ma-jun": {"zh": "马军", "en": "Ma Jun"},
}


def plan(site: str, *, rounds_every: str = "2h", calls_every: str = "2h") -> Json:
    """A small harbour. JSON is YAML, so this is a site file."""

    def named(key: str, **members: Any) -> Json:
        return {"id": key, "name": NAMES[key], **members}

    return {
        "site": site,
        "name": {"zh": f"港口 {site}", "en": f"Harbour {site}"},
        "timezone": "Asia/Shanghai",
        "night": {"from": "22:00", "to": "06:00"},
        "shifts": [{"id": "day", "from": "07:00", "to": "07:00"}],
        "people": [named("ma-jun", role="shift_leader")],
        "posts": [named(post) for post in POSTS],
        "checkpoints": [named(key, tags=[tag]) for key, tag in TAGS.items()],
        "devices": [
            named("scanner-1", kind="scanner", posts=["barrier"]),
            named("gate-1", kind="gate", posts=["barrier"]),
            named("console-1", kind="console"),
        ],
        "routes": [
            named("quay", order="strict", checkpoints=["pier", "crane", "shed"]),
            named("yard", order="free", checkpoints=["shed"]),
        ],
        "duties": [
            {"id": "quay-round", "kind": "round", "route": "quay", "post": "barrier", "every": "2h"},
            {"id": "yard-round", "kind": "round", "route": "yard", "post": "barrier", "every": rounds_every},
            {"id": "calls", "kind": "radio_check", "posts": "all", "every": calls_every},
        ],
    }


class RealGateway:
    """One gateway with a folder and ports of its own, which it keeps over its deaths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http_port, self.mqtt_port = _free_ports()
        self._process: subprocess.Popen[str] | None = None
        self._log = folder / "gateway.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Returns when it serves pages."""
        settings = {
            "PATROL_DATABASE": f"sqlite:///{self.folder}/patrol.sqlite",
            "PATROL_DATA": str(self.folder),
            "PATROL_HTTP": f"127.0.0.1:{self.http_port}",
            "PATROL_BROKER": f"embedded://127.0.0.1:{self.mqtt_port}",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("PATROL_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "run"],
            env=others | settings,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        serving = threading.Event()
        threading.Thread(target=self._read, args=(self._process, serving), daemon=True).start()
        assert serving.wait(WAIT_S) and self._process.poll() is None, self._log.read_text("utf-8")

    def _read(self, process: subprocess.Popen[str], serving: threading.Event) -> None:
        assert process.stderr is not None
        with self._log.open("a", encoding="utf-8") as log:
            for line in process.stderr:
                log.write(line)
                log.flush()
                if "dashboard and API at" in line:
                    serving.set()
        serving.set()  # it has ended, and what it said is in the log

    def kill(self) -> None:
        """End it like a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def hold(self, document: Json) -> None:
        """Set up a site, or give it another plan."""
        answer = httpx.put(
            f"{self.url}/api/sites/{document['site']}/plan",
            content=json.dumps(document, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/yaml"},
            timeout=WAIT_S,
        )
        assert answer.status_code == 200, answer.text

    def alerts(self, site: str) -> list[Json]:
        answer = httpx.get(f"{self.url}/api/alerts", params={"site": site}, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()
        return found


class Device:
    """A device of a site, connected as real ones are: with a last will, acknowledged, connecting again by itself."""

    def __init__(self, gateway: RealGateway, site: str, name: str) -> None:
        self._topic = f"patrol/v1/{site}/{name}"
        self._boot = uuid.uuid4().hex[:8]
        self._seq = 0
        self._lock = threading.Lock()
        self._connected = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"{site}/{name}", protocol=mqtt.MQTTv5)
        self._client.will_set(f"{self._topic}/state", '{"online": false}', qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", gateway.mqtt_port)
        self._client.loop_start()
        assert self._connected.wait(WAIT_S)

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.publish(f"{self._topic}/state", '{"online": true}', qos=1, retain=True)
        self._connected.set()

    def say(self, type: str, **members: Any) -> None:
        """Send a record of what happens now; returns when it is stored for good."""
        assert self._connected.wait(WAIT_S)
        with self._lock:
            self._seq += 1
            now = datetime.now(UTC).isoformat()
            record = {"type": type, "boot": self._boot, "seq": self._seq, "at": now, "sent_at": now} | members
            if type == "status":
                record |= {"buffered": 0, "high_seq": self._seq}
            sent = self._client.publish(f"{self._topic}/up", json.dumps(record), qos=1)
        sent.wait_for_publish(WAIT_S)

    def scan(self, checkpoint: str) -> None:
        self.say("scan", tag=TAGS[checkpoint], guard="ma-jun")

    @contextlib.contextmanager
    def heartbeats(self, every_s: float) -> Iterator[None]:
        """It tells again and again that it has nothing more to say."""
        enough = threading.Event()

        def beat() -> None:
            while not enough.wait(every_s):
                self.say("status")

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            enough.set()
            beating.join(WAIT_S)

    def cut(self) -> None:
        """The connection is gone without a word, as when a network fails."""
        self._client.loop_stop()
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
