"""Counts durations in fixed buckets, so cheaply that it is done for every pass of the loop and every commit.

One thread writes a histogram, and any may copy it: counts only grow, and a copy that is taken between two additions is
at most one value behind.
"""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct

DURATIONS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, seconds: from a pass without work to a disk that has stalled. Each is 2 to 2.5 times the one before,
which is as near as a quantile estimated from them can be (prometheus.io, Histograms and summaries)."""


class HistogramCopy(Struct, frozen=True, gc=False):
    """The state of a histogram at one time.

    Attributes:
        bounds: upper bounds, included.
        counts: values per bucket, not cumulative; the last bucket has all above the last bound.
        total: the sum of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Histogram:
    """A histogram.

    Args:
        bounds: upper bounds, included, in ascending order.

    Attributes:
        counts: values per bucket; with ``total``, their sum, for the loop, which adds to both without a call a pass.
    """

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = DURATIONS_S) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def copy(self) -> HistogramCopy:
        """Return the present state."""
        return HistogramCopy(self._bounds, tuple(self.counts), self.total)
