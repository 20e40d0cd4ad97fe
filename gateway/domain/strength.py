"""Strength of evidence: how well a scan shows that somebody was at the checkpoint (docs/decisions/0017)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Strength(StrEnum):
    """The weakest first."""

    QR = "qr"  # a text that anybody can photograph or copy
    UID = "uid"  # the number of a tag: cheap tags can be given any
    WIRED = "wired"  # the same, read by a reader that hangs on the wall
    SUN = "sun"  # a message that only the tag can make, and makes once

    @property
    def rank(self) -> int:
        """A number to compare by: the words themselves are in another order."""
        return _RANK[self]

    def reaches(self, least: Strength) -> bool:
        """Whether it is at least so strong."""
        return self.rank >= least.rank


_RANK: Final = {strength: rank for rank, strength in enumerate(Strength)}
