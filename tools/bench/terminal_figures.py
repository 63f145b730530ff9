"""The figures of the terminal client, their bars, and the table of both.

A part of a run notes seconds, bytes, MiB or shares under a name of `FIGURES`. The table has the median over the runs,
of each run's own percentile where a figure is one of many keys.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct


class Figure(Struct, frozen=True):
    """A line of the table.

    Attributes:
        words: what it is.
        unit: of the values as shown: ms, s, MiB, bytes, KiB/s, %, lines.
        bar: the most that is allowed, in the unit; None where there is none.
        share: which percentile of a run's values it is; None: their only one, or the sum.
    """

    words: str
    unit: str
    bar: float | None = None
    share: float | None = None


_KEY, _PAGE = "key to paint", "PgUp to paint"
FIGURES = {
    "start": Figure("start to first paint", "s", 1.0),
    "start_room": Figure("start to the room's last message", "s"),
    "lines_start": Figure("line mode: start to the room's last message", "ms"),
    "lines_before": Figure("line mode of the other checkout: the same", "ms"),
    "lines_later": Figure("line mode: later than the other checkout", "ms", 20),
    "lines_cpu": Figure("line mode: CPU until then", "ms"),
    "lines_cpu_before": Figure("line mode of the other checkout: CPU until then", "ms"),
    "rss_rooms": Figure("RSS with 100 rooms", "MiB", 120),
    "rss_opened": Figure("RSS after opening all 100 rooms", "MiB"),
    "rss_scrolled": Figure("RSS after scrolling the messages", "MiB", 150),
    "scrolled": Figure("messages scrolled", "lines"),
    "idle_cpu": Figure("idle: CPU", "%", 1.0),
    "idle_bytes": Figure("idle: written", "bytes", 0),
    "key_p50": Figure(f"{_KEY}, p50", "ms", 10, 0.5),
    "key_p99": Figure(f"{_KEY}, p99", "ms", 50, 0.99),
    "flood_key_p50": Figure(f"{_KEY} in the flood, p50", "ms", 10, 0.5),
    "flood_key_p99": Figure(f"{_KEY} in the flood, p99", "ms", 50, 0.99),
    "flood_per_s": Figure("flood: messages a second", "lines"),
    "flood_frames": Figure("flood: the list drawn, a second", "times", 15),
    "flood_cpu": Figure("flood: CPU", "%"),
    "switch_kept": Figure("change of room, messages kept, p99", "ms", 50, 0.99),
    "switch_kept_p50": Figure("change of room, messages kept, p50", "ms", None, 0.5),
    "switch_asked": Figure("change of room, messages asked for, p99", "ms", 100, 0.99),
    "switch_asked_p50": Figure("change of room, messages asked for, p50", "ms", None, 0.5),
    "page_p50": Figure(f"{_PAGE}, p50", "ms", None, 0.5),
    "page_p99": Figure(f"{_PAGE}, p99", "ms", 50, 0.99),
    "flood_page_p99": Figure(f"{_PAGE} in the flood, p99", "ms", 100, 0.99),
    "resize": Figure("resize to the last row, the slowest of ten", "ms", 100, 1.0),
    "key_bytes": Figure("bytes of a key at 80×24, the most", "bytes", 1024, 1.0),
    "page_bytes": Figure("bytes of a page at 120×40, the most", "bytes", 8192, 1.0),
    "flood_kib_s": Figure("bytes of the flood", "KiB/s", 64),
    "link_key_p50": Figure(f"{_KEY} on the slow link in the flood, less the link's time, p50", "ms", 10, 0.5),
    "link_key_p99": Figure(f"{_KEY} on the slow link in the flood, less the link's time, p99", "ms", 50, 0.99),
    "link_frames": Figure("slow link: the list drawn in the flood, a second", "times"),
    "link_kib_s": Figure("slow link: bytes of the flood", "KiB/s"),
    "slow_rss": Figure("RSS, a terminal that reads 2 KiB/s, in the flood", "MiB", 150),
    "slow_after": Figure("2 KiB/s: bytes after it reads again until all that was typed is there", "KiB", 64),
    "none_rss": Figure("RSS, a terminal that reads nothing, in the flood", "MiB", 150),
    "none_after": Figure("nothing read: bytes after it reads again until all that was typed is there", "KiB", 64),
}
"""In the order of the table; the bars are those of issue 18."""


class Run:
    """The figures of one run; a name may have many values."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def note(self, name: str, *values: float) -> None:
        """Note values of a figure."""
        if name not in FIGURES:
            raise KeyError(name)
        self.values.setdefault(name, []).extend(values)

    def value(self, name: str) -> float | None:
        """Return what this run says of a figure; None for nothing."""
        values = sorted(self.values.get(name, ()))
        if not values:
            return None
        share = FIGURES[name].share
        return sum(values) if share is None else values[min(len(values) - 1, int(len(values) * share))]


def table(runs: Sequence[Run], words: Mapping[str, str]) -> str:
    """Return the Markdown table of the medians, each with the least and the most.

    Args:
        runs: at least one.
        words: more words to a figure, by its name.
    """
    rows = ["| figure | bar | median | runs | |", "|---|--:|--:|---|---|"]
    for name, figure in FIGURES.items():
        values = [value for run in runs if (value := run.value(name)) is not None]
        if not values:
            continue
        median = statistics.median(values)
        bar = "" if figure.bar is None else f"≤ {_shown(figure.bar)} {figure.unit}"
        over = "over" if figure.bar is not None and median > figure.bar else ""
        said = f"{figure.words}{words.get(name, '')}"
        spread = f"{_shown(min(values))} to {_shown(max(values))}"
        rows.append(f"| {said} | {bar} | {_shown(median)} {figure.unit} | {spread} | {over} |")
    return "\n".join(rows)


def machine() -> str:
    """Return one line that names the machine."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")), "")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = f"{model or platform.machine()}, {os.cpu_count()} cores"
    systems = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{cores}, {memory_gib:.0f} GiB, {systems}"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
