"""What the core tells whoever shows the chat: a closed union of frozen records, in the order they happened.

They carry what the server said as it said it. Making it safe to show, and every sentence around it, is the business
of who shows it. Events that pass on a refusal, a closing or a leaving have its ``code``, ``text``, ``reason`` and
``arguments`` (model.Refused); ``reason`` is empty where the server gave none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Self, TypeAlias

from msgspec import Struct

from securechat.client.core.events.account import AccountUiEvent
from securechat.client.core.events.rooms import MessageChangeRequest, RoomUiEvent
from securechat.client.core.state import ConversationId
from securechat.errors import ErrorCode, TlsFailure
from securechat.model import Message, Person, Refused, RoomCount


class DisconnectReason(Enum):
    """How a connection was lost or not made."""

    REFUSED = "refused"
    HOST_NOT_FOUND = "host_not_found"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    HUNG_UP = "hung_up"  # during the handshake
    CLOSED = "closed"
    SILENT = "silent"
    NONSENSE = "nonsense"


class Disconnect(Struct, frozen=True):
    """Why there is no connection; ``tls`` is set for LossKind.TLS and HUNG_UP."""

    kind: DisconnectReason
    detail: str = ""
    tls: TlsFailure | None = None


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


class NameNeeded(Struct, frozen=True):
    """The connection is there and verified; choose a name."""


class NameRefused(Struct, frozen=True):
    """Choose another name."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class LoggedIn(Struct, frozen=True):
    """In, for the first time.

    Attributes:
        server: the program and its version.
        me: who one is.
        account: whether one is logged in to an account.
        admin: whether that account administers the server.
        must_change: an administrator has set its password: choose another.
    """

    server: str
    me: Person
    account: bool = False
    admin: bool = False
    must_change: bool = False


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


class HistoryLoaded(Struct, frozen=True):
    """Earlier messages, oldest first: the start of a room, or an answer to AskHistory (``asked``)."""

    key: ConversationId
    messages: tuple[Message, ...]
    asked: bool


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


class RosterShown(Struct, frozen=True):
    """The answer to AskWho."""

    room: str
    people: tuple[Person, ...]
    total: int


class RoomsShown(Struct, frozen=True):
    """The answer to AskRooms."""

    rooms: tuple[RoomCount, ...]


class IgnoreChanged(Struct, frozen=True):
    """A person's messages are hidden now, or shown again."""

    person: Person
    hidden: bool


class MessageWaiting(Struct, frozen=True):
    """A line cannot go out now: away (``code`` None), or the server asked to try again later."""

    line: PendingMessage
    code: ErrorCode | None = None


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


class RoomSelected(Struct, frozen=True):
    """Looking at a room again that was never left: no server has a part in it."""

    room: str


class LeavingChat(Struct, frozen=True):
    """The user goes, as soon as ``lines`` are acknowledged or patience ends."""

    lines: tuple[PendingMessage, ...]


class WillBeDeliveredLater(Struct, frozen=True):
    """What is said to this person waits on the server: they have an account and are not here."""

    person: Person


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


class RenameRefused(Struct, frozen=True):
    """The server said no to a change of name; the old one stays."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


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


class AnnouncementShown(Struct, frozen=True):
    """The people who run the server say something to everybody."""

    text: str
    sent_at_ms: int


class ReadOnOtherDevice(Struct, frozen=True):
    """Another device of the account has read a conversation up to ``seq``."""

    key: ConversationId
    seq: int


class StateNotSaved(Struct, frozen=True):
    """Something that should be remembered on this machine could not be written."""

    detail: str


class RateLimited(Struct, frozen=True):
    """Over a rate: lines go out as fast as the server takes them. Told once until everything is out."""

    retry_after_s: float


class ConnectionLost(Struct, frozen=True):
    """Away from now on. ``code`` and ``text`` are the server's last words, if it had any."""

    loss: Disconnect
    code: ErrorCode | None = None
    text: str = ""
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class Reconnecting(Struct, frozen=True):
    """The next attempt comes in ``in_s``; ``loss`` says why the one before failed."""

    in_s: float
    attempt: int
    loss: Disconnect


class BackOnline(Struct, frozen=True):
    """Connected again; what was missed follows."""

    away_s: float


class CaughtUp(Struct, frozen=True):
    """Everything missed has been shown: so many messages."""

    missed: int


class HistoryReset(Struct, frozen=True):
    """The server has another log than before: numbering and identities start anew."""


class EndReason(Enum):
    """Why the client is done."""

    QUIT = "quit"
    UNREACHABLE = "unreachable"  # the first connection failed
    CLOSED = "closed"  # the server's last words allow no return
    LOGGED_OUT = "logged_out"  # at the user's own wish
    VERSION = "version"


class ClientEnded(Struct, frozen=True):
    """Nothing follows. ``code`` and ``text`` are the server's last words, ``loss`` a failed first connection."""

    cause: EndReason
    loss: Disconnect | None = None
    code: ErrorCode | None = None
    text: str = ""
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


UiEvent: TypeAlias = (
    NameNeeded
    | NameRefused
    | AccountUiEvent
    | RoomUiEvent
    | LoggedIn
    | RoomJoined
    | RoomLeft
    | MessageShown
    | HistoryLoaded
    | MembersJoined
    | MembersLeft
    | MemberRenamed
    | RosterShown
    | RoomsShown
    | IgnoreChanged
    | ActionDeferred
    | RoomSelected
    | LeavingChat
    | MessageWaiting
    | WillBeDeliveredLater
    | MessageAcked
    | MessageRefused
    | MessagesLost
    | ActionRejected
    | RenameRefused
    | RequestRefused
    | AnnouncementShown
    | ReadOnOtherDevice
    | StateNotSaved
    | RateLimited
    | ConnectionLost
    | Reconnecting
    | BackOnline
    | CaughtUp
    | HistoryReset
    | ClientEnded
)
