"""Files: whole for all who may read them, for no one else, and gone with their messages; and planted bugs found.

More of it, and the replay of a failure: `python tools/simulate.py --files --seeds 1000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulation.flavour import Options
from tests.simulation.mutants.files import FILE_MUTANTS, SIGHTINGS
from tests.simulation.pace import rarely_collected
from tests.simulation.world import World, failure_of, found_by

SEEDS = int(os.environ.get("SECURECHAT_FILES_SEEDS", "40"))
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 10
FAST = 10
"""Seeds of the fast tests; the others run where all tests run."""
MUTANT_SEEDS = 500
"""At most, for a planted bug, besides the one that is known to find it."""
FILES = Options(files=True)
FOUND = (114, 200, 223, 265, 301, 335, 416, 418, 583, 656, 888)
"""Seeds beyond `SEEDS` that have found something: in the product (114, 223, 265, 301, 888) or in the checks."""


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
def test_nothing_is_found_with_files(first: int) -> None:
    commits = reads = refused = resumed = again = 0
    for seed in range(first, first + CHUNK):
        world = World(seed, FILES)
        if found := found_by(world):
            pytest.fail(
                f"seed {seed}: {found}\n    python tools/simulate.py --files --seed {seed} --trace", pytrace=False
            )
        law = world.file_law
        commits, reads, refused = commits + law.commits, reads + law.reads, refused + law.refused_reads
        resumed += sum(filer.resumed for filer in world.filers)
        again += sum(filer.again for filer in world.filers)
    assert commits > 2 * CHUNK, "hardly any file was sent"
    assert reads > 3 * CHUNK, "hardly any file was read"
    assert refused > 5 * CHUNK, "hardly any file was asked for that may not be read"
    assert resumed > CHUNK / 2, "hardly any upload went on behind its beginning"
    assert again > CHUNK, "hardly any message was sent once more"


@pytest.mark.slow
@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_with_files_stays_repaired(seed: int) -> None:
    if found := failure_of(seed, FILES):
        pytest.fail(f"seed {seed}: {found}\n    python tools/simulate.py --files --seed {seed} --trace", pytrace=False)


def test_a_seed_with_files_is_the_same_run_again() -> None:
    first, second = (World(3, FILES, tracing=True).run().clock.digest() for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("name", FILE_MUTANTS)
def test_a_bug_planted_in_files_is_found(name: str) -> None:
    seeds = (SIGHTINGS.get(name, 0), *range(MUTANT_SEEDS))
    with FILE_MUTANTS[name]():
        seed, found = next(((seed, found) for seed in seeds if (found := failure_of(seed, FILES))), (0, ""))
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
    assert not failure_of(seed, FILES), f"seed {seed} fails without the planted bug, too"
