"""Times the server's loop under the worst that may legally be asked of it.

    python -m tools.bench.worst [--only WORD] [--rounds 7] [--check] [--json FILE]

Every command runs with its most expensive legal content (`worst_cases`, `worst_server`, `worst_web`) on a server in
this process that is full of people (`worst_world`). For each the table shows the longest pass of the loop that it
caused, in milliseconds of CPU: the median of the rounds and the worst of them. The bar is 5 ms, or 10 ms for the work
of many requests in one pass, and a delivery's price for each connection that is told; what needs longer must go in
slices.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securechat.errors import LocalProtocolError
from tools.bench import worst_web
from tools.bench.worst_cases import Case
from tools.bench.worst_world import Size, World

BAR_MS = 5.0
"""A pass of the loop: what one command may take of it (`docs/design/0002-speed.md`)."""
SHARED_BAR_MS = 10.0
"""The same, of many connections' work in one pass; see `accepts_per_pass` and `commit_messages` in the limits."""
DELIVERY_MS = 0.0008
"""On top for each connection that is told: a broadcast is fan-out, whose own bars stand beside this one."""


@dataclass
class Figure:
    """What a case took, milliseconds of each round's longest pass, and of all passes."""

    case: Case
    passes_ms: list[float]
    totals_ms: list[float]
    passes: int
    failure: str = ""

    @property
    def median_ms(self) -> float:
        return statistics.median(self.passes_ms)

    @property
    def is_over(self) -> bool:
        bar_ms = BAR_MS if self.case.at_once == 1 else SHARED_BAR_MS
        return bool(self.failure) or self.median_ms > bar_ms + DELIVERY_MS * self.case.heard_by

    @property
    def worst_ms(self) -> float:
        return max(self.passes_ms)


def measure(world: World, case: Case, rounds: int) -> Figure:
    """Run a case so often."""
    figure = Figure(case, [], [], 0)
    for _ in range(rounds):
        steps = case.run(world)
        work = next(steps)
        if not work.at_once:
            world.loop.run(for_s=1.0)
        gc.collect(0)
        world.loop.reset()
        try:
            world.loop.run(*work.inputs, for_s=work.for_s)
        except LocalProtocolError as error:
            world.watch.stop()
            figure.failure = str(error)
        figure.passes_ms.append(world.loop.worst_s * 1e3)
        figure.totals_ms.append(world.loop.total_s * 1e3)
        figure.passes = world.loop.passes
        if next(steps, None) is not None:
            raise AssertionError(f"{case.what}: a case is timed once")
        world.loop.run()
    return figure


def name_of(kind: Any) -> str:
    return kind if isinstance(kind, str) else kind.__name__


def row(figure: Figure) -> str:
    over = figure.failure or ("over" if figure.is_over else "")
    case = figure.case
    label = f"{name_of(case.kind)}, {case.who}: {case.what}"
    return (
        f"{label[:76]:76}  {figure.median_ms:8.2f} {figure.worst_ms:8.2f}"
        f" {statistics.median(figure.totals_ms):9.2f} {figure.passes:6d}  {over}"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="only cases with this word in their line")
    parser.add_argument("--rounds", type=int, default=7, help="how often each runs (default 7)")
    parser.add_argument("--check", action="store_true", help=f"exit 1 when a median is over {BAR_MS:g} ms")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args(arguments)
    world = World(Size())
    chosen = [
        case
        for case in worst_web.CASES
        if options.only.lower() in f"{name_of(case.kind)}, {case.who}: {case.what}".lower()
    ]
    print(f"{'loop milliseconds of the longest pass':76}  {'median':>8} {'worst':>8} {'in all':>9} {'passes':>6}")
    figures = []
    for case in chosen:
        figures.append(measure(world, case, options.rounds))
        print(row(figures[-1]), flush=True)
    over = [figure for figure in figures if figure.is_over]
    print(f"{len(figures)} cases, {len(over)} over their bar")
    if options.json is not None:
        options.json.write_text(
            json.dumps(
                {
                    f"{name_of(each.case.kind)}, {each.case.who}: {each.case.what}": [each.median_ms, each.worst_ms]
                    for each in figures
                },
                indent=1,
                ensure_ascii=False,
            )
        )
    return 1 if over and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
