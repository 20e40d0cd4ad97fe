"""Sites of any size for the benchmarks: each with its scanners, routes and hourly rounds."""

from __future__ import annotations

from gateway.domain.plan import (
    Checkpoint,
    Device,
    DeviceKind,
    Duty,
    DutyKind,
    Every,
    Order,
    Plan,
    Post,
    Route,
    Span,
)

CHECKPOINTS_PER_ROUTE = 10


def tag(route: int, stop: int) -> str:
    """The tag at a stop of a route."""
    return f"04{route:06X}{stop:06X}"


def bench_plan(site: str, rounds: int, scanners: int, holds_from: int) -> Plan:
    """A site with so many hourly rounds open at once, each on a route of ten checkpoints of its own."""
    routes = tuple(
        Route(
            f"r{n}",
            {"en": f"Route {n}"},
            Order.STRICT,
            tuple(f"c{n}-{i}" for i in range(CHECKPOINTS_PER_ROUTE)),
        )
        for n in range(rounds)
    )
    return Plan(
        site=site,
        name={"en": site},
        timezone="Asia/Shanghai",
        version=1,
        holds_from=holds_from,
        night=Span(22 * 60, 6 * 60),
        posts=(Post("patrol", {"en": "Patrol"}),),
        checkpoints=tuple(
            Checkpoint(f"c{n}-{i}", {"en": f"Point {n}.{i}"}, (tag(n, i),))
            for n in range(rounds)
            for i in range(CHECKPOINTS_PER_ROUTE)
        ),
        devices=tuple(Device(f"s{n}", DeviceKind.SCANNER, ("patrol",)) for n in range(scanners)),
        routes=routes,
        duties=tuple(
            Duty(f"d{n}", DutyKind.ROUND, Every(3600, 300), route=f"r{n}", post="patrol")
            for n in range(rounds)
        ),
    )


def bench_site_file(site: str, rounds: int, scanners: int) -> str:
    """The same site as a site file."""
    from gateway import sitefile

    return sitefile.dump(bench_plan(site, rounds, scanners, 0))


def scan_record(boot: str, seq: int, route: int, stop: int, mono: int, at: str) -> bytes:
    """One scan on the wire, about 200 bytes."""
    return (
        b'{"type":"scan","boot":"%s","seq":%d,"at":"%s","mono":%d,"sent_at":"%s","sent_mono":%d,'
        b'"clock":"free","tag":"%s","guard":"li-qiang","battery":83}'
        % (boot.encode(), seq, at.encode(), mono, at.encode(), mono, tag(route, stop).encode())
    )
