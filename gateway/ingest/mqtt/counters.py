"""What an endpoint or a client has seen, as plain numbers for the metrics page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Totals since the start, but for `connected`, which is the number of connections now."""

    connected: int = 0
    connections: int = 0
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    acknowledged: int = 0
    dropped: int = 0  # outgoing messages that expired, did not fit or found no room
    # Connections, subscriptions and messages that were refused, by the reason in words.
    refused: Counter[str] = field(default_factory=Counter)
