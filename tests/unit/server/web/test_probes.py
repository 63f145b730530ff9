"""Probes answer under any host, in short, and tell nothing but the state."""

from __future__ import annotations

import pytest

from securechat.server.readiness import ServerPhase
from tests.support.web_connections import Web


@pytest.mark.parametrize("host", ["chat.example", "10.1.2.3:8443", "[::1]", "elsewhere.example"])
@pytest.mark.parametrize(
    ("path", "body"), [("/healthz", b"ok\n"), ("/readyz", b"ready\n"), ("/readyz?x=1", b"ready\n")]
)
def test_a_probe_is_answered_under_any_host(web: Web, host: str, path: str, body: bytes) -> None:
    browser = web.connect()
    browser.get(path, host=host)
    answer = browser.answer()
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/plain")
    assert "set-cookie" not in answer.headers
    assert not browser.link.closed, "a load balancer keeps its connection"


def test_one_that_is_not_ready_says_why(web: Web) -> None:
    browser = web.connect()
    web.log.disk_full = True
    browser.get("/readyz")
    answer = browser.answer()
    assert (answer.status, answer.body) == (503, b"not ready: the disk is full, and new messages are refused\n")
    browser.get("/healthz")
    assert browser.answer().status == 200, "a restart frees no disk"
    web.log.disk_full = False
    web.readiness.phase = ServerPhase.STOPPING
    browser.get("/readyz")
    assert browser.answer().body == b"not ready: the server is stopping\n"


def test_head_has_no_body(web: Web) -> None:
    browser = web.connect()
    browser.get("/readyz", method="HEAD")
    answer = browser.answer("HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(b"ready\n"))


def test_other_methods_are_refused(web: Web) -> None:
    browser = web.connect()
    browser.get("/readyz", method="POST")
    assert browser.answer().status == 405


def test_probes_count_against_the_rate_of_their_address(web: Web) -> None:
    browser = web.connect()
    for _ in range(100):
        browser.get("/healthz")
        web.run()
    assert sum(answer.status == 200 for answer in browser.answers()) < 100
