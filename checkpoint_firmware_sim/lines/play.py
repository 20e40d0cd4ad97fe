"""A script for one line: who taps when, and what goes wrong with the cable.

Each row of a script is `SECONDS WORD [ARGUMENT]`: wait so long after the row before, then do it.

    1.5 tap 67003BA867      a tag is held to the reader
    0.4 lift                … and taken away
    2   noise 40            40 bytes of anything
    0   split on            everything comes in small pieces (off: no more)
    1   silence 3           for 3 s nothing arrives
    5   unplug              the adapter is pulled out
    3   plug                … and put in again
    1   reboot              the reader's power goes and comes back
    9   undock              a handheld is taken along
    600 dock                … and put back
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checkpoint_firmware_sim.lines.line import Line
from checkpoint_firmware_sim.lines.m100 import M100
from checkpoint_firmware_sim.lines.pn532 import Pn532
from checkpoint_firmware_sim.lines.talkers import Em4100, IButton, Wiegand26
from checkpoint_firmware_sim.lines.twin import SerialTwin
from checkpoint_firmware_sim.lines.wiclax import Wiclax

_TURN_S: Final = 0.005
_WORDS = {"tap": 1, "lift": 0, "noise": 1, "split": 1, "silence": 1, "unplug": 0, "plug": 0}
_WORDS |= {"reboot": 0, "undock": 0, "dock": 0}

PROTOCOLS: Final = ("em4100", "ibutton", "m100", "pn532", "wiclax", "wiegand26")


def make_twin(protocol: str, local: Callable[[], datetime]) -> SerialTwin:
    """The reader of a protocol; `local` is the time at its place, for one that has a clock."""
    if protocol == "wiclax":
        return Wiclax(local)
    makers: dict[str, Callable[[], SerialTwin]] = {
        "em4100": Em4100,
        "ibutton": IButton,
        "m100": M100,
        "pn532": Pn532,
        "wiegand26": Wiegand26,
    }
    return makers[protocol]()


@dataclass(frozen=True)
class Act:
    """One row of a script."""

    after_s: float
    word: str
    argument: str = ""


def parse(row: str) -> Act | None:
    """A row; None for an empty one or a comment (#). Raises ValueError that says what is wrong."""
    words = row.partition("#")[0].split()
    if not words:
        return None
    try:
        after = float(words[0])
    except ValueError:
        raise ValueError(f"{row.strip()!r} does not begin with seconds") from None
    word, arguments = words[1] if len(words) > 1 else "", words[2:]
    if word not in _WORDS:
        raise ValueError(f"{word!r} is none of {', '.join(_WORDS)}")
    if len(arguments) != _WORDS[word] or not 0 <= after < 1e6:
        raise ValueError(f"{row.strip()!r}: {word} takes {_WORDS[word]} argument(s), after 0 or more seconds")
    if word in ("noise", "silence") and not arguments[0].isdecimal():
        raise ValueError(f"{word} takes a number")
    if word == "split" and arguments[0] not in ("on", "off"):
        raise ValueError("split takes on or off")
    return Act(after, word, *arguments)


def do(act: Act, line: Line, now: float) -> None:
    """Carry out one act. Raises ValueError where this reader cannot."""
    match act.word:
        case "tap":
            line.tap(act.argument)
        case "noise":
            line.noise(int(act.argument))
        case "split":
            line.splits = act.argument == "on"
        case "silence":
            line.silence(now + float(act.argument))
        case "dock" | "undock":
            if not isinstance(line.twin, Wiclax):
                raise ValueError("only a handheld has a dock")
            (line.twin.dock if act.word == "dock" else line.twin.undock)()
        case _:
            {"lift": line.lift, "unplug": line.unplug, "plug": line.plug, "reboot": line.reboot}[act.word]()


def play(line: Line, acts: Iterator[Act | None] | None, stopped: Callable[[], bool]) -> None:
    """Play until the acts are at their end, or until it is stopped. An act None: none is known yet."""
    last = time.monotonic()
    waiting: Act | None = None
    while not stopped():
        now = time.monotonic()
        if acts is not None and waiting is None:
            try:
                waiting = next(acts)
            except StopIteration:
                return
        if waiting is not None and now >= last + waiting.after_s:
            do(waiting, line, now)
            last, waiting = now, None
        line.turn(now)
        line.wait(_TURN_S)
