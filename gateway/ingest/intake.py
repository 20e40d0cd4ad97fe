"""The intake: from what transports deliver to facts, and to the quarantine for what cannot become one.

It does no I/O. It knows each topic's door, takes each record in once, and fills in the commit that will hold it. A
record whose commit fails is still noted as stored here, so whoever commits must keep trying or start afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.domain.facts import AnyFact, Status
from gateway.ingest.delivery import NOTHING, Delivery
from gateway.ingest.devices import sun
from gateway.ingest.doors import Door, SiteDoors
from gateway.ingest.event_time import NOTHING_KNOWN, TimeUnknownError
from gateway.ingest.records import (
    Record,
    RefusedError,
    ScanRecord,
    StatusRecord,
    decode,
    identity,
    split,
    tap_text,
    to_fact,
)
from gateway.ingest.tag_keys import KeyRing
from gateway.instants import from_datetime
from gateway.store.port import Commit, FactRow, RefusedRow, StateRow

PREFIX: Final = "patrol/v1/"
_CACHED_TOPICS: Final = 200_000
_decode_state: Final = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(slots=True)
class Taken:
    """What one batch of deliveries came to."""

    commit: Commit
    facts: dict[str, list[AnyFact]] = field(default_factory=dict)
    doors: dict[tuple[Door, str], None] = field(default_factory=dict)
    """(door, boot) that got records and are to be acknowledged, in the order in which they came in."""
    touched: set[str] = field(default_factory=set)  # sites with something new to show
    states: list[StateRow] = field(default_factory=list)  # of devices that came or went


class Intake:
    """The doors of all sites."""

    def __init__(self, sites: Callable[[str], SiteDoors | None], tag_keys: KeyRing | None = None) -> None:
        self._sites = sites
        self._tag_keys = tag_keys if tag_keys is not None else KeyRing()
        self._keys_of: dict[str, KeyRing] = {}  # by site
        self._topics: dict[str, tuple[Door, str] | RefusedError] = {}
        self.counts: Counter[str] = Counter()
        """`facts`, `duplicates`, `states`, and `refused.<reason>`, since the start."""

    def plans_changed(self) -> None:
        """Doors may have come or gone."""
        self._topics.clear()

    def take(self, deliveries: list[Delivery], commit: Commit) -> Taken:
        """Turn deliveries into facts in `commit`; nothing of them is lost."""
        taken = Taken(commit)
        for delivery in deliveries:
            if delivery.topic == NOTHING:
                continue
            if delivery.wrong is not None:
                self._take_noise(taken, delivery, delivery.wrong)
                continue
            found = self._topics.get(delivery.topic) or self._find(delivery.topic)
            if isinstance(found, RefusedError):
                self._refuse(taken, delivery, delivery.payload, found, None)
                continue
            door, what = found
            speaker = delivery.played or delivery.link.speaks_for
            if speaker is not None and speaker != door.name:
                error = RefusedError("foreign_topic", f"{speaker} may not publish for {door.name}")
                self._refuse(taken, delivery, delivery.payload, error, None)
            elif what == "up":
                self._take_records(taken, delivery, door)
            else:
                self._take_state(taken, delivery, door)
        return taken

    def take_again(
        self, topic: str, payload: bytes, received_at: int, taken: Taken, *, noted: bool = False
    ) -> bool:
        """Try a refused message once more; True when its records became facts or are facts already.

        `noted`: it is one record, and its number was noted as stored when it was refused.
        """
        found = self._topics.get(topic) or self._find(topic)
        if isinstance(found, RefusedError):
            return False
        door, what = found
        if what != "up":
            return False
        try:
            records = [(raw, decode(raw)) for raw in split(payload)]
            facts = [
                (raw, record, *self._to_fact(record, door, received_at, record.sent_boot or door.boot))
                for raw, record in records
            ]
        except RefusedError:
            return False
        for raw, record, fact, tap in facts:
            # What came in again in the meantime is a fact already, or waits in an entry of its own.
            if door.note(record.boot, record.seq) or noted:
                self._keep(taken, door, raw, record, fact, tap)
        return True

    def _find(self, topic: str) -> tuple[Door, str] | RefusedError:
        if len(self._topics) >= _CACHED_TOPICS:
            self._topics.clear()
        self._topics[topic] = found = self._resolve(topic)
        return found

    def _resolve(self, topic: str) -> tuple[Door, str] | RefusedError:
        parts = topic.split("/")
        if not topic.startswith(PREFIX) or len(parts) != 5 or parts[4] not in ("up", "state"):
            return RefusedError(
                "unknown_topic", "devices publish on patrol/v1/{site}/{device}/up and …/state"
            )
        doors = self._sites(parts[2])
        if doors is None:
            return RefusedError("unknown_site", f"no site {parts[2]!r} is set up here")
        door = doors.by_device.get(parts[3])
        if door is None:
            return RefusedError("unknown_device", f"site {parts[2]!r} has no device {parts[3]!r}")
        return door, parts[4]

    def _take_records(self, taken: Taken, delivery: Delivery, door: Door) -> None:
        try:
            raws = split(delivery.payload)
        except RefusedError as error:
            self._refuse(taken, delivery, delivery.payload, error, door)
            return
        records: list[tuple[bytes, Record | RefusedError]] = []
        for raw in raws:
            try:
                records.append((raw, decode(raw)))
            except RefusedError as error:
                records.append((raw, error))
        sender = _sending_boot(door, records)
        self._hear_clock(door, records[-1][1], delivery.received_at, sender)
        for raw, record in records:
            if isinstance(record, RefusedError):
                self._refuse(taken, delivery, raw, record, door)
                continue
            if not door.note(record.boot, record.seq):
                self.counts["duplicates"] += 1
                # The device did not hear the last acknowledgement: tell it again.
                taken.doors[door, record.boot] = None
                continue
            try:
                fact, tap = self._to_fact(record, door, delivery.received_at, record.sent_boot or sender)
            except RefusedError as error:
                self._refuse(taken, delivery, raw, error, door, (record.boot, record.seq))
                continue
            self._keep(taken, door, raw, record, fact, tap)

    @staticmethod
    def _hear_clock(door: Door, record: Record | RefusedError, received_at: int, sender: str | None) -> None:
        """Note where a boot lies in time: by its first message, and by each that ends with a heartbeat."""
        if isinstance(record, RefusedError) or record.sent_mono is None:
            return
        boot = record.sent_boot or sender
        if boot is not None and (isinstance(record, StatusRecord) or boot not in door.clocks):
            error = None if record.sent_at is None else from_datetime(record.sent_at) - received_at
            door.hear_clock(boot, received_at, record.sent_mono, error)

    def _to_fact(
        self, record: Record, door: Door, received_at: int, sender: str | None
    ) -> tuple[AnyFact, str | None]:
        """The fact, and of a scan what its SUN message proved."""
        same_boot = record.boot == sender
        known = NOTHING_KNOWN
        if not same_boot or record.mono is None or record.sent_mono is None or record.sent_mono < record.mono:
            known = door.known_of(record.boot, sender, received_at, record.sent_mono)
        try:
            tap = (
                self._verified(record, door.of.site)
                if isinstance(record, ScanRecord) and record.sun
                else None
            )
            fact = to_fact(record, door.device, received_at, same_boot=same_boot, known=known, tap=tap)  # type: ignore[arg-type]
        except TimeUnknownError as error:
            raise RefusedError("time_unknown", str(error)) from None
        door.of.check(fact)
        return fact, tap

    def _verified(self, scan: ScanRecord, site: str) -> str | None:
        """What the SUN message of a scan proves; None where it cannot be told and the scan names its tag too."""
        keys = self._keys_of.get(site)
        if keys is None:
            keys = self._keys_of[site] = self._tag_keys.of_site(site)
        try:
            opened = sun.verify(sun.read_url(scan.sun or ""), keys)
        except sun.SunError as error:
            if error.reason == sun.NOT_ENROLLED and (scan.tag or scan.qr):
                return None
            raise RefusedError(error.reason, str(error)) from None
        return tap_text(opened.uid, opened.counter, opened.message)

    def _keep(
        self, taken: Taken, door: Door, raw: bytes, record: Record, fact: AnyFact, tap: str | None
    ) -> None:
        site = door.of.site
        taken.commit.facts.append(
            FactRow(
                site,
                door.device,
                fact.boot,
                fact.seq,
                record.__struct_config__.tag,  # type: ignore[arg-type]
                fact.occurred_at,
                fact.received_at,
                fact.uncertainty,
                fact.clock_error,
                raw,
                tap,
            )
        )
        facts = taken.facts.get(site)
        if facts is None:
            facts = taken.facts[site] = []
        facts.append(fact)
        door.health.take(fact)
        taken.doors[door, fact.boot] = None
        if isinstance(fact, Status) and fact.lost:
            door.hearing.lose(fact.lost)
            taken.doors |= dict.fromkeys((door, lost.boot) for lost in fact.lost)
        self.counts["facts"] += 1

    def _take_state(self, taken: Taken, delivery: Delivery, door: Door) -> None:
        try:
            online = _decode_state(delivery.payload).get("online")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(taken, delivery, delivery.payload, RefusedError("broken_json", str(error)), door)
            return
        if not isinstance(online, bool):
            wrong = RefusedError("bad_online", 'a state is {"online": true} or {"online": false}')
            self._refuse(taken, delivery, delivery.payload, wrong, door)
            return
        self.counts["states"] += 1
        if door.health.online is not online:
            door.health.online = online
            state = StateRow(door.of.site, door.device, delivery.received_at, online)
            taken.commit.states.append(state)
            taken.states.append(state)
            taken.touched.add(door.of.site)

    def _take_noise(self, taken: Taken, delivery: Delivery, wrong: tuple[str, str]) -> None:
        """What a bridge could make nothing of. It is no record, so that no number is noted."""
        reason, detail = wrong
        self.counts[f"refused.{reason}"] += 1
        site, _, device = (delivery.played or delivery.link.speaks_for or "").partition("/")
        taken.commit.refused.append(
            RefusedRow(
                delivery.topic,
                delivery.payload,
                delivery.received_at,
                reason,
                detail,
                site or None,
                device or None,
            )
        )

    def _refuse(
        self,
        taken: Taken,
        delivery: Delivery,
        payload: bytes,
        error: RefusedError,
        door: Door | None,
        known: tuple[str, int] | None = None,
    ) -> None:
        delivery.refused = error.reason
        boot: str | None = None
        seq: int | None = None
        if door is not None:
            fresh = True
            if known is None and (known := identity(payload)) is not None:
                fresh = door.note(*known)
            if known is not None:
                boot, seq = known
                taken.doors[door, boot] = None
            if not fresh:
                self.counts["duplicates"] += 1
                return
        self.counts[f"refused.{error.reason}"] += 1
        taken.commit.refused.append(
            RefusedRow(
                delivery.topic,
                payload,
                delivery.received_at,
                error.reason,
                error.detail,
                door.of.site if door else None,
                door.device if door else None,
                boot,
                seq,
            )
        )


def _sending_boot(door: Door, records: list[tuple[bytes, Record | RefusedError]]) -> str | None:
    """The boot in which a message was sent, where its records do not say.

    A device empties its buffer oldest first, so that the last record's boot is the youngest of the message. It is
    the one that sends, unless a younger boot of the device has been heard of.
    """
    for _, record in reversed(records):
        if isinstance(record, Record):
            if record.boot in door.hearing.boots:
                return door.boot
            return record.boot
    return door.boot
