"""A PN532 at its high speed UART."""

from __future__ import annotations

from typing import Final

from checkpoint_firmware_sim.lines.twin import SerialTwin, number

_ACK: Final = b"\x00\x00\xff\x00\xff\x00"
_ERROR: Final = b"\x00\x00\xff\x01\xff\x7f\x81\x00"
_FIRMWARE: Final = b"\x32\x01\x06\x07"


class Pn532(SerialTwin):
    """Sleeps until a byte 55 comes, and then wants SAMConfiguration first, as the chip does."""

    baud = 115200

    def __init__(self) -> None:
        super().__init__()
        self._start()

    def _start(self) -> None:
        self._buffer = b""
        self._awake = self._configured = False
        self._for_ever = True  # how long it looks for a tag, until RFConfiguration says otherwise
        self._looking = False
        self._answer = b""

    def reboot(self) -> bytes:
        self._start()
        return b""

    def tap(self, uid: str) -> bytes:
        number(uid, 4, 7, 10)
        self.held, self.shown = uid, False
        return self._found() if self._looking else b""

    def feed(self, data: bytes) -> bytes:
        if not self._awake:
            if b"\x55" not in data:
                return b""
            data = data[data.index(b"\x55") :]
            self._awake = True
        self._buffer += data
        out = b""
        while (start := self._buffer.find(b"\x00\xff")) >= 0:
            frame = self._buffer[start + 2 :]
            if len(frame) < 2:
                break
            size = 2
            if frame[:2] == b"\x00\xff":
                self._looking = False
            elif frame[:2] == b"\xff\x00":
                out += self._answer
            elif (frame[0] + frame[1]) & 0xFF == 0:
                size = frame[0] + 3
                if len(frame) < size:
                    break
                if sum(frame[2:size]) & 0xFF == 0 and frame[2:3] == b"\xd4":
                    out += self._obey(frame[3 : size - 1])
            self._buffer = frame[size:]
        self._buffer = self._buffer[-300:]
        return out

    def _obey(self, command: bytes) -> bytes:
        code = command[:1]
        if not self._configured and code != b"\x14":
            return b""
        self._looking = False
        if code == b"\x14":
            self._configured = True
            return _ACK + self._say(b"\x15")
        if code == b"\x02":
            return _ACK + self._say(b"\x03" + _FIRMWARE)
        if code == b"\x32":
            if command[1:2] == b"\x05":
                self._for_ever = command[4:5] == b"\xff"
            return _ACK + self._say(b"\x33")
        if code == b"\x4a":
            if self.held is not None:
                return _ACK + self._found()
            if self._for_ever:
                self._looking = True
                return _ACK
            return _ACK + self._say(b"\x4b\x00")
        return _ACK + _ERROR

    def _found(self) -> bytes:
        assert self.held is not None
        self._looking, self.shown = False, True
        uid = bytes.fromhex(self.held)
        atqa, sak = (b"\x00\x04", 0x08) if len(uid) == 4 else (b"\x00\x44", 0x00)
        return self._say(b"\x4b\x01\x01" + atqa + bytes((sak, len(uid))) + uid)

    def _say(self, answer: bytes) -> bytes:
        data = b"\xd5" + answer
        head = bytes((len(data), 256 - len(data)))
        self._answer = b"\x00\x00\xff" + head + data + bytes(((256 - sum(data)) & 0xFF, 0))
        return self._answer
