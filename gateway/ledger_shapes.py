"""The JSON of the gate ledger and of its register (docs/api.md)."""

from __future__ import annotations

from typing import Any, Final

from gateway.domain.calendar import FOREVER
from gateway.domain.ledger.authority import Authority, AuthorityKind, Grant, Tokens
from gateway.domain.ledger.entries import Explanation, Lane, Leftover, Opening, Passage, State, Stay
from gateway.domain.ledger.shown import Shown, lane_name
from gateway.instants import maybe_rfc3339, parse_instant, rfc3339
from gateway.shapes import params_json

Json = dict[str, Any]

HUNDREDTHS: Final = 100


def authority_json(authority: Authority) -> Json:
    """An entry of the register."""
    return {
        "id": authority.id,
        "site": authority.site,
        "kind": authority.kind.value,
        "at": rfc3339(authority.at),
        "from": rfc3339(authority.start),
        "to": _open_end(authority.end),
        "by": authority.by,
        **_tokens(authority.tokens),
        "holder": authority.holder,
        "host": authority.host,
        "goods": authority.goods,
        "note": authority.note,
        "revoked_at": maybe_rfc3339(authority.revoked_at),
        "revoked_by": authority.revoked_by,
    }


def authority_from_json(shape: Json) -> Authority:
    """The authority that `authority_json` wrote."""
    return Authority(
        shape["id"],
        shape["site"],
        AuthorityKind(shape["kind"]),
        parse_instant(shape["at"]),
        parse_instant(shape["from"]),
        FOREVER if shape["to"] is None else parse_instant(shape["to"]),
        shape["by"],
        Tokens(shape["number"], shape["card"], shape["plate"]),
        shape["holder"],
        shape["host"],
        shape["goods"],
        shape["note"],
        None if shape["revoked_at"] is None else parse_instant(shape["revoked_at"]),
        shape["revoked_by"],
    )


def ledger_json(shown: Shown, site: str, start: int, end: int, now: int) -> Json:
    """The ledger of a time."""
    return {
        "site": site,
        "from": rfc3339(start),
        "to": rfc3339(end),
        "now": rfc3339(now),
        "totals": shown.totals(),
        "openings": [opening_json(each) for each in shown.openings],
        "passages": [passage_json(each) for each in shown.passages],
        "stays": [stay_json(each, now) for each in shown.stays],
        "leftovers": leftovers_json(shown),
    }


def leftovers_json(shown: Shown) -> list[Json]:
    """What is left over, by time."""
    return [
        leftover_json(leftover, state, shown.explained.get(leftover.id))
        for leftover, state in shown.leftovers
    ]


def opening_json(opening: Opening) -> Json:
    return {
        "id": opening.id,
        **_lane(opening.lane),
        "device": opening.device,
        "at": rfc3339(opening.at),
        "uncertainty_s": opening.doubt / 1000,
        "cause": opening.cause,
        "by_hand": opening.by_hand,
        "forced": opening.forced,
        "by": opening.by,
        "note": opening.note,
        **_tokens(opening.tokens),
        "closed_at": maybe_rfc3339(opening.closed_at),
        "passage": opening.passage,
        "authority": _grant(opening.grant),
        "facts": list(opening.facts),
    }


def passage_json(passage: Passage) -> Json:
    return {
        "id": passage.id,
        **_lane(passage.lane),
        "device": passage.device,
        "at": rfc3339(passage.at),
        "uncertainty_s": passage.doubt / 1000,
        "direction": "in" if passage.inward else "out",
        **_tokens(passage.tokens),
        "read": passage.read,
        "vehicle": passage.vehicle,
        "goods": passage.goods,
        "opening": passage.opening,
        "stay": passage.stay,
        "authority": _grant(passage.grant),
    }


def stay_json(stay: Stay, now: int) -> Json:
    """A stay; one that lasts has the length that it has by `now`."""
    entered, left = stay.entered, stay.left
    state = "no_entry" if entered is None else "lost" if stay.lost else "inside" if left is None else "left"
    until = left.at if left is not None else now
    known = entered is not None and not stay.lost
    return {
        "id": stay.id,
        "state": state,
        **_tokens(stay.tokens),
        "entered_at": None if entered is None else rfc3339(entered.at),
        "left_at": None if left is None else rfc3339(left.at),
        "entry": None if entered is None else entered.id,
        "exit": None if left is None else left.id,
        "stay_s": (until - entered.at) // 1000 if entered is not None and known else None,
        "limit_at": maybe_rfc3339(stay.limit),
        "fee": None if stay.fee is None else stay.fee / HUNDREDTHS,
        "authority": _grant(entered.grant if entered is not None else left.grant if left else None),
    }


def leftover_json(leftover: Leftover, state: State, explanation: Explanation | None) -> Json:
    return {
        "id": leftover.id,
        "code": leftover.code,
        "params": params_json(leftover.params),
        "at": rfc3339(leftover.at),
        **_lane(leftover.lane),
        "facts": list(leftover.facts),
        "state": state.code,
        "reason": state.reason,
        "devices": list(state.devices),
        "explained": None
        if explanation is None
        else {"by": explanation.by, "note": explanation.note, "at": rfc3339(explanation.at)},
    }


def _lane(lane: Lane) -> Json:
    return {"gate": lane[0], "lane": lane_name(lane)}


def _tokens(tokens: Tokens) -> Json:
    return {"plate": tokens.plate, "card": tokens.card, "number": tokens.number}


def _grant(grant: Grant | None) -> Json | None:
    if grant is None:
        return None
    return {
        "kind": grant.kind,
        "id": grant.id,
        "by": grant.by,
        "note": grant.note,
        "until": _open_end(grant.until),
    }


def _open_end(at: int) -> str | None:
    return None if at >= FOREVER else rfc3339(at)
