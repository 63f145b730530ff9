"""Up to where the terminal shows a conversation: of the views that were made, those that it has on its screen.

A view that was made may never be drawn: another one replaces it, or the terminal reads nothing. So a view that shows
something new has a number, and what it shows counts when the shell says that the terminal has it
(`FrameShown`), not before. A view that shows less than what is on the screen takes that back at once.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client.core.state import ConversationId

_MOST_WAITING = 100
"""Views that may be on their way to the terminal: of more, the oldest are forgotten, and count for nothing."""


class _ShownPart(Struct, frozen=True):
    key: ConversationId | None = None
    through: int = 0


class ShownFrames:
    """What the views show of the conversation that is open, and what of it is on the terminal."""

    def __init__(self) -> None:
        self._made = 0
        self._newest = self._on_terminal = _ShownPart()
        self._waiting: dict[int, _ShownPart] = {}

    def make(self, key: ConversationId, through: int, read: int) -> int:
        """Take a view that was made.

        Args:
            key: the conversation that is open.
            through: everything up to this seq is in it, or was seen before.
            read: up to where everything was seen before.

        Returns:
            The number by which `shown` tells that the terminal has it; 0 where it shows nothing new.
        """
        part = _ShownPart(key, through)
        if self._newest.key != key or through < self._newest.through:
            self._waiting = {number: each for number, each in self._waiting.items() if each.through <= through}
        known = self._on_terminal
        if known.key != key or through < known.through:
            self._on_terminal, self._waiting = _ShownPart(key, min(through, read)), {}
        if through <= max(read, self._on_terminal.through):
            self._newest = part
            return 0
        if part != self._newest or self._made not in self._waiting:
            self._made += 1
            self._waiting[self._made] = part
            if len(self._waiting) > _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
        self._newest = part
        return self._made

    def shown(self, frame: int) -> None:
        """The terminal shows a view."""
        if (part := self._waiting.get(frame)) is not None:
            self._on_terminal = part
            self._waiting = {number: each for number, each in self._waiting.items() if number > frame}

    def hide(self) -> None:
        """Another program has the terminal, or it takes nothing."""
        self._on_terminal, self._waiting = _ShownPart(), {}

    def through(self, key: ConversationId) -> int:
        """Return up to where the terminal shows a conversation; 0 for nothing new."""
        return self._on_terminal.through if self._on_terminal.key == key else 0
