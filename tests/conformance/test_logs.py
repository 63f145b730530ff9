"""Every log keeps every promise of the port; and the real ones answer history as a naive model does."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securechat.limits import Limits
from securechat.records.queries import HistoryQuery
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.threaded_log import ThreadedLog
from securechat.testing.conversation_checks import CONVERSATION_CHECKS
from securechat.testing.file_checks import FILE_CHECKS
from securechat.testing.inline_log import InlineLog
from securechat.testing.log_checks import LOG_CHECKS, Rig, naive_history
from securechat.testing.memory_store import MemoryLog, MemoryStore
from securechat.testing.people_checks import PEOPLE_CHECKS
from securechat.testing.room_checks import ROOM_CHECKS
from securechat.testing.search_checks import SEARCH_CHECKS


class Memory:
    def __init__(self, directory):
        self.store = None

    def open(self, post, limits, wall_ms):
        # A new store for new limits and clock would forget everything: what survives a process is the store itself.
        self.store = self.store or MemoryStore(limits, wall_ms=wall_ms)
        return MemoryLog(post, limits=limits, store=self.store)

    def kill(self, log):
        log.abandon()


class Inline:
    shared = True

    def __init__(self, directory):
        self.directory = directory

    def open(self, post, limits, wall_ms):
        return InlineLog(SqliteStore(self.directory, limits, wall_ms=wall_ms, shared=self.shared), limits, post)

    def kill(self, log):
        log.abandon()


class Alone(Inline):
    """One connection for everything, as on a simulated disk without shared memory."""

    shared = False


class Threaded:
    def __init__(self, directory):
        self.directory = directory

    def open(self, post, limits, wall_ms):
        return ThreadedLog(self.directory, limits, post, wall_ms=wall_ms)

    def kill(self, log):
        """What a killed process leaves: the files as they are, without the last checkpoint that closing makes."""
        after = self.directory.with_name(self.directory.name + "'")
        after.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(self.directory / (DATABASE + suffix), after)
        log.close()
        self.directory = after


LOGS = [Memory, Inline, Alone, Threaded]


@pytest.fixture(params=LOGS, ids=lambda cls: cls.__name__.lower())
def implementation(request, tmp_path):
    return request.param(tmp_path / "data")


CHECKS = LOG_CHECKS + PEOPLE_CHECKS + CONVERSATION_CHECKS + ROOM_CHECKS + SEARCH_CHECKS + FILE_CHECKS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_log(check, implementation):
    check(implementation)


PEOPLE = st.integers(1, 4)
ROOMS = st.sampled_from(["lobby", "ops", "Ωmega", "'; --"])
SEQS = st.none() | st.integers(0, 45)
PLACES = st.lists(st.tuples(PEOPLE, st.one_of(ROOMS, PEOPLE)), min_size=1, max_size=40)
QUERIES = st.builds(
    HistoryQuery,
    up_to=st.integers(0, 45),
    limit=st.integers(1, 10),
    rooms=st.lists(ROOMS, max_size=4).map(tuple),
    dialogue=st.none() | st.tuples(PEOPLE, PEOPLE),
    dialogues_of=st.none() | PEOPLE,
    after=SEQS,
    before=SEQS,
)


@pytest.mark.parametrize("kind", [Memory, Alone, Inline], ids=["memory", "alone", "inline"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(places=PLACES, queries=st.lists(QUERIES, min_size=5, max_size=25))
def test_history_is_what_a_naive_reader_finds(kind, places, queries):
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(kind(Path(directory) / "data"), Limits(commit_messages=7))
        rig.seqs(
            *(
                rig.draft(n, sender_id=who, to=where)
                if isinstance(where, int)
                else rig.draft(n, sender_id=who, room=where)
                for n, (who, where) in enumerate(places, 1)
            )
        )
        rig.until(lambda: len(rig.feed) == len(places))
        for query in queries:
            assert rig.history(query) == naive_history(rig.feed, query)
        rig.close()
