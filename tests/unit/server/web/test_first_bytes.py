"""A connection without ALPN: its first bytes choose, and nothing of them is lost."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.containment import owner_of
from securechat.net.interfaces import NullHandler
from securechat.net.socket_options import CloseReason
from securechat.server.web.first_bytes import FirstBytes


class Handler(NullHandler):
    def __init__(self) -> None:
        self.calls: list[object] = []

    def handshake_done(self) -> None:
        self.calls.append("handshake")

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        self.calls.append(reason)


class Case:
    def __init__(self, web: Any) -> None:
        self.web, self.http, self.other, self.over = web, Handler(), Handler(), 0
        self.link = web.connect().link
        self.link.hand_over = self.handed_over
        self.handlers: list[object] = []
        self.first = FirstBytes(
            self.link, web, 10.0, web=lambda _: self.http, other=lambda _: self.other, on_over=self.count
        )

    def handed_over(self, handler: object) -> None:
        self.handlers.append(handler)

    def count(self, first: FirstBytes) -> None:
        self.over += 1


@pytest.fixture
def case(web: Any) -> Case:
    return Case(web)


@pytest.mark.parametrize(
    "pieces", [[b"GET / HTTP/1.1"], [b"G", b"E", b"T", b" /"], [b"HEA", b"D /"], [b"PO", b"ST /"], [b"PATC", b"H /"]]
)
def test_http_is_known_by_its_method(case: Case, pieces: list[bytes]) -> None:
    case.first.handshake_done()
    for piece in pieces:
        case.first.data_received(piece)
    case.first.data_received(b"more")  # the transport still calls the first handler
    assert case.handlers == [case.http]
    assert case.http.calls == ["handshake", b"".join(pieces), b"more"]
    assert (case.other.calls, case.over) == ([], 1)


@pytest.mark.parametrize("data", [b"\0\0\0\x05", b"GETX", b"get /", b"BREW / HTTP/1.1", b"NICK a"])
def test_everything_else_is_not_http(case: Case, data: bytes) -> None:
    case.first.handshake_done()
    case.first.data_received(data)
    assert case.other.calls == ["handshake", data]
    assert case.http.calls == []


def test_silence_is_not_http(case: Case) -> None:
    case.first.handshake_done()
    case.first.data_received(b"GE")
    case.web.run(10)
    assert case.other.calls == ["handshake", b"GE"]


def test_what_its_deadline_raises_costs_that_connection(case: Case) -> None:
    case.first.handshake_done()
    assert owner_of(case.web.timers[-1].callback) is case.first


def test_a_handshake_that_fails_is_told_as_any_others(case: Case) -> None:
    case.first.connection_lost(CloseReason.TLS_ERROR, "")
    assert case.other.calls == [CloseReason.TLS_ERROR]


@pytest.mark.parametrize("closes", [True, False])
def test_who_says_nothing_is_not_told_of(case: Case, closes: bool) -> None:
    case.first.handshake_done()
    if closes:
        case.first.close()
        assert case.link.closed
    case.first.connection_lost(CloseReason.PEER_CLOSED, "")
    assert case.other.calls == case.http.calls == []
    assert case.over
    assert [timer for timer in case.web.timers if not timer.cancelled and timer.callback.__name__ == "<lambda>"] == []
