"""The rules of docs/ledger.md once more, in the most naive way there is: one history that is searched from end to end.

Numbers in brackets are those of the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.facts import GateEvent
from gateway.domain.ledger.authority import Authority, Tokens, tokens_of
from gateway.domain.plan import Plan

OPENS = ("opened", "manual_open", "forced")
PASSES = ("vehicle_in", "vehicle_out")
CLOSES = ("closed", "recovered")
ORDER = ("resident", "contractor", "visitor", "pass", "consent", "swap", "slip", "id_record")
PAPERS = ("consent", "swap", "slip", "id_record")
CHARGED = ("ticket", "pass", "visitor")
NO_TOKENS = Tokens()
MONTH = 31 * 86_400_000


@dataclass
class Entry:
    """An opening or a passage."""

    event: GateEvent
    lane: tuple[str, str]
    tokens: Tokens
    events: list[GateEvent] = field(default_factory=list)
    closed: int | None = None
    other: Entry | None = None
    waits: bool = True
    written: bool = False
    grant: tuple[str, str | None, int] | None = None
    refused: bool = False
    # of a passage in:
    stay: Tokens = NO_TOKENS
    exit: Entry | None = None
    came: Entry | None = None
    lost: bool = False
    fee: int | None = None

    @property
    def at(self) -> int:
        return self.event.occurred_at

    @property
    def doubt(self) -> int:
        return self.event.uncertainty

    @property
    def name(self) -> str:
        return self.event.id

    def said(self, attribute: str) -> str | None:
        return next(
            (text for each in self.events if (text := (getattr(each, attribute) or "").strip())), None
        )

    @property
    def cause(self) -> str | None:
        return next((each.cause for each in self.events if each.cause), None)

    @property
    def by_hand(self) -> bool:
        return any(each.event == "manual_open" or each.cause in ("manual", "remote") for each in self.events)

    def has(self, event: str) -> bool:
        return any(each.event == event for each in self.events)


def share(a: Tokens, b: Tokens) -> bool:
    return any(x is not None and x == y for x, y in zip(a, b, strict=True))


class Reference:
    """The ledger, worked out slowly."""

    def __init__(self, plan: Plan, authorities: Iterable[Authority], events: Iterable[GateEvent]) -> None:
        self.plan = plan
        self.rules = plan.gate_rules
        self.within = self.rules.pass_within_s * 1000
        self.authorities = list(authorities)
        self.openings: list[Entry] = []
        self.passages: list[Entry] = []
        self.exits_alone: list[Entry] = []
        self.used: dict[str, str] = {}
        self.left: set[tuple[str, str]] = set()
        unique = {each.id: each for each in events if each.occurred_at >= plan.holds_from}
        for event in sorted(unique.values(), key=lambda each: each.order):
            if event.event in (*OPENS, *PASSES, *CLOSES):
                self.write_until(event.occurred_at)
                self.take(event)

    # -- 1 and 2 ------------------------------------------------------------------------------------------

    def take(self, event: GateEvent) -> None:
        lane = (self.plan.gate_places.get(event.device, event.device), event.lane or "")
        if event.event in OPENS:
            self.open(event, lane)
        elif event.event in PASSES:
            self.pass_through(event, lane)
        else:
            for each in self.under_way(lane):
                each.closed = event.occurred_at if each.closed is None else each.closed

    def under_way(self, lane: tuple[str, str]) -> list[Entry]:
        return [each for each in self.openings if each.lane == lane and not each.written]

    def open(self, event: GateEvent, lane: tuple[str, str]) -> None:
        tokens = tokens_of(event.pass_no, event.card, event.plate)
        for known in self.under_way(lane):
            since = event.occurred_at - known.at
            first = known.event
            agree = share(known.tokens, tokens) or not any(known.tokens) or not any(tokens)
            forced = "forced" in (event.event, first.event)
            by_person = known.has("manual_open")
            twice = (
                since <= 10_000
                and event.device == first.device
                and tokens == known.tokens
                and event.cause == known.cause
                and (event.event == "forced") == (first.event == "forced")
                and (event.event == "manual_open") == by_person
                and known.other is None
                and known.closed is None
            )  # [1]
            barrier = known.cause if event.event == "manual_open" else event.cause
            hand = known.by_hand if event.event == "manual_open" else event.cause in ("manual", "remote")
            written = (
                since <= 30_000
                and not forced
                and (event.event == "manual_open") != by_person
                and (hand or barrier in (None, "unknown"))
                and agree
                and (known.closed is None if by_person else hand or known.grant is None)
            )  # [2]
            devices = {each.device for each in known.events}
            several = (
                since <= 10_000
                and event.device not in devices
                and (event.event == "forced") == (first.event == "forced")
                and agree
            )  # [3]
            if twice or written or several:
                if twice:
                    self.left.add(("reported_twice", event.id))
                known.events.append(event)
                known.tokens = Tokens(*(a or b for a, b in zip(known.tokens, tokens, strict=True)))
                return
        opening = Entry(event, lane, tokens, [event])
        self.openings.append(opening)
        for seen in self.passages:  # [7]
            if seen.lane == lane and seen.waits and opening.at - seen.at <= 10_000:
                agree = share(seen.tokens, tokens) or not any(seen.tokens) or not any(tokens)
                if agree and seen.event.device != event.device:
                    self.join(opening, seen)
                    return

    def can_pass(self, opening: Entry, passage: Entry) -> bool:  # [4]
        doubt = 0 if opening.event.device == passage.event.device else opening.doubt + passage.doubt
        if passage.at < opening.at - doubt or passage.at > opening.at + self.within + doubt:
            return False
        return opening.closed is None or passage.at <= opening.closed + 5_000 + doubt

    def join(self, opening: Entry, passage: Entry) -> None:
        opening.other, passage.other = passage, opening
        opening.grant, opening.refused = passage.grant, passage.refused
        passage.waits = False

    def pass_through(self, event: GateEvent, lane: tuple[str, str]) -> None:
        tokens = tokens_of(event.pass_no, event.card, event.plate)
        passage = Entry(event, lane, tokens, [event])
        free = [each for each in self.under_way(lane) if each.other is None and self.can_pass(each, passage)]
        own = [each for each in free if share(each.tokens, tokens)]
        for known in self.passages:  # [6]
            near = known.lane == lane and passage.at - known.at <= 10_000
            if near and known.event.event == event.event and share(known.tokens, tokens) and not own:
                self.left.add(("reported_twice", event.id))
                return
        plates = [each for each in free if each.tokens.plate in (None, tokens.plate) or tokens.plate is None]
        opening = (own or plates or [None])[0]  # [5]
        if opening is not None:
            passage.tokens = Tokens(*(a or b for a, b in zip(tokens, opening.tokens, strict=True)))
        self.passages.append(passage)
        if event.event == "vehicle_in":
            self.enter(passage)
        else:
            self.leave(passage, opening is not None and opening.by_hand)
        if opening is not None:
            self.join(opening, passage)

    def write_until(self, now: int) -> None:
        def due(entry: Entry) -> int:
            return entry.at + max(self.within, 30_000) + entry.doubt

        for opening in sorted((each for each in self.openings if not each.written), key=due):
            if due(opening) < now:
                opening.written = True
                self.write(opening)
        for passage in self.passages:
            wanted = any(
                each.other is None and self.can_pass(each, passage) for each in self.under_way(passage.lane)
            )
            if passage.waits and due(passage) < now and not wanted:  # [9]
                passage.waits = False
                self.left.add(("passed_unopened", passage.name))

    def write(self, opening: Entry) -> None:
        if opening.other is None:  # [8]
            for passage in self.passages:
                if passage.lane == opening.lane and passage.waits and self.can_pass(opening, passage):
                    opening.other, passage.other, passage.waits = passage, opening, False
                    self.left.add(("other_car", passage.name))
                    break
            else:
                self.left.add(("nobody_passed", opening.name))
        if opening.event.event == "forced":  # [10]
            opening.grant = None
            self.left.add(("forced_opening", opening.name))
        elif opening.cause == "fire":
            opening.grant = ("fire", None, 1 << 62)
        elif opening.by_hand:  # [11]
            said = opening.said("by") and opening.said("note")
            opening.grant = ("person", None, 1 << 62) if said else None
            if not said:
                self.left.add(("unexplained_opening", opening.name))
        elif opening.grant is None:  # [12]
            inward = opening.other is None or opening.other.event.event == "vehicle_in"
            opening.grant, wrong = self.rests_on(opening.tokens, opening, inward)
            if opening.grant is None and not opening.refused:
                self.left.add(("authority_not_valid" if wrong else "no_authority", opening.name))

    # -- 3 ------------------------------------------------------------------------------------------------

    def named(self, tokens: Tokens, entry: Entry, *kinds: str) -> list[Authority]:
        """Those with one of the tokens that may have been written by then: by number, card, plate."""
        found: list[Authority] = []
        for place, token in enumerate(tokens):
            same = [each for each in self.authorities if token is not None and each.tokens[place] == token]
            for each in sorted(same, key=lambda each: (ORDER.index(each.kind), each.at, each.id)):
                known = min(each.at, each.start) <= entry.at + entry.doubt
                if known and each not in found and (not kinds or each.kind in kinds):
                    found.append(each)
        return found

    @staticmethod
    def holds(authority: Authority, entry: Entry) -> bool:  # [15]
        ends = authority.end if authority.revoked_at is None else min(authority.end, authority.revoked_at)
        return authority.start <= entry.at + entry.doubt and entry.at - entry.doubt <= ends

    def rests_on(
        self, tokens: Tokens, entry: Entry, inward: bool
    ) -> tuple[tuple[str, str | None, int] | None, bool]:  # [13]
        named = [
            each for each in self.named(tokens, entry) if not (inward and each.kind in ("slip", "id_record"))
        ]
        for each in named:
            if self.holds(each, entry):
                return (each.kind.value, each.id, each.end), False
        if tokens.card is not None and (person := self.plan.person(tokens.card)) is not None:
            return ("staff", person.id, 1 << 62), False
        if inward and tokens.number is not None and not self.named(Tokens(number=tokens.number), entry):
            return ("ticket", tokens.number, 1 << 62), False
        return None, bool(named)

    # -- 4 and 5 ------------------------------------------------------------------------------------------

    def known_by(self, passage: Entry) -> Tokens:  # [17]
        papers = self.named(Tokens(number=passage.tokens.number), passage, *PAPERS)
        return passage.tokens._replace(number=None) if papers else passage.tokens

    def inside(self, place: int, token: str | None, now: int) -> Entry | None:
        """Who came in last with a token, if it is here."""  # [16], [19]
        came = [
            each
            for each in self.passages
            if token is not None and each.stay[place] == token and each.at <= now and each.exit is None
        ]
        last = [
            each
            for each in self.passages
            if token is not None and each.stay[place] == token and each.event.event == "vehicle_in"
        ]
        if not came or last[-1].exit is not None or last[-1] is not came[-1]:
            return None
        return came[-1] if now - came[-1].at <= MONTH else None

    def enter(self, passage: Entry) -> None:
        passage.grant, passage.refused = self.rests_on(passage.tokens, passage, True)
        if passage.refused:
            self.left.add(("authority_not_valid", passage.name))
        consent = [
            each for each in self.named(passage.tokens, passage, "consent") if self.holds(each, passage)
        ]
        if passage.event.vehicle in ("large", "dangerous") and not consent:  # [24]
            self.left.add(("no_consent", passage.name))
        tokens = self.known_by(passage)
        if not any(tokens):  # [20]
            self.left.add(("unidentified", passage.name))
            return
        before = [self.inside(place, token, passage.at) for place, token in enumerate(tokens)]
        passage.stay = tokens
        for each in {id(each): each for each in before if each is not None}.values():
            self.left.add(("in_twice", passage.name))
            if all(
                self.inside(place, token, passage.at) is not each for place, token in enumerate(each.stay)
            ):
                each.lost = True
        self.check_pair(passage)

    def leave(self, passage: Entry, by_hand: bool) -> None:
        tokens = self.known_by(passage)
        found = (self.inside(place, tokens[place], passage.at) for place in (2, 0, 1))
        came = next((each for each in found if each is not None), None)  # [18]
        wrong = False
        if came is not None and came.grant is not None:  # [14]
            passage.grant = came.grant
        else:
            passage.grant, wrong = self.rests_on(passage.tokens, passage, False)
        if not any(tokens):
            self.left.add(("unidentified", passage.name))
        elif came is None:
            if wrong:
                passage.refused = True
                self.left.add(("authority_not_valid", passage.name))
            self.left.add(("out_without_in", passage.name))
            self.exits_alone.append(passage)
            self.check_pair(passage)
        else:
            came.exit, passage.came = passage, came
            pairs = zip(came.stay, tokens, strict=True)
            if any(a and b and a != b for a, b in pairs) and not self.swap(passage):  # [22]
                self.left.add(("car_swapped", passage.name))
            if by_hand and came.stay.card is not None and passage.tokens.card is None:  # [23]
                both = Tokens(*(a or b for a, b in zip(came.stay, passage.tokens, strict=True)))
                records = [
                    each for each in self.named(both, passage, "id_record") if self.holds(each, passage)
                ]
                free = [each for each in records if each.id not in self.used]
                if free:
                    self.used[free[0].id] = passage.name
                else:
                    self.left.add(("left_without_card", passage.name))
            self.charge(came, passage)
        self.goods(passage)

    def charge(self, came: Entry, passage: Entry) -> None:
        kind, _, until = came.grant or ("", None, 1 << 62)
        stay_s = (passage.at - came.at) // 1000
        tariff = self.rules.tariff
        if kind in CHARGED and tariff is not None:  # [27]
            cost, day, day_units = 0, 0, 0
            for second in range(0, max(0, stay_s - tariff.free_s), tariff.unit_s):
                if second // 86_400 != day:
                    cost += self.capped(day_units)
                    day, day_units = second // 86_400, 0
                day_units += 1
            came.fee = cost + self.capped(day_units)
        limits = [until] if kind in (*CHARGED, "contractor", "consent") else []
        if kind in CHARGED and self.rules.longest_stay_s is not None:
            limits.append(came.at + self.rules.longest_stay_s * 1000)
        if limits and passage.at - passage.doubt - came.doubt > min(limits):  # [26]
            self.left.add(("overstayed", passage.name))

    def capped(self, units: int) -> int:
        tariff = self.rules.tariff
        assert tariff is not None
        cost = units * tariff.fee
        return cost if tariff.daily_cap is None else min(cost, tariff.daily_cap)

    def goods(self, passage: Entry) -> None:  # [25]
        named = [
            each
            for each in self.named(Tokens(number=passage.tokens.number), passage, "slip")
            if each.tokens.plate in (None, passage.tokens.plate)
        ]
        if not named and not passage.event.goods:
            return
        slips = named or self.named(Tokens(plate=passage.tokens.plate), passage, "slip")
        holding = [each for each in slips if self.holds(each, passage)]
        free = [each for each in holding if each.id not in self.used]
        if free:
            self.used[free[0].id] = passage.name
        else:
            self.left.add(("slip_used_twice" if holding else "goods_without_slip", passage.name))

    def check_pair(self, passage: Entry) -> None:  # [21]
        tokens = passage.tokens
        if tokens.plate is None or not (tokens.card or tokens.number):
            return
        papers = [
            each
            for each in self.named(tokens._replace(plate=None), passage)
            if each.tokens.plate is not None and each.kind not in PAPERS and self.holds(each, passage)
        ]
        wrong = papers and all(each.tokens.plate != tokens.plate for each in papers)
        if wrong and not self.swap(passage):
            self.left.add(("other_car", passage.name))

    def swap(self, passage: Entry) -> bool:
        for each in self.named(passage.tokens, passage, "swap"):
            own = [each.tokens.card in (None, passage.tokens.card)]
            own.append(each.tokens.number in (None, passage.tokens.number))
            own.append(each.tokens.plate == passage.tokens.plate)
            if all(own) and self.holds(each, passage):
                return True
        return False


def refer(
    plan: Plan, authorities: Sequence[Authority], events: Sequence[GateEvent], now: int
) -> dict[str, Any]:
    """Openings, passages, stays and leftovers, in a form that can be compared."""
    made = Reference(plan, authorities, events)
    made.write_until(now)
    counted = [*made.passages]
    return {
        "openings": {
            each.name: (each.other and each.other.name, each.grant and each.grant[:2])
            for each in made.openings
            if each.written
        },
        "passages": {
            each.name: (each.other and each.other.name, each.grant and each.grant[:2]) for each in counted
        },
        "stays": {
            each.name: (each.exit and each.exit.name, each.lost, each.fee)
            for each in counted
            if any(each.stay)
        }
        | {each.name: (each.name, False, None) for each in made.exits_alone},
        "left": made.left,
    }
