"""A checksum per message, so that a damaged row is never shown as its author's text.

It covers every column of a message: sender, conversation, time, names, text, reply, mentions, and whether it was edited
or deleted. A single flipped bit in any of them always changes it; other damage goes unnoticed once in 4,294,967,296. It
protects against faulty disks, not against attackers: a process that can write the file can write a checksum.

The parts are combined by exclusive or, so that a name can be erased, or a text replaced, without reading the rest. The
CRC-32 of the text starts from the numbers, combined in the same way: packing them would cost three times as much.

Rows written by an earlier version have none, and count as undamaged until `ChecksumFiller` adds theirs, a step at a
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from zlib import crc32

import apsw
import msgspec

DAMAGED_TEXT = "[this message is damaged on the server's disk and cannot be shown]"
"""Shown in place of the text: the rest of a page is readable, and a text that may be wrong has no author."""
_FILL_ROWS = 250
"""Per step: some 5 ms for ordinary texts, during which messages wait."""
_TO_NAME, _MORE = 1, 2
"""The CRC's start values for these parts, so that equal bytes in two parts do not cancel out."""


def mentions_sql(column: str) -> str:
    """The JSON of a message's mentions, from its column: an array of integers or null, even for a damaged column."""
    array = f"(SELECT json_group_array(CAST(value AS INTEGER)) FROM json_each({column}))"  # noqa: S608  # a column name
    return f"iif(json_valid({column}), json({array}), NULL)"


_UNFILLED = f"""
SELECT CAST(json_group_array(json_array(seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply,
    {mentions_sql("mentions")}, edited, deleted)) AS BLOB), max(seq), count(*)
FROM (SELECT * FROM messages WHERE seq > ?1 AND seq <= ?2 AND checksum IS NULL ORDER BY seq LIMIT {_FILL_ROWS})
"""  # noqa: S608  # a constant
SET_CHECKSUMS = """
UPDATE messages SET checksum = asked.value ->> 1 FROM json_each(?) AS asked WHERE messages.seq = asked.value ->> 0
"""
"""Bind a JSON array of pairs of a seq and a checksum."""

_T = TypeVar("_T")
_encode = msgspec.json.Encoder().encode


def time_part(sent_at_ms: int) -> int:
    """The part of the checksum for a time, which has 41 bits."""
    return sent_at_ms ^ sent_at_ms >> 32


def numbers_part(seq: int, conversation: int, prev: int, sender_id: int, sent_at_ms: int) -> int:
    """The start value for the CRC of the text. `MessageWriter` has a copy of this line, for its speed."""
    return time_part(sent_at_ms) ^ seq ^ prev ^ sender_id ^ conversation


def names_part(name: str, to_name: str | None) -> int:
    """The part of the checksum for the names; an erased name contributes nothing."""
    value = crc32(name.encode())
    return value ^ crc32(to_name.encode(), _TO_NAME) if to_name else value


def more_part(reply: int | None, mentions: Sequence[int] | None, edited: int | None, deleted: int | None) -> int:
    """The part of the checksum for the columns that are empty in most messages."""
    if reply is None and not mentions and edited is None and deleted is None:
        return 0
    return crc32(f"{reply} {list(mentions or ())} {edited} {deleted}".encode(), _MORE)


def text_part(text: str, numbers: int) -> int:
    """The CRC of the text, starting from the numbers part."""
    return crc32(text.encode(), numbers & 0xFFFFFFFF)


def checksum_of(
    seq: int,
    conversation: int,
    prev: int,
    sender_id: int,
    name: str,
    to_name: str | None,
    sent_at_ms: int,
    text: str,
    reply: int | None,
    mentions: Sequence[int] | None,
    edited: int | None,
    deleted: int | None,
) -> int:
    """The checksum of a row of ``messages``, by its columns; written out, because it is on the path of every read."""
    numbers = sent_at_ms ^ sent_at_ms >> 32 ^ seq ^ prev ^ sender_id ^ conversation
    value = crc32(text.encode(), numbers & 0xFFFFFFFF) ^ crc32(name.encode())
    if to_name:
        value ^= crc32(to_name.encode(), _TO_NAME)
    if reply is not None or mentions or edited is not None or deleted is not None:
        value ^= more_part(reply, mentions, edited, deleted)
    return value


def decode_rows(decoder: msgspec.json.Decoder[_T], answer: bytes) -> _T:
    """Decode JSON that SQLite made of rows that may be damaged: invalid Unicode is replaced.

    Raises:
        msgspec.ValidationError: a value has the wrong type, such as a number for a text.
    """
    try:
        return decoder.decode(answer)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):  # the latter from msgspec before 0.23
        return decoder.decode(answer.decode(errors="replace"))


class ChecksumFiller:
    """Adds checksums to messages that an earlier version stored.

    Args:
        connection: the writing connection, at the present schema.

    Attributes:
        is_done: whether every message has its checksum.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        rows: list[Any] = connection.execute("SELECT filled_to, fill_to FROM checksum_progress").fetchall()
        self._filled_to: int = rows[0][0]
        self._fill_to: int = rows[0][1]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self._filled_to >= self._fill_to

    def step(self) -> None:
        """Add checksums to the next few messages, in a transaction of its own.

        Raises:
            apsw.Error: for a full disk nothing was changed; otherwise the state is unknown.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            found: list[Any] = connection.execute(_UNFILLED, (self._filled_to, self._fill_to)).fetchall()
            answer, last, count = found[0]
            rows: list[Any] = decode_rows(_any, answer)
            filled_to: int = last if count == _FILL_ROWS else self._fill_to
            connection.execute(SET_CHECKSUMS, (_encode([(row[0], checksum_of(*row)) for row in rows]).decode(),))
            connection.execute("UPDATE checksum_progress SET filled_to = ?", (filled_to,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._filled_to = filled_to


_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
