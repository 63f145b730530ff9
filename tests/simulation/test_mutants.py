"""The simulation sees: each bug planted on purpose is found, within a bounded number of seeds."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.sightings import Sightings
from tests.simulation.world import failure_of

SEEDS = 2000
"""At most, besides the one that the table names: nearly all are found by one of the first few hundred."""
_SIGHTINGS = Sightings.read()


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    with MUTANTS[name]():
        found = next(filter(None, map(failure_of, _SIGHTINGS.candidates(name, SEEDS))), "")
    assert found, f"{name} survived: a check is missing"
    assert "Error at" not in found or "AssertionError at" in found, f"{name} does not run: {found}"
