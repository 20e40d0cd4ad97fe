"""What a temporary stay costs."""

from __future__ import annotations

from gateway.domain.plan import Tariff

_DAY_S = 86_400


def fee(tariff: Tariff, stay_s: int) -> int:
    """What a stay of so many seconds costs, in hundredths of the currency's unit.

    1. The free time is taken off.
    2. Each begun unit of the rest costs the tariff's fee.
    3. Each 24 hours of the rest cost at most the daily cap.
    """
    charged_s = stay_s - tariff.free_s
    if charged_s <= 0:
        return 0
    days, rest_s = divmod(charged_s, _DAY_S)
    cap = tariff.daily_cap

    def capped(seconds: int) -> int:
        cost = -(-seconds // tariff.unit_s) * tariff.fee
        return cost if cap is None else min(cost, cap)

    return days * capped(_DAY_S) + capped(rest_s)
