"""Bodies that are not kept: read in turns, as fast as they are taken, and answered whenever that is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.limits import KIB, Limits
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.transfers import GATHER_S
from tests.support.toy_files import ToyFiles, ToyUpload
from tests.support.web_connections import Web

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STALL_S = Limits().upload_stall_s
PART_BYTES = 64 * KIB


def put(
    *headers: str, size: int, path: str = "/files/a", body: bytes = b"", method: str = "PUT", host: str = "chat.example"
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class HeldUpload(ToyUpload):
    """Is neither ready nor answered before the test says so."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self.at_once = False


@pytest.fixture
def files(web: Any) -> ToyFiles:
    files = ToyFiles()
    web.programs = ProgramPrefixes({"/files/": files})
    return files


@pytest.fixture
def held(files: ToyFiles) -> ToyFiles:
    files.make_upload = HeldUpload
    return files


def test_a_body_comes_in_parts_and_is_answered_at_its_end(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=10, body=b"abc"))
    assert files.upload.calls == ["prepare", "take"]
    browser.upload(b"defg")
    web.run(0.01)
    assert bytes(files.upload.data) == b"abcdefg"
    assert not browser.link.sent
    browser.upload(b"hij")
    web.run(0.01)
    assert files.upload.calls == ["prepare", "take", "take", "take", "end"]
    assert bytes(files.upload.data) == b"abcdefghij"
    assert browser.answer().body == b"10 bytes\n"
    assert not browser.link.closed
    browser.get("/files/3")
    web.run(0.01)
    assert browser.answer().status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_body_that_is_empty_ends_at_once(web: Any, files: ToyFiles, method: str) -> None:
    browser = web.connect()
    browser.send(put(size=0, method=method))
    assert files.upload.calls == ["prepare", "end"]
    assert browser.answer().body == b"0 bytes\n"


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "HEAD"])
def test_the_other_methods_are_kept_whole_and_short(web: Any, files: ToyFiles, method: str) -> None:
    browser = web.connect()
    browser.send(put(size=100, path="/files/5", method=method, body=b"x" * 100))
    web.run(0.01)
    assert browser.answer(method).status == 200
    browser.send(put(size=101, path="/files/5", method=method))
    assert browser.answer().status == 413  # with a body, also for HEAD: its head is not looked at any further
    assert not files.uploads


def test_a_body_that_is_too_long_is_refused_before_it_comes(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put("Expect: 100-continue", size=files.most_bytes + 1))
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (413, True)
    assert answer.body.startswith(b"problem: ")
    assert not files.uploads
    assert browser.link.unread_bytes == web.limits.file_bytes, "no more than a file of what may come all the same"


def test_who_waits_is_told_to_go_on_only_when_the_body_may_come(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put("Expect: 100-continue", size=3))
    assert held.upload.calls == ["prepare"]
    assert browser.link.sent == b""
    assert browser.link.paused
    held.upload.ready()
    assert browser.link.sent == CONTINUE
    browser.link.sent = b""
    browser.upload(b"abc")
    web.run(0.01)
    assert held.upload.calls == ["prepare", "take", "end"]
    held.upload.answer()
    assert browser.answer().status == 201


def test_who_did_not_wait_is_not_told(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put("Expect: 100-continue", size=3, body=b"a"))
    held.upload.ready()
    assert browser.link.sent == b""


def test_who_waits_is_refused_without_a_byte(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put("Expect: 100-continue", size=3))
    held.upload.refuse(403)
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (403, True)
    assert held.upload.calls == ["prepare"]


def test_what_has_come_waits_until_the_body_may_come(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=8, body=b"abcd"))
    browser.upload(b"efgh")
    web.run(1.0)
    assert held.upload.calls == ["prepare"]
    assert browser.link.incoming == b"efgh"
    held.upload.ready()
    web.run(0.01)
    assert held.upload.calls == ["prepare", "take", "take", "end"]
    assert held.upload.data == b"abcdefgh"


def test_a_body_that_is_refused_and_here_leaves_the_connection_open(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4, body=b"abcd"))
    held.upload.refuse(403)
    assert browser.answer().status == 403
    assert not browser.link.closed
    held.upload.ready()
    assert held.upload.calls == ["prepare"]
    browser.send(put(size=0))
    held.upload.ready()
    held.upload.answer()
    assert browser.answer().status == 201


def test_a_body_that_is_refused_and_not_here_ends_the_connection(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=5_000, body=b"abcd"))
    held.upload.refuse(403)
    answer = browser.answer()
    assert (answer.status, answer.headers["connection"], browser.link.closed) == (403, "close", True)
    assert browser.link.unread_bytes == 5_000
    assert held.upload.calls == ["prepare"]


def test_a_body_that_is_refused_half_way_is_not_read_any_further(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=300 * KIB))
    files.upload.refuse_at = 80 * KIB
    browser.upload(b"x" * 200 * KIB)
    web.run(0.01)
    answer = browser.answer()
    assert (answer.status, answer.headers["connection"], browser.link.closed) == (409, "close", True)
    assert browser.link.unread_bytes == 300 * KIB - len(files.upload.data)
    assert 80 * KIB <= len(files.upload.data) <= 80 * KIB + PART_BYTES
    assert "end" not in files.upload.calls
    assert "abandon" not in files.upload.calls
    calls = len(files.upload.calls)
    files.upload.more()
    browser.lost()
    web.run(0.01)
    assert len(files.upload.calls) == calls


def test_what_is_not_taken_is_not_read(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=200 * KIB))
    files.upload.takes = False
    browser.upload(b"x" * 200 * KIB)
    web.run(10 * STALL_S)
    assert files.upload.calls == ["prepare", "take"]
    assert len(browser.link.incoming) == 200 * KIB - PART_BYTES
    files.upload.more()
    web.run(0.01)
    assert files.upload.calls == ["prepare", "take", "take"]
    files.upload.takes = True
    files.upload.more()
    web.run(0.01)
    assert browser.answer().body == b"204800 bytes\n"


@pytest.mark.parametrize("with_head", [b"", b"xyz"])
def test_nothing_is_read_or_handed_on_while_there_is_no_room(web: Any, held: ToyFiles, with_head: bytes) -> None:
    browser = web.connect()
    browser.send(put(size=100 * KIB, body=with_head))
    held.upload.room = False
    held.upload.ready()
    browser.upload(b"x" * (100 * KIB - len(with_head)))
    web.run(10 * STALL_S)
    assert held.upload.calls == ["prepare"]
    assert len(browser.link.incoming) == 100 * KIB - len(with_head)
    held.upload.room = True
    held.upload.more()
    web.run(0.01)
    assert len(held.upload.data) == 100 * KIB
    assert held.upload.data.startswith(with_head)
    assert held.upload.calls[-1] == "end"


def test_room_that_comes_while_it_is_taken_is_not_lost(web: Any, files: ToyFiles) -> None:
    class Hasty(ToyUpload):
        def take(self, data: bytes, more: Any) -> bool:
            super().take(data, more)
            more()
            return False

    files.make_upload = Hasty
    browser = web.connect()
    browser.send(put(size=50 * KIB))
    browser.upload(b"x" * 50 * KIB)
    web.run(0.01)
    assert browser.answer().status == 201


def test_the_last_part_is_the_end_whether_or_not_there_is_room(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4))
    files.upload.takes = False
    browser.upload(b"abcd")
    web.run(0.01)
    assert files.upload.calls == ["prepare", "take", "end"]


def test_a_lost_connection_abandons_once(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4, body=b"ab"))
    browser.lost()
    assert files.upload.calls == ["prepare", "take", "abandon"]
    files.upload.more()
    files.upload.answer()
    web.run(100)
    assert files.upload.calls == ["prepare", "take", "abandon"]


def test_a_stop_abandons_what_has_not_come_whole(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4, body=b"ab"))
    browser.connection.close()
    assert browser.link.closed
    assert files.upload.calls == ["prepare", "take", "abandon"]


def test_a_stop_answers_what_has_come_whole(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4, body=b"abcd"))
    held.upload.ready()
    browser.connection.close()
    assert not browser.link.closed
    held.upload.answer()
    assert browser.answer().status == 201
    assert browser.link.closed


def test_a_client_that_sends_nothing_more_is_late(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=400))
    for _ in range(5):  # no deadline for the whole
        browser.upload(b"x")
        web.run(STALL_S - 1)
        assert not browser.link.closed
    web.run(2)
    answer = browser.answer()
    assert (answer.status, browser.link.closed) == (408, True)
    assert answer.body.startswith(b"problem: ")
    assert files.upload.calls[-1] == "abandon"


def test_what_a_client_sends_is_read_in_whole_parts_and_its_end_as_it_comes(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=5 * PART_BYTES))
    web.run(0.0)
    for record in range(20):
        browser.upload(bytes([record]) * 16 * KIB)
        web.run(0.0)
        if record < 16:
            assert len(files.upload.data) == (record + 1) // 4 * PART_BYTES
    assert files.upload.calls == ["prepare", *["take"] * 8, "end"]
    assert files.upload.data == b"".join(bytes([record]) * 16 * KIB for record in range(20))
    assert browser.answer().status == 201


def test_a_slow_client_is_read_all_the_same(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=10 * PART_BYTES))
    for second in range(1, 4):
        for _ in range(10):
            browser.upload(b"x")
        web.run(GATHER_S + 0.1)
        assert files.upload.calls == ["prepare", *["take"] * second]
        assert len(files.upload.data) == 10 * second


def test_a_slow_client_is_late_when_it_sends_nothing_more(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=10 * PART_BYTES))
    for _ in range(3):
        browser.upload(b"x")
        web.run(STALL_S - 1)
        assert not browser.link.closed
    web.run(1 + GATHER_S)
    assert browser.answer().status == 408
    assert files.upload.data == b"xxx"


def test_time_in_which_it_is_held_does_not_count_though_it_was_late_before(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=400))
    web.run(STALL_S - 1)
    files.upload.room = False
    browser.upload(b"x")
    web.run(STALL_S)
    assert not browser.link.closed
    files.upload.room = True
    files.upload.more()
    web.run(STALL_S - 1)
    assert (bytes(files.upload.data), browser.link.closed) == (b"x", False)
    web.run(2)
    assert browser.answer().status == 408


def test_time_in_which_it_is_not_read_does_not_count(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=400))
    files.upload.takes = False
    browser.upload(b"x")
    web.run(10 * STALL_S)
    files.upload.more()
    web.run(STALL_S - 1)
    assert not browser.link.closed
    web.run(STALL_S)
    assert browser.answer().status == 408


def test_a_judgement_that_takes_too_long_is_told(web: Any, held: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put("Expect: 100-continue", size=4))
    web.run(web.limits.api_answer_s + 1)
    assert browser.answer().status == 503
    assert held.upload.calls == ["prepare", "abandon"]


@pytest.mark.parametrize("answer_s", [None, 300.0])
def test_the_answer_has_the_time_that_it_asks_for(web: Any, held: ToyFiles, answer_s: float | None) -> None:
    browser = web.connect()
    browser.send(put(size=0))
    held.upload.answer_s = answer_s
    held.upload.ready()
    web.run((answer_s or web.limits.api_answer_s) - 1)
    assert not browser.link.sent
    web.run(2)
    assert browser.answer().status == 503
    assert held.upload.calls == ["prepare", "end", "abandon"]


def test_an_exception_of_the_exchange_is_told_and_abandons(web: Any, files: ToyFiles) -> None:
    class Broken(ToyUpload):
        def take(self, data: bytes, more: Any) -> bool:
            raise RuntimeError("broken")

    files.make_upload = Broken
    browser = web.connect()
    browser.send(put(size=4))
    browser.upload(b"ab")
    web.run(0.01)
    assert browser.answer().status == 500
    assert files.upload.calls == ["prepare", "abandon"]
    assert [str(failure.error) for failure in web.failures] == ["broken"]
    web.failures.clear()


def test_the_next_request_waits_behind_the_body(web: Any, files: ToyFiles) -> None:
    browser = web.connect()
    browser.send(put(size=4) + b"")
    browser.upload(b"abcd" + put(size=2, path="/files/b") + b"xy")
    web.run(0.01)
    first, second = browser.answers()
    assert (first.body, second.body) == (b"4 bytes\n", b"2 bytes\n")
    assert [each.request.path for each in files.uploads] == ["/files/a", "/files/b"]


def test_an_upload_counts_as_a_program_s_connection_when_its_body_may_come(web: Any, held: ToyFiles) -> None:
    held.known = False
    browser, other = web.connect(), web.connect()
    web.most_programs = 1
    for each in (browser, other):
        each.send(put("Expect: 100-continue", size=3))
    assert not web.of_programs
    for upload in held.uploads:
        upload.ready()
    assert web.of_programs == {browser.connection}
    assert browser.link.sent == CONTINUE
    assert other.answer().status == 503
    assert held.upload.calls == ["prepare", "abandon"]


def test_known_requests_cost_little(web: Any, files: ToyFiles) -> None:
    """A page of fifty pictures is fifty requests over six connections, from one address."""
    browsers = [web.connect() for _ in range(6)]
    for number in range(50):
        browsers[number % 6].get("/files/10")
        web.run(0.01)
        assert browsers[number % 6].answer().status == 200
    browsers[0].get("/")
    assert browsers[0].answer().status == 200
    assert web.now < 1001, "none has waited"
    files.known = False
    for _ in range(int(web.limits.web_request_burst)):
        browsers[0].get("/files/10")
    web.run(0.01)
    browsers[0].link.sent = b""
    browsers[1].get("/")
    assert not browsers[1].link.sent, "those that are not known are paced as pages"


# --- however it is cut


def calls_of(pieces: list[bytes]) -> tuple[list[tuple[str, bytes, list[str]]], bytes]:
    """What is called, takes that follow each other as one, and what is answered."""
    web = Web()
    files = ToyFiles()
    web.programs = ProgramPrefixes({"/files/": files})
    browser = web.connect()
    for piece in pieces:
        if browser.link.paused:
            browser.upload(piece)
        else:
            browser.send(piece)
        web.run(0.01)
    assert web.failures == []
    found = []
    for upload in files.uploads:
        calls = [call for at, call in enumerate(upload.calls) if call != "take" or upload.calls[at - 1] != "take"]
        found.append((upload.request.path, bytes(upload.data), calls))
    answers = b"\n".join(line for line in browser.link.sent.split(b"\r\n") if not line.startswith(b"Date: "))
    return found, answers


TWO = (
    put(size=30, path="/files/one", body=b"GET /files/9 HTTP/1.1\r\n\r\nxxxxx")
    + put(size=0, path="/files/none")
    + b"GET /files/70 HTTP/1.1\r\nHost: chat.example\r\n\r\n"
    + put(size=4, path="/files/two", body=b"\0\n\r\n", method="PATCH")
)


def test_a_cut_at_every_byte_changes_nothing() -> None:
    whole = calls_of([TWO])
    assert [path for path, _, _ in whole[0]] == ["/files/one", "/files/none", "/files/two"]
    for at in range(1, len(TWO)):
        assert calls_of([TWO[:at], TWO[at:]]) == whole, at
    assert calls_of([TWO[at : at + 1] for at in range(len(TWO))]) == whole


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 600), max_size=12),
)
def test_no_cut_changes_anything(sizes: list[int], cuts: list[int]) -> None:
    body = b"GET /files/1 HTTP/1.1\r\n\r\n" * 3
    data = b"".join(put(size=size, path=f"/files/{n}", body=body[:size]) for n, size in enumerate(sizes))
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert calls_of([data[start:end] for start, end in pairwise(edges)]) == calls_of([data])


def test_a_turn_of_tiny_records_is_handed_on_as_one_part(web: Any, files: ToyFiles) -> None:
    """Bytes that come one to a TLS record: a pass of them took 13 ms of the loop, and its disk thread as much."""
    browser = web.connect()
    browser.send(put(size=10_000))
    arrived, read_paused = bytes(range(250)) * 4, browser.link.read_paused
    browser.link.read_paused = lambda most_bytes: read_paused(min(1, most_bytes))  # as of records with one byte
    browser.link.arrive(arrived)
    web.run(0.0)
    assert bytes(files.upload.data) == arrived[: len(files.upload.data)]
    turns = web.limits.transfers_per_pass_bytes // web.limits.transfer_turn_bytes
    assert 0 < files.upload.calls.count("take") <= turns
