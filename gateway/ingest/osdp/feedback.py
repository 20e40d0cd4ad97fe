"""What a guard is shown at an OSDP reader: the commands to its light and its buzzer. Times in units of 100 ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import osdp


class Feedback(StrEnum):
    """What became of a tap."""

    ACCEPTED = "accepted"
    """It is stored, and the gateway knows the tag: green, one beep."""
    REFUSED = "refused"
    """Wrong point: the tag is not known here, or could not be read: red, three beeps."""


def _light(color: int, on: int, off: int, length: int) -> dict[str, Any]:
    return {
        "command": osdp.Command.LED,
        "reader": 0,
        "led_number": 0,
        "temporary": True,
        "control_code": 2,  # set it, and start the timer
        "on_color": color,
        "off_color": osdp.CommandLEDColor.Black,
        "on_count": on,
        "off_count": off,
        "timer_count": length,
    }


def _beeps(count: int) -> dict[str, Any]:
    return {
        "command": osdp.Command.Buzzer,
        "reader": 0,
        "control_code": 2,  # the default tone
        "on_count": 2,
        "off_count": 2,
        "rep_count": count,
    }


_LED, _SOUND = osdp.Capability.LEDControl, osdp.Capability.AudibleControl

FEEDBACK: Final[Mapping[Feedback, Sequence[tuple[int, Mapping[str, Any]]]]] = {
    Feedback.ACCEPTED: [
        (_LED, _light(osdp.CommandLEDColor.Green, 15, 0, 15)),
        (_SOUND, _beeps(1)),
    ],
    Feedback.REFUSED: [
        (_LED, _light(osdp.CommandLEDColor.Red, 3, 2, 15)),
        (_SOUND, _beeps(3)),
    ],
}
"""For each, the capability that a reader must have, and the command."""
