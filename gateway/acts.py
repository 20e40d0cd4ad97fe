"""Acts: what people do about alerts and verdicts, and what they sign. Each is carried out in the engine's task and
kept with who, when and from where, in the commit that holds what follows from it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.domain.alert import AlertKind, WrongStateError
from gateway.domain.signing import signer
from gateway.domain.silences import LONGEST_MS, Silence
from gateway.domain.verdicts import EXCUSABLE, Excuse
from gateway.engine import Engine, Work
from gateway.ingest.pen import Pen
from gateway.instants import rfc3339
from gateway.shapes import Json, alert_from_json, alert_json, occurrence_json, silence_json
from gateway.store.port import ActionRow

MAY_EXCUSE: Final = frozenset({"shift_leader", "supervisor", "manager"})
"""The roles whose word excuses a duty."""

ANNOUNCED_MS: Final = 60 * 86_400_000
"""How far ahead maintenance can be announced."""

_encode: Final = msgspec.json.Encoder().encode


class ActError(Exception):
    """Somebody may not do this, or not in this way; the message says why."""


class Acts:
    """What people do, at one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pen = Pen()

    async def on_alert(self, alert_id: str, what: str, by: str, note: str, origin: str = "") -> Json:
        """Acknowledge, resolve or note. Raises KeyError for an unknown alert, `WrongStateError`."""
        engine = self._engine
        stored = await engine.store.alert(alert_id)
        if stored is None or stored["site"] not in engine.desks:
            raise KeyError(alert_id)
        site: str = stored["site"]

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            book = engine.desks[site].watch.alerts
            alert = book.find(alert_id) or alert_from_json(stored)
            book.act(alert, what, by, note, now, origin or None)
            self._note(work, site, now, by, origin, what, alert_id, {"note": note})
            engine.advance(site, (), work, now)
            return alert_json(alert)

        return await engine.change(change)

    async def excuse(self, site: str, occurrence_id: str, by: str, note: str, origin: str = "") -> Json:
        """Put an excuse beside an occurrence; what was judged stays. Answers the occurrence.

        Raises KeyError for an unknown occurrence, `ActError` for one who may not excuse, and `WrongStateError` when
        there is nothing to excuse.
        """
        engine = self._engine
        person = engine.desks[site].plan.person(by)
        if person is None or person.role not in MAY_EXCUSE:
            roles = ", ".join(sorted(MAY_EXCUSE))
            raise ActError(
                f"{by!r} may not excuse: that takes a person of the plan whose role is one of {roles}"
            )
        if not note.strip():
            raise ActError("say in a note why it is excused")
        stored = await engine.store.occurrence(site, occurrence_id)

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            desk = engine.desks[site]
            known = desk.watch.find(occurrence_id, now)
            verdict = known.verdict.value if known else (stored["verdict"] if stored else None)
            if verdict is None:
                raise KeyError(occurrence_id)
            if verdict not in EXCUSABLE:
                raise WrongStateError(verdict)
            self._note(work, site, now, person.id, origin, "excuse", occurrence_id, {"note": note})
            excuse = Excuse(occurrence_id, person.id, note, now, origin or None)
            if desk.watch.excuse(excuse):
                engine.advance(site, (), work, now)
            else:
                # Older than what is in memory: judged again from the store, which holds the excuse by then.
                opened_at = int(occurrence_id.rpartition("@")[2].partition(".")[0])
                await engine.rebuild(site, desk.plans, work, now, since=opened_at)
            desk = engine.desks[site]
            found = desk.watch.find(occurrence_id, now)
            if found is None:
                raise KeyError(occurrence_id)
            return occurrence_json(found, site, desk.checkpoint_names)

        return await engine.change(change)

    async def silence(
        self,
        site: str,
        start: int,
        end: int,
        by: str,
        reason: str,
        *,
        kinds: tuple[AlertKind, ...] = (),
        subjects: tuple[str, ...] = (),
        maintenance: bool = False,
        origin: str = "",
    ) -> Json:
        """Let nobody be told of some alerts for a while. Raises `ActError`."""
        engine = self._engine
        now = engine.clock.now()
        start = max(start, now)
        if end <= start:
            raise ActError("a silence ends after it begins, and after now")
        if end - start > LONGEST_MS or start > now + ANNOUNCED_MS:
            raise ActError("a silence lasts at most 30 days, and is announced at most 60 days ahead")
        silence_id = f"{site}-s{secrets.token_hex(4)}"
        silence = Silence(
            silence_id, site, start, end, by, reason, kinds, subjects, maintenance, now, origin or None
        )
        return await self._put_silence(silence, "silence", by, origin)

    async def unsilence(self, site: str, silence_id: str, by: str, origin: str = "") -> Json:
        """End a silence before its time. Raises KeyError when there is none, `WrongStateError` when it has ended."""
        silence = self._engine.desks[site].watch.alerts.silences.find(silence_id)
        now = self._engine.clock.now()
        if silence is None:
            raise KeyError(silence_id)
        if silence.end <= now:
            raise WrongStateError("ended")
        return await self._put_silence(silence.ended(now, by), "unsilence", by, origin)

    async def _put_silence(self, silence: Silence, what: str, by: str, origin: str) -> Json:
        engine = self._engine

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            shape = silence_json(silence)
            engine.desks[silence.site].watch.alerts.silence(silence, now)
            self._note(work, silence.site, now, by, origin, what, silence.id, shape)
            engine.advance(silence.site, (), work, now)
            work.touched.add(silence.site)
            return shape

        return await engine.change(change)

    async def sign(self, site: str, members: Mapping[str, Any], origin: str = "", through: str = "") -> Json:
        """Sign a record at the desk. Answers the fact, and the occurrences that took it.

        `members` are those of the wire's `signature`. `through`: the token that it was sent with; the signer is who
        the record says, as several people sign at one desk. Raises `RefusedError` for what no device may send either.
        """
        engine = self._engine

        async def change(work: Work) -> Json:
            now = engine.clock.now()
            desk = engine.desks[site]
            row, fact = self._pen.sign(desk.doors, members, now)
            work.commit.facts.append(row)
            by = through or signer(desk.plan, fact)
            self._note(work, site, now, by, origin, "sign", fact.form, {"fact": fact.id})
            engine.advance(site, [fact], work, now)
            records = desk.watch.records_with(fact, now)
            shapes = [occurrence_json(each, site, desk.checkpoint_names) for each in records]
            return {"fact": fact.id, "at": rfc3339(fact.occurred_at), "records": shapes}

        return await engine.change(change)

    @staticmethod
    def _note(
        work: Work, site: str, now: int, by: str, origin: str, what: str, target: str, body: dict[str, Any]
    ) -> None:
        work.commit.actions.append(ActionRow(site, now, by, origin, what, target, _encode(body)))
