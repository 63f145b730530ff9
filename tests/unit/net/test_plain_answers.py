"""A browser that comes without TLS reads one fixed text and is gone; no other client is told anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from securechat.limits import Limits
from securechat.net import plain_answers
from securechat.net.connection_limits import Denial
from securechat.net.plain_answers import MOST_ANSWER_BYTES, PlainAnswers

from .conftest import Bench
from .test_listener import Door

ANSWER = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://chat.example:7000/\r\nConnection: close\r\n\r\n"


@pytest.fixture
def door(bench: Bench) -> Iterator[Door]:
    made = Door(bench, plain_answer=ANSWER)
    yield made
    made.listener.close()
    made.pending.close()
    assert made.admission.connections == made.admission.half_open == 0


def _connected(door: Door) -> socket.socket:
    return socket.create_connection(door.listener.address[:2], 10)


def _read(door: Door, sock: socket.socket) -> bytes:
    """All that comes until this side's end of it."""
    sock.setblocking(False)
    came = b""
    ended = False

    def is_over() -> bool:
        nonlocal came, ended
        try:
            data = sock.recv(4096)
        except BlockingIOError:
            return False
        came, ended = came + data, not data
        return ended

    door.bench.passes_until(is_over)
    return came


@pytest.mark.parametrize("pieces", [[b"GET / HTTP/1.1\r\nHost: secret\r\n\r\n"], [b"G", b"E", b"T", b" /"], [b"GET "]])
def test_a_get_is_answered_and_closed(door: Door, pieces: list[bytes]) -> None:
    sock = _connected(door)
    for piece in pieces:
        sock.sendall(piece)
        door.bench.loop.run_pass(0.01)
    assert _read(door, sock) == ANSWER
    sock.close()
    door.bench.passes_until(lambda: door.admission.connections == 0)
    assert (door.denied, door.contexts, door.recorders) == ([], 0, [])


def test_a_long_request_is_discarded_and_costs_no_answer(door: Door) -> None:
    sock = _connected(door)
    sock.sendall(b"GET /" + b"x" * 20_000)
    assert _read(door, sock) == ANSWER
    sock.sendall(b"y" * 20_000)
    door.bench.passes_until(lambda: door.admission.connections == 1)
    sock.close()
    door.bench.passes_until(lambda: door.admission.connections == 0)


@pytest.mark.parametrize(
    "begin",
    [
        b"HEAD / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"GETS / HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0",
    ],
)
def test_other_plain_text_is_closed_without_a_word_of_http(door: Door, begin: bytes) -> None:
    sock = _connected(door)
    sock.sendall(begin)
    came = _read(door, sock)
    assert came == b"" or came[0] == 0x15, "at most OpenSSL's alert"
    assert b"HTTP" not in came
    sock.close()
    door.bench.passes_until(lambda: door.admission.connections == 0)


def test_without_an_answer_it_is_closed_as_the_others(bench: Bench) -> None:
    door = Door(bench)
    sock = _connected(door)
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert b"HTTP" not in _read(door, sock)
    sock.close()
    door.listener.close()


@pytest.mark.parametrize("limits", [Limits(lingering_close_bytes=8_192)])
def test_who_goes_on_sending_is_cut(door: Door) -> None:
    sock = _connected(door)
    sock.sendall(b"GET /" + b"x" * 10_000)
    door.bench.passes_until(lambda: len(door.pending.plain_answers) == 1)
    door.bench.passes_until(lambda: door.admission.connections == 0)
    sock.close()


def test_who_stays_is_closed_after_a_while(door: Door) -> None:
    sock = _connected(door)
    sock.sendall(b"GET / ")
    door.bench.passes_until(lambda: len(door.pending.plain_answers) == 1)
    door.bench.clock.now += door.bench.limits.lingering_close_s
    door.bench.passes_until(lambda: door.admission.connections == 0)
    sock.close()


def test_of_many_the_first_one_goes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_answers, "MOST_LINGERING", 2)
    socks = []
    for count in range(4):
        socks.append(_connected(door))
        socks[-1].sendall(b"GET / ")
        door.bench.passes_until(lambda count=count: door.admission.connections + max(0, count - 1) == count + 1)  # type: ignore[misc]
        door.bench.passes_until(lambda: len(door.pending) == 0)
    assert len(door.pending.plain_answers) == 2
    for sock in socks:
        assert _read(door, sock) == ANSWER
        sock.close()


def test_a_full_server_closes_an_answered_one_for_a_newcomer(bench: Bench) -> None:
    door = Door(bench, max_connections=1, plain_answer=ANSWER)
    sock = _connected(door)
    sock.sendall(b"GET / ")
    bench.passes_until(lambda: len(door.pending.plain_answers) == 1)
    guest = door.knock()
    bench.until(lambda: guest.shaken)
    assert door.denied == []
    sock.close()
    door.listener.close()
    door.pending.close()


def test_an_answered_one_has_failed_no_hello(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securechat.net.connection_limits.is_loopback", lambda key: False)
    for _ in range(40):
        sock = _connected(door)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _read(door, sock) == ANSWER
        sock.close()
        door.bench.passes_until(lambda: door.admission.connections == 0)
    assert door.denied == []
    assert door.admission.remembered == 0


def test_a_client_that_is_gone_already_is_no_error(door: Door) -> None:
    sock = _connected(door)
    sock.sendall(b"GET / ")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    sock.close()
    door.bench.passes_until(lambda: door.admission.connections == 0 and len(door.pending) == 0)
    assert {denial for _, denial in door.denied} <= {Denial.SILENT}


def test_a_text_too_long_to_leave_at_once_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="at most"):
        PlainAnswers(bench.loop, bytes(MOST_ANSWER_BYTES + 1), lambda address: None)
