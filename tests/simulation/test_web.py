"""Browsers among the devices: the page's core is held to the same checks, and bugs planted in it are found.

More of it, and the replay of a failure: `python tools/simulate.py --web --seeds 1000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.web import SIGHTINGS, WEB_MUTANTS, web_mutant
from tests.simulation.pace import rarely_collected
from tests.simulation.web_core import CORE
from tests.simulation.world import World, failure_of, found_by
from tests.support.deno import needs_deno

pytestmark = needs_deno

SEEDS = int(os.environ.get("SECURECHAT_WEB_SEEDS", "150"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 50
FAST = 50
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 1_000
"""At most, for a planted bug; nearly all are found by one of the first hundred."""
WEB = Options(web=True)


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
def test_nothing_is_found_with_browsers(first: int) -> None:
    browsers = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, WEB)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --web --seed {seed} --trace", pytrace=False
            )
        browsers += "web" in world.flavour
    assert browsers > CHUNK / 4


def test_a_seed_with_browsers_is_the_same_run_again() -> None:
    first, second = (World(3, WEB, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


REGRESSIONS = (50_028,)
"""A message was stored twice when a login ended under it: the secret by which it was known was given up."""


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_browsers_found_once_stays_repaired(seed: int) -> None:
    assert not failure_of(seed, WEB)


@pytest.mark.parametrize("name", WEB_MUTANTS)
def test_a_planted_bug_still_fits_the_core(name: str) -> None:
    file, old, _ = WEB_MUTANTS[name]
    assert old in (CORE / file).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", WEB_MUTANTS)
def test_a_bug_planted_in_the_page_is_found(name: str) -> None:
    seeds = (SIGHTINGS.get(name, 0), *range(MUTANT_SEEDS))
    with web_mutant(name):
        found = next(filter(None, (failure_of(seed, WEB) for seed in seeds)), "")
    assert found, f"{name} survived: a check is missing"
