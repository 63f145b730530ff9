"""A bug costs one connection or one request; the few that stop the server tell everybody first."""

from __future__ import annotations

import http.client
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from securechat.containment import FAILURE_KINDS
from securechat.errors import ErrorCode
from securechat.model import History, Message, Nick, Quit, Refused, Register
from securechat.wire.websocket import CLOSE_CODES
from tests.e2e.conftest import Connect
from tests.e2e.test_metrics import METRICS_ON, address_of, scrape
from tests.e2e.test_websocket import Client
from tests.support.native import NativeClient
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

PLANTED = (sys.executable, "-m", "tests.support.planted")


@pytest.fixture(scope="module")
def buggy(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server with planted bugs for all that it must survive."""
    data = tmp_path_factory.mktemp("buggy") / "data"
    with ServerProcess(certs, data, *METRICS_ON, prefix=PLANTED).start() as process:
        yield process


@pytest.fixture
def witness(buggy: ServerProcess, connect: Connect) -> Iterator[NativeClient]:
    """A member who must not notice anything."""
    member = connect(buggy, "witness")
    yield member
    acked = member.say_acked("still here")
    member.wait_for(Message, lambda message: message.seq == acked.seq)
    member.send(Quit())
    member.read_to_end()


def _failure(server: ServerProcess, kind: str, owner: str) -> str:
    """The text of the one line about a failure of this owner; others of the same kind are of other tests."""

    def found() -> list[dict[str, Any]]:
        return [event for event in server.events() if event["event"] == "error" and owner in event["owner"]]

    lines = wait_until(found, f"an error of {owner}")
    assert len(lines) == 1, lines
    assert lines[0]["kind"] == kind
    text = lines[0]["text"]
    assert isinstance(text, str)
    return text


def _closed_by(client: NativeClient) -> None:
    words = client.last_words()
    assert words.code is ErrorCode.INTERNAL
    assert words.text.endswith("Connect again")


def _where(client: NativeClient) -> str:
    host, port = client.sock.getsockname()[:2]
    return f"{host}:{port}"


@pytest.mark.parametrize(("name", "kind"), [("posted", "completion"), ("timed", "timer"), ("flushed", "before_flush")])
def test_a_callback_that_raises_costs_the_connection_it_belongs_to(
    buggy: ServerProcess, connect: Connect, witness: NativeClient, name: str, kind: str
) -> None:
    client = connect(buggy, f"before-{name}")
    where = _where(client)
    client.send(Nick(ref=7, name=name))
    _closed_by(client)
    text = _failure(buggy, kind, where)
    assert "Traceback" in text
    assert "planted.py" in text
    assert "Planted" in text
    buggy.wait_for_event("disconnected", reason="internal", address=where)


@pytest.mark.parametrize("name", ["posted", "timed", "flushed"])
def test_a_callback_that_raises_costs_the_websocket_it_belongs_to(
    buggy: ServerProcess, witness: NativeClient, name: str
) -> None:
    client = Client(buggy)
    try:
        client.enter(f"web-{name}")
        host, port = client.socket.local_address[:2]
        client.send(t="nick", ref=7, name=f"{name} page")
        assert client.wait("closing")["code"] == "internal"
        assert client.end() == (CLOSE_CODES[ErrorCode.INTERNAL], "internal")
    finally:
        client.close()
    buggy.wait_for_event("disconnected", reason="internal", address=f"{host}:{port}")


def test_what_was_contained_is_counted(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", *METRICS_ON, prefix=PLANTED).start() as server:
        for name in ("posted", "timed", "flushed", "posted again"):
            client = connect(server, f"before {name}")
            client.send(Nick(ref=7, name=name))
            _closed_by(client)
        with closing(_browser(server)) as browser:
            browser.request("GET", "/read")
            assert browser.getresponse().status == 500
        metric = "securechat_internal_errors_total"
        counted = wait_until(
            lambda: (found := scrape(server)).sum(metric) == 5 and found, "all five in a text of the metrics"
        )
        wanted = {"completion": 2, "timer": 1, "before_flush": 1, "read": 1}
        assert {kind: counted(metric, kind=kind) for kind in FAILURE_KINDS} == dict.fromkeys(FAILURE_KINDS, 0) | wanted


def _browser(server: ServerProcess) -> http.client.HTTPConnection:
    context = ssl.create_default_context(cafile=str(server.ca))
    context.set_alpn_protocols(["http/1.1"])
    return http.client.HTTPSConnection(server.host, server.port, timeout=PATIENCE_S, context=context)


def _scraper(server: ServerProcess) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address_of(server), timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("come", "path"),
    [
        (_browser, "/read"),
        (_browser, "/timed"),
        (_scraper, "/read"),
        (_scraper, "/timed"),
        (_scraper, "/metrics?made"),
    ],
    ids=["page", "deadline of a page", "scrape", "deadline of a scrape", "text of a scrape"],
)
def test_a_request_that_raises_costs_its_connection_and_no_other(
    buggy: ServerProcess,
    witness: NativeClient,
    come: Callable[[ServerProcess], http.client.HTTPConnection],
    path: str,
) -> None:
    with closing(come(buggy)) as other, closing(come(buggy)) as unlucky:
        other.request("GET", "/healthz")
        assert other.getresponse().read() == b"ok\n"
        unlucky.request("GET", path)
        answer = unlucky.getresponse()
        assert (answer.status, answer.getheader("Connection")) in [(500, "close"), (404, None)]
        answer.read()
        while unlucky.sock is not None and unlucky.sock.recv(65_536):  # a deadline comes behind the answer
            pass
        other.request("GET", "/healthz")
        assert other.getresponse().read() == b"ok\n"


def test_a_completion_of_the_log_that_raises_spares_the_rest_of_its_batch(
    buggy: ServerProcess, connect: Connect, witness: NativeClient
) -> None:
    """The message itself is stored: it is told, and acknowledged when it comes again."""
    client = connect(buggy, "acked")
    where = _where(client)
    client_id = client.say("it is stored")
    _closed_by(client)
    witness.wait_for_text("it is stored")
    assert "MemoryError" in _failure(buggy, "completion", where)
    back = connect(buggy, secret=client.secret)
    assert back.hello("other").last_client_id == client_id


def test_a_question_whose_answer_raises_is_refused_and_the_connection_goes_on(
    buggy: ServerProcess, connect: Connect, witness: NativeClient
) -> None:
    client = connect(buggy, "curious")
    client.join("page")
    client.say_acked("something to read", "page")
    for ref in (70, 71):
        client.send(History(ref=ref, room="page", after=0))
        refused = client.wait_for(Refused, lambda event, ref=ref: event.ref == ref)  # type: ignore[misc]
        assert refused.code is ErrorCode.INTERNAL
    assert client.history("lobby") is not None
    assert "RecursionError" in _failure(buggy, "completion", f"{_where(client)} history")


def _says(text: str) -> Callable[[ServerProcess, NativeClient], None]:
    return lambda _, client: client.say(text) and None


def _registers(_: ServerProcess, client: NativeClient) -> None:
    client.send(Nick(ref=7, name="applied"))
    client.send(Register(ref=8, password="correct horse battery"))


def _renames(_: ServerProcess, client: NativeClient) -> None:
    client.send(Nick(ref=7, name="loop"))


def _is_told_to_stop(server: ServerProcess, client: NativeClient) -> None:
    client.send(Nick(ref=7, name="drain"))
    server.wait_for_event("renamed", name="drain")
    server.signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("act", "task"),
    [
        (_says("fan out"), "telling what was committed"),
        (_says("hand over"), "the log's work on the loop's thread"),
        (_registers, "applying recorded changes"),
        (_is_told_to_stop, "stopping"),
        (_renames, "the loop itself"),
    ],
    ids=["fan out", "hand over", "apply", "drain", "loop"],
)
def test_vital_work_that_raises_stops_the_server_which_says_so(
    certs: Path,
    tmp_path: Path,
    connect: Connect,
    act: Callable[[ServerProcess, NativeClient], None],
    task: str,
) -> None:
    with ServerProcess(certs, tmp_path / "data", prefix=PLANTED).start() as server, ExitStack() as stack:
        ann, bob = connect(server, "ann"), connect(server, "bob")
        browser = stack.enter_context(closing(Client(server)))
        browser.enter("browser")
        before = bob.say_acked("before")
        act(server, ann)
        told = browser.wait("closing")
        assert (told["code"], told["retry"] > 0) == ("internal", True)
        assert browser.end() == (CLOSE_CODES[ErrorCode.INTERNAL], "internal")
        for client in (ann, bob):
            words = client.last_words()
            assert words.code is ErrorCode.INTERNAL
            assert words.retry_after_s is not None
        assert server.wait() == 1
        (line,) = [event for event in server.events() if event["event"] == "error" and event["kind"] == "vital"]
        assert line["owner"] == task
        assert "Planted" in line["text"]
        assert server.stderr == ""
    with ServerProcess(certs, tmp_path / "data").start() as again:
        reader = connect(again, "reader")
        assert before.seq in [message.seq for message in reader.history("lobby")], "nothing acknowledged is lost"
