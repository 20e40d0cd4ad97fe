"""Devices of other makers that speak MQTT: which topics are whose, and native records of what they say.

`Foreign` stands between the transports and the engine. What comes on a topic of a linked device is decoded by its
maker's protocol (`devices/`), and goes on as native records of a bridge that plays the device (`bridge.py`); all
else goes on as it is.

Stored before acknowledged (law 3): the last record of a message carries its packet identifier, so that the engine
acknowledges the message after the commit that holds it and, as commits follow each other, all before it. One that
tells nothing new is passed on as nothing, to be acknowledged in its turn.

Nothing doubled (law 3): what was stored and not acknowledged when we were killed comes again. A record keeps the key of
what it tells (`Reading.key`); the keys of the last records are read from the store at the start.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from gateway.clock import Clock
from gateway.ingest.bridge import BEAT_S, Bridge, Bridges
from gateway.ingest.delivery import Delivery, Receiver, nothing
from gateway.ingest.devices.reading import Heard, MqttTalk, Noise, Reading
from gateway.ingest.devices.registry import PROTOCOLS, Mqtt
from gateway.ingest.doors import SiteDoors
from gateway.ingest.linked import MqttLink
from gateway.ingest.mqtt.topics import matches, valid_filter
from gateway.store.port import Store

REMEMBERED: Final = 4_096
"""So many keys of each device are remembered."""

RECALL_MS: Final = 3_600_000
"""How far before our end (ms) what was stored can be unacknowledged still: a broker or a device is told at once."""

TICK_S: Final = 5.0
"""How often it is looked who has fallen silent (s)."""

_PROOF_S: Final = 45
"""What a device says is answered by a heartbeat at the most so often (s of its time)."""

_CACHED_TOPICS: Final = 10_000


class _Keyed(msgspec.Struct):
    key: str


_decode_key: Final = msgspec.json.Decoder(_Keyed).decode


class LinkError(Exception):
    """A link is wrong; the message says which one and what was expected."""


class Player:
    """One linked device: its talk, and the bridge that plays it."""

    def __init__(self, link: MqttLink, protocol: Mqtt, bridges: Bridges) -> None:
        self.link = link
        self.says = [each.replace("{name}", link.name) for each in protocol.says]
        self.hears = [each.replace("{name}", link.name) for each in protocol.hears]
        self.talk: MqttTalk = protocol.talk(link.name, link.options)
        self.seen: OrderedDict[str, None] = OrderedDict()
        self._protocol = protocol
        self._bridges = bridges
        self._was_planned = False
        self._bridge = self._make_bridge()
        self._is_there = False
        self._was_there = False
        self._spoke_at = 0  # ms
        self._spoke = self._beaten = -1e9  # s of the device's time

    def may_hear(self, filter_: str) -> bool:
        """Whether a subscription stays within what the device is told."""
        return any(filter_.startswith(each) if each.endswith("/") else filter_ == each for each in self.hears)

    def take(self, reading: Reading, received_at: int, *, is_old: bool) -> bool:
        """Tell what a reading amounts to; False where it was told before.

        `is_old`: a broker has kept it, and nobody knows since when. It shows that the device is there, no more.
        """
        self._look()
        if reading.gone:
            self._leave()
        if not reading.alive:
            return True
        self._come(received_at)
        if is_old:
            self._beat({"buffered": None})
            return reading.record is None
        record = reading.record
        if record is not None and record["type"] != "status":
            if reading.key is not None and not self._is_new(reading.key):
                return False
            self._bridge.report({**record, **({"key": reading.key} if reading.key else {})}, reading.frame)
            record = None
        self._beat(record or {})
        return True

    def tick(self) -> None:
        """Time passes: a device that says nothing is away, or there as far as is known."""
        self._look()
        if not self._is_there:
            return
        quiet_s = self._protocol.quiet_s
        if quiet_s is not None and self._now() - self._spoke > quiet_s:
            self._leave()
        elif self._now() - self._beaten >= BEAT_S:
            self._beaten = self._now()
            self._bridge.beat({"buffered": None})  # no proof: nothing was heard just now

    def remember(self, key: str) -> None:
        """Something with this key is stored."""
        self.seen[key] = None
        self.seen.move_to_end(key)
        if len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)

    def _look(self) -> None:
        """Find the device in the plan. What it said before was refused with its numbers: a new boot begins with 1."""
        is_planned = self._bridges.planned(self.link.site, self.link.device) is not None
        was_planned, self._was_planned = self._was_planned, is_planned
        if self._was_planned and not was_planned:
            self._bridge = self._make_bridge()
            self._beaten = -1e9
            if self._is_there:
                self._bridge.present(True)

    def _make_bridge(self) -> Bridge:
        return self._bridges.make(self.link.site, self.link.device, self.link.protocol)

    def _is_new(self, key: str) -> bool:
        is_new = key not in self.seen
        self.remember(key)
        return is_new

    def _come(self, at: int) -> None:
        if not self._is_there:
            self._is_there = True
            self._bridge.present(True)
            if self._was_there and not self._protocol.remembers:
                self._bridge.lost(self._spoke_at)
            self._was_there = True
        self._spoke, self._spoke_at = self._now(), at

    def _leave(self) -> None:
        self._is_there = False
        self._bridge.present(False)

    def _beat(self, status: Mapping[str, Any]) -> None:
        """A heartbeat, if one is due or if it tells what cannot wait."""
        is_urgent = status.get("buffered") is not None or "reply_to" in status
        if not is_urgent and self._now() - self._beaten < _PROOF_S:
            return
        self._beaten = self._now()
        # What a device keeps it alone can tell: without its word a heartbeat proves nothing.
        held = {"buffered": None} if self._protocol.remembers else {}
        self._bridge.beat({**held, **status})

    def _now(self) -> float:
        return self._bridges.clock.elapsed() * self._bridges.clock.speed


class Foreign:
    """All linked devices. Give it deliveries as one gives them to the engine."""

    def __init__(
        self,
        links: Iterable[MqttLink],
        receive: Receiver,
        clock: Clock,
        doors: Callable[[str], SiteDoors | None],
        *,
        retained_is_old: bool,
    ) -> None:
        """`retained_is_old`: a retained message was said before; not so where devices connect to our own endpoint,
        which hands the flag on as they set it. Raises `LinkError`."""
        self._receive = receive
        self._clock = clock
        self._retained_is_old = retained_is_old
        self._made: list[Delivery] = []
        self._bridges = Bridges(self._made.extend, clock, doors)
        self._players: dict[str, Player] = {}
        self._of_topic: dict[str, list[Player]] = {}
        self.counts: Counter[str] = Counter()
        """`messages`, `repeated`, `old` (retained ones) and `refused`, since the start."""
        for link in links:
            self._add(link)

    def _add(self, link: MqttLink) -> None:
        where = f"the link of {link.identity}"
        known = {name: each.mqtt for name, each in PROTOCOLS.items() if each.mqtt is not None}
        protocol = known.get(link.protocol)
        if protocol is None:
            raise LinkError(
                f"{where}: {link.protocol!r} is no protocol over MQTT; there are {', '.join(sorted(known))}"
            )
        if link.identity in self._players:
            raise LinkError(f"{where} is there twice; a device is played by one bridge")
        if not link.name or not all(
            valid_filter(each.replace("{name}", link.name)) for each in protocol.says
        ):
            raise LinkError(f"{where}: name {link.name!r} cannot be part of a topic")
        if "+" in link.name:
            raise LinkError(f"{where}: name {link.name!r} is a pattern; write the name of one device")
        for other in self._players.values():
            same = (other.link.protocol, other.link.name) == (link.protocol, link.name)
            if same and other.link.options == link.options:
                raise LinkError(f"{where} and that of {other.link.identity} have the same name and options")
        try:
            self._players[link.identity] = Player(link, protocol, self._bridges)
        except ValueError as error:
            raise LinkError(f"{where}, {error}") from None

    # -- what transports ask --------------------------------------------------------------------------------

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to at a broker."""
        return tuple(dict.fromkeys(each for player in self._players.values() for each in player.says))

    def identify(self, client_id: str, username: str | None) -> str | None:
        """The device that a client is by its names, if a link has one of them."""
        found = [
            link.identity
            for link in (player.link for player in self._players.values())
            if (link.client or link.name) in (client_id, username)
        ]
        return found[0] if len(found) == 1 else None

    def owner_of(self, topic: str) -> str | None:
        """The device whose topic it is; None where it is nobody's, or several share it."""
        players = self._speakers(topic)
        return players[0].link.identity if len(players) == 1 else None

    def may_hear(self, identity: str | None, filter_: str) -> bool:
        """Whether a device may subscribe to a filter of its maker's."""
        player = self._players.get(identity or "")
        return player is not None and player.may_hear(filter_)

    # -- what is said ---------------------------------------------------------------------------------------

    def receive(self, deliveries: list[Delivery]) -> None:
        """Take deliveries from a transport."""
        made: list[Delivery] = []
        for delivery in deliveries:
            speaker = delivery.link.speaks_for
            players = self._speakers(delivery.topic)
            if players:
                made += self._take(delivery, players, speaker)
            elif speaker is not None and speaker in self._players:
                made.append(
                    _refused(delivery, speaker, "foreign_topic", f"{speaker} speaks on its own topics only")
                )
            else:
                made.append(delivery)
        if made:
            self._receive(made)

    def _take(self, delivery: Delivery, players: Sequence[Player], speaker: str | None) -> list[Delivery]:
        self.counts["messages"] += 1
        if speaker is not None:
            players = [each for each in players if each.link.identity == speaker]
            if not players:
                return [
                    _refused(
                        delivery, None, "foreign_topic", f"{speaker} may not publish on {delivery.topic}"
                    )
                ]
        for player in players:
            heard = player.talk.received(delivery.topic, delivery.payload, delivery.received_at)
            if heard is not None:
                return self._tell(player, heard, delivery)
        self.counts["refused"] += 1
        return [
            _refused(delivery, None, "unknown_device", f"no link is for what says this on {delivery.topic}")
        ]

    def _tell(self, player: Player, heard: Sequence[Heard], delivery: Delivery) -> list[Delivery]:
        """The native deliveries that a message amounts to; the last one carries its packet identifier."""
        refused: list[Delivery] = []
        is_old = delivery.retained and self._retained_is_old
        for each in heard:
            if isinstance(each, Noise):
                self.counts["refused"] += 1
                refused.append(_refused(delivery, player.link.identity, each.reason, each.detail))
            elif not player.take(each, delivery.received_at, is_old=is_old):
                self.counts["old" if is_old else "repeated"] += 1
        made = [*self._made, *refused]
        self._made.clear()
        for native in made:
            native.link, native.packet_id, native.played = delivery.link, 0, player.link.identity
        if made:
            made[-1].packet_id = delivery.packet_id
        elif delivery.packet_id:
            made.append(nothing(delivery.link, delivery.packet_id, delivery.received_at))
        return made

    # -- what is told ---------------------------------------------------------------------------------------

    def command(self, site: str, device: str, cmd: str, id: str) -> tuple[str, bytes] | None:
        """Topic and payload of a command; None where the device is not linked, or cannot be told so."""
        player = self._players.get(f"{site}/{device}")
        return None if player is None else player.talk.command(cmd, id, self._clock.now())

    # -- the start, and time --------------------------------------------------------------------------------

    async def recall(self, store: Store) -> None:
        """Learn from what is stored what has been told; to be called before anything is received or written."""
        ended_at = await store.last_sign()
        if ended_at is None:
            return
        rows = await store.received_since(ended_at - RECALL_MS)
        for row in rows:
            player = self._players.get(f"{row.site}/{row.device}")
            # What shows our own clock tells nothing of the device's.
            if player is not None and row.clock_error is not None and b'"clock":"synced"' not in row.body:
                player.talk.recall(row.clock_error, row.occurred_at)
        kept = [(f"{row.site}/{row.device}", row.body) for row in rows]
        kept += [(f"{row.site}/{row.device}", row.payload) for row in await store.quarantine(limit=1000)]
        for identity, record in kept:
            if (player := self._players.get(identity)) is not None and b'"key":' in record:
                with suppress(msgspec.DecodeError, UnicodeDecodeError):
                    player.remember(_decode_key(record).key)

    def tick(self) -> None:
        """Look who has fallen silent. To be called every `TICK_S`."""
        for player in self._players.values():
            player.tick()
        if self._made:
            made = [*self._made]
            self._made.clear()
            self._receive(made)

    async def run(self) -> None:
        """Call `tick` until cancelled."""
        while True:
            await asyncio.sleep(TICK_S / self._clock.speed)
            self.tick()

    def _speakers(self, topic: str) -> list[Player]:
        """Those who say something on a topic."""
        found = self._of_topic.get(topic)
        if found is None:
            if len(self._of_topic) >= _CACHED_TOPICS:
                self._of_topic.clear()
            found = self._of_topic[topic] = [
                player
                for player in self._players.values()
                if any(matches(each, topic) for each in player.says)
            ]
        return found


def _refused(delivery: Delivery, played: str | None, reason: str, detail: str) -> Delivery:
    return Delivery(
        delivery.topic,
        delivery.payload,
        delivery.received_at,
        delivery.retained,
        delivery.packet_id,
        delivery.link,
        (reason, detail),
        played,
    )
