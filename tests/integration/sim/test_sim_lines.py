"""Twins of serial readers in a process of their own, a real pseudo-terminal, and the gateway's talks at its end."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ingest.devices.reading import Heard, Noise, Reading
from gateway.ingest.devices.registry import PROTOCOLS

TAGS = {
    "em4100": "67003BA867",
    "ibutton": "01C68011010000C7",
    "m100": "E200471BB0006013044509D0",
    "pn532": "04DE5F1EACC040",
    "wiclax": "001539",
    "wiegand26": "44A24F",
}
OPTIONS = {"timezone": "Asia/Shanghai"}


class Reader:
    """A twin in a process; rows of its script are given to it as the test goes on."""

    def __init__(self, protocol: str, link: Path) -> None:
        words = [sys.executable, "-m", "checkpoint_firmware_sim", "line", protocol]
        self.process = subprocess.Popen(
            [*words, "--script", "-", "--link", str(link), "--seed", "1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.path = self.process.stdout.readline().strip()

    def __call__(self, *rows: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{row}\n" for row in rows))
        self.process.stdin.flush()


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reader]:
    found = Reader(request.param, tmp_path / "reader")
    yield found
    found.process.kill()
    found.process.communicate()


class Host:
    """The gateway's end: a talk, and the line that it is about."""

    def __init__(self, protocol: str, path: str) -> None:
        serial = PROTOCOLS[protocol].serial
        assert serial is not None
        self.talk = serial.talk(OPTIONS)
        self.heard: list[Heard] = []
        self.open(path)

    def open(self, path: str) -> None:
        self.line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self.talk.opened(time.monotonic())

    def until(self, what: Any, seconds: float = 20) -> None:
        """Talk until `what()` is true. Raises OSError when the line is unplugged."""
        end = time.monotonic() + seconds
        while not what():
            now = time.monotonic()
            assert now < end, self.heard
            due = self.talk.due()
            if due is not None and due <= now:
                self.heard += self.talk.wake(now)
            os.write(self.line, self.talk.outgoing())
            wait = 0.2 if due is None else max(0.0, min(0.2, due - now))
            if select.select([self.line], [], [], wait)[0]:
                data = os.read(self.line, 512)
                if not data:
                    raise OSError(errno.EIO, "hung up")
                self.heard += self.talk.received(data, time.monotonic())

    def tags(self) -> list[Any]:
        return [each.record["tag"] for each in self.heard if isinstance(each, Reading) and each.record]


@pytest.mark.parametrize(("reader", "protocol"), [(each, each) for each in TAGS], indirect=["reader"])
def test_a_tap_is_read_through_noise_splits_and_an_unplugged_line(reader: Reader, protocol: str) -> None:
    host = Host(protocol, reader.path)
    reader("0 split on", f"0 tap {TAGS[protocol]}")
    host.until(host.tags)
    reader("0 lift", "0 noise 60")
    host.until(lambda: any(isinstance(each, Noise) for each in host.heard))
    seen = len(host.tags())
    reader("0.1 split off", f"0 tap {TAGS[protocol]}")
    host.until(lambda: len(host.tags()) > seen)

    reader("0 lift", "0.3 unplug", "0.3 plug")
    with pytest.raises(OSError, match=r"hung up|Input/output"):
        host.until(lambda: False)
    os.close(host.line)
    end = time.monotonic() + 10
    while not os.path.exists(reader.path):  # noqa: PTH110 - a link to a device
        assert time.monotonic() < end
        select.select([], [], [], 0.02)
    host.open(reader.path)
    seen = len(host.tags())
    reader("0 reboot", f"0.2 tap {TAGS[protocol]}")
    host.until(lambda: len(host.tags()) > seen)
    os.close(host.line)
    assert set(host.tags()) == {TAGS[protocol]}


def test_a_script_that_is_wrong_ends_in_words(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("0 tap zz\n")
    words = [sys.executable, "-m", "checkpoint_firmware_sim", "line", "em4100", "--script", str(script)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "Error: 'zz' is not hex\n"


def test_a_script_ends_the_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("0 tap 67003BA867\n0.1 lift\n# the end\n")
    link = tmp_path / "reader"
    words = [sys.executable, "-m", "checkpoint_firmware_sim", "line", "em4100", "--script", str(script)]
    ended = subprocess.run(
        [*words, "--link", str(link)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{link}\n", "")
    assert not link.is_symlink()
