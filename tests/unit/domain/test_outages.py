"""Devices that fall silent: when somebody is told, what that explains, and what is one outage and not many (law 8)."""

from __future__ import annotations

from gateway.domain.alert import AlertKind, AlertState, Severity

from .evening import BEGIN, MINUTE, Evening, lodge, story

ALL = ("s1", "s2", "k1", "g1")
SILENT, SITE, ROUND = AlertKind.DEVICE_SILENT, AlertKind.SITE_SILENT, AlertKind.ROUND_MISSED


def test_a_device_that_stops_its_heartbeats_is_told_of_after_five_minutes_and_recovers_when_it_is_heard() -> (
    None
):
    evening = Evening()
    evening.beating(0, 3, *ALL)
    evening.beating(4, 20, "s2", "k1", "g1")
    outage = evening.one(SILENT, "s1")
    assert (outage.opened_at - BEGIN, outage.deadline - BEGIN) == (8 * MINUTE, 3 * MINUTE)
    assert outage.reason.params == {"since": BEGIN + 3 * MINUTE}
    evening.until(21, evening.status(21, "s1"))
    assert outage.state is AlertState.RESOLVED
    assert outage.history[-2].params["after_s"] == 18 * 60
    assert evening.kinds() == ["device_silent"]


def test_a_device_that_never_sent_a_heartbeat_owes_none() -> None:
    evening = Evening()
    evening.until(1, evening.scan(1, "shed"))
    evening.until(55)
    assert evening.alerts == {}


def test_a_device_that_is_docked_at_times_may_be_silent() -> None:
    evening = Evening(lodge(("{id: s1, kind: scanner,", "{id: s1, silent_after: never, kind: scanner,")))
    evening.until(1, evening.status(1, "s1"))
    evening.until(55)
    assert evening.alerts == {}


def test_an_outage_explains_the_round_that_cannot_be_judged_and_nobody_is_told_twice() -> None:
    evening = Evening()
    evening.beating(0, 40, *ALL)
    evening.beating(41, 65, "s2", "k1", "g1")
    outage, missed = evening.one(SILENT, "s1"), evening.one(ROUND, "tour")
    assert missed.opened_at == BEGIN + 60 * MINUTE + 1
    assert missed.inhibited_by == outage.id
    assert outage.severity is Severity.MAJOR  # as bad as what it hides
    assert [each.alert for each in evening.notices] == [outage.id, outage.id]


def test_what_was_missed_behind_an_outage_is_told_once_it_is_proved() -> None:
    evening = Evening()
    evening.beating(0, 40, *ALL)
    evening.beating(41, 69, "s2", "k1", "g1")
    evening.beating(70, 72, *ALL)
    missed = evening.one(ROUND, "tour")
    assert missed.reason.code == "not_visited"
    assert missed.inhibited_by is None and missed.loud_since == BEGIN + 70 * MINUTE
    assert story(missed) == ["opened", "inhibited", "reason", "released", "told"]


def test_what_was_walked_behind_an_outage_is_withdrawn_and_nobody_hears_of_it() -> None:
    evening = Evening()
    evening.beating(0, 40, *ALL)
    evening.beating(41, 69, "s2", "k1", "g1")
    evening.until(70, evening.scan(50, "shed"), evening.scan(55, "well"), evening.status(70, "s1"))
    missed = evening.one(ROUND, "tour")
    assert missed.state is AlertState.WITHDRAWN
    assert not missed.told


def test_a_scanner_that_says_goodbye_before_a_deadline_is_named_at_once() -> None:
    evening = Evening()
    evening.beating(0, 59, *ALL)
    evening.watch.outages.state("s1", False, BEGIN + 59 * MINUTE + 30_000)
    evening.until(60.1)
    outage, missed = evening.one(SILENT, "s1"), evening.one(ROUND, "tour")
    assert outage.opened_at == missed.opened_at == BEGIN + 60 * MINUTE + 1
    assert missed.inhibited_by == outage.id and not missed.told


def test_a_site_that_falls_silent_together_is_one_alert_with_its_devices() -> None:
    evening = Evening()
    evening.beating(0, 10, "s1", "s2", "k1")
    evening.until(10.5, evening.status(10.5, "g1"))
    evening.until(30)
    site = evening.one(SITE, "lodge")
    assert set(site.members) == set(ALL)
    assert evening.kinds() == ["site_silent"]
    evening.beating(31, 33, *ALL)
    assert site.state is AlertState.RESOLVED and site.members == {}
    assert evening.kinds() == ["site_silent"]


def test_the_one_that_stays_silent_after_the_site_is_back_stands_for_itself() -> None:
    evening = Evening()
    evening.beating(0, 10, *ALL)
    evening.until(30)
    evening.beating(31, 40, "s2", "k1", "g1")
    assert evening.one(SITE, "lodge").state is AlertState.RESOLVED
    alone = evening.one(SILENT, "s1")
    assert alone.state is AlertState.OPEN and alone.deadline == BEGIN + 10 * MINUTE
    assert alone.opened_at >= BEGIN + 33 * MINUTE


def test_our_own_downtime_is_nobodys_outage() -> None:
    evening = Evening()
    evening.beating(0, 10, *ALL)
    evening.watch.deaf(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, BEGIN + 40 * MINUTE)
    evening.beating(41, 43, *ALL)
    assert evening.alerts == {}


def test_a_scanner_in_a_drawer_explains_nothing() -> None:
    plan = lodge(
        ("post: yard, every: 60min", "every: 60min"), ("escalation:", "settle_after: 30min\nescalation:")
    )
    evening = Evening(plan)
    evening.until(0, evening.status(0, "s2"))
    evening.beating(1, 62, "s1", "k1", "g1")
    drawer, missed = evening.one(SILENT, "s2"), evening.one(ROUND, "tour")
    assert drawer.state is AlertState.OPEN
    assert missed.inhibited_by is None and missed.told == ["shift_leader"]


def test_a_low_battery_is_named_as_what_may_have_silenced_the_device() -> None:
    evening = Evening()
    evening.until(0, evening.status(0, "s1", battery=4), *[evening.status(0, each) for each in ALL[1:]])
    evening.beating(1, 10, "s2", "k1", "g1")
    assert evening.one(SILENT, "s1").reason.params["battery"] == 4


def test_being_cut_off_from_the_broker_is_one_alert_that_explains_all() -> None:
    evening = Evening()
    evening.beating(0, 50, *ALL)
    evening.watch.deaf(BEGIN + 50 * MINUTE, None, BEGIN + 50 * MINUTE)
    evening.watch.tell_cut_off(BEGIN + 50 * MINUTE, "connection refused", BEGIN + 51 * MINUTE)
    evening.until(80)
    cut_off = evening.one(AlertKind.GATEWAY_CUT_OFF, "lodge")
    assert evening.one(ROUND, "tour").inhibited_by == cut_off.id
    assert sorted(evening.kinds()) == ["gateway_cut_off", "round_missed"]
    evening.watch.deaf(BEGIN + 50 * MINUTE, BEGIN + 80 * MINUTE, BEGIN + 80 * MINUTE)
    evening.until(80.1)
    assert cut_off.state is AlertState.RESOLVED
