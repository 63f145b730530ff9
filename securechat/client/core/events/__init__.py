"""The UI events of the client core: a closed union of frozen records, in the order of what happened.

The records carry what the server said as it said it. The user interface makes it safe to show, and writes every
sentence around it. Events that pass on a refusal, a closing or a leaving have its ``code``, ``text``, ``reason`` and
``arguments`` (model.Refused); ``reason`` is empty where the server gave none.
"""

from __future__ import annotations

from typing import TypeAlias

from securechat.client.core.events.account import (
    AccountAction,
    AccountActionDone,
    AccountActionUnconfirmed,
    CertificatesShown,
    IdentityChanged,
    LoggedIn,
    LoginDelayed,
    LoginsShown,
    NameKept,
    NameNeeded,
    NameRefused,
    PasswordNeeded,
    PasswordTemporary,
    RenameRefused,
    TokenLost,
    TokenReceived,
)
from securechat.client.core.events.connection import (
    AnnouncementShown,
    BackOnline,
    CaughtUp,
    ClientEnded,
    ConnectionLost,
    Disconnect,
    DisconnectReason,
    EndReason,
    HistoryReset,
    LeavingChat,
    NoticeShown,
    RateLimited,
    Reconnecting,
    StateNotSaved,
)
from securechat.client.core.events.files import (
    FileLinksAnswered,
    FileRequestRefused,
    FilesShown,
    UploadAnswered,
    UploadGone,
)
from securechat.client.core.events.messages import (
    ConversationsShown,
    HistoryLoaded,
    HistoryRange,
    HistoryShown,
    IgnoreChanged,
    MessageAcked,
    MessageChanged,
    MessageChangeRequest,
    MessageRefused,
    MessageShown,
    MessagesLost,
    MessagesPurged,
    MessageWaiting,
    PendingMessage,
    PersonSelected,
    ReadOnOtherDevice,
    SearchShown,
    UnreadShown,
    WillBeDeliveredLater,
)
from securechat.client.core.events.programs import (
    ApiTokenMade,
    BotsShown,
    ProgramActionDone,
    ProgramActionUnconfirmed,
    TokensShown,
)
from securechat.client.core.events.requests import (
    ActionDeferred,
    ActionRejected,
    DeferredKind,
    QuestionAnswered,
    RejectReason,
    RequestRefused,
)
from securechat.client.core.events.rooms import (
    InvitedToRoom,
    MemberRenamed,
    MembersJoined,
    MembersLeft,
    ModerationDone,
    ModerationUnconfirmed,
    PersonShown,
    RoleShown,
    RoomJoined,
    RoomLeft,
    RoomSelected,
    RoomSettingsChanged,
    RoomSettingsShown,
    RoomsKept,
    RoomsShown,
    RosterShown,
    TypingChanged,
    TypingNoticesSet,
)

UiEvent: TypeAlias = (
    NameNeeded
    | NameKept
    | NameRefused
    | PasswordNeeded
    | LoginDelayed
    | LoggedIn
    | PasswordTemporary
    | TokenReceived
    | TokenLost
    | IdentityChanged
    | RenameRefused
    | AccountActionDone
    | AccountActionUnconfirmed
    | LoginsShown
    | CertificatesShown
    | ApiTokenMade
    | ProgramActionDone
    | ProgramActionUnconfirmed
    | BotsShown
    | TokensShown
    | ConnectionLost
    | Reconnecting
    | BackOnline
    | CaughtUp
    | HistoryReset
    | RateLimited
    | AnnouncementShown
    | NoticeShown
    | StateNotSaved
    | LeavingChat
    | ClientEnded
    | MessageShown
    | MessageChanged
    | MessagesPurged
    | HistoryLoaded
    | HistoryShown
    | SearchShown
    | UnreadShown
    | ConversationsShown
    | ReadOnOtherDevice
    | IgnoreChanged
    | MessageWaiting
    | MessageAcked
    | MessageRefused
    | MessagesLost
    | WillBeDeliveredLater
    | UploadAnswered
    | FileLinksAnswered
    | FileRequestRefused
    | FilesShown
    | UploadGone
    | ActionRejected
    | ActionDeferred
    | QuestionAnswered
    | RequestRefused
    | RoomJoined
    | RoomLeft
    | RoomSelected
    | PersonSelected
    | RoomsKept
    | RoomsShown
    | RosterShown
    | PersonShown
    | MembersJoined
    | MembersLeft
    | MemberRenamed
    | RoomSettingsShown
    | RoomSettingsChanged
    | InvitedToRoom
    | RoleShown
    | ModerationDone
    | ModerationUnconfirmed
    | TypingChanged
    | TypingNoticesSet
)

__all__ = [
    "AccountAction",
    "AccountActionDone",
    "AccountActionUnconfirmed",
    "ActionDeferred",
    "ActionRejected",
    "AnnouncementShown",
    "ApiTokenMade",
    "BackOnline",
    "BotsShown",
    "CaughtUp",
    "CertificatesShown",
    "ClientEnded",
    "ConnectionLost",
    "ConversationsShown",
    "DeferredKind",
    "Disconnect",
    "DisconnectReason",
    "EndReason",
    "FileLinksAnswered",
    "FileRequestRefused",
    "FilesShown",
    "HistoryLoaded",
    "HistoryRange",
    "HistoryReset",
    "HistoryShown",
    "IdentityChanged",
    "IgnoreChanged",
    "InvitedToRoom",
    "LeavingChat",
    "LoggedIn",
    "LoginDelayed",
    "LoginsShown",
    "MemberRenamed",
    "MembersJoined",
    "MembersLeft",
    "MessageAcked",
    "MessageChangeRequest",
    "MessageChanged",
    "MessageRefused",
    "MessageShown",
    "MessageWaiting",
    "MessagesLost",
    "MessagesPurged",
    "ModerationDone",
    "ModerationUnconfirmed",
    "NameKept",
    "NameNeeded",
    "NameRefused",
    "NoticeShown",
    "PasswordNeeded",
    "PasswordTemporary",
    "PendingMessage",
    "PersonSelected",
    "PersonShown",
    "ProgramActionDone",
    "ProgramActionUnconfirmed",
    "QuestionAnswered",
    "RateLimited",
    "ReadOnOtherDevice",
    "Reconnecting",
    "RejectReason",
    "RenameRefused",
    "RequestRefused",
    "RoleShown",
    "RoomJoined",
    "RoomLeft",
    "RoomSelected",
    "RoomSettingsChanged",
    "RoomSettingsShown",
    "RoomsKept",
    "RoomsShown",
    "RosterShown",
    "SearchShown",
    "StateNotSaved",
    "TokenLost",
    "TokenReceived",
    "TokensShown",
    "TypingChanged",
    "TypingNoticesSet",
    "UiEvent",
    "UnreadShown",
    "UploadAnswered",
    "UploadGone",
    "WillBeDeliveredLater",
]
