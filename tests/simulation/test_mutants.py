"""The simulation sees: each bug planted on purpose is found, within a bounded number of seeds."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.world import failure_of

SEEDS = 2000
"""At most; nearly all are found by the first few seeds, and `tools/simulate.py --mutants` shows which."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    with MUTANTS[name]():
        assert any(failure_of(seed) for seed in range(SEEDS)), f"{name} survived: a check is missing"
