"""Every label is there from the start, and none comes from outside."""

from __future__ import annotations

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.net.connection_limits import Denial
from securechat.net.socket_options import CloseReason
from securechat.server.metrics.counters import EventCounters


def test_every_label_is_there_with_zero() -> None:
    counters = EventCounters()
    closings = {"bye", "slow_reader", "internal", "banned"}
    assert set(counters.refusals) | set(counters.closed) >= {code.value for code in ErrorCode}
    assert set(counters.login_failures) >= {"login_failed", "name_in_use", "busy"}
    assert set(counters.logins) == {"guest", "token", "api_token", "certificate", "password", "invite"}
    assert set(counters.denied) == {denial.value for denial in Denial}
    assert set(counters.closed) >= {reason.value for reason in CloseReason} | closings
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
    assert counters.login_failures["name_in_use"] == 1
    assert "text_empty" not in counters.login_failures
    assert counters.slow_readers == 1
    assert counters.denied["half_open"] == 1


def test_one_that_was_not_expected_begins_with_its_first_event() -> None:
    counters = EventCounters()
    counters.refused(ErrorCode.INTERNAL, LoginKind.GUEST)
    assert counters.refusals["internal"] == counters.login_failures["internal"] == 1


def test_a_reason_that_is_not_known_makes_no_label() -> None:
    counters = EventCounters()
    counters.disconnected("#secret room of ann")
    assert counters.closed["other"] == 1
    assert "#secret room of ann" not in counters.closed
