"""UI events about messages: shown, changed, sent, read back from history, found, unread, listed by conversation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from securechat.client.core.actions import PendingFile
from securechat.client.core.state import ConversationId
from securechat.errors import ErrorCode
from securechat.model import ConversationItem, Hit, Message, MessageChange, Person, Purged, RevisionKind, UnreadItem


class MessageChangeRequest(Struct, frozen=True):
    """A change that the user asks for: an edit, a deletion or a reaction."""

    kind: RevisionKind
    seq: int
    emoji: str = ""


class PendingMessage(Struct, frozen=True):
    """A message, or a change of one, that the server has not acknowledged yet.

    Attributes:
        number: counts what the user sends, and stays over every retry; 0 while the person is still looked up.
        target: where it goes.
        text: what it says.
        to: the person it was addressed to, by name, where it was.
        reply: the seq of the message it answers.
        change: the change of an earlier message that it asks for; None for a message.
        key: what a program calls it.
        files: that it brings; all their bytes are on the server.
    """

    number: int
    target: ConversationId
    text: str
    to: str = ""
    reply: int | None = None
    change: MessageChangeRequest | None = None
    key: str | None = None
    files: tuple[PendingFile, ...] = ()


class MessageShown(Struct, frozen=True):
    """A message, shown exactly once and in the order of its conversation.

    Attributes:
        message: as the log has it.
        key: its conversation.
        own: whether this user sent it.
        late: whether it was read from the log, rather than pushed by the server.
        mentions_me: whether another member's message mentions the user.
        elsewhere: whether this user sent it, from another device.
    """

    message: Message
    key: ConversationId
    own: bool
    late: bool = False
    mentions_me: bool = False
    elsewhere: bool = False


class MessageChanged(Struct, frozen=True):
    """A message has changed; shown once, unless the message was shown in this state already.

    Attributes:
        change: the change, as the log has it.
        key: its conversation.
        message: the result; None where the core no longer keeps the message (state.KEPT_MESSAGES). A user interface
            that keeps it applies the change itself (`message_changes.apply_change`).
        late: whether it was missed while away.
    """

    change: MessageChange
    key: ConversationId
    message: Message | None
    late: bool = False


class MessagesPurged(Struct, frozen=True):
    """Messages are gone for good, by retention or with an account. A user interface that keeps messages drops them.

    Attributes:
        purged: which.
        key: the room; None where they are all messages of a sender.
        count: messages that the core kept of them.
        name: of the sender, where it is known.
        unseen: whether messages among them may never have been shown: they were said while the client was away.
    """

    purged: Purged
    key: ConversationId | None
    count: int
    name: str = ""
    unseen: bool = False


class HistoryLoaded(Struct, frozen=True):
    """Earlier messages, oldest first: of a room that was just joined, or the answer to AskHistory (``asked``).

    Attributes:
        key: the conversation.
        messages: them, without those of people whom the user ignores.
        asked: whether the user asked for them.
        more: whether there are still earlier ones to ask for.
        first: nothing is left out from this seq on; 0 for all that there is.
        before: nothing is left out below this seq; None where the last ones of all were asked for.
    """

    key: ConversationId
    messages: tuple[Message, ...]
    asked: bool
    more: bool = False
    first: int = 0
    before: int | None = None


class HistoryRange(Enum):
    """The part of a conversation that was asked for."""

    AROUND = "around"
    SINCE = "since"
    UNREAD = "unread"


class HistoryShown(Struct, frozen=True):
    """A part of a conversation, oldest first.

    Attributes:
        key: the conversation.
        messages: the part.
        history_range: what was asked for.
        more: whether others follow.
        since_ms: the time from which on it was asked for, milliseconds since the epoch, UTC; None for another question.
        first, through: nothing is left out from this seq through that one, but of people whom the user ignores.
    """

    key: ConversationId
    messages: tuple[Message, ...]
    history_range: HistoryRange
    more: bool
    since_ms: int | None = None
    first: int = 0
    through: int = 0


class SearchShown(Struct, frozen=True):
    """A page of search results, the newest first; ``building`` while the index is not complete."""

    query: str
    hits: tuple[Hit, ...]
    more: bool
    building: bool = False


class PersonSelected(Struct, frozen=True):
    """The direct messages with a person are the current conversation now."""

    person: Person


class UnreadShown(Struct, frozen=True):
    """The conversations with unread messages; ``asked`` for by the user, or shown after a login."""

    items: tuple[UnreadItem, ...]
    asked: bool


class ConversationsShown(Struct, frozen=True):
    """All rooms of the user by name, then all dialogues by sender_id.

    The text of a last message may contain any character: show it through sanitize.visible. It is left out where its
    sender is ignored.

    Attributes:
        items: one for each.
        complete: whether these are all; false where the server answered for a part of them only.
    """

    items: tuple[ConversationItem, ...]
    complete: bool


class ReadOnOtherDevice(Struct, frozen=True):
    """Another device of the account has read a conversation up to ``seq``."""

    key: ConversationId
    seq: int


class IgnoreChanged(Struct, frozen=True):
    """The messages of a person are hidden from now on, or shown again."""

    person: Person
    hidden: bool


class MessageWaiting(Struct, frozen=True):
    """A message cannot go out now: there is no connection (``code`` None), or the server asked to try again later."""

    message: PendingMessage
    code: ErrorCode | None = None


class MessageAcked(Struct, frozen=True):
    """A message is durable under ``seq``; it is shown as MessageShown when its turn in the conversation comes."""

    message: PendingMessage
    seq: int


class MessageRefused(Struct, frozen=True):
    """The server refused a message; it is not sent again."""

    message: PendingMessage
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class MessagesLost(Struct, frozen=True):
    """The client gives up messages that were never acknowledged; the server may have stored some of them."""

    messages: tuple[PendingMessage, ...]


class WillBeDeliveredLater(Struct, frozen=True):
    """Messages to this person wait on the server: the person has an account and is not connected."""

    person: Person
