"""One scrape at a time, on a thread of its own; those who ask meanwhile, or soon after, get the same text."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.server.metrics.scraper import FRESH_S, LATE_S, ScrapeFailure, Scraper
from securechat.server.metrics.snapshot import MetricsSnapshot
from tests.support.web_connections import Web

PATIENCE_S = 20


class Bench:
    def __init__(self, data: Path) -> None:
        self.web = Web()
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.taken = 0
        self.errors: list[Exception] = []
        self.containment = self.web.containment
        self.scraper = Scraper(self.web, self.posted.put, self.containment, self.take, data, self.errors.append)

    def take(self) -> MetricsSnapshot:
        self.taken += 1
        return {"securechat_members": self.taken}

    def run_posted(self) -> None:
        self.posted.get(timeout=PATIENCE_S)()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.scraper.close()


def test_all_who_ask_meanwhile_get_one_text(bench: Bench) -> None:
    texts: list[bytes | None] = []
    for _ in range(3):
        bench.scraper.scrape(texts.append)
    assert texts == []
    bench.run_posted()
    assert bench.taken == 1
    assert len(texts) == 3
    assert texts[0] is not None
    assert b"securechat_members 1.0" in texts[0]
    assert b"securechat_disk_free_bytes" in texts[0], "the disk is looked at on the thread"
    assert len(set(texts)) == 1


def test_a_text_is_given_again_for_a_moment_and_then_made_anew(bench: Bench) -> None:
    texts: list[bytes | None] = []
    bench.scraper.scrape(texts.append)
    bench.run_posted()
    bench.web.now += FRESH_S * 0.9
    bench.scraper.scrape(texts.append)
    assert len(texts) == 2
    assert bench.taken == 1
    bench.web.now += FRESH_S
    bench.scraper.scrape(texts.append)
    assert len(texts) == 2
    bench.run_posted()
    assert bench.taken == 2
    assert texts[2] != texts[0]


def test_the_loops_thread_does_not_format(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[threading.Thread] = []

    def format_(_snapshot: MetricsSnapshot) -> bytes:
        where.append(threading.current_thread())
        return b"text"

    monkeypatch.setattr(bench.scraper, "_format", format_)
    told: list[threading.Thread] = []
    bench.scraper.scrape(lambda _text: told.append(threading.current_thread()))
    bench.run_posted()
    assert where[0] is not threading.current_thread()
    assert told == [threading.current_thread()]


def test_a_text_that_cannot_be_made_costs_this_scrape_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[bytes | None] = []
    with monkeypatch.context() as patch:
        patch.setattr(bench.scraper, "_format", lambda _snapshot: 1 // 0)
        bench.scraper.scrape(texts.append)
        bench.run_posted()
    assert texts == [None]
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]
    bench.web.now += 1
    bench.scraper.scrape(texts.append)
    bench.run_posted()
    assert texts[1] is not None


class Asker:
    """A connection whose answer cannot be written, or can."""

    def __init__(self, scraper: Scraper, *, explodes: bool) -> None:
        self.label = "127.0.0.1:5"
        self.texts: list[bytes | None] = []
        self.failed = 0
        self._explodes = explodes
        self._scraper = scraper

    def fail(self) -> None:
        self.failed += 1

    def ask(self) -> None:
        self._scraper.scrape(self.take)

    def take(self, text: bytes | None) -> None:
        if self._explodes:
            raise ZeroDivisionError
        self.texts.append(text)


@pytest.mark.parametrize("late", [False, True], ids=["made", "late"])
def test_an_answer_that_raises_costs_the_connection_that_asked_and_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    answers = threading.Event()
    real = bench.scraper._format

    def format_(snapshot: MetricsSnapshot) -> bytes:
        assert answers.wait(PATIENCE_S)
        return real(snapshot)

    monkeypatch.setattr(bench.scraper, "_format", format_)
    askers = [Asker(bench.scraper, explodes=number == 0) for number in range(3)]
    for asker in askers:
        bench.containment.run(asker, asker.ask)
    if late:
        bench.web.now += LATE_S + 1
        bench.scraper.scrape(lambda _text: None)
        answers.set()
    else:
        answers.set()
        bench.run_posted()
    assert [len(asker.texts) for asker in askers] == [0, 1, 1]
    assert [asker.failed for asker in askers] == [1, 0, 0]
    assert [(failure.owner, type(failure.error)) for failure in bench.web.failures] == [
        ("127.0.0.1:5", ZeroDivisionError)
    ]


def test_a_disk_that_cannot_be_asked_is_left_out(bench: Bench, tmp_path: Path) -> None:
    bench.scraper._data = tmp_path / "gone"
    texts: list[bytes | None] = []
    bench.scraper.scrape(texts.append)
    bench.run_posted()
    assert texts[0] is not None
    assert b"securechat_disk_free_bytes" not in texts[0]


@pytest.mark.parametrize("part", ["_take", "_expect_thread"])
def test_a_scrape_that_could_not_begin_does_not_keep_others_from_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    texts: list[bytes | None] = []
    with monkeypatch.context() as patch:

        def fail() -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(bench.scraper, part, fail)
        with pytest.raises(RuntimeError):
            bench.scraper.scrape(texts.append)
    bench.scraper.scrape(texts.append)
    bench.run_posted()
    assert len(texts) == 1
    assert texts[0] is not None


def test_a_thread_that_hangs_is_told_once_and_keeps_nothing_that_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def format_(_snapshot: MetricsSnapshot) -> bytes:
        assert answers.wait(PATIENCE_S)
        return b"text"

    monkeypatch.setattr(bench.scraper, "_format", format_)
    texts: list[bytes | None] = []
    bench.scraper.scrape(texts.append)
    bench.web.now += LATE_S + 1
    for _ in range(3):
        bench.scraper.scrape(texts.append)
    assert texts == [None] * 4
    assert [type(error) for error in bench.errors] == [ScrapeFailure]
    assert bench.taken == 1, "no further work is queued behind it"
    answers.set()
    bench.run_posted()
    assert len(texts) == 4
    bench.scraper.scrape(texts.append)
    assert texts[4] == b"text"
