"""How a connection ends, and that the last words are heard."""

from __future__ import annotations

import socket
import ssl
import struct

import pytest

from securechat.limits import Limits
from securechat.net.transport import CloseReason

from .conftest import Bench, Recorder


def _reason(recorder: Recorder) -> CloseReason:
    assert recorder.lost is not None
    return recorder.lost[0]


def test_last_words_are_heard_though_input_is_waiting(bench: Bench) -> None:
    """The trap: a plain close with unread input sends RST, and the peer never sees what we said."""
    recorder, peer = bench.connected()
    recorder.on_data = lambda data: recorder.transport.close_with(b"too much")
    for _ in range(3):
        peer.send(b"g" * 16_000)
    peer.reading = False  # it reads only when everything is over on our side
    for _ in range(20):
        bench.step()
    assert len(recorder.data) == 1, "nothing is delivered after close_with"
    peer.reading = True
    bench.until(lambda: peer.end is not None)
    assert peer.received == b"too much"
    assert peer.end == "close_notify"
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert _reason(recorder) is CloseReason.LOCAL


def test_close_with_follows_what_is_queued(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.transport.write(b"first, ")
    recorder.transport.close_with(b"last")
    recorder.transport.write(b"never")
    bench.until(lambda: peer.end == "close_notify")
    assert peer.received == b"first, last"


def test_dropping_the_backlog_lets_the_last_words_come_next(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.transport.write(b"never sent")
    recorder.transport.close_with(b"last", drop_backlog=True)
    bench.until(lambda: peer.end == "close_notify")
    assert peer.received == b"last"


def test_lingering_ends_by_time(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connected()
    recorder.transport.close_with(b"last")
    bench.until(lambda: peer.end == "close_notify")
    assert recorder.lost is None
    bench.clock.now += limits.lingering_close_s + 0.1
    bench.passes_until(lambda: recorder.lost is not None)
    assert _reason(recorder) is CloseReason.LOCAL


@pytest.mark.parametrize("limits", [Limits(lingering_close_bytes=10_000)])
def test_lingering_ends_by_bytes(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.transport.close_with(b"last")
    bench.until(lambda: peer.end == "close_notify")
    peer.sock.send(b"j" * 5_000)
    for _ in range(5):
        bench.loop.run_pass(0.001)
    assert recorder.lost is None
    peer.sock.send(b"j" * 6_000)
    bench.passes_until(lambda: recorder.lost is not None)


def test_a_peer_that_never_reads_cannot_keep_us(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connected()
    peer.reading = False
    while "backlog" not in recorder.events:
        recorder.transport.write(b"d" * 16_000)
        bench.loop.run_pass(0)
    recorder.transport.close_with(b"last")
    for _ in range(5):
        bench.loop.run_pass(0)
    assert recorder.lost is None
    bench.clock.now += limits.lingering_close_s + 0.1
    bench.passes_until(lambda: recorder.lost is not None)
    assert bench.loop.backlogs.total_bytes == 0


def test_a_peer_that_reads_slowly_has_more_time_but_not_for_ever(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connected()
    peer.reading = False
    while "backlog" not in recorder.events:
        recorder.transport.write(b"d" * 16_000)
        bench.loop.run_pass(0)
    recorder.transport.write(b"d" * 900_000)
    recorder.transport.close_with(b"last")
    elapsed_s = 0.0
    while recorder.lost is None:
        sent = bench.loop.bytes_out
        peer.reading = True
        bench.until(lambda before=sent: bench.loop.bytes_out > before)  # type: ignore[misc]
        peer.reading = False
        for _ in range(3):
            bench.loop.run_pass(0)
        assert recorder.transport.queued_bytes > 0
        elapsed_s += limits.lingering_close_s * 0.75
        bench.clock.now += limits.lingering_close_s * 0.75
        for _ in range(3):
            bench.loop.run_pass(0)
    assert limits.drain_s - 2 <= elapsed_s <= limits.drain_s + 2


def test_a_clean_end_by_the_peer(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.send(b"bye")
    peer.close_notify()
    bench.until(lambda: recorder.lost is not None)
    assert recorder.data == [b"bye"]
    assert _reason(recorder) is CloseReason.PEER_CLOSED
    bench.until(lambda: peer.end == "close_notify")


def test_a_half_closed_peer_still_gets_what_is_queued(bench: Bench) -> None:
    recorder, peer = bench.connected()
    recorder.on_data = lambda data: recorder.transport.write(b"answer")
    peer.send(b"question")
    peer.close_notify()
    bench.until(lambda: recorder.lost is not None and peer.end is not None)
    assert peer.received == b"answer"
    assert peer.end == "close_notify"


def test_fin_without_close_notify_is_truncation(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.send(b"half a frame")
    while peer.unsent:
        peer.step()
    peer.sock.shutdown(socket.SHUT_WR)
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.data == [b"half a frame"]
    assert _reason(recorder) is CloseReason.TRUNCATED


def test_fin_amid_a_record_is_truncation_and_delivers_nothing(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.send(b"never whole")
    peer.sock.send(peer.unsent[:-1])
    peer.unsent = b""
    peer.sock.shutdown(socket.SHUT_WR)
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.data == []
    assert _reason(recorder) is CloseReason.TRUNCATED


def test_a_reset(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert _reason(recorder) is CloseReason.RESET


def test_a_forged_record_is_a_tls_error_and_answered_by_an_alert(bench: Bench) -> None:
    recorder, peer = bench.connected()
    peer.sock.send(b"\x17\x03\x03\x00\x20" + b"\0" * 32)
    bench.until(lambda: peer.end is not None)
    assert peer.end is not None
    assert "ALERT" in peer.end
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert _reason(recorder) is CloseReason.TLS_ERROR


def test_abort_is_not_reentrant_and_says_so_once(bench: Bench) -> None:
    recorder, _ = bench.connected()
    recorder.transport.abort()
    recorder.transport.abort()
    recorder.transport.close_with(b"too late")
    recorder.transport.write(b"too late")
    assert recorder.lost is None, "the last call comes from the loop"
    bench.loop.run_pass(0)
    assert _reason(recorder) is CloseReason.LOCAL


def test_closing_before_the_handshake_is_over(bench: Bench) -> None:
    recorder, _ = bench.connection()
    recorder.transport.close_with(b"unheard")
    bench.loop.run_pass(0)
    assert _reason(recorder) is CloseReason.LOCAL


class _FullAtGoodbye:
    """A socket with no room for close_notify at first; everything else is real."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.refusals = 1

    def unwrap(self) -> object:
        if self.refusals:
            self.refusals -= 1
            raise ssl.SSLWantWriteError
        return self._sock.unwrap()

    def fileno(self) -> int:
        return self._sock.fileno()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_a_goodbye_that_finds_no_room_is_said_later(bench: Bench) -> None:
    recorder, peer = bench.connected()
    full = _FullAtGoodbye(recorder.transport._sock)
    recorder.transport._sock = full  # type: ignore[assignment]
    recorder.transport.close_with(b"last")
    bench.until(lambda: peer.end is not None)
    assert (peer.received, peer.end, full.refusals) == (b"last", "close_notify", 0)
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert _reason(recorder) is CloseReason.LOCAL
    assert recorder.events == ["handshake", "lost"]
    assert len(bench.loop.backlogs) == 0
