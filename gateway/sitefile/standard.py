"""A duty standard: what a set of rules asks for, clause by clause, and how each is proved (docs/standard.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.domain.plan import Cadence, Names
from gateway.sitefile import kinds
from gateway.sitefile.duties import CADENCE_KEYS, read_cadence, read_names
from gateway.sitefile.errors import Problems
from gateway.sitefile.fields import Fields, compose, decode, read_bytes


class Proof(StrEnum):
    """How it is proved that a clause is kept."""

    ROUND = "round"
    RADIO_CHECK = "radio_check"
    RECORD = "record"
    GATE = "gate"  # events at the barriers
    LEDGER = "ledger"  # the books of passages, passes, slips and keys
    RETENTION = "retention"  # what is kept, and that nothing of it was changed
    SYSTEM = "system"  # what the gateway does by itself: alerts, history, verdicts


BY_DUTY: Final = frozenset({Proof.ROUND, Proof.RADIO_CHECK, Proof.RECORD})
"""Proved by a duty of the site file; the others by the gateway itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a figure asks of the duty that a site sets up."""

    cadence: Cadence
    every_post: bool = False
    by: str | None = None  # a role
    signatures: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a clause asks for."""

    id: str
    area: str
    name: Names
    clause: str
    figure: str
    asks: Names
    proof: Proof
    asked: Asked | None = None  # None: the rule names no figure, so that the site says how often
    proved_by: Names | None = None
    later: bool = False  # the gateway does not do it yet


@dataclass(frozen=True, slots=True)
class Standard:
    """A set of rules."""

    id: str
    name: Names
    entries: tuple[Entry, ...]


_STANDARD_KEYS: Final = ("standard", "name", "entries")
_ENTRY_KEYS: Final = (
    *("id", "area", "name", "clause", "figure", "asks", "proof"),
    *("duty", "proved_by", "later"),
)
_DUTY_KEYS: Final = ("posts", "by", "signatures", *CADENCE_KEYS)
_ENTRY: Final = "a map such as {id: …, clause: …, proof: …}"
_DUTY: Final = "a map such as {times: 1, per: week, by: supervisor}"


def load_standard(path: Path) -> Standard:
    """The standard of a file; see `parse_standard`. Raises `OSError` when the file cannot be read."""
    return parse_standard(read_bytes(path), path.name)


def parse_standard(source: str | bytes, file: str) -> Standard:
    """The standard that a file says. Raises `SiteFileError` with all that is wrong, each with its line."""
    problems = Problems(file)
    node = compose(decode(source, problems), problems, "a standard, beginning with standard: and its id")
    fields = Fields(node, problems, _STANDARD_KEYS)
    name = fields.need("standard", kinds.identifier) or ""
    names = read_names(fields, need=True)
    if not fields.has("entries"):
        fields.complain(f"entries is missing; expected a list, each {_ENTRY}")
    lines: dict[str, int] = {}
    entries = []
    for each in fields.things("entries", _ENTRY_KEYS, _ENTRY):
        entry = _entry(each)
        entries.append(entry)
        if entry.id in lines:
            first = f"first in line {lines[entry.id]}"
            each.complain(f"the id {kinds.shown(entry.id)} is given twice, {first}", "id")
        elif entry.id:
            lines[entry.id] = each.line
    problems.raise_any()
    return Standard(name, names, tuple(entries))


def _entry(fields: Fields) -> Entry:
    proof = fields.need("proof", kinds.word(Proof))
    asked = fields.nested("duty", _DUTY_KEYS, _DUTY)
    if proof is not None and proof not in BY_DUTY:
        if asked is not None:
            fields.complain(f"duty does not belong here: the proof is {proof}, not a duty", "duty")
        read_names(fields, key="proved_by", need=True)
    elif fields.has("proved_by"):
        fields.complain("proved_by does not belong here: the duty of the site proves it", "proved_by")
    return Entry(
        id=fields.need("id", kinds.identifier) or "",
        area=fields.need("area", kinds.identifier) or "",
        name=read_names(fields, need=True),
        clause=fields.need("clause", kinds.text) or "",
        figure=fields.get("figure", kinds.text) or "",
        asks=read_names(fields, key="asks", need=True),
        proof=proof or Proof.SYSTEM,
        asked=None if asked is None or proof is None else _asked(asked, proof),
        proved_by=read_names(fields, key="proved_by") if fields.has("proved_by") else None,
        later=fields.get("later", kinds.flag) or False,
    )


def _asked(fields: Fields, proof: Proof) -> Asked:
    if proof is not Proof.RECORD and fields.has("signatures"):
        fields.complain("signatures does not belong here: only a record is signed", "signatures")
    if proof is Proof.ROUND and fields.has("posts"):
        fields.complain("posts does not belong here: a round is walked by one post", "posts")
    return Asked(
        cadence=read_cadence(fields),
        every_post=fields.get("posts", _all) is not None,
        by=fields.get("by", kinds.identifier),
        signatures=fields.get("signatures", kinds.signatures) or 1,
    )


def _all(value: str) -> str:
    if value != "all":
        raise ValueError("all: a standard knows no post by its id")
    return value
