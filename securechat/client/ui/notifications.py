"""Decides which message notifies, and what the notification says.

A message notifies where it is for the user: in a dialogue, or because it mentions the user, or because the user wants
all of a room. Never one that the user sees anyway, never one that was read from the log later, never the user's own,
and nothing at all while the user is not to be disturbed.

A notification holds the room and a number of messages: what a peer wrote stays on the screen, because a notification
goes through other programs and stands on locked screens. A room's name is the one thing in it that a member chose; it
is cut to what any terminal takes as a plain word.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from securechat.client import catalogue
from securechat.client.core.client import ClientCore
from securechat.client.core.events.messages import MessageShown
from securechat.client.core.state import ConversationId, PersonKey

APART_S = 2.0
"""Between two notifications: a flood of mentions rings no more often."""
_LONGEST_ROOM = 40
"""Characters of a room's name in a notification."""


class NotificationLevel(Enum):
    """The messages of a conversation that notify."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class NotificationPolicy:
    """What notifies.

    Args:
        core: counts what is unread.
        levels: by the name of a room; those that are not named have `DEFAULT_LEVEL`.
        disturb: whether anything notifies at all.

    Attributes:
        disturb: as given; the user switches it.
    """

    DEFAULT_LEVEL = NotificationLevel.MENTIONS

    def __init__(
        self, core: ClientCore, levels: Mapping[str, NotificationLevel] | None = None, *, disturb: bool = True
    ) -> None:
        self.disturb = disturb
        self._core = core
        self._levels = dict(levels or {})
        self._last_at = float("-inf")

    def level(self, key: ConversationId) -> NotificationLevel:
        """Return what notifies in a conversation; a dialogue has no mentions, so it has all or none."""
        if isinstance(key, PersonKey):
            return NotificationLevel.ALL
        return self._levels.get(key.room, self.DEFAULT_LEVEL)

    def set_level(self, room: str, level: NotificationLevel) -> None:
        """Change what notifies in a room."""
        self._levels[room] = level

    def is_quiet(self, key: ConversationId) -> bool:
        """Tell whether the user wants nothing of a conversation: the list shows it dim."""
        return self.level(key) is NotificationLevel.NONE

    def notifies(self, shown: MessageShown, *, seen: bool) -> bool:
        """Tell whether a message notifies.

        Args:
            shown: the message.
            seen: whether it is on a screen that the user looks at.
        """
        if not self.disturb or seen or shown.own or shown.late:
            return False
        match self.level(shown.key):
            case NotificationLevel.ALL:
                return True
            case NotificationLevel.MENTIONS:
                return shown.mentions_me
            case NotificationLevel.NONE:
                return False

    def text(self, key: ConversationId, now: float) -> str:
        """Return the text for a conversation with something new; empty where one went out just before.

        Args:
            key: the conversation.
            now: monotonic seconds.
        """
        if now - self._last_at < APART_S:
            return ""
        self._last_at = now
        conversation = self._core.conversations.get(key)
        count = max(1, conversation.unread if conversation is not None else 1)
        if isinstance(key, PersonKey):
            return catalogue.screen.direct_notification(count)
        return catalogue.screen.room_notification(_plain(key.room), count)


def _plain(room: str) -> str:
    """Return a room's name without what could end or divide an OSC, or be shown as anything but letters."""
    kept = "".join(char for char in room[:_LONGEST_ROOM] if char.isalnum() or char in "-_.")
    return kept if len(kept) == len(room) else f"{kept}…"
