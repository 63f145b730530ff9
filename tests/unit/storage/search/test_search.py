"""The index is derived: whatever happens to its file, nothing is lost; what is erased is gone; nobody sees too much."""

import os
import queue
import random
import shutil
import sys
import tempfile
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securechat.errors import ErrorCode, Refusal
from securechat.limits import Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.accounts import EraseSender
from securechat.records.log import NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.records.rooms import PurgeExpired
from securechat.storage.search import fts5_cleanup, maintenance, thread
from securechat.storage.search.index import SEARCH_INDEX, IndexCorrupt, SearchIndex
from securechat.storage.search.log_reader import IndexLogReader
from securechat.storage.search.maintenance import IndexMaintainer
from securechat.storage.search.query import Searcher
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import DiskFull, QueryTooExpensive
from securechat.storage.threaded_log import ThreadedLog
from securechat.testing.inline_log import InlineLog
from securechat.testing.log_checks import MORNING_MS, Rig
from securechat.testing.search_checks import END, naive_search, search
from securechat.text.search_query import parse
from tests.support.server import wait_until

LOBBY = ("lobby",)


class Log:
    def __init__(self, directory, erase_within_s=60.0):
        self.directory, self.erase_within_s, self.progress = directory, erase_within_s, []

    def open(self, post, limits, wall_ms):
        return ThreadedLog(
            self.directory,
            limits,
            post,
            wall_ms=wall_ms,
            erase_within_s=self.erase_within_s,
            on_index_progress=self.progress.append,
        )


class Inline:
    def __init__(self, directory):
        self.directory = directory

    def open(self, post, limits, wall_ms):
        return InlineLog(SqliteStore(self.directory, limits, wall_ms=wall_ms), limits, post)


def found(rig, *words, rooms=LOBBY, **more):
    return [hit.message.seq for hit in search(rig, SearchQuery(END, 200, words, rooms=rooms, **more)).hits]


# --- Damage -------------------------------------------------------------------------------------------------------


def remove(path):
    path.unlink()


def garble(path):
    path.write_bytes(b"no database at all" * 1000)


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path):
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 4096] = b"\xaa" * (len(data) - 12288)
    path.write_bytes(data)


def age(path):
    with closing(apsw.Connection(str(path))) as db:
        db.execute("UPDATE progress SET format = '0'")


def estrange(path):
    with closing(apsw.Connection(str(path))) as db:
        db.execute("UPDATE progress SET stamp = '[600,1,1]'")


def overtake(path):
    with closing(apsw.Connection(str(path))) as db:
        db.execute("UPDATE progress SET indexed_to = 999999")


def replace(path):
    path.unlink()
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE TABLE letters (text)")


def strip(path):
    with closing(apsw.Connection(str(path))) as db:
        db.execute("DROP TABLE found")


@pytest.mark.parametrize(
    "damage", [remove, garble, empty, cut, overwrite, age, estrange, overtake, replace, strip], ids=lambda f: f.__name__
)
def test_a_damaged_index_is_made_anew_and_nothing_is_lost(tmp_path, damage):
    rig = Rig(Log(tmp_path))
    seqs = rig.seqs(*(rig.draft(n, f"word{n % 10} needle{n}") for n in range(1, 601)))
    assert len(found(rig, "word3")) == 60
    rig.close()
    damage(tmp_path / SEARCH_INDEX)
    rig.start()
    assert found(rig, "word3") == [seq for seq in reversed(seqs) if seq % 10 == 3]
    assert found(rig, "needle77") == [77]
    assert len(rig.everything()) == 600
    (seq,) = rig.seqs(rig.draft(601, "word3"))
    assert found(rig, "word3")[0] == seq
    assert not rig.failures
    rig.close()
    assert (tmp_path / SEARCH_INDEX).stat().st_mode & 0o077 == 0


def test_damage_met_while_running_is_made_good(tmp_path, monkeypatch):
    rig = Rig(Log(tmp_path))
    rig.seqs(*(rig.draft(n, "needle") for n in range(1, 11)))
    real, met = Searcher.search, []

    def damaged(self, query):
        if not met:
            met.append(query)
            raise IndexCorrupt("a page of it")
        return real(self, query)

    monkeypatch.setattr(Searcher, "search", damaged)
    assert len(found(rig, "needle")) == 10
    assert met
    assert not rig.failures
    rig.close()


def test_where_no_index_can_be_the_server_goes_on(tmp_path):
    (tmp_path / SEARCH_INDEX / "in the way").mkdir(parents=True)
    rig = Rig(Log(tmp_path))
    rig.seqs(rig.draft(1, "needle"))
    answers = []
    rig.log.search(SearchQuery(END, 9, ("needle",), rooms=LOBBY), answers.append)
    rig.until(lambda: bool(answers))
    assert answers[0].code is ErrorCode.BUSY
    assert "Try again" in answers[0].text
    rig.seqs(rig.draft(2, "needle"))
    rig.close()
    assert not rig.failures


def test_the_operator_hears_that_no_index_can_be_kept(tmp_path):
    (tmp_path / SEARCH_INDEX / "in the way").mkdir(parents=True)
    posted, warnings = queue.SimpleQueue(), []
    log = ThreadedLog(tmp_path, Limits(), posted.put, on_warning=warnings.append)
    log.start(lambda batch: None, lambda error: pytest.fail(str(error)))
    while not warnings:
        posted.get(timeout=20)()
    assert "search index cannot be written (" in warnings[0]
    assert "a directory" in warnings[0]
    assert log.index_trouble == warnings[0]
    log.close()


def test_a_mistake_in_searching_ends_searching_alone(tmp_path, monkeypatch):
    thrown = []
    monkeypatch.setattr(threading, "excepthook", lambda args: thrown.append(args.exc_type))
    monkeypatch.setattr(Searcher, "search", lambda self, query: 1 // 0)
    rig = Rig(Log(tmp_path))
    answers = []
    for _ in range(2):
        rig.log.search(SearchQuery(END, 9, rooms=LOBBY), answers.append)
    rig.until(lambda: len(answers) == 2)
    assert all(isinstance(answer, NotAppended) for answer in answers)
    rig.seqs(rig.draft(1))
    rig.close()
    assert thrown == [ZeroDivisionError]
    assert not rig.failures


def test_making_an_index_tells_how_far_it_is_and_answers_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(maintenance, "_LONG_WAY", 1_000)
    monkeypatch.setattr(thread, "IndexMaintainer", partial(IndexMaintainer, stretch=100))
    implementation = Log(tmp_path)
    rig = Rig(implementation)
    rig.seqs(*(rig.draft(n, "needle") for n in range(1, 3001)))
    rig.close()
    (tmp_path / SEARCH_INDEX).unlink()
    implementation.progress.clear()
    rig.start()
    answers = []
    rig.log.search(SearchQuery(END, 200, ("needle",), rooms=LOBBY), answers.append)
    rig.until(lambda: bool(answers))
    assert answers[0].indexed_to < 3000
    assert len(answers[0].hits) <= answers[0].indexed_to
    rig.until(lambda: bool(implementation.progress) and implementation.progress[-1].indexed_to == 3000)
    steps = [step.indexed_to for step in implementation.progress]
    assert steps == sorted(steps)
    assert len(steps) > 5
    assert {step.last_seq for step in implementation.progress} == {3000}
    assert len(found(rig, "needle")) == 200
    rig.close()


# --- The index by itself ------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: MORNING_MS)
    store.open()
    yield store
    store.close()


@pytest.fixture
def source(store):
    with store.search_site.reading() as log:
        yield IndexLogReader(log)


def say(store, *texts, start=1):
    store.apply([Draft(1, "ann", n, text, "lobby") for n, text in enumerate(texts, start)])


def made(tmp_path, source):
    index = SearchIndex(tmp_path / SEARCH_INDEX, source)
    index.open()
    while index.step():
        pass
    return index


def ids(index):
    return [row[0] for row in index.db.execute("SELECT id FROM found_content ORDER BY id")]


def test_a_crash_costs_nothing_and_what_vanished_meanwhile_is_found(tmp_path, store, source):
    say(store, *(f"text {n}" for n in range(100)))
    index = made(tmp_path, source)
    index.discard, crashed = None, index  # never closed: as a killed process leaves it
    store.apply([_record(EraseSender(1, remove=True, above=0, seqs=40))])
    say(store, "later", start=101)
    shutil.copytree(tmp_path, copy := tmp_path.with_name("copy"))
    again = made(copy, source)
    assert ids(again) == list(range(41, 102))
    assert again.owes_truncation
    again.close()
    crashed.close()


def test_an_index_that_was_closed_well_compares_nothing(tmp_path, store, source):
    say(store, "a", "b")
    made(tmp_path, source).close()
    index = SearchIndex(tmp_path / SEARCH_INDEX, source)
    index.open()
    assert (index.indexed_to, index.is_whole, index.is_sweeping, index.owes_truncation) == (2, True, False, False)
    index.close()


def test_a_sweep_mends_what_is_missing_too(tmp_path, store, source):
    say(store, *(f"text {n}" for n in range(10)))
    index = made(tmp_path, source)
    index.db.execute("DELETE FROM found WHERE rowid IN (3, 7)")
    index.begin_sweep()
    while index.step():
        pass
    assert ids(index) == list(range(1, 11))
    index.close()


def test_an_index_in_many_pieces_is_put_together_a_step_at_a_time(tmp_path, store, source):
    index = made(tmp_path, source)
    index.db.execute("INSERT INTO found (found, rank) VALUES ('automerge', 0)")
    for n in range(1, 13):
        say(store, f"needle {n} " + "filler " * n, start=n)
        index.step()
    pieces = "SELECT count(DISTINCT segid) FROM found_idx"
    assert index.db.execute(pieces).fetchall() == [(12,)]
    index.close()
    again = made(tmp_path, source)
    assert again.db.execute(pieces).fetchall() == [(1,)]
    assert len(again.db.execute("SELECT rowid FROM found WHERE found MATCH 'needle'").fetchall()) == 12
    again.close()


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_no_word_that_is_gone_stays_in_the_leaves_of_the_index_nor_where_they_are_named(tmp_path, store, source, seed):
    """Nor in what a merge that is not over has gone through already."""
    rng = random.Random(seed)
    index = SearchIndex(tmp_path / SEARCH_INDEX, source)
    index.open()
    index.db.execute("INSERT INTO found (found, rank) VALUES ('pgsz', 64)")  # few words a leaf: many leaves
    for n in range(1, 241):
        sender = 1_000 + n if n <= 160 else 1  # the last signs of the newest come first: a merge is over with it first
        store.apply([Draft(sender, "ann", n, f"{rng.choice('abcdef')}{rng.getrandbits(40):x}", "lobby")])
        while n % 40 == 0 and index.step():
            pass
    for _ in range(seed):
        index.db.execute("INSERT INTO found (found, rank) VALUES ('merge', -4)")
    said = dict(store._db.execute("SELECT seq, text FROM messages").fetchall())
    gone = rng.sample(sorted(said), 200)
    for n, seq in enumerate(gone, 1_000):
        store.apply([Revision(RevisionKind.DELETE, 1, "ann", n, seq, room="lobby", any_author=True)])
    words, kept = {said.pop(seq) for seq in gone}, set(said.values())
    assert traces(index, words, kept), "this proves nothing: no leaf begins with a word that will go"
    while index.step():
        pass
    assert not traces(index, words, kept)
    index.db.execute("INSERT INTO found (found) VALUES ('integrity-check')")
    for seq, text in said.items():
        assert index.db.execute("SELECT rowid FROM found WHERE found MATCH ?", (text,)).fetchall() == [(seq,)]
    index.close()


def traces(index, words, kept):
    """Which of the words a leaf of the index begins with, or is named after and after none that is kept."""
    names = {row[0][1:].decode(errors="replace") for row in index.db.execute("SELECT term FROM found_idx")} - {""}
    names -= {text[:size] for text in kept for size in range(1, len(text) + 1)}
    blocks = [row[0] for row in index.db.execute("SELECT block FROM found_data WHERE id > 1000")]
    first = {word[1:].decode() for block in blocks if (word := fts5_cleanup._first_word(block)) is not None}
    return {word for word in words if word in first or any(word.startswith(name) for name in names)}


def test_a_busy_log_keeps_no_sweep_from_ending(tmp_path, store, source):
    say(store, "a", "b", "c")
    index = made(tmp_path, source)
    store.apply([_record(EraseSender(1, remove=True, above=0, seqs=2))])
    say(store, "d", start=4)
    index.begin_sweep()
    index.step()
    assert ids(index) == [3, 4]
    assert not index.is_sweeping
    index.close()


def test_a_full_disk_stops_the_index_and_loses_nothing(tmp_path, store, source):
    say(store, *(f"text {n} " + "x" * 500 for n in range(200)))
    index = SearchIndex(tmp_path / SEARCH_INDEX, source)
    index.open()
    ((pages,),) = index.db.execute("PRAGMA page_count").fetchall()
    index.db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(DiskFull):
        index.step()
    assert index.indexed_to == 0
    index.db.execute("PRAGMA max_page_count = 100000")
    while index.step():
        pass
    assert ids(index) == list(range(1, 201))
    index.close()


def test_a_search_is_bounded_and_the_next_one_is_not_hurt(tmp_path, store, source):
    say(store, *(f"w{n}x{n}" for n in range(3000)))
    index = made(tmp_path, source)
    with store.search_site.reading() as log:
        with pytest.raises(QueryTooExpensive):
            Searcher(index, log, seconds=0.0).search(SearchQuery(END, 200, ("w*",), rooms=LOBBY))
        assert len(Searcher(index, log).search(SearchQuery(END, 200, ("w*",), rooms=LOBBY)).hits) == 200
        say(store, "more", start=3001)
        index.step()
    index.close()


def test_more_searches_than_may_wait_are_told_so(tmp_path):
    rig = Rig(Log(tmp_path), Limits(search_queue=2))
    answers = []
    for _ in range(5):
        rig.log.search(SearchQuery(END, 9, rooms=LOBBY), answers.append)
    rig.until(lambda: len(answers) == 5)
    refused = [answer for answer in answers if isinstance(answer, NotAppended)]
    assert [refusal.code for refusal in refused] == [ErrorCode.BUSY] * 3
    assert isinstance(search(rig, SearchQuery(END, 9, rooms=LOBBY)), SearchRows)
    rig.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_searching_stands_back_and_nothing_else_does(tmp_path):
    rig = Rig(Log(tmp_path))
    assert found(rig, "nothing") == []
    usual = os.getpriority(os.PRIO_PROCESS, os.getpid())
    levels = {t.name: os.getpriority(os.PRIO_PROCESS, t.native_id) for t in threading.enumerate()}
    assert levels["log-search"] == thread.NICENESS
    assert levels["log-writer"] == levels["log-reader"] == usual
    rig.close()


def _record(change):
    from securechat.storage.store import ApplyChanges

    return ApplyChanges((change,))


# --- Erasure ------------------------------------------------------------------------------------------------------


def holds(directory, *texts):
    data = b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())
    return [text for text in texts if text.encode() in data]


def test_what_was_edited_away_deleted_or_removed_is_gone_from_every_file(tmp_path):
    rig = Rig(Log(tmp_path, erase_within_s=0.6))
    filler = [rig.draft(n, f"filler {n}") for n in range(1, 501)]
    secrets = ["xylophonic", "quizzaciously", "zwitterionic", "brouhahaesque"]
    edited, deleted = rig.seqs(rig.draft(501, secrets[0]), rig.draft(502, secrets[1]))
    rig.seqs(*[Draft(2, "bob", n, f"{d.text}", "lobby") for n, d in enumerate(filler, 1)])
    rig.seqs(rig.draft(1, secrets[2], sender_id=3), rig.draft(1, secrets[3], sender_id=4, room="brief"))
    assert found(rig, "quizz*")
    wait_until(lambda: len(holds(tmp_path, *secrets)) == 4, "the texts are in the files")
    rig.now_ms += 10_000
    rig.seqs(
        Revision(RevisionKind.EDIT, 1, "p", 503, edited, room="lobby", text="something milder"),
        Revision(RevisionKind.DELETE, 1, "p", 504, deleted, room="lobby"),
    )
    rig.record(EraseSender(3, remove=True, above=0))
    rig.record(PurgeExpired("brief", MORNING_MS + 5_000))
    wait_until(lambda: not holds(tmp_path, *secrets), "all of it is gone while the server runs")
    assert found(rig, "milder") == [edited]
    assert found(rig, "filler", rooms=LOBBY)
    rig.close()


# --- Rights -------------------------------------------------------------------------------------------------------

PEOPLE = st.integers(1, 4)
ROOMS = st.sampled_from(["lobby", "ops", "Ωmega"])
WORDS = st.sampled_from(["a", "ab", "é", "明", "天", "b c", "https://x.y", "a\0b", "🎉", "A", "明天", "c1", "が"])
SAID = st.lists(st.tuples(PEOPLE, ROOMS | PEOPLE, st.lists(WORDS, max_size=3).map(" ".join)), min_size=1, max_size=30)
SEQS = st.none() | st.integers(0, 35)
SEARCHED = st.sampled_from(["a", "a*", "e", "明", "明天", "b", "b c", "x y", "🎉", "!", "c1", "\ue000c1"])
QUERIES = st.builds(
    SearchQuery,
    up_to=st.integers(0, 35),
    limit=st.integers(1, 6),
    words=st.lists(SEARCHED, max_size=2).map(tuple),
    rooms=st.lists(ROOMS, max_size=3).map(tuple),
    floors=st.lists(st.tuples(ROOMS, st.integers(0, 35)), max_size=3).map(tuple),
    dialogues_of=st.none() | PEOPLE,
    dialogue=st.none() | st.tuples(PEOPLE, PEOPLE),
    senders=st.none() | st.lists(PEOPLE, max_size=3).map(tuple),
    before=SEQS,
    before_ms=SEQS.map(lambda n: None if n is None else MORNING_MS + 1000 * n),
    after_ms=SEQS.map(lambda n: None if n is None else MORNING_MS + 1000 * n),
    has_link=st.booleans(),
)


@pytest.mark.parametrize("kind", [Inline, pytest.param(Log, marks=pytest.mark.slow)], ids=["inline", "threaded"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=SAID, queries=st.lists(QUERIES, min_size=5, max_size=25))
def test_a_search_finds_what_a_naive_reader_finds_and_nothing_else(kind, said, queries):
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(kind(Path(directory) / "data"))
        for n, (who, where, text) in enumerate(said, 1):
            rig.now_ms += 1000
            place = {"room": None, "to": where} if isinstance(where, int) else {"room": where}
            rig.seqs(rig.draft(n, text or "-", sender_id=who, **place))
        rig.until(lambda: len(rig.feed) == len(said))
        for query in queries:
            rows = search(rig, query)
            assert (rows.hits, rows.more) == naive_search(rig.feed, query)
        rig.close()


def test_many_floors_hide_no_message_and_show_none(tmp_path):
    rig = Rig(Log(tmp_path))
    rooms = tuple(f"room{n}" for n in range(30))
    rig.seqs(*(rig.draft(n, f"needle {n}", room=rooms[n % 30]) for n in range(1, 601)))
    rig.until(lambda: len(rig.feed) == 600)
    floors = tuple((room, 20 * n) for n, room in enumerate(rooms))
    before = None
    for _ in range(3):
        query = SearchQuery(END, 90, ("needle",), rooms=rooms, floors=floors, before=before)
        rows = search(rig, query)
        assert (rows.hits, rows.more) == naive_search(rig.feed, query)
        before = rows.hits[-1].message.seq
    rig.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    rig = Rig(Inline(tmp_path_factory.mktemp("small") / "data"))
    rig.seqs(rig.draft(1, 'to be or not to be: "that" is AND (the) question*'))
    yield rig
    rig.close()


@given(text=st.text(max_size=200) | st.text(alphabet='"*()^:-+{} ANDORNEARfoundwords\ue000明é\0', max_size=60))
def test_no_text_is_a_syntax_error_of_the_index(small, text):
    try:
        words = parse(text, MORNING_MS).words
    except Refusal:
        words = (text,)
    answers = queue.SimpleQueue()
    small.log.search(SearchQuery(END, 9, words, rooms=LOBBY), answers.put)
    small.until(lambda: not answers.empty())
    assert isinstance(answers.get(), SearchRows)


def test_the_database_and_its_index_stand_side_by_side(tmp_path):
    rig = Rig(Log(tmp_path))
    rig.close()
    assert {DATABASE, SEARCH_INDEX} <= {path.name for path in tmp_path.iterdir()}
