"""Docked handhelds that speak the Wiclax acquisition protocol: lines, ended by CR. 9600 8N1.

    tag;dd-MM-yyyy HH:mm:ss.fff;reader;seq;battery;rewind      a record; from `reader` on, each may be empty
    *                                                          the device is there
    CLOCK dd-MM-yyyy HH:mm:ss                                  what its clock shows, the answer to CLOCK
    CLOCKOK, READOK                                            its clock is set; it reads, or has stopped

(The protocol as wiclax4j documents it, docs/protocol.md.) A line has no check, so it counts as a whole or not at all:
half a number would be another tag.

The talk, each time that the line is there, and each time that a handheld shows up which was away:

1. CLOCK: what does the device's clock show? All its times are by that clock, in the zone of the site.
2. REWIND from the last record that is known, else from some hours ago. The records come, `rewind` 1 in each; there is
   no end mark, so two seconds of quiet are the end. One that is known already is dropped and counted.
3. REWIND again until it brings nothing new. Three times at the most while a number of the device's is missing, or
   something came broken.
4. CLOCK again: only a device that is still there has said all. If its clock is two seconds or more off, it is set now,
   not before: its records were made by the clock as it was.

Then all but the clock's being set every 15 seconds, as a handheld that is taken along says nothing: one that was put
back before the next question has not been missed, and holds records all the same. A missing number between two live
records, or a broken line, leads to 2 at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.ingest.devices.framing import Found, FrameDecoder, Wrong, all_frames, pasted_bytes, pasted_line
from gateway.ingest.devices.reading import DecodeError, Heard, Noise, Reading

MAX_LINE: Final = 128
"""A longer line is none of this protocol."""

_LINE_END: Final = re.compile(rb"[\r\n]")
_RECORD: Final = re.compile(
    r"(?P<tag>[0-9A-Za-z_.-]{1,32});(?P<time>[^;]*);(?P<reader>[ -:<-~]{0,32});(?P<seq>\d{0,9});"
    r"(?P<battery>\d{0,3});(?P<rewind>[01])",
    re.ASCII,
)
_TIME: Final = re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?", re.ASCII)


def front(data: bytes, at: int, last: bool) -> Found | Wrong | None:
    if data[at] in b"\r\n":
        return Found(1)
    if data[at] == ord("*"):
        return Found(1, Reading({"heartbeat": True}, frame=b"*"))
    found = _LINE_END.search(data, at, at + 2 * MAX_LINE)
    if not found and len(data) - at >= 2 * MAX_LINE:
        # What is kept of it is too long whatever follows: the rest of a line is no line.
        return Wrong("bad_length", f"a line of more than {MAX_LINE} bytes", MAX_LINE - 1)
    if not found and not last:
        return None
    line = data[at : found.start() if found else len(data)]
    if len(line) > MAX_LINE:
        return Wrong("bad_length", f"a line of {len(line)} bytes", len(line))
    try:
        return Found(len(line), Reading(_fields(line.decode("ascii")), frame=line))
    except UnicodeDecodeError:
        return Wrong("garbage", length=len(line))
    except DecodeError as error:
        return Wrong("bad_value", str(error), len(line))


def _fields(line: str) -> dict[str, Any]:
    if line in ("CLOCKOK", "READOK"):
        return {"answer": line}
    if line.startswith("CLOCK "):
        return {"clock": _time(line.removeprefix("CLOCK ")).isoformat()}
    if not (found := _RECORD.fullmatch(line)):
        raise DecodeError(f"{line[:60]!r} is no line of this protocol")
    battery = int(found["battery"]) if found["battery"] else None
    if battery is not None and battery > 100:
        raise DecodeError(f"a battery of {battery} %")
    return {
        "tag": found["tag"],
        "time": _time(found["time"]).isoformat(timespec="milliseconds"),
        "reader": found["reader"] or None,
        "seq": int(found["seq"]) if found["seq"] else None,
        "battery": battery,
        "replayed": found["rewind"] == "1",
    }


def _time(text: str) -> datetime:
    """A time of the device, which knows no zone. Raises `DecodeError`."""
    if found := _TIME.fullmatch(text):
        day, month, year, hour, minute, second = (int(each) for each in found.groups()[:6])
        if 1970 <= year < 2100:
            with suppress(ValueError):
                return datetime(year, month, day, hour, minute, second, int(found[7] or 0) * 1000)
    raise DecodeError(f"{text!r} is no time like 22-09-2011 02:41:30.620")


def told_time(at: datetime) -> str:
    """A time as commands write it."""
    return at.strftime("%d-%m-%Y %H:%M:%S")


def decode(text: str) -> list[Reading]:
    """Lines as text, or in hex."""
    given = text.strip()
    digits = re.sub(r"\s", "", given)
    return all_frames(
        front, pasted_bytes(digits) if re.fullmatch(r"[0-9A-Fa-f]+", digits) else pasted_line(given)
    )


# -- the conversation

_ANSWER_S: Final = 2.0
_QUIET_S: Final = 2.0
_LISTEN_S: Final = 15.0
_FRESH_S: Final = 5.0
"""What a device said so long ago proves nothing of now."""
_TRIES: Final = 3
_TOLERATED: Final = timedelta(seconds=2)
_MARGIN: Final = timedelta(minutes=1)
_REMEMBERED: Final = 10_000
"""Records that are remembered, to know them again."""
_MOST_GAPS: Final = 256


class _Stage(Enum):
    CLOCK = "asked what its clock shows"
    REWIND = "asked for its records"
    SETTING = "its clock is being set"
    LISTENING = "nothing is asked"


class WiclaxTalk:
    """The conversation with one handheld. `wall`: the gateway's clock, ms since the epoch."""

    def __init__(self, zone: ZoneInfo, window: timedelta, wall: Callable[[], int]) -> None:
        self.duplicates = 0
        self._zone = zone
        self._window = window
        self._wall = wall
        self._decoder = FrameDecoder(front)
        self._out = bytearray()
        self._due: float | None = None
        self._stage = _Stage.LISTENING
        self._tries = 0
        self._asked_at = 0.0  # when it was first asked for its clock
        self._ahead: timedelta | None = None  # the device's clock, against UTC
        self._numbers = Numbers()
        self._latest: datetime | None = None
        self._wanted: datetime | None = None
        self._asked_from = self._utc()
        self._brought = False  # whether the last REWIND brought something new
        self._away = self._given_up = True
        self._heard_at = float("-inf")

    def complete(self, now: float) -> bool:
        """Whether the device has just shown that all it holds has come: only then is nothing held back."""
        asking = (
            self._stage is not _Stage.LISTENING or self._wanted is not None or bool(self._numbers.missing)
        )
        return not (asking or self._away or self._given_up) and now - self._heard_at <= _FRESH_S

    def opened(self, now: float) -> None:
        self._decoder.end()
        self._out.clear()
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._tries = 0
        self._away = self._given_up = False
        self._want(self._latest or self._device_now() - self._window)
        self._asked_at = now
        self._ask_clock(now)

    def received(self, data: bytes, now: float) -> list[Heard]:
        found = self._decoder.feed(data)
        if any(isinstance(each, Reading) for each in found):
            self._heard_at = now
            if self._away:
                self._begin(now)
        heard = self._take(found, now)
        if self._stage is _Stage.REWIND or (self._stage is _Stage.LISTENING and self._wanted is not None):
            self._due = now + _QUIET_S
        return heard

    def due(self) -> float | None:
        return self._due

    def wake(self, now: float) -> list[Heard]:
        stage = self._stage
        heard = self._take(self._decoder.end(), now)
        if stage is not self._stage:
            return heard  # what was left of the bytes has answered
        if stage is _Stage.CLOCK and self._tries < _TRIES:
            self._ask_clock(now)
        elif stage is _Stage.CLOCK:
            heard.append(Noise("unanswered", f"CLOCK was asked {_TRIES} times", b""))
            self._ahead = None
            if self._heard_at >= self._asked_at:
                self._go_on(now)  # it is there, and has no clock to be asked for
            else:
                self._away = True
                self._listen(now)
        elif stage is _Stage.REWIND:
            heard += self._quiet(now)
        elif stage is _Stage.SETTING:
            heard.append(Noise("unanswered", "the clock was set, and nothing said so", b""))
            self._listen(now)
        elif self._wanted is not None and not self._away:
            self._go_on(now)
        else:
            if not self._away:
                self._want(self._latest or self._asked_from)
            self._asked_at = now
            self._ask_clock(now)
        return heard

    def outgoing(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    # -- what is asked

    def _send(self, line: str) -> None:
        self._out += line.encode("ascii") + b"\r"

    def _ask_clock(self, now: float) -> None:
        self._send("CLOCK")
        self._stage, self._due = _Stage.CLOCK, now + _ANSWER_S
        self._tries += 1

    def _go_on(self, now: float) -> None:
        """After the clock: what is wanted, if anything."""
        self._tries = 0
        if self._wanted is not None:
            self._rewind(now)
        else:
            self._set_clock(now)

    def _rewind(self, now: float) -> None:
        assert self._wanted is not None
        until = max(self._device_now(), self._latest or self._wanted) + _MARGIN
        self._send(f"REWIND {told_time(self._wanted)} {told_time(until)}")
        self._asked_from, self._wanted, self._brought = self._wanted, None, False
        self._stage, self._due = _Stage.REWIND, now + _QUIET_S
        self._tries += 1

    def _quiet(self, now: float) -> list[Heard]:
        """All that was asked for has come, or will not."""
        if self._brought:
            self._tries = 0
        if self._wanted is None and not self._numbers.missing:
            if self._brought:
                self._want(self._latest or self._asked_from)
                self._rewind(now)
            else:
                self._asked_at, self._tries = now, 0
                self._ask_clock(now)
            return []
        if self._tries < _TRIES:
            self._want(self._asked_from)
            self._rewind(now)
            return []
        gone = Noise("unanswered", f"asked {_TRIES} times for records, missing: {self._numbers}", b"")
        self._wanted, self._given_up = None, True
        self._numbers.missing.clear()
        self._asked_at, self._tries = now, 0
        self._ask_clock(now)
        return [gone]

    def _set_clock(self, now: float) -> None:
        if self._ahead is None or abs(self._ahead - self._offset()) < _TOLERATED:
            self._listen(now)
            return
        self._send(f"CLOCK {told_time(self._utc() + self._offset())}")
        self._stage, self._due = _Stage.SETTING, now + _ANSWER_S

    def _listen(self, now: float) -> None:
        self._tries = 0
        self._stage, self._due = _Stage.LISTENING, now + _LISTEN_S

    # -- what comes

    def _take(self, found: list[Heard], now: float) -> list[Heard]:
        heard: list[Heard] = []
        for each in found:
            if isinstance(each, Noise):
                self._want(self._latest or self._device_now() - self._window)
            elif "clock" in each.fields:
                self._ahead = datetime.fromisoformat(each.fields["clock"]) - self._utc()
                if self._stage is _Stage.CLOCK:
                    self._go_on(now)
            elif each.fields.get("answer") == "CLOCKOK" and self._stage is _Stage.SETTING:
                self._ahead = self._offset()
                if self._latest is not None:
                    # Its next records may be dated before those of a clock that was ahead.
                    self._latest = min(self._latest, self._device_now())
                self._listen(now)
            elif "tag" in each.fields:
                each = self._record(each)
            heard.append(each)
        return heard

    def _record(self, reading: Reading) -> Reading:
        fields = reading.fields
        at = datetime.fromisoformat(fields["time"])
        if not self._numbers.new(fields):
            self.duplicates += 1
            return replace(reading, fields={**fields, "duplicate": self.duplicates})
        if self._numbers.jumped:
            self._want(self._latest or at)
        self._brought = True
        self._latest = max(at, self._latest or at)
        zone = _offset_text(self._offset())
        record: dict[str, Any] = {"type": "scan", **_tag(fields["tag"]), "at": _rfc3339(at, zone)}
        if self._ahead is not None:
            record["sent_at"] = _rfc3339(self._device_now(), zone)
        for ours, theirs in ("battery", "battery"), ("reader", "reader"), ("own_seq", "seq"):
            if fields[theirs] is not None:
                record[ours] = fields[theirs]
        return replace(reading, record=record | {"replayed": fields["replayed"]})

    def _want(self, since: datetime) -> None:
        self._wanted = min(since, self._wanted or since)

    # -- clocks

    def _utc(self) -> datetime:
        return datetime.fromtimestamp(self._wall() / 1000, UTC).replace(tzinfo=None)

    def _offset(self) -> timedelta:
        """Of the site's zone, now."""
        return datetime.fromtimestamp(self._wall() / 1000, self._zone).utcoffset() or timedelta()

    def _device_now(self) -> datetime:
        """What the device's clock shows, or should show where that is not known."""
        return self._utc() + (self._offset() if self._ahead is None else self._ahead)


class Numbers:
    """The device's own numbers: which records are known, and which must be there and are not."""

    def __init__(self) -> None:
        self.missing: list[tuple[int, int]] = []
        """Ranges, both ends included."""
        self.jumped = False
        """Whether the last record did not follow the one before it."""
        self._known: dict[tuple[Any, ...], None] = {}
        self._highest: int | None = None

    def new(self, fields: Mapping[str, Any]) -> bool:
        """Take note of a record; False: it is known already."""
        key = (fields["seq"], fields["tag"], fields["time"])
        self.jumped = False
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        if (seq := fields["seq"]) is not None:
            self._place(seq, fields["replayed"])
        return True

    def _place(self, seq: int, replayed: bool) -> None:
        highest, self._highest = self._highest, max(seq, self._highest or seq)
        if highest is None or seq == highest + 1:
            return
        if seq > highest:
            self.missing.append((highest + 1, seq - 1))
            del self.missing[:-_MOST_GAPS]
            self.jumped = True
        elif any(low <= seq <= high for low, high in self.missing):
            self.missing = [
                part
                for low, high in self.missing
                for part in (((low, seq - 1), (seq + 1, high)) if low <= seq <= high else ((low, high),))
                if part[0] <= part[1]
            ]
        elif not replayed:
            # A live record with a lower number: the device has begun to count anew.
            self._highest, self.jumped = seq, True

    def __str__(self) -> str:
        shown = [f"{low}" if low == high else f"{low}-{high}" for low, high in self.missing[:8]]
        return ", ".join(shown) or "none by their numbers"


def _tag(tag: str) -> dict[str, str]:
    """A number in hex is a UID, with zeros before it as far as a UID needs them; any other text is taken as it is."""
    if re.fullmatch(r"[0-9A-Fa-f]+", tag):
        return {"tag": tag.upper().zfill(max(6, len(tag) + len(tag) % 2))}
    return {"qr": tag}


def _offset_text(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _rfc3339(at: datetime, zone: str) -> str:
    return at.isoformat(timespec="milliseconds") + zone


def talk(options: Mapping[str, Any]) -> WiclaxTalk:
    """The talk of one line.

    Option `timezone`: the zone of its clock, as `Asia/Shanghai`. Option `rewind_h`: how many hours are asked for of a
    handheld of which nothing is known, 1 to 720, else 24. `clock` is the gateway's, where it is not the machine's.
    """
    name, hours = options.get("timezone"), options.get("rewind_h", 24)
    clock = options.get("clock", SYSTEM_CLOCK)
    if not isinstance(name, str):
        raise ValueError(
            "timezone is missing; expected the zone of the handheld's clock, such as Asia/Shanghai"
        )
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"timezone is {name!r}; expected a zone such as Asia/Shanghai") from None
    if not isinstance(hours, int) or not 1 <= hours <= 720:
        raise ValueError(f"rewind_h is {hours!r}; expected 1 to 720")
    if not isinstance(clock, Clock):
        raise ValueError("clock is set by the gateway itself")
    return WiclaxTalk(zone, timedelta(hours=hours), clock.now)
