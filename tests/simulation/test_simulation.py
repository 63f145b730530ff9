"""The whole system from one seed, some thousand times; the same seed twice is the same run; old findings stay found.

More of it, and the replay of a failure: `python tools/simulate.py --help`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.pace import rarely_collected
from tests.simulation.world import World, failure_of, found_by

SEEDS = int(os.environ.get("SECURECHAT_SEEDS", "600"))
"""Of the 126 planted bugs, 119 are found by one of the first 600 seeds, and 122 by one of the first 2,000."""
FIRST = int(os.environ.get("SECURECHAT_SEED", "0"))
CHUNK = 100
"""Seeds of one test: some five seconds, so that workers share them evenly."""
FAST = 100
"""Seeds of the fast tests; the others are as likely to find something, and run where all tests run."""
MEAN_EVENTS = 500
"""What a run must do at least, in the mean, to be worth its name."""

ROOT = Path(__file__).resolve().parent.parent.parent
_LINES = (Path(__file__).parent / "regressions.txt").read_text(encoding="utf-8").splitlines()
REGRESSIONS = [int(line.split()[0]) for line in _LINES if line and not line.startswith("#")]


def advice(seed: int, found: str) -> str:
    return f"{found}\n    python tools/simulate.py --seed {seed} --trace"


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
def test_nothing_is_found(first: int) -> None:
    events = 0
    for seed in range(first, first + CHUNK):
        world = World(seed)
        if found := found_by(world):
            pytest.fail(advice(seed, f"seed {seed}: {found}"), pytrace=False)
        events += world.clock.events
    print(f"{events / CHUNK:.0f} events a seed")
    assert events / CHUNK >= MEAN_EVENTS


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_was_found_once_stays_repaired(seed: int) -> None:
    found = failure_of(seed)
    assert not found, advice(seed, found)


def digest_in_a_process(seed: int, hash_seed: str) -> str:
    program = f"from tests.simulation.world import World; print(World({seed}, tracing=True).run().clock.digest())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (6, 12, 18))])
def test_a_seed_is_the_same_run_in_another_process(seed: int) -> None:
    digests = {digest_in_a_process(seed, hash_seed) for hash_seed in ("1", "2")}
    assert len(digests) == 1
    assert digests == {World(seed, tracing=True).run().clock.digest()}
