"""Reads history: a lazy k-way merge inside SQLite that returns a page as a single row.

Inside SQLite, because a thread that steps through rows takes the GIL again for each row, and beside a busy loop each
time may cost a whole switch interval. Fifty rows took 11 to 200 ms one by one and 1 to 7 ms as one row of JSON (two
cores, 0.5 ms interval); on an idle machine both take well under a millisecond.

As a recursive query, because SQLite keeps its queue ordered (lang_with.html, "queue"). Each conversation adds its first
message to the queue; taking one out adds the next of that conversation. So a page of n rows over k conversations costs
k + n index look-ups, however long the conversations are (100 rooms, 201 rows: 0.75 ms; per-room cursors 2.6 ms).

Changes are read in the same way from their own table, and only for a reader who pages forward and so has the earlier
messages. A page then ends where its messages end, or, with very many changes, where those do.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from securechat.model import Deleted, Edited, Message, MessageChange, Person, Reacted, Reaction
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.storage.sqlite.checksums import DAMAGED_TEXT, checksum_of, decode_rows, mentions_sql
from securechat.storage.sqlite.file_rows import FILES_OF_MESSAGE, FileColumns, whole_files
from securechat.storage.sqlite.purge import FIRST_AT
from securechat.storage.store import CHANGES_PER_MESSAGE, QueryTooExpensive

STEPS_PER_QUERY = 20_000_000
"""SQLite virtual machine steps one query may take: measured 0.4 s; a page of 200 rows takes 11,000 (1 room) to
20,000 (100 rooms), 50,000 dialogues at once 0.2 s."""
_STEPS_PER_CHECK = 1_000_000

CHOSEN = """
    SELECT conversation, value ->> 1 FROM json_each(:rooms) CROSS JOIN conversations ON room = value ->> 0
    UNION SELECT conversation, 0 FROM conversations WHERE low = :low AND high = :high
    UNION SELECT conversation, 0 FROM conversations WHERE low = :person
    UNION SELECT conversation, 0 FROM conversations WHERE high = :person
"""
"""The requested conversations, each with its floor; bind `chosen_by`."""
_CHANGED_BY = """(SELECT json_array(n.sender_id, n.name) FROM changes AS n
    WHERE n.seq = messages.{which} AND n.sender_id <> messages.sender_id)"""
MESSAGE_ARRAY = f"""json_array(seq, prev, sender_id, name, to_name, sent_at_ms, text, room, low, high, reply, edited,
    deleted, {mentions_sql("mentions")},
    json((SELECT json_group_array(json_array(sign, r.sender_id) ORDER BY since, r.seq)
          FROM reactions AS r WHERE r.target = messages.seq)),
    (SELECT max(n.seq) FROM changes AS n WHERE n.target = messages.seq), conversation, checksum,
    iif(edited IS NULL, NULL, json({_CHANGED_BY.format(which="edited")})),
    iif(deleted IS NULL, NULL, json({_CHANGED_BY.format(which="deleted")})),
    (SELECT 1 FROM bot_senders AS b WHERE b.sender_id = messages.sender_id),
    iif(seq <= (SELECT max(f.seq) FROM files AS f),
        iif(substr(CAST(text AS BLOB), -1) = x'5d', json({FILES_OF_MESSAGE}), NULL), NULL))"""  # noqa: S608
"""A message in its final state, from ``messages`` joined with ``conversations``, in the form that `message_of` reads.
The text of a message with files ends with the line of the last one (`securechat.text.file_lines`), and the files of no
other text are looked for: to look for those of each message is an eighth of the cost of a page. Where there is no file
at all, which is asked once a page, no text is looked at (``AND`` would look at it first). The JSON must be read as a
BLOB, because a damaged one may contain invalid Unicode."""

MessageRow = tuple[
    int, int, int, str, str | None, int, str, str | None, int | None, int | None, int | None, int | None, int | None,
    list[int] | None, list[tuple[str, int]], int | None, int,
    int | None, tuple[int, str] | None, tuple[int, str] | None, int | None, list[FileColumns] | None,
]  # fmt: skip
_ChangeRow = tuple[
    int, str, int, int, str, int, str, str | None, int | None, int | None, str | None, list[int] | None,
    tuple[int, int, int, str, str | None, int, int | None, int | None] | None,
]  # fmt: skip
_messages: msgspec.json.Decoder[list[MessageRow]] = msgspec.json.Decoder(list[MessageRow])
_changes: msgspec.json.Decoder[list[_ChangeRow]] = msgspec.json.Decoder(list[_ChangeRow])


def _merge(table: str, order: str, onwards: str, rows: str, also: str = "") -> str:
    """Merge a table by conversation in one direction.

    Args:
        table: messages or changes.
        order: ASC or DESC.
        onwards: the comparison of a later row with an earlier one.
        rows: the query over ``merged``, whose ``at`` are the seqs.
        also: a further condition on a row ``m`` of the table.
    """
    return f"""
WITH RECURSIVE chosen (conversation, floor) AS ({CHOSEN}),
merged (at, conversation, floor) AS (
    SELECT (SELECT seq FROM {table} AS m WHERE m.conversation = chosen.conversation {also}
            AND seq > max(:above, floor) AND seq < :below ORDER BY seq {order} LIMIT 1) AS head, conversation, floor
    FROM chosen WHERE head IS NOT NULL
    UNION ALL
    SELECT n.seq, n.conversation, floor FROM merged CROSS JOIN {table} AS n ON n.seq =
           (SELECT seq FROM {table} AS m WHERE m.conversation = merged.conversation {also}
            AND seq {onwards} merged.at AND seq > max(:above, floor) AND seq < :below ORDER BY seq {order} LIMIT 1)
    ORDER BY 1 {order} LIMIT :rows
)
{rows}
"""  # noqa: S608  # contains constants only


_MESSAGES = f"""
SELECT CAST(json_group_array({MESSAGE_ARRAY}) AS BLOB)
FROM (SELECT * FROM merged CROSS JOIN messages ON seq = at CROSS JOIN conversations AS c
      ON c.conversation = messages.conversation) AS messages
"""  # noqa: S608
# The text of an edit is in its message, unless a later change replaced it.
_CHANGES = f"""
SELECT CAST(json_group_array(json_array(n.seq, n.kind, n.target, n.sender_id, n.name, n.sent_at_ms, n.sign, room, low,
       high, iif(m.edited = n.seq AND m.deleted IS NULL, m.text, NULL),
       iif(m.edited = n.seq AND m.deleted IS NULL, {mentions_sql("m.mentions")}, NULL),
       iif(m.edited = n.seq AND m.deleted IS NULL, json_array(m.conversation, m.prev, m.sender_id, m.name, m.to_name,
           m.sent_at_ms, m.reply, m.checksum), NULL))) AS BLOB)
FROM merged CROSS JOIN changes AS n ON n.seq = at CROSS JOIN conversations AS c ON c.conversation = n.conversation
     LEFT JOIN messages AS m ON m.seq = n.target
"""  # noqa: S608
_OLDEST_FIRST = _merge("messages", "ASC", ">", _MESSAGES)
_NEWEST_FIRST = _merge("messages", "DESC", "<", _MESSAGES)
_CHANGES_OLDEST_FIRST = _merge("changes", "ASC", ">", _CHANGES, "AND m.target > floor")


class HistoryReader:
    """Answers history queries on one connection, which may be read-only.

    Args:
        connection: to the database.
        steps: the most that one answer may take.

    Attributes:
        damaged: seqs of damaged messages that were read; the caller that reports them clears it.
    """

    def __init__(self, connection: apsw.Connection, steps: int = STEPS_PER_QUERY) -> None:
        self._connection = connection
        self.damaged: set[int] = set()
        self._checks = max(1, steps // _STEPS_PER_CHECK)
        self._checks_left = self._checks
        connection.set_progress_handler(self._is_too_much, min(steps, _STEPS_PER_CHECK))

    def _is_too_much(self) -> bool:
        """Count a slice of work; true interrupts the query. Counted in steps, not seconds, so that replays agree."""
        self._checks_left -= 1
        return self._checks_left < 0

    def ask(self, question: str, bindings: dict[str, Any]) -> Any:
        """Return the single value that answers a query.

        Raises:
            QueryTooExpensive: it took more than its share of steps.
            apsw.Error: the database cannot be read.
        """
        self._checks_left = self._checks
        try:
            ((answer,),) = self._connection.execute(question, bindings).fetchall()
        except apsw.InterruptError as error:
            raise QueryTooExpensive("what was asked for spans too much") from error
        finally:
            # Outside a query the handler must not interrupt anything: in a simulation this connection writes too.
            self._checks_left = 1 << 60
        return answer

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Return at most ``query.limit`` messages by rising seq.

        Raises:
            QueryTooExpensive: the query took more than its share of steps.
            apsw.Error: the database cannot be read.
        """
        above = query.after or 0
        below = query.up_to + 1 if query.before is None else min(query.before, query.up_to + 1)
        if query.since_ms is not None and below > 0:
            above = max(above, self.ask(FIRST_AT, {"below": below, "at_ms": query.since_ms}) - 1)
        if query.around is not None:
            half = query.limit // 2
            before, _ = self._messages(query, above, min(below, query.around), half, _NEWEST_FIRST)
            rest, more = self._messages(query, max(above, query.around - 1), below, query.limit - half, _OLDEST_FIRST)
            return HistoryRows(before[::-1] + rest, more)
        if query.after is None and query.since_ms is None:
            rows, more = self._messages(query, above, below, query.limit, _NEWEST_FIRST)
            return HistoryRows(rows[::-1], more)
        rows, more = self._messages(query, above, below, query.limit, _OLDEST_FIRST)
        if query.since_ms is not None:
            return HistoryRows(rows, more)
        return self._with_changes(query, rows, more=more, below=rows[-1].seq if more else below)

    def _messages(
        self, query: HistoryQuery, above: int, below: int, limit: int, question: str
    ) -> tuple[list[Message], bool]:
        """Read in one direction; also return whether there is more."""
        if limit <= 0:
            return [], False
        span = {"above": above, "below": below, "rows": limit + 1}  # one more row shows whether there is more
        rows = decode_rows(_messages, self.ask(question, chosen_by(query) | span))
        messages = [message_of(row) for row in rows[:limit]]
        doubtful = [  # in one go: a page has 200 messages, and few of them have files
            (row, message)
            for row, message in zip(rows, messages, strict=False)
            if message.text is DAMAGED_TEXT or row[-1] is not None
        ]
        self.damaged.update(message.seq for row, message in doubtful if is_damaged(row, message))
        return messages, len(rows) > limit

    def _with_changes(self, query: HistoryQuery, rows: list[Message], *, more: bool, below: int) -> HistoryRows:
        """Add the changes in the span of a page; if they are too many, the page ends early."""
        most = CHANGES_PER_MESSAGE * query.limit
        span = {"above": query.after or 0, "below": below, "rows": most + 1}
        found = decode_rows(_changes, self.ask(_CHANGES_OLDEST_FIRST, chosen_by(query) | span))
        changes = [_change_of(row) for row in found[:most]]
        if len(found) > most:
            end = changes[-1].seq
            return HistoryRows([message for message in rows if message.seq < end], True, changes)
        return HistoryRows(rows, more, changes)


def chosen_by(query: Any) -> dict[str, Any]:
    """The bindings of `CHOSEN`: ``rooms``, ``floors``, ``dialogue`` and ``dialogues_of`` of a query."""
    low, high = sorted(query.dialogue) if query.dialogue else (None, None)
    floors: dict[str, int] = dict.fromkeys(query.rooms, 0)
    for room, floor in query.floors:
        if room in floors:
            floors[room] = max(floors[room], floor)
    rooms = msgspec.json.encode(list(floors.items())).decode()
    return {"rooms": rooms, "low": low, "high": high, "person": query.dialogues_of}


def message_of(row: MessageRow) -> Message:
    """Build a message from a `MESSAGE_ARRAY` row."""
    (seq, prev, sender_id, name, to_name, sent_at_ms, text, room, low, high,
     reply, edited, deleted, mentions, signs, changed, conversation, checksum, editor, deleter, bot,
     files) = row  # fmt: skip
    if checksum is not None and checksum != checksum_of(
        seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply, mentions, edited, deleted
    ):
        text, mentions, reply, files = DAMAGED_TEXT, None, None, None
    to = None if room is not None else high if sender_id == low else low
    is_plain = not signs and mentions is None and reply is None and edited is None and deleted is None
    if is_plain and changed is None and bot is None and files is None:
        return Message(seq, prev, sender_id, name, sent_at_ms, text, room, to, to_name)
    reactions: dict[str, list[int]] = {}
    for sign, who in signs:
        reactions.setdefault(sign, []).append(who)
    return Message(
        seq, prev, sender_id, name, sent_at_ms, text, room, to, to_name, reply, mentions or [], edited, deleted,
        [Reaction(sign, by) for sign, by in reactions.items()], changed,
        None if editor is None else Person(*editor), None if deleter is None else Person(*deleter), bot is not None,
        [stored.info for stored in whole_files(seq, files)] if files else [],
    )  # fmt: skip


def is_damaged(row: MessageRow, message: Message) -> bool:
    """Tell whether the message that was built from a row is shown as damaged, or without one of its files."""
    return message.text is DAMAGED_TEXT or len(message.files) < len(row[-1] or ())


def _is_whole(seq: int, edited: int, text: str, mentions: list[int] | None, rest: tuple[Any, ...]) -> bool:
    """Whether a message matches its checksum, including the change that an edit claims."""
    conversation, prev, sender_id, name, to_name, sent_at_ms, reply, checksum = rest
    return checksum is None or checksum == checksum_of(
        seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply, mentions, edited, None
    )


def _change_of(row: _ChangeRow) -> MessageChange:
    seq, kind, target, sender_id, name, sent_at_ms, sign, room, low, high, text, mentions, rest = row
    if rest is not None and text is not None and not _is_whole(target, seq, text, mentions, rest):
        text, mentions = DAMAGED_TEXT, None
    to = None if room is not None else high if sender_id == low else low
    base = (seq, target, sender_id, name, sent_at_ms, room, to)
    match kind:
        case "edit":
            return Edited(*base, text, mentions or [])
        case "delete":
            return Deleted(*base)
        case _:
            return Reacted(*base, sign, kind == "react")
