"""Reading history: a lazy k-way merge, done inside SQLite, that answers each query with a single row.

Why inside: a thread that steps through rows takes the GIL back once per row, and beside a busy loop each time may cost
a whole switch interval. Fifty rows took 11 to 200 ms stepped one by one and 1 to 7 ms as one row of JSON (two
cores, 0.5 ms interval); alone on the machine both are well under a millisecond.

Why recursive: SQLite keeps the queue of a recursive query ordered (lang_with.html, "queue"). Each conversation puts
its first message in; taking one out puts in that conversation's next. So a page of n rows over k conversations costs
k + n index look-ups, however long the conversations are (100 rooms, 201 rows: 0.75 ms; per-room cursors 2.6 ms).
"""

from __future__ import annotations

import apsw
import msgspec

from securechat.hub.ports import HistoryQuery, HistoryRows
from securechat.log.store import TooMuchWork
from securechat.model import Message

STEPS_PER_QUERY = 20_000_000
"""SQLite virtual machine steps one query may take: measured 0.4 s; a page of 200 rows takes 11,000 (1 room) to
20,000 (100 rooms), 50,000 dialogues at once 0.2 s."""
_STEPS_PER_CHECK = 1_000_000

_CHOSEN = """
    SELECT conversation FROM conversations WHERE room IN (SELECT value FROM json_each(:rooms))
    UNION SELECT conversation FROM conversations WHERE low = :low AND high = :high
    UNION SELECT conversation FROM conversations WHERE low = :person
    UNION SELECT conversation FROM conversations WHERE high = :person
"""


def _merge(order: str, onwards: str) -> str:
    """The query in one direction; ``order`` is ASC or DESC, ``onwards`` compares a later row with an earlier one."""
    return f"""
WITH RECURSIVE chosen (conversation) AS ({_CHOSEN}),
merged (at, conversation) AS (
    SELECT (SELECT seq FROM messages AS m WHERE m.conversation = chosen.conversation
            AND seq > :above AND seq < :below ORDER BY seq {order} LIMIT 1) AS head, conversation
    FROM chosen WHERE head IS NOT NULL
    UNION ALL
    SELECT n.seq, n.conversation FROM merged CROSS JOIN messages AS n ON n.seq =
           (SELECT seq FROM messages AS m WHERE m.conversation = merged.conversation
            AND seq {onwards} merged.at AND seq > :above AND seq < :below ORDER BY seq {order} LIMIT 1)
    ORDER BY 1 {order} LIMIT :rows
)
SELECT json_group_array(json_array(seq, prev, sender_id, name, to_name, sent_at_ms, text, room, low, high))
FROM (SELECT * FROM merged CROSS JOIN messages ON seq = at CROSS JOIN conversations AS c
      ON c.conversation = messages.conversation)
"""  # noqa: S608  # only the two words above are put in


_OLDEST_FIRST = _merge("ASC", ">")
_NEWEST_FIRST = _merge("DESC", "<")

_Row = tuple[int, int, int, str, str | None, int, str, str | None, int | None, int | None]
_decode_rows = msgspec.json.Decoder(list[_Row]).decode


class HistoryReader:
    """Answers history queries on one connection, which may be read-only."""

    def __init__(self, connection: apsw.Connection, steps: int = STEPS_PER_QUERY) -> None:
        self._connection = connection
        self._checks = max(1, steps // _STEPS_PER_CHECK)
        self._checks_left = self._checks
        connection.set_progress_handler(self._is_too_much, min(steps, _STEPS_PER_CHECK))

    def _is_too_much(self) -> bool:
        """Count a slice of work; true stops the query. Steps, not seconds: every machine and replay alike."""
        self._checks_left -= 1
        return self._checks_left < 0

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Return at most ``query.limit`` messages by rising seq.

        Raises:
            TooMuchWork: the query took more than its share of steps.
            apsw.Error: the database cannot be read.
        """
        self._checks_left = self._checks
        low, high = sorted(query.dialogue) if query.dialogue else (None, None)
        below = query.up_to + 1 if query.before is None else min(query.before, query.up_to + 1)
        try:
            ((answer,),) = self._connection.execute(
                _NEWEST_FIRST if query.after is None else _OLDEST_FIRST,
                {
                    "rooms": msgspec.json.encode(query.rooms).decode(),
                    "low": low,
                    "high": high,
                    "person": query.dialogues_of,
                    "above": query.after or 0,
                    "below": below,
                    "rows": query.limit + 1,  # one more tells whether there is more
                },
            ).fetchall()
        except apsw.InterruptError as error:
            raise TooMuchWork("the history asked for spans too much") from error
        finally:
            # Outside a query the handler must not stop anything: in a simulation this connection writes too.
            self._checks_left = 1 << 60
        assert isinstance(answer, str)
        rows = [_message(row) for row in _decode_rows(answer)]
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        if query.after is None:
            rows.reverse()
        return HistoryRows(rows, more)


def _message(row: _Row) -> Message:
    seq, prev, sender_id, name, to_name, sent_at_ms, text, room, low, high = row
    if room is not None:
        return Message(seq, prev, sender_id, name, sent_at_ms, text, room)
    return Message(seq, prev, sender_id, name, sent_at_ms, text, None, high if sender_id == low else low, to_name)
