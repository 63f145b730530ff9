"""Decides which message notifies, and what the notification says.

A message notifies where it is for the user: in a dialogue, or because it mentions the user, or because the user wants
all of a room. Never one that the user sees anyway, never one that was read from the log later, never the user's own,
and nothing at all while the user is not to be disturbed.

A notification holds the room and a number of messages: what a peer wrote stays on the screen, because a notification
goes through other programs and stands on locked screens. A room's name is the one thing in it that a member chose; it
is cut to what any terminal takes as a plain word. With `notification_text` it holds author and text instead, as symbols
where they are not printable, and without the semicolon that divides an OSC.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from securechat.client import catalogue
from securechat.client.core.client import ClientCore
from securechat.client.core.events.messages import MessageShown
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.rows.rendering import excerpt, own_text
from securechat.client.ui.settings import ClientSettings
from securechat.text.sanitize import one_line
from securechat.translation import LazyText

APART_S = 2.0
"""Between two notifications: a flood of mentions rings no more often."""
_LONGEST_TEXT = 80
"""Characters of a message in a notification, where the user wants them there."""
_LONGEST_ROOM = 40
"""Characters of a room's name in a notification."""


class NotificationLevel(Enum):
    """The messages of a conversation that notify."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


LEVEL_WORDS: Mapping[NotificationLevel, LazyText] = {
    NotificationLevel.ALL: catalogue.screen.LEVEL_ALL,
    NotificationLevel.MENTIONS: catalogue.screen.LEVEL_MENTIONS,
    NotificationLevel.NONE: catalogue.screen.LEVEL_NONE,
}
"""What a level means."""


def notification_levels(key: ConversationId) -> tuple[NotificationLevel, ...]:
    """Return the levels that a conversation can have; a dialogue has no mentions, so it has all or none."""
    levels = tuple(NotificationLevel)
    return tuple(level for level in levels if level is not NotificationLevel.MENTIONS or not isinstance(key, PersonKey))


def setting_name(core: ClientCore, key: ConversationId) -> str:
    """Return what the settings call a conversation: ``#room`` or ``@person``; empty for a person without a name."""
    if isinstance(key, PersonKey):
        name = core.name_of(key.person_id)
        return f"@{name.casefold()}" if name else ""
    return f"#{key.room.casefold()}"


class NotificationPolicy:
    """What notifies.

    Args:
        core: counts what is unread.
        settings: what the user wants.

    Attributes:
        disturb: whether anything notifies at all; the user switches it.
    """

    def __init__(self, core: ClientCore, settings: ClientSettings) -> None:
        self.disturb = not settings.do_not_disturb
        self._core = core
        self._levels = {name: NotificationLevel(word) for name, word in settings.notify.items()}
        self._with_text = settings.notification_text
        self._last_at = float("-inf")

    def level(self, key: ConversationId) -> NotificationLevel:
        """Return what notifies in a conversation; a dialogue has no mentions, so it has all or none."""
        name = setting_name(self._core, key)
        if isinstance(key, PersonKey):
            level = self._levels.get(name, NotificationLevel.ALL)
            return NotificationLevel.NONE if level is NotificationLevel.NONE else NotificationLevel.ALL
        return self._levels.get(name, NotificationLevel.MENTIONS)

    def set_level(self, name: str, level: NotificationLevel) -> None:
        """Change what notifies in a conversation: ``#room`` or ``@person``."""
        self._levels[name.casefold()] = level

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

    def text(self, shown: MessageShown, now: float) -> str:
        """Return the text for a message; empty where one went out just before.

        Args:
            shown: the message.
            now: monotonic seconds.
        """
        if now - self._last_at < APART_S:
            return ""
        self._last_at = now
        key = shown.key
        if self._with_text:
            said = excerpt(own_text(shown.message), _LONGEST_TEXT).replace(";", ",")
            return f"{one_line(shown.message.name).replace(';', ',')}: {said}"
        conversation = self._core.conversations.get(key)
        count = max(1, conversation.unread if conversation is not None else 1)
        if isinstance(key, PersonKey):
            return catalogue.screen.direct_notification(count)
        return catalogue.screen.room_notification(_plain(key.room), count)


def _plain(room: str) -> str:
    """Return a room's name without what could end or divide an OSC, or be shown as anything but letters."""
    kept = "".join(char for char in room[:_LONGEST_ROOM] if char.isalnum() or char in "-_.")
    return kept if len(kept) == len(room) else f"{kept}…"
