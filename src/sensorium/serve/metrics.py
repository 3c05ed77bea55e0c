"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sensorium.serve.http.replies import Usage
from sensorium.serve.media.workers import Workers
from sensorium.serve.registry import Registry

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
PACES = (0.3, 0.5, 1, 2, 3, 5, 10, 20, 50, 100)


class Metrics:
    """The counters of one server."""

    def __init__(self, registry: Registry, workers: Workers):
        self._prometheus = CollectorRegistry()
        self.requests = Counter(
            "sensorium_requests", "Requests answered.", ["path", "status"], registry=self._prometheus
        )
        self.seconds = Histogram(
            "sensorium_request_seconds", "Time to the end of an answer.", ["path"],
            buckets=SECONDS, registry=self._prometheus,
        )  # fmt: skip
        self.first = Histogram(
            "sensorium_first_token_seconds", "Time from a request to its first token.", ["model"],
            buckets=SECONDS, registry=self._prometheus,
        )  # fmt: skip
        self.first_piece = Histogram(
            "sensorium_first_piece_seconds", "Time from a request to the first piece of a written medium in time.",
            ["model", "modality"], buckets=SECONDS, registry=self._prometheus,
        )  # fmt: skip
        self.pace = Histogram(
            "sensorium_realtime_factor", "Seconds of a medium in time that are written in a second.",
            ["model", "modality"], buckets=PACES, registry=self._prometheus,
        )  # fmt: skip
        self._tokens = Counter(
            "sensorium_tokens", "Tokens read and written.", ["model", "direction", "modality"],
            registry=self._prometheus,
        )  # fmt: skip
        self._energy = Counter(
            "sensorium_energy_wh", "Estimated energy of writing.", ["model"], registry=self._prometheus
        )
        self._prometheus.register(_State(registry, workers))
        ProcessCollector(registry=self._prometheus)

    def count(self, model: str, usage: Usage) -> None:
        """Add the tokens of a finished request."""
        for direction, tokens in (
            ("prompt", usage.modality_tokens.prompt),
            ("completion", usage.modality_tokens.completion),
        ):
            for modality, number in tokens.items():
                self._tokens.labels(model, direction, modality).inc(number)
        self._energy.labels(model).inc(usage.energy_wh or 0)

    def text(self) -> bytes:
        """In Prometheus' text form."""
        return generate_latest(self._prometheus)


class _State:
    """What is so at the moment of asking."""

    def __init__(self, registry: Registry, workers: Workers):
        self._registry, self._workers = registry, workers

    def collect(self) -> Iterator[Any]:
        writing = GaugeMetricFamily("sensorium_answers_writing", "Answers being written.", labels=["model"])
        waiting = GaugeMetricFamily("sensorium_answers_waiting", "Answers waiting their turn.", labels=["model"])
        for served in self._registry:
            writing.add_metric([served.name], served.scheduler.writing)
            waiting.add_metric([served.name], served.scheduler.waiting)
        yield from (writing, waiting)
        yield CounterMetricFamily(
            "sensorium_media_workers_ended", "Processes opening media that died or took too long.", self._workers.deaths
        )
