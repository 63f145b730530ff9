"""What the threaded log adds to its store: batching, one post each, and silence after a failure."""

import queue
import threading
import time

import pytest

from securechat.errors import LocalProtocolError, LogError
from securechat.limits import Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.queries import HistoryQuery
from securechat.storage.threaded_log import ThreadedLog
from securechat.testing.inline_log import InlineLog
from securechat.testing.memory_store import MemoryStore

PATIENCE_S = 60


class Gate(MemoryStore):
    """A store whose apply waits until it is let through."""

    def __init__(self):
        super().__init__()
        self.entered, self.leave = queue.SimpleQueue(), queue.SimpleQueue()
        self.sizes = []

    def apply(self, writes, *, refuse_fresh=False):
        self.sizes.append(len(writes))
        self.entered.put(None)
        self.leave.get(timeout=PATIENCE_S)
        return super().apply(writes, refuse_fresh=refuse_fresh)


@pytest.fixture
def gated(tmp_path):
    store, posted = Gate(), queue.SimpleQueue()
    log = ThreadedLog(tmp_path, Limits(commit_messages=8), posted.put, store=store)
    log.commits, log.failures = [], []
    log.start(log.commits.append, log.failures.append)
    yield log, store, posted
    for _ in range(20):
        store.leave.put(None)
    log.close()


def say(number):
    return Draft(1, "ann", number, "x", "lobby")


def test_what_gathers_during_a_commit_is_the_next_batch(gated):
    log, store, posted = gated
    log.append(say(1), lambda _: None)
    store.entered.get(timeout=PATIENCE_S)
    for n in range(2, 13):
        log.append(say(n), lambda _: None)
    for _ in range(3):
        store.leave.put(None)
    for _ in range(3):
        posted.get(timeout=PATIENCE_S)()
    assert store.sizes == [1, 8, 3]
    assert [len(batch) for batch in log.commits] == [1, 8, 3]
    assert posted.empty(), "one post a batch"


def test_a_commit_that_takes_long_shows_its_age(gated):
    log, store, posted = gated
    assert log.commit_age_s == 0
    log.append(say(1), lambda _: None)
    store.entered.get(timeout=PATIENCE_S)
    first = log.figures().commit_age_s
    deadline = time.monotonic() + PATIENCE_S
    while log.commit_age_s <= first:
        assert time.monotonic() < deadline
    store.leave.put(None)
    posted.get(timeout=PATIENCE_S)()
    assert log.commit_age_s == 0


def test_callbacks_run_where_posts_run(gated):
    log, store, posted = gated
    threads = []
    log.append(say(1), lambda _: threads.append(threading.current_thread()))
    store.leave.put(None)
    posted.get(timeout=PATIENCE_S)()
    assert threads == [threading.current_thread()]


def test_an_unexpected_error_is_a_failure_too(gated):
    log, store, posted = gated

    def explode(when):
        raise ZeroDivisionError(when)

    store.fault = explode
    done = []
    for n in (1, 2):
        log.append(say(n), done.append)
        store.leave.put(None)
    posted.get(timeout=PATIENCE_S)()
    answers = []
    log.history(HistoryQuery(up_to=9, limit=9), answers.append)
    posted.get(timeout=PATIENCE_S)()
    assert isinstance(log.failures[0], LogError)
    assert "ZeroDivisionError" in str(log.failures[0])
    assert answers
    assert done == []


@pytest.mark.parametrize("field", [{"text": "\ud800"}, {"name": "\udfff"}, {"room": "é\ud800"}])
def test_what_no_database_can_hold_is_refused_at_once(field):
    posted = []
    log = InlineLog(MemoryStore(), Limits(), posted.append)
    log.start(lambda _: None, lambda _: None)
    draft = Draft(**{"sender_id": 1, "name": "ann", "client_id": 1, "text": "x", "room": "lobby"} | field)
    with pytest.raises(LocalProtocolError):
        log.append(draft, lambda _: None)
    assert posted == []


def test_an_abandoned_log_forgets_what_was_queued_and_its_store_does_not():
    posted, store = [], MemoryStore()
    for number in (1, 2):
        log = InlineLog(store, Limits(), posted.append)
        state = log.start(lambda _: None, lambda _: None)
        log.append(say(2 * number - 1), lambda _: None)
        posted.pop()()
        done = []
        log.append(say(2 * number), done.append)
        log.abandon()
        posted.pop()()
        assert done == []
        assert state.last_seq == number - 1


def test_the_figures_tell_what_was_stored_and_what_waits(gated):
    log, store, posted = gated
    for n in (1, 2):
        log.append(say(n), lambda _: None)
    assert log.figures().waiting_drafts == 2
    while log.figures().waiting_drafts:
        store.leave.put(None)
        posted.get(timeout=PATIENCE_S)()
    log.revise(Revision(RevisionKind.EDIT, 1, "ann", 3, 1, "lobby", text="y"), lambda _: None)
    store.leave.put(None)
    posted.get(timeout=PATIENCE_S)()
    figures = log.figures()
    assert (figures.messages, figures.changes, figures.waiting_drafts) == (2, 1, 0)
    assert sum(figures.commit_times.counts) == len(store.sizes)
    assert figures.commit_times.total > 0


def test_a_full_disk_is_noticed_and_its_end_too_while_nothing_is_written(tmp_path):
    free_bytes = 0
    told, posted = [], queue.SimpleQueue()
    log = ThreadedLog(
        tmp_path,
        Limits(),
        posted.put,
        store=MemoryStore(),
        free_bytes=lambda: free_bytes,
        on_warning=told.append,
        on_notice=told.append,
    )
    log.start(lambda _: None, lambda _: None)
    try:
        posted.get(timeout=PATIENCE_S)()
        assert "the disk is full" in told[0]
        assert log.disk_full
        free_bytes = 1 << 40
        posted.get(timeout=PATIENCE_S)()
        assert told[1:] == ["the disk has space again; messages are stored"]
        assert not log.disk_full
    finally:
        log.close()
