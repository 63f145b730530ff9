"""The order and the bounds of a pass, and what may come from other threads."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from securechat.containment import Failure, Vital, VitalFailure, vital
from securechat.limits import Limits
from securechat.net.loop import Loop
from securechat.net.slow_passes import REPORT_EVERY_S, WATCH_S

from .conftest import Clock


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop(Limits(), clock=Clock())
    yield made
    made.close()


def _move(loop: Loop, seconds: float) -> None:
    clock = loop._clock
    assert isinstance(clock, Clock)
    clock.now += seconds


def test_posts_run_in_order_and_those_made_meanwhile_wait_for_the_next_pass(loop: Loop) -> None:
    seen: list[str] = []
    loop.post(lambda: (seen.append("a"), loop.post(lambda: seen.append("late"))))  # type: ignore[func-returns-value]
    loop.post(lambda: seen.append("b"))
    loop.run_pass(None)
    assert seen == ["a", "b"]
    loop.run_pass(None)
    assert seen == ["a", "b", "late"]


def test_posts_from_threads_all_arrive_and_wake_the_loop() -> None:
    loop = Loop(Limits())
    seen: list[int] = []

    def post_many(base: int) -> None:
        for number in range(500):
            loop.post(lambda n=base + number: seen.append(n))  # type: ignore[misc]

    threads = [threading.Thread(target=post_many, args=(1000 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(seen) < 2000:
        assert time.monotonic() < deadline, "a post was lost, or the loop slept through it"
        loop.run_pass(5)
    for thread in threads:
        thread.join()
    for base in range(0, 4000, 1000):
        assert [n for n in seen if base <= n < base + 1000] == list(range(base, base + 500))
    loop.close()


def test_a_burst_of_posts_writes_one_byte(loop: Loop) -> None:
    for _ in range(100):
        loop.post(lambda: None)
    assert loop._wakeup.reader.recv(1000) == b"\0"


def test_a_post_after_close_is_ignored() -> None:
    loop = Loop(Limits())
    loop.close()
    loop.post(lambda: None)


def test_stop_from_another_thread_ends_run() -> None:
    loop = Loop(Limits())
    thread = threading.Thread(target=loop.run)
    thread.start()
    loop.stop()
    thread.join(10)
    assert not thread.is_alive()
    loop.close()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="POSIX signals")
def test_a_signal_handler_may_post() -> None:
    loop = Loop(Limits())
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: loop.post(lambda: seen.append(number)))
    wakeup = signal.set_wakeup_fd(loop.wakeup_fileno(), warn_on_full_buffer=False)
    try:
        for expected in (1, 2, 3):
            threading.Timer(0, signal.raise_signal, (signal.SIGUSR1,)).start()
            deadline = time.monotonic() + 10
            while len(seen) < expected:
                assert time.monotonic() < deadline
                loop.run_pass(5)
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGUSR1, before)
        loop.close()


def test_a_timer_made_in_a_pass_fires_in_a_later_one(loop: Loop) -> None:
    seen: list[int] = []

    def again() -> None:
        seen.append(loop.passes)
        loop.call_later(0, again)

    loop.call_later(0, again)
    for _ in range(3):
        loop.run_pass(0)
    assert seen == [1, 2, 3]
    loop.post(lambda: loop.call_at(0, lambda: seen.append(-1)) and None)  # a past time, made before the timer step
    loop.run_pass(0)
    assert -1 not in seen
    loop.run_pass(0)
    assert seen[-1] == -1 or seen[-2] == -1


def test_a_timer_fires_when_its_time_has_come(loop: Loop) -> None:
    seen: list[str] = []
    loop.call_later(5, lambda: seen.append("five"))
    cancelled = loop.call_later(1, lambda: seen.append("never"))
    cancelled.cancel()
    cancelled.cancel()
    loop.run_pass(0)
    _move(loop, 4.9)
    loop.run_pass(0)
    assert seen == []
    _move(loop, 0.2)
    loop.run_pass(0)
    assert seen == ["five"]


def test_the_loop_waits_no_longer_than_the_next_timer() -> None:
    loop = Loop(Limits())
    seen: list[int] = []
    loop.call_later(0.02, lambda: seen.append(1))
    started = time.monotonic()
    while not seen:
        loop.run_pass(None)
    assert 0.02 <= time.monotonic() - started < 5
    loop.close()


def test_before_flush_comes_in_the_same_pass_and_once(loop: Loop) -> None:
    seen: list[int] = []
    loop.post(lambda: loop.call_before_flush(lambda: seen.append(loop.passes)))
    loop.run_pass(0)
    loop.run_pass(0)
    assert seen == [1]


class Owned:
    """An owner of timers, completions and before-flush callbacks that raise."""

    label = "192.0.2.1:5000"

    def __init__(self, fail_raises: bool = False) -> None:
        self.failed = 0
        self._fail_raises = fail_raises

    def fail(self) -> None:
        self.failed += 1
        if self._fail_raises:
            raise ZeroDivisionError

    def explode(self) -> None:
        raise MemoryError


def _contained() -> tuple[Loop, list[Failure]]:
    failures: list[Failure] = []
    return Loop(Limits(), clock=Clock(), on_error=failures.append), failures


@pytest.mark.parametrize("way", ["post", "call_before_flush", "call_later"])
def test_what_a_callback_raises_costs_its_owner_and_nothing_else(way: str) -> None:
    loop, failures = _contained()
    owned, seen = Owned(), []

    def hand_over(callback: Callable[[], None]) -> None:
        args = (0.0, callback) if way == "call_later" else (callback,)
        getattr(loop, way)(*args)

    hand_over(owned.explode)
    hand_over(lambda: seen.append("the next one"))
    loop.run_pass(0)
    assert seen == ["the next one"]
    assert owned.failed == 1
    kind = {"post": "completion", "call_before_flush": "before_flush", "call_later": "timer"}[way]
    assert [(failure.kind, failure.owner, type(failure.error)) for failure in failures] == [
        (kind, "192.0.2.1:5000 (Owned.explode)", MemoryError)
    ]
    assert loop.containment.counts == {kind: 1}
    loop.close()


@pytest.mark.parametrize("error", [RecursionError, MemoryError, RuntimeError])
def test_a_callback_of_no_owner_is_reported_by_its_name(error: type[Exception]) -> None:
    loop, failures = _contained()

    def fail() -> None:
        raise error

    loop.post(partial(fail))
    loop.run_pass(0)
    assert failures[0].owner.endswith("<locals>.fail")
    loop.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_no_failure(error: type[BaseException]) -> None:
    loop, failures = _contained()

    def end() -> None:
        raise error

    loop.post(end)
    with pytest.raises(error):
        loop.run_pass(0)
    assert not failures
    loop.close()


def test_without_anybody_to_tell_an_error_ends_the_loop(loop: Loop) -> None:
    loop.post(Owned().explode)
    with pytest.raises(MemoryError):
        loop.run()


def test_vital_work_ends_the_loop_whatever_is_contained() -> None:
    """The feed of the log comes this way: going on after it failed would lie to somebody."""
    loop, failures = _contained()
    loop.post(vital(Vital.FAN_OUT, Owned().explode))
    with pytest.raises(VitalFailure) as caught:
        loop.run()
    assert caught.value.task is Vital.FAN_OUT
    assert isinstance(caught.value.__cause__, MemoryError)
    assert not failures
    loop.close()


def test_an_owner_that_cannot_even_fail_and_a_report_that_raises_stop_nothing() -> None:
    def report(failure: Failure) -> None:
        raise OSError("no space for the log")

    loop = Loop(Limits(), clock=Clock(), on_error=report)
    loop.post(Owned(fail_raises=True).explode)
    loop.run_pass(0)
    assert loop.containment.counts == {"completion": 2, "unreported": 2}
    loop.close()


def test_a_bound_completion_belongs_to_who_asked() -> None:
    loop, failures = _contained()
    containment = loop.containment
    asks, other = Owned(), Owned()
    containment.current = asks
    done = containment.bind(Owned().explode)
    seen: list[object] = []
    again = containment.bind(lambda: seen.append(containment.current))
    containment.current = other
    loop.post(done)
    loop.post(again)
    loop.run_pass(0)
    assert (asks.failed, other.failed) == (1, 0)
    assert seen == [asks], "what it asks in turn belongs to the same"
    assert [failure.owner for failure in failures] == [asks.label]
    loop.close()


# --- passes that take too long


def test_slow_passes_are_told_first_at_once_then_in_full_and_not_too_often() -> None:
    told: list[str] = []
    clock = Clock()
    loop = Loop(Limits(), clock=clock, on_slow_pass=told.append)

    def sleep(seconds: float) -> Callable[[], None]:
        def slow() -> None:
            clock.now += seconds

        return slow

    loop.post(sleep(0.09))
    loop.run_pass(0)
    assert told == []
    loop.post(sleep(0.45))
    loop.run_pass(0)
    assert told[0].startswith("the loop was busy for 450 ms at a stretch: ")
    for _ in range(4):
        loop.post(sleep(0.3))
        loop.post(sleep(0.1))
        loop.call_later(0, sleep(0.05))
        loop.run_pass(0)
    assert len(told) == 2
    assert "completion 400 ms, timer 50 ms; the longest was 300 ms of completion for " in told[1]
    assert told[1].endswith("sleep.<locals>.slow")
    clock.now += REPORT_EVERY_S
    loop.post(sleep(0.2))
    loop.run_pass(0)
    assert told[2].endswith("; 3 more since the last such line")
    assert loop.slow_passes == 6
    clock.now += WATCH_S
    loop.run_pass(0)
    assert loop._mark is loop.containment, "nothing is measured when all has been well for long enough"
    loop.close()


def test_the_duration_of_every_pass_is_counted() -> None:
    times = iter([1.0, 5.0, 5.02, 5.02])
    loop = Loop(Limits(), clock=lambda: next(times, 9.0))
    loop.run_pass(0)
    counted = loop.pass_times.copy()
    loop.close()
    assert sum(counted.counts) == 1
    assert counted.counts[counted.bounds.index(0.025)] == 1
    assert counted.total == pytest.approx(0.02)


def test_a_pass_begins_before_its_completions() -> None:
    times = iter([1.0, 2.0, 2.0, 2.0])
    loop = Loop(Limits(), clock=lambda: next(times, 2.0))
    seen: list[object] = []
    loop.on_pass = seen.append
    loop.post(lambda: seen.append("completion"))
    loop.run_pass(0)
    loop.close()
    assert seen == [2.0, "completion"]
