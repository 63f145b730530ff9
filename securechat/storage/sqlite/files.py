"""Answers questions about files, and lets go of them.

A row of ``files`` goes with its message by a trigger (`migrations`), or alone when a guest's time is over; either way
it moves to ``gone_files`` in the same transaction, where it stays until the server has unlinked the file. So a crash at
any point leaves at most a file that is unlinked later.

A file is read together with its message, which must be whole itself: its room and sender decide who may read the file.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from securechat.model import Message
from securechat.records.accounts import Committed
from securechat.records.files import (
    DropGoneFiles,
    FileQuery,
    FileRow,
    FileUsage,
    GoneFile,
    OwnFilesQuery,
    PurgeFiles,
    StoredFiles,
)
from securechat.storage.sqlite.checksums import DAMAGED_TEXT, decode_rows
from securechat.storage.sqlite.file_rows import whole_files
from securechat.storage.sqlite.history import MESSAGE_ARRAY, HistoryReader, MessageRow, is_damaged, message_of
from securechat.storage.sqlite.purge import FIRST_AT

_ROW_OF_FILE = f"""
SELECT CAST({MESSAGE_ARRAY} AS BLOB)
FROM (SELECT * FROM messages CROSS JOIN conversations AS c ON c.conversation = messages.conversation
      WHERE seq = (SELECT seq FROM files WHERE file_id = :file_id)) AS messages
UNION ALL SELECT NULL LIMIT 1
"""  # noqa: S608  # our own words
# Where the last one is gone, its place among the others is still known until it is unlinked.
_MOST_ROUNDS = 5
"""Reads for one page, each of as many rows as a page has."""
_OWN = """
WITH last (size_bytes, file_id) AS (
    SELECT size_bytes, file_id FROM files WHERE file_id = :after AND sender_id = :sender_id
    UNION ALL SELECT size_bytes, file_id FROM gone_files WHERE file_id = :after AND sender_id = :sender_id
    UNION ALL SELECT 1 << 62, '' LIMIT 1
)
SELECT json_group_array(json_array(file_id, seq)) FROM (
    SELECT file_id, seq FROM files
    WHERE sender_id = :sender_id AND (size_bytes, file_id) < (SELECT size_bytes, file_id FROM last)
    ORDER BY size_bytes DESC, file_id DESC LIMIT :rows)
"""
_MESSAGES = f"""
SELECT CAST(json_group_array({MESSAGE_ARRAY}) AS BLOB)
FROM (SELECT * FROM json_each(:seqs) CROSS JOIN messages ON seq = value CROSS JOIN conversations AS c
      ON c.conversation = messages.conversation) AS messages
"""  # noqa: S608
_GONE = """
SELECT json_group_array(json_array(file_id, sender_id, kept_bytes)) FROM (
    SELECT * FROM gone_files WHERE file_id > :after ORDER BY file_id LIMIT :rows)
"""
_IDS = """
SELECT json_group_array(file_id) FROM (SELECT file_id FROM files WHERE file_id > :after ORDER BY file_id LIMIT :rows)
"""
_USAGE = """
SELECT sender_id, sum(files), sum(kept_bytes) FROM (
    SELECT sender_id, count(*) AS files, sum(kept_bytes) AS kept_bytes FROM files GROUP BY sender_id
    UNION ALL SELECT sender_id, count(*), sum(kept_bytes) FROM gone_files GROUP BY sender_id)
GROUP BY sender_id ORDER BY sender_id
"""
_IS_STORED = "SELECT 1 FROM {table} WHERE file_id IN (SELECT value FROM json_each(?)) LIMIT 1"
# Each sender that keeps a file is looked up once, then the files of the guests among them: those of accounts are not.
_GUESTS_FILES = """
WITH RECURSIVE keepers (sender_id) AS (
    SELECT min(sender_id) FROM files
    UNION ALL SELECT (SELECT min(sender_id) FROM files WHERE sender_id > keepers.sender_id)
    FROM keepers WHERE sender_id IS NOT NULL
)
SELECT json_group_array(DISTINCT seq) FROM (
    SELECT f.seq FROM keepers CROSS JOIN senders AS s ON s.sender_id = keepers.sender_id
    CROSS JOIN files AS f ON f.sender_id = s.sender_id
    WHERE s.account IS NULL AND s.sender_id NOT IN (SELECT sender_id FROM accounts) AND f.seq < :below
    ORDER BY f.seq LIMIT :most)
"""
_PURGE = "DELETE FROM files WHERE seq IN (SELECT value FROM json_each(?))"
_DROP_GONE = "DELETE FROM gone_files WHERE file_id IN (SELECT value FROM json_each(?))"

_message: msgspec.json.Decoder[MessageRow] = msgspec.json.Decoder(MessageRow)
_messages: msgspec.json.Decoder[list[MessageRow]] = msgspec.json.Decoder(list[MessageRow])
_own = msgspec.json.Decoder(list[tuple[str, int]]).decode
_gone = msgspec.json.Decoder(list[tuple[str, int, int]]).decode
_ids = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


# --- Reading ----------------------------------------------------------------------------------------------------------


def find_file(reader: HistoryReader, query: FileQuery) -> FileRow | None:
    """Return a file and its message; None where either is not there, deleted or damaged.

    Raises:
        QueryTooExpensive: it took more than one query may.
        apsw.Error: the database cannot be read.
    """
    answer = reader.ask(_ROW_OF_FILE, {"file_id": query.file_id})
    return None if answer is None else _rows_of(reader, decode_rows(_message, answer)).get(query.file_id)


def list_own_files(reader: HistoryReader, query: OwnFilesQuery) -> list[FileRow]:
    """Return a page of a sender's files, the largest first; damaged ones are left out. Raises as `find_file`.

    The page is filled with those behind them, so that a page which is not full is the last one; but for one with
    `_MOST_ROUNDS` pages of damage behind it, which is not looked through.
    """
    page: list[FileRow] = []
    after, is_all, rounds = query.after, False, 0
    while not is_all and len(page) < query.limit and rounds < _MOST_ROUNDS:
        rounds += 1
        found = _own(reader.ask(_OWN, {"sender_id": query.sender_id, "after": after, "rows": query.limit}))
        is_all = len(found) < query.limit
        if found:
            after = found[-1][0]
        seqs = _encode(sorted({seq for _, seq in found})).decode()
        rows: dict[str, FileRow] = {}
        for row in decode_rows(_messages, reader.ask(_MESSAGES, {"seqs": seqs})):
            rows |= _rows_of(reader, row)
        page += [rows[file_id] for file_id, _ in found if file_id in rows]
    return page[: query.limit]


def list_gone_files(reader: HistoryReader, after: str, most: int) -> list[GoneFile]:
    """Return files that are to be unlinked behind this one, in order, at most ``most``. Raises as `find_file`."""
    return [GoneFile(*row) for row in _gone(reader.ask(_GONE, {"after": after, "rows": most}))]


def list_stored_ids(reader: HistoryReader, after: str, most: int) -> list[str]:
    """Return the ids of files of messages behind this one, in order, at most ``most``. Raises as `find_file`."""
    return _ids(reader.ask(_IDS, {"after": after, "rows": most}))


def _rows_of(reader: HistoryReader, row: MessageRow) -> dict[str, FileRow]:
    """The files of a message, by their ids."""
    message = message_of(row)
    if is_damaged(row, message):
        reader.damaged.add(message.seq)
    if message.deleted is not None or message.text is DAMAGED_TEXT:
        return {}
    return {
        stored.info.id: FileRow(
            stored.info,
            stored.sha256,
            message.sender_id,
            message.seq,
            message.sent_at_ms,
            message.room,
            _sides(message),
            message.to,
        )
        for stored in whole_files(message.seq, row[-1] or ())
    }


def _sides(message: Message) -> tuple[int, int] | None:
    if message.to is None:
        return None
    return min(message.sender_id, message.to), max(message.sender_id, message.to)


def load(connection: apsw.Connection) -> StoredFiles:
    """Add up what each sender keeps; from indexes alone."""
    rows: list[Any] = connection.execute(_USAGE).fetchall()
    return StoredFiles(tuple(FileUsage(*row) for row in rows))


def is_stored(connection: apsw.Connection, file_ids: list[str]) -> bool:
    """Tell whether one of these is the file of a message, or was and is not unlinked yet."""
    asked = (_encode(file_ids).decode(),)
    return any(
        connection.execute(_IS_STORED.format(table=table), asked).fetchall() for table in ("files", "gone_files")
    )


# --- Letting go -------------------------------------------------------------------------------------------------------


def purge_files(connection: apsw.Connection, asked: PurgeFiles, last_seq: int) -> Committed:
    """Delete old files of guests; see `PurgeFiles`.

    Args:
        connection: in a transaction, with every message up to ``last_seq`` in its table.
        asked: the time limit.
        last_seq: the end of the log.
    """
    ((below,),) = connection.execute(FIRST_AT, {"below": last_seq + 1, "at_ms": asked.before_ms}).fetchall()
    ((seqs,),) = connection.execute(_GUESTS_FILES, {"below": below, "most": asked.most}).fetchall()
    connection.execute(_PURGE, (seqs,))
    return Committed(connection.changes())


def drop_gone(connection: apsw.Connection, asked: DropGoneFiles) -> Committed:
    """Forget files that are unlinked; see `DropGoneFiles`."""
    connection.execute(_DROP_GONE, (_encode(asked.file_ids).decode(),))
    return Committed(connection.changes())
