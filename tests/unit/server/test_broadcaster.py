"""Fan-out: encoded once per format, joined once, shared by reference."""

from __future__ import annotations

from securechat.errors import LocalProtocolError
from securechat.limits import PAGE_LIMITS
from securechat.model import Acked, Event, Message
from securechat.server.broadcaster import Broadcaster
from securechat.wire.native import NATIVE, NativeFormat
from securechat.wire.websocket import WEB, WebFormat


class CountingFormat:
    name = "counting"
    page_limits = PAGE_LIMITS
    shares = True
    bodies = None

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.encoded = 0

    def encode(self, event: Event) -> bytes:
        self.encoded += 1
        return self.mark


class FakeSession:
    def __init__(self, fmt: object) -> None:
        self.format = fmt
        self.link = self
        self.written: list[bytes] = []


def write_all(links: list[FakeSession], data: bytes) -> None:
    for link in links:
        link.written.append(data)


def test_many_peers_share_the_same_bytes() -> None:
    fmt = CountingFormat(b"x")
    sessions = [FakeSession(fmt) for _ in range(100)]
    Broadcaster(write_all).broadcast(sessions, [Acked(1, 1), Acked(2, 2)])  # type: ignore[arg-type]
    assert fmt.encoded == 2
    assert all(session.written == [b"xx"] for session in sessions)
    assert len({id(session.written[0]) for session in sessions}) == 1


def test_each_format_is_encoded_once_however_they_alternate() -> None:
    one, two = CountingFormat(b"1"), CountingFormat(b"2")
    sessions = [FakeSession((one, two)[number % 2]) for number in range(10)]
    Broadcaster(write_all).broadcast(sessions, [Acked(1, 1)])  # type: ignore[arg-type]
    assert (one.encoded, two.encoded) == (1, 1)
    assert [session.written for session in sessions] == [[b"1"], [b"2"]] * 5


def test_native_and_web_members_are_told_one_body_in_two_frames() -> None:
    encoded: list[Event] = []

    class CountingBodies:
        def encode(self, event: Event) -> bytes:
            encoded.append(event)
            return NATIVE.bodies.encode(event)

    native, web = NativeFormat(), WebFormat()
    native.bodies = web.bodies = CountingBodies()  # type: ignore[assignment]
    sessions = [FakeSession((native, web)[number % 2]) for number in range(10)]
    events = [Acked(1, 1), Message(2, 1, 1, "x", 0, "x" * 70_000, "lobby"), Acked(2, 3)]
    errors: list[LocalProtocolError] = []
    Broadcaster(write_all, errors.append).broadcast(sessions, events)  # type: ignore[arg-type]
    assert encoded == events
    assert len(errors) == 1, "an event that does not fit is told of once"
    told = [b"".join(fmt.encode(event) for event in (events[0], events[2])) for fmt in (NATIVE, WEB)]
    assert [session.written for session in sessions] == [[told[0]], [told[1]]] * 5
    for sort in (0, 1):
        assert len({id(session.written[0]) for session in sessions[sort::2]}) == 1


def test_an_event_longer_than_a_frame_is_left_out_and_told_of() -> None:
    errors: list[LocalProtocolError] = []
    session = FakeSession(NATIVE)
    huge = Message(2, 1, 1, "x", 0, "x" * 70_000, "lobby")
    fanout = Broadcaster(write_all, errors.append)  # type: ignore[arg-type]
    fanout.broadcast([session], [Acked(1, 1), huge, Acked(2, 3)])  # type: ignore[list-item]
    fanout.broadcast([session], [huge])  # type: ignore[list-item]
    assert session.written == [NATIVE.encode(Acked(1, 1)) + NATIVE.encode(Acked(2, 3))]
    assert len(errors) == 2


def test_nobody_costs_nothing() -> None:
    fmt = CountingFormat(b"x")
    Broadcaster(write_all).broadcast([], [Acked(1, 1)])
    assert fmt.encoded == 0
    assert NATIVE.encode(Acked(1, 1))
