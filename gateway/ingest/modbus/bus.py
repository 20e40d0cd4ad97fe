"""A Modbus RTU line: one task asks its units in turn, and tells them what people want.

One thing is on the line at a time, so a command waits for the reading that is under way and goes before the next.
Nothing is ever asked twice without a new reason: a reading that fails is left to the next turn, a command that is not
answered is left to a person (law 15). A unit that is silent is asked more seldom, so that it does not slow the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest

from gateway.clock import Clock
from gateway.domain.commands import Command
from gateway.ingest.bridge import BEAT_S, Speaker
from gateway.ingest.commander import Commander
from gateway.ingest.devices.reading import Noise
from gateway.ingest.modbus.barrier import Barrier
from gateway.ingest.modbus.barrier_map import COIL_OFF, COIL_ON, Place, Table, Write
from gateway.ingest.modbus.frames import Expected
from gateway.ingest.modbus.maps import MAPS

log = logging.getLogger(__name__)

SILENT_AFTER: Final = 3
"""So many questions in a row without an answer: the unit is not there."""

SILENT_EVERY_S: Final = 5.0
"""How often a unit that is not there is asked (s)."""

REOPEN_S: Final = (0.5, 1.0, 2.0, 5.0)
"""Pauses before a line that is not there is opened again (s)."""

_DEVICE_FAILED: Final = 4
_STILL_AT_IT: Final = 5
_BUSY: Final = 6


@dataclass(frozen=True, slots=True)
class ModbusUnit:
    """One barrier on a line. `map`: a name of `MAPS`; `alone`: nothing but the gateway opens it."""

    site: str
    device: str
    address: int
    map: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class ModbusLine:
    """A line and its units, which are all set the same way; what is None is as the first unit's map says."""

    port: str
    units: tuple[ModbusUnit, ...]
    baud: int | None = None
    parity: str | None = None
    stop_bits: int = 1
    poll_s: float = 0.25
    timeout_s: float = 0.3
    leave_s: float = 1.0
    """A unit that did not answer is left alone for so long: what it says by then answers nothing else any more."""


Register = Callable[[str, str, Commander], None]
"""Told who carries commands to a device (site, device)."""

KnownPlace = Callable[[str, str], str]
"""Where a barrier (site, device) was last known to be, as the board says it."""


Voices = Callable[[str, str], Speaker]
"""Who makes the records of a device (site, device)."""


async def run_bus(
    line: ModbusLine,
    voices: Voices,
    clock: Clock,
    register: Register,
    known_place: KnownPlace,
    line_changed: Callable[[bool], None] = lambda is_open: None,
) -> None:
    """Serve a line until cancelled. Raises KeyError for a map that there is not.

    `line_changed` hears when the port is open, and when it is not.
    """
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # silence on a line is no error of ours
    bus = Bus(line, voices, clock, known_place, line_changed)
    for unit in bus.units:
        register(unit.of.site, unit.of.device, unit)
    try:
        await bus.run()
    finally:
        bus.close()


class Unit:
    """One unit: its barrier, the device that it is, and what it is to be told. It is that device's `Commander`."""

    def __init__(self, of: ModbusUnit, bridge: Speaker, place: Place, wake: Callable[[], None]) -> None:
        self.of = of
        self.barrier = Barrier(MAPS[of.map], place, of.alone)
        self.bridge = bridge
        self.commands: deque[Command] = deque()
        self.unanswered = 0
        self.online = False
        self.next_at = 0.0
        self.beat_at = 0.0
        self.faulty: int | None = None  # the exception that it keeps answering with
        self._wake = wake

    def send(self, command: Command) -> bool:
        self.commands.append(command)
        self._wake()
        return True


class Bus:
    """The units of one line."""

    def __init__(
        self,
        line: ModbusLine,
        voices: Voices,
        clock: Clock,
        known_place: KnownPlace,
        line_changed: Callable[[bool], None],
    ) -> None:
        self.line = line
        self._line_changed = line_changed
        self._clock = clock
        self._wake = asyncio.Event()
        self.units = [
            Unit(
                unit,
                voices(unit.site, unit.device),
                _PLACES.get(known_place(unit.site, unit.device), Place.UNKNOWN),
                self._wake.set,
            )
            for unit in line.units
        ]
        self._expected: Expected | None = None
        usual = self.units[0].barrier.map
        self._client = AsyncModbusSerialClient(
            line.port,
            baudrate=line.baud or usual.baud,
            parity=line.parity or usual.parity,
            stopbits=line.stop_bits,
            timeout=line.timeout_s,
            reconnect_delay=0,  # it is opened here, where it is known what else to do
            retries=0,  # nothing is ever sent twice
            trace_packet=self._trace,
        )

    def close(self) -> None:
        """Let go of the line."""
        self._client.close()

    async def run(self) -> None:
        """Ask and tell, and open the line again whenever it is gone."""
        failures = 0
        while True:
            if await self._open():
                failures = 0
                self._line_changed(True)
                await self._serve()
            self._line_changed(False)
            for unit in self.units:
                self._gone(unit)
                while unit.commands:
                    self._answer(unit, unit.commands.popleft(), "failed")  # it was not sent, and will not be
            if not failures:
                log.warning("the line %s is not there; it is tried again", self.line.port)
            await self._pause(REOPEN_S[min(failures, len(REOPEN_S) - 1)])
            failures += 1

    async def _open(self) -> bool:
        self._client.close()
        try:
            return await self._client.connect()
        except (OSError, ModbusException, ValueError):
            return False

    async def _serve(self) -> None:
        while self._client.connected:
            for unit in self.units:
                while unit.commands:
                    await self._tell(unit, unit.commands.popleft())
            due = min(self.units, key=lambda unit: unit.next_at)
            wait = due.next_at - self._clock.elapsed()
            if wait > 0:
                await self._pause(wait)
                continue
            await self._ask(due)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not while somebody wants something."""
        self._wake.clear()
        if any(unit.commands for unit in self.units) and self._client.connected:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    # -- asking ---------------------------------------------------------------------------------------------

    async def _ask(self, unit: Unit) -> None:
        read, client = unit.barrier.map.read, self._client
        ask: Any = {
            Table.COILS: client.read_coils,
            Table.INPUTS: client.read_discrete_inputs,
            Table.HOLDING: client.read_holding_registers,
            Table.INPUT_REGISTERS: client.read_input_registers,
        }[read.table]
        found = await self._exchange(lambda: ask(read.address, count=read.count, device_id=unit.of.address))
        now = self._clock.elapsed()
        unit.next_at = now + self.line.poll_s
        if found is None:
            unit.unanswered += 1
            unit.next_at = now + (SILENT_EVERY_S if unit.unanswered > SILENT_AFTER else self.line.leave_s)
            if unit.unanswered == SILENT_AFTER:
                self._gone(unit)
            return
        self._here(unit)
        if found.isError():
            self._failed(unit, found.exception_code)
            return
        unit.faulty = None
        bits = read.table in (Table.COILS, Table.INPUTS)
        values = [int(bit) for bit in found.bits[: read.count]] if bits else list(found.registers)
        for event in unit.barrier.sees(values, now):
            unit.bridge.report({"type": "gate", **event})

    def _here(self, unit: Unit) -> None:
        unit.unanswered = 0
        now = self._clock.elapsed()
        if not unit.online:
            unit.online, unit.beat_at = True, now
            unit.bridge.present(True)
        if now >= unit.beat_at:
            unit.beat_at = now + BEAT_S / self._clock.speed
            unit.bridge.beat()

    def _gone(self, unit: Unit) -> None:
        unit.online = False
        unit.bridge.present(False)

    def _failed(self, unit: Unit, code: int) -> None:
        if code == _DEVICE_FAILED:
            for event in unit.barrier.fails():
                unit.bridge.report({"type": "gate", **event})
        elif unit.faulty != code:
            unit.faulty = code
            detail = (
                f"exception {code} to a reading of {unit.of.map}: is this the map of unit {unit.of.address}?"
            )
            unit.bridge.refuse(Noise("exception", detail, bytes([unit.of.address, code])))

    # -- telling --------------------------------------------------------------------------------------------

    async def _tell(self, unit: Unit, command: Command) -> None:
        """Carry out a command, once; what comes of it is a `status` record."""
        writes = unit.barrier.map.commands.get(command.cmd)
        if writes is None or self._clock.now() >= command.expires_at:
            self._answer(unit, command, "refused")  # nothing was sent
            return
        for number, write in enumerate(writes):
            found = await self._exchange(partial(self._write, unit, write))
            if found is None or (found.isError() and found.exception_code == _STILL_AT_IT):
                # Nobody knows. It stays without an answer, and so a person is asked.
                unit.barrier.told(command.cmd, None, self._clock.elapsed())
                unit.next_at = self._clock.elapsed() + self.line.leave_s
                return
            self._here(unit)
            if found.isError():
                refused = found.exception_code == _BUSY and number == 0
                self._answer(unit, command, "refused" if refused else "failed")
                return
        unit.barrier.told(command.cmd, command.by, self._clock.elapsed())
        self._answer(unit, command, "done")
        unit.next_at = 0.0

    @staticmethod
    def _answer(unit: Unit, command: Command, result: str) -> None:
        unit.bridge.report({"type": "status", "reply_to": command.id, "result": result})

    def _write(self, unit: Unit, write: Write) -> Any:
        if write.function == 6:
            return self._client.write_register(write.address, write.value, device_id=unit.of.address)
        if write.value in (COIL_ON, COIL_OFF):
            return self._client.write_coil(write.address, write.value == COIL_ON, device_id=unit.of.address)
        return self._client.execute(False, _Flash(write.address, write.value, unit.of.address))

    # -- the line -------------------------------------------------------------------------------------------

    async def _exchange(self, ask: Callable[[], Any]) -> ModbusPDU | None:
        """What was answered, an exception of the unit too; None when nothing fitting was."""
        try:
            found: ModbusPDU = await ask()
            return found
        except (ModbusException, OSError):
            return None

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """What goes out is remembered; of what comes in only the answer to it is let through."""
        if sending:
            self._expected = Expected.of(data)
            return data
        return b"" if self._expected is None else self._expected.find(data)


class _Flash(WriteSingleCoilRequest):
    """Function 5 with a value of a relay board's own."""

    def __init__(self, address: int, value: int, unit: int) -> None:
        super().__init__(address=address, bits=[True], dev_id=unit)
        self._value = value

    def encode(self) -> bytes:
        return self.address.to_bytes(2, "big") + self._value.to_bytes(2, "big")


_PLACES: Final = {"open": Place.OPEN, "closed": Place.CLOSED, "forced": Place.BETWEEN}
