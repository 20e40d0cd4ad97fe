"""The file of channels: what it may say, what is wrong with it, and which notices a channel concerns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.domain.alert import Severity
from gateway.domain.plan import Person, Plan, Span
from gateway.notify.channels import ChannelsError, load_channels

EXAMPLE = Path(__file__).parents[3] / "deploy" / "channels.example.toml"

GOOD = """\
[[channel]]
name = "duty-room"
url = "json://127.0.0.1:8000/hunter2"
to = ["shift_leader", "li-qiang"]
"""

PEOPLE = (Person("li-qiang", {"zh": "李强"}, "guard"), Person("wang-jg", {"zh": "王建国"}, "shift_leader"))
PLAN = Plan("riverside", {"zh": "滨河"}, "Asia/Shanghai", 1, 0, Span(1320, 360), people=PEOPLE)


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "channels.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def told(*to: str, site: str = "riverside", severity: str | None = "major", kind: str = "gate_fault",
         subject: str = "gate-1") -> dict[str, Any]:  # fmt: skip
    alert = None if severity is None else {"severity": severity, "kind": kind, "subject": subject}
    return {"site": site, "to": list(to), "alert": alert}


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    (channel,) = load_channels(written(tmp_path, GOOD))
    assert (channel.name, channel.to) == ("duty-room", {"shift_leader", "li-qiang"})
    assert (channel.sites, channel.language, channel.min_severity) == (None, "zh", Severity.MINOR)
    assert "hunter2" not in repr(channel)


def test_the_example_is_right(tmp_path: Path) -> None:
    channels = load_channels(written(tmp_path, EXAMPLE.read_text("utf-8")))
    assert len({channel.name for channel in channels}) == len(channels) >= 5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"duty-room"', '"Duty Room"', "channel 1 'Duty Room': name: expected an id like duty-room"),
        ('name = "duty-room"\n', "", "channel 1: name: expected an id like duty-room"),
        ("json://", "nosuch://", "channel 1 'duty-room': url: expected a complete nosuch:// URL"),
        ('"json://127.0.0.1:8000/hunter2"', "7", "url: expected an Apprise URL like wecombot://KEY"),
        ('["shift_leader", "li-qiang"]', '"shift_leader"', "to: expected a list of roles or ids of people"),
        ('["shift_leader", "li-qiang"]', "[]", "to: expected a list of roles or ids of people"),
        ("to =", "sites = []\nto =", "sites: expected a list of ids of sites"),
        ("to =", 'language = "fr"\nto =', "language: expected one of zh, en"),
        ("to =", 'min_severity = "high"\nto =', "min_severity: expected one of minor, major, critical"),
        ("to =", 'token = "hunter2"\nto =', "unknown key 'token'; known: name, url, to, sites, language"),
        ("to =", '"hunter2://x" = 1\nto =', "an unknown key"),
        ("[[channel]]", "[[chanel]]", r"has \[\[channel\]\] tables and nothing else"),
        ("[[channel]]", "[channel]", r"has \[\[channel\]\] tables and nothing else"),
        ("to = [", "to = ", "line 4"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ChannelsError, match=message) as refused:
        load_channels(path)
    assert str(path) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + GOOD + '[[channel]]\nname = "x"\nto = 1\n')
    with pytest.raises(ChannelsError) as refused:
        load_channels(path)
    assert [line.partition(": ")[2] for line in str(refused.value).splitlines()] == [
        "channel 3 'x': url: expected an Apprise URL like wecombot://KEY (docs/notifications.md)",
        'channel 3 \'x\': to: expected a list of roles or ids of people, like ["shift_leader", "li-qiang"]',
        "2 channels are called 'duty-room': give each a name of its own",
    ]


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ChannelsError, match="No such file"):
        load_channels(tmp_path / "none.toml")


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o640, True), (0o644, True)])
def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warns: bool
) -> None:
    load_channels(written(tmp_path, GOOD, mode))
    assert ("can be read by others" in caplog.text) is warns


def test_a_channel_concerns_its_people_and_those_of_its_roles(tmp_path: Path) -> None:
    (leaders,) = load_channels(written(tmp_path, GOOD.replace(', "li-qiang"', "")))
    assert leaders.concerns(told("shift_leader"), PLAN)
    assert leaders.concerns(told("manager", "wang-jg"), PLAN)
    assert not leaders.concerns(told("li-qiang", "manager"), PLAN)
    (li,) = load_channels(written(tmp_path, GOOD.replace('"shift_leader", ', "")))
    assert li.concerns(told("li-qiang"), PLAN)
    assert li.concerns(told("guard"), PLAN)
    assert not li.concerns(told("wang-jg", "shift_leader"), PLAN)
    assert li.concerns(told("li-qiang"), None)


def test_a_channel_concerns_its_sites_and_what_weighs_enough(tmp_path: Path) -> None:
    text = GOOD + 'sites = ["riverside"]\nmin_severity = "major"\n'
    (channel,) = load_channels(written(tmp_path, text))
    assert channel.concerns(told("shift_leader"), PLAN)
    assert channel.concerns(told("shift_leader", severity="critical"), PLAN)
    assert not channel.concerns(told("shift_leader", severity="minor"), PLAN)
    assert not channel.concerns(told("shift_leader", severity=None), PLAN)
    assert not channel.concerns(told("shift_leader", site="yard"), PLAN)


def test_a_channel_that_fails_is_not_told_of_over_itself(tmp_path: Path) -> None:
    (channel,) = load_channels(written(tmp_path, GOOD))
    assert not channel.concerns(told("shift_leader", kind="notice_undelivered", subject="duty-room"), PLAN)
    assert channel.concerns(told("shift_leader", kind="notice_undelivered", subject="phones"), PLAN)
