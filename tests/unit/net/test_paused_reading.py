"""Reading in turns over real TLS: no more than asked for, nothing lost that is decrypted, a last word that is heard."""

from __future__ import annotations

import pytest

from securechat.limits import KIB, MIB, Limits
from securechat.net.transport import WAITS_FOR_BYTES, CloseReason

from .conftest import Bench, Peer, Recorder


def paused(bench: Bench) -> tuple[Recorder, Peer]:
    recorder, peer = bench.connected()
    recorder.transport.pause_reading()
    return recorder, peer


def _refuse_at_once(recorder: Recorder, unread_bytes: int, last_words: bytes) -> None:
    """Close at the first byte; the peer has so many left to send."""

    def refuse(data: bytes) -> None:
        recorder.transport.linger_for(unread_bytes)
        recorder.transport.close_with(last_words)

    recorder.on_data = refuse


def test_nothing_is_read_but_what_is_asked_for(bench: Bench) -> None:
    recorder, peer = paused(bench)
    assert recorder.transport.read_paused(100) == b""
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1))
    peer.send(b"x" * 300)
    bench.until(lambda: bool(called))
    for _ in range(5):
        bench.step()
    assert called == [1], "told once"
    assert recorder.data == []
    assert recorder.transport.read_paused(100) == b"x" * 100
    assert recorder.transport.read_paused(1_000) == b"x" * 200
    assert recorder.transport.read_paused(1_000) == b""


def test_what_is_decrypted_already_is_delivered_on_resume(bench: Bench) -> None:
    """The trap: the selector does not see it."""
    recorder, peer = paused(bench)
    peer.send(b"a" * 300)
    bench.until(lambda: not peer.unsent)
    got = b""
    while not got:
        got = recorder.transport.read_paused(10)
        bench.step()
    assert got == b"a" * 10
    recorder.transport.resume_reading()
    bench.until(lambda: bool(recorder.data))
    assert recorder.data == [b"a" * 290]


def test_waiting_again_in_the_same_pass_needs_no_system_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, peer = paused(bench)
    transport = recorder.transport
    assert transport.read_paused(10) == b""
    got: list[bytes] = []

    def readable() -> None:
        while data := transport.read_paused(1_000):
            got.append(data)
        transport.await_readable(readable)

    transport.await_readable(readable)
    watched: list[int] = []
    watch = bench.loop.watch
    monkeypatch.setattr(bench.loop, "watch", lambda *args: (watched.append(args[2]), watch(*args)))
    for number in range(1, 6):
        peer.send(b"%d" % number)
        bench.until(lambda number=number: len(got) == number)  # type: ignore[misc]
    assert got == [b"1", b"2", b"3", b"4", b"5"]
    assert watched == []


def test_a_paused_connection_that_waits_for_nothing_is_not_watched(bench: Bench) -> None:
    recorder, peer = paused(bench)
    peer.send(b"x" * 300)
    bench.until(lambda: recorder.transport._interest == 0)
    before = bench.loop.passes
    bench.loop.run_pass(0.05)
    assert bench.loop.passes == before + 1
    recorder.transport.resume_reading()
    bench.until(lambda: recorder.data == [b"x" * 300])


def test_resuming_forgets_who_waited(bench: Bench) -> None:
    recorder, peer = paused(bench)
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1))
    recorder.transport.resume_reading()
    peer.send(b"x")
    bench.until(lambda: bool(recorder.data))
    recorder.transport.pause_reading()
    peer.send(b"y")
    for _ in range(5):
        bench.step()
    assert called == []


@pytest.mark.skipif(not WAITS_FOR_BYTES, reason="this system reports every byte")
def test_so_many_bytes_are_waited_for(bench: Bench) -> None:
    recorder, peer = paused(bench)
    assert recorder.transport.read_paused(100) == b""
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1), 10_000)
    for _ in range(3):
        peer.send(b"x" * 3_000)
        bench.until(lambda: not peer.unsent)
        for _ in range(5):
            bench.step()
        assert called == []
    peer.send(b"x" * 3_000)
    bench.until(lambda: called == [1])
    assert b"".join(recorder.transport.read_paused(3_000) for _ in range(4)) == b"x" * 12_000
    recorder.transport.await_readable(lambda: called.append(2), 10_000)
    recorder.transport.await_readable(lambda: called.append(3))
    peer.send(b"x")
    bench.until(lambda: called == [1, 3])


def test_resuming_forgets_how_many_bytes_were_waited_for(bench: Bench) -> None:
    recorder, peer = paused(bench)
    recorder.transport.await_readable(lambda: None, 10_000)
    peer.send(b"x")
    bench.until(lambda: not peer.unsent)
    recorder.transport.resume_reading()
    bench.until(lambda: recorder.data == [b"x"])
    peer.send(b"y")
    bench.until(lambda: recorder.data == [b"x", b"y"])


def test_an_end_is_not_waited_for(bench: Bench) -> None:
    recorder, peer = paused(bench)
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1), 10_000)
    peer.sock.close()
    bench.passes_until(lambda: bool(called))
    assert recorder.transport.read_paused(100) == b""
    bench.passes_until(lambda: recorder.lost is not None)


def test_a_close_waits_for_no_bytes(bench: Bench) -> None:
    """Its peer answers with its close_notify, and goes on reading: that is all that comes."""
    recorder, peer = paused(bench)
    recorder.transport.await_readable(lambda: None, 10_000)
    recorder.transport.close_with(b"bye")
    bench.until(lambda: peer.end == "close_notify")
    assert peer.received == b"bye"
    peer.send(b"x")
    bench.until(lambda: not peer.unsent)
    assert recorder.transport._least_bytes == 1


def test_the_peer_s_end_is_an_end(bench: Bench) -> None:
    recorder, peer = paused(bench)
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1))
    peer.close_notify()
    bench.until(lambda: bool(called))
    assert recorder.transport.read_paused(100) == b""
    recorder.transport.await_readable(lambda: called.append(2))
    bench.until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] is CloseReason.PEER_CLOSED
    assert called == [1]


def test_a_broken_connection_is_lost(bench: Bench) -> None:
    recorder, peer = paused(bench)
    called: list[int] = []
    recorder.transport.await_readable(lambda: called.append(1))
    peer.sock.close()
    bench.passes_until(lambda: bool(called))
    assert recorder.transport.read_paused(100) == b""
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.lost is not None
    assert recorder.lost[0] in (CloseReason.TRUNCATED, CloseReason.RESET)


def test_a_closed_one_is_not_read(bench: Bench) -> None:
    recorder, peer = paused(bench)
    peer.send(b"x")
    bench.step()
    recorder.transport.close_with(b"bye")
    assert recorder.transport.read_paused(10) == b""
    bench.until(lambda: peer.end == "close_notify")
    assert peer.received == b"bye"


@pytest.mark.parametrize(("unread", "heard"), [(3 * MIB, True), (0, False)])
def test_a_peer_that_sends_on_hears_the_last_words(bench: Bench, limits: Limits, unread: int, heard: bool) -> None:
    """It sends 2 MiB before it reads: far more than a close discards otherwise."""
    recorder, peer = bench.connected()
    _refuse_at_once(recorder, unread, b"too much")
    for _ in range(2 * MIB // (16 * KIB)):
        peer.send(b"g" * 16 * KIB)
    peer.reading = False
    for _ in range(300):
        bench.step()
    assert (recorder.lost is None) is heard
    if heard:
        peer.reading = True
        bench.until(lambda: peer.end is not None)
        assert (peer.received, peer.end) == (b"too much", "close_notify")


def test_a_peer_that_sends_on_for_ever_is_closed(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connected()
    _refuse_at_once(recorder, 100 * MIB, b"no")
    peer.reading = False
    passed_s = 0.0
    while recorder.lost is None:
        if not peer.unsent:
            peer.send(b"g" * 1_000)
        bench.step()
        bench.clock.now += 0.5
        passed_s += 0.5
        assert passed_s < limits.upload_stall_s + 2 * limits.lingering_close_s
    assert passed_s > limits.drain_s, "while it sends it has more time than one that only reads"


def test_a_peer_that_stops_sending_is_closed_soon(bench: Bench, limits: Limits) -> None:
    recorder, peer = bench.connected()
    _refuse_at_once(recorder, 100 * MIB, b"no")
    peer.reading = False
    peer.send(b"g" * 1_000)
    for _ in range(20):
        bench.step()
    assert recorder.lost is None
    bench.clock.now += limits.lingering_close_s + 0.1
    bench.passes_until(lambda: recorder.lost is not None)
