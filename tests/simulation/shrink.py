"""A failing run made smaller: less of the world first, then fewer of its acts, as long as it fails in the same way.

Acts have dice of their own, so most of what is left does what it did before. Taking them away follows ddmin (Zeller and
Hildebrandt, IEEE TSE 28, 2002): large parts first, then smaller ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.simulation.flavour import BUGS, EXTREMES, FAULTS, FEATURES, SETTLED, SIZES, TOKENS, Options
from tests.simulation.world import World, describe

MOST_RUNS = 300
"""Runs that one failure is worth: some twenty seconds."""
_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_ESSENCE_CHARS = 70


def essence(found: str) -> str:
    """What kind of failure it is: the sentence without its names and numbers."""
    return _PARTICULARS.sub("·", found)[:_ESSENCE_CHARS]


class Shrinking:
    """The search for a smaller run.

    Args:
        seed: of the run that fails.
        most_runs: how many may be made.
        options: of the run to begin with.

    Attributes:
        options: the smallest found so far.
        found: what the whole run found; empty when it does not fail.
    """

    def __init__(self, seed: int, most_runs: int = MOST_RUNS, options: Options | None = None) -> None:
        self._seed = seed
        self._runs_left = most_runs
        self.options = options or Options()
        self.found, _ = self._run(self.options)
        self._kind = essence(self.found)

    def shrink(self) -> Options:
        """Take away what the failure does not need."""
        if not self.found:
            return self.options
        for people in (2, 3):
            if self.options.people is None:
                self._try(replace(self.options, people=people))
        self._try(replace(self.options, hostile=0))
        for name in (*FAULTS, *FEATURES, *EXTREMES, *SIZES, *BUGS, TOKENS, SETTLED):
            self._try(replace(self.options, without=self.options.without | {name}))
        for active_s in (0.5, 1.0, 2.0, 3.0):
            if self.options.active_s is None:
                self._try(replace(self.options, active_s=active_s))
        _, acts = self._run(self.options)
        self._take_acts_away(acts)
        return self.options

    def _take_acts_away(self, acts: Sequence[str]) -> None:
        parts = 2
        while len(acts) > 1 and self._runs_left > 0:
            for rest in _without_each(acts, parts):
                if self._try(replace(self.options, only=frozenset(rest))):
                    acts, parts = rest, max(2, parts - 1)
                    break
            else:
                if parts >= len(acts):
                    return
                parts = min(len(acts), 2 * parts)

    def _try(self, options: Options) -> bool:
        """Keep these options if the run still fails in the same way."""
        if self._runs_left <= 0:
            return False
        found, _ = self._run(options)
        if essence(found) != self._kind:
            return False
        self.options = options
        return True

    def _run(self, options: Options) -> tuple[str, list[str]]:
        self._runs_left -= 1
        world = World(self._seed, options)
        return outcome(world.run), world.schedule.acts


def outcome(run: Callable[[], object]) -> str:
    """Run something; return what it found, in one line, or nothing."""
    try:
        run()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
        return describe(error)
    return ""


def _without_each(acts: Sequence[str], parts: int) -> Iterator[list[str]]:
    """The acts without their first part, without their second part, and so on."""
    size = -(-len(acts) // parts)
    for start in range(0, len(acts), size):
        yield [*acts[:start], *acts[start + size :]]
