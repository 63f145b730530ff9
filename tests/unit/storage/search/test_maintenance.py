"""The life of an index, on a disk in memory and a clock that is told the time: every decision, every damage."""

import random
from itertools import count

import pytest

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.accounts import EraseSender
from securechat.records.queries import SearchQuery, SearchRows
from securechat.records.rooms import PurgeExpired
from securechat.storage.search.index import IndexCorrupt, SearchIndex
from securechat.storage.search.maintenance import (
    CATCH_UP_STEPS,
    FOLLOW_S,
    NO_INDEX,
    RETRY_S,
    SWEEP_EVERY_S,
    TOO_WIDE,
    WARN_EVERY_S,
    IndexMaintainer,
)
from securechat.storage.search.query import Searcher
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ERASE_WITHIN_S, ApplyChanges, QueryTooExpensive, removes
from securechat.testing.disk import CrashStates, disk_full, input_output
from securechat.testing.log_checks import MORNING_MS
from securechat.testing.memory_disk import MemoryDisk
from securechat.testing.search_checks import END

MOMENT_S = 2 * FOLLOW_S
_number = count()


class Bench:
    """A log with its keeper, and all the time in the world."""

    def __init__(self, directory, **options):
        self.directory, self.options = directory, {"stretch": 10} | options
        self.disk = MemoryDisk(f"keeper{next(_number)}")
        self.now_s, self.wall_ms, self.said, self.works = 1_000.0, MORNING_MS, [], 0
        self.open()

    def open(self):
        self.store = SqliteStore(
            self.directory, Limits(), wall_ms=lambda: self.wall_ms, vfs=self.disk.name, shared=False
        )
        self.store.open()
        self.keeper = IndexMaintainer(self.store.search_site, lambda: self.now_s, **self.options)

    def close(self):
        self.keeper.close()
        self.store.close()

    def kill(self):
        self.disk.off = True
        self.keeper.close(failed=True)
        self.store.close(failed=True)
        self.disk.off = False

    # --- what people do

    def write(self, *writes):
        outcomes = self.store.apply(writes).outcomes
        self.keeper.committed(vanished=any(map(removes, writes)))
        return outcomes

    def say(self, *texts, room="lobby", sender=1):
        self.wall_ms += 1_000
        start = len(self.said) + 1
        self.said += texts
        drafts = [Draft(sender, "ann", n, text, room) for n, text in enumerate(texts, start)]
        return [outcome.seq for outcome in self.write(*drafts)]

    def revise(self, kind, seq, text=""):
        self.said.append(text)
        self.write(Revision(kind, 1, "ann", len(self.said), seq, room="lobby", text=text))

    def expire(self, room="lobby"):
        self.write(ApplyChanges((PurgeExpired(room, self.wall_ms + 1),)))

    def find(self, *words, rooms=("lobby", "ops")):
        answer = self.keeper.search(SearchQuery(END, 200, words, rooms=rooms))
        return [hit.message.seq for hit in answer.hits] if isinstance(answer, SearchRows) else answer

    # --- what time does

    def wait(self, seconds):
        """Let the keeper work whenever it wants to; it must not want to for ever."""
        until_s = self.now_s + seconds
        for _ in range(10_000):
            at_s = self.keeper.deadline()
            if at_s is None or at_s > until_s:
                self.now_s = until_s
                return
            self.now_s = max(self.now_s, at_s)
            self.works += 1
            self.keeper.work()
        pytest.fail("the keeper never rests")

    # --- what can be seen

    def texts(self):
        """What the log says, by seq."""
        return dict(self.store._db.execute("SELECT seq, text FROM messages WHERE text <> ''").fetchall())

    def indexed(self):
        """What stands in the index as it is, whatever the log says."""
        return [row[0] for row in self.keeper._index.db.execute("SELECT id FROM found_content ORDER BY id")]

    def in_files(self, *texts):
        """Which of the texts stand in the index's files."""
        data = b"".join(content for name, content in self.disk.contents().items() if name.startswith("search.db"))
        return [text for text in texts if text.encode() in data]

    def check(self):
        """Every search answers exactly what the log holds, and so does the index by itself."""
        rows = self.texts()
        for word in {word for text in self.said for word in text.split()}:
            expected = sorted((seq for seq, text in rows.items() if word in text.split()), reverse=True)
            assert self.find(word) == expected, f"{word!r} is not found where it is"
        self.wait(MOMENT_S)
        assert self.indexed() == sorted(rows)
        self.wait(ERASE_WITHIN_S)
        kept = {word for text in rows.values() for word in text.split()}
        gone = {word for text in self.said for word in text.split()} - kept
        assert self.in_files(*gone) == []
        assert self.keeper.deadline() is None


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.kill()
    bench.disk.__exit__()


# --- Following ----------------------------------------------------------------------------------------------------


def test_it_follows_at_a_distance_and_then_has_nothing_to_do(bench):
    bench.wait(0.0)
    assert bench.keeper.deadline() is None
    assert not bench.keeper.is_behind
    bench.say("needle")
    bench.now_s += FOLLOW_S / 2
    bench.say("needle")
    assert bench.keeper.is_behind
    assert bench.keeper.deadline() == 1_000.0 + FOLLOW_S
    bench.keeper.work()
    assert bench.indexed() == []
    works = bench.works
    bench.wait(FOLLOW_S)
    assert bench.indexed() == [1, 2]
    assert bench.works == works + 1
    assert bench.keeper.deadline() is None


def test_it_rests_as_long_as_a_stretch_took(bench, tmp_path):
    watch = count(step=3.0)
    bench.kill()
    bench.options["computed_s"] = lambda: next(watch)
    bench.open()
    bench.say(*(f"needle {n}" for n in range(25)))
    bench.wait(0.0)
    assert bench.indexed() == list(range(1, 11))
    assert bench.keeper.deadline() == bench.now_s + 3.0
    bench.wait(3.0)
    assert bench.indexed() == list(range(1, 21))
    bench.wait(3.0)
    assert bench.keeper.deadline() is None


def test_a_search_does_not_wait_for_that(bench):
    bench.wait(0.0)
    seqs = bench.say("needle", "hay", "needle")
    assert bench.find("needle") == [seqs[2], seqs[0]]
    bench.revise(RevisionKind.EDIT, seqs[0], "hay")
    bench.revise(RevisionKind.DELETE, seqs[2])
    assert bench.find("needle") == []
    assert bench.find("hay") == [seqs[1], seqs[0]]


def test_the_first_search_opens_the_index(bench):
    (seq,) = bench.say("needle")
    assert bench.find("needle") == [seq]


def test_what_is_far_behind_answers_with_what_there_is_and_says_so(bench):
    bench.say(*["needle"] * (10 * CATCH_UP_STEPS + 11))
    query = SearchQuery(END, 200, ("needle",), rooms=("lobby",))
    for expected in (0, 10, 10 * CATCH_UP_STEPS + 11):  # from where on it is near enough to catch up
        bench.keeper.work()
        rows = bench.keeper.search(query)
        assert len(rows.hits) == rows.indexed_to == expected


def test_a_search_that_takes_too_long_is_refused_and_costs_nothing_else(bench, monkeypatch):
    bench.say("needle")

    def endless(self, query):
        raise QueryTooExpensive("endless")

    with monkeypatch.context() as patch:
        patch.setattr(Searcher, "search", endless)
        assert bench.find("needle") is TOO_WIDE
    assert bench.find("needle") == [1]


# --- What is gone -------------------------------------------------------------------------------------------------


def test_what_is_gone_is_gone_from_the_files_in_time(bench):
    bench.say("xylophonic", "quizzaciously", "kept")
    bench.say("brouhahaesque", room="ops")
    bench.wait(60.0)
    assert bench.in_files("xylophonic", "quizzaciously", "brouhahaesque") == [
        "xylophonic",
        "quizzaciously",
        "brouhahaesque",
    ]
    bench.revise(RevisionKind.EDIT, 1, "milder")
    bench.revise(RevisionKind.DELETE, 2)
    bench.expire("ops")
    bench.wait(ERASE_WITHIN_S / 2)
    assert bench.in_files("xylophonic", "quizzaciously", "brouhahaesque", "kept") == ["kept"]
    bench.check()


def test_a_search_that_takes_out_a_text_is_a_reason_to_cut_the_journal(bench):
    bench.say("xylophonic")
    bench.wait(MOMENT_S)
    bench.revise(RevisionKind.DELETE, 1)
    bench.keeper._step_at_s = None  # as if it were not behind
    assert bench.find("xylophonic") == []
    bench.wait(ERASE_WITHIN_S / 2)
    assert bench.in_files("xylophonic") == []


def test_sweeps_keep_their_distance_and_none_is_forgotten(bench):
    bench.say(*(f"word{n}" for n in range(6)))
    bench.wait(MOMENT_S)
    bench.expire()
    bench.wait(FOLLOW_S)
    assert bench.indexed() == []
    bench.say("jentacular")
    bench.wait(MOMENT_S)
    bench.expire()
    bench.wait(SWEEP_EVERY_S - MOMENT_S - FOLLOW_S - 0.1)
    assert bench.indexed() == [7]
    bench.wait(0.1 + FOLLOW_S)
    assert bench.indexed() == []
    bench.check()


def test_what_vanished_right_before_the_end_does_not_outlast_the_next_start(bench):
    bench.say("xylophonic", "kept")
    bench.wait(ERASE_WITHIN_S)
    for again in (False, True):
        bench.say("brouhahaesque", room="ops")
        bench.wait(MOMENT_S)
        bench.expire("ops" if again else "lobby")
        if again:
            bench.wait(FOLLOW_S)
        bench.close()
        bench.open()
        bench.check()


def test_a_journal_that_could_not_be_cut_at_the_end_is_cut_after_the_next_start(bench):
    bench.say("xylophonic", "kept")
    bench.wait(MOMENT_S)
    bench.revise(RevisionKind.DELETE, 1)
    bench.wait(MOMENT_S)
    bench.disk.fail("write", "search.db", times=1_000)
    bench.close()
    assert bench.in_files("xylophonic") == ["xylophonic"]
    bench.disk.forgive()
    bench.open()
    bench.check()


def test_a_failed_end_writes_nothing(bench):
    bench.say("xylophonic", "kept")
    bench.wait(MOMENT_S)
    bench.revise(RevisionKind.DELETE, 1)
    bench.wait(MOMENT_S)
    events = len(bench.disk.events)
    bench.keeper.close(failed=True)
    assert len(bench.disk.events) == events
    bench.store.close(failed=True)
    bench.open()
    bench.check()


def test_what_vanished_while_nobody_had_opened_the_index_does_not_outlast_the_next_start(bench):
    bench.say("xylophonic")
    bench.wait(ERASE_WITHIN_S)
    bench.close()
    bench.open()
    bench.expire()
    bench.close()
    bench.open()
    bench.check()


def test_a_power_cut_takes_no_sweep_along(bench):
    """The mark that an index was not closed well has to be on the disk before anything is done that needs it."""
    bench.say("xylophonic", "kept")
    bench.wait(ERASE_WITHIN_S)
    bench.close()
    bench.open()
    bench.wait(0.0)
    bench.expire()
    bench.wait(MOMENT_S)
    bench.kill()
    bench.disk.cut_power(None)
    bench.open()
    bench.check()


# --- Damage -------------------------------------------------------------------------------------------------------


def test_damage_is_thrown_away_and_made_good_and_a_second_one_waited_for(bench, monkeypatch):
    seqs = bench.say("needle", "needle")
    bench.wait(MOMENT_S)
    real, damages = SearchIndex.step, []

    def damaged(self):
        if damages:
            damages.pop()
            raise IndexCorrupt("a page of it")
        return real(self)

    monkeypatch.setattr(SearchIndex, "step", damaged)
    damages.append("while it works")
    bench.say("more")
    bench.wait(MOMENT_S)
    assert not damages
    assert bench.indexed() == [1, 2, 3]
    damages.append("again, at once")
    bench.say("more")
    assert bench.find("needle") is NO_INDEX
    assert bench.keeper.deadline() == bench.now_s + RETRY_S
    bench.expire("ops")  # and a sweep that cannot be made does not let the keeper run hot
    bench.wait(RETRY_S - 0.1)
    assert bench.find("needle") is NO_INDEX
    bench.wait(0.2)
    assert bench.find("needle") == seqs[::-1]
    damages.append("after a while")
    assert bench.find("nothing") == []
    bench.say("more")
    bench.now_s += RETRY_S
    assert bench.find("needle") == seqs[::-1], "the second look is at the new index"
    bench.check()


@pytest.mark.parametrize("garbage", [b"", b"no database at all" * 500, None], ids=["empty", "garbage", "half"])
def test_a_file_that_is_none_is_made_anew(bench, garbage):
    bench.say(*(f"needle {n}" for n in range(30)))
    bench.wait(MOMENT_S)
    bench.close()
    files = bench.disk.contents()
    half = files["search.db"][: len(files["search.db"]) // 2]
    bench.disk.hold(files | {"search.db": half if garbage is None else garbage})
    bench.open()
    bench.check()


def test_a_damaged_file_that_cannot_be_removed_is_in_the_way_until_it_can(bench):
    (seq,) = bench.say("needle")
    bench.wait(MOMENT_S)
    bench.close()
    bench.disk.hold(bench.disk.contents() | {"search.db": b"no database at all" * 500})
    bench.disk.fail("delete", "search.db", times=4, error=input_output())
    bench.open()
    assert bench.find("needle") is NO_INDEX
    bench.wait(RETRY_S)
    assert bench.find("needle") is NO_INDEX
    bench.wait(RETRY_S)
    assert bench.find("needle") == [seq]
    bench.check()


def test_where_no_index_can_be_it_tries_again_and_again(bench):
    bench.say("needle")
    bench.disk.fail("write", "search.db", times=1_000, error=input_output())
    bench.disk.fail("create", "search.db-wal", times=1_000, error=input_output())
    bench.expire("ops")
    for _ in range(5):
        assert bench.find("needle") is NO_INDEX
        works = bench.works
        bench.wait(RETRY_S)
        assert bench.works <= works + 2
    bench.disk.forgive()
    bench.wait(RETRY_S)
    bench.check()


def test_a_full_disk_is_waited_for(bench):
    bench.say("needle")
    bench.wait(ERASE_WITHIN_S)
    bench.say(*(f"needle {n} " + "x" * 900 for n in range(40)))
    bench.disk.capacity_bytes = bench.disk.used_bytes() + 8_000
    bench.wait(MOMENT_S)
    assert bench.indexed() == [1]
    assert bench.keeper.deadline() == bench.now_s - FOLLOW_S + RETRY_S
    assert bench.find("needle") is NO_INDEX
    bench.wait(3 * RETRY_S)
    assert bench.indexed() == [1]
    bench.disk.forgive()
    assert len(bench.find("needle")) == 41
    bench.wait(RETRY_S)
    bench.check()


@pytest.mark.parametrize("error", [disk_full, input_output()], ids=["full", "broken"])
@pytest.mark.parametrize(
    "kind", ["create", pytest.param("write", marks=pytest.mark.slow), "sync", "truncate", "delete"]
)
def test_whatever_fails_below_the_index_fails_nothing_else(bench, kind, error):
    """At each call of its kind, once and from there on."""
    for times in (1, 60):
        for skip in count():
            bench.kill()
            bench.disk.hold({})
            bench.said.clear()
            faults = [bench.disk.fail(kind, name, skip=skip, times=times, error=error) for name in FILES]
            bench.open()
            story(bench)
            hit = any(fault.hits for fault in faults)
            bench.disk.forgive()
            bench.wait(RETRY_S)
            bench.check()
            if not hit:
                break
        assert skip > 0, f"nothing of an index is ever {kind}d"


FILES = ("search.db", "search.db-wal", "search.db-journal")


def test_an_error_of_the_log_is_one(bench):
    bench.say("needle")
    bench.wait(MOMENT_S)
    bench.store._db.execute("DROP TABLE serials")
    bench.keeper.committed()
    with pytest.raises(LogError):
        bench.find("needle")
    with pytest.raises(LogError):
        bench.wait(MOMENT_S)


def story(bench):
    """Everything that happens to an index, in a minute and a half."""
    bench.say("apricot damson", "apricot quince", "pomelo")
    bench.say("mirabelle", room="ops")
    bench.wait(MOMENT_S)
    bench.revise(RevisionKind.EDIT, 1, "cantaloupe")
    bench.revise(RevisionKind.DELETE, 2)
    bench.find("cantaloupe")
    bench.wait(MOMENT_S)
    bench.close()
    bench.open()
    bench.say("muscatel", room="ops")
    bench.wait(MOMENT_S)
    bench.expire("ops")
    bench.wait(25.0)
    bench.write(ApplyChanges((EraseSender(1, remove=True, above=0, seqs=3),)))
    bench.say("tamarind", "physalis")
    bench.wait(MOMENT_S)
    bench.say("kumquat")


@pytest.mark.slow
def test_a_power_cut_at_any_moment_costs_no_answer(bench):
    story(bench)
    said = list(bench.said)
    events = list(bench.disk.events)
    bench.kill()
    states = CrashStates(events)
    rngs = [None, *(random.Random(seed) for seed in range(3))]
    for position in range(len(events) + 1):
        states.advance(position)
        around = events[max(0, position - 1) : position + 1]
        if not any(event.name.startswith("search.db") or event.kind == "sync" for event in around):
            continue  # the log's own writes between its syncs: other tests look at those
        for rng in rngs:
            bench.disk.hold(states.contents(rng))
            bench.open()
            bench.said = said
            bench.check()
            bench.kill()
    bench.open()


@pytest.mark.parametrize("how", ["expired", "edited", "deleted"])
def test_many_long_texts_go_in_small_steps_between_which_searches_run(tmp_path, how, monkeypatch):
    counts = []
    step = SearchIndex.step

    def counting_step(index):
        before = set(bench.indexed())
        more = step(index)
        counts.append(len(before - set(bench.indexed())))
        return more

    bench = Bench(tmp_path, stretch=100)
    rng = random.Random(3)
    long = ["needle " + " ".join("".join(rng.choices("abcdef", k=5)) for _ in range(600)) for _ in range(24)]
    seqs = bench.say(*long)
    (kept,) = bench.say("needle", room="ops")
    bench.wait(MOMENT_S)
    if how == "expired":
        bench.expire()
    for seq in seqs if how != "expired" else ():
        kind = RevisionKind.EDIT if how == "edited" else RevisionKind.DELETE
        bench.revise(kind, seq, "changed" if how == "edited" else "")
    monkeypatch.setattr(SearchIndex, "step", counting_step)
    found = set()
    while bench.keeper.deadline() is not None and len(counts) < 200:
        bench.now_s = max(bench.now_s, bench.keeper.deadline())
        bench.keeper.work()
        found.add(tuple(bench.find("needle")))
    assert max(counts) <= 20_000 // 3_600
    assert found == {(kept,)}, "the log decides, however far the index is"
    assert bench.find("needle") == [kept]
    assert bench.indexed() == ([*seqs, kept] if how == "edited" else [kept])
    assert len(bench.find("changed")) == (24 if how == "edited" else 0)
    bench.check()
    bench.close()


# --- What the operator hears -----------------------------------------------------------------------------------------


def test_trouble_is_told_once_and_its_end_too(tmp_path):
    told = []
    bench = Bench(tmp_path, on_trouble=lambda trouble, warning: told.append((trouble, warning)))
    bench.say("needle")
    bench.wait(MOMENT_S)
    assert told == []
    bench.disk.fail("write", "search.db-wal", times=1_000, error=disk_full)
    for number in range(20):
        bench.say(f"needle {number}")
        bench.wait(RETRY_S)
    warnings = [warning for _, warning in told if warning is not None]
    assert 1 < len(warnings) <= 1 + 20 * RETRY_S / WARN_EVERY_S, "as often as said, not as often as it fails"
    assert "cannot be written" in warnings[0]
    assert "no space left" in warnings[0]
    assert all(trouble is not None for trouble, _ in told)
    bench.disk.forgive()
    bench.wait(WARN_EVERY_S + RETRY_S)
    assert told[-1][0] is None
    assert len(bench.find("needle")) == 21
    bench.close()


def test_an_index_that_is_thrown_away_is_told_with_the_reason(tmp_path):
    told = []
    bench = Bench(tmp_path, on_trouble=lambda trouble, warning: told.append((trouble, warning)))
    bench.say("needle")
    bench.wait(MOMENT_S)
    bench.close()
    bench.disk.hold(bench.disk.contents() | {"search.db": b"rubbish " * 1_000})
    bench.open()
    bench.wait(MOMENT_S)
    ((trouble, warning),) = told
    assert trouble is None
    assert "was discarded (" in warning
    assert "not a database" in warning
    bench.close()


@pytest.mark.parametrize("kind", ["write", "truncate", "create"])
def test_a_full_disk_while_the_index_is_opened_costs_no_index(tmp_path, kind):
    made = []
    bench = Bench(tmp_path)
    bench.say("apricot damson", "apricot quince", "pomelo")
    bench.wait(MOMENT_S)
    bench.close()
    before = bench.disk.contents()["search.db"]
    bench.disk.fail(kind, "search.db", times=5, error=disk_full)
    bench.disk.fail(kind, "search.db-wal", times=5, error=disk_full)
    bench.open()
    made.append(bench.find("apricot"))
    bench.wait(MOMENT_S)
    assert len(bench.disk.contents()["search.db"]) >= len(before), "what there was is there"
    assert not any(event.kind == "delete" and event.name == "search.db" for event in bench.disk.events)
    bench.disk.forgive()
    bench.wait(3 * RETRY_S)
    assert bench.find("apricot") == [2, 1]
    assert bench.indexed() == [1, 2, 3]
    bench.close()
