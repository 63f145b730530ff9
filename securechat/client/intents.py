"""What a user can want, as frozen records: how a terminal or a full screen tells the core anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from securechat.client.state import Key
from securechat.model import RevisionKind, RoleName, SetRoom


@dataclass(frozen=True, slots=True)
class ChooseName:
    """Use this name: the answer to NameNeeded and NameRefused; later the same as a change of name."""

    name: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say something where one is: in a room, or to a person known by id; ``reply`` to the message of that seq."""

    text: str
    target: Key
    reply: int | None = None


@dataclass(frozen=True, slots=True)
class Revise:
    """Edit (to ``text``) or delete a message, or put a ``sign`` under it, or take it away."""

    target: Key
    kind: RevisionKind
    seq: int
    text: str = ""
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Whisper:
    """Say something to one person, by name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Join a room and look at it."""

    room: str


@dataclass(frozen=True, slots=True)
class Depart:
    """Leave a room."""

    room: str


@dataclass(frozen=True, slots=True)
class LookAt:
    """Make a conversation the current one: its unread count falls to zero."""

    target: Key


@dataclass(frozen=True, slots=True)
class AskWho:
    """Who is in a room?"""

    room: str


@dataclass(frozen=True, slots=True)
class AskRooms:
    """Which rooms are there?"""


@dataclass(frozen=True, slots=True)
class AskHistory:
    """The last ``count`` messages of a conversation."""

    target: Key
    count: int


@dataclass(frozen=True, slots=True)
class Ignore:
    """Hide what this person says, or show it again. Nobody is told."""

    name: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Leave: wait for acknowledgements up to ``patience_s``, then go. A second one goes at once."""

    patience_s: float = 3.0


@dataclass(frozen=True, slots=True)
class GivePassword:
    """The answer to PasswordNeeded."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Register:
    """Make the name that one has as a guest one's own."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Another password for the account."""

    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskLogins:
    """Where is the account logged in?"""


@dataclass(frozen=True, slots=True)
class EndLogin:
    """End a login of the account, by number; without one this login, and the client with it."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class AskCertificates:
    """Which client certificates log in to the account?"""


@dataclass(frozen=True, slots=True)
class AddCertificate:
    """Let a client certificate log in: the one with this fingerprint, or the one that was shown."""

    fingerprint: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class RemoveCertificate:
    """Let a certificate log in no longer, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class Search:
    """Find messages; ``before`` a seq: the next page."""

    query: str
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SearchOn:
    """The next page of whatever was shown in part: a search, what was not read, a day."""


@dataclass(frozen=True, slots=True)
class ListUnread:
    """Where is something that was not read?"""


@dataclass(frozen=True, slots=True)
class ShowUnread:
    """Show from the first unread message on, by the number in the list, from 1; without one of the current room."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """Show a part of a conversation: around a message, or from a time (milliseconds since the epoch, UTC) on."""

    target: Key
    around: int | None = None
    at_ms: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """The user is typing something to say."""

    target: Key


@dataclass(frozen=True, slots=True)
class SwitchTyping:
    """Send and show notices of writing, or not; without a word the other than now."""

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class AskRules:
    """What are the rules of a room, or only its topic?"""

    room: str
    topic_only: bool = False


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """Change rules of a room; the ``ref`` of the command means nothing."""

    command: SetRoom


class Verb(Enum):
    """What one does to somebody in a room."""

    INVITE = "invite"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    MUTE = "mute"
    UNMUTE = "unmute"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Order:
    """Do something to somebody in a room, by name; ``seconds`` of a ban or mute, None for good."""

    room: str
    verb: Verb
    name: str
    seconds: int | None = None
    reason: str = ""
    role: RoleName = "member"


ReadingIntent: TypeAlias = Search | SearchOn | ListUnread | ShowUnread | Jump
RoomIntent: TypeAlias = AskRules | ChangeRules | Order
ConversationIntent: TypeAlias = Revise | ReadingIntent | RoomIntent | Write | SwitchTyping
AccountIntent: TypeAlias = (
    Register | ChangePassword | AskLogins | EndLogin | AskCertificates | AddCertificate | RemoveCertificate
)
Intent: TypeAlias = (
    ChooseName
    | GivePassword
    | Speak
    | Whisper
    | Enter
    | Depart
    | LookAt
    | AskWho
    | AskRooms
    | AskHistory
    | Ignore
    | ConversationIntent
    | AccountIntent
    | Finish
)
