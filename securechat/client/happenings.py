"""What the core tells whoever shows the chat: a closed union of frozen records, in the order they happened.

They carry what the server said as it said it. Making it safe to show, and every sentence around it, is the business
of who shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from securechat.client.deeds import AccountHappening
from securechat.client.state import Key
from securechat.client.tidings import Revising, Tiding
from securechat.errors import ErrorCode, TlsFailure
from securechat.model import Message, Person, RoomCount


class LossKind(Enum):
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


@dataclass(frozen=True, slots=True)
class Loss:
    """Why there is no connection; ``tls`` is set for LossKind.TLS and HUNG_UP."""

    kind: LossKind
    detail: str = ""
    tls: TlsFailure | None = None


@dataclass(frozen=True, slots=True)
class Line:
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
    target: Key
    text: str
    to: str = ""
    reply: int | None = None
    revising: Revising | None = None


@dataclass(frozen=True, slots=True)
class NameNeeded:
    """The connection is there and verified; choose a name."""


@dataclass(frozen=True, slots=True)
class NameRefused:
    """Choose another name."""

    name: str
    code: ErrorCode
    text: str


@dataclass(frozen=True, slots=True)
class Greeted:
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


@dataclass(frozen=True, slots=True)
class EnteredRoom:
    """In a room; ``again`` when a reconnect re-entered it, ``elsewhere`` when another device of the account did."""

    room: str
    people: tuple[Person, ...]
    total: int
    again: bool = False
    elsewhere: bool = False
    topic: str = ""
    read_only: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True)
class LeftRoom:
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


@dataclass(frozen=True, slots=True)
class Shown:
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
    key: Key
    own: bool
    late: bool = False
    names_me: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Recalled:
    """Earlier messages, oldest first: the start of a room, or an answer to AskHistory (``asked``)."""

    key: Key
    messages: tuple[Message, ...]
    asked: bool


@dataclass(frozen=True, slots=True)
class PeopleCame:
    """Others entered a room."""

    room: str
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class PeopleWent:
    """Others left a room."""

    room: str
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class PersonRenamed:
    """Somebody has another name now; told once, however many rooms are shared."""

    person_id: int
    old: str
    new: str
    me: bool = False


@dataclass(frozen=True, slots=True)
class RosterShown:
    """The answer to AskWho."""

    room: str
    people: tuple[Person, ...]
    total: int


@dataclass(frozen=True, slots=True)
class RoomsShown:
    """The answer to AskRooms."""

    rooms: tuple[RoomCount, ...]


@dataclass(frozen=True, slots=True)
class IgnoreChanged:
    """A person's messages are hidden now, or shown again."""

    person: Person
    hidden: bool


@dataclass(frozen=True, slots=True)
class LineWaiting:
    """A line cannot go out now: away (``code`` None), or the server asked to try again later."""

    line: Line
    code: ErrorCode | None = None


class Wish(Enum):
    """What is kept for later when there is no connection; questions are not."""

    NAME = "name"
    ENTER = "enter"
    WHISPER = "whisper"


@dataclass(frozen=True, slots=True)
class Postponed:
    """A wish that cannot be fulfilled now and will be once the connection is back."""

    wish: Wish
    subject: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class BackInRoom:
    """Looking at a room again that was never left: no server has a part in it."""

    room: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """The user goes, as soon as ``lines`` are acknowledged or patience ends."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class KeptFor:
    """What is said to this person waits on the server: they have an account and are not here."""

    person: Person


@dataclass(frozen=True, slots=True)
class LineAcked:
    """A line is durable as message ``seq``; its message comes as Shown."""

    line: Line
    seq: int


@dataclass(frozen=True, slots=True)
class LineRefused:
    """The server will not take a line; it is not kept."""

    line: Line
    code: ErrorCode
    text: str


@dataclass(frozen=True, slots=True)
class LinesLost:
    """Leaving although these were never acknowledged; some may have been stored all the same."""

    lines: tuple[Line, ...]


class Impossible(Enum):
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


@dataclass(frozen=True, slots=True)
class Declined:
    """The client itself says no; ``detail`` is a rule's own sentence, ``subject`` what it is about."""

    reason: Impossible
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RenameRefused:
    """The server said no to a change of name; the old one stays."""

    name: str
    code: ErrorCode
    text: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The server said no to a request that is not a line."""

    code: ErrorCode
    text: str
    room: str | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """The people who run the server say something to everybody."""

    text: str
    sent_at_ms: int


@dataclass(frozen=True, slots=True)
class ReadElsewhere:
    """Another device of the account has read a conversation up to ``seq``."""

    key: Key
    seq: int


@dataclass(frozen=True, slots=True)
class NotKept:
    """Something that should be remembered on this machine could not be written."""

    detail: str


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """Over a rate: lines go out as fast as the server takes them. Told once until everything is out."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Away from now on. ``code`` and ``text`` are the server's last words, if it had any."""

    loss: Loss
    code: ErrorCode | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The next attempt comes in ``in_s``; ``loss`` says why the one before failed."""

    in_s: float
    attempt: int
    loss: Loss


@dataclass(frozen=True, slots=True)
class BackOnline:
    """Connected again; what was missed follows."""

    away_s: float


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything missed has been shown: so many messages."""

    missed: int


@dataclass(frozen=True, slots=True)
class HistoryReset:
    """The server has another log than before: numbering and identities start anew."""


class EndCause(Enum):
    """Why the client is done."""

    QUIT = "quit"
    UNREACHABLE = "unreachable"  # the first connection failed
    CLOSED = "closed"  # the server's last words allow no return
    LOGGED_OUT = "logged_out"  # at the user's own wish
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows. ``code`` and ``text`` are the server's last words, ``loss`` a failed first connection."""

    cause: EndCause
    loss: Loss | None = None
    code: ErrorCode | None = None
    text: str = ""


Happening: TypeAlias = (
    NameNeeded
    | NameRefused
    | AccountHappening
    | Tiding
    | Greeted
    | EnteredRoom
    | LeftRoom
    | Shown
    | Recalled
    | PeopleCame
    | PeopleWent
    | PersonRenamed
    | RosterShown
    | RoomsShown
    | IgnoreChanged
    | Postponed
    | BackInRoom
    | Leaving
    | LineWaiting
    | KeptFor
    | LineAcked
    | LineRefused
    | LinesLost
    | Declined
    | RenameRefused
    | RequestRefused
    | Announced
    | ReadElsewhere
    | NotKept
    | SlowedDown
    | ConnectionLost
    | Reconnecting
    | BackOnline
    | CaughtUp
    | HistoryReset
    | Ended
)
