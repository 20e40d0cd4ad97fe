"""Serial lines that come and go, over real pseudo-terminals, in the whole service."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping

import httpx
import pytest

from gateway import sitefile
from gateway.ingest.linked import LineLink
from gateway.ingest.serial import voice
from gateway.ingest.serial.bus import BUSES
from gateway.ingest.serial.health import LineHealth, LineState
from gateway.ingest.serial.port import Port
from gateway.ingest.serial.voice import Voice
from gateway.service import Service
from gateway.store.port import FactRow
from gateway.web.server import WebServer
from tests.integration.lines.conftest import FILE, SITE, Run
from tests.integration.lines.wall import Reader
from tests.integration.service.yard import SHED, WELL, until

Readers = tuple[Reader, Reader]


async def scans(service: Service, count: int) -> list[FactRow]:
    """Wait until so many scans are stored."""
    found: list[FactRow] = []

    async def there() -> bool:
        found[:] = [row for _, row in await service.store.facts("yard", 0, 2**53, type="scan")]
        return len(found) >= count

    await until(there)
    assert len(found) == count
    return found


def health(service: Service, line: int = 0) -> LineHealth:
    return service.line_health[line]


async def is_open(service: Service, line: int = 0, opened: int = 1) -> None:
    await until(lambda: health(service, line).opened >= opened and health(service, line).state == "open")


async def test_a_tag_at_a_reader_becomes_a_fact_with_its_frame(run: Run, readers: Readers) -> None:
    readers[0].plug()
    async with run() as service:
        await is_open(service)
        readers[0].show(SHED)
        (scan,) = await scans(service, 1)
        record = json.loads(scan.body)
        assert (scan.device, record["tag"], record["via"]) == ("reader-1", SHED, "lines")
        assert bytes.fromhex(record["frame"]) == b"T" + SHED.encode()
        door = service.engine.desks["yard"].doors.by_device["reader-1"]
        assert door.health.online is True
        await until(lambda: door.hearing.heard_until > 0)


async def test_a_line_that_is_not_there_yet_is_waited_for(run: Run, readers: Readers) -> None:
    async with run() as service:
        await until(lambda: health(service).problem == "no_such_port")
        door = service.engine.desks["yard"].doors.by_device["reader-1"]
        await until(lambda: door.health.online is False)
        readers[0].plug()
        await is_open(service)
        readers[0].show(SHED)
        await scans(service, 1)
        await until(lambda: door.health.online is True)


@pytest.mark.parametrize(
    "moves", [False, True], ids=["pulled out", "moved while the old port is still there"]
)
async def test_a_line_resumes_under_another_name(run: Run, readers: Readers, moves: bool) -> None:
    readers[0].plug()
    async with run() as service:
        await is_open(service)
        readers[0].show(SHED)
        await scans(service, 1)
        first = readers[0].link.resolve()
        if moves:
            readers[0].move()
        else:
            elsewhere = Reader(readers[0].link.parent, "elsewhere")
            elsewhere.plug()  # while the first name is taken, so that this is another
            readers[0].pull()
            door = service.engine.desks["yard"].doors.by_device["reader-1"]
            await until(lambda: door.health.online is False)
            readers[0].plug_in_at(elsewhere)
        assert readers[0].link.resolve() != first
        await is_open(service, opened=2)
        readers[0].show(WELL)
        assert [json.loads(row.body)["tag"] for row in await scans(service, 2)] == [SHED, WELL]
        assert (health(service).faults, health(service).reopenings) == (1, 1)


async def test_a_tag_that_is_held_is_one_tap_also_when_the_line_is_lost_meanwhile(
    run: Run, readers: Readers
) -> None:
    readers[0].plug()
    async with run(FILE.replace('protocol = "lines"', 'protocol = "lines"\ndebounce = "1h"')) as service:
        await is_open(service)
        readers[0].show(*[SHED] * 20)
        await until(lambda: health(service).held == 19)
        readers[0].pull()
        await until(lambda: health(service).state is LineState.CLOSED)
        readers[0].plug()
        await is_open(service, opened=2)
        readers[0].show(SHED, WELL)
        await until(lambda: health(service).frames == 22)
        assert [json.loads(row.body)["tag"] for row in await scans(service, 2)] == [SHED, WELL]
        assert health(service).held == 20


async def test_noise_is_counted_and_some_of_it_kept(run: Run, readers: Readers) -> None:
    readers[0].plug()
    async with run() as service:
        await is_open(service)
        readers[0].say(b"".join(b"#junk %d\n" % n for n in range(50)) + b"T" + SHED.encode() + b"\n")
        await scans(service, 1)
        assert health(service).noise == {"garbage": 50}
        assert health(service).noise_kept == 10

        async def kept() -> bool:
            return (await service.store.quarantine_counts()).get("garbage") == 10

        await until(kept)
        newest = (await service.store.quarantine("garbage"))[0]
        assert (newest.site, newest.device, newest.payload) == ("yard", "reader-1", b"#junk 9")


async def test_a_decoder_that_fails_stops_neither_its_line_nor_another(
    run: Run, readers: Readers, caplog: pytest.LogCaptureFixture
) -> None:
    for each in readers:
        each.plug()
    async with run() as service:
        await is_open(service, 0)
        await is_open(service, 1)
        readers[0].say(b"!bang\n")
        readers[1].show(SHED)
        await scans(service, 1)
        await is_open(service, 0, opened=2)
        readers[0].show(WELL)
        await scans(service, 2)
        assert health(service, 0).noise == {"handler_failed": 1}
        assert health(service, 1).faults == 0
        assert caplog.text.count("its handler failed") == 1

        async def kept() -> bool:
            entries = await service.store.quarantine("handler_failed")
            return [entry.payload for entry in entries] == [b"!bang\n"]

        await until(kept)


async def test_a_flood_delays_nobody(run: Run, readers: Readers) -> None:
    """While one reader talks without a pause, each scan of the other is taken in within a few turns of the loop."""
    for each in readers:
        each.plug()
    async with run() as service:
        await is_open(service, 0)
        await is_open(service, 1)
        frame = b"T" + WELL.encode() + b"\n"
        flood = asyncio.create_task(readers[0].flood(itertools.repeat(frame)))
        await until(lambda: health(service, 0).frames > 1000)
        turns = []
        for n in range(20):
            before = health(service, 1).frames
            readers[1].show(f"04DE5F1EACC1{n:02}")
            for turn in range(1000):
                if health(service, 1).frames > before:
                    turns.append(turn)
                    break
                await asyncio.sleep(0)
        assert len(turns) == 20

        async def committed() -> bool:
            return (await service.store.quarantine_counts()).get("unknown_tag") == 20

        await until(committed)
        assert not flood.done()
        flood.cancel()
        assert max(turns) <= 50
        assert health(service, 0).frames > 1000
        assert health(service, 0).held >= health(service, 0).frames - 10
        (tap,) = await scans(service, 1)  # of the whole flood
        assert tap.device == "reader-1"


async def test_when_more_has_come_in_than_can_be_stored_the_line_waits(run: Run, readers: Readers) -> None:
    readers[0].plug()
    async with run() as service:
        await is_open(service)
        bridge = service.lines._lines[0]._voices[0]._bridge  # type: ignore[union-attr]
        bridge.pause()
        # One read may be under way; then nothing more is read, and the line has no more room.
        flood = asyncio.create_task(readers[0].flood(itertools.repeat(b"T" + SHED.encode() + b"\n", 2000)))
        for _ in range(1000):
            await asyncio.sleep(0)
        frames = health(service).frames
        assert frames <= 512 // len(SHED)
        assert not flood.done()
        bridge.resume()
        await flood
        await until(lambda: health(service).frames == 2000)
        await scans(service, 1)


async def test_a_reader_that_is_asked_and_does_not_answer_is_not_there(
    run: Run, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "ANSWERS_WITHIN_S", 0.5)
    readers[0].plug()
    async with run(FILE.replace('"lines"', '"polled"', 1)) as service:
        door = service.engine.desks["yard"].doors.by_device["reader-1"]
        await until(lambda: readers[0].asked() != b"")
        await until(lambda: health(service).state is LineState.SILENT)
        await until(lambda: door.health.online is False)
        assert door.hearing.heard_until <= 0
        assert not await service.store.quarantine("unanswered")

        def answers() -> bool:
            if readers[0].asked():
                readers[0].say(b"here\n")
            return health(service).state is LineState.OPEN

        await until(answers)
        await until(lambda: door.health.online is True)
        await until(lambda: door.hearing.heard_until > 0)


async def test_a_device_that_the_plan_gets_later_is_healed_by_it(
    run: Run, readers: Readers, caplog: pytest.LogCaptureFixture
) -> None:
    readers[0].plug()
    without = SITE.replace("  - {id: reader-1, kind: reader}\n", "")
    async with run(site=without) as service:
        assert "the plan of 'yard' has no device 'reader-1'" in caplog.text
        await is_open(service)
        readers[0].show(SHED)

        async def refused() -> bool:
            return await service.store.quarantine_counts() == {"unknown_device": 1}

        await until(refused)
        now = service.clock.now()
        plan = sitefile.parse(SITE, "yard.yaml", version=2, holds_from=now)
        await service.engine.adopt_plan(plan, SITE)
        door = service.engine.desks["yard"].doors.by_device["reader-1"]
        await until(lambda: door.health.online is True and door.hearing.heard_until > 0)
        assert await service.engine.replay_quarantine("unknown_device") == (1, 0)
        await scans(service, 1)


async def test_the_reader_at_a_checkpoint_says_who_was_there(run: Run, readers: Readers) -> None:
    readers[0].plug()
    async with run(FILE.replace('device = "reader-1"', 'device = "reader-3"')) as service:
        await is_open(service)
        readers[0].show("0102030405", "01020304FF")
        (scan,) = await scans(service, 1)
        record = json.loads(scan.body)
        assert (record["guard"], "tag" in record) == ("0102030405", False)

        async def refused() -> bool:
            return await service.store.quarantine_counts() == {"unknown_card": 1}

        await until(refused)
        (track,) = [each for each in service.engine.desks["yard"].watch.tracks() if each.duty.id == "hourly"]
        evidence = [fact.id for owed in track.items for fact in owed.evidence or ()]
        assert evidence == [f"reader-3/{scan.boot}/{scan.seq}"]


async def test_a_restart_takes_up_every_line_again(run: Run, readers: Readers) -> None:
    for each in readers:
        each.plug()
    async with run() as service:
        await is_open(service, 0)
        readers[0].show(SHED)
        await scans(service, 1)
    async with run() as service:
        await is_open(service, 0)
        await is_open(service, 1)
        readers[1].show(WELL)
        first, second = await scans(service, 2)
        assert first.boot != second.boot
        doors = service.engine.desks["yard"].doors.by_device
        await until(lambda: doors["reader-2"].health.online is True)
        assert not await service.store.quarantine_counts()


BUS = """\
[[line]]
port = "{folder}/reader-1"
protocol = "toybus"
[[line.device]]
address = 1
site = "yard"
device = "reader-1"
[[line.device]]
address = 2
site = "yard"
device = "reader-2"
"""


async def run_toybus(link: LineLink, voices: Mapping[int, Voice], health: LineHealth) -> None:
    """Each byte on this bus is the address of a device to which a tag was shown; `!` breaks the master."""
    port = await Port.open(link.port, 9600)
    try:
        health.is_open(1)
        for each in voices.values():
            each.present(True)
        while True:
            for byte in await port.read(1.0):
                if byte == ord("!"):
                    raise RuntimeError("the master failed")
                tag = f"04DE5F1EACC04{byte % 2}"
                voices[byte].report({"type": "scan", "tag": tag})
    finally:
        await port.close()


async def test_on_a_bus_each_device_speaks_for_itself_and_its_master_is_started_again(
    run: Run, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUSES, "toybus", run_toybus)
    readers[0].plug()
    async with run(BUS) as service:
        await is_open(service)
        readers[0].say(b"\x01")
        await scans(service, 1)
        readers[0].say(b"!")
        await is_open(service, opened=2)
        readers[0].say(b"\x02")
        assert {row.device for row in await scans(service, 2)} == {"reader-1", "reader-2"}
        assert health(service).noise == {"handler_failed": 2}


async def test_how_the_lines_are_is_told_by_board_health_and_metrics(run: Run, readers: Readers) -> None:
    readers[0].plug()
    async with run() as service:
        await is_open(service)
        readers[0].say(b"#junk\n")
        readers[0].show(SHED)
        await scans(service, 1)
        web = WebServer(service, "127.0.0.1", 0)
        await web.start()
        try:
            async with httpx.AsyncClient(base_url=web.url) as http:
                told = (await http.get("/api/health")).json()
                board = (await http.get("/api/sites/yard/board")).json()
                metrics = (await http.get("/metrics")).text
        finally:
            await web.close()
    first, second = told["lines"]
    assert told["status"] == "ok"
    assert (first["devices"], first["state"], first["frames"]) == (["yard/reader-1"], "open", 1)
    assert (first["noise"], first["noise_kept"], first["problem"]) == ({"garbage": 1}, 1, None)
    assert (second["state"], second["problem"]) == ("closed", "no_such_port")
    assert "No such file" in second["detail"]
    lines = {device["device"]: device["line"] for device in board["devices"]}
    assert lines["scanner-1"] is None
    assert (lines["reader-1"]["noise"], lines["reader-2"]["state"]) == ({"garbage": 1}, "closed")
    port = readers[0].link
    assert f'patrol_line_open{{line="{port}"}} 1.0' in metrics
    assert f'patrol_line_noise_total{{line="{port}",reason="garbage"}} 1.0' in metrics
    assert f'patrol_line_open{{line="{readers[1].link}"}} 0.0' in metrics
