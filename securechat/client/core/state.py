"""What a screen can show of the chat: phase, rooms with their people, conversations with their messages.

Plain mutable nouns that the core alone changes and everybody may read. Messages belong to a conversation, named by
a frozen key: a room by its name, a dialogue by the other person's sender_id, because names change hands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TypeAlias

from msgspec import Struct, field

from securechat.model import LogEntry, Message, Person, RoomRules
from securechat.text.names import name_key

KEPT_MESSAGES = 500
"""Messages kept per conversation, for a screen to scroll back in; older ones come from the server (200 a page)."""
KEPT_PEOPLE = 10_000
"""Names remembered of people seen, about 100 B each: 1 MB. The longest unseen are forgotten first."""


class ConnectionPhase(Enum):
    """Where the connection stands."""

    OFFLINE = "offline"  # waiting to dial, or for a name
    DIALLING = "dialling"
    NAMING = "naming"  # connected, and a person must choose a name
    PROVING = "proving"  # connected, and a person must give a password
    GREETING = "greeting"  # hello sent
    REJOINING = "rejoining"  # welcome; the rooms are being entered
    ONLINE = "online"
    ENDED = "ended"


class Visibility(Enum):
    """Which messages somebody sees when they are shown: those the account's other devices count as read."""

    NOBODY = "nobody"  # a script
    CURRENT = "current"  # a screen with one conversation
    ALL = "all"  # a line client, where everything goes by


class RoomKey(Struct, frozen=True):
    """A conversation in a room; the name without ``#``, as the server writes it."""

    room: str


class PersonKey(Struct, frozen=True):
    """A dialogue with one person."""

    person_id: int


ConversationId: TypeAlias = RoomKey | PersonKey


def key_of(message: LogEntry, me: int) -> ConversationId:
    """Return the conversation an entry of the log belongs to, seen by sender ``me``."""
    if message.room is not None:
        return RoomKey(message.room)
    return PersonKey((message.to or 0) if message.sender_id == me else message.sender_id)


class RoomState(Struct):
    """A room one is in. ``people`` is empty and ``counted`` true where only the number is told.

    Attributes:
        rules: as far as the server has told them.
        role: one's own; None for a guest, and where there are no roles.
        muted: who may not write here now, as far as was told.
    """

    name: str
    total: int = 0
    people: dict[int, Person] = field(default_factory=dict)
    rules: RoomRules = field(default_factory=lambda: RoomRules(""))
    role: str | None = None
    muted: set[int] = field(default_factory=set)

    @property
    def counted(self) -> bool:
        """Whether the server tells only how many are here."""
        return not self.people

    def replace(self, people: Iterable[Person], total: int) -> None:
        """Take a fresh roster: presence is never replayed."""
        self.people = {person.id: person for person in people}
        self.total = total


class Conversation(Struct):
    """Messages of one room or dialogue in their final state, oldest first, and how many nobody has looked at.

    Attributes:
        key: which room or dialogue.
        last: the seq of the last message seen; below it everything was seen.
        changed: the seq of the last change seen, likewise.
        member: whether one is in it.
        unread: messages of others that nobody has looked at.
        mentions: those of them that name oneself.
        messages: the last ones.
    """

    key: ConversationId
    last: int = 0
    changed: int = 0
    member: bool = True
    unread: int = 0
    mentions: int = 0
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))

    def find(self, seq: int) -> Message | None:
        """Return a message that is kept."""
        return next((message for message in reversed(self.messages) if message.seq == seq), None)

    def put(self, message: Message) -> None:
        """Keep another state of a message that is kept."""
        for index, kept in enumerate(self.messages):
            if kept.seq == message.seq:
                self.messages[index] = message
                return


class KnownPeople:
    """Everybody seen so far: sender_id to the latest name."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def see(self, person_id: int, name: str) -> bool:
        """Remember a name; tell whether it is new for this person."""
        known = self._names.pop(person_id, None)
        self._names[person_id] = name
        if len(self._names) > KEPT_PEOPLE:
            del self._names[next(iter(self._names))]
        return known != name

    def name(self, person_id: int) -> str | None:
        """Return the latest name of a person, if ever seen."""
        return self._names.get(person_id)

    def find(self, name: str) -> int | None:
        """Return who was seen last under this name or a look-alike of it."""
        key = name_key(name)
        return next((who for who, known in reversed(self._names.items()) if name_key(known) == key), None)

    def names(self) -> Iterator[str]:
        """Every name known."""
        yield from self._names.values()

    def forget(self) -> None:
        """Forget everybody: the ids mean nothing any more."""
        self._names.clear()
