"""What the endpoint remembers of a device between two connections, and the register of all sessions.

Client identifiers are kept apart by identity: two devices that were delivered with the same client identifier
do not throw each other out, and none of them gets the other's commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.outbox import Outbox, Outgoing
from gateway.ingest.mqtt.topics import matches


class Holder(Protocol):
    """The connection that a session is used by."""

    def taken_over(self) -> None:
        """Another connection has come for the session: release it and close."""

    def post(self, message: Outgoing) -> bool:
        """Send a QoS 0 message now; False when that cannot be."""

    def flush(self) -> None:
        """Send what waits in the session's outbox."""


class Session:
    """One device's subscriptions, the messages for it, and its unfinished QoS 2 exchanges."""

    def __init__(self, key: tuple[str | None, str], outbox: Outbox) -> None:
        self.key = key
        self.identity = key[0]  # `{site}/{device}`; may become known after the session began
        self.subscriptions: dict[str, int] = {}  # granted QoS by filter
        self.outbox = outbox
        self.stored: set[int] = set()
        self.expiry_s = 0.0  # how long it outlives its connection
        self.holder: Holder | None = None
        self.late_will: Callable[[], None] | None = None
        self.timers: list[asyncio.TimerHandle] = []

    def granted(self, topic: str) -> int | None:
        """The highest QoS of the subscriptions that match a topic; None when none does."""
        return max(
            (qos for filter_, qos in self.subscriptions.items() if matches(filter_, topic)), default=None
        )


class Sessions:
    """All sessions of an endpoint. Those without a connection end after their expiry."""

    def __init__(self, *, limit: int, queue_limit: int, counters: Counters) -> None:
        """`limit`: how many sessions without a connection are kept; the one left longest goes first."""
        self._limit = limit
        self._queue_limit = queue_limit
        self._counters = counters
        self._all: dict[tuple[str | None, str], Session] = {}
        self._idle: dict[Session, None] = {}  # without a connection, in the order in which they lost it
        self._by_identity: dict[str | None, dict[Session, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def open(self, key: tuple[str | None, str], holder: Holder, *, clean: bool) -> tuple[Session, bool]:
        """The session for a new connection, and whether it was there before.

        The connection that held it is closed. A `clean` start ends the old session first.
        """
        session = self._all.get(key)
        if session is not None and session.holder is not None:
            session.holder.taken_over()
            session = self._all.get(key)  # it may have lived no longer than its connection
        if session is not None and clean:
            self.drop(session)
            session = None
        if session is None:
            session = self._all[key] = Session(key, Outbox(self._queue_limit, self._counters))
            self._by_identity.setdefault(session.identity, {})[session] = None
            present = False
        else:
            present = True
            self._idle.pop(session, None)
            self._cancel_timers(session)  # of its expiry, and of a will: the device is back in time
        session.holder = holder
        return session, present

    def release(self, session: Session, *, will: Callable[[], None] | None, will_delay_s: float) -> None:
        """The connection of a session is gone. `will` is called after its delay, or when the session ends."""
        session.holder = None
        session.late_will = will
        if session.expiry_s <= 0:
            self.drop(session)
            return
        loop = asyncio.get_running_loop()
        session.timers.append(loop.call_later(session.expiry_s, self.drop, session))
        if will is not None and will_delay_s > 0:
            session.timers.append(loop.call_later(will_delay_s, self._fire_will, session))
        self._idle[session] = None
        if len(self._idle) > self._limit:
            self.drop(next(iter(self._idle)))
        if will_delay_s <= 0:
            self._fire_will(session)

    def drop(self, session: Session) -> None:
        """End a session that has no connection."""
        self._cancel_timers(session)
        self._idle.pop(session, None)
        self._all.pop(session.key, None)
        self._forget_identity(session)
        self._fire_will(session)

    def identify(self, session: Session, identity: str) -> None:
        """It has become known which device a session belongs to."""
        self._forget_identity(session)
        session.identity = identity
        self._by_identity.setdefault(identity, {})[session] = None

    def subscribers(self, identity: str, topic: str) -> Iterator[tuple[Session, int]]:
        """The sessions that want a message for a device, each with its QoS: its own and those of bridges."""
        for group in (identity, None):
            for session in list(self._by_identity.get(group, ())):
                qos = session.granted(topic)
                if qos is not None:
                    yield session, qos

    def close(self) -> None:
        """Forget everything; wills that wait are not published."""
        for session in self._all.values():
            session.late_will = None
            self._cancel_timers(session)
        self._all.clear()
        self._idle.clear()
        self._by_identity.clear()

    def _forget_identity(self, session: Session) -> None:
        group = self._by_identity.get(session.identity, {})
        group.pop(session, None)
        if not group:
            self._by_identity.pop(session.identity, None)

    @staticmethod
    def _fire_will(session: Session) -> None:
        will, session.late_will = session.late_will, None
        if will is not None:
            will()

    @staticmethod
    def _cancel_timers(session: Session) -> None:
        for timer in session.timers:
            timer.cancel()
        session.timers.clear()
