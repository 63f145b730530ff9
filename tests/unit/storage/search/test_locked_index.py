"""Another program holds the index, or the log below it: searches wait or are refused, and nothing is thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.storage.search.log_reader import IndexLogReader
from securechat.storage.search.maintenance import RETRY_S, IndexMaintainer
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import DatabaseBusy
from securechat.storage.threaded_log import ThreadedLog


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "data", Limits())
    store.open()
    store.apply([Draft(1, "ann", number, f"word {number}", "lobby") for number in range(1, 4)])
    yield store
    store.close()


def test_an_index_that_another_program_holds_is_kept_and_used_again(store: SqliteStore) -> None:
    troubles: list[str | None] = []
    now_s = 1_000.0
    assert store.search_site is not None
    keeper = IndexMaintainer(
        store.search_site, lambda: now_s, on_trouble=lambda trouble, _warning: troubles.append(trouble)
    )
    keeper.work()
    index = store.search_site.index
    inode = index.stat().st_ino
    with closing(apsw.Connection(str(index))) as other:
        other.execute("BEGIN IMMEDIATE")
        store.apply([Draft(1, "ann", 4, "word 4", "lobby")])
        keeper.committed()
        now_s += 100.0
        keeper.work()
        assert troubles
        assert "another program holds it" in str(troubles[-1])
        other.execute("ROLLBACK")
    now_s += RETRY_S
    keeper.work()
    assert troubles[-1] is None
    assert index.stat().st_ino == inode, "the index was thrown away"
    keeper.close()


class _Locked:
    """A connection to a log that another program holds."""

    def execute(self, *_: object) -> Any:
        raise apsw.BusyError("database is locked")


class _Broken:
    """A connection to a log that cannot be read."""

    def execute(self, *_: object) -> Any:
        raise apsw.CorruptError("database disk image is malformed")


def test_a_locked_log_is_not_a_failed_one_for_the_index() -> None:
    with pytest.raises(DatabaseBusy, match="another program holds"):
        IndexLogReader(_Locked()).last_seq()  # type: ignore[arg-type]
    with pytest.raises(LogError):
        IndexLogReader(_Broken()).last_seq()  # type: ignore[arg-type]


def test_the_reading_thread_tries_again(store: SqliteStore, tmp_path: Path) -> None:
    posted: list[Callable[[], None]] = []
    log = ThreadedLog(tmp_path / "data", Limits(), posted.append, store=store)
    tries = iter([DatabaseBusy("locked"), DatabaseBusy("locked")])

    def read() -> HistoryRows:
        for busy in tries:
            raise busy
        return store.read(HistoryQuery(up_to=9, limit=9, rooms=("lobby",)))

    rows = log._read(read)
    assert isinstance(rows, HistoryRows)
    assert len(rows.messages) == 3
    assert log.failure is None
