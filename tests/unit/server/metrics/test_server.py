"""The listener for metrics: what answers there, and what bad input costs. Over fake links, but for the address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from securechat.limits import Limits
from securechat.net.loop import Loop
from securechat.server.config.loading import ServerConfig
from securechat.server.metrics.server import (
    LocalHosts,
    MetricsSite,
    RequestRate,
)
from securechat.server.metrics.service import MetricsUnavailable, ServerMetrics
from securechat.server.readiness import Readiness
from securechat.server.web.rates import MOST_WAIT_S
from tests.support.web_connections import Browser, HealthyLog, Web


class FakeScraper:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[bytes | None], None]] = []

    def scrape(self, done: Callable[[bytes | None], None]) -> None:
        self.waiting.append(done)

    def made(self, text: bytes | None) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done(text)


class MetricsWeb(Web):
    """The web with the parts of a metrics server."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.scraper = FakeScraper()
        self.site = MetricsSite(self.scraper)  # type: ignore[arg-type]
        self.hosts = LocalHosts()  # type: ignore[assignment]
        self.rates = RequestRate(5, 1)  # type: ignore[assignment]
        self.socket_path = None


def local(web: Web) -> Browser:
    return web.connect("127.0.0.1")


def test_a_scrape_is_answered_when_its_text_is_made_and_the_connection_goes_on() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="127.0.0.1:9464")
    assert browser.link.sent == b""
    browser.get("/healthz", host="127.0.0.1:9464")  # it does not wait for the answer
    web.run()
    assert browser.link.sent == b"", "answers come in order"
    web.scraper.made(b"a 1\n")
    web.run()
    scrape, health = browser.answers()
    assert (scrape.status, scrape.body) == (200, b"a 1\n")
    assert scrape.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert scrape.headers["cache-control"] == "no-store"
    assert (health.status, health.body) == (200, b"ok\n")
    assert not browser.link.closed
    assert not browser.link.paused


def test_a_scrape_that_asks_for_the_end_gets_it() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", "Connection: close", host="localhost")
    web.scraper.made(b"a 1\n")
    assert browser.answer().headers["connection"] == "close"
    assert browser.link.closed


def test_head_has_the_length_alone() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="[::1]:9464", method="HEAD")
    web.scraper.made(b"a 1\n")
    answer = browser.answer("HEAD")
    assert (answer.body, answer.headers["content-length"]) == (b"", "4")


def test_a_text_that_could_not_be_made_is_an_error_of_the_server() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="localhost")
    web.scraper.made(None)
    assert browser.answer().status == 500


def test_a_text_that_takes_too_long_is_not_waited_for() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="localhost")
    web.run(web.limits.web_headers_s + 1)
    assert browser.answer().status == 503
    assert browser.link.closed
    web.scraper.made(b"too late")
    assert browser.link.sent == b""


def test_a_scraper_that_has_gone_gets_nothing() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="localhost")
    browser.lost()
    web.scraper.made(b"a 1\n")
    assert browser.link.sent == b""
    web.run(1_000)


def test_a_scraper_that_has_not_read_the_last_answer_waits_for_the_next() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host="localhost")
    browser.connection.backlog_started()  # of an answer before
    browser.connection.backlog_over()
    web.run()
    web.scraper.made(b"a 1\n")
    assert browser.answer().body == b"a 1\n"


@pytest.mark.parametrize("host", ["rebound.example", "chat.example:9464", "localhost.example"])
def test_a_name_other_than_localhost_is_not_answered(host: str) -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", host=host)
    assert browser.answer().status == 421
    assert web.scraper.waiting == []


def test_a_page_may_not_ask() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.get("/metrics", "Origin: http://127.0.0.1:9464", host="127.0.0.1:9464")
    assert browser.answer().status == 403


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"FETCH /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 505),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /" + b"x" * 9_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000, 431),
        (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 404),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ],
)
def test_bad_input_is_a_clear_error(request_bytes: bytes, status: int) -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.send(request_bytes)
    assert browser.link.sent.startswith(b"HTTP/1.1 %d " % status)
    assert web.scraper.waiting == []
    assert browser.link.closed == (status != 404)


def test_a_slow_head_has_its_deadline() -> None:
    web = MetricsWeb()
    browser = local(web)
    browser.send(b"GET /metr")
    web.run(web.limits.web_headers_s + 1)
    assert browser.link.sent.startswith(b"HTTP/1.1 408 ")
    assert browser.link.closed


def test_all_requests_together_have_one_rate() -> None:
    rate = RequestRate(5, 1)
    waits = [rate.take(f"127.0.0.{number}", 1, 10.0) for number in range(20)]
    assert waits[:5] == [0] * 5
    assert waits[5] == pytest.approx(1)
    assert max(waits) == waits[-1] > MOST_WAIT_S, "refused, and not counted"
    assert rate.take("127.0.0.1", 1, 10.0) == waits[-1]
    assert rate.take("127.0.0.1", 1, 30.0) == 0


def _metrics(config: ServerConfig, loop: Loop) -> ServerMetrics:
    nothing: Any = None
    return ServerMetrics(config, loop, Readiness(HealthyLog()), *[nothing] * 7)


def test_an_address_in_use_is_told_with_a_remedy() -> None:
    loop = Loop(Limits())
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = ServerConfig(metrics=f"127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(MetricsUnavailable, match=r"another program uses it; choose another port with --metrics"):
            _metrics(config, loop).listen()
    loop.close()


def test_a_missing_library_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securechat.server.metrics.service.find_spec", lambda _name: None)
    loop = Loop(Limits())
    with pytest.raises(MetricsUnavailable, match="prometheus-client, which is not installed"):
        _metrics(ServerConfig(metrics="127.0.0.1:0"), loop).listen()
    loop.close()
