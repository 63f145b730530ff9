"""Which webhook gets a thread next."""

from __future__ import annotations

from securechat.server.outgoing.turns import MOST_SLOW, DeliveryTurns
from securechat.server.outgoing.worker import MOST_THREADS


def begun(turns: DeliveryTurns) -> list[int]:
    """Begin all that may begin."""
    found = []
    while (hook_id := turns.next()) is not None:
        found.append(hook_id)
    return found


def test_threads_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    turns = DeliveryTurns(most=2, most_slow=1)
    for hook_id in (5, 3, 4, 5):
        turns.wait(hook_id)
    assert begun(turns) == [5, 3]
    assert turns.end(3)
    assert not turns.end(3), "it has none any more"
    assert begun(turns) == [4]


def test_slow_webhooks_share_half_of_the_threads() -> None:
    assert MOST_SLOW == MOST_THREADS / 2
    turns = DeliveryTurns()
    slow = list(range(100, 100 + MOST_THREADS))
    for hook_id in slow:
        turns.judge(hook_id, is_slow=True)
        turns.wait(hook_id)
    assert begun(turns) == slow[:MOST_SLOW]
    quick = list(range(1, 1 + MOST_THREADS))
    for hook_id in quick:
        turns.wait(hook_id)
    assert begun(turns) == quick[: MOST_THREADS - MOST_SLOW]
    turns.end(quick[0])
    assert begun(turns) == [quick[MOST_SLOW]], "not a slow one, although it has waited longer"
    turns.end(slow[0])
    assert begun(turns) == [slow[MOST_SLOW]]


def test_a_webhook_that_is_quick_again_has_its_part_of_all_threads() -> None:
    turns = DeliveryTurns(most=2, most_slow=1)
    for hook_id in (1, 2):
        turns.judge(hook_id, is_slow=True)
        turns.wait(hook_id)
    assert begun(turns) == [1]
    turns.judge(2, is_slow=False)
    assert begun(turns) == [2]


def test_a_webhook_that_has_become_slow_keeps_its_thread_until_its_end() -> None:
    turns = DeliveryTurns(most=3, most_slow=1)
    for hook_id in (1, 2, 3):
        turns.wait(hook_id)
    assert begun(turns) == [1, 2, 3]
    for hook_id in (1, 2, 3):
        turns.judge(hook_id, is_slow=True)
        turns.end(hook_id)
        turns.wait(hook_id)
    assert begun(turns) == [1]


def test_a_webhook_that_is_gone_leaves_no_trace() -> None:
    turns = DeliveryTurns(most=2, most_slow=1)
    for hook_id in (1, 2):
        turns.judge(hook_id, is_slow=True)
        turns.wait(hook_id)
    assert begun(turns) == [1]
    turns.forget(1)
    turns.forget(2)
    assert begun(turns) == []
    turns.wait(1)
    turns.wait(2)
    assert begun(turns) == [1, 2], "a new one of this number is not slow"
