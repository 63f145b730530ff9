"""The keys and pastes that came while it was not known what they are for: in order, and bounded."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

MOST_CHARS = 64_000
"""Characters held: four pastes of the longest kind, or more keys than an hour of typing; as keys they take 25 MB."""
_Event = TypeVar("_Event")


class HeldKeys(Generic[_Event]):
    """A queue. Once something found no place, nothing more is held until it is empty.

    The end of a text without its middle, or Enter behind a part of it, would be another text than was typed.
    """

    def __init__(self) -> None:
        self._events: deque[tuple[_Event, int]] = deque()
        self._chars = self._lost = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    def hold(self, event: _Event, chars: int) -> None:
        """Hold a key, which is one character, or a paste."""
        if self._lost or self._chars + chars > MOST_CHARS:
            self._lost += chars
            return
        self._events.append((event, chars))
        self._chars += chars

    def take(self) -> _Event:
        """Take the first one out."""
        event, chars = self._events.popleft()
        self._chars -= chars
        return event

    def lost(self) -> int:
        """Return how many characters found no place, once all others are taken; 0 for none."""
        if self._events:
            return 0
        lost, self._lost = self._lost, 0
        return lost
