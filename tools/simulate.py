"""Runs simulated worlds, seed after seed: `python tools/simulate.py --seeds 1000`, or `--seed 7 --trace` for one.

A failure is one line: the seed, the commit, what was found, and the command that replays the smallest run that still
finds it. `--mutants` plants known bugs and shows by which seed each is found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.simulation import flavour  # noqa: E402  # the path comes first
from tests.simulation.flavour import Options  # noqa: E402
from tests.simulation.mutants import MUTANTS  # noqa: E402
from tests.simulation.mutants.sightings import Sightings  # noqa: E402
from tests.simulation.shrink import Shrinking, outcome  # noqa: E402
from tests.simulation.world import World, failure_of  # noqa: E402

_PROGRESS_S = 5.0
_TOLD_CHARS = 110
"""Of what a planted bug was found as."""


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code: 1 when something was found (or a mutant was not)."""
    options = parser().parse_args(arguments)
    if options.mutants:
        return run_mutants(options.first, options.seeds, note=options.note)
    if options.seed is not None:
        return run_one(options.seed, options_of(options), trace=options.trace)
    return run_many(options.first, options.seeds, options.minutes, options.jobs, shrinking=not options.no_shrink)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many (default 1000)")
    made.add_argument("--from", type=int, default=0, metavar="N", dest="first", help="the first seed (default 0)")
    made.add_argument("--minutes", type=float, metavar="M", help="go on for so long, whatever --seeds says")
    made.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that share the work (default 1)")
    made.add_argument("--no-shrink", action="store_true", help="do not look for a smaller run that fails")
    made.add_argument("--seed", type=int, metavar="N", help="run this one")
    made.add_argument("--trace", action="store_true", help="with --seed: print all that happens")
    smaller = made.add_argument_group("a smaller run, with --seed")
    smaller.add_argument("--people", type=int, metavar="N", help="at most so many")
    smaller.add_argument("--hostile", type=int, metavar="N", help="at most so many strangers who mean no good")
    smaller.add_argument("--without", metavar="A,B", default="", help="without these faults and features")
    smaller.add_argument("--active", type=float, metavar="S", help="everybody acts for so many virtual seconds")
    smaller.add_argument("--only", metavar="ACTS", help="only these acts happen: ann:3,7;faults:2")
    mutants = made.add_argument_group("planted bugs")
    mutants.add_argument("--mutants", action="store_true", help="which seed finds each, of at most --seeds")
    mutants.add_argument("--note", action="store_true", help="keep the table for the tests to begin with")
    return made


def options_of(given: argparse.Namespace) -> Options:
    """Return which run the command line means."""
    return Options(
        people=given.people,
        hostile=given.hostile,
        without=frozenset(filter(None, given.without.split(","))),
        active_s=given.active,
        only=flavour.read(given.only) if given.only is not None else None,
    )


def run_one(seed: int, options: Options, *, trace: bool) -> int:
    """Run one seed."""
    world = World(seed, options, tracing=trace)
    found = outcome(world.run)
    print("\n".join(world.clock.lines))
    print(f"seed {seed}: {found or 'nothing found'} ({world.clock.events} events; {', '.join(sorted(world.flavour))})")
    return 1 if found else 0


def run_many(first: int, wanted: int, minutes: float | None, jobs: int, *, shrinking: bool) -> int:
    """Run seeds in a row, with progress, and a line for each failure."""
    began = told = time.monotonic()
    until = began + 60 * minutes if minutes is not None else None
    events = done = failed = 0
    for seed, found, count_of_events in results(first, wanted if until is None else None, jobs):
        done += 1
        events += count_of_events
        if found:
            failed += 1
            print(f"seed {seed} at {commit()}: {found}{replay(seed, shrinking=shrinking)}", flush=True)
        now = time.monotonic()
        if now - told >= _PROGRESS_S:
            told = now
            print(f"... {done} seeds, {failed} failed, {rate(events, done, now - began)}", file=sys.stderr, flush=True)
        if until is not None and now >= until:
            break
    print(f"{done} seeds, {failed} failed, {rate(events, done, time.monotonic() - began)}")
    return 1 if failed else 0


def results(first: int, wanted: int | None, jobs: int) -> Iterator[tuple[int, str, int]]:
    """Each seed with what it found and how many events it took, in order; without end unless so many are wanted."""
    seeds = islice(count(first), wanted)
    if jobs < 2:
        yield from map(result, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        while some := list(islice(seeds, 8 * jobs)):  # a batch at a time: an endless list cannot be handed out
            yield from pool.map(result, some)


def result(seed: int) -> tuple[int, str, int]:
    """Run one seed."""
    world = World(seed)
    return seed, outcome(world.run), world.clock.events


def rate(events: int, done: int, seconds: float) -> str:
    """Say how fast it goes."""
    return f"{events / max(done, 1):.0f} events a seed, {events / max(seconds, 0.001):.0f} events/s"


def commit() -> str:
    """Return the commit of this tree, as far as there is one."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "no commit"


def replay(seed: int, *, shrinking: bool) -> str:
    """Return the command that shows a failure, with as little of the world as it takes."""
    flags = Shrinking(seed).shrink().flags() if shrinking else ""
    quoted = flags.replace("--only ", '--only "') + '"' if "--only" in flags else flags
    return f"\n    python tools/simulate.py --seed {seed} --trace {quoted}".rstrip()


def run_mutants(first: int, wanted: int, *, note: bool) -> int:
    """Plant each bug, and look for it: with the seed that found it last, then with all the others."""
    sightings = Sightings.read()
    survivors = 0
    print(f"{'planted bug':<55} {'found by seed':>13}  as")
    for name, mutant in MUTANTS.items():
        with mutant():
            found = next(((seed, what) for seed in range(first, first + wanted) if (what := failure_of(seed))), None)
        survivors += found is None
        seed, what = found or ("never", f"survived {wanted} seeds")
        if found:
            sightings.seeds[name] = found[0]
        print(f"{name:<55} {seed:>13}  {what[:_TOLD_CHARS]}", flush=True)
    if note:
        sightings.write()
    print(f"{len(MUTANTS)} planted, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
