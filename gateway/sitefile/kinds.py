"""The kinds of value in a site file: each reads one text, or says in a `ValueError` what it expects.

YAML's own guesses are not used (22:00 would be the number 1320, `no` would be false, 04123456 an octal
number): a value is what its key asks for, whether it is quoted or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar
from zoneinfo import available_timezones

from gateway.domain.plan import ID_PATTERN

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Kind = Callable[[str], T]
"""Reads one text. An empty text is never valid, so it makes a kind say what it expects."""

UNITS: Final = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
MOST_LISTED: Final = 15
LONGEST_SHOWN: Final = 40

_ID: Final = re.compile(ID_PATTERN)
_DURATION: Final = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})min)?(?:(\d{1,9})s)?", re.ASCII)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,9}(?:\.\d{1,20})?(?:e-?\d{1,2})?", re.ASCII)
_COUNT: Final = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_UID: Final = re.compile(r"(?:[0-9A-F]{2}){3,16}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def text(value: str) -> str:
    """Any text that is not blank."""
    if not value.strip():
        raise ValueError("some text")
    return value


def identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("an id: 1 to 32 of a-z, 0-9, - and _, beginning with a letter or a digit")
    return value


def is_language(value: str) -> bool:
    """Whether a text is a language tag such as `zh` or `en`."""
    return _LANGUAGE.fullmatch(value) is not None


def duration(value: str) -> int:
    """Seconds from `40s`, `6min`, `12h`, `1d`, or several together from the largest: `1h30min`."""
    match = _DURATION.fullmatch(value)
    if not value or not match:
        raise ValueError("a duration such as 40s, 6min, 12h, 1d or 1h30min")
    return sum(int(part or 0) * size for part, size in zip(match.groups(), UNITS.values(), strict=True))


def longer_than_nothing(value: str) -> int:
    """A duration of at least one second, in seconds."""
    seconds = duration(value)
    if seconds < 1:
        raise ValueError("at least 1s")
    return seconds


NEVER: Final = "never"
SHORTEST_SILENCE_S: Final = 120


def silence(value: str) -> int | None:
    """How long a device may be silent, in seconds: two heartbeats at the least; None for `never`."""
    if value == NEVER:
        return None
    seconds = duration(value) if _DURATION.fullmatch(value) and value else 0
    if seconds < SHORTEST_SILENCE_S:
        raise ValueError("a duration of at least 2min, as a heartbeat is due each minute, or never")
    return seconds


def longest_opening(value: str) -> int | None:
    """How long a barrier may stand open, in seconds; None for `never`: nobody is told."""
    if value == NEVER:
        return None
    seconds = duration(value) if _DURATION.fullmatch(value) and value else 0
    if seconds < 1:
        raise ValueError("a duration such as 2min, or never")
    return seconds


def show_duration(seconds: int) -> str:
    """The shortest text in one unit that `duration` reads as `seconds`."""
    for unit, size in UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return "0s"


def time_of_day(value: str) -> int:
    """Minutes after local midnight."""
    match = _TIME.fullmatch(value)
    if not match:
        raise ValueError('a time of day from "00:00" to "23:59"')
    return int(match[1]) * 60 + int(match[2])


def show_time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def number(value: str) -> float:
    if not _NUMBER.fullmatch(value):
        raise ValueError("a number such as 312 or 88.5")
    return float(value)


def count(value: str) -> int:
    if not _COUNT.fullmatch(value):
        raise ValueError("a whole number from 1 to 9999")
    return int(value)


def flag(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("true or false")
    return value == "true"


_MONEY: Final = re.compile(r"(\d{1,7})(?:\.(\d{1,2}))?", re.ASCII)


def money(value: str) -> int:
    """An amount in hundredths of the currency's unit."""
    match = _MONEY.fullmatch(value)
    if not match:
        raise ValueError("an amount such as 5 or 2.50")
    return int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))


def show_money(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)


def signatures(value: str) -> int:
    if value not in tuple("123456789"):
        raise ValueError("a whole number from 1 to 9")
    return int(value)


def is_uid(value: str) -> bool:
    """Whether a tag is a UID in its normal form, not the text of a QR code."""
    return _UID.fullmatch(value) is not None


def uid(value: str) -> str:
    """The normal form of a UID: upper-case hex; colons, dashes, spaces and lower case are taken too."""
    normal = re.sub(r"[\s:-]", "", value).upper()
    if not is_uid(normal):
        raise ValueError("a UID of 3 to 16 bytes in hex, such as 04DE5F1EACC040")
    return normal


def zone(value: str) -> str:
    """An IANA time zone that this machine knows."""
    zones = _zones()
    if value not in zones:
        raise ValueError(f"a time zone such as Asia/Shanghai{did_you_mean(value, zones)}")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def word(words: type[E]) -> Kind[E]:
    """One of the words of an enumeration."""

    def read(value: str) -> E:
        try:
            return words(value)
        except ValueError:
            raise ValueError(f"one of {listed(words)}{did_you_mean(value, words)}") from None

    return read


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, cut short when it is long."""
    known = [str(each) for each in words]
    more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
    return ", ".join(known[:MOST_LISTED]) + more


def did_you_mean(value: str, words: Iterable[str]) -> str:
    """` (did you mean …?)` when one of the words is near, else nothing."""
    near = get_close_matches(value[:64], [str(each) for each in words], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shown(value: str) -> str:
    """A text as it stands in a message: quoted, and cut short when it is long."""
    return f'"{value}"' if len(value) <= LONGEST_SHOWN else f'"{value[: LONGEST_SHOWN - 1]}…"'
