"""Outgoing webhooks: each message delivered, in order, each reply stored once; and planted bugs found.

More of it, and the replay of a failure: `python tools/simulate.py --outgoing --seeds 1000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.outgoing import OUTGOING_MUTANTS, SIGHTINGS
from tests.simulation.pace import rarely_collected
from tests.simulation.world import World, failure_of, found_by

SEEDS = int(os.environ.get("SECURECHAT_OUTGOING_SEEDS", "100"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 25
FAST = 25
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 200
"""At most, for a planted bug, besides the one that is known to find it."""
OUTGOING = Options(outgoing=True)


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
def test_nothing_is_found_with_outgoing_webhooks(first: int) -> None:
    deliveries = again = replies = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, OUTGOING)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --outgoing --seed {seed} --trace", pytrace=False
            )
        deliveries, again = deliveries + world.receiver.deliveries, again + world.receiver.again
        replies += sum(len(hook.replies) for hook in world.receiver.hooks.values())
    assert deliveries > 10 * CHUNK, "hardly anything was delivered"
    assert again > CHUNK / 2, "hardly any delivery was made again"
    assert replies > 3 * CHUNK, "the receiver has hardly replied"


def test_a_seed_with_outgoing_webhooks_is_the_same_run_again() -> None:
    first, second = (World(3, OUTGOING, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", OUTGOING_MUTANTS)
def test_a_bug_planted_in_outgoing_webhooks_is_found(name: str) -> None:
    seeds = (SIGHTINGS.get(name, 0), *range(MUTANT_SEEDS))
    with OUTGOING_MUTANTS[name]():
        found = next(filter(None, (failure_of(seed, OUTGOING) for seed in seeds)), "")
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
