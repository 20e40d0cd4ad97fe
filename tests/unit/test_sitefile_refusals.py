"""Files that cannot be read, and values that cannot be taken: each with its line and what was expected."""

from __future__ import annotations

import pytest

from gateway.sitefile import LARGEST_BYTES, SiteFileError, parse

from .court import COURT, complaints, complaints_of

UNREADABLE: dict[str, tuple[str | bytes, str]] = {
    "an empty file": (
        "# nothing\n",
        "court.yaml:1: the file is empty; expected a site, beginning with site: and its id",
    ),
    "a list": ("- a\n", "court.yaml:1: is a list; expected a site, beginning with site: and its id"),
    "a sentence": ("hello", 'court.yaml:1: is "hello"; expected a site, beginning with site: and its id'),
    "a bracket that is never closed": (
        "site: s\nshifts: [\n",
        "court.yaml:3: is not YAML that can be used: "
        "while parsing a flow node, expected the node content, but found '<stream end>'",
    ),
    "a second document": (
        "site: s\n---\nsite: t\n",
        "court.yaml:2: is not YAML that can be used: "
        "expected a single document in the stream, but found another document",
    ),
    "an alias": (
        "site: &a s\nname: *a\n",
        "court.yaml:1: is not YAML that can be used: "
        "anchors and aliases (& and *) are not used in a site file; write it out",
    ),
    "a type tag": (
        "site: s\nname: !!python/name:os.system x\n",
        "court.yaml:2: is not YAML that can be used: type tags (!) are not used in a site file",
    ),
    "nesting without end": (
        "site: " + "[" * 100_000,
        "court.yaml:1: is not YAML that can be used: nested more than 20 deep",
    ),
    "a control character": (
        "site: s\nname: \a\n",
        "court.yaml:2: is not YAML: the character U+0007 is not allowed",
    ),
    "another encoding": (
        "site: s\nname: 巡逻路线\n".encode("gbk"),
        "court.yaml:2: is not UTF-8 text (byte 0xC2); expected a file that is saved as UTF-8",
    ),
    "a film": (
        b"a" * (LARGEST_BYTES + 1),
        "court.yaml:1: the file is larger than 5 MB; expected a site file",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_is_not_a_site_file(what: str) -> None:
    source, complaint = UNREADABLE[what]
    assert complaints_of(source) == [complaint]


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
    )
    assert len(complaints_of(bomb)) == 1


VALUES = {
    "a misspelt key of a duty": (
        ("grace: 5min", "grcae: 5min"),
        'court.yaml:24: duties[0] "hourly": the key "grcae" is not known (did you mean grace?)',
    ),
    "a key of the site that means nothing": (
        ("site: court", "site: court\nzzz: 1"),
        'court.yaml:2: the key "zzz" is not known; the keys here are site, name, timezone, night, '
        "settle_after, repeat, gate_rules, commands, shifts, people, posts, checkpoints, devices, routes, duties "
        "and 1 more",
    ),
    "a misspelt key of a leg": (
        ("max: 6min", "mx: 6min"),
        'court.yaml:21: routes[0] "garage": the key "leg.mx" is not known (did you mean max?)',
    ),
    "a key that is a list": (
        ("site: court", "site: court\n[a]: b"),
        "court.yaml:2: a key is a list; expected a word",
    ),
    "a key given twice": (
        ("timezone: Asia/Shanghai", "timezone: Asia/Shanghai\nsite: other"),
        "court.yaml:4: the key site is given twice, first in line 1; give it once",
    ),
    "a key of a thing given twice": (
        ("role: guard", "id: li, role: guard"),
        'court.yaml:9: people[0] "li": the key id is given twice, first in line 9; give it once',
    ),
    "a zone that does not exist": (
        ("Asia/Shanghai", "Asia/Shangai"),
        'court.yaml:3: timezone is "Asia/Shangai"; expected a time zone such as Asia/Shanghai '
        "(did you mean Asia/Shanghai?)",
    ),
    "a missing key": (
        ("timezone: Asia/Shanghai\n", ""),
        "court.yaml:1: timezone is missing; expected a time zone such as Asia/Shanghai",
    ),
    "a key without a value": (
        ('card: "04A1B2C3D4E5F6"', "card: "),
        'court.yaml:9: people[0] "li": card is empty; '
        "expected a UID of 3 to 16 bytes in hex, such as 04DE5F1EACC040",
    ),
    "an id in capitals": (
        ("{id: scanner-1", "{id: Scanner 1"),
        'court.yaml:19: devices[0] "Scanner 1": id is "Scanner 1"; expected an id: '
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit",
    ),
    "a thing without an id": (
        ("{id: day, from", "{from"),
        "court.yaml:6: shifts[0]: id is missing; expected an id: "
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit",
    ),
    "a thing that is a word": (
        ("{id: scanner-1, kind: scanner, posts: [patrol-1]}", "scanner-1"),
        'court.yaml:19: devices[0] is "scanner-1"; expected a map such as {id: …, kind: …}',
    ),
    "a section that is a word": (
        ("escalation:\n", "settle_after: 1h\nescalation: none\nx:\n"),
        'court.yaml:29: escalation is "none"; expected a list, each a map such as {after: …, to: …}',
    ),
    "an empty list": (
        ("posts: [patrol-1]", "posts: []"),
        'court.yaml:19: devices[0] "scanner-1": posts is an empty list; expected a list, each an id: '
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit",
    ),
    "a duration without a unit": (
        ("grace: 5min", "grace: 5"),
        'court.yaml:24: duties[0] "hourly": grace is "5"; '
        "expected a duration such as 40s, 6min, 12h, 1d or 1h30min",
    ),
    "a duration below nothing": (
        ("max: 6min", "max: -6min"),
        'court.yaml:21: routes[0] "garage": leg.max is "-6min"; '
        "expected a duration such as 40s, 6min, 12h, 1d or 1h30min",
    ),
    "a longest leg of nothing": (
        ("max: 6min", "max: 0s"),
        'court.yaml:21: routes[0] "garage": leg.max is "0s"; expected at least 1s',
    ),
    "an every of nothing": (
        ("every: 60min", "every: 0min"),
        'court.yaml:24: duties[0] "hourly": every is "0min"; expected at least 1s',
    ),
    "a time that YAML 1.1 would have made of 22:00": (
        ('night: {from: "22:00"', "night: {from: 1320"),
        'court.yaml:4: night.from is "1320"; expected a time of day from "00:00" to "23:59"',
    ),
    "a time that no day has": (
        ('["20:00", "23:30"]', '["20:00", "24:00"]'),
        'court.yaml:26: duties[2] "rounds": at[1] is "24:00"; expected a time of day from "00:00" to "23:59"',
    ),
    "a night of no length": (
        ('{from: "22:00", to: "06:00"}', '{from: "22:00", to: "22:00"}'),
        "court.yaml:4: night begins and ends at the same time; expected a night that lasts some time",
    ),
    "no night": (
        ('night: {from: "22:00", to: "06:00"}\n', ""),
        'court.yaml:1: night is missing; expected a map such as {from: "22:00", to: "06:00"}',
    ),
    "a night that is a time": (
        ('night: {from: "22:00", to: "06:00"}', "night: 22:00"),
        'court.yaml:4: night is "22:00"; expected a map such as {from: "22:00", to: "06:00"}',
    ),
    "a period of no length": (
        ('per: {from: "00:00", to: "06:00"}', 'per: {from: "06:00", to: "06:00"}'),
        'court.yaml:27: duties[3] "watch": per begins and ends at the same time; '
        "for a whole day write per: day",
    ),
    "a period that is no period": (
        ('per: {from: "00:00", to: "06:00"}', "per: nigth"),
        'court.yaml:27: duties[3] "watch": per is "nigth"; expected one of hour, shift, night, day, '
        'week, month, quarter, year (did you mean night?), or a map such as {from: "00:00", to: "06:00"}',
    ),
    "a count without its period": (
        (', per: {from: "00:00", to: "06:00"}', ""),
        'court.yaml:27: duties[3] "watch": per is missing; expected one of hour, shift, night, day, '
        'week, month, quarter, year, or a map such as {from: "00:00", to: "06:00"}',
    ),
    "a count of nothing": (
        ("times: 3", "times: 0"),
        'court.yaml:27: duties[3] "watch": times is "0"; expected a whole number from 1 to 9999',
    ),
    "a misspelt kind": (
        ("kind: scanner", "kind: scaner"),
        'court.yaml:19: devices[0] "scanner-1": kind is "scaner"; '
        "expected one of scanner, reader, gate, console (did you mean scanner?)",
    ),
    "a tag that is not hex": (
        ("04DE5F1EACC040", "04DE5F1EACCO40"),
        'court.yaml:15: checkpoints[0] "ramp": tags[0] is "04DE5F1EACCO40"; '
        "expected a UID of 3 to 16 bytes in hex, such as 04DE5F1EACC040",
    ),
    "a checkpoint without a tag": (
        (', tags: ["04DE5F1EACC041"]', ""),
        'court.yaml:16: checkpoints[1] "pump-room": tags is missing; '
        'expected tags: ["04…"] or qr: ["…"], at least one',
    ),
    "a place with three numbers": (
        ("[10, 20.5]", "[10, 20.5, 3]"),
        'court.yaml:15: checkpoints[0] "ramp": at has 3 numbers; expected two: [x, y] on the site drawing',
    ),
    "a place that is nowhere": (
        ("[10, 20.5]", "[.nan, 20.5]"),
        'court.yaml:15: checkpoints[0] "ramp": at[0] is ".nan"; expected a number such as 312 or 88.5',
    ),
    "a thing without a name": (
        (", name: 消防泵房", ""),
        'court.yaml:16: checkpoints[1] "pump-room": name is missing; '
        "expected a name, or a map such as {zh: 东门岗, en: East gate}",
    ),
    "a name in no language": (
        ("{zh: 庭院, en: The Court}", "{}"),
        "court.yaml:2: name is an empty map; expected a name, or a map such as {zh: 东门岗, en: East gate}",
    ),
    "a name that is a list": (
        ("{zh: 庭院, en: The Court}", "[庭院]"),
        "court.yaml:2: name is a list; expected a name, or a map such as {zh: 东门岗, en: East gate}",
    ),
    "a name in an unknown language": (
        ("en: The Court", "English: The Court"),
        'court.yaml:2: name has the key "English"; expected a language such as zh or en',
    ),
    "a blank name": (
        ("en: The Court", 'en: " "'),
        'court.yaml:2: name.en is " "; expected some text',
    ),
}


@pytest.mark.parametrize("what", VALUES)
def test_is_not_taken(what: str) -> None:
    change, complaint = VALUES[what]
    assert complaint in complaints(change)


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    found = complaints(
        ("times: 3", "times: 0"),
        ("Asia/Shanghai", "Mars"),
        ("grace: 5min", "grace: 5"),
        ("route: tour", "route: tuor"),
    )
    assert [line.split(": ")[0] for line in found] == [
        "court.yaml:3",
        "court.yaml:24",
        "court.yaml:27",
        "court.yaml:27",
    ]


def test_one_mistake_gives_one_complaint() -> None:
    renamed = complaints(
        ("{id: ramp", "{id: Ramp!"), ("[ramp, pump", "[Ramp!, pump"), ("[ramp, exit]", "[exit]")
    )
    assert len(renamed) == 2  # at the id, and at the only place that repeats it


def test_a_problem_has_its_place_for_programs_too() -> None:
    with pytest.raises(SiteFileError) as caught:
        parse(COURT.replace("max: 6min", "max: 6"), "court.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.path) == (21, 102, "routes[0].leg.max")
    assert problem.where == 'routes[0] "garage"'


def test_reading_stops_at_a_hundred_problems() -> None:
    text = COURT + "".join(f"key{number}: x\n" for number in range(1000))
    assert len(complaints_of(text)) == 100


def test_a_very_long_value_is_cut_short_in_the_complaint() -> None:
    (complaint,) = complaints(("clause: ", "post: " + "x" * 10_000 + ", clause: "), ("post: patrol-1, ", ""))
    assert complaint.startswith(f'court.yaml:24: duties[0] "hourly": post is "{"x" * 39}…"; expected an id')
