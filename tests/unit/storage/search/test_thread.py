"""The thread passes everything on to its keeper, wakes it when it must, and lets nothing out but answers."""

import threading
from queue import SimpleQueue

import pytest

from securechat.errors import ErrorCode, LogError
from securechat.records.queries import SearchQuery, SearchRows
from securechat.storage.search import thread as search_thread
from securechat.storage.search.thread import SearchThread
from securechat.testing.search_checks import END

QUERY = SearchQuery(END, 9, rooms=("lobby",))
NOTHING = SearchRows([], False, 0)


class Keeper:
    """A keeper that does nothing but remember."""

    def __init__(self, *_, **__):
        self.heard, self.ended, self.error = [], None, None
        self.is_behind, self.deadline_s = False, None
        self.indexed_to = None
        self.asked_when = self.while_working = lambda: None
        self.works = SimpleQueue()

    def work(self):
        self.works.put(len(self.heard))
        self.while_working()

    def search(self, query):
        if self.error is not None:
            raise self.error
        return NOTHING

    def committed(self, *, vanished):
        self.heard.append(vanished)

    def deadline(self):
        self.asked_when()
        return self.deadline_s

    def close(self, *, failed=False):
        self.ended = failed


@pytest.fixture
def keeper(monkeypatch):
    keeper = Keeper()
    monkeypatch.setattr(search_thread, "IndexMaintainer", lambda *args, **named: keeper)
    return keeper


@pytest.fixture
def posted():
    return SimpleQueue()


@pytest.fixture
def thread(keeper, posted):
    failures = []
    thread = SearchThread(None, 9, posted.put, failures.append)
    thread.failures = failures
    yield thread
    thread.close()


def ask(thread, posted):
    answers = []
    thread.search(QUERY, answers.append)
    while not answers:
        posted.get(timeout=20)()
    return answers[0]


def test_a_commit_wakes_a_thread_that_rests(thread, keeper):
    thread.start()
    keeper.works.get(timeout=20)  # it opens the index
    thread.committed(vanished=True)
    while keeper.works.get(timeout=20) == 0:
        pass
    assert keeper.heard == [True]
    thread.close()
    assert keeper.ended is False


def test_a_commit_while_it_works_is_heard_before_it_rests(thread, keeper):
    heard = threading.Event()
    keeper.while_working = lambda: thread.committed(vanished=False)
    keeper.asked_when = lambda: heard.set() if keeper.heard else None
    thread.start()
    assert heard.wait(20)


def test_a_busy_log_does_not_wake_one_that_will_look_by_itself_and_the_end_hears_of_everything(thread, keeper):
    waits = threading.Event()

    def speak():
        if not waits.is_set():
            thread.committed(vanished=True)
            waits.set()

    keeper.is_behind, keeper.asked_when = True, speak
    thread.start()
    assert waits.wait(20)
    thread.close()
    assert keeper.works.qsize() == 1
    assert keeper.heard == [True]


def test_a_deadline_is_kept(thread, keeper):
    keeper.deadline_s = 0.0
    thread.start()
    for _ in range(3):
        keeper.works.get(timeout=20)


def test_after_a_mistake_the_index_is_not_closed_well(thread, keeper, posted, monkeypatch):
    thrown = []
    monkeypatch.setattr(threading, "excepthook", lambda args: thrown.append(args.exc_type))
    thread.start()
    assert ask(thread, posted) is NOTHING
    keeper.error = ZeroDivisionError()
    assert ask(thread, posted) is search_thread.LOG_FAILED
    assert ask(thread, posted) is search_thread.NO_INDEX
    thread.committed(vanished=True)
    thread.close()
    assert (keeper.ended, thrown, thread.failures) == (True, [ZeroDivisionError], [])


def test_a_log_that_cannot_be_read_is_told_once(thread, keeper, posted):
    thread.start()
    keeper.error = LogError("gone")
    assert [ask(thread, posted).code for _ in range(2)] == [ErrorCode.LOG_FAILED] * 2
    thread.close()
    assert (keeper.ended, [str(error) for error in thread.failures]) == (True, ["gone"])
