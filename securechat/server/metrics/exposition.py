"""Makes the text that Prometheus scrapes of a snapshot. The only module that knows `prometheus_client`.

It is imported by the scraping thread at the first scrape: the library takes 60 ms to import and 2 MiB, which a server
without a scraper does not spend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import inf

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from securechat.histogram import HistogramCopy
from securechat.server.metrics.catalogue import METRICS, Metric, MetricKind
from securechat.server.metrics.snapshot import Labels, MetricsSnapshot


class _SnapshotCollector(Collector):
    """The families of the snapshot that is set."""

    def __init__(self) -> None:
        self.snapshot: MetricsSnapshot = {}

    def collect(self) -> Iterable[Family]:
        """Return every family of which the snapshot has a value."""
        return [_family(metric, value) for metric in METRICS if (value := self.snapshot.get(metric.name)) is not None]


class Exposition:
    """Formats snapshots. Call it from one thread at a time."""

    def __init__(self) -> None:
        self._snapshots = _SnapshotCollector()
        self._registry = CollectorRegistry()
        self._registry.register(self._snapshots)
        ProcessCollector(registry=self._registry)

    def text(self, snapshot: MetricsSnapshot) -> bytes:
        """Return the text, in version 0.0.4 of the format, which every scraper reads."""
        self._snapshots.snapshot = snapshot
        return generate_latest(self._registry)


def _family(metric: Metric, value: float | HistogramCopy | dict[Labels, float]) -> Family:
    if isinstance(value, HistogramCopy):
        histogram = HistogramMetricFamily(metric.name, metric.meaning)
        histogram.add_metric([], list(_buckets(value)), value.total)
        return histogram
    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, number in value.items() if isinstance(value, dict) else [((), value)]:
        family.add_metric(labels, number)
    return family


def _buckets(histogram: HistogramCopy) -> Iterator[tuple[str, float]]:
    bounds = [*histogram.bounds, inf]
    for bound, count in zip(bounds, accumulate(histogram.counts), strict=True):
        yield "+Inf" if bound == inf else repr(bound), count
