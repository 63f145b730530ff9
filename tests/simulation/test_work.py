"""The loop's made time: a pass has a length, the next one waits for it, and a run is the same whatever ran before."""

from __future__ import annotations

from itertools import count

import pytest

from securechat.limits import Limits
from securechat.testing.clock import SimulatedClock
from securechat.testing.log_checks import HistoryBroken
from securechat.testing.loop_passes import SimulatedPasses
from tests.simulation import work
from tests.simulation.work import LONGEST_PASS_MS, Work
from tests.simulation.world import World, failure_of

CROWDED = next(seed for seed in count() if "crowd" in World(seed).flavour)
MOST_SEEDS = 20


def test_a_pass_that_takes_long_keeps_the_next_one_waiting() -> None:
    clock = SimulatedClock()
    begun: list[float] = []
    passes = SimulatedPasses(clock, Limits(), lambda: None, lambda: 0.02)
    passes.loop.post(lambda: begun.append(clock.now))
    clock.run_until(clock.now + 1.0)
    passes.loop.post(lambda: begun.append(clock.now))
    clock.run_until(clock.now + 0.005)
    passes.loop.post(lambda: begun.append(clock.now))
    clock.run_until(clock.now + 1.0)
    assert [round(at - begun[1], 3) for at in begun[1:]] == [0.0, 0.02]


def test_only_whole_milliseconds_are_felt() -> None:
    counted = Work()
    counted.us = 999
    assert counted.pass_is_over() == 0
    counted.us = 2_700
    assert counted.pass_is_over() == 0.002
    assert counted.pass_is_over() == 0


def test_a_freeze_is_found() -> None:
    counted = Work()
    counted.us = 1_000 * LONGEST_PASS_MS + 1
    with pytest.raises(HistoryBroken, match="in one pass"):
        counted.pass_is_over()


def test_a_ping_that_waits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command takes 40 ms: no pass is long enough to be found, all together keep the prober waiting."""
    monkeypatch.setattr(work, "COMMAND_US", 40_000)
    monkeypatch.setattr(work, "LONGEST_PASS_MS", 1e9)
    seeds = (seed for seed in count(CROWDED) if "crowd" in World(seed).flavour)
    found = (failure_of(seed) for seed, _ in zip(seeds, range(MOST_SEEDS), strict=False))
    assert any("a ping was not answered" in what for what in found)


def test_a_crowded_run_is_the_same_whatever_was_folded_before() -> None:
    first = World(CROWDED, tracing=True).run().clock.digest()
    World(CROWDED + 1).run()
    assert World(CROWDED, tracing=True).run().clock.digest() == first
