"""Runs simulated worlds, seed after seed: `python tools/simulate.py --seeds 1000`, or `--seed 7 --trace` for one.

A failure is one line: the seed, the commit, what was found, and with how little of the world it still is. `--mutants`
plants known bugs and shows after how many seeds each is found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.simulation.faults import FAULTS  # noqa: E402  # the path comes first
from tests.simulation.mutants import MUTANTS  # noqa: E402
from tests.simulation.world import Options, World, describe, failure_of  # noqa: E402

_PROGRESS_S = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code: 1 when something was found (or a mutant was not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many (default 1000)")
    parser.add_argument("--from", type=int, default=0, metavar="N", dest="first", help="the first seed (default 0)")
    parser.add_argument("--minutes", type=float, metavar="M", help="go on for so long, whatever --seeds says")
    parser.add_argument("--seed", type=int, metavar="N", help="run this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happens")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a smaller world that fails")
    parser.add_argument("--mutants", action="store_true", help="which seed finds each planted bug, of at most --seeds")
    options = parser.parse_args(arguments)
    if options.mutants:
        return run_mutants(options.first, options.seeds)
    if options.seed is not None:
        return run_one(options.seed, trace=options.trace)
    return run_many(options.first, options.seeds, options.minutes, shrinking=not options.no_shrink)


def run_one(seed: int, *, trace: bool) -> int:
    """Run one seed."""
    world = World(seed, tracing=trace)
    found = ""
    try:
        world.run()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
        found = describe(error)
    print("\n".join(world.clock.lines))
    print(f"seed {seed}: {found or 'nothing found'} ({world.clock.events} events; {', '.join(sorted(world.flavour))})")
    return 1 if found else 0


def run_many(first: int, count: int, minutes: float | None, *, shrinking: bool) -> int:
    """Run seeds in a row, with progress, and a line for each failure."""
    began = told = time.monotonic()
    events = done = failed = 0
    for seed in seeds(first, count, minutes):
        world = World(seed)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
            failed += 1
            smaller = f" | still with {shrink(seed)}" if shrinking else ""
            print(f"seed {seed} at {commit()}: {describe(error)}{smaller}", flush=True)
        done += 1
        events += world.clock.events
        now = time.monotonic()
        if now - told >= _PROGRESS_S:
            told = now
            print(f"... {done} seeds, {failed} failed, {rate(events, done, now - began)}", file=sys.stderr, flush=True)
    print(f"{done} seeds, {failed} failed, {rate(events, done, time.monotonic() - began)}")
    return 1 if failed else 0


def seeds(first: int, count: int, minutes: float | None) -> Iterator[int]:
    """The seeds to run: so many, or for so long."""
    until = time.monotonic() + 60 * minutes if minutes is not None else None
    seed = first
    while (seed < first + count) if until is None else time.monotonic() < until:
        yield seed
        seed += 1


def rate(events: int, done: int, seconds: float) -> str:
    """Say how fast it goes."""
    return f"{events / max(done, 1):.0f} events a seed, {events / max(seconds, 0.001):.0f} events/s"


def commit() -> str:
    """Return the commit of this tree, as far as there is one."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "no commit"


def shrink(seed: int) -> Options:
    """Take away what the failure does not need: strangers, people, faults, time."""
    best = Options()
    for people in (2, 3):
        if best.people is None:
            best = _if_it_fails(seed, best, replace(best, people=people))
    best = _if_it_fails(seed, best, replace(best, hostile=0))
    for fault in (*FAULTS, "admin", "stuffed", "tiny", "rates"):
        best = _if_it_fails(seed, best, replace(best, without=best.without | {fault}))
    for active_s in (0.5, 1.0, 1.5, 2.0, 3.0):
        if best.active_s is None:
            best = _if_it_fails(seed, best, replace(best, active_s=active_s))
    return best


def _if_it_fails(seed: int, otherwise: Options, options: Options) -> Options:
    return options if failure_of(seed, options) else otherwise


def run_mutants(first: int, count: int) -> int:
    """Plant each bug, and look for it."""
    survivors = 0
    print(f"{'planted bug':<45} {'found by seed':>13}  as")
    for name, mutant in MUTANTS.items():
        with mutant():
            found = next(((seed, what) for seed in range(first, first + count) if (what := failure_of(seed))), None)
        survivors += found is None
        seed, what = found or ("never", f"survived {count} seeds")
        print(f"{name:<45} {seed:>13}  {what[:110]}", flush=True)
    print(f"{len(MUTANTS)} planted, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
