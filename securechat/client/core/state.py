"""The state that a user interface shows: phase, rooms with their members, conversations with their messages.

The core alone changes these objects; a user interface reads them. A conversation has a key: of a room, an object that
stays the same when the room is renamed; of direct messages, the other person's sender_id, because names change hands.
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
    """The phases of a connection."""

    OFFLINE = "offline"  # waiting to dial, or for a name
    DIALLING = "dialling"
    NAMING = "naming"  # connected, and a person must choose a name
    PROVING = "proving"  # connected, and a person must give a password
    GREETING = "greeting"  # hello sent
    REJOINING = "rejoining"  # welcome; the rooms are being entered
    ONLINE = "online"
    ENDED = "ended"


class Visibility(Enum):
    """The shown messages that the user sees, and that therefore count as read on the account's other devices."""

    NOBODY = "nobody"  # a script
    CURRENT = "current"  # a screen with one conversation
    ALL = "all"  # a line client, where everything goes by
    REPORTED = "reported"  # a screen that says itself what was seen: see `actions.MarkSeen`


class RoomKey:
    """A room as the client knows it: one object, whatever its name becomes.

    Made by `KnownRooms`, which alone changes the name. Two keys are the same room only if they are the same object.

    Attributes:
        room: the present name without ``#``, as the server writes it.
    """

    __match_args__ = ("room",)
    __slots__ = ("room",)

    def __init__(self, room: str) -> None:
        self.room = room

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.room!r})"


class PersonKey(Struct, frozen=True):
    """The direct messages with one person."""

    person_id: int


ConversationId: TypeAlias = RoomKey | PersonKey


class KnownRooms:
    """Resolves the names of rooms, as the user types them and as the server writes them."""

    def __init__(self) -> None:
        self._by_name: dict[str, RoomKey] = {}
        self._by_former_name: dict[str, RoomKey] = {}

    def named(self, name: str) -> RoomKey:
        """Return the room with this name."""
        return self._by_name.setdefault(name, RoomKey(name))

    def meant(self, name: str) -> RoomKey:
        """Return the room that the server means: what was on its way while a room was renamed has its former name."""
        return self._by_former_name.get(name) or self.named(name)

    def conversation(self, room: str | None, person_id: int | None) -> ConversationId:
        """Return the conversation that the server means, in a room or with a person."""
        return self.meant(room) if room is not None else PersonKey(person_id or 0)

    def conversation_of(self, entry: LogEntry, me: int) -> ConversationId:
        """Return the conversation of an entry of the log, as the sender ``me`` sees it."""
        return self.conversation(entry.room, entry.to if entry.sender_id == me else entry.sender_id)

    def joined(self, name: str) -> RoomKey:
        """Return the room that was joined under this name, which no other room has any more."""
        self._by_former_name.pop(name, None)
        return self.named(name)

    def rename(self, old: str, new: str) -> RoomKey | None:
        """Change the name of a room; return the room known by the new name until now, which is gone."""
        room = self.meant(old)
        self._by_name.pop(old, None)
        self._by_former_name.pop(new, None)
        gone = self._by_name.get(new)
        self._by_former_name[old] = self._by_name[new] = room
        room.room = new
        return gone if gone is not room else None

    def forget_former_names(self) -> None:
        """The connection is gone, and what was on its way with it."""
        self._by_former_name.clear()


class RoomState(Struct):
    """A room that the user is in. ``people`` is empty and ``counted`` true where only the number is told.

    Attributes:
        key: which room.
        rules: as far as the server has told them.
        role: the user's role; None for a guest, and where there are no roles.
        muted: sender_ids of muted members, as far as was told.
    """

    key: RoomKey
    total: int = 0
    people: dict[int, Person] = field(default_factory=dict)
    rules: RoomRules = field(default_factory=lambda: RoomRules(""))
    role: str | None = None
    muted: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The present name."""
        return self.key.room

    @property
    def counted(self) -> bool:
        """Whether the server tells only the number of members."""
        return not self.people

    def replace(self, people: Iterable[Person], total: int) -> None:
        """Take a fresh roster: presence is never replayed."""
        self.people = {person.id: person for person in people}
        self.total = total


class Conversation(Struct):
    """A conversation: its messages as they are now, oldest first, and the number of unread ones.

    Attributes:
        key: its room or person.
        last: the seq of the last message seen; below it everything was seen.
        changed: the seq of the last change seen, likewise.
        member: whether the user is in it.
        purged: no message up to this seq is left on the server.
        unread: messages of others that the user has not looked at.
        mentions: those of them that mention the user.
        messages: the last KEPT_MESSAGES.
        read: the user has seen everything up to this seq, as far as is known; kept for Visibility.REPORTED alone.
    """

    key: ConversationId
    last: int = 0
    changed: int = 0
    member: bool = True
    purged: int = 0
    unread: int = 0
    mentions: int = 0
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    read: int = 0

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
    """The people seen so far: sender_id to the latest name, and which of them are bots."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._bots: set[int] = set()

    def see(self, person_id: int, name: str, *, bot: bool = False) -> bool:
        """Remember a name; tell whether it is new for this person.

        Args:
            person_id: the sender_id.
            name: the present one.
            bot: whether it is told that this is a bot; that stays true, because no account changes its kind.
        """
        known = self._names.pop(person_id, None)
        self._names[person_id] = name
        if bot:
            self._bots.add(person_id)
        if len(self._names) > KEPT_PEOPLE:
            oldest = next(iter(self._names))
            del self._names[oldest]
            self._bots.discard(oldest)
        return known != name

    def is_bot(self, person_id: int) -> bool:
        """Whether a person is known to be a bot."""
        return person_id in self._bots

    def name(self, person_id: int) -> str | None:
        """Return the latest name of a person, if ever seen."""
        return self._names.get(person_id)

    def find(self, name: str) -> int | None:
        """Return the sender_id seen last under this name or a look-alike of it."""
        key = name_key(name)
        return next((who for who, known in reversed(self._names.items()) if name_key(known) == key), None)

    def names(self) -> Iterator[str]:
        """Every name known."""
        yield from self._names.values()

    def forget(self) -> None:
        """Forget all names: the log is another one, and its sender_ids too."""
        self._names.clear()
        self._bots.clear()
