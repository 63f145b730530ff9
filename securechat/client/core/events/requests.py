"""UI events about actions that are not carried out: rejected by the client, deferred, or refused by the server."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Self

from msgspec import Struct

from securechat.errors import ErrorCode
from securechat.model import Refused


class RejectReason(Enum):
    """Why the client itself declines an intent."""

    AWAY = "away"
    QUEUE_FULL = "queue_full"
    TEXT_EMPTY = "text_empty"
    TEXT_TOO_LONG = "text_too_long"
    NOT_IN_ROOM = "not_in_room"
    LOBBY_STAYS = "lobby_stays"
    ROOM_INVALID = "room_invalid"
    NAME_INVALID = "name_invalid"
    LEAVING = "leaving"
    NOTHING_MORE = "nothing_more"
    NOTHING_UNREAD = "nothing_unread"
    NOT_THERE = "not_there"


class ActionRejected(Struct, frozen=True):
    """The client itself says no; ``detail`` is a rule's own sentence, ``subject`` what it is about."""

    reason: RejectReason
    subject: str = ""
    detail: str = ""


class DeferredKind(Enum):
    """What is kept for later when there is no connection; questions are not."""

    NAME = "name"
    ENTER = "enter"
    WHISPER = "whisper"


class ActionDeferred(Struct, frozen=True):
    """A wish that cannot be fulfilled now and will be once the connection is back."""

    wish: DeferredKind
    subject: str
    text: str = ""


class RequestRefused(Struct, frozen=True):
    """The server said no to a request that is not a line."""

    code: ErrorCode
    text: str
    room: str | None = None
    reason: str = ""
    arguments: Mapping[str, str | int] = {}

    @classmethod
    def of(cls, refused: Refused) -> Self:
        """Return the event that says the same."""
        return cls(refused.code, refused.text, refused.room, refused.reason, refused.arguments)
