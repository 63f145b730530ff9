"""Runs in which people make bots and tokens: there is enough of that for what checks it to see something."""

from __future__ import annotations

from itertools import islice

from tests.simulation.chance import Chance
from tests.simulation.flavour import TOKENS, flavour_of, tokens_of
from tests.simulation.makers import TokenProgram
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import World, failure_of

RUNS = 12
_SEEDS = range(1000)


def has_tokens(seed: int) -> bool:
    chance = Chance(seed)
    flavour = flavour_of(chance.dice("world"), frozenset())
    return TOKENS in tokens_of(chance.dice("tokens"), flavour, frozenset())


def test_programs_come_by_tokens_and_what_they_say_is_acknowledged() -> None:
    made = came = acknowledged = 0
    for seed in islice(filter(has_tokens, _SEEDS), RUNS):
        world = World(seed).run()
        made += len(world.makers.secrets)
        came += len(world.token_law.in_by)
        programs = [program for program in world.programs if isinstance(program, TokenProgram)]
        acknowledged += sum(program.acknowledged for program in programs)
    assert made > RUNS
    assert came > 5 * RUNS
    assert acknowledged > RUNS


def test_a_token_that_outlives_its_maker_is_found_by_an_early_seed() -> None:
    with MUTANTS["token_alive_after_its_maker_is_banned"]():
        assert any("its maker is banned" in failure_of(seed) for seed in filter(has_tokens, range(100)))
