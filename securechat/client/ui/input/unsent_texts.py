"""The texts that are written and not sent, by conversation: kept over a restart, as far as there is room.

A text belongs to a room by name or a person by number, of one account on one server, which has a file of its own
(unsent_store.py). The longest unchanged texts are dropped first where there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.client.core.state import ConversationId, RoomKey
from securechat.text.names import name_key

MOST_TEXTS = 200
"""Conversations with an unsent text."""
MOST_CHARS = 16_000
"""Of one text: four messages of the longest kind, so that one that is too long is kept while it is shortened."""
MOST_BYTES = 256 * 1024
"""Of all texts, in UTF-8."""


class UnsentTexts:
    """The unsent texts of one account on one server.

    Args:
        texts: those kept before, by key; the one changed last stands last.

    Attributes:
        changed: whether they differ from what was given, or taken by `all`.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._texts = dict(texts or {})
        self.changed = False
        self._asked = False
        self._bound()

    def get(self, target: ConversationId) -> str:
        """Return the text of a conversation; empty for none."""
        return self._texts.get(_key(target), "")

    def put(self, target: ConversationId, text: str) -> None:
        """Keep the text of a conversation; an empty one is forgotten."""
        key, text = _key(target), text[:MOST_CHARS]
        if self._texts.get(key, "") == text:
            return
        self._texts.pop(key, None)
        if text:
            self._texts[key] = text
        self.changed = True
        self._bound()

    def renamed(self, old: str, room: RoomKey) -> None:
        """A room has another name; its text goes with it."""
        if text := self._texts.pop(_room_key(old), ""):
            self._texts[_key(room)] = text
            self.changed = True

    def all(self) -> Mapping[str, str]:
        """Return all texts, to be written; they count as unchanged then."""
        self.changed = self._asked = False
        return dict(self._texts)

    def wants_storing(self) -> bool:
        """Tell whether they are to be written: once after they have changed, and again once `all` was taken."""
        wants, self._asked = self.changed and not self._asked, self.changed
        return wants

    def _bound(self) -> None:
        size = sum(_bytes_of(key, text) for key, text in self._texts.items())
        while len(self._texts) > MOST_TEXTS or size > MOST_BYTES:
            key = next(iter(self._texts))
            size -= _bytes_of(key, self._texts.pop(key))
            self.changed = True


def _key(target: ConversationId) -> str:
    return _room_key(target.room) if isinstance(target, RoomKey) else f"@{target.person_id}"


def _room_key(room: str) -> str:
    return f"#{name_key(room)}"


def _bytes_of(key: str, text: str) -> int:
    return len(key.encode("utf-8", "surrogatepass")) + len(text.encode("utf-8", "surrogatepass"))
