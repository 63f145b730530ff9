"""Numbers for people: quantiles of one run, medians with spread over rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile; 0.0 of nothing."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def latency_ms(values_ns: Sequence[int]) -> dict[str, float]:
    """p50, p99 and maximum, milliseconds."""
    ordered = sorted(values_ns)
    return {
        "p50_ms": quantile(ordered, 0.5) / 1e6,
        "p99_ms": quantile(ordered, 0.99) / 1e6,
        "max_ms": ordered[-1] / 1e6 if ordered else 0.0,
    }


@dataclass(frozen=True)
class Spread:
    """The median of several rounds, and the least and most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.least)}–{short(self.most)})"


def short(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
