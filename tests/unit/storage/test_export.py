"""A room as rows: all of it, as it is now, a message at a time."""

import json

import apsw
import pytest

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft, FileInfo, Revision, RevisionKind, StoredFile
from securechat.records.accounts import Account, AccountKind, Put
from securechat.records.rooms import PutRoom, RoomRecord
from securechat.storage.sqlite.migrations import MIGRATIONS, migrate
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import ApplyChanges
from securechat.storage.tools.backup import Snapshot
from securechat.storage.tools.export import export_room, has_room, room_sizes

EDIT, DELETE, REACT, _ = RevisionKind


@pytest.fixture
def snapshot(tmp_path):
    now = [1_000]
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: now[0])
    store.open()
    store.apply(
        [
            Draft(1, "ann", 1, "one\0\n", "lobby"),
            Draft(2, "bob", 1, "two", "lobby", reply=1, mentions=(1, 3)),
            Draft(1, "ann", 2, "three", "lobby"),
            Draft(1, "ann", 3, "elsewhere", "ops"),
            Draft(1, "ann", 4, "private", to=2, to_name="bob"),
        ]
    )
    now[0] = 2_000
    store.apply(
        [
            Revision(EDIT, 1, "ann", 5, 1, "lobby", text="ONE"),
            Revision(DELETE, 1, "ann", 6, 3, "lobby"),
            Revision(REACT, 2, "bob", 2, 1, "lobby", sign="+1"),
            Revision(REACT, 1, "ann", 7, 1, "lobby", sign="+1"),
        ]
    )
    with Snapshot(tmp_path / DATABASE) as snapshot:
        yield snapshot
    store.close()


def test_a_room_is_exported_as_it_is_now(snapshot):
    rows = list(export_room(snapshot.connection, "lobby"))
    assert json.loads(json.dumps(rows)) == [
        {"seq": 1, "sender_id": 1, "name": "ann", "sent_at_ms": 1_000, "text": "ONE", "edited_at_ms": 2_000,
         "reactions": {"+1": [2, 1]}},
        {"seq": 2, "sender_id": 2, "name": "bob", "sent_at_ms": 1_000, "text": "two", "reply": 1, "mentions": [1, 3]},
        {"seq": 3, "sender_id": 1, "name": "ann", "sent_at_ms": 1_000, "text": "", "deleted_at_ms": 2_000},
    ]  # fmt: skip
    assert [row["text"] for row in export_room(snapshot.connection, "ops")] == ["elsewhere"]
    assert room_sizes(snapshot.connection) == [("lobby", 3), ("ops", 1)]


def test_who_edited_or_deleted_is_exported_unless_it_was_the_author(tmp_path):
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: 1_000)
    store.open()
    store.apply([Draft(1, "ann", 1, "ann's", "lobby"), Draft(1, "ann", 2, "ann's", "lobby")])
    store.apply(
        [
            Revision(EDIT, 9, "mod", 1, 1, "lobby", text="mod's", any_author=True),
            Revision(DELETE, 9, "mod", 2, 2, "lobby", any_author=True),
        ]
    )
    with Snapshot(tmp_path / DATABASE) as snapshot:
        edited, deleted = export_room(snapshot.connection, "lobby")
    store.close()
    mod = {"sender_id": 9, "name": "mod"}
    assert (edited["name"], edited["text"], edited["edited_by"]) == ("ann", "mod's", mod)
    assert (deleted["text"], deleted["deleted_by"]) == ("", mod)


def test_rows_come_one_by_one(snapshot):
    rows = export_room(snapshot.connection, "lobby")
    assert next(rows)["seq"] == 1
    rows.close()


def test_a_room_is_there_with_a_message_or_a_record_and_the_lobby_always(snapshot, tmp_path):
    assert [has_room(snapshot.connection, room) for room in ("lobby", "ops", "nowhere")] == [True, True, False]
    assert list(export_room(snapshot.connection, "nowhere")) == []
    store = SqliteStore(tmp_path / "other", Limits(), wall_ms=lambda: 1_000)
    store.open()
    store.apply([ApplyChanges([PutRoom(RoomRecord(1, "quiet"))])])
    with Snapshot(tmp_path / "other" / DATABASE) as other:
        rooms = ("lobby", "quiet", "ops")
        assert [(has_room(other.connection, room), list(export_room(other.connection, room))) for room in rooms] == [
            (True, []),
            (True, []),
            (False, []),
        ]
    store.close()


def test_what_cannot_be_exported_is_said(snapshot, tmp_path):
    old = apsw.Connection(str(tmp_path / "old.db"))
    migrate(old, MIGRATIONS[:3])
    for act in (has_room, lambda *asked: next(export_room(*asked))):
        with pytest.raises(LogError, match="start the server once"):
            act(old, "lobby")
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    with pytest.raises(LogError, match="cannot be read"):
        next(export_room(other, "lobby"))
    with pytest.raises(LogError, match="cannot be read"):
        has_room(other, "ops")
    old.close()
    other.close()


def test_what_a_program_wrote_is_marked(tmp_path):
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: 1_000)
    store.open()
    store.apply([ApplyChanges((Put(Account(1, "deploy", "deploy", kind=AccountKind.BOT)),))])
    store.apply([Draft(1, "deploy", 1, "built", "lobby"), Draft(2, "ann", 1, "thanks", "lobby")])
    with Snapshot(tmp_path / DATABASE) as snapshot:
        assert [row.get("bot") for row in export_room(snapshot.connection, "lobby")] == [True, None]
    store.close()


def test_files_are_exported_with_what_tells_them_apart(tmp_path):
    store = SqliteStore(tmp_path, Limits(), wall_ms=lambda: 1_000)
    store.open()
    picture = FileInfo("a" * 32, "sea.jpg", 5, "image/jpeg", 40, 30, [320])
    files = (StoredFile(picture, b"\x01" * 32, 9), StoredFile(FileInfo("b" * 32, "x", 0), b"\xab" * 32))
    store.apply([Draft(1, "ann", n, "look\n[a line of files]", "lobby", files=files[n - 1 : n]) for n in (1, 2, 3)])
    with Snapshot(tmp_path / DATABASE) as snapshot:
        rows = json.loads(json.dumps(list(export_room(snapshot.connection, "lobby"))))
    assert [row.get("files") for row in rows] == [
        [
            {"id": "a" * 32, "name": "sea.jpg", "size": 5, "type": "image/jpeg", "width": 40, "height": 30,
             "sha256": "01" * 32}
        ],
        [{"id": "b" * 32, "name": "x", "size": 0, "type": "application/octet-stream", "sha256": "ab" * 32}],
        None,
    ]  # fmt: skip
    store.close()
