"""Scripts that post over HTTP: each thing stored once, each answer true, whatever breaks; and planted bugs found.

More of it, and the replay of a failure: `python tools/simulate.py --http --seeds 1000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.http import HTTP_MUTANTS, SIGHTINGS
from tests.simulation.pace import rarely_collected
from tests.simulation.poster import Poster
from tests.simulation.world import World, failure_of, found_by

SEEDS = int(os.environ.get("SECURECHAT_HTTP_SEEDS", "150"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 25
FAST = 25
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 300
"""At most, for a planted bug, besides the one that is known to find it."""
HTTP = Options(http=True)


@pytest.fixture(autouse=True)
def _seldom_garbage() -> Iterator[None]:
    with rarely_collected():
        yield


@pytest.mark.parametrize(
    "first",
    [
        *range(FIRST, FIRST + min(FAST, SEEDS), CHUNK),
        *(pytest.param(first, marks=pytest.mark.slow) for first in range(FIRST + FAST, FIRST + SEEDS, CHUNK)),
    ],
)
def test_nothing_is_found_with_scripts(first: int) -> None:
    answers = replays = again = refused = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, HTTP)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --http --seed {seed} --trace", pytrace=False
            )
        for poster in world.programs:
            if isinstance(poster, Poster):
                answers, replays = answers + poster.answers, replays + poster.replays
                again, refused = again + poster.again, refused + poster.refused
    assert answers > 4 * CHUNK, "scripts had hardly anything to do"
    assert replays > CHUNK, "hardly anything was answered twice"
    assert again > CHUNK / 5, "hardly anything without an answer was posted again"
    assert refused > CHUNK, "hardly any token was over"


def test_a_seed_with_scripts_is_the_same_run_again() -> None:
    first, second = (World(3, HTTP, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", HTTP_MUTANTS)
def test_a_bug_planted_below_http_is_found(name: str) -> None:
    seeds = (SIGHTINGS.get(name, 0), *range(MUTANT_SEEDS))
    with HTTP_MUTANTS[name]():
        found = next(filter(None, (failure_of(seed, HTTP) for seed in seeds)), "")
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
