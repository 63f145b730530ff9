"""Simulated time: one order, two clocks; and the real loop's passes on it."""

from __future__ import annotations

import pytest

from securechat.limits import Limits
from securechat.net.loop import EVENT_READ
from securechat.testing.clock import MORNING_MS, SimulatedClock
from securechat.testing.loop_passes import PASS_S, SimulatedPasses


def test_things_happen_in_the_order_of_their_time_and_then_of_asking() -> None:
    clock, happened = SimulatedClock(), []
    for delay_s, name in ((3.0, "d"), (1.0, "a"), (2.0, "b"), (2.0, "c"), (-5.0, "at once")):
        clock.call_later(delay_s, lambda name=name: happened.append((name, clock.now)))  # type: ignore[misc]
    assert not clock.run_until(1_002.0)
    assert happened == [("at once", 1_000.0), ("a", 1_001.0), ("b", 1_002.0), ("c", 1_002.0)]
    assert (clock.now, clock.events) == (1_002.0, 4)
    assert clock.step()
    assert not clock.step()
    assert happened[-1] == ("d", 1_003.0)


def test_what_is_cancelled_does_not_happen_and_does_not_count() -> None:
    clock, happened = SimulatedClock(), []
    first = clock.call_later(1.0, lambda: happened.append("first"))
    clock.call_later(2.0, lambda: happened.append("second"))
    first.cancel()
    assert clock.step()
    assert (happened, clock.events, clock.now) == (["second"], 1, 1_002.0)


def test_what_asks_for_more_at_once_is_not_followed_for_ever() -> None:
    """Enough is asked for now and then, also when time stands still."""
    clock = SimulatedClock()

    def again() -> None:
        clock.call_later(0.0, again)

    again()
    assert clock.run_until(1_001.0, lambda: clock.events >= 40, every=8)
    assert (clock.events, clock.now) == (40, 1_000.0)


def test_time_goes_to_where_it_was_asked_to_although_nothing_happens() -> None:
    clock = SimulatedClock(start=5.0)
    assert clock.run_until(7.5, lambda: True)
    assert clock.now == clock.monotonic() == 7.5
    assert not clock.run_until(6.0)
    assert clock.now == 7.5, "time went back"


def test_the_wall_clock_jumps_and_the_other_does_not_notice() -> None:
    clock = SimulatedClock()
    clock.run_until(1_001.5)
    assert clock.wall_ms() == MORNING_MS + 1_500
    clock.move_wall(-60.0)
    assert clock.wall_ms() == MORNING_MS - 58_500
    assert clock.now == 1_001.5


def test_a_trace_tells_two_runs_apart() -> None:
    digests = []
    for what in ("says a", "says a", "says b"):
        clock = SimulatedClock(tracing=True)
        clock.run_until(1_000.25)
        clock.note("ann", what)
        digests.append(clock.digest())
    assert clock.lines == ["    0.2500  ann            says b"]
    assert digests[0] == digests[1] != digests[2]
    silent = SimulatedClock()
    silent.note("ann", "says a")
    assert silent.lines == []


# --- Passes -----------------------------------------------------------------------------------------------------------


class Bell:
    """A socket that rings for so many passes, and whoever hears it."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.rings = 0
        self.heard: list[float] = []
        self._clock = clock

    def readiness(self, events: int) -> int:
        return events if self.rings else 0

    def ready(self, _: int) -> None:
        self.rings -= 1
        self.heard.append(self._clock.now)

    def abort(self) -> None:
        raise AssertionError("nobody fails")


def test_a_timer_made_in_a_pass_does_not_fire_in_it() -> None:
    clock, fired_in = SimulatedClock(), []
    passes = SimulatedPasses(clock, Limits(), lambda: None)
    loop = passes.loop

    def fire() -> None:
        fired_in.append(loop.passes)
        if len(fired_in) < 4:
            loop.call_later(0.0, fire)

    loop.post(fire)
    passes.wake()
    clock.run_until(1_001.0)
    assert len(set(fired_in)) == len(fired_in) == 4, f"passes {fired_in}"


def test_passes_come_when_somebody_posts_or_a_timer_is_due_and_not_else() -> None:
    clock, fired = SimulatedClock(), []
    after: list[float] = []
    passes = SimulatedPasses(clock, Limits(), lambda: after.append(clock.now))
    passes.loop.post(lambda: fired.append("posted"))
    passes.loop.call_at(1_005.0, lambda: fired.append("due"))
    clock.run_until(1_004.0)
    assert (fired, after) == (["posted"], [1_000.0])
    clock.run_until(1_100.0)
    assert fired == ["posted", "due"]
    assert 1_005.0 <= after[1] < 1_005.001
    assert len(after) == 2, "an idle loop turned"


def test_a_socket_that_stays_ready_gets_a_pass_after_the_other_and_time_goes_on() -> None:
    clock = SimulatedClock()
    bell, passes = Bell(clock), SimulatedPasses(clock, Limits(), lambda: None)
    passes.loop.watch(bell, 0, EVENT_READ, bell)  # type: ignore[arg-type]
    passes.wake()
    clock.run_until(1_001.0)
    assert bell.heard == [], "it did not ring"
    bell.rings = 3
    passes.wake()
    clock.run_until(1_002.0)
    assert [round((when - 1_001.0) / PASS_S) for when in bell.heard] == [0, 1, 2]


@pytest.mark.parametrize("stopped_first", [True, False])
def test_a_process_that_is_dead_turns_no_more(*, stopped_first: bool) -> None:
    clock, fired = SimulatedClock(), []
    passes = SimulatedPasses(clock, Limits(), lambda: None)
    if stopped_first:
        passes.stop()
    passes.loop.post(lambda: fired.append("posted"))
    passes.loop.call_later(1.0, lambda: fired.append("due"))
    if not stopped_first:
        passes.stop()
    clock.run_until(1_010.0)
    assert (fired, passes.loop.passes) == ([], 0)
