"""The tables of what the client does when the server refuses a hello or closes a connection, for every code.

A client gives up only where another try would be refused for the same reason, or is not wanted. Everything that passes
by itself (a full disk, a busy server, a restart) is waited for, with pauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from securechat.errors import ErrorCode
from securechat.model import Refused


class HelloOutcome(Enum):
    """The consequences of a refused hello."""

    ANOTHER_NAME = "another_name"
    NAME_KEPT = "name_kept"  # the same when the name is free, or another name before
    PASSWORD = "password"  # noqa: S105 - the user must give one
    NEW_PASSWORD = "new_password"  # noqa: S105 - the user must choose one
    AGAIN = "again"  # at once, with another secret or a password
    LATER = "later"  # the same, when the server allows
    OVER = "over"


_LATER, _OVER, _PASSWORD = HelloOutcome.LATER, HelloOutcome.OVER, HelloOutcome.PASSWORD
_NAME = HelloOutcome.ANOTHER_NAME

HELLO_OUTCOMES: Mapping[ErrorCode, HelloOutcome] = {
    # The same hello would be refused again.
    ErrorCode.FRAME_TOO_LARGE: _OVER,
    ErrorCode.BAD_FRAME: _OVER,
    ErrorCode.HELLO_EXPECTED: _OVER,
    ErrorCode.UNSUPPORTED_VERSION: _OVER,
    ErrorCode.UNKNOWN_TYPE: _OVER,
    ErrorCode.INVALID: _OVER,
    # The client is not wanted.
    ErrorCode.REPLACED: _OVER,
    ErrorCode.BANNED: _OVER,
    ErrorCode.KICKED: _OVER,
    ErrorCode.LOGGED_OUT: _OVER,
    ErrorCode.BYE: _OVER,
    ErrorCode.INVITE_UNKNOWN: _OVER,
    ErrorCode.INVITE_USED: _OVER,
    ErrorCode.INVITE_EXPIRED: _OVER,
    ErrorCode.INVITE_REVOKED: _OVER,
    # The user has an answer.
    ErrorCode.NAME_INVALID: _NAME,
    ErrorCode.NAME_RESERVED: _NAME,
    ErrorCode.NAME_IN_USE: _NAME,
    ErrorCode.LOGIN_REQUIRED: _PASSWORD,
    ErrorCode.LOGIN_FAILED: _PASSWORD,
    ErrorCode.LOGIN_EXPIRED: _PASSWORD,
    ErrorCode.CERTIFICATE_UNKNOWN: _PASSWORD,
    ErrorCode.PASSWORD_NEEDED: HelloOutcome.NEW_PASSWORD,
    ErrorCode.PASSWORD_INVALID: HelloOutcome.NEW_PASSWORD,
    # It passes by itself.
    ErrorCode.LOGIN_SLOWED: _LATER,
    ErrorCode.BUSY: _LATER,
    ErrorCode.OVERLOADED: _LATER,
    ErrorCode.DISK_FULL: _LATER,
    ErrorCode.INTERNAL: _LATER,
    ErrorCode.LOG_FAILED: _LATER,
    ErrorCode.SHUTTING_DOWN: _LATER,
    ErrorCode.TOO_MANY_CONNECTIONS: _LATER,
    ErrorCode.HELLO_TIMEOUT: _LATER,
    ErrorCode.PING_TIMEOUT: _LATER,
    ErrorCode.SLOW_READER: _LATER,
    ErrorCode.QUOTA: _LATER,
    ErrorCode.TOO_MANY: _LATER,
    # Never the answer to a hello: a server that gives one has a reason that this client does not understand.
    ErrorCode.ROOM_INVALID: _OVER,
    ErrorCode.NOT_A_MEMBER: _OVER,
    ErrorCode.TOO_MANY_ROOMS: _OVER,
    ErrorCode.NO_SUCH_PERSON: _OVER,
    ErrorCode.PERSON_ABSENT: _OVER,
    ErrorCode.TEXT_EMPTY: _OVER,
    ErrorCode.TEXT_TOO_LONG: _OVER,
    ErrorCode.OUT_OF_ORDER: _OVER,
    ErrorCode.ACCOUNT_NEEDED: _OVER,
    ErrorCode.ALREADY_REGISTERED: _OVER,
    ErrorCode.MUTED: _OVER,
    ErrorCode.NOT_FOUND: _OVER,
    ErrorCode.NO_RIGHT: _OVER,
    ErrorCode.NO_SUCH_ROOM: _OVER,
    ErrorCode.READ_ONLY: _OVER,
    ErrorCode.SLOW_MODE: _OVER,
    ErrorCode.ARCHIVED: _OVER,
    ErrorCode.ROOM_BANNED: _OVER,
    ErrorCode.QUERY_INVALID: _OVER,
    ErrorCode.KEY_USED: _OVER,
    ErrorCode.TOKEN_INVALID: _OVER,
    ErrorCode.FILES_OFF: _OVER,
    ErrorCode.FILE_TOO_LARGE: _OVER,
    ErrorCode.FILE_NOT_READY: _OVER,
    ErrorCode.PICTURE_UNREADABLE: _OVER,
    ErrorCode.LAST_MEMBER: _OVER,
    ErrorCode.PASSWORD_TEMPORARY: _OVER,
    # A newer server: its sentence is shown.
    ErrorCode.UNKNOWN: _OVER,
}
"""The consequence of each code, where the refusal names no time; see `outcome_of`."""

FINAL_CLOSINGS = frozenset(
    {
        ErrorCode.REPLACED,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.BAD_FRAME,
        ErrorCode.FRAME_TOO_LARGE,
        ErrorCode.HELLO_EXPECTED,
        ErrorCode.BANNED,
        ErrorCode.KICKED,
        ErrorCode.LOGGED_OUT,
        ErrorCode.BYE,
    }
)
"""Reasons to close after which the client does not connect again: it would be refused again, or is not wanted. After
all others, also those of a newer server, it comes back with pauses."""


def outcome_of(event: Refused) -> HelloOutcome:
    """Return the consequence of a refused hello; a server that names a time expects the client back, whatever the code.

    A client that was banned for a while is not wanted until then, and ends.
    """
    outcome = HELLO_OUTCOMES[event.code]
    if event.retry_after_s is None or event.code in FINAL_CLOSINGS:
        return outcome
    if event.code is ErrorCode.NAME_IN_USE:
        return HelloOutcome.NAME_KEPT
    return HelloOutcome.LATER if outcome is HelloOutcome.OVER else outcome
