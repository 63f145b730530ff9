"""Decides which webhook is next when a thread is free, so that slow receivers do not make quick ones wait.

A webhook reads its next message when there is a thread for the delivery, and not before: what is deleted, edited or
forbidden while it waits is not delivered. Webhooks get threads in the order in which they ask. Those that had their
last outcome after more than SLOW_S, or failed, share MOST_SLOW threads. So while a receiver is quick, its webhook waits
only when more than MOST_THREADS - MOST_SLOW others that were quick, or have not been tried since the server began, hang
at once, for the 5 s of an attempt; from then on those others share the threads of the slow ones.
"""

from __future__ import annotations

from typing import Final

from securechat.server.outgoing.worker import MOST_THREADS

MOST_SLOW: Final = MOST_THREADS // 2
SLOW_S: Final = 1.0
"""Seconds after which an outcome is slow."""


class DeliveryTurns:
    """Which webhooks wait for a thread, and which have one. A webhook is known by its sender_id.

    Args:
        most: threads.
        most_slow: those of them that slow webhooks may have.
    """

    def __init__(self, most: int = MOST_THREADS, most_slow: int = MOST_SLOW) -> None:
        self._most = most
        self._most_slow = most_slow
        self._waiting: dict[int, None] = {}  # in their order
        self._taken: dict[int, bool] = {}  # with a thread; whether it is one of the slow ones' threads
        self._slow: set[int] = set()

    def wait(self, hook_id: int) -> None:
        """Let a webhook wait for a thread, behind the others; it stays at its place if it does already."""
        self._waiting[hook_id] = None

    def next(self) -> int | None:
        """Give a thread to the first webhook that may have one now, and return it; None: none may."""
        if len(self._taken) >= self._most:
            return None
        are_slow_full = sum(self._taken.values()) >= self._most_slow
        for hook_id in self._waiting:
            is_slow = hook_id in self._slow
            if not (is_slow and are_slow_full):
                del self._waiting[hook_id]
                self._taken[hook_id] = is_slow
                return hook_id
        return None

    def end(self, hook_id: int) -> bool:
        """Let a webhook wait no longer, and take its thread back; return whether it had one."""
        self._waiting.pop(hook_id, None)
        return self._taken.pop(hook_id, None) is not None

    def judge(self, hook_id: int, *, is_slow: bool) -> None:
        """Note whether the last attempt of a webhook failed or took longer than SLOW_S."""
        if is_slow:
            self._slow.add(hook_id)
        else:
            self._slow.discard(hook_id)

    def forget(self, hook_id: int) -> None:
        """Forget a webhook that is gone."""
        self.end(hook_id)
        self._slow.discard(hook_id)
