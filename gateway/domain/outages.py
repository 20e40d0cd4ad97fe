"""Outages: devices that owe a heartbeat and do not give it.

A device that has sent a heartbeat owes one each minute. Its silence is counted from its last word, or from when the
gateway itself could hear again: our own downtime is nobody's outage (law 7). An alert opens

- after the device's `silent_after`;
- or at once when a duty cannot be judged for want of its word, and it is known to be away.

When half of the devices fall silent together it is one alert of the site, with the devices as its members (law 8).
Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

from gateway.domain.alert import Alert, AlertEvent, AlertKind, Severity
from gateway.domain.alerts import AlertBook
from gateway.domain.calendar import FOREVER
from gateway.domain.hearing import Hearing
from gateway.domain.plan import DeviceKind, Plan
from gateway.domain.verdicts import Reason

SUSPECT_MS: Final = 90_000
"""Silent for so long a device has left out a heartbeat: it counts when many fall silent together."""

AWAY_MS: Final = 150_000
"""Silent for so long a device is away: two heartbeats were left out."""

LOW_BATTERY: Final = 15  # percent

_CARRIED: Final = (DeviceKind.SCANNER, DeviceKind.READER)


class Outages:
    """The silent devices of one site."""

    __slots__ = (
        "_battery",
        "_beating",
        "_book",
        "_counted_from",
        "_deaf",
        "_filed",
        "_heard_from",
        "_hearing",
        "_offline_at",
        "_plan",
        "_silent",
        "_timers",
        "_wanted",
    )

    def __init__(self, plan: Plan, hearing: Hearing, book: AlertBook) -> None:
        self._plan = plan
        self._hearing = hearing
        self._book = book
        self._beating: dict[str, int] = {}  # device that owes heartbeats → how long it may be silent (ms)
        self._wanted: set[str] = set()  # those whose word a duty waits for
        self._offline_at: dict[str, int] = {}  # when the last will came
        self._battery: dict[str, int] = {}
        self._timers: list[tuple[int, str]] = []
        self._filed: dict[str, int] = {}
        self._counted_from: dict[
            str, int
        ] = {}  # left over from an outage of the site: from when each counts anew
        self._heard_from = -FOREVER  # since when the gateway can hear without a break
        self._deaf = False
        self._silent: dict[str, int] = {}  # device → when the alert about its silence opened
        for alert in book.live:
            if alert.kind is AlertKind.SITE_SILENT:
                self._silent |= alert.members
            elif alert.kind is AlertKind.DEVICE_SILENT:
                self._silent[alert.subject] = alert.opened_at

    # -- what is heard --------------------------------------------------------------------------------------

    def beats(self, name: str) -> None:
        """A device sent its first heartbeat: from now on it owes more."""
        device = self._plan.device_by_id.get(name)
        if device is not None and device.silent_after_s is not None and name not in self._beating:
            self._beating[name] = device.silent_after_s * 1000
            self._file(name)

    def battery(self, name: str, percent: int) -> None:
        """Note how full a battery is: one that dies explains the silence."""
        self._battery[name] = percent

    def state(self, name: str, online: bool, at: int) -> None:
        """A device said that it is there, or its last will said that it is not."""
        if online:
            self._offline_at.pop(name, None)
        else:
            self._offline_at[name] = at
            if name in self._wanted:
                self._file(name)

    def want(self, name: str) -> None:
        """A duty cannot be judged before this device has been heard."""
        if name in self._beating and name not in self._wanted:
            self._wanted.add(name)
            self._file(name)

    def heard(self, name: str) -> None:
        """The device has shown that it has nothing more to say: no duty waits for it."""
        self._wanted.discard(name)

    def deaf(self, until: int | None) -> None:
        """The gateway could not hear until an instant; None: it cannot hear now."""
        self._deaf = until is None
        if until is not None:
            self._heard_from = max(self._heard_from, until)

    # -- letting time pass ----------------------------------------------------------------------------------

    @property
    def next_wake(self) -> int:
        """When `step` must be called even if nothing is heard."""
        return self._timers[0][0] if self._timers else FOREVER

    def step(self, now: int) -> None:
        """Open and end alerts."""
        back = [name for name, told_at in self._silent.items() if self._heard_after(name, told_at)]
        if back:
            self._back(back, now)
        due = []
        while self._timers and self._timers[0][0] <= now:
            at, name = heapq.heappop(self._timers)
            if self._filed.get(name) != at:
                continue
            del self._filed[name]
            if self._deaf or name in self._silent:
                self._file(name, not_before=now + AWAY_MS)
            elif self._due_at(name) <= now:
                due.append(name)
                self._file(name, not_before=now + AWAY_MS)
            else:
                self._file(name)
        for name in sorted(due):
            if name not in self._silent:
                self._fell_silent(name, now)

    def _file(self, name: str, not_before: int = -FOREVER) -> None:
        at = max(self._due_at(name), not_before)
        if (filed := self._filed.get(name)) is None or at < filed:
            self._filed[name] = at
            heapq.heappush(self._timers, (at, name))

    def _due_at(self, name: str) -> int:
        """When its silence is worth an alert."""
        since = max(self._since(name), self._counted_from.get(name, -FOREVER))
        if name not in self._wanted:
            return since + self._beating[name]
        offline = self._offline_at.get(name, -FOREVER)
        return offline if offline > since else since + min(AWAY_MS, self._beating[name])

    def _heard_after(self, name: str, at: int) -> bool:
        heard_at = self._hearing.device(name).heard_at
        return heard_at is not None and heard_at > at

    def _since(self, name: str) -> int:
        """Until when the device was heard, or could not have been."""
        heard_at = self._hearing.device(name).heard_at
        return max(-FOREVER if heard_at is None else heard_at, self._heard_from)

    # -- alerts ---------------------------------------------------------------------------------------------

    def _fell_silent(self, name: str, now: int) -> None:
        site = self._book.live_of(AlertKind.SITE_SILENT, self._plan.site)
        if site is None:
            together = [each for each in self._beating if self._is_suspect(each, now)]
            if len(together) < 2 or 2 * len(together) < len(self._beating):
                self._open(name, now)
                return
            since = min(map(self._since, together))
            reason = self._site_reason(together)
            site = self._book.open_outage(
                AlertKind.SITE_SILENT, self._plan.site, self._plan.name, reason, since, now
            )
            for each in together:
                self._join(site, each, now)
        self._join(site, name, now)

    def _is_suspect(self, name: str, now: int) -> bool:
        since = self._since(name)
        return self._offline_at.get(name, -FOREVER) > since or now - since >= SUSPECT_MS

    def _open(self, name: str, now: int) -> None:
        device = self._plan.device_by_id[name]
        since = self._since(name)
        params = {"since": since}
        if self._battery.get(name, 100) <= LOW_BATTERY:
            params["battery"] = self._battery[name]
        # Without a gate or a console a post is blind at once; what is carried is out of reach every night.
        severity = Severity.MINOR if device.kind in _CARRIED else Severity.MAJOR
        shown = device.name or {"zh": name}
        self._book.open_outage(
            AlertKind.DEVICE_SILENT, name, shown, Reason("silent", params), since, now, severity
        )
        self._silent[name] = now

    def _join(self, site: Alert, name: str, now: int) -> None:
        if name in site.members:
            return
        site.members[name] = now
        site.reason = self._site_reason(site.members)
        if site.opened_at < now:
            site.history.append(AlertEvent(now, "joined", params={"device": name}))
        self._silent[name] = now
        self._book.note_outage(site)

    def _site_reason(self, members: Iterable[str]) -> Reason:
        names = sorted(members)
        since = min(map(self._since, names))
        return Reason("site_silent", {"devices": names, "of": len(self._beating), "since": since})

    def _back(self, names: list[str], now: int) -> None:
        """Silent devices were heard again."""
        for name in names:
            del self._silent[name]
            own = self._book.live_of(AlertKind.DEVICE_SILENT, name)
            if own is not None:
                self._book.recover(own, now)
        site = self._book.live_of(AlertKind.SITE_SILENT, self._plan.site)
        if site is None:
            return
        for name in names:
            if site.members.pop(name, None) is not None:
                site.history.append(AlertEvent(now, "left", params={"device": name}))
        self._book.note_outage(site)
        if site.members and 2 * len(site.members) >= len(self._beating):
            return
        self._book.recover(site, now)
        for name in site.members:
            # The site is back. What is still silent stands for itself, if it does not come back with the others.
            if self._book.live_of(AlertKind.DEVICE_SILENT, name) is None:
                del self._silent[name]
                self._counted_from[name] = now
                if name in self._beating:
                    self._file(name)


__all__ = ["AWAY_MS", "SUSPECT_MS", "Outages"]
