"""Runs simulated worlds, seed after seed: `python tools/simulate.py --seeds 1000`, or `--seed 7 --trace` for one.

A failure is one line: the seed, the commit and what was found; below it stands the command that replays the smallest
run that still finds it. `--mutants` plants known bugs and shows by which seed each is found.

Exit codes: 0 nothing was found (every planted bug was), 1 something was (or one was not), 2 the command line makes no
sense, 130 it was interrupted before anything was found.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.simulation import flavour  # noqa: E402  # the path comes first
from tests.simulation.flavour import Options  # noqa: E402
from tests.simulation.mutants import MUTANTS  # noqa: E402
from tests.simulation.mutants.sightings import Sightings  # noqa: E402
from tests.simulation.pace import rarely_collected  # noqa: E402
from tests.simulation.shrink import Shrinking, outcome  # noqa: E402
from tests.simulation.world import World, failure_of  # noqa: E402

SEEDS = 1000
"""How many are run, or tried for a planted bug, unless a number is given."""
PARTS = (
    *flavour.FAULTS,
    *flavour.FEATURES,
    *flavour.EXTREMES,
    *flavour.SIZES,
    *flavour.BUGS,
    flavour.SETTLED,
    flavour.PROGRAM,
    flavour.TOKENS,
)
"""What a run can do without."""
INTERRUPTED = 130
"""As shells have it: 128 and the number of the signal."""
_PROGRESS_S = 5.0
_TOLD_CHARS = 110
"""Of what a planted bug was found as."""
_SMALLER = ("people", "hostile", "without", "active", "only")
_MANY = ("seeds", "first", "minutes", "jobs", "no_shrink")


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code."""
    reader = parser()
    given = reader.parse_args(arguments)
    if (complaint := complaint_about(given)) is not None:
        reader.error(complaint)
    first, seeds = given.first or 0, given.seeds or SEEDS
    with rarely_collected():
        if given.mutants:
            return run_mutants(first, seeds, note=given.note)
        if given.seed is not None:
            return run_one(given.seed, options_of(given), trace=given.trace)
        world = options_of(given)
        return run_many(first, seeds, given.minutes, given.jobs or 1, shrinking=not given.no_shrink, options=world)


# --- The command line -------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="tools/simulate.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    many = made.add_argument_group("many runs")
    many.add_argument("--seeds", type=whole(1), metavar="N", help=f"how many (default {SEEDS})")
    many.add_argument("--from", type=whole(0), metavar="N", dest="first", help="the first seed (default 0)")
    many.add_argument("--minutes", type=positive, metavar="M", help="go on for so long instead of --seeds")
    many.add_argument("--jobs", type=whole(1), metavar="N", help="processes that share the work (default 1)")
    many.add_argument("--no-shrink", action="store_true", help="do not look for a smaller run that fails")
    made.add_argument("--web", action="store_true", help="some devices are browsers with the page's core (needs deno)")
    made.add_argument("--bot", action="store_true", help="a bot answers, and is killed at any moment")
    made.add_argument("--http", action="store_true", help="scripts post over HTTP, by the tokens that people make")
    made.add_argument("--events", action="store_true", help="as --http, and programs read event streams")
    made.add_argument("--outgoing", action="store_true", help="as --http, and rooms have outgoing webhooks")
    made.add_argument("--files", action="store_true", help="as --http, and files are sent, read and deleted")
    one = made.add_argument_group("one run")
    one.add_argument("--seed", type=whole(0), metavar="N", help="run this one, and say what it is about")
    one.add_argument("--trace", action="store_true", help="print all that happens, with virtual seconds")
    smaller = made.add_argument_group("a smaller run, with --seed")
    smaller.add_argument("--people", type=whole(1), metavar="N", help="at most so many")
    smaller.add_argument("--hostile", type=whole(0), metavar="N", help="at most so many strangers who mean no good")
    smaller.add_argument("--without", type=parts, metavar="A,B", help=f"without some of: {', '.join(PARTS)}")
    smaller.add_argument("--active", type=positive, metavar="S", help="everybody acts for so many virtual seconds")
    smaller.add_argument("--only", type=acts, metavar="ACTS", help="only these acts: 'ann:3,7;faults:2', or - for none")
    mutants = made.add_argument_group("planted bugs")
    mutants.add_argument("--mutants", action="store_true", help="which seed finds each, of --seeds from --from on")
    mutants.add_argument("--note", action="store_true", help="keep the table for the tests to begin with")
    return made


def whole(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return read


def positive(text: str) -> float:
    """Read a number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def parts(text: str) -> frozenset[str]:
    """Read names of parts."""
    names = frozenset(filter(None, text.split(",")))
    if unknown := ", ".join(sorted(names - set(PARTS))):
        raise argparse.ArgumentTypeError(f"there is no {unknown}: write some of {','.join(PARTS)}")
    return names


def acts(text: str) -> frozenset[str]:
    """Read names of acts, as a failure prints them."""
    try:
        return flavour.read(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} names no acts: write them as 'ann:3,7;faults:2'") from None


def complaint_about(given: argparse.Namespace) -> str | None:
    """Say which flags do not go together; None when all do. A flag that did nothing would look as if it did."""
    if given.mutants:
        alone, others = "--mutants", ("seed", "trace", *_SMALLER, "minutes", "jobs", "no_shrink")
    elif given.seed is not None:
        alone, others = "--seed", (*_MANY, "note")
    else:
        alone, others = "", ("trace", *_SMALLER, "note")
    useless = [name for name in others if (value := getattr(given, name)) is not None and value is not False]
    if not useless:
        if given.minutes is not None and given.seeds is not None:
            return "--minutes and --seeds both say when to stop: leave one out"
        return None
    flags = ", ".join({"first": "--from"}.get(name, f"--{name.replace('_', '-')}") for name in useless)
    if alone:
        return f"{flags}: of no use with {alone}; leave it out"
    return f"{flags}: only with --{'mutants' if useless == ['note'] else 'seed N'}"


def options_of(given: argparse.Namespace) -> Options:
    """Return which run the command line means."""
    return Options(
        people=given.people,
        hostile=given.hostile,
        without=given.without or frozenset(),
        active_s=given.active,
        only=given.only,
        web=bool(given.web),
        bot=bool(given.bot),
        http=bool(given.http),
        events=bool(given.events),
        outgoing=bool(given.outgoing),
        files=bool(given.files),
    )


# --- Runs -------------------------------------------------------------------------------------------------------------


def run_one(seed: int, options: Options, *, trace: bool) -> int:
    """Run one seed."""
    world = World(seed, options, tracing=trace)
    try:
        found = outcome(world.run)
    except KeyboardInterrupt:
        found = None
    for line in world.clock.lines:
        print(line)
    if found is None:
        print(f"seed {seed}: interrupted after {world.clock.events} events")
        return INTERRUPTED
    if absent := (options.only or frozenset()) - set(world.schedule.acts):
        print(f"of --only, these acts did not come about: {flavour.written(absent)}", file=sys.stderr)
    print(f"seed {seed}: {found or 'nothing found'} ({world.clock.events} events; {', '.join(sorted(world.flavour))})")
    return 1 if found else 0


@dataclass
class Tally:
    """What was run so far, since a monotonic second."""

    began: float
    done: int = 0
    failed: int = 0
    events: int = 0

    def __str__(self) -> str:
        """How many, and how fast."""
        mean, rate = self.events / max(self.done, 1), self.events / max(time.monotonic() - self.began, 0.001)
        return f"{self.done} seeds, {self.failed} failed, {mean:.0f} events a seed, {rate:.0f} events/s"


_PLAIN = Options()


def run_many(
    first: int, wanted: int, minutes: float | None, jobs: int, *, shrinking: bool, options: Options = _PLAIN
) -> int:
    """Run seeds in a row, with progress, and a line for each failure."""
    told = time.monotonic()
    tally = Tally(told)
    until = tally.began + 60 * minutes if minutes is not None else float("inf")
    try:
        for seed, found, events in results(first, wanted if minutes is None else None, jobs, options):
            tally.done += 1
            tally.events += events
            if found:
                tally.failed += 1
                print(f"seed {seed} at {commit()}: {found}", flush=True)
                print(f"    {replay(seed, options, shrinking=shrinking)}", flush=True)
            now = time.monotonic()
            if now - told >= _PROGRESS_S:
                told = now
                print(f"... {tally}", file=sys.stderr, flush=True)
            if now >= until:
                break
    except KeyboardInterrupt:
        print(f"interrupted: {tally}")
        return 1 if tally.failed else INTERRUPTED
    print(tally)
    return 1 if tally.failed else 0


def results(first: int, wanted: int | None, jobs: int, options: Options = _PLAIN) -> Iterator[tuple[int, str, int]]:
    """Each seed with what it found and how many events it took, in order; without end unless so many are wanted."""
    seeds = islice(count(first), wanted)
    run = result if options == _PLAIN else partial(result, options=options)
    if jobs < 2:
        yield from map(run, seeds)
        return
    pool = ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        while some := list(islice(seeds, 8 * jobs)):  # a batch at a time: an endless list cannot be handed out
            yield from pool.map(run, some)
    finally:
        pool.shutdown(cancel_futures=True)


def result(seed: int, *, options: Options = _PLAIN) -> tuple[int, str, int]:
    """Run one seed."""
    world = World(seed, options)
    return seed, outcome(world.run), world.clock.events


def commit() -> str:
    """Return the commit of this tree, as far as there is one, and whether the tree is another by now."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "no commit"


def replay(seed: int, options: Options = _PLAIN, *, shrinking: bool) -> str:
    """Return the command that shows a failure, with as little of the world as it takes."""
    if shrinking:
        options = (Shrinking(seed) if options == _PLAIN else Shrinking(seed, options=options)).shrink()
    return shlex.join(["python", "tools/simulate.py", "--seed", str(seed), "--trace", *options.flags().split()])


def run_mutants(first: int, wanted: int, *, note: bool) -> int:
    """Plant each bug, and look for it, seed by seed."""
    sightings = Sightings.read()
    planted = survivors = 0
    print(f"{'planted bug':<55} {'found by seed':>13}  as")
    try:
        for name, mutant in MUTANTS.items():
            with mutant():
                seeds = range(first, first + wanted)
                found = next(((seed, what) for seed in seeds if (what := failure_of(seed))), None)
            planted += 1
            survivors += found is None
            seed, what = found or ("never", f"survived {wanted} seeds")
            if found:
                sightings.seeds[name] = found[0]
            print(f"{name:<55} {seed:>13}  {what[:_TOLD_CHARS]}", flush=True)
    except KeyboardInterrupt:
        print(f"interrupted: {planted} of {len(MUTANTS)} planted, {survivors} survived")
        return 1 if survivors else INTERRUPTED
    if note:
        sightings.seeds = {name: seed for name, seed in sightings.seeds.items() if name in MUTANTS}
        sightings.write()
    print(f"{planted} planted, {survivors} survived")
    return 1 if survivors else 0


def begin() -> int:
    """Be a program: the reader of its output may stop reading, as `head` does."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return 1
    return code


if __name__ == "__main__":
    sys.exit(begin())
