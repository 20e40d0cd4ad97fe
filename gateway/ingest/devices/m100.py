"""UHF readers with the M100, QM100 or R200 chip: frames, and the conversation that keeps one reading. 115200 8N1.

    BB | type | command | length, 2 bytes | parameters | check | 7E

The check is the sum of everything from the type on, modulo 256. BB and 7E may stand in the parameters, so the length
counts, not the marks. Type 00 is a command, 01 its answer, 02 a notice. A tag comes as notice 22: RSSI (dBm, signed),
PC, EPC, the tag's CRC-16. An answer FF is an error, 15 among them: no tag was there. (MagicRF, M100/QM100 firmware
manual; R200 user protocol V2.3.3.)

The talk: stop, then read many times (27) for as many rounds as fit. Each round without a tag is answered, so a reader
that says nothing for a second has come to the end of its rounds, or was switched off and on: it is told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_bytes
from gateway.ingest.devices.reading import Heard, Noise, Reading

MAX_PARAMETERS: Final = 512
"""Longer ones are no frame: the longest answer is the data of a tag, up to 64 words and what goes before."""

_FRAME: Final = 7  # bytes beside the parameters
_ANSWER, _NOTICE = 0x01, 0x02
_TAG, _ERROR = 0x22, 0xFF
_NO_TAG: Final = "15"


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    if data[at] != 0xBB:
        return Wrong()
    head = data[at : at + 5]
    if len(head) > 1 and head[1] > _NOTICE:
        return Wrong()
    if len(head) < 5:
        return None
    length = head[3] << 8 | head[4]
    if length > MAX_PARAMETERS:
        return Wrong("bad_length", f"{length} bytes of parameters; there are at most {MAX_PARAMETERS}")
    if at + _FRAME + length > len(data):
        return None
    frame = data[at : at + _FRAME + length]
    if frame[-1] != 0x7E:
        return Wrong(
            "bad_length", f"{frame[-1]:02X} where the length puts the end mark 7E", extent=len(frame)
        )
    if (expected := sum(frame[1:-2]) % 256) != frame[-2]:
        return Wrong(
            "bad_checksum", f"the check byte is {frame[-2]:02X}, not {expected:02X}", extent=len(frame)
        )
    return _read(frame)


def _read(frame: bytes) -> Found | Wrong:
    parameters = frame[5:-2]
    fields: dict[str, Any] = {"type": frame[1], "cmd": frame[2], "params": parameters.hex()}
    if (frame[1], frame[2]) != (_NOTICE, _TAG):
        return Found(len(frame), Reading(fields, frame=frame))
    pc, epc, crc = parameters[1:3], parameters[3:-2], parameters[-2:]
    if len(parameters) < 7 or len(epc) != 2 * (pc[0] >> 3):
        return Wrong("bad_length", "the tag's PC tells another length of its EPC", len(frame))
    if (expected := crc16(pc + epc)) != int.from_bytes(crc):
        return Wrong("bad_checksum", f"the tag's CRC is {crc.hex().upper()}, not {expected:04X}", len(frame))
    rssi = int.from_bytes(parameters[:1], signed=True)
    tag = epc.hex().upper()
    fields |= {"epc": tag, "rssi_dbm": rssi, "pc": pc.hex().upper(), "crc": crc.hex().upper()}
    # A longer EPC does not fit a record; it is told, and is no scan.
    record = {"type": "scan", "tag": tag, "rssi": rssi} if 2 <= len(epc) <= 16 else None
    return Found(len(frame), Reading(fields, record, frame=frame))


def crc16(data: bytes) -> int:
    """The CRC of tags: polynomial 1021, begun with FFFF, inverted at the end (EPC Gen2, annex F)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc ^ 0xFFFF


def decode(text: str) -> list[Reading]:
    """Frames in hex."""
    return all_frames(front, pasted_bytes(text))


# -- the conversation

_QUIET_S: Final = 1.0
_TRIES: Final = 3
_SILENT_S: Final = 5.0
"""Between two attempts to make a reader read that says nothing."""


def command(code: int, parameters: bytes = b"") -> bytes:
    """A command as a frame."""
    body = bytes((0x00, code)) + len(parameters).to_bytes(2) + parameters
    return b"\xbb" + body + bytes((sum(body) % 256, 0x7E))


STOP: Final = command(0x28)
READ_ON: Final = command(0x27, b"\x22\xff\xff")
"""Read tags for 65535 rounds."""


class M100Talk:
    """The conversation with one reader."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder(front)
        self._out = bytearray()
        self._tries = 0
        self._due: float | None = None

    def opened(self, now: float) -> None:
        self._decoder.end()
        self._out.clear()
        self._tries = 0
        self._start(now)

    def received(self, data: bytes, now: float) -> list[Heard]:
        return self._heard(self._decoder.feed(data), now)

    def due(self) -> float | None:
        return self._due

    def wake(self, now: float) -> list[Heard]:
        heard = self._heard(self._decoder.end(), now)
        if self._due is not None and now < self._due:
            return heard
        if self._tries == _TRIES:
            heard.append(Noise("unanswered", f"told to read at least {_TRIES} times, and nothing came", b""))
        self._start(now)
        return heard

    def outgoing(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _start(self, now: float) -> None:
        """Stop first: a reader that reads already refuses to be told again."""
        self._out += STOP + READ_ON
        self._tries = min(self._tries + 1, _TRIES)
        self._due = now + (_QUIET_S if self._tries < _TRIES else _SILENT_S)

    def _heard(self, found: list[Heard], now: float) -> list[Heard]:
        heard: list[Heard] = []
        for each in found:
            heard.append(each)
            if isinstance(each, Noise):
                continue
            self._tries = 0
            self._due = now + _QUIET_S
            if (each.fields["type"], each.fields["cmd"]) == (_ANSWER, _ERROR):
                error = each.fields["params"]
                if error != _NO_TAG:
                    # It will be quiet now, and told again after a second.
                    heard.append(Noise("refused", f"the reader answers with error {error}", each.frame))
        return heard


def talk(options: Mapping[str, Any]) -> M100Talk:
    """The talk of one line."""
    return M100Talk()
