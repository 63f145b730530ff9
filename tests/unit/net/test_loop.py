"""The order and the bounds of a pass, and what may come from other threads."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from securechat.limits import Limits
from securechat.net.loop import Loop

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


def test_what_a_posted_callback_raises_stops_the_loop() -> None:
    """The feed of the log comes this way: going on after it failed would lie to somebody."""
    errors: list[Exception] = []
    loop = Loop(Limits(), on_error=errors.append)

    def fail() -> None:
        raise RuntimeError("feed")

    loop.post(fail)
    with pytest.raises(RuntimeError, match="feed"):
        loop.run()
    assert errors == []
    loop.close()
