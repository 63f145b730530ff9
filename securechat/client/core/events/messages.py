"""UI events about messages: shown, changed, sent, read back from history, found, unread."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from securechat.client.core.state import ConversationId
from securechat.errors import ErrorCode
from securechat.model import Hit, Message, MessageChange, Person, RevisionKind, UnreadItem


class MessageChangeRequest(Struct, frozen=True):
    """What a line does to a message, where it is none of its own: edits it, deletes it, reacts to it."""

    kind: RevisionKind
    seq: int
    sign: str = ""


class PendingMessage(Struct, frozen=True):
    """A line the user gave to send.

    Attributes:
        number: the user's own count, stable over every retry; 0 while the person is still looked up.
        target: where it goes.
        text: what it says.
        to: the person it was addressed to, by name, where it was.
        reply: the seq of the message it answers.
        revising: what it does to another message, where it is no message itself.
    """

    number: int
    target: ConversationId
    text: str
    to: str = ""
    reply: int | None = None
    revising: MessageChangeRequest | None = None


class MessageShown(Struct, frozen=True):
    """A message, exactly once, in the order of its conversation.

    Attributes:
        message: as the log has it.
        key: its conversation.
        own: whether this user sent it.
        late: whether it was missed while away, or pulled rather than pushed.
        names_me: whether somebody else's text has the user's name in it.
        elsewhere: whether this user sent it, from another device.
    """

    message: Message
    key: ConversationId
    own: bool
    late: bool = False
    names_me: bool = False
    elsewhere: bool = False


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


class HistoryLoaded(Struct, frozen=True):
    """Earlier messages, oldest first: the start of a room, or an answer to AskHistory (``asked``)."""

    key: ConversationId
    messages: tuple[Message, ...]
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


class ReadOnOtherDevice(Struct, frozen=True):
    """Another device of the account has read a conversation up to ``seq``."""

    key: ConversationId
    seq: int


class IgnoreChanged(Struct, frozen=True):
    """A person's messages are hidden now, or shown again."""

    person: Person
    hidden: bool


class MessageWaiting(Struct, frozen=True):
    """A line cannot go out now: away (``code`` None), or the server asked to try again later."""

    line: PendingMessage
    code: ErrorCode | None = None


class MessageAcked(Struct, frozen=True):
    """A line is durable as message ``seq``; its message comes as Shown."""

    line: PendingMessage
    seq: int


class MessageRefused(Struct, frozen=True):
    """The server will not take a line; it is not kept."""

    line: PendingMessage
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class MessagesLost(Struct, frozen=True):
    """Leaving although these were never acknowledged; some may have been stored all the same."""

    lines: tuple[PendingMessage, ...]


class WillBeDeliveredLater(Struct, frozen=True):
    """What is said to this person waits on the server: they have an account and are not here."""

    person: Person
