"""Reads new and changed messages from the log for the search index, a chunk at a time.

Each chunk is one JSON row, for the reason given in `history`. It reads with a connection of its own, or, on a simulated
disk, with the only one; it writes nothing. An error here is one of the log, not of the index.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
from msgspec import Struct

from securechat.storage.sqlite.checksums import decode_rows
from securechat.storage.sqlite.failures import reading_failure


class IndexedMessage(Struct, frozen=True, gc=False, array_like=True):
    """A message as the index needs it; the text is empty if it was deleted."""

    seq: int
    conversation: int
    sender_id: int
    text: str
    low: int | None
    high: int | None


class IndexChunk(Struct, frozen=True, gc=False):
    """The part of the log above a seq, up to ``through``.

    Attributes:
        words: new messages, and earlier ones that were edited or deleted.
        gone: messages that were changed and no longer exist.
        through: the last seq covered.
        last_seq: the end of the log.
        stamp: a property of the last message, to recognise the log by.
    """

    words: list[IndexedMessage]
    gone: list[int]
    through: int
    last_seq: int
    stamp: str


_ROW = "json_array(m.seq, m.conversation, m.sender_id, m.text, c.low, c.high)"
_BETWEEN = f"""
SELECT CAST(json_group_array({_ROW}) AS BLOB)
FROM messages AS m CROSS JOIN conversations AS c ON c.conversation = m.conversation
WHERE m.seq > :above AND m.seq <= :below
"""  # noqa: S608  # contains only the row above
_REVISED = f"""
SELECT CAST(json_group_array(json_array(target, {_ROW})) AS BLOB) FROM (
    SELECT DISTINCT target FROM changes
    WHERE seq > :above AND seq <= :below AND target <= :above AND kind IN ('edit', 'delete'))
LEFT JOIN messages AS m ON m.seq = target LEFT JOIN conversations AS c ON c.conversation = m.conversation
"""  # noqa: S608
_LAST_SEQ = """
SELECT max(ifnull((SELECT max(seq) FROM messages), 0), ifnull((SELECT max(seq) FROM changes), 0),
           ifnull((SELECT max(deleted_seq) FROM conversations WHERE deleted_seq > 0), 0),
           ifnull((SELECT max(deleted_change) FROM serials), 0))
"""
_TALLY = "SELECT count(*), ifnull(sum(seq), 0) FROM messages WHERE seq > ? AND seq <= ? AND text <> ''"
_STAMP = "SELECT json_array(seq, sent_at_ms, sender_id) FROM messages WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
_STAMPED = "SELECT json_array(seq, sent_at_ms, sender_id) FROM messages WHERE seq = ? ->> 0"

_words = msgspec.json.Decoder(list[IndexedMessage])
_revised: msgspec.json.Decoder[list[tuple[int, tuple[Any, ...]]]] = msgspec.json.Decoder(
    list[tuple[int, tuple[Any, ...]]]
)


class IndexLogReader:
    """Reads one log for the index.

    Args:
        connection: to the log's database.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def last_seq(self) -> int:
        """The end of the log, deleted entries included. Raises LogError, as all methods here."""
        return int(self._value(_LAST_SEQ))

    def after(self, above: int, most: int) -> IndexChunk | None:
        """Return the part of the log above this seq, at most ``most`` seqs; None for none."""
        last_seq = self.last_seq()
        if last_seq <= above:
            return None
        through = min(above + most, last_seq)
        words = self.between(above, through)
        revised = decode_rows(_revised, self._value(_REVISED, {"above": above, "below": through}))
        words += [msgspec.convert(row, IndexedMessage) for _, row in revised if row[0] is not None]
        gone = [target for target, row in revised if row[0] is None]
        return IndexChunk(words, gone, through, last_seq, self._value(_STAMP, (through,), "[]"))

    def between(self, above: int, below: int) -> list[IndexedMessage]:
        """The messages above one seq and up to another."""
        return decode_rows(_words, self._value(_BETWEEN, {"above": above, "below": below}))

    def tally(self, above: int, below: int) -> tuple[int, int]:
        """The number of messages with a text, and the sum of their seqs, to compare two sets of messages cheaply."""
        ((count, total),) = self._rows(_TALLY, (above, below))
        return count, total

    def agrees(self, indexed_to: int, stamp: str) -> bool:
        """Whether an index up to this seq, with this stamp, can belong to this log."""
        if self.last_seq() < indexed_to:
            return False
        return stamp == "[]" or self._value(_STAMPED, (stamp,), stamp) == stamp

    def _value(self, sql: str, bindings: Any = None, default: Any = None) -> Any:
        rows = self._rows(sql, bindings)
        return rows[0][0] if rows else default

    def _rows(self, sql: str, bindings: Any = None) -> list[Any]:
        try:
            return self._connection.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise reading_failure(error) from error
