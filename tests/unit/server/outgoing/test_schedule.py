from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone
from securechat.server.outgoing.schedule import (
    MOST_RETRY_AFTER_S,
    OFF_AFTER_S,
    PAUSES_S,
    WELL,
    OffReason,
    RetryState,
    SwitchedOff,
    longest_pause_s,
    planned,
)

NOW_MS = 1_800_000_000_000
DAY_MS = round(OFF_AFTER_S * 1000)
FAILED = Failed(DeliveryProblem.TIMEOUT)


def waited(retry_after_s: float | None = None, took_ms: int = 0) -> tuple[list[float], SwitchedOff]:
    """Fail at every planned time; returns the seconds since the first failure, and the end."""
    state, now_ms = WELL, NOW_MS
    times: list[float] = []
    while True:
        plan = planned(state, Failed(DeliveryProblem.STATUS, status=503, retry_after_s=retry_after_s), now_ms)
        if isinstance(plan, SwitchedOff):
            return times, plan
        times.append((plan.next_ms - NOW_MS) / 1000)
        state, now_ms = plan, plan.next_ms + took_ms


def test_the_plan_of_the_issue() -> None:
    times, end = waited()
    assert times == [5, 305, 2_105, 9_305, 27_305, 63_305, 86_400], "5 s, 5 min, 30 min, 2 h, 5 h, 10 h, then a day"
    assert end == SwitchedOff(OffReason.FAILING, NOW_MS)


def test_attempts_that_take_their_time_do_not_make_the_day_longer() -> None:
    times, _end = waited(took_ms=5_000)
    assert times[-1] == OFF_AFTER_S


def test_a_success_forgets_the_failures() -> None:
    assert planned(RetryState(5, NOW_MS - DAY_MS, NOW_MS), Delivered(), NOW_MS) == WELL
    assert planned(WELL, FAILED, NOW_MS) == RetryState(1, NOW_MS, NOW_MS + 5_000)


@pytest.mark.parametrize(
    ("state", "since_ms"), [(WELL, NOW_MS), (RetryState(2, NOW_MS - 305_000, NOW_MS), NOW_MS - 305_000)]
)
def test_410_ends_it_at_once(state: RetryState, since_ms: int) -> None:
    assert planned(state, Gone(), NOW_MS) == SwitchedOff(OffReason.GONE, since_ms)


@pytest.mark.parametrize(
    ("asked_s", "pause_s"),
    [(None, 5), (0.0, 5), (4.0, 5), (60.0, 60), (3_600.0, 3_600), (1e9, MOST_RETRY_AFTER_S)],
)
def test_retry_after_makes_a_pause_longer_within_bounds(asked_s: float | None, pause_s: float) -> None:
    plan = planned(WELL, Failed(DeliveryProblem.STATUS, status=429, retry_after_s=asked_s), NOW_MS)
    assert plan == RetryState(1, NOW_MS, NOW_MS + round(pause_s * 1000))


def test_a_receiver_that_always_asks_for_more_is_off_after_a_day_too() -> None:
    times, end = waited(retry_after_s=1e9)
    assert times == [3_600, 7_200, 10_800, 18_000, 36_000, 72_000, 86_400]
    assert end.reason is OffReason.FAILING


def test_a_server_that_was_off_for_days_tries_the_whole_plan() -> None:
    before = planned(WELL, FAILED, NOW_MS)
    assert isinstance(before, RetryState)
    now_ms = NOW_MS + 3 * DAY_MS
    pauses: list[float] = []
    plan = planned(before, FAILED, now_ms)
    while isinstance(plan, RetryState):
        pauses.append((plan.next_ms - now_ms) / 1000)
        now_ms = plan.next_ms
        plan = planned(plan, FAILED, now_ms)
    assert pauses == list(PAUSES_S[1:])


def test_a_clock_that_was_put_back_makes_no_longer_day() -> None:
    plan = planned(RetryState(7, NOW_MS, NOW_MS + 1), FAILED, NOW_MS - 10 * DAY_MS)
    assert plan == RetryState(8, NOW_MS - 10 * DAY_MS, NOW_MS - 9 * DAY_MS - DAY_MS + 36_000_000)


@given(
    st.lists(st.tuples(st.integers(0, 10 * DAY_MS), st.none() | st.floats(0, 1e12)), min_size=1, max_size=40),
)
def test_it_ends_after_the_whole_plan_and_a_day_and_waits_meanwhile(delays: list[tuple[int, float | None]]) -> None:
    state, now_ms = WELL, NOW_MS
    for failures, (late_ms, retry_after_s) in enumerate(delays, start=1):
        plan = planned(state, Failed(DeliveryProblem.STATUS, retry_after_s=retry_after_s), now_ms)
        if isinstance(plan, SwitchedOff):
            assert failures > len(PAUSES_S)
            assert now_ms - NOW_MS >= DAY_MS
            return
        assert plan.failures == failures
        assert now_ms < plan.next_ms <= now_ms + 36_000_000
        state, now_ms = plan, plan.next_ms + late_ms


def test_no_pause_is_longer_than_the_longest() -> None:
    for retry_after_s in (None, 1e9):
        state = WELL
        for failures in range(1, 9):
            plan = planned(state, Failed(DeliveryProblem.STATUS, retry_after_s=retry_after_s), 0)
            assert isinstance(plan, RetryState)
            assert plan.next_ms / 1000 <= longest_pause_s(failures) <= PAUSES_S[-1]
            state = plan
    assert longest_pause_s(1) == MOST_RETRY_AFTER_S
