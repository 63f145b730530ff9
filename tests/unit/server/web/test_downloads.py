"""Answers that are not kept: read as the client takes them, and their source closed once, however they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.limits import KIB, Limits
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.transfers import OUTBOX_BYTES
from tests.support.toy_files import ToyFiles, ToySource, toy_bytes
from tests.support.web_connections import Browser

STALL_S = Limits().upload_stall_s
TURN_BYTES = Limits().transfer_turn_bytes


class HeldSource(ToySource):
    """Hands over what it reads when the test says so."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.at_once = False


@pytest.fixture
def files(web: Any) -> ToyFiles:
    files = ToyFiles()
    web.programs = ProgramPrefixes({"/files/": files})
    return files


def asked(web: Any, size: int, *headers: str, method: str = "GET", blocked: bool = False) -> Browser:
    browser = web.connect()
    if blocked:
        browser.link.blocked = True
    browser.get(f"/files/{size}", *headers, method=method)
    if blocked:
        browser.connection.backlog_started()
    web.run(0.01)
    return browser


@pytest.mark.parametrize("size", [1, TURN_BYTES - 1, TURN_BYTES, TURN_BYTES + 1, 100 * KIB])
def test_all_of_it_comes_and_the_connection_goes_on(web: Any, files: ToyFiles, size: int) -> None:
    browser = asked(web, size)
    answer = browser.answer()
    assert (answer.status, answer.body) == (200, toy_bytes(0, size))
    assert answer.headers["content-length"] == str(size)
    assert not browser.link.closed
    assert files.source.closed == 1
    assert max(most for _, most in files.source.reads) <= OUTBOX_BYTES
    assert max(browser.link.writes) <= TURN_BYTES
    browser.get("/files/2")
    web.run(0.01)
    assert browser.answer().body == toy_bytes(0, 2)


def test_a_range_begins_in_the_middle(web: Any, files: ToyFiles) -> None:
    answer = asked(web, 100 * KIB, "Range: bytes=50000-69999").answer()
    assert (answer.status, answer.body) == (206, toy_bytes(50_000, 20_000))
    assert answer.headers["content-range"] == f"bytes 50000-69999/{100 * KIB}"
    assert files.source.reads[0][0] == 50_000


def test_a_head_reads_nothing(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 100 * KIB, method="HEAD")
    answer = browser.answer("HEAD")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(100 * KIB), b"")
    assert (files.source.reads, files.source.closed) == ([], 1)
    assert not browser.link.closed


def test_an_empty_file_is_read_not_at_all(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 0)
    assert browser.answer().headers["content-length"] == "0"
    assert (files.source.reads, files.source.closed) == ([], 1)
    assert not browser.link.closed


def test_who_asks_for_the_end_gets_it_behind_all(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 50 * KIB, "Connection: close")
    answer = browser.answer()
    assert (answer.headers["connection"], answer.body) == ("close", toy_bytes(0, 50 * KIB))
    assert browser.link.closed
    assert files.source.closed == 1


def test_a_slow_client_is_given_no_more_than_it_takes(web: Any, files: ToyFiles) -> None:
    size = 300 * KIB
    browser = asked(web, size, blocked=True)
    for _ in range(20):
        web.run(1)
        assert browser.link.queued_bytes <= OUTBOX_BYTES
        browser.link.taken()
        browser.connection.backlog_started()  # its socket is full again at once
    assert browser.answer().body == toy_bytes(0, size)
    assert files.source.closed == 1


def test_a_client_that_takes_little_is_not_cut(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 300 * KIB, blocked=True)
    for _ in range(10):
        web.run(STALL_S - 1)
        browser.link.taken(1)
        assert not browser.link.closed
    assert files.source.closed == 0


def test_a_client_that_takes_nothing_is_closed(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 300 * KIB, blocked=True)
    web.run(STALL_S * 1.6)
    assert browser.link.aborted
    assert files.source.closed == 1


def test_the_end_waits_until_a_slow_client_has_taken_it(web: Any, files: ToyFiles) -> None:
    browser = asked(web, 40 * KIB, "Connection: close", blocked=True)
    assert sum(files.source.reads[-1]) == 40 * KIB, "all of it is queued"
    assert not browser.link.closed, "a close has less patience than a download"
    web.run(STALL_S - 5)
    browser.link.taken(1)
    web.run(STALL_S - 5)
    assert not browser.link.closed
    browser.link.taken()
    assert browser.link.closed
    assert not browser.link.aborted
    assert files.source.closed == 1


def test_the_next_request_waits(web: Any, files: ToyFiles) -> None:
    files.make_source = HeldSource
    browser = asked(web, 20)
    browser.get("/files/3")
    assert browser.link.paused
    web.run(0.01)
    assert len(files.sources) == 1
    files.source.go_on()
    web.run(0.01)
    files.source.go_on()
    first, second = browser.answers()
    assert (first.body, second.body) == (toy_bytes(0, 20), toy_bytes(0, 3))


def test_a_source_that_fails_ends_the_connection_before_the_end(web: Any, files: ToyFiles) -> None:
    def make(size: int) -> ToySource:
        source = ToySource(size)
        source.fails_at = 40 * KIB
        return source

    files.make_source = make
    browser = asked(web, 100 * KIB)
    assert browser.link.closed
    assert browser.link.sent.partition(b"\r\n\r\n")[2] == toy_bytes(0, files.source.reads[-1][0])
    assert files.source.closed == 1


@pytest.mark.parametrize("data", [b"", b"x" * 100], ids=["nothing", "more than was asked for"])
def test_a_source_that_lies_ends_the_connection(web: Any, files: ToyFiles, data: bytes) -> None:
    class Liar(ToySource):
        def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
            done(data)

    files.make_source = Liar
    browser = asked(web, 20)
    assert browser.link.closed
    assert files.source.closed == 1
    assert not browser.link.sent.endswith(b"x")


def lost(web: Any, browser: Browser) -> None:
    browser.lost()


def overflow(web: Any, browser: Browser) -> None:
    browser.connection.outbox_overflow()


def failed(web: Any, browser: Browser) -> None:
    browser.connection.fail()


def cut(web: Any, browser: Browser) -> None:
    browser.connection.close()
    assert browser.connection.is_answering
    browser.connection.cut()


def stalled(web: Any, browser: Browser) -> None:
    web.run(STALL_S * 2)


@pytest.mark.parametrize("end", [lost, overflow, failed, cut, stalled])
@pytest.mark.parametrize("held", [False, True], ids=["waits for the client", "waits for the source"])
def test_the_source_is_closed_once_however_it_ends(
    web: Any, files: ToyFiles, end: Callable[[Any, Browser], None], held: bool
) -> None:
    if held:
        files.make_source = HeldSource
    browser = asked(web, 300 * KIB, blocked=True)
    assert files.source.closed == 0
    end(web, browser)
    assert files.source.closed == 1
    sent = browser.link.sent
    assert b"500" not in sent, "no second answer within the first"
    if held:
        files.source.go_on()
    if not browser.link.closed:
        browser.link.taken()
    browser.connection.backlog_over()
    browser.lost()
    web.run(100)
    assert files.source.closed == 1
    assert browser.link.sent == sent


def test_an_exception_of_the_source_ends_the_connection(web: Any, files: ToyFiles) -> None:
    class Broken(ToySource):
        def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
            raise RuntimeError("broken")

    files.make_source = Broken
    browser = asked(web, 20)
    assert browser.link.closed
    assert files.source.closed == 1
    assert b"500" not in browser.link.sent
    web.failures.clear()


@pytest.mark.parametrize("most", [0, 1])
def test_a_download_counts_as_a_program_s_connection_where_there_is_room(web: Any, files: ToyFiles, most: int) -> None:
    files.known = False
    web.most_programs = most
    browser = asked(web, 20)
    assert browser.answer().body == toy_bytes(0, 20)
    assert len(web.of_programs) == most


def test_a_stop_lets_it_come_to_its_end(web: Any, files: ToyFiles) -> None:
    files.make_source = HeldSource
    browser = asked(web, 20)
    browser.connection.close()
    assert browser.connection.is_answering
    files.source.go_on()
    assert browser.link.sent.endswith(toy_bytes(0, 20))
    assert browser.link.closed
    assert not browser.connection.is_answering
    assert files.source.closed == 1


def test_an_answer_that_comes_too_late_is_closed(web: Any, files: ToyFiles) -> None:
    waiting: list[Callable[[], None]] = []
    begin = files.begin

    def slow(request: Any, address: str) -> Any:
        exchange: Any = begin(request, address)
        receive = exchange.receive
        exchange.receive = lambda body, done: waiting.append(lambda: receive(body, done))
        return exchange

    files.begin = slow  # type: ignore[method-assign]
    browser = asked(web, 20)
    browser.lost()
    waiting.pop()()
    assert (files.source.reads, files.source.closed) == ([], 1)


def test_the_head_makes_up_one_record_with_the_first_part(web: Any, files: ToyFiles) -> None:
    """When it is queued still; so no part is copied for a record."""
    browser = asked(web, 100 * KIB, blocked=True)
    head_bytes = browser.link.sent.index(b"\r\n\r\n") + 4
    assert browser.link.writes[:3] == [head_bytes, TURN_BYTES - head_bytes, TURN_BYTES]


def test_turns_are_shared(web: Any, files: ToyFiles) -> None:
    """Twenty at once: sixteen a pass, each of them once, and those that had none first in the next."""
    browsers = [web.connect() for _ in range(20)]
    for browser in browsers:
        browser.get(f"/files/{10 * TURN_BYTES}")
    passes: list[int] = []
    while any(not source.closed for source in files.sources) or not files.sources:
        before = [len(browser.link.writes) for browser in browsers]
        web.run()
        after = [len(browser.link.writes) for browser in browsers]
        gained = [new - max(old, 1) for new, old in zip(after, before, strict=True) if new]  # the first is the head
        assert max(gained, default=0) <= 1
        passes.append(sum(gained))
    assert len(files.sources) == 20
    assert max(passes) == web.limits.transfers_per_pass_bytes // TURN_BYTES
    assert all(sum(browser.link.writes[1:]) == 10 * TURN_BYTES for browser in browsers)
    assert all(len(source.reads) == 3 for source in files.sources), "each for several turns"


def test_what_is_read_and_what_is_queued_are_bounded_together(web: Any, files: ToyFiles) -> None:
    """Also where the client has taken a part of it."""
    browser = asked(web, 300 * KIB, blocked=True)
    for _ in range(30):
        read_bytes = sum(files.source.reads[-1])
        assert read_bytes - (sum(browser.link.writes[1:]) - browser.link.queued_bytes) <= OUTBOX_BYTES
        browser.link.taken(10 * KIB)
        web.run(0.01)
    assert sum(files.source.reads[-1]) == 300 * KIB, "it went on"
