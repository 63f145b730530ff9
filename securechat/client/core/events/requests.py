"""UI events about actions that are not carried out: rejected by the client, deferred, or refused by the server."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Self

from msgspec import Struct

from securechat.errors import ErrorCode
from securechat.model import Event, Refused


class RejectReason(Enum):
    """Why the client rejects an action without asking the server."""

    AWAY = "away"
    QUEUE_FULL = "queue_full"
    TEXT_EMPTY = "text_empty"
    TEXT_TOO_LONG = "text_too_long"
    NOT_IN_ROOM = "not_in_room"
    ONESELF = "oneself"
    LOBBY_STAYS = "lobby_stays"
    ROOM_INVALID = "room_invalid"
    NAME_INVALID = "name_invalid"
    LEAVING = "leaving"
    NOTHING_MORE = "nothing_more"
    NOTHING_UNREAD = "nothing_unread"
    NOT_THERE = "not_there"
    NO_CONVERSATION = "no_conversation"
    NO_PROGRAMS = "no_programs"
    NO_SUCH_BOT = "no_such_bot"
    BOT_WITHOUT_TOKEN = "bot_without_token"  # noqa: S105 - a word for it, no token


class ActionRejected(Struct, frozen=True):
    """The client rejects an action; ``detail`` is a rule's sentence, ``subject`` the name or number it is about."""

    reason: RejectReason
    subject: str = ""
    detail: str = ""


class DeferredKind(Enum):
    """The actions that are deferred without a connection; questions are not."""

    NAME = "name"
    JOIN = "join"
    DIRECT = "direct"


class ActionDeferred(Struct, frozen=True):
    """An action is kept until the connection is back."""

    kind: DeferredKind
    subject: str
    text: str = ""


class QuestionAnswered(Struct, frozen=True):
    """The answer to AskServer or AskLog; None when the connection was lost before it came."""

    number: int
    answer: Event | None


class RequestRefused(Struct, frozen=True):
    """The server refused a request that is not a message."""

    code: ErrorCode
    text: str
    room: str | None = None
    reason: str = ""
    arguments: Mapping[str, str | int] = {}

    @classmethod
    def of(cls, refused: Refused) -> Self:
        """Return the event that says the same."""
        return cls(refused.code, refused.text, refused.room, refused.reason, refused.arguments)
