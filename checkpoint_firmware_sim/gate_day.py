"""A day at the gates, with everything that can go wrong there, and the truth about it.

What happens is made up vehicle by vehicle, and the truth is written down as it is made up: nothing here knows how a
gateway matches. Time is ms since the beginning of the day. A lane serves one vehicle at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final

from checkpoint_firmware_sim.times import HOUR, MINUTE, SECOND

DAY: Final = 24 * HOUR

GATES: Final = ("north", "east", "south", "west")

RULES: Final = {
    "pass_within": "60s",
    "longest_stay": "8h",
    "tariff": {"free": "30min", "unit": "1h", "fee": "5", "daily_cap": "40"},
}
"""The site's rules that the truth about fees and long stays goes by, as in a site file."""

_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_NOT_READ: Final = ("", "无牌车", "粤B" + "8" * 198, "###")


@dataclass(eq=False)
class GateRecord:
    """What a device says. `seq` is given when the day is over."""

    at: int
    device: str
    event: str
    members: dict[str, Any]
    seq: int = 0


@dataclass(eq=False)
class TrueOpening:
    """A barrier opened; `told` are all records of it, first the first."""

    told: GateRecord
    passage: GateRecord | None = None
    authority: str | None = None


@dataclass(eq=False)
class TruePassage:
    told: GateRecord
    opening: GateRecord | None
    authority: str | None


@dataclass(eq=False)
class TrueStay:
    entry: GateRecord | None
    exit: GateRecord | None = None
    lost: bool = False
    fee: int | None = None


@dataclass
class GateDay:
    """A day: what people wrote, what devices said, and what really happened."""

    acts: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """(when, the members of the authority that is written then), by time."""
    records: list[GateRecord] = field(default_factory=list)
    openings: list[TrueOpening] = field(default_factory=list)
    passages: list[TruePassage] = field(default_factory=list)
    stays: list[TrueStay] = field(default_factory=list)
    leftovers: list[tuple[str, GateRecord]] = field(default_factory=list)
    overdue: list[tuple[GateRecord, int]] = field(default_factory=list)
    """(entry, from when on) of vehicles that stay longer than they may."""
    tried: dict[str, int] = field(default_factory=dict)
    """How often each kind of visit was made up."""


@dataclass
class _Vehicle:
    plate: str | None = None
    card: str | None = None
    number: str | None = None
    authority: str | None = None
    temporary: bool = False
    cause: str = "plate"

    def members(self, *, card: bool = True) -> dict[str, Any]:
        known = {"plate": self.plate, "card": self.card if card else None, "pass": self.number}
        return {name: value for name, value in known.items() if value is not None}


Script = Callable[["_Maker", int], None]


class _Maker:
    """Makes up one day."""

    def __init__(self, passages: int, random: Random) -> None:
        self.day = GateDay()
        self.random = random
        self._wanted = passages
        self._free: dict[tuple[str, str], int] = {}
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._count = 0
        self._plates: set[str] = set()

    # -- what vehicles there are ----------------------------------------------------------------------------

    def plate(self) -> str:
        while True:
            plate = f"粤{self.random.choice(_LETTERS)}{self.random.randrange(100_000):05d}"
            if plate not in self._plates:
                self._plates.add(plate)
                return plate

    def fresh(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count:05d}"

    def write(self, at: int, kind: str, until: int | None = None, **members: Any) -> None:
        said = {name: value for name, value in members.items() if value is not None}
        self.day.acts.append((at, {"kind": kind, "until": until} | said))

    def vehicle(self, at: int, kind: str | None = None) -> _Vehicle:
        """A vehicle that may come in at `at`."""
        kind = (
            kind
            or self.random.choices(
                ("resident", "resident_card", "ticket", "visitor", "contractor", "pass"), (6, 3, 6, 2, 1, 1)
            )[0]
        )
        plate = self.plate()
        early = max(0, at - self.random.randrange(10 * MINUTE, 2 * HOUR))
        if kind == "resident":
            self.write(0, "resident", plate=plate)
            return _Vehicle(plate, authority="resident")
        if kind == "resident_card":
            card = self.fresh("C")
            self.write(0, "resident", plate=plate, card=card)
            return _Vehicle(plate, card, authority="resident", cause="card")
        if kind == "ticket":
            return _Vehicle(plate, number=self.fresh("T"), authority="ticket", temporary=True)
        if kind == "visitor":
            self.write(early, "visitor", at + 20 * HOUR, plate=plate, host="3-1201")
            return _Vehicle(plate, authority="visitor", temporary=True)
        if kind == "contractor":
            self.write(early, "contractor", at + 26 * HOUR, plate=plate, host="3-1201", holder="Zhang")
            return _Vehicle(plate, authority="contractor")
        if kind == "pass":
            number = self.fresh("P")
            self.write(early, "pass", at + 20 * HOUR, plate=plate, number=number)
            return _Vehicle(plate, number=number, authority="pass", temporary=True)
        return _Vehicle(plate)  # a stranger

    # -- what a lane does -----------------------------------------------------------------------------------

    def lane(self, at: int, length_s: int = 20) -> tuple[str, int]:
        """A gate, and when its lane has time."""
        gate = self.random.choice(GATES)
        return gate, self.reserve(gate, at, length_s)

    def reserve(self, gate: str, at: int, length_s: int) -> int:
        start = max(at, self._free.get((gate, self.way), 0))
        self._free[gate, self.way] = start + length_s * SECOND
        return start

    way = "in"

    def say(self, at: int, gate: str, event: str, device: str = "gate", **members: Any) -> GateRecord:
        record = GateRecord(at, f"{device}-{gate}", event, {"lane": self.way} | members)
        self.day.records.append(record)
        return record

    def leave_over(self, code: str, record: GateRecord) -> None:
        self.day.leftovers.append((code, record))

    def through(
        self,
        at: int,
        vehicle: _Vehicle,
        *,
        members: dict[str, Any] | None = None,
        authority: str | None = None,
        length_s: int = 20,
        extra: dict[str, Any] | None = None,
        cause: str | None = None,
        by: str | None = None,
        note: str | None = None,
    ) -> tuple[TrueOpening, TruePassage, str]:
        """A barrier opens, a vehicle passes, the barrier closes."""
        gate, start = self.lane(at, length_s)
        known = vehicle.members() if members is None else members
        said = {name: value for name, value in (("by", by), ("note", note)) if value is not None}
        opened = self.say(start, gate, "opened", cause=cause or vehicle.cause, **known, **said)
        passed_at = start + self.random.randrange(3, 8) * SECOND
        passed = self.say(passed_at, gate, f"vehicle_{self.way}", **known, **(extra or {}))
        self.say(passed_at + self.random.randrange(1, 4) * SECOND, gate, "closed")
        rests_on = vehicle.authority if authority is None else authority
        opening = TrueOpening(opened, passed, rests_on)
        passage = TruePassage(passed, opened, vehicle.authority)
        self.day.openings.append(opening)
        self.day.passages.append(passage)
        return opening, passage, gate

    # -- visits ---------------------------------------------------------------------------------------------

    def later(self, at: int, action: Callable[[int], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, action))

    def stay_for(self, longest: int = 5 * HOUR) -> int:
        """A length that lies near no limit of the tariff (ms)."""
        units = self.random.randrange(0, max(1, longest // HOUR))
        return 30 * MINUTE + units * HOUR + self.random.randrange(5, 40) * MINUTE

    def comes(self, at: int, vehicle: _Vehicle, **how: Any) -> TrueStay:
        self.way = "in"
        _, passage, _ = self.through(at, vehicle, **how)
        return self.begins(passage.told, vehicle)

    def begins(self, entry: GateRecord, vehicle: _Vehicle) -> TrueStay:
        stay = TrueStay(entry)
        self.day.stays.append(stay)
        return stay

    def goes(self, at: int, vehicle: _Vehicle, stay: TrueStay, **how: Any) -> GateRecord:
        self.way = "out"
        _, passage, _ = self.through(at, vehicle, **how)
        self.ends(passage.told, vehicle, stay)
        return passage.told

    def ends(self, exit_: GateRecord, vehicle: _Vehicle, stay: TrueStay) -> None:
        assert stay.entry is not None
        stay.exit = exit_
        length = exit_.at - stay.entry.at
        if vehicle.temporary:
            beyond = length - 30 * MINUTE
            stay.fee = 0 if beyond <= 0 else min(40_00, 5_00 * -(-beyond // HOUR))
            if length > 8 * HOUR:
                self.leave_over("overstayed", exit_)

    def run(self) -> GateDay:
        weights = [weight for _, weight in SCRIPTS]
        begin = 5 * MINUTE
        for _ in range(round(self._wanted / 1.88)):
            script = self.random.choices([script for script, _ in SCRIPTS], weights)[0]
            name = script.__name__.removeprefix("_")
            self.day.tried[name] = self.day.tried.get(name, 0) + 1
            self.later(begin + self.random.randrange(DAY - 30 * MINUTE), partial(script, self))
        while self._due:
            at, _, action = heapq.heappop(self._due)
            if at < DAY - 10 * MINUTE:
                action(at)
        self.day.acts.sort(key=lambda act: act[0])
        self.day.records.sort(key=lambda record: record.at)
        seqs: dict[str, int] = {}
        for record in self.day.records:
            record.seq = seqs[record.device] = seqs.get(record.device, 0) + 1
        return self.day


def make_gate_day(passages: int, seed: int) -> GateDay:
    """A day with about so many passages."""
    return _Maker(passages, Random(f"gate day {seed}")).run()


# -- what vehicles do: each is tried many times ------------------------------------------------------------------


def _plain(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at)
    stay = make.comes(at, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _staff(make: _Maker, at: int) -> None:
    vehicle = _Vehicle(make.plate(), make.fresh("K"), authority="resident", cause="card")
    make.write(0, "resident", card=vehicle.card)
    stay = make.comes(at, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _turns_back(make: _Maker, at: int) -> None:
    """The barrier opens, and the vehicle does not come."""
    vehicle = make.vehicle(at, "resident")
    make.way = "in"
    gate, start = make.lane(at)
    opened = make.say(start, gate, "opened", cause="plate", **vehicle.members())
    make.say(start + 12 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, None, "resident"))
    make.leave_over("nobody_passed", opened)


def _slips_through(make: _Maker, at: int) -> None:
    """A second vehicle follows the first under the open barrier."""
    first, second = make.vehicle(at), make.vehicle(at, "resident")
    make.way = "in"
    _, passage, gate = make.through(at, first, length_s=25)
    stay = make.begins(passage.told, first)
    behind = make.say(passage.told.at + SECOND, gate, "vehicle_in", plate=second.plate)
    make.day.passages.append(TruePassage(behind, None, "resident"))
    make.leave_over("passed_unopened", behind)
    slipped = make.begins(behind, second)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, first, stay)))
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, second, slipped)))


def _takes_the_opening(make: _Maker, at: int) -> None:
    """It opens for one vehicle, and another drives through."""
    meant, other = make.vehicle(at, "resident"), make.vehicle(at, "resident")
    make.way = "in"
    gate, start = make.lane(at, 90)
    opened = make.say(start, gate, "opened", cause="plate", plate=meant.plate)
    passed = make.say(start + 5 * SECOND, gate, "vehicle_in", plate=other.plate)
    make.say(start + 8 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, passed, "resident"))
    make.day.passages.append(TruePassage(passed, opened, "resident"))
    make.leave_over("other_car", passed)
    stay = make.begins(passed, other)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, other, stay)))


def _told_twice(make: _Maker, at: int) -> None:
    """A controller says everything twice."""
    vehicle = make.vehicle(at)
    make.way = "in"
    gate, start = make.lane(at)
    known = vehicle.members()
    opened = make.say(start, gate, "opened", cause=vehicle.cause, **known)
    again = make.say(start + SECOND, gate, "opened", cause=vehicle.cause, **known)
    passed = make.say(start + 4 * SECOND, gate, "vehicle_in", **known)
    repeated = make.say(start + 6 * SECOND, gate, "vehicle_in", **known)
    make.say(start + 8 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, passed, vehicle.authority))
    make.day.passages.append(TruePassage(passed, opened, vehicle.authority))
    make.leave_over("reported_twice", again)
    make.leave_over("reported_twice", repeated)
    stay = make.begins(passed, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _seen_by_a_camera(make: _Maker, at: int) -> None:
    """A camera sees the plate, the barrier behind it only says that it opens."""
    vehicle = make.vehicle(at, "resident")
    make.way = "in"
    gate, start = make.lane(at)
    passed = make.say(start, gate, "vehicle_in", "camera", plate=vehicle.plate)
    opened = make.say(start + 2 * SECOND, gate, "opened")
    make.say(start + 12 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, passed, "resident"))
    make.day.passages.append(TruePassage(passed, opened, "resident"))
    stay = make.begins(passed, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _by_hand(make: _Maker, at: int) -> None:
    """A guard opens and says why, on a console, a moment later."""
    vehicle = make.vehicle(at, "resident")
    make.way = "in"
    gate, start = make.lane(at, 40)
    opened = make.say(start, gate, "opened", cause="manual")
    passed = make.say(start + 4 * SECOND, gate, "vehicle_in", plate=vehicle.plate)
    make.say(start + 9 * SECOND, gate, "closed")
    make.say(start + 20 * SECOND, gate, "manual_open", by="li-qiang", note="Reader is broken")
    make.day.openings.append(TrueOpening(opened, passed, "person"))
    make.day.passages.append(TruePassage(passed, opened, "resident"))
    stay = make.begins(passed, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _by_hand_without_a_word(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident")
    said = make.random.choice([{}, {"by": "li-qiang"}, {"note": "Hurry"}])
    make.way = "in"
    gate, start = make.lane(at, 40)
    opened = make.say(start, gate, "manual_open", **said)
    passed = make.say(start + 4 * SECOND, gate, "vehicle_in", plate=vehicle.plate)
    make.say(start + 9 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, passed, None))
    make.day.passages.append(TruePassage(passed, opened, "resident"))
    make.leave_over("unexplained_opening", opened)
    stay = make.begins(passed, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _forced(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident")
    make.way = "in"
    gate, start = make.lane(at, 40)
    broken = make.say(start, gate, "forced", cause="unknown")
    passed = make.say(start + SECOND, gate, "vehicle_in", plate=vehicle.plate)
    make.say(start + 30 * SECOND, gate, "recovered")
    make.day.openings.append(TrueOpening(broken, passed, None))
    make.day.passages.append(TruePassage(passed, broken, "resident"))
    make.leave_over("forced_opening", broken)
    stay = make.begins(passed, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _stranger(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "stranger")
    make.way = "in"
    opening, passage, _ = make.through(at, vehicle)
    make.leave_over("no_authority", opening.told)
    stay = make.begins(passage.told, vehicle)

    def go(then: int) -> None:
        make.way = "out"
        opening, passage, _ = make.through(then, vehicle)
        make.leave_over("no_authority", opening.told)
        make.ends(passage.told, vehicle, stay)

    make.later(at + make.stay_for(), go)


def _visitor_too_late(make: _Maker, at: int) -> None:
    """The visit was announced for an hour that is over; they let the visitor in by hand."""
    vehicle = _Vehicle(make.plate())
    make.write(
        max(0, at - 4 * HOUR), "visitor", max(2 * MINUTE, at - HOUR), plate=vehicle.plate, host="1-101"
    )
    make.way = "in"
    opening, passage, _ = make.through(
        at, vehicle, cause="remote", by="li-qiang", note="Host asked", authority="person", length_s=40
    )
    assert opening.authority == "person"
    make.leave_over("authority_not_valid", passage.told)
    make.begins(passage.told, vehicle)  # and stays past the end of the day


def _card_with_another_car(make: _Maker, at: int) -> None:
    owner = make.vehicle(at, "resident_card")
    vehicle = _Vehicle(make.plate(), owner.card, authority="resident", cause="card")
    stay = make.comes(at, vehicle)
    assert stay.entry is not None
    make.leave_over("other_car", stay.entry)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _swap_in_writing(make: _Maker, at: int) -> None:
    owner = make.vehicle(at, "resident_card")
    other = make.plate()
    make.write(max(0, at - HOUR), "swap", at + 20 * HOUR, plate=other, card=owner.card, note="Garage")
    vehicle = _Vehicle(other, owner.card, authority="resident", cause="card")
    stay = make.comes(at, vehicle)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _leaves_unseen(make: _Maker, at: int) -> None:
    """It leaves through a gate that is propped open, and comes again."""
    vehicle = make.vehicle(at, "resident")
    first = make.comes(at, vehicle)

    def again(then: int) -> None:
        stay = make.comes(then, vehicle)
        assert stay.entry is not None
        first.lost = True
        make.leave_over("in_twice", stay.entry)
        make.later(then + make.stay_for(), lambda end: void(make.goes(end, vehicle, stay)))

    make.later(at + make.stay_for(), again)


def _came_before_the_day(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident")
    make.way = "out"
    _, passage, _ = make.through(at, vehicle)
    make.leave_over("out_without_in", passage.told)
    make.day.stays.append(TrueStay(None, passage.told))


def _change_tickets(make: _Maker, at: int) -> None:
    """Two drivers leave with each other's ticket."""
    cars = [make.vehicle(at, "ticket") for _ in range(2)]
    stays = [make.comes(at, car) for car in cars]

    def go(then: int) -> None:
        for car, other, stay in ((cars[0], cars[1], stays[0]), (cars[1], cars[0], stays[1])):
            leaving = _Vehicle(car.plate, number=other.number, authority="ticket", temporary=True)
            make.leave_over("car_swapped", make.goes(then, leaving, stay))

    make.later(at + make.stay_for(), go)


def _without_the_card(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident_card")
    stay = make.comes(at, vehicle)
    is_written = make.random.random() < 0.5

    def go(then: int) -> None:
        if is_written:
            until = then + 2 * HOUR
            make.write(then - MINUTE, "id_record", until, plate=vehicle.plate, holder="Zhang", note="ID seen")
        exit_ = make.goes(
            then,
            vehicle,
            stay,
            members=vehicle.members(card=False),
            cause="manual",
            by="li-qiang",
            note="Card forgotten",
            authority="person",
        )
        if not is_written:
            make.leave_over("left_without_card", exit_)

    make.later(at + make.stay_for(), go)


def _stays_too_long(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, make.random.choice(["ticket", "visitor"]))
    stay = make.comes(at, vehicle)
    assert stay.entry is not None
    make.day.overdue.append((stay.entry, stay.entry.at + 8 * HOUR))
    make.later(at + 8 * HOUR + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _heavy(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident")
    consented = make.random.random() < 0.5
    if consented:
        make.write(max(0, at - HOUR), "consent", at + 20 * HOUR, plate=vehicle.plate, note="Concrete")
    kind = make.random.choice(["large", "dangerous"])
    stay = make.comes(at, vehicle, extra={"vehicle": kind})
    assert stay.entry is not None
    if not consented:
        make.leave_over("no_consent", stay.entry)
    make.later(at + make.stay_for(), lambda then: void(make.goes(then, vehicle, stay)))


def _goods(make: _Maker, at: int) -> None:
    """Goods leave: with a slip, with one for the plate, with a used one, with none."""
    vehicle = make.vehicle(at, "resident")
    slip = make.fresh("S")
    how = make.random.choice(["number", "plate", "none", "used"])
    if how != "none":
        for_plate = vehicle.plate if how == "plate" else None
        make.write(max(0, at - HOUR), "slip", at + 23 * HOUR, number=slip, plate=for_plate, goods="Sofa")

    def round_trip(then: int, left: int) -> None:
        stay = make.comes(then, vehicle)

        def go(end: int) -> None:
            named = vehicle.members() | ({"pass": slip} if how in ("number", "used") else {})
            exit_ = make.goes(end, vehicle, stay, members=named, extra={"goods": True})
            if how == "none":
                make.leave_over("goods_without_slip", exit_)
            elif how == "used" and left == 0:
                make.leave_over("slip_used_twice", exit_)
            if left:
                make.later(end + 10 * MINUTE, lambda next_: round_trip(next_, left - 1))

        make.later(then + make.stay_for(2 * HOUR), go)

    round_trip(at, 1 if how == "used" else 0)


def _unreadable(make: _Maker, at: int) -> None:
    make.way = "in"
    gate, start = make.lane(at, 40)
    read = make.random.choice(_NOT_READ)
    opened = make.say(start, gate, "opened", cause="manual", by="li-qiang", note="No plate")
    passed = make.say(start + 5 * SECOND, gate, "vehicle_in", plate=read)
    make.say(start + 9 * SECOND, gate, "closed")
    make.day.openings.append(TrueOpening(opened, passed, "person"))
    make.day.passages.append(TruePassage(passed, opened, None))
    make.leave_over("unidentified", passed)


def _fire_alarm(make: _Maker, at: int) -> None:
    vehicle = make.vehicle(at, "resident")
    stay = make.comes(at, vehicle)

    def go(then: int) -> None:
        make.goes(then, vehicle, stay, cause="fire", authority="fire")

    make.later(at + make.stay_for(), go)


def void(_: object) -> None:
    """Nothing: for actions of one line."""


def kinds_of_mismatch(day: GateDay) -> Iterator[str]:
    """The codes that the truth has, each once."""
    yield from sorted({code for code, _ in day.leftovers})


SCRIPTS: Final[tuple[tuple[Script, float], ...]] = (
    (_plain, 60),
    (_staff, 4),
    *(
        (script, 1.6)
        for script in (
            *(_turns_back, _slips_through, _takes_the_opening, _told_twice, _seen_by_a_camera, _by_hand),
            *(_by_hand_without_a_word, _forced, _stranger, _visitor_too_late, _card_with_another_car),
            *(_swap_in_writing, _leaves_unseen, _came_before_the_day, _change_tickets, _without_the_card),
            *(_stays_too_long, _heavy, _goods, _unreadable, _fire_alarm),
        )
    ),
)
"""What vehicles do, and how often."""
