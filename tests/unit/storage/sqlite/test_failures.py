"""Every error of SQLite has a consequence: wait, degrade, refuse or stop.

Looked through: each ``except apsw...`` in securechat/storage (the writer, its checkpoints and checksums, the reading
thread, the search index and its reading of the log, backup, export and the checks of the admin tool).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft
from securechat.records.log import Appended
from securechat.records.queries import HistoryQuery
from securechat.storage.conditions import SILENT_S, DiskCondition, DiskConditions
from securechat.storage.sqlite.failures import EXTENDED, KINDS, FailureKind, failure_of, kind_of, reading_failure
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import DatabaseBusy, DiskFull, QueryTooExpensive
from securechat.testing.disk import RecordingDisk, input_output

NO_ERRORS = {"SQLITE_OK", "SQLITE_ROW", "SQLITE_DONE", "SQLITE_NOTICE", "SQLITE_WARNING"}


def error(code: int, kind: type[apsw.Error] = apsw.Error) -> apsw.Error:
    made: Any = kind("injected")
    made.result, made.extendedresult = code & 0xFF, code
    return made


def test_the_table_has_every_result_code() -> None:
    codes = {name: code for name, code in apsw.mapping_result_codes.items() if isinstance(name, str)}
    assert {code for name, code in codes.items() if name not in NO_ERRORS} == set(KINDS)


def test_every_extended_code_is_judged_and_no_write_error_passes_for_something_milder() -> None:
    for name, code in apsw.mapping_extended_result_codes.items():
        if not isinstance(name, str) or code & 0xFF not in KINDS:
            continue
        expected = EXTENDED.get(code, KINDS[code & 0xFF])
        assert kind_of(error(code)) is expected, name
        if name.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            assert expected is FailureKind.STOP, name


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG, errno.ENOSPC])
def test_a_quota_or_a_file_size_limit_is_a_full_disk_for_a_write_and_a_failure_for_a_sync(number: int) -> None:
    assert isinstance(failure_of(error(apsw.SQLITE_IOERR_WRITE), number), DiskFull)
    assert isinstance(failure_of(error(apsw.SQLITE_IOERR_FSYNC), number), LogError)
    assert isinstance(failure_of(error(apsw.SQLITE_IOERR_WRITE), errno.EIO), LogError)


def test_the_errors_of_the_interface() -> None:
    assert isinstance(failure_of(error(apsw.SQLITE_BUSY, apsw.BusyError)), DatabaseBusy)
    assert isinstance(failure_of(apsw.BusyError("without a code")), DatabaseBusy)
    assert isinstance(failure_of(error(apsw.SQLITE_INTERRUPT)), QueryTooExpensive)
    assert isinstance(failure_of(apsw.Error("without a code")), LogError)
    assert isinstance(reading_failure(error(apsw.SQLITE_BUSY, apsw.BusyError)), DatabaseBusy)


@pytest.mark.parametrize("judge", [failure_of, reading_failure])
def test_a_read_stops_the_log_with_the_same_words_as_a_write(judge: Callable[[apsw.Error], Exception]) -> None:
    failure = judge(error(apsw.SQLITE_IOERR, apsw.IOError))
    assert isinstance(failure, LogError)
    assert "nothing more is acknowledged. Check the disk, then restart" in str(failure)


def draft(number: int) -> Draft:
    return Draft(1, "ann", number, "x", "lobby")


def test_a_locked_database_stores_nothing_and_takes_the_same_batch_later(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data", Limits())
    store.open()
    assert store.apply([draft(1)]).outcomes == [Appended(1)]
    with closing(apsw.Connection(str(tmp_path / "data" / "securechat.db"))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy):
            store.apply([draft(2)])
        store.tidy(idle=True)
        store.erase()
        assert store.erasing, "the journal could not be emptied"
        assert len(store.read(HistoryQuery(up_to=9, limit=9, rooms=("lobby",))).messages) == 1
        other.execute("ROLLBACK")
    assert store.apply([draft(2)]).outcomes == [Appended(2)]
    store.erase()
    assert not store.erasing
    store.close()


def test_a_reader_that_holds_the_journal_is_seen_and_its_end_too(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data", Limits(wal_bytes=64 * 1024))
    store.open()
    with closing(apsw.Connection(str(tmp_path / "data" / "securechat.db"))) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM messages").fetchall()
        for number in range(1, 200):
            store.apply([draft(number)])
            store.tidy(idle=False)
            if store.held_bytes:
                break
        assert store.held_bytes >= 4 * 64 * 1024
        other.execute("COMMIT")
    store.erase()
    assert store.held_bytes == 0
    store.close()


@pytest.mark.parametrize("code", [apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC])
def test_a_write_error_that_may_lie_still_stops(tmp_path: Path, code: int) -> None:
    with RecordingDisk("may-lie") as disk:
        store = SqliteStore(tmp_path / "data", Limits(), vfs=disk.name, shared=False)
        store.open()
        disk.fail("write" if code == apsw.SQLITE_IOERR_WRITE else "sync", "-wal", error=input_output(code))
        with pytest.raises(LogError, match="nothing more is acknowledged"):
            store.apply([draft(1)])
        store.close(failed=True)


def test_a_condition_is_reported_once_and_its_end_too() -> None:
    told: list[tuple[str, bool]] = []
    now_s = 0.0
    conditions = DiskConditions(lambda sentence, began: told.append((sentence, began)), lambda: now_s)
    for _ in range(3):
        conditions.met(DiskCondition.FULL, "a write found no space")
        conditions.passed(DiskCondition.FULL)  # the next batch had no message in it
    assert [began for _, began in told] == [True]
    now_s = SILENT_S
    conditions.passed(DiskCondition.FULL)
    conditions.passed(DiskCondition.FULL, for_certain=True)
    assert [began for _, began in told] == [True, False]
    conditions.met(DiskCondition.LOCKED, "x.db")
    conditions.passed(DiskCondition.LOCKED, for_certain=True)
    assert [began for _, began in told] == [True, False, True, False]
    assert "x.db" in told[2][0]
