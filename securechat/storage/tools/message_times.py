"""Mends the times of messages that a clock set ahead has left in the future.

Times never decrease by seq, so after such a clock every message would get the time of the newest one until the clock
has passed it. The messages from the future get the present time; their order, text and checksums stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import msgspec

from securechat.errors import LogError
from securechat.storage.sqlite.checksums import SET_CHECKSUMS, checksum_of, decode_rows, mentions_sql
from securechat.storage.sqlite.failures import offline_failure
from securechat.storage.sqlite.migrations import MIGRATIONS
from securechat.translation import Sentence

_ROWS_AT_ONCE = 5_000
_FROM_THE_FUTURE = f"""
SELECT CAST(json_group_array(json_array(seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply,
    {mentions_sql("mentions")}, edited, deleted, checksum)) AS BLOB), max(seq), count(*)
FROM (SELECT * FROM messages WHERE seq > ? AND sent_at_ms > ? ORDER BY seq LIMIT ?)
"""  # noqa: S608  # constants only
_AT = 6
"""The position of sent_at_ms in such a row."""
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


def mend_times(database: Path, now_ms: int) -> int:
    """Give every message and change from the future the present time; return how many had one.

    Args:
        database: of a stopped server, whose lock the caller holds.
        now_ms: the present, UTC milliseconds.

    Raises:
        LogError: the database cannot be read or written, or is of another version; nothing was changed.
        DatabaseBusy: another program holds it; nothing was changed.
    """
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.pragma("synchronous", "FULL")
        if connection.pragma("user_version") != len(MIGRATIONS):
            raise LogError(
                Sentence("the message log is of another version: start the server once, which brings it up to date")
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            count = _mend(connection, now_ms)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except apsw.Error as error:
        raise offline_failure(error) from error
    finally:
        connection.close()
    return count


def _mend(connection: apsw.Connection, now_ms: int) -> int:
    above = count = 0
    while True:
        ((answer, through, found),) = connection.execute(_FROM_THE_FUTURE, (above, now_ms, _ROWS_AT_ONCE)).fetchall()
        assert isinstance(answer, bytes)
        assert isinstance(found, int)
        if not found:
            break
        mended = [_with_time(row, now_ms) for row in decode_rows(_any, answer)]
        connection.execute(SET_CHECKSUMS, (_encode([pair for pair in mended if pair is not None]).decode(),))
        assert isinstance(through, int)
        above, count = through, count + found
    connection.execute("UPDATE messages SET sent_at_ms = ?1 WHERE sent_at_ms > ?1", (now_ms,))
    connection.execute("UPDATE changes SET sent_at_ms = ?1 WHERE sent_at_ms > ?1", (now_ms,))
    return count + connection.changes()


def _with_time(row: list[Any], now_ms: int) -> tuple[int, int] | None:
    """The message's seq and new checksum; None for a damaged message, which stays one, and for one without."""
    *columns, checksum = row
    if checksum is None or checksum != checksum_of(*columns):
        return None
    columns[_AT] = now_ms
    return columns[0], checksum_of(*columns)
