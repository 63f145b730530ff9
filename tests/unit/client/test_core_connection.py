"""Dialling, greeting, losing, returning, leaving: the life of a connection as the core sees it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.gap_fill import MOST_DELAY_S
from securechat.client.core.state import ConnectionPhase, PersonKey
from securechat.client.core.timing import (
    ANSWER_S,
    FIRST_DELAY_S,
    IDLE_PING_S,
    LONGEST_AFTER_EARLY_ENDS_S,
    LONGEST_DELAY_S,
    PING_TIMEOUT_S,
    STABLE_S,
)
from securechat.errors import ErrorCode
from securechat.text.refusals import refusal_for
from tests.support.core_driver import SECRET, Driver


def online(**options: object) -> Driver:
    driver = Driver(**options)
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    return driver


def closing(code: ErrorCode, retry_after_s: float | None = None) -> m.Closing:
    return m.Closing(code, "because", None, retry_after_s)


def test_first_tick_dials_and_the_hello_carries_name_and_secret() -> None:
    driver = Driver()
    assert driver.core.deadline() == 0.0
    driver.tick()
    assert driver.sent == [m.Hello(m.PROTOCOL_VERSION, "me", SECRET, "")]


def test_rooms_are_entered_after_the_welcome_and_greeting_names_who_is_there() -> None:
    driver = online(rooms=("#Ops",))
    assert [type(command) for command in driver.sent] == [m.Hello, m.Join]
    assert [entered.room for entered in driver.all(events.RoomJoined)] == ["lobby", "ops"]
    assert driver.core.current == driver.core.room("ops")


@pytest.mark.parametrize("code", [ErrorCode.NAME_IN_USE, ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED])
def test_refused_name_keeps_the_connection_and_another_hello_follows(code: ErrorCode) -> None:
    driver = Driver()
    driver.tick()
    driver.hear(m.Refused(code, "no"))
    assert driver.all(events.NameRefused) == [events.NameRefused("me", code, "no")]
    assert driver.core.deadline() is None
    driver.want(actions.ChooseName("you"))
    assert isinstance(driver.sent[-1], m.Hello)
    assert driver.sent[-1].name == "you"
    assert not driver.hung_up


def test_name_needed_is_asked_once_connected_and_a_slow_answer_dials_again() -> None:
    driver = Driver(name=None)
    driver.tick()
    assert driver.all(events.NameNeeded)
    assert not driver.sent
    driver.hear(closing(ErrorCode.HELLO_TIMEOUT))
    driver.cut()
    assert driver.core.deadline() is None
    driver.want(actions.ChooseName("slow"))
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    assert driver.core.me.name == "slow"


def test_a_first_connection_that_fails_ends_it() -> None:
    core = Driver().core
    assert core.tick(1.0).dial
    loss = events.Disconnect(events.DisconnectReason.REFUSED)
    output = core.disconnected(loss, 1.0)
    assert output.ui_events == (events.ClientEnded(events.EndReason.UNREACHABLE, loss),)
    assert core.deadline() is None


def test_later_losses_are_told_once_and_delays_grow_to_their_limit() -> None:
    driver = online()
    driver.server.log.clear()
    loss = events.Disconnect(events.DisconnectReason.CLOSED)
    driver.take(driver.core.disconnected(loss, driver.now))
    for _ in range(12):
        driver.now = driver.core.deadline() or 0.0
        assert driver.core.tick(driver.now).dial
        driver.take(driver.core.disconnected(loss, driver.now))
    assert len(driver.all(events.ConnectionLost)) == 1
    delays = [waiting.in_s for waiting in driver.all(events.Reconnecting)]
    assert delays == sorted(delays)
    assert 0 < delays[0] <= 0.2
    assert delays[-1] == pytest.approx(0.75 * LONGEST_DELAY_S)


def _logs_in_and_is_cut(driver: Driver, times: int, code: ErrorCode | None = None) -> list[float]:
    """The delays after each of so many connections that end right after the welcome."""
    delays = []
    for _ in range(times):
        if code is not None:
            driver.hear(closing(code))
        driver.cut()
        delays.append((driver.core.deadline() or 0.0) - driver.now)
        driver.settle()
    return delays


@pytest.mark.parametrize("code", [None, ErrorCode.INTERNAL])
def test_a_server_that_dies_after_each_welcome_is_left_alone_for_longer_and_longer(code: ErrorCode | None) -> None:
    """What we say at each login may be what kills it: its supervisor must not meet it again at once."""
    driver = online()
    delays = _logs_in_and_is_cut(driver, 14, code)
    assert all(later >= before - 1e-6 for before, later in pairwise(delays)), "a welcome alone starts nothing over"
    assert sum(delay < 1.0 for delay in delays) <= 3
    assert delays[-1] == pytest.approx(0.75 * LONGEST_AFTER_EARLY_ENDS_S)
    driver.now += STABLE_S
    assert _logs_in_and_is_cut(driver, 1, code)[0] <= FIRST_DELAY_S, "a good connection starts over"


def test_a_server_that_says_why_is_not_taken_for_a_dying_one() -> None:
    delays = _logs_in_and_is_cut(online(), 14, ErrorCode.SHUTTING_DOWN)
    assert delays[-1] == pytest.approx(0.75 * LONGEST_DELAY_S)


def test_a_server_that_asks_for_patience_gets_it() -> None:
    driver = online()
    driver.hear(closing(ErrorCode.SHUTTING_DOWN, retry_after_s=20.0))
    driver.cut()
    assert (driver.core.deadline() or 0.0) - driver.now >= 20.0
    assert driver.all(events.ConnectionLost)[0].code is ErrorCode.SHUTTING_DOWN


@pytest.mark.parametrize("code", [ErrorCode.REPLACED, ErrorCode.UNSUPPORTED_VERSION, ErrorCode.BAD_FRAME])
def test_last_words_that_allow_no_return(code: ErrorCode) -> None:
    driver = online()
    driver.hear(closing(code))
    driver.cut()
    assert driver.all(events.ClientEnded) == [events.ClientEnded(events.EndReason.CLOSED, code=code, text="because")]


@pytest.mark.parametrize("code", [ErrorCode.SLOW_READER, ErrorCode.PING_TIMEOUT, ErrorCode.LOG_FAILED])
def test_last_words_after_which_one_returns(code: ErrorCode) -> None:
    driver = online()
    driver.hear(closing(code))
    driver.cut()
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    assert driver.all(events.BackOnline)


def test_unsupported_version_ends_it_with_its_own_cause() -> None:
    driver = Driver()
    driver.tick()
    driver.hear(m.Refused(ErrorCode.UNSUPPORTED_VERSION, "too old"))
    assert driver.all(events.ClientEnded)[0].cause is events.EndReason.VERSION


def test_silence_is_asked_about_and_then_counts_as_death() -> None:
    driver = online()
    driver.now += IDLE_PING_S
    driver.take(driver.core.tick(driver.now))
    assert driver.sent[-1] == m.Ping(1)
    driver.now += PING_TIMEOUT_S
    driver.take(driver.core.tick(driver.now))
    assert driver.hung_up == 1
    assert driver.all(events.ConnectionLost)[0].loss.kind is events.DisconnectReason.SILENT


def test_throttled_silence_is_excused() -> None:
    driver = online()
    driver.hear(m.Throttled(100.0))
    driver.now += 100.0 + IDLE_PING_S
    assert not driver.take(driver.core.tick(driver.now)).hang_up
    assert m.Ping(1) not in driver.sent


def test_an_answer_that_never_comes_is_a_loss() -> None:
    driver = Driver()
    driver.tick()
    driver.now += ANSWER_S
    driver.take(driver.core.tick(driver.now))
    assert driver.all(events.ClientEnded)[0].loss == events.Disconnect(events.DisconnectReason.SILENT)


def test_pings_are_answered() -> None:
    driver = online()
    driver.hear(m.Ping(7))
    assert driver.sent[-1] == m.Pong(7)


def test_leaving_says_quit_and_hangs_up_after_the_answer() -> None:
    driver = online()
    driver.want(actions.LeaveChat())
    assert driver.sent[-1] == m.Quit()
    driver.settle()
    driver.cut()
    assert driver.all(events.ClientEnded) == [events.ClientEnded(events.EndReason.QUIT)]


def test_leaving_waits_for_acknowledgements() -> None:
    driver = online()
    driver.say("last words")
    driver.want(actions.LeaveChat())
    assert m.Quit() not in driver.sent
    driver.to_server()
    driver.to_client()
    assert driver.sent[-1] == m.Quit()
    assert not driver.all(events.MessagesLost)


def test_leaving_while_away_waits_three_seconds_and_says_what_is_lost() -> None:
    driver = online()
    driver.cut()
    driver.say("into the void")
    driver.want(actions.LeaveChat(3.0))
    assert not driver.all(events.ClientEnded)
    driver.now += 3.0
    driver.take(driver.core.tick(driver.now))
    assert [line.text for line in driver.all(events.MessagesLost)[0].messages] == ["into the void"]
    assert driver.all(events.ClientEnded) == [events.ClientEnded(events.EndReason.QUIT)]


@pytest.mark.parametrize("is_away", [False, True])
def test_leaving_with_something_unacknowledged_is_told_at_once(is_away: bool) -> None:
    driver = online()
    if is_away:
        driver.cut()
    driver.say("last words")
    driver.want(actions.LeaveChat())
    assert [line.text for line in driver.all(events.LeavingChat)[0].messages] == ["last words"]
    assert not driver.core.hurried
    driver.want(actions.LeaveChat())
    assert driver.core.hurried


@pytest.mark.parametrize(("said", "patience_s"), [(False, 3.0), (True, 0.0)])
def test_leaving_without_a_wait_is_not_told(said: bool, patience_s: float) -> None:
    driver = online()
    if said:
        driver.say("last words")
    driver.want(actions.LeaveChat(patience_s))
    assert not driver.all(events.LeavingChat)


def test_a_second_finish_goes_at_once_and_new_messages_are_declined() -> None:
    driver = online()
    driver.say("a")
    driver.want(actions.LeaveChat())
    driver.say("b")
    assert driver.all(events.ActionRejected)[0].reason is events.RejectReason.LEAVING
    driver.want(actions.LeaveChat())
    assert driver.all(events.ClientEnded)
    assert driver.all(events.MessagesLost)


def test_nothing_happens_after_the_end() -> None:
    driver = online()
    driver.want(actions.LeaveChat())
    driver.want(actions.LeaveChat())
    driver.told.clear()
    driver.hear(m.Throttled(1))
    driver.say("x")
    driver.take(driver.core.tick(driver.now + 1e6))
    assert not driver.told


def test_another_log_behind_the_same_address_starts_anew() -> None:
    driver = online()
    driver.server.batch([("lobby", "old")])
    driver.settle()
    driver.cut(restart=True)
    driver.server.log.clear()
    driver.settle()
    driver.server.batch([("lobby", "new")])
    driver.settle()
    assert driver.all(events.HistoryReset)
    assert [text for _, text in driver.shown()] == ["old", "new"]


def test_what_waits_for_a_person_or_message_of_the_old_log_is_not_sent_to_the_new_one() -> None:
    """There the numbers are of others: a direct message would go to a stranger."""
    driver = online()
    driver.server.batch([("lobby", "old")])
    driver.settle()
    seq = driver.server.log[-1].seq
    driver.cut(restart=True)
    driver.server.log.clear()
    driver.want(actions.SendMessage("for ann alone", PersonKey(5)))
    driver.want(actions.SendMessage("an answer", driver.core.room("lobby"), reply=seq))
    driver.want(actions.ChangeMessage(driver.core.room("lobby"), m.RevisionKind.DELETE, seq))
    driver.say("for all")
    driver.sent.clear()
    driver.settle()
    assert driver.all(events.HistoryReset)
    lost = [line.text for each in driver.all(events.MessagesLost) for line in each.messages]
    assert lost == ["for ann alone", "an answer", ""]
    assert [type(command) for command in driver.sent if isinstance(command, m.Say | m.Direct | m.Delete)] == [m.Say]
    assert driver.shown()[-1][1] == "for all"
    assert not driver.core.unsent


def test_a_name_taken_meanwhile_is_told_and_nick_answers_it() -> None:
    driver = online()
    driver.cut()
    driver.tick()
    driver.wire.clear()
    driver.hear(m.Refused(ErrorCode.NAME_IN_USE, "taken"))
    driver.want(actions.ChooseName("me2"))
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    assert driver.core.me.name == "me2"


def test_what_was_missed_is_asked_for_until_the_server_can_answer() -> None:
    """An error of the server's own is no judgement of the question: who gave up would lose what was missed for good."""
    driver = online()
    driver.cut()
    missed = driver.server.store(99, "missed", room="lobby")
    fail = m.Refused(ErrorCode.INTERNAL, "an internal error")
    failures = 0
    while driver.core.phase is not ConnectionPhase.ONLINE or failures < 5:
        if driver.wire and isinstance(driver.wire[0], m.History):
            asked = driver.wire.pop(0)
            before = driver.now
            driver.hear(replace(fail, ref=asked.ref))
            failures += 1
            assert not driver.all(events.CaughtUp)
            while not (driver.wire and isinstance(driver.wire[0], m.History)):
                driver.wire.clear()
                driver.tick()
            assert driver.now - before == min(MOST_DELAY_S, 2.0 ** (failures - 1))
        elif driver.wire or driver.server.out:
            driver.to_server(1)
            driver.to_client(1)
        else:
            driver.tick()
    assert len(driver.all(events.RequestRefused)) == 1, "told once, when it does not pass by itself"
    driver.settle()
    assert [shown.message.seq for shown in driver.all(events.MessageShown)] == [missed.seq]
    assert driver.all(events.CaughtUp) == [events.CaughtUp(1)]


def test_what_the_server_gives_as_a_reason_reaches_the_user_interface() -> None:
    driver = Driver()
    driver.settle()
    driver.say("a")
    said = refusal_for("kicked_by_administrator", why="rude")
    driver.hear(m.Refused.of(said, client_id=1))
    driver.hear(m.Closing.of(refusal_for("replaced")))
    driver.cut()
    [refused] = driver.all(events.MessageRefused)
    [ended] = driver.all(events.ClientEnded)
    assert (refused.reason, refused.arguments, refused.text) == (
        "kicked_by_administrator",
        {"why": "rude"},
        said.detail,
    )
    assert (ended.reason, ended.arguments) == ("replaced", {})


def test_a_reason_to_be_taken_out_of_a_room_reaches_the_user_interface() -> None:
    driver = Driver(rooms=("ops",))
    driver.settle()
    driver.hear(m.Left("ops", 0, ErrorCode.KICKED, "ana kicked you", reason="kicked", arguments={"by": "ana"}))
    [left] = driver.all(events.RoomLeft)
    assert (left.text, left.reason, left.arguments) == ("ana kicked you", "kicked", {"by": "ana"})
