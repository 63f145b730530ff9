"""The simulated log keeps the real index: on made time, through kills and power cuts, and never at the log's cost."""

import random
from contextlib import contextmanager
from itertools import count

import pytest

from securechat.limits import PAGE_LIMITS, Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.log import Appended, NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.records.rooms import PurgeExpired
from securechat.storage.search.index import IndexCorrupt
from securechat.storage.search.maintenance import FOLLOW_S, RETRY_S
from securechat.storage.search.query import Searcher
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ERASE_WITHIN_S
from securechat.testing.clock import SimulatedClock
from securechat.testing.disk import disk_full, input_output
from securechat.testing.memory_disk import MemoryDisk
from securechat.testing.memory_store import MemoryStore
from securechat.testing.search_checks import END, naive_search
from securechat.testing.slow_log import SlowLog
from tests.simulation.storage import Storage

_number = count()
LOBBY = ("lobby",)


class Process:
    """A log that runs on a clock, over a disk that outlives it."""

    def __init__(self, directory, disk, seed=0):
        self.clock, self.rng = SimulatedClock(), random.Random(seed)
        self.directory, self.disk, self.feed, self.failures = directory, disk, [], []
        self.n = 0
        self.start()

    def start(self, **options):
        self.alive = alive = object()

        def later(low_s, high_s):
            return lambda callback: self.clock.call_later(self.rng.uniform(low_s, high_s), guarded(callback))

        def guarded(callback):
            return lambda: callback() if self.alive is alive else None

        self.log = SlowLog(
            SqliteStore(self.directory, Limits(), wall_ms=self.clock.wall_ms, vfs=self.disk.name, shared=False),
            Limits(),
            write_later=later(0.001, 0.02),
            read_later=later(0.001, 0.02),
            deliver=later(0.0, 0.0),
            free_bytes=lambda: 1 << 62,
            clock=self.clock.monotonic,
            **{"call_at": lambda when, callback: self.clock.call_at(when, guarded(callback)), "stretch": 16} | options,
        )
        self.log.start(self.feed.extend, self.failures.append)

    def kill(self, *, power=None):
        self.alive = None
        self.disk.off = True
        self.log.abandon()
        self.disk.off = False
        if power is not None:
            self.disk.cut_power(power)

    def close(self):
        self.log.close()
        self.alive = None

    def pass_time(self, seconds):
        self.clock.run_until(self.clock.now + seconds)

    def say(self, *texts, room="lobby"):
        outcomes = []
        for text in texts:
            self.n += 1
            self.log.append(Draft(1, "ann", self.n, text, room), outcomes.append)
        self.until(lambda: len(outcomes) == len(texts))
        return [outcome.seq if isinstance(outcome, Appended) else None for outcome in outcomes]

    def revise(self, kind, seq, text=""):
        outcomes = []
        self.n += 1
        self.log.revise(Revision(kind, 1, "ann", self.n, seq, room="lobby", text=text), outcomes.append)
        self.until(lambda: bool(outcomes))

    def expire(self, room):
        outcomes = []
        self.log.record((PurgeExpired(room, 1 << 60),), outcomes.append)
        self.until(lambda: bool(outcomes))

    def find(self, *words, rooms=LOBBY):
        answers = []
        self.log.search(SearchQuery(END, 200, words, rooms=rooms), answers.append)
        self.until(lambda: bool(answers))
        return answers[0]

    def seqs(self, *words, rooms=LOBBY):
        answer = self.find(*words, rooms=rooms)
        return [hit.message.seq for hit in answer.hits] if isinstance(answer, SearchRows) else answer

    def until(self, condition):
        assert self.clock.run_until(self.clock.now + 60.0, condition, every=1), "the log owes an answer"

    def in_index_files(self, *texts):
        files = self.disk.contents()
        data = b"".join(content for name, content in files.items() if name.startswith("search.db"))
        return [text for text in texts if text.encode() in data]


@contextmanager
def disk_in_memory():
    disk = MemoryDisk(f"slow{next(_number)}")
    try:
        yield disk
    finally:
        disk.__exit__()


@pytest.fixture
def process(tmp_path):
    with disk_in_memory() as disk:
        process = Process(tmp_path, disk)
        yield process
        process.kill()


def test_the_index_follows_by_itself_and_then_nothing_happens(process):
    process.say(*(f"needle {n}" for n in range(50)))
    process.pass_time(FOLLOW_S + 1.0)
    assert len(process.log.keeper._index.db.execute("SELECT id FROM found_content").fetchall()) == 50
    process.pass_time(ERASE_WITHIN_S)
    events = process.clock.events
    process.pass_time(3_600.0)
    assert process.clock.events == events
    assert len(process.seqs("needle")) == 50


def test_a_search_takes_its_time_and_finds_what_was_acknowledged_before(process):
    (seq,) = process.say("needle")
    asked_at = process.clock.now
    assert process.seqs("needle") == [seq]
    assert process.clock.now > asked_at


def test_what_is_gone_leaves_the_files_in_time_however_the_process_ends(process):
    """An edit, a deletion and an expiry, each before a kill, a power cut and an orderly end."""
    for end in (process.close, process.kill, lambda: process.kill(power=random.Random(1)), lambda: None):
        words = [f"{word}{process.n}x" for word in ("xylophonic", "quizzaciously", "brouhahaesque")]
        edited, deleted = process.say(*words[:2])
        process.say(words[2], room="ops")
        process.pass_time(1.0)
        assert process.in_index_files(*words) == words
        process.revise(RevisionKind.EDIT, edited, "milder")
        process.revise(RevisionKind.DELETE, deleted)
        process.expire("ops")
        process.pass_time(process.rng.choice((0.0, 1.0)))
        end()
        if process.alive is None:
            process.start()
        process.pass_time(ERASE_WITHIN_S)
        assert process.in_index_files(*words) == []
        assert process.seqs("milder")[0] == edited


def test_a_killed_process_writes_nothing_and_an_orderly_end_leaves_nothing_to_do(process):
    process.say("needle")
    process.pass_time(1.0)
    events = len(process.disk.events)
    process.log.abandon()  # and not because the disk would not let it
    assert len(process.disk.events) == events
    process.start()
    process.pass_time(1.0)
    assert process.log.keeper._index.owes_truncation  # as nobody knows what was about to be erased
    process.pass_time(ERASE_WITHIN_S)
    process.close()
    assert "search.db-wal" not in process.disk.contents()
    process.start()
    process.pass_time(0.1)
    index = process.log.keeper._index
    assert (index.is_sweeping, index.owes_truncation, index.is_whole) == (False, False, True)


def test_an_index_that_a_search_found_damaged_is_made_anew_by_itself(process, monkeypatch):
    process.say(*(f"needle {n}" for n in range(150)))
    process.pass_time(ERASE_WITHIN_S)
    damages, search = [1], Searcher.search

    def damaged(self, query):
        if damages:
            damages.pop()
            raise IndexCorrupt("a page of it")
        return search(self, query)

    monkeypatch.setattr(Searcher, "search", damaged)
    rows = process.find("needle")
    assert rows.indexed_to < 150, "this proves nothing: the search has mended it all"
    process.pass_time(1.0)
    rows = process.find("needle")
    assert (rows.indexed_to, len(rows.hits)) == (150, 150)


@pytest.mark.parametrize("power", [False, True])
def test_it_comes_back_after_every_kind_of_end(process, power):
    rng, said = random.Random(4), []
    for turn in range(25):
        count_ = rng.randint(1, 30)
        said += process.say(*(f"needle {turn} {n}" for n in range(count_)))
        process.pass_time(rng.choice((0.0, 0.2, 1.0)))
        process.kill(power=rng if power else None)
        process.start()
        rows = process.find("needle")
        assert isinstance(rows, SearchRows)
        assert {hit.message.seq for hit in rows.hits} <= set(said)
        process.pass_time(1.0)
        rows = process.find("needle")
        feed = [entry for entry in process.feed if entry.seq in set(said)]
        assert (rows.hits, rows.more) == naive_search(feed, SearchQuery(END, 200, ("needle",), rooms=LOBBY))
    assert not process.failures


@pytest.mark.parametrize("error", [disk_full, input_output()], ids=["full", "broken"])
@pytest.mark.parametrize("kind", ["create", "write", "sync", "truncate", "delete"])
def test_a_broken_index_costs_the_log_nothing(process, kind, error):
    process.say("needle")
    for name in ("search.db", "search.db-wal"):
        process.disk.fail(kind, name, times=40, error=error)
    for turn in range(2, 12):
        assert process.say("needle") == [turn]
        process.find("needle")
        process.pass_time(RETRY_S / 2)
    process.disk.forgive()
    process.pass_time(RETRY_S)
    assert len(process.seqs("needle")) == 11
    assert not process.failures


def test_an_error_of_the_log_that_the_keeper_meets_is_the_logs(process):
    process.say("needle")
    process.log.store._db.execute("DROP TABLE serials")
    process.pass_time(1.0)
    assert process.failures == [process.log.failure]
    answers = []
    process.log.search(SearchQuery(END, 9, rooms=LOBBY), answers.append)
    process.until(lambda: bool(answers))
    assert isinstance(answers[0], NotAppended)


def test_a_seed_is_the_same_run(tmp_path):
    def run(number):
        with disk_in_memory() as disk:
            process = Process(tmp_path / str(number), disk, seed=7)
            process.say(*(f"needle {n}" for n in range(40)))
            process.seqs("needle")
            process.revise(RevisionKind.DELETE, 3)
            process.expire("ops")
            process.pass_time(30.0)
            process.kill(power=random.Random(3))
            process.start()
            process.say("more")
            process.pass_time(1.0)
            process.seqs("more")
            process.close()
            return process.clock.events, process.clock.now, disk.events

    first, second = run(1), run(2)
    assert first[:2] == second[:2]
    kinds = [[(event.kind, event.name, event.offset, len(event.data)) for event in run[2]] for run in (first, second)]
    assert kinds[0] == kinds[1]


def test_where_no_index_can_be_kept_a_search_makes_one(process):
    process.kill()
    process.start(call_at=None)
    (seq,) = process.say("needle")
    assert process.log.keeper is None
    assert process.seqs("needle") == [seq]
    process.pass_time(1.0)
    assert "search.db" not in process.disk.contents()
    log = SlowLog(
        MemoryStore(),
        Limits(),
        write_later=lambda _: None,
        read_later=lambda _: None,
        deliver=lambda _: None,
        free_bytes=lambda: 1 << 62,
        clock=lambda: 0.0,
        call_at=lambda when, callback: pytest.fail("there is nothing to keep"),
    )
    log.start(lambda _: None, lambda _: None)
    assert log.keeper is None
    log.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_failure_of_the_log_is_never_taken_up_by_the_index(tmp_path, seed):
    storage = Storage(Limits(), PAGE_LIMITS, SimulatedClock(), random.Random(seed), sqlite=True)
    process = Process(tmp_path, storage.disk)
    process.say("needle")
    process.log._committer.tidy(idle=True)
    storage.fail_once()
    process.pass_time(1.0)  # the index follows, and writes and syncs what it likes
    process.log.keeper._index.truncate()
    assert not process.failures
    process.n += 1
    process.log.append(Draft(1, "ann", process.n, "needle", "lobby"), lambda _: None)
    process.pass_time(1.0)
    assert process.failures
    process.kill()
    storage.close()


def test_a_failure_of_the_index_is_never_taken_up_by_the_log(tmp_path):
    storage = Storage(Limits(), PAGE_LIMITS, SimulatedClock(), random.Random(1), sqlite=True)
    process = Process(tmp_path, storage.disk)
    for turn in range(1, 60):
        storage.fail_index()
        assert process.say(f"needle {turn}") == [turn]
        process.pass_time(1.0)
    assert sum(fault.hits for fault in storage.disk._faults) > 5
    storage.forgive()
    process.pass_time(RETRY_S)
    assert len(process.seqs("needle")) == 59
    assert not process.failures
    process.kill()
    storage.close()
