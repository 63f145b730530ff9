"""Typing notices: sends the user's own, and forgets those of others in time. Times are monotonic seconds.

Notices are not stored and may get lost, so nothing depends on them.
"""

from __future__ import annotations

from securechat.client.core import events
from securechat.client.core.context import CoreContext
from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.core.timing import TYPING_BELIEVED_S, TYPING_NOTICE_S
from securechat.model import Person, Typing, TypingNow


class TypingState:
    """The members who type, by conversation.

    Args:
        context: shared state.
        on: whether notices are sent and shown.
    """

    def __init__(self, context: CoreContext, *, on: bool) -> None:
        self._context = context
        self._on = on
        self._server_knows = True
        self._last_sent: tuple[ConversationId, float] | None = None
        self._typists: dict[ConversationId, dict[int, tuple[Person, float]]] = {}

    # --- the user's own -----------------------------------------------------------------------------------------------

    def notify(self, key: ConversationId) -> None:
        """The user types; send a notice, if one is due."""
        now, last = self._context.now, self._last_sent
        early = last is not None and last[0] == key and now - last[1] < TYPING_NOTICE_S
        if not self._context.online or not self._on or not self._server_knows or early:
            return
        self._last_sent = (key, now)
        self._context.send(Typing(room=key.room) if isinstance(key, RoomKey) else Typing(peer=key.person_id))

    def message_sent(self) -> None:
        """The message is sent: typing the next one needs a new notice."""
        self._last_sent = None

    def unknown_to_server(self) -> None:
        """Send no notices to a server that does not know them."""
        self._server_knows = False

    def switch(self, *, on: bool | None) -> None:
        """Send and show notices, or not; None switches."""
        self._on = not self._on if on is None else on
        self.forget()
        self._context.show(events.TypingNoticesSet(self._on))
        self._context.show(events.TypingChanged())

    # --- others -------------------------------------------------------------------------------------------------------

    def received(self, event: TypingNow) -> None:
        """Another member types."""
        context, person = self._context, event.by
        if person.id in context.ignored or not self._on:
            return
        key = context.rooms.conversation(event.room, person.id)
        typists = self._typists.setdefault(key, {})
        is_news = person.id not in typists
        typists[person.id] = (person, context.now + TYPING_BELIEVED_S)
        if is_news and key == context.current:
            context.show(events.TypingChanged())

    def stopped(self, key: ConversationId, person_id: int) -> None:
        """The message of a member has arrived."""
        if self._typists.get(key, {}).pop(person_id, None) is not None:
            self._context.show(events.TypingChanged())

    def expire(self) -> None:
        """Forget members whose last notice is too old."""
        now = self._context.now
        old = [(key, who) for key, there in self._typists.items() for who, (_, until) in there.items() if until <= now]
        for key, who in old:
            self._typists[key].pop(who)
        if old:
            self._context.show(events.TypingChanged())

    def forget(self) -> None:
        """Begin anew on a new connection, perhaps to another server."""
        self._typists.clear()
        self._last_sent = None
        self._server_knows = True

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return min((until for there in self._typists.values() for _, until in there.values()), default=None)

    def typists(self, key: ConversationId) -> tuple[Person, ...]:
        """Return the members who type in a conversation."""
        return tuple(person for person, _ in self._typists.get(key, {}).values())
