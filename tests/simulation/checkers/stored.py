"""What a store holds, read past its own reader: for checks that must not ask the program for its opinion.

The tables are read with the plainest SQL there is, and put together here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw
import msgspec

from securechat.model import Deleted, Edited, FileInfo, Message, MessageChange, Person, Reacted, Reaction
from securechat.storage.sqlite.checksums import checksum_of
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import key_hash
from securechat.testing.memory_store import MemoryStore

_MESSAGES = """
SELECT seq, prev, sender_id, name, to_name, sent_at_ms, text, reply, mentions, edited, deleted, room, low, high
FROM messages JOIN conversations USING (conversation) ORDER BY seq
"""
_CHECKED = """
SELECT seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply, mentions, edited, deleted, checksum
FROM messages
"""
_FILES = """
SELECT seq, file_id, name, size_bytes, type, width, height, previews FROM files ORDER BY seq, place
"""
_REACTIONS = "SELECT target, sign, sender_id FROM reactions ORDER BY target, since, seq"
_CHANGES = """
SELECT seq, kind, target, sender_id, name, sent_at_ms, sign, room, low, high
FROM changes JOIN conversations USING (conversation) ORDER BY seq
"""
_DRAFTS = "SELECT stream, client_id, seq FROM drafts"
_KEYS = "SELECT sender_id, key_hash, seq, sent_at_ms FROM message_keys"
_FILES = "SELECT seq, file_id, name, size_bytes, type, width, height, previews FROM files ORDER BY seq, place"
_READS = "SELECT sender_id, room, low, high, seq FROM reads JOIN conversations USING (conversation)"


class Stored(NamedTuple):
    """Everything that was said.

    Attributes:
        messages: in their final state, by seq.
        changes: what changed them, by seq; the text of an edit is in its message alone.
        drafts: the seq of each (stream, client_id) ever stored.
        keys: the seq and the time of each key that is known, by its sender and hash.
        reads: how far each account has read, by its sender_id and the room or dialogue.
    """

    messages: list[Message]
    changes: list[MessageChange]
    drafts: dict[tuple[int, int], int]
    keys: dict[tuple[int, bytes], tuple[int, int]]
    reads: dict[tuple[int, str | tuple[int, int]], int]


def stored(store: MemoryStore | SqliteStore) -> Stored:
    """Read everything from an open store."""
    if isinstance(store, MemoryStore):
        talk = store._talk
        changes = [_without_text(change) for change in talk.changes]
        places = {number: place for place, number in talk.numbers.items()}
        reads = {(who, places[number]): seq for (who, number), seq in talk._reads.items()}
        keys = {(who, key_hash(key)): (kept.seq, kept.sent_at_ms) for (who, key), kept in talk.keys.items()}
        return Stored(list(talk.messages.values()), changes, dict(talk.seqs), keys, reads)
    return read_database(store._db)


def read_database(connection: apsw.Connection) -> Stored:
    """Read everything from a message log's database, and hold every message against its checksum."""
    wrong = [row[0] for *row, checksum in _rows(connection, _CHECKED) if checksum != _checksum(row)]
    assert not wrong, f"messages whose checksum was not kept up to date: {wrong}"
    signs: dict[int, dict[str, list[int]]] = {}
    for target, sign, who in _rows(connection, _REACTIONS):
        signs.setdefault(target, {}).setdefault(sign, []).append(who)
    changes = [_change(row) for row in _rows(connection, _CHANGES)]
    by = {change.seq: Person(change.sender_id, change.name) for change in changes}
    files: dict[int, list[FileInfo]] = {}
    for seq, *columns, previews in _rows(connection, _FILES):
        files.setdefault(seq, []).append(FileInfo(*columns, previews=msgspec.json.decode(previews)))
    messages = [_message(row, signs.get(row[0], {}), by, files.pop(row[0], [])) for row in _rows(connection, _MESSAGES)]
    assert not files, f"files of no message: {files}"
    drafts = {(stream, client_id): seq for stream, client_id, seq in _rows(connection, _DRAFTS)}
    keys = {(who, key): (seq, at_ms) for who, key, seq, at_ms in _rows(connection, _KEYS)}
    reads = {
        (who, room if room is not None else (low, high)): seq for who, room, low, high, seq in _rows(connection, _READS)
    }
    return Stored(messages, changes, drafts, keys, reads)


def _checksum(row: list[Any]) -> int:
    row[9] = msgspec.json.decode(row[9]) if row[9] else None
    return checksum_of(*row)


def _message(
    row: tuple[Any, ...], signs: dict[str, list[int]], changed_by: dict[int, Person], files: list[FileInfo]
) -> Message:
    seq, prev, by, name, to_name, at_ms, text, reply, mentions, edited, deleted, room, low, high = row
    editor, deleter = (None if seq is None else changed_by[seq] for seq in (edited, deleted))
    return Message(
        seq, prev, by, name, at_ms, text, room, _other(by, room, low, high), to_name,
        reply=reply,
        mentions=msgspec.json.decode(mentions) if mentions else [],
        edited=edited,
        deleted=deleted,
        reactions=[Reaction(sign, who) for sign, who in signs.items()],
        edited_by=None if editor is None or editor.id == by else editor,
        deleted_by=None if deleter is None or deleter.id == by else deleter,
        files=files,
    )  # fmt: skip


def _change(row: tuple[Any, ...]) -> MessageChange:
    seq, kind, target, by, name, at_ms, sign, room, low, high = row
    base = (seq, target, by, name, at_ms, room, _other(by, room, low, high))
    match kind:
        case "edit":
            return Edited(*base)
        case "delete":
            return Deleted(*base)
        case _:
            return Reacted(*base, sign, kind == "react")


def _other(by: int, room: str | None, low: int | None, high: int | None) -> int | None:
    """The other side of a dialogue; of one that somebody moderated away from outside there is none."""
    if room is not None:
        return None
    return high if by == low else low


def _without_text(change: MessageChange) -> MessageChange:
    if isinstance(change, Edited):
        return msgspec.structs.replace(change, text=None, mentions=[])
    return change


def _rows(connection: apsw.Connection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()
