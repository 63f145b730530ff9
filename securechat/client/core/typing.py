"""Who is writing: when to tell others that we are, and how long to believe it of them. Times are monotonic seconds.

Notices are kept nowhere and may get lost, so nothing depends on them.
"""

from __future__ import annotations

from securechat.client.core.state import ConversationId, RoomKey
from securechat.model import Person, Typing

TELL_S = 5.0
"""Between two notices of ours about one place; the server passes on one in 3 s (limits.typing_interval_s)."""
BELIEVED_S = 6.0
"""After a notice of somebody else: a second longer than they need for the next."""


class TypingState:
    """What is known of everybody's writing.

    Args:
        on: whether notices are sent and shown.
    """

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._known_there = True
        self._told: tuple[ConversationId, float] | None = None
        self._writers: dict[ConversationId, dict[int, tuple[Person, float]]] = {}

    # --- our own ------------------------------------------------------------------------------------------------------

    def began(self, key: ConversationId, now: float) -> Typing | None:
        """The user types; return what to tell the server, if it is time."""
        early = self._told is not None and self._told[0] == key and now - self._told[1] < TELL_S
        if not self.on or not self._known_there or early:
            return None
        self._told = (key, now)
        return Typing(room=key.room) if isinstance(key, RoomKey) else Typing(peer=key.person_id)

    def said(self) -> None:
        """The line is out: the next one is told anew."""
        self._told = None

    def unknown_there(self) -> None:
        """This server does not know of such notices."""
        self._known_there = False

    # --- others -------------------------------------------------------------------------------------------------------

    def heard(self, key: ConversationId, person: Person, now: float) -> bool:
        """Somebody writes; tell whether that is news."""
        if not self.on:
            return False
        there = self._writers.setdefault(key, {})
        news = person.id not in there
        there[person.id] = (person, now + BELIEVED_S)
        return news

    def stopped(self, key: ConversationId, person_id: int) -> bool:
        """Their message is here; tell whether they were writing it."""
        return self._writers.get(key, {}).pop(person_id, None) is not None

    def expire(self, now: float) -> bool:
        """Forget whom nothing was heard of; tell whether there was anybody."""
        old = [(key, who) for key, there in self._writers.items() for who, (_, until) in there.items() if until <= now]
        for key, who in old:
            self._writers[key].pop(who)
        return bool(old)

    def switch(self, *, on: bool) -> None:
        """Send and show notices, or not."""
        self.on = on
        self.forget()

    def forget(self) -> None:
        """The connection is gone, or another server was met: nothing is known."""
        self._writers.clear()
        self._told = None
        self._known_there = True

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return min((until for there in self._writers.values() for _, until in there.values()), default=None)

    def writers(self, key: ConversationId) -> tuple[Person, ...]:
        """Who writes there."""
        return tuple(person for person, _ in self._writers.get(key, {}).values())
