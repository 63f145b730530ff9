"""Who goes when there is no room, who comes next, and that nothing a pending connection sends keeps the loop busy."""

from __future__ import annotations

import select
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.limits import Limits
from securechat.net import pending_connections
from securechat.net.client_hello import ClientHelloProgress
from securechat.net.connection_limits import Denial
from securechat.net.pending_connections import HALF_OPEN_GRACE_S, OLDEST_FRESH_EVERY, SHORT_GRACE_S
from securechat.net.transport import CloseReason

from .conftest import Bench
from .test_client_hello import in_records
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
        patch.setattr(ClientHelloProgress, "missing_bytes", lambda self, data: 0)
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
    lost = [recorder.lost and recorder.lost[0] for recorder in door.recorders[:3]]
    assert lost == [CloseReason.HANDSHAKE_TIMEOUT, None, None], "no more of them than wait"
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_a_place_that_gets_free_goes_to_the_one_that_waits(door: Door) -> None:
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door))
    door.bench.passes_until(lambda: door.admission.half_open == 1)
    guest = door.knock()
    guest.step()
    door.bench.passes_until(lambda: door.pending._waiting == 1)
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
def test_a_waiting_connection_is_kept_until_its_client_leaves(door: Door) -> None:
    door.admission.handshake_begun()  # the only place, and it does not get free
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door))
    door.bench.passes_until(lambda: door.pending._waiting == 1)
    if sys.platform.startswith("linux"):  # elsewhere nothing says that the client is still there
        for _ in range(3):
            door.bench.clock.now += door.bench.limits.handshake_timeout_s
            door.bench.loop.run_pass(0)
        assert (door.pending._waiting, door.denied) == (1, [])
    sock.shutdown(socket.SHUT_WR)
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

    def fail_once(transport: object, offers: object) -> None:
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
    for piece in in_records(_client_hello(door)[5:], 1):
        sock.sendall(bytes([piece]))
        door.bench.loop.run_pass(0)
    door.bench.passes_until(lambda: door.admission.half_open == 1)
    sock.settimeout(0.01)
    door.bench.passes_until(lambda: bool(select.select([sock], [], [], 0)[0]))
    assert sock.recv(1) == b"\x16"
    sock.close()


def _speaking(door: Door, count: int) -> list[socket.socket]:
    """So many connections that send a ClientHello and nothing after it, one after the other."""
    socks = []
    for _ in range(count):
        before = door.pending._waiting + len(door.recorders)
        (sock,) = _silent(door, 1)
        sock.sendall(_client_hello(door))
        door.bench.passes_until(lambda before=before: door.pending._waiting + len(door.recorders) > before)  # type: ignore[misc]
        socks.append(sock)
    return socks


def _is_quiet(door: Door) -> bool:
    """The selector reports nothing, so the loop waits."""
    return door.bench.loop._selector.select(0) == []


def _full(door: Door) -> None:
    """Take all places, for good."""
    for _ in range(door.bench.limits.half_open_handshakes - door.admission.half_open):
        door.admission.handshake_begun()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("sent", [1, 5, 100])
def test_a_piece_of_a_hello_and_the_end_is_gone_at_once(door: Door, sent: int, full: bool) -> None:
    if full:
        _full(door)
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door)[:sent])
    for _ in range(3):
        door.bench.loop.run_pass(0.01)
    assert len(door.pending) == 1
    sock.shutdown(socket.SHUT_WR)
    passes = door.bench.loop.passes
    door.bench.passes_until(lambda: door.admission.connections == 0)
    assert door.bench.loop.passes - passes < 10
    assert door.denied == ([("127.0.0.1", Denial.SILENT)] if full else [])
    sock.close()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how urgent data is told differs")
def test_urgent_data_in_a_hello_keeps_no_pass_busy(door: Door, full: bool) -> None:
    if full:
        _full(door)
    (sock,) = _silent(door, 1)
    hello = _client_hello(door)
    sock.sendall(hello[:20])
    door.bench.loop.run_pass(0.01)
    sock.send(b"X", socket.MSG_OOB)
    sock.sendall(hello[20:] + bytes(600))
    door.bench.passes_until(lambda: len(door.pending) == 0)
    for _ in range(5):
        door.bench.loop.run_pass(0.01)
    assert _is_quiet(door)
    sock.close()


@pytest.mark.parametrize("cut", [1, 100, None])
def test_the_end_behind_a_complete_hello_does_not_cost_it_its_place(door: Door, cut: int | None) -> None:
    (sock,) = _silent(door, 1)
    hello = _client_hello(door)
    if cut is not None:
        sock.sendall(hello[:cut])
        door.bench.loop.run_pass(0.01)
    sock.sendall(hello[cut:])
    sock.shutdown(socket.SHUT_WR)
    door.bench.passes_until(lambda: bool(select.select([sock], [], [], 0)[0]))
    assert sock.recv(1) == b"\x16", "the ServerHello"
    sock.close()


@pytest.mark.parametrize("limits", [Limits(silent_connections=1)])
def test_a_look_without_a_wake_up_is_no_second_one(door: Door) -> None:
    """A piece that a look for room has seen already is still a beginning to the selector's report of it."""
    (sock,) = _silent(door, 1)
    sock.sendall(_client_hello(door)[:100])
    arrival = next(iter(door.pending._silent))
    door.pending.heard(arrival)
    door.pending.heard(arrival)
    assert len(door.pending) == 1
    sock.close()


def test_a_pass_looks_at_no_more_hellos_than_it_has_time_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_connections, "LOOKS_PER_PASS", 2)
    _full(door)
    socks = _silent(door, 5)
    for sock in socks:
        sock.sendall(_client_hello(door))
    waiting = []
    while not waiting or waiting[-1] < 5:
        door.bench.loop.run_pass(0.01)
        waiting.append(door.pending._waiting)
    assert waiting == [2, 4, 5]
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_the_newest_comes_next_and_at_times_the_oldest_fresh_one(door: Door) -> None:
    _full(door)
    stale = _speaking(door, 2)
    door.bench.clock.now += 1.5
    fresh = _speaking(door, OLDEST_FRESH_EVERY + 1)
    ports = []
    while door.pending._waiting:
        arrival = door.pending._next()
        ports.append(arrival.peer[1])
        arrival.sock.close()
    wanted = [*reversed(fresh[2:]), fresh[0], fresh[1], stale[1], stale[0]]
    assert ports == [sock.getsockname()[1] for sock in wanted]
    for sock in stale + fresh:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_without_success_the_grace_is_short(door: Door) -> None:
    socks = _speaking(door, 2)
    door.bench.clock.now += SHORT_GRACE_S - 0.1
    for _ in range(3):
        door.bench.loop.run_pass(0)
    assert door.recorders[0].lost is None
    door.bench.clock.now += 0.2
    door.bench.passes_until(lambda: door.recorders[0].lost is not None and len(door.recorders) == 2)
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_while_handshakes_succeed_the_grace_is_long(door: Door) -> None:
    """A storm of logins on a busy machine: slow clients are no attack."""
    guest = door.knock()
    door.bench.until(lambda: guest.shaken and door.admission.half_open == 0)
    socks = _speaking(door, 2)
    door.bench.clock.now += SHORT_GRACE_S + 0.5
    for _ in range(3):
        door.bench.loop.run_pass(0)
    assert door.recorders[1].lost is None
    door.bench.clock.now += 1
    door.bench.passes_until(lambda: door.recorders[1].lost is not None)
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=8, accepts_per_pass=2)])
def test_places_are_taken_back_evenly(door: Door) -> None:
    socks = _speaking(door, 8 + 8)
    door.bench.clock.now += 3 * SHORT_GRACE_S
    counts = []
    for _ in range(3):
        for _ in range(6):
            door.bench.loop.run_pass(0)
        counts.append(sum(recorder.lost is not None for recorder in door.recorders))
        door.bench.clock.now += SHORT_GRACE_S / 8
    assert counts == [2, 3, 4], "a pass's worth, then one each time that a place is due"
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_a_full_server_with_waiting_ones_leaves_newcomers_in_the_backlog(bench: Bench) -> None:
    door = Door(bench, max_connections=3)
    socks = _speaking(door, 3)
    guest = door.knock()
    for _ in range(5):
        door.bench.step()
    assert (guest.end, door.denied, door.pending.full) == (None, [], True)

    def came_in() -> bool:
        bench.clock.now += 0.01
        return guest.shaken

    bench.until(came_in)
    for sock in socks:
        sock.close()
    door.listener.close()
    door.pending.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_an_answer_that_waits_for_its_turn_is_not_late(door: Door) -> None:
    """After a pass of seconds the answers are in the sockets, and the first step is not theirs."""
    guest = door.knock()
    guest.step()
    door.bench.passes_until(lambda: bool(select.select([guest.sock], [], [], 0)[0]))
    guest.step()
    socks = _speaking(door, 1)
    transport = door.recorders[0].transport
    transport.ready(1)
    door.bench.clock.now += HALF_OPEN_GRACE_S
    door.bench.loop.now = door.bench.clock.now
    assert not door.pending._put_out_begun()
    door.bench.until(lambda: guest.shaken and transport.is_open)
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_hello_in_many_small_pieces_is_looked_at_a_few_times(
    door: Door, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """As where the kernel reports each piece: the receive window is full of small segments."""
    monkeypatch.setattr(pending_connections, "MOST_LOOKS", 3)
    monkeypatch.setattr(pending_connections, "_wake_at", lambda sock, size_bytes: True)
    if full:
        _full(door)
    (sock,) = _silent(door, 1)
    for piece in _client_hello(door)[:4]:
        assert len(door.pending) == 1
        sock.sendall(bytes([piece]))
        door.bench.loop.run_pass(1)
    assert len(door.pending) == 0
    assert (len(door.recorders), len(door.denied)) == ((0, 1) if full else (1, 0))
    sock.close()


@pytest.mark.parametrize("protocols", [None, ("securechat/1",), ("h2", "http/1.1")])
def test_the_context_is_chosen_by_what_the_client_offers(
    door: Door, certificate: Path, protocols: tuple[str, ...] | None
) -> None:
    door.bench.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    door.bench.client.load_verify_locations(certificate)
    if protocols:
        door.bench.client.set_alpn_protocols(list(protocols))
    guest = door.knock()
    guest.step(at_most=300)
    door.bench.passes_until(lambda: len(door.pending) == 1)
    door.bench.until(lambda: guest.shaken)
    assert door.offers == [protocols]
