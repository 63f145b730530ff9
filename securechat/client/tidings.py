"""Happenings about rooms, and about messages that change, are searched or were not read.

They are a part of `happenings.Happening`, and like all of these they carry what the server said as it said it, and no
sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from securechat.client.intents import Order
from securechat.client.state import Key
from securechat.model import Hit, Message, MessageChange, Person, RevisionKind, RoomRules, UnreadItem


@dataclass(frozen=True, slots=True)
class Revising:
    """What a line does to a message, where it is none of its own: edits it, deletes it, reacts to it."""

    kind: RevisionKind
    seq: int
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Amended:
    """A message has changed, told once, unless it was shown in this state already.

    Attributes:
        change: what was done, and by whom.
        key: its conversation.
        message: what it is now; None where it is too old to be kept here.
        late: whether it was missed while away.
    """

    change: MessageChange
    key: Key
    message: Message | None
    late: bool = False


@dataclass(frozen=True, slots=True)
class RulesShown:
    """The rules of a room, as asked; or only its topic."""

    rules: RoomRules
    topic_only: bool = False


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """The rules of a room are others now, or its name; ``before`` as far as they were known."""

    rules: RoomRules
    before: RoomRules


@dataclass(frozen=True, slots=True)
class InvitedTo:
    """One may enter a room."""

    room: str
    by: Person


@dataclass(frozen=True, slots=True)
class RoleTold:
    """What somebody is in a room now; ``muted_s`` as in model.RoleChanged, ``was_muted`` as far as it was known."""

    room: str
    person: Person
    role: str
    muted_s: float | None
    was_muted: bool = False
    me: bool = False


@dataclass(frozen=True, slots=True)
class OrderDone:
    """The server did to somebody what was ordered, durably."""

    order: Order
    person: Person


@dataclass(frozen=True, slots=True)
class OrderUnanswered:
    """The connection broke before the server answered: it may have been done or not."""


@dataclass(frozen=True, slots=True)
class SearchShown:
    """A page of what a search found, the newest first; ``building`` while the index is not complete."""

    query: str
    hits: tuple[Hit, ...]
    more: bool
    building: bool = False


@dataclass(frozen=True, slots=True)
class UnreadShown:
    """Where something has not been read; ``asked`` for, or told after a login."""

    items: tuple[UnreadItem, ...]
    asked: bool


class Place(Enum):
    """Which part of a conversation was asked for."""

    AROUND = "around"
    SINCE = "since"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Excerpted:
    """Messages from somewhere in a conversation, oldest first; ``more`` follow."""

    key: Key
    messages: tuple[Message, ...]
    place: Place
    more: bool


@dataclass(frozen=True, slots=True)
class WritersChanged:
    """Somebody began or ended writing in the conversation looked at: see the core's ``writers``."""


@dataclass(frozen=True, slots=True)
class TypingSwitched:
    """Whether notices of writing are sent and shown."""

    on: bool


Tiding: TypeAlias = (
    Amended
    | RulesShown
    | RulesChanged
    | InvitedTo
    | RoleTold
    | OrderDone
    | OrderUnanswered
    | SearchShown
    | UnreadShown
    | Excerpted
    | WritersChanged
    | TypingSwitched
)
