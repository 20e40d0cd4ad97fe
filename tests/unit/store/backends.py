"""Rows to put into stores of any kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from gateway.store.port import (
    ActionRow,
    AlertRow,
    BlindRow,
    CommandRow,
    Commit,
    DeliveryRow,
    FactRow,
    KeyRow,
    NoticeRow,
    PlanRow,
    RefusedRow,
    StateRow,
    Store,
    VerdictRow,
)

HOUR = 3_600_000
T0 = 1_795_392_000_000 // HOUR * HOUR
"""An instant (ms) at which an hour begins."""

Open = Callable[[], Awaitable[Store]]


def fact(
    seq: int,
    at: int = T0,
    *,
    site: str = "court",
    device: str = "scanner-1",
    boot: str = "b1",
    type: str = "scan",
    received_at: int | None = None,
    body: bytes | None = None,
) -> FactRow:
    received = at if received_at is None else received_at
    return FactRow(
        site,
        device,
        boot,
        seq,
        type,
        at,
        received,
        500,
        None,
        body if body is not None else b'{"seq":%d}' % seq,
    )


def verdict(
    occurrence: str,
    verdict: str = "missed",
    *,
    site: str = "court",
    kind: str = "round",
    opens_at: int = T0,
    due_at: int | None = None,
    ordinal: int = 0,
    at: int = T0,
    code: str = "not_visited",
    findings: Sequence[str] = (),
) -> VerdictRow:
    shape: dict[str, object] = {"id": occurrence, "verdict": verdict, "at": at}
    if findings:
        shape["findings"] = [{"code": each, "params": {}, "facts": []} for each in findings]
    body = msgspec.json.encode(shape)
    track = occurrence.partition("@")[0]
    due = opens_at + HOUR if due_at is None else due_at
    return VerdictRow(site, occurrence, track, kind, opens_at, due, ordinal, at, verdict, code, body)


def alert(
    number: int,
    state: str = "open",
    *,
    site: str = "court",
    at: int = T0,
    opened_at: int | None = None,
    closed_at: int | None = None,
) -> AlertRow:
    id_ = f"{site}-{number}"
    body = msgspec.json.encode({"id": id_, "site": site, "state": state, "at": at})
    opened = T0 + number if opened_at is None else opened_at
    return AlertRow(id_, site, number, "round_missed", f"route-{number}", state, at, opened, closed_at, body)


def notice(number: int, *, site: str = "court", alert: int | None = 1, at: int = T0) -> NoticeRow:
    key = f"{site}-{alert}/opened/{number}"
    about = None if alert is None else f"{site}-{alert}"
    body = msgspec.json.encode({"key": key, "at": at})
    return NoticeRow(key, site, at, "opened", '["shift_leader"]', about, body)


def delivery(
    of: NoticeRow, number: int, channel: str = "phones", state: str = "waiting", **more: object
) -> DeliveryRow:
    next_at = of.at if state == "waiting" else None
    return DeliveryRow(of.key, number, of.site, of.alert, channel, state, of.at, next_at=next_at)._replace(
        **more
    )


def refused(
    payload: bytes = b"{",
    reason: str = "broken_json",
    at: int = T0,
    *,
    topic: str = "patrol/v1/court/scanner-1/up",
    site: str | None = "court",
    device: str | None = "scanner-1",
    boot: str | None = None,
    seq: int | None = None,
) -> RefusedRow:
    return RefusedRow(topic, payload, at, reason, "why", site, device, boot, seq)


def state(online: bool, device: str = "scanner-1", *, site: str = "court", at: int = T0) -> StateRow:
    return StateRow(site, device, at, online)


def plan(version: int, site: str = "court", body: str = "site: court\n") -> PlanRow:
    return PlanRow(site, version, T0 + version, T0, body)


def action(what: str, target: str = "court-1", *, site: str = "court", at: int = T0) -> ActionRow:
    return ActionRow(site, at, "wang-jg", "192.0.2.7", what, target, b'{"note":"x"}')


def command(number: int, state: str = "sent", *, site: str = "court", at: int = T0) -> CommandRow:
    id_ = f"{site}-c{number}"
    body = msgspec.json.encode({"id": id_, "site": site, "state": state})
    return CommandRow(id_, site, "gate-1", "open", state, at + number, body)


def changed(row: CommandRow) -> ActionRow:
    """The act that a change of a command is stored with."""
    return ActionRow(row.site, T0, "wang-jg", "", f"command_{row.state}", row.id, row.body)


def blind(since: int, until: int | None = None, cause: str = "down") -> BlindRow:
    return BlindRow(since, since + 60_000 if until is None else until, cause)


def key(what: str, name: str = "li", *, kind: str = "token", at: int = T0) -> KeyRow:
    return KeyRow(kind, name, at, "boss", "127.0.0.1", what, b"" if what == "revoke" else b"\1" * 32, b"{}")


async def put(store: Store, at: int = T0, **rows: object) -> None:
    """Write one commit."""
    await store.commit(Commit(at, **rows))  # type: ignore[arg-type]
