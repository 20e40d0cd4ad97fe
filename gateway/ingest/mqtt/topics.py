"""Topic filters, and the topics that belong to one device."""

from __future__ import annotations

import re

ROOT = "patrol/v1/"
_ID = r"[a-z0-9][a-z0-9_-]{0,31}"
_IDENTITY = re.compile(rf"({_ID})[/:]({_ID})")
_DEVICE_TOPIC = re.compile(rf"{ROOT}({_ID}/{_ID})/.+", re.DOTALL)


def parse_identity(text: str) -> str | None:
    """`{site}/{device}` when `text` is written `site/device` or `site:device`; else None."""
    found = _IDENTITY.fullmatch(text)
    return f"{found[1]}/{found[2]}" if found else None


def device_of(topic: str) -> str | None:
    """`{site}/{device}` that a topic `patrol/v1/{site}/{device}/…` belongs to; else None."""
    found = _DEVICE_TOPIC.fullmatch(topic)
    return found[1] if found else None


def valid_filter(text: str) -> bool:
    """Whether wildcards stand alone in their level, `#` in the last only, and there is anything at all."""
    levels = text.split("/")
    return (
        text != ""
        and all(level in ("#", "+") or not ("#" in level or "+" in level) for level in levels)
        and "#" not in levels[:-1]
    )


def matches(filter_: str, topic: str) -> bool:
    """Whether a valid filter matches a topic name."""
    if filter_ == topic:
        return True
    if topic.startswith("$") and filter_[0] in "#+":
        return False
    wanted = filter_.split("/")
    levels = topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


def is_down_filter(filter_: str) -> bool:
    """Whether a valid filter lies within `patrol/v1/{site}/{device}/down/…`, of one device or of many."""
    levels = filter_.split("/")
    return filter_.startswith(ROOT) and len(levels) > 5 and levels[4] == "down"
