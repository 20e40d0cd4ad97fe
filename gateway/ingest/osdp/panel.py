"""The control panel of one line: libosdp in a thread of its own, so that a stuck line stops nobody else.

Everything of libosdp happens in this thread. What it hears is handed out through `tell`, which must be quick and safe
to call from here; what it is asked to do waits in a queue until the next turn.

libosdp gives a reader that was lost 300 s before it looks for it again. Disabling and enabling it makes it look at
once; this is done a second after each loss, for as long as it takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

import osdp

from gateway.ingest.osdp.feedback import FEEDBACK, Feedback
from gateway.ingest.osdp.line import Changed, Line
from gateway.ingest.osdp.watch import Trouble, Watch

log = logging.getLogger("gateway.osdp")

TURN_S: Final = 0.01
"""How often libosdp gets to work (s); it asks for 0.05 at the least."""

RETRY_S: Final = 1.0
"""After how long a reader that is lost is looked for again (s)."""

MOST_READERS: Final = 32
"""On one line: so many that libosdp's Python module can tell the state of, and RS-485 can drive."""


@dataclass(frozen=True, slots=True)
class OsdpReader:
    """One reader on a line, and whose records its bridge makes."""

    address: int
    """0 to 126."""
    site: str
    device: str
    key_name: str
    """Of its key in the file of keys."""
    install: bool = False
    """Whether it may be given its key over a channel that everybody can read (SCBK-D): only while it is installed."""
    held_s: float = 3.0
    """A card that is read again within so long (s) is still the same tap."""

    @property
    def name(self) -> str:
        return f"{self.site}/{self.device}"


@dataclass(frozen=True, slots=True)
class Online:
    """The reader answers over a secure channel. `firmware` as it says."""

    firmware: str


@dataclass(frozen=True, slots=True)
class Offline:
    """It does not."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class CardRead:
    """`data`: as in a reply RAW."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Local:
    """What the reader says of itself."""

    tampered: bool
    power_failed: bool


Event = Online | Offline | CardRead | Local
Tell = Callable[[int, Event], None]
"""Takes the reader's address and what it said."""


@dataclass(slots=True)
class _State:
    reader: OsdpReader
    present: bool = False
    retry_at: float | None = None  # when to look for it again; None while it is there or is being looked for
    refuses: set[int] = field(default_factory=set)  # commands that it has refused


class Panel:
    """Use `run` as the target of a thread, and `stop` from outside."""

    def __init__(
        self,
        port: str,
        baud: int,
        readers: Sequence[OsdpReader],
        keys: Mapping[str, bytes],
        tell: Tell,
        changed: Changed,
    ) -> None:
        if not 1 <= len(readers) <= MOST_READERS:
            raise ValueError(f"{port}: a line has 1 to {MOST_READERS} OSDP readers, not {len(readers)}")
        addresses = [reader.address for reader in readers]
        for address in addresses:
            if not 0 <= address <= 126 or addresses.count(address) > 1:
                raise ValueError(f"{port}: address {address}: each reader has its own, from 0 to 126")
        self._watch = Watch()
        self._line = Line(port, baud, self._watch.overhear, changed)
        self._tell = tell
        self._states = [_State(reader) for reader in readers]
        self._wanted: SimpleQueue[tuple[int, Feedback]] = SimpleQueue()
        self._stopping = threading.Event()
        infos = [self._info(reader, keys[reader.key_name]) for reader in readers]
        self._library = osdp.ControlPanel(infos, log_level=osdp.LogLevel.Emergency)
        self._context = self._library.ctx

    def _info(self, reader: OsdpReader, key: bytes) -> osdp.PDInfo:
        # Without "enforce secure" libosdp offers SCBK-D to a reader that refuses the key, and gives it the key then.
        secure = [] if reader.install else [osdp.LibFlag.EnforceSecure]
        flags = [*secure, osdp.LibFlag.EnableNotification]
        return osdp.PDInfo(reader.address, self._line, scbk=key, flags=flags, name=reader.device)

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping.wait(TURN_S):
                self._turn(time.monotonic())
        finally:
            self._line.close()

    def stop(self) -> None:
        """Let `run` return, within a turn unless the line is stuck."""
        self._stopping.set()

    def give(self, address: int, feedback: Feedback) -> None:
        """Show something to whoever stands before a reader. Nothing happens while it is not there."""
        self._wanted.put((address, feedback))

    def _turn(self, now: float) -> None:
        self._line.keep_open(now)
        self._context.refresh()
        for place, state in enumerate(self._states):
            while (event := self._library.get_event(state.reader.address, timeout=-1)) is not None:
                self._take(place, state, event, now)
            self._look_again(place, state, now)
        while True:
            try:
                address, feedback = self._wanted.get_nowait()
            except Empty:
                break
            self._show(address, feedback)

    def _take(self, place: int, state: _State, event: Mapping[str, Any], now: float) -> None:
        kind, address = event["event"], state.reader.address
        if kind == osdp.Event.Notification:
            self._take_notification(place, state, event, now)
        elif not state.present:
            log.warning("%s: what it said without a secure channel does not count", state.reader.name)
        elif kind == osdp.Event.CardRead:
            self._tell(address, CardRead(_card_data(event)))
        elif kind == osdp.Event.Status and event["type"] == osdp.StatusReportType.Local:
            tampered, power_failed = event["report"][:2]
            self._tell(address, Local(bool(tampered), bool(power_failed)))

    def _take_notification(self, place: int, state: _State, event: Mapping[str, Any], now: float) -> None:
        if event["type"] == osdp.EventNotification.PeripheralDeviceStatus:
            if event["arg0"] and self._context.sc_status() >> place & 1:
                state.present, state.retry_at = True, None
                self._watch.begin(state.reader.address)
                version = self._context.get_pd_id(place)["firmware_version"]
                firmware = ".".join(str(part) for part in version.to_bytes(4, "big")[1:])
                self._tell(state.reader.address, Online(firmware))
            elif state.retry_at is None:
                state.present, state.retry_at = False, now + RETRY_S
                self._context.flush_commands(place)  # what was to be shown then is not true later
                self._tell(state.reader.address, Offline(self._trouble(state)))
        elif (
            event["type"] == osdp.EventNotification.Command
            and not event["arg1"]
            and self._watch.refused_last(state.reader.address)
        ):
            # A refusal makes libosdp drop the reader, so it must not be provoked with each tap.
            log.warning("%s refuses command %d: it is left out from now on", state.reader.name, event["arg0"])
            state.refuses.add(event["arg0"])

    def _trouble(self, state: _State) -> Trouble:
        return self._watch.trouble(state.reader.address) if self._line.is_open else Trouble.NO_LINE

    def _look_again(self, place: int, state: _State, now: float) -> None:
        if state.retry_at is None or now < state.retry_at or not self._line.is_open:
            return
        if self._context.is_pd_enabled(place):
            self._context.disable_pd(place)  # carried out in the next turn, or when what is under way is over
        elif self._context.enable_pd(place):
            state.retry_at = None
            self._watch.begin(state.reader.address)

    def _show(self, address: int, feedback: Feedback) -> None:
        for place, state in enumerate(self._states):
            if state.reader.address == address and state.present:
                for capability, command in FEEDBACK[feedback]:
                    able, _ = self._context.check_capability(place, capability)
                    if able and command["command"] not in state.refuses:
                        self._context.submit_command(place, dict(command))


def _card_data(event: Mapping[str, Any]) -> bytes:
    """A card as the reply RAW had it. Formats that libosdp does not know count their bits as bytes."""
    count = event.get("length", len(event["data"]))
    head = bytes([event["reader_no"], event["format"]]) + int(count).to_bytes(2, "little")
    return head + bytes(event["data"][: (count + 7) // 8])
