"""UI events about rooms and their members: joined, left, renamed, settings, roles, moderation, typing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from securechat.client.core.actions import ModerateMember
from securechat.model import Person, RoomCount, RoomRules


class RoomJoined(Struct, frozen=True):
    """In a room; ``again`` when a reconnect re-entered it, ``elsewhere`` when another device of the account did."""

    room: str
    people: tuple[Person, ...]
    total: int
    again: bool = False
    elsewhere: bool = False
    topic: str = ""
    read_only: bool = False
    archived: bool = False


class RoomLeft(Struct, frozen=True):
    """Out of a room.

    Attributes:
        room: its name.
        elsewhere: whether another device of the account left it.
        text: why, in the server's words, when it was nobody's wish here.
        missing: whether one was found out of it after a lost connection: taken out, or it has another name now.
    """

    room: str
    elsewhere: bool = False
    text: str = ""
    missing: bool = False
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class RoomSelected(Struct, frozen=True):
    """Looking at a room again that was never left: no server has a part in it."""

    room: str


class RoomsShown(Struct, frozen=True):
    """The answer to AskRooms."""

    rooms: tuple[RoomCount, ...]


class RosterShown(Struct, frozen=True):
    """The answer to AskWho."""

    room: str
    people: tuple[Person, ...]
    total: int


class MembersJoined(Struct, frozen=True):
    """Others entered a room."""

    room: str
    people: tuple[Person, ...]


class MembersLeft(Struct, frozen=True):
    """Others left a room."""

    room: str
    people: tuple[Person, ...]


class MemberRenamed(Struct, frozen=True):
    """Somebody has another name now; told once, however many rooms are shared."""

    person_id: int
    old: str
    new: str
    me: bool = False


class RoomSettingsShown(Struct, frozen=True):
    """The rules of a room, as asked; or only its topic."""

    rules: RoomRules
    topic_only: bool = False


class RoomSettingsChanged(Struct, frozen=True):
    """The rules of a room are others now, or its name; ``before`` as far as they were known."""

    rules: RoomRules
    before: RoomRules


class InvitedToRoom(Struct, frozen=True):
    """One may enter a room."""

    room: str
    by: Person


class RoleShown(Struct, frozen=True):
    """What somebody is in a room now; ``muted_s`` as in model.RoleChanged, ``was_muted`` as far as it was known."""

    room: str
    person: Person
    role: str
    muted_s: float | None
    was_muted: bool = False
    me: bool = False


class ModerationDone(Struct, frozen=True):
    """The server did to somebody what was ordered, durably."""

    order: ModerateMember
    person: Person


class ModerationUnconfirmed(Struct, frozen=True):
    """The connection broke before the server answered: it may have been done or not."""


class TypingChanged(Struct, frozen=True):
    """Somebody began or ended writing in the conversation looked at: see the core's ``writers``."""


class TypingNoticesSet(Struct, frozen=True):
    """Whether notices of writing are sent and shown."""

    on: bool
