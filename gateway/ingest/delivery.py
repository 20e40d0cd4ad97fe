"""What a transport hands to the pipeline, and how the pipeline answers it.

A transport (the device endpoint, the broker client, a bridge that plays a device) turns bytes into `Delivery`
objects and gives them to one `Receiver`, all that one read brought in one call. The receiver owes each
delivery with a non-zero `packet_id` one acknowledgement, given only after the commit that holds it (law 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol


class Link(Protocol):
    """One connection that deliveries came over."""

    @property
    def speaks_for(self) -> str | None:
        """`{site}/{device}` that this connection may publish for; None when a broker has checked that."""

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Tell the sender that these deliveries are stored. A closed link ignores it: the sender retries."""

    def pause(self) -> None:
        """Stop reading from this connection until `resume`: back-pressure instead of loss."""

    def resume(self) -> None:
        """Read again."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One message as it arrived."""

    topic: str
    payload: bytes
    received_at: int  # ms since the epoch, UTC, by the gateway's clock
    retained: bool
    packet_id: int  # 0: no acknowledgement is owed (QoS 0)
    link: Link
    wrong: tuple[str, str] | None = None
    """Why the transport itself could make nothing of it, where that is so: a reason for the quarantine, and details."""
    refused: str | None = None
    """The intake's answer: why a record of it went to the quarantine; None while all are facts."""
    played: str | None = None
    """`{site}/{device}` that a bridge plays by what came over the link in another maker's words."""


NOTHING: Final = "\0"
"""The topic of no message: MQTT allows none with this character."""


def nothing(link: Link, packet_id: int, received_at: int) -> Delivery:
    """In place of a message that tells nothing new: it is acknowledged in its turn, after all that came before it."""
    return Delivery(NOTHING, b"", received_at, False, packet_id, link)


Receiver = Callable[[list[Delivery]], None]
