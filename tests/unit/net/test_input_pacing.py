"""Which input is held back, for how long, and what runs meanwhile."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from securechat.limits import Limits
from securechat.net.input_pacing import CROWD_PER_S, GAP_S, WINDOW_S, InputPacing
from securechat.net.loop import EVENT_READ, Loop
from securechat.net.wakeup import Wakeup

from .conftest import Clock

PASSES = 20
STEP_S = WINDOW_S / PASSES
CROWD = int(CROWD_PER_S * WINDOW_S)


def ready(*descriptors: int, data: object = None) -> list[tuple[selectors.SelectorKey, int]]:
    return [(selectors.SelectorKey(number, number, EVENT_READ, data), EVENT_READ) for number in descriptors]


def talk(pacing: InputPacing, begin: float, connections: int) -> float:
    """Two windows of passes in which so many connections take turns; returns the time of the last pass."""
    for number in range(1, 2 * PASSES + 1):
        pacing.note(begin + number * STEP_S, ready(number % connections))
    return begin + 2 * PASSES * STEP_S


def test_a_crowd_is_held_back_until_the_gap_is_over() -> None:
    pacing = InputPacing(0.0)
    now = talk(pacing, 0.0, CROWD)
    assert pacing.until == pytest.approx(now + GAP_S)


def test_a_few_are_never_held_back_however_much_they_say() -> None:
    pacing = InputPacing(0.0)
    talk(pacing, 0.0, CROWD - 1)
    assert pacing.until == 0.0


def test_one_message_after_a_crowd_has_gone_waits_for_nothing() -> None:
    pacing = InputPacing(0.0)
    now = talk(pacing, 0.0, CROWD)
    assert pacing.until < now + 1.0
    pacing.note(now + 1.0, ready(1))
    assert pacing.until == 0.0


class Selector(selectors.SelectSelector):
    """Reports what a test says; while nothing is ready, it waits by the clock of the test."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.ready: list[tuple[selectors.SelectorKey, int]] = []
        self.asked = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.asked += 1
        if not self.ready:
            self._clock.now += timeout or 0.0
        return self.ready


class Waiting:
    """A wake-up pair that waits by the clock of the test alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reader, self._writer = socket.socketpair()
        self.meanwhile: list[Callable[[], None]] = []
        """What other threads do while the loop waits: one at half of each wait."""

    def signal(self) -> None:
        pass

    def drain(self) -> None:
        pass

    def wait(self, timeout_s: float) -> bool:
        if self.meanwhile:
            self._clock.now += timeout_s / 2
            self.meanwhile.pop(0)()
            return True
        self._clock.now += timeout_s
        return False

    def close(self) -> None:
        self.reader.close()
        self._writer.close()


class Talker:
    """A watcher that counts its turns."""

    label = "talker"

    def __init__(self) -> None:
        self.heard = 0

    def ready(self, _events: int) -> None:
        self.heard += 1

    def fail(self) -> None:
        pass


class House:
    """A loop that a crowd talks to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.selector = Selector(self.clock)
        self.wakeup = Waiting(self.clock)
        self.loop = Loop(
            Limits(), clock=self.clock, selector=self.selector, wakeup=cast("Wakeup", cast("Any", self.wakeup))
        )
        self.talker = Talker()
        for number in range(2 * PASSES):
            self.clock.now += STEP_S
            self.selector.ready = ready(number, data=self.talker)
            self.loop.run_pass(None)
        self.talker.heard = self.selector.asked = 0


@pytest.fixture
def crowded() -> Iterator[House]:
    house = House()
    yield house
    house.loop.close()


def test_a_pass_that_reads_begins_a_gap_after_the_last_one(crowded: House) -> None:
    began = crowded.loop.now
    crowded.loop.run_pass(None)
    assert crowded.talker.heard == 1
    assert crowded.loop.now == pytest.approx(began + GAP_S)


def test_what_other_threads_finish_meanwhile_runs_and_is_flushed_at_once(crowded: House) -> None:
    began, seen = crowded.loop.now, []

    def flushed() -> None:
        seen.append("flushed")

    def answer() -> None:
        seen.append("answered")
        crowded.loop.call_before_flush(flushed)

    crowded.wakeup.meanwhile.append(lambda: crowded.loop.post(answer))
    crowded.loop.run_pass(None)
    assert (seen, crowded.talker.heard, crowded.selector.asked) == (["answered", "flushed"], 0, 0)
    assert crowded.loop.now == pytest.approx(began + GAP_S / 2)
    crowded.loop.run_pass(None)
    assert crowded.talker.heard == 1
    assert crowded.loop.now == pytest.approx(began + GAP_S)


def test_completions_that_never_end_hold_nobody_back_for_longer(crowded: House) -> None:
    began = crowded.loop.now

    def again() -> None:
        crowded.clock.now += GAP_S / 10
        crowded.loop.post(again)

    crowded.loop.post(again)
    passes = 0
    while not crowded.talker.heard:
        passes += 1
        crowded.loop.run_pass(None)
    assert 10 <= passes <= 12
    assert crowded.loop.now <= began + 1.2 * GAP_S


@pytest.mark.parametrize("gaps", [0.5, 1.0, 1.5, 5.0])
def test_a_timer_fires_in_time(crowded: House, gaps: float) -> None:
    began, fired = crowded.loop.now, []
    crowded.selector.ready = []
    crowded.loop.call_at(began + gaps * GAP_S, lambda: fired.append(crowded.clock.now))
    while not fired:
        crowded.loop.run_pass(None)
    assert fired == [pytest.approx(began + gaps * GAP_S)]


def test_a_pass_with_a_limit_does_not_wait_for_longer(crowded: House) -> None:
    began = crowded.loop.now
    crowded.selector.ready = []
    crowded.loop.run_pass(1.5 * GAP_S)
    assert crowded.clock.now == pytest.approx(began + 1.5 * GAP_S)


def test_a_clock_that_cannot_count_the_gap_holds_nothing_back() -> None:
    pacing = InputPacing(0.0, is_exact=False)
    talk(pacing, 0.0, CROWD)
    assert pacing.until == 0.0


def test_a_real_pair_waits_for_its_signal_and_for_nothing_else() -> None:
    wakeup = Wakeup()
    try:
        assert not wakeup.wait(0.001)
        wakeup.signal()
        assert wakeup.wait(10.0)
        assert not wakeup.wait(0.001), "the signal was not drained"
    finally:
        wakeup.close()
