"""UI events about rooms and their members: joined, left, renamed, settings, roles, moderation, typing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from securechat.client.core.actions import ModerateMember
from securechat.model import Person, RoomCount, RoomRules


class RoomJoined(Struct, frozen=True):
    """The user is in a room.

    Attributes:
        room: its name.
        people: its members; empty where only the number is told.
        total: the number of its members.
        again: whether it was joined again after a lost connection.
        elsewhere: whether another device of the account joined it.
        topic: its topic.
        read_only: whether only moderators and owners may write.
        archived: whether it is archived.
        made: whether joining it has made it.
        owned: whether the user owns it.
        told_later: whether a `RoomsKept` names it, with others: the account was in it before this login.
    """

    room: str
    people: tuple[Person, ...]
    total: int
    again: bool = False
    elsewhere: bool = False
    topic: str = ""
    read_only: bool = False
    archived: bool = False
    made: bool = False
    owned: bool = False
    told_later: bool = False


class RoomsKept(Struct, frozen=True):
    """After a login, the account is still in these rooms, besides the lobby and those joined from here.

    Attributes:
        rooms: their names, in alphabetical order.
    """

    rooms: tuple[str, ...]


class RoomLeft(Struct, frozen=True):
    """The user is no longer in a room.

    Attributes:
        room: its name.
        elsewhere: whether another device of the account left it.
        text: the server's sentence, when the user did not ask to leave.
        missing: whether the server did not tell of it after a lost connection: the user was taken out, or it was
            renamed.
        owner: the new owner of the room, if the user was its only one.
    """

    room: str
    elsewhere: bool = False
    text: str = ""
    missing: bool = False
    reason: str = ""
    arguments: Mapping[str, str | int] = {}
    owner: Person | None = None


class RoomSelected(Struct, frozen=True):
    """The user looks at a room that was joined before; the server is not asked."""

    room: str


class RoomsShown(Struct, frozen=True):
    """The answer to AskRooms."""

    rooms: tuple[RoomCount, ...]


class PersonShown(Struct, frozen=True):
    """The answer to AskPerson.

    Attributes:
        person: who has the name.
        absent: whether it is an account, and its owner is not here.
        rooms: the rooms that both are in, by name.
        ignored: whether the messages of the person are hidden.
    """

    person: Person
    absent: bool
    rooms: tuple[str, ...] = ()
    ignored: bool = False


class RosterShown(Struct, frozen=True):
    """The answer to AskWho."""

    room: str
    people: tuple[Person, ...]
    total: int


class MembersJoined(Struct, frozen=True):
    """Other members joined a room."""

    room: str
    people: tuple[Person, ...]


class MembersLeft(Struct, frozen=True):
    """Other members left a room."""

    room: str
    people: tuple[Person, ...]


class MemberRenamed(Struct, frozen=True):
    """A member has another name; shown once, whatever the number of shared rooms; ``bot`` where it is known as one."""

    person_id: int
    old: str
    new: str
    me: bool = False
    bot: bool = False


class RoomSettingsShown(Struct, frozen=True):
    """The answer to AskRoomSettings: the settings of a room, or only its topic."""

    rules: RoomRules
    topic_only: bool = False


class RoomSettingsChanged(Struct, frozen=True):
    """A room has other settings, or another name; ``before`` as far as they were known."""

    rules: RoomRules
    before: RoomRules


class InvitedToRoom(Struct, frozen=True):
    """The user was invited to a room."""

    room: str
    by: Person


class RoleShown(Struct, frozen=True):
    """A member has another role, was muted or may write again.

    ``muted_s``, ``by`` and ``reason`` are as in model.RoleChanged, ``was_muted`` as far as it was known.
    """

    room: str
    person: Person
    role: str
    muted_s: float | None
    was_muted: bool = False
    me: bool = False
    by: Person | None = None
    reason: str = ""


class ModerationDone(Struct, frozen=True):
    """The server has carried out a moderation action on a person, durably; ``guest`` as in model.Done."""

    action: ModerateMember
    person: Person
    guest: bool = False


class ModerationUnconfirmed(Struct, frozen=True):
    """The connection broke before the answer: the server may have done it or not."""


class TypingChanged(Struct, frozen=True):
    """The members who type in the current conversation are others now: see `ClientCore.typists`."""


class TypingNoticesSet(Struct, frozen=True):
    """Typing notices are sent and shown from now on, or not."""

    on: bool
