"""A snapshot sees one instant, changes nothing, and damage is found and named."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from securechat.errors import LogError, LogSchemaTooNew
from securechat.limits import Limits
from securechat.model import Draft, FileInfo, Revision, RevisionKind, StoredFile
from securechat.records.rooms import PutRoom, RoomRecord
from securechat.storage.directory import is_served
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ApplyChanges
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.storage.tools.integrity import damage, last_message_at_ms

FILES = tuple(StoredFile(FileInfo(digit * 32, f"{digit}.txt", 9), bytes(32)) for digit in "12")


def drafts(first: int, count: int) -> list[Draft]:
    return [Draft(1, "ann", number, f"text {number}", f"room{number % 3}") for number in range(first, first + count)]


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: 5_000)
    store.open()
    store.apply(drafts(1, 30))
    return store


def spoil(directory: Path, sql: str) -> None:
    connection = apsw.Connection(str(directory / DATABASE))
    connection.execute(sql)
    connection.close()


def found(directory: Path) -> list[str]:
    with Snapshot(directory / DATABASE) as snapshot:
        return damage(snapshot, lambda share: None)


def test_a_snapshot_keeps_its_instant_while_the_server_writes(store: SqliteStore, tmp_path: Path) -> None:
    with Snapshot(tmp_path / DATABASE) as snapshot:
        store.apply(drafts(31, 10))
        store.tidy(idle=True)
        assert snapshot.counts()["messages"] == 30
        snapshot.copy_to(tmp_path / "copy.db", lambda share: None)
        assert last_message_at_ms(snapshot) == 5_000
        assert snapshot.audit(10) == []
    with Snapshot(tmp_path / "copy.db", alone=True) as copy:
        assert copy.counts()["messages"] == 30
        assert damage(copy, lambda share: None) == []
    assert not (tmp_path / "copy.db-wal").exists()
    assert is_served(tmp_path) is not None
    store.close()
    assert is_served(tmp_path) is None


def test_a_log_left_by_kill_9_can_be_read(store: SqliteStore, tmp_path: Path) -> None:
    store.close(failed=True)  # the journal stays
    with Snapshot(tmp_path / DATABASE) as snapshot:
        assert snapshot.counts()["last_seq"] == 30


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no message log"):
        Snapshot(tmp_path / DATABASE)
    (tmp_path / DATABASE).write_bytes(b"rubbish " * 1000)
    with pytest.raises(LogError, match="cannot be read"):
        Snapshot(tmp_path / DATABASE)
    (tmp_path / DATABASE).unlink()
    spoil(tmp_path, "CREATE TABLE other (x)")
    with pytest.raises(LogError, match="no message log of securechat"):
        Snapshot(tmp_path / DATABASE)


def test_a_newer_log_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    spoil(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(LogSchemaTooNew, match="newer securechat"):
        Snapshot(tmp_path / DATABASE)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE messages SET conversation = 99 WHERE seq = 7", "message 7 belongs to a room or dialogue"),
        ("UPDATE messages SET prev = 0 WHERE seq = 7", "message 7 points back to 0, but 4 stands between them"),
        ("UPDATE messages SET sent_at_ms = 1 WHERE seq = 7", "message 7 is older than message 6"),
        (
            "INSERT INTO accounts VALUES (99, 'x', 'x', 'member', NULL, 0, 0, 0, 0, 'person', 0)",
            "account 99 is not among",
        ),
        ("INSERT INTO logins VALUES (1, 99, x'00', '', '', 0, 0, 0)", "login 1 belongs to account 99"),
        ("INSERT INTO certificates VALUES (1, 99, '', '', 0)", "client certificate 1 belongs to account 99"),
        ("UPDATE changes SET conversation = 9 WHERE seq = 31", "change 31 is about message 1, which is not there"),
        ("UPDATE changes SET target = 4 WHERE seq = 31", "message 1 was edited by change 31, which is of another"),
        ("UPDATE changes SET target = 4 WHERE seq = 32", "message 2 was deleted by change 32, which is of another"),
        ("UPDATE changes SET seq = 30 WHERE seq = 33", "number 30 belongs to a message and to a change"),
        ("UPDATE messages SET text = 'x' WHERE seq = 2", "message 2 was deleted and is not empty"),
        ("UPDATE reactions SET target = 2", "message 2 has a reaction of sender 1, and is not there"),
        ("UPDATE mentions SET seq = 5", "message 5 is said to name sender 2, and does not"),
        ("UPDATE message_keys SET sender_id = 2", "a key of sender 2 leads to message 34, which is not its own"),
        ("UPDATE message_keys SET seq = 99", "a key of sender 1 leads to message 99, which was never stored"),
        ("DELETE FROM conversations WHERE room = 'ops'", "room 5 (#ops) has rules but no conversation"),
        ("UPDATE files SET seq = 99 WHERE place = 1", f"file {'2' * 32} belongs to message 99, which is not there or"),
        ("UPDATE files SET seq = 2", f"file {'1' * 32} belongs to message 2, which is not there or was deleted"),
        ("UPDATE files SET sender_id = 2", f"file {'1' * 32} of message 35 is counted for another sender"),
        ("UPDATE files SET place = 7 WHERE place = 1", "the files of message 35 are not numbered from 0 on"),
        ("UPDATE files SET place = 7 WHERE place = 0", "the files of message 35 are not numbered from 0 on"),
        ("UPDATE files SET file_id = '../x' WHERE place = 0", "file ../x of message 35 has an id that no file has"),
        ("UPDATE files SET file_id = upper('a' || substr(file_id, 2)) WHERE place = 0", f"file A{'1' * 31} of message"),
        (
            f"INSERT INTO gone_files VALUES ('{'1' * 32}', 1, 2, 3)",
            f"file {'1' * 32} belongs to message 35, and is to be deleted as well",
        ),
    ],
)
def test_rules_between_tables(store: SqliteStore, tmp_path: Path, sql: str, sentence: str) -> None:
    store.apply(
        [
            Revision(RevisionKind.EDIT, 1, "ann", 31, 1, "room1", text="new", mentions=(2,)),
            Revision(RevisionKind.DELETE, 1, "ann", 32, 2, "room2"),
            Revision(RevisionKind.REACT, 1, "ann", 33, 3, "room0", sign="+"),
            ApplyChanges((PutRoom(RoomRecord(5, "ops")),)),
            Draft(1, "ann", 34, "alert", "room0", key="k"),
            Draft(1, "ann", 35, "look", "room0", files=FILES),
        ]
    )
    store.close()
    assert found(tmp_path) == []
    spoil(tmp_path, sql)
    assert any(one.startswith(sentence) for one in found(tmp_path)), found(tmp_path)


def test_deleted_messages_are_no_damage(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    spoil(tmp_path, "DELETE FROM messages WHERE seq IN (1, 4, 7, 29, 30)")
    assert found(tmp_path) == []


def test_a_damaged_page_is_found(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    path = tmp_path / DATABASE
    with apsw.Connection(str(path)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'").fetchall()
    connection.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : (root - 1) * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    assert found(tmp_path)
