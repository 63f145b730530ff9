"""Names, units and kinds as Prometheus has them; the documentation has the same list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from securechat.server.metrics.catalogue import METRICS, PROCESS_METRICS, Metric, MetricKind
from tools.metrics_table import BEGIN, END, OPERATIONS, table


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"securechat_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert metric.meaning.endswith((".", "0"))
    assert bool(metric.labels) == bool(metric.values)
    if metric.kind is MetricKind.HISTOGRAM:
        assert metric.name.endswith("_seconds")


def test_no_name_is_there_twice() -> None:
    names = [metric.name for metric in (*METRICS, *PROCESS_METRICS)]
    assert len(set(names)) == len(names)


def test_the_documentation_has_the_same_list() -> None:
    text = Path(OPERATIONS).read_text(encoding="utf-8")
    current = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert current == table().strip(), "run: python tools/metrics_table.py"
