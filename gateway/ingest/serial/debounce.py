"""A tag that is held to a reader is one tap, however often the reader says it."""

from __future__ import annotations

from typing import Final

_MOST: Final = 1024
"""So many tags are remembered; a reader that sees more forgets those that it saw the longest ago."""


class Debounce:
    """What one reader has seen lately. Times are monotonic seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: dict[str, float] = {}  # in the order in which they were seen last

    def is_held(self, tag: str, now: float) -> bool:
        """Whether the last frame that showed this tag is less than the window ago. It counts as one itself."""
        last = self._seen.pop(tag, None)
        self._seen[tag] = now
        if len(self._seen) > _MOST:
            del self._seen[next(iter(self._seen))]
        return last is not None and now - last < self._window_s
