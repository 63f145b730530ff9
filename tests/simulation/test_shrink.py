"""A failing run becomes a smaller one that fails in the same way, and what is printed about it makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation import flavour
from tests.simulation.flavour import Options
from tests.simulation.mutants import MUTANTS
from tests.simulation.shrink import Shrinking, essence
from tests.simulation.world import World, failure_of
from tools import simulate

PLANTED = "one_message_of_a_batch_not_fanned_out"
"""Every tenth seed or so finds it."""
RUNS = 120
"""Enough to make a run smaller, if not the smallest: some seconds."""

actors = st.text("abcxyz", min_size=1, max_size=9)
acts = st.frozensets(st.builds("{}:{}".format, actors, st.integers(0, 99_999)), max_size=20)
options = st.builds(
    Options,
    people=st.none() | st.integers(1, 9),
    hostile=st.none() | st.integers(0, 9),
    without=st.frozensets(st.sampled_from(simulate.PARTS)),
    active_s=st.none() | st.floats(0.001, 100),
    only=st.none() | acts,
)


# --- Acts and options in writing --------------------------------------------------------------------------------------


@given(acts)
def test_acts_are_read_as_they_were_written(some: frozenset[str]) -> None:
    assert flavour.read(flavour.written(some)) == some


def test_acts_are_written_shortly_and_in_order() -> None:
    assert flavour.written(frozenset({"bob:10", "ann:7", "bob:2", "ann:3"})) == "ann:3,7;bob:2,10"
    assert flavour.written(frozenset()) == "-"
    assert flavour.read("-") == frozenset()


@pytest.mark.parametrize("text", ["", "ann", "ann:", "ann:x", "ann:3;", "ann:3,,4", "ann:3 bob:2"])
def test_what_names_no_acts_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no acts|invalid literal"):
        flavour.read(text)


@given(options)
@settings(deadline=None)
def test_options_are_the_same_after_the_way_over_a_command_line(some: Options) -> None:
    line = shlex.join(["--seed", "7", *some.flags().split()])
    parsed = simulate.parser().parse_args(shlex.split(line))
    assert simulate.options_of(parsed) == some


# --- Smaller runs -----------------------------------------------------------------------------------------------------


def test_what_is_the_same_failure_does_not_depend_on_who_and_how_many() -> None:
    one = essence("ann.0/1: message 18 of #'lobby' was never shown (up to 24)")
    assert one == essence("ann.7/3: message 4 of #'den' was never shown (up to 5)")
    assert one != essence("ann.0/1: message 18 was shown twice")


@pytest.fixture(scope="module")
def failing() -> Iterator[int]:
    """A seed that fails, as long as a bug is planted."""
    with MUTANTS[PLANTED]():
        yield next(seed for seed in range(3, 500) if failure_of(seed))  # seed 2 needs every part it has


def test_a_failing_run_becomes_smaller_and_fails_in_the_same_way(failing: int) -> None:
    shrinking = Shrinking(failing, RUNS)
    smaller = shrinking.shrink()
    whole, rest = World(failing), World(failing, smaller)
    found = [simulate.outcome(world.run) for world in (whole, rest)]
    assert found[0] == shrinking.found
    assert essence(found[1]) == essence(found[0]) != ""
    assert rest.clock.events < whole.clock.events
    assert rest.flavour < whole.flavour or len(rest.people) < len(whole.people)
    assert len(rest.schedule.acts) < len(whole.schedule.acts)
    assert smaller.only is None or set(rest.schedule.acts) <= smaller.only


def test_no_more_runs_are_made_than_allowed(failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = Shrinking._run
    monkeypatch.setattr(Shrinking, "_run", lambda self, some: made.append(some) or original(self, some))
    Shrinking(failing, 10).shrink()
    assert 10 <= len(made) <= 11, "the acts are looked up once more"


def test_a_run_that_finds_nothing_is_left_as_it_is() -> None:
    seed = next(seed for seed in range(500) if not failure_of(seed))
    shrinking = Shrinking(seed)
    assert shrinking.found == ""
    assert shrinking.shrink() == Options()


def test_the_command_that_is_printed_replays_the_same_failure(
    failing: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "Shrinking", partial(Shrinking, most_runs=RUNS))
    assert simulate.main(["--from", str(failing), "--seeds", "1"]) == 1
    failure, command, summary = capsys.readouterr().out.splitlines()
    head, _, found = failure.partition(": ")
    assert head == f"seed {failing} at {simulate.commit()}"
    assert summary.startswith("1 seeds, 1 failed, ")
    python, tool, *flags = shlex.split(command)
    assert (python, tool) == ("python", "tools/simulate.py")
    assert flags[:3] == ["--seed", str(failing), "--trace"]
    assert len(flags) > 3, "it is no smaller"
    assert simulate.main(flags) == 1
    *trace, verdict = capsys.readouterr().out.splitlines()
    assert len(trace) > 10
    assert essence(verdict.partition(": ")[2])[:40] == essence(found)[:40]


def test_every_part_of_a_run_can_be_taken_away() -> None:
    """Or shrinking would leave it there, and nobody could ask for less."""
    seeds = range(200)
    drawn = set(chain.from_iterable(World(seed, Options(only=frozenset())).flavour for seed in seeds))
    assert drawn == set(simulate.PARTS)
