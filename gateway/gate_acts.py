"""What people write into the register of authorities, and what they say of what is left over.

Each act is kept with who, when and from where, like all that people do; the register is nothing but these acts.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.acts import ActError
from gateway.domain.alert import WrongStateError
from gateway.domain.calendar import FOREVER
from gateway.domain.ledger.authority import (
    LASTING,
    MAX_AUTHORITY_MS,
    WRITTEN_LATE_MS,
    Authority,
    AuthorityKind,
    normal_plate,
    tokens_of,
)
from gateway.domain.ledger.entries import Explanation
from gateway.domain.ledger.ledger import KEEP_MS
from gateway.engine import Engine, Work
from gateway.ledger_shapes import Json, authority_json, leftover_json
from gateway.register import EXPLAIN, act_on
from gateway.store.port import ActionRow

_NEEDS: Final[Mapping[AuthorityKind, tuple[tuple[str, ...], ...]]] = {
    AuthorityKind.RESIDENT: (("plate", "card"),),
    AuthorityKind.CONTRACTOR: (("plate", "card", "number"), ("holder",), ("host",)),
    AuthorityKind.VISITOR: (("plate", "number"), ("host",)),
    AuthorityKind.PASS: (("plate",),),
    AuthorityKind.CONSENT: (("plate",), ("note",)),
    AuthorityKind.SWAP: (("plate",), ("card", "number"), ("note",)),
    AuthorityKind.SLIP: (("goods",),),
    AuthorityKind.ID_RECORD: (("plate", "card", "number"), ("holder",), ("note",)),
}
"""What each kind must say: one of each group."""

_NUMBERED: Final = {AuthorityKind.PASS: "P", AuthorityKind.SLIP: "S"}
"""The kinds that get a number when nobody gives one, and what it begins with."""

_DIGITS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No 0, 1, I, L, O: numbers are read out over the radio."""

_encode: Final = msgspec.json.Encoder().encode


class FieldError(ActError):
    """What is wrong with one member of an authority, and which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class GateActs:
    """What people do about the gates, at one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def issue(
        self,
        site: str,
        kind: AuthorityKind,
        by: str,
        said: Mapping[str, str],
        start: int | None,
        end: int | None,
        origin: str = "",
    ) -> Json:
        """Write an authority into the register; it holds from now on, or from `start`. Answers it.

        `said`: `plate`, `card`, `number`, `holder`, `host`, `goods`, `note`, as far as given. Raises `FieldError`,
        and `WrongStateError` when its number is in use.
        """
        engine = self._engine
        said = {name: text.strip() for name, text in said.items() if text.strip()}
        for group in _NEEDS[kind]:
            if not any(name in said for name in group):
                raise FieldError(group[0], f"a {kind.value} needs {' or '.join(group)}")
        if "plate" in said and normal_plate(said["plate"]) is None:
            raise FieldError(
                "plate",
                "a plate has 4 to 10 letters and digits, at least one of them a digit, such as 粤B12345",
            )

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            register = engine.desks[site].watch.ledger.register
            begin, until = _period(kind, start, end, now)
            number = said.get("number") or (_number(_NUMBERED[kind]) if kind in _NUMBERED else None)
            tokens = tokens_of(number, said.get("card"), said.get("plate"))
            if tokens.number is not None and any(
                each.tokens.number == tokens.number and each.until > now for each in register
            ):
                raise WrongStateError("in_use")
            authority = Authority(
                f"{site}-a{secrets.token_hex(5)}",
                site,
                kind,
                now,
                begin,
                until,
                by,
                tokens,
                said.get("holder", ""),
                said.get("host", ""),
                said.get("goods", ""),
                said.get("note", ""),
            )
            return self._put(authority, "issue", by, origin, work, now)

        return await engine.change(change)

    async def revoke(self, site: str, authority_id: str, by: str, origin: str = "") -> Json:
        """End an authority now. Raises KeyError when there is none, `WrongStateError` when it has ended."""
        engine = self._engine

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            known = engine.desks[site].watch.ledger.register.find(authority_id)
            if known is None:
                raise KeyError(authority_id)
            if known.until <= now:
                raise WrongStateError("revoked" if known.revoked_at is not None else "ended")
            return self._put(known.revoke(now, by), "revoke", by, origin, work, now)

        return await engine.change(change)

    async def explain(self, site: str, leftover_id: str, by: str, note: str, origin: str = "") -> Json:
        """Say what there is to say about something that is left over; it stays on the list, with the words beside it.

        Answers it. Raises KeyError when nothing of that id is left over within the last days.
        """
        engine = self._engine

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            watch = engine.desks[site].watch
            shown = watch.ledger.show(now - KEEP_MS, now + 1, now, watch.hearing)
            found = next((each for each in shown.leftovers if each[0].id == leftover_id), None)
            if found is None:
                raise KeyError(leftover_id)
            explanation = watch.ledger.explained[leftover_id] = Explanation(by, note, now)
            row = ActionRow(site, now, by, origin, EXPLAIN, leftover_id, _encode({"note": note}))
            work.commit.actions.append(row)
            work.touched.add(site)
            return leftover_json(*found, explanation)

        return await engine.change(change)

    def _put(self, authority: Authority, what: str, by: str, origin: str, work: Work, now: int) -> Json:
        site, shape = authority.site, authority_json(authority)
        self._engine.desks[site].watch.authorize(authority, now)
        row = ActionRow(site, now, by, origin, act_on(what, authority.kind), authority.id, _encode(shape))
        work.commit.actions.append(row)
        self._engine.advance(site, (), work, now)
        work.touched.add(site)
        return shape


def _period(kind: AuthorityKind, start: int | None, end: int | None, now: int) -> tuple[int, int]:
    earliest = now - WRITTEN_LATE_MS if kind is AuthorityKind.ID_RECORD else now
    begin = max(earliest, now if start is None else start)
    if begin > now + MAX_AUTHORITY_MS:
        raise FieldError("from", "an authority is written at most 31 days ahead")
    if end is None:
        if kind not in LASTING:
            raise FieldError("to", f"a {kind.value} needs an end")
        return begin, FOREVER
    if end <= max(begin, now - WRITTEN_LATE_MS):
        raise FieldError("to", "it ends after it begins, and after now")
    if kind not in LASTING and end - begin > MAX_AUTHORITY_MS:
        raise FieldError("to", f"a {kind.value} holds for at most 31 days")
    return begin, end


def _number(letter: str) -> str:
    return f"{letter}-{''.join(secrets.choice(_DIGITS) for _ in range(6))}"
