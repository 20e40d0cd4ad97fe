"""What Prometheus is told: read from the running service at each scrape, nothing is counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.serial.health import LineState
from gateway.web.board import live_alerts, plan_at
from gateway.web.context import Context

_OUTCOMES: Final = {"facts": "stored", "duplicates": "duplicate", "states": "state"}


class Metrics(Collector):
    """All metrics of one service, in a registry of its own."""

    media_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The metrics in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        yield from self._records()
        yield from self._engine()
        yield from self._sites()
        yield from self._notices()
        yield from self._lines()
        yield CounterMetricFamily(
            "patrol_wrong_tokens", "Tokens that were shown and are not known.", self._context.tries.failures
        )
        service = self._context.service
        if service.tls is not None:
            yield GaugeMetricFamily(
                "patrol_certificate_expires_timestamp_seconds",
                "When the certificate for pages, API and devices expires.",
                service.tls.expires_at / 1000,
            )
        if service.endpoint is not None:
            yield from _transport(service.endpoint.counters)
        elif service.client is not None:
            yield from _transport(service.client.counters)

    def _records(self) -> Iterator[Metric]:
        counts = self._context.service.engine.intake.counts
        outcomes = {label: counts[key] for key, label in _OUTCOMES.items()}
        refused = {
            key.partition(".")[2]: count for key, count in counts.items() if key.startswith("refused.")
        }
        records = CounterMetricFamily(
            "patrol_records",
            "Records and states that devices sent, by what came of them.",
            labels=["outcome"],
        )
        for outcome, count in (outcomes | {"refused": sum(refused.values())}).items():
            records.add_metric([outcome], count)
        yield records
        by_reason = CounterMetricFamily(
            "patrol_refused",
            "Records that were refused and went to the quarantine, by reason.",
            labels=["reason"],
        )
        for reason, count in sorted(refused.items()):
            by_reason.add_metric([reason], count)
        yield by_reason

    def _engine(self) -> Iterator[Metric]:
        engine = self._context.service.engine
        yield CounterMetricFamily("patrol_commits", "Transactions written to the store.", engine.commits)
        yield GaugeMetricFamily(
            "patrol_inbox_deliveries", "Messages from devices that are not judged yet.", engine.waiting
        )
        yield GaugeMetricFamily(
            "patrol_deadline_lag_seconds",
            "How long the oldest deadline has been waiting to be judged.",
            engine.deadline_lag_s,
        )
        yield GaugeMetricFamily(
            "patrol_store_failing",
            "1 while nothing can be stored, and so nothing is acknowledged; else 0.",
            float(engine.store_error is not None),
        )
        yield GaugeMetricFamily(
            "patrol_live_pages", "Pages that listen to the live stream.", self._context.live.listening
        )

    def _sites(self) -> Iterator[Metric]:
        desks = self._context.service.engine.desks
        now = self._context.now()
        yield GaugeMetricFamily("patrol_sites", "Sites that are served.", len(desks))
        live: Counter[tuple[str, str]] = Counter()
        devices: Counter[str] = Counter(online=0, offline=0)
        for desk in desks.values():
            for (kind, severity), count in live_alerts(desk).items():
                live[kind, severity.value] += count
            devices.update(
                "online" if desk.is_online(device.id, now) else "offline"
                for device in plan_at(desk, now).devices
            )
        alerts = GaugeMetricFamily(
            "patrol_alerts", "Alerts that are open or acknowledged.", labels=["kind", "severity"]
        )
        for (kind, severity_code), count in sorted(live.items()):
            alerts.add_metric([kind, severity_code], count)
        yield alerts
        known = GaugeMetricFamily("patrol_devices", "Devices of the plans in force.", labels=["state"])
        for state, count in devices.items():
            known.add_metric([state], count)
        yield known

    def _lines(self) -> Iterator[Metric]:
        lines = self._context.service.line_health
        is_open = GaugeMetricFamily(
            "patrol_line_open", "1 while the line is open and its device answers; else 0.", labels=["line"]
        )
        counters = {
            "frames": CounterMetricFamily(
                "patrol_line_frames", "Frames that were understood.", labels=["line"]
            ),
            "held": CounterMetricFamily(
                "patrol_line_held", "Repeats of a tag that was held to the reader.", labels=["line"]
            ),
            "reopenings": CounterMetricFamily(
                "patrol_line_reopenings", "How often the line was opened again.", labels=["line"]
            ),
            "noise_kept": CounterMetricFamily(
                "patrol_line_noise_kept", "Noise that is in the quarantine.", labels=["line"]
            ),
        }
        noise = CounterMetricFamily(
            "patrol_line_noise", "What was no frame, by reason.", labels=["line", "reason"]
        )
        for line in lines:
            is_open.add_metric([line.port], line.state is LineState.OPEN)
            for name, family in counters.items():
                family.add_metric([line.port], getattr(line, name))
            for reason, count in sorted(line.noise.items()):
                noise.add_metric([line.port, reason], count)
        yield is_open
        yield from counters.values()
        yield noise

    def _notices(self) -> Iterator[Metric]:
        counts = self._context.service.courier.counts
        ended = CounterMetricFamily(
            "patrol_notices",
            "Notices that need no more attempts, by channel and what came of them.",
            labels=["channel", "state"],
        )
        waiting = GaugeMetricFamily(
            "patrol_notices_waiting", "Notices that wait to be sent, by channel.", labels=["channel"]
        )
        for (channel, state), count in sorted(counts.items()):
            if state == "waiting":
                waiting.add_metric([channel], count)
            else:
                ended.add_metric([channel, state], count)
        yield ended
        yield waiting


def _transport(counters: Counters) -> Iterator[Metric]:
    """What the endpoint for devices, or the client of a broker, has seen."""
    yield GaugeMetricFamily("patrol_mqtt_connections", "MQTT connections that stand.", counters.connected)
    yield CounterMetricFamily(
        "patrol_mqtt_connections_opened", "MQTT connections since the start.", counters.connections
    )
    messages = CounterMetricFamily("patrol_mqtt_messages", "MQTT messages.", labels=["direction"])
    messages.add_metric(["in"], counters.messages_in)
    messages.add_metric(["out"], counters.messages_out)
    yield messages
    volume = CounterMetricFamily("patrol_mqtt_bytes", "Bytes of MQTT.", labels=["direction"])
    volume.add_metric(["in"], counters.bytes_in)
    volume.add_metric(["out"], counters.bytes_out)
    yield volume
    yield CounterMetricFamily(
        "patrol_mqtt_acknowledged", "Messages that were acknowledged to their senders.", counters.acknowledged
    )
    yield CounterMetricFamily(
        "patrol_mqtt_dropped",
        "Messages to devices that expired, did not fit or found no room.",
        counters.dropped,
    )
    yield CounterMetricFamily(
        "patrol_mqtt_refused",
        "Connections, subscriptions and messages that were refused.",
        sum(counters.refused.values()),
    )
