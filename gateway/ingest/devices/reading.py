"""What the files of this folder have in common: bytes in, readings out.

A protocol's frames become `Reading`s. What is no frame becomes `Noise`: it is counted and kept to be looked at, never
raised, so that a bad byte on a line cannot stop the next frame. Who reads a line asks a `Talk`; for a reader that only
talks, `Listening` makes one of its decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

Fields = Mapping[str, Any]
"""Members of a JSON object."""

MAX_KEPT: Final = 256
"""How many bytes of noise are kept to be looked at."""


class DecodeError(Exception):
    """What was given is not what the protocol says; the message says what is wrong, in few words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One frame that is whole and whose check holds."""

    fields: Fields
    """What it says, in the protocol's own words, as `patrol-gateway decode` prints it."""

    record: Fields | None = None
    """The members of the native record that it amounts to (docs/wire.md), `type` among them, and `at` where the device
    told its own time; without `boot`, `seq` and the rest, which the gateway adds. None where nothing happened: an
    acknowledgement, an answer, a heartbeat."""

    alive: bool = True
    """Whether it shows that the device itself is there."""

    frame: bytes = b""
    """The bytes that said so, kept with the record as evidence."""

    key: str | None = None
    """What tells it from all else that the device says: the same key again is the same thing, sent again."""

    gone: bool = False
    """Whether it says that the device is away: a last will."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no frame."""

    reason: str
    """A code: `bad_checksum`, `bad_length`, `truncated`, `garbage`, `bad_value`, `unanswered` …"""
    detail: str
    """What is wrong, in words for an engineer."""
    data: bytes
    """The bytes, the first `MAX_KEPT` of them."""


Heard = Reading | Noise


class Decoder(Protocol):
    """Finds the frames in a stream of bytes, however they are split, and finds the next one after noise."""

    def feed(self, data: bytes) -> list[Heard]:
        """What these bytes complete."""

    def end(self) -> list[Heard]:
        """The stream is over: what is left of a frame is noise."""


class Talk(Protocol):
    """A conversation on one line, without the line. Times are monotonic seconds."""

    def opened(self, now: float) -> None:
        """The line is there, for the first time or again: what was under way is forgotten."""

    def received(self, data: bytes, now: float) -> list[Heard]:
        """Bytes came."""

    def due(self) -> float | None:
        """When `wake` is wanted next; None: not before something is received."""

    def wake(self, now: float) -> list[Heard]:
        """The time that `due` named has come: an answer is missing, a poll is due."""

    def outgoing(self) -> bytes:
        """What is to be sent now; it is handed out once."""


@runtime_checkable
class Remembering(Protocol):
    """A `Talk` with a device that keeps its records while nobody listens, and numbers them itself.

    One talk serves all openings of its line, as it knows which records have come.
    """

    def complete(self, now: float) -> bool:
        """Whether the device has just shown that all it holds has come: only then is nothing held back."""


class MqttTalk(Protocol):
    """What one device says over MQTT, and can be told. Instants in ms, by the gateway's clock."""

    def received(self, topic: str, payload: bytes, at: int) -> list[Heard] | None:
        """A message on a topic of the device; None: it is of another device, which shares the topic."""

    def recall(self, ahead: int, at: int) -> None:
        """Before the start of this process the device's clock was so far ahead (ms), and it told of `at`."""

    def command(self, cmd: str, id: str, at: int) -> tuple[str, bytes] | None:
        """Topic and payload of a command of the native contract; None: the device cannot be told so.

        What it answers is a `status` with `reply_to`.
        """


@dataclass(slots=True)
class Listening:
    """The `Talk` of a reader that is never spoken to."""

    decoder: Decoder
    gap_s: float = 1.0
    """A frame that is not whole after so long a silence never will be."""
    _waits_until: float | None = field(default=None, init=False)

    def opened(self, now: float) -> None:
        self.decoder.end()
        self._waits_until = None

    def received(self, data: bytes, now: float) -> list[Heard]:
        self._waits_until = now + self.gap_s
        return self.decoder.feed(data)

    def due(self) -> float | None:
        return self._waits_until

    def wake(self, now: float) -> list[Heard]:
        self._waits_until = None
        return self.decoder.end()

    def outgoing(self) -> bytes:
        return b""
