"""What one device of a line says: taps and repeats, noise, heartbeats, and what nobody could hear."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Clock
from gateway.ingest.bridge import BEAT_S, Bridges
from gateway.ingest.delivery import Delivery
from gateway.ingest.devices.reading import Noise, Reading
from gateway.ingest.linked import LineLink, LinkedDevice
from gateway.ingest.serial.debounce import Debounce
from gateway.ingest.serial.health import MOST_REASONS, LineHealth
from gateway.ingest.serial.voice import ANSWERS_WITHIN_S, NOISE_KEPT, UNHEARD_S, Voice
from gateway.store.port import Commit
from tests.unit.ingest.hall import HALL, NOW, TAG, Hall

LINK = LineLink("/dev/ttyUSB0", "toy", (LinkedDevice("hall", "scanner-1"),))


class Hands(Clock):
    """A clock that is moved by hand."""

    __setattr__ = object.__setattr__

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def now(self) -> int:
        return NOW + round(self.passed * 1000)

    def elapsed(self) -> float:
        return 1000 + self.passed


class Booth:
    """A voice, and the hall that hears it."""

    def __init__(self) -> None:
        self.hall, self.clock, self.heard = Hall(), Hands(), list[Delivery]()
        self.plans: Callable[[str], Any] = {"hall": self.hall.doors}.get
        bridges = Bridges(self.heard.extend, self.clock, lambda site: self.plans(site))
        self.health = LineHealth(LINK.port, LINK.protocol, ("hall/scanner-1",))
        self.voice = Voice(LINK, LINK.devices[0], bridges, self.health)

    def wait(self, seconds: float) -> None:
        """Let time pass, and the device be looked after each second."""
        for _ in range(round(seconds)):
            self.clock.passed += 1
            self.voice.look()

    def show(self, tag: str = TAG, **members: Any) -> None:
        reading = Reading({"tag": tag}, {"type": "scan", "tag": tag, **members})
        self.voice.hear([reading])

    def said(self, type: str) -> list[dict[str, Any]]:
        records = [json.loads(each.payload) for each in self.heard if each.wrong is None]
        return [record for record in records if record.get("type") == type]

    def states(self) -> list[bool]:
        return [json.loads(each.payload)["online"] for each in self.heard if each.topic.endswith("/state")]


def open_booth() -> Booth:
    booth = Booth()
    booth.voice.opened(True)
    return booth


def test_a_device_that_is_there_beats_each_minute_and_says_how_its_line_is() -> None:
    booth = open_booth()
    booth.health.noise["garbage"] = 3
    booth.health.faults = 2
    booth.wait(3 * BEAT_S)
    beats = booth.said("status")
    assert len(beats) == 4
    assert (beats[-1]["buffered"], beats[-1]["high_seq"], beats[-1]["seq"]) == (0, 4, 4)
    assert (beats[-1]["noise"], beats[-1]["line_faults"]) == (3, 2)
    assert booth.states() == [True]
    assert booth.hall.door().health.line is booth.health
    booth.hall.intake.take(booth.heard, Commit(NOW))
    assert booth.hall.intake.counts["facts"] == 4


def test_one_that_is_gone_says_so_and_beats_no_more() -> None:
    booth = open_booth()
    booth.voice.present(False)
    booth.wait(3 * BEAT_S)
    assert (booth.states(), len(booth.said("status"))) == ([True, False], 1)


def test_after_so_long_that_something_may_have_been_said_it_tells_that_it_is_lost() -> None:
    booth = open_booth()
    booth.wait(10)
    went = booth.clock.now()
    booth.voice.present(False)
    booth.wait(UNHEARD_S + 1)
    booth.voice.opened(True)
    taken = booth.hall.intake.take(booth.heard, Commit(NOW))
    (lost,) = [each for fact in taken.facts["hall"] for each in getattr(fact, "lost", ())]
    assert lost.start <= went < booth.clock.now() <= lost.end
    assert lost.end - lost.start < (UNHEARD_S + 10) * 1000
    # Its number is not waited for.
    assert booth.hall.hearing.device("scanner-1").boots[lost.boot].high == booth.said("status")[-1]["seq"]


def test_a_short_loss_of_the_line_is_none_of_evidence() -> None:
    booth = open_booth()
    booth.voice.present(False)
    booth.wait(UNHEARD_S - 1)
    booth.voice.opened(True)
    booth.wait(BEAT_S)
    assert all("lost" not in beat for beat in booth.said("status"))


def test_what_was_said_while_the_gateway_was_down_is_lost_too() -> None:
    booth = Booth()
    booth.hall.hearing.device("scanner-1").heard_until = NOW - 600_000
    booth.voice.opened(True)
    (beat,) = booth.said("status")
    assert len(beat["lost"]) == 1


def test_a_poll_that_fails_now_and_then_is_no_absence() -> None:
    booth = open_booth()
    unanswered = Noise("unanswered", "no answer", b"")
    booth.wait(1)
    booth.voice.hear([unanswered])
    booth.wait(ANSWERS_WITHIN_S - 2)
    booth.voice.hear([Reading({})])
    booth.voice.hear([unanswered])
    booth.wait(ANSWERS_WITHIN_S - 1)
    assert booth.states() == [True]
    booth.wait(1)  # nothing needs to be asked again for that
    assert booth.states() == [True, False]
    booth.voice.hear([Reading({})])
    assert booth.states() == [True, False, True]
    assert booth.health.noise == {"unanswered": 2}
    assert all(each.wrong is None for each in booth.heard)


def test_while_a_question_is_unanswered_nothing_is_proved() -> None:
    booth = open_booth()
    booth.wait(BEAT_S - 2)
    booth.voice.hear([Reading({}), Noise("unanswered", "no answer", b"")])
    booth.wait(ANSWERS_WITHIN_S - 1)
    assert len(booth.said("status")) == 1
    booth.voice.hear([Reading({})])
    booth.wait(1)
    assert len(booth.said("status")) == 2


def test_who_must_be_asked_is_not_there_before_the_first_answer() -> None:
    booth = Booth()
    booth.voice.opened(False)
    booth.wait(2)
    assert (booth.states(), booth.said("status")) == ([], [])
    booth.voice.hear([Reading({})])
    assert (booth.states(), len(booth.said("status"))) == ([True], 1)


def test_what_a_device_says_of_itself_is_in_its_heartbeats() -> None:
    booth = open_booth()
    booth.voice.beat({"battery": 80})
    booth.voice.beat({"firmware": "2.1"})
    booth.wait(BEAT_S)
    assert (booth.said("status")[-1]["battery"], booth.said("status")[-1]["firmware"]) == (80, "2.1")


def test_of_noise_some_is_kept_each_minute_and_all_counted() -> None:
    booth = open_booth()
    for _ in range(2):
        booth.voice.hear([Noise("garbage", "?", b"#")] * 50)
        booth.wait(60)
    kept = [each for each in booth.heard if each.wrong is not None]
    assert (len(kept), booth.health.noise_kept, booth.health.noise["garbage"]) == (20, 20, 100)
    assert NOISE_KEPT == 10


def test_reasons_of_noise_have_an_end() -> None:
    health = LineHealth("p", "toy", ())
    for n in range(100):
        health.count_noise(f"reason-{n}")
    assert (len(health.noise), health.noise["other"]) == (MOST_REASONS + 1, 100 - MOST_REASONS)


def test_what_has_a_time_of_its_own_is_no_repeat() -> None:
    booth = open_booth()
    for minute in (1, 1, 2):
        booth.show(at=f"2026-11-23T21:0{minute}:00+08:00")
    booth.show()
    booth.show()
    assert (len(booth.said("scan")), booth.health.held) == (4, 1)


def test_a_device_that_the_plan_gets_begins_a_new_boot() -> None:
    booth = Booth()
    booth.plans = lambda site: None
    booth.voice.opened(True)
    booth.show()
    booth.wait(BEAT_S)
    assert (len(booth.said("scan")), booth.said("status"), booth.states()) == (1, [], [])
    booth.plans = {"hall": booth.hall.doors}.get
    booth.wait(1)
    (beat,) = booth.said("status")
    assert (beat["seq"], booth.states()) == (1, [True])
    assert beat["boot"] != booth.said("scan")[0]["boot"]


def test_while_too_much_has_come_in_nothing_is_said_to_be_all() -> None:
    booth = open_booth()
    booth.voice._bridge.pause()
    booth.wait(2 * BEAT_S)
    assert len(booth.said("status")) == 1
    booth.voice._bridge.resume()
    booth.wait(1)
    assert len(booth.said("status")) == 2


def test_a_card_at_a_reader_that_the_plan_fixes_at_a_checkpoint_is_a_guard() -> None:
    booth = open_booth()
    fixed = HALL.replace(
        "{id: scanner-1, kind: scanner, posts: [desk]}",
        "{id: scanner-1, kind: reader, checkpoint: pump-room}",
    )
    booth.hall = Hall(fixed)
    booth.plans = {"hall": booth.hall.doors}.get
    booth.show("04A1B2C3D4E5F6")
    (scan,) = booth.said("scan")
    assert (scan["guard"], "tag" in scan) == ("04A1B2C3D4E5F6", False)
    booth.show("0102030405", guard="li")
    assert booth.said("scan")[1]["tag"] == "0102030405"


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 5)), max_size=30), st.integers(0, 4))
def test_a_tap_is_the_first_frame_after_a_pause(frames: list[tuple[str, int]], window: int) -> None:
    debounce, now, last = Debounce(window), 0, dict[str, int]()
    for tag, pause in frames:
        now += pause
        assert debounce.is_held(tag, now) is (tag in last and now - last[tag] < window)
        last[tag] = now


def test_a_thousand_tags_are_remembered_and_no_more() -> None:
    debounce = Debounce(3600)
    for n in range(5000):
        assert not debounce.is_held(f"tag {n}", n / 1000)
    assert debounce.is_held("tag 4999", 5)
    assert debounce.is_held("tag 4000", 5)
    assert not debounce.is_held("tag 1", 5)
