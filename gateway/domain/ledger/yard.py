"""The yard: which vehicles are inside, and what an entry or an exit says about them (docs/ledger.md, parts 3 to 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.calendar import FOREVER
from gateway.domain.ledger.authority import (
    LIMITED,
    PAPERS,
    TEMPORARY,
    Authority,
    AuthorityKind,
    Grant,
    Register,
    Tokens,
)
from gateway.domain.ledger.entries import Leftover, Passage, Stay
from gateway.domain.ledger.tariff import fee
from gateway.domain.plan import Plan

REMEMBERED_MS: Final = 31 * 86_400_000
"""A vehicle whose entry is further back than this has, as far as the ledger knows, not come in."""

NEEDS_CONSENT: Final = frozenset({"large", "dangerous"})

_OF_EXITS: Final = frozenset({AuthorityKind.SLIP, AuthorityKind.ID_RECORD})


@dataclass(slots=True)
class Yard:
    """What is inside, by each token, and what has been used up."""

    inside: tuple[dict[str, Stay], dict[str, Stay], dict[str, Stay]] = field(
        default_factory=lambda: ({}, {}, {})
    )
    used: dict[str, str] = field(default_factory=dict)
    """Authority that serves once → the passage that used it."""

    def copy(self) -> Yard:
        """One that can go on by itself."""
        numbers, cards, plates = self.inside
        return Yard((dict(numbers), dict(cards), dict(plates)), dict(self.used))

    def stays(self) -> list[Stay]:
        """The vehicles that are inside, each once, by when they came."""
        found = {stay.id: stay for index in self.inside for stay in index.values()}
        return sorted(found.values(), key=lambda stay: (_entry(stay).at, stay.id))

    def forget_before(self, at: int) -> None:
        """Let go of those that came in before an instant."""
        for stay in self.stays():
            if _entry(stay).at < at:
                self.take(stay)

    def of(self, tokens: Tokens) -> list[Stay]:
        """Those that share a token: by plate, then by number, then by card, each once."""
        numbers, cards, plates = self.inside
        found: dict[str, Stay] = {}
        for index, token in ((plates, tokens.plate), (numbers, tokens.number), (cards, tokens.card)):
            if token is not None and (stay := index.get(token)) is not None:
                found.setdefault(stay.id, stay)
        return list(found.values())

    def put(self, stay: Stay) -> None:
        """A vehicle is inside."""
        for index, token in zip(self.inside, stay.tokens, strict=True):
            if token is not None:
                index[token] = stay

    def take(self, stay: Stay) -> None:
        """A vehicle is not inside any more."""
        for index, token in zip(self.inside, stay.tokens, strict=True):
            if token is not None and (known := index.get(token)) is not None and known.id == stay.id:
                del index[token]

    def knows(self, stay: Stay) -> bool:
        """Whether a vehicle can still be recognised by a token of its own."""
        tokens = zip(self.inside, stay.tokens, strict=True)
        return any(
            token is not None and (known := index.get(token)) is not None and known.id == stay.id
            for index, token in tokens
        )


@dataclass(slots=True)
class Judged:
    """What one passage brought about."""

    passage: Passage
    stays: list[Stay] = field(default_factory=list)  # those that have ended
    leftovers: list[Leftover] = field(default_factory=list)

    def left(
        self, code: str, params: Mapping[str, object], facts: tuple[str, ...] = (), *, heals: bool = False
    ) -> None:
        """Note what does not balance. `heals`: a late record of some gate may still explain it."""
        passage = self.passage
        until = passage.at + passage.doubt if heals else None
        said = {key: value for key, value in params.items() if value is not None}
        rests_on = (passage.id, *(fact for fact in facts if fact != passage.id))
        self.leftovers.append(
            Leftover(code, passage.at, passage.lane, passage.id, rests_on, said, until, heals)
        )


def grant_of(
    tokens: Tokens, at: int, doubt: int, inward: bool, register: Register, plan: Plan
) -> tuple[Grant | None, dict[str, object] | None]:
    """The authority that a vehicle has, and, where it has none that holds, what is wrong with the one it names."""
    wrong: dict[str, object] | None = None
    for authority in register.of(tokens, at, doubt):
        if inward and authority.kind in _OF_EXITS:
            continue
        why = authority.why_not(at, doubt)
        if why is None:
            return Grant(authority.kind.value, authority.id, until=authority.end), None
        wrong = wrong or {"authority": authority.id, "kind": authority.kind.value, "why": why}
    if tokens.card is not None and (person := plan.person(tokens.card)) is not None:
        return Grant("staff", person.id), None
    if inward and tokens.number is not None and not register.of(Tokens(number=tokens.number), at, doubt):
        return Grant("ticket", tokens.number), None
    return None, wrong


def enter(passage: Passage, yard: Yard, register: Register, plan: Plan) -> Judged:
    """A vehicle came in.

    1. What must be consented to needs a consent that held by then.
    2. A vehicle that nothing is known by cannot be matched with an exit.
    3. Each token belongs to the vehicle that came in with it last. If another is inside with it, that is a card or a
       plate that came in twice; a vehicle that has no token of its own left is lost from sight.
    4. A card or a pass that is written for one plate came with another, and no swap was written.
    """
    tokens, at, doubt = passage.tokens, passage.at, passage.doubt
    grant, wrong = grant_of(tokens, at, doubt, True, register, plan)
    judged = Judged(passage._replace(grant=grant))
    if wrong is not None:
        judged.left("authority_not_valid", wrong | _named(tokens))
    if passage.vehicle in NEEDS_CONSENT and not _holding(register, tokens, at, doubt, AuthorityKind.CONSENT):
        judged.left("no_consent", {"vehicle": passage.vehicle} | _named(tokens))
    known_by = _known_by(tokens, at, doubt, register)
    if not known_by:
        judged.left("unidentified", {"direction": "in", "read": passage.read}, heals=True)
        return judged
    judged.passage = judged.passage._replace(stay=passage.id)
    stay = Stay(passage.id, known_by, judged.passage, limit=_limit(grant, at, plan))
    earlier = [each for each in yard.of(known_by) if at - _entry(each).at <= REMEMBERED_MS]
    yard.put(stay)
    if earlier:
        before = tuple(each.id for each in earlier)
        since = min(_entry(each).at for each in earlier)
        judged.left("in_twice", {"since": since} | _named(tokens), before, heals=True)
    judged.stays += [each._replace(lost=True) for each in earlier if not yard.knows(each)]
    _check_pair(judged, register)
    return judged


def leave(passage: Passage, by_hand: bool, yard: Yard, register: Register, plan: Plan) -> Judged:
    """A vehicle went out. `by_hand`: a person opened for it.

    1. It is the one that came in with its plate, else with its pass, else with its card.
    2. What it leaves with must be what it came with, unless a swap was written.
    3. Who came on a card and leaves by a person's hand without it needs an id record.
    4. A temporary stay is charged; one that was too long is flagged.
    5. Goods need a slip, and a slip serves once.
    """
    tokens, at, doubt = passage.tokens, passage.at, passage.doubt
    known_by = _known_by(tokens, at, doubt, register)
    stay = next((each for each in yard.of(known_by) if at - _entry(each).at <= REMEMBERED_MS), None)
    grant = _entry(stay).grant if stay is not None else None
    wrong: dict[str, object] | None = None
    if grant is None:
        grant, wrong = grant_of(tokens, at, doubt, False, register, plan)
    judged = Judged(passage._replace(grant=grant, stay=stay.id if stay is not None else None))
    if not known_by:
        judged.left("unidentified", {"direction": "out", "read": passage.read}, heals=True)
    elif stay is None:
        if wrong is not None:
            judged.left("authority_not_valid", wrong | _named(tokens), heals=True)
        judged.left("out_without_in", _named(tokens), heals=True)
        _check_pair(judged, register, heals=True)
        judged.stays.append(Stay(passage.id, known_by, None, judged.passage))
    else:
        _check_swap(judged, stay, known_by, register)
        if by_hand:
            _check_card(judged, stay, yard, register)
        _end(judged, stay, plan)
        yard.take(stay)
    _check_goods(judged, yard, register)
    return judged


def overstay(stay: Stay, at: int, doubt: int, plan: Plan) -> dict[str, object] | None:
    """By how much a stay that lasts until `at` is too long; None when it need not be."""
    entered = _entry(stay)
    if stay.limit is None or at - doubt - entered.doubt <= stay.limit:
        return None
    tariff, stay_s = plan.gate_rules.tariff, (at - entered.at) // 1000
    found: dict[str, object] = {"over_s": (at - stay.limit) // 1000, "stay_s": stay_s}
    if tariff is not None and entered.grant is not None and entered.grant.kind in TEMPORARY:
        found["fee"] = fee(tariff, stay_s) / 100
    return found | _named(stay.tokens)


def _end(judged: Judged, stay: Stay, plan: Plan) -> None:
    entered, passage, tariff = _entry(stay), judged.passage, plan.gate_rules.tariff
    charged = tariff is not None and entered.grant is not None and entered.grant.kind in TEMPORARY
    cost = fee(tariff, (passage.at - entered.at) // 1000) if charged and tariff is not None else None
    judged.stays.append(stay._replace(left=passage, fee=cost))
    if (over := overstay(stay, passage.at, passage.doubt, plan)) is not None:
        judged.left("overstayed", over, (entered.id,), heals=True)


def _limit(grant: Grant | None, at: int, plan: Plan) -> int | None:
    if grant is None or grant.kind not in LIMITED:
        return None
    longest = plan.gate_rules.longest_stay_s
    most = at + longest * 1000 if longest is not None and grant.kind in TEMPORARY else FOREVER
    limit = min(grant.until, most)
    return limit if limit < FOREVER else None


def _check_pair(judged: Judged, register: Register, *, heals: bool = False) -> None:
    """One card, one car."""
    passage = judged.passage
    tokens = passage.tokens
    if tokens.plate is None or not (tokens.card or tokens.number):
        return
    papers = [
        each
        for each in register.of(tokens._replace(plate=None), passage.at, passage.doubt)
        if each.tokens.plate is not None and each.kind not in PAPERS
    ]
    holding = [each for each in papers if each.why_not(passage.at, passage.doubt) is None]
    if not holding or any(each.tokens.plate == tokens.plate for each in holding):
        return
    if not _swap(passage, register):
        judged.left("other_car", {"opened_for": holding[0].tokens.plate} | _named(tokens), heals=heals)


def _check_swap(judged: Judged, stay: Stay, known_by: Tokens, register: Register) -> None:
    pairs = zip(stay.tokens, known_by, strict=True)
    different = any(came is not None and left is not None and came != left for came, left in pairs)
    if different and not _swap(judged.passage, register):
        before = {f"came_{name}": value for name, value in _named(stay.tokens).items()}
        judged.left("car_swapped", before | _named(known_by), (stay.id,), heals=True)


def _check_card(judged: Judged, stay: Stay, yard: Yard, register: Register) -> None:
    came, passage = stay.tokens, judged.passage
    if came.card is None or passage.tokens.card is not None:
        return
    for record in _holding(
        register, came.over(passage.tokens), passage.at, passage.doubt, AuthorityKind.ID_RECORD
    ):
        if yard.used.setdefault(record.id, passage.id) == passage.id:
            return
    judged.left("left_without_card", {"card": came.card, "plate": passage.tokens.plate}, (stay.id,))


def _check_goods(judged: Judged, yard: Yard, register: Register) -> None:
    passage = judged.passage
    tokens, at, doubt = passage.tokens, passage.at, passage.doubt
    named = [
        each
        for each in register.of(Tokens(number=tokens.number), at, doubt, AuthorityKind.SLIP)
        if each.tokens.plate in (None, tokens.plate)
    ]
    if not named and not passage.goods:
        return
    slips = named or register.of(Tokens(plate=tokens.plate), at, doubt, AuthorityKind.SLIP)
    holding = [each for each in slips if each.why_not(at, doubt) is None]
    for slip in holding:
        if slip.id not in yard.used:
            yard.used[slip.id] = passage.id
            return
    if holding:
        used_by = yard.used[holding[0].id]
        judged.left("slip_used_twice", {"authority": holding[0].id} | _named(tokens), (used_by,))
    else:
        judged.left("goods_without_slip", _named(tokens))


def _swap(passage: Passage, register: Register) -> bool:
    """Whether it was written that this car may use this card or pass."""
    tokens = passage.tokens
    for each in _holding(register, tokens, passage.at, passage.doubt, AuthorityKind.SWAP):
        said = each.tokens
        if (
            said.plate == tokens.plate
            and said.card in (None, tokens.card)
            and said.number in (None, tokens.number)
        ):
            return True
    return False


def _holding(
    register: Register, tokens: Tokens, at: int, doubt: int, *kinds: AuthorityKind
) -> list[Authority]:
    return [each for each in register.of(tokens, at, doubt, *kinds) if each.why_not(at, doubt) is None]


def _known_by(tokens: Tokens, at: int, doubt: int, register: Register) -> Tokens:
    """By what a vehicle is known: the number of a slip or another paper is none of its tokens."""
    papers = register.of(Tokens(number=tokens.number), at, doubt)
    return tokens._replace(number=None) if any(each.kind in PAPERS for each in papers) else tokens


def _named(tokens: Tokens) -> dict[str, object]:
    return {name: token for name, token in zip(Tokens._fields, tokens, strict=True) if token is not None}


def _entry(stay: Stay) -> Passage:
    assert stay.entered is not None  # a stay that is inside has an entry
    return stay.entered
