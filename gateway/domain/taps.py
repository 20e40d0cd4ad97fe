"""Taps: the counters of tags that make a message of their own at each reading (docs/judging.md, part 5).

Such a counter only ever rises. A message that comes with a counter that was there before, or with a lower one than an
earlier message, was not made by the tag when it is said to have been. Scans are noticed in canonical order, each
compared with the highest counter of its tag before it, so that what is found is a function of the set of facts, and
all that must be remembered is one scan for each tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gateway.domain.facts import Scan, Tap
from gateway.domain.verdicts import Finding

HELD_MS: Final = 10_000
"""One device that reads the same counter again within this time reads a tag that is held to it."""

_LOOKS_SPENT: Final = frozenset({"tag_replayed", "tag_cloned", "tag_rolled_back"})

Found = Mapping[Scan, tuple[Finding, ...]]
"""What was found of each scan."""


class Highest(NamedTuple):
    """The highest counter of a tag."""

    counter: int
    first: Scan  # the first scan that showed it
    last: Scan  # … and the last one


class Taps:
    """The counters of one site's tags."""

    __slots__ = ("_by_tag", "_from_before")

    def __init__(self, before: Iterable[Scan] = ()) -> None:
        """`before`: of each tag the scan with the highest counter from before what is remembered."""
        self._from_before = {
            scan.tag: Highest(scan.tap.counter, scan, scan) for scan in before if scan.tap is not None
        }
        self._by_tag = self._from_before.copy()

    def notice(self, scan: Scan, checkpoint: str) -> tuple[Scan, Finding] | None:
        """Take in the next scan; returns what is wrong with it, and the earlier scan that shows it."""
        tap = scan.tap
        if tap is None:
            return None
        highest = self._by_tag.get(scan.tag)
        if highest is None or tap.counter > highest.counter:
            self._by_tag[scan.tag] = Highest(tap.counter, scan, scan)
            return None
        first = highest.first
        if tap.counter == highest.counter:
            self._by_tag[scan.tag] = highest._replace(last=scan)
            return (
                None if _is_held(highest.last, scan) else (first, _used_again(first, scan, tap, checkpoint))
            )
        return (
            (first, _rolled_back(highest, scan, tap, checkpoint)) if _is_surely_later(first, scan) else None
        )

    def remember(self) -> dict[str, Highest]:
        """All that `recall` needs to go on from here."""
        return self._by_tag.copy()

    def recall(self, memory: Mapping[str, Highest] | None) -> None:
        """Go back to where `remember` was called; None: to before the first scan."""
        self._by_tag = dict(self._from_before if memory is None else memory)


def is_spent(scan: Scan, found: Found) -> bool:
    """Whether a message proves nothing of when it is said to have been made."""
    if scan.tap is None or scan not in found:
        return False
    return any(finding.code in _LOOKS_SPENT and finding.facts[1] == scan.id for finding in found[scan])


def _is_held(last: Scan, scan: Scan) -> bool:
    return last.device == scan.device and scan.occurred_at - last.occurred_at <= HELD_MS


def _is_surely_later(first: Scan, scan: Scan) -> bool:
    one_clock = (first.device, first.boot) == (scan.device, scan.boot)
    doubt = 0 if one_clock else first.uncertainty + scan.uncertainty
    return scan.occurred_at - first.occurred_at > doubt


def _used_again(first: Scan, scan: Scan, tap: Tap, checkpoint: str) -> Finding:
    params = {
        "checkpoint": checkpoint,
        "counter": tap.counter,
        "at": first.occurred_at,
        "devices": [first.device, scan.device],
    }
    facts = (first.id, scan.id)
    # One chip makes one message of each reading.
    if first.tap is not None and first.tap.message != tap.message:
        return Finding("tag_cloned", params, facts)
    return Finding("tag_replayed", params, facts)


def _rolled_back(highest: Highest, scan: Scan, tap: Tap, checkpoint: str) -> Finding:
    first = highest.first
    params = {
        "checkpoint": checkpoint,
        "counter": tap.counter,
        "highest": highest.counter,
        "at": first.occurred_at,
        "devices": [first.device, scan.device],
    }
    return Finding("tag_rolled_back", params, (first.id, scan.id))
