"""A small site, in Python: one walking guard, a shift leader, two posts, one gate."""

from __future__ import annotations

from gateway.domain.plan import (
    At,
    Calendar,
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Order,
    Person,
    Plan,
    Post,
    PostKind,
    Route,
    Shift,
    Span,
    Times,
)
from gateway.instants import parse_instant

EVENING = parse_instant("2026-11-23T21:50:00+08:00")

GARAGE = Route("garage", {"en": "Garage"}, Order.STRICT, ("ramp", "pump-room", "exit"))
OUTER = Route("outer", {"en": "Perimeter"}, Order.FREE, ("north", "south"))

HOURLY = Duty("hourly", DutyKind.ROUND, Every(3600, 300), route="garage", post="patrol-1")
PLANNED = Duty(
    "planned", DutyKind.ROUND, At((23 * 60, 3 * 60), 2400, 300, 600), route="outer", post="patrol-1"
)
NIGHTLY = Duty("nightly", DutyKind.ROUND, Times(2, Calendar.NIGHT), route="outer", by="shift_leader")
RADIO = Duty("radio", DutyKind.RADIO_CHECK, Every(1800, 120, "night"), posts=("gate-post", "patrol-1"))


def site(*duties: Duty) -> Plan:
    """The site with some of its duties; with all of them when none is named."""
    return Plan(
        site="small",
        name={"en": "Small"},
        timezone="Asia/Shanghai",
        version=1,
        holds_from=0,
        night=Span(22 * 60, 6 * 60),
        shifts=(Shift("night", Span(19 * 60, 7 * 60)),),
        people=(
            Person("wang-jg", {"en": "Wang"}, "shift_leader", "04894333873180"),
            Person("li-qiang", {"en": "Li"}, "guard", "045E36A08D2080"),
        ),
        posts=(
            Post("gate-post", {"en": "Gate"}, PostKind.GATE),
            Post("patrol-1", {"en": "Patrol"}, PostKind.PATROL),
        ),
        checkpoints=tuple(
            Checkpoint(id, {"en": id}, (f"04{place:012X}",), (100.0 * place, 50.0))
            for place, id in enumerate(("ramp", "pump-room", "exit", "north", "south"))
        ),
        devices=(
            Device("scanner-1", DeviceKind.SCANNER, ("patrol-1",)),
            Device("scanner-2", DeviceKind.SCANNER),
            Device("gate-1", DeviceKind.GATE, ("gate-post",)),
            Device("console-1", DeviceKind.CONSOLE),
        ),
        routes=(GARAGE, OUTER),
        duties=duties or (HOURLY, PLANNED, NIGHTLY, RADIO),
    )
