"""A connection that speaks HTTP: one answer after the other, deadlines, rates, the upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.limits import Limits
from securechat.net.interfaces import NullHandler
from securechat.server.web.connection import HttpConnection
from securechat.server.web.policy import SECURITY_HEADERS
from securechat.server.web.turns import REQUESTS_PER_PASS
from tests.support.web_connections import FakeLink

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: securechat.1",
)


class FakeSession(NullHandler):
    def __init__(self) -> None:
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data


def test_a_page_and_its_files_come_over_one_connection(web: Any) -> None:
    browser = web.connect()
    browser.get("/")
    page = browser.answer()
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert f"/w/{web.site.hash}/style.css".encode() in page.body
    browser.get(f"/w/{web.site.hash}/core/b.js")
    assert browser.answer().headers["content-type"] == "text/javascript; charset=utf-8"
    assert not browser.link.closed
    assert web.visits == ["9.9.9.9:5"]


def test_a_connection_owes_no_hello(web: Any) -> None:
    assert not web.connect().link.owes_hello


def test_a_visit_is_a_page_and_nothing_else(web: Any) -> None:
    browser = web.connect()
    browser.get("/", method="HEAD")
    browser.get("/nothing")
    browser.get("/sw.js")
    browser.get("/", "Origin: null")
    assert web.visits == []
    browser = web.connect()
    browser.get("/")
    (page,) = browser.answers()
    browser.get("/?from=mail", f"If-None-Match: {page.headers['etag']}")
    assert browser.answer().status == 304
    assert len(web.visits) == 2


@pytest.mark.parametrize(
    ("path", "headers", "status", "closed"),
    [
        ("/", (), 200, False),
        ("/nothing", (), 404, False),
        ("/w/0000000000000000/style.css", (), 404, False),
        ("/../../etc/passwd", (), 404, False),
        ("//etc/passwd", (), 404, False),
        ("/%2e%2e/etc/passwd", (), 404, False),
        ("/index.html", (), 404, False),
        ("/", ("Connection: close",), 200, True),
        ("/", ("Content-Length: 3",), 413, True),
        ("/", ("Origin: https://other.example",), 403, True),
        ("/", ("Origin: null",), 403, True),
        ("/", ("Origin: https://chat.example",), 200, False),
        ("/ws", (), 426, True),
        ("/ws", (*UPGRADE[:2], *UPGRADE[3:]), 426, True),
        ("/ws", UPGRADE[:4], 400, True),
        ("/ws", (*UPGRADE, "Content-Length: 3"), 413, True),
        ("/ws", (*UPGRADE, "Origin: https://chat.example:444"), 403, True),
    ],
)
def test_every_answer_has_the_rules_of_this_origin(
    web: Any, path: str, headers: tuple[str, ...], status: int, closed: bool
) -> None:
    browser = web.connect()
    browser.get(path, *headers)
    answer = browser.answer()
    assert answer.status == status
    assert browser.link.closed is closed
    for name, value in SECURITY_HEADERS:
        assert answer.headers[str(name).lower()] == value
    assert not answer.headers.keys() & {"set-cookie", "strict-transport-security", "server"}
    assert "date" in answer.headers
    assert ("connection" in answer.headers) is closed
    if status >= 400:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.body.count(b"\n") == 1
        for word in (b"etc", b"passwd", b"example"):
            assert word not in answer.body


@pytest.mark.parametrize("host", ["other.example", "chat.example.evil", "192.0.2.8", "[::1]", "localhost"])
def test_other_hosts_are_not_answered_for(web: Any, host: str) -> None:
    browser = web.connect()
    browser.get("/", host=host)
    assert browser.answer().status == 421


@pytest.mark.parametrize("host", ["chat.example", "CHAT.example.:8443", "chat.example:1", "192.0.2.9:8443"])
def test_our_hosts_are_answered_for_at_any_port(web: Any, host: str) -> None:
    browser = web.connect()
    browser.get("/", f"Origin: https://{host}", host=host)
    assert browser.answer().status == 200


def test_head_has_the_headers_of_get_alone(web: Any) -> None:
    browser = web.connect()
    browser.get("/")
    length = browser.answer().headers["content-length"]
    browser.get("/", method="HEAD")
    answer = browser.answer("HEAD")
    assert (answer.headers["content-length"], answer.body) == (length, b"")
    browser.get("/", method="HEAD", host="other")
    assert browser.answer("HEAD").status == 421


def test_errors_of_the_protocol_end_the_connection(web: Any) -> None:
    browser = web.connect()
    browser.send(b"GET / HTTP/1.1\nHost: chat.example\n\n")
    assert browser.answer().status == 400
    assert browser.link.closed
    browser.get("/")
    assert browser.answers() == []


def test_requests_that_come_together_are_answered_in_turn(web: Any) -> None:
    browser = web.connect()
    browser.send(b"GET /1 HTTP/1.1\r\nHost: chat.example\r\n\r\n" * 3)
    assert len(browser.answers()) == 1
    assert browser.link.paused
    web.run(0.01)
    assert len(browser.answers()) == 2
    assert not browser.link.paused
    browser.get("/")
    assert browser.answer().status == 200


def test_the_next_answer_waits_until_this_one_is_read(web: Any) -> None:
    browser = web.connect()
    browser.link.blocked = True
    browser.get("/")
    browser.connection.backlog_started()
    browser.get("/")
    web.run()
    assert len(browser.answers()) == 1
    assert browser.link.paused
    browser.link.queued_bytes = 0
    browser.connection.backlog_over()
    browser.connection.backlog_over()
    web.run()
    assert len(browser.answers()) == 1
    assert not browser.link.paused


def test_a_turn_that_comes_while_the_client_is_behind_is_passed_on(web: Any) -> None:
    browser = web.connect()
    browser.send(b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n" * 2)
    browser.connection.backlog_started()
    web.run(0.01)
    assert len(browser.answers()) == 1
    browser.connection.backlog_over()
    web.run(0.01)
    assert len(browser.answers()) == 1


def test_a_client_that_stops_reading_is_cut(web: Any) -> None:
    browser = web.connect()
    browser.link.blocked = True
    browser.get("/")
    browser.connection.backlog_started()
    browser.link.queued_bytes = 300
    web.run(web.limits.web_keep_alive_s)
    browser.link.queued_bytes = 200
    web.run(web.limits.web_keep_alive_s)
    assert not browser.link.closed
    web.run(web.limits.web_keep_alive_s)
    assert browser.link.aborted


def test_a_pass_has_only_so_many_answers(web: Any) -> None:
    browsers = [web.connect() for _ in range(3 * REQUESTS_PER_PASS)]
    now = web.now
    for browser in browsers:
        web.now = now
        browser.connection.data_received(b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n")
    assert sum(len(browser.answers()) for browser in browsers) == REQUESTS_PER_PASS
    assert [browser.link.paused for browser in browsers] == [False] * REQUESTS_PER_PASS + [True] * 2 * REQUESTS_PER_PASS
    web.run()
    assert [len(browser.answers()) for browser in browsers[REQUESTS_PER_PASS:]] == [1] * REQUESTS_PER_PASS + [0] * 16
    web.run()
    assert not any(browser.link.paused for browser in browsers)


def test_a_long_request_takes_the_turns_of_several(web: Any) -> None:
    """One of 8 KiB takes five times as long as most: sixteen of them held the loop for 30 ms."""
    browsers = [web.connect() for _ in range(REQUESTS_PER_PASS)]
    now = web.now
    for browser in browsers:
        web.now = now
        browser.connection.data_received(
            b"GET / HTTP/1.1\r\nHost: chat.example\r\nConnection: a%b\r\n\r\n" % (b"," * 8_000)
        )
    for answered in (4, 8, 12, 16):
        assert sum(not browser.link.paused for browser in browsers) == answered
        web.run()
    assert all(browser.answer().status == 200 for browser in browsers)


def test_who_has_waited_goes_before_who_comes(web: Any) -> None:
    browsers = [web.connect() for _ in range(2 * REQUESTS_PER_PASS)]
    newcomer = web.connect()
    now = web.now
    for browser in browsers:
        web.now = now
        browser.connection.data_received(b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n")
    newcomer.get("/")  # in the next pass, before the timers
    assert newcomer.answers() == []
    web.run()
    assert all(browser.answers() for browser in browsers)
    assert newcomer.answers() == []
    web.run()
    assert newcomer.answer().status == 200


def test_a_turn_that_raises_costs_nobody_elses(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    browsers = [web.connect() for _ in range(REQUESTS_PER_PASS + 2)]
    now = web.now
    for browser in browsers:
        web.now = now
        browser.connection.data_received(b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n")
    answers = iter([1, 0])
    monkeypatch.setattr(web.site, "answer", lambda *args, **more: b"%d" % (1 // next(answers)))
    web.turns._waiting.rotate()
    web.run()
    (failure,) = web.failures
    assert (type(failure.error), failure.owner) == (ZeroDivisionError, browsers[-2].link.label)
    assert browsers[-1].link.sent == b"1"
    assert browsers[-2].answer().status == 500
    web.failures.clear()


def test_a_bug_costs_the_connection(web: Any) -> None:
    browser = web.connect()
    browser.connection.fail()
    assert browser.answer().status == 500
    assert browser.link.closed


def test_after_so_many_requests_a_new_connection_is_wanted(web: Any) -> None:
    web.limits = Limits(web_requests_per_connection=2)
    browser = web.connect()
    browser.get("/")
    assert "connection" not in browser.answer().headers
    browser.get("/")
    assert browser.answer().headers["connection"] == "close"
    assert browser.link.closed


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_a_connection_that_was_opened_ahead_ends_without_a_word(web: Any) -> None:
    browser = web.connect()
    web.run(web.limits.web_keep_alive_s - 1)
    assert not browser.link.closed
    web.run(1)
    assert browser.link.closed
    assert browser.answers() == []


def test_slow_headers_are_an_error(web: Any) -> None:
    browser = web.connect()
    web.run(5)
    for byte in b"GET / HTTP":
        browser.send(bytes([byte]))
        web.run(web.limits.web_headers_s / 10)
    assert browser.answer().status == 408
    assert browser.link.closed


def test_every_request_has_its_own_time(web: Any) -> None:
    browser = web.connect()
    for _ in range(5):
        browser.send(b"GET / HTTP/1.1\r\n")
        web.run(web.limits.web_headers_s - 1)
        browser.send(b"Host: chat.example\r\n\r\n")
        web.run(web.limits.web_keep_alive_s - 1)
        assert browser.answer().status == 200


def test_a_part_of_the_next_request_has_its_time_too(web: Any) -> None:
    browser = web.connect()
    browser.send(b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\nGET")
    assert browser.answer().status == 200
    web.run(web.limits.web_headers_s)
    assert browser.answer().status == 408


def test_no_timer_is_left_of_a_connection_that_is_gone(web: Any) -> None:
    browser = web.connect()
    browser.get("/")
    browser.lost()
    assert all(timer.cancelled for timer in web.timers)


def test_a_connection_that_is_closed_before_it_begins_sets_no_timer(web: Any) -> None:
    link = FakeLink("9.9.9.9")
    connection = HttpConnection(link, web)
    connection.close()
    connection.handshake_done()
    assert web.timers == []


def test_the_end_of_the_server_is_the_end(web: Any) -> None:
    browser = web.connect()
    browser.connection.close()
    assert browser.link.closed
    browser.get("/")
    assert browser.answers() == []


# --- rates ------------------------------------------------------------------------------------------------------------


def test_over_the_rate_requests_wait_and_then_are_refused(web: Any) -> None:
    browsers = [web.connect() for _ in range(170)]
    for browser in browsers:
        browser.get("/")
    at_once = [answers[0] for browser in browsers if (answers := browser.answers())]
    refused = [answer for answer in at_once if answer.status == 429]
    assert 0 < len(refused) == sum(browser.link.closed for browser in browsers)
    assert all(5 < int(answer.headers["retry-after"]) < 8 for answer in refused)
    assert 60 <= len(at_once) - len(refused) <= 64
    web.run(5.2)
    later = [answer for browser in browsers for answer in browser.answers()]
    assert {answer.status for answer in later} == {200}
    assert len(at_once) + len(later) == len(browsers)
    other = web.connect("9.9.9.8")
    other.get("/")
    assert other.answer().status == 200


def test_a_classroom_that_opens_the_page_at_once_gets_it(web: Any) -> None:
    """Thirty phones behind one public address, six connections each, 35 files; five times in ten minutes."""
    for _ in range(5):
        phones = [[web.connect() for _ in range(6)] for _ in range(30)]
        for number in range(36):
            path = f"/w/{web.site.hash}/style.css" if number else "/"
            for phone in phones:
                phone[number % 6].get(path)
            web.run(0.02)
        web.run(10)
        statuses = [answer.status for phone in phones for browser in phone for answer in browser.answers()]
        assert statuses == [200] * (30 * 36)
        web.run(110)


# --- the upgrade ------------------------------------------------------------------------------------------------------


def test_an_upgrade_hands_over_what_came_behind_it(web: Any) -> None:
    web.session = session = FakeSession()
    browser = web.connect()
    lines = ["GET /ws HTTP/1.1", "Host: chat.example", "Origin: https://chat.example", *UPGRADE, "", ""]
    browser.send("\r\n".join(lines).encode() + b"\x81\x80behind")
    head = browser.link.sent
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"\r\nsec-websocket-protocol: securechat.1\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert b"ontent-Length" not in head
    assert web.upgrades == [b"\x81\x80behind"]
    browser.send(b"more")  # of the same read of the transport, which still calls the first handler
    assert session.received == b"more"
    assert all(timer.cancelled for timer in web.timers)
    assert web.visits == []


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_get_opens_a_websocket(web: Any, method: str) -> None:
    browser = web.connect()
    browser.get("/ws", *UPGRADE, method=method)
    assert browser.answer(method).status == 405
    assert web.upgrades == []


def test_other_upgrades_are_ignored(web: Any) -> None:
    browser = web.connect()
    browser.get("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert browser.answer().status == 200
