"""Boards to show: made up, but of the shape and with the names that a real site has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

#: The moment of every scene: 02:17:40 at night in Shanghai.
NOW = datetime(2026, 11, 22, 18, 17, 40, tzinfo=UTC)
ZONE = "Asia/Shanghai"


def at(minutes: float) -> str:
    """An instant so many minutes from `NOW`, as the wire writes it."""
    moment = NOW + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def named(zh: str, en: str) -> Json:
    return {"zh": zh, "en": en}


CHECKPOINTS = {
    "ramp": named("车库坡道口", "Garage ramp"),
    "pump-room": named("消防泵房", "Fire pump room"),
    "b1-north": named("负一层北区", "B1 north"),
    "b1-south": named("负一层南区", "B1 south"),
    "b2-north": named("负二层北区", "B2 north"),
    "substation": named("配电房", "Substation"),
    "lift-lobby": named("电梯厅", "Lift lobby"),
    "exit": named("车库出口", "Garage exit"),
}
POSTS = {
    "east-gate": named("东门岗", "East gate"),
    "west-gate": named("西门岗", "West gate"),
    "south-gate": named("南门岗", "South gate"),
    "north-gate": named("北门岗", "North gate"),
    "garage": named("车库岗", "Garage"),
    "lobby-1": named("一号楼大堂", "Lobby 1"),
    "lobby-2": named("二号楼大堂", "Lobby 2"),
    "lobby-3": named("三号楼大堂", "Lobby 3"),
    "control": named("监控中心", "Control room"),
    "patrol-1": named("巡逻一岗", "Patrol 1"),
    "patrol-2": named("巡逻二岗", "Patrol 2"),
    "club": named("会所岗", "Clubhouse"),
}
EAST = named("东门道闸", "East barrier")
WEST = named("西门道闸", "West barrier")
SCANNER_3 = named("巡更棒三号", "Scanner 3")
PEOPLE = [
    {"id": "li-qiang", "name": {"zh": "李强", "en": "Li Qiang"}, "role": "guard"},
    {"id": "zhang-wei", "name": {"zh": "张伟", "en": "Zhang Wei"}, "role": "guard"},
    {"id": "wang-jg", "name": {"zh": "王建国", "en": "Wang Jianguo"}, "role": "shift_leader"},
    {"id": "chen-min", "name": {"zh": "陈敏", "en": "Chen Min"}, "role": "supervisor"},
]


def plan() -> Json:
    return {
        "site": "riverside",
        "people": PEOPLE,
        "posts": [{"id": post, "name": name} for post, name in POSTS.items()],
        "checkpoints": [{"id": point, "name": name} for point, name in CHECKPOINTS.items()],
        "devices": [{"id": "gate-east", "name": EAST}, {"id": "scanner-3", "name": SCANNER_3}],
        "routes": [{"id": "outer", "name": named("外围围墙", "Perimeter")}],
        "duties": [{"id": "garage-hourly", "name": named("车库每小时巡查", "Hourly garage round")}],
    }


def visit(checkpoint: str, verdict: str, minutes: float | None, name: Json | None = None) -> Json:
    return {
        "checkpoint": checkpoint,
        "name": name or CHECKPOINTS.get(checkpoint),
        "verdict": verdict,
        "occurred_at": None if minutes is None else at(minutes),
        "received_at": None if minutes is None else at(minutes + 0.02),
        "fact": None if minutes is None else f"scanner-1/9f3a/{abs(int(minutes))}",
    }


def strip(verdicts: str, start: float, step: float = 3) -> list[Json]:
    """Visits from one letter each: `+` on time, `~` late, `x` missed, `s` out of order, `.` still open."""
    known = {"+": "on_time", "~": "late", "x": "missed", "s": "out_of_order", ".": "open"}
    points = list(CHECKPOINTS)
    visits = []
    for index, letter in enumerate(verdicts):
        minutes = None if letter in "x." else start + index * step
        point = points[index] if index < len(points) else f"point-{index + 1}"
        name = CHECKPOINTS.get(point) or named(f"{index + 1} 号点", f"Point {index + 1}")
        visits.append(visit(point, known[letter], minutes, name))
    return visits


def round_(
    key: str,
    name: Json,
    verdict: str,
    reason: Json,
    visits: list[Json],
    *,
    opens: float,
    due: float,
    planned: float | None = None,
    done: float | None = None,
    findings: list[Json] | None = None,
) -> Json:
    return {
        "id": f"{key}@{at(opens)}",
        "site": "riverside",
        "duty": key,
        "kind": "round",
        "subject": key,
        "name": name,
        "post": "patrol-1",
        "opens_at": at(opens),
        "planned_at": None if planned is None else at(planned),
        "due_at": at(due),
        "started_at": next((v["occurred_at"] for v in visits if v["occurred_at"]), None),
        "done_at": None if done is None else at(done),
        "verdict": verdict,
        "reason": reason,
        "clause": "5.4.6.1",
        "figure": "every 60 min",
        "plan_version": 3,
        "carriers": ["li-qiang"],
        "facts": [v["fact"] for v in visits if v["fact"]],
        "findings": findings or [],
        "excuse": None,
        "judged": None,
        "visits": visits,
    }


def excused(occurrence: Json, by: str, note: str, minutes: float) -> Json:
    """The occurrence, when somebody has excused it."""
    return occurrence | {
        "verdict": "excused",
        "reason": {"code": "excused", "params": {"by": by, "note": note}},
        "excuse": {"by": by, "note": note, "at": at(minutes), "from": "10.0.8.21"},
        "judged": {"verdict": occurrence["verdict"], "reason": occurrence["reason"]},
    }


def alert(
    key: str,
    kind: str,
    subject: str,
    name: Json,
    severity: str,
    reason: Json,
    *,
    opened: float,
    state: str = "open",
    by: str | None = None,
    closed: float | None = None,
    occurrences: list[str] | None = None,
    count: int = 1,
    **changes: Any,
) -> Json:
    told = {"notice": "opened", "to": ["shift_leader"]}
    history: list[Json] = [
        {"at": at(opened), "what": "opened", "by": None, "from": None, "params": {}},
        {"at": at(opened), "what": "told", "by": None, "from": None, "params": told},
    ]
    if by:
        history.append(
            {"at": at(opened + 2), "what": "acknowledged", "by": by, "from": "10.0.8.21", "params": {}}
        )
    if closed is not None:
        history.append({"at": at(closed), "what": state, "by": by, "params": {"note": "已到场查看"}})
    return {
        "id": key,
        "site": "riverside",
        "kind": kind,
        "subject": subject,
        "name": name,
        "severity": severity,
        "state": state,
        "opened_at": at(opened),
        "deadline": at(opened),
        "closed_at": None if closed is None else at(closed),
        "reason": reason,
        "clause": "5.2.16" if kind.startswith("radio") else "5.4.6.1",
        "duty": "garage-hourly",
        "occurrences": occurrences or [],
        "count": count,
        "excused": [],
        "facts": [],
        "members": [],
        "inhibited_by": None,
        "silenced_by": None,
        "loud_since": at(opened),
        "steps_told": 1,
        "repeats": 0,
        "told": ["shift_leader"],
        "told_at": at(opened),
        "last_due_at": at(opened),
        "escalation": [
            {"after_s": 0, "to": ["shift_leader"]},
            {"after_s": 600, "to": ["supervisor"]},
            {"after_s": 1800, "to": ["manager"]},
        ],
        "history": history,
        **changes,
    }


def silence(key: str, *, until: float, begins: float = -30, **changes: Any) -> Json:
    return {
        "id": key,
        "site": "riverside",
        "from": at(begins),
        "to": at(until),
        "by": "wang-jg",
        "reason": "道闸检修，厂家在场",
        "kinds": [],
        "subjects": [],
        "maintenance": False,
        "created_at": at(begins),
        "ended_by": None,
        **changes,
    }


def radio(rows: dict[str, str], *, slots: int = 16) -> Json:
    """A night's half hours from 19:00 to 03:00; the slot under way is the one from 02:00.

    One letter a cell: `+` on time, `~` late, `n` no answer, `a` abnormal, `x` not called, `?` unverified,
    `e` excused, `o` due, space to come.
    """
    known = {"+": "on_time", "~": "late", "n": "no_answer", "a": "abnormal", "x": "missed", "?": "unverified"}
    known |= {"e": "excused", "o": "open", " ": "upcoming", "-": "off"}
    first = -(slots - 2) * 30 - 17 - 40 / 60
    posts = []
    for post, cells in rows.items():
        posts.append(
            {
                "post": post,
                "name": POSTS.get(post),
                "due_at": at(14 + 20 / 60) if cells[slots - 2] == "o" else at(44 + 20 / 60),
                "remind_at": at(9 + 20 / 60) if cells[slots - 2] == "o" else at(39 + 20 / 60),
                "cells": [
                    {
                        "status": known[letter],
                        "at": at(first + 30 * index + 4),
                        "occurrence": f"{post}@{index}",
                    }
                    for index, letter in enumerate(cells.ljust(slots))
                ],
            }
        )
    return {
        "slot_s": 1800,
        "slots": [{"from": at(first + 30 * i), "to": at(first + 30 * (i + 1))} for i in range(slots)],
        "next_due_at": at(14 + 20 / 60),
        "posts": posts,
    }


def device(key: str, name: Json, kind: str, **changes: Any) -> Json:
    return {
        "device": key,
        "name": name,
        "kind": kind,
        "online": True,
        "last_heard_at": at(-0.2),
        "battery": 83 if kind == "scanner" else None,
        "buffered": 0,
        "buffer_warning": False,
        "lost": 0,
        "clock_error_s": 0.4,
        "clock_doubt_s": 0.5,
        "clock": "ok",
        "heard_until": at(-0.2),
        **changes,
    }


def passage(minutes: float, device_id: str, event: str, plate: str | None, cause: str) -> Json:
    lane = "in" if event == "vehicle_in" else "out"
    return {
        "at": at(minutes),
        "device": device_id,
        "event": event,
        "plate": plate,
        "lane": lane,
        "cause": cause,
        "by": None,
        "fact": f"{device_id}/{minutes}",
    }


def gate(key: str, name: Json, position: str, minutes: float) -> Json:
    return {
        "device": key,
        "name": name,
        "posts": [],
        "position": position,
        "since": at(minutes),
        "held": False,
        "command": None,
    }


def command(device: str, cmd: str, state: str, minutes: float) -> Json:
    """A command to a gate, as the API answers it."""
    return {
        "id": f"riverside-c-{device}-{cmd}",
        "site": "riverside",
        "device": device,
        "cmd": cmd,
        "args": {},
        "by": "wang-jg",
        "from": "10.0.8.21",
        "reason": "救护车",
        "requested_at": at(minutes),
        "expires_at": at(minutes + 1 / 6),
        "state": state,
        "sent_at": at(minutes),
        "ended_at": None if state == "sent" else at(minutes + 1 / 6),
        "answer": None,
        "result": None,
        "settled": None,
    }


def board(**sections: Any) -> Json:
    whole: Json = {
        "site": {"id": "riverside", "name": named("滨河花园", "Riverside Garden"), "timezone": ZONE},
        "now": at(0),
        "plan_version": 3,
        "shift": {"id": "night", "from": at(-437 - 40 / 60), "to": at(282 + 20 / 60)},
        "hero": {"critical": 0, "major": 0, "minor": 0},
        "rounds": [],
        "radio": None,
        "alerts": [],
        "gates": [],
        "gate_feed": [],
        "devices": [],
        "silences": [],
        "deaf_since": None,
    }
    return whole | sections


def under_way(visited: int, of: int) -> Json:
    return {"code": "under_way", "params": {"visited": visited, "of": of}}


FEED = [
    passage(-0.6, "gate-east", "vehicle_in", "粤B12345", "plate"),
    passage(-3.1, "gate-west", "vehicle_out", "粤B8K2M6", "card"),
    passage(-9.8, "gate-east", "vehicle_in", None, "manual"),
    passage(-12.0, "gate-east", "vehicle_out", "沪A77120", "plate"),
]


def quiet() -> Json:
    """A night as it should be."""
    return board(
        rounds=[
            round_(
                "garage",
                named("地下车库", "Garage"),
                "open",
                under_way(5, 8),
                strip("+++++...", -16),
                opens=-20,
                due=24,
            ),
            round_(
                "outer",
                named("外围围墙", "Perimeter"),
                "open",
                under_way(2, 6),
                strip("++....", -7),
                opens=-8,
                due=41,
            ),
            round_(
                "roof",
                named("楼顶天台", "Rooftops"),
                "upcoming",
                {"code": "not_due"},
                strip("......", 0),
                opens=22,
                due=72,
                planned=27,
            ),
            round_(
                "garage-0",
                named("地下车库", "Garage"),
                "on_time",
                {"code": "on_time"},
                strip("++++++++", -76),
                opens=-80,
                due=-36,
                done=-54,
            ),
        ],
        radio=radio(
            {
                "east-gate": "++++++++++++++o ",
                "west-gate": "++++++++++++++o ",
                "garage": "++++++++~+++++o ",
                "lobby-1": "+++++++++++++++ ",
                "control": "+++++++++++++++ ",
                "patrol-1": "++++++++++++++o ",
            }
        ),
        gates=[gate("gate-east", EAST, "closed", -1), gate("gate-west", WEST, "open", -0.3)],
        gate_feed=FEED,
        devices=[
            device("scanner-1", named("巡更棒一号", "Scanner 1"), "scanner"),
            device("scanner-2", named("巡更棒二号", "Scanner 2"), "scanner"),
            device("gate-east", EAST, "gate"),
            device("gate-west", WEST, "gate"),
            device("console-1", named("对讲台", "Radio console"), "console"),
        ],
    )


def bad() -> Json:
    """A night on which much goes wrong, at a site as big as they get: twelve posts, ten rounds, forty checkpoints."""
    missed = round_(
        "garage",
        named("地下车库", "Garage"),
        "unverified",
        {"code": "no_proof", "params": {"devices": ["scanner-3"], "since": at(-65)}},
        strip("........", 0),
        opens=-80,
        due=-15,
        planned=-20,
    )
    rounds = [
        round_(
            "pump",
            named("消防泵房专巡", "Fire pumps"),
            "missed",
            {"code": "not_visited", "params": {}},
            strip("xxx", 0),
            opens=-120,
            due=-60,
        ),
        missed,
        round_(
            "towers",
            named("一至六号楼公共区域逐层巡查", "Towers 1 to 6, every floor of the common areas"),
            "incomplete",
            {"code": "incomplete", "params": {"missing": ["point-12", "point-13", "point-14"]}},
            strip("+++++++++++xxx++++++++++~~~++++++++xx+++", -110, 1.2),
            opens=-120,
            due=-30,
            done=None,
        ),
        round_(
            "outer",
            named("外围围墙", "Perimeter"),
            "late",
            {"code": "completed_late", "params": {"by_s": 380.0}},
            strip("++++~~", -60, 6),
            opens=-65,
            due=-35,
            planned=-45,
            done=-28,
            findings=[
                {
                    "code": "leg_too_fast",
                    "params": {"from": "ramp", "to": "pump-room", "took_s": 12, "min_s": 40},
                    "facts": [],
                }
            ],
        ),
        round_(
            "east-loop",
            named("东区环线", "East loop"),
            "open",
            under_way(4, 8),
            strip("+s~+....", -16),
            opens=-20,
            due=3.5,
        ),
        round_(
            "west-loop",
            named("西区环线", "West loop"),
            "open",
            under_way(5, 12),
            strip("+++++.......", -22, 4),
            opens=-25,
            due=35,
        ),
        round_(
            "club", named("会所", "Clubhouse"), "open", under_way(1, 5), strip("+....", -3), opens=-5, due=55
        ),
        round_(
            "roof",
            named("楼顶天台", "Rooftops"),
            "upcoming",
            {"code": "not_due"},
            strip("......", 0),
            opens=22,
            due=72,
            planned=27,
        ),
        round_(
            "night-watch",
            named("夜间查岗", "Night inspection"),
            "upcoming",
            {"code": "not_due"},
            strip("............", 0),
            opens=40,
            due=100,
        ),
        round_(
            "garage-0",
            named("地下车库", "Garage"),
            "on_time",
            {"code": "on_time"},
            strip("++++++++", -76),
            opens=-80,
            due=-36,
            done=-54,
        ),
    ]
    return board(
        hero={"critical": 2, "major": 3, "minor": 1},
        rounds=rounds,
        radio=radio(
            {
                "east-gate": "++++++++++++++o ",
                "west-gate": "+++++++++++++no ",
                "south-gate": "++++++x+++++++o ",
                "north-gate": "++++++++++++++o ",
                "garage": "++++++++~+++++o ",
                "lobby-1": "++++n+++++++++o ",
                "lobby-2": "++++++++++++++o ",
                "lobby-3": "++++++++++++~ao ",
                "control": "+++++++++++++++ ",
                "patrol-1": "++++++++++++++o ",
                "patrol-2": "+++++++++?++++o ",
                "club": "+++++++++++++xo ",
            }
        ),
        alerts=[
            alert(
                "A-31",
                "radio_no_answer",
                "west-gate",
                POSTS["west-gate"],
                "critical",
                {"code": "no_answer", "params": {"at": at(-20)}},
                opened=-15.5,
            ),
            alert(
                "A-30",
                "gate_forced",
                "gate-east",
                EAST,
                "critical",
                {"code": "forced", "params": {}},
                opened=-9,
            ),
            alert(
                "A-29",
                "round_missed",
                "garage",
                named("地下车库", "Garage"),
                "major",
                {"code": "no_proof", "params": {"devices": ["scanner-3"], "since": at(-65)}},
                opened=-15,
                occurrences=[missed["id"]],
                count=2,
            ),
            alert(
                "A-28",
                "radio_not_called",
                "club",
                POSTS["club"],
                "major",
                {"code": "not_called", "params": {"since": at(-50)}},
                opened=-17,
            ),
            alert(
                "A-27",
                "report_raised",
                "substation",
                CHECKPOINTS["substation"],
                "minor",
                {"code": "report", "params": {"text": "门未锁"}},
                opened=-40,
            ),
            alert(
                "A-26",
                "round_missed",
                "pump",
                named("消防泵房专巡", "Fire pumps"),
                "major",
                {"code": "not_visited", "params": {}},
                opened=-60,
                state="acknowledged",
                by="wang-jg",
            ),
            alert(
                "A-25",
                "radio_no_answer",
                "lobby-1",
                POSTS["lobby-1"],
                "critical",
                {"code": "no_answer", "params": {}},
                opened=-55,
                state="resolved",
                by="wang-jg",
                closed=-41,
            ),
        ],
        gates=[
            gate("gate-east", EAST, "forced", -9),
            gate("gate-west", WEST, "closed", -3),
            gate("gate-garage", named("车库道闸", "Garage barrier"), "open", -0.4),
            gate("gate-south", named("南门道闸", "South barrier"), "closed", -30),
        ],
        gate_feed=[
            passage(-0.6, "gate-west", "vehicle_in", "粤B12345", "plate"),
            passage(-3.1, "gate-west", "vehicle_out", "粤B8K2M6", "card"),
            passage(-9.0, "gate-east", "forced", None, "unknown"),
            *FEED,
        ],
        devices=[
            device("scanner-1", named("巡更棒一号", "Scanner 1"), "scanner"),
            device("scanner-2", named("巡更棒二号", "Scanner 2"), "scanner", battery=12),
            device(
                "scanner-3",
                SCANNER_3,
                "scanner",
                online=False,
                last_heard_at=at(-65),
                buffered=4,
            ),
            device("gate-east", EAST, "gate"),
            device("gate-west", WEST, "gate"),
            device("console-1", named("对讲台", "Radio console"), "console"),
        ],
    )


def outage() -> Json:
    """A scanner is silent and explains what cannot be verified; the east barrier is being repaired and silenced."""
    night = bad()
    rounds: list[Json] = night["rounds"]
    [garage] = [each for each in rounds if each["id"].startswith("garage@")]
    no_proof = garage["reason"]
    unverified: Json = {
        "inhibited_by": "A-32",
        "steps_told": 0,
        "loud_since": None,
        "told": [],
        "told_at": None,
    }
    silent = alert(
        "A-32",
        "device_silent",
        "scanner-3",
        SCANNER_3,
        "major",
        {"code": "silent", "params": {"since": at(-65)}},
        opened=-16,
        steps_told=2,
    )
    silent["history"].append(
        {
            "at": at(-6),
            "what": "told",
            "by": None,
            "from": None,
            "params": {"notice": "escalated", "to": ["supervisor"]},
        }
    )
    explained = [
        alert(
            key,
            kind,
            subject,
            name,
            "major",
            no_proof,
            opened=-15,
            occurrences=[garage["id"]] if subject == "garage" else [],
            **unverified,
        )
        for key, kind, subject, name in (
            ("A-29", "round_missed", "garage", garage["name"]),
            ("A-33", "radio_not_called", "club", POSTS["club"]),
        )
    ]
    for each in explained:
        each["history"] = [
            each["history"][0],
            {"at": at(-15), "what": "inhibited", "by": None, "from": None, "params": {"alert": "A-32"}},
        ]
    forced = next(each for each in night["alerts"] if each["id"] == "A-30")
    quieted = {"at": at(-8), "what": "silenced", "by": None, "from": None}
    forced |= {
        "silenced_by": "riverside-s1",
        "loud_since": None,
        "history": [*forced["history"], quieted | {"params": {"silence": "riverside-s1"}}],
    }
    others = [each for each in night["alerts"] if each["id"] in ("A-25", "A-26", "A-27")]
    pump = next(each for each in rounds if each["duty"] == "pump")
    pump_excused = excused(pump, "wang-jg", "当时全员处置三号楼火警", -20)
    return night | {
        "hero": {"critical": 0, "major": 2, "minor": 1},
        "rounds": [pump_excused if each is pump else each for each in rounds],
        "alerts": [silent, *explained, forced, *others],
        "radio": radio(
            {
                "east-gate": "++++++++++++++o ",
                "west-gate": "+++++++++++++eo ",
                "garage": "++++++++~+++++o ",
                "control": "+++++++++++++++ ",
                "club": "+++++++++++++?o ",
            }
        ),
        "silences": [
            silence("riverside-s1", until=42 + 20 / 60, kinds=["gate_forced"], subjects=["gate-east"]),
            silence(
                "riverside-s2",
                begins=282 + 20 / 60,
                until=522 + 20 / 60,
                subjects=["gate-west"],
                maintenance=True,
                reason="西门道闸更换闸杆",
            ),
        ],
        "devices": [
            device("scanner-1", named("巡更棒一号", "Scanner 1"), "scanner", clock="stopped"),
            device("scanner-2", named("巡更棒二号", "Scanner 2"), "scanner", lost=2, buffer_warning=True),
            device("scanner-3", SCANNER_3, "scanner", last_heard_at=at(-65), buffered=4),
            device("gate-east", EAST, "gate"),
            device("gate-west", WEST, "gate"),
            device("console-1", named("对讲台", "Radio console"), "console"),
        ],
    }


def soon(night: Json) -> Json:
    """The board with every owed call's deadline near."""
    near = {"remind_at": at(-1), "due_at": at(4)}
    posts = [
        each | near if any(cell["status"] == "open" for cell in each["cells"]) else each
        for each in night["radio"]["posts"]
    ]
    return night | {"radio": night["radio"] | {"posts": posts, "next_due_at": at(4)}}


def deaf() -> Json:
    """The gateway has lost its broker, while calls are nearly due."""
    cut = alert(
        "A-34",
        "gateway_cut_off",
        "riverside",
        named("滨河花园", "Riverside Garden"),
        "critical",
        {"code": "cut_off", "params": {"since": at(-7)}},
        opened=-6.5,
    )
    return soon(
        quiet() | {"alerts": [cut], "hero": {"critical": 1, "major": 0, "minor": 0}, "deaf_since": at(-7)}
    )


SCENES = {"quiet": quiet, "bad": bad, "outage": outage, "deaf": deaf, "empty": board}
