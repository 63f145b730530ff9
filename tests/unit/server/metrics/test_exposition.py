"""The text has every metric of the snapshot, with HELP and TYPE, and a scraper's parser reads it back."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from securechat.histogram import Histogram
from securechat.server.metrics.catalogue import METRICS, PROCESS_METRICS, Metric, MetricKind
from securechat.server.metrics.exposition import Exposition
from securechat.server.metrics.snapshot import MetricsSnapshot


def _value(metric: Metric, number: float) -> object:
    if metric.kind is MetricKind.HISTOGRAM:
        histogram = Histogram()
        for value in (0.0001, 0.003, 99.0):
            histogram.add(value)
        return histogram.copy()
    return {tuple("x" for _ in metric.labels): number} if metric.labels else number


@pytest.fixture
def snapshot() -> MetricsSnapshot:
    return {metric.name: _value(metric, number) for number, metric in enumerate(METRICS)}  # type: ignore[misc]


def test_every_metric_comes_with_help_type_and_value(snapshot: MetricsSnapshot) -> None:
    text = Exposition().text(snapshot).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for number, metric in enumerate(METRICS):
        family = families[metric.name.removesuffix("_total")]
        assert f"# HELP {metric.name} {metric.meaning}\n" in text
        assert f"# TYPE {metric.name} {metric.kind.value}\n" in text
        if metric.kind is not MetricKind.HISTOGRAM:
            assert [sample.value for sample in family.samples] == [number]
            assert [tuple(sample.labels) for sample in family.samples] == [tuple(sorted(metric.labels))]


def test_a_histogram_is_cumulative_and_ends_with_all(snapshot: MetricsSnapshot) -> None:
    text = Exposition().text(snapshot).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["securechat_commit_duration_seconds"].samples
    buckets = [(float(s.labels["le"]), s.value) for s in samples if s.name.endswith("_bucket")]
    assert all(low <= high for low, high in pairwise(buckets))
    assert buckets[0] == (0.0001, 1)
    assert buckets[-1] == (float("inf"), 3)
    by_name = {sample.name: sample.value for sample in samples}
    assert by_name["securechat_commit_duration_seconds_count"] == 3
    assert by_name["securechat_commit_duration_seconds_sum"] == pytest.approx(99.0031)


def test_what_cannot_be_told_is_left_out() -> None:
    text = Exposition().text({"securechat_members": 3}).decode()
    assert "securechat_members 3.0\n" in text
    assert "securechat_disk_free_bytes" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="the library reads /proc")
def test_the_process_is_told_as_documented() -> None:
    text = Exposition().text({}).decode()
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == {
        metric.name for metric in PROCESS_METRICS
    }
    for metric in PROCESS_METRICS:
        assert f"# HELP {metric.name} {metric.meaning}\n" in text
