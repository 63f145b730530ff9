"""UI events about the connection: lost, tried again, back, ended; and about what the server announces."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from securechat.client.core.events.messages import PendingMessage
from securechat.errors import ErrorCode, TlsFailure


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
    """Why there is no connection; ``tls`` is set for DisconnectReason.TLS and HUNG_UP."""

    kind: DisconnectReason
    detail: str = ""
    tls: TlsFailure | None = None


class ConnectionLost(Struct, frozen=True):
    """The connection is lost. ``code`` and ``text`` are those of the server's Closing, if it sent one."""

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
    """Everything missed has been shown: ``missed`` messages."""

    missed: int


class HistoryReset(Struct, frozen=True):
    """The server has another log than before: seqs and sender_ids start anew."""


class RateLimited(Struct, frozen=True):
    """The server limits the rate: messages go out as it takes them. Shown once until everything is sent."""

    retry_after_s: float


class AnnouncementShown(Struct, frozen=True):
    """A notice of the operator to all members."""

    text: str
    sent_at_ms: int


class NoticeShown(Struct, frozen=True):
    """A notice to this user alone, such as that an administrator has muted them.

    Attributes:
        text: the server's English sentence.
        reason, arguments: what it was made from.
    """

    text: str
    reason: str
    arguments: Mapping[str, str | int]


class StateNotSaved(Struct, frozen=True):
    """State that should be kept on this machine could not be written: why, and into which folder."""

    detail: str
    folder: str


class LeavingChat(Struct, frozen=True):
    """The user leaves as soon as ``messages`` are acknowledged or the patience ends."""

    messages: tuple[PendingMessage, ...]


class EndReason(Enum):
    """Why the client has ended."""

    QUIT = "quit"
    UNREACHABLE = "unreachable"  # the first connection failed
    CLOSED = "closed"  # for a reason that forbids to connect again
    LOGGED_OUT = "logged_out"  # because the user asked for it
    VERSION = "version"


class ClientEnded(Struct, frozen=True):
    """Nothing follows. ``code`` and ``text`` are those of the last event, ``loss`` a failed first connection."""

    cause: EndReason
    loss: Disconnect | None = None
    code: ErrorCode | None = None
    text: str = ""
    reason: str = ""
    arguments: Mapping[str, str | int] = {}
