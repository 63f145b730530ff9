"""The room tables: rules, memberships, bans and read markers.

A room's messages refer to the number of its conversation, so renaming it changes one row. A room with rules has a
conversation from then on, even before its first message: the conversation owns the room's name and former names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import apsw
from msgspec.structs import astuple

from securechat.errors import SecurechatError
from securechat.records.accounts import Committed
from securechat.records.rooms import (
    KEPT_PURGED_NAMES,
    DropRoom,
    Membership,
    PutReadMarker,
    RoomBan,
    RoomRecord,
    RoomRole,
    StoredRooms,
)
from securechat.storage.sqlite.purge import PURGED_TO

_CHUNK_ROWS = 256

_PLACE_COLUMNS = (
    "room_id", "name", "topic", "private", "read_only", "slow_s", "retention_days", "history_from_join", "archived",
    "made_at_ms",
)  # fmt: skip
_MEMBERSHIP_COLUMNS = ("room_id", "sender_id", "role", "joined_at_ms", "joined_seq", "muted_until_ms")
_BAN_COLUMNS = ("room_id", "sender_id", "name", "reason", "made_by", "until_ms")

_TAKEN_BY_PLACE = "SELECT 1 FROM places WHERE name = ? AND room_id <> ?"
_TAKEN_BY_CONVERSATION = """
SELECT 1 FROM conversations WHERE room = ?1 AND conversation <> ?2
UNION ALL SELECT 1 FROM former_names WHERE room = ?1 AND conversation <> ?2
"""
_READ = """
INSERT INTO reads (sender_id, conversation, seq) VALUES {rows}
ON CONFLICT (sender_id, conversation) DO UPDATE SET seq = max(seq, excluded.seq)
"""


_CONVERSATION_OF = """
SELECT conversation, deleted_seq > 0, EXISTS (SELECT 1 FROM messages AS m WHERE m.conversation = c.conversation)
FROM conversations AS c WHERE room = (SELECT name FROM places WHERE room_id = ?)
"""
_WITH_PLACE = tuple(f"DELETE FROM {table} WHERE room_id = ?" for table in ("memberships", "room_bans", "places"))  # noqa: S608
_WITH_CONVERSATION = tuple(
    f"DELETE FROM {table} WHERE conversation = ?"  # noqa: S608
    for table in ("former_names", "conversations")
)
_PURGED = f"""
SELECT room_id, {PURGED_TO} AS purged FROM places CROSS JOIN conversations AS c ON c.room = places.name
WHERE purged > 0 ORDER BY room_id
"""  # noqa: S608  # our own words
_PURGED_NAMES = f"""
SELECT room, purged FROM (
    SELECT room, {PURGED_TO} AS purged FROM conversations AS c
    WHERE deleted_seq > 0 AND room IS NOT NULL AND NOT EXISTS (SELECT 1 FROM places WHERE name = c.room)
    ORDER BY deleted_seq DESC LIMIT {KEPT_PURGED_NAMES})
WHERE purged > 0 ORDER BY purged, room
"""  # noqa: S608  # our own words
_NEVER_AGAIN = "UPDATE serials SET deleted = max(deleted, ?)"


class RoomNameTaken(SecurechatError):
    """Another room has the name, or had it in the past."""


def put_room(connection: apsw.Connection, room_record: RoomRecord) -> None:
    """Store a room's rules, and rename its conversation if the name changed.

    Raises:
        RoomNameTaken: nothing was changed.
    """
    rows = connection.execute("SELECT name FROM places WHERE room_id = ?", (room_record.room_id,)).fetchall()
    if connection.execute(_TAKEN_BY_PLACE, (room_record.name, room_record.room_id)).fetchall():
        raise RoomNameTaken
    if rows and rows[0][0] != room_record.name:
        _rename(connection, rows[0][0], room_record.name)
    connection.execute("INSERT OR IGNORE INTO conversations (room) VALUES (?)", (room_record.name,))
    connection.execute(_upsert_sql("places", _PLACE_COLUMNS, 1, 1), astuple(room_record))


def _rename(connection: apsw.Connection, old: Any, new: str) -> None:
    ((conversation,),) = connection.execute("SELECT conversation FROM conversations WHERE room = ?", (old,)).fetchall()
    if connection.execute(_TAKEN_BY_CONVERSATION, (new, conversation)).fetchall():
        raise RoomNameTaken
    connection.execute("INSERT OR IGNORE INTO former_names (room, conversation) VALUES (?, ?)", (old, conversation))
    connection.execute("UPDATE conversations SET room = ? WHERE conversation = ?", (new, conversation))


def drop_place(connection: apsw.Connection, asked: DropRoom) -> Committed:
    """Delete a room's rules and all that depends on them; see `DropRoom`.

    Args:
        connection: in a transaction, with every message up to now in its table.
        asked: the room.
    """
    found = connection.execute(_CONVERSATION_OF, (asked.room_id,)).fetchall()
    if not found:
        return Committed()
    ((conversation, lost_some, has_some),) = found
    if asked.if_empty and has_some:
        return Committed()
    is_silent = not has_some and not lost_some
    if asked.if_empty or is_silent:
        connection.execute("DELETE FROM reads WHERE conversation = ?", (conversation,))
    for statement in _WITH_CONVERSATION if is_silent else ():
        connection.execute(statement, (conversation,))
    for statement in _WITH_PLACE:
        connection.execute(statement, (asked.room_id,))
    connection.execute(_NEVER_AGAIN, (asked.room_id,))
    return Committed(dropped=(asked.room_id,))


def put_memberships(connection: apsw.Connection, rows: Sequence[Membership]) -> None:
    """Store memberships; of equal keys the last wins."""
    _upsert(connection, "memberships", _MEMBERSHIP_COLUMNS, [astuple(row) for row in rows])


def put_bans(connection: apsw.Connection, rows: Sequence[RoomBan]) -> None:
    """Store bans from rooms; of equal keys the last wins."""
    _upsert(connection, "room_bans", _BAN_COLUMNS, [astuple(row) for row in rows])


def drop(connection: apsw.Connection, table: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Delete memberships or room_bans, by room and sender."""
    for start in range(0, len(pairs), _CHUNK_ROWS):
        part = pairs[start : start + _CHUNK_ROWS]
        values = ",".join(["(?, ?)"] * len(part))
        connection.execute(
            f"DELETE FROM {table} WHERE (room_id, sender_id) IN (VALUES {values})",  # noqa: S608  # our own words
            tuple(chain.from_iterable(part)),
        )


def mark_read(
    connection: apsw.Connection, marks: Sequence[PutReadMarker], locate: Callable[[PutReadMarker], int | None]
) -> None:
    """Store read markers, none of which moves back. Without a conversation there is nothing to read."""
    found = [(mark.sender_id, locate(mark), mark.seq) for mark in marks]
    rows = [row for row in found if row[1] is not None]
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        values = ",".join(["(?, ?, ?)"] * len(part))
        connection.execute(_READ.format(rows=values), tuple(chain.from_iterable(part)))


def load(connection: apsw.Connection) -> StoredRooms:
    """Load all records, by room and account."""
    return StoredRooms(
        room_records=tuple(
            RoomRecord(
                room_id, name, topic, bool(private), bool(read_only), slow_s, days, bool(from_join), bool(archived), at
            )
            for room_id, name, topic, private, read_only, slow_s, days, from_join, archived, at in _rows(
                connection, "places", _PLACE_COLUMNS
            )
        ),
        memberships=tuple(
            Membership(room_id, sender_id, RoomRole(role), *rest)
            for room_id, sender_id, role, *rest in _rows(connection, "memberships", _MEMBERSHIP_COLUMNS)
        ),
        bans=tuple(RoomBan(*row) for row in _rows(connection, "room_bans", _BAN_COLUMNS)),
        purged=tuple((room_id, seq) for room_id, seq in connection.execute(_PURGED)),
        purged_names=tuple((room, seq) for room, seq in connection.execute(_PURGED_NAMES)),
    )


def _rows(connection: apsw.Connection, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608


def _upsert(connection: apsw.Connection, table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        connection.execute(_upsert_sql(table, columns, 2, len(part)), tuple(chain.from_iterable(part)))


@cache
def _upsert_sql(table: str, columns: tuple[str, ...], keys: int, rows: int) -> str:
    values = ",".join(["(" + ",".join("?" * len(columns)) + ")"] * rows)
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns[keys:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} "  # noqa: S608  # our own words
        f"ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {changed}"
    )
