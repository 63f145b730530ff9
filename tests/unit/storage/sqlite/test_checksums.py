"""A flipped bit in the file is never shown as what somebody wrote, and costs nobody else a page."""

from __future__ import annotations

import queue
from pathlib import Path

import apsw
import msgspec
import pytest

from securechat.limits import Limits
from securechat.model import Draft, Edited, FileInfo, Revision, RevisionKind, StoredFile
from securechat.records.accounts import EraseSender
from securechat.records.files import FileQuery, OwnFilesQuery
from securechat.records.queries import ConversationQuery, HistoryQuery, HistoryRows, SearchQuery
from securechat.storage.sqlite import checksums
from securechat.storage.sqlite.checksums import DAMAGED_TEXT, checksum_of, decode_rows
from securechat.storage.sqlite.file_rows import file_checksum
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import ApplyChanges
from securechat.storage.threaded_log import ThreadedLog
from securechat.storage.tools.backup import Snapshot
from securechat.storage.tools.export import export_room
from securechat.storage.tools.integrity import damage, damaged_messages
from tests.simulation.checkers.stored import read_database

EVERYTHING = HistoryQuery(up_to=99, limit=99, rooms=("lobby",), dialogues_of=1)
NAMED = 3


def fill(directory: Path) -> None:
    """Six messages, of which the third has everything that a message can have."""
    store = SqliteStore(directory, Limits())
    store.open()
    store.apply([Draft(1, "ann", number, f"needle {number}", "lobby") for number in (1, 2)])
    store.apply([Draft(1, "marked name", 3, "marked täxt", "lobby", reply=1, mentions=(2, 3333))])
    store.apply([Draft(1, "ann", number, f"needle {number}", "lobby") for number in (4, 5)])
    store.apply([Draft(1, "ann", 6, "psst", to=2, to_name="bob")])
    store.close()


def flip(directory: Path, content: bytes, bit: int) -> None:
    """Flip one bit in the middle of something that stands in the file once."""
    path = directory / DATABASE
    file = bytearray(path.read_bytes())
    assert file.count(content) == 1
    file[file.index(content) + len(content) // 2] ^= 1 << bit
    path.write_bytes(bytes(file))


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("content", [b"marked t\xc3\xa4xt", b"marked name", b"[2,3333]", b"2,3"])
def test_a_flipped_bit_is_found_by_reading_and_by_check(tmp_path: Path, content: bytes, bit: int) -> None:
    fill(tmp_path)
    flip(tmp_path, content, bit)
    store = SqliteStore(tmp_path, Limits())
    store.open()
    rows = store.read(EVERYTHING).messages
    assert [row.text for row in rows] == ["needle 1", "needle 2", DAMAGED_TEXT, "needle 4", "needle 5", "psst"]
    assert rows[2].mentions == []
    assert store.take_damaged() == [NAMED]
    assert store.take_damaged() == []
    (row,) = store.conversations(ConversationQuery(9, (("lobby", 0),), NAMED)).rows
    assert row.last is not None
    assert (row.last.seq, row.last.text) == (NAMED, DAMAGED_TEXT)
    assert store.take_damaged() == [NAMED]
    found = store.search(SearchQuery(99, 9, ("marked",), rooms=("lobby",)))
    assert found.hits == []
    store.apply([Revision(RevisionKind.REACT, 2, "bob", 1, NAMED, "lobby", sign="+")])
    assert store.read(EVERYTHING).messages[2].text == DAMAGED_TEXT, "a reaction mends nothing"
    with Snapshot(tmp_path / DATABASE) as snapshot:
        assert damaged_messages(snapshot, lambda share: None) == [
            f"message {NAMED} is not what was stored: readers are told that it is damaged"
        ]
        assert [row["text"] for row in export_room(snapshot.connection, "lobby")][2] == DAMAGED_TEXT
    store.apply([Revision(RevisionKind.EDIT, 1, "ann", 7, NAMED, "lobby", text="what was meant")])
    assert store.read(EVERYTHING).messages[2].text == "what was meant"
    store.close()


MARKED = FileInfo("ab" * 16, "marked name.jpg", 5, "image/marked", 40, 30, [320, 1600])
PICTURE = StoredFile(MARKED, b"marked hash" + bytes(21), 7)
NOTE = StoredFile(FileInfo("cd" * 16, "note.txt", 3), bytes(32))


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("content", [b"marked name.jpg", b"image/marked", b"marked hash", b"[320,1600]"])
def test_a_flipped_bit_in_a_files_row_hides_the_file(tmp_path: Path, content: bytes, bit: int) -> None:
    store = SqliteStore(tmp_path, Limits())
    store.open()
    look = "look\n[a line that ends as those of files do]"
    store.apply([Draft(1, "ann", 1, look, "lobby", files=(PICTURE, NOTE)), Draft(1, "ann", 2, "next", "lobby")])
    assert store.file(FileQuery("ab" * 16)) is not None
    store.close()
    flip(tmp_path, content, bit)
    store.open()
    rows = store.read(EVERYTHING).messages
    assert [(row.text, row.files) for row in rows] == [(look, [NOTE.info]), ("next", [])]
    assert store.take_damaged() == [1]
    (row,) = store.conversations(ConversationQuery(9, (("lobby", 0),), 1)).rows
    assert row.last is not None
    assert row.last.files == [NOTE.info]
    assert store.take_damaged() == [1]
    assert store.file(FileQuery("ab" * 16)) is None
    assert store.take_damaged() == [1]
    assert store.file(FileQuery("cd" * 16)) is not None
    assert [row.file for row in store.own_files(OwnFilesQuery(1))] == [NOTE.info]
    with Snapshot(tmp_path / DATABASE) as snapshot:
        assert damage(snapshot, lambda share: None) == []
        assert damaged_messages(snapshot, lambda share: None) == [
            "a file of message 1 is not what was stored: readers do not see it"
        ]
        assert [len(row.get("files", ())) for row in export_room(snapshot.connection, "lobby")] == [1, 0]
    store.apply([Revision(RevisionKind.DELETE, 1, "ann", 3, 1, "lobby")])
    assert [gone.file_id for gone in store.gone_files("", 9)] == ["ab" * 16, "cd" * 16], "it is still unlinked"
    store.close()


def test_a_file_of_a_damaged_message_is_not_given_out(tmp_path: Path) -> None:
    """Its room or its sender may be what is damaged, and with them who may read it."""
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([Draft(1, "ann", 1, "marked text\n[file: a]", "lobby", files=(PICTURE,))])
    store.close()
    flip(tmp_path, b"marked text", 0)
    store.open()
    assert store.file(FileQuery("ab" * 16)) is None
    assert store.own_files(OwnFilesQuery(1)) == []
    assert store.read(EVERYTHING).messages[0].files == []
    store.close()


def test_a_page_of_own_files_is_filled_behind_what_is_damaged(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, Limits())
    store.open()
    sizes = range(1, 8)
    files = [StoredFile(FileInfo(f"{size:032x}", f"file {size}", size), bytes(32)) for size in sizes]
    store.apply(
        [
            Draft(1, "ann", each.info.size, f"marked {each.info.size}\n[file: a]", "lobby", files=(each,))
            for each in files
        ]
    )
    store.close()
    for size in (7, 5, 4):
        flip(tmp_path, f"marked {size}".encode(), 0)
    store.open()
    page = store.own_files(OwnFilesQuery(1, None, 3))
    assert [row.file.size for row in page] == [6, 3, 2]
    assert [row.file.size for row in store.own_files(OwnFilesQuery(1, page[-1].file.id, 3))] == [1]
    store.close()


def test_every_column_of_a_file_counts() -> None:
    columns = (0, "ab", 1, "name", 5, "00FF", "type", 40, 30, "[320]", 12)
    others = {file_checksum(8, columns)}
    for at, value in enumerate(columns):
        others.add(file_checksum(7, (*columns[:at], value * 2 + type(value)(1), *columns[at + 1 :])))  # type: ignore[operator]
    assert len(others | {file_checksum(7, columns)}) == len(columns) + 2


def test_an_edit_that_was_damaged_is_not_told(tmp_path: Path) -> None:
    fill(tmp_path)
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([Revision(RevisionKind.EDIT, 1, "ann", 7, 1, "lobby", text="a mended text", mentions=(2,))])
    store.close()
    flip(tmp_path, b"a mended text", 1)
    store.open()
    later = HistoryQuery(up_to=99, limit=99, rooms=("lobby",), after=6)
    (edited,) = store.read(later).changes
    assert isinstance(edited, Edited)
    assert (edited.text, edited.mentions) == (DAMAGED_TEXT, [])
    store.close()


def test_a_whole_database_is_whole_whatever_was_done_to_it(tmp_path: Path) -> None:
    fill(tmp_path)
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply(
        [
            Revision(RevisionKind.EDIT, 1, "ann", 7, NAMED, "lobby", text="other", mentions=(4,)),
            Revision(RevisionKind.DELETE, 1, "ann", 8, 1, "lobby"),
            Draft(2, "bob", 1, "before", "lobby", mentions=(1,)),
            Revision(RevisionKind.EDIT, 2, "bob", 2, 9, "lobby", text="in one batch"),
        ]
    )
    store.apply([ApplyChanges((EraseSender(1, False, 0, 99),)), ApplyChanges((EraseSender(2, False, 0, 99),))])
    read_database(store._db)
    rows = store.read(EVERYTHING).messages
    assert {row.name for row in rows} == {""}
    assert DAMAGED_TEXT not in {row.text for row in rows}
    store.close()
    with Snapshot(tmp_path / DATABASE) as snapshot:
        assert damage(snapshot, lambda share: None) == damaged_messages(snapshot, lambda share: None) == []


def test_the_operator_is_told_of_a_damaged_message_once(tmp_path: Path) -> None:
    fill(tmp_path)
    flip(tmp_path, b"marked t\xc3\xa4xt", 0)
    posted: queue.SimpleQueue = queue.SimpleQueue()
    warnings: list[str] = []
    log = ThreadedLog(tmp_path, Limits(), posted.put, on_warning=warnings.append)
    log.start(lambda batch: None, lambda error: pytest.fail(str(error)))
    for _ in range(2):
        pages: list[object] = []
        log.history(EVERYTHING, pages.append)
        while not pages:
            posted.get(timeout=20)()
        assert isinstance(pages[0], HistoryRows)
    log.close()
    while not posted.empty():
        posted.get()()
    assert [warning for warning in warnings if "message 3 is damaged on the disk" in warning] == warnings
    assert all(f"run `securechat-admin check --data {tmp_path}" in warning for warning in warnings)
    assert len(warnings) == 1


def test_old_messages_get_their_checksums_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    connection = apsw.Connection(str(tmp_path / DATABASE))
    connection.execute("UPDATE messages SET checksum = NULL; UPDATE checksum_progress SET fill_to = 5")
    connection.close()
    monkeypatch.setattr(checksums, "_UNFILLED", checksums._UNFILLED.replace("LIMIT 250", "LIMIT 2"))
    monkeypatch.setattr(checksums, "_FILL_ROWS", 2)
    store = SqliteStore(tmp_path, Limits())
    steps = 0
    for _ in range(2):  # and a restart between
        store.open()
        for _ in range(2):
            if store.fills_checksums:
                store.tidy(idle=True)
                steps += 1
        store.close()
    assert steps == 3
    connection = apsw.Connection(str(tmp_path / DATABASE))
    unchecked = connection.execute("SELECT seq FROM messages WHERE checksum IS NULL").fetchall()
    connection.close()
    assert unchecked == [(6,)], "only the one that the migration did not know of"


def test_every_bit_of_every_column_counts() -> None:
    row = [7, 3, 5, 2, "ann", "bob", 1_700_000_000_000, "hello", 4, [1, 2], 9, None]
    right = checksum_of(*row)  # type: ignore[arg-type]
    others = set()
    for at, value in enumerate(row):
        if isinstance(value, int):
            variants = [value ^ 1 << bit for bit in range(32)]
        elif isinstance(value, str):
            variants = [value[:1] + chr(ord(value[1]) ^ 1 << bit) + value[2:] for bit in range(7)]
        else:
            variants = [[1], [2, 1], [1, 3], None] if at == 9 else [1]  # type: ignore[list-item]
        others |= {checksum_of(*row[:at], variant, *row[at + 1 :]) for variant in variants}  # type: ignore[arg-type]
    assert right not in others


def test_rows_that_are_no_unicode_are_decoded_all_the_same() -> None:
    decoder = msgspec.json.Decoder(list[str])
    assert decode_rows(decoder, b'["good","b\xffd\xc3","good"]') == ["good", "b\ufffdd\ufffd", "good"]
    with pytest.raises(msgspec.ValidationError):
        decode_rows(decoder, b"[1]")
