"""The exceptions, and the one table of error codes that a peer can receive.

`SecurechatError` subclasses tell whose fault an error is and whether the connection ends. Values of ``ErrorCode`` are
stable: they are part of every wire format, and ``docs/protocol.md`` explains each. A codec maps every code to its own
dialect; a conformance test requires that none is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from securechat.translation import Sentence

_NO_ARGUMENTS: Mapping[str, str | int] = MappingProxyType({})


class ErrorCode(StrEnum):
    """Every reason that the server gives to a peer. Values are stable words of the wire format."""

    # Sent in Closing: the connection ends.
    FRAME_TOO_LARGE = "frame_too_large"
    BAD_FRAME = "bad_frame"
    HELLO_EXPECTED = "hello_expected"
    UNSUPPORTED_VERSION = "unsupported_version"
    HELLO_TIMEOUT = "hello_timeout"
    PING_TIMEOUT = "ping_timeout"
    SLOW_READER = "slow_reader"
    REPLACED = "replaced"
    SHUTTING_DOWN = "shutting_down"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    LOG_FAILED = "log_failed"
    BANNED = "banned"
    KICKED = "kicked"
    LOGGED_OUT = "logged_out"
    BYE = "bye"
    INTERNAL = "internal"  # also sent in Refused

    # Sent in Refused: the connection stays open.
    UNKNOWN_TYPE = "unknown_type"
    INVALID = "invalid"
    NAME_INVALID = "name_invalid"
    NAME_RESERVED = "name_reserved"
    NAME_IN_USE = "name_in_use"
    PASSWORD_INVALID = "password_invalid"  # noqa: S105 - a code, not a password
    ROOM_INVALID = "room_invalid"
    NOT_A_MEMBER = "not_a_member"
    TOO_MANY_ROOMS = "too_many_rooms"
    NO_SUCH_PERSON = "no_such_person"
    PERSON_ABSENT = "person_absent"
    TEXT_EMPTY = "text_empty"
    TEXT_TOO_LONG = "text_too_long"
    OUT_OF_ORDER = "out_of_order"
    BUSY = "busy"
    OVERLOADED = "overloaded"
    DISK_FULL = "disk_full"
    QUOTA = "quota"
    LOGIN_REQUIRED = "login_required"
    LOGIN_FAILED = "login_failed"
    LOGIN_EXPIRED = "login_expired"
    LOGIN_SLOWED = "login_slowed"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    PASSWORD_NEEDED = "password_needed"  # noqa: S105  # a code, not a password
    PASSWORD_TEMPORARY = "password_temporary"  # noqa: S105  # a code, not a password
    INVITE_UNKNOWN = "invite_unknown"
    INVITE_USED = "invite_used"
    INVITE_EXPIRED = "invite_expired"
    INVITE_REVOKED = "invite_revoked"
    ACCOUNT_NEEDED = "account_needed"
    ALREADY_REGISTERED = "already_registered"
    MUTED = "muted"
    NOT_FOUND = "not_found"
    TOO_MANY = "too_many"
    NO_RIGHT = "no_right"
    NO_SUCH_ROOM = "no_such_room"
    READ_ONLY = "read_only"
    SLOW_MODE = "slow_mode"
    ARCHIVED = "archived"
    ROOM_BANNED = "room_banned"
    LAST_MEMBER = "last_member"
    QUERY_INVALID = "query_invalid"
    KEY_USED = "key_used"
    FILES_OFF = "files_off"
    FILE_TOO_LARGE = "file_too_large"
    FILE_NOT_READY = "file_not_ready"
    PICTURE_UNREADABLE = "picture_unreadable"
    TOKEN_INVALID = "token_invalid"  # noqa: S105  # a code, not a token

    # Never sent: stands for an unknown code from a newer server.
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> ErrorCode | None:
        """Map a code of a newer server to UNKNOWN; its sentence is still shown."""
        return cls.UNKNOWN if isinstance(value, str) else None


class SecurechatError(Exception):
    """Base of all errors that securechat raises on purpose."""


class LocalProtocolError(SecurechatError):
    """This program broke the protocol: a bug here, never the peer's fault."""


class RemoteProtocolError(SecurechatError):
    """The peer broke the protocol; the connection ends with ``code``.

    Args:
        code: the reason sent to the peer.
        detail: one sentence for the log and the peer; never an echo of the peer's bytes.
        reason: the key of the sentence in `securechat.text.refusals`; empty for a sentence that has none.
        arguments: what the sentence was made from.
    """

    def __init__(
        self, code: ErrorCode, detail: str, *, reason: str = "", arguments: Mapping[str, str | int] = _NO_ARGUMENTS
    ) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail
        self.reason = reason
        self.arguments = arguments


class Refusal(SecurechatError):
    """A rule refused a request; the connection stays open and the peer receives ``code``.

    Args:
        code: the reason sent to the peer.
        detail: one sentence that tells what to do.
        retry_after_s: seconds after which the same request may succeed, where that is known.
        reason: the key of the sentence in `securechat.text.refusals`; empty for a sentence that has none.
        arguments: what the sentence was made from.
        template: the text that took them; empty where there is no reason.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        retry_after_s: float | None = None,
        *,
        reason: str = "",
        arguments: Mapping[str, str | int] = _NO_ARGUMENTS,
        template: str = "",
    ) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.reason = reason
        self.arguments = arguments
        self.template = template

    @property
    def sentence(self) -> str:
        """The detail for a person: `securechat.translation.translated` returns it in the language in use."""
        return Sentence.of(self.template, self.arguments) if self.template else self.detail


class Overloaded(Refusal):
    """The append queue is full: the sender must wait for its acknowledgements."""

    def __init__(
        self,
        detail: str = "The server cannot store messages this fast. Wait and send again",
        reason: str = "overloaded",
        template: str = "",
    ) -> None:
        super().__init__(ErrorCode.OVERLOADED, detail, reason=reason, template=template)


class TlsProblem(StrEnum):
    """The kinds of TLS failure that a user can act on."""

    WRONG_CA = "wrong_ca"
    WRONG_PIN = "wrong_pin"
    CHAIN_INCOMPLETE = "chain_incomplete"
    PIN_NOT_OF_CA = "pin_not_of_ca"
    UNUSABLE = "unusable"
    HOST_MISMATCH = "host_mismatch"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NO_CERTIFICATE = "no_certificate"
    NOT_TLS = "not_tls"
    NO_COMMON_PROTOCOL = "no_common_protocol"
    BAD_FILE = "bad_file"
    OTHER = "other"


class TlsFailure(SecurechatError):
    """A certificate or handshake that cannot be trusted or used.

    Args:
        problem: the kind, which selects the sentence and the exit code.
        detail: the technical reason in one sentence.
    """

    def __init__(self, problem: TlsProblem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


class LogError(SecurechatError):
    """The message log cannot keep its promise; the server must stop."""


class LogLocked(LogError):
    """Another process already uses this data directory.

    Args:
        sentence: what happened and what to do.
        process: the number of the other one; None when that is not known.
    """

    def __init__(self, sentence: str, process: int | None = None) -> None:
        super().__init__(sentence)
        self.process = process


class LogSchemaTooNew(LogError):
    """The database was written by a newer securechat."""


class ConfigError(SecurechatError):
    """A setting is wrong.

    Args:
        source: the flag, environment variable or file that holds it.
        key: its name.
        reason: what is wrong, and what a valid value is.
    """

    def __init__(self, source: str | Path, key: str, reason: str) -> None:
        super().__init__(f"{source}: {key}: {reason}")
        self.source = str(source)
        self.key = key
        self.reason = reason
