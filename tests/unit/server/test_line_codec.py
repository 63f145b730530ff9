"""A protocol of lines over the real session and hub: what a codec does that is not the native one."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.limits import Limits
from securechat.model import Acked, Closing, History, HistoryPage, Message, Say
from securechat.net.socket_options import CloseReason
from securechat.server.broadcaster import Broadcaster
from securechat.server.session import Session
from securechat.wire.native import NativeServerCodec
from securechat.wire.negotiation import CodecTable, SpokenProtocol
from tests.support.line_codec import LINE_ROW, LineCodec
from tests.unit.server.test_session import Bench, FakeLink

TABLE = CodecTable([SpokenProtocol("securechat/1", NativeServerCodec), LINE_ROW])
SECRET = "SECRET " + "a" * 32


class LineLink(FakeLink):
    """A transport that keeps the lines it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.alpn = "line/1"
        self.written = b""
        self.session: Session

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the last words"
        assert data, "nothing was written"
        self.written += data

    @property
    def lines(self) -> list[str]:
        return self.written.decode().splitlines()

    def say(self, *lines: str) -> list[str]:
        """Send lines; returns what is told from here on, once the log has answered."""
        before = len(self.lines)
        self.receive_raw("".join(f"{each}\n" for each in lines).encode())
        self.bench.settle()
        return self.lines[before:]

    bench: LineBench


def write_all(links: list[FakeLink], data: bytes) -> None:
    for link in links:
        link.write(data)


class LineBench(Bench):
    """A server of both protocols, with the real fan-out."""

    def __init__(self, limits: Limits | None = None, *, rates: bool = False) -> None:
        super().__init__(limits, rates=rates)
        self.failures: list[Exception] = []
        broadcaster = Broadcaster(write_all, on_failure=self._failed)
        self.rig.broadcast = broadcaster.broadcast  # type: ignore[assignment,method-assign]

    def _failed(self, session: Session, error: Exception) -> None:
        self.failures.append(error)
        session.failed()

    def lines(self, alpn: str | None = "line/1") -> LineLink:
        link = LineLink()
        link.alpn, link.bench = alpn, self
        link.session = Session(self.rig.hub, link, self, self.rig.limits, self, "127.0.0.1:1", TABLE)
        link.session.handshake_done()
        return link

    def ana(self) -> LineLink:
        link = self.lines()
        assert link.say(SECRET, "LOGIN ana")[:2] == ["WELCOME ana", "TIP HISTORY lobby shows what was said"]
        return link


@pytest.fixture
def bench() -> LineBench:
    return LineBench()


def test_lines_are_gathered_to_one_hello_and_the_codec_adds_words_of_its_own(bench: LineBench) -> None:
    link = bench.lines()
    assert link.say(SECRET) == [], "the codec waits for the rest"
    assert link.say("LOGIN ana", "PING early")[:3] == [
        "WELCOME ana", "TIP HISTORY lobby shows what was said", "JOINED lobby 1",
    ]  # fmt: skip
    assert link.lines[-1] == "PONG early"
    assert bench.rig.hub.name_of(link.session) == "ana"


def test_both_protocols_talk_and_one_has_no_echo_of_its_own(bench: LineBench) -> None:
    ana, bob = bench.ana(), bench.member("bob", "b" * 32)
    assert ana.say("SAY lobby hello there") == ["OK 1"]
    assert [event.text for event in bob.of(Message)] == ["hello there"]  # type: ignore[attr-defined]
    bob.receive(Say(1, "lobby", "hello\nana"))
    bench.settle()
    assert ana.lines[-1] == "MSG 2 #lobby bob hello%0Aana"
    assert len(bob.of(Message)) == 2, "a native client has its own message too"
    assert bob.of(Acked)


def test_drafts_are_numbered_on_where_the_last_connection_stopped(bench: LineBench) -> None:
    ana = bench.ana()
    assert ana.say("SAY lobby one", "SAY lobby two") == ["OK 1", "OK 2"]
    ana.session.connection_lost(CloseReason.RESET, "")
    assert bench.ana().say("SAY lobby three") == ["OK 3"]


def test_a_page_is_as_long_as_the_format_allows(bench: LineBench) -> None:
    ana, bob = bench.ana(), bench.member("bob", "b" * 32)
    for number in range(1, 6):
        bob.receive(Say(number, "lobby", f"m{number}"))
    bench.settle()
    assert ana.say("HISTORY lobby") == [*(f"PAST {n} #lobby bob m{n}" for n in (3, 4, 5)), "END more"]
    assert ana.say("HISTORY lobby 3") == ["PAST 1 #lobby bob m1", "PAST 2 #lobby bob m2", "END all"]
    bob.receive(History(9, room="lobby"))
    bench.settle()
    (page,) = bob.of(HistoryPage)
    assert len(page.messages) == 5, "the native page is not shorter for it"  # type: ignore[attr-defined]


def test_a_refusal_is_told_in_lines_and_another_name_may_be_tried(bench: LineBench) -> None:
    bench.member("bob", "b" * 32)
    link = bench.lines()
    (refused,) = link.say(SECRET, "LOGIN bob")
    assert refused.startswith("REFUSED name_in_use ")
    assert link.say("LOGIN ana")[0] == "WELCOME ana"
    (refused,) = link.say("SAY nowhere x")
    assert refused.startswith("REFUSED not_a_member ")
    tip, refused = link.say("DANCE")
    assert tip.startswith("TIP "), "what the codec said while it read comes first"
    assert refused.startswith("REFUSED unknown_type ")
    assert link.say("SAY lobby x") == ["OK 2"]


def test_a_text_out_of_bounds_reaches_no_hub(bench: LineBench) -> None:
    ana = bench.ana()
    (refused,) = ana.say("SAY lobby " + "x" * 16_001)
    assert refused.startswith("REFUSED invalid ")
    assert ana.say("SAY lobby y") == ["OK 2"]


def test_own_answers_leave_before_those_to_what_came_behind(bench: LineBench) -> None:
    ana = bench.ana()
    assert ana.say("PING a", "JOIN ops", "PING b") == ["PONG a", "JOINED ops 1", "PONG b"]


def test_a_silent_peer_is_pinged_in_lines(bench: LineBench) -> None:
    ana = bench.ana()
    bench.pass_time(61)
    assert ana.lines[-1] == "PING 0"
    ana.say("PONG 0")
    bench.pass_time(31)
    assert not ana.closed
    bench.pass_time(61)
    assert ana.closed
    assert ana.lines[-2].startswith("CLOSING ping_timeout ")
    assert ana.lines[-1] == "STOPPED"


def test_quitting_ends_with_the_words_of_the_protocol(bench: LineBench) -> None:
    ana = bench.ana()
    assert ana.say("PING x", "QUIT", "PING y") == ["PONG x", "CLOSING bye Goodbye", "STOPPED"]
    assert ana.closed
    assert not bench.rig.hub.is_member(ana.session)


def test_a_codec_may_end_the_connection_by_itself(bench: LineBench) -> None:
    """As a close frame of WebSocket does: its answer is the last, nothing behind it counts, and the member is lost."""
    ana, bob = bench.ana(), bench.member("bob", "b" * 32)
    ana.receive_raw(b"SAY lobby last\nSTOP\nSAY lobby never\n")
    bob.receive(Say(1, "lobby", "while it closes"))
    bench.settle()
    assert ana.lines[-1] == "STOPPED"
    assert ana.closed
    assert not bench.rig.hub.is_member(ana.session)
    assert {message.text for message in bench.rig.fed} == {"last", "while it closes"}


def test_nothing_is_said_behind_the_end_of_the_protocol(bench: LineBench) -> None:
    ana = bench.ana()
    ana.receive_raw(b"STOP\n")
    assert not ana.closed, "not before the next pass"
    ana.session.close(Closing(ErrorCode.SHUTTING_DOWN, "x"))
    bench.settle()
    ana.session.connection_lost(CloseReason.LOCAL, "")
    assert ana.lines[-1] == "STOPPED"
    assert ana.lines.count("STOPPED") == 1


def test_a_stranger_may_end_it_too(bench: LineBench) -> None:
    link = bench.lines()
    assert link.say("STOP") == ["STOPPED"]
    assert link.closed


def test_a_hello_under_way_when_the_codec_ends_makes_no_member(bench: LineBench) -> None:
    link = bench.lines()
    link.receive_raw(f"{SECRET}\nLOGIN ana\nSTOP\n".encode())
    bench.settle()
    assert link.lines[-1] == "STOPPED"
    assert link.closed
    assert not bench.rig.hub.is_member(link.session)


def test_refused_hellos_count_too(bench: LineBench) -> None:
    bench.member("bob", "b" * 32)
    link = bench.lines()
    link.say(SECRET, *["LOGIN bob"] * 10, *["PING x"] * 5)
    assert not link.closed
    link.say("PING x")
    assert link.closed


@pytest.mark.parametrize("chatter", ["PING x", "SECRET x", "DANCE"])
def test_a_stranger_talks_only_so_long(bench: LineBench, chatter: str) -> None:
    link = bench.lines()
    link.say(*[chatter] * 16)
    assert not link.closed
    link.say(chatter)
    assert link.closed
    assert link.lines[-2].startswith("CLOSING hello_expected ")


def test_nonsense_is_answered_behind_what_the_codec_had_to_say(bench: LineBench) -> None:
    ana = bench.ana()
    told = ana.say("PING x", "\u00fc zq-marker")
    assert told[:2] == ["PONG x", "TIP nothing more is read"]
    assert told[2].startswith("CLOSING bad_frame ")
    assert told[3:] == ["STOPPED"]
    assert "zq-marker" not in "".join(ana.lines)


def test_what_a_codec_answers_by_itself_counts_as_a_request() -> None:
    bench = LineBench(Limits(request_burst=5, request_rate=1))
    ana = bench.ana()
    told = ana.say(*["PING x"] * 1_000)
    assert told.count("PONG x") < 20
    assert [each for each in told if each.startswith("WAIT ")]
    assert ana.paused


def test_a_peer_that_does_not_read_has_its_last_words(bench: LineBench) -> None:
    ana = bench.ana()
    ana.session.outbox_overflow()
    assert ana.lines[-2].startswith("CLOSING slow_reader ")
    assert ana.lines[-1] == "STOPPED"


def test_the_first_bytes_decide_where_alpn_did_not(bench: LineBench) -> None:
    link = bench.lines(alpn=None)
    assert not link.closed, "it waits for the first bytes"
    for byte in b"SECR":
        link.receive_raw(bytes([byte]))
    assert link.lines == []
    assert link.say("ET " + "a" * 32, "LOGIN ana")[0] == "WELCOME ana"


def test_unknown_first_bytes_are_turned_away(bench: LineBench) -> None:
    link = bench.lines(alpn=None)
    link.receive_raw(b"GET /zq-marker HTTP/1.1\r\n\r\n")
    assert link.closed
    assert b"securechat/1" in link.written
    assert b"zq-marker" not in link.written
    link.session.connection_lost(CloseReason.LOCAL, "")
    assert bench.over == [("", "bad_frame")]


def test_silence_does_not_keep_an_unknown_connection(bench: LineBench) -> None:
    link = bench.lines(alpn=None)
    bench.pass_time(31)
    assert link.closed
    assert b"hello_timeout" in link.written


def test_a_codec_that_raises_costs_its_own_connection(bench: LineBench, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, bob = bench.ana(), bench.member("bob", "b" * 32)
    eve = bench.lines()
    eve.say("SECRET " + "e" * 32, "LOGIN eve")
    encode = LineCodec.encode

    def broken(self: LineCodec, event: object) -> bytes:
        if self is ana.session._codec and isinstance(event, Message):
            raise ZeroDivisionError
        return encode(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(LineCodec, "encode", broken)
    bob.receive(Say(1, "lobby", "x"))
    bench.settle()
    assert [type(error) for error in bench.failures] == [ZeroDivisionError]
    assert ana.closed
    assert ana.lines[-2].startswith("CLOSING internal ")
    assert eve.lines[-1] == "MSG 1 #lobby bob x"
    assert bob.of(Message)
