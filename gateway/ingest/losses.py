"""What a device says that it has lost, in the gateway's time.

A pure function of the stored status and of when that happened, so that a restart gives the same. The rules are those of
event time (docs/wire.md), as far as the status itself goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.domain.calendar import FOREVER
from gateway.domain.facts import Lost
from gateway.ingest.event_time import DRIFT, Known, TimeUnknownError, event_time
from gateway.instants import from_datetime

if TYPE_CHECKING:
    from gateway.ingest.records import StatusRecord


def losses_of(status: StatusRecord, occurred_at: int, received_at: int, uncertainty: int) -> tuple[Lost, ...]:
    """What the status tells of. Instants in ms, as the gateway worked them out for the status itself.

    Where no clock tells when the first or the last of some records was made, anything up to the status is possible.
    """

    def moment(boot: str, at: int, mono: int | None) -> tuple[int, int] | None:
        if boot == status.boot and mono is not None and status.mono is not None:
            age = status.mono - mono
            return occurred_at - age, uncertainty + int(abs(age) * DRIFT)
        sent_at = None if status.sent_at is None else from_datetime(status.sent_at)
        same_boot = boot == (status.sent_boot or status.boot)
        known = Known()
        if not same_boot and status.sent_mono is not None:
            known.before = received_at - status.sent_mono
        try:
            return event_time(
                received_at,
                at,
                mono,
                sent_at,
                status.sent_mono,
                clock=status.clock,
                same_boot=same_boot,
                known=known,
            )
        except TimeUnknownError:
            return None

    found = []
    for each in status.lost or ():
        first = moment(each.boot, from_datetime(each.at), each.mono)
        last = moment(each.boot, from_datetime(each.until), each.until_mono)
        start = -FOREVER if first is None else first[0] - first[1]
        end = received_at if last is None else last[0] + last[1]
        found.append(Lost(each.boot, each.first, each.last, start, max(start, end)))
    return tuple(found)
