"""Programs that read event streams: each message once, in order, and each hole told; and planted bugs found.

More of it, and the replay of a failure: `python tools/simulate.py --events --seeds 1000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.streams import SIGHTINGS, STREAM_MUTANTS
from tests.simulation.pace import rarely_collected
from tests.simulation.reviser import Errand, RevisingPoster
from tests.simulation.world import World, failure_of, found_by

SEEDS = int(os.environ.get("SECURECHAT_EVENTS_SEEDS", "150"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 25
FAST = 25
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 300
"""At most, for a planted bug, besides the one that is known to find it."""
EVENTS = Options(events=True)


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
def test_nothing_is_found_with_readers(first: int) -> None:
    told = resumed = again = ends = changed = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, EVENTS)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --events --seed {seed} --trace", pytrace=False
            )
        for reader in world.readers:
            told, resumed = told + reader.events, resumed + reader.resumed
            again, ends = again + reader.again, ends + reader.ends
        posts = [post for each in world.programs if isinstance(each, RevisingPoster) for post in each.posts]
        changed += sum(post.is_done for post in posts if isinstance(post, Errand))
    assert told > 20 * CHUNK, "hardly anything was read"
    assert resumed > 4 * CHUNK, "hardly any stream went on behind a cursor"
    assert again > CHUNK / 2, "hardly any reader has lost what it had handled last"
    assert ends > CHUNK / 2, "hardly any stream was ended by the server"
    assert changed > CHUNK / 2, "scripts have changed hardly anything"


def test_a_seed_with_readers_is_the_same_run_again() -> None:
    first, second = (World(3, EVENTS, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", STREAM_MUTANTS)
def test_a_bug_planted_in_event_streams_is_found(name: str) -> None:
    seeds = (SIGHTINGS.get(name, 0), *range(MUTANT_SEEDS))
    with STREAM_MUTANTS[name]():
        found = next(filter(None, (failure_of(seed, EVENTS) for seed in seeds)), "")
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
