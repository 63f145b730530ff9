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
    """Why there is no connection; ``tls`` is set for LossKind.TLS and HUNG_UP."""

    kind: DisconnectReason
    detail: str = ""
    tls: TlsFailure | None = None


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


class RateLimited(Struct, frozen=True):
    """Over a rate: lines go out as fast as the server takes them. Told once until everything is out."""

    retry_after_s: float


class AnnouncementShown(Struct, frozen=True):
    """The people who run the server say something to everybody."""

    text: str
    sent_at_ms: int


class StateNotSaved(Struct, frozen=True):
    """Something that should be remembered on this machine could not be written."""

    detail: str


class LeavingChat(Struct, frozen=True):
    """The user goes, as soon as ``lines`` are acknowledged or patience ends."""

    lines: tuple[PendingMessage, ...]


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
