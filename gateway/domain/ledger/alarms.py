"""What is left over in the ledger and cannot wait for the hand-over: somebody must go to the gate now."""

from __future__ import annotations

from typing import Final

from gateway.domain.alert import AlertKind, Severity
from gateway.domain.alerts import AlertBook
from gateway.domain.ledger.entries import Leftover
from gateway.domain.ledger.ledger import GateLedger
from gateway.domain.ledger.shown import lane_name
from gateway.domain.plan import Plan
from gateway.domain.verdicts import Reason

NEWS_MS: Final = 12 * 3_600_000
"""What happened longer ago than this, as a late record shows, is for the list: the vehicle is not there any more."""

_NAMED_BY: Final = ("plate", "number", "card")


class GateAlarms:
    """Which leftovers people have been told of."""

    def __init__(self, plan: Plan, ledger: GateLedger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._told: dict[str, Leftover] = {}

    def tell(self, alerts: AlertBook | None, now: int) -> None:
        """Open alerts for what is new, withdraw those that late records disprove. `alerts`: None at the start."""
        found = self._ledger.alarms
        if found.keys() == self._told.keys():
            return
        fresh = [each for key, each in found.items() if key not in self._told]
        gone = [each for key, each in self._told.items() if key not in found]
        self._told = dict(found)
        if alerts is None:
            return
        for each in gone:
            if each.at >= self._ledger.base_at:
                alerts.event_disproved(AlertKind(each.code), self._subject(each), now, each.about)
        for each in fresh:
            if now - each.at <= NEWS_MS:
                self._open(alerts, each, now)

    def _open(self, alerts: AlertBook, leftover: Leftover, now: int) -> None:
        subject = self._subject(leftover)
        gate = self._plan.post_by_id.get(leftover.lane[0])
        params = {"lane": lane_name(leftover.lane)} | dict(leftover.params)
        critical = leftover.params.get("vehicle") == "dangerous"
        reason = Reason(leftover.code, params)
        alerts.event(
            AlertKind(leftover.code),
            subject,
            gate.name if gate is not None else {"zh": leftover.lane[0]},
            reason,
            leftover.at,
            now,
            leftover.about,
            Severity.CRITICAL if critical else None,
        )

    @staticmethod
    def _subject(leftover: Leftover) -> str:
        """The vehicle: each is a thing of its own to see to."""
        named = (leftover.params.get(name) for name in _NAMED_BY)
        return str(next((name for name in named if name), lane_name(leftover.lane)))
