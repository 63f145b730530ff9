"""Connections without TLS: the same handlers, bounds and graceful end as with it, and few at once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from securechat.containment import Failure
from securechat.limits import Limits
from securechat.net import plain_transport
from securechat.net.listener import Listener
from securechat.net.loop import Loop
from securechat.net.plain_transport import MOST_CONNECTIONS, MOST_PER_SECOND, PlainConnections, PlainTransport
from securechat.net.socket_options import CloseReason

from .conftest import PATIENCE_S, Recorder

LIMITS = Limits(send_buffer_bytes=8192, lingering_close_s=0.2, drain_s=0.4, lingering_close_bytes=65_536)


class PlainBench:
    """A listener without TLS that records its connections."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.failures: list[Failure] = []
        self.loop = Loop(limits, on_error=self.failures.append)
        self.recorders: list[Recorder] = []
        self.transports: list[PlainTransport] = []
        self.connections = PlainConnections(self.loop, self._came)
        self.listener = Listener(self.loop, "127.0.0.1", 0, self.connections)
        self.sockets: list[socket.socket] = []

    def _came(self, transport: PlainTransport) -> None:
        self.transports.append(transport)
        self.recorders.append(Recorder(transport))  # type: ignore[arg-type]
        transport.start(self.recorders[-1])

    def connect(self) -> socket.socket:
        sock = socket.create_connection(self.listener.address[:2], PATIENCE_S)
        self.sockets.append(sock)
        return sock

    def connected(self) -> tuple[socket.socket, Recorder, PlainTransport]:
        before = len(self.recorders)
        sock = self.connect()
        self.until(lambda: len(self.recorders) > before)
        return sock, self.recorders[-1], self.transports[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = self.loop._clock() + PATIENCE_S
        while not condition():
            assert self.loop._clock() < deadline, "the condition never became true"
            self.loop.run_pass(0.01)

    def read(self, sock: socket.socket) -> bytes:
        """All that comes until this side's end of it."""
        sock.setblocking(False)
        came, ended = bytearray(), False

        def is_over() -> bool:
            nonlocal ended
            try:
                data = sock.recv(65_536)
            except BlockingIOError:
                return False
            came.extend(data)
            ended = not data
            return ended

        self.until(is_over)
        return bytes(came)

    def close(self) -> None:
        self.listener.close()
        self.connections.close()
        self.loop.run_pass(0)
        for sock in self.sockets:
            sock.close()
        self.loop.close()


@pytest.fixture
def plain() -> Iterator[PlainBench]:
    bench = PlainBench()
    yield bench
    bench.close()


def test_bytes_go_both_ways_and_the_end_is_heard(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    assert recorder.events == ["handshake"]
    sock.sendall(b"hello")
    plain.until(lambda: recorder.data == [b"hello"])
    transport.write(b"an ")
    transport.close_with(b"answer")
    transport.write(b" too late")
    for _ in range(3):
        plain.loop.run_pass(0.01)
    assert recorder.lost is None, "a close with unread input would reset the connection, and the answer be lost"
    sock.sendall(b"still talking")
    sock.shutdown(socket.SHUT_WR)
    assert plain.read(sock) == b"an answer"
    plain.until(lambda: recorder.lost is not None)
    assert recorder.lost == (CloseReason.LOCAL, "")
    assert not plain.connections


def test_a_paused_connection_delivers_nothing_until_it_is_resumed(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    transport.pause_reading()
    sock.sendall(b"early")
    for _ in range(3):
        plain.loop.run_pass(0.01)
    assert recorder.data == []
    transport.resume_reading()
    plain.until(lambda: recorder.data == [b"early"])


def test_a_handler_that_pauses_gets_nothing_more_in_this_pass(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    recorder.on_data = lambda _data: transport.pause_reading()
    sock.sendall(b"x" * 100_000)
    plain.until(lambda: bool(recorder.data))
    for _ in range(3):
        plain.loop.run_pass(0.01)
    assert len(recorder.data) == 1
    assert len(recorder.data[0]) <= 16_384


def test_a_client_that_reads_slowly_gets_everything_and_its_handler_is_told(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    answer = bytes(range(256)) * 40_000
    transport.write(answer)
    plain.until(lambda: "backlog" in recorder.events)
    assert transport.queued_bytes > 0
    came = bytearray()
    sock.setblocking(False)

    def read_on() -> bool:
        try:
            came.extend(sock.recv(65_536))
        except BlockingIOError:
            return False
        return len(came) == len(answer)

    plain.until(read_on)
    plain.until(lambda: "over" in recorder.events)
    assert bytes(came) == answer
    assert transport.queued_bytes == 0


def test_a_client_that_never_reads_is_closed_in_the_end(plain: PlainBench) -> None:
    _sock, recorder, transport = plain.connected()
    transport.close_with(b"x" * 10_000_000)
    plain.until(lambda: recorder.lost is not None)


def test_the_clients_end_ends_the_connection_after_what_is_queued(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    transport.pause_reading()
    sock.shutdown(socket.SHUT_WR)
    transport.write(b"the answer")
    transport.resume_reading()
    assert plain.read(sock) == b"the answer"
    plain.until(lambda: recorder.lost is not None)
    assert recorder.lost == (CloseReason.PEER_CLOSED, "")


def test_a_reset_costs_that_connection_alone(plain: PlainBench) -> None:
    sock, recorder, _ = plain.connected()
    other, other_recorder, _ = plain.connected()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    plain.until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.RESET
    other.sendall(b"still here")
    plain.until(lambda: other_recorder.data == [b"still here"])


def test_a_bug_in_a_handler_costs_its_connection_after_its_last_words(plain: PlainBench) -> None:
    sock, recorder, transport = plain.connected()
    recorder.on_data = lambda _data: 1 // 0  # type: ignore[return-value]
    recorder.on_failed = lambda: transport.close_with(b"sorry")
    sock.sendall(b"x")
    assert plain.read(sock) == b"sorry"
    assert [type(failure.error) for failure in plain.failures] == [ZeroDivisionError]


def test_one_more_than_may_be_closes_the_oldest(plain: PlainBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_transport, "MOST_PER_SECOND", 1_000)
    for _ in range(MOST_CONNECTIONS + 2):
        plain.connected()
    plain.until(lambda: plain.recorders[1].lost is not None)
    assert [recorder.lost is None for recorder in plain.recorders] == [False, False] + [True] * MOST_CONNECTIONS
    assert len(plain.connections) == MOST_CONNECTIONS


def test_too_many_in_a_second_wait_in_the_kernel() -> None:
    now = 7.25
    bench = PlainBench()
    bench.loop._clock = lambda: now
    try:
        for _ in range(MOST_PER_SECOND + 5):
            bench.connect()
        for _ in range(20):
            bench.loop.run_pass(0)
        assert len(bench.recorders) == MOST_PER_SECOND
        now = 8.0
        for _ in range(5):
            bench.loop.run_pass(0)
        assert len(bench.recorders) == MOST_PER_SECOND + 5
    finally:
        bench.close()
