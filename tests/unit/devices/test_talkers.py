"""Readers that only talk, from the twin to the reading."""

from __future__ import annotations

from checkpoint_firmware_sim.lines.talkers import Em4100, IButton, Wiegand26
from gateway.ingest.devices import em4100, ibutton, wiegand26
from tests.unit.devices.bench import Bench, noises, tags


def test_a_card_that_is_held_is_told_over_and_over() -> None:
    for twin in (Em4100(), Em4100(crlf=True)):
        line = Bench(em4100.listen({}), twin)
        line.hear(twin.tap("67003BA867"))
        line.run(0.5)
        twin.lift()
        assert set(tags(line.heard)) == {"67003BA867"}
        assert len(tags(line.heard)) > 3
        assert line.run(5) == []


def test_a_card_at_a_wiegand_bridge_is_told_once() -> None:
    line = Bench(wiegand26.listen({}), Wiegand26())
    for card in ("44A24F", "000000", "FFFFFF", "44F2DA"):
        line.hear(line.twin.tap(card))
    assert tags(line.heard) == ["44A24F", "000000", "FFFFFF", "44F2DA"]


def test_an_ibutton_is_told_once() -> None:
    line = Bench(ibutton.listen({}), IButton())
    line.hear(line.twin.tap("01C68011010000C7"))
    assert tags(line.heard) == ["01C68011010000C7"]


def test_half_a_frame_is_noise_after_a_second_of_silence() -> None:
    line = Bench(em4100.listen({}), Em4100())
    line.hear(b"\x0267003B")
    assert noises(line.run(0.9)) == []
    assert noises(line.run(0.2)) == ["truncated"]
    line.hear(line.twin.tap("67003BA867"))
    assert tags(line.heard) == ["67003BA867"]
