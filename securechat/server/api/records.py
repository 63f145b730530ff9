"""The JSON of answers. Messages and their changes are the records of ``securechat/1``, which docs/protocol.md tells."""

from __future__ import annotations

from msgspec import Struct

from securechat.model import Hit, Id, Message, MessageChange, Person, RoomCount


class Stored(Struct, frozen=True, gc=False):
    """A message or a change is durable, as the entry ``seq`` of the log."""

    seq: Id


class OwnIdentity(Struct, frozen=True):
    """Who the token speaks for.

    Attributes:
        id: its sender_id.
        name: as others see it.
        server: the program and its version.
    """

    id: Id
    name: str
    server: str


class RoomList(Struct, frozen=True):
    """A page of the rooms that may be entered, by name; with ``more``, ask again with ``after`` the last name."""

    rooms: list[RoomCount]
    more: bool


class RoomInfo(Struct, frozen=True):
    """A room and its rules; see ``roomrules`` in docs/protocol.md."""

    room: str
    id: Id
    topic: str
    private: bool
    read_only: bool
    archived: bool
    slow_s: int
    retention_days: int
    history: str
    role: str | None


class MemberList(Struct, frozen=True):
    """A page of the members present in a room, by id; with ``more``, ask again with ``after`` the last id."""

    members: list[Person]
    total: int
    more: bool


class MessagePage(Struct, frozen=True):
    """Messages by rising seq.

    Attributes:
        messages: of the page.
        through: everything of the conversation up to this seq is in this page or before it; the next ``after``.
        more: whether there is more in the direction that was asked for.
        changes: edits, deletions and reactions of the same span, where the page goes forward.
    """

    messages: list[Message]
    through: Id
    more: bool
    changes: list[MessageChange]


class HitList(Struct, frozen=True):
    """What a search has found, the newest first; with ``more``, ask again with ``before`` the last seq.

    Attributes:
        hits: messages, and what of their texts matched.
        more: whether there are older ones.
        indexed: only messages up to this seq were searched, where the index is not complete.
    """

    hits: list[Hit]
    more: bool
    indexed: Id | None


class KnownPerson(Struct, frozen=True):
    """The owner of a name; ``absent``: has an account, and is not connected."""

    id: Id
    name: str
    absent: bool
