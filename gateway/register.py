"""The register of authorities as it is stored: nothing but what people did, read back."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.domain.ledger.authority import LASTING, MAX_AUTHORITY_MS, Authority, AuthorityKind
from gateway.domain.ledger.entries import Explanation
from gateway.ledger_shapes import authority_from_json
from gateway.store.port import Store

EXPLAIN: Final = "explain"


def act_on(what: str, kind: AuthorityKind) -> str:
    """What an act on an authority is called, so that those of a kind can be read by themselves."""
    return f"{what}_{kind.value}"


async def read_authorities(store: Store, site: str, since: int) -> list[Authority]:
    """The register as it bears on what happened from `since` on."""
    # One that must end may have been written so long before it began, and have held so long.
    earliest = since - 2 * MAX_AUTHORITY_MS
    lasting, ending = (
        [
            f"{what}_{kind.value}"
            for what in ("issue", "revoke")
            for kind in AuthorityKind
            if (kind in LASTING) is last
        ]
        for last in (True, False)
    )
    kept = await store.actions(site, what=lasting)
    kept += await store.actions(site, earliest, what=ending)
    latest: dict[str, Authority] = {}
    for row in reversed(kept):
        # From the oldest on: the last word on each says all of it.
        latest[row.target] = authority_from_json(msgspec.json.decode(row.body))
    return [each for each in latest.values() if each.until >= since]


async def read_explanations(store: Store, site: str, since: int) -> dict[str, Explanation]:
    """What people have said of what was left over, from `since` on."""
    rows = await store.actions(site, since, what=(EXPLAIN,))
    return {
        row.target: Explanation(row.by, msgspec.json.decode(row.body)["note"], row.at)
        for row in reversed(rows)
    }
