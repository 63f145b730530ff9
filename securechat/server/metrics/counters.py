"""Counts what happens to connections and requests, in plain numbers on the loop's thread.

Every label that there can be is there from the start, with zero: Prometheus' ``rate`` does not see the first event of
a series that begins with it.
"""

from __future__ import annotations

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.net.connection_limits import Denial
from securechat.net.socket_options import CloseReason

_OTHER = "other"


class EventCounters:
    """The events of one server since its start.

    Attributes:
        refusals: by code.
        logins: that succeeded, by kind.
        login_failures: by code.
        closed: connections of people that ended, by reason.
        denied: connections turned away, by reason.
    """

    def __init__(self) -> None:
        codes = [code.value for code in ErrorCode]
        self.refusals = dict.fromkeys(codes, 0)
        self.login_failures = dict.fromkeys(codes, 0)
        self.logins = dict.fromkeys([kind.value for kind in LoginKind], 0)
        self.closed = dict.fromkeys([*[reason.value for reason in CloseReason], *codes, _OTHER], 0)
        self.denied = dict.fromkeys([denial.value for denial in Denial], 0)

    @property
    def slow_readers(self) -> int:
        """Connections closed because the client did not read."""
        return self.closed[ErrorCode.SLOW_READER.value]

    def logged_in(self, kind: LoginKind) -> None:
        """Count a login."""
        self.logins[kind.value] += 1

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """Count a refusal; see `SessionObserver.refused`."""
        self.refusals[code.value] += 1
        if login is not None:
            self.login_failures[code.value] += 1

    def disconnected(self, reason: str) -> None:
        """Count the end of a connection; see `SessionObserver.disconnected`."""
        self.closed[reason if reason in self.closed else _OTHER] += 1

    def denied_connection(self, denial: Denial) -> None:
        """Count a connection that was turned away."""
        self.denied[denial.value] += 1
