"""A value lands in the first bucket with a bound that is not smaller, as Prometheus' ``le`` has it."""

from __future__ import annotations

import pytest

from securechat.histogram import DURATIONS_S, Histogram


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0.0, 0), (1.0, 0), (1.0001, 1), (2.0, 1), (2.5, 2)],
    ids=["0", "bound", "over", "last", "+Inf"],
)
def test_a_bound_belongs_to_its_bucket(value: float, bucket: int) -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.add(value)
    copy = histogram.copy()
    assert copy.counts[bucket] == 1
    assert sum(copy.counts) == 1
    assert copy.total == value


def test_a_copy_stays_as_it_was() -> None:
    histogram = Histogram()
    histogram.add(0.5)
    copy = histogram.copy()
    histogram.add(0.5)
    assert sum(copy.counts) == 1
    assert copy.bounds == DURATIONS_S == tuple(sorted(DURATIONS_S))
