"""One line of OSDP readers: what they say becomes records, and guards are told what became of a tap."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from gateway.ingest.bridge import BEAT_S, Speaker
from gateway.ingest.devices.osdp import Card
from gateway.ingest.devices.reading import DecodeError, Noise
from gateway.ingest.osdp.feedback import Feedback
from gateway.ingest.osdp.line import Changed
from gateway.ingest.osdp.panel import CardRead, Event, Local, Offline, Online, OsdpReader, Panel
from gateway.ingest.osdp.watch import Trouble

log = logging.getLogger("gateway.osdp")

STOP_S: Final = 2.0
"""How long the end waits for a line that is stuck (s)."""

_WORDS: Final = {
    Trouble.NO_LINE: "its line is not there",
    Trouble.NO_ANSWER: "it does not answer",
    Trouble.REFUSED: "it refuses what it is told, as after a start",
    Trouble.WRONG_KEY: "it has another key than the gateway, or none yet",
    Trouble.NOT_SECURE: "it has no secure channel, and is not used without",
}
_NEEDS_A_PERSON: Final = (Trouble.WRONG_KEY, Trouble.NOT_SECURE)
"""What does not go away by itself: it is reported, once until the reader is there again."""


class Station:
    """One reader: from what it says to records of its device. All in the event loop; times monotonic (s)."""

    def __init__(self, reader: OsdpReader, bridge: Speaker, panel: Panel) -> None:
        self._reader, self._bridge, self._panel = reader, bridge, panel
        self._present = False
        self._trouble: Trouble | None = None
        self._reported: Trouble | None = None  # since it was there last
        self._tampered = self._power_failed = False
        self._firmware = ""
        self._card: tuple[str, float] | None = None

    def take(self, event: Event, now: float) -> None:
        """What the reader said or what became of it."""
        if isinstance(event, Online):
            self._came(event.firmware)
        elif isinstance(event, Offline):
            self._went(event.trouble)
        elif isinstance(event, CardRead):
            self._read(event.data, now)
        else:
            self._told_of_itself(event)

    def beat(self) -> None:
        """A heartbeat, while the reader is there."""
        if self._present:
            self._bridge.beat({"firmware": self._firmware})

    def _came(self, firmware: str) -> None:
        log.info("%s is there, firmware %s", self._reader.name, firmware)
        self._firmware, self._present = firmware, True
        self._trouble = self._reported = None
        self.beat()
        self._bridge.present(True)

    def _went(self, trouble: Trouble) -> None:
        self._present = False
        self._bridge.present(False)
        if trouble is self._trouble:
            return
        self._trouble = trouble
        log.warning("%s cannot be used: %s", self._reader.name, _WORDS[trouble])
        if trouble in _NEEDS_A_PERSON and trouble is not self._reported:
            self._reported = trouble
            self._report(f"osdp_{trouble}", _WORDS[trouble], False)

    def _read(self, data: bytes, now: float) -> None:
        try:
            tag = Card.parse(data).tag
        except DecodeError as error:
            reason, _, detail = str(error).partition(": ")
            self._bridge.refuse(Noise(reason.replace(" ", "_"), detail, data))
            self._show(Feedback.REFUSED)
            return
        held, self._card = self._card, (tag, now)
        if held is None or held[0] != tag or now - held[1] >= self._reader.held_s:
            self._bridge.report({"type": "scan", "tag": tag}, data, self._stored)

    def _stored(self, refused: str | None) -> None:
        self._show(Feedback.ACCEPTED if refused is None else Feedback.REFUSED)

    def _show(self, feedback: Feedback) -> None:
        self._panel.give(self._reader.address, feedback)

    def _told_of_itself(self, local: Local) -> None:
        if local.tampered is not self._tampered:
            self._tampered = local.tampered
            words = "the reader was opened or torn off" if local.tampered else "the reader is closed again"
            self._report("osdp_tamper", words, not local.tampered)
        if local.power_failed is not self._power_failed:
            self._power_failed = local.power_failed
            words = "the reader's power fails" if local.power_failed else "the reader's power is back"
            self._report("osdp_power", words, not local.power_failed)

    def _report(self, category: str, words: str, over: bool) -> None:
        severity = "info" if over else "major"
        self._bridge.report(
            {"type": "report", "category": category, "text": words, "severity": severity, "resolved": over}
        )


async def run_bus(
    port: str,
    baud: int,
    readers: Sequence[OsdpReader],
    bridges: Mapping[int, Speaker],
    keys: Mapping[str, bytes],
    line_changed: Changed = lambda problem, detail: None,
) -> None:
    """Serve the readers of one line until cancelled. `bridges`: by address; `keys`: by name.

    `line_changed` hears in the event loop what is wrong with the line, None when it is open.

    A line that is not there, and readers that do not answer, are looked for as long as this runs. Raises `ValueError`
    when the readers cannot share a line, `KeyError` for a key that is not there.
    """
    loop = asyncio.get_running_loop()

    def in_loop(call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the end did not wait for a line that was stuck
            loop.call_soon_threadsafe(call)

    panel = Panel(
        port,
        baud,
        readers,
        keys,
        tell=lambda address, event: in_loop(lambda: stations[address].take(event, loop.time())),
        changed=lambda problem, detail: in_loop(lambda: line_changed(problem, detail)),
    )
    stations = {reader.address: Station(reader, bridges[reader.address], panel) for reader in readers}
    ended: asyncio.Future[None] = loop.create_future()

    def work() -> None:
        try:
            panel.run()
        except Exception as error:
            failed = error
            in_loop(lambda: ended.set_exception(failed))
        else:
            in_loop(lambda: ended.set_result(None))

    # A thread that is stuck in the system must not keep the process from ending.
    threading.Thread(target=work, name=f"osdp {port}", daemon=True).start()
    try:
        while not ended.done():
            await asyncio.wait({ended}, timeout=BEAT_S)
            for station in stations.values():
                station.beat()
        await ended
    finally:
        panel.stop()
        await asyncio.wait({ended}, timeout=STOP_S)
        if not ended.done():
            log.warning("the line %s is stuck: it is left behind", port)
