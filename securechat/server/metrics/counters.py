"""Counts what happens to connections and requests, in plain numbers on the loop's thread.

Labels that are to be expected are there from the start, with zero: Prometheus' ``rate`` does not see the first event of
a series that begins with it. The others of the same closed sets come with their first event, so that a text is short.
"""

from __future__ import annotations

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.net.connection_limits import Denial
from securechat.net.socket_options import CloseReason
from securechat.server.hooks.answers import OUTCOMES
from securechat.server.outgoing.outcome import DeliveryProblem

_OTHER = "other"
_CLOSINGS = (
    ErrorCode.FRAME_TOO_LARGE, ErrorCode.BAD_FRAME, ErrorCode.HELLO_EXPECTED, ErrorCode.UNSUPPORTED_VERSION,
    ErrorCode.HELLO_TIMEOUT, ErrorCode.PING_TIMEOUT, ErrorCode.SLOW_READER, ErrorCode.REPLACED,
    ErrorCode.SHUTTING_DOWN, ErrorCode.TOO_MANY_CONNECTIONS, ErrorCode.LOG_FAILED, ErrorCode.BANNED, ErrorCode.KICKED,
    ErrorCode.LOGGED_OUT, ErrorCode.BYE, ErrorCode.INTERNAL,
)  # fmt: skip
_LOGIN_FAILURES = (
    ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED, ErrorCode.NAME_IN_USE, ErrorCode.BUSY, ErrorCode.DISK_FULL,
    ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_FAILED, ErrorCode.LOGIN_EXPIRED, ErrorCode.LOGIN_SLOWED,
    ErrorCode.CERTIFICATE_UNKNOWN, ErrorCode.INVITE_UNKNOWN, ErrorCode.INVITE_USED, ErrorCode.INVITE_EXPIRED,
)  # fmt: skip
_WORDS = frozenset([*[code.value for code in ErrorCode], *[reason.value for reason in CloseReason]])


class EventCounters:
    """The events of one server since its start.

    Attributes:
        refusals: by code.
        logins: that succeeded, by kind.
        login_failures: by code.
        closed: connections of people that ended, by reason.
        denied: connections turned away, by reason.
        slow_streams: event streams closed because the program did not read.
        hook_posts: posts of incoming webhooks, by the word of the answer.
        hook_fields_ignored: fields of their payloads that mean nothing here.
        outgoing: attempts of outgoing webhooks, by outcome, and refused replies.
    """

    def __init__(self) -> None:
        self.refusals = dict.fromkeys([code.value for code in ErrorCode if code not in _CLOSINGS], 0)
        self.login_failures = dict.fromkeys([code.value for code in _LOGIN_FAILURES], 0)
        self.logins = dict.fromkeys([kind.value for kind in LoginKind], 0)
        self.closed = dict.fromkeys([code.value for code in _CLOSINGS], 0)
        self.closed.update(dict.fromkeys([reason.value for reason in CloseReason], 0))
        self.hook_posts = dict.fromkeys(OUTCOMES, 0)
        self.hook_fields_ignored = 0
        self.slow_streams = 0
        self.outgoing = dict.fromkeys(["delivered", "gone", "reply_refused", *map(str, DeliveryProblem)], 0)
        self.denied = dict.fromkeys([denial.value for denial in Denial], 0)

    @property
    def slow_readers(self) -> int:
        """Connections closed because the client did not read."""
        return self.closed[ErrorCode.SLOW_READER.value] + self.slow_streams

    def logged_in(self, kind: LoginKind) -> None:
        """Count a login."""
        self.logins[kind.value] += 1

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """Count a refusal; see `SessionObserver.refused`."""
        _count(self.refusals, code.value)
        if login is not None:
            _count(self.login_failures, code.value)

    def disconnected(self, reason: str) -> None:
        """Count the end of a connection; see `SessionObserver.disconnected`."""
        _count(self.closed, reason if reason in _WORDS else _OTHER)

    def stream_closed(self, code: ErrorCode) -> None:
        """Count the end of an event stream; see `PeerObserver.stream_closed`."""
        self.slow_streams += code is ErrorCode.SLOW_READER

    def hook_posted(self, outcome: str, ignored: int) -> None:
        """Count a post of an incoming webhook, and fields of its payload that were ignored."""
        _count(self.hook_posts, outcome)
        self.hook_fields_ignored += ignored

    def outgoing_delivered(self, outcome: str) -> None:
        """Count an attempt of an outgoing webhook; see `FeedObserver`."""
        _count(self.outgoing, outcome)

    def denied_connection(self, denial: Denial) -> None:
        """Count a connection that was turned away."""
        self.denied[denial.value] += 1


def _count(numbers: dict[str, int], label: str) -> None:
    numbers[label] = numbers.get(label, 0) + 1
