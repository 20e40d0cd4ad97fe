"""The board: what is on it, and in which order."""

from __future__ import annotations

from typing import Any

from gateway.domain.facts import GateEventKind, Outcome
from gateway.instants import parse_instant, rfc3339
from gateway.web import board_models
from gateway.web.board import make_board
from tests.unit.web.harbour import CRANE, HOUR, MINUTE, QUAY, Night, harbour, local

Json = dict[str, Any]


def rounds(board: Json) -> list[tuple[str, str, str]]:
    """Duty, opening by the harbour's clock, and verdict of the rounds shown."""
    return [(each["duty"], clock(each["opens_at"]), each["verdict"]) for each in board["rounds"]]


def clock(text: str) -> str:
    """The harbour's time of day of an instant."""
    return rfc3339(parse_instant(text) + 8 * HOUR)[11:16]


def row(board: Json, post: str) -> str:
    """A post's cells, a letter each: the first of the status."""
    letters = {"off": "-", "upcoming": " ", "open": "o", "on_time": "+", "no_answer": "n"}
    cells = next(each for each in board["radio"]["posts"] if each["post"] == post)["cells"]
    return "".join(letters.get(cell["status"], cell["status"][0]) for cell in cells)


async def test_a_quiet_evening() -> None:
    night = Night()
    board = make_board(night.desk, night.at("23 18:10"))
    assert board_models.Board.model_validate(board).model_dump(by_alias=True) == board
    assert board["site"] == {
        "id": "harbour",
        "name": {"zh": "港湾", "en": "The Harbour"},
        "timezone": "Asia/Shanghai",
    }
    assert board["now"] == "2026-11-23T10:10:00.000Z"
    assert board["shift"] == {
        "id": "day",
        "from": rfc3339(local("23 07:00")),
        "to": rfc3339(local("23 19:00")),
    }
    assert board["hero"] == {"critical": 0, "major": 0, "minor": 0}
    assert rounds(board) == [("hourly", "18:00", "open")]
    assert board["alerts"] == [] and board["gate_feed"] == []
    assert [each["position"] for each in board["gates"]] == ["unknown"]
    assert [(each["device"], each["online"], each["heard_until"]) for each in board["devices"]] == [
        ("scanner-1", False, None),
        ("console-1", False, None),
        ("gate-east", False, None),
    ]
    assert board["devices"][1]["name"] == {"zh": "console-1", "en": "console-1"}


async def test_rounds_worst_first() -> None:
    night = Night(harbour(("every: 60min, grace: 5min", "every: 60min, grace: 5min, during: day")))
    night.at("23 18:30", night.scan("23 18:20", QUAY), night.scan("23 18:25", CRANE))
    now = night.at("23 20:27", night.scan("23 20:26", QUAY))
    board = make_board(night.desk, now)
    assert rounds(board) == [("dusk", "20:25", "open")]
    visits = board["rounds"][0]["visits"]
    assert [(each["checkpoint"], each["verdict"]) for each in visits] == [
        ("quay", "on_time"),
        ("crane", "open"),
    ]
    assert visits[0]["name"] == {"zh": "码头", "en": "Quay"}

    night = Night()
    now = night.at("23 20:27", night.scan("23 18:20", QUAY), night.scan("23 18:25", CRANE))
    # The first hour was walked, the second was not, and the third runs; the console and the scanner are silent.
    assert rounds(make_board(night.desk, now)) == [
        ("hourly", "18:25", "unverified"),
        ("hourly", "19:25", "open"),
        ("dusk", "20:25", "open"),
    ]
    night.at("23 20:28", *night.all_heard("23 20:28"))
    assert rounds(make_board(night.desk, now + MINUTE))[0] == ("hourly", "18:25", "missed")


async def test_what_is_done_leaves_after_an_hour_and_what_went_wrong_with_the_shift() -> None:
    night = Night()
    night.at("23 19:20", night.scan("23 19:10", QUAY), night.scan("23 19:12", CRANE))
    late = ("hourly", "18:00", "late")
    assert late in rounds(make_board(night.desk, night.at("23 19:20")))
    assert late in rounds(make_board(night.desk, night.at("24 06:59")))
    assert late not in rounds(make_board(night.desk, night.at("24 07:01")))

    night = Night()
    done = ("hourly", "18:00", "on_time")
    now = night.at("23 18:30", night.scan("23 18:20", QUAY), night.scan("23 18:25", CRANE))
    assert done in rounds(make_board(night.desk, now))
    assert done not in rounds(make_board(night.desk, night.at("23 19:01")))


async def test_only_the_next_one_of_several_that_open_at_once() -> None:
    night = Night(harbour(("every: 60min, grace: 5min", "times: 4, per: shift")))
    now = night.at(
        "23 19:32", *(night.scan(f"23 19:{at}", tag) for at, tag in ((10, QUAY), (12, CRANE), (20, QUAY)))
    )
    assert [each["id"][-2:] for each in make_board(night.desk, now)["rounds"]] == [".2", ".3", "00", "00"]
    assert rounds(make_board(night.desk, now)) == [
        ("hourly", "19:00", "open"),
        ("hourly", "19:00", "open"),
        ("dusk", "20:25", "upcoming"),
        ("hourly", "19:00", "on_time"),
    ]


async def test_the_radio_grid_of_a_night() -> None:
    night = Night()
    board = make_board(night.desk, night.at("23 21:00"))
    assert (board["radio"]["slot_s"], len(board["radio"]["slots"])) == (1800, 16)
    assert row(board, "east") == " " * 16
    assert clock(board["radio"]["next_due_at"]) == "22:32"

    night.at("23 22:02", night.call("23 22:02", "east"))
    board = make_board(night.desk, night.at("23 22:04", night.call("23 22:03", "west", Outcome.NO_ANSWER)))
    assert row(board, "east")[:3] == "+  "
    assert row(board, "west")[:3] == "n  "
    board = make_board(night.desk, night.at("23 22:31"))
    assert row(board, "east")[:3] == "+o "
    cell = board["radio"]["posts"][0]["cells"][0]
    assert (
        cell["status"] == "on_time"
        and clock(cell["at"]) == "22:02"
        and "night-radio.east@" in cell["occurrence"]
    )
    assert {each["post"]: clock(each["due_at"]) for each in board["radio"]["posts"]} == {
        "east": "22:34",
        "west": "22:32",
    }

    night.at("23 22:33", night.call("23 22:33", "east", Outcome.ABNORMAL))
    board = make_board(night.desk, night.at("23 22:35"))
    assert row(board, "east")[:3] == "+a "
    assert row(board, "west")[:3] == "nn "
    # Called late: the miss of 22:30 became late, in the slot of the call.
    board = make_board(night.desk, night.at("23 22:50", night.call("23 22:45", "west")))
    assert row(board, "west")[:3] == "nl "
    # Nobody calls any more; nobody knows, as the console is silent.
    board = make_board(night.desk, night.at("24 00:10"))
    assert row(board, "east")[:5] == "+auuu"
    assert board_models.Board.model_validate(board)


async def test_a_slot_in_which_nobody_called_stays_marked_after_the_late_call() -> None:
    night = Night()
    night.at("23 22:02", night.call("23 22:02", "east"))
    board = make_board(night.desk, night.at("23 23:02", night.call("23 23:01", "east")))
    assert row(board, "east")[:3] == "+ll"


async def test_between_two_radio_duties_the_next_one_is_shown_and_far_from_both_none() -> None:
    night = Night()
    assert make_board(night.desk, night.at("23 18:30"))["radio"]["slot_s"] == 7200
    assert make_board(night.desk, night.at("23 19:30"))["radio"]["slot_s"] == 1800
    assert make_board(night.desk, night.at("24 06:30"))["radio"]["slot_s"] == 7200

    nights_only = Night(harbour(("every: 2h, during: day", "every: 2h, during: night")))
    # Of two that run, the one with the shorter gap.
    assert make_board(nights_only.desk, nights_only.at("23 23:00"))["radio"]["slot_s"] == 1800
    assert make_board(nights_only.desk, nights_only.at("24 08:00"))["radio"] is None


async def test_a_radio_duty_that_never_pauses_shows_its_last_eight_hours() -> None:
    always = Night(harbour(("every: 30min, during: night", "every: 30min")))
    radio = make_board(always.desk, always.at("23 18:40"))["radio"]
    assert len(radio["slots"]) == 16
    assert clock(radio["slots"][-1]["from"]) == "18:30" and clock(radio["slots"][0]["from"]) == "11:00"
    assert [cell["status"] for cell in radio["posts"][0]["cells"]] == ["off"] * 15 + ["unverified"]
    assert clock(radio["next_due_at"]) == "19:02"


async def test_of_a_long_period_the_part_around_now_is_shown() -> None:
    often = Night(harbour(("every: 30min, during: night, grace: 2min", "every: 2min, during: night")))
    radio = make_board(often.desk, often.at("24 02:00"))["radio"]
    assert len(radio["slots"]) == 96
    assert radio["slots"][0]["from"] < rfc3339(local("24 02:00")) < radio["slots"][-1]["to"]


async def test_gates_alerts_and_devices() -> None:
    night = Night()
    night.at("23 18:01", night.gate("23 18:01", GateEventKind.OPENED))
    night.at("23 18:02", night.gate("23 18:02", GateEventKind.VEHICLE_IN, "粤B12345"))
    now = night.at("23 18:03", night.gate("23 18:03", GateEventKind.FORCED))
    board = make_board(night.desk, now)
    assert board["hero"] == {"critical": 1, "major": 0, "minor": 0}
    assert board["gates"][0]["position"] == "forced" and clock(board["gates"][0]["since"]) == "18:03"
    assert [each["event"] for each in board["gate_feed"]] == ["forced", "vehicle_in", "opened"]
    assert board["gate_feed"][1]["plate"] == "粤B12345"
    assert [each["kind"] for each in board["alerts"]] == ["gate_forced"]
    gate = board["devices"][2]
    assert gate["online"] is True and clock(gate["last_heard_at"]) == "18:03"
    assert make_board(night.desk, now + 3 * MINUTE)["devices"][2]["online"] is False

    closed = night.at("23 18:10", night.gate("23 18:10", GateEventKind.CLOSED))
    board = make_board(night.desk, closed)
    assert [each["state"] for each in board["alerts"]] == ["resolved"]
    assert board["hero"]["critical"] == 0
    assert make_board(night.desk, closed + HOUR + 1)["alerts"] == []
    assert board_models.Board.model_validate(board)


async def test_the_board_is_of_the_plan_in_force() -> None:
    later = harbour(("The Harbour", "New Harbour"), version=2, holds_from=local("23 20:00"))
    night = Night(harbour(), later)
    board = make_board(night.desk, night.at("23 19:59"))
    assert (board["plan_version"], board["site"]["name"]["en"]) == (1, "The Harbour")
    board = make_board(night.desk, night.at("23 20:00"))
    assert (board["plan_version"], board["site"]["name"]["en"]) == (2, "New Harbour")
