"""The answers to senders of webhooks: Slack's words with their status, one for every error code of the hub.

Senders compare the body byte by byte: Grafana and Alertmanager count every body but ``ok`` as a failure. They repeat
what was answered with a status of 5xx alone, so all that passes by itself is a 503, and a rule about this sender is a
4xx. The words are those that Slack documents for incoming webhooks (api.slack.com/messaging/webhooks, handling errors,
and the changelog of 2016-05-17), and ``service_unavailable`` of its web API.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, SecurechatError

CONTENT_TYPE = "text/plain"


class HookAnswer(Struct, frozen=True):
    """One answer.

    Attributes:
        status: of HTTP.
        word: the whole body, in ASCII.
        retry_after_s: whole seconds for Retry-After; None where a repetition is refused as well.
    """

    status: int
    word: str
    retry_after_s: int | None = None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that belong to this answer, without Content-Length."""
        retry = () if self.retry_after_s is None else (("Retry-After", str(self.retry_after_s)),)
        return (("Content-Type", CONTENT_TYPE), *retry)


class HookError(SecurechatError):
    """A request that posts nothing.

    Args:
        answer: what its sender is told.
    """

    def __init__(self, answer: HookAnswer) -> None:
        super().__init__(f"{answer.status} {answer.word}")
        self.answer = answer


OK = HookAnswer(200, "ok")
INVALID_PAYLOAD = HookAnswer(400, "invalid_payload")
NO_TEXT = HookAnswer(400, "no_text")
USER_NOT_FOUND = HookAnswer(400, "user_not_found")
ACTION_PROHIBITED = HookAnswer(403, "action_prohibited")
NO_SERVICE = HookAnswer(404, "no_service")
CHANNEL_NOT_FOUND = HookAnswer(404, "channel_not_found")
CHANNEL_IS_ARCHIVED = HookAnswer(410, "channel_is_archived")
RATE_LIMITED = HookAnswer(429, "rate_limited", retry_after_s=60)
"""A minute, where the refusal names no time: a bucket of messages is full again by then."""
USED_UP = replace(RATE_LIMITED, retry_after_s=3600)
"""An amount for the day: an hour, so that a sender tries a few times and not a thousand."""
FAILED = HookAnswer(500, "rollup_error")
UNAVAILABLE = HookAnswer(503, "service_unavailable", retry_after_s=30)

ANSWERS: Mapping[ErrorCode, HookAnswer] = MappingProxyType(
    {
        # The server made a mistake: hooks send whole commands of its own version, under a name that exists.
        ErrorCode.FRAME_TOO_LARGE: FAILED,
        ErrorCode.BAD_FRAME: FAILED,
        ErrorCode.HELLO_EXPECTED: FAILED,
        ErrorCode.UNSUPPORTED_VERSION: FAILED,
        ErrorCode.INTERNAL: FAILED,
        ErrorCode.UNKNOWN_TYPE: FAILED,
        ErrorCode.NAME_INVALID: FAILED,
        ErrorCode.NAME_RESERVED: FAILED,
        ErrorCode.NAME_IN_USE: FAILED,
        ErrorCode.OUT_OF_ORDER: FAILED,
        ErrorCode.LAST_MEMBER: FAILED,
        ErrorCode.QUERY_INVALID: FAILED,
        ErrorCode.UNKNOWN: FAILED,
        # It passes by itself.
        ErrorCode.HELLO_TIMEOUT: UNAVAILABLE,
        ErrorCode.PING_TIMEOUT: UNAVAILABLE,
        ErrorCode.SLOW_READER: UNAVAILABLE,
        ErrorCode.REPLACED: UNAVAILABLE,
        ErrorCode.SHUTTING_DOWN: UNAVAILABLE,
        ErrorCode.TOO_MANY_CONNECTIONS: UNAVAILABLE,
        ErrorCode.LOG_FAILED: UNAVAILABLE,
        ErrorCode.KICKED: UNAVAILABLE,  # from the server; it may connect again. Out of the room it is NOT_A_MEMBER
        ErrorCode.BYE: UNAVAILABLE,
        ErrorCode.BUSY: UNAVAILABLE,
        ErrorCode.OVERLOADED: UNAVAILABLE,
        ErrorCode.DISK_FULL: UNAVAILABLE,
        # The token opens nothing any more.
        ErrorCode.BANNED: NO_SERVICE,
        ErrorCode.LOGGED_OUT: NO_SERVICE,
        ErrorCode.LOGIN_REQUIRED: NO_SERVICE,
        ErrorCode.LOGIN_FAILED: NO_SERVICE,
        ErrorCode.LOGIN_EXPIRED: NO_SERVICE,
        ErrorCode.CERTIFICATE_UNKNOWN: NO_SERVICE,
        ErrorCode.PASSWORD_INVALID: NO_SERVICE,
        ErrorCode.PASSWORD_NEEDED: NO_SERVICE,
        ErrorCode.PASSWORD_TEMPORARY: NO_SERVICE,
        ErrorCode.INVITE_UNKNOWN: NO_SERVICE,
        ErrorCode.INVITE_USED: NO_SERVICE,
        ErrorCode.INVITE_EXPIRED: NO_SERVICE,
        ErrorCode.INVITE_REVOKED: NO_SERVICE,
        ErrorCode.ACCOUNT_NEEDED: NO_SERVICE,
        ErrorCode.ALREADY_REGISTERED: NO_SERVICE,
        ErrorCode.TOKEN_INVALID: NO_SERVICE,
        # The room, and what this sender may do there.
        ErrorCode.ROOM_INVALID: CHANNEL_NOT_FOUND,
        ErrorCode.NOT_A_MEMBER: CHANNEL_NOT_FOUND,
        ErrorCode.NO_SUCH_ROOM: CHANNEL_NOT_FOUND,
        ErrorCode.NOT_FOUND: CHANNEL_NOT_FOUND,
        ErrorCode.ARCHIVED: CHANNEL_IS_ARCHIVED,
        ErrorCode.NO_SUCH_PERSON: USER_NOT_FOUND,
        ErrorCode.PERSON_ABSENT: USER_NOT_FOUND,
        ErrorCode.MUTED: ACTION_PROHIBITED,
        ErrorCode.NO_RIGHT: ACTION_PROHIBITED,
        ErrorCode.READ_ONLY: ACTION_PROHIBITED,
        ErrorCode.ROOM_BANNED: ACTION_PROHIBITED,
        ErrorCode.TOO_MANY: ACTION_PROHIBITED,
        ErrorCode.TOO_MANY_ROOMS: ACTION_PROHIBITED,
        ErrorCode.LOGIN_SLOWED: RATE_LIMITED,
        ErrorCode.SLOW_MODE: RATE_LIMITED,
        ErrorCode.QUOTA: USED_UP,
        # The message itself.
        ErrorCode.INVALID: INVALID_PAYLOAD,
        ErrorCode.TEXT_TOO_LONG: INVALID_PAYLOAD,
        ErrorCode.TEXT_EMPTY: NO_TEXT,
        ErrorCode.KEY_USED: INVALID_PAYLOAD,
        ErrorCode.FILES_OFF: INVALID_PAYLOAD,
        ErrorCode.FILE_TOO_LARGE: INVALID_PAYLOAD,
        ErrorCode.FILE_NOT_READY: INVALID_PAYLOAD,
        ErrorCode.PICTURE_UNREADABLE: INVALID_PAYLOAD,
    }
)
"""The answer for each code that the hub can send to a hook."""

OUTCOMES = tuple(
    made.word for made in (OK, INVALID_PAYLOAD, NO_TEXT, NO_SERVICE, CHANNEL_IS_ARCHIVED, RATE_LIMITED, UNAVAILABLE)
)
"""The words that are to be expected; the others come with their first answer."""

_STORED_BEFORE = "key_of_changed_message"
"""The reason (`securechat.text.refusals`) of a delivery whose message was stored, and edited or deleted since."""

_OF_ANOTHER_KIND = "token_needs_scope"
"""The reason of a token that is good for no connection: like every other one that is no webhook's."""


def answer_to(code: ErrorCode, *, reason: str = "", retry_after_s: float | None = None) -> HookAnswer:
    """Return the answer to a sender whose message the hub refused, or whose connection it closed.

    Args:
        code: of the refusal.
        reason: of the refusal; a delivery that was stored once is told ``ok``, whatever became of its message, and a
            token of another kind opens nothing here.
        retry_after_s: that of the refusal, if it has one; less than a second becomes one.
    """
    if reason == _STORED_BEFORE:
        return OK
    if reason == _OF_ANOTHER_KIND:
        return NO_SERVICE
    return _after(ANSWERS[code], retry_after_s)


def answer_to_http(status: int, retry_after_s: float | None = None) -> HookAnswer:
    """Return the answer to a request that HTTP refuses: what has no word of Slack's is about the body.

    Args:
        status: of the refusal.
        retry_after_s: as for `answer_to`.
    """
    return _after(_OF_HTTP.get(status, replace(INVALID_PAYLOAD, status=status)), retry_after_s)


_OF_HTTP: Mapping[int, HookAnswer] = MappingProxyType(
    {401: NO_SERVICE, 403: NO_SERVICE, 404: NO_SERVICE, 429: RATE_LIMITED, 500: FAILED, 503: UNAVAILABLE}
)


def _after(answer: HookAnswer, retry_after_s: float | None) -> HookAnswer:
    if answer.retry_after_s is None or retry_after_s is None:
        return answer
    return replace(answer, retry_after_s=max(1, ceil(retry_after_s)))
