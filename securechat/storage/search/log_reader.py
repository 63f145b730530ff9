"""What the index of a search reads of the log: the words that came and changed, a stretch at a time, as one JSON row.

Why one row stands in `history`. It reads with a connection of its own, or, on a simulated disk, with the only one; it
changes nothing. An error here is one of the log, not of the index.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
from msgspec import Struct

from securechat.errors import LogError
from securechat.storage.sqlite.checksums import decode_rows


class IndexedMessage(Struct, frozen=True, gc=False, array_like=True):
    """A message as far as a search cares; the text is empty when it was deleted."""

    seq: int
    conversation: int
    sender_id: int
    text: str
    low: int | None
    high: int | None


class IndexChunk(Struct, frozen=True, gc=False):
    """What the log has above some seq.

    Attributes:
        words: messages that came, and those before them that were edited or deleted.
        gone: messages that were changed and are not there any more.
        through: up to which seq this is all.
        last_seq: the end of the log.
        stamp: something of the last message, to recognise the log by.
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
"""  # noqa: S608  # only the row above is put in
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
    """Reads one log.

    Args:
        connection: to the log's database.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def last_seq(self) -> int:
        """The end of the log, deleted entries included. Raises LogError, as all of these."""
        return int(self._value(_LAST_SEQ))

    def after(self, above: int, most: int) -> IndexChunk | None:
        """What the log has above this seq, looking at so many seqs at most; None for nothing."""
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
        """How many messages there have a text, and the sum of their seqs: equal for equal sets, as good as always."""
        ((count, total),) = self._rows(_TALLY, (above, below))
        return count, total

    def agrees(self, indexed_to: int, stamp: str) -> bool:
        """Whether an index that came up to there, with this stamp, can be of this log."""
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
            raise LogError(f"the message log cannot be read: {error}") from error
