"""Lists a reader's rooms and dialogues with their last messages and what of them is unread, in two queries.

The first finds for each conversation the seq of its last message, from the same index as the counts, and counts as
`unread` does. The second reads these messages, each whole, because only a whole one can be held against its checksum.
Both answer with one row, as `history` explains.
"""

from __future__ import annotations

import msgspec

from securechat.model import Message
from securechat.records.queries import ConversationQuery, ConversationRow, ConversationRows, Unread
from securechat.storage.sqlite.checksums import decode_rows
from securechat.storage.sqlite.history import MESSAGE_ARRAY, HistoryReader, MessageRow, is_damaged, message_of
from securechat.storage.sqlite.unread import DIALOGUES, FIRST, LOOKED_THROUGH, MARK, MENTIONS, UNREAD

_LAST = """(SELECT m.seq FROM messages AS m WHERE m.conversation = c.conversation AND m.seq > %s AND m.seq <= :up_to
            ORDER BY m.seq DESC LIMIT 1) AS last"""
_CONVERSATIONS = f"""
WITH {DIALOGUES}, listed (conversation, room, peer, mark, last) AS MATERIALIZED (
    SELECT conversation, value ->> 0, NULL, max(value ->> 1, {MARK}), {_LAST % "value ->> 2"}
    FROM json_each(:rooms) LEFT JOIN conversations AS c ON room = value ->> 0
    UNION ALL
    SELECT * FROM (SELECT * FROM (SELECT conversation, NULL, peer, {MARK}, {_LAST % "0"} FROM looked AS c)
                   WHERE last IS NOT NULL ORDER BY peer LIMIT :rows)
)
SELECT json_array(json((
    SELECT json_group_array(json_array(mark, iif(:is_counted, {UNREAD}, 0), iif(:is_counted, {MENTIONS}, 0),
                                       iif(:is_counted, ifnull({FIRST}, 0), 0), room, peer, last))
    FROM listed AS place)), {LOOKED_THROUGH})
"""  # noqa: S608  # contains constants only
_MESSAGES = f"""
SELECT CAST(json_group_array({MESSAGE_ARRAY}) AS BLOB)
FROM (SELECT * FROM json_each(:seqs) CROSS JOIN messages ON seq = value CROSS JOIN conversations AS c
      ON c.conversation = messages.conversation) AS messages
"""  # noqa: S608

_Row = tuple[int, int, int, int, str | None, int | None, int | None]
_decode = msgspec.json.Decoder(tuple[list[_Row], int | None]).decode
_messages: msgspec.json.Decoder[list[MessageRow]] = msgspec.json.Decoder(list[MessageRow])


def list_conversations(reader: HistoryReader, query: ConversationQuery) -> ConversationRows:
    """Return every room asked for, and the dialogues that have a message.

    Raises:
        QueryTooExpensive: it took more than one query may.
        apsw.Error: the database cannot be read.
    """
    floors = dict(query.floors)
    rooms = [(room, above, floors.get(room, 0)) for room, above in dict(query.rooms).items()]
    bindings = {
        "me": query.sender_id,
        "rooms": msgspec.json.encode(rooms).decode(),
        "up_to": query.up_to,
        "after": query.after or 0,
        "looks": query.looks if query.after is not None else 0,
        "rows": query.limit + 1,  # one more row shows whether there is more
        "is_counted": query.is_counted,
    }
    found, through = _decode(reader.ask(_CONVERSATIONS, bindings))
    if query.after is None:
        through = None
    order = {room: at for at, (room, _, _) in enumerate(rooms)}
    of_rooms = sorted((row for row in found if row[4] is not None), key=lambda row: order[row[4] or ""])
    of_people = sorted((row for row in found if row[4] is None), key=lambda row: row[5] or 0)
    if len(of_people) > query.limit:
        of_people = of_people[: query.limit]
        through = of_people[-1][5]
    rows = of_rooms + of_people
    messages = _messages_of(reader, [row[6] for row in rows if row[6] is not None])
    return ConversationRows([ConversationRow(Unread(*row[:6]), messages.get(row[6] or 0)) for row in rows], through)


def _messages_of(reader: HistoryReader, seqs: list[int]) -> dict[int, Message]:
    """Read messages by seq; those that were removed meanwhile are left out."""
    answer = reader.ask(_MESSAGES, {"seqs": msgspec.json.encode(seqs).decode()})
    messages = {row[0]: (row, message_of(row)) for row in decode_rows(_messages, answer)}
    reader.damaged.update(seq for seq, (row, message) in messages.items() if is_damaged(row, message))
    return {seq: message for seq, (_, message) in messages.items()}
