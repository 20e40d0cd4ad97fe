"""Who is told of an alert, and when: the ladder, repeats, acknowledgement, silences, maintenance, reminders."""

from __future__ import annotations

from gateway.domain.alert import AlertKind, AlertState
from gateway.domain.facts import Outcome
from gateway.domain.silences import Silence
from gateway.domain.watch import Watch
from gateway.shapes import alert_from_json, alert_json

from .evening import BEGIN, MINUTE, Evening, lodge, story

ROUND = AlertKind.ROUND_MISSED


def missed(evening: Evening) -> Evening:
    """The hourly round is not walked, and its scanner has nothing more to say."""
    evening.beating(0, 60, "s1")
    evening.until(60.5, evening.status(60.5, "s1"))
    return evening


def silence(start: float, end: float, **of: object) -> Silence:
    at = BEGIN + round(start * MINUTE)
    members: dict[str, object] = {"maintenance": False, **of}
    return Silence(
        "lodge-s1",
        "lodge",
        at,
        BEGIN + round(end * MINUTE),
        "wang",
        "painting",
        created_at=at,
        **members,  # type: ignore[arg-type]
    )


def test_each_step_is_told_at_its_time_and_then_all_are_told_again() -> None:
    evening = missed(Evening(lodge(("escalation:", "repeat: 15min\nescalation:"))))
    evening.beating(61, 102, "s1")
    due = 60 + 1 / MINUTE
    assert {notice.alert for notice in evening.notices} == {evening.one(ROUND, "tour").id}
    assert evening.told() == [
        ("opened", ("shift_leader",), due),
        ("escalated", ("supervisor",), due + 10),
        ("repeated", ("shift_leader", "supervisor"), due + 25),
        ("repeated", ("shift_leader", "supervisor"), due + 40),
    ]
    assert len({notice.key for notice in evening.notices}) == 4


def test_acknowledging_stops_the_climb_and_the_end_is_told_to_those_who_were_told() -> None:
    evening = missed(Evening())
    alert = evening.one(ROUND, "tour")
    evening.watch.alerts.act(alert, "acknowledge", "wang", "on my way", evening.now, "192.0.2.7")
    evening.beating(61, 90, "s1")
    evening.until(91, evening.scan(90, "shed"), evening.scan(91, "well"))
    assert alert.state is AlertState.RESOLVED
    assert [kind for kind, _, _ in evening.told()] == ["opened", "recovered"]
    assert evening.notices[-1].to == ("shift_leader",)
    acknowledged = next(event for event in alert.history if event.what == "acknowledged")
    assert (acknowledged.by, acknowledged.origin) == ("wang", "192.0.2.7")
    recovered = next(event for event in alert.history if event.what == "recovered")
    assert recovered.params["after_s"] == 31 * 60


def test_the_ladder_of_an_open_alert_does_not_change_with_the_plan_and_goes_on_after_a_start() -> None:
    evening = missed(Evening())
    stored = alert_from_json(alert_json(evening.one(ROUND, "tour")))
    later = lodge(("- {after: 10min, to: [supervisor]}", "- {after: 20min, to: [manager]}"))
    again = Evening(watch=Watch([later], alerts=[stored], last_alert=1))
    again.until(75)
    assert [(kind, to) for kind, to, _ in again.told()] == [("escalated", ("supervisor",))]


def test_nobody_is_told_while_a_silence_runs_and_the_ladder_begins_when_it_ends() -> None:
    evening = Evening()
    evening.watch.alerts.silence(silence(0, 90, subjects=("tour",)), BEGIN)
    missed(evening).beating(61, 95, "s1")
    alert = evening.one(ROUND, "tour")
    assert evening.told() == [("opened", ("shift_leader",), 90.0)]
    assert story(alert) == ["opened", "silenced", "reason", "unsilenced", "told"]


def test_a_silence_covers_only_what_it_names() -> None:
    evening = Evening()
    evening.watch.alerts.silence(silence(0, 90, subjects=("wall",)), BEGIN)
    evening.watch.alerts.silence(silence(0, 90, kinds=(AlertKind.GATE_FAULT,)), BEGIN)
    missed(evening)
    assert evening.one(ROUND, "tour").told == ["shift_leader"]


def test_maintenance_that_was_announced_silences_an_open_alert_when_it_begins() -> None:
    evening = missed(Evening())
    evening.watch.alerts.silence(silence(65, 85, subjects=("tour",), maintenance=True), evening.now)
    evening.beating(61, 96, "s1")
    assert evening.told() == [
        ("opened", ("shift_leader",), 60 + 1 / MINUTE),
        ("escalated", ("supervisor",), 95.0),
    ]
    assert "silenced" in story(evening.one(ROUND, "tour"))


def test_a_silence_that_is_ended_early_lets_the_ladder_begin() -> None:
    evening = Evening()
    running = silence(0, 600)
    evening.watch.alerts.silence(running, BEGIN)
    missed(evening)
    evening.until(62)
    evening.watch.alerts.silence(running.ended(evening.now, "wang"), evening.now)
    evening.until(62.1)
    assert [(kind, minute) for kind, _, minute in evening.told()] == [("opened", 62.0)]


RADIO = (
    "- {id: hourly, kind: round, route: tour, post: yard, every: 60min}",
    "- {id: radio, kind: radio_check, posts: all, every: 30min, during: night, grace: 2min}",
)


def test_the_leader_is_reminded_once_of_all_posts_that_are_near_their_deadline() -> None:
    evening = Evening(lodge(RADIO))
    evening.until(20, evening.call(20, "gate", Outcome.ANSWERED))
    evening.until(31)
    assert evening.told() == [("due_soon", ("shift_leader",), 27.0)]
    assert evening.notices[0].subjects == ("yard",)
    assert evening.notices[0].due_at == BEGIN + 32 * MINUTE


def test_who_calls_in_good_time_is_not_reminded() -> None:
    evening = Evening(lodge(RADIO))
    for minute in (20, 40, 60):
        evening.until(minute, evening.call(minute, "gate"), evening.call(minute, "yard"))
    assert evening.told() == []


def test_a_duty_that_wants_no_reminder_gives_none() -> None:
    evening = Evening(lodge((RADIO[0], RADIO[1].replace("grace: 2min", "grace: 2min, pre_notice: 0s"))))
    evening.until(31)
    assert evening.told() == []
