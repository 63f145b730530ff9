"""A connection of a program: judged by the head, bodies in time, one request at a time, answered before a stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.net.interfaces import NullHandler
from securechat.net.socket_options import CloseReason
from securechat.server.web.programs import ProgramAnswer, ProgramPrefixes, StreamAnswer
from securechat.server.web.site import Answering, sentence
from securechat.wire.http import HEAD_BYTES, HttpError, Request, response_head


class HeldExchange:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.body: bytes | None = None
        self.abandoned = False
        self.done: Callable[[ProgramAnswer], None] = lambda _: None

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:
        self.body, self.done = body, done

    def abandon(self) -> None:
        self.abandoned = True


class EchoExchange(HeldExchange):
    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:
        self.body = body
        done(sentence(201, body.decode()))


class FakePaths:
    """Takes every request, but those that have a token or a bad word in their path."""

    def __init__(self) -> None:
        self.begun: list[HeldExchange] = []
        self.known = False
        self.kind = EchoExchange
        self.addresses: list[str] = []
        self.most_bytes = 100
        self.is_prepared = False

    def prepare(self) -> None:
        self.is_prepared = True

    def most_body(self, path: str, method: str) -> int:
        return self.most_bytes

    def expect_no_secret(self, request: Request) -> None:
        if "token=" in request.target:
            raise HttpError(400, "no secret")

    def is_known(self, request: Request) -> bool:
        return self.known

    def begin(self, request: Request, address: str) -> HeldExchange:
        if "bad" in request.path:
            raise HttpError(404, "bad word")
        self.addresses.append(address)
        self.begun.append(self.kind(request))
        return self.begun[-1]

    def error_answer(self, error: HttpError) -> Answering:
        return sentence(error.status, f"problem: {error.sentence}")


@pytest.fixture
def paths(web: Any) -> FakePaths:
    paths = FakePaths()
    web.programs = ProgramPrefixes({"/api/": paths})
    return paths


def post(path: str = "/api/x", *headers: str, body: bytes = b"hello", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    lines = (f"POST {path} HTTP/1.1", "Host: chat.example", f"Content-Length: {length}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_a_body_is_received_whole(web: Any, paths: FakePaths, size: int) -> None:
    browser = web.connect()
    data = post() + post(body=b"again")
    for start in range(0, len(data), size):
        browser.send(data[start : start + size])
        web.run()
    assert [(answer.status, answer.body) for answer in browser.answers()] == [(201, b"hello\n"), (201, b"again\n")]
    assert paths.addresses == ["9.9.9.9", "9.9.9.9"]
    assert not browser.link.closed


def test_a_pass_has_only_so_many_bytes_of_bodies(web: Any, paths: FakePaths) -> None:
    """The dearest body of 64 KiB takes 5 ms: 120 that came at once held the loop for 200 ms."""
    paths.most_bytes = 65_536
    programs = [web.connect() for _ in range(4)]
    small = web.connect()
    ended = web.connect()
    now = web.now
    for program in (*programs, ended):
        program.send(post(length=65_536, body=b"x" * 65_000))
        web.run()
    now = web.now
    for program in (*programs, ended):
        web.now = now
        program.connection.data_received(b"x" * 536)
    web.now = now
    small.send(post())
    assert small.answer().status == 201
    assert [len(program.answers()) for program in programs] == [1, 0, 0, 0]
    assert programs[1].connection.is_answering
    ended.connection.connection_lost(CloseReason.RESET, "")
    for answered in (2, 3, 4):
        web.run()
        assert sum(len(exchange.body or b"") == 65_536 for exchange in paths.begun) == answered
    web.run()
    assert [len(program.answers()) for program in programs[1:]] == [1, 1, 1]
    programs[0].send(post())
    assert programs[0].answer().status == 201


@pytest.mark.parametrize("head", [b"GET /x", b"GET /?/api/", b"GET ", b'"/api/ /api/', b"GET  /api/"])
def test_a_head_that_is_too_long_elsewhere_is_refused_by_the_page(web: Any, paths: FakePaths, head: bytes) -> None:
    browser = web.connect()
    browser.send(head + b"x" * HEAD_BYTES)
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (414, True)
    assert b"problem" not in answer.body
    assert not paths.begun


def test_the_page_stays_as_it_was(web: Any, paths: FakePaths) -> None:
    browser = web.connect()
    browser.get("/")
    assert browser.answer().status == 200
    browser.send(post("/"))
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (413, True)
    assert b"problem" not in answer.body
    assert not paths.begun


@pytest.mark.parametrize("path", ["/api", "/ap/x", "/apis/x", "/x/api/", "/hooks/x"])
def test_paths_beside_it_are_the_pages(web: Any, paths: FakePaths, path: str) -> None:
    browser = web.connect()
    browser.get(path)
    assert browser.answer().status == 404
    assert not paths.begun


@pytest.mark.parametrize(
    ("data", "status", "closed"),
    [
        pytest.param(post("/api/bad"), 404, False, id="refused, and the body is here"),
        pytest.param(post("/api/bad", body=b"he", length=5), 404, True, id="refused, and the body is not here"),
        pytest.param(post("/api/bad", "Expect: 100-continue", body=b"", length=5), 404, True, id="no upload"),
        pytest.param(post("/api/bad", "Expect: 100-continue"), 404, True, id="the client did not wait"),
        pytest.param(post(length=101), 413, True, id="too long"),
        pytest.param(b"GET /api/" + b"x" * HEAD_BYTES, 414, True, id="a long path"),
        pytest.param(b"GET /api/x?" + b"x" * HEAD_BYTES, 414, True, id="a long query"),
        pytest.param(b"GET /api/x HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES, 431, True, id="a long header"),
        pytest.param(b"GET /api/x HTTP/1.1\r\nA: \0", 400, True, id="a character that none may have"),
        pytest.param(post("/api/x?token=1"), 400, False, id="a secret in the query"),
        pytest.param(post("/api/x?token=1", "Origin: https://other.example"), 400, False, id="the secret comes first"),
        pytest.param(post("/api/x", "Origin: https://other.example"), 403, False, id="another page"),
        pytest.param(post().replace(b"chat.example", b"other.example"), 421, False, id="another host"),
    ],
)
def test_a_refusal_is_formed_by_the_api_and_leaves_no_body(
    web: Any, paths: FakePaths, data: bytes, status: int, closed: bool
) -> None:
    browser = web.connect()
    browser.send(data)
    answer = browser.answer()
    assert answer.status == status
    assert answer.body.startswith(b"problem: ")
    assert browser.link.closed is closed
    assert not paths.begun
    if not closed:
        browser.send(post())
        assert browser.answer().status == 201


def test_who_waits_to_be_told_is_told_to_go_on(web: Any, paths: FakePaths) -> None:
    browser = web.connect()
    browser.send(post("/api/x", "Expect: 100-continue", body=b"", length=5))
    assert browser.link.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    browser.link.sent = b""
    browser.send(b"hello")
    assert browser.answer().body == b"hello\n"


def test_who_does_not_wait_is_not_told(web: Any, paths: FakePaths) -> None:
    browser = web.connect()
    browser.send(post("/api/x", "Expect: 100-continue"))
    assert browser.answer().status == 201


@pytest.mark.parametrize("pieces", [[post(body=b"he", length=5)], [post()[:30], post()[30:-2]]])
def test_a_slow_body_has_a_deadline(web: Any, paths: FakePaths, pieces: list[bytes]) -> None:
    browser = web.connect()
    for piece in pieces:
        browser.send(piece)
    web.run(web.limits.api_body_s - 0.5)
    browser.send(b"l")  # a byte more is no more time
    assert browser.link.sent == b""
    web.run(1)
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (408, True)
    assert answer.body.startswith(b"problem: ")
    assert paths.begun[0].abandoned


def test_a_cut_body_is_no_request(web: Any, paths: FakePaths) -> None:
    browser = web.connect()
    browser.send(post(body=b"he", length=5))
    browser.lost()
    assert paths.begun[0].body is None
    assert paths.begun[0].abandoned
    web.run(100)
    assert browser.link.sent == b""


def test_an_answer_that_does_not_come_is_an_error(web: Any, paths: FakePaths) -> None:
    paths.kind = HeldExchange
    browser = web.connect()
    browser.send(post())
    web.run(web.limits.api_answer_s + 1)
    assert browser.answer().status == 503
    assert browser.link.closed
    assert paths.begun[0].abandoned
    paths.begun[0].done(sentence(201, "late"))
    assert browser.link.sent == b""


def test_a_request_behind_an_open_one_waits(web: Any, paths: FakePaths) -> None:
    paths.kind = HeldExchange
    browser = web.connect()
    browser.send(post(body=b"one"))
    assert not browser.link.paused
    browser.send(post(body=b"two"))
    assert browser.link.paused
    (first,) = paths.begun
    first.done(sentence(201, "first"))
    web.run()
    _, second = paths.begun
    assert second.body == b"two"
    assert browser.answer().body == b"first\n"
    second.done(sentence(201, "second"))
    assert browser.answer().body == b"second\n"
    assert not browser.link.paused


def test_a_stop_answers_what_has_come_whole(web: Any, paths: FakePaths) -> None:
    paths.kind = HeldExchange
    open_one, half = web.connect(), web.connect()
    open_one.send(post())
    half.send(post(body=b"he", length=5))
    for browser in (open_one, half):
        browser.connection.close()
    assert (open_one.link.closed, half.link.closed) == (False, True)
    assert open_one.connection.is_answering
    paths.begun[0].done(sentence(201, "stored"))
    answer = open_one.answer()
    assert (answer.status, answer.headers["connection"]) == (201, "close")
    assert open_one.link.closed
    assert not open_one.connection.is_answering


def test_programs_keep_their_connections(web: Any, paths: FakePaths) -> None:
    browser = web.connect()
    for _ in range(web.limits.web_requests_per_connection + 5):
        browser.send(post())
        web.run(0.1)
    assert not browser.link.closed
    assert {answer.status for answer in browser.answers()} == {201}


def test_a_known_token_is_not_paced_with_the_pages_of_its_address(web: Any, paths: FakePaths) -> None:
    paths.known = True
    browser = web.connect()
    for _ in range(int(web.limits.web_request_burst * 3)):
        browser.send(post())
    web.run(0.01)
    assert len(browser.answers()) == web.limits.web_request_burst * 3
    assert len(web.of_programs) == 1


def test_an_unknown_token_is_paced(web: Any, paths: FakePaths) -> None:
    browsers = [web.connect() for _ in range(int(web.limits.web_request_burst * 4))]
    for browser in browsers:
        browser.send(post())
    web.run(0.01)
    refused = [browser for browser in browsers if b" 429 " in browser.link.sent]
    assert refused
    assert refused[0].answer().body.startswith(b"problem: ")
    assert len(web.of_programs) == 0


def test_one_program_too_many_is_refused(web: Any, paths: FakePaths) -> None:
    paths.known = True
    web.most_programs = 1
    first, second = web.connect(), web.connect()
    first.send(post())
    second.send(post())
    assert first.answer().status == 201
    assert second.answer().status == 503
    first.send(post())
    assert first.answer().status == 201


class FakeStream(NullHandler):
    def __init__(self) -> None:
        self.calls: list[object] = []

    def handshake_done(self) -> None:
        self.calls.append("begin")

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)

    def backlog_started(self) -> None:
        self.calls.append("behind")

    def backlog_over(self) -> None:
        self.calls.append("read")

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        self.calls.append(reason)


def test_a_stream_goes_on_behind_its_head(web: Any, paths: FakePaths) -> None:
    paths.kind = HeldExchange
    browser, stream = web.connect(), FakeStream()
    browser.get("/api/events")
    links = []
    head = response_head(200, ())
    paths.begun[0].done(StreamAnswer(head, lambda link: links.append(link) or stream))
    links[0].write(b"event")
    assert browser.link.sent.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert browser.link.sent.endswith(b"\r\nConnection: close\r\n\r\nevent")
    web.run(1000)
    assert not browser.link.closed
    browser.send(b"more")
    browser.connection.backlog_started()
    browser.connection.backlog_over()
    assert browser.connection.is_answering
    browser.connection.close()
    assert not browser.link.closed, "a server that stops lets the stream say why"
    browser.lost()
    assert stream.calls == ["begin", b"more", "behind", "read", CloseReason.PEER_CLOSED]


def test_a_stream_counts_as_a_program_though_its_token_was_new(web: Any, paths: FakePaths) -> None:
    paths.kind = HeldExchange
    opened = []
    web.most_programs = 1
    for _ in range(2):
        browser = web.connect()
        browser.get("/api/events")
        paths.begun[-1].done(StreamAnswer(response_head(200, ()), lambda link: opened.append(link) or FakeStream()))
    assert browser.link.sent.startswith(b"HTTP/1.1 503 ")
    assert len(opened) == 1
