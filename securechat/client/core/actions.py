"""The actions of a user, as frozen records: every input that a user interface gives the core."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client.core.state import ConversationId
from securechat.model import Command, FileId, History, RevisionKind, RoleName, Search, Secretive, SetRoom, TokenScope


class ChooseName(Struct, frozen=True):
    """Use this name: the answer to NameNeeded and NameRefused; later the same as a change of name."""

    name: str


class PendingFile(Struct, frozen=True):
    """A file whose every byte is on the server, and that belongs to no message yet; ``name`` is for sentences."""

    id: FileId
    name: str


class SendMessage(Struct, frozen=True):
    """Send a message to a room, or to a person known by id.

    Attributes:
        text: what it says.
        target: where it goes.
        reply: the seq of the message it answers.
        key: what a program calls it, to send it again after a restart; see `model.MessageKey`.
        files: that it brings; with one, the text may be empty.
    """

    text: str
    target: ConversationId
    reply: int | None = None
    key: str | None = None
    files: tuple[PendingFile, ...] = ()


class ChangeMessage(Struct, frozen=True):
    """Edit (to ``text``) or delete a message, or add or remove the reaction ``emoji``."""

    target: ConversationId
    kind: RevisionKind
    seq: int
    text: str = ""
    emoji: str = ""


class SendDirect(Struct, frozen=True):
    """Send a direct message to a person, by name; ``files`` as in `SendMessage`."""

    name: str
    text: str
    files: tuple[PendingFile, ...] = ()


class JoinRoom(Struct, frozen=True):
    """Join a room and make it the current conversation."""

    room: str


class LeaveRoom(Struct, frozen=True):
    """Leave a room; ``sure`` also as the only member of a private one, which is lost then."""

    room: str
    sure: bool = False


class SelectConversation(Struct, frozen=True):
    """Make a conversation the current one: its unread count falls to zero."""

    target: ConversationId


class MarkSeen(Struct, frozen=True):
    """The user has seen a conversation up to the message ``seq``; for Visibility.REPORTED."""

    target: ConversationId
    seq: int


class MarkUnread(Struct, frozen=True):
    """Count a conversation as unread again from the message ``seq`` on; for Visibility.REPORTED.

    It holds here alone, and until the next start: the server's read markers only rise (docs/protocol.md, `read`). What
    was not told to the server yet, it is not told.

    Attributes:
        target, seq: as said.
        known: messages of others from there on that the caller has, of which the session may have kept fewer.
    """

    target: ConversationId
    seq: int
    known: int = 0


class AskServer(Struct, frozen=True):
    """Ask the server for a program, which takes the answer as it is: `events.QuestionAnswered` with this number.

    ``make`` returns the command with the ref that it is given.
    """

    number: int
    make: Callable[[int], Command]


class AskLog(Struct, frozen=True):
    """The same for a question to the log: it waits for its turn, and is asked again after a lost connection."""

    number: int
    make: Callable[[int], History | Search]


class HoldBack(Struct, frozen=True):
    """Show no further messages for now, or go on: for a program that has enough of them waiting.

    Acknowledgements and answers come all the same. What is held back is bounded: the log has the rest.
    """

    on: bool


class AskWho(Struct, frozen=True):
    """Ask for the members of a room."""

    room: str


class AskPerson(Struct, frozen=True):
    """Ask who has a name now, and whether that person is here."""

    name: str


class AskRooms(Struct, frozen=True):
    """Ask for the list of rooms."""


class AskHistory(Struct, frozen=True):
    """Ask for the last ``count`` messages of a conversation, or for the last before the seq ``before``."""

    target: ConversationId
    count: int
    before: int | None = None


class IgnorePerson(Struct, frozen=True):
    """Hide the messages of a person, or show them again. The server is not told."""

    name: str


class LeaveChat(Struct, frozen=True):
    """Leave: wait for acknowledgements up to ``patience_s``, then go. A second one goes at once."""

    patience_s: float = 3.0


class GivePassword(Secretive, frozen=True):
    """The answer to PasswordNeeded."""

    password: str


class RegisterAccount(Secretive, frozen=True):
    """Register the name of the guest as an account."""

    password: str


class SetPassword(Secretive, frozen=True):
    """Change the password of the account."""

    old: str
    new: str


class AskLogins(Struct, frozen=True):
    """Ask for the logins of the account."""


class EndLogin(Struct, frozen=True):
    """End a login of the account, by number; without one this login, and the client with it."""

    number: int | None = None


class AskCertificates(Struct, frozen=True):
    """Ask for the client certificates that log in to the account."""


class AddLoginCertificate(Struct, frozen=True):
    """Allow a client certificate to log in: the one with this fingerprint and proof of its key, or the one in use."""

    fingerprint: str | None = None
    label: str = ""
    key: str | None = None
    proof: str | None = None


class RemoveLoginCertificate(Struct, frozen=True):
    """Remove a client certificate from the account, by number."""

    number: int


class MakeBot(Struct, frozen=True):
    """Make a bot, or with ``hook`` an incoming webhook, which posts into its one room.

    Attributes:
        name: of the bot.
        hook: whether it is a webhook.
        rooms: it belongs to these alone.
        scopes: of its first token; empty for the server's choice.
        days: until that token expires; None for never.
    """

    name: str
    hook: bool = False
    rooms: tuple[str, ...] = ()
    scopes: tuple[TokenScope, ...] = ()
    days: int | None = None


class ShowBots(Struct, frozen=True):
    """Ask for the bots and webhooks that the user has made, or for those of a room."""

    room: str | None = None


class ReplaceBotToken(Struct, frozen=True):
    """Make another token for a bot that the user has made, or for a webhook of a room, by name."""

    name: str
    room: str | None = None


class EndBot(Struct, frozen=True):
    """Remove a bot that the user has made, or a webhook of a room, by name."""

    name: str
    room: str | None = None


class MakeToken(Struct, frozen=True):
    """Make a token that acts for the user; as in `MakeBot`, and ``name`` is what the user recognises it by."""

    name: str
    scopes: tuple[TokenScope, ...] = ()
    rooms: tuple[str, ...] = ()
    days: int | None = None


class ShowTokens(Struct, frozen=True):
    """Ask for the user's own tokens."""


class ReplaceToken(Struct, frozen=True):
    """Make another token like the one with this number, which ends a day later."""

    number: int


class EndToken(Struct, frozen=True):
    """End a token, by number."""

    number: int


class FindMessages(Struct, frozen=True):
    """Search messages; ``before`` a seq for the next page.

    ``since_ms`` and ``until_ms`` are the query's dates where the user is (milliseconds since the epoch, UTC).
    """

    query: str
    before: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class ShowMore(Struct, frozen=True):
    """Show the next page of the search, the unread messages or the part of history that was shown last."""


class ListUnread(Struct, frozen=True):
    """Ask for the conversations with unread messages."""


class ListConversations(Struct, frozen=True):
    """Ask for all rooms of the user and all dialogues, with their last messages, counts and mutes."""


class ShowUnread(Struct, frozen=True):
    """Show unread messages, of the conversation with this number in the list (from 1), or of the current one."""

    number: int | None = None


class ShowHistory(Struct, frozen=True):
    """Show a part of a conversation: around a message, or from a time (milliseconds since the epoch, UTC) on."""

    target: ConversationId
    around: int | None = None
    at_ms: int | None = None
    after: int | None = None


class ShowDirectHistory(Struct, frozen=True):
    """Show the direct messages with a person, by name: the last ``count``, or from ``at_ms`` on.

    Attributes:
        name: of the person.
        count: so many of the last ones, where ``at_ms`` is None.
        at_ms: a time, milliseconds since the epoch, UTC.
        surely: whether a person is meant; otherwise the name may be one of a room as well.
        select: whether the dialogue becomes the current conversation.
    """

    name: str
    count: int = 0
    at_ms: int | None = None
    surely: bool = True
    select: bool = False


class NotifyTyping(Struct, frozen=True):
    """The user is typing a message."""

    target: ConversationId


class SetTypingNotices(Struct, frozen=True):
    """Send and show typing notices, or not; None switches."""

    on: bool | None = None


class AskRoomSettings(Struct, frozen=True):
    """Ask for the settings of a room, or only for its topic."""

    room: str
    topic_only: bool = False


class ChangeRoomSettings(Struct, frozen=True):
    """Change settings of a room; the core replaces the ``ref`` of the command."""

    command: SetRoom


class ModerationVerb(Enum):
    """The kinds of moderation in a room."""

    INVITE = "invite"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    MUTE = "mute"
    UNMUTE = "unmute"
    ROLE = "role"


class ModerateMember(Struct, frozen=True):
    """Moderate a member of a room, by name; ``seconds`` of a ban or mute, None for no end."""

    room: str
    verb: ModerationVerb
    name: str
    seconds: int | None = None
    reason: str = ""
    role: RoleName = "member"


class AskUpload(Struct, frozen=True):
    """Ask where a file goes: `events.UploadAnswered` or `events.FileRequestRefused` with this number.

    It is asked again after a lost connection, and where the server has no time for it now.

    Attributes:
        number: the user interface's own.
        name: of the file.
        size: bytes.
        as_file: the bytes of a picture stay as they are, with place and time in them.
    """

    number: int
    name: str
    size: int
    as_file: bool = False


class AskFileLinks(Struct, frozen=True):
    """Ask where files are read: `events.FileLinksAnswered` or `events.FileRequestRefused`; repeated as `AskUpload`."""

    number: int
    ids: tuple[FileId, ...]


class DropFileRequest(Struct, frozen=True):
    """The answer to a `AskUpload` or `AskFileLinks` is not wanted any more."""

    number: int


class ShowFiles(Struct, frozen=True):
    """Ask for the user's own files, the largest first; ``after`` a file for the next page."""

    after: FileId | None = None


class DropUpload(Struct, frozen=True):
    """Give up an upload that no message has.

    Attributes:
        id: of the upload.
        name: of its file, for the sentence.
    """

    id: FileId
    name: str


FileAction: TypeAlias = AskUpload | AskFileLinks | DropFileRequest | ShowFiles | DropUpload
ReadAction: TypeAlias = (
    FindMessages | ShowMore | ListUnread | ListConversations | ShowUnread | ShowHistory | ShowDirectHistory
)
PageAction: TypeAlias = FindMessages | ShowHistory | AskHistory | ShowFiles
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
ProgramAction: TypeAlias = (
    MakeBot | ShowBots | ReplaceBotToken | EndBot | MakeToken | ShowTokens | ReplaceToken | EndToken
)
Action: TypeAlias = (
    ChooseName
    | GivePassword
    | SendMessage
    | SendDirect
    | JoinRoom
    | LeaveRoom
    | SelectConversation
    | MarkSeen
    | MarkUnread
    | AskServer
    | AskLog
    | HoldBack
    | AskWho
    | AskPerson
    | AskRooms
    | AskHistory
    | IgnorePerson
    | ConversationAction
    | FileAction
    | AccountRequestAction
    | ProgramAction
    | LeaveChat
)
