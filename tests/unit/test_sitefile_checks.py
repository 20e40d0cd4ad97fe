"""A site is checked as a whole: what is named exists, once, and what is owed can be done."""

from __future__ import annotations

import pytest

from gateway.sitefile import parse

from .court import COURT, complaints

ROUNDS = 'at: ["20:00", "23:30"], duration: 40min, late: 5min, vary: 9min'
ROLES = "the roles are guard, shift_leader, supervisor, manager"

CASES = {
    "a route that is not there": (
        ("route: garage, post", "route: garag, post"),
        'court.yaml:24: duties[0] "hourly": route "garag" is not defined; the routes are garage, tour '
        "(did you mean garage?)",
    ),
    "a post that is not there": (
        ("post: patrol-1, every", "post: patrol-9, every"),
        'court.yaml:24: duties[0] "hourly": post "patrol-9" is not defined; '
        "the posts are east-gate, patrol-1 (did you mean patrol-1?)",
    ),
    "a called post that is not there": (
        ("posts: all", "posts: [east-gate, west]"),
        'court.yaml:25: duties[1] "radio": post "west" is not defined; the posts are east-gate, patrol-1',
    ),
    "a word for posts that is not all": (
        ("posts: all", "posts: every"),
        'court.yaml:25: duties[1] "radio": posts is "every"; '
        "expected all, or a list of posts such as [east-gate, lobby]",
    ),
    "a role that nobody has": (
        ("by: shift_leader", "by: shift-leader"),
        'court.yaml:27: duties[3] "watch": by "shift-leader" is neither a role '
        "of the site's people nor a person; the roles are guard, shift_leader (did you mean shift_leader?)",
    ),
    "a checkpoint of a route that is not there": (
        ("[ramp, exit]", "[ramp, exot]"),
        'court.yaml:22: routes[1] "tour": checkpoint "exot" is not defined; '
        "the checkpoints are ramp, pump-room, exit (did you mean exit?)",
    ),
    "a post of a device that is not there": (
        ("posts: [patrol-1]", "posts: [patrol]"),
        'court.yaml:19: devices[0] "scanner-1": post "patrol" is not defined; '
        "the posts are east-gate, patrol-1 (did you mean patrol-1?)",
    ),
    "a checkpoint of a reader that is not there": (
        ("kind: scanner, posts: [patrol-1]", "kind: reader, checkpoint: pump-rom"),
        'court.yaml:19: devices[0] "scanner-1": checkpoint "pump-rom" is not defined; '
        "the checkpoints are ramp, pump-room, exit (did you mean pump-room?)",
    ),
    "a scanner that is fixed at a checkpoint": (
        ("kind: scanner, posts: [patrol-1]", "kind: scanner, checkpoint: pump-room"),
        'court.yaml:19: devices[0] "scanner-1": a scanner is not fixed at a checkpoint; '
        "expected kind: reader, or no checkpoint",
    ),
    "a shift to run during that is not there": (
        ("during: night", "during: evening"),
        'court.yaml:25: duties[1] "radio": during "evening" is not defined; '
        "expected always, night or a shift; the shifts are day, late",
    ),
    "an escalation to nobody": (
        ("to: [supervisor]", "to: [guard, supervizor]"),
        f'court.yaml:30: escalation[1]: "supervizor" is neither a role nor a person; {ROLES} '
        "(did you mean supervisor?)",
    ),
    "an escalation that goes back": (
        ("after: 0s", "after: 15min"),
        "court.yaml:30: escalation[1]: after is 10min; expected more than the 15min of the step before",
    ),
    "a proof that a checkpoint of the round can never give": (
        ("post: patrol-1, every", "post: patrol-1, proof: sun, every"),
        'court.yaml:24: duties[0] "hourly": proof is sun, but checkpoint "exit" cannot give it: '
        "it has no tag with a UID of 7 bytes, as NTAG 424 DNA tags have",
    ),
    "a proof by a fixed reader where there is none": (
        ('qr: ["https://tag.example/exit"]', 'tags: ["04DE5F1E"], proof: wired'),
        'court.yaml:17: checkpoints[2] "exit": proof is wired, but '
        "it has no tag that a reader of the site could read",
    ),
    "a proof of what is not walked": (
        ("posts: all", "posts: all, proof: uid"),
        'court.yaml:25: duties[1] "radio": proof does not belong here: '
        "only a round is proved by scans; write kind: round",
    ),
    "one id for two": (
        ("{id: pump-room, name", "{id: ramp, name"),
        'court.yaml:16: checkpoints[1] "ramp": the id "ramp" is given twice, first in line 15',
    ),
    "one tag at two checkpoints": (
        ("04DE5F1EACC041", "04:de:5f:1e:ac:c0:40"),
        'court.yaml:16: checkpoints[1] "pump-room": the tag "04DE5F1EACC040" '
        "already belongs to checkpoint ramp (line 15)",
    ),
    "one tag twice at a checkpoint": (
        ('["04DE5F1EACC041"]', '["04DE5F1EACC041"], qr: [x, x]'),
        'court.yaml:16: checkpoints[1] "pump-room": the tag "x" '
        "already belongs to checkpoint pump-room (line 16)",
    ),
    "one card for two people": (
        ("王建国, role", '王建国, card: "04 A1 B2 C3 D4 E5 F6", role'),
        'court.yaml:10: people[1] "wang": the card "04A1B2C3D4E5F6" already belongs to person li (line 9)',
    ),
    "a card that is a checkpoint's tag": (
        ("王建国, role", '王建国, card: "04DE5F1EACC040", role'),
        'court.yaml:10: people[1] "wang": the card "04DE5F1EACC040" '
        "already belongs to checkpoint ramp (line 15)",
    ),
    "a shift whose id means something else": (
        ("{id: late, from", "{id: always, from"),
        'court.yaml:7: shifts[1] "always": the id always has its own meaning in during; choose another',
    ),
    "a shortest leg longer than the longest": (
        ("min: 40s", "min: 7min"),
        'court.yaml:21: routes[0] "garage": the leg\'s min 7min is longer than its max 6min',
    ),
    "a strict route that stands still": (
        ("[ramp, pump-room, exit]", "[ramp, pump-room, pump-room, exit]"),
        'court.yaml:21: routes[0] "garage": checkpoint "pump-room" follows itself',
    ),
    "a free route that names a checkpoint twice": (
        ("[ramp, exit]", "[ramp, exit, ramp]"),
        'court.yaml:22: routes[1] "tour": checkpoint "ramp" is given twice; '
        "in free order each is visited once",
    ),
    "a route without checkpoints": (
        ("checkpoints: [ramp, exit]", "checkpoints: []"),
        'court.yaml:22: routes[1] "tour": checkpoints is an empty list; expected a list, each an id: '
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit",
    ),
    "a route that does not say its checkpoints": (
        (", checkpoints: [ramp, exit]", ""),
        'court.yaml:22: routes[1] "tour": checkpoints is missing; expected a list, each an id: '
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit",
    ),
    "a leg that the route does not walk": (
        ("max: 6min}", "max: 6min}, legs: [{from: ramp, to: exit, max: 9min}]"),
        'court.yaml:21: routes[0] "garage": the leg ramp – exit is not part of this route',
    ),
    "a leg given in both directions": (
        (
            "max: 6min}",
            "max: 6min}, legs: [{from: ramp, to: pump-room, min: 9s}, {from: pump-room, to: ramp, min: 8s}]",
        ),
        'court.yaml:21: routes[0] "garage": the leg pump-room – ramp is given twice; '
        "give it once, for both directions",
    ),
    "a leg that says nothing": (
        ("max: 6min}", "max: 6min}, legs: [{from: ramp, to: pump-room}]"),
        'court.yaml:21: routes[0] "garage": the leg ramp – pump-room has neither min nor max; '
        "expected one or both",
    ),
    "a round that cannot be walked in its gap": (
        ("every: 60min, grace: 5min", "every: 1min, grace: 19s"),
        'court.yaml:24: duties[0] "hourly": route "garage" takes at least 80s at its shortest legs, '
        "longer than the 79s that every allows",
    ),
    "a round that cannot be walked in its duration": (
        ("duration: 40min", "duration: 1min"),
        'court.yaml:26: duties[2] "rounds": route "garage" takes at least 80s at its shortest legs, '
        "longer than the 1min that duration allows",
    ),
    "a round that has no time at all": (
        ("duration: 40min, late: 5min, ", ""),
        'court.yaml:26: duties[2] "rounds": route "garage" takes at least 80s at its shortest legs, '
        "longer than the 0s that at allows",
    ),
    "a round that cannot be walked in its period": (
        (
            "[ramp, exit]}",
            "[ramp, exit], leg: {min: 6h1s}}",
        ),
        'court.yaml:27: duties[3] "watch": route "tour" takes at least 21601s at its shortest legs, '
        "longer than the 6h that per allows",
    ),
    "windows that overlap": (
        ('["20:00", "23:30"]', '["20:00", "21:02", "23:30"]'),
        'court.yaml:26: duties[2] "rounds": the windows of 20:00 and 21:02 overlap: '
        "each takes 63min with duration, early, late and vary on both sides",
    ),
    "windows that overlap across midnight": (
        ('["20:00", "23:30"]', '["00:15", "23:30"]'),
        'court.yaml:26: duties[2] "rounds": the windows of 23:30 and 00:15 overlap: '
        "each takes 63min with duration, early, late and vary on both sides",
    ),
    "one time given twice": (
        (ROUNDS, "at: [20:00, 20:00], late: 0s, route: tour, kind: radio_check"),
        'court.yaml:26: duties[2] "rounds": the windows of 20:00 and 20:00 overlap: '
        "each takes 0s with duration, early, late and vary on both sides",
    ),
    "a radio check with a route": (
        ("posts: all", "posts: all, route: tour"),
        'court.yaml:25: duties[1] "radio": route does not belong here: '
        "a radio check has no route; it has posts: all, or a list of their ids",
    ),
    "a radio check with a post": (
        ("posts: all", "post: east-gate"),
        'court.yaml:25: duties[1] "radio": post does not belong here: '
        "a radio check calls posts; write posts: and a list of their ids",
    ),
    "a radio check without posts": (
        ("posts: all, ", ""),
        'court.yaml:25: duties[1] "radio": posts is missing; '
        "a radio check calls posts; expected posts: all, or a list of their ids",
    ),
    "a round without a route": (
        ("route: tour, ", ""),
        'court.yaml:27: duties[3] "watch": route is missing; '
        "a round walks a route; expected route: and its id",
    ),
    "a round with posts": (
        ("route: tour", "route: tour, posts: [east-gate]"),
        'court.yaml:27: duties[3] "watch": posts does not belong here: '
        "a round is walked by one post; write post: and its id",
    ),
    "two cadences": (
        ("times: 3", "times: 3, every: 1h"),
        'court.yaml:27: duties[3] "watch": every and times are given together; '
        "expected one of at, every, times",
    ),
    "no cadence": (
        ('times: 3, per: {from: "00:00", to: "06:00"}', "figure: often"),
        'court.yaml:27: duties[3] "watch": how often it is owed is missing; expected one of at, every, times',
    ),
    "a key of another cadence": (
        ("grace: 5min", "late: 5min"),
        'court.yaml:24: duties[0] "hourly": late goes with at, not with every',
    ),
    "a key of two other cadences": (
        ("grace: 5min", "vary: 5min"),
        'court.yaml:24: duties[0] "hourly": vary goes with at or times, not with every',
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_is_found(what: str) -> None:
    change, complaint = CASES[what]
    assert complaint in complaints(change)


def test_the_court_itself_is_right() -> None:
    assert complaints() == []


def test_a_count_per_shift_needs_shifts() -> None:
    shifts = (
        'shifts:\n  - {id: day, from: "07:00", to: "19:00"}\n'
        '  - {id: late, from: "19:00", to: "07:00", name: 夜班}\n',
        "",
    )
    assert complaints(shifts, ('per: {from: "00:00", to: "06:00"}', "per: shift")) == [
        'court.yaml:24: duties[3] "watch": per is shift, but the site has no shifts'
    ]


def test_all_posts_needs_posts() -> None:
    found = complaints(
        ("posts:\n  - {id: east-gate, name: 东门岗, kind: gate}\n", ""),
        ("  - {id: patrol-1, name: 巡逻一岗, kind: patrol}\n", ""),
        ("posts: [patrol-1]", "name: 巡更棒"),
        ("post: patrol-1, ", ""),
    )
    assert found == ['court.yaml:22: duties[1] "radio": posts is all, but the site has no posts']


def test_in_a_site_without_routes_the_complaint_says_so() -> None:
    text = "routes:\n  - {id: garage, name: 车库, order: strict, checkpoints: [ramp, pump-room, exit], leg: {min: 40s, max: 6min}}\n"  # noqa: E501
    found = complaints(
        (text, ""), ("  - {id: tour, name: 查岗, order: free, checkpoints: [ramp, exit]}\n", "")
    )
    assert 'court.yaml:21: duties[0] "hourly": route "garage" is not defined; there are no routes' in found


def test_windows_that_only_touch_are_apart() -> None:
    assert complaints(('["20:00", "23:30"]', '["20:00", "21:03"]')) == []


def test_a_round_that_just_fits_is_right() -> None:
    assert complaints(("every: 60min, grace: 5min", "every: 1min, grace: 20s")) == []


def test_a_strict_route_may_come_back_to_where_it_began() -> None:
    assert complaints(("[ramp, pump-room, exit]", "[ramp, pump-room, exit, ramp]")) == []


def test_an_alert_may_go_to_a_role_of_the_site_and_to_a_person() -> None:
    assert complaints(("to: [supervisor]", "to: [wang, manager]")) == []


# -- records


def record_duty(keys: str) -> list[str]:
    return complaints(("duties:\n", f"duties:\n  - {{id: check, kind: record, {keys}}}\n"))


def test_a_right_record_is_taken_and_its_form_is_its_id() -> None:
    text = COURT.replace(
        "duties:\n", "duties:\n  - {id: check, kind: record, posts: all, times: 1, per: day}\n"
    )
    duty = parse(text, "court.yaml").duties[0]
    assert (duty.form, duty.signatures, duty.posts) == ("check", 1, ("east-gate", "patrol-1"))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("route: garage, times: 1, per: day", "route does not belong here: a record is signed, not walked"),
        ("post: patrol-1, times: 1, per: day", "post does not belong here: a record is owed by posts"),
        ("signatures: 0, times: 1, per: day", 'signatures is "0"; expected a whole number from 1 to 9'),
        ("signatures: 3, times: 1, per: day", "2 of the site's people may sign this; expected 3 or more"),
        ("by: guard, signatures: 2, times: 1, per: day", "1 of the site's people may sign this"),
        ("times: 3, per: hour, apart: 31min", "3 times apart take 62min, longer than the period"),
        ("every: 1h, apart: 31min", "apart goes with times, not with every"),
    ],
)
def test_a_record_that_cannot_be_owed_is_refused(keys: str, complaint: str) -> None:
    (found,) = record_duty(keys)
    assert complaint in found


def test_only_a_record_is_signed() -> None:
    found = complaints(("kind: radio_check,", "kind: radio_check, form: x, signatures: 2,"))
    assert [line.split(": ", 2)[2] for line in found] == [
        "form does not belong here: only a record has a form; write kind: record",
        "signatures does not belong here: only a record is signed; write kind: record",
    ]
