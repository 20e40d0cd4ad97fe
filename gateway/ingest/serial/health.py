"""How one line is: what the board, the metrics and `/api/health` show of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_REASONS: Final = 20
"""So many reasons of noise are told apart; a decoder has a handful, and metrics must not grow without end."""


class LineState(StrEnum):
    CLOSED = "closed"  # the port is not there, or cannot be opened
    OPEN = "open"
    SILENT = "silent"  # the port is open, and nobody answers


@dataclass(slots=True)
class LineHealth:
    """The counts are since the start of the gateway. Only the tasks of the line change them."""

    port: str
    protocol: str
    devices: tuple[str, ...]  # `site/device`
    state: LineState = LineState.CLOSED
    problem: str | None = None  # a code; None while all is well
    detail: str = ""  # the same in words for an engineer
    since: int = 0  # ms, when the state began
    opened: int = 0  # how often
    faults: int = 0  # how often the line was lost, or its handler failed
    frames: int = 0
    held: int = 0  # repeats of a tag that is held to the reader
    noise: Counter[str] = field(default_factory=Counter)  # by reason
    noise_kept: int = 0  # of which this much is in the quarantine

    @property
    def reopenings(self) -> int:
        return max(0, self.opened - 1)

    def is_now(self, state: LineState, at: int, problem: str | None = None, detail: str = "") -> bool:
        """Note how the line is from `at` (ms) on; whether that is news."""
        news = (state, problem) != (self.state, self.problem)
        if state is not self.state or not self.since:
            self.since = at
        self.state, self.problem, self.detail = state, problem, detail
        return news

    def is_open(self, at: int) -> None:
        """Note that the port was opened, at this moment (ms)."""
        self.opened += 1
        self.is_now(LineState.OPEN, at)

    def is_lost(self, at: int, problem: str, detail: str) -> bool:
        """Note that the port cannot be opened, or is not open any more; whether that is news."""
        self.faults += self.state is not LineState.CLOSED
        return self.is_now(LineState.CLOSED, at, problem, detail)

    def count_noise(self, reason: str) -> None:
        known = reason in self.noise or len(self.noise) < MOST_REASONS
        self.noise[reason if known else "other"] += 1
