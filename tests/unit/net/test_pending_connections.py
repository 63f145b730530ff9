"""Who goes when there is no room: silent ones first, the oldest of them; who has sent a ClientHello keeps the place."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.limits import Limits
from securechat.net import pending_connections
from securechat.net.connection_limits import Denial
from securechat.net.pending_connections import HALF_OPEN_GRACE_S, missing_bytes
from securechat.net.transport import CloseReason

from .conftest import Bench
from .test_listener import Door


@pytest.fixture
def door(bench: Bench) -> Iterator[Door]:
    made = Door(bench)
    yield made
    made.listener.close()
    made.pending.close()


def _silent(door: Door, count: int) -> list[socket.socket]:
    """So many connections that say nothing, accepted one after the other."""
    before = len(door.pending)
    socks = [socket.create_connection(door.listener.address[:2], 10) for _ in range(count)]
    room = door.bench.limits.silent_connections
    door.bench.passes_until(lambda: len(door.pending) + len(door.denied) >= min(before + count, room))
    return socks


def _client_hello(door: Door) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = door.bench.client.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def _in_records(message: bytes, body_bytes: int) -> bytes:
    """A handshake message in records of that size."""
    pieces = [message[at : at + body_bytes] for at in range(0, len(message), body_bytes)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


def _is_closed(sock: socket.socket) -> bool:
    readable, _, _ = select.select([sock], [], [], 0)
    if not readable:
        return False
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=2)])
def test_silent_ones_hold_no_place(door: Door) -> None:
    socks = _silent(door, 20)
    assert (door.admission.connections, door.admission.half_open, door.contexts) == (20, 0, 0)
    guest = door.knock()
    door.bench.until(lambda: guest.shaken)
    assert not any(_is_closed(sock) for sock in socks), "there was room for everybody"
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(silent_connections=5)])
def test_among_the_silent_the_oldest_goes_first(door: Door) -> None:
    socks = _silent(door, 5)
    late = _silent(door, 3)
    door.bench.passes_until(lambda: len(door.denied) == 3)
    assert [_is_closed(sock) for sock in socks + late] == [True] * 3 + [False] * 5
    assert {denial for _, denial in door.denied} == {Denial.SILENT}
    assert (len(door.pending), door.admission.connections) == (5, 5)
    for sock in socks + late:
        sock.close()


def test_a_full_server_lets_the_oldest_silent_one_go_for_a_newcomer(bench: Bench) -> None:
    door = Door(bench, max_connections=3)
    socks = _silent(door, 3)
    guest = door.knock()
    bench.until(lambda: guest.shaken)
    assert [_is_closed(sock) for sock in socks] == [True, False, False]
    for sock in socks:
        sock.close()
    door.listener.close()
    door.pending.close()


@pytest.mark.parametrize("limits", [Limits(silent_connections=1)])
def test_who_has_spoken_since_the_last_look_is_not_taken_for_silent(door: Door) -> None:
    first = door.knock()
    door.bench.passes_until(lambda: len(door.pending) == 1)
    first.step()  # its hello is in the socket, and came after the select of this pass
    assert door.pending.put_out_silent(1) == 0
    door.bench.until(lambda: first.shaken)


def test_a_hello_in_two_pieces_leaves_nothing_behind_in_the_socket(door: Door) -> None:
    """What the selector waited for was the rest of the hello; later records are shorter."""
    peer = door.knock()
    peer.step(at_most=5)
    door.bench.passes_until(lambda: len(door.pending) == 1)
    door.bench.loop.run_pass(0.01)
    door.bench.until(lambda: peer.shaken and bool(door.recorders) and "handshake" in door.recorders[0].events)
    peer.send(b"x")
    door.bench.until(lambda: door.recorders[0].data == [b"x"])


@pytest.mark.parametrize("sent", [1, 4, 5, 6, 100])
@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_a_piece_of_a_client_hello_earns_nothing_and_costs_no_pass(door: Door, sent: int) -> None:
    (sock,) = _silent(door, 1)
    hello = _client_hello(door)
    sock.sendall(hello[:sent])
    for _ in range(3):
        door.bench.loop.run_pass(0.01)
    assert (door.admission.half_open, door.contexts) == (0, 0)
    assert door.bench.loop._selector.select(0) == [], "it must not spin on what stays in the socket"
    sock.sendall(hello[sent:])
    door.bench.passes_until(lambda: door.admission.half_open == 1)
    sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=3)])
def test_a_handshake_begun_without_a_whole_hello_gives_its_place_up_at_once(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    socks = _silent(door, 3)
    with monkeypatch.context() as patch:
        patch.setattr(pending_connections, "missing_bytes", lambda data: 0)
        for sock in socks:
            sock.sendall(_client_hello(door)[:-1])
        door.bench.passes_until(lambda: len(door.pending._unheard) == 3)
    before = door.bench.clock.now
    guest = door.knock()
    door.bench.until(lambda: guest.shaken)
    assert door.bench.clock.now == before
    lost = [recorder.lost and recorder.lost[0] for recorder in door.recorders]
    assert lost[0] is CloseReason.HANDSHAKE_TIMEOUT
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=3)])
def test_a_client_hello_keeps_its_place_for_a_while_and_others_wait_without_a_spin(door: Door) -> None:
    socks = _silent(door, 3)
    for sock in socks:
        sock.sendall(_client_hello(door))
    door.bench.passes_until(lambda: door.admission.half_open == 3 and not door.bench.loop.handshakes)
    guest = door.knock()
    for _ in range(5):
        door.bench.step()
    assert len(door.recorders) == 3
    assert door.bench.loop._selector.select(0) == []
    passes = door.bench.loop.passes
    door.bench.loop.run_pass(0.01)
    assert door.bench.loop.passes == passes + 1
    door.bench.clock.now += HALF_OPEN_GRACE_S

    def came_in() -> bool:
        door.bench.clock.now += 0.01
        return guest.shaken

    before = door.bench.clock.now
    door.bench.until(came_in)
    assert door.bench.clock.now - before < 5, "long before the handshakes' own deadline"
    assert [recorder.lost and recorder.lost[0] for recorder in door.recorders[:3]] == [
        CloseReason.HANDSHAKE_TIMEOUT
    ] * 3
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_a_place_that_gets_free_goes_to_the_one_that_waits(door: Door) -> None:
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door))
    door.bench.passes_until(lambda: door.admission.half_open == 1)
    guest = door.knock()
    guest.step()
    door.bench.passes_until(lambda: len(door.pending._waiting) == 1)
    sock.close()
    door.bench.until(lambda: guest.shaken)


def test_silence_has_its_end(door: Door) -> None:
    socks = _silent(door, 2)
    door.bench.clock.now += door.bench.limits.handshake_timeout_s / 2
    socks += _silent(door, 1)
    door.bench.clock.now += door.bench.limits.handshake_timeout_s / 2
    door.bench.loop.run_pass(0)
    assert [_is_closed(sock) for sock in socks] == [True, True, False]
    door.bench.clock.now += door.bench.limits.handshake_timeout_s / 2
    door.bench.passes_until(lambda: len(door.denied) == 3)
    assert door.admission.connections == 0
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_who_waits_in_vain_is_told_so(door: Door) -> None:
    door.admission.handshake_begun()  # the only place, and it does not get free
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door))
    door.bench.passes_until(lambda: len(door.pending._waiting) == 1)
    door.bench.clock.now += door.bench.limits.handshake_timeout_s
    door.bench.passes_until(lambda: door.denied == [("127.0.0.1", Denial.NO_PLACE)])
    assert _is_closed(sock)
    sock.close()


def test_a_client_that_leaves_without_a_word_is_noticed_at_once(door: Door) -> None:
    (sock,) = _silent(door, 1)
    sock.close()
    door.bench.passes_until(lambda: door.admission.connections == 0)
    assert door.denied == [("127.0.0.1", Denial.SILENT)]


def test_what_on_transport_raises_costs_that_client_alone(bench: Bench) -> None:
    door = Door(bench)
    bench.contain()
    came = door.pending._on_transport

    def fail_once(transport: object) -> None:
        door.pending._on_transport = came
        raise RuntimeError("a bug")

    door.pending._on_transport = fail_once
    first, second = door.knock(), door.knock()
    bench.until(lambda: first.shaken or second.shaken)
    bench.until(lambda: first.end is not None or second.end is not None)
    assert [(failure.kind, failure.owner) for failure in bench.failures] == [("accept", "new connections")]
    door.listener.close()


def test_a_hello_in_records_of_one_byte_is_served(door: Door) -> None:
    """RFC 8446 allows it; OpenSSL's answer to it is a ServerHello."""
    (sock,) = _silent(door, 1)
    for piece in _in_records(_client_hello(door)[5:], 1):
        sock.sendall(bytes([piece]))
        door.bench.loop.run_pass(0)
    door.bench.passes_until(lambda: door.admission.half_open == 1)
    sock.settimeout(0.01)
    door.bench.passes_until(lambda: bool(select.select([sock], [], [], 0)[0]))
    assert sock.recv(1) == b"\x16"
    sock.close()


MESSAGE = b"\x01\x00\x01\x00" + bytes(256)


@pytest.mark.parametrize("body_bytes", [1, 2, 3, 4, 5, 100, 259, 260, 300])
def test_a_hello_misses_bytes_until_its_last_one_and_never_more_than_there_are(body_bytes: int) -> None:
    data = _in_records(MESSAGE, body_bytes)
    for size in range(1, len(data)):
        assert 0 < missing_bytes(data[:size]) <= len(data) - size
    assert missing_bytes(data) == 0
    assert missing_bytes(data + b"more") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1",
        b"\x15\x03\x01\x00\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x04\x02",
        b"\x16\x03\x01\x00\x04\x01\x00\x40\x00",
        b"\x16\x03\x01\x00\x01\x01\x17",
    ],
)
def test_what_is_no_client_hello_is_left_to_openssl(data: bytes) -> None:
    assert missing_bytes(data) == 0


@given(st.binary(min_size=1, max_size=64).map(lambda tail: b"\x16\x03\x01" + tail) | st.binary(min_size=1))
def test_whatever_comes_it_misses_little_and_never_less_than_nothing(data: bytes) -> None:
    assert 0 <= missing_bytes(data) <= 2**14 + 10
