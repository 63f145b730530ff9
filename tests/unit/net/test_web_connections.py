"""Browsers at the door, over real sockets: what they do is no failure, and their oldest connection makes room."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.limits import Limits
from securechat.net import connection_limits, pending_connections
from securechat.net.connection_limits import ConnectionLimits, Denial
from securechat.net.listener import Listener
from securechat.net.pending_connections import PIECE_S, PendingConnections
from securechat.net.transport import CloseReason, Transport

from .conftest import Bench, Peer, Recorder

REAL = "8.8.8.8"
ANSWER = b"HTTP/1.1 307 Temporary Redirect\r\n\r\n"


class WebDoor:
    """A listener that serves browsers and terminals, all of which come from one public address."""

    def __init__(self, bench: Bench, certificate: Path, *, max_connections: int = 1_000) -> None:
        self.bench = bench
        self.recorders: list[Recorder] = []
        self.offers: list[tuple[str, ...] | None] = []
        self.denied: list[Denial] = []
        self.limits = ConnectionLimits(bench.limits, max_connections)
        self.certificate = certificate
        self.web_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.web_context.load_cert_chain(certificate)
        self.web_context.set_alpn_protocols(["http/1.1"])
        self.pending = PendingConnections(
            bench.loop,
            self.limits,
            context_for=lambda offers: self.web_context if "http/1.1" in (offers or ()) else bench.server,
            on_transport=self._came,
            plain_answer=ANSWER,
            web_alpn="http/1.1",
            on_denied=lambda address, denial: self.denied.append(denial),
        )
        self.listener = Listener(bench.loop, "127.0.0.1", 0, self.pending)

    def _came(self, transport: Transport, offers: tuple[str, ...] | None) -> None:
        self.recorders.append(Recorder(transport))
        self.offers.append(offers)
        self.bench.transports.append(transport)
        transport.start(self.recorders[-1])

    def client(self, *protocols: str, trusts: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if trusts:
            context.load_verify_locations(self.certificate)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.address[:2], 10)

    def peer(self, *protocols: str, trusts: bool = True) -> Peer:
        made = Peer(self.connect(), self.client(*protocols, trusts=trusts))
        self.bench.peers.append(made)
        return made

    def browser(self) -> tuple[Peer, Recorder]:
        """A browser's connection, its handshake done."""
        before = len(self.recorders)
        peer = self.peer("h2", "http/1.1")
        self.bench.until(lambda: peer.shaken and len(self.recorders) > before)
        self.bench.until(lambda: self.recorders[before].transport.is_open)
        return peer, self.recorders[before]

    def native(self) -> tuple[Peer, Recorder]:
        before = len(self.recorders)
        peer = self.peer("securechat/1")
        self.bench.until(lambda: peer.shaken and len(self.recorders) > before)
        self.bench.until(lambda: self.recorders[before].transport.is_open)
        return peer, self.recorders[before]

    @property
    def failed(self) -> int:
        """Failed hellos that are remembered."""
        record = self.limits._records.get(REAL)
        return len(record.failed_at) if record else 0

    def all_gone(self) -> None:
        self.bench.until(lambda: self.limits.connections == 0)
        assert self.limits.half_open == 0
        assert self.pending._kinds == self.pending._web == {}


@pytest.fixture
def door(bench: Bench, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDoor]:
    monkeypatch.setattr(connection_limits, "origin_of", lambda address: REAL)
    made = WebDoor(bench, certificate)
    yield made
    made.listener.close()
    made.pending.close()
    for peer in bench.peers:
        peer.sock.close()
    bench.peers.clear()
    made.all_gone()


def test_what_it_offers_decides_the_context(door: WebDoor) -> None:
    _, web = door.browser()
    _, native = door.native()
    assert (web.transport.alpn, native.transport.alpn) == ("http/1.1", "securechat/1")
    assert door.offers == [("h2", "http/1.1"), ("securechat/1",)]
    record = door.limits._records[REAL]
    assert (record.web, record.opened, record.unknown) == (1, 1, 0)


def test_connections_are_counted_by_what_they_are(door: WebDoor) -> None:
    assert door.pending.counts() == {"native": 0, "web": 0, "websocket": 0, "pending": 0}
    ahead = door.connect()
    door.bench.passes_until(lambda: len(door.pending) == 1)
    door.native()
    door.browser()
    _, upgraded = door.browser()
    assert door.pending.web_upgraded(upgraded.transport) is None
    assert door.pending.counts() == {"native": 1, "web": 1, "websocket": 1, "pending": 1}
    half_open = door.peer("http/1.1")
    door.bench.until(lambda: bool(door.pending._begun) or half_open.shaken)
    counts = door.pending.counts()
    assert counts["web"] + counts["pending"] == 3, "a handshake under way is pending, whatever it becomes"
    assert counts["native"] == counts["websocket"] == 1
    upgraded.transport.abort()
    ahead.close()
    door.bench.passes_until(lambda: door.pending.counts()["websocket"] == 0 and len(door.pending) == 0)


@pytest.mark.parametrize("end", ["fin", "reset", "server"])
def test_connections_opened_ahead_are_no_failures_and_make_no_line(door: WebDoor, end: str) -> None:
    socks = [door.connect() for _ in range(40)]
    door.bench.passes_until(lambda: len(door.pending) == 40)
    for sock in socks if end != "server" else ():
        if end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        sock.close()
    if end == "server":
        door.bench.clock.now += door.bench.limits.handshake_timeout_s
    door.bench.passes_until(lambda: door.limits.connections == 0)
    assert (door.failed, door.denied) == (0, [])
    for sock in socks:
        sock.close()


def test_a_piece_of_a_hello_is_a_failure_still(door: WebDoor) -> None:
    sock = door.connect()
    sock.sendall(b"\x16\x03\x01\x02\x00\x01")
    door.bench.loop.run_pass(0.01)
    door.bench.clock.now += door.bench.limits.handshake_timeout_s
    door.bench.passes_until(lambda: door.limits.connections == 0)
    assert (door.failed, door.denied) == (1, [Denial.SILENT])
    sock.close()


@pytest.mark.parametrize("protocols", [("h2", "http/1.1"), ("securechat/1",)])
@pytest.mark.parametrize("end", ["alert", "fin", "reset"])
def test_a_handshake_ended_by_a_warning_page_is_no_failure(door: WebDoor, protocols: tuple[str, ...], end: str) -> None:
    peer = door.peer(*protocols, trusts=end != "alert")
    if end == "alert":
        door.bench.until(lambda: peer.end is not None and not peer.unsent)
        peer.sock.close()
        door.bench.peers.clear()
        door.bench.passes_until(lambda: door.recorders[0].lost is not None)
    else:
        peer.step()
        door.bench.passes_until(lambda: bool(door.recorders) and not door.bench.loop.handshakes)
        if end == "reset":
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        peer.sock.close()
        door.bench.peers.clear()
        door.bench.passes_until(lambda: door.recorders[0].lost is not None)
    assert door.failed == (0 if "http/1.1" in protocols else 1)
    assert door.denied == []


def test_an_end_without_close_notify_is_no_failure(door: WebDoor) -> None:
    peer, recorder = door.browser()
    peer.sock.shutdown(socket.SHUT_WR)
    door.bench.until(lambda: recorder.lost is not None)
    assert (door.failed, door.denied) == (0, [])


def test_thirty_phones_load_the_page_five_times(door: WebDoor) -> None:
    """Each with the six connections of a browser and one that it opened ahead; then they are members."""
    members: list[Peer] = []
    for _ in range(5):
        ahead = [door.connect() for _ in range(30)]
        before = len(door.recorders)
        peers = [door.peer("h2", "http/1.1") for _ in range(30 * 6)]
        door.bench.until(lambda peers=peers: all(peer.shaken for peer in peers))  # type: ignore[misc]
        came = door.recorders[before:]
        door.bench.until(lambda came=came: all(one.transport.is_open for one in came))  # type: ignore[misc]
        for peer in members:
            peer.close_notify()
        door.bench.until(lambda: door.limits._records[REAL].websockets == 0)
        for recorder in came[::6]:
            assert door.pending.web_upgraded(recorder.transport) is None
            recorder.transport.owes_hello = False
        ports = {recorder.transport.peer[1] for recorder in came[::6]}
        members = [peer for peer in peers if peer.sock.getsockname()[1] in ports]
        for peer in peers:
            if peer not in members:
                peer.sock.close()
                door.bench.peers.remove(peer)
        for sock in ahead:
            sock.close()
        door.bench.until(lambda: door.limits.connections == 30)
    assert (door.failed, door.denied) == (0, [])
    assert door.limits._records[REAL].websockets == 30
    door.native()


def test_an_upgrade_counts_with_members_from_then_on(door: WebDoor) -> None:
    peer, recorder = door.browser()
    assert door.pending.web_begun(recorder.transport) is None, "it is one already"
    assert door.pending.web_upgraded(recorder.transport) is None
    assert door.pending.web_upgraded(recorder.transport) is None, "a second time changes nothing"
    record = door.limits._records[REAL]
    assert (record.web, record.websockets) == (0, 1)
    peer.sock.close()
    door.bench.peers.clear()
    door.bench.passes_until(lambda: recorder.lost is not None)
    assert door.failed == 1, "it owed a hello"


def test_a_client_without_alpn_that_shows_http_is_a_browser_from_then_on(door: WebDoor) -> None:
    peer = door.peer()
    door.bench.until(lambda: peer.shaken and bool(door.recorders) and door.recorders[0].transport.is_open)
    record = door.limits._records[REAL]
    assert (record.opened, record.web) == (1, 0)
    assert door.pending.web_upgraded(door.recorders[0].transport) is None
    assert record.websockets == 0, "no upgrade before HTTP"
    assert door.pending.web_begun(door.recorders[0].transport) is None
    assert (record.opened, record.web) == (0, 1)
    peer.sock.close()
    door.bench.peers.clear()
    door.bench.passes_until(lambda: door.recorders[0].lost is not None)
    assert door.failed == 0


def test_a_closed_one_is_not_counted_again(door: WebDoor) -> None:
    peer, recorder = door.native()
    peer.close_notify()
    door.bench.until(lambda: recorder.lost is not None)
    assert door.pending.web_begun(recorder.transport) is None
    assert door.pending._kinds == {}


@pytest.mark.parametrize("limits", [Limits(web_connections=3)])
def test_the_oldest_browser_goes_for_the_newest(door: WebDoor) -> None:
    recorders = [door.browser()[1] for _ in range(3)]
    _, native = door.native()
    assert door.pending.web_upgraded(recorders[0].transport) is None, "that makes room for one"
    recorders.append(door.browser()[1])
    assert [recorder.lost for recorder in recorders] == [None] * 4
    recorders.append(door.browser()[1])
    assert [recorder.lost is not None for recorder in recorders] == [False, True, False, False, False]
    assert recorders[1].lost == (CloseReason.LOCAL, "aborted")
    assert native.lost is None
    assert door.limits._records[REAL].web == 3


@pytest.mark.parametrize("limits", [Limits(accepts_per_pass=2)])
def test_browsers_leave_room_for_members(bench: Bench, certificate: Path) -> None:
    """From loopback, where no other cap holds."""
    door = WebDoor(bench, certificate, max_connections=8)
    for _ in range(20):
        door.browser()
    for _ in range(6):
        door.native()
    assert door.denied == []
    assert sum(recorder.lost is None for recorder in door.recorders[20:]) == 6
    door.listener.close()
    door.pending.close()


@pytest.mark.parametrize("limits", [Limits(half_open_handshakes=1)])
def test_one_that_waits_and_leaves_is_no_failure(door: WebDoor) -> None:
    door.limits.handshake_begun()
    peer = door.peer("http/1.1")
    peer.step()
    door.bench.passes_until(lambda: door.pending._waiting == 1)
    peer.sock.shutdown(socket.SHUT_WR)
    door.bench.clock.now += door.bench.limits.handshake_timeout_s
    door.bench.passes_until(lambda: door.limits.connections == 0)
    assert (door.failed, door.denied) == (0, [Denial.NO_PLACE])
    door.limits.half_open -= 1


@pytest.mark.parametrize("limits", [Limits(web_connection_burst=3)])
def test_who_comes_too_often_is_turned_away_before_tls(door: WebDoor) -> None:
    for _ in range(3):
        door.browser()
    late = door.peer("http/1.1")
    door.bench.until(lambda: late.end is not None)
    assert (door.denied, door.failed, len(door.recorders)) == ([Denial.WEB_RATE], 0, 3)
    door.native()


def test_a_plain_get_is_no_failure_where_browsers_are_served(door: WebDoor) -> None:
    for _ in range(40):
        with door.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            door.bench.passes_until(lambda: len(door.pending.plain_answers) == 1)
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert sock.recv(1_000) == ANSWER
        door.bench.passes_until(lambda: door.limits.connections == 0)
    assert (door.failed, door.denied, door.limits.remembered) == (0, [], 0)


class TestWithoutLowWaterMark:
    """As on Windows, where the selector cannot wait until a hello is complete."""

    @pytest.fixture(autouse=True)
    def _windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pending_connections, "_wake_at", lambda sock, size_bytes: False)

    def test_a_browsers_hello_in_two_segments_is_a_browsers(self, door: WebDoor) -> None:
        peer = door.peer("h2", "http/1.1")
        peer.step(at_most=300)
        door.bench.passes_until(lambda: len(door.pending) == 1 and not next(iter(door.pending._silent)).unheard)
        assert door.bench.loop._selector.select(0) == [], "it does not spin meanwhile"
        peer.step()
        door.bench.clock.now += PIECE_S
        door.bench.until(lambda: peer.shaken)
        assert door.offers == [("h2", "http/1.1")]

    def test_a_piece_that_stays_one_is_openssls_and_native(self, door: WebDoor) -> None:
        sock = door.connect()
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        door.bench.passes_until(lambda: len(door.pending) == 1 and not next(iter(door.pending._silent)).unheard)
        door.bench.clock.now += PIECE_S
        door.bench.passes_until(lambda: door.limits.half_open == 1)
        assert door.offers == [None]
        sock.close()
        door.bench.passes_until(lambda: door.limits.connections == 0)
        assert door.failed == 1

    def test_one_that_is_put_out_meanwhile_is_gone(self, door: WebDoor) -> None:
        sock = door.connect()
        sock.sendall(b"\x16\x03\x01\x02\x00")
        door.bench.passes_until(lambda: len(door.pending) == 1 and not next(iter(door.pending._silent)).unheard)
        assert door.pending.put_out_silent(1) == 1
        door.bench.clock.now += PIECE_S
        door.bench.loop.run_pass(0.01)
        assert (len(door.pending), door.limits.connections) == (0, 0)
        sock.close()

    def test_a_request_whose_rest_came_meanwhile_is_answered(self, door: WebDoor) -> None:
        sock = door.connect()
        sock.sendall(b"GE")
        door.bench.passes_until(lambda: len(door.pending) == 1 and not next(iter(door.pending._silent)).unheard)
        sock.sendall(b"T / HTTP/1.1\r\n\r\n")
        door.pending.heard(next(iter(door.pending._silent)))
        assert sock.recv(1_000) == ANSWER
        sock.close()
        door.bench.passes_until(lambda: door.limits.connections == 0)
