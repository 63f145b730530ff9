"""A bot among the people: each message handled once, each answer stored once, whatever breaks; and planted bugs found.

More of it, and the replay of a failure: `python tools/simulate.py --bot --seeds 1000`.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.bots import BOT_MUTANTS
from tests.simulation.pace import rarely_collected
from tests.simulation.world import World, failure_of, found_by
from tests.support.event_loops import without_running_loop

SEEDS = int(os.environ.get("SECURECHAT_BOT_SEEDS", "300"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 50
FAST = 50
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 300
"""At most, for a planted bug: the first 25 find them all."""
BOT = Options(bot=True)


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
def test_nothing_is_found_with_a_bot(first: int) -> None:
    handled = again = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, BOT)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --bot --seed {seed} --trace", pytrace=False
            )
        handled += sum(robot.handled for robot in world.robots)
        again += sum(robot.agains for robot in world.robots)
    assert handled > 4 * CHUNK, "the bot had hardly anything to do"
    assert again > CHUNK / 10, "it was hardly ever killed while it handled a message"


def test_a_seed_with_a_bot_is_the_same_run_again() -> None:
    first, second = (World(3, BOT, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


def test_a_bot_leaves_nothing_to_a_loop_that_is_suspended_beneath() -> None:
    """As Playwright's is, once a page was tested by this process."""
    logged: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context))
        with without_running_loop():
            World(3, BOT).run()
            gc.collect()
        for _ in range(3):  # until what the hooks have put off is done
            await asyncio.sleep(0)

    asyncio.run(run())
    gc.collect()
    assert not logged


@pytest.mark.slow
@pytest.mark.parametrize("name", BOT_MUTANTS)
def test_a_bug_planted_in_the_library_is_found(name: str) -> None:
    with BOT_MUTANTS[name]():
        found = next(filter(None, (failure_of(seed, BOT) for seed in range(MUTANT_SEEDS))), "")
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
