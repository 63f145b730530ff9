"""Timers against a model: a dictionary of deadlines, looked through as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from securechat.net.timers import Timer, Timers

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 50)),
        st.tuples(st.just("cancel"), st.integers(0, 400)),
        st.tuples(st.just("postpone"), st.integers(0, 400)),
        st.tuples(st.just("run"), st.integers(0, 8)),
    ),
    max_size=300,
)


@given(_steps)
def test_each_fires_once_in_time_in_order_unless_cancelled(steps: list[tuple[str, int]]) -> None:
    timers, now = Timers(), 0
    made: list[Timer] = []
    due: dict[int, float] = {}  # alive timers by number
    fired: list[int] = []
    for action, number in steps:
        if action == "add":
            index = len(made)
            due[index] = now + number
            made.append(timers.add(now + number, lambda n=index: fired.append(n)))  # type: ignore[misc]
        elif action == "run":
            now += number
            fired.clear()
            earliest = timers.settle()
            assert (earliest is not None) or not due
            assert earliest is None or not due or earliest <= min(due.values())
            timers.run_due(now)
            expected = [index for index, when in due.items() if when <= now]
            assert sorted(fired) == expected
            assert [due[index] for index in fired] == sorted(due[index] for index in fired)
            for index in expected:
                del due[index]
        elif made:
            index = number % len(made)
            if action == "cancel":
                made[index].cancel()
                due.pop(index, None)
            else:
                made[index].postpone(now + number % 60)
                if index in due:
                    due[index] = max(due[index], now + number % 60)
        assert len(timers) <= max(64, 2 * len(due) + 1)
