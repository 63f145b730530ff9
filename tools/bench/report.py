"""The report about a case: medians with spread, the ratio to the baseline of the same rounds, and the bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.bench.figures import Spread, short

if TYPE_CHECKING:
    from tools.bench.cases import Result
    from tools.bench.suite import Bar, Case

_LABELS = {
    "cpu_us": "server CPU, µs/delivery",
    "messages_per_s": "messages/s",
    "deliveries_per_s": "deliveries/s",
    "deliveries_per_read": "deliveries per read",
    "bytes_per_message": "bytes of a Posted",
    "p50_ms": "latency p50, ms",
    "p99_ms": "latency p99, ms",
    "max_ms": "latency max, ms",
    "disk_p50_ms": "disk sync p50, ms",
    "disk_p99_ms": "disk sync p99, ms",
    "rss_kib_per_connection": "RSS per connection, KiB",
    "rss_mib": "RSS in all, MiB",
    "logins_per_s": "logins/s",
    "cpu_us_per_login": "server CPU, µs/login",
    "cpu_us_per_page": "server CPU, µs/page",
    "alone_p50_ms": "latency p50 alone, ms",
    "alone_p99_ms": "latency p99 alone, ms",
    "p99_added_ms": "latency p99 added, ms",
    "alone_acked_p99_ms": "ack p99 without phones, ms",
    "acked_p99_ms": "ack p99, ms",
    "rss_added_mib": "RSS added at most, MiB",
    "mib_per_s": "files, MiB/s",
    "file_s": "a file, s",
    "slowest_file_s": "the slowest file, s",
    "cpu_ms_per_mib": "server CPU, ms/MiB of files",
    "cpu_ms_per_scrape": "server CPU, ms/scrape",
    "scrape_ms": "a scrape, ms",
    "first_scrape_ms": "the first scrape, ms",
    "first_max_ms": "latency max beside that, ms",
    "first_scrape_kib": "RSS of the first scrape, KiB",
    "text_bytes": "bytes of the text",
    "rest_util": "server CPU at rest, cores",
    "wall_s": "wall time, s",
    "native_us": "native members', µs/delivery",
    "ratio": "ratio to native members",
    "lost": "lost clients",
    "listening_ms": "spawn to listening, ms",
    "first_login_ms": "first login after that, ms",
    "cpu_ms": "CPU until then, ms",
    "server_cpu_s": "server CPU in all, s",
    "core_ms": "core speed: fixed loop, ms",
    "server_util": "server, share of a core",
    "generator_util": "generator, share of a core",
    "other_util": "other processes, cores",
}
_BUSY = 0.9


def figures_of(runs: list[Result]) -> dict[str, Spread]:
    """Every figure that all sound runs have."""
    sound = [run for run in runs if len(run) > 3]
    if not sound:
        return {}
    return {
        name: Spread.of([float(run[name]) for run in sound])
        for name in sound[0]
        if name not in {"complaints", "correct"} and all(name in run for run in sound)
    }


def medians_of(runs: list[Result]) -> dict[str, float]:
    return {name: spread.median for name, spread in figures_of(runs).items()}


def bars_of(case: Case, results: dict[str, list[Result]]) -> list[dict[str, object]]:
    """Met or missed, by the medians of our server."""
    medians = medians_of(results.get("securechat", []))
    return [
        {
            "figure": bar.figure,
            "value": medians[bar.figure],
            "bound": bar.bound(medians),
            "met": bar.met(medians),
        }
        for bar in case.bars
        if bar.figure in medians
    ]


def case_report(case: Case, results: dict[str, list[Result]]) -> str:
    """The table of one case."""
    spreads = {kind: figures_of(runs) for kind, runs in results.items()}
    other = "before" if "before" in spreads else "baseline"
    ours, theirs = spreads.get("securechat", {}), spreads.get(other, {})
    lines = [f"\n{case.name}: {case.about}", f"  {'':28}{'securechat':>30}{other:>30}{'ratio':>8}"]
    for name, label in _LABELS.items():
        if name in ours or name in theirs:
            cells = (str(spread[name]) if name in spread else "" for spread in (ours, theirs))
            lines.append("  " + f"{label:28}" + "".join(f"{cell:>30}" for cell in cells) + _ratio(name, ours, theirs))
    medians = {name: spread.median for name, spread in ours.items()}
    lines += [_bar_line(bar, medians) for bar in case.bars if bar.figure in medians]
    if other == "baseline":
        lines += _scaled(case, ours, theirs)
    lines += [f"  {kind}: {_bottleneck(spread)}" for kind, spread in spreads.items() if "generator_util" in spread]
    for kind, runs in results.items():
        lines += [f"  WRONG {kind}: {text}" for run in runs for text in run["complaints"]]
    return "\n".join(lines)


def _ratio(name: str, ours: dict[str, Spread], theirs: dict[str, Spread]) -> str:
    if name not in ours or name not in theirs or not theirs[name].median:
        return ""
    return f"{short(ours[name].median / theirs[name].median):>8}"


def _bar_line(bar: Bar, medians: dict[str, float]) -> str:
    value, bound = medians[bar.figure], bar.bound(medians)
    verdict = "met" if bar.met(medians) else "MISSED"
    if verdict == "MISSED" and bound:
        verdict += f" by {abs(value / bound - 1):.0%}"
    sign = "≥" if bar.at_least else "≤"
    return f"  bar {sign} {short(bound)} {bar.unit}: {short(value)}: {verdict}"


def _scaled(case: Case, ours: dict[str, Spread], theirs: dict[str, Spread]) -> list[str]:
    """What the figure would be on the machine where the bars were set, going by its asyncio server."""
    if not case.reference_us or "cpu_us" not in ours or "cpu_us" not in theirs:
        return []
    value = ours["cpu_us"].median / theirs["cpu_us"].median * case.reference_us
    verdict = "met" if value <= case.bars[0].limit else "MISSED"
    return [f"  at the speed of a machine whose asyncio server takes {case.reference_us}: {short(value)}: {verdict}"]


def _bottleneck(figures: dict[str, Spread]) -> str:
    server, generator = figures["server_util"].median, figures["generator_util"].median
    if generator > _BUSY and generator > server:
        return "the generator's core was the bottleneck"
    return "the server's core was the bottleneck" if server > _BUSY else "neither core was full"
