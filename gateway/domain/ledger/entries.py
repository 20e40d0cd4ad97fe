"""The entries of the ledger: openings, passages, stays, and what is left over. Instants are ms since the epoch, UTC.

They are named tuples, as each passes through several hands, and a changed copy of a frozen dataclass is slow to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.domain.ledger.authority import Grant, Tokens

Lane = tuple[str, str]
"""A lane of a gate: the post that the gate's devices serve (else the device), and the lane's own name or ""."""

CODES: Final = (
    "nobody_passed",
    "passed_unopened",
    "other_car",
    "no_authority",
    "authority_not_valid",
    "unexplained_opening",
    "forced_opening",
    "reported_twice",
    "unidentified",
    "in_twice",
    "out_without_in",
    "car_swapped",
    "left_without_card",
    "overstayed",
    "no_consent",
    "goods_without_slip",
    "slip_used_twice",
)
"""What can be left over. Each is explained in docs/reasons.md."""


class Opening(NamedTuple):
    """A barrier opened, as told by one device or by several."""

    id: str  # the fact that told of it first
    lane: Lane
    device: str
    at: int
    doubt: int
    due: int  # when nothing can bear on it any more
    facts: tuple[str, ...]
    devices: tuple[str, ...]
    tokens: Tokens
    cause: str | None
    by_hand: bool = False  # a person did it, at the gate or from afar
    forced: bool = False
    written: bool = False  # a `manual_open` record is among its facts
    by: str | None = None
    note: str | None = None
    closed_at: int | None = None
    passage: str | None = None
    inward: bool = True  # the way of its passage
    alone: bool = False  # it let a vehicle out that was not seen to come in
    grant: Grant | None = None
    refused: bool = False  # its vehicle names an authority that does not hold


class Passage(NamedTuple):
    """A vehicle went through a lane."""

    id: str
    lane: Lane
    device: str
    at: int
    doubt: int
    due: int  # when no opening can be for it any more
    inward: bool
    tokens: Tokens  # its own and those of its opening
    read: str | None = None  # what was given for a plate and is none
    vehicle: str | None = None
    goods: bool = False
    facts: tuple[str, ...] = ()
    opening: str | None = None
    grant: Grant | None = None
    stay: str | None = None


class Stay(NamedTuple):
    """An entry, matched with its exit. One of the two may be missing."""

    id: str
    tokens: Tokens  # by what it is known while it is inside
    entered: Passage | None = None
    left: Passage | None = None
    lost: bool = False  # it came in once more and was not seen to leave: this one ended nobody knows when
    limit: int | None = None  # until when it may stay
    fee: int | None = None  # in hundredths of the currency's unit; None when it is not charged

    @property
    def inside(self) -> bool:
        """Whether the vehicle is here, as far as is known."""
        return self.left is None and not self.lost


class Leftover(NamedTuple):
    """What does not balance. `until`: a record from before this instant may still explain it."""

    code: str
    at: int
    lane: Lane
    about: str  # the fact that it is about first of all
    facts: tuple[str, ...]
    params: Mapping[str, Any]
    until: int | None = None  # None: what is known says it, and nothing that may come makes it untrue
    whole_site: bool = False  # a record of any gate may explain it, not only one of this lane

    @property
    def id(self) -> str:
        """Unique in a site."""
        return f"{self.code}@{self.about}"


class State(NamedTuple):
    """How sure a leftover is: `final`, or `unverified` while it may still be explained (law 4)."""

    code: str
    devices: tuple[str, ...] = ()  # those that may still know better, or have lost what they knew
    reason: str | None = (
        None  # no_proof, evidence_lost, gateway_blind; `settled` for what is final without them
    )


class Explanation(NamedTuple):
    """What a person said of something that is left over. It stays on the list, with this beside it."""

    by: str
    note: str
    at: int
