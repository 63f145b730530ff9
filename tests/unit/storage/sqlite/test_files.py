"""Files and their messages are there together or not at all, whatever the disk does, and cost nothing elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from securechat.limits import Limits
from securechat.model import Draft, FileInfo, Revision, RevisionKind, StoredFile
from securechat.records.accounts import EraseSender
from securechat.records.files import DropGoneFiles, FileQuery, FileUsage, OwnFilesQuery, PurgeFiles
from securechat.records.log import Appended
from securechat.records.queries import HistoryQuery
from securechat.records.rooms import PurgeExpired
from securechat.storage.sqlite import files, message_changes, message_writer
from securechat.storage.sqlite.loss import damaged_journal
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import FILE_USED, ApplyChanges, DiskFull, IdentifySender, StoreWrite
from securechat.testing.disk import CrashStates, RecordingDisk

EVERYTHING = HistoryQuery(up_to=2**53, limit=200, rooms=("lobby", "old"))
DELETE, EDIT = RevisionKind.DELETE, RevisionKind.EDIT


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[RecordingDisk]:
    with RecordingDisk(request.node.name) as disk:
        yield disk


def stored(number: int, size_bytes: int = 100) -> StoredFile:
    info = FileInfo(f"{number:032x}", f"report-{number}.pdf", size_bytes, "application/pdf")
    return StoredFile(info, bytes([number % 256]) * 32)


def said(client_id: int, *numbers: int, sender: int = 1, room: str = "lobby") -> Draft:
    return Draft(sender, "ann", client_id, f"text {client_id}\n[files]", room, files=tuple(map(stored, numbers)))


def state_of(directory: Path, vfs: str | None = None) -> tuple[Any, ...]:
    """Messages with their files, and what is gone, read past the store."""
    connection = apsw.Connection(str(directory / DATABASE), vfs=vfs)
    try:
        assert vfs or damaged_journal(connection, directory / DATABASE) is None
        connection.pragma("synchronous", "OFF")
        assert connection.pragma("integrity_check") == "ok"
        return tuple(
            tuple(connection.execute(question).fetchall())
            for question in (
                "SELECT seq, deleted FROM messages ORDER BY seq",
                "SELECT seq, place, file_id, kept_bytes FROM files ORDER BY seq, place",
                "SELECT file_id, sender_id, kept_bytes FROM gone_files ORDER BY file_id",
            )
        )
    finally:
        connection.close()


BATCHES: list[list[StoreWrite]] = [
    [IdentifySender(b"1" * 32, "ann", "ann"), said(1, 1, 2), said(2), said(3, 3)],
    [said(4, 4, 5, 6), Revision(DELETE, 1, "ann", 5, 1, "lobby"), said(6, 7, room="old")],
    [ApplyChanges((DropGoneFiles((f"{1:032x}",)),)), Revision(EDIT, 1, "ann", 7, 3, "lobby", text="new")],
    [said(8, 8), Revision(DELETE, 1, "ann", 9, 9, "lobby"), said(1, 9, 10, sender=2)],
    [ApplyChanges((PurgeExpired("old", 1 << 60),)), said(10, 11)],
    [ApplyChanges((PurgeFiles(1 << 60, most=2),))],
    [ApplyChanges((EraseSender(2, True, 0), DropGoneFiles((f"{2:032x}", f"{8:032x}"))))],
    [said(11, 12), said(12, 13, 14)],
]
"""Every way in which files come and go."""


def play(store: SqliteStore, after: list[Any] | None = None) -> None:
    store.open()
    for batch in BATCHES:
        outcomes = store.apply(batch).outcomes
        assert not [outcome for outcome in outcomes if outcome == FILE_USED]
        if after is not None:
            after.append(state_of(store.directory, store._vfs))


@pytest.mark.parametrize("at", range(len(BATCHES)))
def test_a_disk_that_is_full_in_the_middle_leaves_rows_of_neither(disk: RecordingDisk, tmp_path: Path, at: int) -> None:
    skip = 0
    while True:
        directory = tmp_path / str(skip)
        store = SqliteStore(directory, Limits(), vfs=disk.name)
        store.open()
        for batch in BATCHES[:at]:
            store.apply(batch)
        before = state_of(directory, disk.name)
        disk.fail("write", "-wal", skip=skip)
        try:
            store.apply(BATCHES[at])
        except DiskFull:
            assert state_of(directory, disk.name) == before
            assert [gone.file_id for gone in store.gone_files("", 99)] == [row[0] for row in before[2]]
            again = store.apply(BATCHES[at])
            assert FILE_USED not in again.outcomes, "a file counts as used after a roll-back"
            store.close()
            skip += 1
        else:
            store.close()
            break
    assert skip >= 2, "this proves nothing: the batch took no two writes"


def test_after_a_power_cut_at_any_moment_files_are_as_some_commit_left_them(
    disk: RecordingDisk, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "data", Limits(), vfs=disk.name)
    store.open()
    states, positions = [state_of(store.directory, disk.name)], [len(disk.events)]
    for batch in BATCHES:
        store.apply(batch)
        positions.append(len(disk.events))
        states.append(state_of(store.directory, disk.name))
        store.tidy(idle=True)
    store.erase()
    store.close()
    assert len({*states}) == len(states)
    rng, crashes = random.Random(7), CrashStates(disk.events)
    seen = set()
    for position in range(positions[0], len(disk.events) + 1):
        crashes.advance(position)
        directory = tmp_path / f"cut-{position}"
        directory.mkdir()
        crashes.rebuild(directory, rng if position % 2 else None)
        found = states.index(state_of(directory))
        told = sum(position >= other for other in positions) - 1
        assert found in (told, told + 1), f"at {position} it is as after batch {found}, and {told} were acknowledged"
        seen.add(found)
    assert seen == set(range(len(states)))


def test_what_a_message_was_told_with_leaves_every_file(tmp_path: Path) -> None:
    """The name of a file is text of its sender, too."""
    store = SqliteStore(tmp_path, Limits())
    store.open()
    veiled = StoredFile(FileInfo("ab" * 16, "veiled-plan.pdf", 5, "application/veiled"), b"veiledhash" + bytes(22))
    store.apply([Draft(1, "ann", 1, "look\n[file: veiled-plan.pdf, 5 B]", "lobby", files=(veiled,))])
    store.apply([Revision(DELETE, 1, "ann", 2, 1, "lobby")])
    assert store.erasing
    store.erase()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"ab" * 16 in content
    assert b"veiled" not in content
    store.close()


def test_a_message_without_files_asks_and_writes_nothing_about_them(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([said(1), said(2, 1)])
    statements: list[str] = []
    store._db.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.append(event["sql"]))
    store.apply([said(3), said(4)])
    assert statements
    assert not [sql for sql in statements if "files" in sql]
    store.apply([said(5, 2)])
    assert [sql for sql in statements if "files" in sql]
    store.close()


def test_rows_of_many_files_come_in_few_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (message_writer, message_changes):
        monkeypatch.setattr(module, "_CHUNK_ROWS", 7)
    store = SqliteStore(tmp_path, Limits())
    store.open()
    drafts = [said(number, *range(10 * number, 10 * number + number % 11)) for number in range(1, 60)]
    assert {type(outcome) for outcome in store.apply(drafts).outcomes} == {Appended}
    rows = store.read(EVERYTHING).messages
    assert [row.files for row in rows] == [[one.info for one in draft.files] for draft in drafts]
    count = sum(len(draft.files) for draft in drafts)
    store.close()
    assert store.open().files.usage == (FileUsage(1, count, 100 * count),)
    store.close()


def plan_of(connection: apsw.Connection, sql: str, bindings: dict[str, Any]) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]


def test_questions_about_files_are_answered_from_indexes(tmp_path: Path) -> None:
    """Whatever the tables hold: no question reads a table from its beginning."""
    store = SqliteStore(tmp_path, Limits())
    store.open()
    for batch in BATCHES:
        store.apply(batch)
    connection = store._db
    usage = plan_of(connection, files._USAGE, {})
    assert "SCAN files USING COVERING INDEX files_by_sender" in usage
    assert "SCAN gone_files USING COVERING INDEX gone_files_by_sender" in usage
    for sql, bindings, indexes in (
        (files._ROW_OF_FILE, {"file_id": "x"}, ["files_by_id"]),
        (files._OWN, {"sender_id": 1, "after": None, "rows": 9}, ["files_by_sender (sender_id=? AND size_bytes<?)"]),
        (files._IDS, {"after": "", "rows": 9}, ["COVERING INDEX files_by_id (file_id>?)"]),
        (files._GUESTS_FILES, {"below": 9, "most": 9}, ["COVERING INDEX files_by_sender (sender_id=?)"]),
    ):
        plan = plan_of(connection, sql, bindings)
        assert not [step for step in plan if step in ("SCAN files", "SCAN messages", "SCAN s")], plan
        for index in indexes:
            assert any(index in step for step in plan), plan
    own = plan_of(connection, files._OWN, {"sender_id": 1, "after": None, "rows": 9})
    assert not [step for step in own if "ORDER BY" in step], "the largest are found by sorting all"
    store.close()


def test_many_files_of_one_sender_are_listed_in_bounded_pages(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, Limits())
    store.open()
    for start in range(0, 2_000, 500):
        store.apply(
            [said(number, *range(1_000 * number, 1_000 * number + 1)) for number in range(start + 1, start + 501)]
        )
    steps: list[int] = []
    connection = store._reading
    assert connection is not None
    connection.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    assert len(store.own_files(OwnFilesQuery(1, None, 51))) == 51
    assert len(store.gone_files("", 500)) == 0
    assert len(store.stored_file_ids("", 500)) == 500
    assert store.file(FileQuery(f"{1_000:032x}")) is not None
    assert len(steps) == 5
    assert max(steps) < 10_000, "a page of history takes 11,000"
    store.close()
