"""What a user can want, as frozen records: how a terminal or a full screen tells the core anything."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client.core.state import ConversationId
from securechat.model import RevisionKind, RoleName, Secretive, SetRoom


class ChooseName(Struct, frozen=True):
    """Use this name: the answer to NameNeeded and NameRefused; later the same as a change of name."""

    name: str


class SendMessage(Struct, frozen=True):
    """Say something where one is: in a room, or to a person known by id; ``reply`` to the message of that seq."""

    text: str
    target: ConversationId
    reply: int | None = None


class ChangeMessage(Struct, frozen=True):
    """Edit (to ``text``) or delete a message, or put a ``sign`` under it, or take it away."""

    target: ConversationId
    kind: RevisionKind
    seq: int
    text: str = ""
    sign: str = ""


class SendDirect(Struct, frozen=True):
    """Say something to one person, by name."""

    name: str
    text: str


class JoinRoom(Struct, frozen=True):
    """Join a room and look at it."""

    room: str


class LeaveRoom(Struct, frozen=True):
    """Leave a room."""

    room: str


class SelectConversation(Struct, frozen=True):
    """Make a conversation the current one: its unread count falls to zero."""

    target: ConversationId


class AskWho(Struct, frozen=True):
    """Who is in a room?"""

    room: str


class AskRooms(Struct, frozen=True):
    """Which rooms are there?"""


class AskHistory(Struct, frozen=True):
    """The last ``count`` messages of a conversation."""

    target: ConversationId
    count: int


class IgnorePerson(Struct, frozen=True):
    """Hide what this person says, or show it again. Nobody is told."""

    name: str


class LeaveChat(Struct, frozen=True):
    """Leave: wait for acknowledgements up to ``patience_s``, then go. A second one goes at once."""

    patience_s: float = 3.0


class GivePassword(Secretive, frozen=True):
    """The answer to PasswordNeeded."""

    password: str


class RegisterAccount(Secretive, frozen=True):
    """Make the name that one has as a guest one's own."""

    password: str


class SetPassword(Secretive, frozen=True):
    """Another password for the account."""

    old: str
    new: str


class AskLogins(Struct, frozen=True):
    """Where is the account logged in?"""


class EndLogin(Struct, frozen=True):
    """End a login of the account, by number; without one this login, and the client with it."""

    number: int | None = None


class AskCertificates(Struct, frozen=True):
    """Which client certificates log in to the account?"""


class AddLoginCertificate(Struct, frozen=True):
    """Let a client certificate log in: the one with this fingerprint, and the proof of its key, or the one shown."""

    fingerprint: str | None = None
    label: str = ""
    key: str | None = None
    proof: str | None = None


class RemoveLoginCertificate(Struct, frozen=True):
    """Let a certificate log in no longer, by number."""

    number: int


class FindMessages(Struct, frozen=True):
    """Find messages; ``before`` a seq: the next page."""

    query: str
    before: int | None = None


class ShowMore(Struct, frozen=True):
    """The next page of whatever was shown in part: a search, what was not read, a day."""


class ListUnread(Struct, frozen=True):
    """Where is something that was not read?"""


class ShowUnread(Struct, frozen=True):
    """Show from the first unread message on, by the number in the list, from 1; without one of the current room."""

    number: int | None = None


class ShowHistory(Struct, frozen=True):
    """Show a part of a conversation: around a message, or from a time (milliseconds since the epoch, UTC) on."""

    target: ConversationId
    around: int | None = None
    at_ms: int | None = None
    after: int | None = None


class NotifyTyping(Struct, frozen=True):
    """The user is typing something to say."""

    target: ConversationId


class SetTypingNotices(Struct, frozen=True):
    """Send and show notices of writing, or not; without a word the other than now."""

    on: bool | None = None


class AskRoomSettings(Struct, frozen=True):
    """What are the rules of a room, or only its topic?"""

    room: str
    topic_only: bool = False


class ChangeRoomSettings(Struct, frozen=True):
    """Change rules of a room; the ``ref`` of the command means nothing."""

    command: SetRoom


class ModerationVerb(Enum):
    """What one does to somebody in a room."""

    INVITE = "invite"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    MUTE = "mute"
    UNMUTE = "unmute"
    ROLE = "role"


class ModerateMember(Struct, frozen=True):
    """Do something to somebody in a room, by name; ``seconds`` of a ban or mute, None for good."""

    room: str
    verb: ModerationVerb
    name: str
    seconds: int | None = None
    reason: str = ""
    role: RoleName = "member"


ReadAction: TypeAlias = FindMessages | ShowMore | ListUnread | ShowUnread | ShowHistory
RoomAction: TypeAlias = AskRoomSettings | ChangeRoomSettings | ModerateMember
ConversationAction: TypeAlias = ChangeMessage | ReadAction | RoomAction | NotifyTyping | SetTypingNotices
AccountRequestAction: TypeAlias = (
    RegisterAccount
    | SetPassword
    | AskLogins
    | EndLogin
    | AskCertificates
    | AddLoginCertificate
    | RemoveLoginCertificate
)
Action: TypeAlias = (
    ChooseName
    | GivePassword
    | SendMessage
    | SendDirect
    | JoinRoom
    | LeaveRoom
    | SelectConversation
    | AskWho
    | AskRooms
    | AskHistory
    | IgnorePerson
    | ConversationAction
    | AccountRequestAction
    | LeaveChat
)
