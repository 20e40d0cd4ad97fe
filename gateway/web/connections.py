"""Connections to pages and API that take room and say nothing, or take all the room there is."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S: Final = 20.0
"""How long a request may take to say what it wants, from the connection or its first byte (s)."""

MOST: Final = 2_000
"""So many connections are served at once;"""

MOST_OF_ADDRESS: Final = 1_000
"""and so many of one address, so that it cannot keep all others out. A proxy is one address."""


class PatientProtocol(H11Protocol):
    """uvicorn's connection, which waits for a first request for ever, with an end to its patience."""

    headers_s = HEADERS_S
    most = MOST
    most_of_address = MOST_OF_ADDRESS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio: somebody has connected."""
        super().connection_made(transport)
        if len(self.connections) > self.most or self._of_address() > self.most_of_address:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: they have gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _of_address(self) -> int:
        """How many connections this address has; counted only when there are enough for it to matter."""
        if len(self.connections) <= self.most_of_address or self.client is None:
            return 0
        addresses = (getattr(each, "client", None) for each in self.connections)
        return sum(each is not None and each[0] == self.client[0] for each in addresses)

    def _wait(self) -> None:
        if self._giving_up is None:
            self._giving_up = self.loop.call_later(self.headers_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _give_up(self) -> None:
        self._giving_up = None
        # A live stream has another protocol by now: it is told when it is too slow, and by whom.
        if self.transport.get_protocol() is self and (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()
