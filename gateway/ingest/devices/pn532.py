"""PN532 over its high speed UART: frames, and the conversation that finds tags. 115200 8N1.

    00 | 00 FF | LEN | LCS | TFI, data | DCS | 00       LEN + LCS = 0, TFI + data + DCS = 0 (modulo 256)
    00 | 00 FF | FF FF | LENM LENL LCS | TFI, data | DCS | 00      extended
    00 | 00 FF | 00 FF | 00       ACK              00 | 00 FF | FF 00 | 00       NACK

TFI is D4 from the host, D5 from the reader, 7F for a command that the reader does not understand. The zeros around a
frame are fillers; readers leave some of them out. Each command is answered by an ACK and then by a frame whose code is
the command's plus one. (NXP, PN532 User Manual UM0701-02, chapters 6.2 and 7.)

The talk: wake up, SAMConfiguration, GetFirmwareVersion, RFConfiguration (look for a tag once, not for ever), then
InListPassiveTarget again and again. An answer that does not come is asked for again, then everything begins anew with
the wake-up: so a reader that was switched off and on is found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_bytes
from gateway.ingest.devices.reading import DecodeError, Heard, Noise, Reading

MAX_DATA: Final = 265
"""The most bytes from TFI on (UM0701-02, 6.2.1.2: 264 and the TFI)."""

_TFI: Final = frozenset((0xD4, 0xD5, 0x7F))
_LIST_PASSIVE_TARGET: Final = 0x4A
_FIRMWARE: Final = 0x02


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    if data[at] != 0x00:
        return Wrong()
    if at + 1 == len(data):
        return Found(1) if last else None
    if data[at + 1] != 0xFF:
        return Found(1)
    head = data[at + 2 : at + 7]
    if len(head) < 2:
        return None
    if head[:2] == b"\x00\xff":
        return Found(4, Reading({"frames": ["ACK"]}, frame=data[at : at + 4]))
    if head[:2] == b"\xff\x00":
        return Found(4, Reading({"frames": ["NACK"]}, frame=data[at : at + 4]))
    if head[:2] == b"\xff\xff":
        if len(head) < 5:
            return None
        length, check, begin = head[2] << 8 | head[3], sum(head[2:5]), at + 7
    else:
        length, check, begin = head[0], sum(head[:2]), at + 4
    if check % 256 or not 1 <= length <= MAX_DATA:
        return Wrong("bad_length", f"the length {length} or its check is wrong")
    end = begin + length
    if end >= len(data):
        return None
    payload = data[begin:end]
    frame = data[at : end + 1]
    if payload[0] not in _TFI:
        return Wrong(
            "bad_value", f"a frame of {payload[0]:02X} where D4, D5 or 7F was expected", extent=len(frame)
        )
    if (expected := -sum(payload) % 256) != data[end]:
        return Wrong(
            "bad_checksum", f"the data checksum is {data[end]:02X}, not {expected:02X}", extent=len(frame)
        )
    try:
        return Found(len(frame), _reading(payload, frame))
    except DecodeError as error:
        return Wrong("bad_value", str(error), len(frame))


def _reading(payload: bytes, frame: bytes) -> Reading:
    fields: dict[str, Any] = {"frames": [payload[:2].hex().upper()], "payload": payload.hex()}
    record = None
    if payload[:2] == bytes((0xD5, _LIST_PASSIVE_TARGET + 1)):
        target = _target(payload[2:])
        fields |= target
        record = {"type": "scan", "tag": target["uid"]} if target else None
    elif payload[:2] == bytes((0xD5, _FIRMWARE + 1)) and len(payload) == 6:
        fields |= {"ic": f"{payload[2]:02X}", "firmware": f"{payload[3]}.{payload[4]}"}
    return Reading(fields, record, frame=frame)


def _target(data: bytes) -> dict[str, Any]:
    """The tag (ISO/IEC 14443 A) of an InListPassiveTarget answer; empty: none was there. Raises `DecodeError`."""
    if data[:1] == b"\x00":
        return {}
    if data[:1] != b"\x01":
        raise DecodeError(
            f"{data[0] if data else 'nothing'} as the number of tags, where 0 or 1 was expected"
        )
    if len(data) < 6:
        raise DecodeError("the tag's description is cut off")
    uid, rest = data[6 : 6 + data[5]], data[6 + data[5] :]
    if len(uid) != data[5] or len(uid) not in (4, 7, 10):
        raise DecodeError(f"a UID of {data[5]} bytes, {len(uid)} of them there; UIDs have 4, 7 or 10")
    found = {"uid": uid.hex().upper(), "sak": data[4], "atqa": data[2:4].hex().upper()}
    if rest:
        # The first byte is the length, itself included.
        if rest[0] != len(rest):
            raise DecodeError(f"an ATS of {rest[0]} bytes, {len(rest)} of them there")
        found["ats"] = rest.hex()
    return found


def decode(text: str) -> list[Reading]:
    """Frames in hex. What acknowledges and the answer that follows are one reading."""
    data = pasted_bytes(text)
    if data.startswith(b"\x55"):
        data = data.lstrip(b"\x55")  # the wake-up that goes before a command
    merged: list[Reading] = []
    acks: list[str] = []
    for each in all_frames(front, data):
        if "payload" in each.fields:
            merged.append(Reading({**each.fields, "frames": acks + each.fields["frames"]}, each.record))
            acks = []
        else:
            acks += each.fields["frames"]
    return [*merged, Reading({"frames": acks})] if acks else merged


# -- the conversation

ACK: Final = bytes.fromhex("0000FF00FF00")
NACK: Final = bytes.fromhex("0000FFFF0000")
WAKE_UP: Final = b"\x55\x55" + bytes(14)
"""Any byte wakes the reader; the zeros pass while it does (UM0701-02, 7.2.11)."""

_SET_UP: Final = (
    b"\x14\x01\x14\x01",  # SAMConfiguration: no security module, time-out 1 s, no interrupt line
    b"\x02",  # GetFirmwareVersion
    b"\x32\x05\xff\x01\x01",  # RFConfiguration, retries: look for a tag twice, then answer that there is none
)
_POLL: Final = bytes((_LIST_PASSIVE_TARGET, 0x01, 0x00))
"""InListPassiveTarget: one tag, ISO/IEC 14443 A at 106 kbit/s."""

_ACK_S: Final = 0.1  # the reader needs 15 ms at the most; the rest is for USB
_ANSWER_S: Final = 1.0
_TRIES: Final = 3
_SILENT_S: Final = 1.0
"""Between two attempts to wake a reader that says nothing."""


def command(data: bytes) -> bytes:
    """A command of up to 254 bytes as a frame."""
    payload = b"\xd4" + data
    return b"\x00\x00\xff" + bytes((len(payload), -len(payload) % 256, *payload, -sum(payload) % 256, 0))


class Pn532Talk:
    """The conversation with one reader. `poll_s`: from an answer to the next question."""

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._decoder = FrameDecoder(front)
        self._out = bytearray()
        self._due: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._step = self._tries = 0
        self._acknowledged = self._asked = self._asked_again = False

    def opened(self, now: float) -> None:
        self._decoder.end()
        self._out.clear()
        self._begin()
        self._ask(now)

    def received(self, data: bytes, now: float) -> list[Heard]:
        return [each for found in self._decoder.feed(data) for each in self._take(found, now)]

    def due(self) -> float | None:
        return self._due

    def wake(self, now: float) -> list[Heard]:
        heard = [each for found in self._decoder.end() for each in self._take(found, now)]
        if self._due is not None and now < self._due:
            return heard  # what was left of the bytes has answered
        if not self._asked or self._tries < _TRIES:
            self._ask(now)
        else:
            heard += self._give_up(now)
        return heard

    def outgoing(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    @property
    def _command(self) -> bytes:
        return _SET_UP[self._step] if self._step < len(_SET_UP) else _POLL

    def _ask(self, now: float) -> None:
        if not self._step:
            self._out += WAKE_UP
        if self._tries:
            self._out += ACK  # from the host: forget what you were doing
        self._out += command(self._command)
        self._tries += 1
        self._asked, self._acknowledged, self._asked_again = True, False, False
        self._due = now + _ACK_S

    def _take(self, each: Heard, now: float) -> list[Heard]:
        if isinstance(each, Noise):
            if self._acknowledged and not self._asked_again:
                self._asked_again = True  # the answer came broken: once more
                self._out += NACK
                self._due = now + _ANSWER_S
            return [each]
        if not self._asked:
            return [each]
        payload = bytes.fromhex(each.fields.get("payload", ""))
        if each.fields["frames"] == ["ACK"]:
            self._acknowledged = True
            self._due = now + _ANSWER_S
        elif payload[:2] == bytes((0xD5, self._command[0] + 1)):
            # An answer says more than its ACK, which may be lost.
            polling = self._step == len(_SET_UP)
            self._step += not polling
            self._tries, self._asked, self._acknowledged = 0, False, False
            self._due = now + (self._poll_s if polling else 0)
        elif payload[:1] == b"\x7f":
            refused = Noise(
                "refused", f"the reader does not understand command {self._command.hex()}", each.frame
            )
            self._begin()
            self._due = now + _SILENT_S
            return [each, refused]
        return [each]

    def _give_up(self, now: float) -> list[Heard]:
        """Begin anew, with the wake-up."""
        asked = self._command[0]
        self._begin()
        self._due = now + _SILENT_S
        return [Noise("unanswered", f"command {asked:02X} was sent {_TRIES} times", b"")]


def talk(options: Mapping[str, Any]) -> Pn532Talk:
    """The talk of one line. Option `poll_ms`: from an answer to the next question, 20 to 5000, else 150."""
    poll = options.get("poll_ms", 150)
    if not isinstance(poll, int) or not 20 <= poll <= 5000:
        raise ValueError(f"poll_ms is {poll!r}; expected 20 to 5000")
    return Pn532Talk(poll / 1000)
