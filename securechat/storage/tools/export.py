"""Exports one room as rows for a file: its present messages, oldest first, one at a time.

For a tool that runs beside a server or without one: it reads through a read-only connection, such as that of
`backup.Snapshot`, and changes nothing. A row contains the same as a reader's history, without earlier states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import msgspec

from securechat.errors import LogError
from securechat.model import Person, StoredFile
from securechat.storage.sqlite.checksums import decode_rows
from securechat.storage.sqlite.file_rows import whole_files
from securechat.storage.sqlite.history import MESSAGE_ARRAY, MessageRow, message_of
from securechat.text.names import LOBBY
from securechat.translation import Sentence

SCHEMA = 10
"""The oldest schema version that can be exported: the server migrates older ones when it starts."""
_ROOMS = """
SELECT room, (SELECT count(*) FROM messages AS m WHERE m.conversation = c.conversation)
FROM conversations AS c WHERE room IS NOT NULL ORDER BY room
"""
_HAS_ROOM = """
SELECT 1 FROM conversations WHERE room = :room UNION ALL SELECT 1 FROM places WHERE name = :room LIMIT 1
"""
_CONVERSATION = "SELECT conversation FROM conversations WHERE room = ?"
_MESSAGES = f"""
SELECT CAST({MESSAGE_ARRAY} AS BLOB), (SELECT sent_at_ms FROM changes AS n WHERE n.seq = edited),
       (SELECT sent_at_ms FROM changes AS n WHERE n.seq = deleted)
FROM messages JOIN conversations USING (conversation) WHERE conversation = ? ORDER BY seq
"""  # noqa: S608  # constants only
_row_of: msgspec.json.Decoder[MessageRow] = msgspec.json.Decoder(MessageRow)


def room_sizes(connection: apsw.Connection) -> list[tuple[str, int]]:
    """Every room and its number of messages, by name.

    Raises:
        LogError: the database cannot be read.
    """
    try:
        return [(str(room), int(count)) for room, count in connection.execute(_ROOMS)]
    except apsw.Error as error:
        raise _unreadable(error) from error


def has_room(connection: apsw.Connection, room: str) -> bool:
    """Tell whether there is a room of this name: one with messages, or with a record; the lobby is always there.

    Raises:
        LogError: the database is of an older version, or cannot be read.
    """
    try:
        _require_version(connection)
        return room == LOBBY or bool(connection.execute(_HAS_ROOM, {"room": room}).fetchall())
    except apsw.Error as error:
        raise _unreadable(error) from error


def export_room(connection: apsw.Connection, room: str) -> Iterator[dict[str, Any]]:
    """Yield a room's messages, oldest first, as JSON-compatible dicts.

    Always present: ``seq``, ``sender_id``, ``name`` (at that time), ``sent_at_ms`` (UTC) and ``text``. Optional:
    ``reply`` (a seq), ``mentions`` (sender_ids), ``edited_at_ms``, ``deleted_at_ms`` (then the text is empty),
    ``edited_by`` and ``deleted_by`` (``sender_id`` and ``name`` at that time) where it was not the sender, ``bot``
    (true) where it is a bot or webhook, ``reactions``, a mapping of emoji to sender_ids, and ``files``, each with its
    ``id``, ``name``, ``size`` in bytes, ``type`` and ``sha256``, and ``width`` and ``height`` of a picture.

    Args:
        connection: may be read-only. One read transaction around the iteration shows the room at one instant.
        room: its name, without ``#``; of one that is not there, and of one without messages, there are no rows.

    Raises:
        LogError: the database is of an older version, or it cannot be read.
    """
    try:
        _require_version(connection)
        for number in connection.execute(_CONVERSATION, (room,)).fetchall():
            for encoded, edited_at_ms, deleted_at_ms in connection.execute(_MESSAGES, number):
                assert isinstance(encoded, bytes)
                yield _row(decode_rows(_row_of, encoded), edited_at_ms=edited_at_ms, deleted_at_ms=deleted_at_ms)
    except apsw.Error as error:
        raise _unreadable(error) from error


def _require_version(connection: apsw.Connection) -> None:
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if int(str(version)) < SCHEMA:
        raise LogError(
            Sentence("the message log is of an older version: start the server once, which brings it up to date")
        )


def _row(decoded: MessageRow, **times: Any) -> dict[str, Any]:
    message = message_of(decoded)
    more = {
        "reply": message.reply,
        "mentions": message.mentions or None,
        **times,
        "edited_by": _person(message.edited_by),
        "deleted_by": _person(message.deleted_by),
        "bot": message.bot or None,
        "reactions": {reaction.sign: reaction.by for reaction in message.reactions} or None,
        "files": [_file(stored) for stored in whole_files(message.seq, decoded[-1] or ())] if message.files else None,
    }
    return {
        "seq": message.seq,
        "sender_id": message.sender_id,
        "name": message.name,
        "sent_at_ms": message.sent_at_ms,
        "text": message.text,
        **{key: value for key, value in more.items() if value is not None},
    }


def _file(stored: StoredFile) -> dict[str, Any]:
    info = stored.info
    sides = {"width": info.width, "height": info.height} if info.is_picture else {}
    return {
        "id": info.id,
        "name": info.name,
        "size": info.size,
        "type": info.type,
        **sides,
        "sha256": stored.sha256.hex(),
    }


def _person(person: Person | None) -> dict[str, Any] | None:
    return None if person is None else {"sender_id": person.id, "name": person.name}


def _unreadable(error: apsw.Error) -> LogError:
    return LogError(Sentence("the message log cannot be read: {why}", why=error))
