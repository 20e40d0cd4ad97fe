"""Readers at serial lines as devices of a scenario. Which reader hangs at which line a file of links says.

People tap in simulated time; a line lives in the machine's, as real lines do, however fast the scenario is played. So a
tag is held to its reader for a moment of machine time, or until a reader that must be asked has shown it.
"""

from __future__ import annotations

import asyncio
import io
import time
import tomllib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from checkpoint_firmware_sim.device import Environment
from checkpoint_firmware_sim.devices import Scanner
from checkpoint_firmware_sim.lines.line import Line
from checkpoint_firmware_sim.lines.m100 import M100
from checkpoint_firmware_sim.lines.pn532 import Pn532
from checkpoint_firmware_sim.lines.talkers import Em4100, IButton, Wiegand26
from checkpoint_firmware_sim.lines.twin import SerialTwin
from checkpoint_firmware_sim.lines.wiclax import Wiclax
from checkpoint_firmware_sim.times import SECOND

TURN_S: Final = 0.005
HELD_S: Final = 0.15
PATIENCE_S: Final = 3.0
"""A tag is held to its reader for at least and at most so long (machine seconds)."""

CLOCK_OFF: Final = timedelta(seconds=40)
"""How far off the clock of a handheld is at first, at most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One device of a `[[line]]` of a file of links."""

    protocol: str
    port: Path
    address: int = 0  # on a bus
    options: Mapping[str, Any] = field(default_factory=dict)
    line_options: Mapping[str, Any] = field(default_factory=dict)


class Wire(Protocol):
    """A line with what hangs at it. `now` is the machine's, in monotonic seconds."""

    def plug(self) -> None: ...
    def unplug(self) -> None: ...
    def tap(self, address: int, tag: str) -> None: ...
    def noise(self, count: int) -> None: ...
    def split(self, on: bool) -> None: ...
    def silence(self, on: bool) -> None: ...
    def turn(self, now: float) -> None: ...


class ReaderWire:
    """A line with one reader."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._waiting: deque[str] = deque()
        self._held_at: float | None = None
        self._plugged = True
        self._silent = False

    def plug(self) -> None:
        self._plugged = True
        self.line.plug()

    def unplug(self) -> None:
        self._plugged = False
        self.line.unplug()

    def tap(self, address: int, tag: str) -> None:
        self._waiting.append(tag)

    def noise(self, count: int) -> None:
        self.line.noise(count)

    def split(self, on: bool) -> None:
        self.line.splits = on

    def silence(self, on: bool) -> None:
        self._silent = on
        self.line.silence(float("inf") if on else 0.0)

    def turn(self, now: float) -> None:
        """Carry bytes, and hold the next tag to the reader when the last one is taken away."""
        twin = self.line.twin
        if self._held_at is None and self._waiting:
            twin.shown = False
            self._held_at = now
            self.line.tap(self._waiting.popleft())
        self.line.turn(now)
        if self._held_at is not None:
            # What was said into a line that carries nothing was not shown to anybody.
            twin.shown = twin.shown and self._plugged and not self._silent
            if now - self._held_at >= (HELD_S if twin.shown else PATIENCE_S):
                self._held_at = None
                self.line.lift()


class OsdpWire:
    """A line with readers that speak OSDP: libosdp's own."""

    def __init__(self, port: Path, keys: Mapping[int, bytes | None]) -> None:
        from checkpoint_firmware_sim.osdp_line import OsdpLine

        self._line = OsdpLine(port, keys, io.StringIO())

    def plug(self) -> None:
        self._line.plug()

    def unplug(self) -> None:
        self._line.unplug()

    def tap(self, address: int, tag: str) -> None:
        card = bytes.fromhex(tag)
        self._line.tap(address, 8 * len(card), card)

    def noise(self, count: int) -> None:
        self._line.noise(count)

    def split(self, on: bool) -> None:
        self._line.splits = on

    def silence(self, on: bool) -> None:
        (self._line.cut if on else self._line.mend)()

    def turn(self, now: float) -> None:
        self._line.turn()


class LineReader(Scanner):
    """A reader at a serial line. It has no memory: what is tapped while the line is gone is gone, too."""

    keeps = False
    wired = True

    def __init__(
        self, wire: Wire, address: int, site: str, id: str, env: Environment, random: Random
    ) -> None:
        super().__init__(site, id, env, random)
        self.wire = wire
        self._address = address

    def reach(self, reachable: bool) -> None:
        """Its adapter is put in, or pulled out."""
        self.linked = reachable
        (self.wire.plug if reachable else self.wire.unplug)()

    def record(self, type: str, **members: Any) -> int:
        """A tag is held to it; it knows nothing else that a scanner records."""
        if type == "scan" and members.get("tag") is not None:
            self.wire.tap(self._address, members["tag"])
        return 0

    def read_card(self, card: str) -> None:
        """It sees a number, and does not know that it is a card's."""
        self.record("scan", tag=card)


class Handheld(LineReader):
    """A handheld with a dock: it keeps what is tapped, and hands it over when it is back."""

    keeps = True

    def __init__(
        self, wire: ReaderWire, twin: Wiclax, site: str, id: str, env: Environment, random: Random
    ) -> None:
        super().__init__(wire, 0, site, id, env, random)
        self._twin = twin
        self._line = wire.line

    def take_along(self) -> None:
        """A guard takes it along on a walk: nobody can hear it then."""
        self._twin.undock()

    def put_back(self) -> None:
        """The walk is over."""
        self._twin.dock()

    def record(self, type: str, **members: Any) -> int:
        """The time that it keeps is that of the tap, so nothing waits."""
        if type == "scan" and members.get("tag") is not None:
            self._line.tap(members["tag"])
        return 0


_TALKERS: Final[Mapping[str, Callable[[], SerialTwin]]] = {
    "ibutton": IButton,
    "m100": M100,
    "pn532": Pn532,
    "wiegand26": Wiegand26,
}
PROTOCOLS: Final = ("em4100", "osdp", "wiclax", *_TALKERS)
"""What readers at lines speak."""


class SerialLines:
    """All serial lines of a site."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._wires: dict[Path, Wire] = {}

    @classmethod
    def read(cls, path: Path, site: str) -> SerialLines:
        """From a file of links. Raises ValueError that says what is wrong with it."""
        entries: dict[str, Entry] = {}
        try:
            for line in tomllib.loads(path.read_text("utf-8")).get("line", []):
                options = line.get("options", {})
                for each in line.get("device", []) if isinstance(line.get("device"), list) else [line]:
                    if each["site"] == site:
                        own = each.get("options", {})
                        entries[each["device"]] = Entry(
                            line["protocol"], Path(line["port"]), each.get("address", 0), own, options
                        )
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no file of links: {error}") from None
        for entry in entries.values():
            if entry.protocol not in PROTOCOLS:
                raise ValueError(f"{path}: {entry.protocol}: there are {', '.join(PROTOCOLS)}")
        return cls(entries)

    def __contains__(self, device: str) -> bool:
        return device in self._entries

    def make(self, site: str, id: str, env: Environment, random: Random) -> LineReader:
        """The reader of a device. Raises OSError or ValueError when its line cannot be played."""
        entry = self._entries[id]
        if entry.protocol == "osdp":
            if entry.port not in self._wires:
                self._wires[entry.port] = OsdpWire(entry.port, self._keys_at(entry.port))
            return LineReader(self._wires[entry.port], entry.address, site, id, env, random)
        noise = Random(random.getrandbits(32))
        if entry.protocol == "wiclax":
            zone = ZoneInfo(entry.options["timezone"])

            def local() -> datetime:
                return (
                    datetime.fromtimestamp(env.leaving() / SECOND, UTC).astimezone(zone).replace(tzinfo=None)
                )

            handheld = Wiclax(local, random.uniform(-1, 1) * CLOCK_OFF)
            dock = ReaderWire(Line(handheld, entry.port, noise))
            self._wires[entry.port] = dock
            return Handheld(dock, handheld, site, id, env, random)
        twin = self._em4100(id) if entry.protocol == "em4100" else _TALKERS[entry.protocol]()
        wire = self._wires[entry.port] = ReaderWire(Line(twin, entry.port, noise))
        return LineReader(wire, entry.address, site, id, env, random)

    def _em4100(self, id: str) -> Em4100:
        """An RDM6300 and an ID-12LA by turns: both makers' readers are one protocol."""
        alike = [device for device, entry in self._entries.items() if entry.protocol == "em4100"]
        return Em4100(crlf=alike.index(id) % 2 == 1)

    def _keys_at(self, port: Path) -> dict[int, bytes | None]:
        there = [entry for entry in self._entries.values() if entry.port == port]
        keys = tomllib.loads(Path(there[0].line_options["keys"]).read_text("utf-8"))
        return {entry.address: bytes.fromhex(keys[entry.options["key"]]) for entry in there}

    async def keep(self) -> None:
        """Let all lines live, until cancelled."""
        while True:
            now = time.monotonic()
            for wire in self._wires.values():
                wire.turn(now)
            await asyncio.sleep(TURN_S)

    def close(self) -> None:
        """Take all lines away."""
        for wire in self._wires.values():
            wire.unplug()


NO_LINES: Final = SerialLines({})
