"""A session between a fake link and a real hub: pacing, greeting, deadlines, last words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securechat.errors import ErrorCode, LocalProtocolError
from securechat.hub.accounts.authentication import LoginKind
from securechat.limits import Limits
from securechat.model import (
    Acked,
    AskRoom,
    Closing,
    Done,
    Event,
    Hello,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Message,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Refused,
    Register,
    Registered,
    RoleChanged,
    RoomRules,
    Roster,
    Say,
    SetRoom,
    Throttled,
    Welcome,
    Who,
)
from securechat.net.socket_options import CloseReason
from securechat.server.session import Session
from securechat.wire.native import NativeClientCodec
from tests.support.hub_rig import HubRig


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.active = when, callback, True

    def cancel(self) -> None:
        self.active = False


class FakeLink:
    """A transport that keeps what is written, and delivers only while it is not paused."""

    def __init__(self) -> None:
        self.address = "127.0.0.1"
        self.alpn: str | None = "securechat/1"
        self.peer_certificate: bytes | None = None
        self.owes_hello = True
        self.queued_bytes = 0
        self.paused = False
        self.closed = False
        self.session: Session | None = None
        self.undelivered: list[bytes] = []
        self._codec = NativeClientCodec()
        self.events: list[Event] = []

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the last words"
        self._codec.receive_data(data)
        while (event := self._codec.next_event()) is not None:
            self.events.append(event)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        while self.undelivered and not self.paused:
            assert self.session is not None
            self.session.data_received(self.undelivered.pop(0))

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        if last_words and not self.closed:
            self.write(last_words)
        self.closed = True

    def receive(self, *commands: object) -> None:
        data = b"".join(NativeClientCodec.encode(command) for command in commands)  # type: ignore[arg-type]
        self.receive_raw(data)

    def receive_raw(self, data: bytes) -> None:
        if self.closed:
            return
        if self.paused:
            self.undelivered.append(data)
        else:
            assert self.session is not None
            self.session.data_received(data)

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Bench:
    """Sessions over one hub, with a clock that the test moves."""

    def __init__(self, limits: Limits | None = None, *, rates: bool = False) -> None:
        self.rig = HubRig(limits or Limits(), rates=rates)
        self.timers: list[FakeTimer] = []
        self.over: list[tuple[str, str]] = []
        self.logins: list[LoginKind] = []
        self.refusals: list[tuple[ErrorCode, LoginKind | None]] = []

    @property
    def now(self) -> float:
        return self.rig.now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self.now + delay_s, callback)
        self.timers.append(timer)
        return timer

    def connected(self, session: Session) -> None:
        pass

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        self.over.append((name, reason))

    def logged_in(self, kind: LoginKind) -> None:
        self.logins.append(kind)

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        self.refusals.append((code, login))

    def session(self, alpn: str | None = "securechat/1") -> FakeLink:
        link = FakeLink()
        link.alpn = alpn
        link.session = Session(self.rig.hub, link, self, self.rig.limits, self, "127.0.0.1:1")
        link.session.handshake_done()
        return link

    def member(self, name: str = "alice", secret: str = "a" * 32) -> FakeLink:
        link = self.session()
        link.receive(Hello(version=1, name=name, secret=secret))
        self.settle()
        assert link.of(Welcome)
        return link

    def settle(self) -> None:
        self.rig.settle()
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted((t for t in self.timers if t.active and t.when <= end), key=lambda t: t.when):
            timer = due[0]
            timer.active = False
            self.rig.now = max(self.now, timer.when)
            timer.callback()
            self.rig.settle()
        self.rig.now = end


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_client_may_send_its_first_requests_without_waiting_for_the_welcome(bench: Bench) -> None:
    link = bench.session()
    link.receive(Hello(version=1, name="a", secret="a" * 32), Join(1, ["ops"]), Say(1, "ops", "early"))
    assert link.paused
    bench.settle()
    assert [type(event) for event in link.events] == [Welcome, Joined, Joined, Acked, Message]
    assert not link.paused


def test_the_frame_limit_for_strangers_is_lifted_with_the_welcome(bench: Bench) -> None:
    link = bench.session()
    link.receive(Hello(version=1, name="a", secret="a" * 32), Say(1, "lobby", "x" * 4000), Say(2, "lobby", "𝄞" * 4000))
    bench.settle()
    assert len(link.of(Message)) == 2


def test_logins_and_refusals_are_told_with_their_kind(bench: Bench) -> None:
    link = bench.member("alice")
    assert bench.logins == [LoginKind.GUEST]
    link.receive(Say(1, "lobby", ""))
    bench.settle()
    assert bench.refusals == [(ErrorCode.TEXT_EMPTY, None)]
    other = bench.session()
    other.receive(Hello(version=1, name="alice", secret="c" * 32))
    bench.settle()
    assert bench.refusals[1:] == [(ErrorCode.NAME_IN_USE, LoginKind.GUEST)]
    other.receive(Hello(version=1, name="bob", secret="c" * 32, token="f" * 32))
    bench.settle()
    assert bench.refusals[2:] == [(ErrorCode.LOGIN_EXPIRED, LoginKind.TOKEN)]
    other.receive(Hello(version=1, name="bob", secret="c" * 32))
    bench.settle()
    assert bench.logins == [LoginKind.GUEST] * 2


def test_a_refused_frame_is_told_too(bench: Bench) -> None:
    link = bench.member()
    body = b'{"t":"nonsense","ref":1}'
    link.receive_raw(len(body).to_bytes(4, "big") + body)
    assert bench.refusals == [(ErrorCode.UNKNOWN_TYPE, None)]


def test_a_refused_hello_lets_the_next_one_follow(bench: Bench) -> None:
    bench.member("alice")
    link = bench.session()
    link.receive(Hello(version=1, name="ALICE", secret="b" * 32), Hello(version=1, name="bob", secret="b" * 32))
    bench.settle()
    assert [type(event) for event in link.events[:2]] == [Refused, Welcome]


def test_over_the_rate_it_is_told_once_not_read_and_loses_nothing() -> None:
    bench = Bench(Limits(message_burst=3, message_rate=1), rates=True)
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 11)])
    bench.rig.settle()
    assert len(link.of(Throttled)) == 1
    assert link.paused
    told = len(link.of(Acked))
    assert 3 <= told < 10
    for _ in range(40):
        bench.pass_time(0.5)
    assert [message.text for message in link.of(Message)] == [str(n) for n in range(1, 11)]  # type: ignore[attr-defined]
    assert len(link.of(Throttled)) == 1
    assert not link.paused
    link.receive(*[Say(number, "lobby", str(number)) for number in range(11, 20)])
    assert len(link.of(Throttled)) == 2  # a new excess is told again


def test_a_burst_that_comes_in_several_reads_is_told_once_that_it_is_throttled() -> None:
    """Found by an independent client: `throttled` came four times in one burst."""
    bench = Bench(Limits(message_burst=3, message_rate=2), rates=True)
    link = bench.member()
    rest = [[Say(number, "lobby", str(number)) for number in range(first, first + 3)] for first in range(1, 13, 3)]
    for _ in range(60):
        if rest and not link.paused:  # more is read when all that was read is handled
            link.receive(*rest.pop(0))
        bench.pass_time(0.25)
    assert [message.text for message in link.of(Message)] == [str(n) for n in range(1, 13)]  # type: ignore[attr-defined]
    assert not link.paused
    assert len(link.of(Throttled)) == 1
    bench.pass_time(30)
    link.receive(*[Say(number, "lobby", str(number)) for number in range(13, 17)])
    assert len(link.of(Throttled)) == 2


def test_a_long_pause_is_told_though_a_short_one_was_told_just_before() -> None:
    """Whoever trusts the first number would take the server for dead."""
    bench = Bench(Limits(message_burst=2, message_rate=2, byte_burst=1000, byte_rate=100), rates=True)
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 4)])
    assert [event.retry_after_s < 5 for event in link.of(Throttled)] == [True]  # type: ignore[attr-defined]
    bench.pass_time(1.0)
    link.receive(Say(4, "lobby", "x" * 3000))
    assert [event.retry_after_s > 5 for event in link.of(Throttled)] == [False, True]  # type: ignore[attr-defined]


def test_bytes_count_too() -> None:
    bench = Bench(Limits(byte_burst=1000, byte_rate=500), rates=True)
    link = bench.member()
    link.receive(Say(1, "lobby", "x" * 1500))
    assert link.paused
    bench.pass_time(10)
    assert not link.paused
    assert len(link.of(Message)) == 1


def test_unacknowledged_drafts_are_bounded_and_acks_let_it_go_on() -> None:
    bench = Bench(Limits(unacknowledged_drafts=4))
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 11)])
    assert bench.rig.hub.unsettled == 4
    assert link.paused
    bench.settle()
    assert len(link.of(Acked)) == 10
    assert not link.paused


def test_changes_of_messages_count_as_unacknowledged_too() -> None:
    bench = Bench(Limits(unacknowledged_drafts=4))
    link = bench.member()
    link.receive(Say(1, "lobby", "one"))
    bench.settle()
    seq = link.of(Acked)[0].seq
    link.receive(*[React(number, seq, "👍", "lobby") for number in range(2, 12)])
    assert bench.rig.hub.unsettled == 4
    assert link.paused
    bench.settle()
    assert len(link.of(Acked)) == 11
    link.receive(*[Say(number, "lobby", str(number)) for number in range(12, 22)])
    assert bench.rig.hub.unsettled == 4
    assert link.paused


def test_refused_drafts_do_not_count_as_unacknowledged() -> None:
    bench = Bench(Limits(unacknowledged_drafts=2))
    link = bench.member()
    link.receive(*[Say(number, "nowhere", "x") for number in range(1, 8)])
    assert len(link.of(Refused)) == 7
    assert not link.paused


def test_a_silent_peer_is_pinged_and_then_given_up(bench: Bench) -> None:
    link = bench.member()
    bench.pass_time(59)
    assert not link.of(Ping)
    bench.pass_time(2)
    assert len(link.of(Ping)) == 1
    bench.pass_time(28)
    assert not link.closed
    bench.pass_time(2)
    assert link.of(Closing)[-1].code is ErrorCode.PING_TIMEOUT  # type: ignore[attr-defined]


def test_a_peer_that_answers_lives_on(bench: Bench) -> None:
    link = bench.member()
    for _ in range(5):
        bench.pass_time(61)
        link.receive(Pong(0))
    assert not link.closed
    assert len(link.of(Ping)) == 5


def test_no_hello_in_time_closes(bench: Bench) -> None:
    link = bench.session()
    bench.pass_time(29)
    assert not link.closed
    bench.pass_time(2)
    assert link.of(Closing)[-1].code is ErrorCode.HELLO_TIMEOUT  # type: ignore[attr-defined]


def test_a_hello_that_was_said_in_time_may_wait_for_its_answer(bench: Bench) -> None:
    """Another program may hold the database for longer than hello_timeout_s."""
    link = bench.session()
    link.receive(Hello(version=1, name="alice", secret="a" * 32))
    bench.pass_time(100)
    assert not link.closed
    bench.settle()
    assert link.of(Welcome)
    bench.pass_time(10)
    assert not link.closed


@pytest.mark.parametrize("alpn", [None, "h2"])
def test_another_protocol_is_turned_away_with_a_sentence(bench: Bench, alpn: str | None) -> None:
    link = bench.session(alpn)
    assert "securechat/1" in link.of(Closing)[-1].text  # type: ignore[attr-defined]
    link.closed = False
    assert link.session is not None
    link.session.data_received(b"GET / HTTP/1.1\r\n")  # what still comes is nobody's business


def test_an_overflow_tells_where_to_resume_and_loses_the_member(bench: Bench) -> None:
    link = bench.member()
    link.receive(Say(1, "lobby", "x"))
    bench.settle()
    assert link.session is not None
    link.session.backlog_started()
    link.receive(Say(2, "lobby", "y"))
    bench.settle()
    link.session.outbox_overflow()
    closing = link.of(Closing)[-1]
    assert (closing.code, closing.resume_after) == (ErrorCode.SLOW_READER, 1)  # type: ignore[attr-defined]
    assert not bench.rig.hub.is_member(link.session)
    link.session.connection_lost(CloseReason.LOCAL, "")
    assert bench.over == [("alice", "slow_reader")]


def test_a_lost_connection_cancels_every_timer(bench: Bench) -> None:
    link = bench.member()
    assert link.session is not None
    link.session.connection_lost(CloseReason.RESET, "reset by peer")
    assert bench.over == [("alice", "reset")]
    assert not [timer for timer in bench.timers if timer.active]


def test_garbage_after_good_commands_closes_and_keeps_what_was_said(bench: Bench) -> None:
    link = bench.member()
    link.receive_raw(NativeClientCodec.encode(Say(1, "lobby", "kept")) + b"\x00\x00\x00\x03{x}")
    assert link.of(Closing)[-1].code is ErrorCode.BAD_FRAME  # type: ignore[attr-defined]
    link.closed = False
    bench.rig.settle()
    assert [message.text for message in bench.rig.fed] == ["kept"]


def test_an_overloaded_log_holds_the_sender_and_keeps_the_order() -> None:
    bench = Bench(Limits(append_queue=2))
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 8)])
    assert bench.rig.hub.unsettled == 2
    assert len(link.of(Throttled)) == 1
    for _ in range(5):
        bench.pass_time(1)
    assert [message.text for message in link.of(Message)] == [str(n) for n in range(1, 8)]  # type: ignore[attr-defined]
    assert not link.of(Refused)


def test_a_connection_that_is_over_never_becomes_a_member(bench: Bench) -> None:
    """Two hellos at once, and the connection breaks when the first is answered: the second one is nobody's."""
    link = bench.session()
    hello = Hello(version=1, name="ghost", secret="a" * 32)
    link.receive(hello, Hello(version=1, name="ghost2", secret="b" * 32))
    bench.rig.settle()  # answered; the rest waits for the next pass
    assert link.session is not None
    link.session.connection_lost(CloseReason.RESET, "")
    bench.pass_time(1)
    assert not bench.rig.hub.is_member(link.session)
    bench.rig.pass_time(200)
    assert not bench.rig.hub.context.members


def test_refused_frames_cost_as_much_as_requests() -> None:
    bench = Bench(Limits(request_burst=5, request_rate=1))
    link = bench.member()
    link.receive_raw(b"\x00\x00\x00\x01x".replace(b"x", b"5") * 1000)
    bench.settle()
    assert len(link.of(Refused)) < 20
    assert link.paused


def test_one_peer_is_handled_only_so_much_in_a_pass(bench: Bench) -> None:
    link = bench.member()
    link.receive(*[Pong(0) for _ in range(1000)])
    assert link.paused  # the rest waits for the next pass
    bench.pass_time(0.1)
    assert not link.paused
    link.receive(Say(1, "lobby", "after"))
    bench.settle()
    assert link.of(Acked)


def test_an_answer_longer_than_a_frame_fails_one_request(bench: Bench) -> None:
    """It would be a bug, and still nobody else may suffer from it, nor the connection."""
    link, other = bench.member(), bench.member("bob", "b" * 32)
    assert link.session is not None
    link.session.deliver(HistoryPage(7, [Message(1, 0, 1, "x", 0, "x" * 70_000, "lobby")], 1))
    (refused,) = link.of(Refused)
    assert (refused.code, refused.ref) == (ErrorCode.TOO_MANY, 7)  # type: ignore[attr-defined]
    (_, name, detail) = bench.rig.happened_[-1]
    assert name == "alice"
    assert "HistoryPage" in detail, "the operator reads what it was"
    with pytest.raises(LocalProtocolError):  # whoever called is told, where no request can be refused
        link.session.deliver(Message(1, 0, 1, "x", 0, "x" * 70_000, "lobby"))
    link.receive(Say(1, "lobby", "still here"))
    bench.settle()
    assert [message.text for message in other.of(Message)] == ["still here"]  # type: ignore[attr-defined]


def test_a_server_that_stops_takes_nothing_more_but_acknowledges_what_it_took() -> None:
    bench = Bench(Limits(unacknowledged_drafts=2))
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 8)])
    assert link.session is not None
    link.session.stop_taking()
    bench.settle()
    bench.pass_time(5)
    assert [acked.client_id for acked in link.of(Acked)] == [1, 2]  # type: ignore[attr-defined]
    assert bench.rig.hub.unsettled == 0


def test_a_peer_we_did_not_listen_to_is_not_taken_for_dead_when_we_listen_again() -> None:
    """Held back for longer than idle_ping_s and ping_timeout_s together: its silence was ours."""
    bench = Bench(Limits(message_burst=1, message_rate=0.02), rates=True)
    link = bench.member()
    link.receive(*[Say(number, "lobby", str(number)) for number in range(1, 5)])
    assert link.paused
    while link.paused:
        bench.pass_time(1)
    assert len(link.of(Acked)) == 4
    bench.pass_time(61)
    assert len(link.of(Ping)) == 1
    assert not link.closed
    bench.pass_time(25)
    assert not link.closed
    bench.pass_time(10)
    assert link.closed


def test_a_join_of_many_rooms_is_done_a_few_at_a_time_and_in_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two stretches others are served; what the peer says behind the join waits until all rooms are entered."""
    link = bench.member()
    rooms = [f"room{number}" for number in range(45)]
    asked: list[int] = []
    handle = bench.rig.hub.handle

    def watched(peer: Session, command: object) -> float:
        if isinstance(command, Join):
            asked.append(len(command.rooms))
        return handle(peer, command)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.rig.hub, "handle", watched)
    link.receive(Join(1, [*rooms, "room0", "room1"]), Say(1, "room44", "hello"), Ping(7))
    assert asked == [10]
    assert link.paused
    assert not link.of(Pong)
    bench.settle()
    assert asked == [10, 10, 10, 10, 5]
    assert [event.room for event in link.of(Joined)[1:]] == rooms  # type: ignore[attr-defined]
    assert link.of(Acked)
    assert link.of(Pong) == [Pong(7)]
    assert not link.paused


def test_a_join_of_many_rooms_costs_the_same_in_parts() -> None:
    bench = Bench(Limits(request_burst=5, request_rate=1), rates=True)
    link = bench.member()
    link.receive(Join(1, [f"room{number}" for number in range(100)]))
    bench.settle()
    assert link.of(Throttled)
    entered = len(link.of(Joined))
    assert 40 < entered < 100
    bench.pass_time(30)
    assert len(link.of(Joined)) == 100, "the lobby is one of the 100 rooms"


def test_a_connection_that_ends_during_a_join_enters_no_further_room(bench: Bench) -> None:
    link = bench.member()
    link.receive(Join(1, [f"room{number}" for number in range(45)]))
    assert link.session is not None
    link.session.connection_lost(CloseReason.RESET, "")
    bench.settle()
    assert len(link.of(Joined)) == 11


def account(bench: Bench) -> FakeLink:
    link = bench.member("ana")
    link.receive(Register(1, "eight-chars-or-more"))
    bench.settle()
    assert link.of(Registered)
    link.events.clear()
    return link


def test_requests_in_one_write_are_carried_out_in_the_order_sent(bench: Bench) -> None:
    """A room made, said into, read and looked at in one write; then left, renamed, said and ended.

    Looked through: every command of an account whose answer waits for the log or the hasher (join, leave, room, invite,
    moderate, grant, nick, register, password, logout, certadd, certremove): all of them go through `Workflows.answer`.
    """
    link = account(bench)
    link.receive(
        Join(2, ["ops"]), Say(1, "ops", "hello"), Who(3, "ops"), SetRoom(4, "ops", topic="new"), AskRoom(5, "ops")
    )
    bench.settle()
    told = [event for event in link.events if not isinstance(event, Message | RoomRules | RoleChanged)]
    assert [type(event) for event in told] == [Joined, Roster, Acked, Done] or [type(event) for event in told] == [
        Joined, Acked, Roster, Done,
    ]  # fmt: skip
    assert link.of(RoomRules)[-1].topic == "new"  # type: ignore[attr-defined]
    link.events.clear()
    link.receive(Nick(6, "budi"), Say(2, "lobby", "by budi"), Leave(7, "ops"), Say(3, "ops", "gone"), Quit())
    bench.settle()
    assert [message.name for message in link.of(Message)] == ["budi"]  # type: ignore[attr-defined]
    assert [(event.code, event.client_id) for event in link.of(Refused)] == [(ErrorCode.NOT_A_MEMBER, 3)]  # type: ignore[attr-defined]
    assert isinstance(link.events[-1], Closing)


def test_a_durable_act_holds_back_its_own_connection_only_and_while_it_lasts(bench: Bench) -> None:
    link, other = account(bench), bench.member("budi", "b" * 32)
    link.receive(Join(2, ["ops"]), Ping(7))
    assert link.paused
    other.receive(Ping(8))
    assert other.of(Pong)
    assert not link.of(Pong)
    bench.settle()
    assert link.of(Pong)
    assert not link.paused
    link.receive(Leave(3, "lobby"), Ping(9))  # refused at once: nothing is waited for
    assert link.of(Pong)[-1] == Pong(9)
    link.receive(Nick(4, "ana 2"))
    assert link.paused
    assert link.session is not None
    link.session.connection_lost(CloseReason.RESET, "")
    bench.settle()  # the end of the act meets no connection


def test_an_account_enters_many_rooms_in_one_list_and_goes_on_behind(bench: Bench) -> None:
    link = account(bench)
    rooms = [f"room{number}" for number in range(45)]
    link.receive(Join(2, rooms), Say(1, "room44", "hello"))
    bench.settle()
    assert [event.room for event in link.of(Joined)] == rooms  # type: ignore[attr-defined]
    assert link.of(Acked)


def test_each_spelling_in_a_list_of_rooms_is_answered_once(bench: Bench) -> None:
    for link in (bench.member("budi", "b" * 32), account(bench)):
        link.receive(Join(9, ["dd", "#dd", "DD", "dd", "no such"]))
        bench.settle()
        assert [event.ref for event in link.of(Joined) if event.room == "dd"] == [9, 9, 9]  # type: ignore[attr-defined]
        assert [event.room for event in link.of(Refused)] == ["no such"]  # type: ignore[attr-defined]
