"""Turns: acts that depend on the same durable record happen one after the other, in the order in which they were asked.

A turn lasts from the moment in which its act may look at the record until what the act changes is durable, or refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self


class HeldTurn:
    """A turn, from the request until `release`; a context manager that releases it at the end of its block."""

    __slots__ = ("_granted", "_key", "_turns", "is_granted")

    def __init__(self, turns: Turns, key: Hashable, granted: Callable[[HeldTurn], None]) -> None:
        self._turns = turns
        self._key = key
        self._granted = granted
        self.is_granted = False

    @property
    def is_held(self) -> bool:
        """Whether it was not released yet."""
        return self._turns.holds(self._key, self)

    def grant(self) -> None:
        """Tell the owner that the turn has come."""
        self.is_granted = True
        self._granted(self)

    def release(self) -> None:
        """Give the turn back; the next one of this key comes. May be called more than once."""
        self._turns.release(self._key, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class Turns:
    """The turns of one hub, by key."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[HeldTurn]] = {}
        self._granting: set[Hashable] = set()  # keys whose turns are granted further up the stack

    def __len__(self) -> int:
        """The number of keys with a turn that is held or waits."""
        return len(self._queues)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._queues

    def ask(self, key: Hashable, granted: Callable[[HeldTurn], None]) -> None:
        """Ask for a turn of this key.

        Args:
            key: the record that the act depends on.
            granted: gets the turn when it has come, perhaps before this returns.
        """
        queue = self._queues.setdefault(key, deque())
        queue.append(HeldTurn(self, key, granted))
        if len(queue) == 1:
            self._grant(key)

    def holds(self, key: Hashable, turn: HeldTurn) -> bool:
        """See `HeldTurn.is_held`."""
        return turn in self._queues.get(key, ())

    def release(self, key: Hashable, turn: HeldTurn) -> None:
        """See `HeldTurn.release`."""
        if not self.holds(key, turn):
            return
        self._queues[key].remove(turn)
        if key not in self._granting:
            self._grant(key)

    def _grant(self, key: Hashable) -> None:
        """Grant one turn after the other, until one is held longer or none is left.

        The owner of a turn releases it even if it raises. The (first) exception goes on after the turns behind it.
        """
        queue = self._queues[key]
        failure: Exception | None = None
        self._granting.add(key)
        while queue and not queue[0].is_granted:
            try:
                queue[0].grant()
            except Exception as error:  # noqa: BLE001 - raised below
                failure = failure or error
        self._granting.discard(key)
        if not queue:
            del self._queues[key]
        if failure is not None:
            raise failure
