"""Happenings about rooms, and about messages that change, are searched or were not read.

They are a part of `happenings.Happening`, and like all of these they carry what the server said as it said it, and no
sentence.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client.core.actions import ModerateMember
from securechat.client.core.state import ConversationId
from securechat.model import (
    Hit,
    Message,
    MessageChange,
    Person,
    RevisionKind,
    RoomRules,
    UnreadItem,
)


class MessageChangeRequest(Struct, frozen=True):
    """What a line does to a message, where it is none of its own: edits it, deletes it, reacts to it."""

    kind: RevisionKind
    seq: int
    sign: str = ""


class MessageChanged(Struct, frozen=True):
    """A message has changed, told once, unless it was shown in this state already.

    Attributes:
        change: what was done, and by whom.
        key: its conversation.
        message: what it is now; None where it is too old to be kept here.
        late: whether it was missed while away.
    """

    change: MessageChange
    key: ConversationId
    message: Message | None
    late: bool = False


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
    """A member has another role, was muted or may write again.

    ``muted_s`` and ``by`` are as in model.RoleChanged, ``was_muted`` as far as it was known.
    """

    room: str
    person: Person
    role: str
    muted_s: float | None
    was_muted: bool = False
    me: bool = False
    by: Person | None = None


class ModerationDone(Struct, frozen=True):
    """The server did to somebody what was ordered, durably."""

    order: ModerateMember
    person: Person


class ModerationUnconfirmed(Struct, frozen=True):
    """The connection broke before the server answered: it may have been done or not."""


class SearchShown(Struct, frozen=True):
    """A page of what a search found, the newest first; ``building`` while the index is not complete."""

    query: str
    hits: tuple[Hit, ...]
    more: bool
    building: bool = False


class UnreadShown(Struct, frozen=True):
    """Where something has not been read; ``asked`` for, or told after a login."""

    items: tuple[UnreadItem, ...]
    asked: bool


class HistoryRange(Enum):
    """Which part of a conversation was asked for."""

    AROUND = "around"
    SINCE = "since"
    UNREAD = "unread"


class HistoryShown(Struct, frozen=True):
    """Messages from somewhere in a conversation, oldest first; ``more`` follow."""

    key: ConversationId
    messages: tuple[Message, ...]
    place: HistoryRange
    more: bool


class TypingChanged(Struct, frozen=True):
    """Somebody began or ended writing in the conversation looked at: see the core's ``writers``."""


class TypingNoticesSet(Struct, frozen=True):
    """Whether notices of writing are sent and shown."""

    on: bool


RoomUiEvent: TypeAlias = (
    MessageChanged
    | RoomSettingsShown
    | RoomSettingsChanged
    | InvitedToRoom
    | RoleShown
    | ModerationDone
    | ModerationUnconfirmed
    | SearchShown
    | UnreadShown
    | HistoryShown
    | TypingChanged
    | TypingNoticesSet
)
