"""The fold: gate events in the order in which they happened, one after the other, to entries of the ledger.

It goes forward only. What it holds can be copied cheaply, as entries are never changed, only replaced; so a record
that comes late is taken in by going back to a copy from before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import GateEvent, GateEventKind
from gateway.domain.ledger.authority import Grant, Register, tokens_of
from gateway.domain.ledger.entries import Lane, Leftover, Opening, Passage, Stay
from gateway.domain.ledger.lanes import WRITTEN_MS, LaneState, may_pass
from gateway.domain.ledger.yard import Yard, enter, grant_of, leave
from gateway.domain.plan import Plan

_OPENS: Final = frozenset({GateEventKind.OPENED, GateEventKind.MANUAL_OPEN, GateEventKind.FORCED})
_PASSES: Final = frozenset({GateEventKind.VEHICLE_IN, GateEventKind.VEHICLE_OUT})
_CLOSES: Final = frozenset({GateEventKind.CLOSED, GateEventKind.RECOVERED})

LONGEST_READ: Final = 32
"""So much is kept of what a camera gave for a plate and is none."""

BEARS_ON: Final = _OPENS | _PASSES | _CLOSES
"""The events that the ledger is made of."""


@dataclass(slots=True)
class Pages:
    """What is written for good, as far as the facts go."""

    openings: list[Opening] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)  # those that have ended
    leftovers: list[Leftover] = field(default_factory=list)

    @property
    def lengths(self) -> tuple[int, int, int, int]:
        return len(self.openings), len(self.passages), len(self.stays), len(self.leftovers)


class Fold:
    """Where the fold stands: what is under way in each lane, and what is inside."""

    __slots__ = ("_due", "_plans", "_register", "lanes", "pages", "yard")

    def __init__(self, plans: Sequence[Plan], register: Register, pages: Pages) -> None:
        self._plans = plans
        self._register = register
        self.pages = pages
        self.lanes: dict[Lane, LaneState] = {}
        self.yard = Yard()
        self._due = FOREVER  # when something under way is to be written next

    def copy(self, pages: Pages | None = None) -> Fold:
        """One that goes on by itself; it writes on the same pages, or on others."""
        other = Fold(self._plans, self._register, self.pages if pages is None else pages)
        other.lanes = {lane: state.copy() for lane, state in self.lanes.items()}
        other.yard = self.yard.copy()
        other._due = self._due
        return other

    def plan_at(self, at: int) -> Plan:
        """The version of the plan in force at an instant."""
        for plan in reversed(self._plans):
            if plan.holds_from <= at:
                return plan
        return self._plans[0]

    def take(self, event: GateEvent) -> None:
        """The next event."""
        at = event.occurred_at
        self.settle(at)
        plan = self.plan_at(at)
        lane = (plan.gate_places.get(event.device, event.device), event.lane or "")
        state = self.lanes.get(lane)
        if state is None:
            state = self.lanes[lane] = LaneState()
        if event.event in _OPENS:
            self._open(lane, state, event)
        elif event.event in _PASSES:
            self._pass(lane, state, event, plan)
        else:
            state.close(at)

    def settle(self, now: int) -> None:
        """Write what nothing that happens at or after `now` can bear on any more."""
        if now <= self._due:
            return
        self._due = FOREVER
        for lane, state in self.lanes.items():
            if not state.openings and not state.waiting:
                continue
            over = [each for each in state.openings if each.due < now]
            if over:
                state.openings = [each for each in state.openings if each.due >= now]
                for opening in sorted(over, key=lambda each: each.due):
                    self._write_opening(state, opening)
            kept: list[Passage] = []
            for passage in state.waiting:
                within = self._within(passage.at)
                wanted = any(
                    each.passage is None and may_pass(each, passage, within) for each in state.openings
                )
                if wanted or passage.due >= now:
                    kept.append(passage)
                else:
                    self._write_unopened(lane, passage)
            state.waiting = kept
            dues = [each.due for each in state.openings] + [each.due for each in kept]
            if dues:
                self._due = min(self._due, max(min(dues), now))

    def _within(self, at: int) -> int:
        return self.plan_at(at).gate_rules.pass_within_s * 1000

    def _due_of(self, event: GateEvent) -> int:
        """When nothing can bear on an opening or a passage any more."""
        at = event.occurred_at
        return at + max(self._within(at), WRITTEN_MS) + event.uncertainty

    def _open(self, lane: Lane, state: LaneState, event: GateEvent) -> None:
        opening, again = state.take_opening(lane, event, self._due_of(event))
        if again:
            params = {"what": "opening"}
            facts = (event.id, opening.id)
            self._leave("reported_twice", event.occurred_at, lane, event.id, facts, params)
        is_new = opening.facts == (event.id,)
        if is_new and (passage := state.seen_before(opening)) is not None:
            state.waiting.remove(passage)
            passage = passage._replace(opening=opening.id)
            state.passed_by(opening, passage)
            self.pages.passages.append(passage)
        self._due = min(self._due, opening.due)

    def _pass(self, lane: Lane, state: LaneState, event: GateEvent, plan: Plan) -> None:
        tokens = tokens_of(event.pass_no, event.card, event.plate)
        passage = Passage(
            event.id,
            lane,
            event.device,
            event.occurred_at,
            event.uncertainty,
            self._due_of(event),
            event.event is GateEventKind.VEHICLE_IN,
            tokens,
            None if tokens.plate is not None else (event.plate or "")[:LONGEST_READ] or None,
            event.vehicle,
            event.goods,
            (event.id,),
        )
        opening = state.opening_for(passage, plan.gate_rules.pass_within_s * 1000)
        own = opening is not None and opening.tokens.share(passage.tokens)
        if not own and (known := state.passed_already(passage)) is not None:
            params = {"what": "passage"}
            self._leave("reported_twice", passage.at, lane, passage.id, (passage.id, known.id), params)
            return
        if opening is not None:
            passage = passage._replace(opening=opening.id, tokens=tokens.over(opening.tokens))
        if passage.inward:
            judged = enter(passage, self.yard, self._register, plan)
        else:
            by_hand = opening is not None and opening.by_hand
            judged = leave(passage, by_hand, self.yard, self._register, plan)
        self.pages.stays += judged.stays
        self.pages.leftovers += judged.leftovers
        passage = judged.passage
        state.passed.append(passage)
        if opening is None:
            state.waiting.append(passage)
            self._due = min(self._due, passage.due)
        else:
            refused = any(each.code == "authority_not_valid" for each in judged.leftovers)
            state.passed_by(opening, passage, refused=refused)
            self.pages.passages.append(passage)

    def _write_opening(self, state: LaneState, opening: Opening) -> None:
        """Nothing can pass by an opening any more: what does it rest on?"""
        if opening.passage is None:
            opening = self._other_car(state, opening)
        grant: Grant | None = None
        params: dict[str, object] = {}
        code: str | None = None
        if opening.forced:
            code = "forced_opening"
        elif opening.cause == "fire":
            grant = Grant("fire")
        elif opening.by_hand:
            missing = [name for name, said in (("by", opening.by), ("note", opening.note)) if said is None]
            if missing:
                code, params = "unexplained_opening", {"missing": missing, "by": opening.by}
            else:
                grant = Grant("person", None, opening.by, opening.note)
        else:
            grant = opening.grant
            plan = self.plan_at(opening.at)
            if grant is None:
                at, doubt = opening.at, opening.doubt
                grant, wrong = grant_of(opening.tokens, at, doubt, opening.inward, self._register, plan)
                if grant is None and not opening.refused:
                    code = "no_authority" if wrong is None else "authority_not_valid"
                    params = wrong or {}
        if code is not None:
            self._leave_lane(code, opening, params)
        if opening.passage is None:
            self._leave_lane("nobody_passed", opening, {})
        self.pages.openings.append(opening._replace(grant=grant))

    def _other_car(self, state: LaneState, opening: Opening) -> Opening:
        """Nobody passed for whom it was opened, but somebody else did."""
        within = self._within(opening.at)
        other = next((each for each in state.waiting if may_pass(opening, each, within)), None)
        if other is None:
            return opening
        state.waiting.remove(other)
        passage = other._replace(opening=opening.id)
        self.pages.passages.append(passage)
        tokens = opening.tokens
        params = {"opened_for": tokens.plate, "card": tokens.card, "plate": passage.tokens.plate}
        self._leave(
            "other_car",
            passage.at,
            passage.lane,
            passage.id,
            (passage.id, opening.id),
            {key: value for key, value in params.items() if value is not None},
            passage.at + passage.doubt,
        )
        return opening._replace(passage=passage.id, inward=passage.inward)

    def _write_unopened(self, lane: Lane, passage: Passage) -> None:
        self.pages.passages.append(passage)
        params = {key: value for key, value in passage.tokens._asdict().items() if value is not None}
        until = passage.at + passage.doubt
        self._leave("passed_unopened", passage.at, lane, passage.id, (passage.id,), params, until)

    def _leave_lane(self, code: str, opening: Opening, params: dict[str, object]) -> None:
        said = {key: value for key, value in params.items() if value is not None}
        said |= {key: value for key, value in opening.tokens._asdict().items() if value is not None}
        if opening.cause is not None:
            said["cause"] = opening.cause
        # Who goes out rests on what it came in on: a late record of another gate may tell of that.
        needs_entry = opening.alone and code in ("no_authority", "authority_not_valid")
        heals = needs_entry or code in ("nobody_passed", "unexplained_opening")
        until = opening.due if heals else None
        at, about = opening.at, opening.id
        self._leave(code, at, opening.lane, about, opening.facts, said, until, whole_site=needs_entry)

    def _leave(
        self,
        code: str,
        at: int,
        lane: Lane,
        about: str,
        facts: tuple[str, ...],
        params: dict[str, object] | dict[str, str],
        until: int | None = None,
        *,
        whole_site: bool = False,
    ) -> None:
        self.pages.leftovers.append(Leftover(code, at, lane, about, facts, params, until, whole_site))
