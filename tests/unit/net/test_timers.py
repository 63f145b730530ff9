"""The heap's bounds; its order is a property (tests/property/test_timers.py)."""

from __future__ import annotations

from securechat.net.timers import TIMERS_PER_PASS, Timers


def test_cancelled_timers_do_not_gather() -> None:
    timers = Timers()
    keep = [timers.add(10, lambda: None) for _ in range(100)]
    timers.settle()
    for _ in range(10_000):
        timer = timers.add(5, lambda: None)
        timers.settle()
        timer.cancel()
    assert len(timers) <= 2 * len(keep) + 1


def test_order_survives_a_rebuild() -> None:
    timers = Timers()
    fired: list[int] = []
    whens = [(number * 7919) % 1009 for number in range(1, 1009)]
    made = {when: timers.add(when, lambda w=when: fired.append(w)) for when in whens}  # type: ignore[misc]
    timers.settle()
    for when in whens:
        if when % 5:
            made[when].cancel()
    assert len(timers) < 600
    timers.run_due(2000)
    assert fired == list(range(5, 1009, 5))


def test_postponing_adds_no_entry_and_moves_the_deadline() -> None:
    timers = Timers()
    fired: list[float] = []
    timer = timers.add(1, lambda: fired.append(timer.when))
    timers.settle()
    for when in range(2, 1000):
        timer.postpone(when)
    timer.postpone(3)  # earlier: changes nothing
    assert len(timers) == 1
    timers.run_due(998)
    assert fired == []
    timers.run_due(999)
    assert fired == [999]
    assert not timer.active


def test_a_pass_fires_a_bounded_number() -> None:
    timers = Timers()
    fired: list[int] = []
    for number in range(TIMERS_PER_PASS + 5):
        timers.add(1, lambda n=number: fired.append(n))  # type: ignore[misc]
    timers.settle()
    timers.run_due(1)
    assert len(fired) == TIMERS_PER_PASS
    timers.run_due(1)
    assert fired == list(range(TIMERS_PER_PASS + 5))
