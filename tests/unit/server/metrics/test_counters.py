"""Every label is there from the start, and none comes from outside."""

from __future__ import annotations

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.net.connection_limits import Denial
from securechat.net.socket_options import CloseReason
from securechat.server.metrics.counters import EventCounters


def test_every_label_is_there_with_zero() -> None:
    counters = EventCounters()
    assert set(counters.refusals) == set(counters.login_failures) == {code.value for code in ErrorCode}
    assert set(counters.logins) == {"guest", "token", "certificate", "password", "invite"}
    assert set(counters.denied) == {denial.value for denial in Denial}
    assert set(counters.closed) >= {reason.value for reason in CloseReason} | {"bye", "slow_reader", "other"}
    for numbers in (counters.refusals, counters.login_failures, counters.logins, counters.denied, counters.closed):
        assert set(numbers.values()) == {0}


def test_events_are_counted_where_they_belong() -> None:
    counters = EventCounters()
    counters.logged_in(LoginKind.TOKEN)
    counters.refused(ErrorCode.NAME_IN_USE, LoginKind.GUEST)
    counters.refused(ErrorCode.TEXT_EMPTY, None)
    counters.disconnected("slow_reader")
    counters.denied_connection(Denial.HALF_OPEN)
    assert counters.logins["token"] == 1
    assert counters.refusals["name_in_use"] == counters.refusals["text_empty"] == 1
    assert (counters.login_failures["name_in_use"], counters.login_failures["text_empty"]) == (1, 0)
    assert counters.slow_readers == 1
    assert counters.denied["half_open"] == 1


def test_a_reason_that_is_not_known_makes_no_label() -> None:
    counters = EventCounters()
    counters.disconnected("#secret room of ann")
    assert counters.closed["other"] == 1
    assert "#secret room of ann" not in counters.closed
