"""A small right site file, and what is said of it once something in it is made wrong."""

from __future__ import annotations

from gateway.domain.plan import Plan
from gateway.sitefile import SiteFileError, parse

COURT = """\
site: court
name: {zh: 庭院, en: The Court}
timezone: Asia/Shanghai
night: {from: "22:00", to: "06:00"}
shifts:
  - {id: day, from: "07:00", to: "19:00"}
  - {id: late, from: "19:00", to: "07:00", name: 夜班}
people:
  - {id: li, name: 李强, role: guard, card: "04A1B2C3D4E5F6"}
  - {id: wang, name: 王建国, role: shift_leader}
posts:
  - {id: east-gate, name: 东门岗, kind: gate}
  - {id: patrol-1, name: 巡逻一岗, kind: patrol}
checkpoints:
  - {id: ramp, name: 坡道, tags: ["04DE5F1EACC040"], at: [10, 20.5]}
  - {id: pump-room, name: 消防泵房, tags: ["04DE5F1EACC041"]}
  - {id: exit, name: 出口, qr: ["https://tag.example/exit"]}
devices:
  - {id: scanner-1, kind: scanner, posts: [patrol-1]}
routes:
  - {id: garage, name: 车库, order: strict, checkpoints: [ramp, pump-room, exit], leg: {min: 40s, max: 6min}}
  - {id: tour, name: 查岗, order: free, checkpoints: [ramp, exit]}
duties:
  - {id: hourly, kind: round, route: garage, post: patrol-1, every: 60min, grace: 5min, clause: "5.4.6.1"}
  - {id: radio, kind: radio_check, posts: all, every: 30min, during: night, figure: each half hour}
  - {id: rounds, kind: round, route: garage, at: ["20:00", "23:30"], duration: 40min, late: 5min, vary: 9min}
  - {id: watch, kind: round, route: tour, by: shift_leader, times: 3, per: {from: "00:00", to: "06:00"}}
escalation:
  - {after: 0s, to: [shift_leader]}
  - {after: 10min, to: [supervisor]}
"""


def court(*changes: tuple[str, str]) -> Plan:
    """The plan of the court after some changes of its text."""
    text = COURT
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the court"
        text = text.replace(old, new)
    return parse(text, "court.yaml")


def complaints(*changes: tuple[str, str]) -> list[str]:
    """What is wrong with the court after some changes."""
    try:
        court(*changes)
    except SiteFileError as error:
        return str(error).splitlines()
    return []


def complaints_of(source: str | bytes) -> list[str]:
    """What is wrong with a whole file."""
    try:
        parse(source, "court.yaml")
    except SiteFileError as error:
        return str(error).splitlines()
    return []
