"""The native wire records (docs/wire.md): from bytes to facts, or to a named reason for the quarantine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.domain.facts import (
    AnyFact,
    GateEvent,
    GateEventKind,
    Outcome,
    RadioCall,
    Report,
    Scan,
    Signature,
    Status,
    Tap,
    mark_of,
)
from gateway.domain.strength import Strength
from gateway.ingest.event_time import NOTHING_KNOWN, Known, event_time
from gateway.ingest.losses import losses_of
from gateway.instants import from_datetime

MAX_RECORDS: Final = 500
"""The most records that one message may hold."""

MAX_PAYLOAD: Final = 1 << 20
"""The largest payload (bytes) that is read; larger ones go to the quarantine unread."""

MAX_DEPTH: Final = 32
"""How deep arrays and objects may lie in each other in a record; the contract's own records are flat."""

MAX_SEQ: Final = 2**53

BUFFER_WARNING: Final = "buffer_nearly_full"
"""The warning of a device that has little room left for records."""

_MAX_DETAIL: Final = 500
_ALWAYS_SHALLOW: Final = 512  # bytes; so few cannot nest deep enough to do harm

_Time = Annotated[datetime, Meta(tz=True)]
_Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
_Tag = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{2}(?:[: -]?[0-9A-Fa-f]{2}){1,15}$")]
_Short = Annotated[str, Meta(max_length=256)]
_Text = Annotated[str, Meta(max_length=4000)]
_Ms = Annotated[int, Meta(ge=0, le=MAX_SEQ)]


class Record(Struct, tag_field="type", gc=False):
    """What every record has. `sent_boot`: the boot that sends, where it is not the one that recorded."""

    boot: Annotated[str, Meta(min_length=1, max_length=32)]
    seq: Annotated[int, Meta(ge=1, le=MAX_SEQ)]
    at: _Time
    mono: _Ms | None = None
    sent_at: _Time | None = None
    sent_mono: _Ms | None = None
    clock: Literal["synced", "free", "unset"] = "free"
    replayed: bool = False
    sent_boot: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class ScanRecord(Record, tag="scan", gc=False):
    tag: _Tag | None = None
    qr: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    sun: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    guard: _Short | None = None
    battery: Annotated[float, Meta(ge=0, le=100)] | None = None
    rssi: float | None = None


class RadioRecord(Record, tag="radio", gc=False, kw_only=True):
    post: _Id
    outcome: Literal["answered", "no_answer", "abnormal"]
    by: _Short | None = None
    note: _Text | None = None


class Item(Struct, gc=False):
    """One line of a checklist."""

    item: Annotated[str, Meta(min_length=1, max_length=256)]
    ok: bool
    note: _Text | None = None


class SignatureRecord(Record, tag="signature", gc=False, kw_only=True):
    form: _Id
    by: Annotated[str, Meta(min_length=1, max_length=256)]
    post: _Id | None = None
    text: _Text | None = None
    result: Literal["done", "abnormal"] | None = None
    items: Annotated[list[Item], Meta(max_length=100)] = []


class GateRecord(Record, tag="gate", gc=False, kw_only=True):
    event: Literal[
        "opened",
        "closed",
        "vehicle_in",
        "vehicle_out",
        "forced",
        "stuck",
        "fault",
        "recovered",
        "manual_open",
    ]
    lane: _Short | None = None
    plate: _Short | None = None
    card: _Short | None = None
    cause: Literal["card", "plate", "remote", "manual", "fire", "unknown"] | None = None
    pass_no: _Short | None = msgspec.field(name="pass", default=None)
    by: _Short | None = None
    note: _Text | None = None
    vehicle: Literal["car", "large", "dangerous", "other"] | None = None
    goods: bool | None = None


class ReportRecord(Record, tag="report", gc=False, kw_only=True):
    category: _Short
    text: _Text
    checkpoint: _Id | None = None
    severity: Literal["info", "minor", "major", "critical"] = "info"
    photo: Annotated[str, Meta(max_length=360_000)] | None = None
    resolved: bool = False
    reason: _Text | None = None


class LostRange(Struct, gc=False):
    """Records that the device has overwritten: the clocks of the first and of the last one."""

    boot: Annotated[str, Meta(min_length=1, max_length=32)]
    first: Annotated[int, Meta(ge=1, le=MAX_SEQ)] = msgspec.field(name="from")
    last: Annotated[int, Meta(ge=1, le=MAX_SEQ)] = msgspec.field(name="to")
    at: _Time
    until: _Time
    mono: _Ms | None = None
    until_mono: _Ms | None = None


class StatusRecord(Record, tag="status", gc=False):
    buffered: _Ms | None = None
    high_seq: _Ms | None = None
    battery: Annotated[float, Meta(ge=0, le=100)] | None = None
    firmware: _Short | None = None
    uptime: _Ms | None = None
    reply_to: _Short | None = None
    result: Literal["done", "refused", "failed", "unknown"] | None = None
    lost: Annotated[list[LostRange], Meta(max_length=16)] | None = None
    overwritten: _Ms | None = None
    warning: _Short | None = None
    noise: _Ms | None = None
    line_faults: _Ms | None = None


AnyRecord = ScanRecord | RadioRecord | SignatureRecord | GateRecord | ReportRecord | StatusRecord

_decode_one: Final = msgspec.json.Decoder(AnyRecord).decode
_decode_parts: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder(Any).decode


class RefusedError(Exception):
    """A record that cannot become a fact: a named reason, and what is wrong in words for an engineer."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail[:_MAX_DETAIL]


def split(payload: bytes) -> list[bytes]:
    """The records of one message, as sent. Raises `RefusedError` when it is neither a record nor an array."""
    if len(payload) > MAX_PAYLOAD:
        raise RefusedError("payload_too_large", f"{len(payload)} bytes; at most {MAX_PAYLOAD} are read")
    if payload[:1] == b"{":
        return [payload]
    text = payload.lstrip(b" \t\r\n")
    if text[:1] != b"[":
        if text[:1] == b"{":
            return [text]
        _broken(payload)
        raise RefusedError("not_a_record", "neither an object nor an array")
    try:
        parts = _decode_parts(text)
    except msgspec.DecodeError as error:
        raise RefusedError("broken_json", str(error)) from None
    except RecursionError:
        raise _too_deep() from None
    if not parts:
        raise RefusedError("empty_array")
    if len(parts) > MAX_RECORDS:
        raise RefusedError("array_too_long", f"{len(parts)} records; at most {MAX_RECORDS} in one message")
    return [bytes(part) for part in parts]


def decode(raw: bytes) -> AnyRecord:
    """One record. Raises `RefusedError` with a named reason."""
    if len(raw) > _ALWAYS_SHALLOW and _depth(raw) > MAX_DEPTH:
        raise _too_deep()
    try:
        if not raw.isascii():
            raw.decode()  # also in members that nobody reads: the record is handed out as it is
        record: AnyRecord = _decode_one(raw)
        return record
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _explain(raw, str(error)) from None


def identity(raw: bytes) -> tuple[str, int] | None:
    """`(boot, seq)` of a record that is refused for something else, so that the device can free it."""
    try:
        found: Any = _decode_any(raw)
        boot, seq = found["boot"], found["seq"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
    good = type(boot) is str and type(seq) is int and 1 <= len(boot) <= 32 and 1 <= seq <= MAX_SEQ
    return (boot, seq) if good else None


def _broken(payload: bytes) -> None:
    try:
        payload.decode()
        _decode_any(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError("broken_json", str(error)) from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> RefusedError:
    return RefusedError("too_deep", f"arrays or objects more than {MAX_DEPTH} deep in each other")


def _depth(raw: bytes) -> int:
    """How deep arrays and objects lie in each other; at least that, where the JSON is broken."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in _BRACKETS.sub(b"", raw):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[^][{}]', re.DOTALL)
"""All that is not a bracket outside a string."""


_MEMBER: Final = re.compile(r"at `\$\.?([a-z_]*)")
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_TYPES: Final = ("scan", "radio", "signature", "gate", "report", "status")


def _explain(raw: bytes, message: str) -> RefusedError:
    """Name what is wrong with a record that did not decode."""
    try:
        _broken(raw)
    except RefusedError as broken:
        return broken
    found = _decode_any(raw)
    if not isinstance(found, dict):
        return RefusedError("not_a_record", f"a {type(found).__name__} where a record was expected")
    if (missing := _MISSING.search(message)) and not _MEMBER.search(message):
        return RefusedError(f"missing_{missing[1]}", message)
    if found.get("type") not in _TYPES:
        return RefusedError("unknown_type", f"{found.get('type')!r}; the types are {', '.join(_TYPES)}")
    if "boot" not in found:
        return RefusedError("missing_boot", "every record names its boot")
    member = matched[1] if (matched := _MEMBER.search(message)) else ""
    if member in ("at", "sent_at"):
        value = found.get(member)
        if isinstance(value, str) and _is_naive(value):
            return RefusedError("time_without_offset", f"{member}: {value!r}; times need an offset")
        return RefusedError("bad_time", f"{member}: {value!r} is not an RFC 3339 time")
    return RefusedError(f"bad_{member}" if member else "bad_record", message)


def _is_naive(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def to_fact(
    record: AnyRecord,
    device: str,
    received_at: int,
    *,
    same_boot: bool,
    known: Known = NOTHING_KNOWN,
    tap: str | None = None,
) -> AnyFact:
    """The fact that a record reports. `tap`: see `make_fact`. Raises `RefusedError` or `TimeUnknownError`."""
    at = from_datetime(record.at)
    sent_at = None if record.sent_at is None else from_datetime(record.sent_at)
    occurred_at, uncertainty = event_time(
        received_at,
        at,
        record.mono,
        sent_at,
        record.sent_mono,
        clock=record.clock,
        same_boot=same_boot,
        known=known,
    )
    error = None if sent_at is None else sent_at - received_at
    return make_fact(record, device, occurred_at, received_at, uncertainty, error, tap)


def make_fact(
    record: AnyRecord,
    device: str,
    occurred_at: int,
    received_at: int,
    uncertainty: int,
    clock_error: int | None,
    tap: str | None = None,
) -> AnyFact:
    """The fact that a record reports, when it is known when that happened. Raises `RefusedError`.

    `tap`: of a scan, what its SUN message proved, as `tap_text` writes it; it was verified when it came in.
    """
    common = (device, record.boot, record.seq, occurred_at, received_at, uncertainty, clock_error)
    if isinstance(record, ScanRecord):
        return _scan(record, common, tap)
    return _MAKERS[type(record)](record, common)


def normal_uid(uid: str) -> str:
    """A UID as the contract writes it: upper-case hex without separators."""
    uid = uid.upper()
    return uid if uid.isalnum() else uid.translate(_NO_SEPARATORS)


_NO_SEPARATORS: Final = str.maketrans("", "", ":- ")
_Common = tuple[str, str, int, int, int, int, int | None]


def tap_text(uid: str, counter: int, message: str) -> str:
    """What a SUN message proved, as it is stored: to be sorted by UID and counter."""
    return f"{uid}:{counter:08}:{message}"


def _scan(record: ScanRecord, common: _Common, tap: str | None) -> Scan:
    battery = None if record.battery is None else round(record.battery)
    if tap is not None:
        uid, counter, message = tap.split(":")
        of_tag = Tap(int(counter), message)
        return Scan(*common, uid, record.guard, battery, Strength.SUN, of_tag)
    if record.tag is not None:
        return Scan(*common, normal_uid(record.tag), record.guard, battery)
    if record.qr is not None:
        return Scan(*common, record.qr, record.guard, battery, Strength.QR)
    if record.sun is not None:
        raise RefusedError("sun_not_enrolled", "no key is known here that opens this message")
    if record.guard is None:
        raise RefusedError("missing_tag", "a scan needs tag, sun or qr; that of a fixed reader, guard")
    return Scan(*common, mark_of(common[0]), record.guard, battery)


def _radio(record: RadioRecord, common: _Common) -> RadioCall:
    return RadioCall(*common, record.post, Outcome(record.outcome), record.by, record.note)


def _signature(record: SignatureRecord, common: _Common) -> Signature:
    failed = tuple(each.item for each in record.items if not each.ok)
    # Who does not say how it went has said it with the checklist.
    abnormal = bool(failed) if record.result is None else record.result == "abnormal"
    return Signature(*common, record.form, record.by, record.post, record.text, abnormal, failed)


def _gate(record: GateRecord, common: _Common) -> GateEvent:
    return GateEvent(
        *common,
        GateEventKind(record.event),
        record.lane,
        record.plate,
        record.card,
        record.cause,
        record.pass_no,
        record.by,
        record.note,
        record.vehicle,
        record.goods or False,
    )


def _report(record: ReportRecord, common: _Common) -> Report:
    return Report(
        *common,
        record.category,
        record.text,
        record.checkpoint,
        record.severity,
        record.resolved,
        record.reason,
    )


def _status(record: StatusRecord, common: _Common) -> Status:
    if any(each.last < each.first for each in record.lost or ()):
        raise RefusedError("bad_lost", "a range of lost records ends before it begins")
    # A status is made when it is sent: what happened up to then is what `buffered` speaks of.
    battery = None if record.battery is None else round(record.battery)
    return Status(
        *common,
        record.buffered,
        record.high_seq,
        common[3],
        battery,
        record.firmware,
        record.uptime,
        record.reply_to,
        record.result,
        losses_of(record, *common[3:6]) if record.lost else (),
        record.warning == BUFFER_WARNING,
    )


_MAKERS: Final[Mapping[type[Any], Callable[[Any, _Common], AnyFact]]] = {
    RadioRecord: _radio,
    SignatureRecord: _signature,
    GateRecord: _gate,
    ReportRecord: _report,
    StatusRecord: _status,
}
