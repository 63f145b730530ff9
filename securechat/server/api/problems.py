"""Errors as documents that programs read: ``application/problem+json`` (RFC 9457).

Every refusal of the hub has a status by its code, and what HTTP itself refuses has codes of its own. A document repeats
nothing of the request: no path, no token, no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType

import msgspec
from msgspec import Struct, field

from securechat.errors import ErrorCode, Refusal
from securechat.server.api.answers import ApiAnswer, answer
from securechat.wire.http import Headers, HttpError

TYPE_PREFIX = "urn:securechat:error:"
CONTENT_TYPE = "application/problem+json"
_CHALLENGE = ("WWW-Authenticate", "Bearer")
"""Of every 401 (RFC 9110, section 11.6.1)."""

STATUSES: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.FRAME_TOO_LARGE: 413,
        ErrorCode.BAD_FRAME: 400,
        ErrorCode.HELLO_EXPECTED: 401,
        ErrorCode.UNSUPPORTED_VERSION: 400,
        ErrorCode.HELLO_TIMEOUT: 503,
        ErrorCode.PING_TIMEOUT: 503,
        ErrorCode.SLOW_READER: 503,
        ErrorCode.REPLACED: 503,
        ErrorCode.SHUTTING_DOWN: 503,
        ErrorCode.TOO_MANY_CONNECTIONS: 503,
        ErrorCode.LOG_FAILED: 503,
        ErrorCode.BANNED: 403,
        ErrorCode.KICKED: 403,
        ErrorCode.LOGGED_OUT: 401,
        ErrorCode.BYE: 503,
        ErrorCode.INTERNAL: 500,
        ErrorCode.UNKNOWN_TYPE: 422,
        ErrorCode.INVALID: 422,
        ErrorCode.NAME_INVALID: 422,
        ErrorCode.NAME_RESERVED: 409,
        ErrorCode.NAME_IN_USE: 409,
        ErrorCode.PASSWORD_INVALID: 422,
        ErrorCode.ROOM_INVALID: 422,
        ErrorCode.NOT_A_MEMBER: 404,
        ErrorCode.TOO_MANY_ROOMS: 409,
        ErrorCode.NO_SUCH_PERSON: 404,
        ErrorCode.PERSON_ABSENT: 404,
        ErrorCode.TEXT_EMPTY: 422,
        ErrorCode.TEXT_TOO_LONG: 422,
        ErrorCode.OUT_OF_ORDER: 409,
        ErrorCode.BUSY: 503,
        ErrorCode.OVERLOADED: 503,
        ErrorCode.DISK_FULL: 507,
        ErrorCode.QUOTA: 429,
        ErrorCode.LOGIN_REQUIRED: 401,
        ErrorCode.LOGIN_FAILED: 401,
        ErrorCode.LOGIN_EXPIRED: 401,
        ErrorCode.LOGIN_SLOWED: 429,
        ErrorCode.CERTIFICATE_UNKNOWN: 401,
        ErrorCode.PASSWORD_NEEDED: 401,
        ErrorCode.PASSWORD_TEMPORARY: 403,
        ErrorCode.INVITE_UNKNOWN: 403,
        ErrorCode.INVITE_USED: 403,
        ErrorCode.INVITE_EXPIRED: 403,
        ErrorCode.INVITE_REVOKED: 403,
        ErrorCode.ACCOUNT_NEEDED: 403,
        ErrorCode.ALREADY_REGISTERED: 409,
        ErrorCode.MUTED: 403,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.TOO_MANY: 409,
        ErrorCode.NO_RIGHT: 403,
        ErrorCode.NO_SUCH_ROOM: 404,
        ErrorCode.READ_ONLY: 403,
        ErrorCode.SLOW_MODE: 429,
        ErrorCode.ARCHIVED: 409,
        ErrorCode.ROOM_BANNED: 403,
        ErrorCode.LAST_MEMBER: 409,
        ErrorCode.QUERY_INVALID: 422,
        ErrorCode.KEY_USED: 422,
        ErrorCode.FILES_OFF: 404,
        ErrorCode.FILE_TOO_LARGE: 413,
        ErrorCode.FILE_NOT_READY: 409,
        ErrorCode.PICTURE_UNREADABLE: 422,
        ErrorCode.TOKEN_INVALID: 401,
        ErrorCode.UNKNOWN: 500,
    }
)
"""The status of each code of the hub; a test requires every code."""

_BY_REASON: Mapping[str, int] = MappingProxyType(
    {"files_quota_used_up": 507, "guest_files_used_up": 507, "upload_removed": 410}
)
"""Statuses by reason, before those by code. No waiting gives a quota back: at 429 a program such as ``curl --retry``
sends the file again and again. At 404 one that sends an upload begins it anew."""

HTTP_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "bad_request",
        401: "token_missing",
        403: "foreign_origin",
        404: "no_such_path",
        405: "method_not_allowed",
        408: "too_slow",
        411: "length_required",
        413: "body_too_large",
        414: "address_too_long",
        415: "media_type",
        417: "expectation",
        421: "wrong_host",
        429: "too_many_requests",
        431: "headers_too_long",
        500: "internal",
        501: "method_unknown",
        503: "unavailable",
        505: "http_version",
    }
)
"""The code of what HTTP refuses, by its status, where no code of its own is given."""


class Problem(Struct, frozen=True, omit_defaults=True):
    """The document.

    Attributes:
        type: TYPE_PREFIX and the code.
        code: a stable word, by which programs decide.
        status: as in the status line.
        detail: one English sentence.
        reason: a stable word, finer than the code, where there is one.
        args: what the sentence is made from, by name; durations in seconds.
        retry_after_s: seconds after which the same request may succeed, where that is known.
    """

    type: str
    code: str
    status: int
    detail: str
    reason: str = ""
    args: Mapping[str, str | int] = field(default_factory=dict)
    retry_after_s: float | None = None


class ProblemError(HttpError):
    """A request that the API refuses by itself.

    Args:
        status: of the answer.
        code: a stable word.
        sentence: what is wrong; repeats nothing of the request.
        retry_after_s: as in `Problem`.
        headers: that this status needs.
        args: as in `Problem`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        retry_after_s: float | None = None,
        headers: Headers = (),
        args: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(status, sentence, headers)
        self.code = code
        self.retry_after_s = retry_after_s
        self.args_by_name = dict(args or {})


class RefusedError(HttpError):
    """A request that the hub refuses.

    Args:
        refusal: the hub's.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(_status_of(refusal), refusal.detail)
        self.refusal = refusal


def method_not_allowed(*allowed: str) -> ProblemError:
    """Return the refusal of a request by a method that its address does not take."""
    headers = [("Allow", ", ".join(sorted(allowed)))]
    return ProblemError(405, "method_not_allowed", "This address takes other methods", headers=headers)


def _status_of(refusal: Refusal) -> int:
    return _BY_REASON.get(refusal.reason, STATUSES[refusal.code])


def refusal_answer(refusal: Refusal) -> ApiAnswer:
    """Return the answer to a request that the hub has refused."""
    code = refusal.code
    problem = Problem(
        TYPE_PREFIX + code.value,
        code.value,
        _status_of(refusal),
        refusal.detail,
        refusal.reason,
        dict(refusal.arguments),
        refusal.retry_after_s,
    )
    return _answer(problem, ())


def error_answer(error: HttpError) -> ApiAnswer:
    """Return the answer to a request that HTTP or the API has refused."""
    if isinstance(error, RefusedError):
        return refusal_answer(error.refusal)
    code, retry_after_s, args = HTTP_CODES.get(error.status, "bad_request"), None, {}
    if isinstance(error, ProblemError):
        code, retry_after_s, args = error.code, error.retry_after_s, error.args_by_name
    headers = error.headers
    for name, value in headers:
        if name == "Retry-After":
            retry_after_s = float(value)
            headers = tuple(pair for pair in headers if pair[0] != name)
    sentence = error.sentence.removesuffix(".")
    problem = Problem(TYPE_PREFIX + code, code, error.status, sentence, args=args, retry_after_s=retry_after_s)
    return _answer(problem, headers)


def refused_as_problem(refusal: Refusal | HttpError) -> ApiAnswer:
    """Return the answer to a refusal, of the hub or of HTTP."""
    return refusal_answer(refusal) if isinstance(refusal, Refusal) else error_answer(refusal)


def _answer(problem: Problem, headers: Headers) -> ApiAnswer:
    more: list[tuple[str, str] | tuple[bytes, bytes]] = list(headers)
    if problem.retry_after_s is not None:
        more.append(("Retry-After", str(max(1, ceil(problem.retry_after_s)))))
    if problem.status == 401:
        more.append(_CHALLENGE)
    return answer(problem.status, msgspec.json.encode(problem), CONTENT_TYPE, tuple(more))
