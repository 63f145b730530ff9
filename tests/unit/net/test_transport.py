"""One connection over real TLS: reading, writing, backlog and its limits."""

from __future__ import annotations

import socket
import ssl

import pytest

from securechat.limits import Limits
from securechat.net.transport import PROBE_EVERY, CloseReason

from .conftest import Bench, Clock, Recorder

with_limits = pytest.mark.parametrize


def test_the_handshake_ends_with_alpn_and_version(bench: Bench) -> None:
    recorder, _ = bench.connected()
    assert recorder.events == ["handshake"]
    assert recorder.transport.alpn == "securechat/1"
    assert recorder.transport.tls_version == "TLSv1.3"
    assert recorder.transport.address == "127.0.0.1"


@pytest.mark.parametrize("at_most", [1, 7, 1 << 20])
def test_bytes_arrive_however_they_are_cut(bench: Bench, at_most: int) -> None:
    recorder, peer = bench.connection()
    while not recorder.data:
        peer.step(at_most)
        if peer.shaken and not peer.unsent:
            peer.send(b"hello")
        bench.loop.run_pass(0.001)
    assert recorder.data == [b"hello"]


def test_what_is_written_before_the_handshake_is_over_waits_for_it(bench: Bench) -> None:
    recorder, peer = bench.connection()
    recorder.transport.write(b"early")
    bench.until(lambda: peer.received == b"early")


def test_the_socket_has_its_options(bench: Bench, limits: Limits) -> None:
    recorder, _ = bench.connection()
    sock = recorder.transport._sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert (
        limits.send_buffer_bytes <= sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 3 * limits.send_buffer_bytes
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == limits.tcp_user_timeout_s * 1000


def test_what_is_written_in_one_pass_leaves_in_one_record(bench: Bench) -> None:
    recorder, peer = bench.connected()
    writes = bench.loop.writes
    for word in (b"one ", b"two ", b"three"):
        recorder.transport.write(word)
    assert recorder.transport.queued_bytes == 13
    bench.until(lambda: peer.received == b"one two three")
    assert bench.loop.writes == writes + 1
    assert recorder.transport.queued_bytes == 0


def test_a_long_write_leaves_in_full_records(bench: Bench) -> None:
    recorder, peer = bench.connected()
    writes = bench.loop.writes
    data = bytes(range(256)) * 160  # 40 KiB
    recorder.transport.write(data)
    bench.until(lambda: len(peer.received) == len(data))
    assert peer.received == data
    assert bench.loop.writes == writes + 3


@with_limits("limits", [Limits(write_bytes_per_pass=16 * 1024)])
def test_one_pass_writes_no_more_than_its_budget(bench: Bench) -> None:
    recorder, _ = bench.connected()
    recorder.transport.write(b"x" * 50_000)
    bench.loop.run_pass(0)
    assert recorder.transport.queued_bytes == 50_000 - 16 * 1024
    assert "backlog" not in recorder.events
    bench.loop.run_pass(0)
    assert recorder.transport.queued_bytes == 50_000 - 32 * 1024


def _stop_reading_until_blocked(bench: Bench, recorder: Recorder, peer: object) -> bytes:
    """Write until the socket refuses; returns all that was written."""
    peer.reading = False  # type: ignore[attr-defined]
    written = b""
    while "backlog" not in recorder.events:
        chunk = len(written).to_bytes(8, "big") * 2048
        written += chunk
        recorder.transport.write(chunk)
        bench.loop.run_pass(0)
    return written


def test_a_refused_write_is_repeated_with_the_same_bytes(bench: Bench) -> None:
    recorder, peer = bench.connected()
    written = _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"and more")
    bench.loop.run_pass(0)
    assert recorder.transport.queued_bytes > 0
    peer.reading = True
    bench.until(lambda: len(peer.received) == len(written) + 8)
    assert peer.received == written + b"and more"
    assert recorder.events == ["handshake", "backlog", "over"]
    assert len(bench.loop.backlogs) == 0
    assert bench.loop.backlogs.total_bytes == 0


def test_a_blocked_transport_costs_no_pass(bench: Bench) -> None:
    recorder, peer = bench.connected()
    _stop_reading_until_blocked(bench, recorder, peer)
    bench.loop.run_pass(0)
    assert bench.loop._selector.select(0) == []
    moody = _moody(recorder)
    for _ in range(5):
        recorder.transport.write(b"more")
        bench.loop.run_pass(0)
    assert moody.sends == 0


@with_limits("limits", [Limits(outbox_hard_bytes=300_000, outbox_soft_bytes=200_000)])
def test_over_the_hard_limit_the_handler_has_the_last_word(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.on_overflow = lambda: recorder.transport.close_with(b"LAST", drop_backlog=True)
    written = _stop_reading_until_blocked(bench, recorder, peer)
    for _ in range(20):
        recorder.transport.write(b"d" * 20_000)
        bench.loop.run_pass(0)
    assert recorder.events.count("overflow") == 1
    assert recorder.transport.queued_bytes < 64 * 1024
    peer.reading = True
    bench.until(lambda: peer.end == "close_notify")
    assert peer.received.endswith(b"LAST")
    assert len(peer.received) < len(written) + 300_000
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.LOCAL
    assert bench.loop.backlogs.total_bytes == 0


@with_limits("limits", [Limits(outbox_hard_bytes=300_000, outbox_soft_bytes=200_000)])
def test_a_handler_without_last_words_is_closed_all_the_same(bench: Bench) -> None:
    recorder, peer = bench.connected()
    _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"d" * 400_000)
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.SLOW_READER


def test_a_handler_that_gives_up_when_a_backlog_starts_leaves_none(bench: Bench) -> None:
    recorder, peer = bench.connected()

    def give_up() -> None:
        recorder.events.append("backlog")
        recorder.transport.abort()

    recorder.backlog_started = give_up  # type: ignore[method-assign]
    _stop_reading_until_blocked(bench, recorder, peer)
    bench.passes_until(lambda: recorder.lost is not None)
    assert len(bench.loop.backlogs) == 0
    assert bench.loop.backlogs.total_bytes == 0


@with_limits("limits", [Limits(outbox_soft_bytes=50_000, outbox_soft_s=10)])
def test_the_soft_limit_needs_its_time(bench: Bench) -> None:
    recorder, peer = bench.connected()
    _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"d" * 60_000)
    bench.loop.run_pass(0)
    bench.clock.now += 9.9
    for _ in range(3):
        recorder.transport.write(b"x")
        bench.loop.run_pass(0)
    assert "overflow" not in recorder.events
    bench.clock.now += 0.2
    for _ in range(3):
        bench.loop.run_pass(0)
    assert "overflow" in recorder.events


@with_limits("limits", [Limits(outbox_soft_bytes=50_000, outbox_soft_s=10)])
def test_the_soft_limit_forgets_a_reader_who_caught_up(bench: Bench) -> None:
    recorder, peer = bench.connected()
    _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"d" * 60_000)
    bench.loop.run_pass(0)
    bench.clock.now += 9
    peer.reading = True
    bench.until(lambda: recorder.events[-1] == "over")
    bench.clock.now += 9
    _stop_reading_until_blocked_again(bench, recorder, peer)
    assert "overflow" not in recorder.events


@with_limits("limits", [Limits(outbox_soft_bytes=50_000, outbox_soft_s=10, write_bytes_per_pass=16_384)])
def test_a_moment_below_the_soft_limit_starts_its_time_anew(bench: Bench) -> None:
    recorder, peer = bench.connected()
    _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"d" * 100_000)
    bench.loop.run_pass(0)
    bench.clock.now += 9
    peer.reading = True
    bench.until(lambda: recorder.transport.queued_bytes <= 50_000)
    peer.reading = False
    assert "over" not in recorder.events

    def blocked_and_over() -> bool:
        if recorder.transport.queued_bytes <= 60_000:  # far from the hard limit, however much the kernel takes
            recorder.transport.write(b"d" * 60_000)
        return recorder.transport._blocked

    bench.passes_until(blocked_and_over)
    bench.loop.run_pass(0)
    bench.clock.now += 9
    for _ in range(3):
        bench.loop.run_pass(0)
    assert "overflow" not in recorder.events
    bench.clock.now += 2
    for _ in range(3):
        bench.loop.run_pass(0)
    assert "overflow" in recorder.events


def _stop_reading_until_blocked_again(bench: Bench, recorder: Recorder, peer: object) -> None:
    recorder.events.clear()
    _stop_reading_until_blocked(bench, recorder, peer)
    recorder.transport.write(b"d" * 60_000)
    for _ in range(3):
        bench.loop.run_pass(0)


@with_limits("limits", [Limits(outboxes_total_bytes=200_000)])
def test_the_total_limit_takes_the_biggest(bench: Bench) -> None:
    small, small_peer = bench.connected()
    big, big_peer = bench.connected()
    _stop_reading_until_blocked(bench, small, small_peer)
    _stop_reading_until_blocked(bench, big, big_peer)
    small.transport.write(b"s" * 80_000)
    big.transport.write(b"b" * 150_000)
    bench.loop.run_pass(0)
    assert "overflow" in big.events
    assert "overflow" not in small.events


def test_a_pipelining_sender_is_read_to_the_end(bench: Bench) -> None:
    recorder, peer = bench.connected()
    for _ in range(PROBE_EVERY + 1):  # by now somebody has looked for a second record
        before = len(recorder.data)
        for number in range(20):
            peer.send(b"%d" % number)
        while peer.unsent:
            peer.step()
        bench.until(lambda target=before + 20: len(recorder.data) == target)  # type: ignore[misc]
    before = len(recorder.data)
    for number in range(20):
        peer.send(b"%d" % number)
    while peer.unsent:
        peer.step()
    bench.loop.run_pass(1)
    assert len(recorder.data) == before + 20


def test_single_records_cost_one_read_each(bench: Bench) -> None:
    recorder, peer = bench.connected()
    receive = _CountingSocket(recorder.transport._sock)
    recorder.transport._sock = receive
    for number in range(1, 3 * PROBE_EVERY + 1):
        peer.send(b"x")
        bench.until(lambda n=number: len(recorder.data) == n)  # type: ignore[misc]
    assert len(recorder.data) <= receive.reads <= len(recorder.data) + 4


class _CountingSocket:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.reads = 0

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self._sock.recv(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


@with_limits("limits", [Limits(read_bytes_per_pass=1000)])
def test_decrypted_bytes_beyond_the_budget_are_read_in_later_passes(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.send(b"z" * 5_500)  # one record: after the first read the selector sees none of it
    while peer.unsent:
        peer.step()
    bench.passes_until(lambda: len(recorder.data) == 1)
    assert [len(data) for data in recorder.data] == [1000]
    for expected in (2, 3, 4, 5, 6):
        bench.loop.run_pass(0)
        assert len(recorder.data) == expected
    assert b"".join(recorder.data) == b"z" * 5_500


@with_limits("limits", [Limits(read_bytes_per_pass=1000)])
def test_a_pause_amid_the_data_stops_at_once_and_resume_goes_on(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.on_data = lambda data: recorder.transport.pause_reading()
    peer.send(b"a" * 3_000)
    while peer.unsent:
        peer.step()
    bench.passes_until(lambda: bool(recorder.data))
    for _ in range(5):
        bench.loop.run_pass(0)
    assert len(recorder.data) == 1
    recorder.transport.resume_reading()
    bench.loop.run_pass(0)
    assert len(recorder.data) == 2, "decrypted bytes need no selector"
    recorder.on_data = lambda data: None
    recorder.transport.resume_reading()
    bench.passes_until(lambda: len(b"".join(recorder.data)) == 3_000)


def test_a_hundred_paused_transports_with_input_waiting_cost_no_pass(bench: Bench) -> None:
    paused = [bench.connected() for _ in range(100)]
    for recorder, peer in paused:
        recorder.transport.pause_reading()
        peer.send(b"more")
        while peer.unsent:
            peer.step()
    for _ in range(100):  # each is reported once at most, and then leaves the selector
        bench.loop.run_pass(0)
    assert bench.loop._selector.select(0) == []
    assert len(bench.loop._selector.get_map()) == 1, "only the wake-up pair is left"
    for recorder, _ in paused:
        recorder.transport.resume_reading()
    bench.passes_until(lambda: all(recorder.data == [b"more"] for recorder, _ in paused))


def test_a_paused_transport_whose_peer_is_gone_does_not_spin(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.transport.pause_reading()
    peer.sock.close()
    for _ in range(3):
        bench.loop.run_pass(0.001)
    assert bench.loop._selector.select(0) == []
    recorder.transport.resume_reading()
    bench.passes_until(lambda: recorder.lost is not None)


def test_a_late_handshake_ends_at_its_deadline(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connection()
    peer.sock.send(b"\x16\x03\x01")
    bench.loop.run_pass(0.001)
    bench.clock.now += limits.handshake_timeout_s - 0.1
    bench.loop.run_pass(0)
    assert recorder.lost is None
    bench.clock.now += 0.2
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.HANDSHAKE_TIMEOUT
    assert recorder.events == ["lost"]


@pytest.mark.parametrize(
    ("garbage", "answer"),
    [
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" + b"!" * 2_000, b"\x15"),  # a hello that is none: an alert
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40, b""),  # OpenSSL has no word for these
    ],
)
def test_garbage_instead_of_a_handshake_ends_in_fin_not_in_reset(bench: Bench, garbage: bytes, answer: bytes) -> None:
    recorder, peer = bench.connection()
    peer.sock.send(garbage)
    bench.passes_until(lambda: recorder.transport.error is not None)
    for _ in range(5):
        bench.loop.run_pass(0.001)
    peer.sock.setblocking(True)
    assert peer.sock.recv(100)[:1] == answer
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.TLS_ERROR


def test_a_storm_of_handshakes_is_taken_in_turns(bench: Bench, limits: Limits) -> None:
    storm = [bench.connection() for _ in range(3 * limits.accepts_per_pass)]
    for _, peer in storm:
        peer.step()
    bench.loop.run_pass(0)
    assert len(bench.loop.handshakes) == 2 * limits.accepts_per_pass
    bench.until(lambda: all(recorder.events == ["handshake"] for recorder, _ in storm))


class _Moody:
    """A socket that wants something else first, as after a key update; everything else is real."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.refuse_recv: Exception | None = None
        self.refuse_send: Exception | None = None
        self.sends = 0

    def recv(self, size: int) -> bytes:
        if self.refuse_recv is not None:
            exc, self.refuse_recv = self.refuse_recv, None
            raise exc
        return self._sock.recv(size)

    def send(self, data: bytes) -> int:
        self.sends += 1
        if self.refuse_send is not None:
            exc, self.refuse_send = self.refuse_send, None
            raise exc
        return self._sock.send(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)

    def fileno(self) -> int:
        return self._sock.fileno()


def _moody(recorder: Recorder) -> _Moody:
    moody = _Moody(recorder.transport._sock)
    recorder.transport._sock = moody  # type: ignore[assignment]
    return moody


def test_a_read_that_wants_to_write_waits_for_writability(bench: Bench) -> None:
    recorder, peer = bench.connected()
    moody = _moody(recorder)
    moody.refuse_recv = ssl.SSLWantWriteError()
    peer.send(b"data")
    bench.until(lambda: recorder.data == [b"data"])
    assert moody.refuse_recv is None


def test_a_write_that_wants_to_read_is_repeated_after_a_read(bench: Bench) -> None:
    recorder, peer = bench.connected()
    moody = _moody(recorder)
    moody.refuse_send = ssl.SSLWantReadError()
    recorder.transport.write(b"words")
    for _ in range(3):
        bench.loop.run_pass(0)
    assert recorder.transport.queued_bytes == 5
    assert bench.loop._selector.select(0) == [], "it must not spin on writability meanwhile"
    peer.send(b"something")
    bench.until(lambda: peer.received == b"words")
    assert recorder.events == ["handshake", "backlog", "over"]


def test_a_handler_that_raises_costs_its_own_connection(bench: Bench) -> None:
    bad, bad_peer = bench.connected()
    good, good_peer = bench.connected()
    bench.contain()

    def explode(data: bytes) -> None:
        raise RuntimeError("a bug")

    bad.on_data = explode
    bad_peer.send(b"x")
    good_peer.send(b"y")
    bench.until(lambda: bad.lost is not None and good.data == [b"y"])
    assert [str(failure.error) for failure in bench.failures] == ["a bug"]
    assert bench.failures[0].owner == bad.transport.label
    assert bad.lost is not None
    assert bad.lost[0] is CloseReason.INTERNAL, "the handler had its turn, and no last word"
    assert "failed" in bad.events
    assert good.lost is None


def test_a_clock_is_all_the_time_there_is(bench: Bench) -> None:
    assert isinstance(bench.clock, Clock)
    bench.clock.now += 5
    bench.loop.run_pass(0)
    assert bench.loop.now == bench.clock.now
